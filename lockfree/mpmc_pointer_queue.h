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
 *     operation                               threads  progress     sleeps  allocates
 *     weft_mpmc_pointer_queue_init, _fini     one      -            no      init
 *     weft_mpmc_pointer_queue_init_in         one      -            no      no
 *     weft_mpmc_pointer_queue_push, try_push  any      blocking (*) no      no
 *     weft_mpmc_pointer_queue_pop, try_pop    any      blocking (*) no      no
 *     ..._try_push_batch, _try_pop_batch      any      blocking (*) no      no
 *     ..._close, _is_closed                   any      wait-free    no      no
 *     ..._size, _capacity, _memory_size       any      wait-free    no      no
 *
 *     (*) As in mpmc_queue.h: no call waits, but a thread stopped between ticket and publication
 *     makes the others find their slot "empty" or "full" until it goes on.
 *
 * Order: FIFO by ticket, hence FIFO for each producer as each consumer sees it.
 * End: as in mpmc_queue.h.
 * Memory: 8 bytes a slot, at least 128 in all; it may be the caller's, as in mpmc_queue.h.
 */

#include <weft/lockfree/base.h>

/* The bits of a slot that hold the pointer; those above hold the turn. */
#define WEFT_MPMC_POINTER_BITS 48

/*
 * A ticket is kept twice as large in tail_ and head_, so that bit 0 of tail_ is free to say that
 * the queue is closed. Invariants, for a slot s = ticket modulo capacity, in the lap
 * ticket / capacity, where turn(s) is the upper 16 bits of the slot:
 *   I1  turn(s) == 2 * lap      (modulo 2^16) the slot is empty, its pointer bits are zero;
 *   I2  turn(s) == 2 * lap + 1  the slot is full and holds the element of this ticket;
 *   I3  only the holder of the ticket writes the slot;
 *   I4  tail_ does not change any more once it is odd.
 * A turn seen together with a ticket that is still current
 * cannot be one of 2^15 laps ago: a ticket counter does not pass a slot that has not been handed
 * on.
 */
typedef struct weft_mpmc_pointer_queue {
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
 * How many bytes weft_mpmc_pointer_queue_init_in needs for such a queue; 0 when the capacity is 0
 * or above 2^31. Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_mpmc_pointer_queue_memory_size(size_t capacity);

/*
 * As weft_mpmc_pointer_queue_init, in memory of the caller, which stays the caller's: it must
 * outlive the queue, and weft_mpmc_pointer_queue_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_mpmc_pointer_queue_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_mpmc_pointer_queue_init_in(weft_mpmc_pointer_queue *queue, void *memory,
					     size_t bytes, size_t capacity);

/*
 * Frees the memory, if it is not the caller's. Pointers still inside are dropped, what they point
 * to is the caller's.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_mpmc_pointer_queue_fini(weft_mpmc_pointer_queue *queue);

/*
 * Closes the queue: once this has returned no push succeeds. What was pushed is still there to be
 * popped. Closing a closed queue changes nothing. What the first caller did before is seen by
 * whoever gets -EPIPE, or true from weft_mpmc_pointer_queue_is_closed.
 * Threads: any. Progress: wait-free.
 */
WEFT_API void weft_mpmc_pointer_queue_close(weft_mpmc_pointer_queue *queue);

WEFT_END_DECLS

/* How many pointers fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_mpmc_pointer_queue_capacity(const weft_mpmc_pointer_queue *queue)
{
	return (size_t)(queue->mask_ / 2) + 1;
}

/*
 * How many pointers are inside, between 0 and the capacity. Exact while nobody pushes or pops;
 * otherwise off by at most the number of those that were moved meanwhile.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_size(const weft_mpmc_pointer_queue *queue)
{
	/* relaxed: an estimate carries no data; head_ first, so that a racing pop cannot make
	 * the difference negative by more than the calls between the two loads. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

	uint64_t size = (tail - head) / 2;

	if ((int64_t)(tail - head) < 0)
		return 0;
	return size > queue->mask_ / 2 ? weft_mpmc_pointer_queue_capacity(queue) : (size_t)size;
}

/*
 * Whether weft_mpmc_pointer_queue_close was called.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_mpmc_pointer_queue_is_closed(const weft_mpmc_pointer_queue *queue)
{
	/* E2 acquire, pairs with E1: what was done before the close. */
	return atomic_load_explicit(&queue->end_, memory_order_acquire) % 2 == 0;
}

/*
 * Whether nothing is inside and nothing will come: all tickets that producers got are taken.
 * relaxed: head_ only grows, and not beyond the end.
 */
WEFT_INLINE bool weft_mpmc_pointer_queue_is_drained_(const weft_mpmc_pointer_queue *queue)
{
	/* E3 acquire, pairs with E1: as E2. */
	return atomic_load_explicit(&queue->end_, memory_order_acquire) ==
	       atomic_load_explicit(&queue->head_, memory_order_relaxed);
}

/*
 * Whether a pointer fits in a slot: on x86-64 and aarch64 every plain pointer of user space does.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_mpmc_pointer_queue_accepts(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer >> WEFT_MPMC_POINTER_BITS == 0;
}

/* The slot of a ticket, given as in tail_ or head_. */
WEFT_INLINE unsigned char *weft_mpmc_pointer_queue_slot_(const weft_mpmc_pointer_queue *queue,
							 uint64_t ticket)
{
	return queue->slots_ + (ticket & queue->mask_) * (sizeof(uint64_t) / 2);
}

/* Behind the last slot. */
WEFT_INLINE unsigned char *weft_mpmc_pointer_queue_end_(const weft_mpmc_pointer_queue *queue)
{
	return queue->slots_ + weft_mpmc_pointer_queue_capacity(queue) * sizeof(uint64_t);
}

WEFT_INLINE WEFT_ATOMIC(uint64_t) * weft_mpmc_pointer_queue_word_(unsigned char *slot)
{
	return (WEFT_ATOMIC(uint64_t) *)(void *)slot;
}

/* The turn of the ticket's producer (I1), where it stands in the slot. */
WEFT_INLINE uint64_t weft_mpmc_pointer_queue_empty_(const weft_mpmc_pointer_queue *queue,
						    uint64_t ticket)
{
	return (ticket >> queue->lap_shift_) << (WEFT_MPMC_POINTER_BITS + 1);
}

/* One turn later, where it stands in the slot; it wraps there as it should. */
#define WEFT_MPMC_POINTER_TURN_ ((uint64_t)1 << WEFT_MPMC_POINTER_BITS)

/* Moves on to the next slot, and the turn to that which it has in the same state. */
WEFT_INLINE void weft_mpmc_pointer_queue_next_(unsigned char **slot, uint64_t *turn,
					       unsigned char *first, const unsigned char *end)
{
	if (weft_next_slot_(slot, sizeof(uint64_t), first, end))
		*turn += 2 * WEFT_MPMC_POINTER_TURN_;
}

/* As many slots as a line of 64 bytes has, twice, as tickets are. */
#define WEFT_MPMC_POINTER_AHEAD_ (2 * 8)

/* Asks for the next line, at the first slot of one: a side that waits for each element would else
 * take it from the other at every look. */
WEFT_INLINE void weft_mpmc_pointer_queue_get_ahead_(const weft_mpmc_pointer_queue *queue,
						    uint64_t ticket)
{
	if (ticket % WEFT_MPMC_POINTER_AHEAD_ == 0)
		weft_cpu_prefetch_to_write_(
			weft_mpmc_pointer_queue_slot_(queue, ticket + WEFT_MPMC_POINTER_AHEAD_));
}

/*
 * Both cores look at a run of slots, claim it with one exchange of the ticket counter, then hand
 * over slot by slot; a single pointer is a run of one, for which the loops vanish. For its sake
 * what the first slot gets is known before the exchange: on x86-64 nothing that stands behind a
 * locked instruction starts before its end.
 *
 * relaxed: tickets carry no data. An outdated ticket fails the exchange, and as the counters are 64
 * bits wide and only grow, an exchange that succeeds proves that nobody took a slot of the run
 * since it was read.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_push_core_(weft_mpmc_pointer_queue *queue,
						      void *const *pointers, size_t count)
{
	unsigned char *first = queue->slots_, *end = weft_mpmc_pointer_queue_end_(queue);
	unsigned char *slot, *other;
	uint64_t ticket, word, empty;
	size_t ready, i;

	if (count == 0)
		return 0;
	for (;;) {
		ticket = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

		uint64_t expected = ticket;

		slot = weft_mpmc_pointer_queue_slot_(queue, ticket);
		weft_cpu_ask_for_slot_(&queue->full_at_, ticket, slot);
		/* P1 acquire, pairs with C3, P3: it is free; or tail_ below is not outdated. */
		word = atomic_load_explicit(weft_mpmc_pointer_queue_word_(slot),
					    memory_order_acquire);
		if (WEFT_UNLIKELY(ticket % 2 != 0)) {
			/* What this call says is true only when the close is complete. */
			weft_mpmc_pointer_queue_close(queue);
			return 0;
		}
		if (WEFT_UNLIKELY(word != weft_mpmc_pointer_queue_empty_(queue, ticket))) {
			/* The slot is a lap behind, which means full, unless our ticket is: we may
			 * have slept for any number of laps since it was read. */
			if (atomic_load_explicit(&queue->tail_, memory_order_relaxed) != ticket ||
			    weft_cpu_rest_behind_(&queue->full_at_, ticket))
				continue;
			return 0;
		}
		other = slot;
		empty = word;
		for (ready = 1; ready < count; ready++) {
			weft_mpmc_pointer_queue_next_(&other, &empty, first, end);
			/* P2 acquire, pairs with C3: as P1. */
			if (atomic_load_explicit(weft_mpmc_pointer_queue_word_(other),
						 memory_order_acquire) != empty)
				break;
		}
		weft_mpmc_pointer_queue_get_ahead_(queue, ticket);
		if (atomic_compare_exchange_weak_explicit(&queue->tail_, &expected,
							  ticket + 2 * ready, memory_order_relaxed,
							  memory_order_relaxed))
			break;
		weft_cpu_stand_back_(&queue->tail_);
	}
	for (i = 0;;) {
		uint64_t full = (word + WEFT_MPMC_POINTER_TURN_) | (uint64_t)(uintptr_t)pointers[i];

		/* P3 release, pairs with C1, C2, P1: publishes what the pointer points to. */
		atomic_store_explicit(weft_mpmc_pointer_queue_word_(slot), full,
				      memory_order_release);
		if (++i == ready)
			return ready;
		weft_mpmc_pointer_queue_next_(&slot, &word, first, end);
	}
}

/* relaxed: as in push, with head_ in place of tail_. */
WEFT_INLINE size_t weft_mpmc_pointer_queue_pop_core_(weft_mpmc_pointer_queue *queue,
						     void **pointers, size_t count)
{
	unsigned char *first = queue->slots_, *end = weft_mpmc_pointer_queue_end_(queue);
	unsigned char *slot, *other;
	uint64_t ticket, word, full, turn;
	size_t ready, i;

	if (count == 0)
		return 0;
	for (;;) {
		ticket = atomic_load_explicit(&queue->head_, memory_order_relaxed);

		uint64_t expected = ticket;

		slot = weft_mpmc_pointer_queue_slot_(queue, ticket);
		full = weft_mpmc_pointer_queue_empty_(queue, ticket) + WEFT_MPMC_POINTER_TURN_;
		/* C1 acquire, pairs with P3, C3: it is complete; or head_ below is newer. */
		word = full ^ atomic_load_explicit(weft_mpmc_pointer_queue_word_(slot),
						   memory_order_acquire);
		/* Equal turns leave the bare pointer; anything above it means unequal. */
		if (WEFT_UNLIKELY(word >> WEFT_MPMC_POINTER_BITS != 0)) {
			if (atomic_load_explicit(&queue->head_, memory_order_relaxed) != ticket ||
			    weft_cpu_rest_behind_(&queue->empty_at_, ticket))
				continue;
			return 0;
		}
		other = slot;
		turn = full;
		for (ready = 1; ready < count; ready++) {
			weft_mpmc_pointer_queue_next_(&other, &turn, first, end);
			/* C2 acquire, pairs with P3: as C1. */
			uint64_t next =
				turn ^ atomic_load_explicit(weft_mpmc_pointer_queue_word_(other),
							    memory_order_acquire);

			if (next >> WEFT_MPMC_POINTER_BITS != 0)
				break;
			pointers[ready] = (void *)(uintptr_t)next;
		}
		weft_mpmc_pointer_queue_get_ahead_(queue, ticket);
		if (atomic_compare_exchange_weak_explicit(&queue->head_, &expected,
							  ticket + 2 * ready, memory_order_relaxed,
							  memory_order_relaxed))
			break;
		weft_cpu_stand_back_(&queue->head_);
	}
	pointers[0] = (void *)(uintptr_t)word;
	for (i = 0;;) {
		/* C3 release, pairs with P1, P2, C1: the slot may be written again. */
		atomic_store_explicit(weft_mpmc_pointer_queue_word_(slot),
				      full + WEFT_MPMC_POINTER_TURN_, memory_order_release);
		if (++i == ready)
			return ready;
		weft_mpmc_pointer_queue_next_(&slot, &full, first, end);
	}
}

/*
 * Appends the pointer (NULL is an element like any other), or returns false when the queue is full
 * or closed. A pointer that weft_mpmc_pointer_queue_accepts() refuses is a broken contract: a debug
 * build aborts, a release build returns false and leaves the queue as it was.
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
 * As try_push, but says why not.
 * Threads: any. Progress: see (*) above.
 * Returns 0; -EAGAIN when the queue is full; -EPIPE when it is closed; -EINVAL for a pointer that
 * weft_mpmc_pointer_queue_accepts() refuses, which is no broken contract here.
 */
WEFT_INLINE int weft_mpmc_pointer_queue_push(weft_mpmc_pointer_queue *queue, void *pointer)
{
	if (WEFT_UNLIKELY(!weft_mpmc_pointer_queue_accepts(pointer)))
		return -EINVAL;
	if (WEFT_LIKELY(weft_mpmc_pointer_queue_push_core_(queue, &pointer, 1) == 1))
		return 0;
	return weft_mpmc_pointer_queue_is_closed(queue) ? -EPIPE : -EAGAIN;
}

/*
 * As try_pop, but says why not.
 * Threads: any. Progress: see (*) above.
 * Returns 0; -EAGAIN when the queue is empty for now; -EPIPE when it is closed and all that was
 * pushed has been popped: nothing will ever come.
 */
WEFT_INLINE int weft_mpmc_pointer_queue_pop(weft_mpmc_pointer_queue *queue, void **pointer)
{
	if (WEFT_LIKELY(weft_mpmc_pointer_queue_pop_core_(queue, pointer, 1) == 1))
		return 0;
	return weft_mpmc_pointer_queue_is_drained_(queue) ? -EPIPE : -EAGAIN;
}

/* How many pointers there are before the first that does not fit. All do, as a rule, and a loop
 * without an exit looks at several at once. */
WEFT_INLINE size_t weft_mpmc_pointer_queue_fitting_(void *const *pointers, size_t count)
{
	uint64_t all = 0;
	size_t fitting = 0;

	for (size_t i = 0; i < count; i++)
		all |= (uint64_t)(uintptr_t)pointers[i];
	if (WEFT_LIKELY(all >> WEFT_MPMC_POINTER_BITS == 0))
		return count;
	while (weft_mpmc_pointer_queue_accepts(pointers[fitting]))
		fitting++;
	return fitting;
}

/*
 * Appends up to `count` pointers in their order, as one run without others between them, and
 * returns how many: fewer than `count` when the queue becomes full, none when it is closed, and
 * none behind a pointer that does not fit (as in try_push). Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_try_push_batch(weft_mpmc_pointer_queue *queue,
							  void *const *pointers, size_t count)
{
	size_t fitting = weft_mpmc_pointer_queue_fitting_(pointers, count);

	WEFT_CONTRACT(fitting == count, "a queued pointer has 48 bits");
	return weft_mpmc_pointer_queue_push_core_(queue, pointers, fitting);
}

/*
 * Moves up to `count` of the oldest pointers to the array and returns how many: fewer than `count`
 * when the queue becomes empty. The quickest way to drain it.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_pointer_queue_try_pop_batch(weft_mpmc_pointer_queue *queue,
							 void **pointers, size_t count)
{
	return weft_mpmc_pointer_queue_pop_core_(queue, pointers, count);
}

#endif
