/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A statistic that every thread updates all the time: weft_counter has a shard for each CPU, so
 * that an addition costs what `hits++` costs a single thread, and no thread disturbs another.
 * Reading visits all shards: do it now and then. weft_counter_reset takes what was counted since it
 * was last called, for figures per second, and misses nothing.
 */
#include <pthread.h>
#include <stdio.h>

#include <weft/lockfree/counter.h>

#include "must.h"

#define THREADS 4
#define HITS    1000000 /* by each thread */

typedef struct statistics {
	weft_counter hits;
	weft_counter bytes;
} statistics;

static void *serve(void *argument)
{
	statistics *shared = argument;

	for (int i = 0; i < HITS; i++) {
		weft_counter_increment(&shared->hits);
		weft_counter_add(&shared->bytes, 512);
	}
	return NULL;
}

int main(void)
{
	statistics shared;
	pthread_t threads[THREADS];
	int64_t hits = 0;

	must(weft_counter_init(&shared.hits), "weft_counter_init");
	must(weft_counter_init(&shared.bytes), "weft_counter_init");
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, serve, &shared), "pthread_create");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		/* The hits of this interval. Threads that still run go on adding. */
		hits += weft_counter_reset(&shared.hits);
	}
	/* Exact now that nobody adds any more; while they do, it is some sum of a moment ago. */
	printf("%lld hits, %lld bytes\n", (long long)hits,
	       (long long)weft_counter_read(&shared.bytes));
	weft_counter_fini(&shared.bytes);
	weft_counter_fini(&shared.hits);
	return 0;
}
