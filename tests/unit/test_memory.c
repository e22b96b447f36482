/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/affinity/memory.h>

/* A debug build tells of a broken contract here, instead of aborting. */
static jmp_buf after_contract;

void __wrap_weft_contract_broken_(const char *where, const char *contract)
	__attribute__((noreturn));

void __wrap_weft_contract_broken_(const char *where, const char *contract)
{
	(void)where;
	(void)contract;
	longjmp(after_contract, 1);
}

/* The sanitizers' allocators abort on sizes that cannot be had, unless told to be like others. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return __asan_default_options();
}

/* Nodes that there are and that there are not. */
static const int nodes[] = {WEFT_MEMORY_ANY, 0, 1, 63, 64, 1023, INT_MAX, -2, INT_MIN};

#define NODES (sizeof(nodes) / sizeof(nodes[0]))

static void memory_is_aligned_and_all_of_it_is_there(void **state)
{
	(void)state;
	for (size_t n = 0; n < NODES; n++) {
		for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
			for (size_t bytes = 1; bytes < 300000; bytes = bytes * 3 + 1) {
				void *memory = weft_memory_alloc(bytes, alignment, nodes[n]);

				assert_non_null(memory);
				assert_int_equal((uintptr_t)memory % alignment, 0);
				memset(memory, 0xa5, bytes);
				weft_memory_free(memory, bytes, alignment);
			}
		}
	}
}

static void alignment_may_exceed_a_huge_page(void **state)
{
	size_t alignment = (size_t)4 << 20;
	void *memory = weft_memory_alloc(100, alignment, 0);

	(void)state;
	assert_non_null(memory);
	assert_int_equal((uintptr_t)memory % alignment, 0);
	weft_memory_free(memory, 100, alignment);
}

static void pieces_do_not_overlap(void **state)
{
	enum {
		PIECES = 64,
		BYTES = 200
	};
	unsigned char *piece[PIECES];

	(void)state;
	for (int i = 0; i < PIECES; i++) {
		piece[i] = weft_memory_alloc(BYTES, 64, nodes[(size_t)i % NODES]);
		assert_non_null(piece[i]);
		memset(piece[i], i, BYTES);
	}
	for (int i = 0; i < PIECES; i++) {
		for (int byte = 0; byte < BYTES; byte++)
			assert_int_equal(piece[i][byte], i);
		weft_memory_free(piece[i], BYTES, 64);
	}
}

static void *free_piece(void *memory)
{
	weft_memory_free(memory, 5000, 128);
	return NULL;
}

static void another_thread_may_free(void **state)
{
	(void)state;
	for (size_t n = 0; n < NODES; n++) {
		void *memory = weft_memory_alloc(5000, 128, nodes[n]);
		pthread_t thread;

		assert_non_null(memory);
		assert_int_equal(pthread_create(&thread, NULL, free_piece, memory), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
}

static void what_cannot_be_had_is_null(void **state)
{
	size_t largest = ~(SIZE_MAX >> 1);

	(void)state;
	for (size_t n = 0; n < NODES; n++) {
		assert_null(weft_memory_alloc(0, 64, nodes[n]));
		assert_null(weft_memory_alloc(SIZE_MAX, 1, nodes[n]));
		assert_null(weft_memory_alloc(SIZE_MAX - 63, 64, nodes[n]));
		assert_null(weft_memory_alloc(PTRDIFF_MAX, 1, nodes[n]));
		assert_null(weft_memory_alloc(PTRDIFF_MAX - 64, 64, nodes[n]));
		assert_null(weft_memory_alloc(1, largest, nodes[n]));
		assert_null(weft_memory_alloc(1, largest / 2, nodes[n]));
	}
	weft_memory_free(NULL, 100, 64);
}

static void alignment_must_be_a_power_of_two(void **state)
{
	static const size_t wrong[] = {0, 3, 24, SIZE_MAX};

	(void)state;
	/* volatile: it is changed between setjmp and longjmp. */
	for (volatile size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (setjmp(after_contract) != 0)
			continue;
		assert_null(weft_memory_alloc(64, wrong[i], WEFT_MEMORY_ANY));
#ifndef NDEBUG
		fail_msg("a debug build checks the contract");
#endif
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_aligned_and_all_of_it_is_there),
		cmocka_unit_test(alignment_may_exceed_a_huge_page),
		cmocka_unit_test(pieces_do_not_overlap),
		cmocka_unit_test(another_thread_may_free),
		cmocka_unit_test(what_cannot_be_had_is_null),
		cmocka_unit_test(alignment_must_be_a_power_of_two),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
