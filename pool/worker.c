/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <sched.h>
#include <stdio.h>

#include <weft/lockfree/reclaim_thread.h>

/*
 * How workers sleep and are woken.
 *
 * pool->searching counts the workers that look for work; pool->idle has a bit for each that sleeps
 * or is about to. Whoever makes a task visible calls notify(): if nobody searches and somebody is
 * idle, it counts one searcher, clears one idle bit and unparks that worker. So a burst of
 * submissions wakes one worker, not all; the woken one, when it finds work and was the last
 * searcher, wakes the next if there is more (end_search).
 *
 * No task is forgotten. Let P be the publication of a task (a seq_cst operation), followed by
 * notify's looks at searching and idle (seq_cst). A worker that gives up sets its idle bit
 * (seq_cst), then stops counting as a searcher (seq_cst), then looks at all queues once more
 * (seq_cst). In the single order of these operations either P comes before that last look, which
 * then finds the task; or the idle bit was set before notify looks for it. If notify instead left
 * the matter to a searcher, then that searcher's count ends after P, and each way of ending it is
 * followed by a look at all queues: before sleeping, in doze(), or when it was the last one, in
 * end_search(). A notifier that counted itself as a searcher for its choice and found no idle bit
 * takes that back and, if it was the last, looks at the bits again.
 *
 * How a pool ends. Once it is closing, a worker that finds nothing closes its inbox for ever and
 * becomes quiet while it sleeps. Only a worker that is not quiet can have tasks, run them or steal
 * them; when all are quiet nothing is left, and the last one ends the pool.
 */

enum {
	/* Every so many tasks the inbox and then the oldest task come before the newest, lest a
	 * task that always submits another keeps everybody else waiting. */
	TICKS_PER_OLDEST = 64,
	/* Pauses between two looks around. */
	PAUSES_PER_LOOK = 4,
	/* A thread that waits spins for this part of the budget only when all workers are busy. */
	SPIN_PART_WHEN_BUSY = 8,
};

_Thread_local weft_worker_ *weft_worker_current_;

/* What an inbox holds once it is closed. */
static weft_task inbox_closed;

static bool inbox_has_tasks(const weft_worker_ *worker)
{
	/* V1 seq_cst, pairs with B1: the last look before sleep, see above. */
	const weft_task *newest = atomic_load_explicit(&worker->inbox, memory_order_seq_cst);

	return newest != NULL && newest != &inbox_closed;
}

/* Whether any worker has a task that another could take. */
static bool work_is_visible(const weft_pool *pool)
{
	for (unsigned i = 0; i < pool->workers; i++) {
		const weft_worker_ *worker = pool->worker[i];

		if (inbox_has_tasks(worker) || weft_deque_size(&worker->deque) > 0 ||
		    weft_forkjoin_has_public_(worker))
			return true;
	}
	return false;
}

static uint32_t phase_of(const weft_pool *pool)
{
	/* F1 acquire, pairs with F2, pool:F3, pool:F4: what was done before closing. */
	return atomic_load_explicit(&pool->phase, memory_order_acquire);
}

/* Clears the bit of an idle worker, if it is still set. Whoever does it decides what it does. */
static bool claim_idle(weft_pool *pool, unsigned index)
{
	uint64_t bit = (uint64_t)1 << (index % 64);

	/* S1 seq_cst, pairs with S2, S3, S10: in the order of the essay. */
	return (atomic_fetch_and_explicit(&pool->idle[index / 64], ~bit, memory_order_seq_cst) &
		bit) != 0;
}

/* Finds an idle worker, beginning after `near` and with `near` itself last: a submitter often waits
 * for its task on the CPU of the worker nearest to it. Returns it, or -1. */
static int find_idle(const weft_pool *pool, unsigned near)
{
	unsigned words = (pool->workers + 63) / 64;
	unsigned first = (near + 1) % pool->workers;

	for (unsigned i = 0; i <= words; i++) {
		unsigned word = (first / 64 + i) % words;
		/* S2 seq_cst, pairs with S1, S3: in the order of the essay. */
		uint64_t bits = atomic_load_explicit(&pool->idle[word], memory_order_seq_cst);

		/* The first word is seen twice: from `first` up, and in the end below it. */
		if (i == 0)
			bits &= ~(uint64_t)0 << (first % 64);
		if (bits != 0)
			return (int)(word * 64 + (unsigned)__builtin_ctzll(bits));
	}
	return -1;
}

/* Wakes one idle worker, unless somebody searches already. */
static void notify(weft_pool *pool, unsigned near)
{
	int chosen;

	do {
		uint32_t nobody = 0;

		/* S4 seq_cst, pairs with S5, S6, S8: in the order of the essay. */
		if (atomic_load_explicit(&pool->searching, memory_order_seq_cst) != 0 ||
		    find_idle(pool, near) < 0)
			return;
		/* S7 seq_cst, pairs with S5, S6, S8: of several notifiers one chooses. */
		if (!atomic_compare_exchange_strong_explicit(&pool->searching, &nobody, 1,
							     memory_order_seq_cst,
							     memory_order_relaxed))
			return;
		while ((chosen = find_idle(pool, near)) >= 0) {
			if (claim_idle(pool, (unsigned)chosen)) {
				weft_counter_increment(&pool->woken);
				weft_parker_unpark(&pool->worker[chosen]->parker);
				return;
			}
		}
		/* Nobody is idle any more: take the count back.
		 * S5 seq_cst, pairs with S4, S7: and who relied on it meanwhile is covered by
		 * the next round. */
	} while (atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst) == 1);
}

/* Makes a task visible to thieves, and all that the deque held back; or keeps it where they do not
 * see it when memory is short. */
static void push_own(weft_worker_ *self, weft_task *task)
{
	if (WEFT_LIKELY(weft_deque_push_seq_cst(&self->deque, task) == 0))
		return;
	task->next_ = self->backlog;
	self->backlog = task;
	weft_deque_publish(&self->deque);
	/* S9 seq_cst, pairs with S8: as a fence, for what was published without being in the order
	 * of the essay. */
	atomic_fetch_add_explicit(&self->pool->searching, 0, memory_order_seq_cst);
}

/* Moves one of several tasks to the worker's own deque. Thieves need not see any before the last.
 */
static void keep_one(weft_worker_ *self, weft_task *task, bool is_last)
{
	if (is_last || weft_deque_push_lazy(&self->deque, task) != 0)
		push_own(self, task);
}

/* Keeps the tasks of an inbox, newest first, in the deque so that the oldest is popped first;
 * returns the oldest itself. */
static weft_task *keep(weft_worker_ *self, weft_task *newest, bool stolen)
{
	int64_t count = 1;

	while (newest->next_ != NULL) {
		weft_task *task = newest;

		newest = task->next_;
		keep_one(self, task, newest->next_ == NULL);
		count++;
	}
	weft_pace_after_take_(&self->pace, (size_t)count);
	if (stolen)
		weft_counter_add(&self->pool->stolen, count);
	/* While they moved they were nowhere to be seen. */
	if (count > 1)
		notify(self->pool, self->index);
	return newest;
}

/* Takes all tasks of an inbox, keeps them and returns the oldest, or NULL. */
static weft_task *take_inbox(weft_worker_ *self, weft_worker_ *owner)
{
	/* relaxed: B2 acquires what was seen. */
	weft_task *newest = atomic_load_explicit(&owner->inbox, memory_order_relaxed);

	do {
		if (newest == NULL || newest == &inbox_closed)
			return NULL;
		/* B2 acquire, pairs with B1: the tasks are complete. An inbox that was emptied
		 * and filled again with the same newest task is as good. */
	} while (!atomic_compare_exchange_weak_explicit(
		&owner->inbox, &newest, NULL, memory_order_acquire, memory_order_relaxed));
	return keep(self, newest, owner != self);
}

/* Closes the worker's own inbox for ever; returns the oldest task that was still inside. */
static weft_task *close_inbox(weft_worker_ *self)
{
	/* B3 acquire, pairs with B1: as B2. */
	weft_task *newest =
		atomic_exchange_explicit(&self->inbox, &inbox_closed, memory_order_acquire);

	return newest == NULL || newest == &inbox_closed ? NULL : keep(self, newest, false);
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

static weft_task *take_own(weft_worker_ *self)
{
	void *task = NULL;

	if (++self->ticks % TICKS_PER_OLDEST == 0 &&
	    ((task = take_inbox(self, self)) != NULL || weft_deque_steal(&self->deque, &task) == 0))
		return task;
	if ((task = take_begun(self)) != NULL)
		return task;
	if (weft_deque_try_pop(&self->deque, &task))
		return task;
	if (self->backlog != NULL) {
		task = self->backlog;
		self->backlog = self->backlog->next_;
		return task;
	}
	weft_pace_before_take_(&self->pace);
	task = take_inbox(self, self);
	return task != NULL ? task : weft_fibers_find_yielded_(self);
}

/* Steals up to half of the victim's deque: returns the oldest task and keeps the others, or NULL.
 */
static weft_task *steal_half(weft_worker_ *self, weft_worker_ *victim)
{
	void *tasks[WEFT_DEQUE_STEAL_MAX];
	size_t stolen;
	int error;

	do {
		error = weft_deque_steal_batch(&victim->deque, tasks, WEFT_DEQUE_STEAL_MAX,
					       &stolen);
	} while (error == -EAGAIN); /* somebody else got one: it is not for nothing */
	if (error != 0)
		return NULL;
	for (size_t i = 1; i < stolen; i++)
		keep_one(self, tasks[i], i + 1 == stolen);
	weft_pace_after_take_(&self->pace, stolen);
	weft_counter_add(&self->pool->stolen, (int64_t)stolen);
	/* While they moved they were nowhere to be seen. */
	if (stolen > 1)
		notify(self->pool, self->index);
	return tasks[0];
}

static weft_task *steal(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	const uint16_t *victims = weft_plan_victims(pool->plan, self->index);

	for (unsigned i = 0; i + 1 < pool->workers; i++) {
		weft_worker_ *victim = pool->worker[victims[i]];
		weft_task *task = steal_half(self, victim);

		if (task != NULL)
			return task;
		task = take_inbox(self, victim);
		if (task != NULL)
			return task;
		task = weft_forkjoin_steal_(self, victim);
		if (task != NULL) {
			weft_counter_increment(&pool->stolen);
			return task;
		}
	}
	return NULL;
}

static weft_task *find_task(weft_worker_ *self)
{
	weft_task *task = take_own(self);

	return task != NULL ? task : steal(self);
}

static void begin_search(weft_pool *pool)
{
	/* relaxed: who sees it relies on what follows its end, not on this. */
	atomic_fetch_add_explicit(&pool->searching, 1, memory_order_relaxed);
}

/* Stops searching. The last one sees to it that those who relied on it lose nothing. */
static void end_search(weft_worker_ *self)
{
	/* S6 seq_cst, pairs with S4, S7: in the order of the essay. */
	if (atomic_fetch_sub_explicit(&self->pool->searching, 1, memory_order_seq_cst) == 1 &&
	    work_is_visible(self->pool))
		notify(self->pool, self->index);
}

static uint32_t state_of(const weft_task *task)
{
	/* T3 acquire, pairs with T2, T4: what the task did is visible. */
	return atomic_load_explicit(&task->state_, memory_order_acquire);
}

/* What a wait for a task in this state returns: 0 when it has ended, -EINVAL when its submission
 * was refused after the wait began, -EINPROGRESS while there is something to wait for. */
static int wait_result(uint32_t state)
{
	state &= WEFT_TASK_STATE_MASK_;
	if (state == WEFT_TASK_IDLE_)
		return -EINVAL;
	return state >= WEFT_TASK_DONE_ ? 0 : -EINPROGRESS;
}

/* Looks around for as long as the pool spins; just once when it is closing, for a worker that is
 * not quiet keeps it from ending. */
static weft_task *look_around(weft_worker_ *self)
{
	weft_deadline end = weft_after(self->pool->spin_ns);

	do {
		weft_task *task = find_task(self);

		if (task != NULL || phase_of(self->pool) != WEFT_POOL_OPEN_)
			return task;
		weft_reclaim_quiescent();
		for (int i = 0; i < PAUSES_PER_LOOK; i++)
			weft_cpu_relax();
	} while (weft_now() < end);
	return NULL;
}

/* The pool is closing and this worker has nothing: becomes quiet. Returns a task that was still in
 * its inbox, and then it is not quiet. */
static weft_task *become_quiet(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	weft_task *task = close_inbox(self);

	if (task != NULL)
		return task;
	/* Q1 acq_rel, pairs with Q1, Q2: the last one ends the pool after all that was done. */
	if (atomic_fetch_add_explicit(&pool->quiet, 1, memory_order_acq_rel) + 1 == pool->workers) {
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

void weft_worker_wake_(weft_worker_ *worker)
{
	uint64_t bit = (uint64_t)1 << (worker->index % 64);

	/* S10 seq_cst, pairs with S1, S3: in the order of the essay. If its bit is clear, it is
	 * awake, or whoever has cleared it wakes it. */
	if ((atomic_load_explicit(&worker->pool->idle[worker->index / 64], memory_order_seq_cst) &
	     bit) != 0)
		weft_parker_unpark(&worker->parker);
}

/*
 * Sleeps until chosen for work, or until idle is over. On entry and on return the worker counts as
 * a searcher.
 */
static void doze(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	uint64_t bit = (uint64_t)1 << (self->index % 64);

	/* S3 seq_cst, pairs with S1, S2, S10: in the order of the essay; and before S8. */
	atomic_fetch_or_explicit(&pool->idle[self->index / 64], bit, memory_order_seq_cst);
	weft_forkjoin_ask_all_(self);
	/* S8 seq_cst, pairs with S4, S7, S9: in the order of the essay. */
	atomic_fetch_sub_explicit(&pool->searching, 1, memory_order_seq_cst);
	if (!work_is_visible(pool) && !weft_fibers_woken_(self) &&
	    phase_of(pool) != WEFT_POOL_ENDED_) {
		weft_counter_increment(&pool->parked);
		weft_worker_park_(self, weft_fibers_deadline_(self));
	}
	/* Who chose us has counted us as a searcher. If its unpark is still to come, the next
	 * sleep will end early, which does no harm. */
	if (claim_idle(pool, self->index))
		begin_search(pool);
}

/* With nothing else to do, frees what was retired (that may submit tasks, so it comes before this
 * worker is quiet or idle) and gives stacks back. Returns whether there was something to do. */
static bool tidy_up(weft_worker_ *self)
{
	weft_park_task_ *task = weft_park_running_;
	bool freed;

	/* A function that waits would wait with this worker counted among the searchers. */
	weft_park_running_ = NULL;
	freed = weft_reclaim_poll() > 0;
	weft_park_running_ = task;
	return weft_fibers_trim_(self) || freed;
}

/* Idle until there is a task to run, or the pool has ended. */
static weft_task *rest(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	weft_task *task;

	begin_search(pool);
	while ((task = look_around(self)) == NULL && phase_of(pool) != WEFT_POOL_ENDED_) {
		if (tidy_up(self))
			continue;

		/* relaxed: this worker's own. A task that waits will go on, and it may submit. */
		bool closing =
			phase_of(pool) != WEFT_POOL_OPEN_ &&
			atomic_load_explicit(&self->fibers.suspended, memory_order_relaxed) == 0;

		if (closing && (task = become_quiet(self)) != NULL)
			break;
		doze(self);
		/* Q2 acq_rel, pairs with Q1: not quiet before it looks around again. */
		if (closing)
			atomic_fetch_sub_explicit(&pool->quiet, 1, memory_order_acq_rel);
	}
	end_search(self);
	return task;
}

static void run(weft_worker_ *self, weft_task *task)
{
	weft_fiber_ *fiber = self->fibers.running;
	bool cancel = phase_of(self->pool) == WEFT_POOL_ABORTING_;

	if (task->kind_ == WEFT_TASK_SUSPENDED_) {
		weft_fibers_go_on_(self);
		return;
	}
	fiber->task = task;
	switch (task->kind_) {
	case WEFT_TASK_PLAIN_:
		weft_executor_run_plain_(task, cancel);
		break;
	case WEFT_TASK_SPAWNED_:
		weft_executor_run_spawned_(task, cancel);
		break;
	case WEFT_TASK_FUTURE_:
		weft_future_run_(task, cancel);
		break;
	case WEFT_TASK_STOLEN_CALL_:
		weft_forkjoin_run_stolen_(self);
		break;
	}
	fiber->task = NULL;
}

/* Adds a task to the inbox of a worker. Returns false when it is closed. */
static bool put_inbox(weft_worker_ *worker, weft_task *task)
{
	/* relaxed: only its value counts, B1 publishes the task. */
	weft_task *newest = atomic_load_explicit(&worker->inbox, memory_order_relaxed);

	do {
		if (newest == &inbox_closed)
			return false;
		task->next_ = newest;
		/* B1 seq_cst, pairs with B2, B3, V1: publishes the task, in the order of the
		 * essay. */
	} while (!atomic_compare_exchange_weak_explicit(
		&worker->inbox, &newest, task, memory_order_seq_cst, memory_order_relaxed));
	return true;
}

int weft_worker_send_(weft_pool *pool, weft_task *task)
{
	weft_worker_ *self = weft_worker_current_;
	uint32_t phase = phase_of(pool);
	unsigned near;

	if (self != NULL && self->pool == pool) {
		if (phase == WEFT_POOL_ABORTING_)
			return -EPIPE;
		near = self->index;
		push_own(self, task);
	} else {
		int cpu = sched_getcpu();

		near = weft_plan_worker_near(pool->plan, cpu < 0 ? 0 : (unsigned)cpu);
		if (phase != WEFT_POOL_OPEN_ || !put_inbox(pool->worker[near], task))
			return -EPIPE;
	}
	weft_counter_increment(&pool->submitted);
	notify(pool, near);
	return 0;
}

void weft_worker_notify_(weft_worker_ *self)
{
	notify(self->pool, self->index);
}

bool weft_worker_somebody_searches_(const weft_pool *pool)
{
	/* relaxed: a guess. */
	return atomic_load_explicit(&pool->searching, memory_order_relaxed) != 0;
}

uint32_t weft_worker_spin_ns_(const weft_pool *pool)
{
	uint64_t spin_ns = pool->spin_ns;

	/* With all workers busy the task begins when another has ended, and the waiting thread may
	 * be what keeps a worker from its CPU.
	 */
	if (!weft_worker_somebody_searches_(pool) && find_idle(pool, 0) < 0)
		spin_ns /= SPIN_PART_WHEN_BUSY;
	return spin_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)spin_ns;
}

void weft_worker_wake_all_(weft_pool *pool)
{
	for (unsigned i = 0; i < pool->workers; i++)
		weft_parker_unpark(&pool->worker[i]->parker);
}

bool weft_worker_ended_(const weft_task *task)
{
	return (state_of(task) & WEFT_TASK_STATE_MASK_) >= WEFT_TASK_DONE_;
}

bool weft_worker_claim_(weft_task *task, uint32_t new_state)
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

/* Wakes who waits for a task that was in this state before it changed. The task may be gone: its
 * address is used, not its memory. */
static void wake_waiters(const weft_task *task, uint32_t state)
{
	if ((state & WEFT_TASK_THREAD_WAITS_) != 0)
		weft_park_wake(&task->state_, WEFT_PARK_ALL);
	else if ((state & WEFT_TASK_TASK_WAITS_) != 0)
		weft_park_wake_tasks_(&task->state_, WEFT_PARK_ALL);
}

uint32_t weft_worker_set_state_(weft_task *task, uint32_t new_state)
{
	/* T2 acq_rel, pairs with T3, executor:T5, future:D1, future:D3, future:K3: what the task
	 * did, and what else was asked for at its end. */
	uint32_t state = atomic_exchange_explicit(&task->state_, new_state, memory_order_acq_rel);

	wake_waiters(task, state);
	return state;
}

uint32_t weft_worker_end_(weft_task *task, uint32_t end_state)
{
	weft_pool *pool = task->pool_;

	/* Before anybody can know of the end: who has waited for all tasks finds exact sums. */
	weft_counter_increment(end_state == WEFT_TASK_DONE_ ? &pool->run : &pool->canceled);
	return weft_worker_set_state_(task, end_state);
}

uint32_t weft_worker_end_held_(weft_task *task)
{
	weft_pool *pool = task->pool_;
	uint32_t state;

	weft_counter_increment(&pool->canceled);
	/* T4 acq_rel, pairs with T3, future:D1, future:K3: as T2. */
	state = atomic_fetch_xor_explicit(&task->state_, WEFT_TASK_CANCELING_ ^ WEFT_TASK_CANCELED_,
					  memory_order_acq_rel);
	wake_waiters(task, state);
	return state;
}

int weft_worker_wait_for_(weft_task *task, weft_deadline deadline)
{
	const weft_worker_ *self = weft_worker_current_;
	bool is_task = weft_park_running_ != NULL;
	uint32_t waits = is_task ? WEFT_TASK_TASK_WAITS_ : WEFT_TASK_THREAD_WAITS_;
	weft_deadline spin_end;

	if (weft_worker_ended_(task))
		return 0;
	if (self != NULL && self->fibers.running->task == task)
		return -EDEADLK;
	spin_end = is_task ? WEFT_NOW : weft_after(task->spin_ns_);
	if (deadline < spin_end)
		spin_end = deadline;
	for (;;) {
		uint32_t state = state_of(task);
		uint32_t sleeping = state | waits;

		if (wait_result(state) != -EINPROGRESS)
			return wait_result(state);
		if (!is_task && weft_now() < spin_end) {
			weft_park_while(&task->state_, state, task->spin_ns_, spin_end);
			continue;
		}
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

static void settle(weft_worker_ *self)
{
	weft_pool *pool = self->pool;
	char name[16];
	int error = pool->unpinned ? 0 : weft_plan_bind(pool->plan, self->index);

	/* relaxed: create reads both after A1. */
	if (pool->unpinned || error != 0) {
		atomic_fetch_add_explicit(&pool->unbound, 1, memory_order_relaxed);
		atomic_store_explicit(&pool->bind_error, error, memory_order_relaxed);
	}
	snprintf(name, sizeof(name), "weft-%u", self->index);
	pthread_setname_np(pthread_self(), name);
	/* A1 release, pairs with pool:A2: create may return. */
	if (atomic_fetch_sub_explicit(&pool->starting, 1, memory_order_release) == 1)
		weft_park_wake(&pool->starting, WEFT_PARK_ALL);
}

void weft_worker_loop_(weft_worker_ *self)
{
	weft_task *task;

	while ((task = find_task(self)) != NULL || (task = rest(self)) != NULL) {
		run(self, task);
		weft_reclaim_between_tasks_();
	}
}

void *weft_worker_main_(void *worker)
{
	weft_worker_ *self = worker;
	weft_pool *pool = self->pool;

	weft_worker_current_ = self;
	weft_reclaim_worker_begins_();
	settle(self);
	weft_fibers_begin_(self);
	weft_worker_loop_(self);
	weft_fibers_end_(self);
	weft_reclaim_worker_ends_();
	weft_worker_current_ = NULL;
	/* A3 acq_rel, pairs with A3, pool:A4: all that the workers did is done. */
	if (atomic_fetch_sub_explicit(&pool->alive, 1, memory_order_acq_rel) == 1)
		weft_park_wake(&pool->alive, WEFT_PARK_ALL);
	return NULL;
}
