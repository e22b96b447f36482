/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/mpmc_queue.h>

#include "ring_memory.h"

int weft_mpmc_queue_init(weft_mpmc_queue *queue, size_t capacity, size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (element_size == 0 || element_size > WEFT_MPMC_QUEUE_ELEMENT_MAX)
		return -EINVAL;

	/* Zeroed slots are an empty queue: turn 0 is "empty" in lap 0 (I1). */
	void *slots;
	int error =
		weft_ring_memory_create_(&slots, &capacity, weft_mpmc_queue_stride_(element_size));

	if (error != 0)
		return error;
	queue->slots_ = slots;
	queue->mask_ = capacity - 1;
	queue->lap_shift_ = (uint32_t)__builtin_ctzll(capacity);
	queue->element_size_ = (uint32_t)element_size;
	return 0;
}

void weft_mpmc_queue_fini(weft_mpmc_queue *queue)
{
	weft_ring_memory_destroy_(queue->slots_);
	memset((void *)queue, 0, sizeof(*queue));
}
