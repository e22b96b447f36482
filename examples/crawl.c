/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that makes more work: each worker takes a page from a weft_mpmc_unbounded and puts the pages
 * behind it into the same queue. Were that bounded, the workers could all wait for room that only
 * they can make. Who finishes the last page closes the queue, and each worker leaves its loop.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/lockfree/mpmc_unbounded.h>

#include "must.h"

#define WORKERS 3
#define PAGES   100000 /* page n has links to 2n and 2n + 1 */

WEFT_MPMC_UNBOUNDED_DEFINE(links, unsigned);

static links queue;
/* How many pages are in the queue or in a worker's hands. */
static WEFT_ATOMIC(unsigned) open_pages;
static WEFT_ATOMIC(unsigned) seen[PAGES + 1];

static void follow(unsigned page)
{
	atomic_fetch_add_explicit(&open_pages, 1, memory_order_relaxed);
	must(links_push(&queue, page), "links_push");
}

static void *worker_main(void *unused)
{
	unsigned page = 0;
	int error;

	while ((error = links_pop(&queue, &page)) != -EPIPE) {
		if (error == -EAGAIN) {
			sched_yield(); /* see blocking_queue.c for threads that sleep */
			continue;
		}
		atomic_fetch_add_explicit(&seen[page], 1, memory_order_relaxed);
		for (unsigned link = 2 * page; link <= 2 * page + 1 && link <= PAGES; link++)
			follow(link);
		if (atomic_fetch_sub_explicit(&open_pages, 1, memory_order_acq_rel) == 1)
			links_close(&queue);
	}
	return unused;
}

int main(void)
{
	pthread_t threads[WORKERS];
	unsigned once = 0;

	must(links_init(&queue, 0), "links_init");
	follow(1);
	for (int i = 0; i < WORKERS; i++)
		must(pthread_create(&threads[i], NULL, worker_main, NULL), "pthread_create");
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned page = 1; page <= PAGES; page++)
		once += atomic_load_explicit(&seen[page], memory_order_relaxed) == 1;
	printf("%u pages seen, each once\n", once);
	links_fini(&queue);
	return 0;
}
