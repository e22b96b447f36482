/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>

#include "worker.h"

/* How tasks come to a worker; see worker.c for where it looks. */

bool weft_worker_is_inside_(const weft_pool *pool)
{
	const weft_worker_ *self = weft_worker_current_;

	return self != NULL && self->pool == pool;
}

bool weft_worker_may_submit_(const weft_pool *pool)
{
	uint32_t phase = weft_worker_phase_(pool);

	return phase == WEFT_POOL_OPEN_ ||
	       (phase == WEFT_POOL_DRAINING_ && weft_worker_is_inside_(pool));
}

/* Of a worker of the pool: keeps the tasks. */
static void send_own(weft_worker_ *self, unsigned lane, weft_task *first)
{
	while (first != NULL) {
		weft_task *next = first->next_;

		if (!weft_lane_push_one_of_(&self->lane[lane], first, next == NULL))
			weft_wake_fence_(&self->pool->wake);
		first = next;
	}
	weft_worker_notify_(self->pool, self->index);
}

/* To one worker. Returns 0 or -EPIPE. */
static int send_private(weft_pool *pool, unsigned index, weft_task *first)
{
	weft_worker_ *worker = pool->worker[index];
	weft_task *newest;

	if (!weft_worker_may_submit_(pool))
		return -EPIPE;
	newest = weft_task_reverse_(first);
	if (!weft_inbox_put_(&worker->private_inbox, newest, first)) {
		/* The worker is not on duty, or the pool is about to end. */
		if (!weft_worker_is_inside_(pool) ||
		    weft_worker_phase_(pool) != WEFT_POOL_DRAINING_)
			return -EPIPE;
		weft_inbox_put_(&worker->late_inbox, newest, first);
	}
	weft_worker_wake_(worker);
	return 0;
}

/* Of any other thread: to the worker nearest to it. Returns 0 or -EPIPE. */
static int send_to_nearest(weft_pool *pool, unsigned lane, weft_task *first)
{
	uint32_t phase = weft_worker_phase_(pool);
	int cpu = sched_getcpu();
	unsigned near = weft_plan_worker_near(pool->plan, cpu < 0 ? 0 : (unsigned)cpu);
	weft_task *newest = weft_task_reverse_(first);

	if (phase != WEFT_POOL_OPEN_)
		return -EPIPE;
	/* One that is not on duty takes none; the first one always is, until the pool closes. */
	while (!weft_inbox_put_(&pool->worker[near]->lane[lane].inbox, newest, first))
		if (near-- == 0)
			return -EPIPE;
	weft_worker_notify_(pool, near);
	return 0;
}

void weft_worker_offer_(weft_worker_ *last, weft_task *going_on)
{
	weft_pool *pool = last->pool;

	going_on->next_ = NULL;
	if (weft_worker_is_inside_(pool)) {
		send_own(weft_worker_current_, WEFT_LANE_NORMAL_, going_on);
		return;
	}
	/* A worker is not quiet while a task is away that was there. But it may have been before,
	 * in a pool that is closing, and then only its late inbox is open. */
	if (weft_inbox_put_(&last->lane[WEFT_LANE_NORMAL_].inbox, going_on, going_on)) {
		weft_worker_notify_(pool, last->index);
	} else {
		weft_inbox_put_(&last->late_inbox, going_on, going_on);
		weft_worker_wake_(last);
	}
}

static const unsigned lane_of_priority[] = {
	[WEFT_PRIORITY_NORMAL] = WEFT_LANE_NORMAL_,
	[WEFT_PRIORITY_HIGH] = WEFT_LANE_HIGH_,
	[WEFT_PRIORITY_LOW] = WEFT_LANE_LOW_,
};

bool weft_worker_accepts_these_(const weft_pool *pool, const weft_submit_options *options)
{
	return options->size == sizeof(*options) &&
	       (unsigned)options->priority <= WEFT_PRIORITY_LOW &&
	       (!options->to_worker || (options->worker < pool->workers && !options->may_move)) &&
	       (options->strand == NULL || options->strand->pool_ == pool);
}

/* To one worker, the nearest one, or this one itself, and then `behind` all that it has: one task,
 * where its inbox is open. */
WEFT_INLINE int send_somewhere(weft_pool *pool, weft_task *first, uint32_t count,
			       const weft_submit_options *options, bool behind)
{
	weft_worker_ *self = weft_worker_is_inside_(pool) ? weft_worker_current_ : NULL;
	unsigned lane = options == NULL ? WEFT_LANE_NORMAL_ : lane_of_priority[options->priority];
	int error = 0;

	if (options != NULL && options->to_worker) {
		error = send_private(pool, options->worker, first);
	} else {
		if (self != NULL && weft_worker_phase_(pool) == WEFT_POOL_ABORTING_)
			return -EPIPE;
		/* relaxed: published with the tasks. */
		if (lane != WEFT_LANE_NORMAL_)
			atomic_fetch_add_explicit(&pool->queued[lane], count, memory_order_relaxed);
		if (self == NULL)
			error = send_to_nearest(pool, lane, first);
		else if (behind && weft_inbox_put_(&self->lane[lane].inbox, first, first))
			weft_worker_notify_(pool, self->index);
		else
			send_own(self, lane, first);
		if (error != 0 && lane != WEFT_LANE_NORMAL_)
			atomic_fetch_sub_explicit(&pool->queued[lane], count, memory_order_relaxed);
	}
	if (error == 0)
		weft_counter_add(&pool->submitted, count);
	return error;
}

int weft_worker_send_unbounded_(weft_pool *pool, weft_task *first, uint32_t count,
				const weft_submit_options *options)
{
	return send_somewhere(pool, first, count, options, false);
}

int weft_worker_send_behind_(weft_pool *pool, weft_task *task, const weft_submit_options *options)
{
	return send_somewhere(pool, task, 1, options, true);
}

/* Waits until there is room. Returns 0 when they have entered, or a negative errno. */
static int wait_to_enter(weft_pool *pool, uint32_t count)
{
	weft_deadline deadline =
		pool->full_wait_ns != 0 ? weft_after(pool->full_wait_ns) : WEFT_FOREVER;

	for (;;) {
		bool is_late = deadline != WEFT_FOREVER && weft_now() >= deadline;
		uint32_t key = weft_eventcount_prepare(&pool->bound.room);
		int error = is_late ? -EAGAIN : 1;

		if (weft_bound_try_enter_(&pool->bound, count))
			error = 0;
		else if (!weft_worker_may_submit_(pool))
			error = -EPIPE;
		if (error <= 0) {
			weft_eventcount_cancel(&pool->bound.room);
			return error;
		}
		weft_eventcount_wait(&pool->bound.room, key, weft_worker_look_ns_(pool), deadline);
	}
}

/* For a pool that has no room for these tasks. Returns 0 when it has by now, 1 when this thread has
 * run them, or a negative errno. Not inlined: a task that waits here may go on on another worker.
 */
static __attribute__((noinline)) int wait_for_room(weft_pool *pool, weft_task *first,
						   uint32_t count,
						   const weft_submit_options *options)
{
	switch (pool->full) {
	case WEFT_FULL_BLOCK:
		return wait_to_enter(pool, count);
	case WEFT_FULL_REFUSE:
		return -EAGAIN;
	case WEFT_FULL_RUN:
		break;
	}
	if (options != NULL && (options->to_worker || options->strand != NULL))
		return -EAGAIN;
	if (!weft_worker_may_submit_(pool))
		return -EPIPE;
	weft_counter_add(&pool->submitted, count);
	while (first != NULL) {
		weft_task *next = first->next_;

		weft_worker_run_(pool, first, false);
		first = next;
	}
	return 1;
}

int weft_worker_send_(weft_pool *pool, weft_task *first, uint32_t count,
		      const weft_submit_options *options)
{
	bool is_bounded = pool->bound.limit != 0;
	int error = 0;

	if (options != NULL && options->may_move)
		weft_worker_let_move_(first);
	if (WEFT_UNLIKELY(is_bounded)) {
		if (count > pool->bound.limit)
			return -EINVAL;
		if (!weft_bound_try_enter_(&pool->bound, count))
			error = wait_for_room(pool, first, count, options);
		if (error != 0)
			return error > 0 ? 0 : error;
		for (weft_task *task = first; task != NULL; task = task->next_)
			task->kind_ |= WEFT_TASK_COUNTED_;
	}
	if (options != NULL && options->strand != NULL)
		error = weft_strand_send_(options->strand, first, count);
	else
		error = send_somewhere(pool, first, count, options, false);
	if (WEFT_UNLIKELY(error != 0 && is_bounded))
		weft_bound_leave_(&pool->bound, count);
	return error;
}
