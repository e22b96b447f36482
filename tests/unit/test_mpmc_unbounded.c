/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/mpmc_unbounded.h>

#include "../seeded_random.h"
#include "element_contract.h"

ELEMENT_QUEUE_THAT_ALLOCATES(mpmc_unbounded, WEFT_MPMC_UNBOUNDED_ELEMENT_MAX);

static const size_t segments[] = {0, 1, 2, 3, 64, WEFT_MPMC_UNBOUNDED_SEGMENT_MAX};

#define SEGMENTS (sizeof(segments) / sizeof(segments[0]))

static void refuses_segments(void **state)
{
	static const size_t refused[] = {WEFT_MPMC_UNBOUNDED_SEGMENT_MAX + 1, SIZE_MAX};
	static const weft_mpmc_unbounded zeroed;
	weft_mpmc_unbounded queue;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_mpmc_unbounded_init(&queue, refused[i], 8), -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		weft_mpmc_unbounded_fini(&queue);
	}
	assert_int_equal(weft_mpmc_unbounded_init(&queue, WEFT_MPMC_UNBOUNDED_SEGMENT_MAX, 8), 0);
	weft_mpmc_unbounded_fini(&queue);
	weft_mpmc_unbounded_fini(&queue);
}

/* Random calls give what a plain array gives, through segments of every size. */
static void equals_its_model(void **state)
{
	enum {
		OPERATIONS = 4000,
		BATCH = 20
	};
	static uint64_t plain[OPERATIONS * BATCH];
	seeded_random random = {seeded_random_seed()};

	(void)state;
	for (size_t round = 0; round < 4 * SEGMENTS; round++) {
		uint64_t pushes = 3 + seeded_random_below(&random, 3);
		size_t pushed = 0, popped = 0;
		weft_mpmc_unbounded queue;
		uint64_t batch[BATCH];

		assert_int_equal(weft_mpmc_unbounded_init(&queue, segments[round % SEGMENTS], 8),
				 0);
		/* The counts of segments come round on the way. */
		atomic_store_explicit(&queue.filled_, UINT64_MAX - 3, memory_order_relaxed);
		atomic_store_explicit(&queue.drained_, UINT64_MAX - 3, memory_order_relaxed);
		for (int i = 0; i < OPERATIONS; i++) {
			size_t count = seeded_random_below(&random, BATCH + 1), got;

			if (seeded_random_below(&random, 8) < pushes) {
				for (size_t j = 0; j < count; j++)
					plain[pushed + j] = seeded_random_next(&random);
				if (count == 1)
					assert_int_equal(
						weft_mpmc_unbounded_push(&queue, &plain[pushed]),
						0);
				else
					assert_int_equal(weft_mpmc_unbounded_try_push_batch(
								 &queue, &plain[pushed], count),
							 count);
				pushed += count;
			} else {
				got = count < pushed - popped ? count : pushed - popped;
				if (count == 1)
					assert_int_equal(weft_mpmc_unbounded_pop(&queue, batch),
							 got == 1 ? 0 : -EAGAIN);
				else
					assert_int_equal(weft_mpmc_unbounded_try_pop_batch(
								 &queue, batch, count),
							 got);
				assert_memory_equal(batch, &plain[popped], got * sizeof(*batch));
				popped += got;
			}
			assert_int_equal(weft_mpmc_unbounded_size(&queue), pushed - popped);
		}
		weft_mpmc_unbounded_fini(&queue);
	}
}

/* The counts are looked at one after the other: any two may be found, around their wrap, too. */
static void size_is_never_below_zero(void **state)
{
	weft_mpmc_unbounded queue;

	(void)state;
	assert_int_equal(weft_mpmc_unbounded_init(&queue, 4, 8), 0);
	for (uint64_t at = UINT64_MAX - 2; at != 2; at++) {
		atomic_store_explicit(&queue.filled_, at, memory_order_relaxed);
		atomic_store_explicit(&queue.drained_, at + 1, memory_order_relaxed);
		assert_int_equal(weft_mpmc_unbounded_size(&queue), 0);
		atomic_store_explicit(&queue.drained_, at - 1, memory_order_relaxed);
		assert_int_equal(weft_mpmc_unbounded_size(&queue), 4);
	}
	weft_mpmc_unbounded_fini(&queue);
}

static void closes(void **state)
{
	(void)state;
	for (size_t s = 0; s < SEGMENTS; s++) {
		uint64_t value = 7, values[3] = {1, 2, 3};
		weft_mpmc_unbounded queue;

		assert_int_equal(weft_mpmc_unbounded_init(&queue, segments[s], 8), 0);
		assert_false(weft_mpmc_unbounded_is_closed(&queue));
		assert_int_equal(weft_mpmc_unbounded_try_push_batch(&queue, values, 3), 3);
		weft_mpmc_unbounded_close(&queue);
		weft_mpmc_unbounded_close(&queue);
		assert_true(weft_mpmc_unbounded_is_closed(&queue));
		assert_int_equal(weft_mpmc_unbounded_push(&queue, &value), -EPIPE);
		assert_false(weft_mpmc_unbounded_try_push(&queue, &value));
		assert_int_equal(weft_mpmc_unbounded_try_push_batch(&queue, values, 3), 0);
		for (uint64_t i = 1; i <= 3; i++) {
			assert_int_equal(weft_mpmc_unbounded_pop(&queue, &value), 0);
			assert_int_equal(value, i);
		}
		assert_int_equal(weft_mpmc_unbounded_pop(&queue, &value), -EPIPE);
		assert_false(weft_mpmc_unbounded_try_pop(&queue, &value));
		assert_int_equal(weft_mpmc_unbounded_try_pop_batch(&queue, values, 3), 0);
		weft_mpmc_unbounded_fini(&queue);
	}
}

/* What is held beside the segment in use, after ten million elements and after a burst. */
static void gives_memory_back(void **state)
{
	weft_mpmc_unbounded queue;
	uint64_t value, next = 0;

	(void)state;
	assert_int_equal(weft_mpmc_unbounded_init(&queue, 0, 8), 0);
	for (uint64_t i = 0; i < 10000000; i++) {
		assert_int_equal(weft_mpmc_unbounded_push(&queue, &i), 0);
		if (i % 100 == 99)
			for (int j = 0; j < 100; j++, next++) {
				assert_int_equal(weft_mpmc_unbounded_pop(&queue, &value), 0);
				assert_int_equal(value, next);
			}
	}
	assert_true(weft_mpmc_unbounded_trim(&queue) < 49152);
	for (uint64_t i = 0; i < 1000000; i++)
		assert_int_equal(weft_mpmc_unbounded_push(&queue, &i), 0);
	for (uint64_t i = 0; i < 1000000; i++)
		assert_int_equal(weft_mpmc_unbounded_pop(&queue, &value), 0);
	assert_true(weft_mpmc_unbounded_trim(&queue) < 49152);
	assert_int_equal(weft_mpmc_unbounded_trim(&queue), 0);
	weft_mpmc_unbounded_fini(&queue);
}

/* A producer that is stopped after its claim: its slot is skipped, and it takes another one. */
static void stopped_producer_is_passed_by(void **state)
{
	uint64_t first = 1, second = 2, popped;
	weft_mpmc_unbounded queue;

	(void)state;
	for (int fences = 0; fences < 2; fences++) {
		assert_int_equal(weft_mpmc_unbounded_init(&queue, 4, 8), 0);
		/* As where there is no membarrier. */
		queue.fences_ = queue.fences_ || fences != 0;

		uint64_t claim = atomic_fetch_add_explicit(&queue.tail_, 1, memory_order_relaxed);

		assert_int_equal(weft_mpmc_unbounded_push(&queue, &second), 0);
		assert_int_equal(weft_mpmc_unbounded_pop(&queue, &popped), 0);
		assert_int_equal(popped, 2);
		assert_int_equal(weft_mpmc_unbounded_pop(&queue, &popped), -EAGAIN);
		/* It goes on. */
		assert_int_equal(weft_mpmc_unbounded_fill_(
					 &queue, weft_mpmc_unbounded_place_of_(&queue, claim, 8),
					 &first, 1, 8),
				 0);
		assert_int_equal(weft_mpmc_unbounded_pop(&queue, &popped), -EAGAIN);
		/* In what is left of the segment nothing is lost, and nothing in the next one. */
		for (uint64_t i = 0; i < 8; i++) {
			assert_int_equal(weft_mpmc_unbounded_push(&queue, &i), 0);
			assert_int_equal(weft_mpmc_unbounded_pop(&queue, &popped), 0);
			assert_int_equal(popped, i);
		}
		weft_mpmc_unbounded_fini(&queue);
	}
}

/* The same in a batch: the elements keep their order, and those that have no slot are told. */
static void stopped_batch_keeps_its_order(void **state)
{
	uint64_t elements[3] = {1, 2, 3}, popped[4];
	weft_mpmc_unbounded queue;

	(void)state;
	assert_int_equal(weft_mpmc_unbounded_init(&queue, 8, 8), 0);

	uint64_t claim = atomic_fetch_add_explicit(&queue.tail_, 1, memory_order_relaxed);

	assert_int_equal(weft_mpmc_unbounded_pop(&queue, popped), -EAGAIN);
	atomic_fetch_add_explicit(&queue.tail_, 2, memory_order_relaxed);
	assert_int_equal(weft_mpmc_unbounded_fill_(&queue,
						   weft_mpmc_unbounded_place_of_(&queue, claim, 8),
						   elements, 3, 8),
			 2);
	assert_int_equal(weft_mpmc_unbounded_push(&queue, &elements[2]), 0);
	assert_int_equal(weft_mpmc_unbounded_try_pop_batch(&queue, popped, 4), 3);
	assert_memory_equal(popped, elements, sizeof(elements));
	weft_mpmc_unbounded_fini(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_segments),
		ELEMENT_TESTS(&elements_of_mpmc_unbounded),
		cmocka_unit_test(equals_its_model),
		cmocka_unit_test(size_is_never_below_zero),
		cmocka_unit_test(closes),
		cmocka_unit_test(gives_memory_back),
		cmocka_unit_test(stopped_producer_is_passed_by),
		cmocka_unit_test(stopped_batch_keeps_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
