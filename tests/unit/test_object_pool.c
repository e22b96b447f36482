/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/affinity/memory.h>
#include <weft/lockfree/object_pool.h>

#include "../../lockfree/reclaim_urcu.h"
#include "../rseq_leave.h"
#include "../seeded_random.h"

#define CHUNK_BYTES 65536

static jmp_buf after_contract;

/* meson.build leads weft_contract_broken_ here, which must not return. */
void __wrap_weft_contract_broken_(const char *where, const char *contract)
	__attribute__((noreturn));

void __wrap_weft_contract_broken_(const char *where, const char *contract)
{
	(void)where;
	(void)contract;
	longjmp(after_contract, 1);
}

/* What is in which list is counted: these tests stay on one CPU. */
static int stay_on_one_cpu(void **state)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	(void)state;
	CPU_ZERO(&one);
	CPU_SET(cpu < 0 ? 0 : (size_t)cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one);
}

static void init(weft_object_pool *pool, size_t object_size)
{
	const weft_object_pool_options options = {.object_size = object_size};

	assert_int_equal(weft_object_pool_init(pool, &options), 0);
}

static void fini(weft_object_pool *pool)
{
	static const weft_object_pool zeroed;

	assert_int_equal(weft_object_pool_stats(pool).in_use, 0);
	weft_object_pool_fini(pool);
	assert_memory_equal(pool, &zeroed, sizeof(zeroed));
}

static void *never(void *context, size_t bytes, size_t alignment)
{
	(void)context, (void)bytes, (void)alignment;
	return NULL;
}

static void refuses_options(void **state)
{
	static const weft_object_pool_options refused[] = {
		{.object_size = 0},
		{.object_size = WEFT_OBJECT_POOL_SIZE_MAX + 1},
		{.object_size = SIZE_MAX},
		{.object_size = 8, .alignment = 24},
		{.object_size = 8, .alignment = 2 * WEFT_OBJECT_POOL_ALIGNMENT_MAX},
		{.object_size = 8, .cached_objects = 1},
		{.object_size = 8, .cached_objects = 257},
		{.object_size = 8, .chunk_alloc = never},
	};
	static const weft_object_pool zeroed;
	weft_object_pool pool;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset((void *)&pool, 0xa5, sizeof(pool));
		assert_int_equal(weft_object_pool_init(&pool, &refused[i]), -EINVAL);
		assert_memory_equal(&pool, &zeroed, sizeof(pool));
		weft_object_pool_fini(&pool);
	}
}

/* Every byte of every object is its own. */
static void objects_do_not_overlap(void **state)
{
	static const struct {
		size_t size, alignment, count;
	} kinds[] = {
		{1, 0, 20000},  {8, 0, 20000},     {9, 1, 10000},      {24, 8, 10000},
		{64, 64, 5000}, {1000, 512, 300},  {4096, 4096, 100},  {65536, 0, 20},
		{3, 4096, 40},  {100000, 128, 20}, {1048576, 4096, 9},
	};

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		const weft_object_pool_options options = {.object_size = kinds[k].size,
							  .alignment = kinds[k].alignment};
		unsigned char **objects = calloc(kinds[k].count, sizeof(*objects));
		weft_object_pool pool;

		assert_non_null(objects);
		assert_int_equal(weft_object_pool_init(&pool, &options), 0);
		for (size_t i = 0; i < kinds[k].count; i++) {
			objects[i] = weft_object_pool_alloc(&pool);
			assert_non_null(objects[i]);
			if (kinds[k].alignment != 0)
				assert_int_equal((uintptr_t)objects[i] % kinds[k].alignment, 0);
			memset(objects[i], (int)(i * 7 % 251), kinds[k].size);
		}
		assert_int_equal(weft_object_pool_stats(&pool).in_use, kinds[k].count);
		for (size_t i = 0; i < kinds[k].count; i++) {
			for (size_t at = 0; at < kinds[k].size; at += 1 + at / 7)
				assert_int_equal(objects[i][at], i * 7 % 251);
			assert_int_equal(objects[i][kinds[k].size - 1], i * 7 % 251);
			weft_object_pool_free(&pool, objects[i]);
		}
		fini(&pool);
		free(objects);
	}
}

/* The newest that was freed is the next that is allocated: it is still in the cache. */
static void newest_comes_first(void **state)
{
	weft_object_pool pool;
	void *objects[10];

	(void)state;
	init(&pool, 64);
	for (size_t i = 0; i < 10; i++)
		objects[i] = weft_object_pool_alloc(&pool);
	for (size_t i = 0; i < 10; i++)
		weft_object_pool_free(&pool, objects[i]);
	weft_object_pool_free(&pool, NULL);
	for (size_t i = 10; i-- > 0;)
		assert_ptr_equal(weft_object_pool_alloc(&pool), objects[i]);
	for (size_t i = 0; i < 10; i++)
		weft_object_pool_free(&pool, objects[i]);
	fini(&pool);
}

/* What is in use, each object filled with its place in the array. */
typedef struct in_use {
	size_t count, most;
	uint64_t *objects[2000];
} in_use;

static void place(in_use *held, size_t at, uint64_t *object)
{
	held->objects[at] = object;
	object[0] = at;
	object[2] = ~(uint64_t)at;
}

static void allocate_one(weft_object_pool *pool, in_use *held)
{
	uint64_t *object = weft_object_pool_alloc(pool);

	assert_int_equal(object == NULL, held->count == held->most);
	if (object != NULL)
		place(held, held->count++, object);
}

static void free_any(weft_object_pool *pool, in_use *held, seeded_random *random)
{
	size_t at = (size_t)seeded_random_below(random, held->count);
	uint64_t *object = held->objects[at];

	assert_true(object[0] == at && object[2] == ~(uint64_t)at);
	place(held, at, held->objects[--held->count]);
	weft_object_pool_free(pool, object);
}

/* Compared with an array, by random calls. */
static void behaves_like_an_array(void **state)
{
	seeded_random random = {seeded_random_seed()};
	static in_use held;

	(void)state;
	for (size_t round = 0; round < 8; round++) {
		const weft_object_pool_options options = {
			.object_size = 24,
			.cached_objects = 2 + round * 36,
			.max_objects = round % 2 == 0 ? 0 : 1000,
		};
		weft_object_pool pool;

		held.most = round % 2 == 0 ? 2000 : 1000;
		assert_int_equal(weft_object_pool_init(&pool, &options), 0);
		for (int step = 0; step < 40000; step++) {
			/* Towards many and towards few, in turn. */
			uint64_t more = step / 5000 % 2 == 0 ? 70 : 30;

			if (seeded_random_below(&random, 100) >= more && held.count > 0)
				free_any(&pool, &held, &random);
			else if (held.count < 2000)
				allocate_one(&pool, &held);
			if (seeded_random_below(&random, 2000) == 0)
				weft_object_pool_trim(&pool);
			assert_int_equal(weft_object_pool_stats(&pool).in_use, held.count);
		}
		while (held.count > 0)
			free_any(&pool, &held, &random);
		weft_object_pool_trim(&pool);
		assert_int_equal(weft_object_pool_stats(&pool).objects, 0);
		fini(&pool);
	}
}

/* As the header says: chunks of 64 KiB, or of eight objects where that is more. */
static void chunks_are_large_enough(void **state)
{
	static const struct {
		size_t object_size, object_bytes, chunk_bytes, cached;
	} expected[] = {
		{1, 8, CHUNK_BYTES, 256},
		{9, 16, CHUNK_BYTES, 256},
		{256, 256, CHUNK_BYTES, 256},
		{257, 272, CHUNK_BYTES, 255},
		/* Eight and the header fill a chunk. */
		{(CHUNK_BYTES - WEFT_CACHE_LINE) / 8, 8176, CHUNK_BYTES, 8},
		{8177, 8192, 2 * CHUNK_BYTES, 8},
		{40000, 40000, 8 * CHUNK_BYTES, 2},
		{WEFT_OBJECT_POOL_SIZE_MAX, WEFT_OBJECT_POOL_SIZE_MAX, 256 * CHUNK_BYTES, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		weft_object_pool pool;
		weft_object_pool_statistics found;

		init(&pool, expected[i].object_size);
		found = weft_object_pool_stats(&pool);
		assert_int_equal(found.object_bytes, expected[i].object_bytes);
		assert_int_equal(found.chunk_bytes, expected[i].chunk_bytes);
		assert_int_equal(pool.options_.cached_objects, expected[i].cached);
		fini(&pool);
	}
}

static void knows_where_objects_are(void **state)
{
	weft_object_pool pool;
	weft_object_pool_statistics found;
	void *objects[100];

	(void)state;
	init(&pool, 64);
	found = weft_object_pool_stats(&pool);
	assert_int_equal(found.objects + found.in_use + found.idle_cached + found.idle_shared, 0);
	assert_int_equal(found.chunk_bytes, CHUNK_BYTES);
	assert_int_equal(found.object_bytes, 64);
	for (size_t i = 0; i < 100; i++)
		objects[i] = weft_object_pool_alloc(&pool);
	found = weft_object_pool_stats(&pool);
	assert_int_equal(found.chunks, 1);
	assert_int_equal(found.objects, (CHUNK_BYTES - WEFT_CACHE_LINE) / 64);
	assert_int_equal(found.in_use, 100);
	assert_int_equal(found.in_use + found.idle_cached + found.idle_shared, found.objects);
	for (size_t i = 0; i < 100; i++)
		weft_object_pool_free(&pool, objects[i]);
	found = weft_object_pool_stats(&pool);
	assert_int_equal(found.in_use, 0);
	/* What the header says that a CPU keeps. */
	assert_in_range(found.idle_cached, 100, 256);
	fini(&pool);
}

static void has_no_more_than_the_maximum(void **state)
{
	const weft_object_pool_options options = {.object_size = 8, .max_objects = 8500};
	weft_object_pool pool;
	void **objects = calloc(8500, sizeof(*objects));

	(void)state;
	assert_non_null(objects);
	assert_int_equal(weft_object_pool_init(&pool, &options), 0);
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < 8500; i++) {
			objects[i] = weft_object_pool_alloc(&pool);
			assert_non_null(objects[i]);
		}
		assert_null(weft_object_pool_alloc(&pool));
		assert_int_equal(weft_object_pool_reserve(&pool, 8501), -ENOMEM);
		assert_int_equal(weft_object_pool_reserve(&pool, 8500), 0);
		weft_object_pool_free(&pool, objects[17]);
		assert_ptr_equal(weft_object_pool_alloc(&pool), objects[17]);
		assert_null(weft_object_pool_alloc(&pool));
		for (size_t i = 0; i < 8500; i++)
			weft_object_pool_free(&pool, objects[i]);
		/* The second time with the chunks in another order: the small one is larger. */
		assert_int_equal(weft_object_pool_trim(&pool), 2 * CHUNK_BYTES);
	}
	fini(&pool);
	free(objects);
}

/* Chunks of the test's own, counted. */
typedef struct chunk_count {
	int node;
	size_t taken, given_back;
} chunk_count;

static void *take_chunk(void *context, size_t bytes, size_t alignment)
{
	chunk_count *count = context;

	count->taken++;
	return weft_memory_alloc(bytes, alignment, count->node);
}

static void return_chunk(void *context, void *chunk, size_t bytes, size_t alignment)
{
	chunk_count *count = context;

	count->given_back++;
	weft_memory_free(chunk, bytes, alignment);
}

/* On a NUMA node, for instance. */
static void takes_chunks_where_it_is_told(void **state)
{
	chunk_count count = {.node = 0};
	const weft_object_pool_options options = {
		.object_size = 1000,
		.chunk_alloc = take_chunk,
		.chunk_free = return_chunk,
		.context = &count,
	};
	weft_object_pool pool;
	void *objects[200];

	(void)state;
	assert_int_equal(weft_object_pool_init(&pool, &options), 0);
	assert_int_equal(weft_object_pool_reserve(&pool, 200), 0);
	assert_int_equal(count.taken, 4);
	for (size_t i = 0; i < 200; i++) {
		objects[i] = weft_object_pool_alloc(&pool);
		memset(objects[i], 1, 1000);
	}
	assert_int_equal(count.taken, 4);
	for (size_t i = 0; i < 200; i++)
		weft_object_pool_free(&pool, objects[i]);
	assert_int_equal(weft_object_pool_trim(&pool), 4 * CHUNK_BYTES);
	assert_int_equal(count.given_back, 4);
	assert_int_equal(weft_object_pool_reserve(&pool, 1), 0);
	fini(&pool);
	assert_int_equal(count.taken, 5);
	assert_int_equal(count.given_back, 5);
}

static void goes_on_without_memory(void **state)
{
	chunk_count count = {.node = WEFT_MEMORY_ANY};
	const weft_object_pool_options options = {
		.object_size = 64,
		.chunk_alloc = never,
		.chunk_free = return_chunk,
		.context = &count,
	};
	weft_object_pool pool;
	void *object;

	(void)state;
	assert_int_equal(weft_object_pool_init(&pool, &options), 0);
	for (int again = 0; again < 3; again++) {
		assert_null(weft_object_pool_alloc(&pool));
		assert_int_equal(weft_object_pool_reserve(&pool, 1), -ENOMEM);
		assert_int_equal(weft_object_pool_stats(&pool).objects, 0);
	}
	pool.options_.chunk_alloc = take_chunk;
	object = weft_object_pool_alloc(&pool);
	assert_non_null(object);
	weft_object_pool_free(&pool, object);
	fini(&pool);
	assert_int_equal(count.given_back, 1);
}

/* Of three chunks, one has an object in use: the other two go. */
static void trim_keeps_what_is_in_use(void **state)
{
	weft_object_pool pool;
	size_t per_chunk, used;
	uint64_t **objects;

	(void)state;
	init(&pool, 64);
	assert_int_equal(weft_object_pool_reserve(&pool, 1), 0);
	per_chunk = weft_object_pool_stats(&pool).objects;
	objects = calloc(3 * per_chunk, sizeof(*objects));
	assert_non_null(objects);
	for (size_t i = 0; i < 3 * per_chunk; i++)
		objects[i] = weft_object_pool_alloc(&pool);
	assert_int_equal(weft_object_pool_trim(&pool), 0);
	used = per_chunk + 5;
	*objects[used] = 12345;
	for (size_t i = 0; i < 3 * per_chunk; i++) {
		if (i != used)
			weft_object_pool_free(&pool, objects[i]);
	}
	/* Another thread is at it. */
	atomic_store_explicit(&pool.trimming_, 1, memory_order_relaxed);
	assert_int_equal(weft_object_pool_trim(&pool), 0);
	atomic_store_explicit(&pool.trimming_, 0, memory_order_relaxed);
	assert_int_equal(weft_object_pool_trim(&pool), 2 * CHUNK_BYTES);
	assert_int_equal(weft_object_pool_trim(&pool), 0);
	assert_int_equal(weft_object_pool_stats(&pool).chunks, 1);
	assert_true(*objects[used] == 12345);
	/* What is kept can be had. */
	for (size_t i = 0; i < per_chunk - 1; i++)
		objects[i < used ? i : i + 1] = weft_object_pool_alloc(&pool);
	assert_int_equal(weft_object_pool_stats(&pool).chunks, 1);
	for (size_t i = 0; i < per_chunk - 1; i++)
		weft_object_pool_free(&pool, objects[i < used ? i : i + 1]);
	weft_object_pool_free(&pool, objects[used]);
	assert_int_equal(weft_object_pool_trim(&pool), CHUNK_BYTES);
	fini(&pool);
	free(objects);
}

/* How many pointers stand in the lists of sequences, and of threads without. */
static void count_lists(const weft_object_pool *pool, size_t *restartable, size_t *taken)
{
	const weft_per_cpu_list_ *lists = &pool->lists_;

	*restartable = 0;
	for (size_t at = 0; at < lists->restartable_bytes; at += lists->area_bytes) {
		void *area = (char *)lists->areas.areas + at;

		*restartable += atomic_load_explicit(&((weft_per_cpu_list_area_ *)area)->count,
						     memory_order_relaxed);
	}
	*taken = weft_per_cpu_list_size_(lists) - *restartable;
}

static void *use_without_sequences(void *shared)
{
	weft_object_pool *pool = shared;
	void *objects[500];
	bool left = rseq_leave();

	for (size_t i = 0; i < 500; i++)
		objects[i] = weft_object_pool_alloc(pool);
	for (size_t i = 0; i < 500; i++)
		weft_object_pool_free(pool, objects[i]);
	return left ? shared : NULL;
}

/* As where the kernel refuses them to a thread; others go on with theirs. */
static void one_thread_may_lack_sequences(void **state)
{
	weft_object_pool pool;
	size_t restartable, taken, first;
	pthread_t thread;
	void *result;

	(void)state;
	init(&pool, 64);
	weft_object_pool_free(&pool, weft_object_pool_alloc(&pool));
	/* What the chunk has beyond whole batches. */
	first = (pool.chunk_objects_ - 1) % pool.batch_objects_ + 1;
	count_lists(&pool, &restartable, &taken);
	if (WEFT_PER_CPU_LIST_RESTARTABLE_ && weft_per_cpu_is_restartable_()) {
		assert_int_equal(restartable, first);
		assert_int_equal(taken, 0);
	} else {
		assert_int_equal(restartable, 0);
		assert_int_equal(taken, first);
	}
	assert_int_equal(pthread_create(&thread, NULL, use_without_sequences, &pool), 0);
	pthread_join(thread, &result);
	assert_ptr_equal(result, &pool);
	count_lists(&pool, &restartable, &taken);
	assert_in_range(taken, 128, 256);
	fini(&pool);
}

/* A thread that was stopped for ever with its CPU's list: others do without the list. */
static void does_without_a_list_that_is_taken(void **state)
{
	weft_object_pool pool;
	weft_per_cpu_list_ *lists = &pool.lists_;
	uint64_t *objects[200];

	(void)state;
	init(&pool, 64);
	for (size_t at = lists->restartable_bytes; at < lists->areas.bytes;
	     at += lists->area_bytes) {
		void *area = (char *)lists->areas.areas + at;

		atomic_store_explicit(&((weft_per_cpu_list_taken_ *)area)->taken, 1,
				      memory_order_relaxed);
	}
	for (size_t i = 0; i < 200; i++) {
		objects[i] = weft_object_pool_alloc(&pool);
		assert_non_null(objects[i]);
		*objects[i] = i;
	}
	assert_int_equal(weft_object_pool_stats(&pool).chunks, 1);
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(*objects[i], i);
		weft_object_pool_free(&pool, objects[i]);
	}
	assert_int_equal(weft_object_pool_trim(&pool), CHUNK_BYTES);
	fini(&pool);
}

/* Where a thread uses the pool. */
typedef struct visit {
	weft_object_pool *pool;
	size_t cpu;
	bool without_sequences;
} visit;

static void *leave_idle_objects(void *argument)
{
	const visit *self = argument;
	void *objects[300];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(self->cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0 ||
	    (self->without_sequences && !rseq_leave()))
		return NULL;
	for (size_t i = 0; i < 300; i++)
		objects[i] = weft_object_pool_alloc(self->pool);
	for (size_t i = 0; i < 300; i++)
		weft_object_pool_free(self->pool, objects[i]);
	return argument;
}

/* Uses the pool on each CPU that a thread may use, with sequences and without; returns how many. */
static size_t visit_all_cpus(weft_object_pool *pool)
{
	size_t visited = 0;

	for (size_t i = 0; i < 2 * (size_t)CPU_SETSIZE; i++) {
		visit self = {pool, i / 2, i % 2 != 0};
		pthread_t thread;
		void *result;

		if (i / 2 >= weft_per_cpu_count_())
			break;
		assert_int_equal(pthread_create(&thread, NULL, leave_idle_objects, &self), 0);
		pthread_join(thread, &result);
		visited += result != NULL && i % 2 == 0;
	}
	return visited;
}

/* Idle objects in the lists of CPUs on which nothing runs any more. */
static void trim_empties_the_lists_of_all_cpus(void **state)
{
	weft_object_pool pool;

	(void)state;
	init(&pool, 64);
	for (int again = 0; again < 3; again++) {
		size_t visited = visit_all_cpus(&pool), bytes;

		assert_true(visited >= 1);
		assert_true(weft_object_pool_stats(&pool).idle_cached >= visited * 128);
		bytes = weft_object_pool_stats(&pool).chunks * CHUNK_BYTES;
		/* Where the system has no such barrier, lists of other CPUs stay as they are. */
		if (!weft_urcu_restart_sequences_(0) && weft_per_cpu_is_restartable_())
			break;
		assert_int_equal(weft_object_pool_trim(&pool), bytes);
		assert_int_equal(weft_object_pool_stats(&pool).objects, 0);
		assert_int_equal(weft_object_pool_stats(&pool).idle_cached, 0);
	}
	fini(&pool);
}

/* Stops all lists of sequences as a trim does, or lets them go on. */
static void stop_or_go_on(const weft_per_cpu_list_ *lists)
{
	for (size_t at = 0; at < lists->restartable_bytes; at += lists->area_bytes) {
		void *area = (char *)lists->areas.areas + at;

		atomic_fetch_xor_explicit(&((weft_per_cpu_list_area_ *)area)->count,
					  WEFT_PER_CPU_LIST_STOPPED_, memory_order_relaxed);
	}
}

/* A list that a trim has stopped, with something in it or not: the CPU's threads do without, and
 * its objects are not lost. */
static void does_without_a_list_that_is_stopped(void **state)
{
	bool are_sequences = WEFT_PER_CPU_LIST_RESTARTABLE_ && weft_per_cpu_is_restartable_();

	(void)state;
	for (size_t used = 0; used < 2; used++) {
		weft_object_pool pool;
		void *objects[200];
		size_t cached;

		init(&pool, 64);
		for (size_t i = 0; i < used; i++)
			weft_object_pool_free(&pool, weft_object_pool_alloc(&pool));
		cached = weft_object_pool_stats(&pool).idle_cached;
		stop_or_go_on(&pool.lists_);
		for (size_t i = 0; i < 200; i++)
			objects[i] = weft_object_pool_alloc(&pool);
		for (size_t i = 0; i < 200; i++)
			weft_object_pool_free(&pool, objects[i]);
		if (are_sequences)
			assert_int_equal(weft_object_pool_stats(&pool).idle_cached, cached);
		stop_or_go_on(&pool.lists_);
		assert_int_equal(weft_object_pool_trim(&pool), CHUNK_BYTES);
		assert_int_equal(weft_object_pool_stats(&pool).objects, 0);
		fini(&pool);
	}
}

/* Chunks straight from the system. */
static void *map_chunk(void *context, size_t bytes, size_t alignment)
{
	size_t more = bytes + alignment;
	char *mapped = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	(void)context;
	if (mapped == MAP_FAILED)
		return NULL;
	before = (size_t)(-(uintptr_t)mapped & (alignment - 1));
	if (before > 0)
		munmap(mapped, before);
	munmap(mapped + before + bytes, more - before - bytes);
	return mapped + before;
}

static void unmap_chunk(void *context, void *chunk, size_t bytes, size_t alignment)
{
	(void)context, (void)alignment;
	munmap(chunk, bytes);
}

static size_t resident_bytes(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long all, resident;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%lu %lu", &all, &resident), 2);
	fclose(statm);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* 32 MiB of objects come and go: the process is as small as it was. */
static void memory_goes_back_to_the_system(void **state)
{
	const weft_object_pool_options options = {
		.object_size = 1024, .chunk_alloc = map_chunk, .chunk_free = unmap_chunk};
	enum {
		OBJECTS = 32768
	};
	void **objects = calloc(OBJECTS, sizeof(*objects));
	weft_object_pool pool;
	size_t before, most;

	(void)state;
	assert_non_null(objects);
	memset(objects, 1, OBJECTS * sizeof(*objects));
	assert_int_equal(weft_object_pool_init(&pool, &options), 0);
	before = resident_bytes();
	for (size_t i = 0; i < OBJECTS; i++) {
		objects[i] = weft_object_pool_alloc(&pool);
		assert_non_null(objects[i]);
		memset(objects[i], 1, 1024);
	}
	most = resident_bytes();
	assert_true(most - before >= (size_t)OBJECTS * 1024);
	for (size_t i = 0; i < OBJECTS; i++)
		weft_object_pool_free(&pool, objects[i]);
	assert_true(weft_object_pool_trim(&pool) >= (size_t)OBJECTS * 1024);
	assert_true(most - resident_bytes() >= (size_t)OBJECTS * 1024);
	fini(&pool);
	free(objects);
}

#ifndef NDEBUG
static void contract_of_fini(void **state)
{
	/* Static, since longjmp may spoil the others. */
	static weft_object_pool pool;
	static void *object;

	(void)state;
	init(&pool, 64);
	object = weft_object_pool_alloc(&pool);
	if (setjmp(after_contract) == 0) {
		weft_object_pool_fini(&pool);
		fail_msg("an object was in use");
	}
	weft_object_pool_free(&pool, object);
	fini(&pool);
}
#endif

typedef struct order {
	uint64_t number;
	char name[20];
} order;

WEFT_OBJECT_POOL_DEFINE(order_pool, order);

static void typed_wrappers_know_their_type(void **state)
{
	weft_object_pool_options options = {.max_objects = 3, .object_size = 1};
	order_pool orders;
	order *first, *others[2];

	(void)state;
	assert_int_equal(order_pool_init(&orders, NULL), 0);
	first = order_pool_alloc(&orders);
	assert_int_equal(order_pool_stats(&orders).object_bytes, sizeof(order));
	order_pool_free(&orders, first);
	order_pool_fini(&orders);

	assert_int_equal(order_pool_init(&orders, &options), 0);
	assert_int_equal(order_pool_reserve(&orders, 3), 0);
	first = order_pool_alloc(&orders);
	first->number = 1;
	for (int i = 0; i < 2; i++)
		others[i] = order_pool_alloc(&orders);
	assert_null(order_pool_alloc(&orders));
	for (int i = 0; i < 2; i++)
		order_pool_free(&orders, others[i]);
	order_pool_free(&orders, first);
	assert_int_equal(order_pool_trim(&orders), CHUNK_BYTES);
	order_pool_fini(&orders);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_options),
		cmocka_unit_test(objects_do_not_overlap),
		cmocka_unit_test(newest_comes_first),
		cmocka_unit_test(behaves_like_an_array),
		cmocka_unit_test(chunks_are_large_enough),
		cmocka_unit_test(knows_where_objects_are),
		cmocka_unit_test(has_no_more_than_the_maximum),
		cmocka_unit_test(takes_chunks_where_it_is_told),
		cmocka_unit_test(goes_on_without_memory),
		cmocka_unit_test(trim_keeps_what_is_in_use),
		cmocka_unit_test(one_thread_may_lack_sequences),
		cmocka_unit_test(does_without_a_list_that_is_taken),
		cmocka_unit_test(trim_empties_the_lists_of_all_cpus),
		cmocka_unit_test(does_without_a_list_that_is_stopped),
		cmocka_unit_test(memory_goes_back_to_the_system),
#ifndef NDEBUG
		cmocka_unit_test(contract_of_fini),
#endif
		cmocka_unit_test(typed_wrappers_know_their_type),
	};

	return cmocka_run_group_tests(tests, stay_on_one_cpu, NULL);
}
