/* SPDX-License-Identifier: Apache-2.0 */

/*
 * seqlock: no read is torn or older than one that happened before; what the writer did before a
 * write is seen; neither the writer nor a reader waits for who is stopped.
 */

#include <stdio.h>

#include <weft/lockfree/seqlock.h>

#include "model.h"

/* Two words that belong together. */
struct pair {
	uint64_t number;
	uint64_t twice;
};

WEFT_SEQLOCK_DEFINE(pairs, struct pair);

/* One word and half a word. */
struct narrow {
	uint32_t parts[3];
};

WEFT_SEQLOCK_DEFINE(narrows, struct narrow);

struct shape {
	int writes, readers, reads;
	uint64_t version; /* to begin with */
};

static const struct shape *shape;
static pairs lock;
static narrows narrow_lock;
/* Written before the write of the same number. */
static int before[8];

static void setup(const struct shape *wanted)
{
	struct pair first = {0, 0};

	shape = wanted;
	memset(before, 0, sizeof(before));
	pairs_init(&lock, &first);
	/* relaxed: nobody else is there. The first value stands in copy 0: the version is even. */
	atomic_store_explicit(&lock.version_, shape->version, memory_order_relaxed);
	model_name(&lock.version_, "version");
	model_name_array(lock.words_, sizeof(*lock.words_), 4, "words");
}

static void write_all(void *unused)
{
	(void)unused;
	for (int i = 1; i <= shape->writes; i++) {
		struct pair value = {(uint64_t)i, 2 * (uint64_t)i};

		before[i] = i;
		pairs_write(&lock, &value);
	}
}

static void check(const struct pair *value)
{
	model_assert(value->twice == 2 * value->number);
	model_assert(value->number <= (uint64_t)shape->writes);
	if (value->number > 0)
		model_assert(before[value->number] == (int)value->number);
}

static void read_all(void *unused)
{
	struct pair value;
	uint64_t last = 0;

	(void)unused;
	for (int i = 0; i < shape->reads; i++) {
		uint64_t version = pairs_read(&lock, &value);

		check(&value);
		model_assert(value.number == version - shape->version);
		model_assert(value.number >= last);
		last = value.number;
	}
}

static void whole(const void *argument)
{
	setup(argument);
	model_thread(write_all, NULL);
	for (int i = 0; i < shape->readers; i++)
		model_thread(read_all, NULL);
	model_join();
	if (model_frozen() == 0)
		model_assert(pairs_version(&lock) == shape->version + (uint64_t)shape->writes);
}

/* An attempt that fails has met a write; one that succeeds is whole. */
static void try_read_all(void *unused)
{
	struct pair value;

	(void)unused;
	for (int i = 0; i < shape->reads; i++) {
		uint64_t version = pairs_version(&lock);

		if (pairs_try_read(&lock, &value)) {
			check(&value);
			model_assert(value.number >= version - shape->version);
		} else {
			model_assert(pairs_version(&lock) != version);
		}
	}
}

static void attempts(const void *argument)
{
	setup(argument);
	model_thread(write_all, NULL);
	for (int i = 0; i < shape->readers; i++)
		model_thread(try_read_all, NULL);
	model_join();
}

static void write_narrow(void *unused)
{
	(void)unused;
	for (uint32_t i = 1; i <= (uint32_t)shape->writes; i++) {
		struct narrow value = {{i, i, i}};

		narrows_write(&narrow_lock, &value);
	}
}

static void read_narrow(void *unused)
{
	struct narrow value;

	(void)unused;
	narrows_read(&narrow_lock, &value);
	model_assert(value.parts[0] == value.parts[1] && value.parts[1] == value.parts[2]);
}

static void narrow(const void *argument)
{
	struct narrow first = {{0, 0, 0}};

	setup(argument);
	narrows_init(&narrow_lock, &first);
	model_thread(write_narrow, NULL);
	model_thread(read_narrow, NULL);
	model_join();
}

/* As a register: the state is the number last written. */
enum {
	WRITE,
	READ
};

static void write_recorded(void *unused)
{
	(void)unused;
	for (int i = 1; i <= shape->writes; i++) {
		struct pair value = {(uint64_t)i, 2 * (uint64_t)i};

		model_call(WRITE, i);
		pairs_write(&lock, &value);
		model_return(0);
	}
}

static void read_recorded(void *unused)
{
	struct pair value;

	(void)unused;
	for (int i = 0; i < shape->reads; i++) {
		model_call(READ, 0);
		pairs_read(&lock, &value);
		model_return((long)value.number);
	}
}

static bool step(void *state, const struct model_operation *operation)
{
	long *number = state;

	if (operation->kind == READ)
		return operation->pending || operation->result == *number;
	*number = operation->argument;
	return true;
}

static void describe(const struct model_operation *operation, char *text, size_t text_size)
{
	if (operation->kind == WRITE)
		snprintf(text, text_size, "write(%ld)", operation->argument);
	else
		snprintf(text, text_size, "read() = %ld", operation->result);
}

static const struct model_specification number_register = {sizeof(long), step, describe};

static void as_a_register(const void *argument)
{
	setup(argument);
	model_thread(write_recorded, NULL);
	for (int i = 0; i < shape->readers; i++)
		model_thread(read_recorded, NULL);
	model_join();
	model_assert_linearizable(&number_register);
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "seqlock: 3 writes, 2 readers",
		.run = whole,
		.argument = SHAPE(.writes = 3, .readers = 2, .reads = 1),
	},
	{
		.name = "seqlock: 2 writes, 1 reader, all interleavings",
		.run = whole,
		.argument = SHAPE(.writes = 2, .readers = 1, .reads = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 3,
	},
	{
		.name = "seqlock: the version starts again from 0",
		.run = whole,
		.argument = SHAPE(.writes = 3, .readers = 1, .reads = 2, .version = UINT64_MAX - 1),
		.preemptions = 3,
	},
	{
		.name = "seqlock: one attempt",
		.run = attempts,
		.argument = SHAPE(.writes = 3, .readers = 2, .reads = 1),
	},
	{
		.name = "seqlock: a value that is no whole number of words",
		.run = narrow,
		.argument = SHAPE(.writes = 3),
		.preemptions = 3,
	},
	{
		.name = "seqlock: a register",
		.run = as_a_register,
		.argument = SHAPE(.writes = 2, .readers = 2, .reads = 2),
	},
	{
		.name = "seqlock: nobody waits for who is stopped",
		.run = whole,
		.argument = SHAPE(.writes = 2, .readers = 2, .reads = 1),
		.freeze = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
