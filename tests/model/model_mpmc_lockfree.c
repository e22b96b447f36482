/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpmc_lockfree. What its header says of progress is here: whoever is frozen, wherever, all others
 * push and pop; and its history is that of a FIFO queue, "full" and "empty" included.
 */

#include "fifo_scenarios.h"

#define SHAPE(...) (&(const struct fifo_shape){.queue = &fifo_mpmc_lockfree, __VA_ARGS__})
/* The last ticket before the lap of a full slot starts again from 0, with a capacity of 2. */
#define LAST_LAP (((uint64_t)1 << 15) - 1)

static const struct model_scenario scenarios[] = {
	{
		.name = "mpmc_lockfree: 2 producers, 2 consumers",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 2, .pushes = 1, .pops = 1,
				  .capacity = 2),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree: 1 and 2, capacity 1, every lap a new one",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 1, .consumers = 2, .pushes = 3, .pops = 2,
				  .capacity = 1),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree: 2 and 1, laps start again from 0",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 1, .pushes = 2, .pops = 3,
				  .capacity = 2, .ticket = LAST_LAP),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree: batches of 2, capacity 2",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 2, .pushes = 1, .pops = 1,
				  .batch = 2, .capacity = 2),
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_lockfree: FIFO, \"empty\" and \"full\" included",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"pp", "pc", "cc"}),
	},
	{
		.name = "mpmc_lockfree: FIFO, pops before pushes",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"ppc", "cp", "cp"}),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree: FIFO, whoever is frozen",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"pc", "pc", "p"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree: whoever is frozen, all others push and pop",
		.run = fifo_scenario_push_then_pop,
		.argument = SHAPE(.producers = 3, .capacity = 4),
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree: size",
		.run = fifo_scenario_size,
		.argument = SHAPE(.producers = 1, .consumers = 1, .pushes = 2, .pops = 2,
				  .capacity = 2),
	},
	{
		.name = "mpmc_lockfree: out of memory",
		.run = fifo_scenario_init,
		.argument = SHAPE(.capacity = 2),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
