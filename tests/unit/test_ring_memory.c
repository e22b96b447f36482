/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft/lockfree/ring_memory.h>

static void refuses_capacities(void **state)
{
	static const size_t refused[] = {0, WEFT_RING_CAPACITY_MAX_ + 1, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t capacity = refused[i];
		void *slots;

		assert_int_equal(weft_ring_memory_create_(&slots, &capacity, 8), -EINVAL);
	}
}

/*
 * A count of bytes that does not fit in a size_t, in the product or in the rounding up to a line:
 * never less memory than was asked for.
 */
static void refuses_byte_counts_that_overflow(void **state)
{
	static const size_t capacity_and_bytes[][2] = {
		{WEFT_RING_CAPACITY_MAX_, SIZE_MAX / WEFT_RING_CAPACITY_MAX_ + 1},
		{WEFT_RING_CAPACITY_MAX_ / 2 + 1, SIZE_MAX / WEFT_RING_CAPACITY_MAX_ + 1},
		{2, SIZE_MAX / 2 + 1},
		{2, SIZE_MAX},
		{1, SIZE_MAX - WEFT_CACHE_LINE + 2},
		{1, SIZE_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(capacity_and_bytes) / sizeof(capacity_and_bytes[0]); i++) {
		size_t capacity = capacity_and_bytes[i][0];
		void *slots;

		assert_int_equal(
			weft_ring_memory_create_(&slots, &capacity, capacity_and_bytes[i][1]),
			-ENOMEM);
	}
}

static void gives_zeroed_lines(void **state)
{
	static const size_t capacity_and_bytes[][2] = {{1, 1}, {1, 8}, {3, 5}, {100, 272}};

	(void)state;
	for (size_t i = 0; i < sizeof(capacity_and_bytes) / sizeof(capacity_and_bytes[0]); i++) {
		size_t capacity = capacity_and_bytes[i][0], asked = capacity;
		size_t slot_bytes = capacity_and_bytes[i][1];
		void *slots;

		assert_int_equal(weft_ring_memory_create_(&slots, &capacity, slot_bytes), 0);
		assert_true(capacity >= asked && capacity < 2 * asked);
		assert_int_equal(capacity & (capacity - 1), 0);
		assert_int_equal((uintptr_t)slots % WEFT_CACHE_LINE, 0);
		for (size_t at = 0; at < capacity * slot_bytes; at++)
			assert_int_equal(((unsigned char *)slots)[at], 0);
		weft_ring_memory_destroy_(slots);
	}
	weft_ring_memory_destroy_(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_capacities),
		cmocka_unit_test(refuses_byte_counts_that_overflow),
		cmocka_unit_test(gives_zeroed_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
