/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/base.h>

/*
 * Losers of an exchange wait in turn. Each books a stretch of time in which it may come back and
 * the others stay away, after the last one that is booked; so each has the line to itself for as
 * long as it takes to get many operations done, and the wait is in proportion to the number of
 * those who want the line, whatever a pause takes on the machine. What is booked passes by itself:
 * nobody has to take anything back, and a thread that stops holds up no one.
 *
 * A line that nobody has lost lately is not contended: two threads have met there by chance, and
 * the loser tries again at once.
 */

enum {
	/* So long that many operations, of 5 to 10 ns each, make up for the line's way to and fro,
	 * of 100 to 500 ns. */
	STRETCH_NS = 4000,
	/* Somebody who does not come back for so many stretches is not waited for. */
	STRETCHES_MAX = 128,
	LINES = 64,
	PAUSES_PER_LOOK = 8,
};

/* Until when a line is booked, on the monotonic clock. Lines with the same place share it, and wait
 * longer than they need. */
static struct {
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) until_ns;
} booked[LINES];

/* relaxed: a guess. When two threads book at once they may get the same stretch. */
void weft_cpu_stand_back_(const volatile void *line)
{
	/* Spreads neighbours and powers of two alike (Fibonacci hashing). */
	uint64_t place = (uintptr_t)line / WEFT_CACHE_LINE * 0x9e3779b97f4a7c15;
	WEFT_ATOMIC(uint64_t) *booked_until = &booked[place >> 58].until_ns;
	uint64_t now = weft_clock_ns_();
	uint64_t until = atomic_load_explicit(booked_until, memory_order_relaxed);

	if (until + STRETCH_NS < now) {
		atomic_store_explicit(booked_until, now, memory_order_relaxed);
		return;
	}
	if (until < now)
		until = now;
	else if (until > now + (uint64_t)STRETCHES_MAX * STRETCH_NS)
		until = now + (uint64_t)STRETCHES_MAX * STRETCH_NS;
	until += STRETCH_NS;
	atomic_store_explicit(booked_until, until, memory_order_relaxed);
	do {
		for (int i = 0; i < PAUSES_PER_LOOK; i++)
			weft_cpu_relax();
	} while (weft_clock_ns_() < until);
}
