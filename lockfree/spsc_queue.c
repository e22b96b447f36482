/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/spsc_queue.h>

#include "ring_memory.h"

int weft_spsc_queue_init(weft_spsc_queue *queue, size_t capacity, size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (element_size == 0 || element_size > WEFT_SPSC_QUEUE_ELEMENT_MAX)
		return -EINVAL;

	void *slots;
	int error = weft_ring_memory_create_(&slots, &capacity, element_size);

	if (error != 0)
		return error;
	queue->slots_ = slots;
	queue->mask_ = capacity - 1;
	queue->element_size_ = element_size;
	return 0;
}

void weft_spsc_queue_fini(weft_spsc_queue *queue)
{
	weft_ring_memory_destroy_(queue->slots_);
	memset((void *)queue, 0, sizeof(*queue));
}
