/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_memory.h"

#include <stdlib.h>
#include <string.h>

int weft_ring_memory_measure_(size_t *capacity, size_t slot_size, size_t *bytes)
{
	size_t rounded = 1, total;

	if (*capacity == 0 || *capacity > WEFT_RING_CAPACITY_MAX_)
		return -EINVAL;
	while (rounded < *capacity)
		rounded *= 2;
	if (__builtin_mul_overflow(rounded, slot_size, &total) ||
	    total > SIZE_MAX - WEFT_CACHE_LINE)
		return -ENOMEM;
	*capacity = rounded;
	*bytes = weft_whole_lines_(total);
	return 0;
}

size_t weft_ring_memory_size_(size_t capacity, size_t slot_size)
{
	size_t bytes;

	return weft_ring_memory_measure_(&capacity, slot_size, &bytes) == 0 ? bytes : 0;
}

int weft_ring_memory_create_(void **slots, size_t *capacity, size_t slot_size)
{
	size_t rounded = *capacity, bytes;
	int error = weft_ring_memory_measure_(&rounded, slot_size, &bytes);

	if (error != 0)
		return error;

	void *memory = aligned_alloc(WEFT_CACHE_LINE, bytes);

	if (memory == NULL)
		return -ENOMEM;
	/* Not calloc: every page is touched now, so that no push takes a page fault later. */
	memset(memory, 0, bytes);
	*slots = memory;
	*capacity = rounded;
	return 0;
}

int weft_ring_memory_adopt_(void *memory, size_t bytes, size_t *capacity, size_t slot_size)
{
	size_t rounded = *capacity, needed;

	if (weft_ring_memory_measure_(&rounded, slot_size, &needed) != 0 ||
	    !weft_memory_fits_(memory, bytes, needed))
		return -EINVAL;
	memset(memory, 0, needed);
	*capacity = rounded;
	return 0;
}

void weft_ring_memory_destroy_(void *slots)
{
	free(slots);
}
