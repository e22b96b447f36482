/* SPDX-License-Identifier: Apache-2.0 */

/*
 * histogram: each record is in exactly one of the snapshots that resets fill, whoever makes them,
 * and none is lost. As in model_counter.c it is atomic additions that are checked. There are two
 * buckets: for 0, and for what is beyond the range.
 */

#include <stdio.h>
#include <string.h>

#include <weft/lockfree/histogram.h>

#include "model.h"

enum {
	THREADS = 3,
	CALLS_MAX = 4,
};

/*
 * What each thread does, a letter for each call: 0 or 1 records 0 on that CPU, o what is beyond the
 * range, on CPU 0; r resets, s reads.
 */
struct histogram_shape {
	const char *threads[THREADS];
};

/* The counts of the two buckets. */
struct counts {
	uint64_t of[2];
};

static struct {
	weft_histogram histogram;
	const struct histogram_shape *shape;
	struct counts taken[THREADS][CALLS_MAX]; /* what the resets returned */
} test;

static void setup(const struct histogram_shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;
	model_run_on(0);
	model_assert(weft_histogram_init(&test.histogram, 0, 0) == 0);
	model_assert(test.histogram.buckets_ == 1);
	model_name_array(test.histogram.atomic_.areas, test.histogram.area_bytes_, 2, "counts");
	model_name(test.histogram.taken_.areas, "taken");
}

/* Each record is made a number of times that has a bit of its own, so that a count says which are
 * in it. */
static uint64_t times_of(int thread, int call)
{
	return (uint64_t)1 << (thread * CALLS_MAX + call);
}

/* Calls weft_histogram_reset or _read. The snapshot takes no memory of the heap: a frozen thread
 * would leave it. */
static struct counts look(int (*how)(weft_histogram *, weft_histogram_snapshot *))
{
	struct counts found;
	weft_histogram_snapshot snapshot = {.buckets = 1, .counts = found.of};

	model_assert(how(&test.histogram, &snapshot) == 0);
	model_assert(snapshot.count == found.of[0] + found.of[1]);
	return found;
}

static int read_only(weft_histogram *histogram, weft_histogram_snapshot *snapshot)
{
	return weft_histogram_read(histogram, snapshot);
}

static void call(int self, int index)
{
	char what = test.shape->threads[self][index];

	if (what == 'r') {
		test.taken[self][index] = look(weft_histogram_reset);
	} else if (what == 's') {
		struct counts found = look(read_only);

		/* No more than there is. */
		model_assert(found.of[0] < times_of(THREADS, 0));
		model_assert(found.of[1] < times_of(THREADS, 0));
	} else {
		model_run_on(what == '1');
		weft_histogram_record_many(&test.histogram, what == 'o' ? 5 : 0,
					   times_of(self, index));
	}
}

static void follow(void *argument)
{
	int self = (int)(intptr_t)argument;
	const char *calls = test.shape->threads[self];

	for (int i = 0; calls[i] != '\0'; i++)
		call(self, i);
}

/* What the threads record in a bucket; what they record before a reset of their own. */
static void sum_up(int bucket, uint64_t *all, uint64_t *before_reset)
{
	*all = *before_reset = 0;
	for (int i = 0; i < THREADS && test.shape->threads[i] != NULL; i++) {
		const char *calls = test.shape->threads[i];
		uint64_t sum = 0;

		for (int k = 0; calls[k] != '\0'; k++) {
			if (calls[k] == 'r')
				*before_reset |= sum;
			else if (calls[k] != 's' && (calls[k] == 'o') == bucket)
				sum |= times_of(i, k);
		}
		*all |= sum;
	}
}

/* What the resets have taken of a bucket: nothing twice. */
static uint64_t sum_of_taken(int bucket)
{
	uint64_t seen = 0;

	for (int i = 0; i < THREADS; i++) {
		/* What a frozen thread was about to return is lost with it. */
		for (int k = 0; k < CALLS_MAX && i != model_frozen() - 1; k++) {
			model_assert((test.taken[i][k].of[bucket] & seen) == 0);
			seen |= test.taken[i][k].of[bucket];
		}
	}
	return seen;
}

static void each_once(const void *argument)
{
	setup(argument);
	for (int i = 0; i < THREADS && test.shape->threads[i] != NULL; i++)
		model_thread(follow, (void *)(intptr_t)i);
	model_join();

	struct counts left = look(read_only), taken = look(weft_histogram_reset);

	for (int bucket = 0; bucket < 2; bucket++) {
		uint64_t all, before_reset, seen = sum_of_taken(bucket);

		sum_up(bucket, &all, &before_reset);
		model_assert(((left.of[bucket] | seen) & ~all) == 0);
		model_assert((left.of[bucket] & seen) == 0);
		if (model_frozen() == 0) {
			model_assert(left.of[bucket] == taken.of[bucket]);
			model_assert((left.of[bucket] | seen) == all);
			model_assert((left.of[bucket] & before_reset) == 0);
		}
	}
	/* What a frozen thread did need not have been seen yet. */
	if (model_frozen() != 0)
		return;
	model_assert(look(read_only).of[0] == 0);
	weft_histogram_fini(&test.histogram);
}

static void init(const void *unused)
{
	weft_histogram histogram;
	weft_histogram_snapshot snapshot;
	int error = weft_histogram_init(&histogram, 0, 0);

	(void)unused;
	model_assert(error == 0 || error == -ENOMEM);
	weft_histogram_fini(&histogram);
	error = weft_histogram_snapshot_init(&snapshot, 0, 0);
	model_assert(error == 0 || error == -ENOMEM);
	weft_histogram_snapshot_fini(&snapshot);
}

/* The specification, for records of 0 on one CPU: a number. */

enum {
	RECORD,
	RESET
};

static bool step(void *state, const struct model_operation *operation)
{
	long *count = state;
	long before = *count;

	*count = operation->kind == RECORD ? before + operation->argument : 0;
	return operation->kind == RECORD || operation->pending || operation->result == before;
}

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	snprintf(text, size, operation->kind == RECORD ? "record %ld times" : "reset",
		 operation->argument);
}

static void follow_recorded(void *argument)
{
	int self = (int)(intptr_t)argument;
	const char *calls = test.shape->threads[self];

	for (int i = 0; calls[i] != '\0'; i++) {
		model_call(calls[i] == 'r' ? RESET : RECORD, (long)times_of(self, i));
		call(self, i);
		model_return((long)test.taken[self][i].of[0]);
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
	for (int i = 0; i < THREADS && test.shape->threads[i] != NULL; i++)
		model_thread(follow_recorded, (void *)(intptr_t)i);
	model_join();
	model_assert_linearizable(&specification);
	if (model_frozen() == 0)
		weft_histogram_fini(&test.histogram);
}

#define SHAPE(...) (&(const struct histogram_shape){.threads = {__VA_ARGS__}})

static const struct model_scenario scenarios[] = {
	{
		.name = "histogram: two record on two CPUs, one resets",
		.run = each_once,
		.argument = SHAPE("01o", "1o0", "rr"),
	},
	{
		.name = "histogram: two reset, one records",
		.run = each_once,
		.argument = SHAPE("0o1", "rr", "r"),
	},
	{
		.name = "histogram: what was recorded before a reset is taken",
		.run = each_once,
		.argument = SHAPE("0r", "1r", "or"),
	},
	{
		.name = "histogram: a read never has less than nothing",
		.run = each_once,
		.argument = SHAPE("010", "rr", "s"),
	},
	{
		.name = "histogram: who is frozen holds nobody up, and nothing is taken twice",
		.run = each_once,
		.argument = SHAPE("01", "r", "r"),
		.freeze = true,
	},
	{
		.name = "histogram: each bucket is linearizable on one CPU",
		.run = linearizable,
		.argument = SHAPE("00", "rr", "0r"),
	},
	{
		/* The shards are not looked at in one moment. */
		.name = "histogram: on two CPUs it is not",
		.run = linearizable,
		.argument = SHAPE("01", "r"),
		.expect = "not linearizable",
	},
	{
		.name = "histogram: out of memory",
		.run = init,
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
