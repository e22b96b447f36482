/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPUs that are taken from a pool while it runs, and given back: by another process that gives all
 * threads another mask, by a cpuset that shrinks, or with a system that then refuses every mask.
 * And how a plan deals out what is left of a large machine, of which there is none here.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <weft/affinity/rebind.h>
#include <weft/affinity/topology.h>

#include "../pool_fixture.h"

enum {
	TASKS = 500,
};

/*
 * What the kernel does to the masks of this process's threads; or of one thread on a machine that
 * there is not (imagined): then the masks are these variables.
 */
static bool imagined;
static cpu_set_t thread_mask;
static cpu_set_t cpuset;
static atomic_bool has_cpuset;
static atomic_int refusal; /* an errno, or 0 */

int __real_sched_setaffinity(pid_t thread, size_t bytes, const cpu_set_t *set);
int __wrap_sched_setaffinity(pid_t thread, size_t bytes, const cpu_set_t *set);

int __wrap_sched_setaffinity(pid_t thread, size_t bytes, const cpu_set_t *set)
{
	cpu_set_t granted = *set;

	if (atomic_load(&refusal) != 0) {
		errno = atomic_load(&refusal);
		return -1;
	}
	if (!atomic_load(&has_cpuset))
		return __real_sched_setaffinity(thread, bytes, set);
	CPU_AND(&granted, &granted, &cpuset);
	if (CPU_COUNT(&granted) == 0) {
		errno = EINVAL;
		return -1;
	}
	if (!imagined)
		return __real_sched_setaffinity(thread, sizeof(granted), &granted);
	thread_mask = granted;
	return 0;
}

int __real_sched_getaffinity(pid_t thread, size_t bytes, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t thread, size_t bytes, cpu_set_t *set);

int __wrap_sched_getaffinity(pid_t thread, size_t bytes, cpu_set_t *set)
{
	if (!imagined)
		return __real_sched_getaffinity(thread, bytes, set);
	*set = thread_mask;
	return 0;
}

bool __real_weft_topology_is_this_machine(const weft_topology *topology);
bool __wrap_weft_topology_is_this_machine(const weft_topology *topology);

bool __wrap_weft_topology_is_this_machine(const weft_topology *topology)
{
	return imagined || __real_weft_topology_is_this_machine(topology);
}

/* Those that this process had at the beginning. */
static cpu_set_t all;
static int cpu_count;

static cpu_set_t only(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return set;
}

static int first_cpu(void)
{
	int cpu = 0;

	while (!CPU_ISSET(cpu, &all))
		cpu++;
	return cpu;
}

/* Gives all threads of the process this mask. */
static int give_all(pid_t process, const cpu_set_t *set)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;
	int error = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	tasks = opendir(path);
	if (tasks == NULL)
		return 1;
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			error |= __real_sched_setaffinity(atoi(entry->d_name), sizeof(*set), set);
	closedir(tasks);
	return error != 0;
}

/* The same, by another process. */
static void give_all_from_outside(const cpu_set_t *set)
{
	pid_t parent = getpid(), child = fork();
	int status = 0;

	must(child >= 0);
	if (child == 0)
		_exit(give_all(parent, set));
	must(waitpid(child, &status, 0) == child);
	must(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static atomic_long runs;

static void count_run(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

static atomic_int masks_wrong;

/* On each worker: whether it may run on its own CPU alone, or on the one that is left. */
static void check_mask(void *argument)
{
	const cpu_set_t *wanted = argument;
	cpu_set_t mask;

	must(__real_sched_getaffinity(0, sizeof(mask), &mask) == 0);
	atomic_fetch_add(&masks_wrong, !CPU_EQUAL(&mask, wanted));
}

/* Has the pool work and sleep in turns, until so many of its workers are displaced. */
static void work_until_displaced(weft_pool *pool, uint32_t wanted)
{
	weft_deadline deadline = guard();
	long before = atomic_load(&runs), spawned = 0;

	while (statistics_of(pool).unpinned != wanted) {
		must(weft_now() < deadline);
		for (int i = 0; i < TASKS; i++, spawned++)
			must(weft_spawn(pool, count_run, NULL) == 0);
		pool_await_rest(pool);
		sleep_until(weft_after(5 * WEFT_MILLISECONDS));
		must(atomic_load(&runs) == before + spawned);
	}
}

static void check_masks(weft_pool *pool, bool displaced)
{
	cpu_set_t wanted[CPU_SETSIZE];

	atomic_store(&masks_wrong, 0);
	for (int i = 0, cpu = -1; i < cpu_count; i++) {
		weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

		do
			cpu++;
		while (!CPU_ISSET(cpu, &all));
		wanted[i] = only(displaced ? first_cpu() : cpu);
		options.to_worker = true;
		options.worker = (unsigned)i;
		must(weft_spawn_with(pool, check_mask, &wanted[i], &options) == 0);
	}
	pool_await_rest(pool);
	assert_int_equal(atomic_load(&masks_wrong), 0);
}

/* A worker for each CPU. */
static weft_plan *plan;

static weft_pool *pool_of_plan(void)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	options.plan = plan;
	must(weft_pool_create(&pool, &options) == 0);
	return pool;
}

static uint32_t displaced_by_one_cpu(void)
{
	return (uint32_t)cpu_count - 1;
}

static void end(weft_pool *pool)
{
	give_all(getpid(), &all);
	assert_int_equal(weft_pool_destroy(pool), 0);
}

static void masks_from_outside(void **state)
{
	weft_pool *pool = pool_of_plan();
	cpu_set_t one = only(first_cpu());

	(void)state;
	for (int round = 0; round < 2; round++) {
		give_all_from_outside(&one);
		work_until_displaced(pool, displaced_by_one_cpu());
		if (cpu_count > 1) {
			assert_int_equal(statistics_of(pool).bind_error, -ENODEV);
			/* Spinning for each other would be in vain. */
			assert_int_equal(weft_worker_look_ns_(pool), 1);
		}
		check_masks(pool, true);
		/* It stays where it was put. */
		sleep_until(weft_after(150 * WEFT_MILLISECONDS));
		check_masks(pool, true);
		check_masks(pool, true);
		give_all_from_outside(&all);
		work_until_displaced(pool, 0);
		assert_int_equal(statistics_of(pool).bind_error, 0);
		assert_true(weft_worker_look_ns_(pool) > 1);
		check_masks(pool, false);
	}
	end(pool);
}

/* The kernel moves the threads, refuses the CPU from then on, and says nothing when it is back. */
static void cpuset_that_shrinks(void **state)
{
	weft_pool *pool = pool_of_plan();

	(void)state;
	for (int round = 0; round < 2; round++) {
		cpuset = only(first_cpu());
		atomic_store(&has_cpuset, true);
		assert_int_equal(give_all(getpid(), &cpuset), 0);
		work_until_displaced(pool, displaced_by_one_cpu());
		check_masks(pool, true);
		atomic_store(&has_cpuset, false);
		work_until_displaced(pool, 0);
		check_masks(pool, false);
	}
	end(pool);
}

/* There from the beginning: the plan is older than the cpuset. */
static void cpuset_smaller_than_the_plan(void **state)
{
	weft_pool *pool;

	(void)state;
	cpuset = only(first_cpu());
	atomic_store(&has_cpuset, true);
	assert_int_equal(give_all(getpid(), &cpuset), 0);
	pool = pool_of_plan();
	assert_int_equal(statistics_of(pool).unpinned, displaced_by_one_cpu());
	check_masks(pool, true);
	atomic_store(&has_cpuset, false);
	work_until_displaced(pool, 0);
	check_masks(pool, false);
	end(pool);
}

/* Workers that are moved and then may not be bound anywhere run where the system has them. */
static void refusals(void **state)
{
	static const int errors[][2] = {{EINVAL, -ENODEV}, {EPERM, -EPERM}, {ENOSYS, -ENOSYS}};
	cpu_set_t one = only(first_cpu());

	(void)state;
	for (size_t i = 0; i < 3 && cpu_count > 1; i++) {
		weft_pool *pool = pool_of_plan();

		atomic_store(&refusal, errors[i][0]);
		give_all_from_outside(&one);
		work_until_displaced(pool, displaced_by_one_cpu());
		assert_int_equal(statistics_of(pool).bind_error, errors[i][1]);
		assert_int_equal(weft_pool_resize(pool, 1), 0);
		assert_int_equal(weft_pool_resize(pool, (unsigned)cpu_count), 0);
		work_until_displaced(pool, displaced_by_one_cpu());
		give_all_from_outside(&all);
		atomic_store(&refusal, 0);
		/* What comes and goes is tried again, what is forbidden is not. */
		if (errors[i][0] == EINVAL)
			work_until_displaced(pool, 0);
		end(pool);
	}
}

/* The pool ends while its CPUs come and go. */
static void shutdown_meanwhile(void **state)
{
	cpu_set_t one = only(first_cpu());

	(void)state;
	for (int round = 0; round < 10; round++) {
		weft_pool *pool = pool_of_plan();
		long before = atomic_load(&runs);

		for (int i = 0; i < TASKS; i++)
			assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		give_all_from_outside(round % 2 == 0 ? &one : &all);
		end(pool);
		assert_int_equal(atomic_load(&runs), before + TASKS);
	}
}

static cpu_set_t set_of(const char *bits)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; bits[cpu] != 0; cpu++)
		if (bits[cpu] != '0')
			CPU_SET(cpu, &set);
	return set;
}

/* Where the workers of a machine with 8 CPUs run after each of these: what was left of it, and by
 * whom; and then where. */
typedef struct step {
	char by; /* the kernel, or the owner of the process, who gives masks */
	const char *left;
	const char *workers;
} step;

/* The change itself, and what the kernel does to a thread that then has no CPU any more. */
static void take_cpus(const step *step)
{
	cpu_set_t left = set_of(step->left);

	if (step->by == 'o')
		thread_mask = left;
	else
		cpuset = left;
	CPU_AND(&left, &thread_mask, &left);
	if (CPU_COUNT(&left) == 0)
		thread_mask = cpuset;
}

/* Has a worker look three times: after the first nothing changes any more. */
static void look_around(const weft_plan *plan, unsigned worker, weft_binding_ *binding, int cpu)
{
	int own = (int)weft_plan_cpu(plan, worker);
	cpu_set_t wanted = only(cpu);

	for (int look = 0; look < 3; look++) {
		int error = weft_plan_keep_binding_(plan, worker, binding);

		assert_int_equal(error, cpu == own ? 0 : -ENODEV);
		if (!CPU_EQUAL(&thread_mask, &wanted))
			fail_msg("worker %u is not on %d", worker, cpu);
	}
}

static void take_steps(unsigned workers, const step *steps, size_t count)
{
	weft_topology_options machine = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology = NULL;
	weft_plan *large = NULL;

	machine.synthetic = "core:8 pu:1";
	imagined = true;
	must(weft_topology_create(&topology, &machine) == 0);
	must(weft_plan_create(&large, topology, WEFT_POLICY_ONE_PER_CORE, workers) == 0);
	weft_topology_destroy(topology);
	for (unsigned worker = 0; worker < workers; worker++) {
		weft_binding_ binding = {0};

		atomic_store(&has_cpuset, true);
		cpuset = set_of("11111111");
		must(weft_plan_begin_binding_(large, worker, &binding) == 0);
		for (size_t i = 0; i < count; i++) {
			take_cpus(&steps[i]);
			look_around(large, worker, &binding, steps[i].workers[worker] - '0');
		}
	}
	weft_plan_destroy(large);
	imagined = false;
	atomic_store(&has_cpuset, false);
}

static void what_is_left_is_dealt_out(void **state)
{
	static const step by_the_kernel[] = {
		{'k', "11111111", "01234567"}, {'k', "11110000", "01233210"},
		{'k', "10000000", "00000000"}, {'k', "11100000", "01221021"},
		{'k', "00000011", "76767667"}, {'k', "11111111", "01234567"},
	};
	/* Whom the kernel moves it lets run anywhere, whatever the owner has said before. */
	static const step by_masks[] = {
		{'o', "11110000", "01233210"}, {'o', "10000001", "07070707"},
		{'k', "11111110", "01030506"}, {'o', "11111110", "01234566"},
		{'k', "11111111", "01234567"},
	};
	/* Two workers on CPUs 0 and 1. */
	static const step others_are_free[] = {
		{'k', "01111111", "21"}, {'k', "00000111", "56"}, {'k', "00000001", "77"},
		{'k', "11000001", "01"}, {'k', "10000001", "07"}, {'k', "11111111", "01"},
		{'o', "00001100", "45"}, {'o', "00000001", "77"}, {'o', "11111111", "01"},
	};

	(void)state;
	take_steps(8, by_the_kernel, sizeof(by_the_kernel) / sizeof(by_the_kernel[0]));
	take_steps(8, by_masks, sizeof(by_masks) / sizeof(by_masks[0]));
	take_steps(2, others_are_free, sizeof(others_are_free) / sizeof(others_are_free[0]));
}

static int set_up(void **state)
{
	unsigned cpus[CPU_SETSIZE], count = 0;
	weft_topology *topology = NULL;

	(void)state;
	must(sched_getaffinity(0, sizeof(all), &all) == 0);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all))
			cpus[count++] = cpu;
	cpu_count = (int)count;
	must(weft_topology_create(&topology, NULL) == 0);
	must(weft_plan_create_from_cpus(&plan, topology, cpus, count) == 0);
	weft_topology_destroy(topology);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	weft_plan_destroy(plan);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks_from_outside),
		cmocka_unit_test(cpuset_that_shrinks),
		cmocka_unit_test(cpuset_smaller_than_the_plan),
		cmocka_unit_test(refusals),
		cmocka_unit_test(shutdown_meanwhile),
		cmocka_unit_test(what_is_left_is_dealt_out),
	};

	guard_program();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
