/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_SPSC_QUEUE_H
#define WEFT_LOCKFREE_SPSC_QUEUE_H

/*
 * Bounded FIFO queue for one producer and one consumer, elements of any size.
 *
 * When not to use it: with a second producer or consumer at the same time (mpmc_queue.h). The two
 * roles may move from thread to thread when something else orders the hand-over.
 *
 * Source: Leslie Lamport's ring (1977), with each side keeping a copy of the other's index so that
 * the shared line moves once per run of elements and not once per element (Giacomoni et al.,
 * FastForward, 2008; Torquati's and Morrison's measurements; DPDK and folly do the same).
 *
 *     operation                                threads       progress   sleeps  allocates
 *     weft_spsc_queue_init, _fini              one           -          no      init
 *     weft_spsc_queue_try_push, ..._batch      one producer  wait-free  no      no
 *     weft_spsc_queue_try_pop, ..._batch       one consumer  wait-free  no      no
 *     weft_spsc_queue_size, _capacity          any           wait-free  no      no
 *
 * "Full" and "empty" are exact, each in itself: linearizable. (Not both in one history: a push that
 * has returned may not be seen yet by a pop that answers "empty", as with any two plain stores.)
 * Memory: capacity * element_size bytes, rounded up to lines.
 */

#include <string.h>

#include <weft/lockfree/base.h>

/*
 * Invariants, with indices that count elements and never wrap:
 *   I1  head_ <= tail_ <= head_ + capacity;
 *   I2  slots [head_, tail_) belong to the consumer, the others to the producer;
 *   I3  head_seen_ <= head_ and tail_seen_ <= tail_: what a side has seen is only ever too careful.
 */
typedef struct weft_spsc_queue {
	/* Written by the producer. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) tail_;
	uint64_t head_seen_; /* the producer's copy of head_ */
	/* Written by the consumer. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_;
	uint64_t tail_seen_; /* the consumer's copy of tail_ */
	/* Constant between init and fini. */
	WEFT_LINE_ALIGNED unsigned char *slots_;
	uint64_t mask_; /* capacity - 1 */
	size_t element_size_;
} weft_spsc_queue;

static_assert(sizeof(weft_spsc_queue) == 3 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* The largest element, in bytes. Larger things are better passed by pointer. */
#define WEFT_SPSC_QUEUE_ELEMENT_MAX 1048576

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` elements of `element_size` bytes each. The capacity
 * is rounded up to a power of two. All memory is taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31, or the element size is 0 or above
 * WEFT_SPSC_QUEUE_ELEMENT_MAX; -ENOMEM. On an error *queue is left zeroed, and
 * weft_spsc_queue_fini may be called.
 */
WEFT_API int weft_spsc_queue_init(weft_spsc_queue *queue, size_t capacity, size_t element_size);

/*
 * Frees the memory. Elements still inside are dropped.
 * Threads: one, after both sides have stopped. A zeroed queue is allowed.
 */
WEFT_API void weft_spsc_queue_fini(weft_spsc_queue *queue);

WEFT_END_DECLS

/* How many elements fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_spsc_queue_capacity(const weft_spsc_queue *queue)
{
	return (size_t)queue->mask_ + 1;
}

/*
 * How many elements are inside, between 0 and the capacity. Called by the consumer it is a lower
 * bound, by the producer an upper bound; by others off by the calls that ran meanwhile.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_spsc_queue_size(const weft_spsc_queue *queue)
{
	/* relaxed: an estimate carries no data. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

	if ((int64_t)(tail - head) < 0)
		return 0;
	return tail - head > queue->mask_ ? (size_t)queue->mask_ + 1 : (size_t)(tail - head);
}

/* Copies a run of elements between a caller's array and the ring, in two parts at its end. */
WEFT_INLINE void weft_spsc_queue_copy_in_(weft_spsc_queue *queue, uint64_t index,
					  const void *elements, size_t count, size_t element_size)
{
	size_t at = (size_t)(index & queue->mask_);
	size_t first = count;

	if (at + count > (size_t)queue->mask_ + 1)
		first = (size_t)queue->mask_ + 1 - at;
	memcpy(queue->slots_ + at * element_size, elements, first * element_size);
	if (first < count)
		memcpy(queue->slots_, (const unsigned char *)elements + first * element_size,
		       (count - first) * element_size);
}

WEFT_INLINE void weft_spsc_queue_copy_out_(const weft_spsc_queue *queue, uint64_t index,
					   void *elements, size_t count, size_t element_size)
{
	size_t at = (size_t)(index & queue->mask_);
	size_t first = count;

	if (at + count > (size_t)queue->mask_ + 1)
		first = (size_t)queue->mask_ + 1 - at;
	memcpy(elements, queue->slots_ + at * element_size, first * element_size);
	if (first < count)
		memcpy((unsigned char *)elements + first * element_size, queue->slots_,
		       (count - first) * element_size);
}

WEFT_INLINE size_t weft_spsc_queue_push_core_(weft_spsc_queue *queue, const void *elements,
					      size_t count, size_t element_size)
{
	/* relaxed: only the producer writes tail_. */
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);
	uint64_t room = queue->mask_ + 1 - (tail - queue->head_seen_);

	if (WEFT_UNLIKELY(room < count)) {
		/* P1 acquire, pairs with C2: the consumer is done with these slots. */
		queue->head_seen_ = atomic_load_explicit(&queue->head_, memory_order_acquire);
		room = queue->mask_ + 1 - (tail - queue->head_seen_);
		if (room == 0)
			return 0;
		if (count > room)
			count = (size_t)room;
	}
	weft_spsc_queue_copy_in_(queue, tail, elements, count, element_size);
	/* P2 release, pairs with C1: publishes the elements. */
	atomic_store_explicit(&queue->tail_, tail + count, memory_order_release);
	return count;
}

WEFT_INLINE size_t weft_spsc_queue_pop_core_(weft_spsc_queue *queue, void *elements, size_t count,
					     size_t element_size)
{
	/* relaxed: only the consumer writes head_. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t inside = queue->tail_seen_ - head;

	if (WEFT_UNLIKELY(inside < count)) {
		/* C1 acquire, pairs with P2: the elements are complete. */
		queue->tail_seen_ = atomic_load_explicit(&queue->tail_, memory_order_acquire);
		inside = queue->tail_seen_ - head;
		if (inside == 0)
			return 0;
		if (count > inside)
			count = (size_t)inside;
	}
	weft_spsc_queue_copy_out_(queue, head, elements, count, element_size);
	/* C2 release, pairs with P1: the slots may be written again. */
	atomic_store_explicit(&queue->head_, head + count, memory_order_release);
	return count;
}

/*
 * Appends a copy of the element, or returns false when the queue is full.
 * Threads: the producer. Progress: wait-free.
 */
WEFT_INLINE bool weft_spsc_queue_try_push(weft_spsc_queue *queue, const void *element)
{
	return weft_spsc_queue_push_core_(queue, element, 1, queue->element_size_) == 1;
}

/*
 * Moves the oldest element to *element, or returns false when the queue is empty.
 * Threads: the consumer. Progress: wait-free.
 */
WEFT_INLINE bool weft_spsc_queue_try_pop(weft_spsc_queue *queue, void *element)
{
	return weft_spsc_queue_pop_core_(queue, element, 1, queue->element_size_) == 1;
}

/*
 * Appends up to `count` elements and returns how many: fewer than `count` when the queue becomes
 * full. The consumer sees the run at once.
 * Threads: the producer. Progress: wait-free.
 */
WEFT_INLINE size_t weft_spsc_queue_try_push_batch(weft_spsc_queue *queue, const void *elements,
						  size_t count)
{
	return weft_spsc_queue_push_core_(queue, elements, count, queue->element_size_);
}

/*
 * Moves up to `count` of the oldest elements to the array and returns how many: fewer than `count`
 * when the queue becomes empty.
 * Threads: the consumer. Progress: wait-free.
 */
WEFT_INLINE size_t weft_spsc_queue_try_pop_batch(weft_spsc_queue *queue, void *elements,
						 size_t count)
{
	return weft_spsc_queue_pop_core_(queue, elements, count, queue->element_size_);
}

/*
 * WEFT_SPSC_QUEUE_DEFINE(samples, struct sample) makes the type `samples` and samples_init, _fini,
 * _capacity, _size, _try_push, _try_pop, _try_push_batch and _try_pop_batch, which differ from the
 * functions above in that the element's type is checked and its size is known when compiled.
 */
#define WEFT_SPSC_QUEUE_DEFINE(name, type)                                                         \
	typedef struct name {                                                                      \
		weft_spsc_queue queue_;                                                            \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *queue, size_t capacity)                                  \
	{                                                                                          \
		return weft_spsc_queue_init(&queue->queue_, capacity, sizeof(type));               \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_spsc_queue_fini(&queue->queue_);                                              \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *queue)                                      \
	{                                                                                          \
		return weft_spsc_queue_capacity(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_spsc_queue_size(&queue->queue_);                                       \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *queue, type element)                                \
	{                                                                                          \
		return weft_spsc_queue_push_core_(&queue->queue_, &element, 1, sizeof(type)) == 1; \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *queue, type *element)                                \
	{                                                                                          \
		return weft_spsc_queue_pop_core_(&queue->queue_, element, 1, sizeof(type)) == 1;   \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *queue, const type *elements, size_t count)  \
	{                                                                                          \
		return weft_spsc_queue_push_core_(&queue->queue_, elements, count, sizeof(type));  \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *queue, type *elements, size_t count)         \
	{                                                                                          \
		return weft_spsc_queue_pop_core_(&queue->queue_, elements, count, sizeof(type));   \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_SPSC_QUEUE_ELEMENT_MAX, "element too large")

#endif
