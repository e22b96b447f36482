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
 * Memory: 24 bytes an element and 128 bytes a priority. It may be the caller's, for instance on a
 * given NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>, then
 * weft_priority_queue_init_in.
 *
 * Limit: links are counted modulo 2^32 and the free nodes modulo 2^31. A thread that sleeps in the
 * middle of a call while exactly that many operations change one link would not notice.
 */

#include <weft/lockfree/base.h>

#define WEFT_PRIORITY_QUEUE_LEVELS_MAX 1024

/* Private: a link is the index of a node in the lower half and a count in the upper one. */
typedef struct weft_priority_node_ {
	WEFT_ATOMIC(uint64_t) next_;
	WEFT_ATOMIC(void *) element_;
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
 * sets it after it has appended, counting, and a pop clears it by an exchange with the word that it
 *       read before it found the level empty. An exchange that succeeds after the push had read a
 *       later word, and what it found empty contained the element.
 */
typedef struct weft_priority_queue {
	/* Constant between init and fini. */
	WEFT_LINE_ALIGNED weft_priority_node_ *nodes_;
	weft_priority_level_ *levels_;
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

/*
 * Makes an empty queue of `capacity` elements with the priorities 0 to `levels` - 1. All memory is
 * taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when there are no levels or more than WEFT_PRIORITY_QUEUE_LEVELS_MAX, or the
 * capacity is 0 or above 2^31; -ENOMEM. On an error *queue is left zeroed, and
 * weft_priority_queue_fini may be called.
 */
WEFT_API int weft_priority_queue_init(weft_priority_queue *queue, size_t capacity, unsigned levels);

/*
 * How many bytes weft_priority_queue_init_in needs for such a queue; 0 when
 * weft_priority_queue_init would refuse the arguments. Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_priority_queue_memory_size(size_t capacity, unsigned levels);

/*
 * As weft_priority_queue_init, in memory of the caller, which stays his: it must outlive the queue,
 * and weft_priority_queue_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_priority_queue_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_priority_queue_init_in(weft_priority_queue *queue, void *memory, size_t bytes,
					 size_t capacity, unsigned levels);

/*
 * Frees the memory. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_priority_queue_fini(weft_priority_queue *queue);

/*
 * Appends the element to those of its priority.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the queue is full; -EPIPE when it is closed; -EINVAL when there is no
 * such priority.
 */
WEFT_API int weft_priority_queue_push(weft_priority_queue *queue, unsigned priority, void *element);

/*
 * Takes the oldest element of the least priority (see Order), which goes to *priority unless that
 * is NULL. Threads: any. Progress: lock-free. Returns 0; -EAGAIN when the queue is empty; -EPIPE
 * when it is closed and drained, so that nothing will ever come. A closed queue is drained when the
 * last push that was under way has returned, too.
 */
WEFT_API int weft_priority_queue_pop(weft_priority_queue *queue, void **element,
				     unsigned *priority);

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

#endif
