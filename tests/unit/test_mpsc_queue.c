/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/mpsc_queue.h>

#include "../seeded_random.h"

#define NODES 64

/* A thing that is pushed; the node is not its first member. */
typedef struct thing {
	int number;
	weft_mpsc_queue_node node;
} thing;

static thing things[NODES];

static int number_of(const weft_mpsc_queue_node *node)
{
	return ((const thing *)(const void *)((const char *)node - offsetof(thing, node)))->number;
}

/* All nodes hold what a user may have left in them. */
static void begin(weft_mpsc_queue *queue)
{
	memset((void *)things, 0xa5, sizeof(things));
	for (int i = 0; i < NODES; i++)
		things[i].number = i;
	memset((void *)queue, 0xa5, sizeof(*queue));
	weft_mpsc_queue_init(queue);
	assert_false(weft_mpsc_queue_is_closed(queue));
}

static void assert_pops(weft_mpsc_queue *queue, int number)
{
	weft_mpsc_queue_node *node = NULL;

	assert_int_equal(weft_mpsc_queue_pop(queue, &node), 0);
	assert_int_equal(number_of(node), number);
}

static void assert_empty(weft_mpsc_queue *queue)
{
	weft_mpsc_queue_node *node = &things[0].node;
	weft_mpsc_queue_chain chain;

	assert_false(weft_mpsc_queue_try_pop(queue, &node));
	assert_int_equal(weft_mpsc_queue_pop(queue, &node), -EAGAIN);
	assert_ptr_equal(node, &things[0].node);
	assert_int_equal(weft_mpsc_queue_pop_all(queue, &chain), -EAGAIN);
	assert_int_equal(weft_mpsc_queue_chain_pop(&chain, &node), -ENODATA);
}

/* Also when a node comes back at once. */
static void keeps_order(void **state)
{
	weft_mpsc_queue queue;

	(void)state;
	begin(&queue);
	assert_empty(&queue);
	for (int inside = 0; inside < 6; inside++) {
		for (int i = 0; i < inside; i++)
			assert_int_equal(weft_mpsc_queue_push(&queue, &things[i].node), 0);
		for (int round = 0; round < 20; round++) {
			for (int i = 0; i < inside; i++) {
				assert_pops(&queue, i);
				assert_true(weft_mpsc_queue_try_push(&queue, &things[i].node));
			}
		}
		for (int i = 0; i < inside; i++)
			assert_pops(&queue, i);
		assert_empty(&queue);
	}
}

/* Nodes [from, to) as a chain. */
static void push_chain(weft_mpsc_queue *queue, int from, int to)
{
	for (int i = from; i < to - 1; i++)
		weft_mpsc_queue_link(&things[i].node, &things[i + 1].node);
	assert_int_equal(
		weft_mpsc_queue_push_chain(queue, &things[from].node, &things[to - 1].node), 0);
}

static void takes_chains(void **state)
{
	weft_mpsc_queue_chain chain, later;
	weft_mpsc_queue_node *node = NULL;
	weft_mpsc_queue queue;

	(void)state;
	begin(&queue);
	/* The first of them popped singly or not: the stub is in the queue or not. */
	for (int single = 0; single < 3; single++) {
		for (int count = 1; count < 8; count++) {
			push_chain(&queue, 0, 1);
			push_chain(&queue, 1, 1 + count);
			push_chain(&queue, 1 + count, 3 + count);
			for (int i = 0; i < single; i++)
				assert_pops(&queue, i);
			assert_int_equal(weft_mpsc_queue_pop_all(&queue, &chain), 0);
			assert_empty(&queue);
			/* What comes now is not in it, and does not wait for it. */
			push_chain(&queue, 20, 22);
			assert_pops(&queue, 20);
			assert_int_equal(weft_mpsc_queue_pop_all(&queue, &later), 0);
			for (int i = single; i < 3 + count; i++) {
				assert_int_equal(weft_mpsc_queue_chain_pop(&chain, &node), 0);
				assert_int_equal(number_of(node), i);
				/* It is the caller's at once. */
				memset((void *)node, 0xa5, sizeof(*node));
			}
			assert_int_equal(weft_mpsc_queue_chain_pop(&chain, &node), -ENODATA);
			assert_int_equal(weft_mpsc_queue_chain_pop(&later, &node), 0);
			assert_int_equal(number_of(node), 21);
			assert_int_equal(weft_mpsc_queue_chain_pop(&later, &node), -ENODATA);
			assert_empty(&queue);
		}
	}
}

static void assert_refuses(weft_mpsc_queue *queue)
{
	assert_true(weft_mpsc_queue_is_closed(queue));
	assert_false(weft_mpsc_queue_try_push(queue, &things[40].node));
	assert_int_equal(weft_mpsc_queue_push(queue, &things[40].node), -EPIPE);
	assert_int_equal(weft_mpsc_queue_push_chain(queue, &things[40].node, &things[41].node),
			 -EPIPE);
}

static void ends_when_closed(void **state)
{
	weft_mpsc_queue_chain chain;
	weft_mpsc_queue_node *node = NULL;
	weft_mpsc_queue queue;

	(void)state;
	for (int inside = 0; inside < 5; inside++) {
		begin(&queue);
		for (int i = 0; i < inside; i++)
			assert_int_equal(weft_mpsc_queue_push(&queue, &things[i].node), 0);
		for (int i = 0; i < inside; i++) {
			weft_mpsc_queue_close(&queue);
			assert_refuses(&queue);
			assert_pops(&queue, i);
		}
		for (int again = 0; again < 2; again++) {
			weft_mpsc_queue_close(&queue);
			assert_refuses(&queue);
			assert_int_equal(weft_mpsc_queue_pop(&queue, &node), -EPIPE);
			assert_false(weft_mpsc_queue_try_pop(&queue, &node));
			assert_int_equal(weft_mpsc_queue_pop_all(&queue, &chain), -EPIPE);
			assert_int_equal(weft_mpsc_queue_chain_pop(&chain, &node), -ENODATA);
		}
	}
}

/* The end comes after the last node of the last chain. */
static void ends_after_its_chains(void **state)
{
	weft_mpsc_queue_chain first, second, none;
	weft_mpsc_queue_node *node = NULL;
	weft_mpsc_queue queue;

	(void)state;
	begin(&queue);
	push_chain(&queue, 0, 2);
	assert_int_equal(weft_mpsc_queue_pop_all(&queue, &first), 0);
	push_chain(&queue, 2, 3);
	assert_int_equal(weft_mpsc_queue_pop_all(&queue, &second), 0);
	weft_mpsc_queue_close(&queue);
	assert_int_equal(weft_mpsc_queue_pop_all(&queue, &none), -EAGAIN);
	assert_int_equal(weft_mpsc_queue_chain_pop(&second, &node), 0);
	assert_int_equal(weft_mpsc_queue_chain_pop(&first, &node), 0);
	assert_int_equal(weft_mpsc_queue_pop(&queue, &node), -EAGAIN);
	assert_int_equal(weft_mpsc_queue_chain_pop(&first, &node), 0);
	assert_int_equal(number_of(node), 1);
	assert_int_equal(weft_mpsc_queue_pop(&queue, &node), -EPIPE);
}

/* What a producer does in its first step; the second links `before` to the node. */
static weft_mpsc_queue_node *push_half(weft_mpsc_queue *queue, weft_mpsc_queue_node *node)
{
	atomic_store_explicit(&node->next_, NULL, memory_order_relaxed);
	return atomic_exchange_explicit(&queue->tail_, node, memory_order_seq_cst);
}

/* A producer that is stopped between its two steps delays its node and those behind it. */
static void stopped_producer_delays_its_node(void **state)
{
	weft_mpsc_queue_node *before, *node = NULL;
	weft_mpsc_queue_chain chain = {NULL, NULL, NULL};
	weft_mpsc_queue queue;

	(void)state;
	for (int inside = 0; inside < 3; inside++) {
		begin(&queue);
		for (int i = 0; i < inside; i++)
			assert_int_equal(weft_mpsc_queue_push(&queue, &things[i].node), 0);
		before = push_half(&queue, &things[inside].node);
		assert_int_equal(weft_mpsc_queue_push(&queue, &things[inside + 1].node), 0);
		weft_mpsc_queue_close(&queue);
		/* The last that can be reached stays, too: its link is still to be written. */
		for (int i = 0; i < inside - 1; i++)
			assert_pops(&queue, i);
		assert_false(weft_mpsc_queue_try_pop(&queue, &node));
		assert_int_equal(weft_mpsc_queue_pop(&queue, &node), -EAGAIN);
		if (inside > 1) {
			assert_int_equal(weft_mpsc_queue_pop_all(&queue, &chain), 0);
			assert_int_equal(weft_mpsc_queue_chain_pop(&chain, &node), -EAGAIN);
			assert_int_equal(weft_mpsc_queue_pop(&queue, &node), -EAGAIN);
		}
		/* It goes on. */
		atomic_store_explicit(&before->next_, &things[inside].node, memory_order_release);
		for (int i = inside == 0 ? 0 : inside - 1; i < inside + 2; i++) {
			if (inside > 1)
				assert_int_equal(weft_mpsc_queue_chain_pop(&chain, &node), 0);
			else
				assert_int_equal(weft_mpsc_queue_pop(&queue, &node), 0);
			assert_int_equal(number_of(node), i);
		}
		assert_int_equal(weft_mpsc_queue_pop(&queue, &node), -EPIPE);
	}
}

/* A consumer that looks whether a push is under way, and one that is. */
static void push_is_in_time_or_late(void **state)
{
	weft_mpsc_queue queue;

	(void)state;
	begin(&queue);
	atomic_store_explicit(&queue.state_, WEFT_MPSC_QUEUE_ENDING_, memory_order_relaxed);
	assert_true(weft_mpsc_queue_is_in_time_(&queue, WEFT_MPSC_QUEUE_ENDING_));
	assert_int_equal(queue.state_, WEFT_MPSC_QUEUE_CLOSED_);
	/* Another one was faster. */
	assert_true(weft_mpsc_queue_is_in_time_(&queue, WEFT_MPSC_QUEUE_ENDING_));
	assert_int_equal(queue.state_, WEFT_MPSC_QUEUE_CLOSED_);
	atomic_store_explicit(&queue.state_, WEFT_MPSC_QUEUE_ENDED_, memory_order_relaxed);
	assert_false(weft_mpsc_queue_is_in_time_(&queue, WEFT_MPSC_QUEUE_ENDING_));
	assert_false(weft_mpsc_queue_is_in_time_(&queue, WEFT_MPSC_QUEUE_ENDED_));
	assert_int_equal(queue.state_, WEFT_MPSC_QUEUE_ENDED_);
}

/* The consumer rests before the last node of a short run: not of one or two, not of a long one. */
static void rests_before_the_last_of_a_few(void **state)
{
	weft_mpsc_queue queue;

	(void)state;
	begin(&queue);
	for (uint32_t run = 0; run < 70; run++) {
		queue.run_ = run;
		assert_int_equal(weft_mpsc_queue_rest_(&queue), run >= 2 && run <= 63);
		assert_int_equal(queue.run_, 0);
	}
	for (int count = 1; count < 10; count++) {
		for (int i = 0; i < count; i++)
			assert_int_equal(weft_mpsc_queue_push(&queue, &things[i].node), 0);
		for (int i = 0; i < count; i++) {
			assert_int_equal(queue.run_, i);
			assert_pops(&queue, i);
		}
		assert_int_equal(queue.run_, 0);
	}
}

#define OPERATIONS 20000

/* Random operations give what a plain array gives. */
static void equals_its_model(void **state)
{
	static int plain[OPERATIONS + NODES];
	seeded_random random = {seeded_random_seed()};
	size_t pushed = 0, popped = 0;
	weft_mpsc_queue_chain chain;
	weft_mpsc_queue_node *node = NULL;
	weft_mpsc_queue queue;

	(void)state;
	begin(&queue);
	/* Node i is inside when pushed - popped says so: they go round. */
	for (int i = 0; i < OPERATIONS; i++) {
		size_t room = NODES - (pushed - popped);
		uint64_t choice = seeded_random_below(&random, 16);

		if (choice < 8 && room > 0) {
			things[pushed % NODES].number = plain[pushed] = i;
			assert_int_equal(
				weft_mpsc_queue_push(&queue, &things[pushed++ % NODES].node), 0);
		} else if (choice < 15) {
			assert_int_equal(weft_mpsc_queue_try_pop(&queue, &node), popped < pushed);
			if (popped < pushed)
				assert_int_equal(number_of(node), plain[popped++]);
		} else if (weft_mpsc_queue_pop_all(&queue, &chain) == 0) {
			for (; weft_mpsc_queue_chain_pop(&chain, &node) == 0; popped++)
				assert_int_equal(number_of(node), plain[popped]);
			assert_int_equal(popped, pushed);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_order),
		cmocka_unit_test(takes_chains),
		cmocka_unit_test(ends_when_closed),
		cmocka_unit_test(ends_after_its_chains),
		cmocka_unit_test(stopped_producer_delays_its_node),
		cmocka_unit_test(push_is_in_time_or_late),
		cmocka_unit_test(rests_before_the_last_of_a_few),
		cmocka_unit_test(equals_its_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
