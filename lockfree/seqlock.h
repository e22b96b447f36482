/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_SEQLOCK_H
#define WEFT_LOCKFREE_SEQLOCK_H

/*
 * A value of any size that one thread writes and any number of threads read: each read is a
 * snapshot, all of it from one write. Readers write nothing that others see, so they disturb
 * neither the writer nor each other.
 *
 * When not to use it: several writers (let them take turns at a lock of their own), values that are
 * written more often than read, values with something to free (rcu_ptr.h), or so large that a copy
 * takes longer than the time between two writes: then a read may be repeated for long.
 *
 * Source: the seqlock of Linux (Andrea Arcangeli and Stephen Hemminger, 2002), with the orders of
 * Hans Boehm's "Can seqlocks get along with programming language memory models?" (MSPC 2012). Here
 * the value is kept twice, and the writer fills in turn the copy that is not the newest: so a
 * writer that is stopped in the middle keeps no reader from the last value, which an ordinary
 * seqlock does, and a read is repeated only when a whole write came in between.
 *
 *     operation                 threads     progress       sleeps  allocates
 *     NAME_init                 one         -              no      no
 *     NAME_write                the writer  wait-free      no      no
 *     NAME_read                 any         lock-free (*)  no      no
 *     NAME_try_read             any         wait-free      no      no
 *     NAME_version              any         wait-free      no      no
 *
 *     (*) It repeats only when the writer has completed a write meanwhile.
 *
 * Safe in signal handlers, but for a write in a handler that interrupts a write. There is nothing
 * to clean up: the memory may be given back when nobody uses it any more. Memory: twice the value,
 * rounded up to 8 bytes, plus 8 bytes, in lines of 128 bytes.
 */

#include <string.h>

#include <weft/lockfree/base.h>

/* The largest value, in bytes. Larger things are better exchanged by pointer. */
#define WEFT_SEQLOCK_VALUE_MAX 1048576

/*
 * The value is kept in words that are atomic each, so that a read that overlaps a write is no data
 * race; it is noticed and repeated. The words of version v stand in copy v modulo 2.
 *   I1  only the writer changes the version, by one, after it has written the words of the new one;
 *   I2  the words of a version are overwritten only after the next version has been published.
 */
#define WEFT_SEQLOCK_WORDS_(bytes) (((bytes) + sizeof(uint64_t) - 1) / sizeof(uint64_t))

/*
 * relaxed: whoever reads a word finds out by the version whether it belongs to the others.
 * Unrolled, here and in the read: compilers leave a loop of atomics as it is, which takes twice as
 * long (weft bench seqlock/read_quiet).
 */
WEFT_INLINE void weft_seqlock_fill_(WEFT_ATOMIC(uint64_t) * words, const void *value, size_t bytes)
{
	const unsigned char *from = (const unsigned char *)value;
	size_t whole = bytes / sizeof(uint64_t);
	uint64_t word;

#pragma GCC unroll 16
	for (size_t i = 0; i < whole; i++) {
		memcpy(&word, from + i * sizeof(word), sizeof(word));
		atomic_store_explicit(&words[i], word, memory_order_relaxed);
	}
	if (bytes % sizeof(word) != 0) {
		word = 0;
		memcpy(&word, from + whole * sizeof(word), bytes % sizeof(word));
		atomic_store_explicit(&words[whole], word, memory_order_relaxed);
	}
}

WEFT_INLINE void weft_seqlock_write_core_(WEFT_ATOMIC(uint64_t) * version,
					  WEFT_ATOMIC(uint64_t) * words, const void *value,
					  size_t bytes)
{
	/* relaxed: only this thread writes it. */
	uint64_t next = atomic_load_explicit(version, memory_order_relaxed) + 1;

	/* W1 release, pairs with R2: who sees a word of this value sees the version before it too,
	 * and so that the words it came for are being overwritten (I2). */
	atomic_thread_fence(memory_order_release);
	weft_seqlock_fill_(words + next % 2 * WEFT_SEQLOCK_WORDS_(bytes), value, bytes);
	/* W2 release, pairs with R1: publishes the words, and what the writer did before. */
	atomic_store_explicit(version, next, memory_order_release);
}

/* Copies the newest value; returns whether it is whole. `seen` is then its version. */
WEFT_INLINE bool weft_seqlock_read_core_(const WEFT_ATOMIC(uint64_t) * version,
					 const WEFT_ATOMIC(uint64_t) * words, void *value,
					 size_t bytes, uint64_t *seen)
{
	unsigned char *to = (unsigned char *)value;
	size_t whole = bytes / sizeof(uint64_t);
	uint64_t word;

	/* R1 acquire, pairs with W2: the words of this version, or later ones. */
	*seen = atomic_load_explicit(version, memory_order_acquire);
	words += *seen % 2 * WEFT_SEQLOCK_WORDS_(bytes);
	/* relaxed: R2 tells whether they belong together. */
#pragma GCC unroll 16
	for (size_t i = 0; i < whole; i++) {
		word = atomic_load_explicit(&words[i], memory_order_relaxed);
		memcpy(to + i * sizeof(word), &word, sizeof(word));
	}
	if (bytes % sizeof(word) != 0) {
		word = atomic_load_explicit(&words[whole], memory_order_relaxed);
		memcpy(to + whole * sizeof(word), &word, bytes % sizeof(word));
	}
	/* R2 acquire, pairs with W1: had one of the words been overwritten, the version that is
	 * looked at next would be another. */
	atomic_thread_fence(memory_order_acquire);
	/* relaxed: R2 precedes it. */
	return atomic_load_explicit(version, memory_order_relaxed) == *seen;
}

WEFT_INLINE uint64_t weft_seqlock_version_(const WEFT_ATOMIC(uint64_t) * version)
{
	/* relaxed: a number; who wants the value reads it. */
	return atomic_load_explicit(version, memory_order_relaxed);
}

/*
 * WEFT_SEQLOCK_DEFINE(price, struct quote) makes the type `price`, which holds a struct quote, and
 * the functions below. The type is copied byte by byte; in C++ it must be trivially copyable.
 *
 *   void price_init(price *lock, const struct quote *value)
 *	The first value, which has version 0. Threads: one, before it is shared.
 *   void price_write(price *lock, const struct quote *value)
 *	Makes it the newest value. Threads: the writer. Progress: wait-free.
 *   uint64_t price_read(const price *lock, struct quote *value)
 *	Copies the newest value and returns its version; what the writer did before that write is
 *	visible. Threads: any. Progress: lock-free, see (*) above.
 *   bool price_try_read(const price *lock, struct quote *value)
 *	The same in one attempt: false when a write came in between, and *value then means nothing.
 *	Threads: any. Progress: wait-free.
 *   uint64_t price_version(const price *lock)
 *	How many writes there have been, modulo 2^64: tells cheaply whether a value that was read is
 *	still the newest. Threads: any. Progress: wait-free.
 */
#define WEFT_SEQLOCK_DEFINE(name, type)                                                            \
	typedef struct name {                                                                      \
		/* Written by the writer, as are the words. */                                     \
		WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) version_;                                  \
		WEFT_ATOMIC(uint64_t) words_[2 * WEFT_SEQLOCK_WORDS_(sizeof(type))];               \
	} name;                                                                                    \
	WEFT_INLINE void name##_init(name *lock, const type *value)                                \
	{                                                                                          \
		memset((void *)lock, 0, sizeof(*lock));                                            \
		weft_seqlock_fill_(lock->words_, value, sizeof(type));                             \
	}                                                                                          \
	WEFT_INLINE void name##_write(name *lock, const type *value)                               \
	{                                                                                          \
		weft_seqlock_write_core_(&lock->version_, lock->words_, value, sizeof(type));      \
	}                                                                                          \
	WEFT_INLINE bool name##_try_read(const name *lock, type *value)                            \
	{                                                                                          \
		uint64_t seen;                                                                     \
		return weft_seqlock_read_core_(&lock->version_, lock->words_, value, sizeof(type), \
					       &seen);                                             \
	}                                                                                          \
	WEFT_INLINE uint64_t name##_read(const name *lock, type *value)                            \
	{                                                                                          \
		uint64_t seen;                                                                     \
		while (WEFT_UNLIKELY(!weft_seqlock_read_core_(&lock->version_, lock->words_,       \
							      value, sizeof(type), &seen)))        \
			weft_cpu_relax();                                                          \
		return seen;                                                                       \
	}                                                                                          \
	WEFT_INLINE uint64_t name##_version(const name *lock)                                      \
	{                                                                                          \
		return weft_seqlock_version_(&lock->version_);                                     \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_SEQLOCK_VALUE_MAX, "value too large")

#endif
