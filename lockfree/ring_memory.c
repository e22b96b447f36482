/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_memory.h"

#include <stdlib.h>
#include <string.h>

int weft_ring_memory_create_(void **slots, size_t *capacity, size_t slot_size)
{
	size_t rounded = 1, bytes;

	if (*capacity == 0 || *capacity > WEFT_RING_CAPACITY_MAX_)
		return -EINVAL;
	while (rounded < *capacity)
		rounded *= 2;
	if (__builtin_mul_overflow(rounded, slot_size, &bytes) ||
	    __builtin_add_overflow(bytes, WEFT_CACHE_LINE - 1, &bytes))
		return -ENOMEM;
	bytes &= ~(size_t)(WEFT_CACHE_LINE - 1);

	void *memory = aligned_alloc(WEFT_CACHE_LINE, bytes);

	if (memory == NULL)
		return -ENOMEM;
	/* Not calloc: every page is touched now, so that no push takes a page fault later. */
	memset(memory, 0, bytes);
	*slots = memory;
	*capacity = rounded;
	return 0;
}

void weft_ring_memory_destroy_(void *slots)
{
	free(slots);
}
