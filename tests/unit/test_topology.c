/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/affinity/topology.h>

#include "machines.h"

/* The mask this program was started with; tests put it back. */
static cpu_set_t started_with;

static void bind_to(const cpu_set_t *set)
{
	assert_int_equal(sched_setaffinity(0, sizeof(*set), set), 0);
}

static void counts_are_those_of_the_description(void **state)
{
	(void)state;
	for (unsigned m = 0; m < machine_count; m++) {
		const machine *expected = &machines[m];
		weft_topology *topology = machine_topology(expected);

		print_message("# %s\n", expected->name);
		if (expected->pus != 0) {
			assert_int_equal(weft_topology_pu_count(topology), expected->pus);
			assert_int_equal(weft_topology_core_count(topology), expected->cores);
			assert_int_equal(weft_topology_cache_count(topology), expected->caches);
			assert_int_equal(weft_topology_node_count(topology), expected->nodes);
			assert_int_equal(weft_topology_package_count(topology), expected->packages);
		}
		assert_int_equal(weft_topology_is_this_machine(topology), m == 0);
		weft_topology_destroy(topology);
	}
}

/* Dense from 0 and in order: an index is the one before or the next. */
static void assert_follows(unsigned index, unsigned before, bool first)
{
	if (first)
		assert_int_equal(index, 0);
	else
		assert_true(index == before || index == before + 1);
}

/* What is together at one level is together at all outer ones. */
static void assert_nested(const weft_pu *a, const weft_pu *b)
{
	if (a->core == b->core)
		assert_int_equal(a->cache, b->cache);
	if (a->cache == b->cache) {
		assert_int_equal(a->node, b->node);
		assert_int_equal(a->package, b->package);
	}
}

static void assert_well_formed(const weft_topology *topology)
{
	unsigned pus = weft_topology_pu_count(topology);
	const weft_pu *last = weft_topology_pu(topology, pus - 1);

	for (unsigned i = 0; i < pus; i++) {
		const weft_pu *pu = weft_topology_pu(topology, i);
		const weft_pu *before = i == 0 ? pu : pu - 1;

		assert_follows(pu->core, before->core, i == 0);
		assert_follows(pu->cache, before->cache, i == 0);
		assert_follows(pu->package, before->package, i == 0);
		assert_true(pu->node < weft_topology_node_count(topology));
		assert_int_equal(pu->sibling,
				 i > 0 && pu->core == before->core ? before->sibling + 1 : 0);
		for (unsigned j = 0; j < pus; j++) {
			assert_nested(pu, weft_topology_pu(topology, j));
			assert_int_equal(i == j, pu->cpu == weft_topology_pu(topology, j)->cpu);
		}
	}
	assert_int_equal(last->core, weft_topology_core_count(topology) - 1);
	assert_int_equal(last->cache, weft_topology_cache_count(topology) - 1);
	assert_int_equal(last->package, weft_topology_package_count(topology) - 1);
	assert_null(weft_topology_pu(topology, pus));
	assert_null(weft_topology_node(topology, weft_topology_node_count(topology)));
	assert_null(weft_topology_cache(topology, weft_topology_cache_count(topology)));
}

static void indices_are_dense_and_levels_nest(void **state)
{
	(void)state;
	for (unsigned m = 0; m < machine_count; m++) {
		weft_topology *topology = machine_topology(&machines[m]);

		print_message("# %s\n", machines[m].name);
		assert_well_formed(topology);
		weft_topology_destroy(topology);
	}
}

static void distance_is_the_smallest_thing_that_holds_both(void **state)
{
	/* Two packages, each with two nodes of two cache groups of two cores of two PUs. */
	weft_topology *topology = synthetic_topology("pack:2 numa:2 l3:2 core:2 pu:2", NULL);

	(void)state;
	assert_int_equal(weft_topology_distance(topology, 0, 0), WEFT_DISTANCE_SAME);
	assert_int_equal(weft_topology_distance(topology, 0, 1), WEFT_DISTANCE_CORE);
	assert_int_equal(weft_topology_distance(topology, 0, 2), WEFT_DISTANCE_CACHE);
	assert_int_equal(weft_topology_distance(topology, 0, 4), WEFT_DISTANCE_NODE);
	assert_int_equal(weft_topology_distance(topology, 0, 8), WEFT_DISTANCE_PACKAGE);
	assert_int_equal(weft_topology_distance(topology, 0, 16), WEFT_DISTANCE_MACHINE);
	for (unsigned a = 0; a < 32; a++) {
		for (unsigned b = 0; b < 32; b++) {
			assert_int_equal(weft_topology_distance(topology, a, b),
					 weft_topology_distance(topology, b, a));
		}
	}
	weft_topology_destroy(topology);
}

static void a_node_over_packages_does_not_join_them(void **state)
{
	weft_topology *topology = synthetic_topology("pack:2 l3:1 core:2 pu:1", NULL);

	(void)state;
	assert_int_equal(weft_topology_node_count(topology), 1);
	assert_int_equal(weft_topology_distance(topology, 0, 1), WEFT_DISTANCE_CACHE);
	assert_int_equal(weft_topology_distance(topology, 0, 2), WEFT_DISTANCE_MACHINE);
	weft_topology_destroy(topology);
}

static void nodes_and_caches_are_described(void **state)
{
	weft_topology *topology = synthetic_topology(
		"pack:2 [numa(memory=1073741824)] l2:2(size=2097152) core:1 pu:1", "2-3");

	(void)state;
	/* Only the second package is left: index 0, but still node 1 to Linux. */
	assert_int_equal(weft_topology_node_count(topology), 1);
	assert_int_equal(weft_topology_node(topology, 0)->node, 1);
	assert_int_equal(weft_topology_node(topology, 0)->memory_bytes, 1073741824);
	assert_int_equal(weft_topology_cache(topology, 0)->level, 2);
	assert_int_equal(weft_topology_cache(topology, 0)->size_bytes, 2097152);
	weft_topology_destroy(topology);
	topology = synthetic_topology("core:2 pu:1", NULL);
	assert_int_equal(weft_topology_cache(topology, 1)->level, 0);
	assert_int_equal(weft_topology_cache(topology, 1)->size_bytes, 0);
	weft_topology_destroy(topology);
}

static void kinds_of_cores_are_told_apart(void **state)
{
	weft_topology *topology = machine_topology(hybrid_machine);

	(void)state;
	for (unsigned i = 0; i < weft_topology_pu_count(topology); i++) {
		const weft_pu *pu = weft_topology_pu(topology, i);

		assert_int_equal(pu->efficiency, pu->cpu < 4 ? 2 : pu->cpu < 8 ? 1 : 0);
		/* The L2 of the middle kind is inside the L3; that of the slowest is not. */
		assert_int_equal(weft_topology_cache(topology, pu->cache)->level,
				 pu->cpu < 8 ? 3 : 2);
	}
	weft_topology_destroy(topology);
	topology = synthetic_topology("core:2 pu:1", NULL);
	assert_int_equal(weft_topology_pu(topology, 0)->efficiency, -1);
	weft_topology_destroy(topology);
}

/* The CPUs of the topology are exactly those of the set. */
static void assert_cpus(const weft_topology *topology, const cpu_set_t *set)
{
	unsigned pus = weft_topology_pu_count(topology);

	assert_int_equal(pus, CPU_COUNT(set));
	for (unsigned i = 0; i < pus; i++)
		assert_true(CPU_ISSET(weft_topology_pu(topology, i)->cpu, set));
}

static void a_list_leaves_exactly_its_cpus(void **state)
{
	weft_topology *topology =
		synthetic_topology("pack:2 core:4 pu:2", "15,0,3-5,9-9,4,100-200");
	cpu_set_t expected;

	(void)state;
	CPU_ZERO(&expected);
	CPU_SET(0, &expected);
	CPU_SET(3, &expected);
	CPU_SET(4, &expected);
	CPU_SET(5, &expected);
	CPU_SET(9, &expected);
	CPU_SET(15, &expected);
	assert_cpus(topology, &expected);
	weft_topology_destroy(topology);
}

static void a_cgroup_leaves_exactly_its_cpus(void **state)
{
	cpu_set_t expected;

	(void)state;
	CPU_ZERO(&expected);
	for (unsigned cpu = 5; cpu <= 8; cpu++)
		CPU_SET(cpu, &expected);
	CPU_SET(14, &expected);
	for (unsigned m = 0; m < machine_count; m++) {
		if (strcmp(machines[m].name, "a cgroup's cpuset") != 0)
			continue;
		weft_topology *topology = machine_topology(&machines[m]);

		assert_cpus(topology, &expected);
		weft_topology_destroy(topology);
		return;
	}
	fail();
}

static void this_machine_is_what_the_process_may_use(void **state)
{
	weft_topology *topology = NULL;

	(void)state;
	assert_int_equal(weft_topology_create(&topology, NULL), 0);
	assert_cpus(topology, &started_with);
	weft_topology_destroy(topology);
}

/* Each CPU alone, then all but each: masks with holes, as far as this machine has CPUs. */
static void the_affinity_mask_is_honoured(void **state)
{
	(void)state;
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t alone, others = started_with;

		if (!CPU_ISSET(cpu, &started_with))
			continue;
		CPU_ZERO(&alone);
		CPU_SET(cpu, &alone);
		CPU_CLR(cpu, &others);
		for (int masked = 0; masked < 2; masked++) {
			const cpu_set_t *mask = masked == 0 ? &alone : &others;
			weft_topology *topology = NULL;

			if (CPU_COUNT(mask) == 0)
				continue;
			bind_to(mask);
			int result = weft_topology_create(&topology, NULL);

			bind_to(&started_with);
			assert_int_equal(result, 0);
			assert_cpus(topology, mask);
			weft_topology_destroy(topology);
		}
	}
}

static void *create_pinned(void *argument)
{
	weft_topology **topology = argument;
	cpu_set_t alone;
	unsigned cpu = 0;

	while (!CPU_ISSET(cpu, &started_with))
		cpu++;
	CPU_ZERO(&alone);
	CPU_SET(cpu, &alone);
	if (sched_setaffinity(0, sizeof(alone), &alone) == 0)
		weft_topology_create(topology, NULL);
	return NULL;
}

static void a_pinned_thread_sees_what_the_others_may_use(void **state)
{
	weft_topology *topology = NULL;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, create_pinned, &topology), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_non_null(topology);
	assert_cpus(topology, &started_with);
	weft_topology_destroy(topology);
}

static void assert_refused(const char *synthetic, const char *allowed)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *untouched = (weft_topology *)&options;

	options.synthetic = synthetic;
	options.allowed = allowed;
	assert_int_equal(weft_topology_create(&untouched, &options), -EINVAL);
	assert_ptr_equal(untouched, &options);
}

static void bad_descriptions_and_lists_are_refused(void **state)
{
	static const char *const descriptions[] = {"",          "pu",          "pu:0",
						   "nothing:2", "core:2 pu:x", "pu:2 core:2"};
	static const char *const lists[] = {
		"",
		"x",
		"1,",
		",1",
		"1-",
		"-1",
		"0,3-1",
		"1,,2",
		"1 2",
		"1-2-3",
		"0x1",
		"1 ",
		"65536",
		"4294967296",
		"99999999999999999999",
		"8-9" /* good, but leaves nothing */,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(descriptions) / sizeof(descriptions[0]); i++) {
		print_message("# description '%s'\n", descriptions[i]);
		assert_refused(descriptions[i], NULL);
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		print_message("# list '%s'\n", lists[i]);
		assert_refused("core:4 pu:2", lists[i]);
	}
}

static void bad_options_are_refused(void **state)
{
	struct {
		weft_topology_options known;
		uint64_t of_a_later_version;
	} later = {.known = WEFT_TOPOLOGY_OPTIONS_INIT};
	weft_topology *topology = NULL;

	(void)state;
	assert_int_equal(weft_topology_create(NULL, NULL), -EINVAL);
	later.known.size = 0;
	assert_int_equal(weft_topology_create(&topology, &later.known), -EINVAL);
	later.known.size = sizeof(later.known) - 1;
	assert_int_equal(weft_topology_create(&topology, &later.known), -EINVAL);
	later.known.size = sizeof(later);
	later.of_a_later_version = 1;
	assert_int_equal(weft_topology_create(&topology, &later.known), -EINVAL);
	assert_null(topology);
	later.of_a_later_version = 0;
	assert_int_equal(weft_topology_create(&topology, &later.known), 0);
	weft_topology_destroy(topology);
	weft_topology_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_those_of_the_description),
		cmocka_unit_test(indices_are_dense_and_levels_nest),
		cmocka_unit_test(distance_is_the_smallest_thing_that_holds_both),
		cmocka_unit_test(a_node_over_packages_does_not_join_them),
		cmocka_unit_test(nodes_and_caches_are_described),
		cmocka_unit_test(kinds_of_cores_are_told_apart),
		cmocka_unit_test(a_list_leaves_exactly_its_cpus),
		cmocka_unit_test(a_cgroup_leaves_exactly_its_cpus),
		cmocka_unit_test(this_machine_is_what_the_process_may_use),
		cmocka_unit_test(the_affinity_mask_is_honoured),
		cmocka_unit_test(a_pinned_thread_sees_what_the_others_may_use),
		cmocka_unit_test(bad_descriptions_and_lists_are_refused),
		cmocka_unit_test(bad_options_are_refused),
	};

	if (sched_getaffinity(0, sizeof(started_with), &started_with) != 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
