/* SPDX-License-Identifier: Apache-2.0 */

/*
 * object_pool: the depot, the chunks, and the lists of threads without restartable sequences. (A
 * sequence has no steps that another thread could see; stress_object_pool moves threads about in
 * the middle of theirs.)
 */

#include <string.h>

#include <weft/lockfree/object_pool.h>

#include "model.h"

enum {
	THREADS = 3,
	HELD_MAX = 16,
	CHUNK_BYTES = 256,
};

struct shape {
	/* What is done before the threads start, and what each of them does: 0 and 1 move the
	 * thread to that CPU, a allocates, f frees the object that it has had the longest, t trims,
	 * r makes sure that one more chunk is there. What is held then is dealt out to the
	 * first two threads in turn. */
	const char *before;
	const char *threads[THREADS];
	size_t cached;        /* the limit of a list; half of it is a batch */
	size_t chunk_objects; /* in a chunk */
	size_t max_objects;
	bool must_succeed; /* every allocation does */
};

struct object {
	long owner;
	long spare;
};

static struct {
	weft_object_pool pool;
	const struct shape *shape;
	struct object *held[THREADS + 1][HELD_MAX];
	int first[THREADS + 1], end[THREADS + 1];
} test;

static void allocate(int self)
{
	struct object *object = weft_object_pool_alloc(&test.pool);

	if (object == NULL) {
		model_assert(!test.shape->must_succeed);
		return;
	}
	/* If another thread has it too, this is a race. */
	object->owner = self;
	test.held[self][test.end[self]++] = object;
}

static void release(int self)
{
	struct object *object;

	if (test.first[self] == test.end[self])
		return;
	object = test.held[self][test.first[self]++];
	model_assert(object->owner == self || object->owner == THREADS);
	weft_object_pool_free(&test.pool, object);
}

static void follow(int self, const char *script)
{
	for (; script != NULL && *script != '\0'; script++) {
		if (*script == '0' || *script == '1')
			model_run_on(*script - '0');
		else if (*script == 'a')
			allocate(self);
		else if (*script == 'f')
			release(self);
		else if (*script == 't')
			weft_object_pool_trim(&test.pool);
		else
			weft_object_pool_reserve(&test.pool,
						 weft_object_pool_stats(&test.pool).objects + 1);
	}
}

static void work(void *argument)
{
	int self = (int)(intptr_t)argument;

	model_run_on(0);
	follow(self, test.shape->threads[self]);
}

/* To the first two threads. */
static void deal_out(void)
{
	for (int to = 0; test.first[THREADS] < test.end[THREADS]; to = 1 - to)
		test.held[to][test.end[to]++] = test.held[THREADS][test.first[THREADS]++];
}

static bool setup(const struct shape *shape)
{
	const weft_object_pool_options options = {
		.object_size = sizeof(struct object),
		.max_objects = shape->max_objects,
		.cached_objects = shape->cached,
	};

	memset(&test, 0, sizeof(test));
	test.shape = shape;
	model_run_on(0);
	if (weft_object_pool_init(&test.pool, &options) != 0)
		return false;
	/* Small ones, for the model. */
	test.pool.chunk_bytes_ = CHUNK_BYTES;
	test.pool.chunk_objects_ = shape->chunk_objects;
	model_name(&test.pool.full_, "full");
	model_name(&test.pool.empty_, "empty");
	model_name(&test.pool.loose_, "loose");
	model_name(&test.pool.chunks_, "chunks");
	model_name(&test.pool.spare_chunks_, "spare chunks");
	model_name(&test.pool.objects_, "objects");
	model_name(&test.pool.shared_, "shared");
	model_name(&test.pool.trimming_, "trimming");
	model_name_array((char *)test.pool.lists_.areas.areas + test.pool.lists_.restartable_bytes,
			 test.pool.lists_.area_bytes, 2, "lists");
	follow(THREADS, shape->before);
	deal_out();
	return true;
}

/* Nothing is in use: all objects are idle, and one trim gives all memory back. */
static void check_end(void)
{
	weft_object_pool_statistics found = weft_object_pool_stats(&test.pool);

	model_assert(found.in_use == 0);
	model_assert(found.objects == found.idle_cached + found.idle_shared);
	model_assert(test.shape->max_objects == 0 || found.objects <= test.shape->max_objects);
	model_run_on(0);
	weft_object_pool_trim(&test.pool);
	found = weft_object_pool_stats(&test.pool);
	model_assert(found.objects == 0 && found.chunks == 0);
	model_assert(found.idle_cached == 0 && found.idle_shared == 0);
}

static void exact(const void *shape)
{
	if (!setup(shape))
		return;
	for (int i = 0; i < THREADS; i++) {
		if (test.shape->threads[i] != NULL)
			model_thread(work, (void *)(intptr_t)i);
	}
	model_join();
	for (int i = 0; i <= THREADS; i++) {
		while (model_frozen() == 0 && test.first[i] < test.end[i])
			release(i);
	}
	if (model_frozen() != 0)
		return;
	check_end();
	weft_object_pool_fini(&test.pool);
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "object_pool: 2 CPUs",
		.run = exact,
		.argument = SHAPE(.before = "a", .threads = {"0af", "1af"}, .cached = 2,
				  .chunk_objects = 2, .must_succeed = true),
	},
	{
		.name = "object_pool: 2 threads of one CPU",
		.run = exact,
		.argument = SHAPE(.threads = {"0af", "0af"}, .cached = 4, .chunk_objects = 4,
				  .must_succeed = true),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "object_pool: batches of one through the depot",
		.run = exact,
		.argument = SHAPE(.before = "aaaaaaa", .threads = {"1fff", "0fff", "1a"},
				  .cached = 2, .chunk_objects = 7, .must_succeed = true),
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "object_pool: batches of two, some of them loose",
		.run = exact,
		.argument = SHAPE(.before = "aaaaaaaaaa", .threads = {"1fffff", "1fffff"},
				  .cached = 4, .chunk_objects = 5, .must_succeed = true),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "object_pool: a trim, and others go on",
		.run = exact,
		.argument = SHAPE(.before = "aaaff", .threads = {"0t", "1af"}, .cached = 2,
				  .chunk_objects = 2, .must_succeed = true),
		.stale = 1,
	},
	{
		.name = "object_pool: two trims",
		.run = exact,
		.argument = SHAPE(.before = "aaaff", .threads = {"0t", "1t", "1a"}, .cached = 2,
				  .chunk_objects = 2, .must_succeed = true),
		.preemptions = 1,
	},
	{
		.name = "object_pool: two trims, one after the other, of one chunk",
		.run = exact,
		.argument = SHAPE(.before = "aaaaaafffff", .threads = {"0t", "1t"}, .cached = 6,
				  .chunk_objects = 6, .must_succeed = true),
	},
	{
		.name = "object_pool: chunks that come again",
		.run = exact,
		.argument = SHAPE(.before = "aft", .threads = {"0aft", "1af"}, .cached = 2,
				  .chunk_objects = 2, .must_succeed = true),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "object_pool: max_objects",
		.run = exact,
		.argument = SHAPE(.threads = {"0aa", "1aa"}, .cached = 2, .chunk_objects = 2,
				  .max_objects = 3),
		.preemptions = 1,
	},
	{
		.name = "object_pool: nobody waits for a frozen thread",
		.run = exact,
		.argument = SHAPE(.before = "aaaff", .threads = {"0af", "0f", "1at"}, .cached = 2,
				  .chunk_objects = 3, .must_succeed = true),
		.freeze = true,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "object_pool: nor in reserve",
		.run = exact,
		.argument = SHAPE(.before = "aft", .threads = {"0raf", "1rt"}, .cached = 2,
				  .chunk_objects = 2, .must_succeed = true),
		.freeze = true,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "object_pool: out of memory",
		.run = exact,
		.argument = SHAPE(.before = "raa", .threads = {"0a", "1a"}, .cached = 2,
				  .chunk_objects = 2),
		.fail_allocations = true,
		.preemptions = 1,
		.stale = 1,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
