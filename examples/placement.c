/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where threads run and where their memory is: a topology is what this process may use, a plan says
 * which CPU each worker gets. Plans can be tried on machines that one does not have; on this one,
 * threads of one's own are bound by it (those of a pool bind themselves).
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/affinity/memory.h>
#include <weft/affinity/plan.h>

#include "must.h"

#define BUFFER_BYTES ((size_t)1 << 20)

typedef struct worker {
	const weft_plan *plan;
	unsigned index;
	int error;    /* of binding */
	bool at_home; /* whether it ran where the plan says */
} worker;

static void print_plan(const char *machine, weft_policy policy)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology;
	weft_plan *plan;

	options.synthetic = machine;
	must(weft_topology_create(&topology, &options), "weft_topology_create");
	must(weft_plan_create(&plan, topology, policy, 4), "weft_plan_create");
	printf("%s, 4 workers, %s: CPUs", machine, weft_policy_name(policy));
	for (unsigned i = 0; i < weft_plan_workers(plan); i++)
		printf(" %u", weft_plan_cpu(plan, i));
	printf("; worker 0 steals first from %u\n", weft_plan_victims(plan, 0)[0]);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

static void *worker_main(void *argument)
{
	worker *self = argument;
	unsigned cpu = weft_plan_cpu(self->plan, self->index);
	void *buffer;

	self->error = weft_plan_bind(self->plan, self->index);
	self->at_home = self->error == 0 && sched_getcpu() == (int)cpu;
	/* After binding: preferably on the worker's own node, and touched first from there. */
	buffer = weft_memory_alloc(BUFFER_BYTES, WEFT_CACHE_LINE,
				   (int)weft_plan_node(self->plan, self->index));
	must(buffer == NULL ? ENOMEM : 0, "weft_memory_alloc");
	memset(buffer, 0, BUFFER_BYTES);
	weft_memory_free(buffer, BUFFER_BYTES, WEFT_CACHE_LINE);
	return NULL;
}

/* Runs the two workers of a plan for this machine, one after the other. */
static void run_here(const weft_plan *plan)
{
	for (unsigned i = 0; i < weft_plan_workers(plan); i++) {
		worker one = {.plan = plan, .index = i};
		pthread_t thread;

		must(pthread_create(&thread, NULL, worker_main, &one), "pthread_create");
		pthread_join(thread, NULL);
		/* Not to be bound is no reason to stop. */
		if (one.error != 0)
			printf("worker %u is not bound: %s\n", i, strerror(-one.error));
		else
			printf("worker %u: %s\n", i, one.at_home ? "at home" : "elsewhere");
	}
}

int main(void)
{
	weft_topology *topology;
	weft_plan *plan;

	print_plan("pack:2 core:4 pu:2", WEFT_POLICY_ONE_PER_CORE);
	print_plan("pack:2 core:4 pu:2", WEFT_POLICY_COMPACT);
	print_plan("pack:2 core:4 pu:2", WEFT_POLICY_SCATTER);
	must(weft_topology_create(&topology, NULL), "weft_topology_create");
	must(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_CORE, 2), "weft_plan_create");
	run_here(plan);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
	return 0;
}
