/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MPMC_UNBOUNDED_H
#define WEFT_LOCKFREE_MPMC_UNBOUNDED_H

/*
 * Unbounded FIFO queue for any number of producers and consumers, elements of any size. It grows by
 * segments and gives them back when they are drained.
 *
 * When not to use it: where producers can be told to wait, a bounded queue (mpmc_queue.h) keeps the
 * memory in bounds and in the cache, and never allocates.
 *
 * Source: a list of segments whose slots are claimed by one exchange, and a segment that lives as
 * long as its claims, as in crossbeam's SegQueue and folly's UnboundedQueue; a consumer that meets
 * a producer which does not finish skips its slot, as in Pedro Ramalhete's FAAArrayQueue and its
 * ancestor LCRQ (Adam Morrison and Yehuda Afek, 2013). Different here: head and tail are words of
 * an address and an index, so that a claim needs no look at the segment, which is what makes it
 * safe without hazard pointers or epochs; one look of a consumer at tail serves up to 512 pops; and
 * a slot is filled by a plain store, because it is the consumer that skips one who makes sure that
 * its producer will know (by membarrier, as readers of RCU are asked). How that holds together is
 * at the beginning of the source.
 *
 *     operation                          threads  progress        sleeps  allocates
 *     weft_mpmc_unbounded_init, _fini    one      -               no      init
 *     weft_mpmc_unbounded_push           any      lock-free (*)   no      once a segment
 *     ..._try_push, _try_push_batch      any      lock-free (*)   no      once a segment
 *     weft_mpmc_unbounded_pop            any      lock-free (*)   no      may free, once a segment
 *     ..._try_pop, _try_pop_batch        any      lock-free (*)   no      may free, once a segment
 *     weft_mpmc_unbounded_close          any      lock-free       no      no
 *     ..._is_closed, _size               any      wait-free       no      no
 *     weft_mpmc_unbounded_trim           any      lock-free (*)   no      frees
 *
 *     (*) but for the allocator, and for crowds: at most 127 consumers go from a segment to the
 * next one, and at most 32767 producers link it, at the same moment; further ones wait until one of
 * them is done. Below that a thread that is stopped, wherever that is, keeps neither producers nor
 * consumers from going on, and holds back no element but those of its own call, and the memory of a
 * few segments. "Empty" is linearizable, and to find that out again writes nothing. The first one
 * after some elements takes up to 3 microseconds longer where that makes a stream faster: the call
 * looks twice, so that producers get ahead (rest.c). A consumer whose slot is not filled yet gives
 * the producer some microseconds before it skips it; the producer then takes another one. To skip a
 * slot takes a system call, membarrier; where there is none, each push has a fence.
 *
 * Order: FIFO, linearizable.
 * Memory: a segment has 992 elements, or as many as fit into 31 KiB (496 of 64 bytes), but 8 at
 * least, unless init is told otherwise, and two more bytes for each of them. An empty queue keeps
 * one segment in use and two spare ones, and one for each call that is, or was when a segment was
 * last drained, inside a push or a pop. Trim frees all but those in use. Segments come from
 * aligned_alloc, so that each is near the producer that needed it first.
 */

#include <string.h>

#include <weft/lockfree/base.h>

/*
 * Private: a segment. Behind this header stand a byte for each slot that its producer writes, its
 * state, a byte for each that says what became of it, its fate, and the elements.
 */
typedef struct weft_mpmc_unbounded_segment_ {
	/* The segment after this one; written once, before tail_ leaves this one. */
	WEFT_ATOMIC(struct weft_mpmc_unbounded_segment_ *) next;
	/* Pins that were in tail_ and head_ when they left this segment, less those undone since.
	 */
	WEFT_ATOMIC(uint32_t) pins;
	/* 1 when a slot of this segment may have been skipped, or may be soon. */
	WEFT_ATOMIC(uint32_t) doubt;
	/* Slots known to be settled; belongs to whoever holds the list that the segment is on. */
	uint32_t settled;
	/* The rest of that list. */
	struct weft_mpmc_unbounded_segment_ *rest;
} weft_mpmc_unbounded_segment_;

/*
 * tail_ and head_ are the address of a segment, which has 10 zero bits below and 16 above, with the
 * index of a slot (bits 0 to 9) and
 *     tail_: whether the queue is closed (bit 10), and how many threads want to put a segment
 *     behind this one (bits 11 to 25);
 *     head_: how many slots from the index on may be claimed without a look at tail_ (its run,
 *     bits 10 to 18), and how many threads want to go on to the next segment (bits 19 to 25).
 *
 * Invariants:
 *   I1  tail_ = (s, i): the slots of s before i are claimed by producers, those from i on are not;
 *       i is less than the number of slots;
 *   I2  head_ = (s, i): the slots before i are claimed by consumers, each by one. head_ is in no
 *       segment that tail_ has not been in;
 *   I3  producers have claimed the slots [i, i + run) at head_; nearly always, see the source;
 *   I4  the fate of a slot is one of three, once and for all: it is taken by the consumer that
 *       claimed it, kept (it will be taken), or skipped. It is taken or kept only when it is
 *       filled, and skipped only when its producer asks for its fate before it believes that the
 *       element is in;
 *   I5  a segment is neither freed nor used again before head_ has left it, each of its slots is
 *       taken or skipped, and left by its producer, and its pins are undone.
 */
typedef struct weft_mpmc_unbounded {
	/* Where the next element goes; written by producers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) tail_;
	/* Where the next element comes from; written by consumers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_;
	weft_cpu_heels_ empty_at_; /* where there was no element */
	/* Constant between init and fini, so that it stays shared in every cache. */
	WEFT_LINE_ALIGNED uint32_t slots_; /* in a segment */
	uint32_t flags_bytes_;             /* of the states, and of the fates */
	uint32_t element_size_;
	bool fences_;       /* there is no membarrier */
	uint32_t patience_; /* how often to look before a slot is skipped, at growing distances */
	/* Used once a segment. How many tail_ has left, and how many of these head_ has left. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) filled_;
	WEFT_ATOMIC(uint64_t) drained_;
	/* Segments to be used again. */
	WEFT_ATOMIC(weft_mpmc_unbounded_segment_ *) spares_[2];
	/* Those that head_ has left, and that were perhaps still in use then. */
	WEFT_ATOMIC(weft_mpmc_unbounded_segment_ *) retired_;
} weft_mpmc_unbounded;

static_assert(sizeof(weft_mpmc_unbounded) == 4 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* The largest element, in bytes. Larger things are better passed by pointer. */
#define WEFT_MPMC_UNBOUNDED_ELEMENT_MAX 1048576

/* The most elements of a segment. */
#define WEFT_MPMC_UNBOUNDED_SEGMENT_MAX 1023

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of elements of `element_size` bytes, with segments of `segment` elements; 0
 * means the default, see Memory above.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the element size is 0 or above WEFT_MPMC_UNBOUNDED_ELEMENT_MAX, or the
 * segment above WEFT_MPMC_UNBOUNDED_SEGMENT_MAX; -ENOMEM. On an error *queue is left zeroed, and
 * weft_mpmc_unbounded_fini may be called.
 */
WEFT_API int weft_mpmc_unbounded_init(weft_mpmc_unbounded *queue, size_t segment,
				      size_t element_size);

/*
 * Frees the memory. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_mpmc_unbounded_fini(weft_mpmc_unbounded *queue);

/*
 * No push succeeds after this has returned; what was pushed before can still be popped. Closing
 * again changes nothing.
 * Threads: any. Progress: lock-free.
 */
WEFT_API void weft_mpmc_unbounded_close(weft_mpmc_unbounded *queue);

/*
 * Frees the spare segments, and those drained ones that a call was still using when they were
 * looked at last. Returns how many bytes that was. Threads: any. Progress: lock-free but for the
 * allocator.
 */
WEFT_API size_t weft_mpmc_unbounded_trim(weft_mpmc_unbounded *queue);

/* Private: slots of one segment that this thread has claimed. */
typedef struct weft_mpmc_unbounded_claim_ {
	uint64_t word; /* their segment and the index of the first */
	int64_t count; /* or a negative errno */
} weft_mpmc_unbounded_claim_;

/* Private: where a slot is. */
typedef struct weft_mpmc_unbounded_place_ {
	WEFT_ATOMIC(uint32_t) * doubt; /* of its segment */
	WEFT_ATOMIC(uint8_t) * state;
	WEFT_ATOMIC(uint8_t) * fate;
	unsigned char *element;
} weft_mpmc_unbounded_place_;

/*
 * Private: claims slots for up to `count` elements, where that takes the rest of a segment or the
 * queue is closed. -EPIPE or -ENOMEM.
 */
WEFT_API WEFT_COLD weft_mpmc_unbounded_claim_
weft_mpmc_unbounded_extend_(weft_mpmc_unbounded *queue, size_t count);

/*
 * Private: claims up to `count` slots that producers have claimed, whatever head_ says of the run.
 * -EAGAIN or -EPIPE.
 */
WEFT_API weft_mpmc_unbounded_claim_ weft_mpmc_unbounded_look_(weft_mpmc_unbounded *queue,
							      size_t count);

/*
 * Private: for the producer that has filled this slot of a segment that is in doubt. Whether the
 * element is in; if not, the slot was skipped.
 */
WEFT_API WEFT_COLD bool weft_mpmc_unbounded_keep_(WEFT_ATOMIC(uint8_t) * fate);

/*
 * Private: for the consumer that has claimed this slot and finds it empty. Gives the producer a
 * moment, and skips the slot if that was not enough. Whether it is filled.
 */
WEFT_API WEFT_COLD bool weft_mpmc_unbounded_await_(const weft_mpmc_unbounded *queue,
						   weft_mpmc_unbounded_place_ place);

WEFT_END_DECLS

#define WEFT_MPMC_UNBOUNDED_INDEX_  ((uint64_t)1023)
#define WEFT_MPMC_UNBOUNDED_CLOSED_ ((uint64_t)1 << 10)
#define WEFT_MPMC_UNBOUNDED_RUN_    ((uint64_t)1 << 10)

/* The longest run that fits in head_. */
#define WEFT_MPMC_UNBOUNDED_RUN_MAX_ 511

/* The index in a word. */
WEFT_INLINE uint32_t weft_mpmc_unbounded_index_(uint64_t word)
{
	return (uint32_t)(word & WEFT_MPMC_UNBOUNDED_INDEX_);
}

/* How many slots the word of head_ says are there to be claimed. */
WEFT_INLINE uint32_t weft_mpmc_unbounded_run_(uint64_t word)
{
	return (uint32_t)(word >> 10) & WEFT_MPMC_UNBOUNDED_RUN_MAX_;
}

WEFT_INLINE weft_mpmc_unbounded_segment_ *weft_mpmc_unbounded_segment_of_(uint64_t word)
{
	return (weft_mpmc_unbounded_segment_ *)(uintptr_t)(word >> 26 << 10);
}

/* The states of slots: 0 or one of these. */
#define WEFT_MPMC_UNBOUNDED_FILLED_ 1
#define WEFT_MPMC_UNBOUNDED_LEFT_   2 /* its producer does not touch it any more */

/* The fates of slots: 0 or one of these, of which the last two, which share a bit with
 * WEFT_MPMC_UNBOUNDED_LEFT_, are for ever. */
#define WEFT_MPMC_UNBOUNDED_KEPT_    1
#define WEFT_MPMC_UNBOUNDED_TAKEN_   2
#define WEFT_MPMC_UNBOUNDED_SKIPPED_ 3

/*
 * The place of the slot that a word names. That takes nothing from the segment, so that it is done
 * before the exchange that claims the slot: on x86-64 nothing that stands behind a locked
 * instruction starts before its end.
 */
WEFT_INLINE weft_mpmc_unbounded_place_
weft_mpmc_unbounded_place_of_(const weft_mpmc_unbounded *queue, uint64_t word, size_t element_size)
{
	weft_mpmc_unbounded_segment_ *segment = weft_mpmc_unbounded_segment_of_(word);
	unsigned char *states = (unsigned char *)segment + WEFT_CACHE_LINE;
	size_t flags_bytes = queue->flags_bytes_, index = weft_mpmc_unbounded_index_(word);
	weft_mpmc_unbounded_place_ place;

	place.doubt = &segment->doubt;
	place.state = (WEFT_ATOMIC(uint8_t) *)(void *)states + index;
	place.fate = place.state + flags_bytes;
	place.element = states + 2 * flags_bytes + index * element_size;
	return place;
}

/* Moves it to the next slot. */
WEFT_INLINE void weft_mpmc_unbounded_advance_(weft_mpmc_unbounded_place_ *place,
					      size_t element_size)
{
	place->state++;
	place->fate++;
	place->element += element_size;
}

/*
 * What was stored before stands before what is loaded after, for a thread that puts a segment in
 * doubt. See the source.
 */
WEFT_INLINE void weft_mpmc_unbounded_in_order_(const weft_mpmc_unbounded *queue)
{
	if (WEFT_UNLIKELY(queue->fences_))
		/* D1 seq_cst, pairs with D2: the state is stored before the doubt is loaded. */
		atomic_thread_fence(memory_order_seq_cst);
	else
		/* For the compiler. Who puts in doubt has the barrier carried out here. */
		__asm__ __volatile__("" ::: "memory");
}

/*
 * Fills slots that this thread has claimed, in one segment. Returns how many elements that were:
 * fewer than `count` when slots have been skipped.
 */
WEFT_INLINE size_t weft_mpmc_unbounded_fill_(const weft_mpmc_unbounded *queue,
					     weft_mpmc_unbounded_place_ place, const void *elements,
					     size_t count, size_t element_size)
{
	size_t filled = 0;

	for (size_t i = 0; i < count; i++) {
		memcpy(place.element, (const unsigned char *)elements + filled * element_size,
		       element_size);
		/* P2 release, pairs with C2, W1, W2: publishes the element. */
		atomic_store_explicit(place.state, WEFT_MPMC_UNBOUNDED_FILLED_,
				      memory_order_release);
		weft_mpmc_unbounded_in_order_(queue);
		/* relaxed: ordered by D1. */
		if (WEFT_LIKELY(atomic_load_explicit(place.doubt, memory_order_relaxed) == 0) ||
		    weft_mpmc_unbounded_keep_(place.fate))
			filled++;
		/* P3 release, pairs with C2, W1, W2, R1: this thread is done with the slot. */
		atomic_store_explicit(place.state, WEFT_MPMC_UNBOUNDED_LEFT_, memory_order_release);
		weft_mpmc_unbounded_advance_(&place, element_size);
	}
	return filled;
}

/*
 * Takes elements from slots that this thread has claimed. Returns how many there were: fewer than
 * `count` when it had to skip slots.
 */
WEFT_INLINE size_t weft_mpmc_unbounded_take_(const weft_mpmc_unbounded *queue,
					     weft_mpmc_unbounded_place_ place, void *elements,
					     size_t count, size_t element_size)
{
	size_t taken = 0;

	for (size_t i = 0; i < count; i++) {
		/* C2 acquire, pairs with P2, P3: the element is complete. */
		if (WEFT_LIKELY(atomic_load_explicit(place.state, memory_order_acquire) != 0) ||
		    weft_mpmc_unbounded_await_(queue, place)) {
			memcpy((unsigned char *)elements + taken * element_size, place.element,
			       element_size);
			/* C3 release, pairs with R2: this thread is done with the slot. */
			atomic_store_explicit(place.fate, WEFT_MPMC_UNBOUNDED_TAKEN_,
					      memory_order_release);
			taken++;
		}
		weft_mpmc_unbounded_advance_(&place, element_size);
	}
	return taken;
}

/*
 * Pushes some of the elements, at least one. One exchange claims the slots; their segment is not
 * touched before. A word that was read long ago may have come back, its segment used again: then
 * the exchange claims what the word says now, which is all that matters.
 *
 * relaxed: the word that is exchanged; a wrong one fails.
 */
WEFT_INLINE int weft_mpmc_unbounded_push_core_(weft_mpmc_unbounded *queue, const void *elements,
					       size_t count, size_t element_size)
{
	for (;;) {
		uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);
		weft_mpmc_unbounded_place_ place =
			weft_mpmc_unbounded_place_of_(queue, tail, element_size);
		uint64_t expected = tail;
		size_t pushed;

		if (WEFT_UNLIKELY(count >= queue->slots_ - weft_mpmc_unbounded_index_(tail) ||
				  (tail & WEFT_MPMC_UNBOUNDED_CLOSED_) != 0)) {
			weft_mpmc_unbounded_claim_ claim =
				weft_mpmc_unbounded_extend_(queue, count);

			if (claim.count < 0)
				return (int)claim.count;
			place = weft_mpmc_unbounded_place_of_(queue, claim.word, element_size);
			pushed = weft_mpmc_unbounded_fill_(queue, place, elements,
							   (size_t)claim.count, element_size);
		} else {
			weft_cpu_prefetch_to_write_(place.state + 64);
			weft_cpu_prefetch_to_write_(place.element + 192);
			/* P1 acquire, pairs with E4: the segment is ready to be filled. */
			if (WEFT_UNLIKELY(!atomic_compare_exchange_weak_explicit(
				    &queue->tail_, &expected, tail + count, memory_order_acquire,
				    memory_order_relaxed))) {
				weft_cpu_stand_back_(&queue->tail_);
				continue;
			}
			pushed = weft_mpmc_unbounded_fill_(queue, place, elements, count,
							   element_size);
		}
		if (WEFT_LIKELY(pushed > 0))
			return (int)pushed;
	}
}

/*
 * Pops some elements, at least one. As in push, one exchange claims the slots. That producers have
 * claimed them before is in the word.
 *
 * relaxed: the word that is exchanged; a wrong one fails.
 */
WEFT_INLINE int weft_mpmc_unbounded_pop_core_(weft_mpmc_unbounded *queue, void *elements,
					      size_t count, size_t element_size)
{
	for (;;) {
		uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
		weft_mpmc_unbounded_place_ place =
			weft_mpmc_unbounded_place_of_(queue, head, element_size);
		uint64_t expected = head;
		size_t popped;

		if (WEFT_UNLIKELY(weft_mpmc_unbounded_run_(head) < count)) {
			weft_mpmc_unbounded_claim_ claim = weft_mpmc_unbounded_look_(queue, count);

			if (claim.count < 0)
				return (int)claim.count;
			place = weft_mpmc_unbounded_place_of_(queue, claim.word, element_size);
			popped = weft_mpmc_unbounded_take_(queue, place, elements,
							   (size_t)claim.count, element_size);
		} else {
			weft_cpu_prefetch_to_write_(place.fate + 64);
			__builtin_prefetch(place.element + 128);
			/* C1 acq_rel, pairs with L2, L3, X4: the segment is ready to be looked
			 * into; and what this thread has pushed before. */
			if (WEFT_UNLIKELY(!atomic_compare_exchange_weak_explicit(
				    &queue->head_, &expected,
				    head + count - count * WEFT_MPMC_UNBOUNDED_RUN_,
				    memory_order_acq_rel, memory_order_relaxed))) {
				weft_cpu_stand_back_(&queue->head_);
				continue;
			}
			popped = weft_mpmc_unbounded_take_(queue, place, elements, count,
							   element_size);
		}
		if (WEFT_LIKELY(popped > 0))
			return (int)popped;
	}
}

WEFT_INLINE size_t weft_mpmc_unbounded_push_batch_core_(weft_mpmc_unbounded *queue,
							const void *elements, size_t count,
							size_t element_size)
{
	size_t pushed = 0;

	while (pushed < count) {
		int more = weft_mpmc_unbounded_push_core_(
			queue, (const unsigned char *)elements + pushed * element_size,
			count - pushed, element_size);

		if (more < 0)
			break;
		pushed += (size_t)more;
	}
	return pushed;
}

WEFT_INLINE size_t weft_mpmc_unbounded_pop_batch_core_(weft_mpmc_unbounded *queue, void *elements,
						       size_t count, size_t element_size)
{
	size_t popped = 0;

	while (popped < count) {
		int more = weft_mpmc_unbounded_pop_core_(
			queue, (unsigned char *)elements + popped * element_size, count - popped,
			element_size);

		if (more < 0)
			break;
		popped += (size_t)more;
	}
	return popped;
}

/*
 * Appends a copy of the element.
 * Threads: any. Progress: see (*) above.
 * Returns 0; -EPIPE when the queue is closed; -ENOMEM when it needs a segment and there is no
 * memory, and then the queue is as before.
 */
WEFT_INLINE int weft_mpmc_unbounded_push(weft_mpmc_unbounded *queue, const void *element)
{
	int pushed = weft_mpmc_unbounded_push_core_(queue, element, 1, queue->element_size_);

	return pushed < 0 ? pushed : 0;
}

/* As weft_mpmc_unbounded_push; returns whether the element was appended. Threads: any. */
WEFT_INLINE bool weft_mpmc_unbounded_try_push(weft_mpmc_unbounded *queue, const void *element)
{
	return weft_mpmc_unbounded_push(queue, element) == 0;
}

/*
 * Appends up to `count` elements in their order and returns how many: fewer than `count` when the
 * queue is closed or there is no memory. What other producers push may lie between them where a
 * segment ends, or where this thread was stopped.
 * Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_unbounded_try_push_batch(weft_mpmc_unbounded *queue,
						      const void *elements, size_t count)
{
	return weft_mpmc_unbounded_push_batch_core_(queue, elements, count, queue->element_size_);
}

/*
 * Moves the oldest element to *element.
 * Threads: any. Progress: see (*) above.
 * Returns 0; -EAGAIN when the queue is empty; -EPIPE when it is closed and empty, so that nothing
 * will ever come.
 */
WEFT_INLINE int weft_mpmc_unbounded_pop(weft_mpmc_unbounded *queue, void *element)
{
	int popped = weft_mpmc_unbounded_pop_core_(queue, element, 1, queue->element_size_);

	return popped < 0 ? popped : 0;
}

/* As weft_mpmc_unbounded_pop; returns whether there was an element. Threads: any. */
WEFT_INLINE bool weft_mpmc_unbounded_try_pop(weft_mpmc_unbounded *queue, void *element)
{
	return weft_mpmc_unbounded_pop(queue, element) == 0;
}

/*
 * Moves up to `count` of the oldest elements to the array and returns how many: fewer than `count`
 * when the queue becomes empty. What other consumers take may lie between them where a segment
 * ends, or where a producer was stopped. Threads: any. Progress: see (*) above.
 */
WEFT_INLINE size_t weft_mpmc_unbounded_try_pop_batch(weft_mpmc_unbounded *queue, void *elements,
						     size_t count)
{
	return weft_mpmc_unbounded_pop_batch_core_(queue, elements, count, queue->element_size_);
}

/* Whether weft_mpmc_unbounded_close was called. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_mpmc_unbounded_is_closed(const weft_mpmc_unbounded *queue)
{
	/* Q1 acquire, pairs with Z1: what happened before the queue was closed. */
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_acquire);

	return (tail & WEFT_MPMC_UNBOUNDED_CLOSED_) != 0;
}

/*
 * How many elements are inside. Exact while nobody pushes or pops; otherwise off by at most the
 * number of elements that were pushed and popped meanwhile, and by a segment for each call that is
 * just between two segments.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_mpmc_unbounded_size(const weft_mpmc_unbounded *queue)
{
	/* relaxed: an estimate carries no data. */
	uint64_t drained = atomic_load_explicit(&queue->drained_, memory_order_relaxed);
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t filled = atomic_load_explicit(&queue->filled_, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);
	int64_t size = (int64_t)((filled - drained) * queue->slots_) +
		       (int64_t)weft_mpmc_unbounded_index_(tail) -
		       (int64_t)weft_mpmc_unbounded_index_(head);

	return size < 0 ? 0 : (size_t)size;
}

/*
 * WEFT_MPMC_UNBOUNDED_DEFINE(orders, struct order) makes the type `orders` and orders_init, _fini,
 * _close, _is_closed, _size, _trim, _push, _try_push, _try_push_batch, _pop, _try_pop
 * and _try_pop_batch, which differ from the functions above in that the element's type is checked
 * and its size is known when compiled.
 */
#define WEFT_MPMC_UNBOUNDED_DEFINE(name, type)                                                     \
	typedef struct name {                                                                      \
		weft_mpmc_unbounded queue_;                                                        \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *queue, size_t segment)                                   \
	{                                                                                          \
		return weft_mpmc_unbounded_init(&queue->queue_, segment, sizeof(type));            \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_mpmc_unbounded_fini(&queue->queue_);                                          \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *queue)                                                 \
	{                                                                                          \
		weft_mpmc_unbounded_close(&queue->queue_);                                         \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *queue)                                       \
	{                                                                                          \
		return weft_mpmc_unbounded_is_closed(&queue->queue_);                              \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_mpmc_unbounded_size(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE size_t name##_trim(name *queue)                                                \
	{                                                                                          \
		return weft_mpmc_unbounded_trim(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE int name##_push(name *queue, type element)                                     \
	{                                                                                          \
		int pushed =                                                                       \
			weft_mpmc_unbounded_push_core_(&queue->queue_, &element, 1, sizeof(type)); \
                                                                                                   \
		return pushed < 0 ? pushed : 0;                                                    \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *queue, type element)                                \
	{                                                                                          \
		return name##_push(queue, element) == 0;                                           \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *queue, const type *elements, size_t count)  \
	{                                                                                          \
		return weft_mpmc_unbounded_push_batch_core_(&queue->queue_, elements, count,       \
							    sizeof(type));                         \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name *queue, type *element)                                     \
	{                                                                                          \
		int popped =                                                                       \
			weft_mpmc_unbounded_pop_core_(&queue->queue_, element, 1, sizeof(type));   \
                                                                                                   \
		return popped < 0 ? popped : 0;                                                    \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *queue, type *element)                                \
	{                                                                                          \
		return name##_pop(queue, element) == 0;                                            \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *queue, type *elements, size_t count)         \
	{                                                                                          \
		return weft_mpmc_unbounded_pop_batch_core_(&queue->queue_, elements, count,        \
							   sizeof(type));                          \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_MPMC_UNBOUNDED_ELEMENT_MAX, "element too large")

#endif
