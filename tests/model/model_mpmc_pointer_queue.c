/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpmc_pointer_queue. As for mpmc_queue: no call waits, whoever is frozen; but a frozen thread can
 * make the queue look empty or full for ever, and "empty" and "full" are not linearizable.
 */

#include "fifo_scenarios.h"

#define SHAPE(...) (&(const struct fifo_shape){.queue = &fifo_mpmc_pointer_queue, __VA_ARGS__})
/* The last ticket before the turn of a slot starts again from 0, with a capacity of 2. */
#define LAST_TURN (((uint64_t)1 << 16) - 1)

static const struct model_scenario scenarios[] = {
	{
		.name = "mpmc_pointer_queue: 2 producers, 2 consumers",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 2, .pushes = 1, .pops = 1,
				  .capacity = 2),
	},
	{
		.name = "mpmc_pointer_queue: 2 producers, 2 consumers, 2 each, capacity 2",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 2, .pushes = 2, .pops = 2,
				  .capacity = 2),
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_pointer_queue: 1 and 2, capacity 1, every lap a new one",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 1, .consumers = 2, .pushes = 3, .pops = 2,
				  .capacity = 1),
		.preemptions = 3,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_pointer_queue: 2 and 1, turns start again from 0",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 1, .pushes = 2, .pops = 3,
				  .capacity = 2, .ticket = LAST_TURN),
		.stale = 1,
	},
	{
		.name = "mpmc_pointer_queue: 1 and 1, all interleavings",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 1, .consumers = 1, .pushes = 2, .pops = 2,
				  .capacity = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 3,
	},
	{
		.name = "mpmc_pointer_queue: batches of 2, capacity 2",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 2, .pushes = 1, .pops = 1,
				  .batch = 2, .capacity = 2),
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_pointer_queue: batches of 2, capacity 4",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 1, .consumers = 2, .pushes = 3, .pops = 2,
				  .batch = 2, .capacity = 4),
		.stale = 1,
	},
	{
		.name = "mpmc_pointer_queue: FIFO, but for \"empty\" and \"full\"",
		.run = fifo_scenario_weak,
		.argument = SHAPE(.capacity = 2, .threads = {"pp", "pc", "cc"}),
		.stale = 1,
	},
	{
		.name = "mpmc_pointer_queue: \"empty\" while an earlier push is under way",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"p", "pc"}),
		.expect = "not linearizable",
	},
	{
		.name = "mpmc_pointer_queue: \"full\" while an earlier pop is under way",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.capacity = 2, .threads = {"ppc", "cp"}),
		.expect = "not linearizable",
	},
	{
		.name = "mpmc_pointer_queue: no call waits for a frozen thread",
		.run = fifo_scenario_weak,
		.argument = SHAPE(.capacity = 1, .threads = {"pc", "pc", "p"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_pointer_queue: a frozen thread can hide elements",
		.run = fifo_scenario_push_then_pop,
		.argument = SHAPE(.producers = 2, .capacity = 2),
		.freeze = true,
		.expect = "a frozen thread stops the others",
	},
	{
		.name = "mpmc_pointer_queue: close against push and pop",
		.run = fifo_scenario_weak,
		.argument = SHAPE(.capacity = 2, .threads = {"PP", "nx", "CC"}),
	},
	{
		.name = "mpmc_pointer_queue: a push that finds it closed completes the close",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.capacity = 2, .threads = {"nx", "PC", "?P"}),
	},
	{
		.name = "mpmc_pointer_queue: close, full, and the tickets start again",
		.run = fifo_scenario_weak,
		.argument = SHAPE(.capacity = 2, .ticket = (uint64_t)0 - 1,
				  .threads = {"pPP", "Cnx", "C"}),
		.stale = 1,
	},
	{
		.name = "mpmc_pointer_queue: two close",
		.run = fifo_scenario_weak,
		.argument = SHAPE(.capacity = 2, .threads = {"Px", "CC", "xP"}),
		.stale = 1,
	},
	{
		.name = "mpmc_pointer_queue: no call waits for one that is frozen in close",
		.run = fifo_scenario_weak,
		.argument = SHAPE(.capacity = 2, .threads = {"PC", "x", "CP"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_pointer_queue: size",
		.run = fifo_scenario_size,
		.argument = SHAPE(.producers = 1, .consumers = 1, .pushes = 2, .pops = 2,
				  .capacity = 2),
	},
	{
		.name = "mpmc_pointer_queue: out of memory",
		.run = fifo_scenario_init,
		.argument = SHAPE(.capacity = 2),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
