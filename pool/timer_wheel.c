/* SPDX-License-Identifier: Apache-2.0 */
#include "timer_wheel.h"

static_assert(WEFT_TIMER_TICK_BITS_ + WEFT_TIMER_LEVELS_ * WEFT_TIMER_SLOT_BITS_ >= 64,
	      "there is a slot for each deadline");

enum {
	NOWHERE = WEFT_TIMER_LEVELS_ * WEFT_TIMER_SLOTS_
};

/* Puts a timer that is not overdue into its slot. */
static void place(weft_timer_wheel_ *wheel, weft_timer_ *timer)
{
	unsigned highest = 63 - (unsigned)__builtin_clzll((timer->tick ^ wheel->now) | 1);
	unsigned level = highest / WEFT_TIMER_SLOT_BITS_;
	unsigned slot =
		(unsigned)(timer->tick >> (level * WEFT_TIMER_SLOT_BITS_)) % WEFT_TIMER_SLOTS_;
	weft_timer_ **head = &wheel->slot[level * WEFT_TIMER_SLOTS_ + slot];

	timer->place = level * WEFT_TIMER_SLOTS_ + slot;
	timer->next = *head;
	timer->link = head;
	if (timer->next != NULL)
		timer->next->link = &timer->next;
	*head = timer;
	wheel->used[level] |= (uint64_t)1 << slot;
}

void weft_timer_wheel_add_(weft_timer_wheel_ *wheel, weft_timer_ *timer, weft_deadline deadline)
{
	uint64_t tick = deadline >> WEFT_TIMER_TICK_BITS_;

	/* The first tick that is not before the deadline, or the last there is. */
	if ((deadline & (((uint64_t)1 << WEFT_TIMER_TICK_BITS_) - 1)) != 0 &&
	    tick < UINT64_MAX >> WEFT_TIMER_TICK_BITS_)
		tick++;
	/* What is due already expires with the next tick. */
	timer->tick = tick > wheel->now ? tick : wheel->now + 1;
	place(wheel, timer);
	wheel->count++;
}

void weft_timer_wheel_remove_(weft_timer_wheel_ *wheel, weft_timer_ *timer)
{
	unsigned at = timer->place;

	if (timer->link == NULL)
		return;
	*timer->link = timer->next;
	if (timer->next != NULL)
		timer->next->link = timer->link;
	timer->link = NULL;
	wheel->count--;
	if (wheel->slot[at] == NULL)
		wheel->used[at / WEFT_TIMER_SLOTS_] &= ~((uint64_t)1 << at % WEFT_TIMER_SLOTS_);
}

/* The slot that comes due first, and at which tick; or NOWHERE. */
static unsigned first_slot(const weft_timer_wheel_ *wheel, uint64_t *tick)
{
	for (unsigned level = 0; level < WEFT_TIMER_LEVELS_; level++) {
		if (wheel->used[level] == 0)
			continue;

		unsigned slot = (unsigned)__builtin_ctzll(wheel->used[level]);
		unsigned shift = level * WEFT_TIMER_SLOT_BITS_;

		/* The higher bits are those of now: a timer for which they differ is higher up. */
		*tick = ((wheel->now >> shift & ~(uint64_t)(WEFT_TIMER_SLOTS_ - 1)) | slot)
			<< shift;
		return level * WEFT_TIMER_SLOTS_ + slot;
	}
	return NOWHERE;
}

weft_timer_ *weft_timer_wheel_expire_(weft_timer_wheel_ *wheel, weft_deadline now)
{
	uint64_t end = now >> WEFT_TIMER_TICK_BITS_, tick;
	unsigned at;

	while ((at = first_slot(wheel, &tick)) != NOWHERE && tick <= end) {
		weft_timer_ *timer = wheel->slot[at];

		wheel->now = tick;
		if (at < WEFT_TIMER_SLOTS_) {
			weft_timer_wheel_remove_(wheel, timer);
			return timer;
		}
		/* Its timers now have these bits in common with now, too: they go further down. */
		wheel->slot[at] = NULL;
		wheel->used[at / WEFT_TIMER_SLOTS_] &= ~((uint64_t)1 << at % WEFT_TIMER_SLOTS_);
		while (timer != NULL) {
			weft_timer_ *next = timer->next;

			place(wheel, timer);
			timer = next;
		}
	}
	if (end > wheel->now)
		wheel->now = end;
	return NULL;
}

weft_deadline weft_timer_wheel_next_(const weft_timer_wheel_ *wheel)
{
	uint64_t tick;

	if (first_slot(wheel, &tick) == NOWHERE)
		return WEFT_FOREVER;
	return tick << WEFT_TIMER_TICK_BITS_;
}
