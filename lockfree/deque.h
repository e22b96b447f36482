/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_DEQUE_H
#define WEFT_LOCKFREE_DEQUE_H

/*
 * Work-stealing deque of pointers: its owner pushes and pops at the bottom like a stack, any other
 * thread steals the oldest at the top. It grows when full.
 *
 * When not to use it: for passing elements between threads that are equals (mpmc_queue.h), or when
 * thieves must see every element at once in order.
 *
 * Source: David Chase and Yossi Lev, Dynamic Circular Work-Stealing Deque (SPAA 2005), in the C11
 * form of Le, Pop, Cohen and Zappa Nardelli (PPoPP 2013) with two changes. Every store of the owner
 * to bottom is a release (or stronger), so that a thief which reads any of them has synchronised
 * with the push of the elements below. And the two full fences are gone: pop exchanges bottom and
 * all loads of the race for the last element are seq_cst, so that the proof below needs one order
 * only, tools that do not know fences understand it, and steal is two plain loads on x86-64.
 *
 *     operation                      threads           progress   sleeps  allocates
 *     weft_deque_init, _fini         one               -          no      init
 *     weft_deque_push                the owner         wait-free  no      when it grows
 *     weft_deque_push_seq_cst        the owner         wait-free  no      when it grows
 *     weft_deque_try_pop             the owner         wait-free  no      no
 *     weft_deque_steal               any              wait-free  no      no
 *     weft_deque_size                any               wait-free  no      no
 *
 * (wait-free but for the allocator, when it grows.)
 *
 * Memory: 8 bytes a slot, doubled on growth. A thief may still look at a ring that was outgrown, so
 * those are kept until fini: together they are smaller than the current one.
 */

#include <weft/lockfree/base.h>

/* Private: a ring of slots; the slots follow this header. */
typedef struct weft_deque_ring_ {
	uint64_t mask;                     /* number of slots - 1 */
	struct weft_deque_ring_ *outgrown; /* the ring before this one, for fini */
} weft_deque_ring_;

/*
 * Invariants, with indices that count elements and never wrap:
 *   I1  elements are at [top_, bottom_), but for a pop under way, which may own bottom_ itself;
 *   I2  top_ only grows, by the exchange of whoever takes the element at it;
 *   I3  top_seen_ <= top_, so that bottom_ - top_seen_ is never less than what is inside.
 *
 * Why no element is taken twice: it could only be the last one, taken by the owner without an
 * exchange (it read t < b) and by a thief that read the old bottom. Let S be the order of all
 * seq_cst operations. The thief's T2 read the value before the owner's O2, so T2 < O2 in S; O2 < O3
 * in the owner's program. The owner's O3 read top_ as it was before the exchange X that moved it to
 * the thief's t, so O3 < X; and the thief's T1 read what X wrote, so X < T1 < T2. A circle.
 */
typedef struct weft_deque {
	/* Index of the oldest element; moved by thieves, and by the owner for the last one. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) top_;
	/* Index after the newest element, and the ring; written by the owner, read by thieves. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) bottom_;
	WEFT_ATOMIC(weft_deque_ring_ *) ring_;
	uint64_t top_seen_; /* the owner's copy of top_ */
} weft_deque;

static_assert(sizeof(weft_deque) == 2 * (size_t)WEFT_CACHE_LINE, "one line per group of writers");

WEFT_BEGIN_DECLS

/*
 * Makes an empty deque with room for at least `capacity` elements before it grows for the first
 * time (rounded up to a power of two).
 * Threads: one, before the deque is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31; -ENOMEM. On an error *deque is left
 * zeroed, and weft_deque_fini may be called.
 */
WEFT_API int weft_deque_init(weft_deque *deque, size_t capacity);

/*
 * Frees the memory. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the deque. A zeroed deque is allowed.
 */
WEFT_API void weft_deque_fini(weft_deque *deque);

/* Private: doubles the ring. Returns 0 or -ENOMEM, and then nothing has changed. */
WEFT_API int weft_deque_grow_(weft_deque *deque);

WEFT_END_DECLS

WEFT_INLINE WEFT_ATOMIC(void *) * weft_deque_slot_(weft_deque_ring_ *ring, uint64_t index)
{
	return (WEFT_ATOMIC(void *) *)(void *)(ring + 1) + (index & ring->mask);
}

/*
 * How many elements are inside. Exact for the owner while nobody steals; for others it was true at
 * some moment during the call, and is never negative.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_deque_size(const weft_deque *deque)
{
	/* S1 seq_cst, pairs with O5: a worker that has announced its sleep and then looks here, and
	 * an owner that pushes and then looks for sleepers, cannot both miss each other. */
	uint64_t bottom = atomic_load_explicit(&deque->bottom_, memory_order_seq_cst);
	/* relaxed: an older top_ makes the estimate larger, never wrongly empty. */
	uint64_t top = atomic_load_explicit(&deque->top_, memory_order_relaxed);

	return (int64_t)(bottom - top) > 0 ? (size_t)(bottom - top) : 0;
}

/* Puts the element in its slot and returns the new bottom in *bottom; the caller stores it. */
WEFT_INLINE int weft_deque_place_(weft_deque *deque, void *element, uint64_t *new_bottom)
{
	/* relaxed: only the owner writes bottom_ and ring_. */
	uint64_t bottom = atomic_load_explicit(&deque->bottom_, memory_order_relaxed);
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);

	if (WEFT_UNLIKELY(bottom - deque->top_seen_ > ring->mask)) {
		/* O1 acquire, pairs with T4, O4: the thieves have read the slots they took. */
		deque->top_seen_ = atomic_load_explicit(&deque->top_, memory_order_acquire);
		if (bottom - deque->top_seen_ > ring->mask) {
			int error = weft_deque_grow_(deque);

			if (error != 0)
				return error;
			ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);
		}
	}
	/* relaxed: published by the store to bottom_ that follows. */
	atomic_store_explicit(weft_deque_slot_(ring, bottom), element, memory_order_relaxed);
	*new_bottom = bottom + 1;
	return 0;
}

/*
 * Adds the element at the bottom.
 * Threads: the owner. Progress: wait-free, but for the allocator when the deque grows.
 * Returns 0, or -ENOMEM when it had to grow and could not; the deque is then as it was.
 */
WEFT_INLINE int weft_deque_push(weft_deque *deque, void *element)
{
	uint64_t bottom;
	int error = weft_deque_place_(deque, element, &bottom);

	if (WEFT_LIKELY(error == 0)) {
		/* O6 release, pairs with T2: publishes the element and what it points to. */
		atomic_store_explicit(&deque->bottom_, bottom, memory_order_release);
	}
	return error;
}

/*
 * The same, with the publication in the single order of all seq_cst operations: for an owner that
 * next looks (seq_cst) whether anybody sleeps and must be told.
 * Threads: the owner. Progress: wait-free, but for the allocator. Returns 0 or -ENOMEM, as above.
 */
WEFT_INLINE int weft_deque_push_seq_cst(weft_deque *deque, void *element)
{
	uint64_t bottom;
	int error = weft_deque_place_(deque, element, &bottom);

	if (WEFT_LIKELY(error == 0)) {
		/* O5 seq_cst, pairs with T2, S1: publishes the element, as above. */
		atomic_store_explicit(&deque->bottom_, bottom, memory_order_seq_cst);
	}
	return error;
}

/*
 * Takes the newest element, or returns false when the deque is empty (or the last element has just
 * been stolen).
 * Threads: the owner. Progress: wait-free.
 */
WEFT_INLINE bool weft_deque_try_pop(weft_deque *deque, void **element)
{
	/* relaxed: only the owner writes bottom_ and ring_; and a top_ that has reached bottom_,
	 * however old the value, stays there until the owner pushes: empty without an exchange. */
	uint64_t bottom = atomic_load_explicit(&deque->bottom_, memory_order_relaxed);
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);
	bool taken = true;

	if (atomic_load_explicit(&deque->top_, memory_order_relaxed) == bottom)
		return false;
	bottom--;
	/* O2 seq_cst, pairs with T2: a thief that does not see this is before it in S. Also a
	 * release, like every store to bottom_: what stays below remains published. */
	atomic_exchange_explicit(&deque->bottom_, bottom, memory_order_seq_cst);
	/* O3 seq_cst, pairs with T4: a thief's exchange that this does not see is after it in S. */
	uint64_t top = atomic_load_explicit(&deque->top_, memory_order_seq_cst);

	if (WEFT_LIKELY(top < bottom)) {
		*element =
			atomic_load_explicit(weft_deque_slot_(ring, bottom), memory_order_relaxed);
		return true;
	}
	if (top == bottom) {
		/* The last one: whoever moves top_ has it.
		 * O4 seq_cst, pairs with T1, T4, O1: in S with the thieves' exchanges. */
		taken = atomic_compare_exchange_strong_explicit(
			&deque->top_, &top, top + 1, memory_order_seq_cst, memory_order_relaxed);
		if (taken)
			*element = atomic_load_explicit(weft_deque_slot_(ring, bottom),
							memory_order_relaxed);
	} else {
		taken = false;
	}
	/* O7 release, pairs with T2: empty again, at the index after the element. */
	atomic_store_explicit(&deque->bottom_, bottom + 1, memory_order_release);
	return taken;
}

/*
 * Takes the oldest element.
 * Threads: any, the owner too. Progress: wait-free.
 * Returns 0; -ENOENT when the deque is empty; -EAGAIN when another thread took the element first
 * (there may be more: try again, or elsewhere).
 */
WEFT_INLINE int weft_deque_steal(weft_deque *deque, void **element)
{
	/* T1 seq_cst, pairs with O4, T4: what moved top_ here is before this in S. */
	uint64_t top = atomic_load_explicit(&deque->top_, memory_order_seq_cst);
	/* T2 seq_cst, pairs with O2, O5, O6, O7: the elements below are complete, and a pop that
	 * this does not see is after it in S. */
	uint64_t bottom = atomic_load_explicit(&deque->bottom_, memory_order_seq_cst);

	if ((int64_t)(bottom - top) <= 0)
		return -ENOENT;
	/* T3 acquire, pairs with G1: a ring that was copied is complete. */
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_acquire);
	/* relaxed: a slot that was written again in the meantime fails the exchange. */
	void *candidate = atomic_load_explicit(weft_deque_slot_(ring, top), memory_order_relaxed);

	/* T4 seq_cst, pairs with O1, O3, O4, T1: one taker, and before its slot is used again. */
	if (!atomic_compare_exchange_strong_explicit(&deque->top_, &top, top + 1,
						     memory_order_seq_cst, memory_order_relaxed))
		return -EAGAIN;
	*element = candidate;
	return 0;
}

#endif
