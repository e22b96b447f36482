/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_AFFINITY_MEMORY_H
#define WEFT_AFFINITY_MEMORY_H

/*
 * Memory on a NUMA node: for the large, long-lived pieces that a worker owns (its deque, its slabs,
 * its inbox).
 *
 * Not for single small objects on a node: there each call takes a lock of the node's arena. Take a
 * chunk and divide it. And not a promise: the node is a preference. When it is full, or memory
 * policy is forbidden (as in many containers), or weft is built without jemalloc, memory comes from
 * wherever the kernel puts it: near the thread that first touches it.
 *
 * Built with jemalloc: where this process may use more than one node, each has an arena whose
 * extents get the memory policy "this node preferred" (mbind); made all at once, when a node is
 * first asked for. Elsewhere, and for WEFT_MEMORY_ANY, it is jemalloc's usual memory with its
 * caches in each thread. A program that links weft's archive links jemalloc, which is its malloc,
 * too; beside the shared library malloc stays the C library's. Built without: the C library.
 *
 *   operation           threads  progress   sleeps  allocates
 *   weft_memory_alloc   any      blocking*  no      yes
 *   weft_memory_free    any      blocking*  no      no (frees)
 *   * the allocator's own locks, and system calls when it has to grow or shrink
 */

#include <weft/lockfree/base.h>

WEFT_BEGIN_DECLS

/* For weft_memory_alloc: on whatever node. */
#define WEFT_MEMORY_ANY (-1)

/*
 * Memory of this many bytes, aligned to a power of two, preferably on this NUMA node (Linux number,
 * see weft_plan_node) or WEFT_MEMORY_ANY. It is not zeroed. A node that does not exist, that this
 * process may not use, or whose number is above 63, counts as WEFT_MEMORY_ANY.
 *
 * Threads: any. Progress: blocking (the allocator's).
 * Returns the memory, for weft_memory_free only; NULL when out of memory, when the size is 0 or
 * cannot be had at all, or when alignment is not a power of two (a broken contract).
 */
WEFT_API void *weft_memory_alloc(size_t bytes, size_t alignment, int node);

/*
 * Gives memory back; bytes and alignment are those it was allocated with. NULL is allowed.
 * Threads: any, not only the one that allocated it. Progress: blocking (the allocator's).
 */
WEFT_API void weft_memory_free(void *memory, size_t bytes, size_t alignment);

WEFT_END_DECLS

/* Whether there can be such memory at all; the sum of the two is what an allocator may look for. */
WEFT_INLINE bool weft_memory_valid_(size_t bytes, size_t alignment)
{
	bool power = alignment != 0 && (alignment & (alignment - 1)) == 0;

	WEFT_CONTRACT(power, "the alignment is a power of two");
	return power && bytes != 0 && alignment <= PTRDIFF_MAX && bytes <= PTRDIFF_MAX - alignment;
}

#endif
