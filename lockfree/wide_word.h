/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_WIDE_WORD_H
#define WEFT_LOCKFREE_WIDE_WORD_H

/*
 * Two words that are exchanged as one: a pointer, and a tag that tells whether it is still the
 * same.
 *
 * Not for programs: include the header of the thing you use.
 *
 * The exchange of both is one instruction, cmpxchg16b (in every x86-64 processor since 2006), or a
 * pair of exclusive ones on aarch64; written by hand, since for it the compilers call a library
 * that may take a lock. A load is two loads of one word each, the high word first, and another
 * thread's exchange may come between.
 *
 * ThreadSanitizer and the model checker do not see into an instruction written by hand. What is
 * compiled for them uses the standard functions on one object of 128 bits, and does the same. (With
 * clang on x86-64 that wants -mcx16.)
 */

#include <weft/lockfree/base.h>

#ifdef __has_feature
#define WEFT_WIDE_FEATURE_(name) __has_feature(name)
#else
#define WEFT_WIDE_FEATURE_(name) 0
#endif
#if defined(__SANITIZE_THREAD__) ||                                                                \
	(WEFT_WIDE_FEATURE_(thread_sanitizer) &&                                                   \
	 (defined(__aarch64__) || defined(__GCC_HAVE_SYNC_COMPARE_AND_SWAP_16)))
#define WEFT_WIDE_STANDARD_ 1
#else
#define WEFT_WIDE_STANDARD_ 0
#endif

#if !defined(__x86_64__) && !defined(__aarch64__)
#error "weft runs on x86-64 and aarch64"
#endif

typedef struct weft_wide_word_ {
	WEFT_ATOMIC(uint64_t) low __attribute__((aligned(16)));
	WEFT_ATOMIC(uint64_t) high;
} weft_wide_word_;

static_assert(sizeof(weft_wide_word_) == 16, "what one instruction exchanges");

typedef struct weft_wide_value_ {
	uint64_t low, high;
} weft_wide_value_;

#if WEFT_WIDE_STANDARD_

__extension__ typedef unsigned __int128 weft_wide_integer_;

WEFT_INLINE weft_wide_integer_ weft_wide_integer_of_(uint64_t low, uint64_t high)
{
	return (weft_wide_integer_)high << 64 | low;
}

WEFT_INLINE uint64_t weft_wide_load_low_(const weft_wide_word_ *word)
{
	/* W1 acquire, pairs with W2, W3: sees what preceded the exchange. */
	return (uint64_t)atomic_load_explicit(
		(const WEFT_ATOMIC(weft_wide_integer_) *)(const void *)word, memory_order_acquire);
}

WEFT_INLINE weft_wide_value_ weft_wide_load_(const weft_wide_word_ *word)
{
	/* W4 acquire, pairs with W2, W3: the low word, loaded next, is not older than this. */
	weft_wide_integer_ both = atomic_load_explicit(
		(const WEFT_ATOMIC(weft_wide_integer_) *)(const void *)word, memory_order_acquire);
	weft_wide_value_ value = {weft_wide_load_low_(word), (uint64_t)(both >> 64)};

	return value;
}

WEFT_INLINE bool weft_wide_exchange_(weft_wide_word_ *word, weft_wide_value_ expected,
				     weft_wide_value_ desired)
{
	weft_wide_integer_ both = weft_wide_integer_of_(expected.low, expected.high);

	/* W2 release, pairs with W1, W4, W5, W6: publishes what precedes it. What was expected has
	 * been loaded, so that acquiring it again would give nothing.
	 * relaxed: after a failure the caller loads again. */
	return atomic_compare_exchange_strong_explicit(
		(WEFT_ATOMIC(weft_wide_integer_) *)(void *)word, &both,
		weft_wide_integer_of_(desired.low, desired.high), memory_order_release,
		memory_order_relaxed);
}

/* relaxed: the load only says what to leave in the high word. */
WEFT_INLINE bool weft_wide_exchange_low_(weft_wide_word_ *word, uint64_t expected, uint64_t desired)
{
	weft_wide_integer_ both = atomic_load_explicit(
		(WEFT_ATOMIC(weft_wide_integer_) *)(void *)word, memory_order_relaxed);
	bool done = false;

	while (!done && (uint64_t)both == expected) {
		/* W3 release, pairs with W1, W4, W5, W6: publishes what precedes it. */
		done = atomic_compare_exchange_strong_explicit(
			(WEFT_ATOMIC(weft_wide_integer_) *)(void *)word, &both,
			weft_wide_integer_of_(desired, (uint64_t)(both >> 64)),
			memory_order_release, memory_order_relaxed);
	}
	return done;
}

#else

/* Acquires. */
WEFT_INLINE uint64_t weft_wide_load_low_(const weft_wide_word_ *word)
{
	/* W5 acquire, pairs with W2, W3, W7: sees what preceded the exchange. */
	return atomic_load_explicit(&word->low, memory_order_acquire);
}

/* The high word as it was, and the low word as it was then or later. Acquires. */
WEFT_INLINE weft_wide_value_ weft_wide_load_(const weft_wide_word_ *word)
{
	/* W6 acquire, pairs with W2, W3, W7: the low word, loaded next, is not older than this. */
	uint64_t high = atomic_load_explicit(&word->high, memory_order_acquire);
	weft_wide_value_ value = {weft_wide_load_low_(word), high};

	return value;
}

/* Puts `desired` in the place of `expected`; false when something else is there. Releases. */
WEFT_INLINE bool weft_wide_exchange_(weft_wide_word_ *word, weft_wide_value_ expected,
				     weft_wide_value_ desired)
{
#if defined(__x86_64__)
	bool done;

	__asm__ __volatile__("lock cmpxchg16b %[word]"
			     : "=@ccz"(done), [word] "+m"(*word), "+a"(expected.low),
			       "+d"(expected.high)
			     : "b"(desired.low), "c"(desired.high)
			     : "memory");
	return done;
#else
	uint64_t low, high;
	uint32_t lost;

	__asm__ __volatile__(
		"1:\n\t"
		"ldxp %[low], %[high], %[word]\n\t"
		"mov %w[lost], #1\n\t"
		"cmp %[low], %[was_low]\n\t"
		"ccmp %[high], %[was_high], #0, eq\n\t"
		"b.ne 2f\n\t"
		"stlxp %w[lost], %[to_low], %[to_high], %[word]\n\t"
		"cbnz %w[lost], 1b\n"
		"2:"
		: [low] "=&r"(low), [high] "=&r"(high), [lost] "=&r"(lost), [word] "+Q"(*word)
		: [was_low] "r"(expected.low), [was_high] "r"(expected.high),
		  [to_low] "r"(desired.low), [to_high] "r"(desired.high)
		: "cc", "memory");
	return lost == 0;
#endif
}

/* Puts `desired` in the place of `expected` in the low word, whatever the high one is. Releases. */
WEFT_INLINE bool weft_wide_exchange_low_(weft_wide_word_ *word, uint64_t expected, uint64_t desired)
{
	/* W7 release, pairs with W5, W6: publishes what precedes it.
	 * relaxed: after a failure the caller loads again. */
	return atomic_compare_exchange_strong_explicit(&word->low, &expected, desired,
						       memory_order_release, memory_order_relaxed);
}

#endif

#endif
