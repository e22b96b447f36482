/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MPMC_QUEUE_H
#define WEFT_LOCKFREE_MPMC_QUEUE_H

/*
 * Bounded FIFO queue for any number of producers and consumers, elements of any size.
 *
 * When not to use it: one producer and one consumer are three times as fast with spsc_queue.h;
 * pointers go through mpmc_pointer_queue.h, whose slots are half as large. A thread that may be
 * stopped for long between its ticket and its publication (a debugger, a real-time signal) delays
 * the consumer of that one slot, see the table.
 *
 * Source: Dmitry Vyukov's bounded MPMC queue (1024cores.net, 2010). Here a slot carries its turn
 * (lap times two, plus one when full) in place of a ticket: zeroed memory is an empty queue and a
 * capacity of one is valid.
 *
 *     operation                         threads   progress     sleeps  allocates
 *     weft_mpmc_queue_init, _fini       one       -            no      init
 *     weft_mpmc_queue_init_in           one       -            no      no
 *     weft_mpmc_queue_push, try_push    any       blocking (*) no      no
 *     weft_mpmc_queue_pop, try_pop      any       blocking (*) no      no
 *     ..._try_push_batch, try_pop_batch any       blocking (*) no      no
 *     ..._close, _is_closed             any       wait-free    no      no
 *     ..._size, _capacity, _memory_size any       wait-free    no      no
 *
 *     (*) No call ever waits. But a producer that is stopped between ticket and publication makes
 *     try_pop answer "empty" at its slot, though later elements are there, and a consumer stopped
 *     between ticket and release makes try_push answer "full" one lap later. So "empty" and "full"
 *     are linearizable only while no other thread is inside such a call; elements are never lost,
 *     doubled or reordered. A retry inside a call means that another thread's call succeeded.
 *     A "no" takes up to 3 microseconds longer where that makes a stream faster: the call looks
 *     twice, so that the other side gets ahead (rest.c).
 *
 * Order: FIFO by ticket, hence FIFO for each producer as each consumer sees it.
 * End: a closed queue takes nothing more; what is inside is popped first, then pop says -EPIPE. It
 * costs the push a test of a bit that it has loaded anyway.
 * Memory: capacity * (header + element_size) bytes, rounded up to the header, which is 4 bytes for
 * elements of up to 4 bytes and 8 for larger ones. It may be the caller's, for instance on a given
 * NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>, then weft_mpmc_queue_init_in.
 */

#include <string.h>

#include <weft/lockfree/base.h>

/*
 * A ticket is kept twice as large in tail_ and head_, so that bit 0 of tail_ is free to say that
 * the queue is closed. Invariants, for a slot s = ticket modulo capacity, in the lap
 * ticket / capacity:
 *   I1  turn(s) == 2 * lap      the slot is empty and waits for the producer with this ticket;
 *   I2  turn(s) == 2 * lap + 1  the slot is full and waits for the consumer with this ticket;
 *   I3  a turn only grows (modulo 2^32), and only the holder of the ticket moves it;
 *   I4  head_ <= tail_ <= head_ + capacity, as tickets, when no call is under way;
 *   I5  tail_ does not change any more once it is odd.
 */
typedef struct weft_mpmc_queue {
	/* Twice the next ticket of a producer, plus one when closed; written by producers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) tail_;
	weft_cpu_heels_ full_at_; /* where there was no room */
	/* Twice the next ticket of a consumer; written by consumers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_;
	weft_cpu_heels_ empty_at_; /* where there was no element */
	/* From here on constant, but for the end: it stays shared in every cache. */
	WEFT_LINE_ALIGNED unsigned char *slots_;
	uint64_t mask_; /* twice (capacity - 1) */
	/* What head_ is when a closed queue is drained; odd, which head_ never is, before. */
	WEFT_ATOMIC(uint64_t) end_;
	void *owned_;        /* the slots, if they are not memory of the caller */
	uint32_t lap_shift_; /* log2 of twice the capacity */
	uint32_t element_size_;
} weft_mpmc_queue;

static_assert(sizeof(weft_mpmc_queue) == 3 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* The largest element, in bytes. Larger things are better passed by pointer. */
#define WEFT_MPMC_QUEUE_ELEMENT_MAX 1048576

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` elements of `element_size` bytes each. The capacity
 * is rounded up to a power of two. All memory is taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31, or the element size is 0 or above
 * WEFT_MPMC_QUEUE_ELEMENT_MAX; -ENOMEM when there is no memory (also when the byte count
 * overflows). On an error *queue is left zeroed, and weft_mpmc_queue_fini may be called.
 */
WEFT_API int weft_mpmc_queue_init(weft_mpmc_queue *queue, size_t capacity, size_t element_size);

/*
 * How many bytes weft_mpmc_queue_init_in needs for such a queue; 0 when weft_mpmc_queue_init would
 * refuse the arguments, or when a size_t cannot count them.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_mpmc_queue_memory_size(size_t capacity, size_t element_size);

/*
 * As weft_mpmc_queue_init, in memory of the caller, which stays the caller's: it must outlive the
 * queue, and weft_mpmc_queue_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_mpmc_queue_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_mpmc_queue_init_in(weft_mpmc_queue *queue, void *memory, size_t bytes,
				     size_t capacity, size_t element_size);

/*
 * Frees the memory, if it is not the caller's. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_mpmc_queue_fini(weft_mpmc_queue *queue);

/*
 * Closes the queue: once this has returned no push succeeds. What was pushed is still there to be
 * popped. Closing a closed queue changes nothing. What the first caller did before is seen by
 * whoever gets -EPIPE, or true from weft_mpmc_queue_is_closed.
 * Threads: any. Progress: wait-free.
 */
WEFT_API void weft_mpmc_queue_close(weft_mpmc_queue *queue);

WEFT_END_DECLS

/* How many elements fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_mpmc_queue_capacity(const weft_mpmc_queue *queue)
{
	return (size_t)(queue->mask_ / 2) + 1;
}

/*
 * How many elements are inside, between 0 and the capacity. Exact while nobody pushes or pops;
 * otherwise off by at most the number of those that were moved meanwhile.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_mpmc_queue_size(const weft_mpmc_queue *queue)
{
	/* relaxed: an estimate carries no data; head_ first, so that a racing pop cannot make
	 * the difference negative by more than the calls between the two loads. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

	uint64_t size = (tail - head) / 2;

	if ((int64_t)(tail - head) < 0)
		return 0;
	return size > queue->mask_ / 2 ? weft_mpmc_queue_capacity(queue) : (size_t)size;
}

/*
 * Whether weft_mpmc_queue_close was called.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_mpmc_queue_is_closed(const weft_mpmc_queue *queue)
{
	/* E2 acquire, pairs with E1: what was done before the close. */
	return atomic_load_explicit(&queue->end_, memory_order_acquire) % 2 == 0;
}

/*
 * Whether nothing is inside and nothing will come: all tickets that producers got are taken.
 * relaxed: head_ only grows, and not beyond the end.
 */
WEFT_INLINE bool weft_mpmc_queue_is_drained_(const weft_mpmc_queue *queue)
{
	/* E3 acquire, pairs with E1: as E2. */
	return atomic_load_explicit(&queue->end_, memory_order_acquire) ==
	       atomic_load_explicit(&queue->head_, memory_order_relaxed);
}

/* Bytes before the element in a slot; a constant for the typed wrappers. */
WEFT_INLINE size_t weft_mpmc_queue_header_(size_t element_size)
{
	return element_size <= 4 ? 4 : 8;
}

WEFT_INLINE size_t weft_mpmc_queue_stride_(size_t element_size)
{
	size_t header = weft_mpmc_queue_header_(element_size);

	return (header + element_size + header - 1) / header * header;
}

/* The slot of a ticket, given as in tail_ or head_: twice as large. Strides are even. */
WEFT_INLINE unsigned char *weft_mpmc_queue_slot_(const weft_mpmc_queue *queue, uint64_t ticket,
						 size_t element_size)
{
	return queue->slots_ +
	       (ticket & queue->mask_) * (weft_mpmc_queue_stride_(element_size) / 2);
}

WEFT_INLINE WEFT_ATOMIC(uint32_t) * weft_mpmc_queue_turn_(unsigned char *slot)
{
	return (WEFT_ATOMIC(uint32_t) *)(void *)slot;
}

/* The turn at which the slot of this ticket is empty and the ticket's producer's (I1). */
WEFT_INLINE uint32_t weft_mpmc_queue_empty_turn_(const weft_mpmc_queue *queue, uint64_t ticket)
{
	return (uint32_t)(ticket >> queue->lap_shift_) * 2;
}

/* As many slots of 8-byte elements as a line of 64 bytes has, twice, as tickets are. */
#define WEFT_MPMC_QUEUE_AHEAD_ (2 * 4)

/* Asks for a line ahead of this ticket, once in a line: a side that waits for each element would
 * else take the next line from the other at every look. */
WEFT_INLINE void weft_mpmc_queue_get_ahead_(const weft_mpmc_queue *queue, uint64_t ticket,
					    size_t element_size)
{
	if (ticket % WEFT_MPMC_QUEUE_AHEAD_ == 0)
		weft_cpu_prefetch_to_write_(weft_mpmc_queue_slot_(
			queue, ticket + WEFT_MPMC_QUEUE_AHEAD_, element_size));
}

/* Behind the last slot. */
WEFT_INLINE unsigned char *weft_mpmc_queue_end_(const weft_mpmc_queue *queue, size_t element_size)
{
	return queue->slots_ +
	       weft_mpmc_queue_capacity(queue) * weft_mpmc_queue_stride_(element_size);
}

/* How many slots in a row are ready, of up to `count`; the first one is, and has this turn. */
WEFT_INLINE size_t weft_mpmc_queue_run_(const weft_mpmc_queue *queue, unsigned char *slot,
					uint32_t turn, size_t count, size_t element_size)
{
	size_t stride = weft_mpmc_queue_stride_(element_size), ready;
	unsigned char *first = queue->slots_, *end = weft_mpmc_queue_end_(queue, element_size);

	for (ready = 1; ready < count; ready++) {
		if (weft_next_slot_(&slot, stride, first, end))
			turn += 2;
		/* R1 acquire, pairs with C2, P2: as P1 and C1. */
		if (atomic_load_explicit(weft_mpmc_queue_turn_(slot), memory_order_acquire) != turn)
			break;
	}
	return ready;
}

/*
 * Both cores look at a run of slots, claim it with one exchange of the ticket counter, then hand
 * over slot by slot; a single element is a run of one, for which the loops vanish. For its sake
 * what the first slot gets is known before the exchange: on x86-64 nothing that stands behind a
 * locked instruction starts before its end.
 *
 * relaxed: tickets carry no data. An outdated ticket fails the exchange, and as the counters are 64
 * bits wide and only grow, an exchange that succeeds proves that nobody took a slot of the run
 * since its turn was read.
 */
WEFT_INLINE size_t weft_mpmc_queue_push_core_(weft_mpmc_queue *queue, const void *elements,
					      size_t count, size_t element_size)
{
	size_t stride = weft_mpmc_queue_stride_(element_size);
	unsigned char *first = queue->slots_, *end = weft_mpmc_queue_end_(queue, element_size);
	unsigned char *slot;
	uint64_t ticket;
	uint32_t turn;
	size_t ready, i;

	if (count == 0)
		return 0;
	for (;;) {
		ticket = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

		uint64_t expected = ticket;

		slot = weft_mpmc_queue_slot_(queue, ticket, element_size);
		weft_cpu_ask_for_slot_(&queue->full_at_, ticket, slot);
		/* P1 acquire, pairs with C2, P2: it is free; or tail_ below is not outdated. */
		turn = atomic_load_explicit(weft_mpmc_queue_turn_(slot), memory_order_acquire);
		if (WEFT_UNLIKELY(ticket % 2 != 0)) {
			/* What this call says is true only when the close is complete. */
			weft_mpmc_queue_close(queue);
			return 0;
		}
		if (WEFT_UNLIKELY(turn != weft_mpmc_queue_empty_turn_(queue, ticket))) {
			/* The slot is a lap behind, which means full, unless our ticket is: we may
			 * have slept for any number of laps since it was read. */
			if (atomic_load_explicit(&queue->tail_, memory_order_relaxed) != ticket ||
			    weft_cpu_rest_behind_(&queue->full_at_, ticket))
				continue;
			return 0;
		}
		ready = weft_mpmc_queue_run_(queue, slot, turn, count, element_size);
		weft_mpmc_queue_get_ahead_(queue, ticket, element_size);
		if (atomic_compare_exchange_weak_explicit(&queue->tail_, &expected,
							  ticket + 2 * ready, memory_order_relaxed,
							  memory_order_relaxed))
			break;
		weft_cpu_stand_back_(&queue->tail_);
	}
	for (i = 0;;) {
		memcpy(slot + weft_mpmc_queue_header_(element_size),
		       (const unsigned char *)elements + i * element_size, element_size);
		/* P2 release, pairs with C1, R1, P1: publishes the element. */
		atomic_store_explicit(weft_mpmc_queue_turn_(slot), turn + 1, memory_order_release);
		if (++i == ready)
			return ready;
		if (weft_next_slot_(&slot, stride, first, end))
			turn += 2;
	}
}

/* relaxed: as in push, with head_ in place of tail_. */
WEFT_INLINE size_t weft_mpmc_queue_pop_core_(weft_mpmc_queue *queue, void *elements, size_t count,
					     size_t element_size)
{
	size_t stride = weft_mpmc_queue_stride_(element_size);
	unsigned char *first = queue->slots_, *end = weft_mpmc_queue_end_(queue, element_size);
	unsigned char *slot;
	uint64_t ticket;
	uint32_t turn;
	size_t ready, i;

	if (count == 0)
		return 0;
	for (;;) {
		ticket = atomic_load_explicit(&queue->head_, memory_order_relaxed);

		uint64_t expected = ticket;

		slot = weft_mpmc_queue_slot_(queue, ticket, element_size);
		/* C1 acquire, pairs with P2, C2: it is complete; or head_ below is newer. */
		turn = atomic_load_explicit(weft_mpmc_queue_turn_(slot), memory_order_acquire);
		if (WEFT_UNLIKELY(turn != weft_mpmc_queue_empty_turn_(queue, ticket) + 1)) {
			if (atomic_load_explicit(&queue->head_, memory_order_relaxed) != ticket ||
			    weft_cpu_rest_behind_(&queue->empty_at_, ticket))
				continue;
			return 0;
		}
		ready = weft_mpmc_queue_run_(queue, slot, turn, count, element_size);
		weft_mpmc_queue_get_ahead_(queue, ticket, element_size);
		if (atomic_compare_exchange_weak_explicit(&queue->head_, &expected,
							  ticket + 2 * ready, memory_order_relaxed,
							  memory_order_relaxed))
			break;
		weft_cpu_stand_back_(&queue->head_);
	}
	for (i = 0;;) {
		memcpy((unsigned char *)elements + i * element_size,
		       slot + weft_mpmc_queue_header_(element_size), element_size);
		/* C2 release, pairs with P1, R1, C1: the slot may be written again. */
		atomic_store_explicit(weft_mpmc_queue_turn_(slot), turn + 1, memory_order_release);
		if (++i == ready)
			return ready;
		if (weft_next_slot_(&slot, stride, first, end))
			turn += 2;
	}
}

/*
 * Appends a copy of the element, or returns false when the queue is full or closed.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE bool weft_mpmc_queue_try_push(weft_mpmc_queue *queue, const void *element)
{
	return weft_mpmc_queue_push_core_(queue, element, 1, queue->element_size_) == 1;
}

/*
 * Moves the oldest element to *element, or returns false when the queue is empty.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE bool weft_mpmc_queue_try_pop(weft_mpmc_queue *queue, void *element)
{
	return weft_mpmc_queue_pop_core_(queue, element, 1, queue->element_size_) == 1;
}

/* What push returns when the element went in, or did not. */
WEFT_INLINE int weft_mpmc_queue_pushed_(const weft_mpmc_queue *queue, bool done)
{
	if (WEFT_LIKELY(done))
		return 0;
	return weft_mpmc_queue_is_closed(queue) ? -EPIPE : -EAGAIN;
}

/* What pop returns when an element came out, or did not. */
WEFT_INLINE int weft_mpmc_queue_popped_(const weft_mpmc_queue *queue, bool done)
{
	if (WEFT_LIKELY(done))
		return 0;
	return weft_mpmc_queue_is_drained_(queue) ? -EPIPE : -EAGAIN;
}

/*
 * As try_push, but says why not.
 * Threads: any. Progress: see (*) above.
 * Returns 0; -EAGAIN when the queue is full; -EPIPE when it is closed.
 */
WEFT_INLINE int weft_mpmc_queue_push(weft_mpmc_queue *queue, const void *element)
{
	return weft_mpmc_queue_pushed_(queue, weft_mpmc_queue_try_push(queue, element));
}

/*
 * As try_pop, but says why not.
 * Threads: any. Progress: see (*) above.
 * Returns 0; -EAGAIN when the queue is empty for now; -EPIPE when it is closed and all that was
 * pushed has been popped: nothing will ever come.
 */
WEFT_INLINE int weft_mpmc_queue_pop(weft_mpmc_queue *queue, void *element)
{
	return weft_mpmc_queue_popped_(queue, weft_mpmc_queue_try_pop(queue, element));
}

/*
 * Appends up to `count` elements in their order, as one run without others between them, and
 * returns how many: fewer than `count` when the queue becomes full, none when it is closed.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_queue_try_push_batch(weft_mpmc_queue *queue, const void *elements,
						  size_t count)
{
	return weft_mpmc_queue_push_core_(queue, elements, count, queue->element_size_);
}

/*
 * Moves up to `count` of the oldest elements to the array and returns how many: fewer than `count`
 * when the queue becomes empty. The quickest way to drain it.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_queue_try_pop_batch(weft_mpmc_queue *queue, void *elements,
						 size_t count)
{
	return weft_mpmc_queue_pop_core_(queue, elements, count, queue->element_size_);
}

/*
 * WEFT_MPMC_QUEUE_DEFINE(orders, struct order) makes the type `orders` and orders_init,
 * _memory_size, _init_in, _fini, _close, _is_closed, _capacity, _size, _push, _pop, _try_push,
 * _try_pop, _try_push_batch and _try_pop_batch, which differ from the functions above in that the
 * element's type is checked and its size is known when compiled.
 * _push and _try_push take the element by value. A large one is better pushed by a batch of one,
 * which copies it once, from where it is.
 */
#define WEFT_MPMC_QUEUE_DEFINE(name, type)                                                         \
	typedef struct name {                                                                      \
		weft_mpmc_queue queue_;                                                            \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *queue, size_t capacity)                                  \
	{                                                                                          \
		return weft_mpmc_queue_init(&queue->queue_, capacity, sizeof(type));               \
	}                                                                                          \
	WEFT_INLINE size_t name##_memory_size(size_t capacity)                                     \
	{                                                                                          \
		return weft_mpmc_queue_memory_size(capacity, sizeof(type));                        \
	}                                                                                          \
	WEFT_INLINE int name##_init_in(name *queue, void *memory, size_t bytes, size_t capacity)   \
	{                                                                                          \
		return weft_mpmc_queue_init_in(&queue->queue_, memory, bytes, capacity,            \
					       sizeof(type));                                      \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_mpmc_queue_fini(&queue->queue_);                                              \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *queue)                                                 \
	{                                                                                          \
		weft_mpmc_queue_close(&queue->queue_);                                             \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *queue)                                       \
	{                                                                                          \
		return weft_mpmc_queue_is_closed(&queue->queue_);                                  \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *queue)                                      \
	{                                                                                          \
		return weft_mpmc_queue_capacity(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_mpmc_queue_size(&queue->queue_);                                       \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *queue, type element)                                \
	{                                                                                          \
		return weft_mpmc_queue_push_core_(&queue->queue_, &element, 1, sizeof(type)) == 1; \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *queue, type *element)                                \
	{                                                                                          \
		return weft_mpmc_queue_pop_core_(&queue->queue_, element, 1, sizeof(type)) == 1;   \
	}                                                                                          \
	WEFT_INLINE int name##_push(name *queue, type element)                                     \
	{                                                                                          \
		return weft_mpmc_queue_pushed_(&queue->queue_, name##_try_push(queue, element));   \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name *queue, type *element)                                     \
	{                                                                                          \
		return weft_mpmc_queue_popped_(&queue->queue_, name##_try_pop(queue, element));    \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *queue, const type *elements, size_t count)  \
	{                                                                                          \
		return weft_mpmc_queue_push_core_(&queue->queue_, elements, count, sizeof(type));  \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *queue, type *elements, size_t count)         \
	{                                                                                          \
		return weft_mpmc_queue_pop_core_(&queue->queue_, elements, count, sizeof(type));   \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_MPMC_QUEUE_ELEMENT_MAX, "element too large")

#endif
