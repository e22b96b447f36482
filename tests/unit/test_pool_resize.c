/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of pools that grow and shrink while they work, and of workers that stand in for others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft/affinity/topology.h>

#include "../pool_fixture.h"

enum {
	MOST = 6,
	TASKS = 20000,
};

static atomic_long runs;

static void count_run(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

static weft_pool *pool_up_to(unsigned workers, unsigned most, unsigned spares)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	atomic_store(&runs, 0);
	options.workers = workers;
	options.max_workers = most;
	options.spare_workers = spares;
	options.spin_ns = 1;
	must(weft_pool_create(&pool, &options) == 0);
	return pool;
}

/* Waits until so many workers are idle, those left out that are not on duty. */
static void await_idle(const weft_pool *pool, unsigned count)
{
	weft_deadline deadline = guard();

	while (pool_sleepers(pool) != count) {
		must(weft_now() < deadline);
		sched_yield();
	}
}

static void refuses_bad_numbers(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_topology *topology = NULL;
	weft_plan *plan = NULL;
	weft_pool *pool = pool_up_to(2, 3, 1);

	(void)state;
	assert_int_equal(weft_pool_workers(pool), 2);
	assert_int_equal(weft_pool_resize(pool, 0), -EINVAL);
	assert_int_equal(weft_pool_resize(pool, 4), -EINVAL);
	assert_int_equal(weft_pool_resize(NULL, 1), -EINVAL);
	assert_int_equal(weft_pool_resize(pool, 3), 0);
	assert_int_equal(weft_pool_workers(pool), 3);
	assert_int_equal(statistics_of(pool).workers, 3);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(weft_pool_resize(pool, 2), -EPIPE);
	weft_pool_destroy(pool);
	options.workers = 3;
	options.max_workers = 2;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.max_workers = WEFT_PLAN_WORKERS_MAX + 1;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.max_workers = 0;
	options.spare_workers = WEFT_PLAN_WORKERS_MAX;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	/* Of a plan for four. */
	assert_int_equal(weft_topology_create(&topology, NULL), 0);
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_COMPACT, 4), 0);
	weft_topology_destroy(topology);
	options.plan = plan;
	options.spare_workers = 4;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.spare_workers = 2;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.workers = 1;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.max_workers = 2;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	assert_int_equal(weft_pool_workers(pool), 1);
	assert_int_equal(weft_pool_resize(pool, 3), -EINVAL);
	weft_pool_destroy(pool);
	weft_plan_destroy(plan);
}

/* So many run at the same time, and no more. */
static void as_many_take_tasks_as_asked(void **state)
{
	weft_pool *pool = pool_up_to(2, MOST, 0);
	unsigned sizes[] = {2, 1, MOST, 3, 4, 1, MOST};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		gate_task holders[MOST];
		gate at = {0};

		assert_int_equal(weft_pool_resize(pool, sizes[i]), 0);
		gate_hold(pool, &at, holders, sizes[i]);
		/* One more has to wait. */
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		sleep_until(weft_after(2 * WEFT_MILLISECONDS));
		assert_int_equal(atomic_load(&runs), i);
		gate_let_go(&at, holders, sizes[i]);
		await_idle(pool, sizes[i]);
		assert_int_equal(atomic_load(&runs), i + 1);
	}
	assert_int_equal(weft_pool_resize(pool, 1), 0);
	assert_int_equal(weft_pool_destroy(pool), 0);
}

/* Others submit all the time, of all kinds. */
typedef struct stream {
	weft_pool *pool;
	long accepted;
	long refused;
} stream;

/* The second one is refused when the pool aborts. */
static void run_two(void *pool)
{
	int error = weft_spawn(pool, count_run, NULL);

	must(error == 0 || error == -EPIPE);
	count_run(NULL);
}

static void *submit_all(void *argument)
{
	stream *self = argument;

	for (long i = 0; i < TASKS; i++) {
		weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
		int error;

		options.priority = (weft_priority)(i % 3);
		options.to_worker = i % 7 == 0;
		options.worker = (unsigned)(i / 7 % MOST);
		error = weft_spawn_with(self->pool, run_two, self->pool, &options);
		must(error == 0 || (error == -EPIPE && options.to_worker));
		self->accepted += error == 0;
		self->refused += error != 0;
	}
	return NULL;
}

static void nothing_is_lost_meanwhile(void **state)
{
	weft_pool *pool = pool_up_to(1, MOST, 0);
	stream streams[2] = {{.pool = pool}, {.pool = pool}};
	pthread_t threads[2];
	unsigned seed = 1;

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, submit_all, &streams[i]), 0);
	for (int i = 0; i < 2000; i++) {
		seed = seed * 1103515245 + 12345;
		assert_int_equal(weft_pool_resize(pool, (seed >> 16) % MOST + 1), 0);
		sched_yield();
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(streams[0].accepted + streams[0].refused, TASKS);
	assert_int_equal(atomic_load(&runs), 2 * (streams[0].accepted + streams[1].accepted));
	assert_int_equal(statistics_of(pool).submitted, statistics_of(pool).run);
	weft_pool_destroy(pool);
}

/* A worker leaves with tasks of its own in its queues. */
typedef struct holding {
	weft_pool *pool;
	gate at;
} holding;

static void submit_and_hold(void *argument)
{
	holding *self = argument;

	for (int i = 0; i < 100; i++)
		must(weft_spawn(self->pool, count_run, NULL) == 0);
	gate_pass(&self->at);
	count_run(NULL);
}

static void tasks_of_a_worker_that_leaves_go_on(void **state)
{
	weft_pool *pool = pool_up_to(2, 2, 0);
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
	holding self = {.pool = pool};
	int error;

	(void)state;
	options.to_worker = true;
	options.worker = 1;
	assert_int_equal(weft_spawn_with(pool, submit_and_hold, &self, &options), 0);
	gate_await(&self.at, 1);
	assert_int_equal(weft_pool_resize(pool, 1), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	gate_open(&self.at);
	while (atomic_load(&runs) < 201)
		sched_yield();
	/* Once it has gone. */
	do {
		sched_yield();
		error = weft_spawn_with(pool, count_run, NULL, &options);
	} while (error == 0);
	assert_int_equal(error, -EPIPE);
	assert_int_equal(weft_pool_resize(pool, 2), 0);
	await_idle(pool, 2);
	for (int lane = 0; lane < WEFT_LANES_; lane++)
		assert_false(weft_inbox_is_closed_(&pool->worker[1]->lane[lane].inbox));
	assert_int_equal(weft_spawn_with(pool, count_run, NULL, &options), 0);
	weft_pool_destroy(pool);
}

/* They are handed to the first worker, which has no time, while another one sleeps. */
static void tasks_of_a_worker_that_leaves_wake_another(void **state)
{
	weft_pool *pool = pool_up_to(3, 3, 0);
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
	weft_deadline deadline = guard();
	holding self = {.pool = pool};
	gate_task holder;
	gate at = {0};

	(void)state;
	options.to_worker = true;
	weft_task_init(&holder.task, gate_task_run);
	holder.at = &at;
	assert_int_equal(weft_task_submit_with(pool, &holder.task, &options), 0);
	gate_await(&at, 1);
	await_idle(pool, 2);
	/* As if somebody looked for work already: its submissions wake nobody. */
	atomic_fetch_add(&pool->wake.searching, 1);
	options.worker = 2;
	assert_int_equal(weft_spawn_with(pool, submit_and_hold, &self, &options), 0);
	gate_await(&self.at, 1);
	atomic_fetch_sub(&pool->wake.searching, 1);
	assert_int_equal(weft_pool_resize(pool, 2), 0);
	assert_int_equal(atomic_load(&runs), 0);
	gate_open(&self.at);
	while (atomic_load(&runs) < 101) {
		must(weft_now() < deadline);
		sched_yield();
	}
	gate_let_go(&at, &holder, 1);
	weft_pool_destroy(pool);
}

static void shuts_down_at_any_size(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		for (unsigned size = 1; size <= MOST; size++) {
			weft_pool *pool = pool_up_to(MOST, MOST, 1);

			for (int i = 0; i < 50; i++)
				assert_int_equal(weft_spawn(pool, run_two, pool), 0);
			assert_int_equal(weft_pool_resize(pool, size), 0);
			if (how == 0) {
				assert_int_equal(weft_pool_destroy(pool), 0);
				assert_int_equal(atomic_load(&runs), 100);
				continue;
			}
			assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, guard()), 0);
			assert_int_equal(statistics_of(pool).submitted,
					 statistics_of(pool).run + statistics_of(pool).canceled);
			assert_int_equal(weft_pool_destroy(pool), 0);
		}
	}
}

static int nothing(void *argument, void **value)
{
	(void)argument;
	(void)value;
	return 0;
}

/* Holds its thread, not only its task: as a system call does. */
static void block(gate *at)
{
	atomic_fetch_add(&at->arrived, 1);
	while (atomic_load(&at->open) == 0)
		usleep(100);
}

static void block_in_section(void *at)
{
	weft_blocking_begin();
	weft_blocking_begin();
	block(at);
	weft_blocking_end();
	weft_blocking_end();
	count_run(NULL);
}

static void await_arrivals(gate *at, uint32_t count)
{
	weft_deadline deadline = guard();

	while (atomic_load(&at->arrived) < count) {
		must(weft_now() < deadline);
		sched_yield();
	}
}

static void others_stand_in_for_the_blocked(void **state)
{
	weft_pool *pool = pool_up_to(1, 1, 2);

	(void)state;
	for (int round = 1; round <= 20; round++) {
		weft_future *future;
		gate at = {0};

		atomic_store(&runs, 0);
		for (int i = 0; i < 2; i++)
			assert_int_equal(weft_spawn(pool, block_in_section, &at), 0);
		await_arrivals(&at, 2);
		/* The only worker and one spare are blocked; another runs this. */
		assert_int_equal(weft_submit(pool, nothing, NULL, &future), 0);
		assert_int_equal(weft_future_wait(future, guard()), 0);
		weft_future_release(future);
		assert_int_equal(atomic_load(&runs), 0);
		atomic_store(&at.open, 1);
		while (atomic_load(&runs) < 2)
			sched_yield();
		await_idle(pool, 1);
		assert_int_equal(atomic_load(&pool->on_duty), 1);
		assert_int_equal(weft_pool_workers(pool), 1);
	}
	weft_pool_destroy(pool);
}

/* The CPU on which it runs, once it may. */
typedef struct located {
	gate at;
	atomic_int cpu;
} located;

static void note_cpu(void *argument)
{
	located *self = argument;

	gate_pass(&self->at);
	atomic_store(&self->cpu, sched_getcpu());
}

static void await_closed(const weft_worker_ *worker)
{
	weft_deadline deadline = guard();

	while (!weft_inbox_is_closed_(&worker->private_inbox)) {
		must(weft_now() < deadline);
		sched_yield();
	}
}

/* Who sleeps leaves, too, though nothing comes. */
static void sleeping_workers_leave(void **state)
{
	weft_pool *pool = pool_up_to(3, 3, 0);

	(void)state;
	await_idle(pool, 3);
	assert_int_equal(weft_pool_resize(pool, 1), 0);
	await_closed(pool->worker[1]);
	await_closed(pool->worker[2]);
	await_idle(pool, 1);
	weft_pool_destroy(pool);
}

/* On the CPU of the one that is blocked, and later on its own, when it is there for good: whether
 * it has left meanwhile or not. */
static void who_stands_in_takes_the_place(void **state)
{
	weft_submit_options to_second = WEFT_SUBMIT_OPTIONS_INIT;
	weft_topology *topology = NULL;
	weft_plan *plan = NULL;

	(void)state;
	to_second.to_worker = true;
	to_second.worker = 1;
	assert_int_equal(weft_topology_create(&topology, NULL), 0);
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_SCATTER, 3), 0);
	weft_topology_destroy(topology);
	for (int leaves = 0; leaves < 2; leaves++) {
		weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
		located standing_in = {.cpu = -1}, there = {.cpu = -1};
		weft_pool *pool = NULL;
		gate at = {0};

		atomic_store(&runs, 0);
		options.plan = plan;
		options.workers = 1;
		options.max_workers = 2;
		options.spare_workers = 1;
		options.spin_ns = 1;
		assert_int_equal(weft_pool_create(&pool, &options), 0);
		await_closed(pool->worker[1]);
		assert_int_equal(weft_spawn(pool, block_in_section, &at), 0);
		await_arrivals(&at, 1);
		assert_int_equal(weft_spawn(pool, note_cpu, &standing_in), 0);
		gate_await(&standing_in.at, 1);
		atomic_store(&at.open, 1);
		while (atomic_load(&pool->on_duty) > 1)
			sched_yield();
		if (leaves == 1) {
			gate_open(&standing_in.at);
			await_closed(pool->worker[1]);
		}
		assert_int_equal(weft_pool_resize(pool, 2), 0);
		gate_open(&standing_in.at);
		await_idle(pool, 2);
		assert_int_equal(atomic_load(&standing_in.cpu), weft_plan_cpu(plan, 0));
		gate_open(&there.at);
		assert_int_equal(weft_spawn_with(pool, note_cpu, &there, &to_second), 0);
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		if (statistics_of(pool).unpinned == 0)
			assert_int_equal(atomic_load(&there.cpu), weft_plan_cpu(plan, 1));
		weft_pool_destroy(pool);
	}
	weft_plan_destroy(plan);
}

static void no_more_stand_in_than_there_are(void **state)
{
	weft_pool *pool = pool_up_to(1, 1, 1);
	weft_future *future;
	gate at = {0};

	(void)state;
	/* Outside of tasks they are nothing. */
	weft_blocking_begin();
	assert_int_equal(atomic_load(&pool->on_duty), 1);
	weft_blocking_end();
	for (int i = 0; i < 3; i++)
		assert_int_equal(weft_spawn(pool, block_in_section, &at), 0);
	await_arrivals(&at, 2);
	assert_int_equal(weft_submit(pool, nothing, NULL, &future), 0);
	assert_int_equal(weft_future_wait(future, weft_after(2 * WEFT_MILLISECONDS)), -ETIMEDOUT);
	atomic_store(&at.open, 1);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	weft_future_release(future);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_numbers),
		cmocka_unit_test(as_many_take_tasks_as_asked),
		cmocka_unit_test(nothing_is_lost_meanwhile),
		cmocka_unit_test(tasks_of_a_worker_that_leaves_go_on),
		cmocka_unit_test(tasks_of_a_worker_that_leaves_wake_another),
		cmocka_unit_test(shuts_down_at_any_size),
		cmocka_unit_test(others_stand_in_for_the_blocked),
		cmocka_unit_test(sleeping_workers_leave),
		cmocka_unit_test(who_stands_in_takes_the_place),
		cmocka_unit_test(no_more_stand_in_than_there_are),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
