/* SPDX-License-Identifier: Apache-2.0 */

/*
 * counter: each addition is in exactly one reset, whoever resets, and none is lost. What is checked
 * are the atomic additions; a restartable sequence is, to others, a store of the sum in their
 * place.
 */

#include <stdio.h>
#include <string.h>

#include <weft/lockfree/counter.h>

#include "scripts.h"

enum {
	THREADS = 4,
	CALLS_MAX = 4,
};

/*
 * What each thread does, a letter for each call: 0 or 1 adds on that CPU, - subtracts on CPU 1 what
 * the thread has added before, r resets, s reads.
 */
struct counter_shape {
	const char *threads[THREADS];
	/* Where the counter starts, as if so much had been counted and taken. */
	int64_t start;
};

static struct {
	weft_counter counter;
	const struct counter_shape *shape;
	int64_t taken[THREADS][CALLS_MAX]; /* what the resets returned */
} test;

static void setup(const struct counter_shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;
	model_run_on(0);
	model_assert(weft_counter_init(&test.counter) == 0);
	weft_counter_add(&test.counter, shape->start);
	model_assert(weft_counter_reset(&test.counter) == shape->start);
	model_name_array(test.counter.shards_.areas, sizeof(weft_counter_shard_), 2, "shards");
	model_name(&test.counter.base_, "base");
}

/* Each addition has a bit of its own, so that a sum says which are in it. */
static int64_t amount_of(int thread, int call)
{
	return (int64_t)1 << (thread * CALLS_MAX + call);
}

/* The amounts that the thread adds, all of them or those that a reset of its own follows. */
static int64_t amounts_of(int thread, bool only_before_reset)
{
	const char *calls = test.shape->threads[thread];
	int64_t sum = 0, before_reset = 0;

	for (int i = 0; calls[i] != '\0'; i++) {
		if (calls[i] == '0' || calls[i] == '1')
			sum += amount_of(thread, i);
		if (calls[i] == 'r')
			before_reset = sum;
	}
	return only_before_reset ? before_reset : sum;
}

static void call(int self, int index, char what)
{
	if (what == 'r') {
		test.taken[self][index] = weft_counter_reset(&test.counter);
	} else if (what == 's') {
		/* Of amounts that are not negative it never is. */
		model_assert(weft_counter_read(&test.counter) >= 0);
	} else if (what == '-') {
		model_run_on(1);
		weft_counter_subtract(&test.counter, amount_of(self, 0));
	} else {
		model_run_on(what - '0');
		weft_counter_add(&test.counter, amount_of(self, index));
	}
}

static void run_threads(model_script_call *how)
{
	model_run_scripts(test.shape->threads, THREADS, 0, how);
}

/* Each addition is taken once. */
static void each_once(const void *argument)
{
	int64_t all = 0, before_reset = 0, seen = 0;

	setup(argument);
	run_threads(call);
	for (int i = 0; i < THREADS && test.shape->threads[i] != NULL; i++) {
		all += amounts_of(i, false);
		before_reset += amounts_of(i, true);
		/* What it was about to return is lost with it. */
		if (i == model_frozen() - 1)
			continue;
		for (int k = 0; k < CALLS_MAX; k++) {
			int64_t taken = test.taken[i][k];

			model_assert(taken >= 0 && (taken & seen) == 0);
			seen |= taken;
		}
	}
	model_assert((seen & ~all) == 0);
	if (model_frozen() != 0)
		return;

	int64_t left = weft_counter_read(&test.counter);

	model_assert((left & before_reset) == 0);
	model_assert((left & seen) == 0 && (left | seen) == all);
	model_assert(weft_counter_reset(&test.counter) == left);
	model_assert(weft_counter_read(&test.counter) == 0);
	weft_counter_fini(&test.counter);
}

/* With amounts of both signs, and around the end of 64 bits: sums are exact. */
static void sums(const void *argument)
{
	uint64_t taken = 0, all = 0;

	setup(argument);
	run_threads(call);
	for (int i = 0; i < THREADS && test.shape->threads[i] != NULL; i++) {
		const char *calls = test.shape->threads[i];

		all += (uint64_t)amounts_of(i, false);
		for (int k = 0; calls[k] != '\0'; k++) {
			taken += (uint64_t)test.taken[i][k];
			all -= calls[k] == '-' ? (uint64_t)amount_of(i, 0) : 0;
		}
	}
	model_assert(taken + (uint64_t)weft_counter_read(&test.counter) == all);
	weft_counter_fini(&test.counter);
}

/* An amount is added and subtracted once: of all resets one at most has taken it alone. */
static void one_has_it(const void *argument)
{
	int rising = 0;

	setup(argument);
	run_threads(call);
	for (int i = 0; i < THREADS; i++) {
		for (int k = 0; k < CALLS_MAX; k++)
			rising += test.taken[i][k] > 0;
	}
	rising += weft_counter_reset(&test.counter) > 0;
	model_assert(rising <= 1);
	weft_counter_fini(&test.counter);
}

/* The specification: a number. */

enum {
	ADD,
	RESET,
	READ
};

static bool step(void *state, const struct model_operation *operation)
{
	long *sum = state;
	long before = *sum;

	if (operation->kind == ADD)
		*sum += operation->argument;
	else if (operation->kind == RESET)
		*sum = 0;
	return operation->kind == ADD || operation->pending || operation->result == before;
}

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	if (operation->kind == ADD)
		snprintf(text, size, "add(%ld)", operation->argument);
	else
		snprintf(text, size, "%s: %ld", operation->kind == RESET ? "reset" : "read",
			 operation->result);
}

static void call_recorded(int self, int index, char what)
{
	if (what == 'r') {
		model_call(RESET, 0);
		model_return((long)weft_counter_reset(&test.counter));
	} else if (what == 's') {
		model_call(READ, 0);
		model_return((long)weft_counter_read(&test.counter));
	} else {
		model_call(ADD, (long)amount_of(self, index));
		call(self, index, what);
		model_return(0);
	}
}

static void linearizable(const void *argument)
{
	const struct model_specification specification = {
		.state_size = sizeof(long),
		.step = step,
		.describe = describe,
	};

	setup(argument);
	run_threads(call_recorded);
	model_assert_linearizable(&specification);
	if (model_frozen() == 0)
		weft_counter_fini(&test.counter);
}

static void init(const void *unused)
{
	weft_counter counter;
	int error = weft_counter_init(&counter);

	(void)unused;
	model_assert(error == 0 || error == -ENOMEM);
	weft_counter_fini(&counter);
}

#define SHAPE(...) (&(const struct counter_shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "counter: two that add on two CPUs, one resets twice",
		.run = each_once,
		.argument = SHAPE(.threads = {"01", "10", "rr"}),
	},
	{
		.name = "counter: two that reset, one adds",
		.run = each_once,
		.argument = SHAPE(.threads = {"0101", "rr", "r"}),
	},
	{
		.name = "counter: what was added before a reset is taken, all interleavings",
		.run = each_once,
		.argument = SHAPE(.threads = {"0r", "1r"}),
		.preemptions = MODEL_UNBOUNDED,
	},
	{
		.name = "counter: a sum of what only rises is not negative, whoever resets",
		.run = each_once,
		.argument = SHAPE(.threads = {"010", "rr", "ss"}),
	},
	{
		.name = "counter: who is frozen holds nobody up, and nothing is taken twice",
		.run = each_once,
		.argument = SHAPE(.threads = {"01", "r", "rs"}),
		.freeze = true,
	},
	{
		.name = "counter: amounts of both signs",
		.run = sums,
		.argument = SHAPE(.threads = {"0-r", "0-", "rr"}),
	},
	{
		.name = "counter: around the end of 64 bits",
		.run = sums,
		.argument = SHAPE(.threads = {"0-0", "1r", "r"}, .start = INT64_MAX),
	},
	{
		.name = "counter: additions and resets are linearizable on one CPU",
		.run = linearizable,
		.argument = SHAPE(.threads = {"00", "rr", "0r"}),
	},
	{
		.name = "counter: additions and reads are linearizable on one CPU",
		.run = linearizable,
		.argument = SHAPE(.threads = {"00", "ss", "0s"}),
	},
	{
		/* The shards are not looked at in one moment. */
		.name = "counter: on two CPUs they are not",
		.run = linearizable,
		.argument = SHAPE(.threads = {"01", "s"}),
		.expect = "not linearizable",
	},
	{
		/* The base was what it is now, and in between it was not. */
		.name = "counter: with amounts of both signs a reset may give back what others "
			"took",
		.run = one_has_it,
		.argument = SHAPE(.threads = {"0r-r", "r"}),
		.expect = "not true: rising <= 1",
	},
	{
		.name = "counter: with one other reset it does not",
		.run = one_has_it,
		.argument = SHAPE(.threads = {"0r-", "r"}),
		.preemptions = MODEL_UNBOUNDED,
	},
	{
		.name = "counter: out of memory",
		.run = init,
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
