/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_lockfree_any: elements of 8 bytes by the typed wrapper, and of 24 bytes by the functions
 * that take the element's size at run time. */

#include "fifo.h"

#include <weft/lockfree/mpmc_lockfree_any.h>

typedef struct thrice {
	uint64_t words[3];
} thrice;

WEFT_MPMC_LOCKFREE_ANY_DEFINE(words, uint64_t);

static thrice thrice_of(uint64_t value)
{
	return (thrice){{value ^ 5, value, ~value}};
}

static uint64_t value_of(thrice element)
{
	uint64_t value = element.words[1];

	return element.words[0] == (value ^ 5) && element.words[2] == ~value ? value : FIFO_TORN;
}

static int any_init(void *queue, size_t capacity)
{
	return words_init(queue, capacity);
}

static size_t any_memory_size(size_t capacity)
{
	return words_memory_size(capacity);
}

static int any_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return words_init_in(queue, memory, bytes, capacity);
}

static void any_fini(void *queue)
{
	words_fini(queue);
}

static size_t any_capacity(const void *queue)
{
	return words_capacity(queue);
}

static size_t any_size(const void *queue)
{
	return words_size(queue);
}

static bool any_try_push(void *queue, uint64_t value)
{
	return words_try_push(queue, value);
}

static bool any_try_pop(void *queue, uint64_t *value)
{
	return words_try_pop(queue, value);
}

static size_t any_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	return words_try_push_batch(queue, values, count);
}

static size_t any_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	return words_try_pop_batch(queue, values, count);
}

static int any_push(void *queue, uint64_t value)
{
	return words_push(queue, value);
}

static int any_pop(void *queue, uint64_t *value)
{
	return words_pop(queue, value);
}

static void any_close(void *queue)
{
	words_close(queue);
}

static bool any_is_closed(const void *queue)
{
	return words_is_closed(queue);
}

static void any_start_at(void *started, uint64_t ticket)
{
	weft_mpmc_lockfree_any *queue = started;

	fifo_mpmc_lockfree.start_at(&queue->ring_, ticket);
}

const fifo fifo_mpmc_lockfree_any = {
	.name = "mpmc_lockfree_any",
	.queue_bytes = sizeof(words),
	.turn_laps = (uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_,
	.batches_mix = true,
	.init = any_init,
	.memory_size = any_memory_size,
	.init_in = any_init_in,
	.fini = any_fini,
	.capacity = any_capacity,
	.size = any_size,
	.try_push = any_try_push,
	.try_pop = any_try_pop,
	.try_push_batch = any_try_push_batch,
	.try_pop_batch = any_try_pop_batch,
	.push = any_push,
	.pop = any_pop,
	.close = any_close,
	.is_closed = any_is_closed,
	.start_at = any_start_at,
};

/* Of any size */

static int thrice_init(void *queue, size_t capacity)
{
	return weft_mpmc_lockfree_any_init(queue, capacity, sizeof(thrice));
}

static size_t thrice_memory_size(size_t capacity)
{
	return weft_mpmc_lockfree_any_memory_size(capacity, sizeof(thrice));
}

static int thrice_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return weft_mpmc_lockfree_any_init_in(queue, memory, bytes, capacity, sizeof(thrice));
}

static void thrice_fini(void *queue)
{
	weft_mpmc_lockfree_any_fini(queue);
}

static size_t thrice_capacity(const void *queue)
{
	return weft_mpmc_lockfree_any_capacity(queue);
}

static size_t thrice_size(const void *queue)
{
	return weft_mpmc_lockfree_any_size(queue);
}

static bool thrice_try_push(void *queue, uint64_t value)
{
	thrice element = thrice_of(value);

	return weft_mpmc_lockfree_any_try_push(queue, &element);
}

static int thrice_pop(void *queue, uint64_t *value)
{
	thrice element;
	int error = weft_mpmc_lockfree_any_pop(queue, &element);

	if (error == 0)
		*value = value_of(element);
	return error;
}

static bool thrice_try_pop(void *queue, uint64_t *value)
{
	thrice element;

	if (!weft_mpmc_lockfree_any_try_pop(queue, &element))
		return false;
	*value = value_of(element);
	return true;
}

static size_t thrice_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	thrice elements[FIFO_BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		elements[i] = thrice_of(values[i]);
	return weft_mpmc_lockfree_any_try_push_batch(queue, elements, count);
}

static size_t thrice_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	thrice elements[FIFO_BATCH_MAX];
	size_t popped = weft_mpmc_lockfree_any_try_pop_batch(queue, elements, count);

	for (size_t i = 0; i < popped; i++)
		values[i] = value_of(elements[i]);
	return popped;
}

static int thrice_push(void *queue, uint64_t value)
{
	thrice element = thrice_of(value);

	return weft_mpmc_lockfree_any_push(queue, &element);
}

static void thrice_close(void *queue)
{
	weft_mpmc_lockfree_any_close(queue);
}

static bool thrice_is_closed(const void *queue)
{
	return weft_mpmc_lockfree_any_is_closed(queue);
}

const fifo fifo_mpmc_lockfree_any_wide = {
	.name = "mpmc_lockfree_any, 24 bytes",
	.queue_bytes = sizeof(weft_mpmc_lockfree_any),
	.turn_laps = (uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_,
	.batches_mix = true,
	.init = thrice_init,
	.memory_size = thrice_memory_size,
	.init_in = thrice_init_in,
	.fini = thrice_fini,
	.capacity = thrice_capacity,
	.size = thrice_size,
	.try_push = thrice_try_push,
	.try_pop = thrice_try_pop,
	.try_push_batch = thrice_try_push_batch,
	.try_pop_batch = thrice_try_pop_batch,
	.push = thrice_push,
	.pop = thrice_pop,
	.close = thrice_close,
	.is_closed = thrice_is_closed,
	.start_at = any_start_at,
};
