/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/bounded_stack.h>

#include "ring_memory.h"

static bool is_element_size(size_t element_size)
{
	return element_size > 0 && element_size <= WEFT_BOUNDED_STACK_ELEMENT_MAX;
}

static void start(weft_bounded_stack *stack, void *slots, size_t capacity, size_t element_size)
{
	weft_slot_pool_start_(&stack->unused_, slots, weft_bounded_stack_stride_(element_size),
			      capacity, weft_slot_pool_lists_(capacity));
	stack->capacity_ = capacity;
	stack->element_size_ = element_size;
}

int weft_bounded_stack_init(weft_bounded_stack *stack, size_t capacity, size_t element_size)
{
	memset((void *)stack, 0, sizeof(*stack));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_create_(&stack->owned_, &capacity,
					     weft_bounded_stack_stride_(element_size));

	if (error == 0)
		start(stack, stack->owned_, capacity, element_size);
	return error;
}

size_t weft_bounded_stack_memory_size(size_t capacity, size_t element_size)
{
	if (!is_element_size(element_size))
		return 0;
	return weft_ring_memory_size_(capacity, weft_bounded_stack_stride_(element_size));
}

int weft_bounded_stack_init_in(weft_bounded_stack *stack, void *memory, size_t bytes,
			       size_t capacity, size_t element_size)
{
	memset((void *)stack, 0, sizeof(*stack));
	if (!is_element_size(element_size))
		return -EINVAL;

	int error = weft_ring_memory_adopt_(memory, bytes, &capacity,
					    weft_bounded_stack_stride_(element_size));

	if (error == 0)
		start(stack, memory, capacity, element_size);
	return error;
}

void weft_bounded_stack_fini(weft_bounded_stack *stack)
{
	weft_ring_memory_destroy_(stack->owned_);
	memset((void *)stack, 0, sizeof(*stack));
}

void weft_bounded_stack_close(weft_bounded_stack *stack)
{
	/* E1 release, pairs with E2, slot_pool:T1, slot_pool:T3: what the caller did before. The
	 * first caller's is not lost: all that write the word exchange it. */
	atomic_fetch_or_explicit(&stack->top_.head, stack->unused_.closed, memory_order_release);
}

size_t weft_bounded_stack_size(const weft_bounded_stack *stack)
{
	size_t unused = weft_slot_pool_size_(&stack->unused_,
					     weft_bounded_stack_stride_(stack->element_size_));

	return unused > stack->capacity_ ? 0 : stack->capacity_ - unused;
}
