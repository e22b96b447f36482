/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MPMC_LOCKFREE_H
#define WEFT_LOCKFREE_MPMC_LOCKFREE_H

/*
 * Bounded FIFO queue of pointers for any number of producers and consumers, lock-free: whichever
 * threads are stopped for ever, wherever they are, all the others push and pop on. What it answers
 * is exact: "full", "empty" and "closed" are linearizable.
 *
 * When not to use it: one producer and one consumer are faster with spsc_queue.h; batches with
 * mpmc_pointer_queue.h, which hands one over as a run, but which a stopped thread can block. Tagged
 * pointers do not fit, here as there. Elements of other sizes go by pointer, the unused ones
 * through a second queue (examples/free_buffers.c).
 *
 * Source: a ring whose slots are exchanged directly, with tickets that lag behind, as Philippas
 * Tsigas and Yi Zhang have it (SPAA 2001). Here a slot is one word that says which lap it is in,
 * and nothing else is exchanged: the ticket counters are hints, written by plain stores. So an
 * operation has one atomic read-modify-write, as in rings that are not lock-free.
 *
 *     operation                           threads  progress   sleeps  allocates
 *     weft_mpmc_lockfree_init, _fini      one      -          no      init
 *     weft_mpmc_lockfree_init_in          one      -          no      no
 *     weft_mpmc_lockfree_try_push, _push  any      lock-free  no      no
 *     weft_mpmc_lockfree_try_pop, _pop    any      lock-free  no      no
 *     ..._try_push_batch, _try_pop_batch  any      lock-free  no      no
 *     weft_mpmc_lockfree_close            any      lock-free  no      no
 *     ..._is_closed, _size                any      lock-free  no      no
 *     ..._capacity, _accepts              any      wait-free  no      no
 *
 * A "no" takes up to 3 microseconds longer where that makes a stream faster: the call looks twice,
 * so that the other side gets ahead (rest.c). So does a batch that gets less than it asks for.
 *
 * Order: FIFO. A batch keeps its order; elements of other threads may come between.
 * Suspended threads: a push is exact however long its thread was suspended in it. A pop that was
 * suspended between its look at the slot and its exchange, while just a multiple of 16384 laps went
 * through the queue, and that finds the same pointer there again, takes it too early; it notices
 * and puts it back. That shows only if two more threads were suspended likewise, one of them in a
 * pop of the same ticket, and come back within these few instructions: then this pointer leaves
 * before its turn. None is ever lost or doubled. Memory: 8 bytes a slot, at least 128 in all. It
 * may be the caller's, for instance on a given NUMA node: weft_memory_alloc() of
 * <weft/affinity/memory.h>, then weft_mpmc_lockfree_init_in.
 */

#include <weft/lockfree/base.h>

/* The bits of a slot that hold the pointer. */
#define WEFT_MPMC_LOCKFREE_POINTER_BITS 48

/*
 * A ticket is the number of an element, in the order of the queue. The start of the queue is the
 * first ticket that is not popped, its end the first that is not pushed. For the slot of a ticket t
 * (t modulo capacity; lap = t / capacity):
 *   I1  free(t), which is lap << 2: t - capacity is popped, t is not pushed;
 *   I2  full(t), which is lap << 50 | pointer << 2 | 1: t is pushed and not popped. Of the lap it
 *       has 14 bits, while free(t) has it all;
 *   I3  a slot goes from free(t) to full(t) by the exchange of a push, and from there to
 *       free(t + capacity) by that of a pop, in the order of tickets: nobody tries t without having
 *       seen that t - 1 is done;
 *   I4  tail_ <= end, head_ <= start: both are places to begin the search, and may go back;
 *   I5  floor_ <= start <= floor_ + WEFT_MPMC_LOCKFREE_WINDOW_, and it only grows;
 *   I6  the bit CLOSED in free(t) says that t will never be pushed; in full(t), that t + capacity
 *       will not: it goes on to the free word then.
 * So the exchange of a push succeeds at the end of the queue only. A full word is the same again
 * after 2^14 laps. A pop that comes so late to t leaves a free word of old, early(t); what is left
 * of its lap tells that it was full(t), and for all others element t is still there. The pop puts
 * it back, unless t became the start: then somebody settles it, makes it free(t + capacity), and
 * the pop was right.
 */
typedef struct weft_mpmc_lockfree {
	/* Where to look for the end; written by producers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) tail_;
	weft_cpu_heels_ full_at_; /* where there was no room */
	/* Where to look for the start; written by consumers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_;
	weft_cpu_heels_ empty_at_; /* where there was no element */
	/* Constant between init and fini, so that it stays shared in every cache. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) * slots_;
	uint64_t mask_;      /* capacity - 1 */
	uint32_t lap_shift_; /* log2 of the capacity */
	void *owned_;        /* the slots, if they are not memory of the caller */
	/* I5; written once in so many pops that the line may be called constant. */
	WEFT_ATOMIC(uint64_t) floor_;
} weft_mpmc_lockfree;

static_assert(sizeof(weft_mpmc_lockfree) == 3 * (size_t)WEFT_CACHE_LINE, "one line per writer");

#define WEFT_MPMC_LOCKFREE_FULL_     ((uint64_t)1)
#define WEFT_MPMC_LOCKFREE_CLOSED_   ((uint64_t)2)
#define WEFT_MPMC_LOCKFREE_LAP_BITS_ 14

/* Far below the tickets of 2^14 laps, whatever the capacity. */
#define WEFT_MPMC_LOCKFREE_WINDOW_ 1024

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` pointers, rounded up to a power of two. All memory is
 * taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31; -ENOMEM. On an error *queue is left
 * zeroed, and weft_mpmc_lockfree_fini may be called.
 */
WEFT_API int weft_mpmc_lockfree_init(weft_mpmc_lockfree *queue, size_t capacity);

/*
 * How many bytes weft_mpmc_lockfree_init_in needs for such a queue; 0 when weft_mpmc_lockfree_init
 * would refuse the capacity.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_mpmc_lockfree_memory_size(size_t capacity);

/*
 * As weft_mpmc_lockfree_init, in memory of the caller, which stays his: it must outlive the queue,
 * and weft_mpmc_lockfree_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_mpmc_lockfree_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_mpmc_lockfree_init_in(weft_mpmc_lockfree *queue, void *memory, size_t bytes,
					size_t capacity);

/*
 * Frees the memory, if it is not the caller's. Pointers still inside are dropped, what they point
 * to is the caller's.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_mpmc_lockfree_fini(weft_mpmc_lockfree *queue);

/*
 * Ends the queue: no push succeeds after this has returned, pops take what is inside and then say
 * so. Idempotent.
 * Threads: any. Progress: lock-free.
 */
WEFT_API void weft_mpmc_lockfree_close(weft_mpmc_lockfree *queue);

/* Whether it was closed. Threads: any. Progress: lock-free. */
WEFT_API bool weft_mpmc_lockfree_is_closed(const weft_mpmc_lockfree *queue);

/*
 * How many pointers are inside, between 0 and the capacity. Exact while nobody pushes or pops;
 * otherwise off by at most the number of those that were moved meanwhile.
 * Threads: any. Progress: lock-free.
 */
WEFT_API size_t weft_mpmc_lockfree_size(const weft_mpmc_lockfree *queue);

/* Private: makes an empty queue of slots that are zeroed, hence free in lap 0 (I1), a power of two.
 */
void weft_mpmc_lockfree_start_(weft_mpmc_lockfree *queue, void *slots, size_t capacity);

/* Private: as weft_mpmc_lockfree_push and _pop, when it is not as easy as usual. */
WEFT_API WEFT_COLD int weft_mpmc_lockfree_push_slow_(weft_mpmc_lockfree *queue, void *pointer);
WEFT_API WEFT_COLD int weft_mpmc_lockfree_pop_slow_(weft_mpmc_lockfree *queue, void **pointer);

/* Private: makes early(t) the word again that it was. False when it was settled. */
WEFT_API WEFT_COLD bool weft_mpmc_lockfree_put_back_(weft_mpmc_lockfree *queue, uint64_t ticket,
						     uint64_t word);

WEFT_END_DECLS

/* How many pointers fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_mpmc_lockfree_capacity(const weft_mpmc_lockfree *queue)
{
	return (size_t)queue->mask_ + 1;
}

/*
 * Whether a pointer fits in a slot: on x86-64 and aarch64 every plain pointer of user space does.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_mpmc_lockfree_accepts(const void *pointer)
{
	return (uint64_t)(uintptr_t)pointer >> WEFT_MPMC_LOCKFREE_POINTER_BITS == 0;
}

/* free(ticket) */
WEFT_INLINE uint64_t weft_mpmc_lockfree_free_(const weft_mpmc_lockfree *queue, uint64_t ticket)
{
	return (ticket >> queue->lap_shift_) << 2;
}

/* full(ticket) of a pointer; it has no more than its 48 bits. */
WEFT_INLINE uint64_t weft_mpmc_lockfree_full_(const weft_mpmc_lockfree *queue, uint64_t ticket,
					      const void *pointer)
{
	return (ticket >> queue->lap_shift_) << (64 - WEFT_MPMC_LOCKFREE_LAP_BITS_) |
	       (uint64_t)(uintptr_t)pointer << 2 | WEFT_MPMC_LOCKFREE_FULL_;
}

/* What a word holds; if the word is not full(ticket), more than 48 bits. */
WEFT_INLINE uint64_t weft_mpmc_lockfree_content_(const weft_mpmc_lockfree *queue, uint64_t ticket,
						 uint64_t word)
{
	word ^= weft_mpmc_lockfree_full_(queue, ticket, NULL);
	return word >> 2 | word << 62;
}

WEFT_INLINE uint64_t weft_mpmc_lockfree_look_(const weft_mpmc_lockfree *queue, uint64_t ticket)
{
	/* S1 seq_cst, pairs with S2: the element is complete; and who sees that a ticket is done
	 * sees what those before it did. In S for "full" and "empty": of a push that then finds a
	 * full slot, and a pop of that slot that then finds an empty one, one sees the other. */
	return atomic_load_explicit(&queue->slots_[ticket & queue->mask_], memory_order_seq_cst);
}

/* Where it fails, *word is what was there. */
WEFT_INLINE bool weft_mpmc_lockfree_exchange_(const weft_mpmc_lockfree *queue, uint64_t ticket,
					      uint64_t *word, uint64_t next)
{
	/* S2 seq_cst, pairs with S1, S2: publishes the element, and what this thread has seen. */
	return atomic_compare_exchange_strong_explicit(&queue->slots_[ticket & queue->mask_], word,
						       next, memory_order_seq_cst,
						       memory_order_relaxed);
}

/* Where to begin: tail_ or head_. */
WEFT_INLINE uint64_t weft_mpmc_lockfree_hint_(const WEFT_ATOMIC(uint64_t) * hint)
{
	/* H1 acquire, pairs with H2: who begins there has seen that all before is done. */
	return atomic_load_explicit(hint, memory_order_acquire);
}

WEFT_INLINE void weft_mpmc_lockfree_set_hint_(WEFT_ATOMIC(uint64_t) * hint, uint64_t ticket)
{
	/* H2 release, pairs with H1: all before this ticket is done. */
	atomic_store_explicit(hint, ticket, memory_order_release);
}

WEFT_INLINE uint64_t weft_mpmc_lockfree_floor_(const weft_mpmc_lockfree *queue)
{
	/* F1 acquire, pairs with F2: it, too, is a place to begin. */
	return atomic_load_explicit(&queue->floor_, memory_order_acquire);
}

/*
 * Pushes the pointer with this ticket, if that is the end and its slot is free. The slot is not
 * looked at before: that would bring its line twice, for reading and then for writing.
 */
WEFT_INLINE bool weft_mpmc_lockfree_give_(weft_mpmc_lockfree *queue, uint64_t ticket, void *pointer)
{
	uint64_t word = weft_mpmc_lockfree_free_(queue, ticket);

	if (WEFT_LIKELY(weft_mpmc_lockfree_exchange_(
		    queue, ticket, &word, weft_mpmc_lockfree_full_(queue, ticket, pointer))))
		return true;
	/* If another producer was faster; a full queue is not worth the time. */
	if (weft_mpmc_lockfree_content_(queue, ticket, word) >> WEFT_MPMC_LOCKFREE_POINTER_BITS ==
	    0)
		weft_cpu_stand_back_(&queue->tail_);
	return false;
}

/*
 * Pushes up to `count` pointers at the place where the end is expected, and returns how many: fewer
 * when it is elsewhere, or the queue is full or closed, or another producer was faster.
 */
WEFT_INLINE size_t weft_mpmc_lockfree_push_run_(weft_mpmc_lockfree *queue, void *const *pointers,
						size_t count)
{
	uint64_t ticket = weft_mpmc_lockfree_hint_(&queue->tail_);
	size_t pushed = 0;

	while (pushed < count && weft_mpmc_lockfree_give_(queue, ticket + pushed, pointers[pushed]))
		pushed++;
	if (pushed > 0)
		weft_mpmc_lockfree_set_hint_(&queue->tail_, ticket + pushed);
	return pushed;
}

/*
 * Pops the element of this ticket, whose slot was seen as `word`; false when another consumer was
 * faster, or the ticket is not near the floor. The first look at the floor makes sure that the word
 * is not one of 2^14 laps later (at most WINDOW tickets after the floor are popped when it is read,
 * and what was known when the word was made is known here); so all who leave early(ticket) have had
 * the same word, and any of them may put it back. The second look tells who comes too late.
 */
WEFT_INLINE bool weft_mpmc_lockfree_take_(weft_mpmc_lockfree *queue, uint64_t ticket, uint64_t word)
{
	uint64_t next = weft_mpmc_lockfree_free_(queue, ticket + queue->mask_ + 1) |
			(word & WEFT_MPMC_LOCKFREE_CLOSED_);
	uint64_t seen = word;

	if (WEFT_UNLIKELY(ticket - weft_mpmc_lockfree_floor_(queue) >= WEFT_MPMC_LOCKFREE_WINDOW_))
		return false;
	if (WEFT_UNLIKELY(!weft_mpmc_lockfree_exchange_(queue, ticket, &seen, next))) {
		weft_cpu_stand_back_(&queue->head_);
		return false;
	}
	if (WEFT_UNLIKELY((int64_t)(weft_mpmc_lockfree_floor_(queue) - ticket) >
			  (int64_t)queue->mask_ + 1))
		return !weft_mpmc_lockfree_put_back_(queue, ticket, word);
	return true;
}

/* As weft_mpmc_lockfree_push_run_. */
WEFT_INLINE size_t weft_mpmc_lockfree_pop_run_(weft_mpmc_lockfree *queue, void **pointers,
					       size_t count)
{
	uint64_t ticket = weft_mpmc_lockfree_hint_(&queue->head_);
	size_t popped;

	for (popped = 0; popped < count; popped++) {
		uint64_t word = weft_mpmc_lockfree_look_(queue, ticket + popped);
		uint64_t content = weft_mpmc_lockfree_content_(queue, ticket + popped, word);

		if (WEFT_UNLIKELY(content >> WEFT_MPMC_LOCKFREE_POINTER_BITS != 0) ||
		    WEFT_UNLIKELY(!weft_mpmc_lockfree_take_(queue, ticket + popped, word)))
			break;
		pointers[popped] = (void *)(uintptr_t)content;
	}
	if (popped > 0)
		weft_mpmc_lockfree_set_hint_(&queue->head_, ticket + popped);
	return popped;
}

/*
 * Appends the pointer (NULL is an element like any other). One that weft_mpmc_lockfree_accepts()
 * refuses is a broken contract: a debug build aborts, a release build leaves the queue as it was.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the queue is full, -EPIPE when it is closed; -EINVAL for such a pointer.
 */
WEFT_INLINE int weft_mpmc_lockfree_push(weft_mpmc_lockfree *queue, void *pointer)
{
	WEFT_CONTRACT(weft_mpmc_lockfree_accepts(pointer), "a queued pointer has 48 bits");
	if (WEFT_UNLIKELY(!weft_mpmc_lockfree_accepts(pointer)))
		return -EINVAL;
	if (WEFT_LIKELY(weft_mpmc_lockfree_push_run_(queue, &pointer, 1) == 1))
		return 0;
	return weft_mpmc_lockfree_push_slow_(queue, pointer);
}

/*
 * Moves the oldest pointer to *pointer.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the queue is empty for now; -EPIPE when it is closed and nothing will
 * ever come.
 */
WEFT_INLINE int weft_mpmc_lockfree_pop(weft_mpmc_lockfree *queue, void **pointer)
{
	if (WEFT_LIKELY(weft_mpmc_lockfree_pop_run_(queue, pointer, 1) == 1))
		return 0;
	return weft_mpmc_lockfree_pop_slow_(queue, pointer);
}

/*
 * As weft_mpmc_lockfree_push; returns whether the pointer is in.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE bool weft_mpmc_lockfree_try_push(weft_mpmc_lockfree *queue, void *pointer)
{
	return weft_mpmc_lockfree_push(queue, pointer) == 0;
}

/*
 * As weft_mpmc_lockfree_pop; returns whether there was one.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE bool weft_mpmc_lockfree_try_pop(weft_mpmc_lockfree *queue, void **pointer)
{
	return weft_mpmc_lockfree_pop(queue, pointer) == 0;
}

/*
 * Appends up to `count` pointers in their order, one by one, and returns how many: fewer than
 * `count` when the queue is full or closed, or when the next pointer is one that does not fit (as
 * in push).
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_mpmc_lockfree_try_push_batch(weft_mpmc_lockfree *queue,
						     void *const *pointers, size_t count)
{
	size_t fitting = 0, pushed = 0;

	while (fitting < count && weft_mpmc_lockfree_accepts(pointers[fitting]))
		fitting++;
	WEFT_CONTRACT(fitting == count, "a queued pointer has 48 bits");
	for (;;) {
		pushed += weft_mpmc_lockfree_push_run_(queue, pointers + pushed, fitting - pushed);
		if (pushed == fitting ||
		    weft_mpmc_lockfree_push_slow_(queue, pointers[pushed]) != 0)
			return pushed;
		pushed++;
	}
}

/*
 * Moves up to `count` of the oldest pointers to the array, one by one, and returns how many: fewer
 * than `count` when the queue is empty.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_mpmc_lockfree_try_pop_batch(weft_mpmc_lockfree *queue, void **pointers,
						    size_t count)
{
	size_t popped = 0;

	for (;;) {
		popped += weft_mpmc_lockfree_pop_run_(queue, pointers + popped, count - popped);
		if (popped == count || weft_mpmc_lockfree_pop_slow_(queue, &pointers[popped]) != 0)
			return popped;
		popped++;
	}
}

#endif
