/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MPSC_RING_H
#define WEFT_LOCKFREE_MPSC_RING_H

/*
 * Bounded FIFO queue for any number of producers and one consumer, elements of any size, which the
 * consumer may also read where they are.
 *
 * When not to use it: with a second consumer at the same time (mpmc_queue.h), or with one producer
 * only (spsc_queue.h, several times as fast); where a stopped producer must not delay the elements
 * of others (mpmc_lockfree.h). Without a bound, and of nodes that are there anyway: mpsc_queue.h.
 * Single elements in a stream go through mpmc_queue.h a little faster (docs/performance.md), whose
 * push is not wait-free.
 * The consumer's role may move from thread to thread when something else orders the hand-over.
 *
 * Source: the slots of Dmitry Vyukov's bounded queue (1024cores.net, 2010), but what is free is
 * known from the consumer's index alone, of which producers share a copy beside their ticket, as
 * the sides of Lamport's ring do: a slot is written once per lap. What makes a push wait-free, the
 * claims beside the ticket, is weft's.
 *
 *     operation                         threads       progress     sleeps  allocates
 *     weft_mpsc_ring_init, _fini        one           -            no      init
 *     weft_mpsc_ring_init_in            one           -            no      no
 *     weft_mpsc_ring_push, _try_push    any           wait-free    no      no
 *     weft_mpsc_ring_try_push_batch     any           wait-free    no      no
 *     weft_mpsc_ring_pop, _try_pop      one consumer  blocking (*) no      no
 *     weft_mpsc_ring_try_pop_batch      one consumer  blocking (*) no      no
 *     weft_mpsc_ring_peek, _release     one consumer  blocking (*) no      no
 *     weft_mpsc_ring_close, _is_closed  any           wait-free    no      no
 *     weft_mpsc_ring_size, _capacity    any           wait-free    no      no
 *
 *     (*) No call ever waits. But a producer that is stopped between its ticket and its publication
 *     makes pop answer "empty" at its slot, though later elements are there; so "empty" is
 *     linearizable only while no other thread is inside a push. "Full" can be said too early while
 *     another thread is inside a push that has lost its ticket twice. Elements are never lost,
 *     doubled or reordered.
 *     A "no" takes up to 3 microseconds longer where that makes a stream faster: the call looks
 *     twice, so that the other side gets ahead (rest.c).
 *
 * How a push is wait-free: it tries an exchange of the ticket, rests when it has lost, and tries
 * again. When that is lost, too, it adds a claim to the count that stands beside the ticket, in the
 * same word, and which is taken for a full slot by all others; if there is room for it the claim
 * becomes a ticket by another addition, if there is none it is taken back.
 *
 * Order: FIFO by ticket, hence FIFO for each producer.
 * End: a closed queue takes nothing more; what is inside is popped first, then pop says -EPIPE. It
 * costs a push nothing: the bit is part of a comparison that is made anyway.
 * Limits: up to 32767 threads inside of a push at once; and a thread must not be stopped in a push
 * while 2^47 others succeed, which takes a month at 50 million a second.
 * Memory: capacity * (header + element_size) bytes, rounded up to the header, which is 4 bytes for
 * elements of up to 4 bytes and 8 for larger ones. It may be the caller's, for instance on a given
 * NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>, then weft_mpsc_ring_init_in.
 */

#include <string.h>

#include <weft/lockfree/base.h>

/*
 * The word of producers: bit 0 says that the queue is closed, the next 15 count claims, and the
 * upper 48 are the next ticket. Other indices are kept as tickets stand in that word.
 */
#define WEFT_MPSC_RING_CLOSED_ ((uint64_t)1)
#define WEFT_MPSC_RING_CLAIM_  ((uint64_t)2)
#define WEFT_MPSC_RING_TICKET_ ((uint64_t)1 << 16)
#define WEFT_MPSC_RING_SHIFT_  16

/*
 * Invariants, for a slot s = ticket modulo capacity, in the lap ticket / capacity:
 *   I1  turn(s) == lap + 1      the slot is full and the consumer's; else it was so a lap before;
 *   I2  head <= tail, and tail + claims <= head + capacity, but for claims that are about to be
 *       taken back; so who has a ticket has a free slot;
 *   I3  limit_ <= head + capacity: what is known of the room is only ever too careful;
 *   I4  when closed, no claim is added that is not taken back: with none left the tail stays.
 */
typedef struct weft_mpsc_ring {
	/* Written by producers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) tail_;
	WEFT_ATOMIC(uint64_t) limit_; /* the ticket for which there is no slot, as far as known */
	weft_cpu_heels_ full_at_;     /* where there was no room */
	/* Written by the consumer. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_; /* slots before it are free */
	weft_cpu_heels_ empty_at_;                     /* where there was no element */
	/* Constant between init and fini. */
	WEFT_LINE_ALIGNED unsigned char *slots_;
	uint64_t mask_;      /* capacity - 1 */
	uint32_t lap_shift_; /* log2 of the capacity */
	uint32_t element_size_;
	void *owned_; /* the slots, if they are not memory of the caller */
} weft_mpsc_ring;

static_assert(sizeof(weft_mpsc_ring) == 3 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* The largest element, in bytes. Larger things are better passed by pointer. */
#define WEFT_MPSC_RING_ELEMENT_MAX 1048576

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` elements of `element_size` bytes each. The capacity
 * is rounded up to a power of two. All memory is taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31, or the element size is 0 or above
 * WEFT_MPSC_RING_ELEMENT_MAX; -ENOMEM when there is no memory (also when the byte count
 * overflows). On an error *queue is left zeroed, and weft_mpsc_ring_fini may be called.
 */
WEFT_API int weft_mpsc_ring_init(weft_mpsc_ring *queue, size_t capacity, size_t element_size);

/*
 * How many bytes weft_mpsc_ring_init_in needs for such a queue; 0 when weft_mpsc_ring_init would
 * refuse the arguments, or when a size_t cannot count them.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_mpsc_ring_memory_size(size_t capacity, size_t element_size);

/*
 * As weft_mpsc_ring_init, in memory of the caller, which stays the caller's: it must outlive the
 * queue, and weft_mpsc_ring_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_mpsc_ring_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_mpsc_ring_init_in(weft_mpsc_ring *queue, void *memory, size_t bytes,
				    size_t capacity, size_t element_size);

/*
 * Frees the memory, if it is not the caller's. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_mpsc_ring_fini(weft_mpsc_ring *queue);

/*
 * For a producer that has seen no room, or has lost the exchange: the first of up to `count`
 * tickets in a row. Returns how many; 0 when the queue is full or closed.
 */
WEFT_API size_t weft_mpsc_ring_get_(weft_mpsc_ring *queue, uint64_t *ticket, size_t count);

/* For one that loses every exchange: a single ticket. Not exported; for tests. */
size_t weft_mpsc_ring_claim_(weft_mpsc_ring *queue, uint64_t *ticket);

WEFT_END_DECLS

/* How many elements fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_mpsc_ring_capacity(const weft_mpsc_ring *queue)
{
	return (size_t)queue->mask_ + 1;
}

/*
 * How many elements are inside, between 0 and the capacity. Exact while nobody pushes or pops;
 * otherwise off by at most the number of those that were moved meanwhile.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_mpsc_ring_size(const weft_mpsc_ring *queue)
{
	/* relaxed: an estimate carries no data; head_ first, so that a racing pop cannot make the
	 * difference negative by more than the calls between the two loads. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

	uint64_t size = (tail - head) >> WEFT_MPSC_RING_SHIFT_;

	if ((int64_t)(tail - head) < 0)
		return 0;
	return size > queue->mask_ ? weft_mpsc_ring_capacity(queue) : (size_t)size;
}

/*
 * Closes the queue: once this has returned no push that begins succeeds. What was pushed is still
 * there to be popped. Closing a closed queue changes nothing. What the first caller did before is
 * seen by whoever gets -EPIPE, or true from weft_mpsc_ring_is_closed.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE void weft_mpsc_ring_close(weft_mpsc_ring *queue)
{
	/* E1 release, pairs with E2, E3: what the caller did before. */
	atomic_fetch_or_explicit(&queue->tail_, WEFT_MPSC_RING_CLOSED_, memory_order_release);
}

/*
 * Whether weft_mpsc_ring_close was called.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_mpsc_ring_is_closed(const weft_mpsc_ring *queue)
{
	/* E2 acquire, pairs with E1: what was done before the close. */
	return (atomic_load_explicit(&queue->tail_, memory_order_acquire) &
		WEFT_MPSC_RING_CLOSED_) != 0;
}

/*
 * Whether nothing is inside and nothing will come: closed, and all tickets are taken, and none is
 * claimed. relaxed: only the consumer, which asks, writes head_.
 */
WEFT_INLINE bool weft_mpsc_ring_is_drained_(const weft_mpsc_ring *queue)
{
	/* E3 acquire, pairs with E1: as E2. */
	return atomic_load_explicit(&queue->tail_, memory_order_acquire) ==
	       (atomic_load_explicit(&queue->head_, memory_order_relaxed) | WEFT_MPSC_RING_CLOSED_);
}

/* Bytes before the element in a slot; a constant for the typed wrappers. */
WEFT_INLINE size_t weft_mpsc_ring_header_(size_t element_size)
{
	return element_size <= 4 ? 4 : 8;
}

WEFT_INLINE size_t weft_mpsc_ring_stride_(size_t element_size)
{
	size_t header = weft_mpsc_ring_header_(element_size);

	return (header + element_size + header - 1) / header * header;
}

/* The slot of a ticket, as it stands in the word of producers. */
WEFT_INLINE unsigned char *weft_mpsc_ring_slot_(const weft_mpsc_ring *queue, uint64_t ticket,
						size_t element_size)
{
	return queue->slots_ + (size_t)((ticket >> WEFT_MPSC_RING_SHIFT_) & queue->mask_) *
				       weft_mpsc_ring_stride_(element_size);
}

WEFT_INLINE WEFT_ATOMIC(uint32_t) * weft_mpsc_ring_turn_(unsigned char *slot)
{
	return (WEFT_ATOMIC(uint32_t) *)(void *)slot;
}

/* The turn at which the slot of this ticket is full (I1). */
WEFT_INLINE uint32_t weft_mpsc_ring_full_turn_(const weft_mpsc_ring *queue, uint64_t ticket)
{
	return (uint32_t)((ticket >> WEFT_MPSC_RING_SHIFT_) >> queue->lap_shift_) + 1;
}

/* Behind the last slot. */
WEFT_INLINE unsigned char *weft_mpsc_ring_end_(const weft_mpsc_ring *queue, size_t element_size)
{
	return queue->slots_ +
	       weft_mpsc_ring_capacity(queue) * weft_mpsc_ring_stride_(element_size);
}

/* What is prefetched: as many slots of 8-byte elements ahead as a line of 64 bytes has. */
#define WEFT_MPSC_RING_AHEAD_ (4 * WEFT_MPSC_RING_TICKET_)

/* A ticket for up to `count` slots in a row. Returns how many. */
WEFT_INLINE size_t weft_mpsc_ring_take_(weft_mpsc_ring *queue, uint64_t *ticket, size_t count,
					size_t element_size)
{
	/* relaxed: an outdated word fails the exchange. */
	uint64_t word = atomic_load_explicit(&queue->tail_, memory_order_relaxed);
	/* L1 acquire, pairs with L2: who found the room saw the consumer leave it. */
	uint64_t limit = atomic_load_explicit(&queue->limit_, memory_order_acquire);

	*ticket = word;
	if (WEFT_UNLIKELY((int64_t)(limit - word) < (int64_t)(count << WEFT_MPSC_RING_SHIFT_) ||
			  word % WEFT_MPSC_RING_TICKET_ != 0))
		return weft_mpsc_ring_get_(queue, ticket, count);
	weft_cpu_prefetch_to_write_(
		weft_mpsc_ring_slot_(queue, word + WEFT_MPSC_RING_AHEAD_, element_size));
	/* relaxed: tickets carry no data, and with this word nobody has a claim. */
	if (WEFT_LIKELY(atomic_compare_exchange_weak_explicit(
		    &queue->tail_, &word, word + (count << WEFT_MPSC_RING_SHIFT_),
		    memory_order_relaxed, memory_order_relaxed)))
		return count;
	weft_cpu_stand_back_(&queue->tail_);
	return weft_mpsc_ring_get_(queue, ticket, count);
}

/* Fills the slots of so many tickets; a single element is a run of one, for which the loop
 * vanishes.
 */
WEFT_INLINE void weft_mpsc_ring_fill_(weft_mpsc_ring *queue, uint64_t ticket, const void *elements,
				      size_t count, size_t element_size)
{
	size_t stride = weft_mpsc_ring_stride_(element_size);
	unsigned char *first = queue->slots_, *end = weft_mpsc_ring_end_(queue, element_size);
	unsigned char *slot = weft_mpsc_ring_slot_(queue, ticket, element_size);
	uint32_t turn = weft_mpsc_ring_full_turn_(queue, ticket);

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && weft_next_slot_(&slot, stride, first, end))
			turn = weft_mpsc_ring_full_turn_(queue,
							 ticket + i * WEFT_MPSC_RING_TICKET_);
		memcpy(slot + weft_mpsc_ring_header_(element_size),
		       (const unsigned char *)elements + i * element_size, element_size);
		/* P1 release, pairs with C1, C2: publishes the element. */
		atomic_store_explicit(weft_mpsc_ring_turn_(slot), turn, memory_order_release);
	}
}

WEFT_INLINE size_t weft_mpsc_ring_push_core_(weft_mpsc_ring *queue, const void *elements,
					     size_t count, size_t element_size)
{
	uint64_t ticket;
	size_t taken = weft_mpsc_ring_take_(queue, &ticket, count, element_size);

	if (taken > 0)
		weft_mpsc_ring_fill_(queue, ticket, elements, count == 1 ? 1 : taken, element_size);
	return taken;
}

WEFT_INLINE uint64_t weft_mpsc_ring_own_head_(const weft_mpsc_ring *queue)
{
	/* relaxed: only the consumer, which asks, writes head_. */
	return atomic_load_explicit(&queue->head_, memory_order_relaxed);
}

/* Makes the slots before `head` the producers'. */
WEFT_INLINE void weft_mpsc_ring_hand_back_(weft_mpsc_ring *queue, uint64_t head)
{
	/* C3 release, pairs with R1: the slots may be written again. */
	atomic_store_explicit(&queue->head_, head, memory_order_release);
}

/* The oldest slot, at this ticket, or NULL when it is not full. */
WEFT_INLINE unsigned char *weft_mpsc_ring_oldest_(weft_mpsc_ring *queue, uint64_t head,
						  size_t element_size)
{
	unsigned char *slot = weft_mpsc_ring_slot_(queue, head, element_size);

	do {
		/* C1 acquire, pairs with P1: the element is complete. */
		if (WEFT_LIKELY(atomic_load_explicit(weft_mpsc_ring_turn_(slot),
						     memory_order_acquire) ==
				weft_mpsc_ring_full_turn_(queue, head)))
			return slot;
	} while (weft_cpu_rest_behind_(&queue->empty_at_, head >> (WEFT_MPSC_RING_SHIFT_ - 1)));
	return NULL;
}

WEFT_INLINE size_t weft_mpsc_ring_pop_core_(weft_mpsc_ring *queue, void *elements, size_t count,
					    size_t element_size)
{
	size_t stride = weft_mpsc_ring_stride_(element_size);
	unsigned char *first = queue->slots_, *end = weft_mpsc_ring_end_(queue, element_size);
	uint64_t head = weft_mpsc_ring_own_head_(queue);
	uint32_t turn = weft_mpsc_ring_full_turn_(queue, head);
	unsigned char *slot;
	size_t popped = 0;

	if (count == 0)
		return 0;
	slot = weft_mpsc_ring_oldest_(queue, head, element_size);
	if (slot == NULL)
		return 0;
	for (;;) {
		memcpy((unsigned char *)elements + popped * element_size,
		       slot + weft_mpsc_ring_header_(element_size), element_size);
		head += WEFT_MPSC_RING_TICKET_;
		if (++popped == count)
			break;
		if (weft_next_slot_(&slot, stride, first, end))
			turn = weft_mpsc_ring_full_turn_(queue, head);
		/* C2 acquire, pairs with P1: as C1. */
		if (atomic_load_explicit(weft_mpsc_ring_turn_(slot), memory_order_acquire) != turn)
			break;
	}
	weft_mpsc_ring_hand_back_(queue, head);
	return popped;
}

/*
 * Appends a copy of the element, or returns false when the queue is full or closed.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_mpsc_ring_try_push(weft_mpsc_ring *queue, const void *element)
{
	return weft_mpsc_ring_push_core_(queue, element, 1, queue->element_size_) == 1;
}

/*
 * Moves the oldest element to *element, or returns false when the queue is empty.
 * Threads: the consumer. Progress: see (*) above.
 */
WEFT_INLINE bool weft_mpsc_ring_try_pop(weft_mpsc_ring *queue, void *element)
{
	return weft_mpsc_ring_pop_core_(queue, element, 1, queue->element_size_) == 1;
}

/* What push returns when the element went in, or did not. */
WEFT_INLINE int weft_mpsc_ring_pushed_(const weft_mpsc_ring *queue, bool done)
{
	if (WEFT_LIKELY(done))
		return 0;
	return weft_mpsc_ring_is_closed(queue) ? -EPIPE : -EAGAIN;
}

/* What pop returns when an element came out, or did not. */
WEFT_INLINE int weft_mpsc_ring_popped_(const weft_mpsc_ring *queue, bool done)
{
	if (WEFT_LIKELY(done))
		return 0;
	return weft_mpsc_ring_is_drained_(queue) ? -EPIPE : -EAGAIN;
}

/*
 * As try_push, but says why not.
 * Threads: any. Progress: wait-free.
 * Returns 0; -EAGAIN when the queue is full; -EPIPE when it is closed.
 */
WEFT_INLINE int weft_mpsc_ring_push(weft_mpsc_ring *queue, const void *element)
{
	return weft_mpsc_ring_pushed_(queue, weft_mpsc_ring_try_push(queue, element));
}

/*
 * As try_pop, but says why not.
 * Threads: the consumer. Progress: see (*) above.
 * Returns 0; -EAGAIN when the queue is empty for now; -EPIPE when it is closed and all that was
 * pushed has been popped: nothing will ever come.
 */
WEFT_INLINE int weft_mpsc_ring_pop(weft_mpsc_ring *queue, void *element)
{
	return weft_mpsc_ring_popped_(queue, weft_mpsc_ring_try_pop(queue, element));
}

/* A batch, without more than can be inside. */
WEFT_INLINE size_t weft_mpsc_ring_push_run_(weft_mpsc_ring *queue, const void *elements,
					    size_t count, size_t element_size)
{
	if (count > queue->mask_ + 1)
		count = (size_t)queue->mask_ + 1;
	return count == 0 ? 0 : weft_mpsc_ring_push_core_(queue, elements, count, element_size);
}

/*
 * Appends up to `count` elements in their order, as one run without others between them, and
 * returns how many: fewer than `count` when the queue becomes full, or others are so fast that only
 * one ticket could be had; none when it is closed.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_mpsc_ring_try_push_batch(weft_mpsc_ring *queue, const void *elements,
						 size_t count)
{
	return weft_mpsc_ring_push_run_(queue, elements, count, queue->element_size_);
}

/*
 * Moves up to `count` of the oldest elements to the array and returns how many: fewer than `count`
 * when the queue becomes empty. The quickest way to drain it.
 * Threads: the consumer. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpsc_ring_try_pop_batch(weft_mpsc_ring *queue, void *elements, size_t count)
{
	return weft_mpsc_ring_pop_core_(queue, elements, count, queue->element_size_);
}

WEFT_INLINE int weft_mpsc_ring_peek_core_(weft_mpsc_ring *queue, void **element,
					  size_t element_size)
{
	unsigned char *slot =
		weft_mpsc_ring_oldest_(queue, weft_mpsc_ring_own_head_(queue), element_size);

	if (slot == NULL)
		return weft_mpsc_ring_popped_(queue, false);
	*element = slot + weft_mpsc_ring_header_(element_size);
	return 0;
}

/*
 * Sets *element to where the oldest element is, aligned to 8 bytes, or to 4 when it is not larger
 * than that. It stays the consumer's, who may also write to it, until he releases or pops it.
 * Threads: the consumer. Progress: see (*) above.
 * Returns 0; -EAGAIN or -EPIPE as pop does: then nothing is set.
 */
WEFT_INLINE int weft_mpsc_ring_peek(weft_mpsc_ring *queue, void **element)
{
	return weft_mpsc_ring_peek_core_(queue, element, queue->element_size_);
}

/*
 * Drops the oldest element, which peek has found.
 * Threads: the consumer. Progress: wait-free.
 */
WEFT_INLINE void weft_mpsc_ring_release(weft_mpsc_ring *queue)
{
	uint64_t head = weft_mpsc_ring_own_head_(queue);

	WEFT_CONTRACT(weft_mpsc_ring_oldest_(queue, head, queue->element_size_) != NULL,
		      "what is released has been seen");
	weft_mpsc_ring_hand_back_(queue, head + WEFT_MPSC_RING_TICKET_);
}

/*
 * WEFT_MPSC_RING_DEFINE(events, struct event) makes the type `events` and events_init,
 * _memory_size, _init_in, _fini, _close, _is_closed, _capacity, _size, _push, _pop, _try_push,
 * _try_pop, _try_push_batch, _try_pop_batch, _peek and _release, which differ from the functions
 * above in that the element's type is checked and its size is known when compiled.
 * _push and _try_push take the element by value. A large one is better pushed by a batch of one,
 * which copies it once, from where it is.
 */
#define WEFT_MPSC_RING_DEFINE(name, type)                                                          \
	typedef struct name {                                                                      \
		weft_mpsc_ring queue_;                                                             \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *queue, size_t capacity)                                  \
	{                                                                                          \
		return weft_mpsc_ring_init(&queue->queue_, capacity, sizeof(type));                \
	}                                                                                          \
	WEFT_INLINE size_t name##_memory_size(size_t capacity)                                     \
	{                                                                                          \
		return weft_mpsc_ring_memory_size(capacity, sizeof(type));                         \
	}                                                                                          \
	WEFT_INLINE int name##_init_in(name *queue, void *memory, size_t bytes, size_t capacity)   \
	{                                                                                          \
		return weft_mpsc_ring_init_in(&queue->queue_, memory, bytes, capacity,             \
					      sizeof(type));                                       \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_mpsc_ring_fini(&queue->queue_);                                               \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *queue)                                                 \
	{                                                                                          \
		weft_mpsc_ring_close(&queue->queue_);                                              \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *queue)                                       \
	{                                                                                          \
		return weft_mpsc_ring_is_closed(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *queue)                                      \
	{                                                                                          \
		return weft_mpsc_ring_capacity(&queue->queue_);                                    \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_mpsc_ring_size(&queue->queue_);                                        \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *queue, type element)                                \
	{                                                                                          \
		return weft_mpsc_ring_push_core_(&queue->queue_, &element, 1, sizeof(type)) == 1;  \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *queue, type *element)                                \
	{                                                                                          \
		return weft_mpsc_ring_pop_core_(&queue->queue_, element, 1, sizeof(type)) == 1;    \
	}                                                                                          \
	WEFT_INLINE int name##_push(name *queue, type element)                                     \
	{                                                                                          \
		return weft_mpsc_ring_pushed_(&queue->queue_, name##_try_push(queue, element));    \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name *queue, type *element)                                     \
	{                                                                                          \
		return weft_mpsc_ring_popped_(&queue->queue_, name##_try_pop(queue, element));     \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *queue, const type *elements, size_t count)  \
	{                                                                                          \
		return weft_mpsc_ring_push_run_(&queue->queue_, elements, count, sizeof(type));    \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *queue, type *elements, size_t count)         \
	{                                                                                          \
		return weft_mpsc_ring_pop_core_(&queue->queue_, elements, count, sizeof(type));    \
	}                                                                                          \
	WEFT_INLINE int name##_peek(name *queue, type **element)                                   \
	{                                                                                          \
		void *oldest = NULL;                                                               \
		int error = weft_mpsc_ring_peek_core_(&queue->queue_, &oldest, sizeof(type));      \
                                                                                                   \
		if (error == 0)                                                                    \
			*element = (type *)oldest;                                                 \
		return error;                                                                      \
	}                                                                                          \
	WEFT_INLINE void name##_release(name *queue)                                               \
	{                                                                                          \
		weft_mpsc_ring_release(&queue->queue_);                                            \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_MPSC_RING_ELEMENT_MAX, "element too large");            \
	static_assert(__alignof__(type) <= 8, "an element is read where it is")

#endif
