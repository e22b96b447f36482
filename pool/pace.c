/* SPDX-License-Identifier: Apache-2.0 */
#include "pace.h"

enum {
	/* The least takes of a measurement; and of an experiment with rests where there are none,
	 * which is short lest it be noticed. */
	TAKES = 16,
	TAKES_OF_FIRST_REST = 2,
	/* The most takes beyond that between two experiments. */
	PATIENCE_MAX = 496,
	/* The shortest and the longest rest, in pauses: 0.1 to 1.5 microseconds, or 3. */
	REST_MIN = 4,
	REST_MAX = 64,
	/* What is more by one part of so many is clearly more. */
	CLEARLY = 16,
};

static void begin(weft_pace_ *pace, uint32_t rest, uint32_t takes, uint64_t now)
{
	pace->rest = rest;
	pace->measured = takes;
	pace->takes = pace->tasks = 0;
	pace->begin_ns = now;
}

/* The rest of the next experiment. */
static uint32_t other_rest(weft_pace_ *pace)
{
	if (pace->settled == 0)
		pace->shortens = false;
	else if (pace->settled == REST_MAX)
		pace->shortens = true;
	if (pace->shortens)
		return pace->settled > REST_MIN ? pace->settled / 2 : 0;
	return pace->settled > 0 ? pace->settled * 2 : REST_MIN;
}

/*
 * After an experiment in vain. Where shorter rests are just not enough, what is not taken in time
 * waits for longer ones, so those are tried at once, and shorter ones seldom.
 */
static uint32_t patience(const weft_pace_ *pace)
{
	uint32_t longer = 2 * pace->patience + TAKES;

	if (pace->settled == 0)
		return longer < PATIENCE_MAX ? longer : PATIENCE_MAX;
	return pace->shortens || pace->settled == REST_MAX ? PATIENCE_MAX : 0;
}

void weft_pace_decide_(weft_pace_ *pace)
{
	uint64_t now = weft_now();
	uint64_t task_ns = (now - pace->begin_ns) * 1024 / (pace->tasks > 0 ? pace->tasks : 1);
	uint64_t clearly_ns = pace->settled_ns / CLEARLY;
	bool is_better;

	if (pace->measured == 0) {
		begin(pace, pace->settled, TAKES, now);
		return;
	}
	if (!pace->tries) {
		pace->tries = true;
		pace->settled_ns = task_ns;
		begin(pace, other_rest(pace), pace->settled == 0 ? TAKES_OF_FIRST_REST : TAKES,
		      now);
		return;
	}
	is_better = pace->shortens ? task_ns < pace->settled_ns + clearly_ns
				   : task_ns + clearly_ns < pace->settled_ns;
	pace->tries = false;
	if (is_better) {
		pace->settled = pace->rest;
		pace->patience = 0;
	} else {
		pace->shortens = !pace->shortens;
		pace->patience = patience(pace);
	}
	begin(pace, pace->settled, TAKES + pace->patience, now);
}
