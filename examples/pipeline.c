/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two stages of a pipeline, a thread each, with a weft_spsc_queue between them: samples go through
 * in batches, which cost one hand-over of a cache line for many samples. A stage with nothing to do
 * spins here, as one does with a core of its own; see blocking_queue.c for stages that sleep.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/lockfree/spsc_queue.h>

#include "must.h"

#define SAMPLES 1000000
#define BATCH   64

typedef struct sample {
	unsigned time;
	int value;
} sample;

WEFT_SPSC_QUEUE_DEFINE(samples, sample);

/* First stage: makes the samples. */
static void *measure(void *argument)
{
	samples *queue = argument;
	sample batch[BATCH];

	for (unsigned time = 0; time < SAMPLES; time += BATCH) {
		size_t pushed = 0;

		for (unsigned i = 0; i < BATCH; i++)
			batch[i] = (sample){time + i, (int)((time + i) % 100) - 50};
		while (pushed < BATCH) {
			size_t more = samples_try_push_batch(queue, batch + pushed, BATCH - pushed);

			if (more == 0)
				sched_yield(); /* full: the other stage is behind */
			pushed += more;
		}
	}
	return NULL;
}

/* Second stage: adds up what is positive. */
static long long add_up(samples *queue)
{
	long long sum = 0;
	unsigned seen = 0;

	while (seen < SAMPLES) {
		sample batch[BATCH];
		size_t popped = samples_try_pop_batch(queue, batch, BATCH);

		if (popped == 0)
			sched_yield(); /* empty: the other stage is behind */
		for (size_t i = 0; i < popped; i++) {
			if (batch[i].time != seen++)
				return -1; /* cannot be: the queue keeps the order */
			if (batch[i].value > 0)
				sum += batch[i].value;
		}
	}
	return sum;
}

int main(void)
{
	samples queue;
	pthread_t stage;

	must(samples_init(&queue, 1024), "samples_init");
	must(pthread_create(&stage, NULL, measure, &queue), "pthread_create");
	printf("sum of the positive samples: %lld\n", add_up(&queue));
	pthread_join(stage, NULL);
	samples_fini(&queue);
	return 0;
}
