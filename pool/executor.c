/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/executor.h>

#include <string.h>

#include "worker.h"

typedef struct spawned {
	weft_task task;
	void (*function)(void *argument);
	void *argument;
} spawned;

static_assert(sizeof(spawned) <= WEFT_TASK_BYTES_, "it is allocated as a future is");

int weft_spawn(weft_pool *pool, void (*function)(void *argument), void *argument)
{
	spawned *call;
	int error;

	if (pool == NULL || function == NULL)
		return -EINVAL;
	call = weft_task_alloc_();
	if (call == NULL)
		return -ENOMEM;
	memset((void *)call, 0, sizeof(*call));
	call->task.kind_ = WEFT_TASK_SPAWNED_;
	call->task.pool_ = pool;
	call->function = function;
	call->argument = argument;
	error = weft_worker_send_(pool, &call->task);
	if (error != 0)
		weft_task_free_(call);
	return error;
}

void weft_executor_run_spawned_(weft_task *task, bool canceled)
{
	spawned *call = (spawned *)task;
	weft_pool *pool = task->pool_;

	if (!canceled)
		call->function(call->argument);
	weft_task_free_(call);
	weft_counter_increment(canceled ? &pool->canceled : &pool->run);
}

void weft_task_init(weft_task *task, weft_task_function function)
{
	memset((void *)task, 0, sizeof(*task));
	task->function_ = function;
}

int weft_task_submit(weft_pool *pool, weft_task *task)
{
	uint32_t state;
	int error;

	if (pool == NULL || task == NULL || task->function_ == NULL)
		return -EINVAL;
	/* relaxed: the exchange finds what it finds with acquire. */
	state = atomic_load_explicit(&task->state_, memory_order_relaxed);
	do {
		uint32_t was = state & WEFT_TASK_STATE_MASK_;

		if (was != WEFT_TASK_IDLE_ && was < WEFT_TASK_DONE_)
			return -EBUSY;
		/* T5 acquire, pairs with worker:T2: of a task that is submitted again, what it did,
		 * for other submitters, too. Sending publishes the task. */
	} while (!atomic_compare_exchange_weak_explicit(&task->state_, &state, WEFT_TASK_QUEUED_,
							memory_order_acquire,
							memory_order_relaxed));
	task->kind_ = WEFT_TASK_PLAIN_;
	task->pool_ = pool;
	task->spin_ns_ = weft_worker_spin_ns_(pool);
	error = weft_worker_send_(pool, task);
	if (error != 0)
		weft_worker_set_state_(task, state); /* wakes who began to wait meanwhile */
	return error;
}

void weft_executor_run_plain_(weft_task *task, bool canceled)
{
	bool runs = !canceled && weft_worker_claim_(task, WEFT_TASK_RUNNING_);

	if (runs)
		task->function_(task);
	weft_worker_end_(task, runs ? WEFT_TASK_DONE_ : WEFT_TASK_CANCELED_);
}

int weft_task_wait(weft_task *task, weft_deadline deadline)
{
	int error;

	if (task == NULL)
		return -EINVAL;
	error = weft_worker_wait_for_(task, deadline);
	if (error != 0)
		return error;
	/* relaxed: the wait has seen it with acquire. */
	return (atomic_load_explicit(&task->state_, memory_order_relaxed) &
		WEFT_TASK_STATE_MASK_) == WEFT_TASK_CANCELED_
		       ? -ECANCELED
		       : 0;
}

bool weft_task_cancel(weft_task *task)
{
	return weft_worker_claim_(task, WEFT_TASK_CANCELING_);
}

bool weft_task_is_done(const weft_task *task)
{
	return weft_worker_ended_(task);
}
