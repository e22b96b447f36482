/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/mpsc_ring.h>

#include "ring_memory.h"

/* How often an exchange is tried here, after the one that the caller has lost. */
#define ATTEMPTS 2

static bool is_element_size(size_t element_size)
{
	return element_size > 0 && element_size <= WEFT_MPSC_RING_ELEMENT_MAX;
}

/* Zeroed slots are an empty queue: turn 1 is "full" in lap 0 (I1). */
static void start(weft_mpsc_ring *queue, void *slots, size_t capacity, size_t element_size)
{
	queue->slots_ = slots;
	queue->mask_ = capacity - 1;
	queue->lap_shift_ = (uint32_t)__builtin_ctzll(capacity);
	queue->element_size_ = (uint32_t)element_size;
	/* relaxed: not shared yet. */
	atomic_store_explicit(&queue->limit_, (uint64_t)capacity << WEFT_MPSC_RING_SHIFT_,
			      memory_order_relaxed);
}

int weft_mpsc_ring_init(weft_mpsc_ring *queue, size_t capacity, size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_create_(&queue->owned_, &capacity,
					     weft_mpsc_ring_stride_(element_size));

	if (error == 0)
		start(queue, queue->owned_, capacity, element_size);
	return error;
}

size_t weft_mpsc_ring_memory_size(size_t capacity, size_t element_size)
{
	if (!is_element_size(element_size))
		return 0;
	return weft_ring_memory_size_(capacity, weft_mpsc_ring_stride_(element_size));
}

int weft_mpsc_ring_init_in(weft_mpsc_ring *queue, void *memory, size_t bytes, size_t capacity,
			   size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_adopt_(memory, bytes, &capacity,
					    weft_mpsc_ring_stride_(element_size));

	if (error == 0)
		start(queue, memory, capacity, element_size);
	return error;
}

void weft_mpsc_ring_fini(weft_mpsc_ring *queue)
{
	weft_ring_memory_destroy_(queue->owned_);
	memset((void *)queue, 0, sizeof(*queue));
}

static uint64_t ticket_of(uint64_t word)
{
	return word & ~(WEFT_MPSC_RING_TICKET_ - 1);
}

/* How many slots are free behind the tickets and claims of this word; tells the other producers. */
static size_t find_room(weft_mpsc_ring *queue, uint64_t word)
{
	uint64_t claims = word % WEFT_MPSC_RING_TICKET_ / WEFT_MPSC_RING_CLAIM_;
	/* R1 acquire, pairs with C3: the consumer is done with these slots. */
	uint64_t limit = atomic_load_explicit(&queue->head_, memory_order_acquire) +
			 ((queue->mask_ + 1) << WEFT_MPSC_RING_SHIFT_);

	/* L2 release, pairs with L1: those that go by it know it, too. */
	atomic_store_explicit(&queue->limit_, limit, memory_order_release);
	limit -= ticket_of(word) + (claims << WEFT_MPSC_RING_SHIFT_);
	return (int64_t)limit > 0 ? (size_t)(limit >> WEFT_MPSC_RING_SHIFT_) : 0;
}

/*
 * Takes the next ticket whatever others do. Between the two additions the claim counts as a ticket
 * that was given, so the ticket has a slot; but others may have been faster, in slots of which only
 * they know that they are free.
 *
 * relaxed: a claim, and one that is taken back, tell nobody anything.
 */
size_t weft_mpsc_ring_claim_(weft_mpsc_ring *queue, uint64_t *ticket)
{
	uint64_t word = atomic_fetch_add_explicit(&queue->tail_, WEFT_MPSC_RING_CLAIM_,
						  memory_order_relaxed);

	if ((word & WEFT_MPSC_RING_CLOSED_) == 0 && find_room(queue, word) > 0) {
		/* T2 acq_rel, pairs with T1, T2: see above. */
		word = atomic_fetch_add_explicit(&queue->tail_,
						 WEFT_MPSC_RING_TICKET_ - WEFT_MPSC_RING_CLAIM_,
						 memory_order_acq_rel);
		*ticket = ticket_of(word);
		return 1;
	}
	atomic_fetch_sub_explicit(&queue->tail_, WEFT_MPSC_RING_CLAIM_, memory_order_relaxed);
	return 0;
}

/* relaxed: an outdated word fails the exchange. */
size_t weft_mpsc_ring_get_(weft_mpsc_ring *queue, uint64_t *ticket, size_t count)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		uint64_t word = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

		if ((word & WEFT_MPSC_RING_CLOSED_) != 0)
			return 0;

		size_t room = find_room(queue, word);

		if (room == 0) {
			/* An outdated word would have left more room than there is. */
			if (weft_cpu_rest_behind_(&queue->full_at_,
						  word >> (WEFT_MPSC_RING_SHIFT_ - 1)))
				continue;
			return 0;
		}
		*ticket = ticket_of(word);
		if (count > room)
			count = room;
		/* T1 release, pairs with T2: who has a claim may get a slot of this room. */
		if (atomic_compare_exchange_weak_explicit(
			    &queue->tail_, &word, word + (count << WEFT_MPSC_RING_SHIFT_),
			    memory_order_release, memory_order_relaxed))
			return count;
		weft_cpu_stand_back_(&queue->tail_);
	}
	return weft_mpsc_ring_claim_(queue, ticket);
}
