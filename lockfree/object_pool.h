/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_OBJECT_POOL_H
#define WEFT_LOCKFREE_OBJECT_POOL_H

/*
 * Objects of one size, allocated and freed by any thread, at the price of a few plain instructions.
 *
 * When not to use it: for objects of many sizes (malloc); for a handful of objects; for many pools
 * (each has lists for every CPU, see "Memory").
 *
 * Source: the magazines and the depot of Jeff Bonwick and Jonathan Adams ("Magazines and Vmem",
 * USENIX 2001), with the magazines in restartable sequences, one for each CPU and not for each
 * thread.
 *
 * How: memory comes in chunks, which are divided into objects. An allocation pops from the list of
 * the CPU that it runs on, a free pushes to it, wherever the object comes from (per_cpu_list.h). A
 * list that is full gives half of what it may hold, as one batch, to the depot; one that is empty
 * takes a batch from there. So objects that are allocated here and freed there go back in batches,
 * one exchange on a shared line for each. Only when the depot is empty, too, a chunk is taken.
 *
 *     operation                   threads  progress       sleeps  allocates
 *     weft_object_pool_init       one      -              no      init
 *     weft_object_pool_fini       one      -              no      no (frees)
 *     weft_object_pool_alloc      any      lock-free (*)  no      a chunk now and then
 *     weft_object_pool_free       any      lock-free      no      no
 *     weft_object_pool_reserve    any      lock-free (*)  no      chunks
 *     weft_object_pool_trim       any      lock-free (*)  no      no (frees)
 *     weft_object_pool_stats      any      wait-free      no      no
 *
 *     (*) but for the allocator that chunks come from and go to. A thread that is stopped for ever
 *     keeps the objects that it has in its hands, which are at most a batch or a chunk, and in a
 *     trim all that it has gathered.
 *
 * Limits: max_objects is how many exist, allocated and idle ones together. When they do, alloc
 * returns NULL as soon as neither the list of this CPU nor the depot has one, though lists of other
 * CPUs may (up to cached_objects each), and other calls under way may have some in their hands: so
 * at least max_objects - (CPUs + calls) * 2 * cached_objects can be allocated at the same time.
 *
 * Memory: objects, rounded up to a multiple of the alignment and at least 8 bytes, in chunks of 64
 * KiB, or of eight objects where that is more; in a chunk a header of a line; beside it 9 bytes for
 * each object (more with few cached_objects), which are kept until fini; for each configured CPU
 * 16 bytes times cached_objects, rounded up to lines. Idle objects are kept: up to cached_objects
 * for each CPU, and all others in the depot until weft_object_pool_trim gives those chunks back of
 * which no object is in use.
 *
 * Signal handlers may free, and may allocate where no chunk is needed (see reserve).
 */

#include <weft/lockfree/per_cpu_list.h>
#include <weft/lockfree/stack.h>

/* The largest object and the largest alignment, in bytes. */
#define WEFT_OBJECT_POOL_SIZE_MAX      1048576
#define WEFT_OBJECT_POOL_ALIGNMENT_MAX 4096

/* Zeroed but for object_size, it is a sensible pool. */
typedef struct weft_object_pool_options {
	size_t object_size;    /* in bytes */
	size_t alignment;      /* in bytes, a power of two; 0: 16, or 8 for objects of up to 8 */
	size_t max_objects;    /* how many exist at most; 0: no limit */
	size_t cached_objects; /* how many idle ones a CPU's list holds at most, 2 to 256; 0: 256,
				* or fewer where that would be above 64 KiB */
	/*
	 * Where chunks come from: memory of this size and alignment, or NULL; and where they go,
	 * with the same two numbers. Any thread may call them, several at a time. NULL for both:
	 * aligned_alloc and free. For chunks on a NUMA node: weft_memory_alloc and
	 * weft_memory_free of affinity/memory.h, with the node from the context.
	 */
	void *(*chunk_alloc)(void *context, size_t bytes, size_t alignment);
	void (*chunk_free)(void *context, void *chunk, size_t bytes, size_t alignment);
	void *context;
} weft_object_pool_options;

/* Exact while no other thread uses the pool. */
typedef struct weft_object_pool_statistics {
	size_t objects;      /* that exist */
	size_t in_use;       /* allocated and not freed */
	size_t idle_cached;  /* in the lists of CPUs */
	size_t idle_shared;  /* in the depot */
	size_t chunks;       /* that are held */
	size_t chunk_bytes;  /* of each */
	size_t object_bytes; /* that each object takes */
} weft_object_pool_statistics;

/*
 * Invariants:
 *   I1  an object is in one place: in use, in a list, in a batch of the depot, among the loose
 * ones, or in the hands of one call; I2  the batches of the depot have batch_objects_ each, no more
 * and no fewer; I3  there are as many batches as all objects can fill; so a thread with so many
 * objects in its hands, and none of them in a batch, finds an empty one.
 */
typedef struct weft_object_pool {
	/* Constant between init and fini. */
	weft_per_cpu_list_ lists_;
	weft_object_pool_options options_;
	size_t object_bytes_;  /* the distance of two objects */
	size_t first_offset_;  /* of the first object in its chunk */
	size_t chunk_bytes_;   /* a power of two, to which chunks are aligned */
	size_t chunk_objects_; /* of a chunk; the last before max_objects may have fewer */
	size_t batch_objects_;
	/* The depot, and batches with nothing in them. */
	weft_stack full_;
	weft_stack empty_;
	/* Objects that are fewer than a batch. They are taken all at once. */
	weft_stack loose_;
	/* Chunks: all that ever were, and those without memory. */
	weft_stack chunks_;
	weft_stack spare_chunks_;
	/* How many objects exist, or will as soon as their chunk is there. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) objects_;
	/* relaxed: for the statistics. */
	WEFT_ATOMIC(uint64_t) held_chunks_;
	/* Objects in batches of the depot and loose ones. relaxed: for the statistics. */
	WEFT_ATOMIC(uint64_t) shared_;
	/* 1 while a thread trims. */
	WEFT_ATOMIC(uint32_t) trimming_;
} weft_object_pool;

WEFT_BEGIN_DECLS

/*
 * Makes a pool without objects; the options are copied.
 * Threads: one, before the pool is shared. Progress: allocates; asks the system for the number of
 * CPUs.
 * Returns 0; -EINVAL when an option is out of its range, or one of the two functions is missing;
 * -ENOMEM. On an error *pool is left zeroed, and weft_object_pool_fini may be called.
 */
WEFT_API int weft_object_pool_init(weft_object_pool *pool, const weft_object_pool_options *options);

/*
 * Frees all memory. No object may be in use (a contract: they would be gone).
 * Threads: one, after all others have stopped using the pool. A zeroed pool is allowed.
 */
WEFT_API void weft_object_pool_fini(weft_object_pool *pool);

/*
 * Makes chunks until so many objects exist, in use or idle, so that later allocations need none.
 * Threads: any. Progress: lock-free, but for the allocator of chunks.
 * Returns 0; -ENOMEM when max_objects is less than that or there is no memory.
 */
WEFT_API int weft_object_pool_reserve(weft_object_pool *pool, size_t objects);

/*
 * Gives chunks back that are idle as a whole: empties the lists of all CPUs and the depot, and
 * keeps what is of other chunks. While it runs, objects are in its hands, and a CPU whose list it
 * is emptying does without; when another thread is at it, it does nothing. Where the system cannot
 * restart the sequences of other CPUs (before Linux 5.10) it leaves their lists alone: to empty one
 * of them, call it there.
 * Threads: any. Progress: lock-free, but for the allocator of chunks; O(idle objects), and a system
 * call (membarrier) for each CPU with idle objects in its list.
 * Returns how many bytes were given back.
 */
WEFT_API size_t weft_object_pool_trim(weft_object_pool *pool);

/* How many objects there are and where. Threads: any. Progress: wait-free, O(CPUs). */
WEFT_API weft_object_pool_statistics weft_object_pool_stats(const weft_object_pool *pool);

/* Private: what is done when the CPU's list is empty, or full. */
WEFT_API void *weft_object_pool_refill_(weft_object_pool *pool);
WEFT_API void weft_object_pool_spill_(weft_object_pool *pool, void *object);

WEFT_END_DECLS

/*
 * An object, whose bytes are whatever they were.
 * Threads: any. Progress: lock-free, but when a chunk is needed.
 * Returns NULL when there is no memory, or max_objects are there (see "Limits" above).
 */
WEFT_INLINE void *weft_object_pool_alloc(weft_object_pool *pool)
{
	void *object = weft_per_cpu_list_pop_(&pool->lists_);

	return WEFT_LIKELY(object != NULL) ? object : weft_object_pool_refill_(pool);
}

/*
 * Takes an object back that came from this pool; NULL is allowed.
 * Threads: any, not only the one that allocated it. Progress: lock-free.
 */
WEFT_INLINE void weft_object_pool_free(weft_object_pool *pool, void *object)
{
	if (WEFT_LIKELY(object != NULL) &&
	    WEFT_UNLIKELY(!weft_per_cpu_list_push_(&pool->lists_, object)))
		weft_object_pool_spill_(pool, object);
}

/*
 * WEFT_OBJECT_POOL_DEFINE(orders, struct order) makes the type `orders` and orders_init, _fini,
 * _alloc, _free, _reserve, _trim and _stats, which differ from the functions above in that the
 * object's type is checked, and its size and alignment are set by init; its options may be NULL.
 */
#define WEFT_OBJECT_POOL_DEFINE(name, type)                                                        \
	typedef struct name {                                                                      \
		weft_object_pool pool_;                                                            \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *pool, const weft_object_pool_options *options)           \
	{                                                                                          \
		weft_object_pool_options own;                                                      \
		if (options == NULL)                                                               \
			memset(&own, 0, sizeof(own));                                              \
		else                                                                               \
			own = *options;                                                            \
		own.object_size = sizeof(type);                                                    \
		own.alignment = __alignof__(type);                                                 \
		return weft_object_pool_init(&pool->pool_, &own);                                  \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *pool)                                                   \
	{                                                                                          \
		weft_object_pool_fini(&pool->pool_);                                               \
	}                                                                                          \
	WEFT_INLINE type *name##_alloc(name *pool)                                                 \
	{                                                                                          \
		return (type *)weft_object_pool_alloc(&pool->pool_);                               \
	}                                                                                          \
	WEFT_INLINE void name##_free(name *pool, type *object)                                     \
	{                                                                                          \
		weft_object_pool_free(&pool->pool_, object);                                       \
	}                                                                                          \
	WEFT_INLINE int name##_reserve(name *pool, size_t objects)                                 \
	{                                                                                          \
		return weft_object_pool_reserve(&pool->pool_, objects);                            \
	}                                                                                          \
	WEFT_INLINE size_t name##_trim(name *pool)                                                 \
	{                                                                                          \
		return weft_object_pool_trim(&pool->pool_);                                        \
	}                                                                                          \
	WEFT_INLINE weft_object_pool_statistics name##_stats(const name *pool)                     \
	{                                                                                          \
		return weft_object_pool_stats(&pool->pool_);                                       \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_OBJECT_POOL_SIZE_MAX, "object too large")

#endif
