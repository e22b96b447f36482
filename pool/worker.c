/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <stdio.h>

#include <weft/lockfree/reclaim_thread.h>

/*
 * Where a worker looks, in this order: its turn (below), tasks that have begun and may go on, tasks
 * for this worker alone, tasks of high priority of its own and then of others, its own of normal
 * priority, those that have yielded, those of others, and likewise those of low priority. Lanes of
 * high and low priority are looked at only while the pool counts tasks in them (queued).
 *
 * How workers sleep and are woken: see wake.h. Here a task is published by B1 or by a push to the
 * deque, and "all queues" are those of work_is_visible and the worker's own.
 *
 * How a pool ends. Once it is closing, a worker that finds nothing closes its inboxes for ever and
 * becomes quiet while it sleeps. Only a worker that is not quiet can have tasks, run them or steal
 * them; when all are quiet nothing is left, and the last one ends the pool. But the tasks of a pool
 * that drains may still submit to one worker alone, which may be quiet: such tasks come to an inbox
 * of its own, late_inbox, which is never closed. Who puts one there is not quiet yet. So when all
 * are, such a task is there to be seen, or somebody is no longer quiet, who has taken it. The last
 * one to become quiet looks for them, and then whether all have been quiet since (Q5): if not, the
 * end is left to those who have been woken.
 */

enum {
	/* Of so many tasks one is the oldest of each kind, lest tasks of another kind, or one that
	 * always submits the next, keep it waiting for ever. Those that have begun come first and
	 * need no turn. */
	TICKS_PER_TURN = 64,
	TICKS_BETWEEN_TURNS = 8,
	TURN_OF_NORMAL = 0,
	TURN_OF_PRIVATE = 8,
	TURN_OF_HIGH = 16,
	TURN_OF_YIELDED = 24,
	TURN_OF_LOW = 32,
	TURN_OF_PLACE = 48,
	/* Pauses between two looks around. */
	PAUSES_PER_LOOK = 4,
	/* Once in so many looks, some 20 microseconds, and the first time after half of that, a
	 * worker lets others have its CPU: a thread that waits for a task there has something to do
	 * as soon as the task has ended, wherever that was run. */
	LOOKS_PER_YIELD = 128,
	/* A nap: so long, twice as long each time, up to a millisecond. */
	NAP_NS = 16000,
	NAP_DOUBLINGS = 6,
};

_Thread_local weft_worker_ *weft_worker_current_;

weft_task weft_inbox_closed_;

/* Whether any worker has a task that another could take. */
static bool work_is_visible(const weft_pool *pool)
{
	for (unsigned i = 0; i < pool->workers; i++) {
		const weft_worker_ *worker = pool->worker[i];

		for (unsigned lane = 0; lane < WEFT_LANES_; lane++)
			if (weft_lane_has_tasks_(&worker->lane[lane]))
				return true;
		if (weft_forkjoin_has_public_(worker))
			return true;
	}
	return false;
}

bool weft_worker_sees_work_(const weft_worker_ *self)
{
	return weft_fibers_any_(&self->fibers) || self->fibers.yielded.first != NULL ||
	       self->private_first != NULL || weft_inbox_has_tasks_(&self->private_inbox) ||
	       work_is_visible(self->pool);
}

void weft_worker_wake_one_(weft_pool *pool, unsigned near)
{
	int chosen = weft_wake_choose_(&pool->wake, near);

	if (chosen >= 0) {
		weft_counter_increment(&pool->woken);
		weft_parker_unpark(&pool->worker[chosen]->parker);
	}
}

void weft_worker_wake_(weft_worker_ *worker)
{
	if (weft_wake_is_idle_(&worker->pool->wake, worker->index))
		weft_parker_unpark(&worker->parker);
}

void weft_worker_taken_(weft_worker_ *last, const weft_worker_ *self)
{
	const weft_pool *pool = self->pool;

	/* Y2 seq_cst, pairs with fiber:Y1: before the looks at whether the other one waits for
	 * that.
	 */
	if (atomic_fetch_sub_explicit(&last->fibers.away, 1, memory_order_seq_cst) != 1 ||
	    last == self)
		return;
	/* Y3 seq_cst, pairs with pool:F4: either it is seen here that the pool is closing, or the
	 * other one, when it is told, sees that it has nothing to wait for.
	 * Y4 seq_cst, pairs with duty:R2, duty:R3: likewise, that it is to leave. */
	if (atomic_load_explicit(&pool->phase, memory_order_seq_cst) != WEFT_POOL_OPEN_ ||
	    last->index >= atomic_load_explicit(&pool->on_duty, memory_order_seq_cst))
		weft_parker_unpark(&last->parker);
}

/* Moves one of several tasks, and with the last one makes them visible. */
static void push_one_of(weft_worker_ *self, unsigned lane, weft_task *task, bool is_last)
{
	if (!weft_lane_push_one_of_(&self->lane[lane], task, is_last))
		weft_wake_fence_(&self->pool->wake);
}

/* Keeps the tasks of an inbox, newest first, in the deque so that the oldest is popped first;
 * returns the oldest itself. */
static weft_task *keep(weft_worker_ *self, unsigned lane, weft_task *newest, bool stolen)
{
	int64_t count = 1;

	while (newest->next_ != NULL) {
		weft_task *task = newest;

		newest = task->next_;
		/* Many are mostly handed over side by side, so this would be the next but two; its
		 * state will be written. */
		weft_cpu_prefetch_to_write_(
			(const void *)(3 * (uintptr_t)newest - 2 * (uintptr_t)task));
		push_one_of(self, lane, task, newest->next_ == NULL);
		count++;
	}
	self->taken += (uint64_t)count;
	if (stolen)
		weft_counter_add(&self->pool->stolen, count);
	/* While they moved they were nowhere to be seen. */
	if (count > 1)
		weft_worker_notify_(self->pool, self->index);
	return newest;
}

/* Takes all tasks of an inbox, keeps them and returns the oldest, or NULL. */
static weft_task *take_inbox(weft_worker_ *self, weft_worker_ *owner, unsigned lane)
{
	weft_task *newest = weft_inbox_take_(&owner->lane[lane].inbox);

	if (newest == NULL)
		return NULL;
	/* Its state will be written. */
	weft_cpu_prefetch_to_write_(&newest->state_);
	return keep(self, lane, newest, owner != self);
}

/* Takes the oldest of the tasks that are for this worker alone, which seem to be there, or NULL. */
static __attribute__((noinline)) weft_task *take_private_there(weft_worker_ *self)
{
	weft_task *task = self->private_first;

	if (task == NULL) {
		task = weft_inbox_take_(&self->private_inbox);
		/* It is closed. */
		if (task == NULL)
			task = weft_inbox_take_(&self->late_inbox);
		task = weft_task_reverse_(task);
	}
	if (task != NULL)
		self->private_first = task->next_;
	return task;
}

/* The same, where there may be none. */
static weft_task *take_private(weft_worker_ *self)
{
	bool none = self->private_first == NULL && weft_inbox_is_empty_(&self->private_inbox);

	return WEFT_LIKELY(none) ? NULL : take_private_there(self);
}

/* A task that has begun and may go on, or NULL. One that has yielded comes every other time. */
static weft_task *take_begun(weft_worker_ *self)
{
	weft_fibers_ *fibers = &self->fibers;
	weft_task *task = NULL;

	if (WEFT_UNLIKELY(weft_fibers_any_(fibers)))
		task = weft_fibers_find_(self);
	if (task == NULL && WEFT_UNLIKELY(fibers->yielded.first != NULL)) {
		if (fibers->yielded_turn)
			task = weft_fibers_find_yielded_(self);
		fibers->yielded_turn = !fibers->yielded_turn;
	}
	return task;
}

static weft_task *take_own(weft_worker_ *self, unsigned lane)
{
	weft_task *task = weft_lane_pop_(&self->lane[lane]);

	if (task != NULL)
		return task;
	/* At the heels of who hands tasks over: a batch comes at less cost than one by one. */
	weft_cpu_rest_behind_(&self->heels, 2 * self->taken);
	return take_inbox(self, self, lane);
}

/* The oldest of the worker's own tasks in a lane: in turns of those that came from outside, and of
 * the others, lest one of the two that never ends keep the other waiting. */
static weft_task *take_oldest(weft_worker_ *self, unsigned lane)
{
	bool others_first = self->ticks / TICKS_PER_TURN % 2 == 0;
	void *task = NULL;

	if (others_first && weft_deque_steal(&self->lane[lane].deque, &task) == 0)
		return task;
	task = take_inbox(self, self, lane);
	if (task == NULL && !others_first)
		weft_deque_steal(&self->lane[lane].deque, &task);
	return task;
}

/* Steals up to half of the victim's deque: returns the oldest task and keeps the others, or NULL.
 */
static weft_task *steal_half(weft_worker_ *self, weft_worker_ *victim, unsigned lane)
{
	void *tasks[WEFT_DEQUE_STEAL_MAX];
	size_t stolen;
	int error;

	do {
		error = weft_deque_steal_batch(&victim->lane[lane].deque, tasks,
					       WEFT_DEQUE_STEAL_MAX, &stolen);
	} while (error == -EAGAIN); /* somebody else got one: it is not for nothing */
	if (error != 0)
		return NULL;
	for (size_t i = 1; i < stolen; i++)
		push_one_of(self, lane, tasks[i], i + 1 == stolen);
	self->taken += stolen;
	weft_counter_add(&self->pool->stolen, (int64_t)stolen);
	/* While they moved they were nowhere to be seen. */
	if (stolen > 1)
		weft_worker_notify_(self->pool, self->index);
	return tasks[0];
}

static weft_task *steal(weft_worker_ *self, unsigned lane)
{
	weft_pool *pool = self->pool;
	const uint16_t *victims = weft_plan_victims(pool->plan, self->index);

	for (unsigned i = 0; i + 1 < pool->workers; i++) {
		weft_worker_ *victim = pool->worker[victims[i]];
		weft_task *task = steal_half(self, victim, lane);

		if (task != NULL)
			return task;
		task = take_inbox(self, victim, lane);
		if (task != NULL)
			return task;
		if (lane == WEFT_LANE_NORMAL_)
			task = weft_forkjoin_steal_(self, victim);
		if (task != NULL)
			return task;
	}
	return NULL;
}

/* A task of a lane that is seldom used, the oldest of the worker's own or its newest, or NULL. */
static weft_task *take_counted(weft_worker_ *self, unsigned lane, bool oldest)
{
	WEFT_ATOMIC(uint32_t) *queued = &self->pool->queued[lane];
	weft_task *task;

	/* relaxed: whoever has seen the task has seen that it is counted. */
	if (WEFT_LIKELY(atomic_load_explicit(queued, memory_order_relaxed) == 0))
		return NULL;
	task = oldest ? take_oldest(self, lane) : take_own(self, lane);
	if (task == NULL)
		task = steal(self, lane);
	if (task != NULL)
		atomic_fetch_sub_explicit(queued, 1, memory_order_relaxed);
	return task;
}

/* Whose turn it is, whatever else there is. */
static weft_task *take_in_turn(weft_worker_ *self)
{
	uint32_t turn = ++self->ticks % TICKS_PER_TURN;

	if (WEFT_LIKELY(turn % TICKS_BETWEEN_TURNS != 0))
		return NULL;
	switch (turn) {
	case TURN_OF_NORMAL:
		return take_oldest(self, WEFT_LANE_NORMAL_);
	case TURN_OF_PRIVATE:
		return take_private(self);
	case TURN_OF_HIGH:
		return take_counted(self, WEFT_LANE_HIGH_, true);
	case TURN_OF_YIELDED:
		return weft_fibers_find_yielded_(self);
	case TURN_OF_LOW:
		return take_counted(self, WEFT_LANE_LOW_, true);
	case TURN_OF_PLACE:
		if (self->binding.error == -ENODEV)
			weft_worker_keep_place_(self);
		return NULL;
	default:
		return NULL;
	}
}

static weft_task *find_task(weft_worker_ *self)
{
	weft_task *task = take_in_turn(self);

	if (task == NULL)
		task = take_begun(self);
	if (task == NULL)
		task = take_private(self);
	if (task == NULL)
		task = take_counted(self, WEFT_LANE_HIGH_, false);
	if (task == NULL)
		task = take_own(self, WEFT_LANE_NORMAL_);
	if (task == NULL)
		task = weft_fibers_find_yielded_(self);
	if (task == NULL)
		task = steal(self, WEFT_LANE_NORMAL_);
	return task != NULL ? task : take_counted(self, WEFT_LANE_LOW_, false);
}

/* Closes the worker's inboxes for ever; returns one of the tasks that were still inside, and keeps
 * the others. */
static weft_task *close_inboxes(weft_worker_ *self)
{
	weft_task *task = NULL;

	for (unsigned lane = 0; lane < WEFT_LANES_; lane++) {
		weft_task *newest = weft_inbox_close_(&self->lane[lane].inbox);

		if (newest == NULL)
			continue;
		if (task != NULL) {
			push_one_of(self, lane, keep(self, lane, newest, false), true);
			continue;
		}
		task = keep(self, lane, newest, false);
		/* relaxed: as in take_counted. */
		if (lane != WEFT_LANE_NORMAL_)
			atomic_fetch_sub_explicit(&self->pool->queued[lane], 1,
						  memory_order_relaxed);
	}
	/* There is none that was taken before: this worker has found nothing. */
	self->private_first = weft_task_reverse_(weft_inbox_close_(&self->private_inbox));
	return task != NULL ? task : take_private(self);
}

/* Stops searching. The last one sees to it that those who relied on it lose nothing, and asks in
 * the place of those who sleep, unless it will do so before it sleeps itself. */
static void end_search(weft_worker_ *self, bool asks)
{
	weft_pool *pool = self->pool;

	if (!weft_wake_end_search_(&pool->wake) || !weft_wake_somebody_is_idle_(&pool->wake))
		return;
	if (work_is_visible(pool))
		weft_worker_wake_one_(pool, self->index);
	else if (asks)
		weft_forkjoin_ask_all_(self);
}

/* Whether a searcher may keep looking around: the only one may, of several not more than half of
 * those that are awake. */
static bool may_spin(const weft_pool *pool)
{
	/* relaxed: guesses. */
	uint32_t searching = atomic_load_explicit(&pool->wake.searching, memory_order_relaxed);
	uint32_t on_duty = atomic_load_explicit(&pool->on_duty, memory_order_relaxed);
	unsigned absent = on_duty < pool->workers ? pool->workers - on_duty : 0;

	return searching <= 1 || pool->idle == WEFT_IDLE_LATENCY ||
	       2 * searching + absent <= weft_wake_awake_(&pool->wake);
}

/* Lets a moment pass; less when meanwhile something is handed to this very worker. Returns whether
 * it was. */
static bool pause_between_looks(weft_worker_ *self)
{
	weft_inbox_ *inbox = &self->lane[WEFT_LANE_NORMAL_].inbox;

	for (int i = 0; i < PAUSES_PER_LOOK; i++) {
		weft_cpu_relax();
		/* What comes is taken at once. While nothing comes the line stays here. */
		weft_cpu_prefetch_to_write_(inbox);
		if (weft_inbox_has_tasks_(inbox) || weft_inbox_has_tasks_(&self->private_inbox) ||
		    weft_woken_list_has_some_(&self->fibers.woken))
			return true;
	}
	return false;
}

/* Looks around for as long as the pool spins; just once when it is closing, for a worker that is
 * not quiet keeps it from ending. */
static weft_task *look_around(weft_worker_ *self)
{
	weft_deadline end = weft_after(weft_worker_look_ns_(self->pool));
	unsigned looks = 0;

	do {
		if (++looks % LOOKS_PER_YIELD == LOOKS_PER_YIELD / 2)
			weft_park_yield_();

		weft_task *task = find_task(self);

		if (task != NULL || weft_worker_phase_(self->pool) != WEFT_POOL_OPEN_)
			return task;
		/* What it leaves is for another, who may sleep because this one searches. */
		if (WEFT_UNLIKELY(self->fork_declines)) {
			end_search(self, true);
			weft_wake_begin_search_(&self->pool->wake);
		}
		weft_reclaim_quiescent();
		/* What has been handed over is taken before the clock is read. */
	} while (pause_between_looks(self) || (weft_now() < end && may_spin(self->pool)));
	return NULL;
}

/* Whether a worker has yet to find tasks that came late. */
static bool some_came_late(const weft_pool *pool)
{
	for (unsigned i = 0; i < pool->workers; i++)
		if (weft_inbox_has_tasks_(&pool->worker[i]->late_inbox))
			return true;
	return false;
}

/* The pool is closing and this worker has nothing: becomes quiet. Returns a task that was still in
 * its inboxes, and then it is not quiet. */
static weft_task *become_quiet(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	weft_task *task = close_inboxes(self);
	uint64_t quiet;

	if (task != NULL)
		return task;
	/* Q1 acq_rel, pairs with Q1, Q2, duty:Q3, duty:Q4: the last one ends the pool after all
	 * that was done. */
	quiet = WEFT_QUIET_ONE_ +
		atomic_fetch_add_explicit(&pool->quiet, WEFT_QUIET_ONE_, memory_order_acq_rel);
	if (WEFT_QUIET_WORKERS_(quiet) == pool->workers && !some_came_late(pool) &&
	    /* Q5 release, pairs with Q2, duty:Q4: in its place among all changes. Who takes what
	     * came late has changed it before, or this look did not see that it was taken. */
	    atomic_compare_exchange_strong_explicit(&pool->quiet, &quiet, quiet,
						    memory_order_release, memory_order_relaxed)) {
		/* F2 release, pairs with F1: the workers return. */
		atomic_store_explicit(&pool->phase, WEFT_POOL_ENDED_, memory_order_release);
		weft_worker_wake_all_(pool);
	}
	return NULL;
}

void weft_worker_park_(weft_worker_ *self, weft_deadline deadline)
{
	weft_park_task_ *task = weft_park_running_;

	/* The worker sleeps, not a task. */
	weft_park_running_ = NULL;
	weft_reclaim_worker_parks_();
	weft_parker_park(&self->parker, 0, deadline);
	weft_reclaim_worker_wakes_();
	weft_park_running_ = task;
}

/*
 * Sleeps until chosen for work, or until idle is over. On entry and on return the worker counts as
 * a searcher.
 *
 * Where calls are so short that their owner has made them before another is awake, who asks for
 * them is woken at once, and in vain. So it takes a nap before it asks again; it can be chosen
 * meanwhile. But not when the pool is closing, which is to end soon.
 */
static void doze(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	bool naps = weft_worker_phase_(pool) == WEFT_POOL_OPEN_ && weft_now() < self->nap_end;
	weft_deadline end = weft_fibers_deadline_(self);
	bool asked = false;

	weft_wake_lie_down_(&pool->wake, self->index);
	weft_wake_stop_searching_(&pool->wake);
	/* Not before: who is asked leaves the matter to one that searches, if there is any. */
	if (!naps)
		asked = weft_forkjoin_ask_all_(self);
	if (!work_is_visible(pool) && !weft_inbox_has_tasks_(&self->private_inbox) &&
	    !weft_inbox_has_tasks_(&self->late_inbox) &&
	    !weft_woken_list_last_look_(&self->fibers.woken) &&
	    weft_worker_phase_(pool) != WEFT_POOL_ENDED_ && !weft_worker_is_off_duty_(self)) {
		weft_counter_increment(&pool->parked);
		weft_worker_park_(self, naps && self->nap_end < end ? self->nap_end : end);
	}
	if (asked) {
		self->nap_end = weft_after((uint64_t)NAP_NS << self->woken_in_vain);
		if (self->woken_in_vain < NAP_DOUBLINGS)
			self->woken_in_vain++;
	}
	weft_wake_rise_(&pool->wake, self->index);
}

/* With nothing else to do, frees what was retired (that may submit tasks, so it comes before this
 * worker is quiet or idle) and gives stacks back. Returns whether there was something to do. */
static bool tidy_up(weft_worker_ *self)
{
	weft_park_task_ *task = weft_park_running_;
	bool freed;

	/* It may call functions of the user's: they take their time, and make runs. */
	end_search(self, false);
	weft_park_running_ = NULL;
	freed = weft_reclaim_poll() > 0;
	weft_park_running_ = task;
	weft_wake_begin_search_(&self->pool->wake);
	return weft_fibers_trim_(self) || freed;
}

/* Idle until there is a task to run, the pool has ended, or the worker is to leave. */
static __attribute__((noinline)) weft_task *rest(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	weft_task *task = NULL;

	weft_wake_begin_search_(&pool->wake);
	while (!weft_worker_is_off_duty_(self) && (task = look_around(self)) == NULL &&
	       weft_worker_phase_(pool) != WEFT_POOL_ENDED_) {
		bool open = weft_worker_phase_(pool) == WEFT_POOL_OPEN_;

		weft_worker_keep_place_(self);
		if (tidy_up(self) || (open && pool->idle == WEFT_IDLE_LATENCY))
			continue;

		/* A task that waits will go on, and it may submit. */
		bool closing = !open && weft_fibers_none_suspended_(&self->fibers);

		if (closing && (task = become_quiet(self)) != NULL)
			break;
		doze(self);
		/* Q2 acq_rel, pairs with Q1, Q5: not quiet before it looks around again. */
		if (closing)
			atomic_fetch_sub_explicit(&pool->quiet, 1, memory_order_acq_rel);
	}
	end_search(self, true);
	if (task != NULL && self->woken_in_vain > 0)
		self->woken_in_vain--;
	return task;
}

__attribute__((noinline)) void weft_worker_run_(weft_pool *pool, weft_task *task, bool cancel)
{
	weft_worker_ *self = weft_worker_current_;
	weft_fiber_ *fiber = self != NULL ? self->fibers.running : NULL;
	const weft_task *below = NULL;
	bool may_move = false;

	if ((task->kind_ & WEFT_TASK_COUNTED_) != 0)
		weft_bound_leave_(&pool->bound, 1);
	if (fiber != NULL) {
		below = fiber->task;
		fiber->task = task;
		/* Where it stands above another one, both must be able to. */
		may_move = fiber->may_move;
		fiber->may_move = (task->kind_ & WEFT_TASK_MAY_MOVE_) != 0 &&
				  (below == NULL ? fiber->stack.low != NULL : may_move);
	}
	switch (task->kind_ & WEFT_TASK_KIND_MASK_) {
	case WEFT_TASK_PLAIN_:
		weft_executor_run_plain_(task, cancel);
		break;
	case WEFT_TASK_SPAWNED_:
		weft_executor_run_spawned_(task, cancel);
		break;
	case WEFT_TASK_FUTURE_:
		weft_future_run_(task, cancel);
		break;
	case WEFT_TASK_STRAND_:
		weft_strand_run_(task);
		break;
	case WEFT_TASK_STOLEN_CALL_:
		weft_forkjoin_run_stolen_(self);
		break;
	}
	/* It may be another worker's by now. */
	if (fiber != NULL) {
		fiber->task = below;
		fiber->may_move = may_move;
	}
}

static void run(weft_worker_ *self, weft_task *task)
{
	weft_pool *pool = self->pool;

	if (task->kind_ == WEFT_TASK_SUSPENDED_)
		weft_fibers_go_on_(self, task);
	else if (WEFT_LIKELY((task->kind_ & WEFT_TASK_MAY_MOVE_) == 0) ||
		 !weft_fibers_carry_(self, task))
		weft_worker_run_(pool, task, weft_worker_phase_(pool) == WEFT_POOL_ABORTING_);
}

bool weft_worker_somebody_searches_(const weft_pool *pool)
{
	return weft_wake_somebody_searches_(&pool->wake);
}

uint32_t weft_worker_note_submission_(const weft_pool *pool)
{
	uint64_t look_ns = weft_worker_look_ns_(pool);
	uint32_t spin_ns = look_ns < WEFT_SPIN_IF_BEGUN_ ? (uint32_t)look_ns : INT32_MAX;

	weft_worker_follows_ = false;
	return weft_wake_somebody_is_idle_(&pool->wake) ? spin_ns : spin_ns | WEFT_SPIN_IF_BEGUN_;
}

void weft_worker_wake_all_(weft_pool *pool)
{
	for (unsigned i = 0; i < pool->workers; i++)
		weft_parker_unpark(&pool->worker[i]->parker);
}

/* Binds the thread and has the user's hook called. Returns whether that succeeded. */
static bool settle(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	char name[16];
	int error = 0;

	weft_worker_take_place_(self, self->index);
	/* relaxed: create reads it after A1. */
	if (pool->unpinned)
		atomic_fetch_add_explicit(&pool->unbound, 1, memory_order_relaxed);
	snprintf(name, sizeof(name), "weft-%u", self->index);
	pthread_setname_np(pthread_self(), name);
	if (pool->worker_begins != NULL) {
		error = pool->worker_begins(pool->hook_context, self->index);
		/* relaxed: as above. */
		if (error != 0)
			atomic_store_explicit(&pool->hook_error, error, memory_order_relaxed);
	}
	/* A1 release, pairs with pool:A2: create may return. */
	if (atomic_fetch_sub_explicit(&pool->starting, 1, memory_order_release) == 1)
		weft_park_wake(&pool->starting, WEFT_PARK_ALL);
	return pool->worker_begins == NULL || error == 0;
}

static __attribute__((noinline)) void between_tasks(void)
{
	weft_reclaim_between_tasks_();
}

/* After a task the worker may be another one: nothing that belongs to the thread is inlined here,
 * for a compiler may keep its address. */
void weft_worker_loop_(const weft_fiber_ *fiber)
{
	weft_worker_ *self;
	weft_task *task;

	do {
		self = fiber->worker;
		task = weft_fibers_carried_(&self->fibers);
		if (WEFT_LIKELY(task == NULL)) {
			if (weft_worker_is_off_duty_(self))
				weft_worker_leave_(self);
			task = find_task(self);
		}
		if (task == NULL)
			task = rest(self);
		if (task != NULL) {
			run(self, task);
			between_tasks();
		}
	} while (task != NULL || weft_worker_phase_(self->pool) != WEFT_POOL_ENDED_);
}

void *weft_worker_main_(void *worker)
{
	weft_worker_ *self = worker;
	weft_pool *pool = self->pool;

	weft_worker_current_ = self;
	weft_reclaim_worker_begins_();
	weft_overflow_worker_begins_(self);

	bool has_begun = settle(self);

	weft_fibers_begin_(self);
	weft_worker_loop_(&self->fibers.first);
	weft_fibers_end_(self);
	if (has_begun && pool->worker_ends != NULL)
		pool->worker_ends(pool->hook_context, self->index);
	weft_reclaim_worker_ends_();
	weft_overflow_worker_ends_(self);
	weft_worker_current_ = NULL;
	/* A3 acq_rel, pairs with A3, pool:A4: all that the workers did is done. */
	if (atomic_fetch_sub_explicit(&pool->alive, 1, memory_order_acq_rel) == 1)
		weft_park_wake(&pool->alive, WEFT_PARK_ALL);
	return NULL;
}
