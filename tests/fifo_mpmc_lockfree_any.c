/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_lockfree_any: elements of 8 bytes by the typed wrapper, and of 24 bytes by their size. */

#include "fifo_adapter.h"

#include <weft/lockfree/mpmc_lockfree_any.h>

static void start_at(void *started, uint64_t ticket)
{
	weft_mpmc_lockfree_any *queue = started;

	fifo_mpmc_lockfree.start_at(&queue->ring_, ticket);
}

WEFT_MPMC_LOCKFREE_ANY_DEFINE(number_queue, uint64_t);
FIFO_BOUNDED(typed, number_queue)
FIFO_ENDS(typed, number_queue)
FIFO_ELEMENTS(typed, number_queue, uint64_t, itself, itself)

const fifo fifo_mpmc_lockfree_any = {
	.name = "mpmc_lockfree_any",
	.queue_bytes = sizeof(number_queue),
	.turn_laps = (uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_,
	.batches_mix = true,
	FIFO_BOUNDED_CALLS(typed),
	FIFO_ENDS_CALLS(typed),
	FIFO_ELEMENTS_CALLS(typed),
	.start_at = start_at,
};

FIFO_BY_SIZE_BOUNDED(triple_queue, weft_mpmc_lockfree_any, triple)
FIFO_BOUNDED(sized, triple_queue)
FIFO_ENDS(sized, triple_queue)
FIFO_ELEMENTS(sized, triple_queue, triple, triple_of, number_of_triple)

const fifo fifo_mpmc_lockfree_any_wide = {
	.name = "mpmc_lockfree_any, 24 bytes",
	.queue_bytes = sizeof(triple_queue),
	.turn_laps = (uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_,
	.batches_mix = true,
	FIFO_BOUNDED_CALLS(sized),
	FIFO_ENDS_CALLS(sized),
	FIFO_ELEMENTS_CALLS(sized),
	.start_at = start_at,
};
