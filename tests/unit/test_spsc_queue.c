/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/spsc_queue.h>

#include "../fifo.h"
#include "element_contract.h"
#include "fifo_contract.h"

ELEMENT_QUEUE(spsc_queue, WEFT_SPSC_QUEUE_ELEMENT_MAX);

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
	size_t count = SIZE_MAX;
	void *room;

	(void)state;
	assert_int_equal(weft_spsc_queue_init(&queue, 4, sizeof(uint64_t)), 0);
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 2), 2);
	assert_true(weft_spsc_queue_try_pop(&queue, popped));
	assert_int_equal(queue.tail_seen_, 2);
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 2), 2);
	assert_int_equal(queue.limit_, 4);
	/* One is known to be inside; three are. */
	assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, popped, 4), 3);
	assert_int_equal(queue.tail_seen_, 4);
	/* No room is known; there are four. */
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 4), 4);
	assert_int_equal(queue.limit_, 8);
	/* However much is asked for. */
	assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, popped, 4), 4);
	assert_int_equal(weft_spsc_queue_reserve(&queue, &room, &count), 0);
	assert_int_equal(count, 4);
	/* Nothing, however much room is known, once it is cancelled. */
	weft_spsc_queue_cancel(&queue);
	count = SIZE_MAX;
	assert_int_equal(weft_spsc_queue_reserve(&queue, &room, &count), -EPIPE);
	weft_spsc_queue_fini(&queue);
}

/* A side that has found little twice rests before it looks again; and only then. */
static void rests_on_the_heels_of_the_other(void **state)
{
	uint64_t values[64] = {0};
	weft_spsc_queue queue;

	(void)state;
	assert_int_equal(weft_spsc_queue_init(&queue, 4096, sizeof(uint64_t)), 0);
	/* None of these rests is watched. */
	queue.consumer_pace_.rests = 1;
	for (uint32_t again = 0; again < 4; again++) {
		assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 10), 10);
		for (int i = 0; i < 10; i++) {
			assert_true(weft_spsc_queue_try_pop(&queue, values));
			assert_int_equal(queue.consumer_pace_.pauses, again == 0 ? 0 : 5);
		}
	}
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 64), 64);
	assert_true(weft_spsc_queue_try_pop(&queue, values));
	assert_int_equal(queue.consumer_pace_.pauses, 32);
	assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, values, 63), 63);
	/* When there was nothing it begins anew. */
	assert_false(weft_spsc_queue_try_pop(&queue, values));
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 10), 10);
	assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, values, 10), 10);
	assert_int_equal(queue.consumer_pace_.pauses, 0);
	/* One at a time is not on its heels. */
	for (int i = 0; i < 3; i++) {
		assert_true(weft_spsc_queue_try_push(&queue, values));
		assert_true(weft_spsc_queue_try_pop(&queue, values));
		assert_int_equal(queue.consumer_pace_.pauses, 0);
	}
	weft_spsc_queue_fini(&queue);

	/* The producer, on the heels of a consumer that makes room for 8. */
	assert_int_equal(weft_spsc_queue_init(&queue, 64, sizeof(uint64_t)), 0);
	assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 64), 64);
	queue.producer_pace_.rests = 1;
	for (uint32_t again = 0; again < 4; again++) {
		assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, values, 8), 8);
		for (int i = 0; i < 8; i++)
			assert_true(weft_spsc_queue_try_push(&queue, values));
		assert_int_equal(queue.producer_pace_.pauses, again == 0 ? 0 : 1);
	}
	weft_spsc_queue_fini(&queue);
}

/* One thread that is both sides rests for nothing, and finds out. */
static void rests_in_vain_are_left_out(void **state)
{
	const uint32_t looks = WEFT_SPSC_QUEUE_LOOKS_WITHOUT_;
	uint64_t values[10] = {0};
	weft_spsc_queue queue;

	(void)state;
	assert_int_equal(weft_spsc_queue_init(&queue, 4096, sizeof(uint64_t)), 0);
	for (uint32_t look = 0; look < 3 * (looks + 1); look++) {
		assert_int_equal(weft_spsc_queue_try_push_batch(&queue, values, 10), 10);
		assert_int_equal(weft_spsc_queue_try_pop_batch(&queue, values, 10), 10);
		/* Each rest was watched, the first one before the third look. */
		assert_int_equal(queue.consumer_pace_.pauses, look % (looks + 1) == 1 ? 5 : 0);
	}
	weft_spsc_queue_fini(&queue);
}

WEFT_SPSC_QUEUE_DEFINE(numbers, int);

/* In a ring of 8 that has gone round `offset` elements: runs end where the ring does. */
static void check_runs_from(uint64_t offset)
{
	size_t to_the_end = 8 - (size_t)(offset % 8), count;
	int *elements, *again, value;
	numbers queue;

	assert_int_equal(numbers_init(&queue, 8), 0);
	fifo_spsc_queue.start_at(&queue.queue_, offset);
	count = 1;
	assert_int_equal(numbers_peek(&queue, &elements, &count), -EAGAIN);
	assert_int_equal(count, 1);
	for (size_t wanted = 1; wanted <= 10; wanted++) {
		count = wanted;
		assert_int_equal(numbers_reserve(&queue, &elements, &count), 0);
		assert_int_equal(count, wanted < to_the_end ? wanted : to_the_end);
		assert_int_equal(numbers_size(&queue), 0);
	}
	for (size_t i = 0; i < to_the_end; i++)
		elements[i] = (int)i;
	/* Less than there is, then the rest of it. */
	assert_int_equal(numbers_commit(&queue, 0), 0);
	assert_int_equal(numbers_commit(&queue, 1), 0);
	assert_int_equal(numbers_size(&queue), 1);
	count = 8;
	if (to_the_end > 1) {
		assert_int_equal(numbers_reserve(&queue, &again, &count), 0);
		assert_ptr_equal(again, elements + 1);
		assert_int_equal(count, to_the_end - 1);
		assert_int_equal(numbers_commit(&queue, count), 0);
		count = 8;
	}
	assert_int_equal(numbers_reserve(&queue, &again, &count), to_the_end == 8 ? -EAGAIN : 0);
	for (size_t i = to_the_end; i < 8; i++)
		assert_int_equal(numbers_push(&queue, (int)i), 0);
	assert_int_equal(numbers_push(&queue, 8), -EAGAIN);

	count = 8;
	assert_int_equal(numbers_peek(&queue, &again, &count), 0);
	assert_ptr_equal(again, elements);
	assert_int_equal(count, to_the_end);
	/* What has been seen may be changed, and stays until it is released. */
	again[0] = 77;
	count = 1;
	assert_int_equal(numbers_peek(&queue, &again, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(again[0], 77);
	numbers_release(&queue, 1);
	for (int i = 1; i < 8; i++) {
		count = 1;
		assert_int_equal(numbers_peek(&queue, &again, &count), 0);
		assert_int_equal(*again, i);
		assert_int_equal(numbers_pop(&queue, &value), 0);
	}
	numbers_fini(&queue);
}

static void gives_room_and_elements_in_place(void **state)
{
	(void)state;
	for (uint64_t offset = 0; offset < 8; offset++) {
		check_runs_from(offset);
		check_runs_from(offset - 4);
	}
}

/* What everything says of a queue that is closed, and from which `inside` elements come first. */
static void assert_closed(numbers *queue, int inside)
{
	int values[2] = {1, 2}, *elements;
	size_t count = 1;

	for (int again = 0; again < 2; again++) {
		assert_true(numbers_is_closed(queue));
		assert_false(numbers_try_push(queue, 1));
		assert_int_equal(numbers_push(queue, 1), -EPIPE);
		assert_int_equal(numbers_try_push_batch(queue, values, 2), 0);
		assert_int_equal(numbers_reserve(queue, &elements, &count), -EPIPE);
		assert_int_equal(numbers_commit(queue, 1), -EPIPE);
		assert_int_equal(numbers_size(queue), inside);
	}
	for (int i = 0; i < inside; i++) {
		assert_int_equal(numbers_peek(queue, &elements, &count), 0);
		assert_int_equal(*elements, i);
		assert_int_equal(numbers_pop(queue, values), 0);
		assert_int_equal(values[0], i);
		assert_int_equal(numbers_push(queue, 1), -EPIPE);
	}
	for (int again = 0; again < 2; again++) {
		assert_int_equal(numbers_pop(queue, values), -EPIPE);
		assert_false(numbers_try_pop(queue, values));
		assert_int_equal(numbers_try_pop_batch(queue, values, 2), 0);
		assert_int_equal(numbers_peek(queue, &elements, &count), -EPIPE);
	}
}

/* A queue of 4 with so many elements inside, and its next ticket near the wrap or not. */
static void with_elements(numbers *queue, int inside, uint64_t ticket)
{
	assert_int_equal(numbers_init(queue, 4), 0);
	fifo_spsc_queue.start_at(&queue->queue_, ticket);
	for (int i = 0; i < inside; i++)
		assert_int_equal(numbers_push(queue, i), 0);
	assert_false(numbers_is_closed(queue));
}

static void ends_when_closed(void **state)
{
	static const uint64_t tickets[] = {0, 3, UINT64_MAX - 1, (uint64_t)1 << 63};
	numbers queue;
	int value;

	(void)state;
	for (int t = 0; t < 4; t++) {
		for (int inside = 0; inside <= 4; inside++) {
			with_elements(&queue, inside, tickets[t]);
			numbers_close(&queue);
			numbers_close(&queue);
			numbers_cancel(&queue);
			assert_closed(&queue, inside);
			numbers_fini(&queue);
		}
	}
	/* A finished queue is open when it is made again. */
	with_elements(&queue, 1, 0);
	assert_int_equal(numbers_pop(&queue, &value), 0);
	assert_int_equal(numbers_pop(&queue, &value), -EAGAIN);
	numbers_fini(&queue);
}

/* The consumer learns of it when the producer knows. */
static void ends_when_cancelled(void **state)
{
	int values[4] = {0}, *elements;
	size_t count = 1;
	numbers queue;

	(void)state;
	for (int how = 0; how < 5; how++) {
		for (int inside = 0; inside <= 4; inside++) {
			with_elements(&queue, inside, (uint64_t)0 - 2);
			if (how == 4 && inside < 4)
				assert_int_equal(numbers_reserve(&queue, &elements, &count), 0);
			numbers_cancel(&queue);
			numbers_cancel(&queue);
			assert_true(numbers_is_closed(&queue));
			if (inside == 0)
				assert_int_equal(numbers_pop(&queue, values), -EAGAIN);
			if (how == 0)
				assert_int_equal(numbers_push(&queue, 7), -EPIPE);
			else if (how == 1)
				assert_false(numbers_try_push(&queue, 7));
			else if (how == 2)
				assert_int_equal(numbers_try_push_batch(&queue, values, 4), 0);
			else if (how == 3)
				numbers_close(&queue);
			else
				assert_int_equal(numbers_commit(&queue, 1), -EPIPE);
			if (inside == 0)
				assert_int_equal(numbers_pop(&queue, values), -EPIPE);
			assert_closed(&queue, inside);
			numbers_fini(&queue);
		}
	}
}

int main(void)
{
	static const fifo *const kinds[] = {&fifo_spsc_queue, &fifo_spsc_queue_typed,
					    &fifo_spsc_queue_in_place, NULL};
	const struct CMUnitTest tests[] = {
		ELEMENT_TESTS(&elements_of_spsc_queue),
		cmocka_unit_test_prestate(cuts_enormous_batches,
					  ELEMENT_STATE(&elements_of_spsc_queue)),
		cmocka_unit_test(typed_wrappers_take_small_elements),
		cmocka_unit_test(looks_again_before_it_refuses),
		cmocka_unit_test(rests_on_the_heels_of_the_other),
		cmocka_unit_test(rests_in_vain_are_left_out),
		cmocka_unit_test(gives_room_and_elements_in_place),
		cmocka_unit_test(ends_when_closed),
		cmocka_unit_test(ends_when_cancelled),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
