/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/deque.h>

#include <stdlib.h>
#include <string.h>

#define DEQUE_CAPACITY_MAX ((uint64_t)1 << 31)

/* The slots of a ring for this capacity; 0 when it is refused. */
static uint64_t slots_for(size_t capacity)
{
	uint64_t slots = 1;

	if (capacity == 0 || capacity > DEQUE_CAPACITY_MAX)
		return 0;
	while (slots < capacity)
		slots *= 2;
	return slots;
}

static size_t ring_bytes(uint64_t slots)
{
	return sizeof(weft_deque_ring_) + (size_t)slots * sizeof(void *);
}

static void ring_begin(weft_deque_ring_ *ring, uint64_t slots, weft_deque_ring_ *outgrown)
{
	ring->mask = slots - 1;
	ring->outgrown = outgrown;
	ring->given = false;
}

int weft_deque_init(weft_deque *deque, size_t capacity)
{
	uint64_t slots = slots_for(capacity);

	memset((void *)deque, 0, sizeof(*deque));
	if (slots == 0)
		return -EINVAL;

	weft_deque_ring_ *ring = malloc(ring_bytes(slots));

	if (ring == NULL)
		return -ENOMEM;
	ring_begin(ring, slots, NULL);
	/* relaxed: the deque is not shared yet. */
	atomic_store_explicit(&deque->ring_, ring, memory_order_relaxed);
	return 0;
}

size_t weft_deque_memory_size(size_t capacity)
{
	uint64_t slots = slots_for(capacity);

	return slots == 0 ? 0 : ring_bytes(slots);
}

int weft_deque_init_in(weft_deque *deque, void *memory, size_t bytes, size_t capacity)
{
	uint64_t slots = slots_for(capacity);

	memset((void *)deque, 0, sizeof(*deque));
	if (slots == 0 || !weft_memory_fits_(memory, bytes, ring_bytes(slots)))
		return -EINVAL;

	weft_deque_ring_ *ring = memory;

	ring_begin(ring, slots, NULL);
	ring->given = true;
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

		if (!ring->given)
			free(ring);
		ring = outgrown;
	}
	memset((void *)deque, 0, sizeof(*deque));
}

int weft_deque_grow_(weft_deque *deque)
{
	/* relaxed: only the owner writes ring_ and the slots; an element that is stolen meanwhile
	 * is copied in vain. */
	weft_deque_ring_ *old = atomic_load_explicit(&deque->ring_, memory_order_relaxed);
	weft_deque_ring_ *ring;
	uint64_t index;

	if (old->mask + 1 >= DEQUE_CAPACITY_MAX)
		return -ENOMEM;
	ring = malloc(ring_bytes(2 * (old->mask + 1)));
	if (ring == NULL)
		return -ENOMEM;
	ring_begin(ring, 2 * (old->mask + 1), old);
	for (index = deque->top_seen_; index != deque->owner_bottom_; index++) {
		void *element =
			atomic_load_explicit(weft_deque_slot_(old, index), memory_order_relaxed);

		atomic_store_explicit(weft_deque_slot_(ring, index), element, memory_order_relaxed);
	}
	/* G1 release, pairs with T3: the copies are complete. */
	atomic_store_explicit(&deque->ring_, ring, memory_order_release);
	return 0;
}
