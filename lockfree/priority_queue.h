/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_PRIORITY_QUEUE_H
#define WEFT_LOCKFREE_PRIORITY_QUEUE_H

/*
 * Strict priority queue: bounded, for any number of producers and consumers, a fixed number of
 * priorities, the least first and within a priority FIFO. Each priority is a linked queue; all of
 * them share the nodes.
 *
 * When not to use it: where many threads are at it all the time and nearly the least is as good
 * (multiqueue.h); for one priority (mpmc_queue.h); for priorities out of a large range, which are a
 * heap behind a mutex, or a multiqueue.
 *
 * Source: the queues are those of Maged Michael and Michael Scott (PODC 1996), with counted indices
 * in place of pointers; the free nodes are Treiber's stack. That the words which tell where
 * elements are count the pushes, so that none is forgotten, is our own.
 *
 *     operation                                 threads  progress   sleeps  allocates
 *     weft_priority_queue_init / _fini          one      -          no      init
 *     weft_priority_queue_init_in               one      -          no      no
 *     weft_priority_queue_push, _try_push       any      lock-free  no      no
 *     weft_priority_queue_pop, _try_pop         any      lock-free  no      no
 *     ..._try_push_batch, _try_pop_batch        any      lock-free  no      no
 *     weft_priority_queue_close                 any      lock-free  no      no
 *     weft_priority_queue_is_closed             any      wait-free  no      no
 *     weft_priority_queue_size                  any      wait-free  no      no
 *     weft_priority_queue_levels, _capacity     any      wait-free  no      no
 *
 * Order. A pop never takes an element while one of a smaller priority stays inside from before the
 * call to its end, and never says "empty" while any does. So one consumer has a strict order, and
 * so have many while nobody pushes; an element that was pushed during the call may be overlooked.
 * Elements of one priority form a linearizable FIFO queue, hence stable for each producer.
 *
 * Memory: for an element 16 bytes and its size, rounded up to 8, and 144 bytes a priority. It may
 * be the caller's, for instance on a given NUMA node: weft_memory_alloc() of
 * <weft/affinity/memory.h>, then weft_priority_queue_init_in.
 *
 * Limit: links are counted modulo 2^32 and the free nodes modulo 2^31. A thread that sleeps in the
 * middle of a call while exactly that many operations change one link would not notice.
 */

#include <weft/lockfree/base.h>

#define WEFT_PRIORITY_QUEUE_LEVELS_MAX 1024
/* The largest element of a typed queue, in bytes. */
#define WEFT_PRIORITY_QUEUE_ELEMENT_MAX 65536

/* Private: a link is the index of a node in the lower half and a count in the upper one. */
typedef struct weft_priority_node_ {
	WEFT_ATOMIC(uint64_t) next_;
	WEFT_ATOMIC(uint32_t) slot_;  /* where its element is; none at the head of a level */
	WEFT_ATOMIC(uint32_t) depth_; /* of a free node: how many there are from it downwards */
} weft_priority_node_;

/* Private, one priority: a queue that begins with the element after the node at head_. */
typedef struct weft_priority_level_ {
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_;
	WEFT_ATOMIC(uint64_t) tail_;
} weft_priority_level_;

/*
 * Invariants:
 *   I1  each node is in one level, in the stack of free nodes, or with the one thread that took it
 *       from either;
 *   I2  a next_ is changed by the thread that has the node, or once, from none to a node, by the
 *       push that appends to it; each change counts;
 *   I3  head_ never overtakes tail_, so that the node at tail_ is always one of the level;
 *   I4  while an element is inside whose push has returned, the bit of its level is set: a push
 *       sets it after it has appended, counting, and a pop clears it by an exchange with the word
 *       that it read before it found the level empty. An exchange that succeeds after the push had
 *       read a later word, and what it found empty contained the element;
 *   I5  each slot belongs to one node, be it free, in a level behind its head, or with a thread. A
 *       pop takes the node at the head and the slot of the next one, and makes them belong
 * together: so nobody else is at the slot, and the element in it may be of any size.
 */
typedef struct weft_priority_queue {
	/* Constant between init and fini. */
	WEFT_LINE_ALIGNED weft_priority_node_ *nodes_;
	weft_priority_level_ *levels_;
	unsigned char *slots_;
	size_t element_size_;
	/* For each 16 levels: their bits, and above them a count of the pushes. */
	WEFT_ATOMIC(uint64_t) * words_;
	uint32_t level_count_;
	uint32_t capacity_;
	void *owned_; /* what fini frees */
	/* The first free node in the lower half; then whether the queue is closed; then a count. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) free_;
} weft_priority_queue;

static_assert(sizeof(weft_priority_queue) == 2 * (size_t)WEFT_CACHE_LINE, "one line per writer");

WEFT_BEGIN_DECLS

/* Private: for elements of any size. */
WEFT_API int weft_priority_queue_init_(weft_priority_queue *queue, size_t capacity,
				       size_t element_size, unsigned levels);
WEFT_API size_t weft_priority_queue_memory_size_(size_t capacity, size_t element_size,
						 unsigned levels);
WEFT_API int weft_priority_queue_init_in_(weft_priority_queue *queue, void *memory, size_t bytes,
					  size_t capacity, size_t element_size, unsigned levels);

/* Private: both do what they can of `count`, say how much that was, and why not more. */
WEFT_API int weft_priority_queue_push_(weft_priority_queue *queue, unsigned priority,
				       const void *elements, size_t count, size_t *pushed);
WEFT_API int weft_priority_queue_pop_(weft_priority_queue *queue, void *elements,
				      unsigned *priorities, size_t count, size_t *popped);

/*
 * Frees the memory. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_priority_queue_fini(weft_priority_queue *queue);

/*
 * Ends the pushes: none that begins after it has returned succeeds. What is inside can still be
 * popped. Once is enough, more do no harm.
 * Threads: any. Progress: lock-free.
 */
WEFT_API void weft_priority_queue_close(weft_priority_queue *queue);

/*
 * How many elements are inside, with those whose push or pop is under way. Between 0 and the
 * capacity.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_priority_queue_size(const weft_priority_queue *queue);

/* Whether weft_priority_queue_close was called. Threads: any. Progress: wait-free. */
WEFT_API bool weft_priority_queue_is_closed(const weft_priority_queue *queue);

WEFT_END_DECLS

/*
 * Makes an empty queue of `capacity` pointers with the priorities 0 to `levels` - 1. All memory is
 * taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when there are no levels or more than WEFT_PRIORITY_QUEUE_LEVELS_MAX, or the
 * capacity is 0 or above 2^31; -ENOMEM. On an error *queue is left zeroed, and
 * weft_priority_queue_fini may be called.
 */
WEFT_INLINE int weft_priority_queue_init(weft_priority_queue *queue, size_t capacity,
					 unsigned levels)
{
	return weft_priority_queue_init_(queue, capacity, sizeof(void *), levels);
}

/*
 * How many bytes weft_priority_queue_init_in needs for such a queue; 0 when
 * weft_priority_queue_init would refuse the arguments.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_priority_queue_memory_size(size_t capacity, unsigned levels)
{
	return weft_priority_queue_memory_size_(capacity, sizeof(void *), levels);
}

/*
 * As weft_priority_queue_init, in memory of the caller, which stays his: it must outlive the queue,
 * and weft_priority_queue_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_priority_queue_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_INLINE int weft_priority_queue_init_in(weft_priority_queue *queue, void *memory, size_t bytes,
					    size_t capacity, unsigned levels)
{
	return weft_priority_queue_init_in_(queue, memory, bytes, capacity, sizeof(void *), levels);
}

/*
 * Appends the element to those of its priority.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the queue is full; -EPIPE when it is closed; -EINVAL when there is no
 * such priority.
 */
WEFT_INLINE int weft_priority_queue_push(weft_priority_queue *queue, unsigned priority,
					 void *element)
{
	size_t pushed;

	return weft_priority_queue_push_(queue, priority, &element, 1, &pushed);
}

/*
 * Takes the oldest element of the least priority (see Order), which goes to *priority unless that
 * is NULL.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the queue is empty; -EPIPE when it is closed and drained, so that nothing
 * will ever come. A closed queue is drained when the last push that was under way has returned,
 * too.
 */
WEFT_INLINE int weft_priority_queue_pop(weft_priority_queue *queue, void **element,
					unsigned *priority)
{
	size_t popped;

	return weft_priority_queue_pop_(queue, element, priority, 1, &popped);
}

/*
 * Appends up to `count` elements to those of one priority, as one run without others between them,
 * and returns how many: fewer than `count` when the queue becomes full, none when it is closed or
 * there is no such priority.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_priority_queue_try_push_batch(weft_priority_queue *queue, unsigned priority,
						      void *const *elements, size_t count)
{
	size_t pushed;

	weft_priority_queue_push_(queue, priority, elements, count, &pushed);
	return pushed;
}

/*
 * Takes up to `count` elements, as so many pops one after the other would, and returns how many:
 * fewer than `count` when the queue becomes empty. Their priorities go to the other array unless
 * that is NULL. The quickest way to drain the queue.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_priority_queue_try_pop_batch(weft_priority_queue *queue, void **elements,
						     unsigned *priorities, size_t count)
{
	size_t popped;

	weft_priority_queue_pop_(queue, elements, priorities, count, &popped);
	return popped;
}

/* How many elements fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_priority_queue_capacity(const weft_priority_queue *queue)
{
	return queue->capacity_;
}

/* How many priorities there are. Threads: any. Progress: wait-free. */
WEFT_INLINE unsigned weft_priority_queue_levels(const weft_priority_queue *queue)
{
	return queue->level_count_;
}

/* weft_priority_queue_push, and whether it did it. Threads: any. Progress: lock-free. */
WEFT_INLINE bool weft_priority_queue_try_push(weft_priority_queue *queue, unsigned priority,
					      void *element)
{
	return weft_priority_queue_push(queue, priority, element) == 0;
}

/* weft_priority_queue_pop, and whether it did it. Threads: any. Progress: lock-free. */
WEFT_INLINE bool weft_priority_queue_try_pop(weft_priority_queue *queue, void **element,
					     unsigned *priority)
{
	return weft_priority_queue_pop(queue, element, priority) == 0;
}

/*
 * WEFT_PRIORITY_QUEUE_DEFINE(jobs, struct job) makes the type `jobs` and jobs_init, _memory_size,
 * _init_in, _fini, _close, _is_closed, _capacity, _size, _push, _pop, _try_push, _try_pop,
 * _try_push_batch and _try_pop_batch, which differ from the functions above in that elements are
 * copied into the queue and out of it.
 */
#define WEFT_PRIORITY_QUEUE_DEFINE(name, type)                                                     \
	typedef struct name {                                                                      \
		weft_priority_queue queue_;                                                        \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *queue, size_t capacity, unsigned levels)                 \
	{                                                                                          \
		return weft_priority_queue_init_(&queue->queue_, capacity, sizeof(type), levels);  \
	}                                                                                          \
	WEFT_INLINE size_t name##_memory_size(size_t capacity, unsigned levels)                    \
	{                                                                                          \
		return weft_priority_queue_memory_size_(capacity, sizeof(type), levels);           \
	}                                                                                          \
	WEFT_INLINE int name##_init_in(name *queue, void *memory, size_t bytes, size_t capacity,   \
				       unsigned levels)                                            \
	{                                                                                          \
		return weft_priority_queue_init_in_(&queue->queue_, memory, bytes, capacity,       \
						    sizeof(type), levels);                         \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_priority_queue_fini(&queue->queue_);                                          \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *queue)                                                 \
	{                                                                                          \
		weft_priority_queue_close(&queue->queue_);                                         \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *queue)                                       \
	{                                                                                          \
		return weft_priority_queue_is_closed(&queue->queue_);                              \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *queue)                                      \
	{                                                                                          \
		return weft_priority_queue_capacity(&queue->queue_);                               \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_priority_queue_size(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *queue, unsigned priority,                   \
						 const type *elements, size_t count)               \
	{                                                                                          \
		size_t pushed;                                                                     \
                                                                                                   \
		weft_priority_queue_push_(&queue->queue_, priority, elements, count, &pushed);     \
		return pushed;                                                                     \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *queue, type *elements, unsigned *priorities, \
						size_t count)                                      \
	{                                                                                          \
		size_t popped;                                                                     \
                                                                                                   \
		weft_priority_queue_pop_(&queue->queue_, elements, priorities, count, &popped);    \
		return popped;                                                                     \
	}                                                                                          \
	WEFT_INLINE int name##_push(name *queue, unsigned priority, type element)                  \
	{                                                                                          \
		size_t pushed;                                                                     \
                                                                                                   \
		return weft_priority_queue_push_(&queue->queue_, priority, &element, 1, &pushed);  \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name *queue, type *element, unsigned *priority)                 \
	{                                                                                          \
		size_t popped;                                                                     \
                                                                                                   \
		return weft_priority_queue_pop_(&queue->queue_, element, priority, 1, &popped);    \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *queue, unsigned priority, type element)             \
	{                                                                                          \
		return name##_push(queue, priority, element) == 0;                                 \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *queue, type *element, unsigned *priority)            \
	{                                                                                          \
		return name##_pop(queue, element, priority) == 0;                                  \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_PRIORITY_QUEUE_ELEMENT_MAX, "element too large")

#endif
