/* SPDX-License-Identifier: Apache-2.0 */

/*
 * spsc_queue: elements of 8 bytes by their size, and of 264 bytes by the typed wrapper; elements of
 * 24 bytes that are written where reserve says and read where peek says; and for any thread, by
 * turns.
 */

#include "fifo_adapter.h"

#include <pthread.h>

#include <weft/lockfree/spsc_queue.h>

static void cancel(void *queue)
{
	weft_spsc_queue_cancel(queue);
}

static void set_ends(void *set, uint64_t head, uint64_t tail)
{
	weft_spsc_queue *queue = set;

	atomic_store_explicit(&queue->tail_, tail, memory_order_relaxed);
	atomic_store_explicit(&queue->head_, head, memory_order_relaxed);
}

static void start_at(void *started, uint64_t ticket)
{
	weft_spsc_queue *queue = started;

	set_ends(queue, ticket, ticket);
	queue->tail_seen_ = ticket;
	queue->limit_ = ticket + queue->mask_ + 1;
	queue->stretch_end_ = ticket;
}

FIFO_BY_SIZE_BOUNDED(number_queue, weft_spsc_queue, uint64_t)
FIFO_BOUNDED(sized, number_queue)
FIFO_ENDS(sized, number_queue)
FIFO_ELEMENTS(sized, number_queue, uint64_t, itself, itself)

const fifo fifo_spsc_queue = {
	.name = "spsc_queue",
	.queue_bytes = sizeof(number_queue),
	.size_is_bound = true,
	FIFO_BOUNDED_CALLS(sized),
	FIFO_ENDS_CALLS(sized),
	FIFO_ELEMENTS_CALLS(sized),
	.cancel = cancel,
	.start_at = start_at,
	.set_ends = set_ends,
};

WEFT_SPSC_QUEUE_DEFINE(wide_queue, wide);
FIFO_BOUNDED(typed, wide_queue)
FIFO_ENDS(typed, wide_queue)
FIFO_ELEMENTS(typed, wide_queue, wide, wide_of, number_of_wide)

static void typed_cancel(void *queue)
{
	wide_queue_cancel(queue);
}

const fifo fifo_spsc_queue_typed = {
	.name = "spsc_queue, typed",
	.queue_bytes = sizeof(wide_queue),
	.size_is_bound = true,
	FIFO_BOUNDED_CALLS(typed),
	FIFO_ENDS_CALLS(typed),
	FIFO_ELEMENTS_CALLS(typed),
	.cancel = typed_cancel,
	.start_at = start_at,
	.set_ends = set_ends,
};

/* In place */

WEFT_SPSC_QUEUE_DEFINE(triple_queue, triple);
FIFO_BOUNDED(in_place, triple_queue)
FIFO_ENDS(in_place, triple_queue)

/* In two runs at most: to the end of the ring and from its start. */
static size_t in_place_try_push_batch(void *queue, const uint64_t *numbers, size_t count)
{
	size_t pushed = 0;

	for (int run = 0; run < 2 && pushed < count; run++) {
		size_t room = count - pushed;
		triple *elements;

		if (triple_queue_reserve(queue, &elements, &room) != 0)
			break;
		for (size_t i = 0; i < room; i++)
			elements[i] = triple_of(numbers[pushed + i]);
		if (triple_queue_commit(queue, room) != 0)
			break;
		pushed += room;
	}
	return pushed;
}

static size_t in_place_try_pop_batch(void *queue, uint64_t *numbers, size_t count)
{
	size_t popped = 0;

	for (int run = 0; run < 2 && popped < count; run++) {
		size_t inside = count - popped;
		triple *elements;

		if (triple_queue_peek(queue, &elements, &inside) != 0)
			break;
		for (size_t i = 0; i < inside; i++)
			numbers[popped + i] = number_of_triple(elements[i]);
		triple_queue_release(queue, inside);
		popped += inside;
	}
	return popped;
}

static bool in_place_try_push(void *queue, uint64_t number)
{
	return in_place_try_push_batch(queue, &number, 1) == 1;
}

static bool in_place_try_pop(void *queue, uint64_t *number)
{
	return in_place_try_pop_batch(queue, number, 1) == 1;
}

static int in_place_push(void *queue, uint64_t number)
{
	size_t room = 1;
	triple *element;
	int error = triple_queue_reserve(queue, &element, &room);

	if (error != 0)
		return error;
	*element = triple_of(number);
	return triple_queue_commit(queue, 1);
}

static int in_place_pop(void *queue, uint64_t *number)
{
	size_t inside = 1;
	triple *element;
	int error = triple_queue_peek(queue, &element, &inside);

	if (error == 0 && in_place_try_pop_batch(queue, number, 1) != 1)
		*number = FIFO_TORN;
	return error;
}

const fifo fifo_spsc_queue_in_place = {
	.name = "spsc_queue, in place",
	.queue_bytes = sizeof(triple_queue),
	.size_is_bound = true,
	FIFO_BOUNDED_CALLS(in_place),
	FIFO_ENDS_CALLS(in_place),
	FIFO_ELEMENTS_CALLS(in_place),
	.cancel = cancel,
	.start_at = start_at,
	.set_ends = set_ends,
};
/* By turns */

typedef struct spsc_by_turns {
	/* First, so that functions which only look take this for the queue. */
	weft_spsc_queue queue;
	pthread_mutex_t producer;
	pthread_mutex_t consumer;
} spsc_by_turns;

static int by_turns_init(void *made, size_t capacity)
{
	spsc_by_turns *queue = made;
	int error = sized_init(&queue->queue, capacity);

	if (error == 0) {
		pthread_mutex_init(&queue->producer, NULL);
		pthread_mutex_init(&queue->consumer, NULL);
	}
	return error;
}

static void by_turns_fini(void *ended)
{
	spsc_by_turns *queue = ended;

	sized_fini(&queue->queue);
	pthread_mutex_destroy(&queue->producer);
	pthread_mutex_destroy(&queue->consumer);
}

static bool by_turns_try_push(void *shared, uint64_t number)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	bool pushed = sized_try_push(&queue->queue, number);

	pthread_mutex_unlock(&queue->producer);
	return pushed;
}

static bool by_turns_try_pop(void *shared, uint64_t *number)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->consumer);
	bool popped = sized_try_pop(&queue->queue, number);

	pthread_mutex_unlock(&queue->consumer);
	return popped;
}

static size_t by_turns_try_push_batch(void *shared, const uint64_t *numbers, size_t count)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	size_t pushed = sized_try_push_batch(&queue->queue, numbers, count);

	pthread_mutex_unlock(&queue->producer);
	return pushed;
}

static size_t by_turns_try_pop_batch(void *shared, uint64_t *numbers, size_t count)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->consumer);
	size_t popped = sized_try_pop_batch(&queue->queue, numbers, count);

	pthread_mutex_unlock(&queue->consumer);
	return popped;
}

static int by_turns_push(void *shared, uint64_t number)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	int error = sized_push(&queue->queue, number);

	pthread_mutex_unlock(&queue->producer);
	return error;
}

static int by_turns_pop(void *shared, uint64_t *number)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->consumer);
	int error = sized_pop(&queue->queue, number);

	pthread_mutex_unlock(&queue->consumer);
	return error;
}

static void by_turns_close(void *shared)
{
	spsc_by_turns *queue = shared;

	pthread_mutex_lock(&queue->producer);
	sized_close(&queue->queue);
	pthread_mutex_unlock(&queue->producer);
}

const fifo fifo_spsc_queue_by_turns = {
	.name = "spsc_queue by turns",
	.queue_bytes = sizeof(spsc_by_turns),
	.init = by_turns_init,
	.fini = by_turns_fini,
	.capacity = sized_capacity,
	.size = sized_size,
	.try_push = by_turns_try_push,
	.try_pop = by_turns_try_pop,
	.try_push_batch = by_turns_try_push_batch,
	.try_pop_batch = by_turns_try_pop_batch,
	.push = by_turns_push,
	.pop = by_turns_pop,
	.close = by_turns_close,
	.is_closed = sized_is_closed,
	.cancel = cancel,
	.start_at = start_at,
	.set_ends = set_ends,
};
