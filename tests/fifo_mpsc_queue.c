/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpsc_queue: each push allocates a node and each pop frees one, so that a node which is used for
 * too long is found. Batches go in as chains; out of the queue they come node by node, or, for a
 * batch of two and more, as all that is inside, of which what is too much is handed out later.
 */

#include "fifo.h"

#include <errno.h>
#include <stdlib.h>

#include <weft/lockfree/mpsc_queue.h>

typedef struct number_node {
	uint64_t number;
	weft_mpsc_queue_node node;
} number_node;

typedef struct heap_queue {
	weft_mpsc_queue queue;
	/* The consumer's; used up before it pops again. */
	weft_mpsc_queue_chain chain;
} heap_queue;

static int heap_init(void *made, size_t capacity)
{
	heap_queue *self = made;

	(void)capacity;
	weft_mpsc_queue_init(&self->queue);
	self->chain.first_ = NULL;
	return 0;
}

/* Only the nodes have memory. */
static uint64_t number_of(weft_mpsc_queue_node *node)
{
	number_node *popped = (number_node *)(void *)((char *)node - offsetof(number_node, node));
	uint64_t number = popped->number;

	free(popped);
	return number;
}

static int heap_pop(void *shared, uint64_t *number)
{
	heap_queue *self = shared;
	weft_mpsc_queue_node *node;
	int error = weft_mpsc_queue_chain_pop(&self->chain, &node);

	if (error == -ENODATA)
		error = weft_mpsc_queue_pop(&self->queue, &node);
	if (error == 0)
		*number = number_of(node);
	return error;
}

static bool heap_try_pop(void *shared, uint64_t *number)
{
	heap_queue *self = shared;
	weft_mpsc_queue_node *node;

	if (self->chain.first_ != NULL)
		return heap_pop(shared, number) == 0;
	if (!weft_mpsc_queue_try_pop(&self->queue, &node))
		return false;
	*number = number_of(node);
	return true;
}

static void heap_fini(void *ended)
{
	uint64_t number;

	while (heap_try_pop(ended, &number))
		;
}

static size_t heap_capacity(const void *queue)
{
	(void)queue;
	return SIZE_MAX;
}

/* It has none. */
static size_t heap_size(const void *queue)
{
	(void)queue;
	return 0;
}

static size_t heap_try_push_batch(void *shared, const uint64_t *numbers, size_t count)
{
	heap_queue *self = shared;
	weft_mpsc_queue_node *first = NULL, *last = NULL;

	for (size_t i = count; i > 0; i--) {
		number_node *made = malloc(sizeof(*made));

		if (made == NULL)
			abort();
		made->number = numbers[i - 1];
		if (first == NULL)
			last = &made->node;
		else
			weft_mpsc_queue_link(&made->node, first);
		first = &made->node;
	}
	if (count == 0 || weft_mpsc_queue_push_chain(&self->queue, first, last) == 0)
		return count;
	/* Refused, they are ours. */
	while (first != last) {
		weft_mpsc_queue_node *next = weft_mpsc_queue_next_(first);

		number_of(first);
		first = next;
	}
	number_of(last);
	return 0;
}

static int heap_push(void *shared, uint64_t number)
{
	return heap_try_push_batch(shared, &number, 1) == 1 ? 0 : -EPIPE;
}

static bool heap_try_push(void *shared, uint64_t number)
{
	return heap_push(shared, number) == 0;
}

static size_t heap_try_pop_batch(void *shared, uint64_t *numbers, size_t count)
{
	heap_queue *self = shared;
	size_t popped = 0;

	if (count > 1 && self->chain.first_ == NULL)
		weft_mpsc_queue_pop_all(&self->queue, &self->chain);
	while (popped < count && heap_try_pop(shared, &numbers[popped]))
		popped++;
	return popped;
}

static void heap_close(void *queue)
{
	weft_mpsc_queue_close(&((heap_queue *)queue)->queue);
}

static bool heap_is_closed(const void *queue)
{
	return weft_mpsc_queue_is_closed(&((const heap_queue *)queue)->queue);
}

/* There are no tickets. */
static void heap_start_at(void *queue, uint64_t ticket)
{
	(void)queue;
	(void)ticket;
}

const fifo fifo_mpsc_queue = {
	.name = "mpsc_queue",
	.queue_bytes = sizeof(heap_queue),
	.init = heap_init,
	.fini = heap_fini,
	.capacity = heap_capacity,
	.size = heap_size,
	.try_push = heap_try_push,
	.try_pop = heap_try_pop,
	.try_push_batch = heap_try_push_batch,
	.try_pop_batch = heap_try_pop_batch,
	.push = heap_push,
	.pop = heap_pop,
	.close = heap_close,
	.is_closed = heap_is_closed,
	.start_at = heap_start_at,
};
