/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/multiqueue.h>

#include "../seeded_random.h"

static void push(weft_multiqueue_handle *handle, uint64_t priority, uintptr_t element)
{
	assert_int_equal(weft_multiqueue_push(handle, priority, (void *)element), 0);
}

static weft_multiqueue_lane_ *lane_of(weft_multiqueue *queue, size_t index)
{
	return (weft_multiqueue_lane_ *)(void *)(queue->lanes_ + index * queue->lane_bytes_);
}

static void refuses_arguments(void **state)
{
	static const struct {
		size_t capacity;
		unsigned lanes, stickiness;
	} refused[] = {
		{0, 1, 1},        {1, 0, 1},
		{1, 1, 0},        {1, 2, 1},
		{8192, 1025, 1},  {8192, UINT32_MAX, 1},
		{8, 8, 1025},     {((size_t)1 << 31) + 1, 1, 1},
		{SIZE_MAX, 8, 1},
	};
	static const weft_multiqueue zeroed;
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[64 * WEFT_CACHE_LINE];
	weft_multiqueue queue;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_multiqueue_init(&queue, refused[i].capacity, refused[i].lanes,
						      refused[i].stickiness),
				 -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		weft_multiqueue_fini(&queue);
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_multiqueue_init_in(&queue, memory, sizeof(memory),
							 refused[i].capacity, refused[i].lanes,
							 refused[i].stickiness),
				 -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		if (refused[i].stickiness == 1)
			assert_int_equal(
				weft_multiqueue_memory_size(refused[i].capacity, refused[i].lanes),
				0);
	}
	/* The largest lane there is. */
	assert_true(weft_multiqueue_memory_size((size_t)1 << 31, 1) > (size_t)24 << 31);
}

static void lives_in_memory_of_the_caller(void **state)
{
	static const weft_multiqueue zeroed;
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[16 * WEFT_CACHE_LINE];
	size_t bytes = weft_multiqueue_memory_size(10, 2);
	weft_multiqueue_handle handle;
	weft_multiqueue queue;

	(void)state;
	assert_true(bytes >= 10 * 24 + 2 * WEFT_CACHE_LINE && bytes < sizeof(memory));
	assert_int_equal(weft_multiqueue_init_in(&queue, NULL, bytes, 10, 2, 1), -EINVAL);
	assert_int_equal(weft_multiqueue_init_in(&queue, memory + 8, bytes, 10, 2, 1), -EINVAL);
	assert_int_equal(weft_multiqueue_init_in(&queue, memory, bytes - 1, 10, 2, 1), -EINVAL);
	assert_memory_equal(&queue, &zeroed, sizeof(queue));
	memset(memory, 0xa5, sizeof(memory));
	for (int again = 0; again < 2; again++) {
		void *element;

		assert_int_equal(weft_multiqueue_init_in(&queue, memory, bytes, 10, 2, 1), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		for (uintptr_t i = 0; i < 10; i++)
			push(&handle, i, i);
		assert_false(weft_multiqueue_try_push(&handle, 0, NULL));
		for (uintptr_t i = 0; i < 10; i++)
			assert_true(weft_multiqueue_try_pop(&handle, &element, NULL));
		weft_multiqueue_fini(&queue);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
	}
	for (size_t i = bytes; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0xa5);
}

/* One lane is a strict queue, in which equals keep their order. */
static void one_lane_is_strict(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;
	uint64_t priority;

	(void)state;
	assert_int_equal(weft_multiqueue_init(&queue, 300, 1, 1), 0);
	weft_multiqueue_handle_init(&handle, &queue);
	for (uintptr_t i = 0; i < 300; i++)
		push(&handle, i % 3 == 0 ? UINT64_MAX : i % 3, i);
	for (uintptr_t i = 0; i < 300; i++) {
		uintptr_t expected = i < 200 ? 3 * (i % 100) + 1 + i / 100 : 3 * (i % 100);

		assert_int_equal(weft_multiqueue_pop(&handle, &element, &priority), 0);
		assert_int_equal((uintptr_t)element, expected);
		assert_int_equal(priority, i < 200 ? 1 + i / 100 : UINT64_MAX);
	}
	assert_int_equal(weft_multiqueue_pop(&handle, &element, &priority), -EAGAIN);
	weft_multiqueue_fini(&queue);
}

/* Alone one has all the room there is, whatever lanes it is in. */
static void fills_every_lane(void **state)
{
	static const size_t asked[][3] = {{1, 1, 1}, {5, 3, 8}, {64, 16, 16}, {100, 16, 112}};
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		for (unsigned stickiness = 1; stickiness < 20; stickiness += 9) {
			size_t room = 0, taken = 0;

			assert_int_equal(weft_multiqueue_init(&queue, asked[i][0],
							      (unsigned)asked[i][1], stickiness),
					 0);
			weft_multiqueue_handle_init(&handle, &queue);
			assert_true(weft_multiqueue_capacity(&queue) >= asked[i][0]);
			while (weft_multiqueue_try_push(&handle, room, (void *)room))
				room++;
			assert_int_equal(room, weft_multiqueue_capacity(&queue));
			assert_int_equal(weft_multiqueue_size(&queue), room);
			assert_int_equal(weft_multiqueue_push(&handle, 0, NULL), -EAGAIN);
			while (weft_multiqueue_try_pop(&handle, &element, NULL))
				taken++;
			assert_int_equal(taken, room);
			assert_int_equal(weft_multiqueue_size(&queue), 0);
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EAGAIN);
			weft_multiqueue_fini(&queue);
		}
	}
}

static void closes(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;

	(void)state;
	for (uintptr_t inside = 0; inside < 8; inside++) {
		assert_int_equal(weft_multiqueue_init(&queue, 8, 4, 2), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		for (uintptr_t i = 0; i < inside; i++)
			push(&handle, 7, i);
		assert_false(weft_multiqueue_is_closed(&queue));
		weft_multiqueue_close(&queue);
		weft_multiqueue_close(&queue);
		assert_true(weft_multiqueue_is_closed(&queue));
		assert_int_equal(weft_multiqueue_push(&handle, 0, NULL), -EPIPE);
		assert_false(weft_multiqueue_try_push(&handle, 0, NULL));
		for (uintptr_t i = 0; i < inside; i++)
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), 0);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EPIPE);
			assert_false(weft_multiqueue_try_pop(&handle, &element, NULL));
			/* Not open, nor only closed, again. */
			weft_multiqueue_close(&queue);
			assert_int_equal(weft_multiqueue_push(&handle, 0, NULL), -EPIPE);
		}
		weft_multiqueue_fini(&queue);
	}
}

/* A thread that has stopped in a lane hides that one: others go elsewhere. */
static void goes_around_a_lane_that_is_taken(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;

	(void)state;
	for (size_t hidden = 0; hidden < 4; hidden++) {
		assert_int_equal(weft_multiqueue_init(&queue, 16, 4, 3), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		for (uintptr_t i = 0; i < 16; i++)
			push(&handle, i, i);
		atomic_store_explicit(&lane_of(&queue, hidden)->taken_, 1, memory_order_relaxed);
		for (int again = 0; again < 3; again++) {
			for (int i = 0; i < 12; i++)
				assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), 0);
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EAGAIN);
			assert_int_equal(weft_multiqueue_size(&queue), 4);
			for (uintptr_t i = 0; i < 12; i++)
				push(&handle, i, i);
			assert_int_equal(weft_multiqueue_push(&handle, 0, NULL), -EAGAIN);
		}
		weft_multiqueue_close(&queue);
		for (int i = 0; i < 12; i++)
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), 0);
		/* Not drained: there are some in the lane. */
		assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EAGAIN);
		atomic_store_explicit(&lane_of(&queue, hidden)->taken_, 0, memory_order_relaxed);
		for (int i = 0; i < 4; i++)
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), 0);
		assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EPIPE);
		/* What was said is not taken back. */
		atomic_store_explicit(&lane_of(&queue, hidden)->taken_, 1, memory_order_relaxed);
		assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EPIPE);
		weft_multiqueue_fini(&queue);
	}
}

static void handles_differ(void **state)
{
	weft_multiqueue_handle handles[100];
	weft_multiqueue queue;

	(void)state;
	assert_int_equal(weft_multiqueue_init(&queue, 1024, 1024, 1), 0);
	for (int i = 0; i < 100; i++) {
		weft_multiqueue_handle_init(&handles[i], &queue);
		assert_true(handles[i].random_ != 0);
		for (int j = 0; j < i; j++)
			assert_true(handles[i].random_ != handles[j].random_);
	}
	weft_multiqueue_fini(&queue);
}

#define MODEL_CAPACITY   64
#define MODEL_OPERATIONS 2000

/* Against an array: each element comes out once, with its priority, and none is missing. */
static void equals_its_model(void **state)
{
	seeded_random random = {seeded_random_seed()};

	(void)state;
	for (int round = 0; round < 100; round++) {
		uint64_t priority_of[MODEL_CAPACITY], priority, priorities;
		bool is_inside[MODEL_CAPACITY] = {false};
		unsigned lanes = 1U << seeded_random_below(&random, 5);
		weft_multiqueue_handle handles[3];
		weft_multiqueue queue;
		size_t inside = 0;
		void *element;

		priorities = 1 + seeded_random_below(&random, 100);
		assert_int_equal(weft_multiqueue_init(&queue, MODEL_CAPACITY, lanes,
						      1 + (unsigned)round % 9),
				 0);
		for (int i = 0; i < 3; i++)
			weft_multiqueue_handle_init(&handles[i], &queue);
		for (int i = 0; i < MODEL_OPERATIONS; i++) {
			weft_multiqueue_handle *handle = &handles[i % 3];
			uint64_t free = seeded_random_below(&random, MODEL_CAPACITY);

			if (seeded_random_below(&random, 2) == 0) {
				assert_int_equal(weft_multiqueue_pop(handle, &element, &priority),
						 inside == 0 ? -EAGAIN : 0);
				if (inside == 0)
					continue;
				uintptr_t number = (uintptr_t)element;

				assert_true(number < MODEL_CAPACITY && is_inside[number]);
				assert_int_equal(priority, priority_of[number]);
				is_inside[number] = false;
				inside--;
			} else if (!is_inside[free]) {
				priority_of[free] = seeded_random_below(&random, priorities);
				push(handle, priority_of[free], free);
				is_inside[free] = true;
				inside++;
			}
			assert_int_equal(weft_multiqueue_size(&queue), inside);
		}
		weft_multiqueue_fini(&queue);
	}
}

#define RANKED 4096

/* How many of the elements below this one are still inside: a Fenwick tree counts. */
static unsigned rank_of(const unsigned *tree, size_t element)
{
	unsigned sum = 0;

	for (size_t i = element; i > 0; i &= i - 1)
		sum += tree[i];
	return sum;
}

static void count(unsigned *tree, size_t element, unsigned by)
{
	for (size_t i = element + 1; i <= RANKED; i += i & -i)
		tree[i] += by;
}

/* The handles of eight threads take turns; half of what is inside is popped, pushed again and so
 * on. Each priority is there once, so that the rank error of a pop is what it says. */
static void check_ranks(unsigned lanes, unsigned stickiness, double mean_limit)
{
	static unsigned tree[RANKED + 1];
	weft_multiqueue_handle handles[8];
	seeded_random random = {12345};
	size_t order[RANKED], above = 0, pops = 0;
	weft_multiqueue queue;
	double sum = 0;

	memset(tree, 0, sizeof(tree));
	assert_int_equal(weft_multiqueue_init(&queue, (size_t)2 * RANKED, lanes, stickiness), 0);
	for (int i = 0; i < 8; i++)
		weft_multiqueue_handle_init(&handles[i], &queue);
	for (size_t i = 0; i < RANKED; i++) {
		size_t other = seeded_random_below(&random, i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	for (size_t i = 0; i < RANKED; i++) {
		push(&handles[i % 8], order[i], order[i]);
		count(tree, order[i], 1);
	}
	for (int round = 0; round < 20; round++) {
		size_t popped[RANKED / 2];

		for (size_t i = 0; i < RANKED / 2; i++, pops++) {
			void *element;

			assert_true(weft_multiqueue_try_pop(&handles[pops % 8], &element, NULL));
			popped[i] = (uintptr_t)element;
			unsigned rank = rank_of(tree, popped[i]);

			sum += rank;
			above += rank > 8 * lanes * stickiness;
			count(tree, popped[i], (unsigned)-1);
		}
		for (size_t i = 0; i < RANKED / 2; i++) {
			push(&handles[seeded_random_below(&random, 8)], popped[i], popped[i]);
			count(tree, popped[i], 1);
		}
	}
	printf("# %u lanes, stickiness %u: rank error %.1f on average, %zu of %zu above %u\n",
	       lanes, stickiness, sum / (double)pops, above, pops, 8 * lanes * stickiness);
	assert_true(sum / (double)pops < mean_limit);
	assert_true(above <= pops / 1000);
	weft_multiqueue_fini(&queue);
}

static void ranks_are_as_stated(void **state)
{
	(void)state;
	check_ranks(1, 1, 0.001);
	check_ranks(8, 1, 8);
	check_ranks(16, 1, 16);
	check_ranks(64, 1, 64);
	check_ranks(16, 4, 64);
	check_ranks(16, 8, 128);
	check_ranks(32, 8, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_arguments),
		cmocka_unit_test(lives_in_memory_of_the_caller),
		cmocka_unit_test(one_lane_is_strict),
		cmocka_unit_test(fills_every_lane),
		cmocka_unit_test(closes),
		cmocka_unit_test(goes_around_a_lane_that_is_taken),
		cmocka_unit_test(handles_differ),
		cmocka_unit_test(equals_its_model),
		cmocka_unit_test(ranks_are_as_stated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
