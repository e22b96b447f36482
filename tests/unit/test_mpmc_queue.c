/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/mpmc_queue.h>

#include "../fifo.h"
#include "element_contract.h"
#include "fifo_contract.h"

ELEMENT_QUEUE(mpmc_queue, WEFT_MPMC_QUEUE_ELEMENT_MAX);

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

int main(void)
{
	static const fifo *const kinds[] = {&fifo_mpmc_queue, &fifo_mpmc_queue_typed, NULL};
	const struct CMUnitTest tests[] = {
		ELEMENT_TESTS(&elements_of_mpmc_queue),
		cmocka_unit_test_prestate(cuts_enormous_batches,
					  ELEMENT_STATE(&elements_of_mpmc_queue)),
		cmocka_unit_test(slots_have_their_promised_bytes),
		cmocka_unit_test(typed_wrappers_take_small_elements),
		cmocka_unit_test(stopped_producer_delays_its_slot),
		cmocka_unit_test(stopped_consumer_keeps_its_slot),
		cmocka_unit_test(batch_ends_at_a_stopped_thread),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
