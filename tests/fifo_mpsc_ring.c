/* SPDX-License-Identifier: Apache-2.0 */

/* mpsc_ring: elements of 8 bytes by their size; and of 24 bytes by the typed wrapper, read where
 * they are. */

#include "fifo_adapter.h"

#include <weft/lockfree/mpsc_ring.h>

static void set_ends(void *set, uint64_t head, uint64_t tail)
{
	weft_mpsc_ring *queue = set;

	atomic_store_explicit(&queue->tail_, tail << WEFT_MPSC_RING_SHIFT_, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, head << WEFT_MPSC_RING_SHIFT_, memory_order_relaxed);
}

/* Sets every slot to what it is one lap before it is full at the ticket it will get. */
static void start_at(void *started, uint64_t ticket)
{
	weft_mpsc_ring *queue = started;

	for (uint64_t i = 0; i < weft_mpsc_ring_capacity(queue); i++) {
		uint64_t at = (ticket + i) << WEFT_MPSC_RING_SHIFT_;
		unsigned char *slot = weft_mpsc_ring_slot_(queue, at, queue->element_size_);

		atomic_store_explicit(weft_mpsc_ring_turn_(slot),
				      weft_mpsc_ring_full_turn_(queue, at) - 1,
				      memory_order_relaxed);
	}
	set_ends(queue, ticket, ticket);
	atomic_store_explicit(&queue->limit_, (ticket + queue->mask_ + 1) << WEFT_MPSC_RING_SHIFT_,
			      memory_order_relaxed);
}

FIFO_BY_SIZE_BOUNDED(number_queue, weft_mpsc_ring, uint64_t)
FIFO_BOUNDED(sized, number_queue)
FIFO_ENDS(sized, number_queue)
FIFO_ELEMENTS(sized, number_queue, uint64_t, itself, itself)

const fifo fifo_mpsc_ring = {
	.name = "mpsc_ring",
	.queue_bytes = sizeof(number_queue),
	.turn_laps = (uint64_t)1 << 32,
	FIFO_BOUNDED_CALLS(sized),
	FIFO_ENDS_CALLS(sized),
	FIFO_ELEMENTS_CALLS(sized),
	.start_at = start_at,
	.set_ends = set_ends,
};

WEFT_MPSC_RING_DEFINE(triple_queue, triple);
FIFO_BOUNDED(in_place, triple_queue)
FIFO_ENDS(in_place, triple_queue)
FIFO_ELEMENTS(copied, triple_queue, triple, triple_of, number_of_triple)

/* An odd number of elements is copied, an even one read in place. */
static size_t in_place_try_pop_batch(void *queue, uint64_t *numbers, size_t count)
{
	size_t popped = 0;
	triple *oldest;

	if (count % 2 != 0)
		return copied_try_pop_batch(queue, numbers, count);
	while (popped < count && triple_queue_peek(queue, &oldest) == 0) {
		numbers[popped++] = number_of_triple(*oldest);
		triple_queue_release(queue);
	}
	return popped;
}

/* Looked at, then popped: the same. */
static int in_place_pop(void *queue, uint64_t *number)
{
	triple *oldest = NULL;
	uint64_t seen;
	int error = triple_queue_peek(queue, &oldest);

	if (error != 0)
		return error;
	seen = number_of_triple(*oldest);
	error = copied_pop(queue, number);
	if (error != 0 || *number != seen)
		*number = FIFO_TORN;
	return error;
}

const fifo fifo_mpsc_ring_in_place = {
	.name = "mpsc_ring, in place",
	.queue_bytes = sizeof(triple_queue),
	.turn_laps = (uint64_t)1 << 32,
	FIFO_BOUNDED_CALLS(in_place),
	FIFO_ENDS_CALLS(in_place),
	.try_push = copied_try_push,
	.try_pop = copied_try_pop,
	.try_push_batch = copied_try_push_batch,
	.try_pop_batch = in_place_try_pop_batch,
	.push = copied_push,
	.pop = in_place_pop,
	.start_at = start_at,
	.set_ends = set_ends,
};
