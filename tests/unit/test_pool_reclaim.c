/* SPDX-License-Identifier: Apache-2.0 */

/* Workers as readers: they hold nothing between tasks and while they sleep, without being asked. */

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/lockfree/reclaim.h>
#include <weft/pool/executor.h>
#include <weft/pool/future.h>
#include <weft/pool/pool.h>

static WEFT_ATOMIC(unsigned) freed;

static void free_piece(weft_reclaim_head *head)
{
	free(head);
	atomic_fetch_add_explicit(&freed, 1, memory_order_relaxed);
}

static void retire_piece(void)
{
	weft_reclaim_head *made = malloc(sizeof(*made));

	assert_non_null(made);
	assert_int_equal(weft_reclaim_retire(made, free_piece, 1), 0);
}

static weft_reclaim_statistics statistics(void)
{
	weft_reclaim_statistics now = {.size = sizeof(now)};

	assert_int_equal(weft_reclaim_statistics_read(&now), 0);
	return now;
}

static bool is_stalled(weft_reclaim_stall *stall)
{
	*stall = (weft_reclaim_stall){.size = sizeof(*stall)};
	return weft_reclaim_stalled(stall) == 1;
}

static weft_pool *pool_of_two(void)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool;

	options.workers = 2;
	options.unpinned = true;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	return pool;
}

static int begin(void **state)
{
	int error = weft_reclaim_barrier();

	(void)state;
	atomic_store_explicit(&freed, 0, memory_order_relaxed);
	return error;
}

/* What a task waits for, and says. */
static struct {
	WEFT_ATOMIC(int) step;
	pid_t thread;
} stage;

static void advance(int step)
{
	atomic_store_explicit(&stage.step, step, memory_order_release);
}

static void wait_for(int step)
{
	while (atomic_load_explicit(&stage.step, memory_order_acquire) < step)
		sched_yield();
}

static int retire_hundred(void *argument, void **value)
{
	(void)argument;
	(void)value;
	for (int i = 0; i < 100; i++) {
		weft_reclaim_enter();
		weft_reclaim_exit();
		retire_piece();
	}
	return 0;
}

static void submit_and_wait(weft_pool *pool, weft_function function, void *argument)
{
	weft_future *future;

	assert_int_equal(weft_submit(pool, function, argument, &future), 0);
	assert_int_equal(weft_future_wait(future, WEFT_FOREVER), 0);
	weft_future_release(future);
}

/* Nobody calls anything: the workers do it before they sleep. */
static void idle_workers_free_what_was_retired(void **state)
{
	weft_pool *pool = pool_of_two();

	(void)state;
	for (unsigned round = 1; round <= 20; round++) {
		submit_and_wait(pool, retire_hundred, NULL);
		while (atomic_load_explicit(&freed, memory_order_relaxed) < 100 * round)
			sched_yield();
	}
	assert_int_equal(statistics().objects, 0);
	assert_int_equal(weft_pool_destroy(pool), 0);
}

static void workers_are_known_while_they_live(void **state)
{
	uint64_t threads = statistics().threads;
	weft_pool *pool;

	(void)state;
	for (int i = 0; i < 10; i++) {
		pool = pool_of_two();
		assert_int_equal(statistics().threads, threads + 2);
		assert_int_equal(weft_pool_destroy(pool), 0);
		assert_int_equal(statistics().threads, threads);
	}
	assert_int_equal(weft_reclaim_synchronize(), 0);
}

/* Those that sleep hold up nobody, nor do those that look for work. */
static void sleeping_workers_are_not_in_the_way(void **state)
{
	weft_pool *pool = pool_of_two();

	(void)state;
	for (int i = 0; i < 100; i++) {
		retire_piece();
		assert_int_equal(weft_reclaim_synchronize(), 0);
		assert_int_equal(weft_reclaim_barrier(), 0);
	}
	assert_int_equal(atomic_load_explicit(&freed, memory_order_relaxed), 100);
	assert_int_equal(weft_pool_destroy(pool), 0);
}

static int run_for_long(void *argument, void **value)
{
	(void)argument;
	(void)value;
	stage.thread = (pid_t)syscall(SYS_gettid);
	advance(1);
	wait_for(2);
	weft_reclaim_quiescent();
	advance(3);
	wait_for(4);
	return 0;
}

static void a_worker_that_never_ends_is_named(void **state)
{
	weft_pool *pool = pool_of_two();
	weft_reclaim_stall stall;
	weft_future *future;

	(void)state;
	advance(0);
	assert_int_equal(weft_submit(pool, run_for_long, NULL, &future), 0);
	wait_for(1);
	retire_piece();
	weft_reclaim_poll();
	/* The other worker may be about to sleep. */
	while (!is_stalled(&stall) || stall.readers != 1)
		weft_reclaim_poll();
	assert_true(stall.worker);
	assert_int_equal(stall.thread, stage.thread);
	assert_int_equal(atomic_load_explicit(&freed, memory_order_relaxed), 0);
	advance(2);
	wait_for(3);
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_false(is_stalled(&stall));
	assert_int_equal(atomic_load_explicit(&freed, memory_order_relaxed), 1);
	advance(4);
	assert_int_equal(weft_future_wait(future, WEFT_FOREVER), 0);
	weft_future_release(future);
	assert_int_equal(weft_pool_destroy(pool), 0);
}

static int stay_inside(void *argument, void **value)
{
	(void)argument;
	(void)value;
	weft_reclaim_enter();
	advance(1);
	wait_for(2);
	/* This does not count inside a section. */
	weft_reclaim_quiescent();
	advance(3);
	wait_for(4);
	weft_reclaim_exit();
	return 0;
}

static void a_section_of_a_task_holds(void **state)
{
	weft_pool *pool = pool_of_two();
	weft_future *future;

	(void)state;
	advance(0);
	assert_int_equal(weft_submit(pool, stay_inside, NULL, &future), 0);
	wait_for(1);
	retire_piece();
	advance(2);
	wait_for(3);
	for (int i = 0; i < 100; i++)
		weft_reclaim_poll();
	assert_int_equal(atomic_load_explicit(&freed, memory_order_relaxed), 0);
	advance(4);
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(atomic_load_explicit(&freed, memory_order_relaxed), 1);
	assert_int_equal(weft_future_wait(future, WEFT_FOREVER), 0);
	weft_future_release(future);
	assert_int_equal(weft_pool_destroy(pool), 0);
}

static int do_nothing(void *argument, void **value)
{
	(void)argument;
	(void)value;
	return 0;
}

static int wait_inside(void *pool, void **value)
{
	weft_future *future;
	bool is_held;

	(void)value;
	weft_reclaim_enter();
	retire_piece();
	/* Runs other tasks or sleeps, above the open section. */
	assert_int_equal(weft_submit(pool, do_nothing, NULL, &future), 0);
	assert_int_equal(weft_future_wait(future, WEFT_FOREVER), 0);
	weft_future_release(future);
	weft_reclaim_poll();
	is_held = atomic_load_explicit(&freed, memory_order_relaxed) == 0;
	weft_reclaim_exit();
	return is_held ? 0 : -EINVAL;
}

static void a_wait_inside_a_section_holds_it(void **state)
{
	weft_pool *pool = pool_of_two();

	(void)state;
	for (int i = 0; i < 50; i++) {
		weft_future *future;

		assert_int_equal(begin(NULL), 0);
		assert_int_equal(weft_submit(pool, wait_inside, pool, &future), 0);
		assert_int_equal(weft_future_wait(future, WEFT_FOREVER), 0);
		assert_int_equal(weft_future_error(future), 0);
		weft_future_release(future);
	}
	assert_int_equal(weft_pool_destroy(pool), 0);
	assert_int_equal(weft_reclaim_barrier(), 0);
}

/* A function may submit a task, also while the pool comes to its end. */
static weft_pool *submits_to;
static WEFT_ATOMIC(unsigned) submitted, ran;

static void count_run(void *argument)
{
	(void)argument;
	atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

static void free_and_submit(weft_reclaim_head *head)
{
	free(head);
	if (weft_spawn(submits_to, count_run, NULL) == 0)
		atomic_fetch_add_explicit(&submitted, 1, memory_order_relaxed);
}

static int retire_and_submit_later(void *argument, void **value)
{
	weft_reclaim_head *made = malloc(sizeof(*made));

	(void)argument;
	(void)value;
	assert_non_null(made);
	return weft_reclaim_retire(made, free_and_submit, 1);
}

static void functions_may_submit(void **state)
{
	(void)state;
	atomic_store_explicit(&submitted, 0, memory_order_relaxed);
	atomic_store_explicit(&ran, 0, memory_order_relaxed);
	for (int i = 0; i < 50; i++) {
		submits_to = pool_of_two();
		submit_and_wait(submits_to, retire_and_submit_later, NULL);
		assert_int_equal(weft_pool_shutdown(submits_to, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER),
				 0);
		assert_int_equal(weft_reclaim_barrier(), 0);
		assert_int_equal(weft_pool_destroy(submits_to), 0);
	}
	assert_int_equal(atomic_load_explicit(&ran, memory_order_relaxed),
			 atomic_load_explicit(&submitted, memory_order_relaxed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(idle_workers_free_what_was_retired, begin),
		cmocka_unit_test_setup(workers_are_known_while_they_live, begin),
		cmocka_unit_test_setup(sleeping_workers_are_not_in_the_way, begin),
		cmocka_unit_test_setup(a_worker_that_never_ends_is_named, begin),
		cmocka_unit_test_setup(a_section_of_a_task_holds, begin),
		cmocka_unit_test_setup(a_wait_inside_a_section_holds_it, begin),
		cmocka_unit_test_setup(functions_may_submit, begin),
	};

	return cmocka_run_group_tests_name("pool as readers", tests, NULL, NULL);
}
