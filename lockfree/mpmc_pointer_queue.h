/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MPMC_POINTER_QUEUE_H
#define WEFT_LOCKFREE_MPMC_POINTER_QUEUE_H

/*
 * Bounded FIFO queue of pointers for any number of producers and consumers: the fastest way
 * through weft for more than one thread on either side.
 *
 * When not to use it: one producer and one consumer are faster with spsc_queue.h; values that are
 * not pointers of user space (or numbers below 2^48) need mpmc_queue.h. Tagged pointers (top-byte
 * tags of aarch64, addresses above 2^48 by choice of the program) do not fit.
 *
 * Source: Dmitry Vyukov's bounded MPMC queue (1024cores.net, 2010), with the slot's sequence and
 * its pointer in one 8-byte word: 16 bits of turn above 48 bits of pointer. One load tells whether
 * the slot is ready and brings the element; one store hands it over; eight slots share a line of 64
 * bytes.
 *
 *     operation                             threads  progress     sleeps  allocates
 *     weft_mpmc_pointer_queue_init, _fini   one      -            no      init
 *     weft_mpmc_pointer_queue_try_push      any      blocking (*) no      no
 *     weft_mpmc_pointer_queue_try_pop       any      blocking (*) no      no
 *     ..._try_push_batch, _try_pop_batch    any      blocking (*) no      no
 *     weft_mpmc_pointer_queue_size, ...     any      wait-free    no      no
 *
 *     (*) As in mpmc_queue.h: no call waits, but a thread stopped between ticket and publication
 *     makes the others find their slot "empty" or "full" until it goes on.
 *
 * Order: FIFO by ticket, hence FIFO for each producer as each consumer sees it.
 * Memory: 8 bytes a slot, at least 128 in all.
 */

#include <weft/lockfree/base.h>

/* The bits of a slot that hold the pointer; those above hold the turn. */
#define WEFT_MPMC_POINTER_BITS 48

/*
 * Invariants, for a slot s = ticket modulo capacity and lap = ticket / capacity, where turn(s) is
 * the upper 16 bits of the slot:
 *   I1  turn(s) == 2 * lap      (modulo 2^16) the slot is empty, its pointer bits are zero;
 *   I2  turn(s) == 2 * lap + 1  the slot is full and holds the element of this ticket;
 *   I3  only the holder of the ticket writes the slot.
 * A turn seen together with a ticket that is still current cannot be one of 2^15 laps ago: a ticket
 * counter does not pass a slot that has not been handed on.
 */
typedef struct weft_mpmc_pointer_queue {
	/* The next ticket of a producer; written by producers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) tail_;
	/* The next ticket of a consumer; written by consumers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_;
	/* Constant between init and fini, so that it stays shared in every cache. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) * slots_;
	uint64_t mask_;      /* capacity - 1 */
	uint32_t lap_shift_; /* log2 of the capacity */
} weft_mpmc_pointer_queue;

static_assert(sizeof(weft_mpmc_pointer_queue) == 3 * (size_t)WEFT_CACHE_LINE,
	      "one line per writer");

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` pointers, rounded up to a power of two. All memory is
 * taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31; -ENOMEM. On an error *queue is left
 * zeroed, and weft_mpmc_pointer_queue_fini may be called.
 */
WEFT_API int weft_mpmc_pointer_queue_init(weft_mpmc_pointer_queue *queue, size_t capacity);

/*
 * Frees the memory. Pointers still inside are dropped, what they point to is the caller's.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_mpmc_pointer_queue_fini(weft_mpmc_pointer_queue *queue);

WEFT_END_DECLS

/* How many pointers fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_mpmc_pointer_queue_capacity(const weft_mpmc_pointer_queue *queue)
{
	return (size_t)queue->mask_ + 1;
}

/*
 * How many pointers are inside, between 0 and the capacity. Exact while nobody pushes or pops;
 * otherwise off by at most the number of calls that ran meanwhile.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_size(const weft_mpmc_pointer_queue *queue)
{
	/* relaxed: an estimate carries no data. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

	if ((int64_t)(tail - head) < 0)
		return 0;
	return tail - head > queue->mask_ ? (size_t)queue->mask_ + 1 : (size_t)(tail - head);
}

/*
 * Whether a pointer fits in a slot: on x86-64 and aarch64 every plain pointer of user space does.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_mpmc_pointer_queue_accepts(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer >> WEFT_MPMC_POINTER_BITS == 0;
}

/* The turn of the ticket's producer (I1), where it stands in the slot. */
WEFT_INLINE uint64_t weft_mpmc_pointer_queue_empty_(const weft_mpmc_pointer_queue *queue,
						    uint64_t ticket)
{
	return (ticket >> queue->lap_shift_) << (WEFT_MPMC_POINTER_BITS + 1);
}

/* One turn later, where it stands in the slot; it wraps there as it should. */
#define WEFT_MPMC_POINTER_TURN_ ((uint64_t)1 << WEFT_MPMC_POINTER_BITS)

/*
 * Both cores look at a run of slots, claim it with one exchange of the ticket counter, then hand
 * over slot by slot; a single pointer is a run of one, for which the loops vanish.
 *
 * relaxed: tickets carry no data. An outdated ticket fails the exchange, and as the counters are 64
 * bits wide and only grow, an exchange that succeeds proves that nobody took a slot of the run
 * since it was read.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_push_core_(weft_mpmc_pointer_queue *queue,
						      void *const *pointers, size_t count)
{
	uint64_t ticket = atomic_load_explicit(&queue->tail_, memory_order_relaxed);
	size_t ready, i;

	for (;;) {
		for (ready = 0; ready < count; ready++) {
			/* P1 acquire, pairs with C2: the element of the last lap was taken. */
			uint64_t word = atomic_load_explicit(
				&queue->slots_[(ticket + ready) & queue->mask_],
				memory_order_acquire);

			if (word != weft_mpmc_pointer_queue_empty_(queue, ticket + ready))
				break;
		}
		if (WEFT_UNLIKELY(ready == 0)) {
			/* The slot is a lap behind, which means full, unless our ticket is: we may
			 * have slept for any number of laps since it was read. */
			uint64_t now = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

			if (now == ticket)
				return 0;
			ticket = now;
		} else if (atomic_compare_exchange_weak_explicit(
				   &queue->tail_, &ticket, ticket + ready, memory_order_relaxed,
				   memory_order_relaxed)) {
			break;
		} else {
			weft_cpu_yield_line_();
			ticket = atomic_load_explicit(&queue->tail_, memory_order_relaxed);
		}
	}
	for (i = 0; i < ready; i++) {
		uint64_t empty = weft_mpmc_pointer_queue_empty_(queue, ticket + i);

		/* P2 release, pairs with C1: publishes the pointer and what it points to. */
		atomic_store_explicit(&queue->slots_[(ticket + i) & queue->mask_],
				      (empty + WEFT_MPMC_POINTER_TURN_) |
					      (uint64_t)(uintptr_t)pointers[i],
				      memory_order_release);
	}
	return ready;
}

/* relaxed: as in push, with head_ in place of tail_. */
WEFT_INLINE size_t weft_mpmc_pointer_queue_pop_core_(weft_mpmc_pointer_queue *queue,
						     void **pointers, size_t count)
{
	uint64_t ticket = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	size_t ready, i;

	for (;;) {
		for (ready = 0; ready < count; ready++) {
			uint64_t full = weft_mpmc_pointer_queue_empty_(queue, ticket + ready) +
					WEFT_MPMC_POINTER_TURN_;
			/* C1 acquire, pairs with P2: what the pointer points to is complete. */
			uint64_t word = atomic_load_explicit(
				&queue->slots_[(ticket + ready) & queue->mask_],
				memory_order_acquire);

			/* Equal turns leave the bare pointer; anything above it means unequal. */
			word ^= full;
			if (word >> WEFT_MPMC_POINTER_BITS != 0)
				break;
			pointers[ready] = (void *)(uintptr_t)word;
		}
		if (WEFT_UNLIKELY(ready == 0)) {
			uint64_t now = atomic_load_explicit(&queue->head_, memory_order_relaxed);

			if (now == ticket)
				return 0;
			ticket = now;
		} else if (atomic_compare_exchange_weak_explicit(
				   &queue->head_, &ticket, ticket + ready, memory_order_relaxed,
				   memory_order_relaxed)) {
			break;
		} else {
			weft_cpu_yield_line_();
			ticket = atomic_load_explicit(&queue->head_, memory_order_relaxed);
		}
	}
	for (i = 0; i < ready; i++) {
		uint64_t empty = weft_mpmc_pointer_queue_empty_(queue, ticket + i);

		/* C2 release, pairs with P1: the slot may be written again, one lap later. */
		atomic_store_explicit(&queue->slots_[(ticket + i) & queue->mask_],
				      empty + 2 * WEFT_MPMC_POINTER_TURN_, memory_order_release);
	}
	return ready;
}

/*
 * Appends the pointer (NULL is an element like any other), or returns false when the queue is full.
 * A pointer that weft_mpmc_pointer_queue_accepts() refuses is a broken contract: a debug build
 * aborts, a release build returns false and leaves the queue as it was.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE bool weft_mpmc_pointer_queue_try_push(weft_mpmc_pointer_queue *queue, void *pointer)
{
	WEFT_CONTRACT(weft_mpmc_pointer_queue_accepts(pointer), "a queued pointer has 48 bits");
	if (WEFT_UNLIKELY(!weft_mpmc_pointer_queue_accepts(pointer)))
		return false;
	return weft_mpmc_pointer_queue_push_core_(queue, &pointer, 1) == 1;
}

/*
 * Moves the oldest pointer to *pointer, or returns false when the queue is empty.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE bool weft_mpmc_pointer_queue_try_pop(weft_mpmc_pointer_queue *queue, void **pointer)
{
	return weft_mpmc_pointer_queue_pop_core_(queue, pointer, 1) == 1;
}

/*
 * Appends up to `count` pointers in their order, as one run without others between them, and
 * returns how many: fewer than `count` when the queue becomes full, or when the next pointer is one
 * that does not fit (as in try_push).
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_try_push_batch(weft_mpmc_pointer_queue *queue,
							  void *const *pointers, size_t count)
{
	size_t fitting = 0;

	while (fitting < count && weft_mpmc_pointer_queue_accepts(pointers[fitting]))
		fitting++;
	WEFT_CONTRACT(fitting == count, "a queued pointer has 48 bits");
	return weft_mpmc_pointer_queue_push_core_(queue, pointers, fitting);
}

/*
 * Moves up to `count` of the oldest pointers to the array and returns how many: fewer than `count`
 * when the queue becomes empty.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_try_pop_batch(weft_mpmc_pointer_queue *queue,
							 void **pointers, size_t count)
{
	return weft_mpmc_pointer_queue_pop_core_(queue, pointers, count);
}

#endif
