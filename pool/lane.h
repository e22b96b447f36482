/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_LANE_H
#define WEFT_POOL_LANE_H

/*
 * Private: where a worker's queued tasks of one priority are. An inbox that any thread puts tasks
 * into, and a deque that they move to when the worker takes the inbox, from where they are run or
 * stolen. An inbox is a list whose newest task comes first; whoever takes it takes all of it.
 */

#include <weft/lockfree/deque.h>
#include <weft/pool/executor.h>

/* Newest first; or weft_inbox_closed_. Written by any thread. */
typedef struct weft_inbox_ {
	WEFT_ATOMIC(weft_task *) newest;
} weft_inbox_;

/* What an inbox holds once it is closed. */
extern weft_task weft_inbox_closed_ __attribute__((visibility("hidden")));

typedef struct weft_lane_ {
	weft_deque deque;   /* read by thieves */
	weft_task *backlog; /* the worker's: tasks for which the deque had no memory to grow */
	WEFT_LINE_ALIGNED weft_inbox_ inbox;
} weft_lane_;

/* Turns a list of tasks round. Returns its new first one; the first one becomes the last. */
WEFT_INLINE weft_task *weft_task_reverse_(weft_task *first)
{
	weft_task *reversed = NULL;

	while (first != NULL) {
		weft_task *next = first->next_;

		first->next_ = reversed;
		reversed = first;
		first = next;
	}
	return reversed;
}

/*
 * Adds the tasks from `newest` to `oldest`, which are linked so.
 * Threads: any. Progress: lock-free. Returns false when the inbox is closed.
 */
WEFT_INLINE bool weft_inbox_put_(weft_inbox_ *inbox, weft_task *newest, weft_task *oldest)
{
	/* It is not only read: one transfer between the CPUs, not two. */
	weft_cpu_prefetch_to_write_(&inbox->newest);
	/* relaxed: only its value counts, B1 publishes the tasks. */
	weft_task *before = atomic_load_explicit(&inbox->newest, memory_order_relaxed);

	do {
		if (WEFT_UNLIKELY(before == &weft_inbox_closed_))
			return false;
		oldest->next_ = before;
		/* B1 seq_cst, pairs with B2, B3, V1: publishes the tasks, in the order of the
		 * essay in wake.h. */
	} while (!atomic_compare_exchange_weak_explicit(
		&inbox->newest, &before, newest, memory_order_seq_cst, memory_order_relaxed));
	return true;
}

/* Takes all tasks, newest first, or NULL. Threads: any. Progress: lock-free. */
WEFT_INLINE weft_task *weft_inbox_take_(weft_inbox_ *inbox)
{
	/* relaxed: B2 acquires what was seen. */
	weft_task *newest = atomic_load_explicit(&inbox->newest, memory_order_relaxed);

	do {
		if (newest == NULL || newest == &weft_inbox_closed_)
			return NULL;
		/* B2 acquire, pairs with B1: the tasks are complete. An inbox that was emptied
		 * and filled again with the same newest task is as good. */
	} while (!atomic_compare_exchange_weak_explicit(
		&inbox->newest, &newest, NULL, memory_order_acquire, memory_order_relaxed));
	return newest;
}

/* Closes it and takes what was inside, or NULL. Threads: any. Progress: wait-free. */
WEFT_INLINE weft_task *weft_inbox_close_(weft_inbox_ *inbox)
{
	/* B3 acquire, pairs with B1: as B2. */
	weft_task *newest =
		atomic_exchange_explicit(&inbox->newest, &weft_inbox_closed_, memory_order_acquire);

	return newest == &weft_inbox_closed_ ? NULL : newest;
}

/* Opens a closed one again. Threads: the worker whose it is. Progress: wait-free. */
WEFT_INLINE void weft_inbox_open_(weft_inbox_ *inbox)
{
	const weft_task *closed = &weft_inbox_closed_;

	/* relaxed: it publishes nothing. No other thread changes a closed inbox. */
	if (atomic_load_explicit(&inbox->newest, memory_order_relaxed) == closed)
		atomic_store_explicit(&inbox->newest, NULL, memory_order_relaxed);
}

/* A guess. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_inbox_is_closed_(const weft_inbox_ *inbox)
{
	/* relaxed: who then puts something there finds out. */
	return atomic_load_explicit(&inbox->newest, memory_order_relaxed) == &weft_inbox_closed_;
}

/* Neither tasks nor closed; a guess. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_inbox_is_empty_(const weft_inbox_ *inbox)
{
	/* relaxed: who then takes something acquires it. */
	return atomic_load_explicit(&inbox->newest, memory_order_relaxed) == NULL;
}

WEFT_INLINE bool weft_inbox_has_tasks_(const weft_inbox_ *inbox)
{
	/* V1 seq_cst, pairs with B1: the last look before sleep, see wake.h. */
	const weft_task *newest = atomic_load_explicit(&inbox->newest, memory_order_seq_cst);

	return newest != NULL && newest != &weft_inbox_closed_;
}

/* Whether there may be tasks that thieves can take. */
WEFT_INLINE bool weft_lane_has_tasks_(const weft_lane_ *lane)
{
	return weft_inbox_has_tasks_(&lane->inbox) || weft_deque_size(&lane->deque) > 0;
}

/*
 * Makes the worker's own task visible to thieves, and all that the deque held back; or keeps it
 * where they do not see it when memory is short, and returns false.
 */
WEFT_INLINE bool weft_lane_push_(weft_lane_ *lane, weft_task *task)
{
	if (WEFT_LIKELY(weft_deque_push_seq_cst(&lane->deque, task) == 0))
		return true;
	task->next_ = lane->backlog;
	lane->backlog = task;
	weft_deque_publish(&lane->deque);
	return false;
}

/* The same for one of several: thieves need not see any before the last. */
WEFT_INLINE bool weft_lane_push_one_of_(weft_lane_ *lane, weft_task *task, bool is_last)
{
	return (!is_last && weft_deque_push_lazy(&lane->deque, task) == 0) ||
	       weft_lane_push_(lane, task);
}

/* The worker's newest task, outside of the inbox, or NULL. */
WEFT_INLINE weft_task *weft_lane_pop_(weft_lane_ *lane)
{
	void *task = NULL;

	if (weft_deque_try_pop(&lane->deque, &task))
		return task;
	task = lane->backlog;
	if (task != NULL)
		lane->backlog = lane->backlog->next_;
	return task;
}

#endif
