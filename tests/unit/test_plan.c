/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/affinity/plan.h>

#include "machines.h"

/* Calls the check with every machine, every policy, and telling numbers of workers. */
typedef void plan_check(const weft_topology *topology, weft_policy policy, const weft_plan *plan);

static void each_plan_of(const weft_topology *topology, plan_check *check)
{
	unsigned pus = weft_topology_pu_count(topology);
	unsigned workers[] = {0, 1, 2, 3, 5, pus / 2, pus - 1, pus, pus + 1, 2 * pus + 3};

	for (unsigned policy = 0; policy < WEFT_POLICIES; policy++) {
		for (size_t i = 0; i < sizeof(workers) / sizeof(workers[0]); i++) {
			weft_plan *plan = NULL;

			assert_int_equal(
				weft_plan_create(&plan, topology, (weft_policy)policy, workers[i]),
				0);
			if (workers[i] != 0)
				assert_int_equal(weft_plan_workers(plan), workers[i]);
			check(topology, (weft_policy)policy, plan);
			weft_plan_destroy(plan);
		}
	}
}

static void each_plan(plan_check *check)
{
	for (unsigned m = 0; m < machine_count; m++) {
		weft_topology *topology = machine_topology(&machines[m]);

		print_message("# %s\n", machines[m].name);
		each_plan_of(topology, check);
		weft_topology_destroy(topology);
	}
}

/* The PU (logical index) with the CPU number; the count of PUs when there is none. */
static unsigned pu_of_cpu(const weft_topology *topology, unsigned cpu)
{
	unsigned pu = 0;

	while (pu < weft_topology_pu_count(topology) && weft_topology_pu(topology, pu)->cpu != cpu)
		pu++;
	return pu;
}

static unsigned pu_of_worker(const weft_topology *topology, const weft_plan *plan, unsigned worker)
{
	unsigned pu = pu_of_cpu(topology, weft_plan_cpu(plan, worker));

	assert_true(pu < weft_topology_pu_count(topology));
	return pu;
}

/* The PUs of all workers; the caller frees it. */
static unsigned *pus_of_workers(const weft_topology *topology, const weft_plan *plan)
{
	unsigned workers = weft_plan_workers(plan);
	unsigned *pus = calloc(workers, sizeof(*pus));

	assert_non_null(pus);
	for (unsigned worker = 0; worker < workers; worker++)
		pus[worker] = pu_of_worker(topology, plan, worker);
	return pus;
}

static unsigned places_of(const weft_topology *topology, weft_policy policy)
{
	return policy == WEFT_POLICY_ONE_PER_CORE ? weft_topology_core_count(topology)
						  : weft_topology_pu_count(topology);
}

static void check_places(const weft_topology *topology, weft_policy policy, const weft_plan *plan)
{
	unsigned places = places_of(topology, policy);
	unsigned workers = weft_plan_workers(plan);
	unsigned *worker_of = calloc(weft_topology_pu_count(topology), sizeof(*worker_of));

	assert_non_null(worker_of);
	for (unsigned worker = 0; worker < workers; worker++) {
		unsigned pu = pu_of_worker(topology, plan, worker);
		unsigned node = weft_topology_pu(topology, pu)->node;

		assert_int_equal(weft_plan_node(plan, worker),
				 weft_topology_node(topology, node)->node);
		if (worker < places) {
			assert_int_equal(worker_of[pu], 0);
			worker_of[pu] = worker + 1;
		} else {
			assert_int_equal(weft_plan_cpu(plan, worker),
					 weft_plan_cpu(plan, worker - places));
		}
	}
	assert_int_equal(weft_plan_oversubscribed(plan), workers > places);
	free(worker_of);
}

static void places_are_distinct_until_they_run_out(void **state)
{
	(void)state;
	each_plan(check_places);
}

static void no_number_of_workers_means_one_for_each_place(void **state)
{
	(void)state;
	for (unsigned m = 0; m < machine_count; m++) {
		weft_topology *topology = machine_topology(&machines[m]);

		for (unsigned policy = 0; policy < WEFT_POLICIES; policy++) {
			weft_plan *plan = NULL;

			assert_int_equal(weft_plan_create(&plan, topology, (weft_policy)policy, 0),
					 0);
			assert_int_equal(weft_plan_workers(plan),
					 places_of(topology, (weft_policy)policy));
			assert_false(weft_plan_oversubscribed(plan));
			weft_plan_destroy(plan);
		}
		weft_topology_destroy(topology);
	}
}

/* Each other worker once, nearest first, and at one distance from the own successor on, upwards. */
static void check_victims(const weft_topology *topology, weft_policy policy, const weft_plan *plan)
{
	unsigned workers = weft_plan_workers(plan);
	unsigned *pu = pus_of_workers(topology, plan);
	unsigned *seen_by = calloc(workers, sizeof(*seen_by));

	(void)policy;
	assert_non_null(seen_by);
	for (unsigned self = 0; self < workers; self++) {
		const uint16_t *victims = weft_plan_victims(plan, self);
		weft_distance last_distance = WEFT_DISTANCE_SAME;
		unsigned last_step = 0;

		for (unsigned i = 0; i + 1 < workers; i++) {
			unsigned victim = victims[i];

			assert_true(victim < workers && victim != self);
			assert_int_equal(seen_by[victim], self);
			seen_by[victim] = self + 1;

			weft_distance distance =
				weft_topology_distance(topology, pu[self], pu[victim]);
			unsigned step = (victim + workers - self) % workers;

			assert_true(distance >= last_distance);
			assert_true(distance > last_distance || step > last_step);
			last_distance = distance;
			last_step = step;
		}
		/* Nobody robs himself: seen, so that the next one finds all equal. */
		seen_by[self] = self + 1;
	}
	free(pu);
	free(seen_by);
}

static void victims_are_all_others_nearest_first(void **state)
{
	(void)state;
	each_plan(check_victims);
}

static void thieves_begin_with_different_victims(void **state)
{
	weft_topology *topology = synthetic_topology("l3:1 core:16 pu:1", NULL);
	bool first[16] = {false};
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_CORE, 0), 0);
	for (unsigned worker = 0; worker < 16; worker++) {
		unsigned victim = weft_plan_victims(plan, worker)[0];

		assert_false(first[victim]);
		first[victim] = true;
	}
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

/* No worker is nearer than the one named. */
static void check_near(const weft_topology *topology, weft_policy policy, const weft_plan *plan)
{
	unsigned workers = weft_plan_workers(plan);
	unsigned *pus = pus_of_workers(topology, plan);

	(void)policy;
	for (unsigned pu = 0; pu < weft_topology_pu_count(topology); pu++) {
		unsigned near = weft_plan_worker_near(plan, weft_topology_pu(topology, pu)->cpu);

		assert_true(near < workers);
		weft_distance distance = weft_topology_distance(topology, pu, pus[near]);

		for (unsigned worker = 0; worker < workers; worker++)
			assert_true(distance <= weft_topology_distance(topology, pu, pus[worker]));
	}
	free(pus);
	for (unsigned cpu = 0; cpu < 2000; cpu++)
		assert_true(weft_plan_worker_near(plan, cpu) < workers);
	assert_true(weft_plan_worker_near(plan, UINT32_MAX) < workers);
}

static void near_is_the_nearest_and_always_a_worker(void **state)
{
	(void)state;
	each_plan(check_near);
}

static void foreign_cpus_are_dealt_out(void **state)
{
	/* Eight CPUs, four of them with a worker: the others go to different ones. */
	weft_topology *topology = synthetic_topology("l3:1 core:8 pu:1", NULL);
	unsigned submitters[4] = {0};
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_COMPACT, 4), 0);
	for (unsigned cpu = 0; cpu < 8; cpu++)
		submitters[weft_plan_worker_near(plan, cpu)]++;
	for (unsigned worker = 0; worker < 4; worker++)
		assert_int_equal(submitters[worker], 2);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

/* The order that the header shows for two packages of two cores of two PUs. */
static void the_order_is_the_one_documented(void **state)
{
	static const unsigned cpus[WEFT_POLICIES][8] = {
		[WEFT_POLICY_ONE_PER_CORE] = {0, 2, 4, 6, 0, 2, 4, 6},
		[WEFT_POLICY_ONE_PER_PU] = {0, 2, 4, 6, 1, 3, 5, 7},
		[WEFT_POLICY_COMPACT] = {0, 1, 2, 3, 4, 5, 6, 7},
		[WEFT_POLICY_SCATTER] = {0, 4, 2, 6, 1, 5, 3, 7},
	};
	weft_topology *topology = synthetic_topology("pack:2 core:2 pu:2", NULL);

	(void)state;
	for (unsigned policy = 0; policy < WEFT_POLICIES; policy++) {
		weft_plan *plan = NULL;

		assert_int_equal(weft_plan_create(&plan, topology, (weft_policy)policy, 8), 0);
		for (unsigned worker = 0; worker < 8; worker++)
			assert_int_equal(weft_plan_cpu(plan, worker), cpus[policy][worker]);
		weft_plan_destroy(plan);
	}
	weft_topology_destroy(topology);
}

/* A core's second PU comes after every core's first; compact instead fills the core. */
static void check_siblings(const weft_topology *topology, weft_policy policy, const weft_plan *plan)
{
	unsigned last = 0;

	for (unsigned worker = 0; worker < weft_plan_workers(plan); worker++) {
		unsigned pu = pu_of_worker(topology, plan, worker);
		unsigned sibling = weft_topology_pu(topology, pu)->sibling;

		if (worker >= places_of(topology, policy))
			return;
		if (policy == WEFT_POLICY_COMPACT)
			assert_int_equal(pu, worker);
		else
			assert_true(sibling >= last);
		if (policy == WEFT_POLICY_ONE_PER_CORE)
			assert_int_equal(sibling, 0);
		last = sibling;
	}
}

static void siblings_come_last_but_in_compact(void **state)
{
	(void)state;
	each_plan(check_siblings);
}

/*
 * Scatter, at each level of one parent: a group gets a further worker only while no other group of
 * the parent, that has a free PU of this sibling rank, has fewer.
 */
typedef unsigned group_of(const weft_pu *pu);

static unsigned package_of(const weft_pu *pu)
{
	return pu->package;
}

/* A node that reaches over packages is a group in each. */
static unsigned node_of(const weft_pu *pu)
{
	return pu->package << 16 | pu->node;
}

static unsigned cache_of(const weft_pu *pu)
{
	return pu->cache;
}

static unsigned machine_of(const weft_pu *pu)
{
	(void)pu;
	return 0;
}

static unsigned workers_in(const weft_topology *topology, const weft_plan *plan, unsigned workers,
			   group_of *group, unsigned number)
{
	unsigned count = 0;

	for (unsigned worker = 0; worker < workers; worker++) {
		unsigned pu = pu_of_worker(topology, plan, worker);

		count += group(weft_topology_pu(topology, pu)) == number;
	}
	return count;
}

/* Whether one of the first workers is on the PU. */
static bool is_taken(const weft_plan *plan, unsigned workers, const weft_pu *pu)
{
	for (unsigned worker = 0; worker < workers; worker++) {
		if (weft_plan_cpu(plan, worker) == pu->cpu)
			return true;
	}
	return false;
}

static void assert_balanced(const weft_topology *topology, const weft_plan *plan, unsigned worker,
			    group_of *parent, group_of *group)
{
	const weft_pu *chosen = weft_topology_pu(topology, pu_of_worker(topology, plan, worker));
	unsigned in_chosen = workers_in(topology, plan, worker, group, group(chosen));

	for (unsigned i = 0; i < weft_topology_pu_count(topology); i++) {
		const weft_pu *other = weft_topology_pu(topology, i);

		if (parent(other) == parent(chosen) && group(other) != group(chosen) &&
		    other->sibling == chosen->sibling && !is_taken(plan, worker, other)) {
			assert_true(in_chosen <=
				    workers_in(topology, plan, worker, group, group(other)));
		}
	}
}

static void scatter_is_balanced_at_every_level(void **state)
{
	(void)state;
	for (unsigned m = 0; m < machine_count; m++) {
		weft_topology *topology = machine_topology(&machines[m]);
		weft_plan *plan = NULL;

		/* The check is of the fourth order: not for hundreds of PUs. */
		if (weft_topology_pu_count(topology) <= 64) {
			print_message("# %s\n", machines[m].name);
			assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_SCATTER, 0),
					 0);
			for (unsigned i = 0; i < weft_plan_workers(plan); i++) {
				assert_balanced(topology, plan, i, machine_of, package_of);
				assert_balanced(topology, plan, i, package_of, node_of);
				assert_balanced(topology, plan, i, node_of, cache_of);
			}
			weft_plan_destroy(plan);
		}
		weft_topology_destroy(topology);
	}
}

static void scatter_uses_all_of_a_large_machine_evenly(void **state)
{
	weft_topology *topology = synthetic_topology("pack:2 numa:1 l3:8 core:8 pu:2", NULL);

	(void)state;
	for (unsigned workers = 1; workers <= 256; workers++) {
		unsigned in_package[2] = {0}, in_cache[16] = {0};
		weft_plan *plan = NULL;

		assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_SCATTER, workers),
				 0);
		for (unsigned worker = 0; worker < workers; worker++) {
			unsigned pu = pu_of_worker(topology, plan, worker);

			in_package[weft_topology_pu(topology, pu)->package]++;
			in_cache[weft_topology_pu(topology, pu)->cache]++;
		}
		assert_in_range(in_package[0] - in_package[1], 0, 1);
		for (unsigned cache = 0; cache < 16; cache++)
			assert_in_range(in_cache[cache], workers / 16, (workers + 15) / 16);
		weft_plan_destroy(plan);
	}
	weft_topology_destroy(topology);
}

static void a_plan_outlives_its_topology(void **state)
{
	/* The second package alone: CPUs 4-7, node 1. */
	weft_topology *topology = synthetic_topology("pack:2 [numa] core:2 pu:2", "4-7");
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_COMPACT, 0), 0);
	weft_topology_destroy(topology);
	assert_int_equal(weft_plan_workers(plan), 4);
	assert_int_equal(weft_plan_cpu(plan, 1), 5);
	assert_int_equal(weft_plan_node(plan, 1), 1);
	assert_int_equal(weft_plan_victims(plan, 1)[0], 0);
	assert_int_equal(weft_plan_worker_near(plan, 5), 1);
	weft_plan_destroy(plan);
}

static void a_list_of_cpus_is_followed(void **state)
{
	static const unsigned cpus[] = {5, 0, 5, 2};
	weft_topology *topology = synthetic_topology("pack:2 core:2 pu:2", NULL);
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_plan_create_from_cpus(&plan, topology, cpus, 4), 0);
	assert_int_equal(weft_plan_workers(plan), 4);
	for (unsigned worker = 0; worker < 4; worker++)
		assert_int_equal(weft_plan_cpu(plan, worker), cpus[worker]);
	assert_true(weft_plan_oversubscribed(plan));
	check_victims(topology, WEFT_POLICY_COMPACT, plan);
	check_near(topology, WEFT_POLICY_COMPACT, plan);
	weft_plan_destroy(plan);
	assert_int_equal(weft_plan_create_from_cpus(&plan, topology, cpus, 2), 0);
	assert_false(weft_plan_oversubscribed(plan));
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

static void a_list_with_a_cpu_that_is_gone_is_refused(void **state)
{
	static const unsigned gone[] = {0, 1, 8}, not_allowed[] = {0, 2};
	weft_topology *topology = synthetic_topology("core:4 pu:2", "0-1,3");
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_plan_create_from_cpus(&plan, topology, gone, 3), -ENODEV);
	assert_int_equal(weft_plan_create_from_cpus(&plan, topology, not_allowed, 2), -ENODEV);
	assert_null(plan);
	weft_topology_destroy(topology);
}

static void bad_arguments_are_refused(void **state)
{
	static const unsigned cpu = 0;
	weft_topology *topology = synthetic_topology("pu:1", NULL);
	weft_plan *plan = NULL;
	unsigned too_many = WEFT_PLAN_WORKERS_MAX + 1;

	(void)state;
	assert_int_equal(weft_plan_create(NULL, topology, WEFT_POLICY_COMPACT, 1), -EINVAL);
	assert_int_equal(weft_plan_create(&plan, NULL, WEFT_POLICY_COMPACT, 1), -EINVAL);
	assert_int_equal(weft_plan_create(&plan, topology, (weft_policy)WEFT_POLICIES, 1), -EINVAL);
	assert_int_equal(weft_plan_create(&plan, topology, (weft_policy)-1, 1), -EINVAL);
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_COMPACT, too_many), -EINVAL);
	assert_int_equal(weft_plan_create_from_cpus(NULL, topology, &cpu, 1), -EINVAL);
	assert_int_equal(weft_plan_create_from_cpus(&plan, NULL, &cpu, 1), -EINVAL);
	assert_int_equal(weft_plan_create_from_cpus(&plan, topology, NULL, 1), -EINVAL);
	assert_int_equal(weft_plan_create_from_cpus(&plan, topology, &cpu, 0), -EINVAL);
	assert_int_equal(weft_plan_create_from_cpus(&plan, topology, &cpu, too_many), -EINVAL);
	assert_null(plan);
	weft_plan_destroy(NULL);
	weft_topology_destroy(topology);
}

static void more_pus_than_workers_can_be_and_the_most_workers(void **state)
{
	weft_topology *topology = synthetic_topology("l3:64 core:65 pu:1", NULL);
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_CORE, 0), 0);
	assert_int_equal(weft_plan_workers(plan), WEFT_PLAN_WORKERS_MAX);
	assert_int_equal(weft_plan_victims(plan, 4095)[4094], 4094 - 4095 % 65);
	assert_true(weft_plan_worker_near(plan, 4159) < WEFT_PLAN_WORKERS_MAX);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

static void names_of_policies_go_both_ways(void **state)
{
	weft_policy policy = WEFT_POLICY_SCATTER;

	(void)state;
	for (unsigned i = 0; i < WEFT_POLICIES; i++) {
		assert_int_equal(weft_policy_parse(&policy, weft_policy_name((weft_policy)i)), 0);
		assert_int_equal(policy, i);
	}
	assert_null(weft_policy_name((weft_policy)WEFT_POLICIES));
	assert_null(weft_policy_name((weft_policy)-1));
	assert_int_equal(weft_policy_parse(&policy, "one per core"), -EINVAL);
	assert_int_equal(weft_policy_parse(&policy, ""), -EINVAL);
	assert_int_equal(weft_policy_parse(&policy, NULL), -EINVAL);
	assert_int_equal(weft_policy_parse(NULL, "scatter"), -EINVAL);
}

/* Binds itself to each worker's CPU in turn, and says how many times that worked. */
static void *bind_to_each(void *argument)
{
	const weft_plan *plan = argument;
	uintptr_t bound = 0;

	for (unsigned worker = 0; worker < weft_plan_workers(plan); worker++) {
		cpu_set_t set;

		if (weft_plan_bind(plan, worker) == 0 &&
		    sched_getcpu() == (int)weft_plan_cpu(plan, worker) &&
		    sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1)
			bound++;
	}
	return (void *)bound;
}

static void binding_puts_the_thread_on_the_cpu(void **state)
{
	weft_topology *topology = machine_topology(&machines[0]);
	weft_plan *plan = NULL;
	pthread_t thread;
	void *bound = NULL;

	(void)state;
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_PU, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, bind_to_each, plan), 0);
	assert_int_equal(pthread_join(thread, &bound), 0);
	assert_int_equal((uintptr_t)bound, weft_plan_workers(plan));
	assert_int_equal(weft_plan_bind(plan, weft_plan_workers(plan)), -EINVAL);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

static void a_plan_for_another_machine_does_not_bind(void **state)
{
	weft_topology *topology = synthetic_topology("core:1 pu:1", NULL);
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_CORE, 0), 0);
	assert_int_equal(weft_plan_bind(plan, 0), -ENOTSUP);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_distinct_until_they_run_out),
		cmocka_unit_test(no_number_of_workers_means_one_for_each_place),
		cmocka_unit_test(victims_are_all_others_nearest_first),
		cmocka_unit_test(thieves_begin_with_different_victims),
		cmocka_unit_test(near_is_the_nearest_and_always_a_worker),
		cmocka_unit_test(foreign_cpus_are_dealt_out),
		cmocka_unit_test(the_order_is_the_one_documented),
		cmocka_unit_test(siblings_come_last_but_in_compact),
		cmocka_unit_test(scatter_is_balanced_at_every_level),
		cmocka_unit_test(scatter_uses_all_of_a_large_machine_evenly),
		cmocka_unit_test(a_plan_outlives_its_topology),
		cmocka_unit_test(a_list_of_cpus_is_followed),
		cmocka_unit_test(a_list_with_a_cpu_that_is_gone_is_refused),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(more_pus_than_workers_can_be_and_the_most_workers),
		cmocka_unit_test(names_of_policies_go_both_ways),
		cmocka_unit_test(binding_puts_the_thread_on_the_cpu),
		cmocka_unit_test(a_plan_for_another_machine_does_not_bind),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
