/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/deque.h>

#include <stdlib.h>
#include <string.h>

#define DEQUE_CAPACITY_MAX ((uint64_t)1 << 31)

static weft_deque_ring_ *ring_create(uint64_t slots, weft_deque_ring_ *outgrown)
{
	weft_deque_ring_ *ring = malloc(sizeof(*ring) + (size_t)slots * sizeof(void *));

	if (ring != NULL) {
		ring->mask = slots - 1;
		ring->outgrown = outgrown;
	}
	return ring;
}

int weft_deque_init(weft_deque *deque, size_t capacity)
{
	uint64_t slots = 1;

	memset((void *)deque, 0, sizeof(*deque));
	if (capacity == 0 || capacity > DEQUE_CAPACITY_MAX)
		return -EINVAL;
	while (slots < capacity)
		slots *= 2;

	weft_deque_ring_ *ring = ring_create(slots, NULL);

	if (ring == NULL)
		return -ENOMEM;
	/* relaxed: the deque is not shared yet. */
	atomic_store_explicit(&deque->ring_, ring, memory_order_relaxed);
	return 0;
}

void weft_deque_fini(weft_deque *deque)
{
	/* relaxed: the others have stopped. */
	weft_deque_ring_ *ring = atomic_load_explicit(&deque->ring_, memory_order_relaxed);

	while (ring != NULL) {
		weft_deque_ring_ *outgrown = ring->outgrown;

		free(ring);
		ring = outgrown;
	}
	memset((void *)deque, 0, sizeof(*deque));
}

int weft_deque_grow_(weft_deque *deque)
{
	/* relaxed: only the owner writes bottom_, ring_ and the slots; an element that is stolen
	 * meanwhile is copied in vain. */
	weft_deque_ring_ *old = atomic_load_explicit(&deque->ring_, memory_order_relaxed);
	uint64_t bottom = atomic_load_explicit(&deque->bottom_, memory_order_relaxed);
	weft_deque_ring_ *ring;
	uint64_t index;

	if (old->mask + 1 >= DEQUE_CAPACITY_MAX)
		return -ENOMEM;
	ring = ring_create(2 * (old->mask + 1), old);
	if (ring == NULL)
		return -ENOMEM;
	for (index = deque->top_seen_; index != bottom; index++) {
		void *element =
			atomic_load_explicit(weft_deque_slot_(old, index), memory_order_relaxed);

		atomic_store_explicit(weft_deque_slot_(ring, index), element, memory_order_relaxed);
	}
	/* G1 release, pairs with T3: the copies are complete. */
	atomic_store_explicit(&deque->ring_, ring, memory_order_release);
	return 0;
}
