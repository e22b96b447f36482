/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/stack.h>

#include "../seeded_random.h"

#define NODES 64

/* Not at the beginning, as a user may place it. */
typedef struct numbered_node {
	size_t number;
	weft_stack_node node;
} numbered_node;

static numbered_node nodes[NODES];

static weft_stack_node *node_of(size_t number)
{
	nodes[number].number = number;
	return &nodes[number].node;
}

static size_t number_of(const weft_stack_node *node)
{
	const char *start = (const char *)node - offsetof(numbered_node, node);

	return ((const numbered_node *)(const void *)start)->number;
}

static void zeroed_is_empty(void **state)
{
	weft_stack zeroed, made;
	weft_stack_node *node = NULL;

	(void)state;
	memset((void *)&zeroed, 0, sizeof(zeroed));
	memset((void *)&made, 0xa5, sizeof(made));
	weft_stack_init(&made);
	assert_memory_equal(&zeroed, &made, sizeof(made));
	assert_true(weft_stack_is_empty(&made));
	assert_false(weft_stack_is_closed(&made));
	assert_int_equal(weft_stack_pop(&made, &node), -EAGAIN);
	assert_false(weft_stack_try_pop(&made, &node));
	assert_null(weft_stack_pop_all(&made));
	assert_null(node);
	assert_int_equal(sizeof(weft_stack_node), 8);
}

static void newest_comes_first(void **state)
{
	weft_stack stack;
	weft_stack_node *node = NULL;

	(void)state;
	weft_stack_init(&stack);
	for (int lap = 0; lap < 3; lap++) {
		for (size_t i = 0; i < NODES; i++) {
			if (i % 2 == 0)
				assert_int_equal(weft_stack_push(&stack, node_of(i)), 0);
			else
				assert_true(weft_stack_try_push(&stack, node_of(i)));
			assert_false(weft_stack_is_empty(&stack));
		}
		for (size_t i = NODES; i-- > 0;) {
			if (i % 2 == 0)
				assert_int_equal(weft_stack_pop(&stack, &node), 0);
			else
				assert_true(weft_stack_try_pop(&stack, &node));
			assert_int_equal(number_of(node), i);
		}
		assert_true(weft_stack_is_empty(&stack));
	}
}

/* Links the nodes [first, first + count), each before the next. */
static void make_chain(size_t first, size_t count)
{
	for (size_t i = first; i + 1 < first + count; i++)
		weft_stack_link(node_of(i), node_of(i + 1));
}

static void chains_keep_their_order(void **state)
{
	weft_stack stack;
	const weft_stack_node *node;
	weft_stack_node *popped = NULL;

	(void)state;
	weft_stack_init(&stack);
	make_chain(4, 3);
	assert_int_equal(weft_stack_push_chain(&stack, node_of(4), node_of(6)), 0);
	make_chain(0, 4);
	assert_int_equal(weft_stack_push_chain(&stack, node_of(0), node_of(3)), 0);
	assert_int_equal(weft_stack_pop(&stack, &popped), 0);
	assert_int_equal(number_of(popped), 0);
	node = weft_stack_pop_all(&stack);
	assert_true(weft_stack_is_empty(&stack));
	for (size_t i = 1; i <= 6; i++, node = weft_stack_next(node))
		assert_int_equal(number_of(node), i);
	assert_null(node);
}

static void closed_stack_drains(void **state)
{
	weft_stack stack;
	weft_stack_node *node = NULL;

	(void)state;
	weft_stack_init(&stack);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(weft_stack_push(&stack, node_of(i)), 0);
	for (int again = 0; again < 2; again++) {
		weft_stack_close(&stack);
		assert_true(weft_stack_is_closed(&stack));
		assert_false(weft_stack_is_empty(&stack));
		assert_int_equal(weft_stack_push(&stack, node_of(4)), -EPIPE);
		assert_false(weft_stack_try_push(&stack, node_of(4)));
		make_chain(4, 2);
		assert_int_equal(weft_stack_push_chain(&stack, node_of(4), node_of(5)), -EPIPE);
		/* The chain is as it was. */
		assert_ptr_equal(weft_stack_next(node_of(4)), node_of(5));
		assert_int_equal(weft_stack_pop(&stack, &node), 0);
		assert_int_equal(number_of(node), 3 - again);
	}
	assert_int_equal(number_of(weft_stack_pop_all(&stack)), 1);
	assert_int_equal(weft_stack_pop(&stack, &node), -EPIPE);
	assert_false(weft_stack_try_pop(&stack, &node));
	assert_null(weft_stack_pop_all(&stack));
	assert_int_equal(weft_stack_push(&stack, node_of(4)), -EPIPE);
	assert_true(weft_stack_is_closed(&stack));
}

/* A pop that was stopped, while the node on top went away and came back, must not succeed. */
static void stopped_pop_notices(void **state)
{
	weft_stack stack;
	weft_stack_node *node = NULL;

	(void)state;
	weft_stack_init(&stack);
	weft_stack_push(&stack, node_of(0));
	weft_stack_push(&stack, node_of(1));

	weft_wide_value_ seen = weft_wide_load_(&stack.head_);

	assert_true(weft_stack_try_pop(&stack, &node));
	assert_non_null(weft_stack_pop_all(&stack));
	weft_stack_push(&stack, node);
	assert_ptr_equal(weft_stack_newest_(weft_wide_load_low_(&stack.head_)),
			 weft_stack_newest_(seen.low));
	assert_false(weft_wide_exchange_(&stack.head_, seen, weft_stack_popped_(seen, node_of(0))));
	assert_true(weft_stack_try_pop(&stack, &node));
	assert_int_equal(number_of(node), 1);
	assert_true(weft_stack_is_empty(&stack));
}

/* Nor when it was closed meanwhile: the answer of the next pop depends on it. */
static void stopped_pop_notices_the_end(void **state)
{
	weft_stack stack;
	weft_stack_node *node = NULL;

	(void)state;
	weft_stack_init(&stack);
	weft_stack_push(&stack, node_of(0));

	weft_wide_value_ seen = weft_wide_load_(&stack.head_);

	weft_stack_close(&stack);
	assert_false(weft_wide_exchange_(&stack.head_, seen, weft_stack_popped_(seen, NULL)));
	assert_int_equal(weft_stack_pop(&stack, &node), 0);
	assert_int_equal(weft_stack_pop(&stack, &node), -EPIPE);
}

/* Each half of the wide word matters to the exchange of both; to that of the low one, only that. */
static void wide_words_compare_what_they_say(void **state)
{
	static const weft_wide_value_ start = {1, 2}, changed = {UINT64_MAX, (uint64_t)1 << 63};
	static const weft_wide_value_ wrong[] = {
		{0, 2}, {1, 3}, {2, 1}, {1 + ((uint64_t)1 << 32), 2}};
	weft_wide_word_ word;

	(void)state;
	memset((void *)&word, 0, sizeof(word));
	assert_true(weft_wide_exchange_(&word, (weft_wide_value_){0, 0}, start));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_false(weft_wide_exchange_(&word, wrong[i], changed));
		assert_memory_equal(&word, &start, sizeof(start));
	}
	assert_false(weft_wide_exchange_low_(&word, 2, 7));
	assert_true(weft_wide_exchange_low_(&word, 1, 7));
	assert_true(weft_wide_load_low_(&word) == 7);
	assert_true(weft_wide_load_(&word).high == 2);
	assert_true(weft_wide_exchange_(&word, (weft_wide_value_){7, 2}, changed));
	assert_memory_equal(&word, &changed, sizeof(changed));
}

/* A plain array that does the same. */
typedef struct reference {
	size_t numbers[NODES];
	size_t count;
	size_t idle[NODES]; /* nodes that are nowhere */
	size_t idle_count;
} reference;

static void compare_pop(weft_stack *stack, reference *model)
{
	weft_stack_node *node = NULL;
	int expected = model->count > 0 ? 0 : weft_stack_is_closed(stack) ? -EPIPE : -EAGAIN;

	assert_int_equal(weft_stack_pop(stack, &node), expected);
	if (expected == 0) {
		size_t number = model->numbers[--model->count];

		assert_int_equal(number_of(node), number);
		model->idle[model->idle_count++] = number;
	}
}

static void compare_push_chain(weft_stack *stack, reference *model, size_t wanted)
{
	size_t count = wanted < model->idle_count ? wanted : model->idle_count;
	weft_stack_node *first = NULL, *last = NULL;

	if (count == 0)
		return;
	/* The oldest of the chain first: it goes below. */
	for (size_t i = 0; i < count; i++) {
		weft_stack_node *node = node_of(model->idle[model->idle_count - 1 - i]);

		if (first == NULL)
			last = node;
		else
			weft_stack_link(node, first);
		first = node;
	}
	if (weft_stack_is_closed(stack)) {
		assert_int_equal(weft_stack_push_chain(stack, first, last), -EPIPE);
		return;
	}
	assert_int_equal(weft_stack_push_chain(stack, first, last), 0);
	while (count-- > 0)
		model->numbers[model->count++] = model->idle[--model->idle_count];
}

static void compare_pop_all(weft_stack *stack, reference *model)
{
	const weft_stack_node *node = weft_stack_pop_all(stack);

	for (; node != NULL; node = weft_stack_next(node)) {
		size_t number = model->numbers[--model->count];

		assert_int_equal(number_of(node), number);
		model->idle[model->idle_count++] = number;
	}
	assert_int_equal(model->count, 0);
}

static void behaves_like_an_array(void **state)
{
	seeded_random random = {seeded_random_seed()};

	(void)state;
	for (int round = 0; round < 200; round++) {
		reference model = {.idle_count = NODES};
		weft_stack stack;

		weft_stack_init(&stack);
		/* In some rounds the tag starts again from 0. */
		if (round % 2 == 0)
			assert_true(weft_wide_exchange_(
				&stack.head_, (weft_wide_value_){0, 0},
				(weft_wide_value_){0, UINT64_MAX - (uint64_t)round}));
		for (size_t i = 0; i < NODES; i++)
			model.idle[i] = i;
		for (int step = 0; step < 1000; step++) {
			uint64_t dice = seeded_random_below(&random, 100);

			if (dice < 45)
				compare_pop(&stack, &model);
			else if (dice < 80)
				compare_push_chain(&stack, &model, 1);
			else if (dice < 95)
				compare_push_chain(&stack, &model, (size_t)dice % 8);
			else if (dice < 99 || step < 900)
				compare_pop_all(&stack, &model);
			else
				weft_stack_close(&stack);
			assert_int_equal(weft_stack_is_empty(&stack), model.count == 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(zeroed_is_empty),
		cmocka_unit_test(newest_comes_first),
		cmocka_unit_test(chains_keep_their_order),
		cmocka_unit_test(closed_stack_drains),
		cmocka_unit_test(stopped_pop_notices),
		cmocka_unit_test(stopped_pop_notices_the_end),
		cmocka_unit_test(wide_words_compare_what_they_say),
		cmocka_unit_test(behaves_like_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
