/* SPDX-License-Identifier: Apache-2.0 */
#include "task.h"

/* The states of a task, and waiting for its end. */

enum {
	/* A thread spins for this part of its budget, when no worker was idle and the task has not
	 * begun. */
	SPIN_PART_IF_QUEUED = 8,
	/* Pauses of a thread at the heels of a worker, about 0.3 microseconds. */
	PAUSES_AT_HEELS = 12,
};

/*
 * Whether this thread has spun for a task since it last submitted. If it now waits for another that
 * has not ended, it is at the heels of the worker that runs one after the other, and with each look
 * takes the line away that the worker is about to write: it lets that get ahead.
 */
_Thread_local bool weft_worker_follows_;

/* What a wait for a task in this state returns: 0 when it has ended, -EINVAL when its submission
 * was refused after the wait began, -EINPROGRESS while there is something to wait for. */
static int wait_result(uint32_t state)
{
	state &= WEFT_TASK_STATE_MASK_;
	if (state == WEFT_TASK_IDLE_)
		return -EINVAL;
	return state >= WEFT_TASK_DONE_ ? 0 : -EINPROGRESS;
}

void weft_worker_wake_waiters_(const weft_task *task, uint32_t state)
{
	if ((state & WEFT_TASK_THREAD_WAITS_) != 0)
		weft_park_wake(&task->state_, WEFT_PARK_ALL);
	else if ((state & WEFT_TASK_TASK_WAITS_) != 0)
		weft_park_wake_tasks_(&task->state_, WEFT_PARK_ALL);
}

uint32_t weft_worker_end_held_(weft_task *task)
{
	weft_pool *pool = task->pool_;
	uint32_t state;

	weft_counter_increment(&pool->canceled);
	/* T4 acq_rel, pairs with T3, future:D1, future:K3: as T2. */
	state = atomic_fetch_xor_explicit(&task->state_, WEFT_TASK_CANCELING_ ^ WEFT_TASK_CANCELED_,
					  memory_order_acq_rel);
	weft_worker_wake_waiters_(task, state);
	return state;
}

/* Of a thread: spins until the task has ended, for as long as its pool said, or to the deadline. */
static void spin_for_end(const weft_task *task, weft_deadline deadline)
{
	/* relaxed: any value of it will do; whoever submits may still be about to write it. */
	uint32_t spin_ns = atomic_load_explicit(&task->spin_ns_, memory_order_relaxed);
	uint32_t most_ns = spin_ns & ~WEFT_SPIN_IF_BEGUN_;
	uint32_t part_ns = spin_ns != most_ns ? most_ns / SPIN_PART_IF_QUEUED : most_ns;
	weft_deadline begin = weft_now();

	for (int i = 0; weft_worker_follows_ && i < PAUSES_AT_HEELS; i++)
		weft_cpu_relax();
	weft_worker_follows_ = true;
	for (;;) {
		uint32_t state = weft_worker_state_of_(task);
		bool is_queued = (state & WEFT_TASK_STATE_MASK_) == WEFT_TASK_QUEUED_;
		weft_deadline end = begin + (is_queued ? part_ns : most_ns);

		if (deadline < end)
			end = deadline;
		if (wait_result(state) != -EINPROGRESS || weft_now() >= end)
			return;
		weft_park_while(&task->state_, state, most_ns, end);
	}
}

int weft_worker_wait_for_(weft_task *task, weft_deadline deadline)
{
	const weft_worker_ *self = weft_worker_current_;
	bool is_task = weft_park_running_ != NULL;
	uint32_t waits = is_task ? WEFT_TASK_TASK_WAITS_ : WEFT_TASK_THREAD_WAITS_;

	if (weft_worker_ended_(task))
		return 0;
	if (self != NULL && self->fibers.running->task == task)
		return -EDEADLK;
	if (!is_task && deadline != WEFT_NOW)
		spin_for_end(task, deadline);
	for (;;) {
		uint32_t state = weft_worker_state_of_(task);
		uint32_t sleeping = state | waits;

		if (wait_result(state) != -EINPROGRESS)
			return wait_result(state);
		/* relaxed: a bit for T2, which wakes who sleeps on the word. */
		if (state != sleeping && !atomic_compare_exchange_weak_explicit(
						 &task->state_, &state, sleeping,
						 memory_order_relaxed, memory_order_relaxed))
			continue;
		if (weft_park_while(&task->state_, sleeping, 0, deadline) != 0 &&
		    !weft_worker_ended_(task))
			return -ETIMEDOUT;
	}
}
