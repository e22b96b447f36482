/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the pool with its executor and its futures.
 *
 *   - submitters race with shutdown: what was accepted ends exactly once, what was not got -EPIPE;
 *   - no wake-up is lost: threads submit single tasks with gaps around the spin budget, and wait;
 *   - futures are canceled, awaited, called back and released by several threads and workers at
 *     once: each ends once, in one way, and tells everybody;
 *   - one task is submitted by several threads: it runs once for each that was accepted;
 *   - pools are made and destroyed; recursions of several threads meet in one pool: right sums.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../pool_fixture.h"
#include "stress.h"

enum {
	TESTS = 8,
	/* How many tasks and futures of a submitter a race keeps, to look at them afterwards. */
	KEPT = 256,
	/* Rounds of the short ones, at least. */
	ROUNDS_MIN = SANITIZED ? 30 : 200,
	/* Threads where the CPUs are crowded. */
	CROWD = STRESS_THREADS_MAX,
	/* Futures of a round that several threads quarrel about. */
	SLOTS = 64,
};

/* What waits longer than this was forgotten. */
static weft_deadline forgotten(void)
{
	return weft_after((SANITIZED ? 40 : 10) * WEFT_SECONDS);
}

static uint64_t seed;

static seeded_random random_of(uint64_t stream)
{
	/* Streams of one seed, far from each other. */
	seeded_random random = {seed ^ (stream + 1) * 0x9e3779b97f4a7c15};

	seeded_random_next(&random);
	return random;
}

static void work_for(uint64_t ns)
{
	weft_deadline end = weft_after(ns);

	while (weft_now() < end)
		weft_cpu_relax();
}

int __real_sched_getcpu(void);
int __wrap_sched_getcpu(void);

/* Of a thread that lurks: the pool that it submits to, and how long it waits after its closing. */
static _Thread_local weft_pool *lurks_at;
static _Thread_local uint64_t lurks_ns;

/* The library calls this between the look whether the pool is open and the handing over. */
int __wrap_sched_getcpu(void)
{
	weft_pool *pool = lurks_at;

	lurks_at = NULL;
	if (pool != NULL) {
		while (atomic_load(&pool->phase) == WEFT_POOL_OPEN_)
			sched_yield();
		work_for(lurks_ns);
	}
	return __real_sched_getcpu();
}

/* Submitters against shutdown. */
typedef struct race {
	stress_crew crew;
	weft_pool *pool;
	bool aborts;
	atomic_long runs;           /* of whatever function */
	atomic_long inner_accepted; /* spawned by tasks */
	atomic_long canceled;       /* by submitters */
} race;

typedef struct racer {
	race *in;
	seeded_random random;
	unsigned number;
	long accepted, tasks, futures;
	struct race_task {
		weft_task task;
		race *in;
	} task[KEPT];
	weft_future *future[KEPT];
} racer;

/* One more run; every fourth one has a child. */
static void race_call(void *argument)
{
	race *in = argument;
	int error;

	if (atomic_fetch_add(&in->runs, 1) % 4 != 0)
		return;
	error = weft_spawn(in->pool, race_call, in);
	if (error == 0)
		atomic_fetch_add(&in->inner_accepted, 1);
	else if (error != -EPIPE || !in->aborts)
		stress_fail(&in->crew, "a task of a pool that drains could not submit");
}

static void race_task_run(weft_task *task)
{
	race_call(((struct race_task *)task)->in);
}

static int race_function(void *argument, void **value)
{
	race_call(argument);
	*value = argument;
	return 0;
}

/* Submits something; returns what that returned. */
static int race_submit(racer *self)
{
	race *in = self->in;
	uint64_t kind = seeded_random_below(&self->random, 6);
	bool cancels = seeded_random_below(&self->random, 8) == 0;
	int error;

	if (kind == 0 && self->tasks < KEPT) {
		struct race_task *task = &self->task[self->tasks];

		weft_task_init(&task->task, race_task_run);
		task->in = in;
		error = weft_task_submit(in->pool, &task->task);
		if (error == 0 && cancels && weft_task_cancel(&task->task))
			atomic_fetch_add(&in->canceled, 1);
		self->tasks += error == 0;
	} else if (kind == 1 && self->futures < KEPT) {
		error = weft_submit(in->pool, race_function, in, &self->future[self->futures]);
		if (error == 0 && cancels && weft_future_cancel(self->future[self->futures]))
			atomic_fetch_add(&in->canceled, 1);
		self->futures += error == 0;
	} else {
		error = weft_spawn(in->pool, race_call, in);
	}
	self->accepted += error == 0;
	return error;
}

static void *race_main(void *argument)
{
	racer *self = argument;
	race *in = self->in;
	int error = 0;

	stress_start_together(&in->crew);
	if (self->number == 0) {
		bool turns = in->aborts && seeded_random_below(&self->random, 2) == 0;

		work_for(seeded_random_below(&self->random, 200) * WEFT_MICROSECONDS);
		if (turns)
			weft_pool_shutdown(in->pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW);
		error = weft_pool_shutdown(in->pool,
					   in->aborts ? WEFT_SHUTDOWN_ABORT : WEFT_SHUTDOWN_DRAIN,
					   forgotten());
		if (error != 0)
			stress_fail(&in->crew, "a pool did not shut down");
		return NULL;
	}
	/* The last submission is made while workers close their inboxes. */
	for (uint64_t i = seeded_random_below(&self->random, 2000); i > 0 && error == 0; i--)
		error = race_submit(self);
	lurks_at = in->pool;
	lurks_ns = seeded_random_below(&self->random,
				       (uint64_t)1 << seeded_random_below(&self->random, 17));
	if (error == 0)
		error = race_submit(self);
	lurks_at = NULL;
	if (error != 0 && error != -EPIPE)
		stress_fail(&in->crew, "a submission failed, but not because of the end");
	return NULL;
}

/* What came of a submitter's tasks and futures; returns how many of them ran. */
static long race_results(racer *self)
{
	long ran = 0;

	for (long i = 0; i < self->tasks; i++) {
		int error = weft_task_wait(&self->task[i].task, WEFT_NOW);

		assert_true(error == 0 || error == -ECANCELED);
		ran += error == 0;
	}
	for (long i = 0; i < self->futures; i++) {
		weft_future *future = self->future[i];
		int error = weft_future_error(future);

		assert_true(weft_future_is_done(future));
		assert_true(error == 0 || error == -ECANCELED);
		assert_ptr_equal(weft_future_value(future), error == 0 ? self->in : NULL);
		ran += error == 0;
		weft_future_release(future);
	}
	return ran;
}

static void race_once(racer *racers, unsigned threads, uint64_t deadline_ns, seeded_random *random)
{
	static const uint64_t budgets[] = {1, 0, 20 * WEFT_MICROSECONDS, 200 * WEFT_MICROSECONDS};
	race in = {.aborts = seeded_random_below(random, 2) == 0};
	long accepted, kept_ran = 0, kept = 0;

	stress_crew_init(&in.crew, threads, deadline_ns);
	in.pool = pool_of(1 + (unsigned)seeded_random_below(random, 9),
			  budgets[seeded_random_below(random, 4)]);
	for (unsigned i = 0; i < threads; i++) {
		racers[i].in = &in;
		racers[i].number = i;
		racers[i].random = random_of(seeded_random_next(random));
		racers[i].accepted = racers[i].tasks = racers[i].futures = 0;
	}
	stress_run(&in.crew, race_main, racers, sizeof(*racers));
	assert_null(stress_failure(&in.crew));

	weft_pool_statistics end = statistics_of(in.pool);

	accepted = atomic_load(&in.inner_accepted);
	for (unsigned i = 0; i < threads; i++) {
		accepted += racers[i].accepted;
		kept += racers[i].tasks + racers[i].futures;
		kept_ran += race_results(&racers[i]);
	}
	assert_int_equal(end.submitted, accepted);
	assert_int_equal(end.run, atomic_load(&in.runs));
	assert_int_equal(end.run + end.canceled, accepted);
	assert_true(kept_ran <= atomic_load(&in.runs));
	if (in.aborts) {
		assert_true((long)end.canceled >= atomic_load(&in.canceled));
	} else {
		assert_int_equal(end.canceled, atomic_load(&in.canceled));
		assert_int_equal(kept - kept_ran, atomic_load(&in.canceled));
	}
	assert_int_equal(weft_pool_destroy(in.pool), 0);
}

static void race_with(unsigned threads)
{
	uint64_t deadline_ns = stress_deadline_ns(TESTS);
	seeded_random random = random_of(threads);
	racer *racers = calloc(threads, sizeof(*racers));

	assert_non_null(racers);
	for (int round = 0; round < ROUNDS_MIN || stress_now_ns() < deadline_ns; round++)
		race_once(racers, threads, deadline_ns, &random);
	free(racers);
}

static void submitters_race_with_shutdown(void **state)
{
	(void)state;
	race_with(3);
}

static void crowds_race_with_shutdown(void **state)
{
	(void)state;
	race_with(CROWD);
}

/* Single tasks, with gaps. */
typedef struct caller {
	stress_crew *crew;
	weft_pool *pool;
	uint64_t spin_ns;
	uint64_t until_ns;
	seeded_random random;
	weft_task task, inner;
	long runs; /* the tasks' */
	long done;
} caller;

static void caller_run(weft_task *task)
{
	((caller *)((char *)task - offsetof(caller, task)))->runs++;
}

static void caller_inner_run(weft_task *task)
{
	((caller *)((char *)task - offsetof(caller, inner)))->runs++;
}

/* As a task that waits, on a worker, for one of its own. */
static int caller_function(void *argument, void **value)
{
	caller *self = argument;
	int error = weft_task_submit(self->pool, &self->inner);

	(void)value;
	return error == 0 ? weft_task_wait(&self->inner, forgotten()) : error;
}

static void caller_once(caller *self)
{
	weft_future *future = NULL;
	int error;

	if (seeded_random_below(&self->random, 3) != 0) {
		error = weft_task_submit(self->pool, &self->task);
		if (error == 0)
			error = weft_task_wait(&self->task, forgotten());
	} else {
		error = weft_submit(self->pool, caller_function, self, &future);
		if (error == 0)
			error = weft_future_wait(future, forgotten());
		if (error == 0)
			error = weft_future_error(future);
		weft_future_release(future);
	}
	self->done++;
	if (error != 0)
		stress_fail(self->crew, "a task was forgotten");
	else if (self->runs != self->done)
		stress_fail(self->crew, "a task did not run once");
}

static void *caller_main(void *argument)
{
	caller *self = argument;

	stress_start_together(self->crew);
	do {
		uint64_t gap_ns = seeded_random_below(&self->random, 3 * self->spin_ns + 3000);

		caller_once(self);
		/* Asleep now and then, so that the others have the CPU. */
		if (seeded_random_below(&self->random, 4) == 0)
			sleep_until(weft_after(gap_ns));
		else
			work_for(gap_ns);
	} while (stress_now_ns() < self->until_ns && stress_failure(self->crew) == NULL);
	return NULL;
}

static void call_with(unsigned threads)
{
	static const uint64_t budgets[] = {1, 30 * WEFT_MICROSECONDS, 300 * WEFT_MICROSECONDS};
	static const unsigned workers[] = {1, 2, CROWD};
	uint64_t deadline_ns = stress_deadline_ns(TESTS);
	uint64_t slice_ns = (deadline_ns - stress_now_ns()) / 9;
	caller callers[CROWD];

	for (size_t k = 0; k < 9; k++) {
		stress_crew crew;
		weft_pool *pool = pool_of(workers[k / 3], budgets[k % 3]);

		stress_crew_init(&crew, threads, deadline_ns);
		memset((void *)callers, 0, sizeof(callers));
		for (unsigned i = 0; i < threads; i++) {
			callers[i].crew = &crew;
			callers[i].pool = pool;
			callers[i].spin_ns = budgets[k % 3];
			callers[i].until_ns = stress_now_ns() + slice_ns;
			callers[i].random = random_of(100 * threads + 10 * k + i);
			weft_task_init(&callers[i].task, caller_run);
			weft_task_init(&callers[i].inner, caller_inner_run);
		}
		stress_run(&crew, caller_main, callers, sizeof(callers[0]));
		assert_null(stress_failure(&crew));
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, forgotten()), 0);
		assert_int_equal(weft_pool_destroy(pool), 0);
	}
}

static void no_wake_up_is_lost(void **state)
{
	(void)state;
	call_with((unsigned)sysconf(_SC_NPROCESSORS_ONLN) > CROWD
			  ? CROWD
			  : (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
}

static void no_wake_up_is_lost_in_a_crowd(void **state)
{
	(void)state;
	call_with(CROWD);
}

/* Futures that several threads quarrel about. */
typedef struct quarrel {
	stress_crew crew;
	weft_pool *pool;
	struct slot {
		struct quarrel *in;
		weft_future *_Atomic future;
		atomic_int runs, cancels, registered, called;
	} slot[SLOTS];
} quarrel;

typedef struct quarreler {
	quarrel *in;
	unsigned number;
	seeded_random random;
} quarreler;

static int slot_function(void *argument, void **value)
{
	struct slot *self = argument;

	atomic_fetch_add(&self->runs, 1);
	*value = self;
	return 0;
}

static void slot_called(weft_future *future, void *argument)
{
	struct slot *self = argument;
	int error = weft_future_error(future);

	if ((error != 0 && error != -ECANCELED) ||
	    weft_future_value(future) != (error == 0 ? self : NULL))
		stress_fail(&self->in->crew, "a callback finds the future in another state");
	atomic_fetch_add(&self->called, 1);
}

/* On a worker of the same pool. Its future's owner is this function. */
static int slot_wait(void *argument, void **value)
{
	struct slot *self = argument;
	weft_future *future = atomic_load(&self->future);

	(void)value;
	if (weft_future_wait(future, forgotten()) != 0)
		stress_fail(&self->in->crew, "a worker was forgotten");
	weft_future_release(future);
	return 0;
}

/* The first thread makes the futures. Each other owns one share, and so does the waiting worker. */
static void slot_submit(struct slot *self, unsigned others)
{
	weft_future *future = NULL, *waiting = NULL;

	must(weft_submit(self->in->pool, slot_function, self, &future) == 0);
	for (unsigned i = 0; i < others + 1; i++)
		weft_future_retain(future);
	atomic_store(&self->future, future);
	must(weft_submit(self->in->pool, slot_wait, self, &waiting) == 0);
	weft_future_release(waiting);
}

static void slot_contend(quarreler *self, struct slot *slot)
{
	weft_future *future;

	while ((future = atomic_load(&slot->future)) == NULL)
		sched_yield();
	if (seeded_random_below(&self->random, 2) == 0) {
		if (weft_future_on_done(future, slot_called, slot) == 0)
			atomic_fetch_add(&slot->registered, 1);
	}
	if (seeded_random_below(&self->random, 2) == 0 && weft_future_cancel(future)) {
		atomic_fetch_add(&slot->cancels, 1);
		if (weft_future_error(future) != -ECANCELED)
			stress_fail(&self->in->crew, "a canceled future is none");
	}
	if (seeded_random_below(&self->random, 2) == 0 &&
	    weft_future_wait(future, forgotten()) != 0)
		stress_fail(&self->in->crew, "a thread was forgotten");
	weft_future_release(future);
}

static void *quarreler_main(void *argument)
{
	quarreler *self = argument;
	quarrel *in = self->in;

	stress_start_together(&in->crew);
	for (size_t i = 0; i < SLOTS; i++) {
		if (self->number == 0)
			slot_submit(&in->slot[i], in->crew.count - 1);
		slot_contend(self, &in->slot[i]);
	}
	return NULL;
}

static void futures_end_once(void **state)
{
	uint64_t deadline_ns = stress_deadline_ns(TESTS);
	seeded_random random = random_of(2000);
	quarreler quarrelers[4];
	static quarrel in;

	(void)state;
	for (int round = 0; round < ROUNDS_MIN || stress_now_ns() < deadline_ns; round++) {
		memset((void *)&in, 0, sizeof(in));
		stress_crew_init(&in.crew, 2 + (unsigned)round % 3, deadline_ns);
		in.pool = pool_of(1 + (unsigned)seeded_random_below(&random, 6),
				  seeded_random_below(&random, 2));
		for (size_t i = 0; i < SLOTS; i++)
			in.slot[i].in = &in;
		for (unsigned i = 0; i < in.crew.count; i++) {
			quarrelers[i].in = &in;
			quarrelers[i].number = i;
			quarrelers[i].random = random_of(seeded_random_next(&random));
		}
		stress_run(&in.crew, quarreler_main, quarrelers, sizeof(quarrelers[0]));
		assert_int_equal(weft_pool_shutdown(in.pool, WEFT_SHUTDOWN_DRAIN, forgotten()), 0);
		assert_int_equal(weft_pool_destroy(in.pool), 0);
		assert_null(stress_failure(&in.crew));
		for (size_t i = 0; i < SLOTS; i++) {
			assert_int_equal(in.slot[i].runs + in.slot[i].cancels, 1);
			assert_int_equal(in.slot[i].called, in.slot[i].registered);
		}
	}
}

/* One task that several threads submit, and cancel. Its runs are counted in a plain number. */
typedef struct shared_task {
	weft_task task;
	stress_crew crew;
	weft_pool *pool;
	long runs;
	atomic_long accepted, canceled;
} shared_task;

static void shared_task_run(weft_task *task)
{
	((shared_task *)task)->runs++;
}

static void *share_task(void *argument)
{
	shared_task *self = *(shared_task **)argument;
	long rounds = 0;

	stress_start_together(&self->crew);
	while ((rounds++ < 1000 || !stress_time_is_over(&self->crew)) &&
	       stress_failure(&self->crew) == NULL) {
		int error = weft_task_submit(self->pool, &self->task);

		if (error == 0) {
			atomic_fetch_add(&self->accepted, 1);
			if (rounds % 3 == 0 && weft_task_cancel(&self->task))
				atomic_fetch_add(&self->canceled, 1);
		} else if (error != -EBUSY) {
			stress_fail(&self->crew, "a submission failed, but not for being busy");
		}
		if (rounds % 7 == 0)
			sched_yield();
	}
	return NULL;
}

static void one_task_is_submitted_by_many(void **state)
{
	uint64_t deadline_ns = stress_deadline_ns(TESTS);
	shared_task shared = {.pool = pool_of(3, 0)};
	shared_task *all[4] = {&shared, &shared, &shared, &shared};

	(void)state;
	weft_task_init(&shared.task, shared_task_run);
	stress_crew_init(&shared.crew, 4, deadline_ns);
	stress_run(&shared.crew, share_task, all, sizeof(all[0]));
	assert_int_equal(weft_pool_shutdown(shared.pool, WEFT_SHUTDOWN_DRAIN, forgotten()), 0);
	assert_int_equal(weft_pool_destroy(shared.pool), 0);
	assert_null(stress_failure(&shared.crew));
	assert_true(shared.runs > 0);
	assert_int_equal(shared.runs + shared.canceled, shared.accepted);
}

/* Pools that live for a moment, and do little or nothing. */
static void pools_come_and_go(void **state)
{
	uint64_t deadline_ns = stress_deadline_ns(TESTS);
	seeded_random random = random_of(3000);
	race in = {0};
	long calls = 0;

	(void)state;
	stress_crew_init(&in.crew, 1, deadline_ns);
	for (int round = 0; round < ROUNDS_MIN || stress_now_ns() < deadline_ns; round++) {
		in.pool = pool_of(1 + (unsigned)seeded_random_below(&random, 9),
				  seeded_random_below(&random, 2));
		for (uint64_t i = seeded_random_below(&random, 3); i > 0; i--) {
			/* A number without a child. */
			atomic_store(&in.runs, 1);
			assert_int_equal(weft_spawn(in.pool, race_call, &in), 0);
			calls++;
		}
		assert_int_equal(weft_pool_destroy(in.pool), 0);
	}
	assert_true(calls > 0);
	assert_null(stress_failure(&in.crew));
}

/* Recursions that several threads begin in one pool. */
typedef struct recursion {
	stress_crew *crew;
	weft_pool *pool;
	seeded_random random;
} recursion;

typedef struct recursion_call {
	weft_pool *pool;
	uintptr_t n;
} recursion_call;

static int fibonacci(void *argument, void **value)
{
	recursion_call *call = argument;
	recursion_call one = {call->pool, call->n - 1}, two = {call->pool, call->n - 2};
	weft_future *future;
	void *sum = NULL;

	*value = (void *)call->n;
	if (call->n < 2)
		return 0;
	must(weft_submit(call->pool, fibonacci, &one, &future) == 0);
	must(fibonacci(&two, &sum) == 0);
	must(weft_future_wait(future, forgotten()) == 0);
	*value = (void *)((uintptr_t)weft_future_value(future) + (uintptr_t)sum);
	weft_future_release(future);
	return 0;
}

static void *recurse(void *argument)
{
	static const uintptr_t numbers[] = {0,  1,  1,  2,  3,   5,   8,   13,
					    21, 34, 55, 89, 144, 233, 377, 610};
	recursion *self = argument;

	stress_start_together(self->crew);
	do {
		recursion_call call = {self->pool, seeded_random_below(&self->random, 16)};
		weft_future *future;

		must(weft_submit(self->pool, fibonacci, &call, &future) == 0);
		if (weft_future_wait(future, forgotten()) != 0)
			stress_fail(self->crew, "a recursion was forgotten");
		else if (weft_future_value(future) != (void *)numbers[call.n])
			stress_fail(self->crew, "a recursion came to another result");
		weft_future_release(future);
	} while (!stress_time_is_over(self->crew) && stress_failure(self->crew) == NULL);
	return NULL;
}

static void recursions_meet(void **state)
{
	static const unsigned workers[] = {1, 2, CROWD};
	uint64_t slice_ns = (stress_deadline_ns(TESTS) - stress_now_ns()) / 6;
	recursion all[CROWD];

	(void)state;
	for (size_t k = 0; k < 6; k++) {
		stress_crew crew;
		weft_pool *pool = pool_of(workers[k / 2], k % 2);

		stress_crew_init(&crew, k % 2 == 0 ? 2 : CROWD, stress_now_ns() + slice_ns);
		for (unsigned i = 0; i < crew.count; i++) {
			all[i].crew = &crew;
			all[i].pool = pool;
			all[i].random = random_of(4000 + 100 * k + i);
		}
		stress_run(&crew, recurse, all, sizeof(all[0]));
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, forgotten()), 0);
		assert_null(stress_failure(&crew));
		assert_int_equal(statistics_of(pool).submitted, statistics_of(pool).run);
		assert_int_equal(weft_pool_destroy(pool), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submitters_race_with_shutdown),
		cmocka_unit_test(crowds_race_with_shutdown),
		cmocka_unit_test(no_wake_up_is_lost),
		cmocka_unit_test(no_wake_up_is_lost_in_a_crowd),
		cmocka_unit_test(futures_end_once),
		cmocka_unit_test(one_task_is_submitted_by_many),
		cmocka_unit_test(pools_come_and_go),
		cmocka_unit_test(recursions_meet),
	};

	static_assert(sizeof(tests) / sizeof(tests[0]) == TESTS, "each test has its share of time");
	/* What hangs where nobody looks has failed, too. */
	alarm(120 + 4 * (unsigned)((stress_deadline_ns(1) - stress_now_ns()) / WEFT_SECONDS));
	seed = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
