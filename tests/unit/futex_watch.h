/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_FUTEX_WATCH_H
#define WEFT_TESTS_FUTEX_WATCH_H

/*
 * For tests of what sleeps. The linker (--wrap=syscall --wrap=clock_gettime) sends the library's
 * futex calls and its looks at the clock through here: they are counted, and a test can act at the
 * one instant that matters (between the announcement to sleep and the sleep, between the last look
 * at the word and the look at the clock), so that no test hopes for a race.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct futex_watch {
	/* What the test has them do. Set while no other thread runs. */

	/* Called before each futex wait, with its number from 1; false: do not sleep, be "woken".
	 */
	bool (*before_wait)(long nth);
	/* Called before each look at the clock. */
	void (*before_clock)(void);
	/* What the clock says; 0: the time. So a deadline passes when a test says so. */
	uint64_t clock_ns;

	/* What they did. */

	atomic_long waits;       /* futex waits entered */
	atomic_long interrupted; /* futex waits that a signal ended */
	atomic_long wakes;       /* futex wakes entered */
	atomic_long woken;       /* threads that futex wakes have woken */
} futex_watch;

extern futex_watch futex_watched;

/* Nothing set, nothing counted; for cmocka_unit_test_setup. Returns 0. */
int futex_watch_reset(void **state);

/* The calling thread's number, for the next. */
int futex_watch_thread(void);

/* Returns once this many futex waits were entered and the thread is asleep, in the last of them. */
void futex_watch_until_asleep(const _Atomic(int) *thread, long waits);

#endif
