/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/priority_queue.h>

#include "../seeded_random.h"

static void push(weft_priority_queue *queue, unsigned priority, uintptr_t element)
{
	assert_int_equal(weft_priority_queue_push(queue, priority, (void *)element), 0);
}

static void assert_pops(weft_priority_queue *queue, unsigned priority, uintptr_t element)
{
	unsigned popped_priority = UINT32_MAX;
	void *popped = NULL;

	assert_int_equal(weft_priority_queue_pop(queue, &popped, &popped_priority), 0);
	assert_int_equal((uintptr_t)popped, element);
	assert_int_equal(popped_priority, priority);
}

static void assert_empty(weft_priority_queue *queue, int error)
{
	void *element = queue;
	unsigned priority = 77;

	assert_int_equal(weft_priority_queue_pop(queue, &element, &priority), error);
	assert_false(weft_priority_queue_try_pop(queue, &element, &priority));
	assert_ptr_equal(element, queue);
	assert_int_equal(priority, 77);
	assert_int_equal(weft_priority_queue_size(queue), 0);
}

static void refuses_arguments(void **state)
{
	static const struct {
		size_t capacity;
		unsigned levels;
	} refused[] = {{0, 1},       {1, 0}, {1, 1025}, {1, UINT32_MAX}, {((size_t)1 << 31) + 1, 1},
		       {SIZE_MAX, 1}};
	static const weft_priority_queue zeroed;
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[64 * WEFT_CACHE_LINE];
	weft_priority_queue queue;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t capacity = refused[i].capacity;
		unsigned levels = refused[i].levels;

		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_priority_queue_init(&queue, capacity, levels), -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		weft_priority_queue_fini(&queue);
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_priority_queue_init_in(&queue, memory, sizeof(memory),
							     capacity, levels),
				 -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		assert_int_equal(weft_priority_queue_memory_size(capacity, levels), 0);
	}
	assert_true(weft_priority_queue_memory_size((size_t)1 << 31, 1024) > (size_t)24 << 31);
}

static void lives_in_memory_of_the_caller(void **state)
{
	static const weft_priority_queue zeroed;
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[64 * WEFT_CACHE_LINE];
	size_t bytes = weft_priority_queue_memory_size(10, 17);
	weft_priority_queue queue;

	(void)state;
	assert_true(bytes >= 10 * 24 + 17 * WEFT_CACHE_LINE && bytes < sizeof(memory));
	assert_int_equal(weft_priority_queue_init_in(&queue, NULL, bytes, 10, 17), -EINVAL);
	assert_int_equal(weft_priority_queue_init_in(&queue, memory + 8, bytes, 10, 17), -EINVAL);
	assert_int_equal(weft_priority_queue_init_in(&queue, memory, bytes - 1, 10, 17), -EINVAL);
	assert_memory_equal(&queue, &zeroed, sizeof(queue));
	memset(memory, 0xa5, sizeof(memory));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(weft_priority_queue_init_in(&queue, memory, bytes, 10, 17), 0);
		for (unsigned i = 0; i < 10; i++)
			push(&queue, 16 - i, i);
		assert_false(weft_priority_queue_try_push(&queue, 0, NULL));
		for (unsigned i = 10; i > 0; i--)
			assert_pops(&queue, 17 - i, i - 1);
		assert_empty(&queue, -EAGAIN);
		weft_priority_queue_fini(&queue);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
	}
	for (size_t i = bytes; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0xa5);
}

static void least_first_and_oldest_first(void **state)
{
	static const unsigned level_counts[] = {1, 2, 15, 16, 17, 33, 1024};
	weft_priority_queue queue;

	(void)state;
	for (size_t i = 0; i < sizeof(level_counts) / sizeof(level_counts[0]); i++) {
		unsigned levels = level_counts[i];

		assert_int_equal(weft_priority_queue_init(&queue, (size_t)3 * levels, levels), 0);
		assert_int_equal(weft_priority_queue_levels(&queue), levels);
		assert_int_equal(weft_priority_queue_capacity(&queue), 3 * levels);
		assert_empty(&queue, -EAGAIN);
		for (int again = 0; again < 3; again++) {
			for (uintptr_t n = 0; n < 3 * levels; n++) {
				/* Each level three times, in a wild order. */
				push(&queue, (unsigned)(n * 7919 % levels), n);
				assert_int_equal(weft_priority_queue_size(&queue), n + 1);
			}
			assert_int_equal(weft_priority_queue_push(&queue, 0, NULL), -EAGAIN);
			uintptr_t last = 0;

			for (unsigned n = 0; n < 3 * levels; n++) {
				unsigned priority;
				void *element;

				assert_int_equal(
					weft_priority_queue_pop(&queue, &element, &priority), 0);
				uintptr_t number = (uintptr_t)element;

				assert_int_equal(priority, n / 3);
				assert_int_equal(number * 7919 % levels, priority);
				assert_true(n % 3 == 0 || number > last);
				last = number;
			}
			assert_empty(&queue, -EAGAIN);
		}
		weft_priority_queue_fini(&queue);
	}
}

static void refuses_priorities(void **state)
{
	static const unsigned refused[] = {3, 4, 16, 1024, UINT32_MAX};
	weft_priority_queue queue;

	(void)state;
	assert_int_equal(weft_priority_queue_init(&queue, 2, 3), 0);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(weft_priority_queue_push(&queue, refused[i], NULL), -EINVAL);
		assert_false(weft_priority_queue_try_push(&queue, refused[i], NULL));
	}
	assert_empty(&queue, -EAGAIN);
	/* Nothing was lost by it, and nobody need want the priority. */
	push(&queue, 2, 5);
	push(&queue, 2, 6);
	void *element;

	assert_true(weft_priority_queue_try_pop(&queue, &element, NULL));
	assert_int_equal((uintptr_t)element, 5);
	weft_priority_queue_fini(&queue);
}

static void closes(void **state)
{
	weft_priority_queue queue;

	(void)state;
	for (unsigned inside = 0; inside <= 3; inside++) {
		assert_int_equal(weft_priority_queue_init(&queue, 3, 2), 0);
		/* Nodes have moved between the levels and the free ones. */
		for (unsigned n = 0; n < 7; n++) {
			push(&queue, n % 2, n);
			assert_pops(&queue, n % 2, n);
		}
		for (unsigned n = 0; n < inside; n++)
			push(&queue, 1, n);
		assert_false(weft_priority_queue_is_closed(&queue));
		for (int again = 0; again < 2; again++) {
			weft_priority_queue_close(&queue);
			assert_true(weft_priority_queue_is_closed(&queue));
			assert_int_equal(weft_priority_queue_push(&queue, 0, NULL), -EPIPE);
			assert_false(weft_priority_queue_try_push(&queue, 0, NULL));
			assert_int_equal(weft_priority_queue_push(&queue, 2, NULL), -EINVAL);
		}
		for (unsigned n = 0; n < inside; n++) {
			assert_int_equal(weft_priority_queue_size(&queue), inside - n);
			assert_pops(&queue, 1, n);
		}
		assert_empty(&queue, -EPIPE);
		weft_priority_queue_fini(&queue);
	}
}

/* A push that has a node and does not go on: the queue may not be called drained. */
static void is_not_drained_while_a_push_is_under_way(void **state)
{
	weft_priority_queue queue;

	(void)state;
	assert_int_equal(weft_priority_queue_init(&queue, 2, 1), 0);
	uint64_t all = atomic_load_explicit(&queue.free_, memory_order_relaxed);

	push(&queue, 0, 1);
	weft_priority_queue_close(&queue);
	assert_pops(&queue, 0, 1);
	uint64_t drained = atomic_load_explicit(&queue.free_, memory_order_relaxed);

	/* As if the last node that came back had not. */
	atomic_store_explicit(
		&queue.free_,
		(all & ~(uint64_t)UINT32_MAX) | (uint64_t)1 << 32 |
			(uint32_t)atomic_load_explicit(&queue.nodes_[(uint32_t)drained].next_,
						       memory_order_relaxed),
		memory_order_relaxed);
	void *element;

	assert_int_equal(weft_priority_queue_pop(&queue, &element, NULL), -EAGAIN);
	assert_int_equal(weft_priority_queue_size(&queue), 1);
	atomic_store_explicit(&queue.free_, drained, memory_order_relaxed);
	assert_empty(&queue, -EPIPE);
	weft_priority_queue_fini(&queue);
}

/* As many pops one after the other would, over all priorities. */
static void passes_batches(void **state)
{
	weft_priority_queue queue;
	void *in[40], *out[41];
	unsigned priorities[41];

	(void)state;
	for (uintptr_t i = 0; i < 40; i++)
		in[i] = (void *)(i + 1);
	assert_int_equal(weft_priority_queue_init(&queue, 40, 20), 0);
	for (size_t batch = 1; batch <= 41; batch++) {
		size_t popped = 0, got;

		/* Priority 17, then 3, then what still fits of 18. */
		assert_int_equal(weft_priority_queue_try_push_batch(&queue, 17, in, 0), 0);
		assert_int_equal(weft_priority_queue_try_push_batch(&queue, 17, in, 15), 15);
		assert_int_equal(weft_priority_queue_try_push_batch(&queue, 3, in + 15, 10), 10);
		assert_int_equal(weft_priority_queue_try_push_batch(&queue, 18, in + 25, 40), 15);
		assert_int_equal(weft_priority_queue_try_push_batch(&queue, 18, in, 1), 0);
		assert_int_equal(weft_priority_queue_try_push_batch(&queue, 20, in, 1), 0);
		assert_int_equal(weft_priority_queue_size(&queue), 40);
		assert_int_equal(weft_priority_queue_try_pop_batch(&queue, out, priorities, 0), 0);
		while ((got = weft_priority_queue_try_pop_batch(
				&queue, out, batch % 2 == 0 ? NULL : priorities, batch)) > 0) {
			assert_int_equal(got, popped + batch <= 40 ? batch : 40 - popped);
			for (size_t i = 0; i < got; i++, popped++) {
				unsigned level = popped < 10 ? 3 : popped < 25 ? 17 : 18;
				uintptr_t number = popped < 10   ? popped + 16
						   : popped < 25 ? popped - 9
								 : popped + 1;

				assert_int_equal((uintptr_t)out[i], number);
				assert_true(batch % 2 == 0 || priorities[i] == level);
			}
			assert_int_equal(weft_priority_queue_size(&queue), 40 - popped);
		}
		assert_int_equal(popped, 40);
	}
	weft_priority_queue_try_push_batch(&queue, 1, in, 3);
	weft_priority_queue_close(&queue);
	assert_int_equal(weft_priority_queue_try_push_batch(&queue, 1, in, 3), 0);
	assert_int_equal(weft_priority_queue_try_pop_batch(&queue, out, NULL, 9), 3);
	assert_empty(&queue, -EPIPE);
	weft_priority_queue_fini(&queue);
}

struct triple {
	uint64_t number;
	char name[9];
};

WEFT_PRIORITY_QUEUE_DEFINE(triples, struct triple);
WEFT_PRIORITY_QUEUE_DEFINE(bytes, unsigned char);

static void carries_any_type(void **state)
{
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[256 * WEFT_CACHE_LINE];
	struct triple triple = {0, "abcdefgh"}, popped, more[3];
	unsigned priority, priorities[3];
	unsigned char byte = 0;
	triples queue;
	bytes small;

	(void)state;
	assert_true(triples_memory_size(100, 4) <= sizeof(memory));
	assert_int_equal(triples_init_in(&queue, memory, sizeof(memory), 100, 4), 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++) {
			triple.number = i;
			assert_int_equal(triples_push(&queue, i % 4, triple), 0);
		}
		assert_false(triples_try_push(&queue, 0, triple));
		for (unsigned i = 0; i < 97; i++) {
			assert_int_equal(triples_pop(&queue, &popped, &priority), 0);
			assert_int_equal(priority, i / 25);
			assert_int_equal(popped.number, i % 25 * 4 + i / 25);
			assert_string_equal(popped.name, "abcdefgh");
		}
		assert_int_equal(triples_try_pop_batch(&queue, more, priorities, 3), 3);
		assert_false(triples_try_pop(&queue, &popped, NULL));
		assert_int_equal(triples_try_push_batch(&queue, 2, more, 3), 3);
		assert_int_equal(triples_size(&queue), 3);
		assert_true(triples_try_pop(&queue, &popped, &priority));
		assert_memory_equal(&popped, &more[0], sizeof(popped));
		assert_int_equal(triples_try_pop_batch(&queue, more, NULL, 3), 2);
	}
	triples_close(&queue);
	assert_true(triples_is_closed(&queue));
	assert_int_equal(triples_push(&queue, 1, triple), -EPIPE);
	assert_int_equal(triples_pop(&queue, &popped, NULL), -EPIPE);
	triples_fini(&queue);

	assert_int_equal(bytes_init(&small, 256, 256), 0);
	assert_int_equal(bytes_capacity(&small), 256);
	for (unsigned i = 0; i < 256; i++)
		assert_true(bytes_try_push(&small, i, (unsigned char)i));
	for (unsigned i = 0; i < 256; i++) {
		assert_int_equal(bytes_pop(&small, &byte, &priority), 0);
		assert_int_equal(byte, priority);
	}
	bytes_fini(&small);
	assert_int_equal(weft_priority_queue_memory_size_(1, 0, 1), 0);
	assert_int_equal(
		weft_priority_queue_memory_size_(1, WEFT_PRIORITY_QUEUE_ELEMENT_MAX + 1, 1), 0);
	assert_true(weft_priority_queue_memory_size_(1, WEFT_PRIORITY_QUEUE_ELEMENT_MAX, 1) > 0);
}

#define MODEL_LEVELS     20
#define MODEL_CAPACITY   32
#define MODEL_OPERATIONS 2000

/* All counts just below their overflow. */
static void set_counts(weft_priority_queue *queue)
{
	uint64_t last = (uint64_t)(UINT32_MAX - 20) << 32;

	for (unsigned i = 0; i < MODEL_LEVELS; i++) {
		atomic_fetch_or_explicit(&queue->levels_[i].head_, last, memory_order_relaxed);
		atomic_fetch_or_explicit(&queue->levels_[i].tail_, last, memory_order_relaxed);
	}
	for (unsigned i = 0; i < MODEL_LEVELS + MODEL_CAPACITY; i++)
		atomic_fetch_or_explicit(&queue->nodes_[i].next_, last, memory_order_relaxed);
	for (unsigned i = 0; i < 2; i++)
		atomic_store_explicit(&queue->words_[i], (UINT64_MAX - 20) << 16,
				      memory_order_relaxed);
	atomic_fetch_or_explicit(&queue->free_, (UINT64_MAX - 20) << 33, memory_order_relaxed);
}

/* The elements of each level, from `first` to `end`. */
typedef struct level_mirror {
	uintptr_t elements[MODEL_LEVELS][MODEL_OPERATIONS];
	size_t first[MODEL_LEVELS], end[MODEL_LEVELS], inside;
} level_mirror;

static void push_to_both(weft_priority_queue *queue, level_mirror *mirror, unsigned level,
			 uintptr_t element)
{
	bool fits = mirror->inside < MODEL_CAPACITY;

	assert_int_equal(weft_priority_queue_push(queue, level, (void *)element),
			 fits ? 0 : -EAGAIN);
	if (fits) {
		mirror->elements[level][mirror->end[level]++] = element;
		mirror->inside++;
	}
}

static void pop_from_both(weft_priority_queue *queue, level_mirror *mirror)
{
	unsigned level = 0;

	if (mirror->inside == 0) {
		assert_empty(queue, -EAGAIN);
		return;
	}
	while (mirror->first[level] == mirror->end[level])
		level++;
	assert_pops(queue, level, mirror->elements[level][mirror->first[level]++]);
	mirror->inside--;
}

static void equals_its_model(void **state)
{
	seeded_random random = {seeded_random_seed()};
	static level_mirror mirror;

	(void)state;
	for (int round = 0; round < 200; round++) {
		uint64_t push_of_8 = 3 + seeded_random_below(&random, 3);
		weft_priority_queue queue;

		memset(&mirror, 0, sizeof(mirror));
		assert_int_equal(weft_priority_queue_init(&queue, MODEL_CAPACITY, MODEL_LEVELS), 0);
		if (round % 2 == 0)
			set_counts(&queue);
		for (int i = 0; i < MODEL_OPERATIONS; i++) {
			if (seeded_random_below(&random, 8) < push_of_8)
				push_to_both(&queue, &mirror,
					     (unsigned)seeded_random_below(&random, MODEL_LEVELS),
					     (uintptr_t)seeded_random_next(&random));
			else
				pop_from_both(&queue, &mirror);
			assert_int_equal(weft_priority_queue_size(&queue), mirror.inside);
		}
		weft_priority_queue_fini(&queue);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_arguments),
		cmocka_unit_test(lives_in_memory_of_the_caller),
		cmocka_unit_test(least_first_and_oldest_first),
		cmocka_unit_test(refuses_priorities),
		cmocka_unit_test(closes),
		cmocka_unit_test(is_not_drained_while_a_push_is_under_way),
		cmocka_unit_test(passes_batches),
		cmocka_unit_test(carries_any_type),
		cmocka_unit_test(equals_its_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
