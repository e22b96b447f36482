/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_PACE_H
#define WEFT_POOL_PACE_H

/*
 * Private: how quickly a worker comes back for more when it lives on what other threads hand over
 * while it looks.
 *
 * A worker at the heels of another thread takes its tasks one by one as they come, and for each of
 * them both wait for the same few lines. When it lets the other get ahead for a moment, it finds a
 * batch. But a thread that hands over a task now and then, or waits for the end of each before it
 * submits the next, must not be kept waiting, and looks the same. So rests are experiments: the
 * worker compares how many tasks it gets in a while with longer rests and with shorter ones. Longer
 * ones stay only while they bring clearly more, shorter ones unless they bring clearly less. What
 * comes at a rate of its own is thus taken with the shortest rests by which the worker keeps up,
 * mostly none; what comes as fast as it is taken, with those beyond which there is little to gain.
 */

#include <weft/lockfree/base.h>
#include <weft/sync/deadline.h>

/* The worker's own. Zeroed, it is at its beginning. */
typedef struct weft_pace_ {
	uint32_t looks;      /* since the last take */
	uint32_t takes;      /* in quick succession, since the measurement began */
	uint32_t measured;   /* so many of them are one measurement; 0: none has begun */
	uint32_t tasks;      /* taken by them */
	uint32_t rest;       /* pauses after each take */
	uint32_t settled;    /* the rest outside of experiments */
	uint32_t patience;   /* the takes between two experiments, beyond the least */
	bool shortens;       /* whether the next experiment is made with a shorter rest */
	bool tries;          /* an experiment is being made */
	uint64_t begin_ns;   /* of the measurement */
	uint64_t settled_ns; /* 1024 times the time for a task outside of experiments */
} weft_pace_;

/* Takes further apart than so many looks, about a microsecond, are not quick. */
#define WEFT_PACE_QUICK_LOOKS_ 8

/* At the end of a measurement: decides what is measured next, and with which rest. */
void weft_pace_decide_(weft_pace_ *pace);

/* Before the worker looks for what others hand over, having nothing of its own. */
WEFT_INLINE void weft_pace_before_take_(weft_pace_ *pace)
{
	if (pace->looks++ != 0 || pace->takes == 0)
		return;
	if (WEFT_UNLIKELY(pace->takes >= pace->measured))
		weft_pace_decide_(pace);
	for (uint32_t i = 0; i < pace->rest; i++)
		weft_cpu_relax();
}

/* It has taken so many tasks. */
WEFT_INLINE void weft_pace_after_take_(weft_pace_ *pace, size_t tasks)
{
	bool is_quick = pace->looks <= WEFT_PACE_QUICK_LOOKS_;

	pace->looks = 0;
	if (WEFT_UNLIKELY(!is_quick)) {
		pace->takes = pace->measured = 0;
		pace->rest = pace->settled = 0;
		pace->tries = false;
		return;
	}
	pace->takes++;
	pace->tasks += (uint32_t)tasks;
}

#endif
