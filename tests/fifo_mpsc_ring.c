/* SPDX-License-Identifier: Apache-2.0 */

/* mpsc_ring: as it is, with elements of 8 bytes; and typed, read where the elements are. */

#include "fifo.h"

#include <weft/lockfree/mpsc_ring.h>

static int ring_init(void *queue, size_t capacity)
{
	return weft_mpsc_ring_init(queue, capacity, sizeof(uint64_t));
}

static size_t ring_memory_size(size_t capacity)
{
	return weft_mpsc_ring_memory_size(capacity, sizeof(uint64_t));
}

static int ring_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return weft_mpsc_ring_init_in(queue, memory, bytes, capacity, sizeof(uint64_t));
}

static void ring_fini(void *queue)
{
	weft_mpsc_ring_fini(queue);
}

static size_t ring_capacity(const void *queue)
{
	return weft_mpsc_ring_capacity(queue);
}

static size_t ring_size(const void *queue)
{
	return weft_mpsc_ring_size(queue);
}

static bool ring_try_push(void *queue, uint64_t value)
{
	return weft_mpsc_ring_try_push(queue, &value);
}

static bool ring_try_pop(void *queue, uint64_t *value)
{
	return weft_mpsc_ring_try_pop(queue, value);
}

static size_t ring_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	return weft_mpsc_ring_try_push_batch(queue, values, count);
}

static size_t ring_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	return weft_mpsc_ring_try_pop_batch(queue, values, count);
}

static int ring_push(void *queue, uint64_t value)
{
	return weft_mpsc_ring_push(queue, &value);
}

static int ring_pop(void *queue, uint64_t *value)
{
	return weft_mpsc_ring_pop(queue, value);
}

static void ring_close(void *queue)
{
	weft_mpsc_ring_close(queue);
}

static bool ring_is_closed(const void *queue)
{
	return weft_mpsc_ring_is_closed(queue);
}

/* Sets every slot to what it is one lap before it is full at the ticket it will get. */
static void ring_start_at(void *started, uint64_t ticket)
{
	weft_mpsc_ring *queue = started;
	uint64_t first = ticket << WEFT_MPSC_RING_SHIFT_;

	for (uint64_t i = 0; i < weft_mpsc_ring_capacity(queue); i++) {
		uint64_t at = (ticket + i) << WEFT_MPSC_RING_SHIFT_;
		unsigned char *slot = weft_mpsc_ring_slot_(queue, at, queue->element_size_);

		atomic_store_explicit(weft_mpsc_ring_turn_(slot),
				      weft_mpsc_ring_full_turn_(queue, at) - 1,
				      memory_order_relaxed);
	}
	atomic_store_explicit(&queue->tail_, first, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, first, memory_order_relaxed);
	atomic_store_explicit(&queue->limit_, (ticket + queue->mask_ + 1) << WEFT_MPSC_RING_SHIFT_,
			      memory_order_relaxed);
}

const fifo fifo_mpsc_ring = {
	.name = "mpsc_ring",
	.queue_bytes = sizeof(weft_mpsc_ring),
	.turn_laps = (uint64_t)1 << 32,
	.init = ring_init,
	.memory_size = ring_memory_size,
	.init_in = ring_init_in,
	.fini = ring_fini,
	.capacity = ring_capacity,
	.size = ring_size,
	.try_push = ring_try_push,
	.try_pop = ring_try_pop,
	.try_push_batch = ring_try_push_batch,
	.try_pop_batch = ring_try_pop_batch,
	.push = ring_push,
	.pop = ring_pop,
	.close = ring_close,
	.is_closed = ring_is_closed,
	.start_at = ring_start_at,
};

/* An element of 24 bytes, so that lines and elements do not end together. */
typedef struct triple {
	uint64_t words[3];
} triple;

WEFT_MPSC_RING_DEFINE(triple_ring, triple);

static triple triple_of(uint64_t value)
{
	return (triple){{value, value + ((uint64_t)1 << 48), value + ((uint64_t)2 << 48)}};
}

static uint64_t value_of(const triple *element)
{
	uint64_t value = element->words[0];
	bool whole = element->words[1] == value + ((uint64_t)1 << 48) &&
		     element->words[2] == value + ((uint64_t)2 << 48);

	return whole ? value : FIFO_TORN;
}

static int in_place_init(void *queue, size_t capacity)
{
	return triple_ring_init(queue, capacity);
}

static size_t in_place_memory_size(size_t capacity)
{
	return triple_ring_memory_size(capacity);
}

static int in_place_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return triple_ring_init_in(queue, memory, bytes, capacity);
}

static void in_place_fini(void *queue)
{
	triple_ring_fini(queue);
}

static size_t in_place_capacity(const void *queue)
{
	return triple_ring_capacity(queue);
}

static size_t in_place_size(const void *queue)
{
	return triple_ring_size(queue);
}

static bool in_place_try_push(void *queue, uint64_t value)
{
	return triple_ring_try_push(queue, triple_of(value));
}

static size_t in_place_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	triple elements[FIFO_BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		elements[i] = triple_of(values[i]);
	return triple_ring_try_push_batch(queue, elements, count);
}

/* An odd number of elements is copied, an even one read in place. */
static size_t in_place_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	triple elements[FIFO_BATCH_MAX], *oldest;
	size_t popped = 0;

	if (count % 2 != 0) {
		popped = triple_ring_try_pop_batch(queue, elements, count);
		for (size_t i = 0; i < popped; i++)
			values[i] = value_of(&elements[i]);
		return popped;
	}
	while (popped < count && triple_ring_peek(queue, &oldest) == 0) {
		values[popped++] = value_of(oldest);
		triple_ring_release(queue);
	}
	return popped;
}

static bool in_place_try_pop(void *queue, uint64_t *value)
{
	triple element;

	if (!triple_ring_try_pop(queue, &element))
		return false;
	*value = value_of(&element);
	return true;
}

static int in_place_push(void *queue, uint64_t value)
{
	return triple_ring_push(queue, triple_of(value));
}

static int in_place_pop(void *queue, uint64_t *value)
{
	triple *oldest = NULL, element;
	int error = triple_ring_peek(queue, &oldest);

	if (error != 0)
		return error;
	*value = value_of(oldest);
	error = triple_ring_pop(queue, &element);
	if (error != 0 || value_of(&element) != *value)
		*value = FIFO_TORN;
	return error;
}

static void in_place_close(void *queue)
{
	triple_ring_close(queue);
}

static bool in_place_is_closed(const void *queue)
{
	return triple_ring_is_closed(queue);
}

static void in_place_start_at(void *queue, uint64_t ticket)
{
	ring_start_at(&((triple_ring *)queue)->queue_, ticket);
}

const fifo fifo_mpsc_ring_in_place = {
	.name = "mpsc_ring, in place",
	.queue_bytes = sizeof(triple_ring),
	.turn_laps = (uint64_t)1 << 32,
	.init = in_place_init,
	.memory_size = in_place_memory_size,
	.init_in = in_place_init_in,
	.fini = in_place_fini,
	.capacity = in_place_capacity,
	.size = in_place_size,
	.try_push = in_place_try_push,
	.try_pop = in_place_try_pop,
	.try_push_batch = in_place_try_push_batch,
	.try_pop_batch = in_place_try_pop_batch,
	.push = in_place_push,
	.pop = in_place_pop,
	.close = in_place_close,
	.is_closed = in_place_is_closed,
	.start_at = in_place_start_at,
};
