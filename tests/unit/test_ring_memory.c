/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/ring_memory.h>

/* Memory of the caller: all 0xa5 but where a ring was made in it. */
static WEFT_LINE_ALIGNED unsigned char line[3 * WEFT_CACHE_LINE];

static int adopt(void *memory, size_t bytes, size_t *capacity)
{
	memset(line, 0xa5, sizeof(line));
	return weft_ring_memory_adopt_(memory, bytes, capacity, 8);
}

static void refuses_capacities(void **state)
{
	static const size_t refused[] = {0, WEFT_RING_CAPACITY_MAX_ + 1, SIZE_MAX};

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t capacity = refused[i];
		void *slots;

		assert_int_equal(weft_ring_memory_create_(&slots, &capacity, 8), -EINVAL);
		assert_int_equal(weft_ring_memory_adopt_(line, SIZE_MAX, &capacity, 8), -EINVAL);
		assert_int_equal(weft_ring_memory_size_(capacity, 8), 0);
		assert_int_equal(capacity, refused[i]);
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
		size_t slot_bytes = capacity_and_bytes[i][1];
		void *slots;

		assert_int_equal(weft_ring_memory_create_(&slots, &capacity, slot_bytes), -ENOMEM);
		assert_int_equal(weft_ring_memory_adopt_(line, SIZE_MAX, &capacity, slot_bytes),
				 -EINVAL);
		assert_int_equal(weft_ring_memory_size_(capacity, slot_bytes), 0);
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

static void says_the_bytes_in_whole_lines(void **state)
{
	static const size_t capacity_slot_and_bytes[][3] = {
		{1, 1, 128},
		{16, 8, 128},
		{17, 8, 256},
		{3, 100, 512},
		{(size_t)1 << 31, 16, (size_t)1 << 35},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(capacity_slot_and_bytes) / sizeof(capacity_slot_and_bytes[0]);
	     i++)
		assert_int_equal(weft_ring_memory_size_(capacity_slot_and_bytes[i][0],
							capacity_slot_and_bytes[i][1]),
				 capacity_slot_and_bytes[i][2]);
}

static void adopts_memory_that_is_enough(void **state)
{
	size_t capacity = 13;

	(void)state;
	assert_int_equal(adopt(line + WEFT_CACHE_LINE, WEFT_CACHE_LINE, &capacity), 0);
	assert_int_equal(capacity, 16);
	for (size_t at = 0; at < sizeof(line); at++)
		assert_int_equal(line[at], at / WEFT_CACHE_LINE == 1 ? 0 : 0xa5);
}

static void refuses_other_memory(void **state)
{
	const struct {
		void *memory;
		size_t bytes;
	} refused[] = {
		{NULL, WEFT_CACHE_LINE},     {line, WEFT_CACHE_LINE - 1},  {line, 0},
		{line + 1, WEFT_CACHE_LINE}, {line + 64, WEFT_CACHE_LINE},
	};
	size_t capacity = 13;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(adopt(refused[i].memory, refused[i].bytes, &capacity), -EINVAL);
		assert_int_equal(capacity, 13);
		for (size_t at = 0; at < sizeof(line); at++)
			assert_int_equal(line[at], 0xa5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_capacities),
		cmocka_unit_test(refuses_byte_counts_that_overflow),
		cmocka_unit_test(gives_zeroed_lines),
		cmocka_unit_test(says_the_bytes_in_whole_lines),
		cmocka_unit_test(adopts_memory_that_is_enough),
		cmocka_unit_test(refuses_other_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
