/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_FAIL_ALLOC_H
#define WEFT_TESTS_FAIL_ALLOC_H

/*
 * Lets a chosen allocation fail, and counts what was not given back.
 *
 * The linker's --wrap (see meson.build here) leads every malloc, calloc, realloc, aligned_alloc,
 * posix_memalign, strdup, mallocx, free, dallocx and sdallocx *of the test and of the archive of
 * weft* to fail_alloc.c. What shared libraries allocate for themselves passes by unseen, so memory
 * must not be allocated on one side and freed on the other.
 *
 * All functions may be called by any thread; the counters are common to all threads.
 */

#include <stdbool.h>

/*
 * Begins anew: this many allocations succeed, the next one fails, all later ones succeed again. A
 * negative number: none fails.
 */
void fail_alloc_after(long succeed);

/* Whether the chosen allocation has come, and failed. */
bool fail_alloc_happened(void);

/* How many allocations were tried since fail_alloc_after. */
long fail_alloc_count(void);

/* How many blocks are allocated and not freed, since the program began. */
long fail_alloc_live(void);

/*
 * For a __wrap_ function of a test's own that stands for one more allocating call, such as one of
 * hwloc's: counts the call, and says whether it has to fail.
 */
bool fail_alloc_now(void);

/*
 * Runs the scenario with its first allocation failing, then with its second, and so on, and at last
 * with none. The scenario frees all it made and returns 0 or a negative errno. Asserts (cmocka)
 * that it returns -ENOMEM whenever an allocation failed, 0 when none did, and leaks nothing.
 *
 * Returns how many allocations there were: a test asserts that it is not 0, lest it tests nothing.
 */
long fail_alloc_each(int (*scenario)(void *context), void *context);

#endif
