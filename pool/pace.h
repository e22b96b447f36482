/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_PACE_H
#define WEFT_POOL_PACE_H

/*
 * Private: how quickly a worker comes back for more when it lives on what other threads hand over
 * while it looks.
 *
 * A worker at the heels of another thread takes its tasks one by one as they come, and for each of
 * them both wait for the same few lines. When it lets the other get ahead for a microsecond, it
 * finds a batch. But a thread that waits for the end of each task before it submits the next must
 * not be kept waiting, and looks the same. So a rest is an experiment: it is made after several
 * small takes in quick succession, again and again as long as there was more than one task after
 * it, and ever less often when there was one.
 */

#include <weft/lockfree/base.h>
#include <weft/sync/deadline.h>

/* The worker's own. Zeroed, it is at its beginning. */
typedef struct weft_pace_ {
	uint32_t looks;       /* since the last take */
	uint32_t quick_takes; /* small ones, in succession */
	uint32_t patience;    /* so many quick takes before the next rest, beyond one */
	bool has_rested;      /* since the last take */
} weft_pace_;

enum {
	/* A take of so many tasks is not small. */
	WEFT_PACE_BATCH_ = 8,
	/* Takes further apart than so many looks, about two microseconds, are not quick. */
	WEFT_PACE_QUICK_LOOKS_ = 8,
	WEFT_PACE_PATIENCE_MAX_ = 255,
};

/* Before the worker looks for what others hand over, having nothing of its own. */
WEFT_INLINE void weft_pace_before_take_(weft_pace_ *pace)
{
	pace->looks++;
	if (WEFT_LIKELY(pace->quick_takes <= pace->patience))
		return;
	weft_cpu_yield_line_();
	pace->quick_takes = 0;
	pace->has_rested = true;
}

/* It has taken so many tasks. */
WEFT_INLINE void weft_pace_after_take_(weft_pace_ *pace, size_t tasks)
{
	bool quick = pace->looks <= WEFT_PACE_QUICK_LOOKS_;

	pace->looks = 0;
	if (pace->has_rested) {
		pace->has_rested = false;
		pace->patience = tasks > 1 ? 0 : 2 * pace->patience + 7;
		if (pace->patience > WEFT_PACE_PATIENCE_MAX_)
			pace->patience = WEFT_PACE_PATIENCE_MAX_;
	}
	pace->quick_takes = quick && tasks < WEFT_PACE_BATCH_ ? pace->quick_takes + 1 : 0;
}

#endif
