/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

/*
 * Which workers are on duty: those whose number is below pool->on_duty. It grows and shrinks with
 * weft_pool_resize, and by one for each blocking section. The threads are all there from the
 * beginning; one that is not on duty sleeps until it is, or the pool closes.
 *
 * A worker leaves between two tasks, when none of its own is suspended. It closes its inboxes, as
 * at the end of the pool, so that no task can come to it; hands over what it has; and counts as
 * quiet, for it cannot have, run or steal any. Once the pool is closing all are on duty, and end
 * as essayed in worker.c. Worker 0 never leaves, so that there is always an open inbox.
 */

bool weft_worker_may_leave_(const weft_worker_ *self)
{
	return self->private_first == NULL && weft_fibers_none_suspended_(&self->fibers) &&
	       weft_worker_phase_(self->pool) == WEFT_POOL_OPEN_;
}

/* Gives all tasks of a lane to another worker. Returns false when that takes none. */
static bool hand_over(weft_worker_ *self, unsigned lane)
{
	weft_worker_ *other = self->pool->worker[0];
	weft_task *oldest = NULL, *newest = NULL, *task;

	/* The newest is popped first. */
	while ((task = weft_lane_pop_(&self->lane[lane])) != NULL) {
		task->next_ = NULL;
		if (oldest != NULL)
			oldest->next_ = task;
		else
			newest = task;
		oldest = task;
	}
	if (newest == NULL)
		return true;
	if (weft_inbox_put_(&other->lane[lane].inbox, newest, oldest)) {
		weft_worker_notify_(self->pool, other->index);
		return true;
	}
	for (task = newest; task != NULL; task = newest) {
		newest = task->next_;
		if (!weft_lane_push_(&self->lane[lane], task))
			weft_wake_fence_(&self->pool->wake);
	}
	return false;
}

/* Nothing can come any more. Returns whether it has nothing left. */
static bool give_up_tasks(weft_worker_ *self)
{
	bool gave_all = true;

	self->private_first = weft_task_reverse_(weft_inbox_close_(&self->private_inbox));
	for (unsigned lane = 0; lane < WEFT_LANES_; lane++) {
		weft_task *oldest = weft_task_reverse_(weft_inbox_close_(&self->lane[lane].inbox));

		while (oldest != NULL) {
			weft_task *next = oldest->next_;

			if (!weft_lane_push_(&self->lane[lane], oldest))
				weft_wake_fence_(&self->pool->wake);
			oldest = next;
		}
		gave_all = hand_over(self, lane) && gave_all;
	}
	return gave_all && self->private_first == NULL;
}

static void open_inboxes(weft_worker_ *self)
{
	weft_inbox_open_(&self->private_inbox);
	for (unsigned lane = 0; lane < WEFT_LANES_; lane++)
		weft_inbox_open_(&self->lane[lane].inbox);
}

void weft_worker_leave_(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	uint32_t place;

	if (give_up_tasks(self)) {
		/* Q3 acq_rel, pairs with worker:Q1: quiet, as when the pool closes. */
		atomic_fetch_add_explicit(&pool->quiet, WEFT_QUIET_ONE_, memory_order_acq_rel);
		while (weft_worker_is_off_duty_(self))
			weft_worker_park_(self, WEFT_FOREVER);
		/* Q4 acq_rel, pairs with worker:Q1, worker:Q5: not quiet before it looks around
		 * again. */
		atomic_fetch_sub_explicit(&pool->quiet, 1, memory_order_acq_rel);
	}
	if (weft_worker_phase_(pool) == WEFT_POOL_OPEN_)
		open_inboxes(self);
	/* relaxed: a number. */
	place = atomic_load_explicit(&self->place, memory_order_relaxed);
	if (place != self->bound_place)
		weft_worker_take_place_(self, place);
}

/* Some more or fewer are on duty: from worker `first` up to `last`. */
static void tell(weft_pool *pool, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last && i < pool->workers; i++)
		weft_parker_unpark(&pool->worker[i]->parker);
}

int weft_pool_resize(weft_pool *pool, unsigned workers)
{
	uint32_t before;

	if (pool == NULL || workers == 0 || workers > pool->workers_max)
		return -EINVAL;
	if (weft_worker_phase_(pool) != WEFT_POOL_OPEN_)
		return -EPIPE;
	for (unsigned i = 0; i < workers; i++)
		/* relaxed: read by the worker after it has been told, or later. */
		atomic_store_explicit(&pool->worker[i]->place, i, memory_order_relaxed);
	/* R1 acq_rel, pairs with R1: of several resizes each goes on from the one before. */
	before = atomic_exchange_explicit(&pool->wanted, workers, memory_order_acq_rel);
	/* R2 seq_cst, pairs with worker:Y4: as there. */
	atomic_fetch_add_explicit(&pool->on_duty, workers - before, memory_order_seq_cst);
	/* Blocking sections shift those that are concerned. */
	tell(pool, before < workers ? before : workers, pool->workers);
	return 0;
}

void weft_blocking_begin(void)
{
	weft_worker_ *self = weft_worker_current_;
	weft_pool *pool;
	uint32_t spare;

	if (self == NULL || self->blocking++ > 0)
		return;
	pool = self->pool;
	/* relaxed: unparking publishes it. */
	spare = atomic_fetch_add_explicit(&pool->on_duty, 1, memory_order_relaxed);
	if (spare >= pool->workers)
		return; /* all are on duty already */
	atomic_store_explicit(&pool->worker[spare]->place, self->bound_place, memory_order_relaxed);
	tell(pool, spare, spare + 1);
	/* What this worker has is for others to steal. */
	weft_worker_notify_(pool, self->index);
}

void weft_blocking_end(void)
{
	weft_worker_ *self = weft_worker_current_;
	uint32_t on_duty;

	if (self == NULL)
		return;
	WEFT_CONTRACT(self->blocking > 0, "a blocking section ends that has begun");
	if (self->blocking == 0 || --self->blocking > 0)
		return;
	/* R3 seq_cst, pairs with worker:Y4: as there. */
	on_duty = atomic_fetch_sub_explicit(&self->pool->on_duty, 1, memory_order_seq_cst);
	tell(self->pool, on_duty - 1, on_duty);
}
