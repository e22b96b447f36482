/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/mpmc_pointer_queue.h>

#include <string.h>

#include "ring_memory.h"

int weft_mpmc_pointer_queue_init(weft_mpmc_pointer_queue *queue, size_t capacity)
{
	memset((void *)queue, 0, sizeof(*queue));

	/* Zeroed slots are an empty queue: turn 0 is "empty" in lap 0 (I1). */
	void *slots;
	int error = weft_ring_memory_create_(&slots, &capacity, sizeof(*queue->slots_));

	if (error != 0)
		return error;
	queue->slots_ = slots;
	queue->mask_ = capacity - 1;
	queue->lap_shift_ = (uint32_t)__builtin_ctzll(capacity);
	return 0;
}

void weft_mpmc_pointer_queue_fini(weft_mpmc_pointer_queue *queue)
{
	weft_ring_memory_destroy_(queue->slots_);
	memset((void *)queue, 0, sizeof(*queue));
}
