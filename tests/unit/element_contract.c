/* SPDX-License-Identifier: Apache-2.0 */
#include "element_contract.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/base.h>

/* Larger than a line, and no power of two. */
#define ELEMENT_MAX 264

#define CAPACITY ((size_t)8)

static void fill(unsigned char *element, size_t size, size_t number)
{
	for (size_t at = 0; at < size; at++)
		element[at] = (unsigned char)(number * 37 + at * 11 + 1);
}

static void assert_filled(const unsigned char *element, size_t size, size_t number)
{
	unsigned char expected[ELEMENT_MAX];

	fill(expected, size, number);
	assert_memory_equal(element, expected, size);
}

static void *zeroed_queue(const element_queue *kind)
{
	void *queue = aligned_alloc(WEFT_CACHE_LINE, kind->queue_bytes);

	assert_non_null(queue);
	memset(queue, 0, kind->queue_bytes);
	return queue;
}

static void push_one(const element_queue *kind, void *queue, size_t size, size_t number)
{
	unsigned char element[ELEMENT_MAX];

	fill(element, size, number);
	assert_true(kind->try_push(queue, element));
}

/* Nothing behind the element is written. */
static void pop_one(const element_queue *kind, void *queue, size_t size, size_t number)
{
	unsigned char element[ELEMENT_MAX + 1];

	element[size] = 0xa5;
	assert_true(kind->try_pop(queue, element));
	assert_filled(element, size, number);
	assert_int_equal(element[size], 0xa5);
}

static void push_batch(const element_queue *kind, void *queue, size_t size, size_t first,
		       size_t count)
{
	unsigned char batch[CAPACITY * ELEMENT_MAX];

	for (size_t i = 0; i < count; i++)
		fill(batch + i * size, size, first + i);
	assert_int_equal(kind->try_push_batch(queue, batch, count), count);
}

static void pop_batch(const element_queue *kind, void *queue, size_t size, size_t first,
		      size_t count)
{
	unsigned char batch[CAPACITY * ELEMENT_MAX + 1];

	batch[count * size] = 0xa5;
	assert_int_equal(kind->try_pop_batch(queue, batch, count), count);
	for (size_t i = 0; i < count; i++)
		assert_filled(batch + i * size, size, first + i);
	assert_int_equal(batch[count * size], 0xa5);
}

/*
 * In a full queue, where each slot has neighbours, singly and in batches; and in batches of five
 * and one more element, so that they go round the end of the ring at every place.
 */
static void keeps_bytes_of(const element_queue *kind, size_t size)
{
	void *queue = zeroed_queue(kind);

	assert_int_equal(kind->init(queue, CAPACITY, size), 0);
	for (size_t lap = 0; lap < 3; lap++) {
		for (size_t i = 0; i < CAPACITY; i++)
			push_one(kind, queue, size, lap + i);
		for (size_t i = 0; i < CAPACITY; i++)
			pop_one(kind, queue, size, lap + i);
		push_batch(kind, queue, size, lap, CAPACITY);
		pop_batch(kind, queue, size, lap, CAPACITY);
	}
	for (size_t lap = 0; lap < 3 * CAPACITY; lap++) {
		push_batch(kind, queue, size, lap, 5);
		push_one(kind, queue, size, lap + 5);
		pop_batch(kind, queue, size, lap, 5);
		pop_one(kind, queue, size, lap + 5);
	}
	kind->fini(queue);
	free(queue);
}

void elements_keep_their_bytes(void **state)
{
	static const size_t sizes[] = {1, 2, 3, 4, 5, 8, 12, 16, 17, 24, 64, ELEMENT_MAX};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		keeps_bytes_of(*state, sizes[i]);
}

static void assert_zeroed(const element_queue *kind, const void *queue)
{
	const unsigned char *bytes = queue;

	for (size_t i = 0; i < kind->queue_bytes; i++)
		assert_int_equal(bytes[i], 0);
}

/* What is refused leaves a zeroed queue, which fini accepts. The largest size is taken. */
void refuses_element_sizes(void **state)
{
	static WEFT_LINE_ALIGNED unsigned char memory[1024];
	const element_queue *kind = *state;
	const size_t refused[] = {0, kind->element_max + 1, SIZE_MAX};
	void *queue = zeroed_queue(kind);

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset(queue, 0xa5, kind->queue_bytes);
		assert_int_equal(kind->init(queue, 4, refused[i]), -EINVAL);
		assert_zeroed(kind, queue);
		kind->fini(queue);
		if (kind->init_in == NULL)
			continue;
		memset(queue, 0xa5, kind->queue_bytes);
		assert_int_equal(kind->init_in(queue, memory, sizeof(memory), 4, refused[i]),
				 -EINVAL);
		assert_zeroed(kind, queue);
		kind->fini(queue);
		assert_int_equal(kind->memory_size(4, refused[i]), 0);
	}
	assert_int_equal(kind->init(queue, 2, kind->element_max), 0);
	kind->fini(queue);
	assert_true(kind->memory_size == NULL || kind->memory_size(2, kind->element_max) > 0);
	free(queue);
}

/* More than can ever be inside is as much as there is room for, or as there is. */
void cuts_enormous_batches(void **state)
{
	static const size_t counts[] = {5,
					(size_t)1 << 32,
					(size_t)1 << 47,
					(size_t)1 << 48,
					(size_t)1 << 62,
					(size_t)1 << 63,
					SIZE_MAX / 2,
					SIZE_MAX};
	const element_queue *kind = *state;
	const uint64_t elements[4] = {1, 2, 3, 4};
	uint64_t popped[5] = {0};
	void *queue = zeroed_queue(kind);

	assert_int_equal(kind->init(queue, 4, sizeof(uint64_t)), 0);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		assert_int_equal(kind->try_push_batch(queue, elements, counts[i]), 4);
		assert_int_equal(kind->try_push_batch(queue, elements, counts[i]), 0);
		assert_int_equal(kind->try_pop_batch(queue, popped, counts[i]), 4);
		assert_int_equal(kind->try_pop_batch(queue, popped, counts[i]), 0);
		assert_memory_equal(popped, elements, sizeof(elements));
		assert_int_equal(popped[4], 0);
	}
	kind->fini(queue);
	free(queue);
}
