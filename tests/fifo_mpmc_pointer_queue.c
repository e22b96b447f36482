/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_pointer_queue: the numbers travel as pointers. */

#include "fifo_adapter.h"

#include <weft/lockfree/mpmc_pointer_queue.h>

static void set_ends(void *set, uint64_t head, uint64_t tail)
{
	weft_mpmc_pointer_queue *queue = set;

	atomic_store_explicit(&queue->tail_, 2 * tail, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, 2 * head, memory_order_relaxed);
}

/* An empty slot has nothing but the turn at which it waits for the producer of its next ticket. */
static void start_at(void *started, uint64_t ticket)
{
	weft_mpmc_pointer_queue *queue = started;

	for (uint64_t i = 0; i < weft_mpmc_pointer_queue_capacity(queue); i++)
		atomic_store_explicit(weft_mpmc_pointer_queue_word_(weft_mpmc_pointer_queue_slot_(
					      queue, 2 * (ticket + i))),
				      weft_mpmc_pointer_queue_empty_(queue, 2 * (ticket + i)),
				      memory_order_relaxed);
	set_ends(queue, ticket, ticket);
}

FIFO_BOUNDED(pointers, weft_mpmc_pointer_queue)
FIFO_ENDS(pointers, weft_mpmc_pointer_queue)
FIFO_ELEMENTS(pointers, weft_mpmc_pointer_queue, void *, pointer_of, number_of_pointer)

const fifo fifo_mpmc_pointer_queue = {
	.name = "mpmc_pointer_queue",
	.queue_bytes = sizeof(weft_mpmc_pointer_queue),
	.turn_laps = (uint64_t)1 << 15,
	FIFO_BOUNDED_CALLS(pointers),
	FIFO_ENDS_CALLS(pointers),
	FIFO_ELEMENTS_CALLS(pointers),
	.start_at = start_at,
	.set_ends = set_ends,
};
