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

/* As the queue of the table, with segments of one, two and three elements, and with segments of one
 * where there is no membarrier. Made by main. */
static fifo ones, twos, threes, fenced;

#define ONES(...)   (&(const struct fifo_shape){.queue = &ones, .capacity = 8, __VA_ARGS__})
#define FENCED(...) (&(const struct fifo_shape){.queue = &fenced, .capacity = 8, __VA_ARGS__})
#define THREES(...) (&(const struct fifo_shape){.queue = &threes, .capacity = 8, __VA_ARGS__})
#define TWOS(...)   (&(const struct fifo_shape){.queue = &twos, .capacity = 8, __VA_ARGS__})

/* One look at a slot tells as much as several, where anybody may be stopped between two steps. */
static int init_impatient(weft_mpmc_unbounded *queue, size_t segment)
{
	int error = weft_mpmc_unbounded_init(queue, segment, sizeof(uint64_t));

	queue->patience_ = 0;
	return error;
}

static int init_ones(void *queue, size_t capacity)
{
	(void)capacity;
	return init_impatient(queue, 1);
}

static int init_threes(void *queue, size_t capacity)
{
	(void)capacity;
	return init_impatient(queue, 3);
}

static int init_fenced(void *queue, size_t capacity)
{
	int error = init_ones(queue, capacity);

	((weft_mpmc_unbounded *)queue)->fences_ = true;
	return error;
}

static int init_twos(void *queue, size_t capacity)
{
	(void)capacity;
	return init_impatient(queue, 2);
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
	if (init_impatient(&test.queue, 1) == 0) {
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

/*
 * A producer that has been stopped behind its claim goes on, just when consumers have lost their
 * patience: it is told that its element is in, and then that is popped, or it is not in.
 */

static void go_on(void *claim)
{
	uint64_t value = 1;

	test.pushed[0][0] = weft_mpmc_unbounded_fill_(&test.queue,
						      weft_mpmc_unbounded_place_of_(
							      &test.queue, *(uint64_t *)claim, 8),
						      &value, 1, 8) == 1;
}

static void pop_and_count(void *unused)
{
	uint64_t value;

	(void)unused;
	if (weft_mpmc_unbounded_pop(&test.queue, &value) == 0)
		test.popped[0][0]++;
}

static void goes_on(const void *fences)
{
	uint64_t claim;

	memset((void *)&test, 0, sizeof(test));
	model_assert(init_impatient(&test.queue, 2) == 0);
	test.queue.fences_ = *(const bool *)fences;
	/* Once with a look before the patience is lost. */
	test.queue.patience_ = test.queue.fences_ ? 0 : 1;
	claim = atomic_fetch_add_explicit(&test.queue.tail_, 1, memory_order_relaxed);
	model_thread(go_on, &claim);
	model_thread(pop_and_count, NULL);
	model_thread(pop_and_count, NULL);
	model_join();
	pop_and_count(NULL);
	model_assert(test.popped[0][0] == test.pushed[0][0]);
	weft_mpmc_unbounded_fini(&test.queue);
}

/* One is stopped behind its claim and does not go on, then another one. Two meet the second slot,
 * in a segment that is in doubt already. */

static void claim_only(void *unused)
{
	(void)unused;
	atomic_fetch_add_explicit(&test.queue.tail_, 1, memory_order_relaxed);
}

static void find_nothing(void *unused)
{
	uint64_t value;

	(void)unused;
	model_assert(weft_mpmc_unbounded_pop(&test.queue, &value) == -EAGAIN);
}

static void stays_stopped(const void *unused)
{
	uint64_t value = 7, popped;

	(void)unused;
	memset((void *)&test, 0, sizeof(test));
	model_assert(init_impatient(&test.queue, 3) == 0);
	claim_only(NULL);
	find_nothing(NULL);
	model_thread(claim_only, NULL);
	model_thread(find_nothing, NULL);
	model_thread(find_nothing, NULL);
	model_join();
	find_nothing(NULL);
	model_assert(weft_mpmc_unbounded_push(&test.queue, &value) == 0);
	model_assert(weft_mpmc_unbounded_pop(&test.queue, &popped) == 0 && popped == 7);
	weft_mpmc_unbounded_fini(&test.queue);
}

/*
 * A consumer is stopped between its look at tail_ and its exchange, until head_ is again what it
 * was, in the segment that was the first one then and is the last one now: it claims a slot that
 * nobody has pushed to.
 */

static void pop_to(void *popped)
{
	uint64_t value;

	if (weft_mpmc_unbounded_pop(&test.queue, &value) == 0)
		((int *)popped)[value]++;
}

static void go_round(void *popped)
{
	for (uint64_t value = 1; value < 3; value++) {
		pop_to(popped);
		model_assert(weft_mpmc_unbounded_push(&test.queue, &value) == 0);
	}
	pop_to(popped);
	pop_to(popped);
}

static void comes_back(const void *unused)
{
	static int popped[5];
	uint64_t value = 0;

	(void)unused;
	memset((void *)&test, 0, sizeof(test));
	memset(popped, 0, sizeof(popped));
	model_assert(init_impatient(&test.queue, 1) == 0);
	model_assert(weft_mpmc_unbounded_push(&test.queue, &value) == 0);
	model_thread(pop_to, popped);
	model_thread(go_round, popped);
	model_join();
	for (value = 3; value < 5; value++)
		model_assert(weft_mpmc_unbounded_push(&test.queue, &value) == 0);
	for (int i = 0; i < 5; i++)
		pop_to(popped);
	for (int i = 0; i < 5; i++)
		model_assert(popped[i] == 1);
	weft_mpmc_unbounded_fini(&test.queue);
}

/* A consumer is stopped before its look at tail_, which is then where head_ was. */

static void find_one(void *unused)
{
	uint64_t value;

	(void)unused;
	model_assert(weft_mpmc_unbounded_pop(&test.queue, &value) == 0);
}

static void keep_some(void *popped)
{
	for (uint64_t value = 1; value < 4; value++) {
		model_assert(weft_mpmc_unbounded_push(&test.queue, &value) == 0);
		if (value < 3)
			pop_to(popped);
	}
}

static void never_empty(const void *segment)
{
	static int popped[4];
	uint64_t value = 0;

	memset((void *)&test, 0, sizeof(test));
	model_assert(init_impatient(&test.queue, *(const size_t *)segment) == 0);
	/* The first one that finds nothing does not look again: it is not ahead of this ticket. */
	atomic_store_explicit(&test.queue.empty_at_.at, 2000, memory_order_relaxed);
	model_assert(weft_mpmc_unbounded_push(&test.queue, &value) == 0);
	model_thread(find_one, NULL);
	model_thread(keep_some, popped);
	model_join();
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
	model_assert(init_impatient(&test.queue, 1) == 0);
	model_thread(push_some, (void *)0);
	model_thread(pop_some, NULL);
	model_thread(trim, NULL);
	model_join();
	if (model_frozen() != 0)
		return;
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
	model_assert(init_impatient(&test.queue, 1) == 0);
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
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_unbounded: the same, without membarrier",
		.run = fifo_scenario_exact,
		.argument = FENCED(.producers = 2, .consumers = 2, .pushes = 1, .pops = 1),
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_unbounded: a stopped producer goes on",
		.run = goes_on,
		.argument = &(const bool){false},
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: a stopped producer goes on, without membarrier",
		.run = goes_on,
		.argument = &(const bool){true},
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: a producer stays stopped",
		.run = stays_stopped,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: the last segment is another one with the same address",
		.run = fifo_scenario_linearizable,
		.argument = ONES(.threads = {"p", "pccp"}),
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_unbounded: the first segment comes back, and the queue was never "
			"empty",
		.run = never_empty,
		.argument = &(const size_t){1},
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: the queue was never empty, segments of 3",
		.run = never_empty,
		.argument = &(const size_t){3},
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: the first segment comes back, and its slots are unclaimed",
		.run = comes_back,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_unbounded: 1 and 2, segments of 3",
		.run = fifo_scenario_exact,
		.argument = THREES(.producers = 1, .consumers = 2, .pushes = 2, .pops = 2),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "mpmc_unbounded: 1 and 2, segments of 1 that are used again",
		.run = fifo_scenario_exact,
		.argument = ONES(.producers = 1, .consumers = 2, .pushes = 4, .pops = 2),
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "mpmc_unbounded: 1 and 2, from one segment of 2 to the next",
		.run = fifo_scenario_exact,
		.argument = TWOS(.producers = 1, .consumers = 2, .pushes = 4, .pops = 2),
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
		.name = "mpmc_unbounded: whoever is frozen in a batch",
		.run = fifo_scenario_exact,
		.argument =
			TWOS(.producers = 2, .consumers = 1, .pushes = 1, .pops = 2, .batch = 3),
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
		.name = "mpmc_unbounded: one that is frozen in close",
		.run = fifo_scenario_linearizable,
		.argument = ONES(.threads = {"PC", "x", "CP"}),
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_unbounded: one that is frozen while it trims, and others go on",
		.run = trim_meanwhile,
		.preemptions = 1,
		.stale = MODEL_NONE,
		.freeze = true,
	},
	{
		.name = "mpmc_unbounded: close against push and pop",
		.run = fifo_scenario_linearizable,
		.argument = ONES(.threads = {"PP", "nx?", "CC"}),
		.preemptions = 1,
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
	ones = twos = threes = fenced = fifo_mpmc_unbounded;
	ones.init = init_ones;
	twos.init = init_twos;
	threes.init = init_threes;
	fenced.init = init_fenced;
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
