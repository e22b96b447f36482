/* SPDX-License-Identifier: Apache-2.0 */

/* spsc_queue: "empty" is exact, or "full" is, though not both in one history; and wait-free. */

#include "fifo_scenarios.h"

#define SHAPE(...)                                                                                 \
	(&(const struct fifo_shape){                                                               \
		.queue = &fifo_spsc_queue, .producers = 1, .consumers = 1, __VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "spsc_queue: 4 pushes, 4 pops, capacity 2, all interleavings",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 4, .pops = 4, .capacity = 2),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 4,
	},
	{
		.name = "spsc_queue: capacity 1, all interleavings and stale reads",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 4, .pops = 4, .capacity = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "spsc_queue: batches of 2 around the end of the ring",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 4, .pops = 4, .batch = 2, .capacity = 2, .ticket = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 4,
	},
	{
		.name = "spsc_queue: indices start again from 0",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 4, .pops = 4, .capacity = 2, .ticket = UINT64_MAX - 1),
	},
	{
		.name = "spsc_queue: \"empty\" is linearizable",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"pppp", "cccc"}),
		.preemptions = 4,
	},
	{
		.name = "spsc_queue: \"full\" is linearizable",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.capacity = 2, .threads = {"pppp", "cccc"}),
		.preemptions = 4,
	},
	{
		/* Each side may look at the other's index before its own store is visible. */
		.name = "spsc_queue: \"full\" and \"empty\" together are not",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"pppp", "cccc"}),
		.expect = "not linearizable",
	},
	{
		.name = "spsc_queue: \"empty\" is linearizable in real time, were all stores seen "
			"at once",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"ppp", "ccc"}),
		.real_time = true,
		.preemptions = 4,
		.stale = MODEL_NONE,
	},
	{
		.name = "spsc_queue: in real time a store may be seen late",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"ppp", "ccc"}),
		.real_time = true,
		.expect = "not linearizable",
	},
	{
		.name = "spsc_queue: each side goes on when the other is frozen",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"ppp", "ccc"}),
		.freeze = true,
	},
	{
		.name = "spsc_queue: size",
		.run = fifo_scenario_size,
		.argument = SHAPE(.pushes = 2, .pops = 2, .capacity = 2),
	},
	{
		.name = "spsc_queue: out of memory",
		.run = fifo_scenario_init,
		.argument = SHAPE(.capacity = 2),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
