/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/mpmc_queue.h>

#include "ring_memory.h"

static bool is_element_size(size_t element_size)
{
	return element_size > 0 && element_size <= WEFT_MPMC_QUEUE_ELEMENT_MAX;
}

/* Zeroed slots are an empty queue: turn 0 is "empty" in lap 0 (I1). */
static void start(weft_mpmc_queue *queue, void *slots, size_t capacity, size_t element_size)
{
	queue->slots_ = slots;
	queue->mask_ = 2 * (capacity - 1);
	queue->lap_shift_ = (uint32_t)__builtin_ctzll(capacity) + 1;
	queue->element_size_ = (uint32_t)element_size;
	/* relaxed: not shared yet. */
	atomic_store_explicit(&queue->end_, 1, memory_order_relaxed);
}

int weft_mpmc_queue_init(weft_mpmc_queue *queue, size_t capacity, size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_create_(&queue->owned_, &capacity,
					     weft_mpmc_queue_stride_(element_size));

	if (error == 0)
		start(queue, queue->owned_, capacity, element_size);
	return error;
}

size_t weft_mpmc_queue_memory_size(size_t capacity, size_t element_size)
{
	if (!is_element_size(element_size))
		return 0;
	return weft_ring_memory_size_(capacity, weft_mpmc_queue_stride_(element_size));
}

int weft_mpmc_queue_init_in(weft_mpmc_queue *queue, void *memory, size_t bytes, size_t capacity,
			    size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_adopt_(memory, bytes, &capacity,
					    weft_mpmc_queue_stride_(element_size));

	if (error == 0)
		start(queue, memory, capacity, element_size);
	return error;
}

void weft_mpmc_queue_fini(weft_mpmc_queue *queue)
{
	weft_ring_memory_destroy_(queue->owned_);
	memset((void *)queue, 0, sizeof(*queue));
}

void weft_mpmc_queue_close(weft_mpmc_queue *queue)
{
	/* E4 acq_rel, pairs with E4: a push that finds this closed hands on what came before. */
	atomic_fetch_or_explicit(&queue->tail_, 1, memory_order_acq_rel);

	/* relaxed: from here on it does not change (I5). */
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

	/* E1 release, pairs with E2, E3: what the caller did before. */
	atomic_store_explicit(&queue->end_, tail - 1, memory_order_release);
}
