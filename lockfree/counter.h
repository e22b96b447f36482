/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_COUNTER_H
#define WEFT_LOCKFREE_COUNTER_H

/*
 * Counter that any number of threads add to at the price of a plain addition: one shard per CPU,
 * each on its own line.
 *
 * When not to use it: when it is read as often as it is added to (a read visits every shard), when
 * the new value is needed at the addition (an atomic integer), or by the million (a shard takes a
 * line per CPU).
 *
 * Source: an addition is a restartable sequence (see per_cpu.h), so that the CPU's shard needs no
 * atomic instruction. Where that is not to be had it is an atomic addition to a second word on the
 * shard of the current CPU: the two kinds never write one word, so both may run at the same time.
 *
 *     operation                            threads  progress            sleeps  allocates
 *     weft_counter_init, _fini             one      -                   no      init
 *     weft_counter_init_in                 one      -                   no      no
 *     weft_counter_memory_size             any      -                   no      no
 *     weft_counter_add, _subtract,         any      wait-free (*)       no      no
 *         _increment
 *     weft_counter_read                    any      wait-free, O(CPUs)  no      no
 *     weft_counter_reset                   any      lock-free (**),     no      no
 *                                                   O(CPUs)
 *
 *     (*) a sequence restarts only when its thread was off the CPU or had a signal meanwhile.
 *     (**) it starts again when another reset has come before it.
 *
 * Sums are modulo 2^64. A reset does not touch the shards: the counter is the sum of its shards
 * less a base, which a reset moves to the sum that it has found. Other threads go on adding; each
 * addition is in the sum of exactly one reset.
 *
 * Safe in signal handlers. A shard belongs to a CPU and not to a thread: a thread that ends loses
 * nothing. A library that inlines additions must not be unloaded while a thread that made one
 * still runs: the kernel may look at the sequence's descriptor once more.
 * Memory: a line of 128 bytes per configured CPU. It may be the caller's, for instance on a given
 * NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>, then weft_counter_init_in.
 */

#include <weft/lockfree/per_cpu.h>

typedef struct weft_counter_shard_ {
	/* Only restartable sequences on this shard's CPU write this, without an atomic one. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(int64_t) restartable;
	/* Any thread adds to this atomically; see weft_counter_add_atomic_. */
	WEFT_ATOMIC(int64_t) atomic;
} weft_counter_shard_;

static_assert(sizeof(weft_counter_shard_) == WEFT_CACHE_LINE, "a shard is one line");

typedef struct weft_counter {
	/* Constant between init and fini. */
	weft_per_cpu_ shards_;
	/* The sum that the last reset has found. Moved by exchanges, and rarely: it may share the
	 * line of what additions read. */
	WEFT_ATOMIC(int64_t) base_;
} weft_counter;

WEFT_BEGIN_DECLS

/*
 * Makes a counter of value 0, with a shard for every CPU that the machine is configured for.
 * Threads: one, before the counter is shared. Progress: allocates; asks the system for the number
 * of CPUs.
 * Returns 0, or -ENOMEM, and then *counter is left zeroed and weft_counter_fini may be called.
 */
WEFT_API int weft_counter_init(weft_counter *counter);

/* How many bytes weft_counter_init_in needs. Threads: any. Progress: asks the system for the number
 * of CPUs. */
WEFT_API size_t weft_counter_memory_size(void);

/*
 * As weft_counter_init, in memory of the caller, which stays the caller's: it must outlive the
 * counter, and weft_counter_fini does not free it.
 * Threads: one, before the counter is shared. Progress: touches the memory; asks the system for the
 * number of CPUs.
 * Returns 0; -EINVAL when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_counter_memory_size() bytes. Then it is not touched, and *counter is left zeroed.
 */
WEFT_API int weft_counter_init_in(weft_counter *counter, void *memory, size_t bytes);

/*
 * Frees the memory, if it is not the caller's.
 * Threads: one, after all others have stopped using the counter. A zeroed counter is allowed.
 */
WEFT_API void weft_counter_fini(weft_counter *counter);

/*
 * The sum of the additions since the last reset: of all that happened before the call, and perhaps
 * of some that run at the same time. While a reset runs, it may still have what that takes.
 * Threads: any. Progress: wait-free, one line per CPU.
 */
WEFT_API int64_t weft_counter_read(const weft_counter *counter);

/*
 * Takes what was counted since the last reset: of all additions that happened before the call and
 * of some that run at the same time, those that no reset has taken before.
 *
 * Several threads may reset at once, and each addition is taken by one of them. Only where amounts
 * of both signs are added as well, a reset that overlaps two or more others, the last of which
 * finds the very sum that had been the base before them, may give one of their additions back, to
 * be taken again later. What all resets have returned and a read is in any case the exact sum.
 * Threads: any. Progress: lock-free, see (**) above; one line per CPU.
 */
WEFT_API int64_t weft_counter_reset(weft_counter *counter);

/*
 * Whether additions of the calling thread are restartable sequences (true) or atomic additions.
 * Threads: any. Progress: wait-free.
 */
WEFT_API bool weft_counter_is_restartable(void);

/* Private: the addition where there are no restartable sequences. Cold, so that it stands out of
 * the way of those that are. */
WEFT_API WEFT_COLD void weft_counter_add_atomic_(weft_counter *counter, int64_t amount);

/* Private: a reset after which the counter is at `value`. Returns where it was. */
WEFT_API int64_t weft_counter_move_(weft_counter *counter, int64_t value);

WEFT_END_DECLS

/*
 * Adds the amount, which may be negative.
 * Threads: any, signal handlers too. Progress: wait-free, see (*) above.
 */
WEFT_INLINE void weft_counter_add(weft_counter *counter, int64_t amount)
{
	if (WEFT_UNLIKELY(!weft_per_cpu_add_line_(
		    &counter->shards_, offsetof(weft_counter_shard_, restartable), amount)))
		weft_counter_add_atomic_(counter, amount);
}

/*
 * Adds the amount with the opposite sign.
 * Threads: any, signal handlers too. Progress: wait-free, see (*) above.
 */
WEFT_INLINE void weft_counter_subtract(weft_counter *counter, int64_t amount)
{
	/* Modulo 2^64, also for INT64_MIN, which has no opposite. */
	weft_counter_add(counter, (int64_t)(0 - (uint64_t)amount));
}

/* Adds one. Threads: any, signal handlers too. Progress: wait-free, see (*) above. */
WEFT_INLINE void weft_counter_increment(weft_counter *counter)
{
	weft_counter_add(counter, 1);
}

#endif
