/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_HISTOGRAM_H
#define WEFT_LOCKFREE_HISTOGRAM_H

/*
 * Histogram of numbers that any number of threads record: latencies in nanoseconds, sizes in bytes.
 * Recording is one addition to a bucket of the current CPU. Percentiles, least, largest, mean and
 * count are read from a snapshot, a plain struct that can be printed and added to others.
 *
 * When not to use it: when the exact largest value is wanted (gauge.h has that), or for a sum to
 * the last digit (counter.h); here both are known as well as their buckets are narrow.
 *
 * Source: HdrHistogram (Gil Tene, 2012) for the buckets: the range of each power of two is divided
 * into 2^precision_bits equal ones, and each number below 2^(precision_bits + 1) has its own. So a
 * number that is read is larger than the one recorded by at most one part in 2^precision_bits:
 *
 *     precision_bits      4       5       7      10
 *     error at most    6.3 %   3.1 %   0.8 %   0.1 %
 *     buckets, up to a minute in nanoseconds
 *                       524    1016    3808   27389
 *
 * The additions are restartable sequences on one array of buckets per CPU, as in counter.h, and
 * atomic ones on other arrays where those are not to be had.
 *
 *     operation                            threads  progress        sleeps  allocates
 *     weft_histogram_init, _fini           one      -               no      init
 *     weft_histogram_init_in               one      -               no      no
 *     weft_histogram_memory_size           any      -               no      no
 *     weft_histogram_record, _record_many  any      wait-free (*)   no      no
 *     weft_histogram_read                  any      wait-free       no      no
 *     weft_histogram_reset                 any      lock-free (**)  no      no
 *     weft_histogram_snapshot_*            one      -               no      init
 *
 *     (*) a sequence restarts only when its thread was off the CPU or had a signal meanwhile.
 *     (**) it looks at a bucket again when another reset has taken from it in between.
 *     Both visit each bucket of each CPU.
 *
 * A reset does not touch what is recorded to: it moves, bucket by bucket, the mark up to which the
 * bucket has been taken. Threads go on recording meanwhile, and each record is in exactly one of
 * the snapshots that resets fill, whoever makes them. The buckets are not looked at in one moment.
 *
 * Safe in signal handlers: record, read and reset. Numbers beyond the range are never lost: they
 * have a bucket of their own.
 * Memory: 8 bytes for each bucket and one more, in whole lines of 128 bytes, for each configured
 * CPU and for two more. (For one more where there are no restartable sequences.) It may be the
 * caller's, for instance on a given NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>,
 * then weft_histogram_init_in.
 */

#include <weft/lockfree/per_cpu.h>

#define WEFT_HISTOGRAM_PRECISION_MAX 14

typedef struct weft_histogram {
	/* Constant between init and fini, as is what the pointers below lead to but for the counts.
	 */
	size_t buckets_;    /* of the range; one more, the last, is for what is beyond it */
	size_t area_bytes_; /* buckets_ + 1 counts, in whole lines */
	unsigned precision_bits_;
	/*
	 * Each CPU's counts, that only restartable sequences there write, without an atomic one.
	 * None where the thread that called init had no sequences.
	 */
	weft_per_cpu_ restartable_;
	/*
	 * Counts that are added to atomically: by threads without sequences among others that have
	 * them, which share one array; or by all threads, and then each CPU has one.
	 */
	weft_per_cpu_ atomic_;
	/* One area, a number for each bucket: the mark up to which resets have taken its count. */
	weft_per_cpu_ taken_;
} weft_histogram;

/*
 * What was recorded: plain numbers, for one thread at a time. They may be copied out of here and
 * in, for instance to be added up in another process.
 */
typedef struct weft_histogram_snapshot {
	/* Constant between init and fini. */
	size_t buckets; /* counts[buckets] is for what is beyond the range */
	unsigned precision_bits;
	uint64_t count; /* the sum of all counts */
	uint64_t *counts;
} weft_histogram_snapshot;

/* One of its buckets: so many numbers that were from least to largest. */
typedef struct weft_histogram_bucket {
	uint64_t least, largest;
	uint64_t count;
	size_t next_; /* where to go on looking */
} weft_histogram_bucket;

WEFT_BEGIN_DECLS

/*
 * How many buckets a histogram for numbers up to `largest` has. Threads: any. Progress: wait-free.
 * Returns 0 when precision_bits is above WEFT_HISTOGRAM_PRECISION_MAX.
 */
WEFT_API size_t weft_histogram_buckets(uint64_t largest, unsigned precision_bits);

/*
 * Makes an empty histogram for numbers from 0 to `largest`, or a little more, to the end of the
 * last bucket. Threads: one, before the histogram is shared. Progress: allocates; asks the system
 * for the number of CPUs. Returns 0, -EINVAL (precision_bits is above WEFT_HISTOGRAM_PRECISION_MAX)
 * or -ENOMEM; on an error *histogram is left zeroed and weft_histogram_fini may be called.
 */
WEFT_API int weft_histogram_init(weft_histogram *histogram, uint64_t largest,
				 unsigned precision_bits);

/*
 * How many bytes weft_histogram_init_in needs for such a histogram; 0 when precision_bits is above
 * WEFT_HISTOGRAM_PRECISION_MAX. Threads: any. Progress: asks the system for the number of CPUs.
 */
WEFT_API size_t weft_histogram_memory_size(uint64_t largest, unsigned precision_bits);

/*
 * As weft_histogram_init, in memory of the caller, which stays the caller's: it must outlive the
 * histogram, and weft_histogram_fini does not free it.
 * Threads: one, before the histogram is shared. Progress: touches the memory; asks the system for
 * the number of CPUs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_histogram_memory_size() bytes. Then it is not touched, and *histogram is left zeroed.
 */
WEFT_API int weft_histogram_init_in(weft_histogram *histogram, void *memory, size_t bytes,
				    uint64_t largest, unsigned precision_bits);

/*
 * Frees the memory, if it is not the caller's.
 * Threads: one, after all others have stopped using the histogram. A zeroed one is allowed.
 */
WEFT_API void weft_histogram_fini(weft_histogram *histogram);

/*
 * Makes the snapshot what was recorded since the last reset: all that happened before the call, and
 * perhaps some that runs at the same time. While a reset runs, it may still have what that takes.
 * Threads: any, each with a snapshot of its own. Progress: wait-free.
 * Returns 0, or -EINVAL: the snapshot is for another range or precision, and is as it was.
 */
WEFT_API int weft_histogram_read(const weft_histogram *histogram,
				 weft_histogram_snapshot *snapshot);

/*
 * The same, and takes it: what is in the snapshot will be in no other one. All that was recorded
 * before the call is in it, unless another reset has taken that.
 * Threads: any, each with a snapshot of its own. Progress: lock-free, see (**) above.
 * Returns 0, or -EINVAL: the snapshot is for another range or precision, and nothing is taken.
 */
WEFT_API int weft_histogram_reset(weft_histogram *histogram, weft_histogram_snapshot *snapshot);

/* Private: the addition where there are no restartable sequences. Cold, so that it stands out of
 * the way of those that are. */
WEFT_API WEFT_COLD void weft_histogram_add_atomic_(weft_histogram *histogram, size_t offset,
						   uint64_t count);

/*
 * Makes an empty snapshot for histograms that were made with the same two arguments.
 * Threads: one. Progress: allocates.
 * Returns 0, -EINVAL (precision_bits is above WEFT_HISTOGRAM_PRECISION_MAX) or -ENOMEM; on an error
 * *snapshot is left zeroed and weft_histogram_snapshot_fini may be called.
 */
WEFT_API int weft_histogram_snapshot_init(weft_histogram_snapshot *snapshot, uint64_t largest,
					  unsigned precision_bits);

/* Frees the memory. Threads: one. A zeroed snapshot is allowed. */
WEFT_API void weft_histogram_snapshot_fini(weft_histogram_snapshot *snapshot);

/*
 * Adds what is in another snapshot.
 * Threads: one. Progress: wait-free.
 * Returns 0, or -EINVAL: they are for different ranges or precisions, and nothing is changed.
 */
WEFT_API int weft_histogram_snapshot_add(weft_histogram_snapshot *snapshot,
					 const weft_histogram_snapshot *other);

/*
 * The number that `percent` of all do not exceed (at least one of them, also for 0 percent, and all
 * for 100): the largest number of the bucket in which that lies.
 * Threads: one. Progress: wait-free.
 * Returns UINT64_MAX when it is beyond the range, 0 when the snapshot is empty.
 */
WEFT_API uint64_t weft_histogram_snapshot_percentile(const weft_histogram_snapshot *snapshot,
						     double percent);

/* A number that none is below: the least of the first bucket that has any; 0 when the snapshot is
 * empty. Threads: one. Progress: wait-free. */
WEFT_API uint64_t weft_histogram_snapshot_least(const weft_histogram_snapshot *snapshot);

/* A number that none is above: percentile 100. Threads: one. Progress: wait-free. */
WEFT_API uint64_t weft_histogram_snapshot_largest(const weft_histogram_snapshot *snapshot);

/*
 * The mean, as if each number were in the middle of its bucket: wrong by half of the error above at
 * most. Those beyond the range count as the least that is beyond it.
 * Threads: one. Progress: wait-free.
 * Returns 0 when the snapshot is empty.
 */
WEFT_API double weft_histogram_snapshot_mean(const weft_histogram_snapshot *snapshot);

/*
 * Goes to the next bucket that is not empty; from the first one, when *bucket is zeroed:
 *
 *     weft_histogram_bucket bucket = {0};
 *     while (weft_histogram_snapshot_next(&snapshot, &bucket))
 *             printf("%" PRIu64 " to %" PRIu64 ": %" PRIu64 "\n", bucket.least, ...
 *
 * The last bucket, beyond the range, goes to UINT64_MAX.
 * Threads: one. Progress: wait-free.
 * Returns false when there is none.
 */
WEFT_API bool weft_histogram_snapshot_next(const weft_histogram_snapshot *snapshot,
					   weft_histogram_bucket *bucket);

WEFT_END_DECLS

/* Private: the number of the leading one, from 0; of a number that is not 0. */
WEFT_INLINE unsigned weft_histogram_leading_(uint64_t value)
{
#if defined(__x86_64__)
	/* In one register: bsr also waits for what was in the one it writes, which in a loop may be
	 * the end of the last record: 4.6 ns in place of 2. */
	__asm__("bsrq %0, %0" : "+r"(value) : : "cc");
	return (unsigned)value;
#else
	return 63 - (unsigned)__builtin_clzll(value);
#endif
}

/* Private: the bucket of a number, were there no end of the range. */
WEFT_INLINE size_t weft_histogram_index_(uint64_t value, unsigned precision_bits)
{
	/* So many of the number's low bits do not matter: all but the leading one and
	 * precision_bits more. The bit that is set makes it none for small numbers. */
	unsigned shift =
		weft_histogram_leading_(value | (uint64_t)1 << precision_bits) - precision_bits;

	return ((size_t)shift << precision_bits) + (size_t)(value >> shift);
}

/*
 * Records a number that was seen so many times.
 * Threads: any, signal handlers too. Progress: wait-free, see (*) above.
 */
WEFT_INLINE void weft_histogram_record_many(weft_histogram *histogram, uint64_t value,
					    uint64_t count)
{
	size_t bucket = weft_histogram_index_(value, histogram->precision_bits_);

	if (WEFT_UNLIKELY(bucket > histogram->buckets_))
		bucket = histogram->buckets_;
	if (WEFT_UNLIKELY(!weft_per_cpu_add_(&histogram->restartable_, histogram->area_bytes_,
					     bucket * sizeof(int64_t), (int64_t)count)))
		weft_histogram_add_atomic_(histogram, bucket * sizeof(int64_t), count);
}

/* Records a number. Threads: any, signal handlers too. Progress: wait-free, see (*) above. */
WEFT_INLINE void weft_histogram_record(weft_histogram *histogram, uint64_t value)
{
	weft_histogram_record_many(histogram, value, 1);
}

#endif
