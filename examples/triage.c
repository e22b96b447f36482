/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Urgent things first: a producer hands out jobs of three urgencies through weft_priority_queue,
 * whose only consumer gets them in a strict order, and whose memory is on a NUMA node of choice.
 * Then the same jobs with one deadline each, of which several workers take nearly the earliest:
 * weft_multiqueue. Closing a queue ends the workers when all is done.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>

#include <weft/affinity/memory.h>
#include <weft/lockfree/multiqueue.h>
#include <weft/lockfree/priority_queue.h>

#include "must.h"

#define JOBS    999
#define WORKERS 3

enum urgency {
	NOW,
	TODAY,
	SOME_DAY,
	URGENCIES
};

typedef struct job {
	unsigned number;
} job;

static void strictly(job *jobs)
{
	/* On node 0, as if its consumer were there: see placement.c. */
	size_t bytes = weft_priority_queue_memory_size(JOBS, URGENCIES);
	void *memory = weft_memory_alloc(bytes, WEFT_CACHE_LINE, 0);
	weft_priority_queue queue;
	unsigned done[URGENCIES] = {0}, urgency, last = NOW;
	void *next;
	int error;

	must(weft_priority_queue_init_in(&queue, memory, bytes, JOBS, URGENCIES),
	     "weft_priority_queue_init_in");
	for (unsigned i = 0; i < JOBS; i++)
		must(weft_priority_queue_push(&queue, i % URGENCIES, &jobs[i]), "push");
	weft_priority_queue_close(&queue);
	while ((error = weft_priority_queue_pop(&queue, &next, &urgency)) == 0) {
		if (urgency < last)
			puts("not in order");
		last = urgency;
		done[urgency]++;
	}
	printf("now: %u, today: %u, some day: %u, then %s\n", done[NOW], done[TODAY],
	       done[SOME_DAY], error == -EPIPE ? "closed" : "?");
	weft_priority_queue_fini(&queue);
	weft_memory_free(memory, bytes, WEFT_CACHE_LINE);
}

typedef struct worker {
	weft_multiqueue *queue;
	unsigned long sum;
} worker;

static void *work(void *argument)
{
	worker *self = argument;
	weft_multiqueue_handle handle;
	void *next;
	int error;

	/* Each thread has its own handle. */
	weft_multiqueue_handle_init(&handle, self->queue);
	while ((error = weft_multiqueue_pop(&handle, &next, NULL)) != -EPIPE) {
		if (error == 0)
			self->sum += ((job *)next)->number;
		else
			sched_yield(); /* or wait, as blocking_queue.c does */
	}
	return NULL;
}

static void by_deadline(job *jobs)
{
	worker workers[WORKERS] = {{NULL, 0}};
	pthread_t threads[WORKERS];
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	unsigned long sum = 0;

	/* Two lanes for each thread. */
	must(weft_multiqueue_init(&queue, JOBS, 2 * (WORKERS + 1), 8), "weft_multiqueue_init");
	weft_multiqueue_handle_init(&handle, &queue);
	for (int i = 0; i < WORKERS; i++) {
		workers[i].queue = &queue;
		must(-pthread_create(&threads[i], NULL, work, &workers[i]), "pthread_create");
	}
	for (unsigned i = 0; i < JOBS; i++) {
		uint64_t deadline_ns = 1000000 - i * (uint64_t)1000;

		/* Full, or every lane busy: somebody is at work. */
		while (weft_multiqueue_push(&handle, deadline_ns, &jobs[i]) == -EAGAIN)
			sched_yield();
	}
	weft_multiqueue_close(&queue);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		sum += workers[i].sum;
	}
	printf("sum of all jobs: %lu\n", sum);
	weft_multiqueue_fini(&queue);
}

int main(void)
{
	static job jobs[JOBS];

	for (unsigned i = 0; i < JOBS; i++)
		jobs[i].number = i;
	strictly(jobs);
	by_deadline(jobs);
	return 0;
}
