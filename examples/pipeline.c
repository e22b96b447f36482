/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two stages of a pipeline, a thread each, with a weft_spsc_queue between them. Samples are written
 * and read where they are in the queue, a run at a time: nothing is copied, and one hand-over of a
 * cache line serves many samples. The first stage closes the queue, the second one is told when it
 * has had them all. A stage with nothing to do spins here, as one does with a core of its own; see
 * blocking_queue.c for stages that sleep.
 */
#include <errno.h>
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
	unsigned time = 0;

	while (time < SAMPLES) {
		size_t count = SAMPLES - time < BATCH ? SAMPLES - time : BATCH;
		sample *run;

		if (samples_reserve(queue, &run, &count) != 0) {
			sched_yield(); /* full: the other stage is behind */
			continue;
		}
		for (size_t i = 0; i < count; i++, time++)
			run[i] = (sample){time, (int)(time % 100) - 50};
		samples_commit(queue, count);
	}
	samples_close(queue);
	return NULL;
}

/* Second stage: adds up what is positive. */
static long long add_up(samples *queue)
{
	long long sum = 0;
	unsigned seen = 0;

	for (;;) {
		size_t count = BATCH;
		sample *run;
		int error = samples_peek(queue, &run, &count);

		if (error == -EPIPE)
			return seen == SAMPLES ? sum : -1;
		if (error == -EAGAIN) {
			sched_yield(); /* empty: the other stage is behind */
			continue;
		}
		for (size_t i = 0; i < count; i++) {
			if (run[i].time != seen++)
				return -1; /* cannot be: the queue keeps the order */
			if (run[i].value > 0)
				sum += run[i].value;
		}
		samples_release(queue, count);
	}
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
