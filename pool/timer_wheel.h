/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_TIMER_WHEEL_H
#define WEFT_POOL_TIMER_WHEEL_H

/*
 * Private: the deadlines of one worker's suspended tasks. To add one and to take it back cost a few
 * nanoseconds each, however many there are; neither allocates.
 *
 * Time goes in ticks of about a microsecond. A timer stands in the slot of its tick at level 0 when
 * only the lowest six bits of the tick differ from those of now; at level 1 when it is the next six
 * bits; and so on. As time goes on a slot of a higher level comes due, and its timers move to lower
 * ones, each at most once for each level. A timer never expires early, and at most a tick late.
 *
 * Source: hierarchical timing wheels (Varghese and Lauck, 1987).
 *
 * All calls are the worker's.
 */

#include <weft/lockfree/base.h>
#include <weft/sync/deadline.h>

enum {
	WEFT_TIMER_TICK_BITS_ = 10, /* of nanoseconds */
	WEFT_TIMER_SLOT_BITS_ = 6,
	WEFT_TIMER_SLOTS_ = 1 << WEFT_TIMER_SLOT_BITS_,
	WEFT_TIMER_LEVELS_ = 9,
};

typedef struct weft_timer_ {
	struct weft_timer_ *next;
	struct weft_timer_ **link; /* what points here, or NULL: not in a wheel */
	uint64_t tick;
	unsigned place; /* its level and slot */
} weft_timer_;

/* Valid when zeroed: no timers, at the beginning of time. */
typedef struct weft_timer_wheel_ {
	uint64_t now; /* in ticks; what is due by then has expired */
	size_t count;
	uint64_t used[WEFT_TIMER_LEVELS_]; /* bit i: slot i is not empty */
	weft_timer_ *slot[WEFT_TIMER_LEVELS_ * WEFT_TIMER_SLOTS_];
} weft_timer_wheel_;

/* Adds a timer that is in no wheel. */
void weft_timer_wheel_add_(weft_timer_wheel_ *wheel, weft_timer_ *timer, weft_deadline deadline);

/* Takes a timer out, if it is in the wheel. */
void weft_timer_wheel_remove_(weft_timer_wheel_ *wheel, weft_timer_ *timer);

/* Goes on to this time. Returns a timer that has expired, out of the wheel; the earlier ones first;
 * NULL when there is no other. */
weft_timer_ *weft_timer_wheel_expire_(weft_timer_wheel_ *wheel, weft_deadline now);

/* When to look again: no timer expires before. WEFT_FOREVER when there is none. */
weft_deadline weft_timer_wheel_next_(const weft_timer_wheel_ *wheel);

#endif
