/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_queue: elements of 8 bytes by their size, and of 264 bytes by the typed wrapper. */

#include "fifo_adapter.h"

#include <weft/lockfree/mpmc_queue.h>

static void set_ends(void *set, uint64_t head, uint64_t tail)
{
	weft_mpmc_queue *queue = set;

	atomic_store_explicit(&queue->tail_, 2 * tail, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, 2 * head, memory_order_relaxed);
}

/* Sets every slot to the turn at which it waits for the producer of the ticket it will get. */
static void start_at(void *started, uint64_t ticket)
{
	weft_mpmc_queue *queue = started;

	for (uint64_t i = 0; i < weft_mpmc_queue_capacity(queue); i++) {
		unsigned char *slot =
			weft_mpmc_queue_slot_(queue, 2 * (ticket + i), queue->element_size_);

		atomic_store_explicit(weft_mpmc_queue_turn_(slot),
				      weft_mpmc_queue_empty_turn_(queue, 2 * (ticket + i)),
				      memory_order_relaxed);
	}
	set_ends(queue, ticket, ticket);
}

FIFO_BY_SIZE_BOUNDED(number_queue, weft_mpmc_queue, uint64_t)
FIFO_BOUNDED(sized, number_queue)
FIFO_ENDS(sized, number_queue)
FIFO_ELEMENTS(sized, number_queue, uint64_t, itself, itself)

const fifo fifo_mpmc_queue = {
	.name = "mpmc_queue",
	.queue_bytes = sizeof(number_queue),
	.turn_laps = (uint64_t)1 << 31,
	FIFO_BOUNDED_CALLS(sized),
	FIFO_ENDS_CALLS(sized),
	FIFO_ELEMENTS_CALLS(sized),
	.start_at = start_at,
	.set_ends = set_ends,
};

WEFT_MPMC_QUEUE_DEFINE(wide_queue, wide);
FIFO_BOUNDED(typed, wide_queue)
FIFO_ENDS(typed, wide_queue)
FIFO_ELEMENTS(typed, wide_queue, wide, wide_of, number_of_wide)

const fifo fifo_mpmc_queue_typed = {
	.name = "mpmc_queue, typed",
	.queue_bytes = sizeof(wide_queue),
	.turn_laps = (uint64_t)1 << 31,
	FIFO_BOUNDED_CALLS(typed),
	FIFO_ENDS_CALLS(typed),
	FIFO_ELEMENTS_CALLS(typed),
	.start_at = start_at,
	.set_ends = set_ends,
};
