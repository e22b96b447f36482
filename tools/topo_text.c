/* SPDX-License-Identifier: Apache-2.0 */
/* weft topo, for people. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "topo.h"

/* Up to so many cores, workers and victims are shown one by one. */
#define CORES_SHOWN   16
#define WORKERS_SHOWN 16
#define VICTIMS_SHOWN 12

static void print_count(unsigned count, const char *one, const char *many)
{
	printf("%u %s", count, count == 1 ? one : many);
}

static void print_size(uint64_t bytes)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	unsigned unit = 0;
	double amount = (double)bytes / 1024;

	while (amount >= 1024 && unit < 3) {
		amount /= 1024;
		unit++;
	}
	/* 1.9, 32, 512: as many digits as say something. */
	printf("%.*f %s", amount < 10 && (double)(uint64_t)amount != amount ? 1 : 0, amount,
	       units[unit]);
}

static int compare_numbers(const void *a, const void *b)
{
	unsigned first = *(const unsigned *)a, second = *(const unsigned *)b;

	return (first > second) - (first < second);
}

/* Prints the numbers as 0-7,64-71; sorts them. */
static void print_ranges(unsigned *numbers, unsigned count)
{
	qsort(numbers, count, sizeof(*numbers), compare_numbers);
	for (unsigned i = 0; i < count; i++) {
		unsigned first = numbers[i];

		while (i + 1 < count && numbers[i + 1] <= numbers[i] + 1)
			i++;
		printf(first == numbers[i] ? "%u" : "%u-%u", first, numbers[i]);
		if (i + 1 < count)
			putchar(',');
	}
}

static void print_machine(const topo_report *report, unsigned *numbers)
{
	const weft_topology *topology = report->topology;
	unsigned pus = weft_topology_pu_count(topology);

	if (report->synthetic != NULL)
		printf("the machine '%s': ", report->synthetic);
	else if (weft_topology_is_this_machine(topology))
		fputs("this machine: ", stdout);
	else
		fputs("the machine of hwloc's environment: ", stdout);
	print_count(weft_topology_package_count(topology), "package, ", "packages, ");
	print_count(weft_topology_node_count(topology), "NUMA node, ", "NUMA nodes, ");
	print_count(weft_topology_core_count(topology), "core, ", "cores, ");
	print_count(pus, "CPU (", "CPUs (");
	for (unsigned i = 0; i < pus; i++)
		numbers[i] = weft_topology_pu(topology, i)->cpu;
	print_ranges(numbers, pus);
	fputs(")\n\n", stdout);
}

/* How many PUs the core has whose first is this. */
static unsigned threads_of_core(const weft_topology *topology, unsigned first)
{
	unsigned core = weft_topology_pu(topology, first)->core;
	unsigned pu = first;

	while (pu < weft_topology_pu_count(topology) &&
	       weft_topology_pu(topology, pu)->core == core)
		pu++;
	return pu - first;
}

/*
 * Prints the cores from this PU on that are of one cache group and one kind, as one line, or only
 * the first of them. Returns the PU after them.
 */
static unsigned print_cores(const weft_topology *topology, unsigned first, bool only_one,
			    unsigned *numbers)
{
	const weft_pu *begin = weft_topology_pu(topology, first);
	unsigned threads = threads_of_core(topology, first);
	unsigned last_core;
	unsigned pu = first;

	do {
		last_core = weft_topology_pu(topology, pu)->core;
		for (unsigned i = 0; i < threads; i++, pu++)
			numbers[pu - first] = weft_topology_pu(topology, pu)->cpu;
	} while (!only_one && pu < weft_topology_pu_count(topology) &&
		 weft_topology_pu(topology, pu)->cache == begin->cache &&
		 weft_topology_pu(topology, pu)->efficiency == begin->efficiency &&
		 threads_of_core(topology, pu) == threads);
	if (last_core == begin->core)
		printf("core %u: %s ", begin->core, threads == 1 ? "CPU" : "CPUs");
	else
		printf("cores %u-%u (%u %s each), CPUs ", begin->core, last_core, threads,
		       threads == 1 ? "CPU" : "CPUs");
	print_ranges(numbers, pu - first);
	return pu;
}

/* Whether there are several kinds of cores, so that it is worth a word of which one is. */
static bool is_hybrid(const weft_topology *topology)
{
	const weft_pu *first = weft_topology_pu(topology, 0);

	for (unsigned i = 1; i < weft_topology_pu_count(topology); i++) {
		if (weft_topology_pu(topology, i)->efficiency != first->efficiency)
			return true;
	}
	return false;
}

/*
 * The headings of what begins with this PU; before is the PU before it, or NULL. Returns whether
 * the last one, that of a cache, is still without an end of line.
 */
static bool print_headings(const weft_topology *topology, const weft_pu *pu, const weft_pu *before)
{
	const weft_node *node = weft_topology_node(topology, pu->node);
	const weft_cache *cache = weft_topology_cache(topology, pu->cache);
	bool new_package = before == NULL || pu->package != before->package;

	if (new_package)
		printf("package %u\n", pu->package);
	if (new_package || pu->node != before->node) {
		printf("  node %u", node->node);
		if (node->memory_bytes != 0) {
			fputs(", ", stdout);
			print_size(node->memory_bytes);
		}
		putchar('\n');
	}
	if ((before != NULL && pu->cache == before->cache) || cache->level == 0)
		return false;
	printf("    L%u", cache->level);
	if (cache->size_bytes != 0) {
		putchar(' ');
		print_size(cache->size_bytes);
	}
	return true;
}

static void print_tree(const weft_topology *topology, unsigned *numbers)
{
	bool hybrid = is_hybrid(topology);
	bool each_core = weft_topology_core_count(topology) <= CORES_SHOWN;
	const weft_pu *before = NULL;
	unsigned pu = 0;

	while (pu < weft_topology_pu_count(topology)) {
		if (!print_headings(topology, weft_topology_pu(topology, pu), before))
			fputs("      ", stdout);
		else
			fputs(each_core ? "\n      " : ": ", stdout);
		pu = print_cores(topology, pu, each_core, numbers);
		before = weft_topology_pu(topology, pu - 1);
		if (hybrid && before->efficiency >= 0)
			printf(", kind %d", before->efficiency);
		putchar('\n');
	}
	if (hybrid)
		puts("kinds of cores: 0 is the slowest");
}

/* The first victims; a bar stands where the next ones are farther away. */
static void print_victims(const topo_report *report, unsigned worker)
{
	const uint16_t *victims = weft_plan_victims(report->plan, worker);
	unsigned count = weft_plan_workers(report->plan) - 1;
	weft_distance last = WEFT_DISTANCE_SAME;

	for (unsigned i = 0; i < count; i++) {
		weft_distance distance = weft_topology_distance(
			report->topology, report->worker_pu[worker], report->worker_pu[victims[i]]);

		if (i == VICTIMS_SHOWN) {
			fputs(" ...", stdout);
			break;
		}
		printf("%s %u", i > 0 && distance > last ? " |" : "", victims[i]);
		last = distance;
	}
	putchar('\n');
}

/* What a plan of many workers looks like from afar. */
static void print_workers_by_node(const topo_report *report)
{
	fputs("  workers by node:", stdout);
	for (unsigned node = 0; node < weft_topology_node_count(report->topology); node++) {
		unsigned os_node = weft_topology_node(report->topology, node)->node;
		unsigned count = 0;

		for (unsigned worker = 0; worker < weft_plan_workers(report->plan); worker++)
			count += weft_plan_node(report->plan, worker) == os_node;
		printf("%s node %u has %u", node == 0 ? "" : ",", os_node, count);
	}
	putchar('\n');
}

static void print_plan(const topo_report *report)
{
	unsigned workers = weft_plan_workers(report->plan);

	printf("\nplan %s: ", weft_policy_name(report->policy));
	print_count(workers, "worker", "workers");
	puts(weft_plan_oversubscribed(report->plan) ? "; several share a CPU" : "");
	if (weft_topology_node_count(report->topology) > 1)
		print_workers_by_node(report);
	puts("  worker   CPU  core  node  steals from, nearest first; farther after each |");
	for (unsigned worker = 0; worker < workers; worker++) {
		const weft_pu *pu = weft_topology_pu(report->topology, report->worker_pu[worker]);

		if (worker == WORKERS_SHOWN) {
			printf("  ... and %u more: --json has them all\n", workers - worker);
			break;
		}
		printf("  %6u %5u %5u %5u ", worker, pu->cpu, pu->core,
		       weft_plan_node(report->plan, worker));
		print_victims(report, worker);
	}
}

bool print_topo_text(const topo_report *report)
{
	/* The CPUs that are to be printed as ranges. */
	unsigned *numbers = calloc(weft_topology_pu_count(report->topology), sizeof(*numbers));

	if (numbers == NULL)
		return false;
	print_machine(report, numbers);
	print_tree(report->topology, numbers);
	print_plan(report);
	free(numbers);
	return true;
}
