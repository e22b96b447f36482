/* SPDX-License-Identifier: Apache-2.0 */
#include "fifo.h"

#include <pthread.h>
#include <string.h>

#include <weft/lockfree/mpmc_pointer_queue.h>
#include <weft/lockfree/mpmc_queue.h>
#include <weft/lockfree/spsc_queue.h>

/* An element of 264 bytes: larger than a line, and no power of two. */
typedef struct wide {
	uint64_t words[33];
} wide;

#define WIDE_WORDS (sizeof(wide) / sizeof(uint64_t))

static wide wide_of(uint64_t value)
{
	wide element;

	for (size_t i = 0; i < WIDE_WORDS; i++)
		element.words[i] = value + (i << 48);
	return element;
}

static uint64_t value_of(const wide *element)
{
	for (size_t i = 1; i < WIDE_WORDS; i++) {
		if (element->words[i] != element->words[0] + (i << 48))
			return FIFO_TORN;
	}
	return element->words[0];
}

static void wide_from_values(wide *elements, const uint64_t *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		elements[i] = wide_of(values[i]);
}

static void values_from_wide(uint64_t *values, const wide *elements, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = value_of(&elements[i]);
}

/* mpmc_queue, elements of 8 bytes */

static int mpmc_init(void *queue, size_t capacity)
{
	return weft_mpmc_queue_init(queue, capacity, sizeof(uint64_t));
}

static size_t mpmc_memory_size(size_t capacity)
{
	return weft_mpmc_queue_memory_size(capacity, sizeof(uint64_t));
}

static int mpmc_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return weft_mpmc_queue_init_in(queue, memory, bytes, capacity, sizeof(uint64_t));
}

static void mpmc_fini(void *queue)
{
	weft_mpmc_queue_fini(queue);
}

static size_t mpmc_capacity(const void *queue)
{
	return weft_mpmc_queue_capacity(queue);
}

static size_t mpmc_size(const void *queue)
{
	return weft_mpmc_queue_size(queue);
}

static bool mpmc_try_push(void *queue, uint64_t value)
{
	return weft_mpmc_queue_try_push(queue, &value);
}

static bool mpmc_try_pop(void *queue, uint64_t *value)
{
	return weft_mpmc_queue_try_pop(queue, value);
}

static size_t mpmc_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	return weft_mpmc_queue_try_push_batch(queue, values, count);
}

static size_t mpmc_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	return weft_mpmc_queue_try_pop_batch(queue, values, count);
}

static int mpmc_push(void *queue, uint64_t value)
{
	return weft_mpmc_queue_push(queue, &value);
}

static int mpmc_pop(void *queue, uint64_t *value)
{
	return weft_mpmc_queue_pop(queue, value);
}

static void mpmc_close(void *queue)
{
	weft_mpmc_queue_close(queue);
}

static bool mpmc_is_closed(const void *queue)
{
	return weft_mpmc_queue_is_closed(queue);
}

/* Sets every slot to the turn at which it waits for the producer of the ticket it will get. */
static void mpmc_start_at(void *started, uint64_t ticket)
{
	weft_mpmc_queue *queue = started;

	for (uint64_t i = 0; i < weft_mpmc_queue_capacity(queue); i++) {
		unsigned char *slot =
			weft_mpmc_queue_slot_(queue, 2 * (ticket + i), queue->element_size_);

		atomic_store_explicit(weft_mpmc_queue_turn_(slot),
				      weft_mpmc_queue_empty_turn_(queue, 2 * (ticket + i)),
				      memory_order_relaxed);
	}
	atomic_store_explicit(&queue->tail_, 2 * ticket, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, 2 * ticket, memory_order_relaxed);
}

const fifo fifo_mpmc_queue = {
	.name = "mpmc_queue",
	.queue_bytes = sizeof(weft_mpmc_queue),
	.turn_laps = (uint64_t)1 << 31,
	.init = mpmc_init,
	.memory_size = mpmc_memory_size,
	.init_in = mpmc_init_in,
	.fini = mpmc_fini,
	.capacity = mpmc_capacity,
	.size = mpmc_size,
	.try_push = mpmc_try_push,
	.try_pop = mpmc_try_pop,
	.try_push_batch = mpmc_try_push_batch,
	.try_pop_batch = mpmc_try_pop_batch,
	.push = mpmc_push,
	.pop = mpmc_pop,
	.close = mpmc_close,
	.is_closed = mpmc_is_closed,
	.start_at = mpmc_start_at,
};

/* mpmc_queue, elements of 264 bytes by the typed wrapper */

WEFT_MPMC_QUEUE_DEFINE(wide_mpmc_queue, wide);

static int mpmc_typed_init(void *queue, size_t capacity)
{
	return wide_mpmc_queue_init(queue, capacity);
}

static size_t mpmc_typed_memory_size(size_t capacity)
{
	return wide_mpmc_queue_memory_size(capacity);
}

static int mpmc_typed_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return wide_mpmc_queue_init_in(queue, memory, bytes, capacity);
}

static void mpmc_typed_fini(void *queue)
{
	wide_mpmc_queue_fini(queue);
}

static size_t mpmc_typed_capacity(const void *queue)
{
	return wide_mpmc_queue_capacity(queue);
}

static size_t mpmc_typed_size(const void *queue)
{
	return wide_mpmc_queue_size(queue);
}

static bool mpmc_typed_try_push(void *queue, uint64_t value)
{
	return wide_mpmc_queue_try_push(queue, wide_of(value));
}

static bool mpmc_typed_try_pop(void *queue, uint64_t *value)
{
	wide element;

	if (!wide_mpmc_queue_try_pop(queue, &element))
		return false;
	*value = value_of(&element);
	return true;
}

static size_t mpmc_typed_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	wide elements[FIFO_BATCH_MAX];

	wide_from_values(elements, values, count);
	return wide_mpmc_queue_try_push_batch(queue, elements, count);
}

static size_t mpmc_typed_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	wide elements[FIFO_BATCH_MAX];
	size_t popped = wide_mpmc_queue_try_pop_batch(queue, elements, count);

	values_from_wide(values, elements, popped);
	return popped;
}

static int mpmc_typed_push(void *queue, uint64_t value)
{
	return wide_mpmc_queue_push(queue, wide_of(value));
}

static int mpmc_typed_pop(void *queue, uint64_t *value)
{
	wide element;
	int error = wide_mpmc_queue_pop(queue, &element);

	if (error == 0)
		*value = value_of(&element);
	return error;
}

static void mpmc_typed_close(void *queue)
{
	wide_mpmc_queue_close(queue);
}

static bool mpmc_typed_is_closed(const void *queue)
{
	return wide_mpmc_queue_is_closed(queue);
}

static void mpmc_typed_start_at(void *queue, uint64_t ticket)
{
	mpmc_start_at(&((wide_mpmc_queue *)queue)->queue_, ticket);
}

const fifo fifo_mpmc_queue_typed = {
	.name = "mpmc_queue, typed",
	.queue_bytes = sizeof(wide_mpmc_queue),
	.turn_laps = (uint64_t)1 << 31,
	.init = mpmc_typed_init,
	.memory_size = mpmc_typed_memory_size,
	.init_in = mpmc_typed_init_in,
	.fini = mpmc_typed_fini,
	.capacity = mpmc_typed_capacity,
	.size = mpmc_typed_size,
	.try_push = mpmc_typed_try_push,
	.try_pop = mpmc_typed_try_pop,
	.try_push_batch = mpmc_typed_try_push_batch,
	.try_pop_batch = mpmc_typed_try_pop_batch,
	.push = mpmc_typed_push,
	.pop = mpmc_typed_pop,
	.close = mpmc_typed_close,
	.is_closed = mpmc_typed_is_closed,
	.start_at = mpmc_typed_start_at,
};

/* mpmc_pointer_queue: the numbers travel as pointers */

static int pointer_init(void *queue, size_t capacity)
{
	return weft_mpmc_pointer_queue_init(queue, capacity);
}

static size_t pointer_memory_size(size_t capacity)
{
	return weft_mpmc_pointer_queue_memory_size(capacity);
}

static int pointer_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return weft_mpmc_pointer_queue_init_in(queue, memory, bytes, capacity);
}

static void pointer_fini(void *queue)
{
	weft_mpmc_pointer_queue_fini(queue);
}

static size_t pointer_capacity(const void *queue)
{
	return weft_mpmc_pointer_queue_capacity(queue);
}

static size_t pointer_size(const void *queue)
{
	return weft_mpmc_pointer_queue_size(queue);
}

static bool pointer_try_push(void *queue, uint64_t value)
{
	return weft_mpmc_pointer_queue_try_push(queue, (void *)(uintptr_t)value);
}

static bool pointer_try_pop(void *queue, uint64_t *value)
{
	void *pointer;

	if (!weft_mpmc_pointer_queue_try_pop(queue, &pointer))
		return false;
	*value = (uint64_t)(uintptr_t)pointer;
	return true;
}

static size_t pointer_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	void *pointers[FIFO_BATCH_MAX];

	for (size_t i = 0; i < count; i++)
		pointers[i] = (void *)(uintptr_t)values[i];
	return weft_mpmc_pointer_queue_try_push_batch(queue, pointers, count);
}

static size_t pointer_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	void *pointers[FIFO_BATCH_MAX];
	size_t popped = weft_mpmc_pointer_queue_try_pop_batch(queue, pointers, count);

	for (size_t i = 0; i < popped; i++)
		values[i] = (uint64_t)(uintptr_t)pointers[i];
	return popped;
}

static int pointer_push(void *queue, uint64_t value)
{
	return weft_mpmc_pointer_queue_push(queue, (void *)(uintptr_t)value);
}

static int pointer_pop(void *queue, uint64_t *value)
{
	void *pointer;
	int error = weft_mpmc_pointer_queue_pop(queue, &pointer);

	if (error == 0)
		*value = (uint64_t)(uintptr_t)pointer;
	return error;
}

static void pointer_close(void *queue)
{
	weft_mpmc_pointer_queue_close(queue);
}

static bool pointer_is_closed(const void *queue)
{
	return weft_mpmc_pointer_queue_is_closed(queue);
}

/* As mpmc_start_at; an empty slot has nothing but its turn. */
static void pointer_start_at(void *started, uint64_t ticket)
{
	weft_mpmc_pointer_queue *queue = started;

	for (uint64_t i = 0; i < weft_mpmc_pointer_queue_capacity(queue); i++)
		atomic_store_explicit(weft_mpmc_pointer_queue_slot_(queue, 2 * (ticket + i)),
				      weft_mpmc_pointer_queue_empty_(queue, 2 * (ticket + i)),
				      memory_order_relaxed);
	atomic_store_explicit(&queue->tail_, 2 * ticket, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, 2 * ticket, memory_order_relaxed);
}

const fifo fifo_mpmc_pointer_queue = {
	.name = "mpmc_pointer_queue",
	.queue_bytes = sizeof(weft_mpmc_pointer_queue),
	.turn_laps = (uint64_t)1 << 15,
	.init = pointer_init,
	.memory_size = pointer_memory_size,
	.init_in = pointer_init_in,
	.fini = pointer_fini,
	.capacity = pointer_capacity,
	.size = pointer_size,
	.try_push = pointer_try_push,
	.try_pop = pointer_try_pop,
	.try_push_batch = pointer_try_push_batch,
	.try_pop_batch = pointer_try_pop_batch,
	.push = pointer_push,
	.pop = pointer_pop,
	.close = pointer_close,
	.is_closed = pointer_is_closed,
	.start_at = pointer_start_at,
};

/* spsc_queue, elements of 8 bytes */

static int spsc_init(void *queue, size_t capacity)
{
	return weft_spsc_queue_init(queue, capacity, sizeof(uint64_t));
}

static size_t spsc_memory_size(size_t capacity)
{
	return weft_spsc_queue_memory_size(capacity, sizeof(uint64_t));
}

static int spsc_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return weft_spsc_queue_init_in(queue, memory, bytes, capacity, sizeof(uint64_t));
}

static void spsc_fini(void *queue)
{
	weft_spsc_queue_fini(queue);
}

static size_t spsc_capacity(const void *queue)
{
	return weft_spsc_queue_capacity(queue);
}

static size_t spsc_size(const void *queue)
{
	return weft_spsc_queue_size(queue);
}

static bool spsc_try_push(void *queue, uint64_t value)
{
	return weft_spsc_queue_try_push(queue, &value);
}

static bool spsc_try_pop(void *queue, uint64_t *value)
{
	return weft_spsc_queue_try_pop(queue, value);
}

static size_t spsc_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	return weft_spsc_queue_try_push_batch(queue, values, count);
}

static size_t spsc_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	return weft_spsc_queue_try_pop_batch(queue, values, count);
}

static int spsc_push(void *queue, uint64_t value)
{
	return weft_spsc_queue_push(queue, &value);
}

static int spsc_pop(void *queue, uint64_t *value)
{
	return weft_spsc_queue_pop(queue, value);
}

static void spsc_close(void *queue)
{
	weft_spsc_queue_close(queue);
}

static void spsc_cancel(void *queue)
{
	weft_spsc_queue_cancel(queue);
}

static bool spsc_is_closed(const void *queue)
{
	return weft_spsc_queue_is_closed(queue);
}

static void spsc_start_at(void *started, uint64_t ticket)
{
	weft_spsc_queue *queue = started;

	atomic_store_explicit(&queue->tail_, ticket, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, ticket, memory_order_relaxed);
	queue->tail_seen_ = ticket;
	atomic_store_explicit(&queue->limit_, ticket + queue->mask_ + 1, memory_order_relaxed);
}

const fifo fifo_spsc_queue = {
	.name = "spsc_queue",
	.queue_bytes = sizeof(weft_spsc_queue),
	.size_is_bound = true,
	.init = spsc_init,
	.memory_size = spsc_memory_size,
	.init_in = spsc_init_in,
	.fini = spsc_fini,
	.capacity = spsc_capacity,
	.size = spsc_size,
	.try_push = spsc_try_push,
	.try_pop = spsc_try_pop,
	.try_push_batch = spsc_try_push_batch,
	.try_pop_batch = spsc_try_pop_batch,
	.push = spsc_push,
	.pop = spsc_pop,
	.close = spsc_close,
	.is_closed = spsc_is_closed,
	.cancel = spsc_cancel,
	.start_at = spsc_start_at,
};

/* spsc_queue, elements of 264 bytes by the typed wrapper */

WEFT_SPSC_QUEUE_DEFINE(wide_spsc_queue, wide);

static int spsc_typed_init(void *queue, size_t capacity)
{
	return wide_spsc_queue_init(queue, capacity);
}

static size_t spsc_typed_memory_size(size_t capacity)
{
	return wide_spsc_queue_memory_size(capacity);
}

static int spsc_typed_init_in(void *queue, void *memory, size_t bytes, size_t capacity)
{
	return wide_spsc_queue_init_in(queue, memory, bytes, capacity);
}

static void spsc_typed_fini(void *queue)
{
	wide_spsc_queue_fini(queue);
}

static size_t spsc_typed_capacity(const void *queue)
{
	return wide_spsc_queue_capacity(queue);
}

static size_t spsc_typed_size(const void *queue)
{
	return wide_spsc_queue_size(queue);
}

static bool spsc_typed_try_push(void *queue, uint64_t value)
{
	return wide_spsc_queue_try_push(queue, wide_of(value));
}

static bool spsc_typed_try_pop(void *queue, uint64_t *value)
{
	wide element;

	if (!wide_spsc_queue_try_pop(queue, &element))
		return false;
	*value = value_of(&element);
	return true;
}

static size_t spsc_typed_try_push_batch(void *queue, const uint64_t *values, size_t count)
{
	wide elements[FIFO_BATCH_MAX];

	wide_from_values(elements, values, count);
	return wide_spsc_queue_try_push_batch(queue, elements, count);
}

static size_t spsc_typed_try_pop_batch(void *queue, uint64_t *values, size_t count)
{
	wide elements[FIFO_BATCH_MAX];
	size_t popped = wide_spsc_queue_try_pop_batch(queue, elements, count);

	values_from_wide(values, elements, popped);
	return popped;
}

static int spsc_typed_push(void *queue, uint64_t value)
{
	return wide_spsc_queue_push(queue, wide_of(value));
}

static int spsc_typed_pop(void *queue, uint64_t *value)
{
	wide element;
	int error = wide_spsc_queue_pop(queue, &element);

	if (error == 0)
		*value = value_of(&element);
	return error;
}

static void spsc_typed_close(void *queue)
{
	wide_spsc_queue_close(queue);
}

static void spsc_typed_cancel(void *queue)
{
	wide_spsc_queue_cancel(queue);
}

static bool spsc_typed_is_closed(const void *queue)
{
	return wide_spsc_queue_is_closed(queue);
}

static void spsc_typed_start_at(void *queue, uint64_t ticket)
{
	spsc_start_at(&((wide_spsc_queue *)queue)->queue_, ticket);
}

const fifo fifo_spsc_queue_typed = {
	.name = "spsc_queue, typed",
	.queue_bytes = sizeof(wide_spsc_queue),
	.size_is_bound = true,
	.init = spsc_typed_init,
	.memory_size = spsc_typed_memory_size,
	.init_in = spsc_typed_init_in,
	.fini = spsc_typed_fini,
	.capacity = spsc_typed_capacity,
	.size = spsc_typed_size,
	.try_push = spsc_typed_try_push,
	.try_pop = spsc_typed_try_pop,
	.try_push_batch = spsc_typed_try_push_batch,
	.try_pop_batch = spsc_typed_try_pop_batch,
	.push = spsc_typed_push,
	.pop = spsc_typed_pop,
	.close = spsc_typed_close,
	.is_closed = spsc_typed_is_closed,
	.cancel = spsc_typed_cancel,
	.start_at = spsc_typed_start_at,
};

/* spsc_queue by turns */

typedef struct spsc_by_turns {
	/* First, so that functions which only look take this for the queue. */
	weft_spsc_queue queue;
	pthread_mutex_t producer;
	pthread_mutex_t consumer;
} spsc_by_turns;

static int by_turns_init(void *made, size_t capacity)
{
	spsc_by_turns *queue = made;
	int error = spsc_init(&queue->queue, capacity);

	if (error == 0) {
		pthread_mutex_init(&queue->producer, NULL);
		pthread_mutex_init(&queue->consumer, NULL);
	}
	return error;
}

static void by_turns_fini(void *ended)
{
	spsc_by_turns *queue = ended;

	spsc_fini(&queue->queue);
	pthread_mutex_destroy(&queue->producer);
	pthread_mutex_destroy(&queue->consumer);
}

static bool by_turns_try_push(void *shared, uint64_t value)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	bool pushed = spsc_try_push(&queue->queue, value);

	pthread_mutex_unlock(&queue->producer);
	return pushed;
}

static bool by_turns_try_pop(void *shared, uint64_t *value)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->consumer);
	bool popped = spsc_try_pop(&queue->queue, value);

	pthread_mutex_unlock(&queue->consumer);
	return popped;
}

static size_t by_turns_try_push_batch(void *shared, const uint64_t *values, size_t count)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	size_t pushed = spsc_try_push_batch(&queue->queue, values, count);

	pthread_mutex_unlock(&queue->producer);
	return pushed;
}

static size_t by_turns_try_pop_batch(void *shared, uint64_t *values, size_t count)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->consumer);
	size_t popped = spsc_try_pop_batch(&queue->queue, values, count);

	pthread_mutex_unlock(&queue->consumer);
	return popped;
}

static int by_turns_push(void *shared, uint64_t value)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	int error = spsc_push(&queue->queue, value);

	pthread_mutex_unlock(&queue->producer);
	return error;
}

static int by_turns_pop(void *shared, uint64_t *value)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->consumer);
	int error = spsc_pop(&queue->queue, value);

	pthread_mutex_unlock(&queue->consumer);
	return error;
}

static void by_turns_close(void *shared)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	spsc_close(&queue->queue);
	pthread_mutex_unlock(&queue->producer);
}

const fifo fifo_spsc_queue_by_turns = {
	.name = "spsc_queue by turns",
	.queue_bytes = sizeof(spsc_by_turns),
	.init = by_turns_init,
	.fini = by_turns_fini,
	.capacity = spsc_capacity,
	.size = spsc_size,
	.try_push = by_turns_try_push,
	.try_pop = by_turns_try_pop,
	.try_push_batch = by_turns_try_push_batch,
	.try_pop_batch = by_turns_try_pop_batch,
	.push = by_turns_push,
	.pop = by_turns_pop,
	.close = by_turns_close,
	.is_closed = spsc_is_closed,
	.cancel = spsc_cancel,
	.start_at = spsc_start_at,
};
