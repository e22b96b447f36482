/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpmc_lockfree_any: elements of any size in slots that go round. Its ring is that of
 * mpmc_lockfree, whose model has the more; here it is about the slots: nobody writes to one that
 * another reads, and a page comes back. "Full" may be said while calls are under way. The
 * elements are words, for what the compiler copies by itself of other sizes the checker does not
 * see.
 */

#include <weft/lockfree/mpmc_lockfree_any.h>

#include "fifo_scenarios.h"

/* With pages of two slots, of which there are so few that they go round; and with two lists of
 * pages: even numbers are pushed on one CPU and odd ones on the other. Made by main. */
static fifo pages_of_two, two_lists;

#define SHAPE(...)    (&(const struct fifo_shape){.queue = &fifo_mpmc_lockfree_any, __VA_ARGS__})
#define SHAPE_OF(...) (&(const struct fifo_shape){__VA_ARGS__})
/* The last ticket before the lap of a full slot starts again from 0, with a capacity of 2. */
#define LAST_LAP (((uint64_t)1 << 15) - 1)

static void start_again(weft_mpmc_lockfree_any *queue, size_t pages, size_t page_slots,
			size_t lists)
{
	weft_slot_pool_start_(&queue->pages_, queue->pages_.links, WEFT_MPMC_LOCKFREE_ANY_STRIDE_,
			      pages, lists);
	queue->page_slots_ = page_slots;
	queue->page_shift_ = (uint32_t)page_slots - 1;
	for (size_t i = 0; i < lists; i++)
		atomic_store_explicit(&queue->current_[i].word, page_slots, memory_order_relaxed);
	model_name_array(&queue->current_[0].word, sizeof(queue->current_[0]), lists, "current");
}

static int init_pages_of_two(void *made, size_t capacity)
{
	int error = fifo_mpmc_lockfree_any.init(made, capacity);

	if (error == 0)
		start_again(made, capacity, 2, 1);
	return error;
}

static int init_two_lists(void *made, size_t capacity)
{
	int error = fifo_mpmc_lockfree_any.init(made, capacity);

	if (error == 0)
		start_again(made, capacity + 2, 1, 2);
	return error;
}

static int push_there(void *queue, uint64_t value)
{
	model_run_on((int)value % 2);
	return fifo_mpmc_lockfree_any.push(queue, value);
}

static bool try_push_there(void *queue, uint64_t value)
{
	return push_there(queue, value) == 0;
}

static int pop_here(void *queue, uint64_t *value)
{
	model_run_on(1);
	return fifo_mpmc_lockfree_any.pop(queue, value);
}

static bool try_pop_here(void *queue, uint64_t *value)
{
	return pop_here(queue, value) == 0;
}

static const struct model_scenario scenarios[] = {
	{
		.name = "mpmc_lockfree_any: 2 producers, 2 consumers",
		.run = fifo_scenario_exact,
		.argument = SHAPE_OF(.queue = &pages_of_two, .producers = 2, .consumers = 2,
				     .pushes = 1, .pops = 1, .capacity = 2),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree_any: 1 and 1, a page that goes round",
		.run = fifo_scenario_exact,
		.argument = SHAPE_OF(.queue = &pages_of_two, .producers = 1, .consumers = 1,
				     .pushes = 4, .pops = 3, .capacity = 1),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree_any: 2 and 1, laps start again from 0",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 1, .pushes = 2, .pops = 2,
				  .capacity = 2, .ticket = LAST_LAP),
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_lockfree_any: batches of 2, capacity 2",
		.run = fifo_scenario_exact,
		.argument = SHAPE_OF(.queue = &pages_of_two, .producers = 2, .consumers = 1,
				     .pushes = 1, .pops = 2, .batch = 2, .capacity = 2),
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_lockfree_any: FIFO, \"empty\" included",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE_OF(.queue = &pages_of_two, .capacity = 2,
				     .threads = {"pp", "pc", "c"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree_any: what a full queue refuses is taken back",
		.run = fifo_scenario_weak_full,
		.argument =
			SHAPE_OF(.queue = &pages_of_two, .capacity = 1, .threads = {"pp", "pc"}),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree_any: a slot of a page that another thread has brought",
		.run = fifo_scenario_weak_full,
		.argument =
			SHAPE_OF(.queue = &pages_of_two, .capacity = 1, .threads = {"pcpcp", "p"}),
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_lockfree_any: pages go from list to list",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE_OF(.queue = &two_lists, .capacity = 2, .threads = {"ppc", "cp"}),
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree_any: close against push and pop",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE_OF(.queue = &pages_of_two, .capacity = 2,
				     .threads = {"PP", "nx", "C"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_lockfree_any: whoever is frozen",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE_OF(.queue = &two_lists, .capacity = 4, .threads = {"pc", "pc"}),
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree_any: whoever is frozen in a batch",
		.run = fifo_scenario_exact,
		.argument = SHAPE_OF(.queue = &pages_of_two, .producers = 2, .consumers = 1,
				     .pushes = 1, .pops = 2, .batch = 2, .capacity = 2),
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree_any: whoever is frozen, all others push and pop",
		.run = fifo_scenario_push_then_pop,
		.argument = SHAPE(.producers = 2, .capacity = 2),
		.preemptions = 2,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree_any: one that is frozen in close",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE_OF(.queue = &pages_of_two, .capacity = 2,
				     .threads = {"PC", "x", "CP"}),
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_lockfree_any: out of memory",
		.run = fifo_scenario_init,
		.argument = SHAPE(.capacity = 2),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	pages_of_two = fifo_mpmc_lockfree_any;
	pages_of_two.init = init_pages_of_two;
	two_lists = fifo_mpmc_lockfree_any;
	two_lists.init = init_two_lists;
	two_lists.push = push_there;
	two_lists.pop = pop_here;
	two_lists.try_push = try_push_there;
	two_lists.try_pop = try_pop_here;
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
