/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_BOUNDED_STACK_H
#define WEFT_LOCKFREE_BOUNDED_STACK_H

/*
 * Bounded lock-free stack (LIFO) of elements of any size, which are copied in and out.
 *
 * When not to use it: for structures that can carry a node (stack.h: no bound, no copy, and one
 * exchange an operation in place of two); where order matters to those who wait (the oldest element
 * waits for ever while newer ones come: use a queue); as an allocator (object_pool.h).
 *
 * Source: R. Kent Treiber's stack (IBM RJ 5118, 1986), of slot numbers in place of addresses. A
 * number and a tag against ABA fit in 64 bits: there is no exchange of 128 bits. The slots that are
 * not used are in lists by CPU (slot_pool.h).
 *
 *     operation                           threads  progress   sleeps  allocates
 *     weft_bounded_stack_init, _fini      one      -          no      init
 *     weft_bounded_stack_init_in          one      -          no      no
 *     weft_bounded_stack_push, _try_push  any      lock-free  no      no
 *     weft_bounded_stack_pop, _try_pop    any      lock-free  no      no
 *     ..._try_push_batch, _try_pop_batch  any      lock-free  no      no
 *     weft_bounded_stack_close            any      wait-free  no      no
 *     ..._is_closed, _size                any      wait-free  no      no
 *     ..._capacity, _memory_size          any      wait-free  no      no
 *
 * Order: last in, first out, linearizable, "empty" and "closed" included. A batch is one step, for
 * a push as for a pop. "Full" means that at a moment of the call every slot had an element or was
 * in the hands of a call: a push and a pop have one (a batch as many as its elements), and a push
 * that finds none on its CPU up to capacity / 256, at most 16, for a moment. A thread that is
 * stopped for ever in a call keeps those.
 *
 * ABA: a head is a slot number, one bit, and a tag that each pop counts up; a pop is misled when
 * its thread stops in the middle of it for exactly 2^(62 - log2 capacity) pops, or a multiple:
 * with a capacity of 4096, 130 days at 10^8 pops in a second, with 2^31, 21 seconds.
 *
 * End: a closed stack takes nothing more; what is inside is popped first, then pop says -EPIPE.
 * Memory: 8 bytes more than the element, rounded up to 8, for each slot; 11 lines for all. It may
 * be the caller's, for instance on a given NUMA node: weft_memory_alloc() of
 * <weft/affinity/memory.h>, then weft_bounded_stack_init_in.
 */

#include <string.h>

#include <weft/lockfree/slot_pool.h>

/*
 * Invariant: each slot is in the stack, in the pool of those that are not used, or in the hands of
 * one call, which alone reads and writes its element.
 */
typedef struct weft_bounded_stack {
	/* The elements. */
	weft_slot_list_ top_;
	weft_slot_pool_ unused_;
	/* Constant between init and fini. */
	WEFT_LINE_ALIGNED size_t capacity_;
	size_t element_size_;
	void *owned_; /* the slots, if they are not memory of the caller */
} weft_bounded_stack;

/* The largest element, in bytes. Larger things are better passed by pointer. */
#define WEFT_BOUNDED_STACK_ELEMENT_MAX 1048576

WEFT_BEGIN_DECLS

/*
 * Makes an empty stack of at least `capacity` elements of `element_size` bytes each. The capacity
 * is rounded up to a power of two. All memory is taken and touched here.
 * Threads: one, before the stack is shared. Progress: allocates; asks the system for the number of
 * CPUs.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31, or the element size is 0 or above
 * WEFT_BOUNDED_STACK_ELEMENT_MAX; -ENOMEM when there is no memory (also when the byte count
 * overflows). On an error *stack is left zeroed, and weft_bounded_stack_fini may be called.
 */
WEFT_API int weft_bounded_stack_init(weft_bounded_stack *stack, size_t capacity,
				     size_t element_size);

/*
 * How many bytes weft_bounded_stack_init_in needs for such a stack; 0 when weft_bounded_stack_init
 * would refuse the arguments, or when a size_t cannot count them.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_bounded_stack_memory_size(size_t capacity, size_t element_size);

/*
 * As weft_bounded_stack_init, in memory of the caller, which stays the caller's: it must outlive
 * the stack, and weft_bounded_stack_fini does not free it.
 * Threads: one, before the stack is shared. Progress: touches all the memory it needs; asks the
 * system for the number of CPUs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_bounded_stack_memory_size() bytes. On an error *stack is left zeroed.
 */
WEFT_API int weft_bounded_stack_init_in(weft_bounded_stack *stack, void *memory, size_t bytes,
					size_t capacity, size_t element_size);

/*
 * Frees the memory, if it is not the caller's. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the stack. A zeroed stack is allowed.
 */
WEFT_API void weft_bounded_stack_fini(weft_bounded_stack *stack);

/*
 * Closes the stack: once this has returned no push succeeds. What was pushed is still there to be
 * popped. Closing a closed stack changes nothing. What the first caller did before is seen by
 * whoever gets -EPIPE, or true from weft_bounded_stack_is_closed.
 * Threads: any. Progress: wait-free.
 */
WEFT_API void weft_bounded_stack_close(weft_bounded_stack *stack);

/*
 * How many elements are inside, between 0 and the capacity. Exact while nobody pushes or pops;
 * otherwise slots in the hands of calls count as elements (see "Full" above), and it is off by as
 * many more as were moved meanwhile.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_bounded_stack_size(const weft_bounded_stack *stack);

WEFT_END_DECLS

/* How many elements fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_bounded_stack_capacity(const weft_bounded_stack *stack)
{
	return stack->capacity_;
}

/* Whether weft_bounded_stack_close was called. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_bounded_stack_is_closed(const weft_bounded_stack *stack)
{
	/* E2 acquire, pairs with E1: what was done before the close. */
	return (atomic_load_explicit(&stack->top_.head, memory_order_acquire) &
		stack->unused_.closed) != 0;
}

/* From one slot to the next; a constant for the typed wrappers. */
WEFT_INLINE size_t weft_bounded_stack_stride_(size_t element_size)
{
	return sizeof(uint64_t) + ((element_size + 7) & ~(size_t)7);
}

/* The element of a slot stands behind its link. */
WEFT_INLINE void *weft_bounded_stack_element_(const weft_bounded_stack *stack, size_t stride,
					      uint64_t number)
{
	return stack->unused_.links + (number - 1) * stride + sizeof(uint64_t);
}

/* Returns how many elements were pushed; *error is why not more. */
WEFT_INLINE size_t weft_bounded_stack_push_core_(weft_bounded_stack *stack, const void *elements,
						 size_t count, size_t element_size, int *error)
{
	size_t stride = weft_bounded_stack_stride_(element_size);
	weft_slot_chain_ chain;
	uint64_t number;
	size_t left;

	left = count == 1 ? weft_slot_pool_take_(&stack->unused_, stride, 1, &chain)
			  : weft_slot_pool_take_all_(&stack->unused_, stride, count, &chain);
	if (WEFT_UNLIKELY(left == 0)) {
		*error = weft_bounded_stack_is_closed(stack) ? -EPIPE : -EAGAIN;
		return 0;
	}
	/* The last of the elements comes first. */
	for (number = chain.first;;) {
		left--;
		memcpy(weft_bounded_stack_element_(stack, stride, number),
		       (const char *)elements + left * element_size, element_size);
		if (left == 0)
			break;
		number = weft_slot_next_(&stack->unused_, stride, number);
	}
	if (WEFT_LIKELY(weft_slot_list_put_(&stack->unused_, &stack->top_, stride, &chain, false)))
		return chain.count;
	weft_slot_pool_put_(&stack->unused_, stride, &chain);
	*error = -EPIPE;
	return 0;
}

/* Returns how many elements were popped; *error is why none. */
WEFT_INLINE size_t weft_bounded_stack_pop_core_(weft_bounded_stack *stack, void *elements,
						size_t count, size_t element_size, int *error)
{
	size_t stride = weft_bounded_stack_stride_(element_size);
	weft_slot_chain_ chain;
	uint64_t head, number;
	size_t popped = 0;

	if (WEFT_UNLIKELY(weft_slot_list_take_(&stack->unused_, &stack->top_, stride, count, &chain,
					       &head) == 0)) {
		*error = (head & stack->unused_.closed) != 0 ? -EPIPE : -EAGAIN;
		return 0;
	}
	for (number = chain.first;;) {
		memcpy((char *)elements + popped * element_size,
		       weft_bounded_stack_element_(stack, stride, number), element_size);
		if (++popped == chain.count)
			break;
		number = weft_slot_next_(&stack->unused_, stride, number);
	}
	weft_slot_pool_put_(&stack->unused_, stride, &chain);
	return popped;
}

/*
 * Pushes a copy of the element.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the stack is full; -EPIPE when it is closed.
 */
WEFT_INLINE int weft_bounded_stack_push(weft_bounded_stack *stack, const void *element)
{
	int error = 0;

	weft_bounded_stack_push_core_(stack, element, 1, stack->element_size_, &error);
	return error;
}

/*
 * Moves the newest element to *element.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the stack is empty for now; -EPIPE when it is empty and closed: nothing
 * will ever come.
 */
WEFT_INLINE int weft_bounded_stack_pop(weft_bounded_stack *stack, void *element)
{
	int error = 0;

	weft_bounded_stack_pop_core_(stack, element, 1, stack->element_size_, &error);
	return error;
}

/*
 * As weft_bounded_stack_push; returns whether the element is in.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE bool weft_bounded_stack_try_push(weft_bounded_stack *stack, const void *element)
{
	return weft_bounded_stack_push(stack, element) == 0;
}

/*
 * As weft_bounded_stack_pop; returns whether there was one.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE bool weft_bounded_stack_try_pop(weft_bounded_stack *stack, void *element)
{
	return weft_bounded_stack_pop(stack, element) == 0;
}

/*
 * Pushes up to `count` elements in one step, the last of them on top, and returns how many: fewer
 * than `count`, the first ones, when the stack becomes full, none when it is closed.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_bounded_stack_try_push_batch(weft_bounded_stack *stack,
						     const void *elements, size_t count)
{
	int error;

	if (count == 0)
		return 0;
	return weft_bounded_stack_push_core_(stack, elements, count, stack->element_size_, &error);
}

/*
 * Moves up to `count` of the newest elements to the array in one step, the newest first, and
 * returns how many: fewer than `count` when there were no more. The quickest way to drain it.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_bounded_stack_try_pop_batch(weft_bounded_stack *stack, void *elements,
						    size_t count)
{
	int error;

	if (count == 0)
		return 0;
	return weft_bounded_stack_pop_core_(stack, elements, count, stack->element_size_, &error);
}

/*
 * WEFT_BOUNDED_STACK_DEFINE(orders, struct order) makes the type `orders` and orders_init,
 * _memory_size, _init_in, _fini, _close, _is_closed, _capacity, _size, _push, _pop, _try_push,
 * _try_pop, _try_push_batch and _try_pop_batch, which differ from the functions above in that the
 * element's type is checked and its size is known when compiled.
 */
#define WEFT_BOUNDED_STACK_DEFINE(name, type)                                                      \
	typedef struct name {                                                                      \
		weft_bounded_stack stack_;                                                         \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *stack, size_t capacity)                                  \
	{                                                                                          \
		return weft_bounded_stack_init(&stack->stack_, capacity, sizeof(type));            \
	}                                                                                          \
	WEFT_INLINE size_t name##_memory_size(size_t capacity)                                     \
	{                                                                                          \
		return weft_bounded_stack_memory_size(capacity, sizeof(type));                     \
	}                                                                                          \
	WEFT_INLINE int name##_init_in(name *stack, void *memory, size_t bytes, size_t capacity)   \
	{                                                                                          \
		return weft_bounded_stack_init_in(&stack->stack_, memory, bytes, capacity,         \
						  sizeof(type));                                   \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *stack)                                                  \
	{                                                                                          \
		weft_bounded_stack_fini(&stack->stack_);                                           \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *stack)                                                 \
	{                                                                                          \
		weft_bounded_stack_close(&stack->stack_);                                          \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *stack)                                       \
	{                                                                                          \
		return weft_bounded_stack_is_closed(&stack->stack_);                               \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *stack)                                      \
	{                                                                                          \
		return weft_bounded_stack_capacity(&stack->stack_);                                \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *stack)                                          \
	{                                                                                          \
		return weft_bounded_stack_size(&stack->stack_);                                    \
	}                                                                                          \
	WEFT_INLINE int name##_push(name *stack, type element)                                     \
	{                                                                                          \
		int error = 0;                                                                     \
		weft_bounded_stack_push_core_(&stack->stack_, &element, 1, sizeof(type), &error);  \
		return error;                                                                      \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name *stack, type *element)                                     \
	{                                                                                          \
		int error = 0;                                                                     \
		weft_bounded_stack_pop_core_(&stack->stack_, element, 1, sizeof(type), &error);    \
		return error;                                                                      \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *stack, type element)                                \
	{                                                                                          \
		return name##_push(stack, element) == 0;                                           \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *stack, type *element)                                \
	{                                                                                          \
		return name##_pop(stack, element) == 0;                                            \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *stack, const type *elements, size_t count)  \
	{                                                                                          \
		int error;                                                                         \
		return count == 0 ? 0                                                              \
				  : weft_bounded_stack_push_core_(&stack->stack_, elements, count, \
								  sizeof(type), &error);           \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *stack, type *elements, size_t count)         \
	{                                                                                          \
		int error;                                                                         \
		return count == 0 ? 0                                                              \
				  : weft_bounded_stack_pop_core_(&stack->stack_, elements, count,  \
								 sizeof(type), &error);            \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_BOUNDED_STACK_ELEMENT_MAX, "element too large")

#endif
