/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpsc_ring. Pushes are wait-free, whoever is frozen: by the exchange, and by a claim, which half
 * of the scenarios begin with, as if every exchange had been lost. A frozen producer hides what
 * comes after it.
 */

#include <weft/lockfree/mpsc_ring.h>

#include "fifo_scenarios.h"

#define SHAPE(...) (&(const struct fifo_shape){.queue = &fifo_mpsc_ring, __VA_ARGS__})
/* As if every exchange were lost: for all producers, or for those with an odd element. */
#define CLAIMS(...) (&(const struct fifo_shape){.queue = &by_claims, __VA_ARGS__})
#define MIXED(...)  (&(const struct fifo_shape){.queue = &by_both, __VA_ARGS__})
/* The last ticket before the turn of a slot starts again from 0, with a capacity of 2. */
#define LAST_TURN (((uint64_t)1 << 33) - 1)

static fifo by_claims, by_both;

static bool push_by_claim(void *queue, uint64_t value)
{
	uint64_t ticket;

	if (weft_mpsc_ring_claim_(queue, &ticket) == 0)
		return false;
	weft_mpsc_ring_fill_(queue, ticket, &value, 1, sizeof(value));
	return true;
}

static int push_by_claim_or_say_why(void *queue, uint64_t value)
{
	return weft_mpsc_ring_pushed_(queue, push_by_claim(queue, value));
}

/* In fifo_scenarios.c the elements of a thread's calls are 1 and up, for the next 9 and up. */
static bool push_by_both(void *queue, uint64_t value)
{
	return value < 9 ? push_by_claim(queue, value) : fifo_mpsc_ring.try_push(queue, value);
}

static int push_by_both_or_say_why(void *queue, uint64_t value)
{
	return weft_mpsc_ring_pushed_(queue, push_by_both(queue, value));
}

static weft_mpsc_ring ring;

static void push_one(void *unused)
{
	uint64_t value = 1;

	(void)unused;
	model_assert(weft_mpsc_ring_push(&ring, &value) == 0);
}

/* The consumer, once it has pushed, waits for an element: its own or another. */
static void push_and_wait(void *unused)
{
	uint64_t value;

	push_one(unused);
	while (weft_mpsc_ring_pop(&ring, &value) != 0)
		;
}

static void hidden_elements(const void *unused)
{
	(void)unused;
	model_assert(weft_mpsc_ring_init(&ring, 2, sizeof(uint64_t)) == 0);
	model_thread(push_one, NULL);
	model_thread(push_and_wait, NULL);
	model_join();
	if (model_frozen() == 0)
		weft_mpsc_ring_fini(&ring);
}

static const struct model_scenario scenarios[] = {
	{
		.name = "mpsc_ring: 2 producers, 1 consumer, capacity 2",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 1, .pushes = 2, .pops = 3,
				  .capacity = 2),
		.stale = 1,
	},
	{
		.name = "mpsc_ring: the same, by claims",
		.run = fifo_scenario_exact,
		.argument = CLAIMS(.producers = 2, .consumers = 1, .pushes = 2, .pops = 3,
				   .capacity = 2),
		.stale = 1,
	},
	{
		.name = "mpsc_ring: the same, one by claims, and turns start again from 0",
		.run = fifo_scenario_exact,
		.argument = MIXED(.producers = 2, .consumers = 1, .pushes = 2, .pops = 3,
				  .capacity = 2, .ticket = LAST_TURN),
		.stale = 1,
	},
	{
		.name = "mpsc_ring: 1 and 1, all interleavings",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 1, .consumers = 1, .pushes = 2, .pops = 2,
				  .capacity = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 2,
	},
	{
		.name = "mpsc_ring: batches of 2, capacity 2",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 1, .pushes = 2, .pops = 2,
				  .batch = 2, .capacity = 2, .ticket = UINT64_MAX - 1),
		.stale = 1,
	},
	{
		.name = "mpsc_ring: FIFO, but for \"empty\"",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.capacity = 2, .threads = {"pp", "pp", "cc"}),
		.stale = 1,
	},
	{
		.name = "mpsc_ring: FIFO by claims, but for \"empty\" and \"full\"",
		.run = fifo_scenario_weak,
		.argument = CLAIMS(.capacity = 2, .threads = {"pp", "pp", "cc"}),
		.stale = 1,
	},
	{
		.name = "mpsc_ring: \"empty\" while an earlier push is under way",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"p", "pc"}),
		.expect = "not linearizable",
	},
	{
		.name = "mpsc_ring: \"full\" while a claim is taken back",
		.run = fifo_scenario_weak_empty,
		.argument = MIXED(.capacity = 1, .threads = {"p", "pcp"}),
		.expect = "not linearizable",
	},
	{
		.name = "mpsc_ring: no call waits for a frozen thread",
		.run = fifo_scenario_weak,
		.argument = SHAPE(.capacity = 1, .threads = {"pp", "pp", "cc"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpsc_ring: nor by claims",
		.run = fifo_scenario_weak,
		.argument = CLAIMS(.capacity = 2, .threads = {"pp", "pp", "cc"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpsc_ring: a frozen producer can hide elements",
		.run = hidden_elements,
		.expect = "a frozen thread stops the others",
		.freeze = true,
	},
	{
		.name = "mpsc_ring: close against push and pop",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.capacity = 2, .threads = {"PP", "nx?", "CC"}),
	},
	{
		.name = "mpsc_ring: close against claims and pop",
		.run = fifo_scenario_weak,
		.argument = CLAIMS(.capacity = 2, .threads = {"PP", "nx?", "CC"}),
	},
	{
		.name = "mpsc_ring: close, full, and the tickets start again",
		.run = fifo_scenario_weak,
		.argument = MIXED(.capacity = 2, .ticket = (uint64_t)0 - 1,
				  .threads = {"pPP", "Px", "CC"}),
		.stale = 1,
	},
	{
		.name = "mpsc_ring: no call waits for one that is frozen in close",
		.run = fifo_scenario_weak,
		.argument = MIXED(.capacity = 2, .threads = {"PP", "xP", "CC"}),
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpsc_ring: size",
		.run = fifo_scenario_size,
		.argument = SHAPE(.producers = 1, .consumers = 1, .pushes = 2, .pops = 2,
				  .capacity = 2),
	},
	{
		.name = "mpsc_ring: out of memory",
		.run = fifo_scenario_init,
		.argument = SHAPE(.capacity = 2),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	by_claims = by_both = fifo_mpsc_ring;
	by_claims.try_push = push_by_claim;
	by_claims.push = push_by_claim_or_say_why;
	by_both.try_push = push_by_both;
	by_both.push = push_by_both_or_say_why;
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
