/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues in memory of a chosen NUMA node: a weft_spsc_queue of alarms and a weft_priority_queue,
 * both on the node of the thread that reads them. The plan says which node that is; the memory is
 * the program's, the queues only live in it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/affinity/memory.h>
#include <weft/affinity/plan.h>
#include <weft/lockfree/priority_queue.h>
#include <weft/lockfree/spsc_queue.h>

#include "must.h"

#define ALARMS   1000
#define LEVELS   4
#define CAPACITY 1024

enum {
	SENSOR,
	WATCHER
};

typedef struct alarm {
	unsigned level;
	unsigned number;
} alarm;

WEFT_SPSC_QUEUE_DEFINE(alarms, alarm);

static alarms line;
static weft_plan *plan;

/* Memory for `bytes` on the watcher's node. */
static void *near_the_watcher(size_t bytes)
{
	void *memory =
		weft_memory_alloc(bytes, WEFT_CACHE_LINE, (int)weft_plan_node(plan, WATCHER));

	must(memory == NULL ? ENOMEM : 0, "weft_memory_alloc");
	return memory;
}

static void *sensor_main(void *unused)
{
	(void)weft_plan_bind(plan, SENSOR); /* where it is forbidden we run anywhere */
	for (unsigned number = 0; number < ALARMS; number++) {
		while (alarms_push(&line, (alarm){number % LEVELS, number}) == -EAGAIN)
			sched_yield(); /* full: the watcher is behind */
	}
	alarms_close(&line);
	return unused;
}

/* Takes all the alarms, then the urgent ones first; returns whether they came in that order. */
static bool watch(weft_priority_queue *urgent)
{
	static alarm all[ALARMS + 1];
	unsigned count = 0, level, last = 0, seen = 0;
	void *next;
	int error;

	while ((error = alarms_pop(&line, &all[count])) != -EPIPE) {
		if (error == -EAGAIN) {
			sched_yield(); /* empty: the sensor is behind */
			continue;
		}
		must(weft_priority_queue_push(urgent, all[count].level, &all[count]),
		     "weft_priority_queue_push");
		count++;
	}
	for (; weft_priority_queue_pop(urgent, &next, &level) == 0; seen++) {
		if (level < last)
			return false;
		last = level;
	}
	return seen == ALARMS;
}

int main(void)
{
	size_t line_bytes = alarms_memory_size(CAPACITY);
	size_t urgent_bytes = weft_priority_queue_memory_size(CAPACITY, LEVELS);
	weft_priority_queue urgent;
	weft_topology *topology;
	pthread_t sensor;

	must(weft_topology_create(&topology, NULL), "weft_topology_create");
	must(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_CORE, 2), "weft_plan_create");
	(void)weft_plan_bind(plan, WATCHER);

	void *line_memory = near_the_watcher(line_bytes);
	void *urgent_memory = near_the_watcher(urgent_bytes);

	must(alarms_init_in(&line, line_memory, line_bytes, CAPACITY), "alarms_init_in");
	must(weft_priority_queue_init_in(&urgent, urgent_memory, urgent_bytes, CAPACITY, LEVELS),
	     "weft_priority_queue_init_in");
	must(pthread_create(&sensor, NULL, sensor_main, NULL), "pthread_create");
	printf("%s\n", watch(&urgent) ? "the most urgent first" : "out of order");
	pthread_join(sensor, NULL);
	alarms_fini(&line); /* neither frees what is not its own */
	weft_priority_queue_fini(&urgent);
	weft_memory_free(line_memory, line_bytes, WEFT_CACHE_LINE);
	weft_memory_free(urgent_memory, urgent_bytes, WEFT_CACHE_LINE);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
	return 0;
}
