/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weft topo --json. The names of members are an interface: they may grow in number, but none
 * changes its meaning. What is not known is null.
 */
#include <inttypes.h>
#include <stdio.h>

#include "topo.h"

/* Arguments need not be UTF-8: other bytes are written as the characters of Latin-1. */
static void print_string(const char *text)
{
	if (text == NULL) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++) {
		if (*byte < ' ' || *byte >= 127 || *byte == '"' || *byte == '\\')
			printf("\\u%04x", *byte);
		else
			putchar(*byte);
	}
	putchar('"');
}

static void print_bytes(uint64_t bytes)
{
	if (bytes == 0)
		fputs("null", stdout);
	else
		printf("%" PRIu64, bytes);
}

static const char *bool_name(bool value)
{
	return value ? "true" : "false";
}

/* Between the elements of an array that stands on several lines. */
static const char *separator(unsigned index)
{
	return index == 0 ? "\n    " : ",\n    ";
}

static void print_machine(const topo_report *report)
{
	const weft_topology *topology = report->topology;

	printf("  \"this_machine\": %s,\n  \"synthetic\": ",
	       bool_name(weft_topology_is_this_machine(topology)));
	print_string(report->synthetic);
	printf(",\n  \"packages\": %u,\n  \"cores\": %u,\n  \"nodes\": [",
	       weft_topology_package_count(topology), weft_topology_core_count(topology));
	for (unsigned i = 0; i < weft_topology_node_count(topology); i++) {
		const weft_node *node = weft_topology_node(topology, i);

		printf("%s{\"node\": %u, \"memory_bytes\": ", separator(i), node->node);
		print_bytes(node->memory_bytes);
		putchar('}');
	}
	fputs("\n  ],\n  \"caches\": [", stdout);
	for (unsigned i = 0; i < weft_topology_cache_count(topology); i++) {
		const weft_cache *cache = weft_topology_cache(topology, i);

		printf("%s{\"level\": ", separator(i));
		print_bytes(cache->level);
		fputs(", \"size_bytes\": ", stdout);
		print_bytes(cache->size_bytes);
		putchar('}');
	}
	fputs("\n  ],\n", stdout);
}

static void print_pus(const weft_topology *topology)
{
	fputs("  \"pus\": [", stdout);
	for (unsigned i = 0; i < weft_topology_pu_count(topology); i++) {
		const weft_pu *pu = weft_topology_pu(topology, i);

		printf("%s{\"cpu\": %u, \"core\": %u, \"cache\": %u, \"node\": %u, \"package\": "
		       "%u, "
		       "\"sibling\": %u, \"efficiency\": ",
		       separator(i), pu->cpu, pu->core, pu->cache, pu->node, pu->package,
		       pu->sibling);
		if (pu->efficiency < 0)
			fputs("null}", stdout);
		else
			printf("%d}", pu->efficiency);
	}
	fputs("\n  ],\n", stdout);
}

static void print_plan(const topo_report *report)
{
	unsigned workers = weft_plan_workers(report->plan);

	printf("  \"policy\": \"%s\",\n  \"oversubscribed\": %s,\n  \"workers\": [",
	       weft_policy_name(report->policy), bool_name(weft_plan_oversubscribed(report->plan)));
	for (unsigned worker = 0; worker < workers; worker++) {
		const uint16_t *victims = weft_plan_victims(report->plan, worker);

		printf("%s{\"cpu\": %u, \"pu\": %u, \"memory_node\": %u, \"victims\": [",
		       separator(worker), weft_plan_cpu(report->plan, worker),
		       report->worker_pu[worker], weft_plan_node(report->plan, worker));
		for (unsigned i = 0; i + 1 < workers; i++)
			printf("%s%u", i == 0 ? "" : ", ", victims[i]);
		fputs("]}", stdout);
	}
	fputs("\n  ]\n", stdout);
}

bool print_topo_json(const topo_report *report)
{
	printf("{\n  \"weft\": \"%s\",\n", weft_version());
	print_machine(report);
	print_pus(report->topology);
	print_plan(report);
	puts("}");
	return true;
}
