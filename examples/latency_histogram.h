/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_EXAMPLES_LATENCY_HISTOGRAM_H
#define WEFT_EXAMPLES_LATENCY_HISTOGRAM_H

/*
 * Durations of a run in a fixed piece of memory (16 KiB): adding one allocates nothing and takes a
 * few nanoseconds; a percentile is right to within 3 %. One thread writes; histograms of several
 * threads are merged when they have finished. Zeroed memory is an empty histogram.
 *
 * Each power of two is divided into 32 equal buckets; durations below 64 ns have one each.
 */

#include <stddef.h>
#include <stdint.h>

#define LATENCY_BUCKETS 1920

typedef struct latency_histogram {
	uint64_t buckets[LATENCY_BUCKETS];
	uint64_t count;
	uint64_t max_ns;
} latency_histogram;

static inline void latency_histogram_add(latency_histogram *histogram, uint64_t ns)
{
	/* The six leading bits choose the bucket. */
	int shift = ns < 64 ? 0 : 58 - __builtin_clzll(ns);

	histogram->buckets[(uint64_t)shift * 32 + (ns >> shift)]++;
	histogram->count++;
	if (ns > histogram->max_ns)
		histogram->max_ns = ns;
}

static inline void latency_histogram_merge(latency_histogram *into, const latency_histogram *from)
{
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
	into->count += from->count;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
}

/* The duration that `percent` of all do not exceed, in nanoseconds; 0 when there are none. */
static inline uint64_t latency_histogram_percentile(const latency_histogram *histogram,
						    double percent)
{
	double wanted = (double)histogram->count * percent / 100;
	uint64_t seen = 0;

	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t shift = i < 64 ? 0 : i / 32 - 1;
		uint64_t largest = ((i - shift * 32 + 1) << shift) - 1;

		seen += histogram->buckets[i];
		if (seen > 0 && (double)seen >= wanted)
			return largest < histogram->max_ns ? largest : histogram->max_ns;
	}
	return histogram->max_ns;
}

#endif
