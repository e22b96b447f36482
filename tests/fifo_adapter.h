/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_FIFO_ADAPTER_H
#define WEFT_TESTS_FIFO_ADAPTER_H

/*
 * How a queue becomes a struct fifo (fifo.h): each call, which takes numbers, is one call of the
 * queue. Three groups of them, as not every queue has them all, and each with what puts it into
 * the table:
 *
 *     FIFO_BOUNDED(view, queue)         init, memory_size, init_in, capacity, size
 *     FIFO_ENDS(view, queue)            fini, close, is_closed
 *     FIFO_ELEMENTS(view, queue, ...)   push, pop, try_push, try_pop, try_push_batch, try_pop_batch
 *
 *     const fifo fifo_view = {FIFO_BOUNDED_CALLS(view), FIFO_ENDS_CALLS(view), ...};
 *
 * `queue` is what a typed wrapper of the queue is called, or the queue itself if it takes pointers.
 * FIFO_BY_SIZE makes such a wrapper of the calls that take the element's size at run time.
 */

#include "fifo.h"

/* Elements: words made of the number, so that a part of another one shows. 24 bytes: lines and
 * elements do not end together. 264 bytes: larger than a line, and no power of two. */

typedef struct triple {
	uint64_t words[3];
} triple;

typedef struct wide {
	uint64_t words[33];
} wide;

static inline void fifo_spell(uint64_t *words, size_t count, uint64_t number)
{
	for (size_t i = 0; i < count; i++)
		words[i] = number + (i << 48);
}

static inline uint64_t fifo_read(const uint64_t *words, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		if (words[i] != words[0] + (i << 48))
			return FIFO_TORN;
	}
	return words[0];
}

static inline triple triple_of(uint64_t number)
{
	triple element;

	fifo_spell(element.words, 3, number);
	return element;
}

static inline uint64_t number_of_triple(triple element)
{
	return fifo_read(element.words, 3);
}

static inline wide wide_of(uint64_t number)
{
	wide element;

	fifo_spell(element.words, 33, number);
	return element;
}

static inline uint64_t number_of_wide(wide element)
{
	return fifo_read(element.words, 33);
}

static inline uint64_t itself(uint64_t number)
{
	return number;
}

static inline void *pointer_of(uint64_t number)
{
	return (void *)(uintptr_t)number;
}

static inline uint64_t number_of_pointer(void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

/* What is in an element before a pop: one that returns nothing leaves it alone, or is torn. */
#define FIFO_UNTOUCHED ((uint64_t)0x5a5a5a5a5a5a)

/* The calls of `thing` that take the element's size, under the names of a typed wrapper. */
#define FIFO_BY_SIZE(name, thing, type)                                                            \
	typedef struct name {                                                                      \
		thing queue_;                                                                      \
	} name;                                                                                    \
	static inline int name##_init(name *queue, size_t capacity)                                \
	{                                                                                          \
		return thing##_init(&queue->queue_, capacity, sizeof(type));                       \
	}                                                                                          \
	static inline void name##_fini(name *queue)                                                \
	{                                                                                          \
		thing##_fini(&queue->queue_);                                                      \
	}                                                                                          \
	static inline void name##_close(name *queue)                                               \
	{                                                                                          \
		thing##_close(&queue->queue_);                                                     \
	}                                                                                          \
	static inline bool name##_is_closed(const name *queue)                                     \
	{                                                                                          \
		return thing##_is_closed(&queue->queue_);                                          \
	}                                                                                          \
	static inline int name##_push(name *queue, type element)                                   \
	{                                                                                          \
		return thing##_push(&queue->queue_, &element);                                     \
	}                                                                                          \
	static inline int name##_pop(name *queue, type *element)                                   \
	{                                                                                          \
		return thing##_pop(&queue->queue_, element);                                       \
	}                                                                                          \
	static inline bool name##_try_push(name *queue, type element)                              \
	{                                                                                          \
		return thing##_try_push(&queue->queue_, &element);                                 \
	}                                                                                          \
	static inline bool name##_try_pop(name *queue, type *element)                              \
	{                                                                                          \
		return thing##_try_pop(&queue->queue_, element);                                   \
	}                                                                                          \
	static inline size_t name##_try_push_batch(name *queue, const type *elements,              \
						   size_t count)                                   \
	{                                                                                          \
		return thing##_try_push_batch(&queue->queue_, elements, count);                    \
	}                                                                                          \
	static inline size_t name##_try_pop_batch(name *queue, type *elements, size_t count)       \
	{                                                                                          \
		return thing##_try_pop_batch(&queue->queue_, elements, count);                     \
	}

/* The rest of it, where the queue is bounded. */
#define FIFO_BY_SIZE_BOUNDED(name, thing, type)                                                    \
	FIFO_BY_SIZE(name, thing, type)                                                            \
	static inline size_t name##_memory_size(size_t capacity)                                   \
	{                                                                                          \
		return thing##_memory_size(capacity, sizeof(type));                                \
	}                                                                                          \
	static inline int name##_init_in(name *queue, void *memory, size_t bytes, size_t capacity) \
	{                                                                                          \
		return thing##_init_in(&queue->queue_, memory, bytes, capacity, sizeof(type));     \
	}                                                                                          \
	static inline size_t name##_capacity(const name *queue)                                    \
	{                                                                                          \
		return thing##_capacity(&queue->queue_);                                           \
	}                                                                                          \
	static inline size_t name##_size(const name *queue)                                        \
	{                                                                                          \
		return thing##_size(&queue->queue_);                                               \
	}

#define FIFO_BOUNDED(view, queue_type)                                                             \
	static int view##_init(void *queue, size_t capacity)                                       \
	{                                                                                          \
		return queue_type##_init(queue, capacity);                                         \
	}                                                                                          \
	static size_t view##_memory_size(size_t capacity)                                          \
	{                                                                                          \
		return queue_type##_memory_size(capacity);                                         \
	}                                                                                          \
	static int view##_init_in(void *queue, void *memory, size_t bytes, size_t capacity)        \
	{                                                                                          \
		return queue_type##_init_in(queue, memory, bytes, capacity);                       \
	}                                                                                          \
	static size_t view##_capacity(const void *queue)                                           \
	{                                                                                          \
		return queue_type##_capacity(queue);                                               \
	}                                                                                          \
	static size_t view##_size(const void *queue)                                               \
	{                                                                                          \
		return queue_type##_size(queue);                                                   \
	}

#define FIFO_BOUNDED_CALLS(view)                                                                   \
	.init = view##_init, .memory_size = view##_memory_size, .init_in = view##_init_in,         \
	.capacity = view##_capacity, .size = view##_size

#define FIFO_ENDS(view, queue_type)                                                                \
	static void view##_fini(void *queue)                                                       \
	{                                                                                          \
		queue_type##_fini(queue);                                                          \
	}                                                                                          \
	static void view##_close(void *queue)                                                      \
	{                                                                                          \
		queue_type##_close(queue);                                                         \
	}                                                                                          \
	static bool view##_is_closed(const void *queue)                                            \
	{                                                                                          \
		return queue_type##_is_closed(queue);                                              \
	}

#define FIFO_ENDS_CALLS(view)                                                                      \
	.fini = view##_fini, .close = view##_close, .is_closed = view##_is_closed

/* `element_of` makes an element of a number, `number_of` a number of an element. */
#define FIFO_ELEMENTS(view, queue_type, type, element_of, number_of)                               \
	static bool view##_try_push(void *queue, uint64_t number)                                  \
	{                                                                                          \
		return queue_type##_try_push(queue, element_of(number));                           \
	}                                                                                          \
	static bool view##_try_pop(void *queue, uint64_t *number)                                  \
	{                                                                                          \
		type element = element_of(FIFO_UNTOUCHED);                                         \
		bool popped = queue_type##_try_pop(queue, &element);                               \
                                                                                                   \
		if (popped || number_of(element) != FIFO_UNTOUCHED)                                \
			*number = number_of(element);                                              \
		return popped;                                                                     \
	}                                                                                          \
	static size_t view##_try_push_batch(void *queue, const uint64_t *numbers, size_t count)    \
	{                                                                                          \
		type elements[FIFO_BATCH_MAX];                                                     \
                                                                                                   \
		for (size_t i = 0; i < count; i++)                                                 \
			elements[i] = element_of(numbers[i]);                                      \
		return queue_type##_try_push_batch(queue, elements, count);                        \
	}                                                                                          \
	static size_t view##_try_pop_batch(void *queue, uint64_t *numbers, size_t count)           \
	{                                                                                          \
		type elements[FIFO_BATCH_MAX + 1];                                                 \
		size_t popped;                                                                     \
                                                                                                   \
		elements[count] = element_of(FIFO_UNTOUCHED);                                      \
		popped = queue_type##_try_pop_batch(queue, elements, count);                       \
		for (size_t i = 0; i < popped; i++)                                                \
			numbers[i] = number_of(elements[i]);                                       \
		if (number_of(elements[count]) != FIFO_UNTOUCHED)                                  \
			return SIZE_MAX;                                                           \
		return popped;                                                                     \
	}                                                                                          \
	static int view##_push(void *queue, uint64_t number)                                       \
	{                                                                                          \
		return queue_type##_push(queue, element_of(number));                               \
	}                                                                                          \
	static int view##_pop(void *queue, uint64_t *number)                                       \
	{                                                                                          \
		type element = element_of(FIFO_UNTOUCHED);                                         \
		int error = queue_type##_pop(queue, &element);                                     \
                                                                                                   \
		if (error == 0 || number_of(element) != FIFO_UNTOUCHED)                            \
			*number = number_of(element);                                              \
		return error;                                                                      \
	}

#define FIFO_ELEMENTS_CALLS(view)                                                                  \
	.try_push = view##_try_push, .try_pop = view##_try_pop,                                    \
	.try_push_batch = view##_try_push_batch, .try_pop_batch = view##_try_pop_batch,            \
	.push = view##_push, .pop = view##_pop

#endif
