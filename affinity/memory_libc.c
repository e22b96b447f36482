/* SPDX-License-Identifier: Apache-2.0 */
/* <weft/affinity/memory.h> in a build without jemalloc: the C library's memory, on any node. */
#include <weft/affinity/memory.h>

#include <stdlib.h>

void *weft_memory_alloc(size_t bytes, size_t alignment, int node)
{
	void *memory;

	(void)node;
	if (!weft_memory_valid_(bytes, alignment))
		return NULL;
	/* posix_memalign refuses less than a pointer; any more is a multiple of it. */
	if (alignment < sizeof(void *))
		alignment = sizeof(void *);
	return posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL;
}

void weft_memory_free(void *memory, size_t bytes, size_t alignment)
{
	(void)bytes;
	(void)alignment;
	free(memory);
}
