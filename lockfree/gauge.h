/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_GAUGE_H
#define WEFT_LOCKFREE_GAUGE_H

/*
 * Gauge: a level that any number of threads raise and lower (connections open, bytes in use), and a
 * high and a low mark of values that they record (the longest queue, the least memory that was
 * free). One shard per CPU for each of the two.
 *
 * When not to use it: when the new level is needed at the change, as for a limit, or for the peak
 * of the level itself: a sum of shards is known only to who reads it. An atomic integer has both;
 * record what its fetch_add returns. And for a value that is only ever set, a temperature, an
 * atomic integer that is stored to is all that it takes.
 *
 * Source: the level is a counter (counter.h). A mark is a maximum in each shard: a value that does
 * not exceed it costs a load and a comparison, and only one that does an exchange.
 *
 *     operation                            threads  progress            sleeps  allocates
 *     weft_gauge_init, _fini               one      -                   no      init
 *     weft_gauge_init_in                   one      -                   no      no
 *     weft_gauge_memory_size               any      -                   no      no
 *     weft_gauge_add, _subtract            any      wait-free (*)       no      no
 *     weft_gauge_read                      any      wait-free, O(CPUs)  no      no
 *     weft_gauge_set                       any      lock-free (**),     no      no
 *                                                   O(CPUs)
 *     weft_gauge_record                    any      lock-free (***)     no      no
 *     weft_gauge_high, _low                any      wait-free, O(CPUs)  no      no
 *     weft_gauge_reset_high, _reset_low    any      wait-free, O(CPUs)  no      no
 *
 *     (*) a restartable sequence, as in counter.h.
 *     (**) it starts again when another set has come before it.
 *     (***) a value that exceeds a mark is exchanged again when another thread has raised the mark
 * of this CPU meanwhile; so as often as there are larger values.
 *
 * Marks are exact: each value that was recorded counts in exactly one interval between two resets
 * of a mark, the one in which its record call is, or, for calls that overlap, either of the two.
 * The shards are looked at one after the other, and high and low are each their own: there is no
 * one moment at which an interval ends on all CPUs.
 *
 * Safe in signal handlers. Memory: two lines of 128 bytes per configured CPU. It may be the
 * caller's, for instance on a given NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>,
 * then weft_gauge_init_in.
 */

#include <weft/lockfree/counter.h>

/* What the marks are while nothing was recorded: what every value exceeds, or equals. */
#define WEFT_GAUGE_HIGH_NONE INT64_MIN
#define WEFT_GAUGE_LOW_NONE  INT64_MAX

typedef struct weft_gauge_marks_ {
	/*
	 * The largest value of those that were recorded on this shard's CPU, or by a thread that
	 * was there a moment before, since the last reset. relaxed: a mark orders nothing, and it
	 * is one atomic: of a value that happened before a reset the reset sees the mark that it
	 * made or found.
	 */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(int64_t) high;
	/* The smallest one. relaxed: as high. */
	WEFT_ATOMIC(int64_t) low;
} weft_gauge_marks_;

static_assert(sizeof(weft_gauge_marks_) == WEFT_CACHE_LINE, "a shard is one line");

typedef struct weft_gauge {
	weft_counter level_;
	/* Constant between init and fini. */
	weft_per_cpu_ marks_;
} weft_gauge;

WEFT_BEGIN_DECLS

/*
 * Makes a gauge of level 0 with nothing recorded, with shards for every CPU that the machine is
 * configured for.
 * Threads: one, before the gauge is shared. Progress: allocates; asks the system for the number of
 * CPUs.
 * Returns 0, or -ENOMEM, and then *gauge is left zeroed and weft_gauge_fini may be called.
 */
WEFT_API int weft_gauge_init(weft_gauge *gauge);

/* How many bytes weft_gauge_init_in needs. Threads: any. Progress: asks the system for the number
 * of CPUs. */
WEFT_API size_t weft_gauge_memory_size(void);

/*
 * As weft_gauge_init, in memory of the caller, which stays the caller's: it must outlive the gauge,
 * and weft_gauge_fini does not free it.
 * Threads: one, before the gauge is shared. Progress: touches the memory; asks the system for the
 * number of CPUs.
 * Returns 0; -EINVAL when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_gauge_memory_size() bytes. Then it is not touched, and *gauge is left zeroed.
 */
WEFT_API int weft_gauge_init_in(weft_gauge *gauge, void *memory, size_t bytes);

/*
 * Frees the memory, if it is not the caller's.
 * Threads: one, after all others have stopped using the gauge. A zeroed gauge is allowed.
 */
WEFT_API void weft_gauge_fini(weft_gauge *gauge);

/*
 * The level: exact once nobody changes it any more; else all changes that happened before the call
 * are in it, and perhaps some that run at the same time, so that it may be a level that there never
 * was. While a set runs, it may be off by what the set changes.
 * Threads: any. Progress: wait-free, one line per CPU.
 */
WEFT_API int64_t weft_gauge_read(const weft_gauge *gauge);

/*
 * Makes the level what is given: all changes that happened before the call are without effect
 * then, those that run at the same time may be. A set that overlaps other sets may count changes
 * from before them as if they had been made after it.
 * Threads: any. Progress: lock-free, see (**) above; one line per CPU.
 * Returns the level that was there before.
 */
WEFT_API int64_t weft_gauge_set(weft_gauge *gauge, int64_t level);

/*
 * The largest value that was recorded since the last weft_gauge_reset_high.
 * Threads: any. Progress: wait-free, one line per CPU.
 * Returns WEFT_GAUGE_HIGH_NONE when nothing was recorded.
 */
WEFT_API int64_t weft_gauge_high(const weft_gauge *gauge);

/* The smallest one since the last weft_gauge_reset_low, or WEFT_GAUGE_LOW_NONE. Threads: any.
 * Progress: as above. */
WEFT_API int64_t weft_gauge_low(const weft_gauge *gauge);

/*
 * Ends an interval of the high mark: the next one begins with nothing recorded.
 * Threads: any. Progress: wait-free, one line per CPU.
 * Returns the largest value that was recorded in the interval, or WEFT_GAUGE_HIGH_NONE. When
 * several threads reset at once, each value counts for one of them.
 */
WEFT_API int64_t weft_gauge_reset_high(weft_gauge *gauge);

/* The same for the low mark and the smallest value, or WEFT_GAUGE_LOW_NONE. Threads: any. */
WEFT_API int64_t weft_gauge_reset_low(weft_gauge *gauge);

/* Private: moves the marks of a shard that the value exceeds. */
WEFT_API WEFT_COLD void weft_gauge_move_marks_(weft_gauge_marks_ *marks, int64_t value);

WEFT_END_DECLS

/*
 * Raises the level by the amount, which may be negative.
 * Threads: any, signal handlers too. Progress: wait-free, see (*) above.
 */
WEFT_INLINE void weft_gauge_add(weft_gauge *gauge, int64_t amount)
{
	weft_counter_add(&gauge->level_, amount);
}

/* Lowers the level by the amount. Threads: any, signal handlers too. Progress: as weft_gauge_add.
 */
WEFT_INLINE void weft_gauge_subtract(weft_gauge *gauge, int64_t amount)
{
	weft_counter_subtract(&gauge->level_, amount);
}

/*
 * Records a value for the marks; the level has nothing to do with it.
 * Threads: any, signal handlers too. Progress: lock-free, see (***) above.
 */
WEFT_INLINE void weft_gauge_record(weft_gauge *gauge, int64_t value)
{
	weft_gauge_marks_ *marks =
		(weft_gauge_marks_ *)weft_per_cpu_near_(&gauge->marks_, sizeof(weft_gauge_marks_));

	/* relaxed: see the marks. One that has been reset meanwhile may be read: then this call
	 * overlaps the reset, and counts before it. */
	if (WEFT_UNLIKELY(value > atomic_load_explicit(&marks->high, memory_order_relaxed) ||
			  value < atomic_load_explicit(&marks->low, memory_order_relaxed)))
		weft_gauge_move_marks_(marks, value);
}

#endif
