/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_ELEMENT_CONTRACT_H
#define WEFT_TESTS_ELEMENT_CONTRACT_H

/* What every FIFO queue of elements of any size promises about their bytes. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct element_queue {
	size_t queue_bytes, element_max;
	int (*init)(void *queue, size_t capacity, size_t element_size);
	/* In memory of the caller; NULL, both, where the queue has no such thing. */
	size_t (*memory_size)(size_t capacity, size_t element_size);
	int (*init_in)(void *queue, void *memory, size_t bytes, size_t capacity,
		       size_t element_size);
	void (*fini)(void *queue);
	bool (*try_push)(void *queue, const void *element);
	bool (*try_pop)(void *queue, void *element);
	size_t (*try_push_batch)(void *queue, const void *elements, size_t count);
	size_t (*try_pop_batch)(void *queue, void *elements, size_t count);
} element_queue;

/* The tests, for the list of a program; their state is the table. */
void elements_keep_their_bytes(void **state);
void refuses_element_sizes(void **state);
/* Of rings: what looks at the elements only when it knows that there is room for them. */
void cuts_enormous_batches(void **state);

#define ELEMENT_STATE(queue) ((void *)(uintptr_t)(queue))

#define ELEMENT_TESTS(queue)                                                                       \
	{"elements keep their bytes", elements_keep_their_bytes, NULL, NULL,                       \
	 ELEMENT_STATE(queue)},                                                                    \
	{                                                                                          \
		"refuses element sizes", refuses_element_sizes, NULL, NULL, ELEMENT_STATE(queue)   \
	}

/* The table `elements_of_<thing>` of weft_<thing>; with memory of the caller, or without. */
#define ELEMENT_QUEUE(thing, maximum)                                                              \
	ELEMENT_QUEUE_CALLS_(thing)                                                                \
	static size_t element_memory_size(size_t capacity, size_t element_size)                    \
	{                                                                                          \
		return weft_##thing##_memory_size(capacity, element_size);                         \
	}                                                                                          \
	static int element_init_in(void *queue, void *memory, size_t bytes, size_t capacity,       \
				   size_t element_size)                                            \
	{                                                                                          \
		return weft_##thing##_init_in(queue, memory, bytes, capacity, element_size);       \
	}                                                                                          \
	static const element_queue elements_of_##thing = {                                         \
		.memory_size = element_memory_size,                                                \
		.init_in = element_init_in,                                                        \
		ELEMENT_QUEUE_TABLE_(thing, maximum),                                              \
	}

#define ELEMENT_QUEUE_THAT_ALLOCATES(thing, maximum)                                               \
	ELEMENT_QUEUE_CALLS_(thing)                                                                \
	static const element_queue elements_of_##thing = {ELEMENT_QUEUE_TABLE_(thing, maximum)}

#define ELEMENT_QUEUE_CALLS_(thing)                                                                \
	static int element_init(void *queue, size_t capacity, size_t element_size)                 \
	{                                                                                          \
		return weft_##thing##_init(queue, capacity, element_size);                         \
	}                                                                                          \
	static void element_fini(void *queue)                                                      \
	{                                                                                          \
		weft_##thing##_fini(queue);                                                        \
	}                                                                                          \
	static bool element_try_push(void *queue, const void *element)                             \
	{                                                                                          \
		return weft_##thing##_try_push(queue, element);                                    \
	}                                                                                          \
	static bool element_try_pop(void *queue, void *element)                                    \
	{                                                                                          \
		return weft_##thing##_try_pop(queue, element);                                     \
	}                                                                                          \
	static size_t element_try_push_batch(void *queue, const void *elements, size_t count)      \
	{                                                                                          \
		return weft_##thing##_try_push_batch(queue, elements, count);                      \
	}                                                                                          \
	static size_t element_try_pop_batch(void *queue, void *elements, size_t count)             \
	{                                                                                          \
		return weft_##thing##_try_pop_batch(queue, elements, count);                       \
	}

#define ELEMENT_QUEUE_TABLE_(thing, maximum)                                                       \
	.queue_bytes = sizeof(weft_##thing), .element_max = (maximum), .init = element_init,       \
	.fini = element_fini, .try_push = element_try_push, .try_pop = element_try_pop,            \
	.try_push_batch = element_try_push_batch, .try_pop_batch = element_try_pop_batch

#endif
