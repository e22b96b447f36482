/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What threads measure, in one histogram: recording costs about as much as an addition, and each
 * interval's percentiles are read, and begun anew, while they go on. Every time is in one interval.
 * A gauge beside it says how many requests are under way, and which was the largest.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include <weft/lockfree/gauge.h>
#include <weft/lockfree/histogram.h>

#include "must.h"

#define THREADS  4
#define REQUESTS 250000 /* of each thread */

/* Times up to a minute, to within one part in 2^7: 0.8 %. */
#define LONGEST_NS     UINT64_C(60000000000)
#define PRECISION_BITS 7

typedef struct statistics {
	weft_histogram times_ns;
	weft_gauge requests; /* how many are under way; records their sizes */
} statistics;

static void *serve(void *argument)
{
	statistics *shared = argument;

	for (uint64_t i = 1; i <= REQUESTS; i++) {
		weft_gauge_add(&shared->requests, 1);
		/* Here another program would work, and look at the clock. */
		weft_gauge_record(&shared->requests, (int64_t)(i % 5000));
		weft_histogram_record(&shared->times_ns, i % 1000 == 0 ? 90000 : 50);
		weft_gauge_subtract(&shared->requests, 1);
	}
	return NULL;
}

int main(void)
{
	statistics shared;
	pthread_t threads[THREADS];
	weft_histogram_snapshot interval, total;
	weft_histogram_bucket bucket = {0};

	must(weft_histogram_init(&shared.times_ns, LONGEST_NS, PRECISION_BITS), "histogram");
	must(weft_gauge_init(&shared.requests), "gauge");
	must(weft_histogram_snapshot_init(&interval, LONGEST_NS, PRECISION_BITS), "snapshot");
	must(weft_histogram_snapshot_init(&total, LONGEST_NS, PRECISION_BITS), "snapshot");
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, serve, &shared), "pthread_create");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		/* The end of an interval; threads that still run record into the next one. */
		must(weft_histogram_reset(&shared.times_ns, &interval), "reset");
		must(weft_histogram_snapshot_add(&total, &interval), "add");
	}
	printf("%" PRIu64 " requests: p50 %" PRIu64 ", p99.9 %" PRIu64 ", p99.99 %" PRIu64 " ns\n",
	       total.count, weft_histogram_snapshot_percentile(&total, 50),
	       weft_histogram_snapshot_percentile(&total, 99.9),
	       weft_histogram_snapshot_percentile(&total, 99.99));
	while (weft_histogram_snapshot_next(&total, &bucket))
		printf("%" PRIu64 " to %" PRIu64 " ns: %" PRIu64 "\n", bucket.least, bucket.largest,
		       bucket.count);
	printf("under way %lld, the largest was %lld\n",
	       (long long)weft_gauge_read(&shared.requests),
	       (long long)weft_gauge_reset_high(&shared.requests));
	weft_histogram_snapshot_fini(&total);
	weft_histogram_snapshot_fini(&interval);
	weft_gauge_fini(&shared.requests);
	weft_histogram_fini(&shared.times_ns);
	return 0;
}
