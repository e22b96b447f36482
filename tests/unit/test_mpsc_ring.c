/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/mpsc_ring.h>

#include "../fifo.h"
#include "element_contract.h"
#include "fifo_contract.h"

ELEMENT_QUEUE(mpsc_ring, WEFT_MPSC_RING_ELEMENT_MAX);

/* The header promises how much memory a slot takes. */
static void slots_have_their_promised_bytes(void **state)
{
	static const size_t size_and_bytes[][2] = {{1, 8},  {3, 8},   {4, 8},    {5, 16},
						   {8, 16}, {24, 32}, {264, 272}};

	(void)state;
	for (size_t i = 0; i < sizeof(size_and_bytes) / sizeof(size_and_bytes[0]); i++)
		assert_int_equal(weft_mpsc_ring_stride_(size_and_bytes[i][0]),
				 size_and_bytes[i][1]);
}

typedef struct three_bytes {
	unsigned char bytes[3];
} three_bytes;

WEFT_MPSC_RING_DEFINE(byte_queue, unsigned char);
WEFT_MPSC_RING_DEFINE(three_bytes_queue, three_bytes);

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
	weft_mpsc_ring queue;
	uint64_t first = 1, second = 2, popped;
	void *oldest = NULL;

	(void)state;
	assert_int_equal(weft_mpsc_ring_init(&queue, 4, sizeof(uint64_t)), 0);
	atomic_store_explicit(&queue.tail_, WEFT_MPSC_RING_TICKET_, memory_order_relaxed);
	assert_true(weft_mpsc_ring_try_push(&queue, &second));
	weft_mpsc_ring_close(&queue);
	assert_int_equal(weft_mpsc_ring_size(&queue), 2);
	assert_false(weft_mpsc_ring_try_pop(&queue, &popped));
	assert_int_equal(weft_mpsc_ring_pop(&queue, &popped), -EAGAIN);
	assert_int_equal(weft_mpsc_ring_peek(&queue, &oldest), -EAGAIN);
	assert_null(oldest);

	/* It goes on. */
	unsigned char *slot = weft_mpsc_ring_slot_(&queue, 0, sizeof(uint64_t));

	memcpy(slot + weft_mpsc_ring_header_(sizeof(uint64_t)), &first, sizeof(first));
	atomic_store_explicit(weft_mpsc_ring_turn_(slot), 1, memory_order_release);
	assert_true(weft_mpsc_ring_try_pop(&queue, &popped));
	assert_int_equal(popped, first);
	assert_int_equal(weft_mpsc_ring_pop(&queue, &popped), 0);
	assert_int_equal(popped, second);
	assert_int_equal(weft_mpsc_ring_pop(&queue, &popped), -EPIPE);
	weft_mpsc_ring_fini(&queue);
}

/* A batch ends before the slot of a stopped producer, and does not jump over it. */
static void batch_ends_at_a_stopped_producer(void **state)
{
	weft_mpsc_ring queue;
	uint64_t values[4] = {1, 2, 3, 4}, popped[4];

	(void)state;
	assert_int_equal(weft_mpsc_ring_init(&queue, 4, sizeof(uint64_t)), 0);
	assert_int_equal(weft_mpsc_ring_try_push_batch(&queue, values, 1), 1);
	atomic_store_explicit(&queue.tail_, 2 * WEFT_MPSC_RING_TICKET_, memory_order_relaxed);
	assert_int_equal(weft_mpsc_ring_try_push_batch(&queue, values + 2, 2), 2);
	assert_int_equal(weft_mpsc_ring_try_pop_batch(&queue, popped, 4), 1);
	assert_int_equal(popped[0], 1);
	assert_int_equal(weft_mpsc_ring_try_pop_batch(&queue, popped, 4), 0);
	assert_int_equal(weft_mpsc_ring_try_push_batch(&queue, values, 4), 1);
	weft_mpsc_ring_fini(&queue);
}

/* A ring so large that laps come round with the tickets, before the turns do; batches that go
 * there.
 */
static void batches_see_the_last_lap_end(void **state)
{
	const uint64_t last = UINT64_MAX / WEFT_MPSC_RING_TICKET_;
	uint64_t values[4] = {1, 2, 3, 4}, popped[4];
	weft_mpsc_ring queue;

	(void)state;
	assert_int_equal(weft_mpsc_ring_init(&queue, 1 << 17, sizeof(uint64_t)), 0);
	for (uint64_t before = 0; before < 4; before++) {
		fifo_mpsc_ring.start_at(&queue, last - before);
		assert_int_equal(weft_mpsc_ring_try_push_batch(&queue, values, 4), 4);
		for (size_t i = 0; i < 4; i++) {
			assert_true(weft_mpsc_ring_try_pop(&queue, popped));
			assert_int_equal(popped[0], values[i]);
		}
		fifo_mpsc_ring.start_at(&queue, last - before);
		for (size_t i = 0; i < 4; i++)
			assert_true(weft_mpsc_ring_try_push(&queue, &values[i]));
		assert_int_equal(weft_mpsc_ring_try_pop_batch(&queue, popped, 4), 4);
		assert_memory_equal(popped, values, sizeof(values));
	}
	weft_mpsc_ring_fini(&queue);
}

/* Claims take room as tickets do, and one that is under way keeps a closed queue from its end. */
static void claims_count_as_tickets(void **state)
{
	uint64_t values[4] = {1, 2, 3, 4}, ticket = 1, popped[4];
	weft_mpsc_ring queue;

	(void)state;
	for (uint64_t claims = 0; claims <= 4; claims++) {
		assert_int_equal(weft_mpsc_ring_init(&queue, 4, sizeof(uint64_t)), 0);
		fifo_mpsc_ring.start_at(&queue, UINT64_MAX - 1);
		atomic_fetch_add_explicit(&queue.tail_, claims * WEFT_MPSC_RING_CLAIM_,
					  memory_order_relaxed);
		assert_int_equal(weft_mpsc_ring_size(&queue), 0);
		assert_int_equal(weft_mpsc_ring_try_push_batch(&queue, values, 5), 4 - claims);
		assert_false(weft_mpsc_ring_try_push(&queue, values));
		assert_int_equal(weft_mpsc_ring_size(&queue), 4 - claims);
		assert_int_equal(weft_mpsc_ring_claim_(&queue, &ticket), 0);
		weft_mpsc_ring_close(&queue);
		assert_int_equal(weft_mpsc_ring_try_pop_batch(&queue, popped, 4), 4 - claims);
		assert_int_equal(weft_mpsc_ring_pop(&queue, popped), claims > 0 ? -EAGAIN : -EPIPE);
		/* The claims become tickets, or not. */
		for (uint64_t i = 0; i < claims; i++)
			atomic_fetch_sub_explicit(&queue.tail_, WEFT_MPSC_RING_CLAIM_,
						  memory_order_relaxed);
		assert_int_equal(weft_mpsc_ring_get_(&queue, &ticket, 1), 0);
		assert_int_equal(weft_mpsc_ring_claim_(&queue, &ticket), 0);
		assert_int_equal(ticket, 1);
		assert_int_equal(weft_mpsc_ring_pop(&queue, popped), -EPIPE);
		weft_mpsc_ring_fini(&queue);
	}
}

/* Those who lose every exchange have their tickets as others do, and fill the queue. */
static void claims_become_tickets(void **state)
{
	uint64_t value = 0, ticket, popped;
	weft_mpsc_ring queue;

	(void)state;
	assert_int_equal(weft_mpsc_ring_init(&queue, 4, sizeof(uint64_t)), 0);
	fifo_mpsc_ring.start_at(&queue, UINT64_MAX - 20);
	for (int lap = 0; lap < 10; lap++) {
		for (int i = 0; i < 4; i++, value++) {
			if (i % 2 != lap % 2) {
				assert_true(weft_mpsc_ring_try_push(&queue, &value));
				continue;
			}
			assert_int_equal(weft_mpsc_ring_claim_(&queue, &ticket), 1);
			weft_mpsc_ring_fill_(&queue, ticket, &value, 1, sizeof(value));
		}
		assert_int_equal(weft_mpsc_ring_claim_(&queue, &ticket), 0);
		assert_int_equal(weft_mpsc_ring_size(&queue), 4);
		for (uint64_t i = value - 4; i < value; i++) {
			assert_true(weft_mpsc_ring_try_pop(&queue, &popped));
			assert_int_equal(popped, i);
		}
	}
	weft_mpsc_ring_fini(&queue);
}

WEFT_MPSC_RING_DEFINE(numbers, uint64_t);

/* The oldest element stays where it is, and its slot full, until it is released or popped. */
static void gives_the_oldest_in_place(void **state)
{
	uint64_t *oldest = NULL, *again = NULL, popped;
	numbers queue;

	(void)state;
	assert_int_equal(numbers_init(&queue, 2), 0);
	assert_int_equal(numbers_peek(&queue, &oldest), -EAGAIN);
	assert_null(oldest);
	assert_int_equal(numbers_push(&queue, 1), 0);
	assert_int_equal(numbers_push(&queue, 2), 0);
	assert_int_equal(numbers_peek(&queue, &oldest), 0);
	assert_int_equal((uintptr_t)oldest % 8, 0);
	assert_int_equal(*oldest, 1);
	*oldest = 77;
	assert_int_equal(numbers_push(&queue, 3), -EAGAIN);
	assert_int_equal(numbers_peek(&queue, &again), 0);
	assert_ptr_equal(again, oldest);
	assert_int_equal(*again, 77);
	numbers_release(&queue);
	assert_int_equal(numbers_push(&queue, 3), 0);
	numbers_close(&queue);
	assert_int_equal(numbers_peek(&queue, &oldest), 0);
	assert_int_equal(*oldest, 2);
	assert_int_equal(numbers_pop(&queue, &popped), 0);
	assert_int_equal(popped, 2);
	assert_int_equal(numbers_peek(&queue, &oldest), 0);
	assert_int_equal(*oldest, 3);
	numbers_release(&queue);
	assert_int_equal(numbers_peek(&queue, &oldest), -EPIPE);
	numbers_fini(&queue);
}

int main(void)
{
	static const fifo *const kinds[] = {&fifo_mpsc_ring, &fifo_mpsc_ring_in_place, NULL};
	const struct CMUnitTest tests[] = {
		ELEMENT_TESTS(&elements_of_mpsc_ring),
		cmocka_unit_test(slots_have_their_promised_bytes),
		cmocka_unit_test(typed_wrappers_take_small_elements),
		cmocka_unit_test(stopped_producer_delays_its_slot),
		cmocka_unit_test(batch_ends_at_a_stopped_producer),
		cmocka_unit_test(batches_see_the_last_lap_end),
		cmocka_unit_test_prestate(cuts_enormous_batches,
					  ELEMENT_STATE(&elements_of_mpsc_ring)),
		cmocka_unit_test(claims_count_as_tickets),
		cmocka_unit_test(claims_become_tickets),
		cmocka_unit_test(gives_the_oldest_in_place),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
