/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/affinity/memory.h>
#include <weft/lockfree/mpmc_lockfree_any.h>

#include "../fifo.h"
#include "element_contract.h"
#include "fifo_contract.h"

ELEMENT_QUEUE(mpmc_lockfree_any, WEFT_MPMC_LOCKFREE_ANY_ELEMENT_MAX);

/* Of those pages that are in the pool. */
static size_t idle_pages(const weft_mpmc_lockfree_any *queue)
{
	return weft_slot_pool_size_(&queue->pages_, WEFT_MPMC_LOCKFREE_ANY_STRIDE_);
}

/* Batches larger than what a call has in its hands, more than there is room for, and closed. */
static void long_batches(void **state)
{
	uint64_t values[300], popped[300];
	weft_mpmc_lockfree_any queue;
	size_t pages;

	(void)state;
	for (uint64_t i = 0; i < 300; i++)
		values[i] = i * 3;
	assert_int_equal(weft_mpmc_lockfree_any_init(&queue, 256, sizeof(uint64_t)), 0);
	pages = idle_pages(&queue);
	for (size_t count = 0; count < 300; count++) {
		size_t fit = count < 256 ? count : 256;

		memset(popped, 0, sizeof(popped));
		assert_int_equal(weft_mpmc_lockfree_any_try_push_batch(&queue, values, count), fit);
		assert_int_equal(weft_mpmc_lockfree_any_size(&queue), fit);
		assert_int_equal(weft_mpmc_lockfree_any_try_pop_batch(&queue, popped, 300), fit);
		assert_memory_equal(popped, values, fit * sizeof(*values));
		/* All but one for each CPU. */
		assert_true(idle_pages(&queue) + WEFT_SLOT_POOL_LISTS_ >= pages);
	}
	assert_int_equal(weft_mpmc_lockfree_any_try_push_batch(&queue, values, 100), 100);
	weft_mpmc_lockfree_any_close(&queue);
	assert_int_equal(weft_mpmc_lockfree_any_try_push_batch(&queue, values, 100), 0);
	assert_int_equal(weft_mpmc_lockfree_any_push(&queue, values), -EPIPE);
	assert_int_equal(weft_mpmc_lockfree_any_try_pop_batch(&queue, popped, 300), 100);
	assert_int_equal(weft_mpmc_lockfree_any_pop(&queue, popped), -EPIPE);
	weft_mpmc_lockfree_any_fini(&queue);
}

/* A full queue that is closed says so, and not that it is full. */
static void full_and_closed(void **state)
{
	weft_mpmc_lockfree_any queue;
	uint64_t value = 5;

	(void)state;
	assert_int_equal(weft_mpmc_lockfree_any_init(&queue, 1, sizeof(value)), 0);
	assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), 0);
	assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), -EAGAIN);
	weft_mpmc_lockfree_any_close(&queue);
	assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), -EPIPE);
	assert_int_equal(weft_mpmc_lockfree_any_pop(&queue, &value), 0);
	assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), -EPIPE);
	assert_int_equal(weft_mpmc_lockfree_any_pop(&queue, &value), -EPIPE);
	weft_mpmc_lockfree_any_fini(&queue);
}

/* What a full or closed queue refuses is not lost: its slots are the next ones again. */
static void refused_slots_come_again(void **state)
{
	weft_mpmc_lockfree_any queue;
	uint64_t values[4] = {1, 2, 3, 4}, value;

	(void)state;
	assert_int_equal(weft_mpmc_lockfree_any_init(&queue, 64, sizeof(value)), 0);
	for (value = 0; value < 62; value++)
		assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), 0);
	assert_int_equal(weft_mpmc_lockfree_any_try_push_batch(&queue, values, 4), 2);

	size_t pages = idle_pages(&queue);

	for (int again = 0; again < 1000; again++) {
		assert_int_equal(weft_mpmc_lockfree_any_push(&queue, values), -EAGAIN);
		assert_int_equal(weft_mpmc_lockfree_any_try_push_batch(&queue, values, 4), 0);
	}
	/* One more or less, should it be on another CPU now. */
	assert_in_range(idle_pages(&queue) + 2 - pages, 0, 4);
	weft_mpmc_lockfree_any_fini(&queue);
}

/* A slot that was taken by a thread which is then stopped, and one that was not read to the end:
 * their pages are missing, and there is room for as many elements as ever. */
static void stopped_threads_keep_their_pages(void **state)
{
	weft_mpmc_lockfree_any queue;
	uint64_t value = 1, pushing;
	void *popping;

	(void)state;
	assert_int_equal(weft_mpmc_lockfree_any_init(&queue, 256, sizeof(value)), 0);
	for (size_t stopped = 0; stopped < 8; stopped++) {
		assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), 0);
		assert_int_equal(weft_mpmc_lockfree_any_take_(&queue, 1, &pushing), 1);
		assert_int_equal(weft_mpmc_lockfree_pop(&queue.ring_, &popping), 0);
		for (int lap = 0; lap < 5; lap++) {
			for (value = 2; value < 2 + 256; value++)
				assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), 0);
			assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), -EAGAIN);
			for (uint64_t expected = 2; expected < 2 + 256; expected++) {
				assert_int_equal(weft_mpmc_lockfree_any_pop(&queue, &value), 0);
				assert_int_equal(value, expected);
			}
			assert_int_equal(weft_mpmc_lockfree_any_pop(&queue, &value), -EAGAIN);
		}
	}
	weft_mpmc_lockfree_any_fini(&queue);
}

/* Without a page there is no room, and no harm is done by trying, however often. */
static void no_page_is_full(void **state)
{
	weft_mpmc_lockfree_any queue;
	weft_slot_chain_ pages;
	uint64_t value = 7;

	(void)state;
	assert_int_equal(weft_mpmc_lockfree_any_init(&queue, 4, sizeof(value)), 0);
	assert_true(weft_slot_pool_take_all_(&queue.pages_, WEFT_MPMC_LOCKFREE_ANY_STRIDE_, 1000,
					     &pages) >= 4);
	for (int again = 0; again < 1000; again++)
		assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), -EAGAIN);
	weft_slot_pool_put_(&queue.pages_, WEFT_MPMC_LOCKFREE_ANY_STRIDE_, &pages);
	for (value = 0; value < 4; value++)
		assert_int_equal(weft_mpmc_lockfree_any_push(&queue, &value), 0);
	for (uint64_t expected = 0; expected < 4; expected++) {
		assert_int_equal(weft_mpmc_lockfree_any_pop(&queue, &value), 0);
		assert_int_equal(value, expected);
	}
	weft_mpmc_lockfree_any_fini(&queue);
}

/* The header says so: how much memory it takes. */
static void takes_the_promised_bytes(void **state)
{
	static const struct {
		size_t capacity, elements, bytes;
	} promises[] = {{1, 4, 264},
			{2, 8, 528},
			{16, 64, 16 * 264},
			{64, 128, 64 * 136},
			{1024, 2048, 1024 * 136},
			{4096, 4096 * 13 / 10, 4096 * 10 + 32 * 64},
			{65536, 65536 * 13 / 10, 65536 * 10 + 32 * 64}};

	(void)state;
	assert_int_equal(sizeof(weft_mpmc_lockfree_any), 21 * WEFT_CACHE_LINE);
	for (size_t i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
		size_t promised = promises[i].elements * 1000 + promises[i].bytes;

		/* The places of the ring and all of it come in whole lines. */
		assert_in_range(weft_mpmc_lockfree_any_memory_size(promises[i].capacity, 1000), 1,
				promised + 2 * WEFT_CACHE_LINE);
	}
}

/* On a NUMA node, for instance. What is given is enough, and nothing is written behind it. */
static void lives_on_a_node(void **state)
{
	size_t bytes = weft_mpmc_lockfree_any_memory_size(100, 12);
	unsigned char *memory = weft_memory_alloc(bytes + 64, WEFT_CACHE_LINE, 0);
	weft_mpmc_lockfree_any queue;
	uint32_t element[3] = {0};

	(void)state;
	assert_non_null(memory);
	memset(memory + bytes, 0x5a, 64);
	assert_int_equal(weft_mpmc_lockfree_any_init_in(&queue, memory, bytes, 100, 12), 0);
	for (uint32_t lap = 0; lap < 5; lap++) {
		for (uint32_t i = 0; i < 128; i++) {
			element[0] = element[2] = i;
			assert_int_equal(weft_mpmc_lockfree_any_push(&queue, element), 0);
		}
		assert_int_equal(weft_mpmc_lockfree_any_push(&queue, element), -EAGAIN);
		for (uint32_t i = 0; i < 128; i++) {
			assert_int_equal(weft_mpmc_lockfree_any_pop(&queue, element), 0);
			assert_true(element[0] == i && element[2] == i);
		}
	}
	weft_mpmc_lockfree_any_fini(&queue);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(memory[bytes + i], 0x5a);
	weft_memory_free(memory, bytes + 64, WEFT_CACHE_LINE);
}

int main(void)
{
	static const fifo *const kinds[] = {&fifo_mpmc_lockfree_any, &fifo_mpmc_lockfree_any_wide,
					    NULL};
	const struct CMUnitTest tests[] = {
		ELEMENT_TESTS(&elements_of_mpmc_lockfree_any),
		cmocka_unit_test(long_batches),
		cmocka_unit_test(full_and_closed),
		cmocka_unit_test(refused_slots_come_again),
		cmocka_unit_test(stopped_threads_keep_their_pages),
		cmocka_unit_test(no_page_is_full),
		cmocka_unit_test(takes_the_promised_bytes),
		cmocka_unit_test(lives_on_a_node),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
