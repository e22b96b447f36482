/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers that go round between threads which may be stopped at any moment: a sampler that a
 * debugger holds, a real-time thread that preempts another. weft_mpmc_lockfree lets the others go
 * on, and its answers can be relied on: "empty" means that all buffers are in use, and after
 * closing, -EPIPE means that nothing will come any more.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/lockfree/mpmc_lockfree.h>

#include "must.h"

#define BUFFERS 64
#define SAMPLES 100000
#define WRITERS 2

typedef struct buffer {
	long sample;
} buffer;

typedef struct recorder {
	weft_mpmc_lockfree unused; /* buffers that nobody has */
	weft_mpmc_lockfree filled; /* buffers for the reader */
	buffer buffers[BUFFERS];
} recorder;

/* Fills SAMPLES buffers; a buffer that is not there yet is a moment to do something else. */
static void *writer_main(void *argument)
{
	recorder *shared = argument;
	void *free_one;

	for (long sample = 1; sample <= SAMPLES;) {
		if (!weft_mpmc_lockfree_try_pop(&shared->unused, &free_one)) {
			sched_yield();
			continue;
		}
		((buffer *)free_one)->sample = sample++;
		/* There is room for all the buffers that there are. */
		must(weft_mpmc_lockfree_push(&shared->filled, free_one), "push");
	}
	return NULL;
}

/* Adds up until the queue is closed and drained; returns through its argument. */
static void *reader_main(void *argument)
{
	recorder *shared = argument;
	void *filled;
	static long sum;
	int error;

	while ((error = weft_mpmc_lockfree_pop(&shared->filled, &filled)) != -EPIPE) {
		if (error == -EAGAIN) {
			sched_yield();
			continue;
		}
		sum += ((buffer *)filled)->sample;
		must(weft_mpmc_lockfree_push(&shared->unused, filled), "push");
	}
	return &sum;
}

int main(void)
{
	static recorder shared;
	pthread_t writers[WRITERS], reader;
	void *sum;

	must(weft_mpmc_lockfree_init(&shared.unused, BUFFERS), "weft_mpmc_lockfree_init");
	must(weft_mpmc_lockfree_init(&shared.filled, BUFFERS), "weft_mpmc_lockfree_init");
	for (int i = 0; i < BUFFERS; i++)
		must(weft_mpmc_lockfree_push(&shared.unused, &shared.buffers[i]), "push");
	must(pthread_create(&reader, NULL, reader_main, &shared), "pthread_create");
	for (int i = 0; i < WRITERS; i++)
		must(pthread_create(&writers[i], NULL, writer_main, &shared), "pthread_create");
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	weft_mpmc_lockfree_close(&shared.filled);
	pthread_join(reader, &sum);
	printf("sum of the samples: %ld, buffers back: %zu\n", *(long *)sum,
	       weft_mpmc_lockfree_size(&shared.unused));
	weft_mpmc_lockfree_fini(&shared.filled);
	weft_mpmc_lockfree_fini(&shared.unused);
	return 0;
}
