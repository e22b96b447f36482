/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpmc_unbounded. What its header says of progress is here: whoever is frozen, wherever, all others
 * push and pop, also from segment to segment; and its history is that of a FIFO queue, "empty"
 * included. Segments have one or two elements, so that they are linked, retired and used again all
 * the time.
 */

#include <errno.h>
#include <string.h>

#include <weft/lockfree/mpmc_unbounded.h>

#include "fifo_scenarios.h"

/* As the queue of the table, with these segments. Made by main. */
static fifo ones, twos;

#define ONES(...) (&(const struct fifo_shape){.queue = &ones, .capacity = 8, __VA_ARGS__})
#define TWOS(...) (&(const struct fifo_shape){.queue = &twos, .capacity = 8, __VA_ARGS__})

static int init_ones(void *queue, size_t capacity)
{
	(void)capacity;
	return fifo_mpmc_unbounded.init(queue, 1);
}

static int init_twos(void *queue, size_t capacity)
{
	(void)capacity;
	return fifo_mpmc_unbounded.init(queue, 2);
}

/* Any allocation fails: that push says so, and all others are as if nothing had been. */

enum {
	PUSHES = 2,
	THREADS = 2
};

static struct {
	weft_mpmc_unbounded queue;
	/* By each producer. */
	uint64_t pushes;
	bool pushed[THREADS][PUSHES];
	int popped[THREADS][PUSHES];
} test;

static void push_some(void *argument)
{
	uint64_t self = (uint64_t)(intptr_t)argument;

	for (uint64_t i = 0; i < test.pushes; i++) {
		uint64_t value = self * PUSHES + i;
		int error = weft_mpmc_unbounded_push(&test.queue, &value);

		model_assert(error == 0 || error == -ENOMEM);
		test.pushed[self][i] = error == 0;
	}
}

static bool pop_one(void)
{
	uint64_t value;

	if (weft_mpmc_unbounded_pop(&test.queue, &value) != 0)
		return false;
	model_assert(value < THREADS * PUSHES);
	test.popped[value / PUSHES][value % PUSHES]++;
	return true;
}

static void pop_some(void *unused)
{
	(void)unused;
	pop_one();
	pop_one();
}

static void push_without_memory(const void *pushes)
{
	memset((void *)&test, 0, sizeof(test));
	test.pushes = *(const uint64_t *)pushes;
	if (weft_mpmc_unbounded_init(&test.queue, 1, sizeof(uint64_t)) == 0) {
		model_thread(push_some, (void *)0);
		model_thread(push_some, (void *)1);
		model_thread(pop_some, NULL);
		model_join();
		while (pop_one())
			;
		model_assert(weft_mpmc_unbounded_size(&test.queue) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < PUSHES; j++)
			model_assert(test.popped[i][j] == test.pushed[i][j]);
	weft_mpmc_unbounded_fini(&test.queue);
}

/* One trims while others go from segment to segment. */

static void trim(void *unused)
{
	(void)unused;
	weft_mpmc_unbounded_trim(&test.queue);
}

static void trim_meanwhile(const void *unused)
{
	(void)unused;
	memset((void *)&test, 0, sizeof(test));
	test.pushes = PUSHES;
	model_assert(weft_mpmc_unbounded_init(&test.queue, 1, sizeof(uint64_t)) == 0);
	model_thread(push_some, (void *)0);
	model_thread(pop_some, NULL);
	model_thread(trim, NULL);
	model_join();
	while (pop_one())
		;
	trim(NULL);
	/* One segment is in use, and no other is there. */
	model_assert(weft_mpmc_unbounded_trim(&test.queue) == 0);
	for (int j = 0; j < PUSHES; j++)
		model_assert(test.popped[0][j] == test.pushed[0][j]);
	weft_mpmc_unbounded_fini(&test.queue);
}

/* Who is told that the queue is closed knows what was done before. */

static WEFT_ATOMIC(int) last_word;

static void say_and_close(void *unused)
{
	(void)unused;
	atomic_store_explicit(&last_word, 1, memory_order_relaxed);
	weft_mpmc_unbounded_close(&test.queue);
}

static void ask(void *unused)
{
	(void)unused;
	if (weft_mpmc_unbounded_is_closed(&test.queue))
		model_assert(atomic_load_explicit(&last_word, memory_order_relaxed) == 1);
}

static void close_tells(const void *unused)
{
	(void)unused;
	memset((void *)&test, 0, sizeof(test));
	atomic_store_explicit(&last_word, 0, memory_order_relaxed);
	model_assert(weft_mpmc_unbounded_init(&test.queue, 1, sizeof(uint64_t)) == 0);
	model_thread(say_and_close, NULL);
	model_thread(ask, NULL);
	model_join();
	weft_mpmc_unbounded_fini(&test.queue);
}

static const struct model_scenario scenarios[] = {
	{
		.name = "mpmc_unbounded: 2 producers, 2 consumers, segments of 1",
		.run = fifo_scenario_exact,
		.argument = ONES(.producers = 2, .consumers = 2, .pushes = 1, .pops = 1),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: 1 and 2, segments of 1 that are used again",
		.run = fifo_scenario_exact,
		.argument = ONES(.producers = 1, .consumers = 2, .pushes = 4, .pops = 2),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: 2 and 1, segments of 2",
		.run = fifo_scenario_exact,
		.argument = TWOS(.producers = 2, .consumers = 1, .pushes = 2, .pops = 3),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: batches of 3, segments of 2",
		.run = fifo_scenario_exact,
		.argument =
			TWOS(.producers = 1, .consumers = 2, .pushes = 1, .pops = 1, .batch = 3),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: FIFO, \"empty\" included",
		.run = fifo_scenario_linearizable,
		.argument = TWOS(.threads = {"pp", "pc", "cc"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: FIFO, whoever is frozen",
		.run = fifo_scenario_linearizable,
		.argument = ONES(.threads = {"pc", "pc", "c"}),
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_unbounded: whoever is frozen, all others push and pop",
		.run = fifo_scenario_push_then_pop,
		.argument = TWOS(.producers = 3),
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_unbounded: close against push and pop",
		.run = fifo_scenario_linearizable,
		.argument = ONES(.threads = {"PP", "nx?", "CC"}),
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: what is_closed tells",
		.run = close_tells,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: out of memory, in a push, too",
		.run = push_without_memory,
		.argument = &(const uint64_t){2},
		.preemptions = 1,
		.stale = MODEL_NONE,
		.fail_allocations = true,
	},
	{
		.name = "mpmc_unbounded: out of memory while another goes on",
		.run = push_without_memory,
		.argument = &(const uint64_t){1},
		.preemptions = 2,
		.stale = MODEL_NONE,
		.fail_allocations = true,
	},
	{
		.name = "mpmc_unbounded: trim",
		.run = trim_meanwhile,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_unbounded: size",
		.run = fifo_scenario_size,
		.argument = TWOS(.producers = 1, .consumers = 1, .pushes = 2, .pops = 2),
		.preemptions = 1,
		.stale = 1,
	},
};

int main(int count, char **arguments)
{
	ones = twos = fifo_mpmc_unbounded;
	ones.init = init_ones;
	twos.init = init_twos;
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
