/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/spsc_queue.h>

#include "ring_memory.h"

static bool is_element_size(size_t element_size)
{
	return element_size > 0 && element_size <= WEFT_SPSC_QUEUE_ELEMENT_MAX;
}

static void start(weft_spsc_queue *queue, void *slots, size_t capacity, size_t element_size)
{
	queue->slots_ = (unsigned char *)slots;
	queue->mask_ = capacity - 1;
	queue->element_size_ = element_size;
	queue->limit_ = capacity;
}

int weft_spsc_queue_init(weft_spsc_queue *queue, size_t capacity, size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_create_(&queue->owned_, &capacity, element_size);

	if (error == 0)
		start(queue, queue->owned_, capacity, element_size);
	return error;
}

size_t weft_spsc_queue_memory_size(size_t capacity, size_t element_size)
{
	return is_element_size(element_size) ? weft_ring_memory_size_(capacity, element_size) : 0;
}

int weft_spsc_queue_init_in(weft_spsc_queue *queue, void *memory, size_t bytes, size_t capacity,
			    size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_adopt_(memory, bytes, &capacity, element_size);

	if (error == 0)
		start(queue, memory, capacity, element_size);
	return error;
}

void weft_spsc_queue_fini(weft_spsc_queue *queue)
{
	weft_ring_memory_destroy_(queue->owned_);
	memset((void *)queue, 0, sizeof(*queue));
}
