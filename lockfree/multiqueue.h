/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MULTIQUEUE_H
#define WEFT_LOCKFREE_MULTIQUEUE_H

/*
 * Relaxed priority queue for many threads: bounded, 64-bit priorities, the least first, but only
 * nearly; equal ones of one producer in the order of their pushes. It is a number of lanes, each a
 * heap that one thread at a time works in: a push goes to the lane that its producer has for the
 * priority, a pop looks at two and takes from the better one.
 *
 * When not to use it: where the very least must come first, or equal priorities of several
 * producers in the order of their pushes (priority_queue.h); for one or two threads, to which a
 * heap behind a mutex is as good.
 *
 * Source: Hamza Rihani, Peter Sanders and Roman Dementiev, MultiQueues (SPAA 2015), with the sticky
 * lanes of Marvin Williams, Peter Sanders and Roman Dementiev, Engineering MultiQueues (ESA 2021),
 * and as in Michael Mitzenmacher, Balaji Prabhakar and Devavrat Shah, Load Balancing with Memory
 * (FOCS 2002), a pop keeps the better lane and tries its luck with the other. From the second is
 * also the front of a lane, their deletion buffer. Their locks are tried here and never waited for.
 * Lanes by priority and inboxes are our own.
 *
 *     operation                             threads        progress     sleeps  allocates
 *     weft_multiqueue_init / _fini          one            -            no      init
 *     weft_multiqueue_init_in               one            -            no      no
 *     weft_multiqueue_handle_init           any            wait-free    no      no
 *     weft_multiqueue_push, _try_push       one a handle   blocking (*) no      no
 *     weft_multiqueue_pop, _try_pop         one a handle   blocking (*) no      no
 *     ..._try_push_batch, _try_pop_batch    one a handle   blocking (*) no      no
 *     weft_multiqueue_close, _is_closed     any            wait-free    no      no
 *     weft_multiqueue_size, _capacity       any            wait-free    no      no
 *
 *     (*) No call ever waits: it looks at each lane a bounded number of times, and a push whose
 *     lane is another thread's leaves its element in the lane's inbox, for that thread or the next
 *     one. A thread that is stopped inside a call hides the one lane that it works in until it goes
 *     on; all others use the other lanes, and the inbox as long as it is not full. So a push says
 *     "full" when `capacity` elements or more are inside, or the lane is another thread's and 16
 *     elements wait in the inbox; and a pop says "empty" when each lane is empty or another
 *     thread's at that moment. Elements are never lost or doubled.
 *
 * Order. Of the elements that one handle has pushed with one priority none is popped before an
 * older one, whoever pops: they are in one lane. (A handle that is made anew is another producer.)
 * The rank error of a pop is the number of elements inside that should have come before its own.
 * With L lanes and stickiness S, random priorities and enough inside, it is of the order of L * S:
 * stress_multiqueue_rank (tests/stress/) finds with real threads
 *
 *     8 threads, 16 lanes, S = 1: 12 on average, p99 56
 *     8 threads, 16 lanes, S = 8: 78 on average, p99 383
 *     16 threads, 32 lanes, S = 8: 161 on average, p99 615
 *
 * and fails above 4 * L * S on average. There is no bound that always holds: the elements of one
 * producer and one priority are in one lane, which is popped by those threads that have come across
 * it, and a thread that is stopped in a lane hides it.
 * A batch that is popped comes from one lane as long as that has some, and counts as stickiness.
 *
 * Memory: for an element 16 bytes and its size, rounded up to 8, and up to as much again, for
 * each lane has a part of its own, which is never for fewer than 64; for each lane about 2 KiB, 20
 * elements, and 12 bytes for each lane. It may be the caller's, for instance on a given NUMA node:
 * weft_memory_alloc() of <weft/affinity/memory.h>, then weft_multiqueue_init_in.
 */

#include <weft/lockfree/base.h>
#include <weft/lockfree/mpmc_queue.h>

#define WEFT_MULTIQUEUE_LANES_MAX      1024
#define WEFT_MULTIQUEUE_STICKINESS_MAX 1024
/* The largest element of a typed queue, in bytes. */
#define WEFT_MULTIQUEUE_ELEMENT_MAX 1024

/*
 * Private, a lane: a front, which has the first elements, and a heap behind it; see
 * multiqueue_heap.h. The heap is in chunks of entries, of which chunks_ has the numbers; chunks
 * that no lane needs are in the stack of all. Invariants:
 *   I1  only the thread that has set taken_ touches front and heap and changes what is here, but
 *       for inbox_, and mail_, which others set;
 *   I2  count_ and least_ are those of front and heap whenever taken_ is 0;
 *   I3  while something is in inbox_ whose push has returned, mail_ is 1, unless taken_ is;
 *   I4  nothing is pushed into front or heap directly while the inbox has something, or somebody is
 * about to put something there: it may hide an older element of the same producer.
 */
typedef struct weft_multiqueue_lane_ {
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) taken_; /* 1 while a thread works in the lane */
	WEFT_ATOMIC(uint32_t) mail_;                    /* 1 when inbox_ must be looked at */
	WEFT_ATOMIC(uint64_t) least_; /* priority of the first; UINT64_MAX when there is none */
	WEFT_ATOMIC(uint32_t) count_; /* elements in the front and the heap */
	uint32_t chunk_count_;        /* how many chunks it has */
	uint32_t front_count_;        /* how many of them are in the front */
	uint64_t limit_;              /* priority of the last one there; 0 when there is none */
	unsigned char *front_;
	uint16_t *chunks_;
	uint64_t sequence_; /* of the next element: among equals the oldest is first */
	/* What was pushed while the lane was another thread's. */
	weft_mpmc_queue inbox_;
} weft_multiqueue_lane_;

static_assert(sizeof(weft_multiqueue_lane_) == WEFT_CACHE_LINE + sizeof(weft_mpmc_queue),
	      "a line of its own");

/* Private: phase_. */
enum {
	WEFT_MULTIQUEUE_OPEN_,
	WEFT_MULTIQUEUE_CLOSED_,
	WEFT_MULTIQUEUE_DRAINED_
};

typedef struct weft_multiqueue {
	/* Constant between init and fini, but for phase_, which changes twice. */
	WEFT_LINE_ALIGNED weft_multiqueue_lane_ *lanes_;
	void *keys_;
	unsigned char *elements_;
	WEFT_ATOMIC(uint16_t) * links_; /* of the chunks in the stack */
	uint32_t capacity_;
	uint32_t lane_mask_; /* number of lanes - 1 */
	uint32_t stickiness_;
	uint16_t element_size_;
	uint8_t chunk_shift_;         /* log2 of the entries of a chunk */
	WEFT_ATOMIC(uint32_t) phase_; /* WEFT_MULTIQUEUE_OPEN_ and so on, in this order */
	void *owned_;                 /* what fini frees */
	/* The stack: the first chunk in the lower 16 bits, above it a count of the changes. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) chunks_;
	/* How many handles were made. */
	WEFT_ATOMIC(uint64_t) handles_;
} weft_multiqueue;

static_assert(sizeof(weft_multiqueue) == 2 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* What a thread uses a queue with: who pushes, and where it pops next. */
typedef struct weft_multiqueue_handle {
	weft_multiqueue *queue_;
	uint64_t identity_, random_;
	uint32_t pop_lanes_[2], pop_left_; /* for how many more pops */
} weft_multiqueue_handle;

WEFT_BEGIN_DECLS

/* Private: for elements of any size. */
WEFT_API int weft_multiqueue_init_(weft_multiqueue *queue, size_t capacity, size_t element_size,
				   unsigned lanes, unsigned stickiness);
WEFT_API size_t weft_multiqueue_memory_size_(size_t capacity, size_t element_size, unsigned lanes);
WEFT_API int weft_multiqueue_init_in_(weft_multiqueue *queue, void *memory, size_t bytes,
				      size_t capacity, size_t element_size, unsigned lanes,
				      unsigned stickiness);

/* Private: both do what they can of `count`, say how much that was, and why not more. */
WEFT_API int weft_multiqueue_push_(weft_multiqueue_handle *handle, uint64_t priority,
				   const void *elements, size_t count, size_t *pushed);
WEFT_API int weft_multiqueue_pop_(weft_multiqueue_handle *handle, void *elements,
				  uint64_t *priorities, size_t count, size_t *popped);

/*
 * Frees the memory. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_multiqueue_fini(weft_multiqueue *queue);

/*
 * Makes a handle. It holds no elements and nothing that must be given back.
 * Threads: any; then one thread at a time uses the handle. Progress: wait-free.
 */
WEFT_API void weft_multiqueue_handle_init(weft_multiqueue_handle *handle, weft_multiqueue *queue);

/*
 * Ends the pushes: none that begins after it has returned succeeds. What is inside can still be
 * popped. Once is enough, more do no harm.
 * Threads: any. Progress: wait-free.
 */
WEFT_API void weft_multiqueue_close(weft_multiqueue *queue);

/*
 * How many elements are inside. Exact while nobody pushes or pops; otherwise off by at most the
 * number of elements that were pushed or popped, or moved from an inbox, meanwhile.
 * Threads: any. Progress: wait-free, looks at each lane.
 */
WEFT_API size_t weft_multiqueue_size(const weft_multiqueue *queue);

WEFT_END_DECLS

/*
 * Makes an empty queue of at least `capacity` pointers in `lanes` lanes (rounded up to a power of
 * two; two to four for each thread are a good choice), whose handles stay with a pair of lanes for
 * `stickiness` pops: 1 for the best order, 8 for speed. All memory is taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the lanes or the stickiness are 0 or above their limits, the capacity is
 * 0 or above 2^31; -ENOMEM. On an error *queue is left zeroed, and weft_multiqueue_fini may be
 * called.
 */
WEFT_INLINE int weft_multiqueue_init(weft_multiqueue *queue, size_t capacity, unsigned lanes,
				     unsigned stickiness)
{
	return weft_multiqueue_init_(queue, capacity, sizeof(void *), lanes, stickiness);
}

/*
 * How many bytes weft_multiqueue_init_in needs for such a queue; 0 when weft_multiqueue_init would
 * refuse the arguments.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_multiqueue_memory_size(size_t capacity, unsigned lanes)
{
	return weft_multiqueue_memory_size_(capacity, sizeof(void *), lanes);
}

/*
 * As weft_multiqueue_init, in memory of the caller, which stays his: it must outlive the queue, and
 * weft_multiqueue_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_multiqueue_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_INLINE int weft_multiqueue_init_in(weft_multiqueue *queue, void *memory, size_t bytes,
					size_t capacity, unsigned lanes, unsigned stickiness)
{
	return weft_multiqueue_init_in_(queue, memory, bytes, capacity, sizeof(void *), lanes,
					stickiness);
}

/* Whether weft_multiqueue_close was called. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_multiqueue_is_closed(const weft_multiqueue *queue)
{
	/* M4 acquire, pairs with M3, M5: what was done before closing. */
	return atomic_load_explicit(&queue->phase_, memory_order_acquire) != WEFT_MULTIQUEUE_OPEN_;
}

/* How many elements fit, at least. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_multiqueue_capacity(const weft_multiqueue *queue)
{
	return queue->capacity_;
}

/*
 * Adds an element.
 * Threads: one at a time for a handle. Progress: see (*) above.
 * Returns 0; -EAGAIN when there was no room to be had; -EPIPE when the queue is closed.
 */
WEFT_INLINE int weft_multiqueue_push(weft_multiqueue_handle *handle, uint64_t priority,
				     void *element)
{
	size_t pushed;

	return weft_multiqueue_push_(handle, priority, &element, 1, &pushed);
}

/*
 * Takes an element of nearly the least priority, which goes to *priority unless that is NULL.
 * Threads: one at a time for a handle. Progress: see (*) above.
 * Returns 0; -EAGAIN when no lane had one to give; -EPIPE when the queue is closed and drained, so
 * that nothing will ever come. A closed queue is drained when the last push that was under way has
 * returned, too.
 */
WEFT_INLINE int weft_multiqueue_pop(weft_multiqueue_handle *handle, void **element,
				    uint64_t *priority)
{
	size_t popped;

	return weft_multiqueue_pop_(handle, element, priority, 1, &popped);
}

/*
 * weft_multiqueue_push, and whether it did it.
 * Threads: one at a time for a handle. Progress: see (*) above.
 */
WEFT_INLINE bool weft_multiqueue_try_push(weft_multiqueue_handle *handle, uint64_t priority,
					  void *element)
{
	return weft_multiqueue_push(handle, priority, element) == 0;
}

/*
 * weft_multiqueue_pop, and whether it did it.
 * Threads: one at a time for a handle. Progress: see (*) above.
 */
WEFT_INLINE bool weft_multiqueue_try_pop(weft_multiqueue_handle *handle, void **element,
					 uint64_t *priority)
{
	return weft_multiqueue_pop(handle, element, priority) == 0;
}

/*
 * Adds up to `count` elements of one priority, in their order, and returns how many: fewer than
 * `count` when there is no more room to be had, none when the queue is closed.
 * Threads: one at a time for a handle. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_multiqueue_try_push_batch(weft_multiqueue_handle *handle, uint64_t priority,
						  void *const *elements, size_t count)
{
	size_t pushed;

	weft_multiqueue_push_(handle, priority, elements, count, &pushed);
	return pushed;
}

/*
 * Takes up to `count` elements, which are sorted as far as they come from one lane, and returns how
 * many: fewer than `count` when no lane has one to give. Their priorities go to the other array
 * unless that is NULL. The quickest way to drain the queue.
 * Threads: one at a time for a handle. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_multiqueue_try_pop_batch(weft_multiqueue_handle *handle, void **elements,
						 uint64_t *priorities, size_t count)
{
	size_t popped;

	weft_multiqueue_pop_(handle, elements, priorities, count, &popped);
	return popped;
}

/*
 * WEFT_MULTIQUEUE_DEFINE(jobs, struct job) makes the types `jobs` and `jobs_handle`, and jobs_init,
 * _memory_size, _init_in, _fini, _handle_init, _close, _is_closed, _capacity, _size, _push, _pop,
 * _try_push, _try_pop, _try_push_batch and _try_pop_batch, which differ from the functions above in
 * that elements are copied into the queue and out of it.
 */
#define WEFT_MULTIQUEUE_DEFINE(name, type)                                                         \
	typedef struct name {                                                                      \
		weft_multiqueue queue_;                                                            \
	} name;                                                                                    \
	typedef struct name##_handle {                                                             \
		weft_multiqueue_handle handle_;                                                    \
	} name##_handle;                                                                           \
	WEFT_INLINE int name##_init(name *queue, size_t capacity, unsigned lanes,                  \
				    unsigned stickiness)                                           \
	{                                                                                          \
		return weft_multiqueue_init_(&queue->queue_, capacity, sizeof(type), lanes,        \
					     stickiness);                                          \
	}                                                                                          \
	WEFT_INLINE size_t name##_memory_size(size_t capacity, unsigned lanes)                     \
	{                                                                                          \
		return weft_multiqueue_memory_size_(capacity, sizeof(type), lanes);                \
	}                                                                                          \
	WEFT_INLINE int name##_init_in(name *queue, void *memory, size_t bytes, size_t capacity,   \
				       unsigned lanes, unsigned stickiness)                        \
	{                                                                                          \
		return weft_multiqueue_init_in_(&queue->queue_, memory, bytes, capacity,           \
						sizeof(type), lanes, stickiness);                  \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_multiqueue_fini(&queue->queue_);                                              \
	}                                                                                          \
	WEFT_INLINE void name##_handle_init(name##_handle *handle, name *queue)                    \
	{                                                                                          \
		weft_multiqueue_handle_init(&handle->handle_, &queue->queue_);                     \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *queue)                                                 \
	{                                                                                          \
		weft_multiqueue_close(&queue->queue_);                                             \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *queue)                                       \
	{                                                                                          \
		return weft_multiqueue_is_closed(&queue->queue_);                                  \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *queue)                                      \
	{                                                                                          \
		return weft_multiqueue_capacity(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_multiqueue_size(&queue->queue_);                                       \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name##_handle *handle, uint64_t priority,         \
						 const type *elements, size_t count)               \
	{                                                                                          \
		size_t pushed;                                                                     \
                                                                                                   \
		weft_multiqueue_push_(&handle->handle_, priority, elements, count, &pushed);       \
		return pushed;                                                                     \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name##_handle *handle, type *elements,             \
						uint64_t *priorities, size_t count)                \
	{                                                                                          \
		size_t popped;                                                                     \
                                                                                                   \
		weft_multiqueue_pop_(&handle->handle_, elements, priorities, count, &popped);      \
		return popped;                                                                     \
	}                                                                                          \
	WEFT_INLINE int name##_push(name##_handle *handle, uint64_t priority, type element)        \
	{                                                                                          \
		size_t pushed;                                                                     \
                                                                                                   \
		return weft_multiqueue_push_(&handle->handle_, priority, &element, 1, &pushed);    \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name##_handle *handle, type *element, uint64_t *priority)       \
	{                                                                                          \
		size_t popped;                                                                     \
                                                                                                   \
		return weft_multiqueue_pop_(&handle->handle_, element, priority, 1, &popped);      \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name##_handle *handle, uint64_t priority, type element)   \
	{                                                                                          \
		return name##_push(handle, priority, element) == 0;                                \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name##_handle *handle, type *element, uint64_t *priority)  \
	{                                                                                          \
		return name##_pop(handle, element, priority) == 0;                                 \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_MULTIQUEUE_ELEMENT_MAX, "element too large")

#endif
