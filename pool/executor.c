/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/executor.h>

#include <string.h>

#include "task.h"

typedef struct spawned {
	weft_task task;
	void (*function)(void *argument);
	void *argument;
} spawned;

static_assert(sizeof(spawned) <= WEFT_TASK_BYTES_, "it is allocated as a future is");

int weft_spawn(weft_pool *pool, void (*function)(void *argument), void *argument)
{
	return weft_spawn_with(pool, function, argument, NULL);
}

int weft_spawn_with(weft_pool *pool, void (*function)(void *argument), void *argument,
		    const weft_submit_options *options)
{
	spawned *call;
	int error;

	if (pool == NULL || function == NULL || !weft_worker_accepts_(pool, options))
		return -EINVAL;
	call = weft_task_alloc_();
	if (call == NULL)
		return -ENOMEM;
	memset((void *)call, 0, sizeof(*call));
	call->task.kind_ = WEFT_TASK_SPAWNED_;
	call->task.pool_ = pool;
	call->function = function;
	call->argument = argument;
	error = weft_worker_send_(pool, &call->task, 1, options);
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

/* Takes a task that is nobody's for a submission; *was is the state to go back to. */
static int begin_submission(weft_pool *pool, weft_task *task, uint32_t *was)
{
	if (task == NULL || task->function_ == NULL)
		return -EINVAL;
	/* relaxed: the exchange finds what it finds with acquire. */
	*was = atomic_load_explicit(&task->state_, memory_order_relaxed);
	do {
		uint32_t state = *was & WEFT_TASK_STATE_MASK_;

		if (state != WEFT_TASK_IDLE_ && state < WEFT_TASK_DONE_)
			return -EBUSY;
		/* T5 acquire, pairs with task:T2: of a task that is submitted again, what it did,
		 * for other submitters, too. Sending publishes the task. */
	} while (!atomic_compare_exchange_weak_explicit(
		&task->state_, was, WEFT_TASK_QUEUED_, memory_order_acquire, memory_order_relaxed));
	task->kind_ = WEFT_TASK_PLAIN_;
	task->pool_ = pool;
	task->next_ = NULL;
	return 0;
}

int weft_task_submit(weft_pool *pool, weft_task *task)
{
	return weft_task_submit_with(pool, task, NULL);
}

int weft_task_submit_with(weft_pool *pool, weft_task *task, const weft_submit_options *options)
{
	uint32_t was;
	int error;

	if (pool == NULL || !weft_worker_accepts_(pool, options))
		return -EINVAL;
	error = begin_submission(pool, task, &was);
	if (error != 0)
		return error;
	weft_worker_let_spin_(task, weft_worker_note_submission_(pool));
	error = weft_worker_send_(pool, task, 1, options);
	if (error != 0)
		weft_worker_set_state_(task, was); /* wakes who began to wait meanwhile */
	return error;
}

int weft_executor_submit_unbounded_(weft_pool *pool, weft_task *task)
{
	uint32_t was;
	int error = begin_submission(pool, task, &was);

	if (error != 0)
		return error;
	weft_worker_let_spin_(task, weft_worker_note_submission_(pool));
	error = weft_worker_send_unbounded_(pool, task, 1, NULL);
	if (error != 0)
		weft_worker_set_state_(task, was);
	return error;
}

int weft_task_submit_many(weft_pool *pool, weft_task *const *tasks, size_t count,
			  const weft_submit_options *options)
{
	uint32_t spin_ns, was;
	size_t begun;
	int error = 0;

	if (pool == NULL || (tasks == NULL && count > 0) || count > WEFT_SUBMIT_MANY_MAX ||
	    !weft_worker_accepts_(pool, options))
		return -EINVAL;
	if (count == 0)
		return 0;
	spin_ns = weft_worker_note_submission_(pool);
	for (begun = 0; begun < count; begun++) {
		error = begin_submission(pool, tasks[begun], &was);
		if (error != 0)
			break;
		weft_worker_let_spin_(tasks[begun], spin_ns);
		/* relaxed: for this thread, should it have to go back. */
		atomic_store_explicit(&tasks[begun]->owners_, was, memory_order_relaxed);
		if (begun > 0)
			tasks[begun - 1]->next_ = tasks[begun];
	}
	if (error == 0)
		error = weft_worker_send_(pool, tasks[0], (uint32_t)count, options);
	if (error == 0)
		return 0;
	while (begun-- > 0)
		/* relaxed: this thread has written it. */
		weft_worker_set_state_(tasks[begun], atomic_load_explicit(&tasks[begun]->owners_,
									  memory_order_relaxed));
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
