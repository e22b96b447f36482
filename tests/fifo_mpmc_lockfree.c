/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_lockfree: the numbers travel as pointers. */

#include "fifo.h"

#include <weft/lockfree/mpmc_lockfree.h>

static int lockfree_init(void *queue, size_t capacity)
{
	return weft_mpmc_lockfree_init(queue, capacity);
}

static int lockfree_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return weft_mpmc_lockfree_init_in(queue, memory, bytes, capacity);
}

static void lockfree_fini(void *queue)
{
	weft_mpmc_lockfree_fini(queue);
}

static size_t lockfree_capacity(const void *queue)
{
	return weft_mpmc_lockfree_capacity(queue);
}

static size_t lockfree_size(const void *queue)
{
	return weft_mpmc_lockfree_size(queue);
}

static bool lockfree_try_push(void *queue, uint64_t value)
{
	return weft_mpmc_lockfree_try_push(queue, (void *)(uintptr_t)value);
}

static bool lockfree_try_pop(void *queue, uint64_t *value)
{
	void *pointer;

	if (!weft_mpmc_lockfree_try_pop(queue, &pointer))
		return false;
	*value = (uint64_t)(uintptr_t)pointer;
	return true;
}

static size_t lockfree_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	void *pointers[FIFO_BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		pointers[i] = (void *)(uintptr_t)values[i];
	return weft_mpmc_lockfree_try_push_batch(queue, pointers, count);
}

static size_t lockfree_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	void *pointers[FIFO_BATCH_MAX];
	size_t popped = weft_mpmc_lockfree_try_pop_batch(queue, pointers, count);

	for (size_t i = 0; i < popped; i++)
		values[i] = (uint64_t)(uintptr_t)pointers[i];
	return popped;
}

static int lockfree_push(void *queue, uint64_t value)
{
	return weft_mpmc_lockfree_push(queue, (void *)(uintptr_t)value);
}

static int lockfree_pop(void *queue, uint64_t *value)
{
	void *pointer;
	int error = weft_mpmc_lockfree_pop(queue, &pointer);

	if (error == 0)
		*value = (uint64_t)(uintptr_t)pointer;
	return error;
}

static void lockfree_close(void *queue)
{
	weft_mpmc_lockfree_close(queue);
}

static bool lockfree_is_closed(const void *queue)
{
	return weft_mpmc_lockfree_is_closed(queue);
}

/* Makes every slot free for the ticket that it will get. */
static void lockfree_start_at(void *started, uint64_t ticket)
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

const fifo fifo_mpmc_lockfree = {
	.name = "mpmc_lockfree",
	.queue_bytes = sizeof(weft_mpmc_lockfree),
	.turn_laps = (uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_,
	.batches_mix = true,
	.init = lockfree_init,
	.memory_size = weft_mpmc_lockfree_memory_size,
	.init_in = lockfree_init_in,
	.fini = lockfree_fini,
	.capacity = lockfree_capacity,
	.size = lockfree_size,
	.try_push = lockfree_try_push,
	.try_pop = lockfree_try_pop,
	.try_push_batch = lockfree_try_push_batch,
	.try_pop_batch = lockfree_try_pop_batch,
	.push = lockfree_push,
	.pop = lockfree_pop,
	.close = lockfree_close,
	.is_closed = lockfree_is_closed,
	.start_at = lockfree_start_at,
};
