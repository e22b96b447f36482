/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool when memory runs out, when the system grants no more threads, and when its workers may
 * not be bound; and that a task in the caller's memory takes none.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <weft/affinity/topology.h>

#include "../pool_fixture.h"
#include "fail_alloc.h"

enum {
	WORKERS = 4,
	/* Several times what a worker's deque has room for at first. */
	FLOOD = 5000,
};

/* Thread creations that succeed before one fails, with this error. Negative: none fails. */
static long threads_granted = -1;
static int thread_error;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*function)(void *argument), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*function)(void *argument), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			  void *(*function)(void *argument), void *argument)
{
	if (threads_granted >= 0 && threads_granted-- == 0)
		return thread_error;
	return __real_pthread_create(thread, attributes, function, argument);
}

/* Bindings that succeed before all others fail, with this errno. Negative: none fails. */
static atomic_long bindings_granted = -1;
static int binding_errno;

int __real_sched_setaffinity(pid_t thread, size_t bytes, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t thread, size_t bytes, const cpu_set_t *set);

int __wrap_sched_setaffinity(pid_t thread, size_t bytes, const cpu_set_t *set)
{
	long granted = atomic_load(&bindings_granted);

	while (granted > 0 &&
	       !atomic_compare_exchange_weak(&bindings_granted, &granted, granted - 1))
		;
	if (granted == 0) {
		errno = binding_errno;
		return -1;
	}
	return __real_sched_setaffinity(thread, bytes, set);
}

/* A plan for this machine, made before anything fails. */
static weft_plan *plan;

static weft_pool_options options_of(const weft_plan *wanted)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

	options.plan = wanted;
	options.workers = WORKERS;
	options.spin_ns = 1;
	options.local_bytes = 100;
	return options;
}

static weft_pool *pool_by_plan(void)
{
	weft_pool_options options = options_of(plan);
	weft_pool *pool = NULL;

	must(weft_pool_create(&pool, &options) == 0);
	return pool;
}

static int answer(void *argument, void **value)
{
	*value = argument;
	return 0;
}

/* A debug build keeps the last futures that were released: have it keep as many as it will, so that
 * from then on each release gives a block back. */
static int set_up(void **state)
{
	weft_topology *topology = NULL;
	weft_pool *pool;

	(void)state;
	must(weft_topology_create(&topology, NULL) == 0);
	must(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_CORE, WORKERS) == 0);
	weft_topology_destroy(topology);
	pool = pool_by_plan();
	for (int i = 0; i < 256; i++) {
		weft_future *future;

		must(weft_submit(pool, answer, NULL, &future) == 0);
		must(weft_future_wait(future, guard()) == 0);
		weft_future_release(future);
	}
	return weft_pool_destroy(pool);
}

static int tear_down(void **state)
{
	(void)state;
	weft_plan_destroy(plan);
	return 0;
}

/* Waits until the threads that ended have left the process, too, and only main's is there. */
static void await_one_thread(void)
{
	weft_deadline deadline = guard();
	int threads;

	do {
		DIR *tasks = opendir("/proc/self/task");

		assert_non_null(tasks);
		assert_true(weft_now() < deadline);
		for (threads = 0; readdir(tasks) != NULL; threads++)
			;
		closedir(tasks);
		/* Besides "." and "..". */
	} while (threads > 3);
}

static int create_and_destroy(void *wanted)
{
	weft_pool_options options = options_of(wanted);
	weft_pool *pool = (weft_pool *)&options;
	int error = weft_pool_create(&pool, &options);

	if (error != 0)
		assert_ptr_equal(pool, &options);
	else
		assert_int_equal(weft_pool_destroy(pool), 0);
	return error;
}

static void creation_without_memory(void **state)
{
	(void)state;
	/* The pool, the counters, the list of workers, and each worker with its deques and its
	 * storage. */
	assert_in_range(fail_alloc_each(create_and_destroy, plan), 1 + 8 + 1 + 5 * WORKERS, 100);
	/* And a topology and a plan of its own. */
	assert_in_range(fail_alloc_each(create_and_destroy, NULL), 1 + 8 + 1 + 5 * WORKERS + 2,
			100);
}

static void creation_without_threads(void **state)
{
	static const int errors[] = {EAGAIN, EPERM};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (long granted = 0; granted <= WORKERS; granted++) {
			long live = fail_alloc_live();

			threads_granted = granted;
			thread_error = errors[i];
			assert_int_equal(create_and_destroy(plan),
					 granted < WORKERS ? -errors[i] : 0);
			threads_granted = -1;
			assert_int_equal(fail_alloc_live(), live);
			if (!SANITIZED)
				await_one_thread();
		}
	}
}

static atomic_long runs;

static void count_call(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

static void count_task(weft_task *task)
{
	(void)task;
	atomic_fetch_add(&runs, 1);
}

static int count_function(void *argument, void **value)
{
	(void)value;
	count_call(argument);
	return 0;
}

static void count_callback(weft_future *future, void *argument)
{
	(void)future;
	count_call(argument);
}

static void workers_that_may_not_be_bound(void **state)
{
	static const int errors[][2] = {{EPERM, -EPERM}, {EINVAL, -ENODEV}, {ENOSYS, -ENOSYS}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (long granted = 0; granted <= WORKERS; granted++) {
			weft_pool *pool;

			atomic_store(&runs, 0);
			binding_errno = errors[i][0];
			atomic_store(&bindings_granted, granted);
			pool = pool_by_plan();
			assert_int_equal(statistics_of(pool).workers, WORKERS);
			assert_int_equal(statistics_of(pool).unpinned, WORKERS - granted);
			assert_int_equal(statistics_of(pool).bind_error,
					 granted < WORKERS ? errors[i][1] : 0);
			atomic_store(&bindings_granted, -1);
			for (int k = 0; k < 100; k++)
				assert_int_equal(weft_spawn(pool, count_call, NULL), 0);
			assert_int_equal(weft_pool_destroy(pool), 0);
			assert_int_equal(atomic_load(&runs), 100);
		}
	}
}

/* Stays on one CPU, so that there is one list from which memory for futures comes. */
static cpu_set_t stay_here(void)
{
	cpu_set_t before, here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	must(sched_getaffinity(0, sizeof(before), &before) == 0);
	must(sched_setaffinity(0, sizeof(here), &here) == 0);
	return before;
}

/* Submits futures until there is no memory for another, the allocation after `succeed` others being
 * the one that fails. Returns how many. */
static int submit_all(weft_pool *pool, weft_future *futures[], long succeed)
{
	int count = 0;

	fail_alloc_after(succeed);
	while (weft_submit(pool, count_function, NULL, &futures[count]) == 0)
		must(++count < FLOOD);
	must(fail_alloc_happened());
	return count;
}

static void submission_without_memory(void **state)
{
	static weft_future *futures[FLOOD];
	static void *arguments[FLOOD];
	weft_pool *pool = pool_by_plan();
	gate_task holders[WORKERS];
	gate at = {0};
	cpu_set_t before = stay_here();
	int count;
	long live;

	(void)state;
	atomic_store(&runs, 0);
	gate_hold(pool, &at, holders, WORKERS);
	/* Without the record of a chunk, and without the chunk. */
	count = submit_all(pool, futures, 0);
	futures[count] = (weft_future *)&pool;
	fail_alloc_after(1);
	assert_int_equal(weft_submit(pool, count_function, NULL, &futures[count]), -ENOMEM);
	assert_ptr_equal(futures[count], &pool);
	live = fail_alloc_live();
	fail_alloc_after(0);
	assert_int_equal(weft_spawn(pool, count_call, NULL), -ENOMEM);
	fail_alloc_after(0);
	assert_int_equal(weft_future_on_done(futures[0], count_callback, NULL), -ENOMEM);
	fail_alloc_after(-1);
	assert_int_equal(fail_alloc_live(), live);
	assert_int_equal(statistics_of(pool).submitted, WORKERS + count);
	gate_let_go(&at, holders, WORKERS);
	/* On a worker it fails the same way, and what has ended needs no memory to say so. */
	assert_int_equal(weft_future_wait(futures[0], guard()), 0);
	fail_alloc_after(0);
	assert_int_equal(weft_future_on_done(futures[0], count_callback, NULL), 0);
	assert_false(fail_alloc_happened());
	fail_alloc_after(-1);
	for (int i = 0; i < count; i++)
		weft_future_release(futures[i]);
	/* Of more at once than there is memory for nothing is kept: there is as much as before. */
	fail_alloc_after(0);
	assert_int_equal(weft_submit_many(pool, count_function, arguments, FLOOD, NULL, futures),
			 -ENOMEM);
	fail_alloc_after(0);
	assert_int_equal(
		weft_submit_many(pool, count_function, arguments, (size_t)count, NULL, futures), 0);
	assert_false(fail_alloc_happened());
	fail_alloc_after(-1);
	for (int i = 0; i < count; i++) {
		assert_int_equal(weft_future_wait(futures[i], guard()), 0);
		weft_future_release(futures[i]);
	}
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), 2 * count + 1);
	must(sched_setaffinity(0, sizeof(before), &before) == 0);
}

static void memory_of_futures_goes_back(void **state)
{
	static weft_future *futures[FLOOD];
	weft_pool *pool = pool_by_plan();
	cpu_set_t before = stay_here();
	long live;

	(void)state;
	weft_future_trim();
	live = fail_alloc_live();
	for (int i = 0; i < FLOOD; i++)
		assert_int_equal(weft_submit(pool, count_function, NULL, &futures[i]), 0);
	for (int i = 0; i < FLOOD; i++)
		assert_int_equal(weft_future_wait(futures[i], guard()), 0);
	assert_in_range(fail_alloc_live() - live, FLOOD / 1024, 4 * (FLOOD / 1022) + 4);
	for (int i = 0; i < FLOOD; i++)
		weft_future_release(futures[i]);
	/* All but what stays in lists of CPUs and, in a debug build, with the library. */
	assert_in_range(weft_future_trim(), 1, FLOOD * 100);
	weft_pool_destroy(pool);
	must(sched_setaffinity(0, sizeof(before), &before) == 0);
}

static void closed_pool_keeps_no_memory(void **state)
{
	weft_pool *pool = pool_by_plan();
	weft_future *future;
	long live;

	(void)state;
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, guard()), 0);
	/* Idle memory for them stays with the library. */
	assert_int_equal(weft_spawn(pool, count_call, NULL), -EPIPE);
	live = fail_alloc_live();
	assert_int_equal(weft_spawn(pool, count_call, NULL), -EPIPE);
	assert_int_equal(weft_submit(pool, count_function, NULL, &future), -EPIPE);
	assert_int_equal(fail_alloc_live(), live);
	weft_pool_destroy(pool);
}

/* Submits one task, waits for it, and so on; then some at a time. On a worker, or on a thread. */
typedef struct placed {
	weft_task task;
	weft_pool *pool;
	weft_task tasks[500];
} placed;

static void place_tasks(weft_task *task)
{
	placed *self = (placed *)task;

	for (int i = 0; i < 100000; i++) {
		must(weft_task_submit(self->pool, &self->tasks[0]) == 0);
		must(weft_task_wait(&self->tasks[0], guard()) == 0);
	}
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < 500; i++)
			must(weft_task_submit(self->pool, &self->tasks[i]) == 0);
		for (int i = 0; i < 500; i += 7)
			weft_task_cancel(&self->tasks[i]);
		for (int i = 0; i < 500; i++) {
			int error = weft_task_wait(&self->tasks[i], guard());

			must(error == 0 || (error == -ECANCELED && i % 7 == 0));
			must(weft_task_is_done(&self->tasks[i]));
		}
	}
}

static void placed_tasks_take_no_memory(void **state)
{
	placed self;

	(void)state;
	weft_task_init(&self.task, place_tasks);
	for (int i = 0; i < 500; i++)
		weft_task_init(&self.tasks[i], count_task);
	self.pool = pool_of(0, 0);
	fail_alloc_after(-1);
	place_tasks(&self.task);
	assert_int_equal(fail_alloc_count(), 0);
	assert_int_equal(weft_task_submit(self.pool, &self.task), 0);
	assert_int_equal(weft_task_wait(&self.task, guard()), 0);
	assert_int_equal(weft_pool_shutdown(self.pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(fail_alloc_count(), 0);
	weft_pool_destroy(self.pool);
}

/* Submits more than its worker's deque has room for, while there is no memory for a larger one. */
typedef struct flood {
	weft_task task;
	weft_pool *pool;
	gate *at;    /* where it is held afterwards, unless NULL */
	bool awaits; /* whether it waits for all of them, too */
	bool kept;   /* whether some of them are out of the thieves' sight */
	weft_task tasks[FLOOD];
} flood;

static void flood_run(weft_task *task)
{
	flood *self = (flood *)task;
	int index = weft_pool_worker_index(self->pool);

	for (int i = 0; i < FLOOD; i++) {
		weft_task_init(&self->tasks[i], count_task);
		fail_alloc_after(0);
		must(weft_task_submit(self->pool, &self->tasks[i]) == 0);
	}
	fail_alloc_after(-1);
	self->kept = self->pool->worker[index]->lane[WEFT_LANE_NORMAL_].backlog != NULL;
	if (self->at != NULL)
		gate_pass(self->at);
	for (int i = 0; i < FLOOD && self->awaits; i++)
		must(weft_task_wait(&self->tasks[i], guard()) == 0);
}

static void flood_with(unsigned workers, bool awaits, bool aborts)
{
	static flood self;
	gate at = {0};

	memset((void *)&self, 0, sizeof(self));
	weft_task_init(&self.task, flood_run);
	self.pool = pool_of(workers, 0);
	self.awaits = awaits;
	self.at = aborts ? &at : NULL;
	atomic_store(&runs, 0);
	must(weft_task_submit(self.pool, &self.task) == 0);
	if (aborts) {
		gate_await(&at, 1);
		assert_int_equal(weft_pool_shutdown(self.pool, WEFT_SHUTDOWN_ABORT, WEFT_NOW),
				 -ETIMEDOUT);
		gate_open(&at);
	}
	assert_int_equal(weft_pool_shutdown(self.pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(weft_task_wait(&self.task, WEFT_NOW), 0);
	if (workers == 1) {
		assert_true(self.kept);
		assert_int_equal(atomic_load(&runs), aborts ? 0 : FLOOD);
	}
	if (!aborts)
		assert_int_equal(atomic_load(&runs), FLOOD);
	for (int i = 0; i < FLOOD; i++) {
		int error = weft_task_wait(&self.tasks[i], WEFT_NOW);

		assert_true(error == 0 || (error == -ECANCELED && aborts));
	}
	assert_int_equal(statistics_of(self.pool).submitted, FLOOD + 1);
	assert_int_equal(statistics_of(self.pool).run, atomic_load(&runs) + 1);
	weft_pool_destroy(self.pool);
}

static void deque_without_memory_loses_nothing(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 4; workers += 3) {
		flood_with(workers, false, false);
		flood_with(workers, true, false);
		flood_with(workers, false, true);
	}
}

/* A life in which any allocation may fail. */
typedef struct life {
	weft_task task;
	weft_pool *pool;
	weft_task tasks[3000];
} life;

static void life_run(weft_task *task)
{
	life *self = (life *)task;

	for (int i = 0; i < 3000; i++) {
		weft_task_init(&self->tasks[i], count_task);
		must(weft_task_submit(self->pool, &self->tasks[i]) == 0);
	}
}

static void live_once(life *self, gate *at)
{
	weft_pool_options options = options_of(plan);
	gate_task holders[WORKERS];
	weft_future *future = NULL;
	long expected = 4000;
	int spawned, submitted, registered = -1;

	atomic_store(&runs, 0);
	if (weft_pool_create(&self->pool, &options) != 0)
		return;
	gate_hold(self->pool, at, holders, WORKERS);
	spawned = weft_spawn(self->pool, count_call, NULL);
	submitted = weft_submit(self->pool, count_function, NULL, &future);
	if (submitted == 0)
		registered = weft_future_on_done(future, count_callback, NULL);
	weft_task_init(&self->task, life_run);
	must(weft_task_submit(self->pool, &self->task) == 0);
	/* From outside, to be moved to a deque. */
	weft_task outside[1000];

	for (int i = 0; i < 1000; i++) {
		weft_task_init(&outside[i], count_task);
		must(weft_task_submit(self->pool, &outside[i]) == 0);
	}
	gate_let_go(at, holders, WORKERS);
	if (submitted == 0)
		must(weft_future_wait(future, guard()) == 0);
	must(weft_task_wait(&self->task, guard()) == 0);
	for (int i = 0; i < 1000; i++)
		must(weft_task_wait(&outside[i], guard()) == 0);
	for (int i = 0; i < 3000; i++)
		must(weft_task_wait(&self->tasks[i], guard()) == 0);
	weft_future_release(future);
	must(weft_pool_destroy(self->pool) == 0);
	expected += (spawned == 0) + (submitted == 0) + (registered == 0);
	assert_int_equal(atomic_load(&runs), expected);
	assert_true(spawned == 0 || spawned == -ENOMEM);
	assert_true(submitted == 0 || submitted == -ENOMEM);
	if (submitted == 0)
		assert_true(registered == 0 || registered == -ENOMEM);
}

static void life_with_one_failure(void **state)
{
	static life self;
	bool happened = true;

	(void)state;
	for (long succeed = 0; happened; succeed++) {
		long live = fail_alloc_live();
		gate at = {0};

		fail_alloc_after(succeed);
		live_once(&self, &at);
		happened = fail_alloc_happened();
		fail_alloc_after(-1);
		assert_int_equal(fail_alloc_live(), live);
		/* The pool and a callback, at least; memory for a call and a future is there. */
		assert_true(happened || succeed >= 17);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(creation_without_memory),
		cmocka_unit_test(creation_without_threads),
		cmocka_unit_test(workers_that_may_not_be_bound),
		cmocka_unit_test(submission_without_memory),
		cmocka_unit_test(memory_of_futures_goes_back),
		cmocka_unit_test(closed_pool_keeps_no_memory),
		cmocka_unit_test(placed_tasks_take_no_memory),
		cmocka_unit_test(deque_without_memory_loses_nothing),
		cmocka_unit_test(life_with_one_failure),
	};

	guard_program();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
