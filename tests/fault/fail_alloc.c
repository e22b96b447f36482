/* SPDX-License-Identifier: Apache-2.0 */
#include "fail_alloc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* All relaxed: plain numbers, read when the threads of a scenario have been joined. */
static atomic_long tried;
static atomic_long live;
static atomic_long chosen = -1;

void fail_alloc_after(long succeed)
{
	atomic_store_explicit(&tried, 0, memory_order_relaxed);
	atomic_store_explicit(&chosen, succeed, memory_order_relaxed);
}

long fail_alloc_count(void)
{
	return atomic_load_explicit(&tried, memory_order_relaxed);
}

bool fail_alloc_happened(void)
{
	long number = atomic_load_explicit(&chosen, memory_order_relaxed);

	return number >= 0 && fail_alloc_count() > number;
}

long fail_alloc_live(void)
{
	return atomic_load_explicit(&live, memory_order_relaxed);
}

bool fail_alloc_now(void)
{
	long number = atomic_fetch_add_explicit(&tried, 1, memory_order_relaxed);

	return number == atomic_load_explicit(&chosen, memory_order_relaxed);
}

long fail_alloc_each(int (*scenario)(void *context), void *context)
{
	for (long succeed = 0;; succeed++) {
		long before = fail_alloc_live();

		fail_alloc_after(succeed);
		int result = scenario(context);
		bool happened = fail_alloc_happened();

		fail_alloc_after(-1);
		assert_int_equal(result, happened ? -ENOMEM : 0);
		assert_int_equal(fail_alloc_live(), before);
		if (!happened)
			return succeed;
	}
}

/* Counts a block that was given out. */
static void *given(void *memory)
{
	if (memory != NULL)
		atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
	return memory;
}

static void taken(const void *memory)
{
	if (memory != NULL)
		atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
}

/*
 * The linker makes __real_X of X, and __wrap_X of a call to X. Those of jemalloc are weak: a build
 * without it has none, and calls none.
 */
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
int __real_posix_memalign(void **memory, size_t alignment, size_t bytes);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__real_mallocx(size_t bytes, int flags) __attribute__((weak));
void __real_dallocx(void *memory, int flags) __attribute__((weak));
void __real_sdallocx(void *memory, size_t bytes, int flags) __attribute__((weak));

void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);
void *__wrap_mallocx(size_t bytes, int flags);
void __wrap_dallocx(void *memory, int flags);
void __wrap_sdallocx(void *memory, size_t bytes, int flags);

/* As the C library does: the caller finds the reason in errno. */
static void *refused(void)
{
	errno = ENOMEM;
	return NULL;
}

void *__wrap_malloc(size_t bytes)
{
	return fail_alloc_now() ? refused() : given(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t bytes)
{
	return fail_alloc_now() ? refused() : given(__real_calloc(count, bytes));
}

void *__wrap_realloc(void *memory, size_t bytes)
{
	if (fail_alloc_now())
		return refused();
	void *moved = __real_realloc(memory, bytes);

	/* A block that grew is still one block; realloc(NULL) makes one. */
	return memory == NULL ? given(moved) : moved;
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
	return fail_alloc_now() ? refused() : given(__real_aligned_alloc(alignment, bytes));
}

int __wrap_posix_memalign(void **memory, size_t alignment, size_t bytes)
{
	if (fail_alloc_now())
		return ENOMEM;
	int result = __real_posix_memalign(memory, alignment, bytes);

	if (result == 0)
		given(*memory);
	return result;
}

char *__wrap_strdup(const char *text)
{
	return fail_alloc_now() ? refused() : given(__real_strdup(text));
}

void __wrap_free(void *memory)
{
	taken(memory);
	__real_free(memory);
}

void *__wrap_mallocx(size_t bytes, int flags)
{
	return fail_alloc_now() ? NULL : given(__real_mallocx(bytes, flags));
}

void __wrap_dallocx(void *memory, int flags)
{
	taken(memory);
	__real_dallocx(memory, flags);
}

void __wrap_sdallocx(void *memory, size_t bytes, int flags)
{
	taken(memory);
	__real_sdallocx(memory, bytes, flags);
}
