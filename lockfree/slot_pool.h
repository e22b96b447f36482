/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_SLOT_POOL_H
#define WEFT_LOCKFREE_SLOT_POOL_H

/*
 * What bounded_stack.h and mpmc_lockfree_any.h stand on: a fixed number of slots, those of them
 * that nothing is in, and lists of slots, each with a head of one word.
 *
 * Not for programs: include the header of the thing you use.
 *
 * Source: the lists are Treiber's stack (IBM RJ 5118, 1986) with numbers in place of addresses, so
 * that a tag against ABA fits beside them in 64 bits. The unused slots are in a few such lists, of
 * which a thread uses that of its CPU: so its line mostly stays there. Who finds it empty takes a
 * handful from another.
 *
 *     operation                          threads  progress   sleeps  allocates
 *     weft_slot_pool_start_              one      -          no      no
 *     weft_slot_pool_take_, _put_        any      lock-free  no      no
 *     weft_slot_list_take_, _put_        any      lock-free  no      no
 *     weft_slot_pool_size_               any      wait-free  no      no
 *
 * A thread that is stopped for ever in a call keeps the slots that it has in its hands: those that
 * were asked for, or as many as it takes from another list, see weft_slot_pool_steal_.
 */

#include <weft/lockfree/per_cpu.h>

#define WEFT_SLOT_POOL_LISTS_ 8
#define WEFT_SLOT_POOL_STEAL_ 16

/*
 * A slot has a number from 1 on; 0 is none. Its link is a word of which the low half is the next
 * slot of its list, and the high half, in a list of unused slots, how many there are from here on.
 * The link is changed by the thread that has the slot in its hands; others may look at it when it
 * has long left the list that they found it in.
 *
 * A head is, from bit 0: the first slot; one bit that says that the list is closed; a tag, which
 * counts how often something was taken. As long as the tag stays the same, slots are put and none
 * is taken; so when the exchange of a take succeeds, what it found first was so all the while, and
 * the links behind it have not changed.
 */
typedef struct weft_slot_list_ {
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head;
} weft_slot_list_;

/* Slots in the hands of a thread, linked from the first to the last. */
typedef struct weft_slot_chain_ {
	uint64_t first, last;
	size_t count;
} weft_slot_chain_;

typedef struct weft_slot_pool_ {
	weft_slot_list_ lists[WEFT_SLOT_POOL_LISTS_];
	/* Constant. The link of slot n is at links + (n - 1) * stride; the owner knows the stride.
	 */
	WEFT_LINE_ALIGNED unsigned char *links;
	uint64_t number_mask; /* of a head */
	uint64_t closed;      /* its bit; only the owner's own lists are closed */
	uint64_t tag_step;    /* one, in the tag */
	uint32_t list_mask;   /* how many lists there are, less one */
	uint32_t steal;       /* how many slots go from one list to another */
} weft_slot_pool_;

WEFT_BEGIN_DECLS

/* How many lists make sense for this capacity, a power of two, on this machine. */
WEFT_API size_t weft_slot_pool_lists_(size_t capacity);

/* Makes a pool of `capacity` unused slots, the same number in each of this many lists. */
WEFT_API void weft_slot_pool_start_(weft_slot_pool_ *pool, void *links, size_t stride,
				    size_t capacity, size_t lists);

/* How many slots are in the lists: exact while nobody takes or puts; otherwise off by as many as
 * were taken and put meanwhile, those from one list to another included. */
WEFT_API size_t weft_slot_pool_size_(const weft_slot_pool_ *pool, size_t stride);

/* When the list of this CPU is empty: takes from any. Returns 0 when all were empty at once. */
WEFT_API WEFT_COLD size_t weft_slot_pool_take_slow_(weft_slot_pool_ *pool, size_t stride,
						    size_t count, weft_slot_chain_ *chain);

/* The list of a thread without a CPU number of its own. */
WEFT_API WEFT_COLD size_t weft_slot_pool_ask_here_(const weft_slot_pool_ *pool);

WEFT_END_DECLS

WEFT_INLINE WEFT_ATOMIC(uint64_t) *
	weft_slot_link_(const weft_slot_pool_ *pool, size_t stride, uint64_t number)
{
	return (WEFT_ATOMIC(uint64_t) *)(void *)(pool->links + (number - 1) * stride);
}

/*
 * The next slot, or 0. relaxed: a link is published and seen with a head; and what was read too
 * late is not used, as the exchange of the head fails then.
 */
WEFT_INLINE uint64_t weft_slot_next_(const weft_slot_pool_ *pool, size_t stride, uint64_t number)
{
	return (uint32_t)atomic_load_explicit(weft_slot_link_(pool, stride, number),
					      memory_order_relaxed);
}

/* How many unused slots there are from this one on, in its list; 0 from none on. relaxed: as above.
 */
WEFT_INLINE uint64_t weft_slot_depth_(const weft_slot_pool_ *pool, size_t stride, uint64_t number)
{
	if (number == 0)
		return 0;
	return atomic_load_explicit(weft_slot_link_(pool, stride, number), memory_order_relaxed) >>
	       32;
}

/* relaxed: as above. */
WEFT_INLINE void weft_slot_set_link_(const weft_slot_pool_ *pool, size_t stride, uint64_t number,
				     uint64_t next, uint64_t depth)
{
	atomic_store_explicit(weft_slot_link_(pool, stride, number), next | depth << 32,
			      memory_order_relaxed);
}

/*
 * Takes up to `count` slots off a list, at least one, and returns how many; 0 when it is empty.
 * *head is what was found then.
 */
WEFT_INLINE size_t weft_slot_list_take_(const weft_slot_pool_ *pool, weft_slot_list_ *list,
					size_t stride, size_t count, weft_slot_chain_ *chain,
					uint64_t *head)
{
	for (;;) {
		/* T1 acquire, pairs with T2, T4, bounded_stack:E1: the links, and what is in the
		 * slots; of an empty list, what those did who emptied or closed it. */
		uint64_t found = atomic_load_explicit(&list->head, memory_order_acquire);
		uint64_t last = found & pool->number_mask;
		size_t taken = 1;

		*head = found;
		if (WEFT_UNLIKELY(last == 0))
			return 0;
		chain->first = last;

		uint64_t next = weft_slot_next_(pool, stride, last);

		for (; taken < count && next != 0; taken++) {
			last = next;
			next = weft_slot_next_(pool, stride, last);
		}
		chain->last = last;
		chain->count = taken;

		uint64_t after = ((found & ~pool->number_mask) + pool->tag_step) | next;

		/* T2 release, pairs with T1: who finds the list empty sees what this thread has
		 * seen. */
		if (WEFT_LIKELY(atomic_compare_exchange_strong_explicit(&list->head, &found, after,
									memory_order_release,
									memory_order_relaxed)))
			return taken;
		weft_cpu_stand_back_(&list->head);
	}
}

/*
 * Puts a chain on a list. `counted` is whether the links say how many follow, as those of unused
 * slots do; otherwise the slot that the chain comes to lie on is not looked at.
 * Returns false when the list is closed; the chain is then still the caller's.
 */
WEFT_INLINE bool weft_slot_list_put_(const weft_slot_pool_ *pool, weft_slot_list_ *list,
				     size_t stride, const weft_slot_chain_ *chain, bool counted)
{
	for (;;) {
		/* T3 acquire, pairs with T4, bounded_stack:E1: the link of the first slot; what was
		 * done before the close. */
		uint64_t found = atomic_load_explicit(&list->head, memory_order_acquire);
		uint64_t after = (found & ~pool->number_mask) | chain->first;
		uint64_t top = found & pool->number_mask, depth = 0;

		if (WEFT_UNLIKELY((found & pool->closed) != 0))
			return false;
		if (counted) {
			uint64_t number = chain->first;

			depth = weft_slot_depth_(pool, stride, top) + 1;
			for (size_t above = chain->count - 1; above > 0; above--) {
				uint64_t next = weft_slot_next_(pool, stride, number);

				weft_slot_set_link_(pool, stride, number, next, depth + above);
				number = next;
			}
		}
		weft_slot_set_link_(pool, stride, chain->last, top, depth);
		/* T4 release, pairs with T1, T3: the links, and what is in the slots. */
		if (WEFT_LIKELY(atomic_compare_exchange_strong_explicit(&list->head, &found, after,
									memory_order_release,
									memory_order_relaxed)))
			return true;
		weft_cpu_stand_back_(&list->head);
	}
}

/* The list of the CPU that the thread is on, or was a moment ago. */
WEFT_INLINE size_t weft_slot_pool_here_(const weft_slot_pool_ *pool)
{
#if WEFT_RESTARTABLE_
	int32_t cpu = weft_per_cpu_number_();

	if (WEFT_LIKELY(cpu >= 0))
		return (uint32_t)cpu & pool->list_mask;
#endif
	return weft_slot_pool_ask_here_(pool);
}

/*
 * Takes unused slots, at least one and at most `count`, and returns how many; 0 when there is none:
 * at a moment of the call all lists were empty.
 */
WEFT_INLINE size_t weft_slot_pool_take_(weft_slot_pool_ *pool, size_t stride, size_t count,
					weft_slot_chain_ *chain)
{
	uint64_t head;
	size_t taken = weft_slot_list_take_(pool, &pool->lists[weft_slot_pool_here_(pool)], stride,
					    count, chain, &head);

	if (WEFT_LIKELY(taken != 0))
		return taken;
	return weft_slot_pool_take_slow_(pool, stride, count, chain);
}

/* As weft_slot_pool_take_, but goes on until there are `count`, or no more. */
WEFT_INLINE size_t weft_slot_pool_take_all_(weft_slot_pool_ *pool, size_t stride, size_t count,
					    weft_slot_chain_ *chain)
{
	chain->first = chain->last = chain->count = 0;
	while (chain->count < count) {
		weft_slot_chain_ more;
		size_t taken = weft_slot_pool_take_(pool, stride, count - chain->count, &more);

		if (taken == 0)
			break;
		if (chain->count == 0)
			chain->last = more.last;
		else
			weft_slot_set_link_(pool, stride, more.last, chain->first, 0);
		chain->first = more.first;
		chain->count += taken;
	}
	return chain->count;
}

/* Puts slots back that nothing is in any more. */
WEFT_INLINE void weft_slot_pool_put_(weft_slot_pool_ *pool, size_t stride,
				     const weft_slot_chain_ *chain)
{
	weft_slot_list_put_(pool, &pool->lists[weft_slot_pool_here_(pool)], stride, chain, true);
}

#endif
