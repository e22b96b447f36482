/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/affinity/memory.h>
#include <weft/lockfree/bounded_stack.h>

#include "../seeded_random.h"

typedef struct wide {
	uint64_t words[9];
} wide;

WEFT_BOUNDED_STACK_DEFINE(wide_stack, wide);
WEFT_BOUNDED_STACK_DEFINE(byte_stack, unsigned char);

static void init(weft_bounded_stack *stack, size_t capacity)
{
	assert_int_equal(weft_bounded_stack_init(stack, capacity, sizeof(uint64_t)), 0);
	assert_int_equal(weft_bounded_stack_size(stack), 0);
}

/* As on a machine with this many CPUs. */
static void share_out(weft_bounded_stack *stack, size_t lists)
{
	weft_slot_pool_start_(&stack->unused_, stack->unused_.links,
			      weft_bounded_stack_stride_(stack->element_size_), stack->capacity_,
			      lists);
}

static int push(weft_bounded_stack *stack, uint64_t value)
{
	return weft_bounded_stack_push(stack, &value);
}

static void pops(weft_bounded_stack *stack, uint64_t expected)
{
	uint64_t value = ~expected;

	assert_int_equal(weft_bounded_stack_pop(stack, &value), 0);
	assert_true(value == expected);
}

/* The error of a pop, which must not write. */
static int refused_pop(weft_bounded_stack *stack)
{
	uint64_t value = 77;
	int error = weft_bounded_stack_pop(stack, &value);

	assert_true(value == 77);
	assert_false(weft_bounded_stack_try_pop(stack, &value));
	assert_int_equal(weft_bounded_stack_try_pop_batch(stack, &value, 1), 0);
	return error;
}

static void refuses_arguments(void **state)
{
	static const size_t refused[][2] = {
		{0, 8},        {((size_t)1 << 31) + 1, 8},
		{SIZE_MAX, 8}, {8, 0},
		{8, SIZE_MAX}, {8, WEFT_BOUNDED_STACK_ELEMENT_MAX + 1},
	};
	static const weft_bounded_stack zeroed;
	static WEFT_LINE_ALIGNED char memory[1024];
	weft_bounded_stack stack;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		size_t capacity = refused[i][0], size = refused[i][1];

		memset((void *)&stack, 0xa5, sizeof(stack));
		assert_int_equal(weft_bounded_stack_init(&stack, capacity, size), -EINVAL);
		assert_memory_equal(&stack, &zeroed, sizeof(stack));
		memset((void *)&stack, 0xa5, sizeof(stack));
		assert_int_equal(
			weft_bounded_stack_init_in(&stack, memory, sizeof(memory), capacity, size),
			-EINVAL);
		assert_memory_equal(&stack, &zeroed, sizeof(stack));
		assert_int_equal(weft_bounded_stack_memory_size(capacity, size), 0);
		weft_bounded_stack_fini(&stack);
	}
}

static void newest_comes_first(void **state)
{
	static const size_t asked_and_given[][2] = {
		{1, 1}, {2, 2}, {3, 4}, {100, 128}, {600, 1024}};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		size_t capacity = asked_and_given[i][1];
		weft_bounded_stack stack;

		init(&stack, asked_and_given[i][0]);
		assert_int_equal(weft_bounded_stack_capacity(&stack), capacity);
		for (uint64_t lap = 0; lap < 3; lap++) {
			for (uint64_t value = 0; value < capacity; value++) {
				assert_int_equal(weft_bounded_stack_size(&stack), value);
				assert_int_equal(push(&stack, lap + value), 0);
			}
			assert_int_equal(push(&stack, 0), -EAGAIN);
			assert_false(weft_bounded_stack_try_push(&stack, &lap));
			assert_int_equal(weft_bounded_stack_try_push_batch(&stack, &lap, 1), 0);
			assert_int_equal(weft_bounded_stack_size(&stack), capacity);
			for (uint64_t value = capacity; value-- > 0;)
				pops(&stack, lap + value);
			assert_int_equal(refused_pop(&stack), -EAGAIN);
		}
		weft_bounded_stack_fini(&stack);
	}
}

static void batches_keep_their_order(void **state)
{
	static const uint64_t values[5] = {10, 11, 12, 13, 14};
	uint64_t popped[8] = {0};
	weft_bounded_stack stack;

	(void)state;
	init(&stack, 8);
	assert_int_equal(weft_bounded_stack_try_push_batch(&stack, values, 0), 0);
	assert_int_equal(weft_bounded_stack_try_pop_batch(&stack, popped, 0), 0);
	assert_int_equal(weft_bounded_stack_try_push_batch(&stack, values, 5), 5);
	/* The first three of the next, for which there is room. */
	assert_int_equal(weft_bounded_stack_try_push_batch(&stack, values, 5), 3);
	assert_int_equal(weft_bounded_stack_size(&stack), 8);
	pops(&stack, 12);
	assert_int_equal(weft_bounded_stack_try_pop_batch(&stack, popped, 4), 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(popped[i] == (i < 2 ? 11 - i : 16 - i));
	assert_int_equal(weft_bounded_stack_try_pop_batch(&stack, popped, 8), 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(popped[i] == 12 - i);
	assert_int_equal(refused_pop(&stack), -EAGAIN);
	weft_bounded_stack_fini(&stack);
}

static void closed_stack_drains(void **state)
{
	static const uint64_t values[2] = {8, 9};
	weft_bounded_stack stack;

	(void)state;
	for (uint64_t inside = 0; inside < 3; inside++) {
		init(&stack, 2);
		for (uint64_t value = 0; value < inside; value++)
			assert_int_equal(push(&stack, value), 0);
		assert_false(weft_bounded_stack_is_closed(&stack));
		for (int again = 0; again < 2; again++) {
			weft_bounded_stack_close(&stack);
			assert_true(weft_bounded_stack_is_closed(&stack));
			/* Also where it is full. */
			assert_int_equal(push(&stack, 7), -EPIPE);
			assert_false(weft_bounded_stack_try_push(&stack, values));
			assert_int_equal(weft_bounded_stack_try_push_batch(&stack, values, 2), 0);
			/* The slots of what was refused are there again. */
			assert_int_equal(weft_bounded_stack_size(&stack), inside);
		}
		for (uint64_t value = inside; value-- > 0;)
			pops(&stack, value);
		assert_int_equal(refused_pop(&stack), -EPIPE);
		assert_true(weft_bounded_stack_is_closed(&stack));
		weft_bounded_stack_fini(&stack);
	}
}

/* Slots that were freed on other CPUs are found; a handful of them comes along, if there are many.
 */
static void slots_of_other_cpus(void **state)
{
	uint64_t found[1024];
	weft_bounded_stack stack;

	(void)state;
	for (size_t capacity = 1; capacity <= 1024; capacity *= 2) {
		size_t lists = capacity < WEFT_SLOT_POOL_LISTS_ ? capacity : WEFT_SLOT_POOL_LISTS_;

		init(&stack, capacity);
		share_out(&stack, lists);
		assert_int_equal(weft_bounded_stack_size(&stack), 0);
		assert_int_equal(stack.unused_.steal, capacity < 256 ? 1 : capacity / 256);
		for (uint64_t value = 0; value < capacity; value++)
			assert_int_equal(push(&stack, value), 0);
		assert_int_equal(push(&stack, 0), -EAGAIN);
		assert_int_equal(weft_bounded_stack_size(&stack), capacity);
		for (uint64_t value = capacity; value-- > 0;)
			pops(&stack, value);
		share_out(&stack, lists);
		assert_int_equal(weft_bounded_stack_try_push_batch(&stack, found, 1024), capacity);
		weft_bounded_stack_fini(&stack);
	}
}

/* A pop that was stopped, while the slot on top went away and came back, must not succeed. */
static void stopped_pop_notices(void **state)
{
	weft_bounded_stack stack;

	(void)state;
	init(&stack, 2);
	/* The tag starts again from 0. */
	atomic_store(&stack.top_.head, (uint64_t)0 - stack.unused_.tag_step);
	assert_int_equal(push(&stack, 1), 0);
	assert_int_equal(push(&stack, 2), 0);

	uint64_t seen = atomic_load(&stack.top_.head);

	pops(&stack, 2);
	assert_int_equal(push(&stack, 3), 0);

	uint64_t now = atomic_load(&stack.top_.head);

	/* The same slot, and something else. */
	assert_true((seen & stack.unused_.number_mask) == (now & stack.unused_.number_mask));
	assert_true(seen != now);
	pops(&stack, 3);
	pops(&stack, 1);
	weft_bounded_stack_fini(&stack);
}

static void typed_by_value(void **state)
{
	wide_stack wides;
	byte_stack bytes;
	unsigned char byte = 0, both[2] = {0, 0};
	wide in = {.words = {1, 2, 3, 4, 5, 6, 7, 8, 9}}, out = {.words = {0}}, outs[2];

	(void)state;
	assert_int_equal(wide_stack_init(&wides, 2), 0);
	assert_int_equal(wide_stack_push(&wides, in), 0);
	assert_true(wide_stack_try_push(&wides, out));
	assert_int_equal(wide_stack_push(&wides, in), -EAGAIN);
	assert_int_equal(wide_stack_pop(&wides, &out), 0);
	assert_int_equal(out.words[8], 0);
	assert_true(wide_stack_try_pop(&wides, &out));
	assert_memory_equal(&in, &out, sizeof(in));
	assert_int_equal(wide_stack_try_push_batch(&wides, &in, 1), 1);
	assert_int_equal(wide_stack_try_pop_batch(&wides, outs, 2), 1);
	assert_memory_equal(&in, outs, sizeof(in));
	assert_int_equal(wide_stack_size(&wides), 0);
	wide_stack_close(&wides);
	assert_true(wide_stack_is_closed(&wides));
	assert_int_equal(wide_stack_pop(&wides, &out), -EPIPE);
	wide_stack_fini(&wides);

	static WEFT_LINE_ALIGNED char memory[1024];

	assert_true(byte_stack_memory_size(60) <= sizeof(memory));
	assert_int_equal(byte_stack_init_in(&bytes, memory, sizeof(memory), 60), 0);
	for (unsigned i = 0; i < 64; i++)
		assert_true(byte_stack_try_push(&bytes, (unsigned char)(i + 190)));
	assert_int_equal(byte_stack_capacity(&bytes), byte_stack_size(&bytes));
	assert_int_equal(byte_stack_try_pop_batch(&bytes, both, 2), 2);
	assert_int_equal(both[0] - both[1], 1);
	assert_int_equal(byte_stack_pop(&bytes, &byte), 0);
	assert_int_equal(byte, 190 + 61);
	byte_stack_fini(&bytes);
}

/* What is given is enough, one byte less is not, and nothing is freed. */
static void lives_in_given_memory(void **state)
{
	size_t bytes = weft_bounded_stack_memory_size(100, 24);
	void *memory = weft_memory_alloc(bytes + WEFT_CACHE_LINE, WEFT_CACHE_LINE, 0);
	static const weft_bounded_stack zeroed;
	weft_bounded_stack stack;
	uint64_t element[3] = {0};

	(void)state;
	assert_non_null(memory);
	assert_int_equal(bytes, 128 * 32);
	memset((char *)memory + bytes, 0x5a, WEFT_CACHE_LINE);
	assert_int_equal(weft_bounded_stack_init_in(&stack, memory, bytes - 1, 100, 24), -EINVAL);
	assert_int_equal(weft_bounded_stack_init_in(&stack, NULL, bytes, 100, 24), -EINVAL);
	assert_int_equal(weft_bounded_stack_init_in(&stack, (char *)memory + 64, bytes, 100, 24),
			 -EINVAL);
	assert_memory_equal(&stack, &zeroed, sizeof(stack));
	assert_int_equal(weft_bounded_stack_init_in(&stack, memory, bytes, 100, 24), 0);
	for (uint64_t i = 0; i < 128; i++) {
		element[0] = element[2] = i;
		assert_int_equal(weft_bounded_stack_push(&stack, element), 0);
	}
	assert_int_equal(weft_bounded_stack_push(&stack, element), -EAGAIN);
	for (uint64_t i = 128; i-- > 0;) {
		assert_int_equal(weft_bounded_stack_pop(&stack, element), 0);
		assert_true(element[0] == i && element[2] == i);
	}
	weft_bounded_stack_fini(&stack);
	assert_memory_equal(&stack, &zeroed, sizeof(stack));
	for (size_t i = 0; i < WEFT_CACHE_LINE; i++)
		assert_int_equal(((char *)memory)[bytes + i], 0x5a);
	weft_memory_free(memory, bytes + WEFT_CACHE_LINE, WEFT_CACHE_LINE);
}

/* A plain array that does the same, with elements of any size. */
#define FUZZ_CAPACITY 512
#define FUZZ_BATCH    40
#define FUZZ_SIZE_MAX 80

typedef struct reference {
	weft_bounded_stack stack;
	seeded_random random;
	size_t element_size;
	size_t count;
	unsigned char elements[FUZZ_CAPACITY][FUZZ_SIZE_MAX];
} reference;

static void fill(reference *model, unsigned char *element)
{
	for (size_t i = 0; i < model->element_size; i++)
		element[i] = (unsigned char)seeded_random_next(&model->random);
}

static void compare_push(reference *model, size_t count)
{
	unsigned char batch[FUZZ_BATCH * FUZZ_SIZE_MAX];
	size_t room = model->stack.capacity_ - model->count, size = model->element_size;
	size_t expected = count < room ? count : room;

	for (size_t i = 0; i < count; i++)
		fill(model, batch + i * size);
	if (weft_bounded_stack_is_closed(&model->stack))
		expected = 0;
	if (count == 1 && seeded_random_below(&model->random, 2) == 0)
		assert_int_equal(weft_bounded_stack_try_push(&model->stack, batch), expected);
	else
		assert_int_equal(weft_bounded_stack_try_push_batch(&model->stack, batch, count),
				 expected);
	for (size_t i = 0; i < expected; i++)
		memcpy(model->elements[model->count++], batch + i * size, size);
}

static void compare_pop(reference *model, size_t count)
{
	unsigned char batch[FUZZ_BATCH * FUZZ_SIZE_MAX];
	size_t expected = count < model->count ? count : model->count;

	if (count == 1 && seeded_random_below(&model->random, 2) == 0)
		assert_int_equal(weft_bounded_stack_try_pop(&model->stack, batch), expected);
	else
		assert_int_equal(weft_bounded_stack_try_pop_batch(&model->stack, batch, count),
				 expected);
	for (size_t i = 0; i < expected; i++)
		assert_memory_equal(batch + i * model->element_size,
				    model->elements[--model->count], model->element_size);
}

/* As threads do that free on other CPUs what was taken on this one. */
static void move_slots(reference *model)
{
	weft_slot_pool_ *pool = &model->stack.unused_;
	size_t stride = weft_bounded_stack_stride_(model->element_size);
	weft_slot_list_ *from = &pool->lists[seeded_random_next(&model->random) & pool->list_mask];
	weft_slot_list_ *to = &pool->lists[seeded_random_next(&model->random) & pool->list_mask];
	weft_slot_chain_ chain;
	uint64_t head;

	if (weft_slot_list_take_(pool, from, stride, seeded_random_below(&model->random, 90) + 1,
				 &chain, &head) > 0)
		assert_true(weft_slot_list_put_(pool, to, stride, &chain, true));
}

static void behaves_like_an_array(void **state)
{
	static reference model;

	(void)state;
	model.random.state = seeded_random_seed();
	for (int round = 0; round < 120; round++) {
		size_t lists = (size_t)1 << round % 4;
		size_t capacity = lists << seeded_random_below(&model.random, 7);

		model.count = 0;
		model.element_size = 1 + seeded_random_below(&model.random, FUZZ_SIZE_MAX);
		assert_int_equal(
			weft_bounded_stack_init(&model.stack, capacity, model.element_size), 0);
		share_out(&model.stack, lists);
		for (int step = 0; step < 800; step++) {
			uint64_t dice = seeded_random_below(&model.random, 100);
			size_t count =
				dice % 3 != 0 ? 1 : seeded_random_below(&model.random, FUZZ_BATCH);

			if (dice < 45)
				compare_push(&model, count);
			else if (dice < 85)
				compare_pop(&model, count);
			else if (dice < 99 || step < 750)
				move_slots(&model);
			else
				weft_bounded_stack_close(&model.stack);
			assert_int_equal(weft_bounded_stack_size(&model.stack), model.count);
		}
		weft_bounded_stack_fini(&model.stack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_arguments),        cmocka_unit_test(newest_comes_first),
		cmocka_unit_test(batches_keep_their_order), cmocka_unit_test(closed_stack_drains),
		cmocka_unit_test(slots_of_other_cpus),      cmocka_unit_test(stopped_pop_notices),
		cmocka_unit_test(typed_by_value),           cmocka_unit_test(lives_in_given_memory),
		cmocka_unit_test(behaves_like_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
