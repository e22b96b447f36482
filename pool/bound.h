/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_BOUND_H
#define WEFT_POOL_BOUND_H

/*
 * Private: how many tasks a bounded pool has accepted that have not begun, and the threads that
 * wait until there is room.
 *
 * They are woken when half of the room is free or all of it: not at each beginning, and whoever
 * waits for room for many at once is woken when there is as much as there will ever be. They are
 * also woken when the pool closes: see submit.c, which waits by `room`.
 */

#include <weft/lockfree/base.h>
#include <weft/sync/eventcount.h>

typedef struct weft_bound_ {
	uint32_t limit; /* constant; 0: there is none */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) queued;
	weft_eventcount room;
} weft_bound_;

/* Counts so many tasks. Threads: any. Progress: lock-free. Returns false when there is no room. */
bool weft_bound_try_enter_(weft_bound_ *bound, uint32_t tasks);

/* So many tasks have begun, or were not accepted after all. Threads: any. Progress: wait-free. */
void weft_bound_leave_(weft_bound_ *bound, uint32_t tasks);

#endif
