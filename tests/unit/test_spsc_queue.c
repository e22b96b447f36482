/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/spsc_queue.h>

#include "../fifo.h"
#include "fifo_contract.h"

#define ELEMENT_MAX 264

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

/*
 * The state is the element's size. The batches of five go round the end of a ring of eight at
 * every place.
 */
static void elements_keep_their_bytes(void **state)
{
	size_t size = *(const size_t *)*state;
	unsigned char element[ELEMENT_MAX + 1], batch[5 * ELEMENT_MAX + 1];
	weft_spsc_queue queue;

	assert_int_equal(weft_spsc_queue_init(&queue, 8, size), 0);
	for (size_t lap = 0; lap < 24; lap++) {
		for (size_t number = 0; number < 5; number++)
			fill(batch + number * size, size, lap + number);
		assert_int_equal(weft_spsc_queue_try_push_batch(&queue, batch, 5), 5);
		fill(element, size, lap + 5);
		assert_true(weft_spsc_queue_try_push(&queue, element));
		memset(batch, 0xa5, sizeof(batch));
		assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, batch, 5), 5);
		for (size_t number = 0; number < 5; number++)
			assert_filled(batch + number * size, size, lap + number);
		assert_int_equal(batch[5 * size], 0xa5);
		element[size] = 0xa5;
		assert_true(weft_spsc_queue_try_pop(&queue, element));
		assert_filled(element, size, lap + 5);
		assert_int_equal(element[size], 0xa5);
	}
	weft_spsc_queue_fini(&queue);
}

static struct CMUnitTest bytes_test(const char *name, const size_t *size)
{
	return (struct CMUnitTest){name, elements_keep_their_bytes, NULL, NULL,
				   (void *)(uintptr_t)size};
}

static void refuses_element_sizes(void **state)
{
	static const size_t refused[] = {0, WEFT_SPSC_QUEUE_ELEMENT_MAX + 1, SIZE_MAX};
	static const weft_spsc_queue zeroed;
	weft_spsc_queue queue;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_spsc_queue_init(&queue, 4, refused[i]), -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		weft_spsc_queue_fini(&queue);
	}
	assert_int_equal(weft_spsc_queue_init(&queue, 2, WEFT_SPSC_QUEUE_ELEMENT_MAX), 0);
	weft_spsc_queue_fini(&queue);
}

typedef struct three_bytes {
	unsigned char bytes[3];
} three_bytes;

WEFT_SPSC_QUEUE_DEFINE(three_bytes_queue, three_bytes);

static void typed_wrappers_take_small_elements(void **state)
{
	static const three_bytes triples[4] = {{{1, 2, 3}}, {{4, 5, 6}}, {{7, 8, 9}}, {{9, 8, 7}}};
	three_bytes_queue queue;
	three_bytes popped[4];

	(void)state;
	assert_int_equal(three_bytes_queue_init(&queue, 0), -EINVAL);
	assert_int_equal(three_bytes_queue_init(&queue, 3), 0);
	assert_int_equal(three_bytes_queue_capacity(&queue), 4);
	assert_true(three_bytes_queue_try_push(&queue, triples[0]));
	assert_int_equal(three_bytes_queue_try_push_batch(&queue, triples + 1, 3), 3);
	assert_int_equal(three_bytes_queue_size(&queue), 4);
	assert_false(three_bytes_queue_try_push(&queue, triples[0]));
	assert_true(three_bytes_queue_try_pop(&queue, popped));
	assert_int_equal(three_bytes_queue_try_pop_batch(&queue, popped + 1, 4), 3);
	assert_memory_equal(popped, triples, sizeof(popped));
	three_bytes_queue_fini(&queue);
}

/*
 * Each side looks at the other's index only when its copy is not enough: room and elements that the
 * other side made since the last look are found.
 */
static void looks_again_before_it_refuses(void **state)
{
	weft_spsc_queue queue;
	uint64_t values[4] = {1, 2, 3, 4}, popped[4];

	(void)state;
	assert_int_equal(weft_spsc_queue_init(&queue, 4, sizeof(uint64_t)), 0);
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 2), 2);
	assert_true(weft_spsc_queue_try_pop(&queue, popped));
	assert_int_equal(queue.tail_seen_, 2);
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 2), 2);
	assert_int_equal(queue.head_seen_, 0);
	/* One is known to be inside; three are. */
	assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, popped, 4), 3);
	assert_int_equal(queue.tail_seen_, 4);
	/* No room is known; there are four. */
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 4), 4);
	assert_int_equal(queue.head_seen_, 4);
	weft_spsc_queue_fini(&queue);
}

int main(void)
{
	static const size_t sizes[] = {1, 3, 4, 5, 8, 24, ELEMENT_MAX};
	static const fifo *const kinds[] = {&fifo_spsc_queue, &fifo_spsc_queue_typed, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_element_sizes),
		bytes_test("elements of 1 byte", &sizes[0]),
		bytes_test("elements of 3 bytes", &sizes[1]),
		bytes_test("elements of 4 bytes", &sizes[2]),
		bytes_test("elements of 5 bytes", &sizes[3]),
		bytes_test("elements of 8 bytes", &sizes[4]),
		bytes_test("elements of 24 bytes", &sizes[5]),
		bytes_test("elements of 264 bytes", &sizes[6]),
		cmocka_unit_test(typed_wrappers_take_small_elements),
		cmocka_unit_test(looks_again_before_it_refuses),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
