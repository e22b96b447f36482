/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pools in a process that forks, and of workers whose CPU is taken away.
 *
 * The linker sends the library's sigaction to __wrap_sigaction, where a thread is held that creates
 * the first pool.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../pool_fixture.h"

enum {
	WORKERS = 3,
	/* Of a pool in a child: there are many children, and the machine may be busy. */
	CALLS = 100,
};

/* A child that hangs has a guard of its own at each wait. This one is for other places, and longer
 * than all of those together on a machine that is busy. */
static void guard_child(void)
{
	alarm(4 * GUARD_SECONDS);
}

/* gcc 12's TSan dies in such a child, of a thread whose number it knows already; and its ASan
 * leaves the locks of its allocator to the child as they are, held by threads that the child has
 * not. */
#if SANITIZED && !(SANITIZED_THREADS && defined(__clang__))
#define CHILDREN_MAY_HAVE_THREADS 0
#else
#define CHILDREN_MAY_HAVE_THREADS 1
#endif

#if SANITIZED_THREADS
/* By default it lets no child of a process with threads start any. */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}
#endif

static int answer(void *argument, void **value)
{
	*value = argument;
	return 0;
}

/* Uses a pool of its own. Returns what is wrong, or 0. */
static int live_with_a_pool(void)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	options.workers = WORKERS;
	if (weft_pool_create(&pool, &options) != 0)
		return 10;
	for (int i = 0; i < CALLS; i++) {
		weft_future *future;

		if (weft_submit(pool, answer, &i, &future) != 0)
			return 11;
		if (weft_future_wait(future, guard()) != 0 || weft_future_value(future) != &i)
			return 12;
		weft_future_release(future);
	}
	return weft_pool_destroy(pool) == 0 ? 0 : 13;
}

/* The child of a thread that is not a worker. */
static int live_as_a_child(weft_pool *pool, weft_future *pending)
{
	int error;

	/* A future of before does not end, but can be given up. */
	if (weft_future_is_done(pending) || weft_future_wait(pending, WEFT_NOW) != -ETIMEDOUT)
		return 1;
	weft_future_release(pending);
	error = live_with_a_pool();
	if (error != 0)
		return error;
	if (weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER) != 0)
		return 2;
	if (weft_spawn(pool, (void (*)(void *))abort, NULL) != -EPIPE)
		return 3;
	if (weft_pool_destroy(pool) != 0)
		return 4;
	return live_with_a_pool();
}

static void wait_for_child(pid_t child)
{
	int status = 0;

	must(waitpid(child, &status, 0) == child);
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Submits all the time, so that the fork comes at any moment. */
static atomic_bool over;

static void *submit_meanwhile(void *pool)
{
	while (!atomic_load(&over)) {
		weft_future *future;

		must(weft_submit(pool, answer, pool, &future) == 0);
		must(weft_future_wait(future, guard()) == 0);
		weft_future_release(future);
	}
	return NULL;
}

static void child_begins_anew(void **state)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
	weft_future *pending;
	pthread_t thread;
	gate_task holder;
	weft_pool *pool;
	gate at = {0};

	(void)state;
	if (!CHILDREN_MAY_HAVE_THREADS)
		return;
	pool = pool_of(WORKERS, 0);
	gate_hold(pool, &at, &holder, 1);
	/* Something that has not ended: for the worker that is held. */
	options.to_worker = true;
	for (options.worker = 0; options.worker < WORKERS; options.worker++) {
		assert_int_equal(weft_submit_with(pool, answer, NULL, &options, &pending), 0);
		if (weft_future_wait(pending, weft_after(10 * WEFT_MILLISECONDS)) != 0)
			break;
		weft_future_release(pending);
	}
	assert_true(options.worker < WORKERS);
	atomic_store(&over, false);
	assert_int_equal(pthread_create(&thread, NULL, submit_meanwhile, pool), 0);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0) {
			guard_child();
			_exit(live_as_a_child(pool, pending));
		}
		wait_for_child(child);
	}
	atomic_store(&over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	gate_let_go(&at, &holder, 1);
	assert_int_equal(weft_future_wait(pending, guard()), 0);
	weft_future_release(pending);
	weft_pool_destroy(pool);
}

/* Where a thread stands that creates the first pool, or NULL. */
static gate *creating;

int __real_sigaction(int number, const struct sigaction *action, struct sigaction *before);
int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *before);

int __wrap_sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
	if (creating != NULL)
		gate_pass(creating);
	return __real_sigaction(number, action, before);
}

static void *create_and_destroy(void *unused)
{
	(void)unused;
	must(weft_pool_destroy(pool_of(1, 0)) == 0);
	return NULL;
}

/* What it has begun to change nobody goes on with in the child. */
static void child_of_a_creation(void **state)
{
	pthread_t thread;
	gate at = {0};
	pid_t child;

	(void)state;
	if (!CHILDREN_MAY_HAVE_THREADS)
		return;
	creating = &at;
	assert_int_equal(pthread_create(&thread, NULL, create_and_destroy, NULL), 0);
	gate_await(&at, 1);
	creating = NULL;
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		alarm(GUARD_SECONDS);
		_exit(live_with_a_pool());
	}
	wait_for_child(child);
	gate_open(&at);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void fork_in_a_task(void *pool)
{
	pid_t child = fork();

	must(child >= 0);
	if (child == 0) {
		guard_child();
		if (weft_pool_destroy(pool) != -EDEADLK)
			_exit(20);
		_exit(live_with_a_pool());
	}
	wait_for_child(child);
}

static void tasks_may_fork(void **state)
{
	weft_pool *pool;

	(void)state;
	if (!CHILDREN_MAY_HAVE_THREADS)
		return;
	pool = pool_of(WORKERS, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(weft_spawn(pool, fork_in_a_task, pool), 0);
	weft_pool_destroy(pool);
}

/* Each worker's thread, for somebody else to bind. */
static pid_t threads[WORKERS];

static int tell_thread(void *context, unsigned worker)
{
	(void)context;
	threads[worker] = (pid_t)syscall(SYS_gettid);
	return 0;
}

static atomic_long runs;

static void count_run(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

/* From outside, now to this CPU, now to that one, while they work. */
static void workers_go_on_where_they_are_put(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;
	cpu_set_t all;

	(void)state;
	options.workers = WORKERS;
	options.max_workers = WORKERS;
	options.worker_begins = tell_thread;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	for (int cpu = 0, round = 0; round < 50; cpu = (cpu + 1) % CPU_SETSIZE) {
		cpu_set_t one;

		if (!CPU_ISSET(cpu, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		for (int i = 0; i < WORKERS; i++)
			assert_int_equal(sched_setaffinity(threads[i], sizeof(one), &one), 0);
		for (int i = 0; i < 200; i++)
			assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		assert_int_equal(weft_pool_resize(pool, (unsigned)round % WORKERS + 1), 0);
		round++;
	}
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), 50 * 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(child_begins_anew),
		cmocka_unit_test(child_of_a_creation),
		cmocka_unit_test(tasks_may_fork),
		cmocka_unit_test(workers_go_on_where_they_are_put),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
