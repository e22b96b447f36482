/* SPDX-License-Identifier: Apache-2.0 */

/*
 * gauge: each value counts in exactly one interval of each mark, and the level is what the last set
 * and the changes after it make of it.
 */

#include <stdio.h>
#include <string.h>

#include <weft/lockfree/gauge.h>

#include "scripts.h"

enum {
	THREADS = 3,
	CALLS_MAX = 4,
};

/*
 * What each thread does, a letter for each call: 0 or 1 records its next value on that CPU, h
 * resets the high mark, l the low one; + raises the level on CPU 0, s sets it, = sets it to the sum
 * of what the thread has raised it by in its first two calls.
 */
struct gauge_shape {
	const char *threads[THREADS];
};

static struct {
	weft_gauge gauge;
	const struct gauge_shape *shape;
	/* What the resets returned, of those that were not in vain. */
	int64_t high[THREADS], low[THREADS];
} test;

enum {
	RECORD,
	RESET_HIGH,
	RESET_LOW,
	RAISE,
	SET
};

static void setup(const struct gauge_shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;
	model_assert(weft_gauge_init(&test.gauge) == 0);
	model_name_array(test.gauge.marks_.areas, sizeof(weft_gauge_marks_), 2, "marks");
	model_name_array(test.gauge.level_.shards_.areas, sizeof(weft_counter_shard_), 2, "level");
	for (int i = 0; i < THREADS; i++) {
		test.high[i] = WEFT_GAUGE_HIGH_NONE;
		test.low[i] = WEFT_GAUGE_LOW_NONE;
	}
}

/* Each value is another one; the second of each thread is beyond the first, on either side. */
static int64_t value_of(int thread, int call)
{
	int64_t value = (call + 1) * 10 + thread;

	return thread % 2 == 0 ? value : -value;
}

static int kind_of(char what)
{
	switch (what) {
	case 'h':
		return RESET_HIGH;
	case 'l':
		return RESET_LOW;
	case '+':
		return RAISE;
	case 's':
	case '=':
		return SET;
	default:
		return RECORD;
	}
}

static int64_t argument_of(int self, int index)
{
	switch (test.shape->threads[self][index]) {
	case 's':
		return 1000 + value_of(self, index);
	case '=':
		return value_of(self, 0) + value_of(self, 1);
	default:
		return value_of(self, index);
	}
}

static int64_t result_of(int self, int index, char what)
{
	int64_t value = argument_of(self, index);

	model_run_on(what == '1');
	switch (kind_of(what)) {
	case RESET_HIGH:
		return weft_gauge_reset_high(&test.gauge);
	case RESET_LOW:
		return weft_gauge_reset_low(&test.gauge);
	case RAISE:
		weft_gauge_add(&test.gauge, value);
		return 0;
	case SET:
		return weft_gauge_set(&test.gauge, value);
	default:
		weft_gauge_record(&test.gauge, value);
		return 0;
	}
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void call(int self, int index, char what)
{
	int64_t result = result_of(self, index, what);

	if (what == 'h')
		test.high[self] = larger(test.high[self], result);
	else if (what == 'l')
		test.low[self] = smaller(test.low[self], result);
}

static void run_threads(model_script_call *how)
{
	model_run_scripts(test.shape->threads, THREADS, 0, how);
}

/* The extremes of all intervals are those of all values. */
static void none_is_lost(const void *argument)
{
	int64_t highest = WEFT_GAUGE_HIGH_NONE, lowest = WEFT_GAUGE_LOW_NONE;
	int64_t high, low;

	setup(argument);
	run_threads(call);
	high = weft_gauge_high(&test.gauge);
	low = weft_gauge_low(&test.gauge);
	model_assert(weft_gauge_reset_high(&test.gauge) == high);
	model_assert(weft_gauge_reset_low(&test.gauge) == low);
	model_assert(weft_gauge_high(&test.gauge) == WEFT_GAUGE_HIGH_NONE);
	model_assert(weft_gauge_low(&test.gauge) == WEFT_GAUGE_LOW_NONE);
	for (int i = 0; i < THREADS && test.shape->threads[i] != NULL; i++) {
		const char *calls = test.shape->threads[i];

		high = larger(high, test.high[i]);
		low = smaller(low, test.low[i]);
		for (int k = 0; calls[k] != '\0'; k++) {
			if (kind_of(calls[k]) != RECORD)
				continue;
			highest = larger(highest, value_of(i, k));
			lowest = smaller(lowest, value_of(i, k));
		}
	}
	model_assert(high == highest && low == lowest);
	weft_gauge_fini(&test.gauge);
}

/* The specification. */

struct abstract_gauge {
	long high, low, level;
};

static bool step(void *state, const struct model_operation *operation)
{
	struct abstract_gauge *gauge = state, before = *gauge;

	switch (operation->kind) {
	case RECORD:
		/* The state is zeroed at the start, and 0 is no value. */
		if (before.high == 0 || operation->argument > before.high)
			gauge->high = operation->argument;
		if (before.low == 0 || operation->argument < before.low)
			gauge->low = operation->argument;
		return true;
	case RESET_HIGH:
		gauge->high = 0;
		return operation->pending || operation->result == before.high;
	case RESET_LOW:
		gauge->low = 0;
		return operation->pending || operation->result == before.low;
	case RAISE:
		gauge->level += operation->argument;
		return true;
	default:
		gauge->level = operation->argument;
		return operation->pending || operation->result == before.level;
	}
}

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	static const char *const names[] = {"record", "reset_high", "reset_low", "add", "set"};

	snprintf(text, size, "%s(%ld): %ld", names[operation->kind], operation->argument,
		 operation->result);
}

static void call_recorded(int self, int index, char what)
{
	int64_t result;

	model_call(kind_of(what), (long)argument_of(self, index));
	result = result_of(self, index, what);
	if (result == WEFT_GAUGE_HIGH_NONE || result == WEFT_GAUGE_LOW_NONE)
		result = 0;
	model_return((long)result);
}

static void linearizable(const void *argument)
{
	const struct model_specification specification = {
		.state_size = sizeof(struct abstract_gauge),
		.step = step,
		.describe = describe,
	};

	setup(argument);
	run_threads(call_recorded);
	model_assert_linearizable(&specification);
	if (model_frozen() == 0)
		weft_gauge_fini(&test.gauge);
}

static void init(const void *unused)
{
	weft_gauge gauge;
	int error = weft_gauge_init(&gauge);

	(void)unused;
	model_assert(error == 0 || error == -ENOMEM);
	weft_gauge_fini(&gauge);
}

#define SHAPE(...) (&(const struct gauge_shape){.threads = {__VA_ARGS__}})

static const struct model_scenario scenarios[] = {
	{
		.name = "gauge: two record on two CPUs, one resets both marks",
		.run = none_is_lost,
		.argument = SHAPE("01", "1", "hl"),
	},
	{
		.name = "gauge: two reset, one records, all interleavings",
		.run = none_is_lost,
		.argument = SHAPE("00", "h", "h"),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 1,
	},
	{
		.name = "gauge: the high mark is linearizable on one CPU",
		.run = linearizable,
		.argument = SHAPE("0h", "0h", "0h"),
		.stale = 1,
	},
	{
		.name = "gauge: the low mark is linearizable on one CPU",
		.run = linearizable,
		.argument = SHAPE("0l", "0l", "0l"),
		.stale = 1,
	},
	{
		/* The shards are not looked at in one moment. */
		.name = "gauge: on two CPUs it is not",
		.run = linearizable,
		.argument = SHAPE("01", "", "hh"),
		.expect = "not linearizable",
	},
	{
		.name = "gauge: who is frozen holds nobody up",
		.run = linearizable,
		.argument = SHAPE("0", "0", "hh"),
		.freeze = true,
	},
	{
		.name = "gauge: sets and changes are linearizable on one CPU",
		.run = linearizable,
		.argument = SHAPE("++s", "+s", "ss"),
	},
	{
		/* It leaves the base where it was: the other one does not notice it. */
		.name = "gauge: a set that overlaps one without effect may count what was before "
			"it",
		.run = linearizable,
		.argument = SHAPE("++=", "s"),
		.expect = "not linearizable",
	},
	{
		.name = "gauge: who is frozen while it sets holds nobody up",
		.run = linearizable,
		.argument = SHAPE("++", "+s", "s"),
		.freeze = true,
	},
	{
		.name = "gauge: out of memory",
		.run = init,
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
