/* SPDX-License-Identifier: Apache-2.0 */

/* spsc_queue in place: elements are written where reserve says and read where peek says. */

#include "fifo.h"

#include <weft/lockfree/spsc_queue.h>

/* An element of 24 bytes, so that lines and elements do not end together. */
typedef struct triple {
	uint64_t words[3];
} triple;

WEFT_SPSC_QUEUE_DEFINE(triples, triple);

static int in_place_init(void *queue, size_t capacity)
{
	return triples_init(queue, capacity);
}

static size_t in_place_memory_size(size_t capacity)
{
	return triples_memory_size(capacity);
}

static int in_place_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return triples_init_in(queue, memory, bytes, capacity);
}

static void in_place_fini(void *queue)
{
	triples_fini(queue);
}

static size_t in_place_capacity(const void *queue)
{
	return triples_capacity(queue);
}

static size_t in_place_size(const void *queue)
{
	return triples_size(queue);
}

/* In two runs at most: to the end of the ring and from its start. */
static size_t in_place_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	size_t pushed = 0;

	for (int run = 0; run < 2 && pushed < count; run++) {
		size_t room = count - pushed;
		triple *elements;

		if (triples_reserve(queue, &elements, &room) != 0)
			break;
		for (size_t i = 0; i < room; i++) {
			for (uint64_t word = 0; word < 3; word++)
				elements[i].words[word] = values[pushed + i] + (word << 48);
		}
		if (triples_commit(queue, room) != 0)
			break;
		pushed += room;
	}
	return pushed;
}

static size_t in_place_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	size_t popped = 0;

	for (int run = 0; run < 2 && popped < count; run++) {
		size_t inside = count - popped;
		triple *elements;

		if (triples_peek(queue, &elements, &inside) != 0)
			break;
		for (size_t i = 0; i < inside; i++) {
			uint64_t value = elements[i].words[0];
			bool whole = elements[i].words[1] == value + ((uint64_t)1 << 48) &&
				     elements[i].words[2] == value + ((uint64_t)2 << 48);

			values[popped + i] = whole ? value : FIFO_TORN;
		}
		triples_release(queue, inside);
		popped += inside;
	}
	return popped;
}

static bool in_place_try_push(void *queue, uint64_t value)
{
	return in_place_try_push_batch(queue, &value, 1) == 1;
}

static bool in_place_try_pop(void *queue, uint64_t *value)
{
	return in_place_try_pop_batch(queue, value, 1) == 1;
}

static int in_place_push(void *queue, uint64_t value)
{
	size_t room = 1;
	triple *element;
	int error = triples_reserve(queue, &element, &room);

	if (error != 0)
		return error;
	for (uint64_t word = 0; word < 3; word++)
		element->words[word] = value + (word << 48);
	return triples_commit(queue, 1);
}

static int in_place_pop(void *queue, uint64_t *value)
{
	size_t inside = 1;
	triple *element;
	int error = triples_peek(queue, &element, &inside);

	if (error == 0 && in_place_try_pop_batch(queue, value, 1) != 1)
		*value = FIFO_TORN;
	return error;
}

static void in_place_close(void *queue)
{
	triples_close(queue);
}

static void in_place_cancel(void *queue)
{
	triples_cancel(queue);
}

static bool in_place_is_closed(const void *queue)
{
	return triples_is_closed(queue);
}

static void in_place_start_at(void *queue, uint64_t ticket)
{
	fifo_spsc_queue.start_at(&((triples *)queue)->queue_, ticket);
}

const fifo fifo_spsc_queue_in_place = {
	.name = "spsc_queue, in place",
	.queue_bytes = sizeof(triples),
	.size_is_bound = true,
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
	.cancel = in_place_cancel,
	.start_at = in_place_start_at,
};
