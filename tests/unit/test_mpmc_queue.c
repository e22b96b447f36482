/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/mpmc_queue.h>

#include "../fifo.h"
#include "fifo_contract.h"

#define ELEMENT_MAX 264

/* Byte `at` of the element with this number. */
static unsigned char byte_of(size_t number, size_t at)
{
	return (unsigned char)(number * 37 + at * 11 + 1);
}

static void fill(unsigned char *element, size_t size, size_t number)
{
	for (size_t at = 0; at < size; at++)
		element[at] = byte_of(number, at);
}

static void assert_filled(const unsigned char *element, size_t size, size_t number)
{
	for (size_t at = 0; at < size; at++)
		assert_int_equal(element[at], byte_of(number, at));
}

/* The state is the element's size. A full queue, so that each slot has neighbours. */
static void elements_keep_their_bytes(void **state)
{
	size_t size = *(const size_t *)*state;
	unsigned char element[ELEMENT_MAX + 1], batch[8 * ELEMENT_MAX];
	weft_mpmc_queue queue;

	assert_int_equal(weft_mpmc_queue_init(&queue, 8, size), 0);
	for (size_t lap = 0; lap < 3; lap++) {
		for (size_t number = 0; number < 8; number++) {
			fill(element, size, lap + number);
			assert_true(weft_mpmc_queue_try_push(&queue, element));
		}
		for (size_t number = 0; number < 8; number++) {
			element[size] = 0xa5;
			assert_true(weft_mpmc_queue_try_pop(&queue, element));
			assert_filled(element, size, lap + number);
			assert_int_equal(element[size], 0xa5);
		}
		for (size_t number = 0; number < 8; number++)
			fill(batch + number * size, size, lap + number);
		assert_int_equal(weft_mpmc_queue_try_push_batch(&queue, batch, 8), 8);
		memset(batch, 0, sizeof(batch));
		assert_int_equal(weft_mpmc_queue_try_pop_batch(&queue, batch, 8), 8);
		for (size_t number = 0; number < 8; number++)
			assert_filled(batch + number * size, size, lap + number);
	}
	weft_mpmc_queue_fini(&queue);
}

static struct CMUnitTest bytes_test(const char *name, const size_t *size)
{
	return (struct CMUnitTest){name, elements_keep_their_bytes, NULL, NULL,
				   (void *)(uintptr_t)size};
}

static void refuses_element_sizes(void **state)
{
	static const size_t refused[] = {0, WEFT_MPMC_QUEUE_ELEMENT_MAX + 1, SIZE_MAX};
	static const weft_mpmc_queue zeroed;
	static WEFT_LINE_ALIGNED unsigned char line[WEFT_CACHE_LINE];
	weft_mpmc_queue queue;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_mpmc_queue_init(&queue, 4, refused[i]), -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		weft_mpmc_queue_fini(&queue);
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_mpmc_queue_init_in(&queue, line, sizeof(line), 4, refused[i]),
				 -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		assert_int_equal(weft_mpmc_queue_memory_size(4, refused[i]), 0);
	}
	assert_int_equal(weft_mpmc_queue_init(&queue, 2, WEFT_MPMC_QUEUE_ELEMENT_MAX), 0);
	weft_mpmc_queue_fini(&queue);
}

/* The header promises how much memory a slot takes. */
static void slots_have_their_promised_bytes(void **state)
{
	static const size_t size_and_bytes[][2] = {{1, 8},  {3, 8},   {4, 8},    {5, 16},
						   {8, 16}, {24, 32}, {264, 272}};

	(void)state;
	for (size_t i = 0; i < sizeof(size_and_bytes) / sizeof(size_and_bytes[0]); i++)
		assert_int_equal(weft_mpmc_queue_stride_(size_and_bytes[i][0]),
				 size_and_bytes[i][1]);
}

typedef struct three_bytes {
	unsigned char bytes[3];
} three_bytes;

WEFT_MPMC_QUEUE_DEFINE(byte_queue, unsigned char);
WEFT_MPMC_QUEUE_DEFINE(three_bytes_queue, three_bytes);

static void typed_wrappers_take_small_elements(void **state)
{
	static const three_bytes triples[2] = {{{1, 2, 3}}, {{4, 5, 6}}};
	static const unsigned char bytes[4] = {1, 2, 3, 4};
	three_bytes_queue of_triples;
	three_bytes triple;
	byte_queue of_bytes;
	unsigned char popped[4];

	(void)state;
	assert_int_equal(byte_queue_init(&of_bytes, 0), -EINVAL);
	assert_int_equal(byte_queue_init(&of_bytes, 3), 0);
	assert_int_equal(byte_queue_capacity(&of_bytes), 4);
	assert_int_equal(byte_queue_try_push_batch(&of_bytes, bytes, 4), 4);
	assert_int_equal(byte_queue_size(&of_bytes), 4);
	assert_int_equal(byte_queue_try_pop_batch(&of_bytes, popped, 4), 4);
	assert_memory_equal(popped, bytes, 4);
	byte_queue_fini(&of_bytes);

	assert_int_equal(three_bytes_queue_init(&of_triples, 2), 0);
	assert_true(three_bytes_queue_try_push(&of_triples, triples[0]));
	assert_true(three_bytes_queue_try_push(&of_triples, triples[1]));
	assert_false(three_bytes_queue_try_push(&of_triples, triples[1]));
	for (int i = 0; i < 2; i++) {
		assert_true(three_bytes_queue_try_pop(&of_triples, &triple));
		assert_memory_equal(&triple, &triples[i], sizeof(triple));
	}
	three_bytes_queue_fini(&of_triples);
}

/* A producer that has its ticket and is then stopped: later elements wait behind its slot. */
static void stopped_producer_delays_its_slot(void **state)
{
	weft_mpmc_queue queue;
	uint64_t first = 1, second = 2, popped;

	(void)state;
	assert_int_equal(weft_mpmc_queue_init(&queue, 4, sizeof(uint64_t)), 0);
	atomic_store_explicit(&queue.tail_, 2 * 1, memory_order_relaxed);
	assert_true(weft_mpmc_queue_try_push(&queue, &second));
	assert_int_equal(weft_mpmc_queue_size(&queue), 2);
	assert_false(weft_mpmc_queue_try_pop(&queue, &popped));
	/* Closed, but not drained. */
	weft_mpmc_queue_close(&queue);
	assert_int_equal(weft_mpmc_queue_pop(&queue, &popped), -EAGAIN);

	/* It goes on. */
	unsigned char *slot = weft_mpmc_queue_slot_(&queue, 0, sizeof(uint64_t));

	memcpy(slot + weft_mpmc_queue_header_(sizeof(uint64_t)), &first, sizeof(first));
	atomic_store_explicit(weft_mpmc_queue_turn_(slot), 1, memory_order_release);
	assert_true(weft_mpmc_queue_try_pop(&queue, &popped));
	assert_int_equal(popped, first);
	assert_true(weft_mpmc_queue_try_pop(&queue, &popped));
	assert_int_equal(popped, second);
	assert_int_equal(weft_mpmc_queue_pop(&queue, &popped), -EPIPE);
	weft_mpmc_queue_fini(&queue);
}

/* A consumer that has its ticket and is then stopped: nothing is written into the slot it reads. */
static void stopped_consumer_keeps_its_slot(void **state)
{
	weft_mpmc_queue queue;
	uint64_t values[3] = {1, 2, 3}, popped;

	(void)state;
	assert_int_equal(weft_mpmc_queue_init(&queue, 2, sizeof(uint64_t)), 0);
	assert_int_equal(weft_mpmc_queue_try_push_batch(&queue, values, 2), 2);
	atomic_store_explicit(&queue.head_, 2 * 1, memory_order_relaxed);
	assert_true(weft_mpmc_queue_try_pop(&queue, &popped));
	assert_int_equal(popped, 2);
	assert_int_equal(weft_mpmc_queue_size(&queue), 0);
	assert_false(weft_mpmc_queue_try_push(&queue, &values[2]));
	assert_int_equal(weft_mpmc_queue_try_push_batch(&queue, values, 2), 0);

	/* It goes on. */
	unsigned char *slot = weft_mpmc_queue_slot_(&queue, 0, sizeof(uint64_t));

	atomic_store_explicit(weft_mpmc_queue_turn_(slot), 2, memory_order_release);
	assert_true(weft_mpmc_queue_try_push(&queue, &values[2]));
	assert_true(weft_mpmc_queue_try_pop(&queue, &popped));
	assert_int_equal(popped, 3);
	weft_mpmc_queue_fini(&queue);
}

/* A batch ends before the slot of a stopped thread, and does not jump over it. */
static void batch_ends_at_a_stopped_thread(void **state)
{
	weft_mpmc_queue queue;
	uint64_t values[4] = {1, 2, 3, 4}, popped[4];

	(void)state;
	assert_int_equal(weft_mpmc_queue_init(&queue, 4, sizeof(uint64_t)), 0);
	assert_int_equal(weft_mpmc_queue_try_push_batch(&queue, values, 1), 1);
	atomic_store_explicit(&queue.tail_, 2 * 2, memory_order_relaxed);
	assert_int_equal(weft_mpmc_queue_try_push_batch(&queue, values + 2, 2), 2);
	assert_int_equal(weft_mpmc_queue_try_pop_batch(&queue, popped, 4), 1);
	assert_int_equal(popped[0], 1);
	assert_int_equal(weft_mpmc_queue_try_pop_batch(&queue, popped, 4), 0);
	/* One slot is free, the next is the stopped producer's. */
	assert_int_equal(weft_mpmc_queue_try_push_batch(&queue, values, 4), 1);
	weft_mpmc_queue_fini(&queue);
}

/* Only a few slots since the last time: not none, not one, not many. Tickets count twice. */
static void looks_twice_at_the_heels(void **state)
{
	static const struct {
		uint64_t ticket;
		bool twice;
	} looks[] = {{0, false},  {2, false},   {6, true},   {6, false},
		     {132, true}, {260, false}, {264, true}, {266, false}};
	WEFT_ATOMIC(uint64_t) last;

	(void)state;
	/* Also where the tickets start again from 0. */
	for (uint64_t start = 0; start < 400; start += 2) {
		atomic_init(&last, 0 - start);
		for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++)
			assert_int_equal(weft_cpu_rest_behind_(&last, looks[i].ticket - start),
					 looks[i].twice);
	}
}

int main(void)
{
	static const size_t sizes[] = {1, 3, 4, 5, 8, 24, ELEMENT_MAX};
	static const fifo *const kinds[] = {&fifo_mpmc_queue, &fifo_mpmc_queue_typed, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_element_sizes),
		cmocka_unit_test(slots_have_their_promised_bytes),
		bytes_test("elements of 1 byte", &sizes[0]),
		bytes_test("elements of 3 bytes", &sizes[1]),
		bytes_test("elements of 4 bytes", &sizes[2]),
		bytes_test("elements of 5 bytes", &sizes[3]),
		bytes_test("elements of 8 bytes", &sizes[4]),
		bytes_test("elements of 24 bytes", &sizes[5]),
		bytes_test("elements of 264 bytes", &sizes[6]),
		cmocka_unit_test(typed_wrappers_take_small_elements),
		cmocka_unit_test(stopped_producer_delays_its_slot),
		cmocka_unit_test(stopped_consumer_keeps_its_slot),
		cmocka_unit_test(batch_ends_at_a_stopped_thread),
		cmocka_unit_test(looks_twice_at_the_heels),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
