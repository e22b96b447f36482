/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/pool: what workers do when there is nothing to run, the hooks at the beginning and
 * the end of a worker, and storage of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "../pool_fixture.h"

enum {
	WORKERS = 4,
	/* How long a pool is watched that must do nothing. */
	WATCH_NS = 300000000,
};

static weft_pool *pool_with(const weft_pool_options *options)
{
	weft_pool *pool = NULL;

	must(weft_pool_create(&pool, options) == 0);
	return pool;
}

static uint64_t cpu_ns(void)
{
	struct timespec time;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
	return (uint64_t)time.tv_sec * WEFT_SECONDS + (uint64_t)time.tv_nsec;
}

static atomic_long runs;

static void count_run(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

/* Less than a thousandth of one CPU. */
static void idle_pool_takes_no_time(void **state)
{
	static const weft_idle policies[] = {WEFT_IDLE_BALANCED, WEFT_IDLE_EFFICIENT};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
		uint64_t before;

		options.workers = WORKERS;
		options.idle = policies[i];

		weft_pool *pool = pool_with(&options);

		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		pool_await_rest(pool);

		uint64_t parked = statistics_of(pool).parked;

		before = cpu_ns();
		sleep_until(weft_after(WATCH_NS));
		assert_in_range(cpu_ns() - before, 0, WATCH_NS / (SANITIZED ? 10 : 1000));
		assert_int_equal(statistics_of(pool).parked, parked);
		weft_pool_destroy(pool);
	}
}

/* Waits until not more than so many workers are awake. */
static void await_awake(const weft_pool *pool, uint32_t most)
{
	weft_deadline deadline = guard();

	while (weft_wake_awake_(&pool->wake) > most) {
		must(weft_now() < deadline);
		sched_yield();
	}
}

static void half_of_those_awake_look_around(void **state)
{
	weft_pool *pool = pool_of(WORKERS, WEFT_FOREVER);
	gate_task holders[2];
	gate at = {0};

	(void)state;
	/* Two that stop at the same time are both asleep. */
	await_awake(pool, 1);
	gate_hold(pool, &at, holders, 2);
	/* Of the two that are left, one. */
	await_awake(pool, 3);
	gate_let_go(&at, holders, 2);
	await_awake(pool, 1);
	assert_true(atomic_load(&pool->wake.searching) <= 1);
	weft_pool_destroy(pool);
}

static atomic_long yields;

int __real_sched_yield(void);
int __wrap_sched_yield(void);

int __wrap_sched_yield(void)
{
	atomic_fetch_add(&yields, 1);
	return __real_sched_yield();
}

static void workers_keep_looking_around(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

	(void)state;
	options.workers = 2;
	options.idle = WEFT_IDLE_LATENCY;

	weft_pool *pool = pool_with(&options);

	weft_deadline deadline = guard();

	while (atomic_load(&pool->wake.searching) < 2)
		__real_sched_yield();
	sleep_until(weft_after(5 * WEFT_MILLISECONDS));
	/* They let others have their CPUs. */
	atomic_store(&yields, 0);
	while (atomic_load(&yields) == 0)
		must(weft_now() < deadline);
	assert_int_equal(statistics_of(pool).parked, 0);
	assert_int_equal(atomic_load(&pool->wake.searching), 2);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	weft_pool_destroy(pool);
}

static void efficient_workers_sleep_at_once(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

	(void)state;
	options.workers = 1;
	options.idle = WEFT_IDLE_EFFICIENT;

	weft_pool *pool = pool_with(&options);

	for (long i = 0; i < 100; i++) {
		pool_await_rest(pool);
		assert_int_equal(statistics_of(pool).parked, i + 1);
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	}
	pool_await_rest(pool);
	weft_pool_destroy(pool);
}

/* What the hooks have seen. */
typedef struct hooked {
	atomic_int begun[WORKERS];
	atomic_int ended[WORKERS];
	int fails_at; /* the worker whose beginning fails, or -1 */
	pthread_t threads[WORKERS];
	weft_pool *pool;
} hooked;

static int begin(void *context, unsigned worker)
{
	hooked *self = context;

	must(worker < WORKERS && atomic_fetch_add(&self->begun[worker], 1) == 0);
	self->threads[worker] = pthread_self();
	return (int)worker == self->fails_at ? -EXDEV : 0;
}

static void end(void *context, unsigned worker)
{
	hooked *self = context;

	must(worker < WORKERS && atomic_load(&self->begun[worker]) == 1);
	must(atomic_fetch_add(&self->ended[worker], 1) == 0);
	must(pthread_equal(self->threads[worker], pthread_self()));
}

static weft_pool_options with_hooks(hooked *context)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

	options.workers = WORKERS;
	options.worker_begins = begin;
	options.worker_ends = end;
	options.hook_context = context;
	return options;
}

/* Runs on a worker that has begun and not ended. */
static void check_hooks(void *argument)
{
	hooked *self = argument;
	int worker = weft_pool_worker_index(self->pool);

	must(worker >= 0 && atomic_load(&self->begun[worker]) == 1);
	must(atomic_load(&self->ended[worker]) == 0);
	must(pthread_equal(self->threads[worker], pthread_self()));
}

static void hooks_stand_around_all_tasks(void **state)
{
	hooked seen = {.fails_at = -1};
	weft_pool_options options = with_hooks(&seen);

	(void)state;
	seen.pool = pool_with(&options);
	for (size_t i = 0; i < WORKERS; i++) {
		assert_int_equal(atomic_load(&seen.begun[i]), 1);
		assert_int_equal(atomic_load(&seen.ended[i]), 0);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(weft_spawn(seen.pool, check_hooks, &seen), 0);
	assert_int_equal(weft_pool_shutdown(seen.pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	for (size_t i = 0; i < WORKERS; i++)
		assert_int_equal(atomic_load(&seen.ended[i]), 1);
	weft_pool_destroy(seen.pool);
	/* One of the two is enough. */
	options.worker_begins = NULL;
	options.worker_ends = NULL;
	weft_pool_destroy(pool_with(&options));
	memset(&seen, 0, sizeof(seen));
	seen.fails_at = -1;
	options.worker_begins = begin;
	weft_pool_destroy(pool_with(&options));
	assert_int_equal(atomic_load(&seen.begun[WORKERS - 1]), 1);
}

static void a_hook_may_refuse(void **state)
{
	(void)state;
	for (int fails_at = 0; fails_at < WORKERS; fails_at++) {
		hooked seen = {.fails_at = fails_at};
		weft_pool_options options = with_hooks(&seen);
		weft_pool *pool = (weft_pool *)&seen;

		assert_int_equal(weft_pool_create(&pool, &options), -EXDEV);
		assert_ptr_equal(pool, &seen);
		for (int i = 0; i < WORKERS; i++) {
			assert_int_equal(atomic_load(&seen.begun[i]), 1);
			assert_int_equal(atomic_load(&seen.ended[i]), i != fails_at);
		}
	}
}

/* Counts in the worker's own storage. */
static void count_locally(void *argument)
{
	uint64_t *count = weft_pool_local(argument);

	must(count != NULL &&
	     count == weft_pool_local_of(argument, (unsigned)weft_pool_worker_index(argument)));
	++*count;
}

static void each_worker_has_storage(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	uint64_t sum = 0;

	(void)state;
	options.workers = WORKERS;
	options.local_bytes = 200;

	weft_pool *pool = pool_with(&options);

	assert_null(weft_pool_local(pool));
	assert_null(weft_pool_local_of(pool, WORKERS));
	for (unsigned worker = 0; worker < WORKERS; worker++) {
		const char *local = weft_pool_local_of(pool, worker);

		assert_int_equal((uintptr_t)local % WEFT_CACHE_LINE, 0);
		for (size_t i = 0; i < options.local_bytes; i++)
			assert_int_equal(local[i], 0);
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(weft_spawn(pool, count_locally, pool), 0);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	for (unsigned worker = 0; worker < WORKERS; worker++)
		sum += *(uint64_t *)weft_pool_local_of(pool, worker);
	assert_int_equal(sum, 1000);
	weft_pool_destroy(pool);
	pool = pool_of(1, 0);
	assert_null(weft_pool_local_of(pool, 0));
	weft_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_pool_takes_no_time),
		cmocka_unit_test(half_of_those_awake_look_around),
		cmocka_unit_test(workers_keep_looking_around),
		cmocka_unit_test(efficient_workers_sleep_at_once),
		cmocka_unit_test(hooks_stand_around_all_tasks),
		cmocka_unit_test(a_hook_may_refuse),
		cmocka_unit_test(each_worker_has_storage),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
