/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpsc_queue: pushes are wait-free, whoever is frozen; a frozen producer hides what comes after it;
 * and when pop says that this was the end, it was, whatever pushes are under way.
 */

#include <errno.h>
#include <string.h>

#include <weft/lockfree/mpsc_queue.h>

#include "fifo_scenarios.h"

#define SHAPE(...)                                                                                 \
	(&(const struct fifo_shape){.queue = &fifo_mpsc_queue, .capacity = 8, __VA_ARGS__})

enum {
	NODES = 4
};

/* Nodes of the test's own, for what the queue behind the table does not show. */
static struct {
	weft_mpsc_queue queue;
	weft_mpsc_queue_node nodes[NODES];
	int contents[NODES]; /* what the node's owner may touch */
	int popped[NODES];   /* how often */
} test;

static void begin(void)
{
	memset((void *)&test, 0, sizeof(test));
	weft_mpsc_queue_init(&test.queue);
	model_name(&test.queue.tail_, "tail");
	model_name(&test.queue.stub_, "stub");
	model_name(&test.queue.state_, "state");
	model_name_array(test.nodes, sizeof(test.nodes[0]), NODES, "node");
	model_name_array(test.contents, sizeof(test.contents[0]), NODES, "contents");
}

static int push_node(int number)
{
	test.contents[number]++;
	return weft_mpsc_queue_push(&test.queue, &test.nodes[number]);
}

/* Returns its number. */
static int took(weft_mpsc_queue_node *node)
{
	int number = (int)(node - test.nodes);

	model_assert(number >= 0 && number < NODES);
	/* If the push did not happen before, this is a race. */
	test.contents[number]++;
	test.popped[number]++;
	return number;
}

static void push_first(void *unused)
{
	(void)unused;
	model_assert(push_node(0) == 0);
	model_assert(push_node(1) == 0);
}

static void push_second(void *unused)
{
	(void)unused;
	model_assert(push_node(2) == 0);
}

/* The consumer pushes what it pops, at once: to itself. */
static void pop_and_push_again(void *unused)
{
	weft_mpsc_queue_node *node;

	(void)unused;
	for (int i = 0; i < 3; i++) {
		if (weft_mpsc_queue_pop(&test.queue, &node) == 0)
			model_assert(push_node(took(node)) == 0);
	}
}

/* The consumer, once it has pushed a node, waits for one: its own or another. */
static void push_and_wait(void *unused)
{
	weft_mpsc_queue_node *node;

	push_second(unused);
	while (weft_mpsc_queue_pop(&test.queue, &node) != 0)
		;
	took(node);
}

static void hidden_nodes(const void *unused)
{
	(void)unused;
	begin();
	model_thread(push_first, NULL);
	model_thread(push_and_wait, NULL);
	model_join();
}

static void recycled_nodes(const void *unused)
{
	weft_mpsc_queue_node *node;
	int inside = 0;

	(void)unused;
	begin();
	model_thread(push_first, NULL);
	model_thread(push_second, NULL);
	model_thread(pop_and_push_again, NULL);
	model_join();
	for (; weft_mpsc_queue_pop(&test.queue, &node) == 0; inside++)
		took(node);
	model_assert(inside == 3);
	/* Each push has one pop. */
	for (int i = 0; i < 3; i++)
		model_assert(test.contents[i] == 2 * test.popped[i]);
}

static void push_two_at_once(void *unused)
{
	(void)unused;
	test.contents[0]++;
	test.contents[1]++;
	weft_mpsc_queue_link(&test.nodes[0], &test.nodes[1]);
	model_assert(weft_mpsc_queue_push_chain(&test.queue, &test.nodes[0], &test.nodes[1]) == 0);
}

static int order[NODES], order_count;

static void pop_chains(void *unused)
{
	weft_mpsc_queue_chain chain;
	weft_mpsc_queue_node *node;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		int error = weft_mpsc_queue_pop_all(&test.queue, &chain);

		while (error == 0) {
			error = weft_mpsc_queue_chain_pop(&chain, &node);
			if (error == 0)
				order[order_count++] = took(node);
			else if (error == -EAGAIN)
				error = 0;
		}
	}
}

static void chains(const void *unused)
{
	int at[NODES] = {-1, -1, -1, -1};

	(void)unused;
	begin();
	order_count = 0;
	model_thread(push_two_at_once, NULL);
	model_thread(push_second, NULL);
	model_thread(pop_chains, NULL);
	model_join();
	pop_chains(NULL);
	model_assert(order_count == 3);
	for (int i = 0; i < 3; i++)
		at[order[i]] = i;
	model_assert(at[1] == at[0] + 1 && at[2] >= 0);
}

/* The end: pushes may come at any time. */

static struct {
	bool in_chains;
	int note; /* written before the close */
	bool ended;
} end;

static void push_until_refused(void *argument)
{
	int first = (int)(intptr_t)argument;

	for (int number = first; number < first + 2; number++) {
		int error = push_node(number);

		model_assert(error == 0 || error == -EPIPE);
		if (error != 0) {
			/* If this did not come after the note, it is a race. */
			model_assert(end.note == 1);
			/* It is ours again, and nobody has written to it. */
			memset((void *)&test.nodes[number], 0, sizeof(test.nodes[number]));
			test.contents[number] = -1;
		}
	}
}

static int pop_one(weft_mpsc_queue_chain *chain)
{
	weft_mpsc_queue_node *node;
	int error = weft_mpsc_queue_chain_pop(chain, &node);

	if (error == -ENODATA && end.in_chains) {
		error = weft_mpsc_queue_pop_all(&test.queue, chain);
		if (error == 0)
			error = weft_mpsc_queue_chain_pop(chain, &node);
	} else if (error == -ENODATA) {
		error = weft_mpsc_queue_pop(&test.queue, &node);
	}
	if (error == 0)
		took(node);
	return error;
}

static weft_mpsc_queue_chain taken;

static void pop_to_the_end(void *unused)
{
	(void)unused;
	for (int i = 0; i < 3 && !end.ended; i++)
		end.ended = pop_one(&taken) == -EPIPE;
	if (end.ended)
		model_assert(end.note == 1);
}

static void close_queue(void *unused)
{
	(void)unused;
	end.note = 1;
	weft_mpsc_queue_close(&test.queue);
}

struct ending {
	int producers;
	bool in_chains;
};

static void run_to_the_end(const void *argument)
{
	const struct ending *ending = argument;
	weft_mpsc_queue_node *node;

	begin();
	memset(&end, 0, sizeof(end));
	memset(&taken, 0, sizeof(taken));
	end.in_chains = ending->in_chains;
	for (int i = 0; i < ending->producers; i++)
		model_thread(push_until_refused, (void *)(intptr_t)(2 * i));
	model_thread(pop_to_the_end, NULL);
	model_thread(close_queue, NULL);
	model_join();
	if (model_frozen() != 0)
		return;
	if (end.ended) {
		model_assert(weft_mpsc_queue_pop(&test.queue, &node) == -EPIPE);
	} else {
		while (pop_one(&taken) == 0)
			;
		model_assert(pop_one(&taken) == -EPIPE);
	}
	/* What was pushed has been popped; what was refused has not. */
	for (int i = 0; i < 2 * ending->producers; i++)
		model_assert(test.popped[i] == (test.contents[i] == 2));
}

#define ENDING(...) (&(const struct ending){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "mpsc_queue: 2 producers, 2 pushes and 4 pops",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 2, .consumers = 1, .pushes = 2, .pops = 4),
	},
	{
		.name = "mpsc_queue: 1 and 1, all interleavings",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.producers = 1, .consumers = 1, .pushes = 2, .pops = 3),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 3,
	},
	{
		.name = "mpsc_queue: chains of 2, and all at once",
		.run = fifo_scenario_exact,
		.argument =
			SHAPE(.producers = 2, .consumers = 1, .pushes = 1, .pops = 2, .batch = 2),
	},
	{
		.name = "mpsc_queue: chains",
		.run = chains,
	},
	{
		.name = "mpsc_queue: recycled nodes",
		.run = recycled_nodes,
	},
	{
		.name = "mpsc_queue: FIFO, but for \"empty\"",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.threads = {"pp", "pp", "cc"}),
	},
	{
		.name = "mpsc_queue: \"empty\" while an earlier push is under way",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.threads = {"p", "pc"}),
		.expect = "not linearizable",
	},
	{
		.name = "mpsc_queue: no call waits for a frozen thread",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.threads = {"pp", "pp", "cc"}),
		.freeze = true,
		.preemptions = 1,
	},
	{
		.name = "mpsc_queue: a frozen producer can hide nodes",
		.run = hidden_nodes,
		.freeze = true,
		.expect = "a frozen thread stops the others",
	},
	{
		.name = "mpsc_queue: closing is linearizable, but for \"empty\"",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.threads = {"PP", "CC", "nx?"}),
	},
	{
		.name = "mpsc_queue: the end, with a push under way",
		.run = run_to_the_end,
		.argument = ENDING(.producers = 1),
		.preemptions = 3,
	},
	{
		.name = "mpsc_queue: the end, with two pushes under way",
		.run = run_to_the_end,
		.argument = ENDING(.producers = 2),
	},
	{
		.name = "mpsc_queue: the end, in chains",
		.run = run_to_the_end,
		.argument = ENDING(.producers = 1, .in_chains = true),
	},
	{
		.name = "mpsc_queue: nobody waits for a frozen thread when it ends",
		.run = run_to_the_end,
		.argument = ENDING(.producers = 1),
		.preemptions = 1,
		.freeze = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
