/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/pool: how a pool is made, where its workers run, and how they sleep and are woken.
 * How it ends: test_pool_shutdown.
 *
 * The linker sends the library's weft_plan_victims to __wrap_weft_plan_victims below: a worker
 * calls it after it found nothing of its own, so that a test can act there. And
 * weft_cpu_rest_behind_, which a worker tells how much it has taken from others.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft/affinity/topology.h>

#include "../pool_fixture.h"

enum {
	/* More workers than this machine has to have CPUs. */
	MANY = 9,
};

const uint16_t *__real_weft_plan_victims(const weft_plan *plan, unsigned worker);
const uint16_t *__wrap_weft_plan_victims(const weft_plan *plan, unsigned worker);

/* Called by workers that found nothing of their own, unless NULL. */
static void (*_Atomic found_nothing)(void);

const uint16_t *__wrap_weft_plan_victims(const weft_plan *plan, unsigned worker)
{
	void (*act)(void) = atomic_load(&found_nothing);

	if (act != NULL)
		act();
	return __real_weft_plan_victims(plan, worker);
}

bool __wrap_weft_cpu_rest_behind_(weft_cpu_heels_ *heels, uint64_t ticket);

/* The sum of what all workers have told. */
static atomic_ullong told;

bool __wrap_weft_cpu_rest_behind_(weft_cpu_heels_ *heels, uint64_t ticket)
{
	static _Thread_local uint64_t before;

	/* So it begins. */
	must(atomic_load(&heels->settled) == WEFT_CPU_NO_REST_);
	atomic_fetch_add(&told, ticket - before);
	before = ticket;
	return false;
}

/* Counts its runs. */
static atomic_long runs;

static void count_run(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

static int answer(void *argument, void **value)
{
	*value = argument;
	return 0;
}

static int reset_runs(void **state)
{
	(void)state;
	atomic_store(&runs, 0);
	return 0;
}

/* Waits until so many runs were counted. */
static void await_runs(long count)
{
	weft_deadline deadline = guard();

	while (atomic_load(&runs) < count) {
		assert_true(weft_now() < deadline);
		sched_yield();
	}
	assert_int_equal(atomic_load(&runs), count);
}

static weft_plan *plan_of(const char *synthetic, weft_policy policy, unsigned workers)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology = NULL;
	weft_plan *plan = NULL;

	options.synthetic = synthetic;
	assert_int_equal(weft_topology_create(&topology, &options), 0);
	assert_int_equal(weft_plan_create(&plan, topology, policy, workers), 0);
	weft_topology_destroy(topology);
	return plan;
}

static void refuses_bad_options(void **state)
{
	weft_plan *plan = plan_of(NULL, WEFT_POLICY_COMPACT, 2);
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = (weft_pool *)&options;

	(void)state;
	assert_int_equal(weft_pool_create(NULL, NULL), -EINVAL);
	assert_int_equal(weft_pool_create(NULL, &options), -EINVAL);
	options.size = 0;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.size = sizeof(options) - 1;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.size = sizeof(options) + 8;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.size = sizeof(options);
	options.idle = (weft_idle)(WEFT_IDLE_EFFICIENT + 1);
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.idle = (weft_idle)-1;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.spin_ns = 1;
	for (options.idle = WEFT_IDLE_LATENCY; options.idle <= WEFT_IDLE_EFFICIENT; options.idle++)
		assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.idle = WEFT_IDLE_BALANCED;
	options.spin_ns = 0;
	options.full = (weft_full)(WEFT_FULL_RUN + 1);
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.full_wait_ns = 1;
	for (options.full = WEFT_FULL_REFUSE; options.full <= WEFT_FULL_RUN; options.full++)
		assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.full = WEFT_FULL_BLOCK;
	options.full_wait_ns = 0;
	options.workers = WEFT_PLAN_WORKERS_MAX + 1;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.workers = UINT32_MAX;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.plan = plan;
	for (options.workers = 1; options.workers <= 3; options.workers += 2)
		assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	assert_ptr_equal(pool, &options);
	weft_plan_destroy(plan);
}

static void takes_the_number_of_workers_from(const weft_pool_options *options, unsigned expected)
{
	weft_pool *pool = NULL;

	assert_int_equal(weft_pool_create(&pool, options), 0);
	assert_int_equal(weft_pool_workers(pool), expected);
	assert_int_equal(statistics_of(pool).workers, expected);
	assert_int_equal(weft_pool_worker_index(pool), -1);
	assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	assert_int_equal(weft_pool_destroy(pool), 0);
	await_runs(1);
	reset_runs(NULL);
}

static void has_as_many_workers_as_asked(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_plan *plan = plan_of(NULL, WEFT_POLICY_ONE_PER_CORE, 0);
	unsigned cores = weft_plan_workers(plan);

	(void)state;
	takes_the_number_of_workers_from(NULL, cores);
	takes_the_number_of_workers_from(&options, cores);
	weft_plan_destroy(plan);
	for (options.workers = 1; options.workers <= MANY; options.workers++)
		takes_the_number_of_workers_from(&options, options.workers);
	/* More than one word of idle bits. */
	options.workers = 65;
	takes_the_number_of_workers_from(&options, 65);
	plan = plan_of(NULL, WEFT_POLICY_SCATTER, 5);
	options.plan = plan;
	options.workers = 5;
	takes_the_number_of_workers_from(&options, 5);
	options.workers = 0;
	takes_the_number_of_workers_from(&options, 5);
	weft_plan_destroy(plan);
}

static void statistics_want_their_size(void **state)
{
	weft_pool_statistics statistics = WEFT_POOL_STATISTICS_INIT;
	weft_pool *pool = pool_of(1, 0);

	(void)state;
	assert_int_equal(weft_pool_statistics_read(NULL, &statistics), -EINVAL);
	assert_int_equal(weft_pool_statistics_read(pool, NULL), -EINVAL);
	statistics.workers = 77;
	statistics.size--;
	assert_int_equal(weft_pool_statistics_read(pool, &statistics), -EINVAL);
	statistics.size += 9;
	assert_int_equal(weft_pool_statistics_read(pool, &statistics), -EINVAL);
	assert_int_equal(statistics.workers, 77);
	statistics.size = sizeof(statistics);
	assert_int_equal(weft_pool_statistics_read(pool, &statistics), 0);
	assert_int_equal(statistics.size, sizeof(statistics));
	assert_int_equal(statistics.workers, 1);
	weft_pool_destroy(pool);
}

static void statistics_count_what_was_done(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	gate_task holders[2];
	gate at = {0};

	(void)state;
	pool_await_rest(pool);
	assert_int_equal(statistics_of(pool).submitted, 0);
	assert_int_equal(statistics_of(pool).woken, 0);
	/* At least once each. */
	assert_true(statistics_of(pool).parked >= 2);
	gate_hold(pool, &at, holders, 2);
	for (int i = 0; i < 100; i++)
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);

	weft_task canceled;

	weft_task_init(&canceled, gate_task_run);
	assert_int_equal(weft_task_submit(pool, &canceled), 0);
	assert_true(weft_task_cancel(&canceled));
	assert_int_equal(statistics_of(pool).submitted, 103);
	assert_int_equal(statistics_of(pool).run, 0);
	assert_int_equal(statistics_of(pool).canceled, 0);
	gate_let_go(&at, holders, 2);
	await_runs(100);
	pool_await_rest(pool);

	weft_pool_statistics end = statistics_of(pool);

	assert_int_equal(end.submitted, 103);
	assert_int_equal(end.run, 102);
	assert_int_equal(end.canceled, 1);
	assert_true(end.woken >= 2);
	assert_true(end.parked >= 4);
	assert_int_equal(weft_pool_destroy(pool), 0);
}

/* Each task twice: it rests when there were two tasks and more since the last time. */
static void tell_what_they_take_from_others(unsigned workers)
{
	enum {
		TASKS = 10
	};
	weft_pool *pool = pool_of(workers, 0);
	gate_task holders[TASKS];
	weft_task *tasks[TASKS];
	gate at = {0};

	atomic_store(&told, 0);
	for (int i = 0; i < TASKS; i++) {
		weft_task_init(&holders[i].task, gate_task_run);
		holders[i].at = &at;
		tasks[i] = &holders[i].task;
	}
	/* Whoever takes them has all, until another steals from it. */
	assert_int_equal(weft_task_submit_many(pool, tasks, TASKS, NULL), 0);
	gate_await(&at, workers);
	gate_let_go(&at, holders, TASKS);
	pool_await_rest(pool);

	int64_t stolen = statistics_of(pool).stolen;

	assert_int_equal(weft_pool_destroy(pool), 0);
	assert_int_equal(stolen > 0, workers > 1);
	/* The first of them may have stolen, too. */
	if (stolen == 0 || atomic_load(&told) != 2 * (unsigned long long)stolen)
		assert_int_equal(atomic_load(&told), 2 * (TASKS + stolen));
}

static void workers_tell_what_they_take_from_others(void **state)
{
	(void)state;
	tell_what_they_take_from_others(1);
	tell_what_they_take_from_others(2);
}

/* A worker that comes late finds a task with each of the others, who are held meanwhile. */
typedef struct offerer {
	weft_task task, offered;
	weft_pool *pool;
	gate *before, *after;
	atomic_int *order;
	int place, taken_by;
} offerer;

static void offered_run(weft_task *task)
{
	offerer *self = (offerer *)((char *)task - offsetof(offerer, offered));

	self->place = atomic_fetch_add(self->order, 1);
	self->taken_by = weft_pool_worker_index(self->pool);
}

static void offerer_run(weft_task *task)
{
	offerer *self = (offerer *)task;

	gate_pass(self->before);
	if (self->after == NULL)
		return;
	must(weft_task_submit(self->pool, &self->offered) == 0);
	gate_pass(self->after);
}

static void thieves_begin_with_the_nearest(void **state)
{
	enum {
		WORKERS = 8
	};
	weft_plan *plan = plan_of("pack:2 core:4 pu:1", WEFT_POLICY_ONE_PER_CORE, WORKERS);
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_submit_options to = WEFT_SUBMIT_OPTIONS_INIT;

	(void)state;
	options.plan = plan;
	options.unpinned = true;
	to.to_worker = true;
	for (unsigned thief = 0; thief < WORKERS; thief++) {
		const uint16_t *victims = weft_plan_victims(plan, thief);
		gate late = {0}, begin = {0}, end = {0};
		offerer all[WORKERS];
		atomic_int order = 0;
		weft_pool *pool;

		assert_int_equal(weft_pool_create(&pool, &options), 0);
		memset((void *)all, 0, sizeof(all));
		for (to.worker = 0; to.worker < WORKERS; to.worker++) {
			offerer *one = &all[to.worker];

			weft_task_init(&one->task, offerer_run);
			weft_task_init(&one->offered, offered_run);
			one->pool = pool;
			one->before = to.worker == thief ? &late : &begin;
			one->after = to.worker == thief ? NULL : &end;
			one->order = &order;
			assert_int_equal(weft_task_submit_with(pool, &one->task, &to), 0);
		}
		gate_await(&late, 1);
		gate_await(&begin, WORKERS - 1);
		gate_open(&begin);
		gate_await(&end, WORKERS - 1);
		gate_open(&late);
		for (int i = 0; i < WORKERS - 1; i++) {
			offerer *one = &all[victims[i]];

			assert_int_equal(weft_task_wait(&one->offered, guard()), 0);
			assert_int_equal(one->place, i);
			assert_int_equal(one->taken_by, thief);
		}
		gate_open(&end);
		weft_pool_destroy(pool);
	}
	weft_plan_destroy(plan);
}

/* What a worker says of itself while all workers are held. */
typedef struct placed_task {
	weft_task task;
	weft_pool *pool, *other;
	gate *at;
	int index, other_index, cpu;
	sigset_t mask;
} placed_task;

static void placed_task_run(weft_task *task)
{
	placed_task *self = (placed_task *)task;

	gate_pass(self->at);
	self->index = weft_pool_worker_index(self->pool);
	self->other_index = weft_pool_worker_index(self->other);
	self->cpu = sched_getcpu();
	pthread_sigmask(SIG_SETMASK, NULL, &self->mask);
}

/* Has each worker run one of the tasks; all of them at the same time. */
static void ask_all(weft_pool *pool, weft_pool *other, placed_task *tasks)
{
	unsigned count = weft_pool_workers(pool);
	gate at = {0};

	for (unsigned i = 0; i < count; i++) {
		memset((void *)&tasks[i], 0, sizeof(tasks[i]));
		weft_task_init(&tasks[i].task, placed_task_run);
		tasks[i].pool = pool;
		tasks[i].other = other;
		tasks[i].at = &at;
		assert_int_equal(weft_task_submit(pool, &tasks[i].task), 0);
	}
	gate_await(&at, count);
	gate_open(&at);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(weft_task_wait(&tasks[i].task, guard()), 0);
}

/* As many blocking tasks as workers: submissions wake one worker, which must see to the next. */
static void all_workers_work_at_once(void **state)
{
	static placed_task tasks[65];
	static const unsigned counts[] = {1, 2, 3, MANY, 65};
	weft_pool *other = pool_of(1, 0);

	(void)state;
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		weft_pool *pool = pool_of(counts[k], k % 2);

		for (int again = 0; again < 3; again++) {
			bool seen[65] = {false};

			if (again == 2)
				pool_await_rest(pool);
			ask_all(pool, other, tasks);
			for (unsigned i = 0; i < counts[k]; i++) {
				assert_in_range(tasks[i].index, 0, counts[k] - 1);
				assert_false(seen[tasks[i].index]);
				seen[tasks[i].index] = true;
				assert_int_equal(tasks[i].other_index, -1);
			}
		}
		assert_int_equal(weft_pool_destroy(pool), 0);
	}
	weft_pool_destroy(other);
}

static void workers_run_where_the_plan_says(void **state)
{
	static placed_task tasks[MANY];

	(void)state;
	for (int policy = 0; policy < WEFT_POLICIES; policy++) {
		for (unsigned workers = 1; workers <= MANY; workers += 2) {
			weft_plan *plan = plan_of(NULL, (weft_policy)policy, workers);
			weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
			weft_pool *pool;

			options.plan = plan;
			assert_int_equal(weft_pool_create(&pool, &options), 0);
			assert_int_equal(statistics_of(pool).unpinned, 0);
			assert_int_equal(statistics_of(pool).bind_error, 0);
			for (int again = 0; again < 5; again++) {
				ask_all(pool, NULL, tasks);
				for (unsigned i = 0; i < workers; i++)
					assert_int_equal(
						tasks[i].cpu,
						weft_plan_cpu(plan, (unsigned)tasks[i].index));
			}
			weft_pool_destroy(pool);
			weft_plan_destroy(plan);
		}
	}
}

static void says_when_it_is_not_pinned(void **state)
{
	/* A machine that is not this one: its plan cannot be followed, but it can be run. */
	weft_plan *plan = plan_of("pack:2 core:3 pu:1", WEFT_POLICY_ONE_PER_CORE, 0);
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

	(void)state;
	for (int i = 0; i < 2; i++) {
		weft_pool *pool;

		options.unpinned = i == 0;
		options.plan = plan;
		assert_int_equal(weft_pool_create(&pool, &options), 0);
		assert_int_equal(statistics_of(pool).workers, 6);
		assert_int_equal(statistics_of(pool).unpinned, 6);
		assert_int_equal(statistics_of(pool).bind_error, i == 0 ? 0 : -ENOTSUP);
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		await_runs(i + 1);
		weft_pool_destroy(pool);
	}
	weft_plan_destroy(plan);
}

static void workers_block_all_signals(void **state)
{
	static placed_task tasks[MANY];
	sigset_t mine, after, saved;
	weft_pool *pool;

	(void)state;
	/* The caller's own mask stays as it was, whatever it was. */
	sigemptyset(&mine);
	sigaddset(&mine, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &mine, &saved);
	pool = pool_of(MANY, 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number <= SIGRTMAX; number++)
		assert_int_equal(sigismember(&after, number), sigismember(&mine, number));
	ask_all(pool, NULL, tasks);
	for (unsigned i = 0; i < MANY; i++) {
		for (int number = 1; number < 32; number++)
			if (number != SIGKILL && number != SIGSTOP && number != SIGSEGV)
				assert_int_equal(sigismember(&tasks[i].mask, number), 1);
		for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
			assert_int_equal(sigismember(&tasks[i].mask, number), 1);
	}
	weft_pool_destroy(pool);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
}

#if !SANITIZED

static uint64_t cpu_time_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * WEFT_SECONDS + (uint64_t)time.tv_nsec;
}

/* The one place where time is measured: an idle pool takes less than one percent of a CPU. */
static void idle_pool_uses_no_cpu(void **state)
{
	const char *seconds = getenv("WEFT_STRESS_SECONDS");
	uint64_t window_ns = WEFT_SECONDS;
	weft_pool *pool;

	(void)state;
	if (seconds != NULL && strtod(seconds, NULL) >= 5)
		window_ns = 5 * WEFT_SECONDS;
	pool = pool_of(MANY, 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	await_runs(1000);
	pool_await_rest(pool);

	weft_pool_statistics before = statistics_of(pool);
	uint64_t start_ns = cpu_time_ns();

	sleep_until(weft_after(window_ns));
	uint64_t used_ns = cpu_time_ns() - start_ns;

	assert_true(used_ns < window_ns / 100);
	assert_int_equal(statistics_of(pool).parked, before.parked);
	weft_pool_destroy(pool);
}

#endif

static void submission_wakes_one_worker(void **state)
{
	weft_pool *pool = pool_of(MANY, 1);
	weft_task task;

	(void)state;
	weft_task_init(&task, gate_task_run);
	for (long i = 0; i < 200; i++) {
		pool_await_rest(pool);
		weft_pool_statistics before = statistics_of(pool);

		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		await_runs(i + 1);
		pool_await_rest(pool);
		weft_pool_statistics after = statistics_of(pool);

		assert_int_equal(after.woken - before.woken, 1);
		/* And only that one went to sleep again. */
		assert_int_equal(after.parked - before.parked, 1);
	}
	weft_pool_destroy(pool);
}

/* While somebody looks for work a submission wakes nobody: who looks will come upon it. */
static void submission_wakes_nobody_while_somebody_looks(void **state)
{
	weft_pool *pool = pool_of(MANY, 1);
	weft_pool_statistics before;

	(void)state;
	pool_await_rest(pool);
	before = statistics_of(pool);
	/* The test itself is who looks. */
	atomic_fetch_add(&pool->wake.searching, 1);
	for (int i = 0; i < 10; i++)
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	assert_int_equal(statistics_of(pool).woken, before.woken);
	assert_int_equal(atomic_load(&runs), 0);
	atomic_fetch_sub(&pool->wake.searching, 1);
	assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	await_runs(11);
	weft_pool_destroy(pool);
}

/* A submission by another thread, in the middle of a worker's last look before it sleeps. */
static weft_pool *looked_at;
static gate looking, submitted;
static atomic_long woken_meanwhile;

static void *submit_meanwhile(void *unused)
{
	(void)unused;
	gate_pass(&looking);
	must(weft_spawn(looked_at, count_run, NULL) == 0);
	gate_open(&submitted);
	return NULL;
}

static void have_it_submitted(void)
{
	/* Only a worker that is counted as one who looks: nobody wakes it. */
	if (atomic_load(&looked_at->wake.searching) == 0)
		return;
	atomic_store(&found_nothing, NULL);
	gate_open(&looking);
	gate_pass(&submitted);
	atomic_store(&woken_meanwhile, (long)statistics_of(looked_at).woken);
}

static void submission_during_the_last_look_is_seen(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 2; workers++) {
		pthread_t thread;

		reset_runs(NULL);
		memset((void *)&looking, 0, sizeof(looking));
		memset((void *)&submitted, 0, sizeof(submitted));
		looked_at = pool_of(workers, 1);
		pool_await_rest(looked_at);
		assert_int_equal(pthread_create(&thread, NULL, submit_meanwhile, NULL), 0);
		gate_await(&looking, 1);
		atomic_store(&found_nothing, have_it_submitted);
		assert_int_equal(weft_spawn(looked_at, count_run, NULL), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		await_runs(2);
		/* The first submission woke somebody, the second left it to that one. */
		assert_int_equal(atomic_load(&woken_meanwhile), 1);
		weft_pool_destroy(looked_at);
	}
}

/* Where all spin none is woken, either. */
static void spinning_workers_do_not_sleep(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	(void)state;
	options.workers = 2;
	options.idle = WEFT_IDLE_LATENCY;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	for (long i = 0; i < 200; i++) {
		assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		await_runs(i + 1);
	}
	assert_int_equal(statistics_of(pool).woken, 0);
	assert_int_equal(statistics_of(pool).parked, 0);
	weft_pool_destroy(pool);
}

static void nothing(weft_task *task)
{
	(void)task;
}

/* A worker of one pool may do with another pool what any thread may. */
static void use_another_pool(weft_task *task)
{
	weft_pool *pool = pool_of(2, 0);
	weft_future *future;
	weft_task inside;

	(void)task;
	must(weft_pool_worker_index(pool) == -1);
	weft_task_init(&inside, nothing);
	must(weft_task_submit(pool, &inside) == 0);
	must(weft_task_wait(&inside, guard()) == 0);
	must(weft_submit(pool, answer, &inside, &future) == 0);
	must(weft_spawn(pool, count_run, NULL) == 0);
	must(weft_future_wait(future, guard()) == 0);
	must(weft_future_value(future) == &inside);
	weft_future_release(future);
	must(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()) == 0);
	must(weft_task_submit(pool, &inside) == -EPIPE);
	must(weft_pool_destroy(pool) == 0);
}

static void pools_may_be_used_within_pools(void **state)
{
	weft_pool *pool = pool_of(3, 0);
	weft_task tasks[10];

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		weft_task_init(&tasks[i], use_another_pool);
		assert_int_equal(weft_task_submit(pool, &tasks[i]), 0);
	}
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(weft_task_wait(&tasks[i], guard()), 0);
	await_runs(10);
	weft_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_options),
		cmocka_unit_test_setup(has_as_many_workers_as_asked, reset_runs),
		cmocka_unit_test(statistics_want_their_size),
		cmocka_unit_test_setup(statistics_count_what_was_done, reset_runs),
		cmocka_unit_test(workers_tell_what_they_take_from_others),
		cmocka_unit_test(thieves_begin_with_the_nearest),
		cmocka_unit_test(all_workers_work_at_once),
		cmocka_unit_test(workers_run_where_the_plan_says),
		cmocka_unit_test_setup(says_when_it_is_not_pinned, reset_runs),
		cmocka_unit_test(workers_block_all_signals),
#if !SANITIZED
		cmocka_unit_test_setup(idle_pool_uses_no_cpu, reset_runs),
#endif
		cmocka_unit_test_setup(submission_wakes_one_worker, reset_runs),
		cmocka_unit_test_setup(submission_wakes_nobody_while_somebody_looks, reset_runs),
		cmocka_unit_test_setup(submission_during_the_last_look_is_seen, reset_runs),
		cmocka_unit_test_setup(spinning_workers_do_not_sleep, reset_runs),
		cmocka_unit_test_setup(pools_may_be_used_within_pools, reset_runs),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
