/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_LENT_MEMORY_H
#define WEFT_TESTS_LENT_MEMORY_H

/* Memory of the caller, for tests of what lives in it; and what a counter, a gauge and a histogram
 * promise alike about it. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <weft/lockfree/base.h>

typedef struct lent_thing {
	void *thing;
	size_t thing_bytes;
	size_t memory_bytes; /* that it says it needs */
	int (*init_in)(void *thing, void *memory, size_t bytes);
	/* Uses all of the new thing, and asserts that it works. */
	void (*use)(void *thing);
	void (*fini)(void *thing);
} lent_thing;

/* So many bytes, with a line before them and one behind, all 0xa5. They are not of malloc, so that
 * a free of them does not go unnoticed. */
static inline unsigned char *lent_memory(size_t bytes)
{
	unsigned char *memory = mmap(NULL, bytes + 2 * WEFT_CACHE_LINE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	memset(memory, 0xa5, bytes + 2 * WEFT_CACHE_LINE);
	return memory + WEFT_CACHE_LINE;
}

static inline void lent_give_back(unsigned char *memory, size_t bytes)
{
	munmap(memory - WEFT_CACHE_LINE, bytes + 2 * WEFT_CACHE_LINE);
}

static inline void lent_are_bytes(const void *memory, size_t bytes, unsigned char expected)
{
	for (size_t i = 0; i < bytes; i++)
		assert_int_equal(((const unsigned char *)memory)[i], expected);
}

/*
 * Memory that will not do is refused and not touched; where it will, what was in it does not
 * matter, nothing around it is touched, and it stays the caller's: a second thing can have it.
 */
static inline void lent_memory_is_enough(const lent_thing *lent)
{
	size_t bytes = lent->memory_bytes;
	unsigned char *memory = lent_memory(bytes);
	unsigned char *line = memory - WEFT_CACHE_LINE;
	const struct {
		void *memory;
		size_t bytes;
	} refused[] = {{NULL, bytes}, {memory + 64, SIZE_MAX}, {memory, bytes - 1}, {memory, 0}};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset(lent->thing, 0xa5, lent->thing_bytes);
		assert_int_equal(lent->init_in(lent->thing, refused[i].memory, refused[i].bytes),
				 -EINVAL);
		lent_are_bytes(lent->thing, lent->thing_bytes, 0);
		lent->fini(lent->thing);
	}
	lent_are_bytes(line, bytes + 2 * WEFT_CACHE_LINE, 0xa5);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(lent->init_in(lent->thing, memory, bytes), 0);
		lent->use(lent->thing);
		lent->fini(lent->thing);
		lent_are_bytes(lent->thing, lent->thing_bytes, 0);
		lent->fini(lent->thing);
	}
	lent_are_bytes(line, WEFT_CACHE_LINE, 0xa5);
	lent_are_bytes(memory + bytes, WEFT_CACHE_LINE, 0xa5);
	lent_give_back(memory, bytes);
}

#endif
