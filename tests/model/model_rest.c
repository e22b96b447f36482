/* SPDX-License-Identifier: Apache-2.0 */

/*
 * rest: whatever threads of one side do at the same moment, and whichever of them is stopped for
 * ever, how long the rests are stays something that is decided again.
 *
 * The other models have rest_stand_in.c.
 */

/* Its own, with what is static in it. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "../../lockfree/rest.c"

#include <string.h>

#include "model.h"

/* How a measurement ends, at which two threads find nothing at once, and how often they do. */
struct ending {
	uint32_t settled, quarterings, shortens;
	uint64_t settled_time;
	int times[2];
};

static weft_cpu_heels_ heels;
static WEFT_ATOMIC(uint64_t) ticket;

/* There were so many elements since the time before that none of them is rare, whatever the clock
 * of the model says. */
#define PASSED ((uint64_t)100000)

static void find_nothing(void *times)
{
	for (int i = 0; i < *(const int *)times; i++)
		weft_cpu_rest_behind_(
			&heels,
			atomic_fetch_add_explicit(&ticket, PASSED, memory_order_relaxed) + PASSED);
}

static void decides_again(const void *argument)
{
	const struct ending *ending = argument;

	memset((void *)&heels, 0, sizeof(heels));
	/* relaxed: nobody else is there. */
	atomic_store_explicit(&ticket, 0, memory_order_relaxed);
	set(&heels.settled, ending->settled);
	set(&heels.quarterings, ending->quarterings);
	set(&heels.shortens, ending->shortens);
	set_long(&heels.settled_time, ending->settled_time);
	set_long(&heels.begin_ns, weft_clock_ns_());
	model_name(&heels.occasions, "occasions");
	model_name(&heels.quarterings, "quarterings");
	model_name(&heels.settled, "settled");
	model_thread(find_nothing, (void *)&ending->times[0]);
	model_thread(find_nothing, (void *)&ending->times[1]);
	model_join();
	model_assert(get(&heels.occasions) <= OCCASIONS + PATIENCE_MAX);
	model_assert(get(&heels.quarterings) <= NO_REST);
	model_assert(get(&heels.settled) <= NO_REST);
}

#define ENDING(...) (&(const struct ending){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{"rest: two at once, without rests", decides_again,
	 .argument = ENDING(3, 3, true, 0, {2, 2})},
	{"rest: two at once, with the longest rests", decides_again,
	 .argument = ENDING(0, 0, false, 0, {2, 2})},
	{"rest: two at once, after an experiment", decides_again,
	 .argument = ENDING(2, 3, true, 1, {2, 2})},
	{"rest: one is stopped", decides_again, .argument = ENDING(3, 3, false, 0, {2, 2}),
	 .freeze = true},
	{"rest: one is late", decides_again, .argument = ENDING(3, 3, false, 0, {1, 24}),
	 .preemptions = 1, .stale = MODEL_NONE},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
