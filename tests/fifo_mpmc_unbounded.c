/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_unbounded: elements of 8 bytes, and of 24 bytes by the typed wrapper. */

#include "fifo.h"

#include <weft/lockfree/mpmc_unbounded.h>

typedef struct triple {
	uint64_t words[3];
} triple;

WEFT_MPMC_UNBOUNDED_DEFINE(triple_queue, triple);

static triple triple_of(uint64_t value)
{
	return (triple){{value, ~value, value ^ 1}};
}

static uint64_t value_of(triple element)
{
	uint64_t value = element.words[0];

	return element.words[1] == ~value && element.words[2] == (value ^ 1) ? value : FIFO_TORN;
}

static size_t segment_of(size_t capacity)
{
	return capacity <= WEFT_MPMC_UNBOUNDED_SEGMENT_MAX ? capacity : 0;
}

static int unbounded_init(void *queue, size_t capacity)
{
	return weft_mpmc_unbounded_init(queue, segment_of(capacity), sizeof(uint64_t));
}

static void unbounded_fini(void *queue)
{
	weft_mpmc_unbounded_fini(queue);
}

static size_t unbounded_capacity(const void *queue)
{
	(void)queue;
	return SIZE_MAX;
}

/* May be above what a test calls the capacity, so it is tested elsewhere. */
static size_t unbounded_size(const void *queue)
{
	(void)queue;
	return 0;
}

static bool unbounded_try_push(void *queue, uint64_t value)
{
	return weft_mpmc_unbounded_try_push(queue, &value);
}

static bool unbounded_try_pop(void *queue, uint64_t *value)
{
	return weft_mpmc_unbounded_try_pop(queue, value);
}

static size_t unbounded_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	return weft_mpmc_unbounded_try_push_batch(queue, values, count);
}

static size_t unbounded_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	return weft_mpmc_unbounded_try_pop_batch(queue, values, count);
}

static int unbounded_push(void *queue, uint64_t value)
{
	return weft_mpmc_unbounded_push(queue, &value);
}

static int unbounded_pop(void *queue, uint64_t *value)
{
	return weft_mpmc_unbounded_pop(queue, value);
}

static void unbounded_close(void *queue)
{
	weft_mpmc_unbounded_close(queue);
}

static bool unbounded_is_closed(const void *queue)
{
	return weft_mpmc_unbounded_is_closed(queue);
}

/* What counts on are the segments. */
static void unbounded_start_at(void *started, uint64_t ticket)
{
	weft_mpmc_unbounded *queue = started;

	atomic_store_explicit(&queue->filled_, ticket, memory_order_relaxed);
	atomic_store_explicit(&queue->drained_, ticket, memory_order_relaxed);
}

const fifo fifo_mpmc_unbounded = {
	.name = "mpmc_unbounded",
	.queue_bytes = sizeof(weft_mpmc_unbounded),
	.batches_mix = true,
	.init = unbounded_init,
	.fini = unbounded_fini,
	.capacity = unbounded_capacity,
	.size = unbounded_size,
	.try_push = unbounded_try_push,
	.try_pop = unbounded_try_pop,
	.try_push_batch = unbounded_try_push_batch,
	.try_pop_batch = unbounded_try_pop_batch,
	.push = unbounded_push,
	.pop = unbounded_pop,
	.close = unbounded_close,
	.is_closed = unbounded_is_closed,
	.start_at = unbounded_start_at,
};

/* The typed wrapper */

static int typed_init(void *queue, size_t capacity)
{
	return triple_queue_init(queue, segment_of(capacity));
}

static void typed_fini(void *queue)
{
	triple_queue_fini(queue);
}

static bool typed_try_push(void *queue, uint64_t value)
{
	return triple_queue_try_push(queue, triple_of(value));
}

static int typed_pop(void *queue, uint64_t *value)
{
	triple element;
	int error = triple_queue_pop(queue, &element);

	if (error == 0)
		*value = value_of(element);
	return error;
}

static bool typed_try_pop(void *queue, uint64_t *value)
{
	return typed_pop(queue, value) == 0;
}

static size_t typed_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	triple elements[FIFO_BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		elements[i] = triple_of(values[i]);
	return triple_queue_try_push_batch(queue, elements, count);
}

static size_t typed_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	triple elements[FIFO_BATCH_MAX];
	size_t popped = triple_queue_try_pop_batch(queue, elements, count);

	for (size_t i = 0; i < popped; i++)
		values[i] = value_of(elements[i]);
	return popped;
}

static int typed_push(void *queue, uint64_t value)
{
	return triple_queue_push(queue, triple_of(value));
}

static void typed_close(void *queue)
{
	triple_queue_close(queue);
}

static bool typed_is_closed(const void *queue)
{
	return triple_queue_is_closed(queue);
}

static void typed_start_at(void *queue, uint64_t ticket)
{
	unbounded_start_at(&((triple_queue *)queue)->queue_, ticket);
}

const fifo fifo_mpmc_unbounded_typed = {
	.name = "mpmc_unbounded, typed",
	.queue_bytes = sizeof(triple_queue),
	.batches_mix = true,
	.init = typed_init,
	.fini = typed_fini,
	.capacity = unbounded_capacity,
	.size = unbounded_size,
	.try_push = typed_try_push,
	.try_pop = typed_try_pop,
	.try_push_batch = typed_try_push_batch,
	.try_pop_batch = typed_try_pop_batch,
	.push = typed_push,
	.pop = typed_pop,
	.close = typed_close,
	.is_closed = typed_is_closed,
	.start_at = typed_start_at,
};
