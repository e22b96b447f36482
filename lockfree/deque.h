/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_DEQUE_H
#define WEFT_LOCKFREE_DEQUE_H

/*
 * Work-stealing deque of pointers: its owner pushes and pops at the bottom like a stack, any other
 * thread steals the oldest at the top, one or up to half of what is there. It grows when full.
 *
 * When not to use it: for passing elements between threads that are equals (mpmc_queue.h), or when
 * thieves must see every element at once in order.
 *
 * Source: David Chase and Yossi Lev, Dynamic Circular Work-Stealing Deque (SPAA 2005), in the C11
 * form of Le, Pop, Cohen and Zappa Nardelli (PPoPP 2013) with two changes. The bottom is the
 * difference of two counts, so that a thief that takes several elements looks at that of pops, and
 * leaves the line alone that an owner who pushes writes. And the two full fences are gone: the
 * addition by which a pop counts itself and all loads of the race for the last element are seq_cst,
 * so that the proof below needs one order only, tools that do not know fences understand it, and
 * steal is plain loads and one exchange on x86-64. The part that thieves do not see is that of
 * split deques (Dinan and others, SC 2009; Lace, 2014).
 *
 *     operation                      threads           progress   sleeps  allocates
 *     weft_deque_init, _init_in      one               -          no      init
 *     weft_deque_fini                one               -          no      no
 *     weft_deque_push                the owner         wait-free  no      when it grows
 *     weft_deque_push_seq_cst        the owner         wait-free  no      when it grows
 *     weft_deque_push_lazy           the owner         wait-free  no      when it grows
 *     weft_deque_try_pop, _pop_lazy  the owner         wait-free  no      no
 *     weft_deque_publish             the owner         wait-free  no      no
 *     weft_deque_steal               any               wait-free  no      no
 *     weft_deque_steal_batch         any               wait-free  no      no
 *     weft_deque_steal_half          an owner          wait-free  no      no
 *     weft_deque_size                any               wait-free  no      no
 *
 * (wait-free but for the allocator, when it grows.)
 *
 * Two kinds of owner. What push and push_seq_cst add can be stolen at once and as long as it is
 * inside, whatever its owner does meanwhile; the price is a locked addition in every pop, and no
 * algorithm without the like exists (Attiya and others, Laws of Order, POPL 2011). An owner that
 * comes back soon uses the lazy calls: they may hold the newest elements back, at most
 * WEFT_DEQUE_HELD_MAX, take those without that, and give them to the thieves when there are
 * more, when a thief has found nothing (at the owner's next lazy call), or at weft_deque_publish,
 * which is due before the owner does something long. All calls may be mixed.
 *
 * Memory: 8 bytes a slot, doubled on growth. A thief may still look at a ring that was outgrown, so
 * those are kept until fini: together they are smaller than the current one.
 */

#include <weft/lockfree/base.h>

/* The most elements that lazy calls hold back, or reserve at once. */
#define WEFT_DEQUE_HELD_MAX 64

/* The most elements that weft_deque_steal_half takes at once. */
#define WEFT_DEQUE_STEAL_MAX 32

/* Private: a ring of slots; the slots follow this header. */
typedef struct weft_deque_ring_ {
	uint64_t mask;                     /* number of slots - 1 */
	struct weft_deque_ring_ *outgrown; /* the ring before this one, for fini */
	bool given;                        /* the memory is the caller's */
} weft_deque_ring_;

/*
 * Invariants, with indices that count elements and never wrap, and `bottom`, which is
 * pushes_ - pops_ and for the owner public_:
 *   I1  elements that can be stolen are at [top_, bottom), but for a pop under way, which may own
 *       bottom itself; those at [bottom, owner_bottom_) are held back and the owner's alone;
 *   I2  top_ only grows, by the exchange of whoever takes the element at it;
 *   I3  top_seen_ <= top_, so that owner_bottom_ - top_seen_ is never less than what is inside.
 *
 * Why no element is taken twice: let a thief read t in top_ (T1), then p in pops_ (T2), then s in
 * pushes_ (T5), and S be the order of all seq_cst operations. A pop either leaves the bottom above
 * the top that it reads (O3), and then takes, or holds back, what is above that top without an
 * exchange; or it comes to the element at the top or to nothing, moves top_ by its exchange or
 * finds it moved, and takes its count back.
 * A pop of the first kind that is not in p has its O2 after T2 in S; so its O3 is after T1 and read
 * t or more: it did not take the element at t, and left the bottom above it. So when s was written
 * either there had been such a pop, and the bottom was above t, or it was s - p or more, as p may
 * have a pop that came later, or a count that was taken back. If t is below s - p, the element at t
 * was there then, and is to be had by exchange alone; if the thief's exchange finds t, it still is.
 *
 * It holds because one exchange takes one element: a thief that moved top_ by several could still
 * reach, from the top that O3 read, elements far above it. A batch is therefore a loop, each of
 * whose steps looks at top_ and pops_ again. As long as it finds p the old s - p will do: pushes_
 * only grows, pops of the first kind count for good, and where p had a count that was taken back,
 * and is found again when others have been added, s - p was too low.
 */
typedef struct weft_deque {
	/* Index of the oldest element; moved by thieves, and by the owner for the last one. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) top_;
	/* By how many the owner has lowered the bottom. Here, as it reads top_ next, and as thieves
	 * that look at it have just done so. */
	WEFT_ATOMIC(uint64_t) pops_;
	/* By how many the owner has raised the bottom, and the ring; read by thieves. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) pushes_;
	WEFT_ATOMIC(weft_deque_ring_ *) ring_;
	/* Whether a thief has found nothing; set by thieves, cleared by the owner. */
	WEFT_ATOMIC(bool) hungry_;
	/* The owner's: index after the newest element, and after the newest that can be stolen; its
	 * copies of pops_ and top_. */
	WEFT_LINE_ALIGNED uint64_t owner_bottom_;
	uint64_t public_;
	uint64_t popped_;
	uint64_t top_seen_;
} weft_deque;

static_assert(sizeof(weft_deque) == 3 * (size_t)WEFT_CACHE_LINE, "one line per group of writers");

WEFT_BEGIN_DECLS

/*
 * Makes an empty deque with room for at least `capacity` elements before it grows for the first
 * time (rounded up to a power of two).
 * Threads: one, before the deque is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31; -ENOMEM. On an error *deque is left
 * zeroed, and weft_deque_fini may be called.
 */
WEFT_API int weft_deque_init(weft_deque *deque, size_t capacity);

/* The bytes that weft_deque_init_in needs; 0 when the capacity is refused. Threads: any. */
WEFT_API size_t weft_deque_memory_size(size_t capacity);

/*
 * The same in the caller's memory, which stays the caller's and must outlive the deque; only growth
 * allocates then. With weft_memory_alloc(bytes, WEFT_CACHE_LINE, node) it is on a given NUMA node.
 * Threads: one, before the deque is shared. Progress: wait-free.
 * Returns 0; -EINVAL when the capacity is refused as above, the memory is NULL or not aligned to
 * WEFT_CACHE_LINE, or there are fewer `bytes` than needed. On an error *deque is left zeroed.
 */
WEFT_API int weft_deque_init_in(weft_deque *deque, void *memory, size_t bytes, size_t capacity);

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

/* How many elements there are to steal: not less than there were all the time that this took; and,
 * in *fewest, not more than there were at its beginning. */
WEFT_INLINE uint64_t weft_deque_count_(const weft_deque *deque, uint64_t *fewest)
{
	/* S2 acquire, pairs with O2: before the next, lest pops of what is pushed later count. */
	uint64_t before = atomic_load_explicit(&deque->pops_, memory_order_acquire);
	/* S1 seq_cst, pairs with O5: a worker that has announced its sleep and then looks here, and
	 * an owner that pushes and then looks for sleepers, cannot both miss each other. */
	uint64_t pushes = atomic_load_explicit(&deque->pushes_, memory_order_seq_cst);
	/* relaxed: a count that was taken back before that push is not seen any more. */
	uint64_t after = atomic_load_explicit(&deque->pops_, memory_order_relaxed);
	/* relaxed: an older top_ makes the count larger, never wrongly 0. */
	uint64_t top = atomic_load_explicit(&deque->top_, memory_order_relaxed);
	int64_t most = (int64_t)(pushes - (before < after ? before : after) - top);
	int64_t least = (int64_t)(pushes - (before < after ? after : before) - top);

	*fewest = least > 0 ? (uint64_t)least : 0;
	return most > 0 ? (uint64_t)most : 0;
}

/*
 * How many elements there are to steal. Exact for the owner while nobody steals and nothing is held
 * back; for others not less than were there during the whole call, and never negative.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_deque_size(const weft_deque *deque)
{
	uint64_t fewest;

	return (size_t)weft_deque_count_(deque, &fewest);
}

/* Makes sure of a slot for one more element. */
WEFT_INLINE int weft_deque_make_room_(weft_deque *deque)
{
	uint64_t bottom = deque->owner_bottom_;
	/* relaxed: only the owner writes ring_. */
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);

	if (WEFT_LIKELY(bottom - deque->top_seen_ <= ring->mask))
		return 0;
	/* O1 acquire, pairs with T4, O4: the thieves have read the slots they took. */
	deque->top_seen_ = atomic_load_explicit(&deque->top_, memory_order_acquire);
	return bottom - deque->top_seen_ <= ring->mask ? 0 : weft_deque_grow_(deque);
}

/* How many elements fit without growing. */
WEFT_INLINE size_t weft_deque_room_(weft_deque *deque)
{
	/* relaxed: only the owner writes ring_. */
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);

	/* O11 acquire, pairs with T4, O4: as O1. */
	deque->top_seen_ = atomic_load_explicit(&deque->top_, memory_order_acquire);
	return (size_t)(ring->mask + 1 - (deque->owner_bottom_ - deque->top_seen_));
}

/* Puts the element in its slot, which there is, and returns the new bottom, still unpublished. */
WEFT_INLINE uint64_t weft_deque_place_(weft_deque *deque, void *element)
{
	/* relaxed: only the owner writes ring_; the element is published with pushes_. */
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);

	atomic_store_explicit(weft_deque_slot_(ring, deque->owner_bottom_), element,
			      memory_order_relaxed);
	return ++deque->owner_bottom_;
}

/* Lets thieves have the elements below this index. */
WEFT_INLINE void weft_deque_publish_below_(weft_deque *deque, uint64_t bottom)
{
	deque->public_ = bottom;
	/* O6 release, pairs with T5: publishes the elements. */
	atomic_store_explicit(&deque->pushes_, bottom + deque->popped_, memory_order_release);
}

/* The same, in the single order of all seq_cst operations. */
WEFT_INLINE void weft_deque_publish_seq_cst_(weft_deque *deque, uint64_t bottom)
{
	deque->public_ = bottom;
	/* O5 seq_cst, pairs with T5, S1: publishes the elements, as above. */
	atomic_store_explicit(&deque->pushes_, bottom + deque->popped_, memory_order_seq_cst);
}

/*
 * Adds the element at the bottom, and publishes what was held back.
 * Threads: the owner. Progress: wait-free, but for the allocator when the deque grows.
 * Returns 0, or -ENOMEM when it had to grow and could not; the deque is then as it was.
 */
WEFT_INLINE int weft_deque_push(weft_deque *deque, void *element)
{
	int error = weft_deque_make_room_(deque);

	if (WEFT_LIKELY(error == 0))
		weft_deque_publish_below_(deque, weft_deque_place_(deque, element));
	return error;
}

/*
 * The same, with the publication in the single order of all seq_cst operations: for an owner that
 * next looks (seq_cst) whether anybody sleeps and must be told.
 * Threads: the owner. Progress: wait-free, but for the allocator. Returns 0 or -ENOMEM, as above.
 */
WEFT_INLINE int weft_deque_push_seq_cst(weft_deque *deque, void *element)
{
	int error = weft_deque_make_room_(deque);

	if (WEFT_LIKELY(error == 0))
		weft_deque_publish_seq_cst_(deque, weft_deque_place_(deque, element));
	return error;
}

/*
 * Lets thieves have all that was held back.
 * Threads: the owner. Progress: wait-free.
 */
WEFT_INLINE void weft_deque_publish(weft_deque *deque)
{
	weft_deque_publish_below_(deque, deque->owner_bottom_);
	/* relaxed: a thief that asks again meanwhile finds them, or asks once more. */
	atomic_store_explicit(&deque->hungry_, false, memory_order_relaxed);
}

/*
 * Adds the element at the bottom, where it may be held back: for an owner that soon pushes or pops
 * again, lazily, or publishes. No exchange, and mostly no store that thieves read.
 * Threads: the owner. Progress: wait-free, but for the allocator. Returns 0 or -ENOMEM, as above.
 */
WEFT_INLINE int weft_deque_push_lazy(weft_deque *deque, void *element)
{
	int error = weft_deque_make_room_(deque);

	if (WEFT_UNLIKELY(error != 0))
		return error;
	uint64_t newest = weft_deque_place_(deque, element);

	/* relaxed: that a thief is hungry may be seen later. */
	if (WEFT_UNLIKELY(atomic_load_explicit(&deque->hungry_, memory_order_relaxed)))
		weft_deque_publish(deque);
	else if (WEFT_UNLIKELY(newest - deque->public_ > WEFT_DEQUE_HELD_MAX))
		weft_deque_publish_below_(deque, deque->public_ + WEFT_DEQUE_HELD_MAX / 2);
	return 0;
}

/*
 * For an owner that holds nothing back: takes the newest element from the thieves' reach, and holds
 * back up to `run` - 1 below it, where `run` is not more than there seem to be. Returns false when
 * the last element was stolen.
 */
WEFT_INLINE bool weft_deque_reserve_(weft_deque *deque, uint64_t run, void **element)
{
	uint64_t bottom = deque->owner_bottom_;
	/* relaxed: only the owner writes ring_ and the slots. */
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);
	bool taken = true;

	deque->public_ = bottom - run;
	deque->popped_ += run;
	/* O2 seq_cst, pairs with T2, S2: a thief that does not see this is before it in S. */
	atomic_fetch_add_explicit(&deque->pops_, run, memory_order_seq_cst);
	/* O3 seq_cst, pairs with T4: a thief's exchange that this does not see is after it in S. */
	uint64_t top = atomic_load_explicit(&deque->top_, memory_order_seq_cst);

	if (WEFT_LIKELY(top < bottom - 1)) {
		/* Those above top are the owner's; a thief may be at the one at top. */
		if (WEFT_UNLIKELY(top >= deque->public_))
			weft_deque_publish_below_(deque, top + 1);
		deque->owner_bottom_ = bottom - 1;
		*element = atomic_load_explicit(weft_deque_slot_(ring, bottom - 1),
						memory_order_relaxed);
		return true;
	}
	if (top == bottom - 1) {
		/* The last one: whoever moves top_ has it.
		 * O4 seq_cst, pairs with T1, T4, O1, O11: in S with the thieves' exchanges. */
		taken = atomic_compare_exchange_strong_explicit(
			&deque->top_, &top, top + 1, memory_order_seq_cst, memory_order_relaxed);
		if (taken)
			*element = atomic_load_explicit(weft_deque_slot_(ring, bottom - 1),
							memory_order_relaxed);
	} else {
		taken = false;
	}
	/* Empty again, at the index after the element. */
	deque->public_ = bottom;
	deque->popped_ -= run;
	/* relaxed: a thief that still reads the count takes less; who looks before it sleeps sees
	 * this with the push that it must not miss (weft_deque_count_). */
	atomic_store_explicit(&deque->pops_, deque->popped_, memory_order_relaxed);
	return taken;
}

/* Takes the newest element of those held back, which there are. */
WEFT_INLINE void *weft_deque_take_held_(weft_deque *deque)
{
	/* relaxed: only the owner writes ring_ and the slots. */
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);

	return atomic_load_explicit(weft_deque_slot_(ring, --deque->owner_bottom_),
				    memory_order_relaxed);
}

/*
 * Takes the newest element, or returns false when the deque is empty (or the last element has just
 * been stolen). Holds nothing back that was not held back before.
 * Threads: the owner. Progress: wait-free.
 */
WEFT_INLINE bool weft_deque_try_pop(weft_deque *deque, void **element)
{
	uint64_t newest = deque->owner_bottom_;

	if (deque->public_ != newest) {
		*element = weft_deque_take_held_(deque);
		return true;
	}
	/* relaxed: a top_ that has reached the bottom, however old the value, stays there until the
	 * owner pushes: empty without an exchange. */
	if (atomic_load_explicit(&deque->top_, memory_order_relaxed) == newest)
		return false;
	return weft_deque_reserve_(deque, 1, element);
}

/*
 * The same, but half of what thieves can see, up to WEFT_DEQUE_HELD_MAX elements, may be held back
 * for the pops that follow, of which one in many pays for what the others save.
 * Threads: the owner. Progress: wait-free.
 */
WEFT_INLINE bool weft_deque_try_pop_lazy(weft_deque *deque, void **element)
{
	uint64_t newest = deque->owner_bottom_;

	/* relaxed: as in try_pop and push_lazy. */
	if (WEFT_LIKELY(deque->public_ != newest)) {
		*element = weft_deque_take_held_(deque);
		if (WEFT_UNLIKELY(atomic_load_explicit(&deque->hungry_, memory_order_relaxed)))
			weft_deque_publish(deque);
		return true;
	}
	uint64_t size = newest - atomic_load_explicit(&deque->top_, memory_order_relaxed);
	uint64_t run = size - size / 2;

	if (size == 0)
		return false;
	return weft_deque_reserve_(deque, run < WEFT_DEQUE_HELD_MAX ? run : WEFT_DEQUE_HELD_MAX,
				   element);
}

/* Asks the owner for those that it holds back. */
WEFT_INLINE void weft_deque_ask_(weft_deque *deque)
{
	/* relaxed: a request, which is repeated. Looked at first: the line stays shared. */
	if (!atomic_load_explicit(&deque->hungry_, memory_order_relaxed))
		atomic_store_explicit(&deque->hungry_, true, memory_order_relaxed);
}

/* What a thief knows of the bottom, and the ring in which the elements below it are complete, as
 * long as pops_ is `pops`; without a ring, nothing. */
typedef struct weft_deque_seen_ {
	uint64_t pops, bottom;
	weft_deque_ring_ *ring;
} weft_deque_seen_;

/* As weft_deque_steal, for a thief that may have been here just before. */
WEFT_INLINE int weft_deque_steal_again_(weft_deque *deque, weft_deque_seen_ *seen, void **element)
{
	/* T1 seq_cst, pairs with O4, T4: what moved top_ here is before this in S. */
	uint64_t top = atomic_load_explicit(&deque->top_, memory_order_seq_cst);
	/* T2 seq_cst, pairs with O2: a pop that this does not see is after it in S. */
	uint64_t pops = atomic_load_explicit(&deque->pops_, memory_order_seq_cst);

	if (seen->ring == NULL || pops != seen->pops) {
		seen->pops = pops;
		/* T5 acquire, pairs with O5, O6: the elements below are complete. */
		seen->bottom = atomic_load_explicit(&deque->pushes_, memory_order_acquire) - pops;
		/* T3 acquire, pairs with G1: a ring that was copied is complete. */
		seen->ring = atomic_load_explicit(&deque->ring_, memory_order_acquire);
	}
	if ((int64_t)(seen->bottom - top) <= 0) {
		weft_deque_ask_(deque);
		return -ENOENT;
	}
	/* relaxed: a slot that was written again in the meantime fails the exchange. */
	void *candidate =
		atomic_load_explicit(weft_deque_slot_(seen->ring, top), memory_order_relaxed);

	/* T4 seq_cst, pairs with O1, O3, O4, O11, T1: one taker, and before its slot is used again.
	 */
	if (!atomic_compare_exchange_strong_explicit(&deque->top_, &top, top + 1,
						     memory_order_seq_cst, memory_order_relaxed))
		return -EAGAIN;
	*element = candidate;
	return 0;
}

/*
 * Takes the oldest element.
 * Threads: any, the owner too. Progress: wait-free.
 * Returns 0; -ENOENT when there is nothing to steal; -EAGAIN when another thread took the element
 * first (there may be more: try again, or elsewhere).
 */
WEFT_INLINE int weft_deque_steal(weft_deque *deque, void **element)
{
	weft_deque_seen_ seen = {0, 0, NULL};

	return weft_deque_steal_again_(deque, &seen, element);
}

/*
 * Takes up to `count` of the oldest elements, but not more than half of what is there at first
 * (rounded up), oldest first. Each is taken by itself, as by weft_deque_steal, one after the other:
 * between two of them others may take some.
 * Threads: any, the owner too. Progress: wait-free.
 * Returns 0, and in *stolen how many, at least one; or -ENOENT or -EAGAIN as weft_deque_steal, also
 * when `count` is 0 (-ENOENT), with *stolen 0.
 */
WEFT_INLINE int weft_deque_steal_batch(weft_deque *deque, void **elements, size_t count,
				       size_t *stolen)
{
	uint64_t fewest, most = weft_deque_count_(deque, &fewest), wanted = fewest - fewest / 2;
	weft_deque_seen_ seen = {0, 0, NULL};
	int error = -ENOENT;

	*stolen = 0;
	if (most == 0)
		weft_deque_ask_(deque);
	else if (wanted == 0)
		wanted = 1;
	if (wanted > count)
		wanted = count;
	while (*stolen < wanted) {
		error = weft_deque_steal_again_(deque, &seen, &elements[*stolen]);
		if (error != 0)
			break;
		++*stolen;
	}
	return *stolen > 0 ? 0 : error;
}

/*
 * Takes up to half of the elements of `victim`, oldest first, as weft_deque_steal_batch does, but
 * not more than WEFT_DEQUE_STEAL_MAX: the oldest goes to *element, the others into the caller's own
 * deque, so many as there is room for without growing; its own pop then gets the newest of them.
 * While they move they are in neither deque: who looks for work at that moment may miss them.
 * Threads: the owner of `own`, which is not `victim`. Progress: wait-free.
 * Returns 0, -ENOENT or -EAGAIN, as weft_deque_steal.
 */
WEFT_INLINE int weft_deque_steal_half(weft_deque *victim, weft_deque *own, void **element)
{
	void *elements[WEFT_DEQUE_STEAL_MAX];
	size_t stolen, room = weft_deque_room_(own);
	int error = weft_deque_steal_batch(
		victim, elements, room < WEFT_DEQUE_STEAL_MAX ? room + 1 : WEFT_DEQUE_STEAL_MAX,
		&stolen);

	WEFT_CONTRACT(victim != own, "an owner does not steal from itself");
	if (error != 0)
		return error;
	*element = elements[0];
	if (stolen == 1)
		return 0;
	for (size_t i = 1; i < stolen; i++)
		weft_deque_place_(own, elements[i]);
	/* For an owner that next looks for sleepers. */
	weft_deque_publish_seq_cst_(own, own->owner_bottom_);
	return 0;
}

#endif
