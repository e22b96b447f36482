/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/object_pool.h>

#include <stdlib.h>
#include <string.h>

/*
 * While it is idle, an object's memory is nobody's: lists and batches have pointers to it, and
 * loose objects, which are linked, are taken all at once, so that no other thread looks at the
 * link. So the memory may go back to the allocator as soon as a thread has all objects of a chunk
 * in its hands. Batches and chunk records, which others may look at while they are popped, live
 * until fini.
 */

/* batch_objects_ objects, or none. */
typedef struct batch {
	weft_stack_node node; /* first: a node is its batch */
	void *objects[];
} batch;

/* What is known of a chunk; kept and used again when its memory is given back. */
typedef struct chunk {
	weft_stack_node node;       /* of chunks_; first: a node is its chunk */
	weft_stack_node spare_node; /* of spare_chunks_ */
	void *memory;               /* NULL when spare */
	size_t objects;
	/* For the thread that trims. */
	size_t idle;
	struct chunk *next_idle;
	/* Here follow as many batches as its objects fill. */
} chunk;

/* What stands at the beginning of a chunk's memory. */
typedef struct header {
	chunk *chunk;
} header;

/* Objects in the hands of a call: at most a batch of them. */
typedef struct hand {
	size_t count;
	void *objects[WEFT_PER_CPU_LIST_MAX_ / 2];
} hand;

static void *default_alloc(void *context, size_t bytes, size_t alignment)
{
	(void)context;
	return aligned_alloc(alignment, bytes);
}

static void default_free(void *context, void *memory, size_t bytes, size_t alignment)
{
	(void)context, (void)bytes, (void)alignment;
	free(memory);
}

static batch *batch_of(weft_stack_node *node)
{
	return (batch *)(void *)node;
}

static chunk *chunk_of_spare(weft_stack_node *spare_node)
{
	return (chunk *)(void *)((char *)spare_node - offsetof(chunk, spare_node));
}

static chunk *chunk_of_object(const weft_object_pool *pool, void *object)
{
	uintptr_t within = (uintptr_t)object & (pool->chunk_bytes_ - 1);

	return ((header *)(void *)((char *)object - within))->chunk;
}

static size_t batch_bytes(const weft_object_pool *pool)
{
	return sizeof(batch) + pool->batch_objects_ * sizeof(void *);
}

/* relaxed: for the statistics. */
static void count_shared(weft_object_pool *pool, size_t more)
{
	atomic_fetch_add_explicit(&pool->shared_, more, memory_order_relaxed);
}

/* Gives the depot all objects, which are fewer than a batch. */
static void put_loose(weft_object_pool *pool, hand *objects)
{
	weft_stack_node *first = NULL, *last = NULL;

	if (objects->count == 0)
		return;
	count_shared(pool, objects->count);
	while (objects->count > 0) {
		weft_stack_node *node = objects->objects[--objects->count];

		weft_stack_link(node, first);
		first = node;
		if (last == NULL)
			last = node;
	}
	weft_stack_push_chain(&pool->loose_, first, last);
}

/* Gives the depot all objects, which are a batch. */
static void put_batch(weft_object_pool *pool, hand *objects)
{
	weft_stack_node *empty = NULL;
	bool found = weft_stack_try_pop(&pool->empty_, &empty);

	WEFT_CONTRACT(found, "an object is freed once, and to its own pool");
	(void)found;
	memcpy(batch_of(empty)->objects, objects->objects, objects->count * sizeof(void *));
	count_shared(pool, objects->count);
	objects->count = 0;
	weft_stack_push(&pool->full_, empty);
}

/* One object more; when they are a batch before, that goes to the depot. */
static void hold(weft_object_pool *pool, hand *objects, void *object)
{
	if (objects->count == pool->batch_objects_)
		put_batch(pool, objects);
	objects->objects[objects->count++] = object;
}

/* Gives the depot all objects, a batch or fewer. */
static void put_all(weft_object_pool *pool, hand *objects)
{
	if (objects->count == pool->batch_objects_)
		put_batch(pool, objects);
	else
		put_loose(pool, objects);
}

/* Takes the objects out of a batch, which is then empty. */
static void empty_batch(weft_object_pool *pool, weft_stack_node *full, hand *objects)
{
	objects->count = pool->batch_objects_;
	memcpy(objects->objects, batch_of(full)->objects, objects->count * sizeof(void *));
	count_shared(pool, -objects->count);
	/* Before one of its objects may be in another batch (I3). */
	weft_stack_push(&pool->empty_, full);
}

/* Takes all loose objects into the hand; all but the last of them go on to the depot as batches. */
static void take_loose(weft_object_pool *pool, hand *objects)
{
	weft_stack_node *node = weft_stack_pop_all(&pool->loose_);

	while (node != NULL) {
		weft_stack_node *next = weft_stack_next(node);

		count_shared(pool, (size_t)-1);
		hold(pool, objects, node);
		node = next;
	}
}

/* Reserves that many objects of a new chunk, 0 when max_objects are there. */
static size_t reserve_chunk(weft_object_pool *pool)
{
	/* relaxed: a count, which carries nothing. */
	uint64_t objects = atomic_load_explicit(&pool->objects_, memory_order_relaxed);
	uint64_t more;

	do {
		uint64_t max = pool->options_.max_objects;

		more = pool->chunk_objects_;
		if (max != 0 && max - objects < more)
			more = max - objects;
	} while (more > 0 && !atomic_compare_exchange_weak_explicit(
				     &pool->objects_, &objects, objects + more,
				     memory_order_relaxed, memory_order_relaxed));
	return (size_t)more;
}

/* relaxed: as above. */
static void forget_objects(weft_object_pool *pool, size_t count)
{
	atomic_fetch_sub_explicit(&pool->objects_, count, memory_order_relaxed);
}

/* A record without memory, used again or new; the batches of a new one are the pool's from now. */
static chunk *find_record(weft_object_pool *pool)
{
	weft_stack_node *spare = NULL;
	size_t batches = (pool->chunk_objects_ + pool->batch_objects_ - 1) / pool->batch_objects_;

	if (weft_stack_try_pop(&pool->spare_chunks_, &spare))
		return chunk_of_spare(spare);

	chunk *record = malloc(sizeof(chunk) + batches * batch_bytes(pool));

	if (record == NULL)
		return NULL;
	memset((void *)record, 0, sizeof(chunk));
	for (size_t i = 0; i < batches; i++) {
		char *place = (char *)(record + 1) + i * batch_bytes(pool);

		weft_stack_push(&pool->empty_, (weft_stack_node *)(void *)place);
	}
	weft_stack_push(&pool->chunks_, &record->node);
	return record;
}

/*
 * Divides a new chunk: at most a batch of its objects is then in the hand, the others are in the
 * depot. Returns false when there is none to be had.
 */
static bool make_chunk(weft_object_pool *pool, hand *objects)
{
	const weft_object_pool_options *options = &pool->options_;
	size_t count = reserve_chunk(pool);

	if (count == 0)
		return false;

	chunk *record = find_record(pool);
	char *memory = NULL;

	if (record != NULL)
		memory = options->chunk_alloc(options->context, pool->chunk_bytes_,
					      pool->chunk_bytes_);
	if (memory == NULL) {
		if (record != NULL)
			weft_stack_push(&pool->spare_chunks_, &record->spare_node);
		forget_objects(pool, count);
		return false;
	}
	record->memory = memory;
	record->objects = count;
	record->idle = 0;
	((header *)(void *)memory)->chunk = record;
	/* relaxed: for the statistics. */
	atomic_fetch_add_explicit(&pool->held_chunks_, 1, memory_order_relaxed);
	while (count-- > 0)
		hold(pool, objects, memory + pool->first_offset_ + count * pool->object_bytes_);
	return true;
}

void *weft_object_pool_refill_(weft_object_pool *pool)
{
	weft_stack_node *full = NULL;
	hand objects;

	objects.count = 0;
	if (weft_stack_try_pop(&pool->full_, &full))
		empty_batch(pool, full, &objects);
	else
		take_loose(pool, &objects);
	if (objects.count == 0 && !make_chunk(pool, &objects))
		return NULL;

	void *object = objects.objects[--objects.count];

	while (objects.count > 0 &&
	       weft_per_cpu_list_push_(&pool->lists_, objects.objects[objects.count - 1]))
		objects.count--;
	put_loose(pool, &objects);
	return object;
}

void weft_object_pool_spill_(weft_object_pool *pool, void *object)
{
	hand objects;

	objects.count = 0;
	do {
		objects.objects[objects.count++] = object;
	} while (objects.count < pool->batch_objects_ &&
		 (object = weft_per_cpu_list_pop_(&pool->lists_)) != NULL);
	put_all(pool, &objects);
}

int weft_object_pool_reserve(weft_object_pool *pool, size_t objects)
{
	/* relaxed: a count. */
	while (atomic_load_explicit(&pool->objects_, memory_order_relaxed) < objects) {
		hand made;

		made.count = 0;
		if (!make_chunk(pool, &made))
			return -ENOMEM;
		put_all(pool, &made);
	}
	return 0;
}

/*
 * Brings what is loose or in a CPU's list to the depot, but for what is then in the hand. The list
 * of this CPU can be emptied anywhere; other threads may push to it meanwhile: not for ever.
 */
static void collect(weft_object_pool *pool, hand *objects)
{
	size_t cpus = pool->lists_.restartable_bytes / pool->lists_.area_bytes;
	size_t most = 2 * WEFT_PER_CPU_LIST_MAX_;
	void *found[2 * WEFT_PER_CPU_LIST_MAX_];
	void *object;

	take_loose(pool, objects);
	while (most-- > 0 && (object = weft_per_cpu_list_pop_(&pool->lists_)) != NULL)
		hold(pool, objects, object);
	for (size_t cpu = 0; cpu < cpus; cpu++) {
		size_t count = weft_per_cpu_list_drain_(&pool->lists_, cpu, found);

		while (count > 0)
			hold(pool, objects, found[--count]);
	}
}

/* Counts the objects as idle; a chunk that has no others comes before the idle ones, given. */
static chunk *count_idle(const weft_object_pool *pool, void *const *objects, size_t count,
			 chunk *idle)
{
	for (size_t i = 0; i < count; i++) {
		chunk *record = chunk_of_object(pool, objects[i]);

		if (++record->idle == record->objects) {
			record->next_idle = idle;
			idle = record;
		}
	}
	return idle;
}

/* Keeps the objects that are not of idle chunks. */
static void keep(weft_object_pool *pool, const hand *objects, hand *kept)
{
	for (size_t i = 0; i < objects->count; i++) {
		chunk *record = chunk_of_object(pool, objects->objects[i]);

		if (record->idle != record->objects) {
			record->idle = 0;
			hold(pool, kept, objects->objects[i]);
		}
	}
}

/* Returns the bytes. */
static size_t give_back(weft_object_pool *pool, chunk *idle)
{
	const weft_object_pool_options *options = &pool->options_;
	size_t bytes = 0;

	while (idle != NULL) {
		chunk *next = idle->next_idle;

		options->chunk_free(options->context, idle->memory, pool->chunk_bytes_,
				    pool->chunk_bytes_);
		idle->memory = NULL;
		forget_objects(pool, idle->objects);
		/* relaxed: for the statistics. */
		atomic_fetch_sub_explicit(&pool->held_chunks_, 1, memory_order_relaxed);
		weft_stack_push(&pool->spare_chunks_, &idle->spare_node);
		bytes += pool->chunk_bytes_;
		idle = next;
	}
	return bytes;
}

size_t weft_object_pool_trim(weft_object_pool *pool)
{
	hand objects, kept;

	/* O1 acquire, pairs with O2: the counts are those of the last trim. */
	if (atomic_exchange_explicit(&pool->trimming_, 1, memory_order_acquire) != 0)
		return 0;
	objects.count = kept.count = 0;
	collect(pool, &objects);

	weft_stack_node *full = weft_stack_pop_all(&pool->full_);
	chunk *idle = count_idle(pool, objects.objects, objects.count, NULL);

	for (weft_stack_node *node = full; node != NULL; node = weft_stack_next(node))
		idle = count_idle(pool, batch_of(node)->objects, pool->batch_objects_, idle);
	keep(pool, &objects, &kept);
	while (full != NULL) {
		weft_stack_node *next = weft_stack_next(full);

		empty_batch(pool, full, &objects);
		keep(pool, &objects, &kept);
		full = next;
	}
	put_all(pool, &kept);

	size_t bytes = give_back(pool, idle);

	/* O2 release, pairs with O1: hands the counts over. */
	atomic_store_explicit(&pool->trimming_, 0, memory_order_release);
	return bytes;
}

weft_object_pool_statistics weft_object_pool_stats(const weft_object_pool *pool)
{
	/* relaxed: estimates carry no data. */
	weft_object_pool_statistics found = {
		.objects = atomic_load_explicit(&pool->objects_, memory_order_relaxed),
		.idle_cached = weft_per_cpu_list_size_(&pool->lists_),
		.idle_shared = atomic_load_explicit(&pool->shared_, memory_order_relaxed),
		.chunks = atomic_load_explicit(&pool->held_chunks_, memory_order_relaxed),
		.chunk_bytes = pool->chunk_bytes_,
		.object_bytes = pool->object_bytes_,
	};
	size_t idle;

	/* A batch on its way is counted at neither place, or at both. */
	if (found.idle_shared > found.objects)
		found.idle_shared = 0;
	idle = found.idle_cached + found.idle_shared;
	found.in_use = idle < found.objects ? found.objects - idle : 0;
	return found;
}

static size_t rounded_up(size_t bytes, size_t alignment)
{
	return (bytes + alignment - 1) / alignment * alignment;
}

/* Fills in what is 0; returns whether all is in its range. */
static bool complete(weft_object_pool_options *options)
{
	if (options->object_size == 0 || options->object_size > WEFT_OBJECT_POOL_SIZE_MAX)
		return false;
	if (options->alignment == 0)
		options->alignment = options->object_size <= 8 ? 8 : 16;
	if ((options->alignment & (options->alignment - 1)) != 0 ||
	    options->alignment > WEFT_OBJECT_POOL_ALIGNMENT_MAX)
		return false;
	if (options->cached_objects == 0) {
		size_t fit = 65536 / options->object_size;

		options->cached_objects = fit > WEFT_PER_CPU_LIST_MAX_ ? WEFT_PER_CPU_LIST_MAX_
					  : fit < 2                    ? 2
								       : fit;
	}
	if (options->cached_objects < 2 || options->cached_objects > WEFT_PER_CPU_LIST_MAX_ ||
	    (options->chunk_alloc == NULL) != (options->chunk_free == NULL))
		return false;
	if (options->chunk_alloc == NULL) {
		options->chunk_alloc = default_alloc;
		options->chunk_free = default_free;
	}
	return true;
}

int weft_object_pool_init(weft_object_pool *pool, const weft_object_pool_options *options)
{
	memset((void *)pool, 0, sizeof(*pool));
	pool->options_ = *options;
	if (!complete(&pool->options_)) {
		memset((void *)pool, 0, sizeof(*pool));
		return -EINVAL;
	}

	size_t alignment = pool->options_.alignment;

	/* An idle object is a node. */
	if (alignment < sizeof(weft_stack_node))
		alignment = sizeof(weft_stack_node);
	pool->object_bytes_ = rounded_up(options->object_size, alignment);
	pool->first_offset_ = rounded_up(WEFT_CACHE_LINE, alignment);
	pool->chunk_bytes_ = 65536;
	while (pool->chunk_bytes_ < pool->first_offset_ + 8 * pool->object_bytes_)
		pool->chunk_bytes_ *= 2;
	pool->chunk_objects_ = (pool->chunk_bytes_ - pool->first_offset_) / pool->object_bytes_;
	pool->batch_objects_ = pool->options_.cached_objects / 2;
	if (weft_per_cpu_list_init_(&pool->lists_, pool->options_.cached_objects) != 0) {
		memset((void *)pool, 0, sizeof(*pool));
		return -ENOMEM;
	}
	return 0;
}

void weft_object_pool_fini(weft_object_pool *pool)
{
	const weft_object_pool_options *options = &pool->options_;
	weft_stack_node *node = weft_stack_pop_all(&pool->chunks_);

	WEFT_CONTRACT(weft_object_pool_stats(pool).in_use == 0, "every object has been freed");
	while (node != NULL) {
		chunk *record = (chunk *)(void *)node;

		node = weft_stack_next(node);
		if (record->memory != NULL)
			options->chunk_free(options->context, record->memory, pool->chunk_bytes_,
					    pool->chunk_bytes_);
		free(record);
	}
	weft_per_cpu_list_fini_(&pool->lists_);
	memset((void *)pool, 0, sizeof(*pool));
}
