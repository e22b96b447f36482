/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_RING_MEMORY_H
#define WEFT_LOCKFREE_RING_MEMORY_H

/* Private: the slots of a bounded ring, one place for the arithmetic that can overflow. */

#include <weft/lockfree/base.h>

/* The largest capacity of a ring. */
#define WEFT_RING_CAPACITY_MAX_ ((size_t)1 << 31)

/*
 * Rounds *capacity up to a power of two and takes zeroed, touched memory for that many slots,
 * aligned to a line. Returns 0, -EINVAL (capacity 0 or too large) or -ENOMEM.
 */
int weft_ring_memory_create_(void **slots, size_t *capacity, size_t slot_size);

/* Gives it back; NULL is allowed. */
void weft_ring_memory_destroy_(void *slots);

#endif
