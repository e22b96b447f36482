/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_RING_MEMORY_H
#define WEFT_LOCKFREE_RING_MEMORY_H

/*
 * Private: the slots of a bounded ring, one place for the arithmetic that can overflow. The memory
 * is taken here, or is the caller's; a ring that may have either keeps beside its slots what it has
 * to give back, NULL for memory of the caller:
 *
 *     X_init      weft_ring_memory_create_(&slots, ...), then queue->owned_ = slots
 *     X_init_in   weft_ring_memory_adopt_(memory, bytes, ...), then queue->slots_ = memory
 *     X_fini      weft_ring_memory_destroy_(queue->owned_)
 */

#include <weft/lockfree/base.h>

/* The largest capacity of a ring. */
#define WEFT_RING_CAPACITY_MAX_ ((size_t)1 << 31)

/*
 * Rounds *capacity up to a power of two and sets *bytes to what that many slots take, in whole
 * lines. Returns 0, -EINVAL (capacity 0 or too large) or -ENOMEM (more than a size_t can count); on
 * an error nothing is set.
 */
int weft_ring_memory_measure_(size_t *capacity, size_t slot_size, size_t *bytes);

/* The same as X_memory_size says it: the bytes, or 0 where measuring fails. */
size_t weft_ring_memory_size_(size_t capacity, size_t slot_size);

/*
 * Rounds *capacity up to a power of two and takes zeroed, touched memory for that many slots,
 * aligned to a line. Returns 0, -EINVAL (capacity 0 or too large) or -ENOMEM.
 */
int weft_ring_memory_create_(void **slots, size_t *capacity, size_t slot_size);

/*
 * Rounds *capacity up to a power of two, sees that the memory of the caller is enough for that many
 * slots, and zeroes as much of it as they take. Returns 0 or -EINVAL: capacity 0 or too large,
 * memory NULL, not aligned to WEFT_CACHE_LINE, or too small; then nothing is changed.
 */
int weft_ring_memory_adopt_(void *memory, size_t bytes, size_t *capacity, size_t slot_size);

/* Gives back what create took; NULL is allowed. */
void weft_ring_memory_destroy_(void *slots);

#endif
