/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_lockfree: the numbers travel as pointers. */

#include "fifo_adapter.h"

#include <weft/lockfree/mpmc_lockfree.h>

/* Makes every slot free for the ticket that it will get. */
static void start_at(void *started, uint64_t ticket)
{
	weft_mpmc_lockfree *queue = started;

	for (uint64_t i = 0; i <= queue->mask_; i++)
		atomic_store_explicit(&queue->slots_[(ticket + i) & queue->mask_],
				      weft_mpmc_lockfree_free_(queue, ticket + i),
				      memory_order_relaxed);
	atomic_store_explicit(&queue->tail_, ticket, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, ticket, memory_order_relaxed);
	atomic_store_explicit(&queue->floor_, ticket, memory_order_relaxed);
}

FIFO_BOUNDED(pointers, weft_mpmc_lockfree)
FIFO_ENDS(pointers, weft_mpmc_lockfree)
FIFO_ELEMENTS(pointers, weft_mpmc_lockfree, void *, pointer_of, number_of_pointer)

const fifo fifo_mpmc_lockfree = {
	.name = "mpmc_lockfree",
	.queue_bytes = sizeof(weft_mpmc_lockfree),
	.turn_laps = (uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_,
	.batches_mix = true,
	FIFO_BOUNDED_CALLS(pointers),
	FIFO_ENDS_CALLS(pointers),
	FIFO_ELEMENTS_CALLS(pointers),
	.start_at = start_at,
};
