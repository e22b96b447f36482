/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_TASK_H
#define WEFT_POOL_TASK_H

/*
 * Private: how a task goes from state to state (worker.h names them), and how one waits for its
 * end. What every task goes through is here, to be inlined.
 */

#include "worker.h"

/* The time that this has returned is the task's. */
WEFT_INLINE void weft_worker_let_spin_(weft_task *task, uint32_t spin_ns)
{
	/* relaxed: a hint, also for a thread that waits already. */
	atomic_store_explicit(&task->spin_ns_, spin_ns, memory_order_relaxed);
}

/* Waits for a task. Returns 0 (it ended), -ETIMEDOUT, -EDEADLK, or -EINVAL (it is not submitted).
 */
int weft_worker_wait_for_(weft_task *task, weft_deadline deadline);

WEFT_INLINE uint32_t weft_worker_state_of_(const weft_task *task)
{
	/* T3 acquire, pairs with T2, T4: what the task did is visible. */
	return atomic_load_explicit(&task->state_, memory_order_acquire);
}

/* Whether the task has ended; what it did is then visible. */
WEFT_INLINE bool weft_worker_ended_(const weft_task *task)
{
	return (weft_worker_state_of_(task) & WEFT_TASK_STATE_MASK_) >= WEFT_TASK_DONE_;
}

/* Takes a queued task out of the race between worker and canceler. Returns whether it was queued.*/
WEFT_INLINE bool weft_worker_claim_(weft_task *task, uint32_t new_state)
{
	/* relaxed: this decides who goes on and orders nothing; a worker has the task from its
	 * queue, a canceler from whoever owns it. */
	uint32_t state = atomic_load_explicit(&task->state_, memory_order_relaxed);

	do {
		if ((state & WEFT_TASK_STATE_MASK_) != WEFT_TASK_QUEUED_)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&task->state_, &state, (state & ~(uint32_t)WEFT_TASK_STATE_MASK_) | new_state,
		memory_order_relaxed, memory_order_relaxed));
	return true;
}

/* Wakes who waits for a task that was in this state, with a bit of somebody who does, before it
 * changed. The task may be gone: its address is used, not its memory. */
void weft_worker_wake_waiters_(const weft_task *task, uint32_t state);

/* Changes the state, with all its bits, and wakes who waits for the task. A plain task in an end
 * state is the caller's: it is not touched again. Returns what the state was. */
WEFT_INLINE uint32_t weft_worker_set_state_(weft_task *task, uint32_t new_state)
{
	/* T2 acq_rel, pairs with T3, executor:T5, future:D1, future:D3, future:K3: what the task
	 * did, and what else was asked for at its end. */
	uint32_t state = atomic_exchange_explicit(&task->state_, new_state, memory_order_acq_rel);

	if (WEFT_UNLIKELY((state & (WEFT_TASK_THREAD_WAITS_ | WEFT_TASK_TASK_WAITS_)) != 0))
		weft_worker_wake_waiters_(task, state);
	return state;
}

/* Ends a claimed task: DONE or CANCELED. Counts it and does the above. */
WEFT_INLINE uint32_t weft_worker_end_(weft_task *task, uint32_t end_state)
{
	weft_pool *pool = task->pool_;

	/* Before anybody can know of the end: who has waited for all tasks finds exact sums. */
	weft_counter_increment(end_state == WEFT_TASK_DONE_ ? &pool->run : &pool->canceled);
	return weft_worker_set_state_(task, end_state);
}

/* Ends a task as canceled that its canceler has claimed while it was in a queue, where it may still
 * be. Counts it, wakes who waits for it, and keeps the other bits. Returns what the state was. */
uint32_t weft_worker_end_held_(weft_task *task);

#endif
