/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readings of several sensors, which travel by value to whoever evaluates them. A sampler may be
 * stopped at any moment, by a debugger or a thread of higher priority, and with it goes nothing
 * but the reading that it has in its hands: weft_mpmc_lockfree_any lets the others go on.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/lockfree/mpmc_lockfree_any.h>

#include "must.h"

#define SAMPLERS 3
#define READINGS 30000 /* of each sampler */
#define BATCH    16

typedef struct reading {
	int sensor;
	float celsius;
	long second;
} reading;

WEFT_MPMC_LOCKFREE_ANY_DEFINE(readings, reading);

typedef struct sampler {
	pthread_t thread;
	readings *queue;
	int sensor;
} sampler;

/* A full queue is a moment to let the evaluation run. */
static void *sampler_main(void *argument)
{
	const sampler *self = argument;

	for (long second = 0; second < READINGS;) {
		reading now = {self->sensor, 20 + (float)(second % 7), second};

		if (readings_try_push(self->queue, now))
			second++;
		else
			sched_yield();
	}
	return NULL;
}

static void *evaluator_main(void *argument)
{
	readings *queue = argument;
	static double degrees[SAMPLERS];

	for (;;) {
		reading batch[BATCH];
		size_t count = readings_try_pop_batch(queue, batch, BATCH);
		int error = 0;

		for (size_t i = 0; i < count; i++)
			degrees[batch[i].sensor] += batch[i].celsius;
		if (count > 0)
			continue;
		error = readings_pop(queue, batch);
		if (error == 0)
			degrees[batch->sensor] += batch->celsius;
		else if (error == -EPIPE)
			return degrees;
		else
			sched_yield();
	}
}

int main(void)
{
	static readings queue;
	sampler samplers[SAMPLERS];
	pthread_t evaluator;
	void *degrees;

	must(readings_init(&queue, 512), "readings_init");
	must(pthread_create(&evaluator, NULL, evaluator_main, &queue), "pthread_create");
	for (int i = 0; i < SAMPLERS; i++) {
		samplers[i].queue = &queue;
		samplers[i].sensor = i;
		must(pthread_create(&samplers[i].thread, NULL, sampler_main, &samplers[i]),
		     "pthread_create");
	}
	for (int i = 0; i < SAMPLERS; i++)
		pthread_join(samplers[i].thread, NULL);
	readings_close(&queue);
	pthread_join(evaluator, &degrees);
	for (int i = 0; i < SAMPLERS; i++)
		printf("sensor %d: %.2f degrees\n", i, ((double *)degrees)[i] / READINGS);
	readings_fini(&queue);
	return 0;
}
