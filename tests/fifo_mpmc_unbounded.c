/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_unbounded: elements of 8 bytes by their size, and of 24 bytes by the typed wrapper. */

#include "fifo_adapter.h"

#include <weft/lockfree/mpmc_unbounded.h>

FIFO_BY_SIZE(number_queue, weft_mpmc_unbounded, uint64_t)
WEFT_MPMC_UNBOUNDED_DEFINE(triple_queue, triple);

static size_t segment_of(size_t capacity)
{
	return capacity <= WEFT_MPMC_UNBOUNDED_SEGMENT_MAX ? capacity : 0;
}

static int sized_init(void *queue, size_t capacity)
{
	return number_queue_init(queue, segment_of(capacity));
}

static int typed_init(void *queue, size_t capacity)
{
	return triple_queue_init(queue, segment_of(capacity));
}

static size_t endless(const void *queue)
{
	(void)queue;
	return SIZE_MAX;
}

/* May be above what a test calls the capacity, so it is tested elsewhere. */
static size_t no_size(const void *queue)
{
	(void)queue;
	return 0;
}

/* What counts on are the segments. */
static void start_at(void *started, uint64_t ticket)
{
	weft_mpmc_unbounded *queue = started;

	atomic_store_explicit(&queue->filled_, ticket, memory_order_relaxed);
	atomic_store_explicit(&queue->drained_, ticket, memory_order_relaxed);
}

FIFO_ENDS(sized, number_queue)
FIFO_ELEMENTS(sized, number_queue, uint64_t, itself, itself)

const fifo fifo_mpmc_unbounded = {
	.name = "mpmc_unbounded",
	.queue_bytes = sizeof(number_queue),
	.batches_mix = true,
	.init = sized_init,
	.capacity = endless,
	.size = no_size,
	FIFO_ENDS_CALLS(sized),
	FIFO_ELEMENTS_CALLS(sized),
	.start_at = start_at,
};

FIFO_ENDS(typed, triple_queue)
FIFO_ELEMENTS(typed, triple_queue, triple, triple_of, number_of_triple)

const fifo fifo_mpmc_unbounded_typed = {
	.name = "mpmc_unbounded, typed",
	.queue_bytes = sizeof(triple_queue),
	.batches_mix = true,
	.init = typed_init,
	.capacity = endless,
	.size = no_size,
	FIFO_ENDS_CALLS(typed),
	FIFO_ELEMENTS_CALLS(typed),
	.start_at = start_at,
};
