/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/sync/park.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	PARKER_EMPTY = 0,
	PARKER_TOKEN = 1,
	PARKER_ASLEEP = 2,
	/* Looks at the word between two looks at the clock: a look costs a few nanoseconds, the
	 * clock 20 to 30 and the pause up to 40, so that the budget is kept within a microsecond.
	 */
	LOOKS_PER_CLOCK = 8,
};

/* Sleeps while *word == value. Returns on a wake, a signal, a change or the deadline. */
static void futex_wait(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, weft_deadline deadline)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline / WEFT_SECONDS),
		.tv_nsec = (long)(deadline % WEFT_SECONDS),
	};

	/* The bitset form takes an absolute time on CLOCK_MONOTONIC. Whatever it returns, the
	 * caller looks at the word and the clock again. */
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
		deadline == WEFT_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* Spins while *word == value, for the budget or to the deadline. Returns the word as last seen. */
static uint32_t spin_while(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
			   weft_deadline deadline)
{
	/* W1 acquire, pairs with W2: what happened before the change is visible. */
	uint32_t seen = atomic_load_explicit(word, memory_order_acquire);

	if (seen != value || spin_ns == 0 || deadline == WEFT_NOW)
		return seen;

	weft_deadline end = weft_after(spin_ns);

	if (deadline < end)
		end = deadline;
	do {
		for (int look = 0; look < LOOKS_PER_CLOCK; look++) {
			weft_cpu_relax();
			/* W3 acquire, pairs with W2: as W1. */
			seen = atomic_load_explicit(word, memory_order_acquire);
			if (seen != value)
				return seen;
		}
	} while (weft_now() < end);
	return seen;
}

int weft_park_while(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
		    weft_deadline deadline)
{
	uint32_t seen = spin_while(word, value, spin_ns, deadline);
	bool late = false;

	while (seen == value && !late) {
		/* The clock before the word: who was preempted between the two must not call the
		 * word unchanged from a look of long before the deadline. */
		late = deadline == WEFT_NOW || (deadline != WEFT_FOREVER && weft_now() >= deadline);
		if (!late)
			futex_wait(word, value, deadline);
		/* W4 acquire, pairs with W2: as W1. */
		seen = atomic_load_explicit(word, memory_order_acquire);
	}
	return seen == value ? -ETIMEDOUT : 0;
}

void weft_park_wake(const WEFT_ATOMIC(uint32_t) * word, int32_t count)
{
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}

int weft_parker_park(weft_parker *parker, uint64_t spin_ns, weft_deadline deadline)
{
	uint32_t seen = spin_while(&parker->state_, PARKER_EMPTY, spin_ns, deadline);

	if (seen == PARKER_EMPTY && deadline != WEFT_NOW) {
		/* Say that the waker must enter the kernel, unless the token has come meanwhile.
		 * relaxed: W6 below takes the token with acquire. */
		if (atomic_compare_exchange_strong_explicit(&parker->state_, &seen, PARKER_ASLEEP,
							    memory_order_relaxed,
							    memory_order_relaxed))
			weft_park_while(&parker->state_, PARKER_ASLEEP, 0, deadline);
	}
	/* W6 acquire, pairs with W2: takes the token if there is one by now, deadline or not. */
	seen = atomic_exchange_explicit(&parker->state_, PARKER_EMPTY, memory_order_acquire);
	return seen == PARKER_TOKEN ? 0 : -ETIMEDOUT;
}

void weft_parker_unpark(weft_parker *parker)
{
	/* W2 release, pairs with W1, W3, W4, W6: what happened before is the waiter's to see. */
	uint32_t seen =
		atomic_exchange_explicit(&parker->state_, PARKER_TOKEN, memory_order_release);

	if (seen == PARKER_ASLEEP)
		weft_park_wake(&parker->state_, 1);
}
