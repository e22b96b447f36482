/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads log, one writes: a weft_mpsc_queue of records, each of which a thread makes and
 * pushes with one exchange, never waiting and never finding the queue full. The writer takes all
 * that there is in one step. When the threads are done the queue is closed, and the writer is told
 * when it has had the last record.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/lockfree/mpsc_queue.h>

#include "must.h"

#define THREADS 4
#define RECORDS 5000

typedef struct record {
	weft_mpsc_queue_node node;
	int thread;
	int number;
} record;

static weft_mpsc_queue log_queue;

static void *work(void *argument)
{
	int thread = (int)(intptr_t)argument;

	for (int number = 0; number < RECORDS; number++) {
		record *made = malloc(sizeof(*made));

		must(made == NULL ? -ENOMEM : 0, "malloc");
		made->thread = thread;
		made->number = number;
		must(weft_mpsc_queue_push(&log_queue, &made->node), "weft_mpsc_queue_push");
	}
	return NULL;
}

/* Returns how many records came, or -1 when one of them came out of its thread's order. */
static void *write_log(void *unused)
{
	int next[THREADS] = {0}, written = 0, error;
	weft_mpsc_queue_chain chain;
	weft_mpsc_queue_node *node;

	(void)unused;
	while ((error = weft_mpsc_queue_pop_all(&log_queue, &chain)) != -EPIPE) {
		if (error == -EAGAIN)
			sched_yield(); /* nothing to write */
		while ((error = weft_mpsc_queue_chain_pop(&chain, &node)) != -ENODATA) {
			if (error == -EAGAIN) {
				sched_yield(); /* a thread is in the middle of its push */
				continue;
			}

			record *popped = (record *)(void *)node; /* its first member */

			if (popped->number != next[popped->thread]++)
				return (void *)(intptr_t)-1;
			written++;
			free(popped);
		}
	}
	return (void *)(intptr_t)written;
}

int main(void)
{
	pthread_t threads[THREADS], writer;
	void *written;

	weft_mpsc_queue_init(&log_queue);
	must(pthread_create(&writer, NULL, write_log, NULL), "pthread_create");
	for (intptr_t i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, work, (void *)i), "pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	weft_mpsc_queue_close(&log_queue);
	pthread_join(writer, &written);
	printf("%d records written\n", (int)(intptr_t)written);
	return 0;
}
