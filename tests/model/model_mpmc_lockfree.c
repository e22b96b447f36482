/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpmc_lockfree. What its header says of progress is here: whoever is frozen, wherever, all others
 * push and pop; and its history is that of a FIFO queue, "full" and "empty" included.
 */

#include <weft/lockfree/mpmc_lockfree.h>

#include "fifo_scenarios.h"

/* Beside the queue itself: one whose floor has to be raised soon, and one in which calls of pop (C)
 * are those of a thread that was suspended in them. Made by main. */
static fifo low_floor, sleeper;

#define SHAPE(...)    (&(const struct fifo_shape){.queue = &fifo_mpmc_lockfree, __VA_ARGS__})
#define SHAPE_OF(...) (&(const struct fifo_shape){__VA_ARGS__})
/* The last ticket before the lap of a full slot starts again from 0, with a capacity of 2. */
#define LAST_LAP (((uint64_t)1 << 15) - 1)

/* Where the queue of the sleeper starts, and as many tickets as its exchange comes too late. */
#define SLEEPER_START ((uint64_t)1 << 20)
#define LAPS_OF_2     ((uint64_t)2 << WEFT_MPMC_LOCKFREE_LAP_BITS_)

/* The floor was 2^14 laps before, */
static void start_long_ago(void *started, uint64_t ticket)
{
	weft_mpmc_lockfree *queue = started;

	fifo_mpmc_lockfree.start_at(queue, ticket);
	atomic_store_explicit(&queue->floor_, ticket - LAPS_OF_2, memory_order_relaxed);
}

/* and has come here before the first element did. */
static int push_now(void *shared, uint64_t value)
{
	weft_mpmc_lockfree *queue = shared;

	atomic_store_explicit(&queue->floor_, SLEEPER_START, memory_order_release);
	return fifo_mpmc_lockfree.push(queue, value);
}

/* A pop that saw the element 2 in the slot of the second ticket, those 2^14 laps before. */
static int pop_late(void *shared, uint64_t *value)
{
	weft_mpmc_lockfree *queue = shared;
	uint64_t ticket = SLEEPER_START + 1 - LAPS_OF_2;

	if (weft_mpmc_lockfree_take_(queue, ticket,
				     weft_mpmc_lockfree_full_(queue, ticket, (void *)2))) {
		*value = 2;
		return 0;
	}
	return fifo_mpmc_lockfree.pop(queue, value);
}

static void start_with_low_floor(void *started, uint64_t ticket)
{
	weft_mpmc_lockfree *queue = started;

	fifo_mpmc_lockfree.start_at(queue, ticket);
	atomic_store_explicit(&queue->floor_, ticket + 1 - WEFT_MPMC_LOCKFREE_WINDOW_,
			      memory_order_relaxed);
}

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
		.name = "mpmc_lockfree: whoever is frozen in a batch",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 2, .pushes = 1, .pops = 1,
				  .batch = 2, .capacity = 2),
		.preemptions = 1,
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
		.name = "mpmc_lockfree: close against push and pop",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"PP", "nx", "CC"}),
	},
	{
		.name = "mpmc_lockfree: close, full, and the tickets start again",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .ticket = (uint64_t)0 - 1,
				  .threads = {"PPP", "Cnx", "CP"}),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree: two close, and one asks",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 1, .threads = {"Px", "C?", "xP"}),
	},
	{
		.name = "mpmc_lockfree: one that is frozen in close",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"PC", "x", "CP"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree: one that is frozen in close, and others ask",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"P?", "x", "C?"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree: the floor is raised",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE_OF(.queue = &low_floor, .capacity = 2, .ticket = SLEEPER_START,
				     .threads = {"pp", "cc", "c"}),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree: a sleeper puts back what it took too early",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE_OF(.queue = &sleeper, .capacity = 2, .ticket = SLEEPER_START,
				     .threads = {"PPP", "C", "cc"}),
	},
	{
		.name = "mpmc_lockfree: a sleeper, and others are frozen",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE_OF(.queue = &sleeper, .capacity = 2, .ticket = SLEEPER_START,
				     .threads = {"PP", "C", "cp"}),
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
		.name = "mpmc_lockfree: size, whoever is frozen",
		.run = fifo_scenario_size,
		.argument = SHAPE(.producers = 1, .consumers = 1, .pushes = 2, .pops = 2,
				  .capacity = 1),
		.stale = MODEL_NONE,
		.freeze = true,
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
	low_floor = fifo_mpmc_lockfree;
	low_floor.start_at = start_with_low_floor;
	sleeper = fifo_mpmc_lockfree;
	sleeper.start_at = start_long_ago;
	sleeper.push = push_now;
	sleeper.pop = pop_late;
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
