/* SPDX-License-Identifier: Apache-2.0 */

/* stack: nodes that come back again and again, every call linearizable, nobody waits. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/lockfree/stack.h>

#include "model.h"

enum {
	THREADS = 3,
	NODES = 10
};

struct node {
	weft_stack_node link; /* first: a link is its node */
	int contents;         /* what the node's owner may touch */
};

struct shape {
	/* What is done before the threads start, and what each of them does: p pushes a node of its
	 * own, b two of them as a chain, o pops and keeps, r pops and pushes again, a pops all,
	 * c closes, t sets the tag back to the value that it began with, by hand. */
	const char *before;
	const char *threads[THREADS];
	uint64_t tag;
};

static struct {
	weft_stack stack;
	const struct shape *shape;
	struct node nodes[NODES]; /* the number of a node is its place */
	int next[THREADS + 1];    /* the node that the thread pushes next */
	int popped[NODES];
	int pushed[NODES];
} test;

static void set_head(uint64_t low, uint64_t high)
{
	atomic_store_explicit((WEFT_ATOMIC(weft_wide_integer_) *)(void *)&test.stack.head_,
			      weft_wide_integer_of_(low, high), memory_order_release);
}

static void use(const weft_stack_node *link)
{
	struct node *node = &test.nodes[(const struct node *)(const void *)link - test.nodes];
	int number = (int)(node - test.nodes);

	model_assert(number > 0 && number < NODES);
	/* If the push did not happen before the pop, this is a race. */
	model_assert(node->contents == number);
	node->contents = 0;
	test.popped[number]++;
}

/* Returns its number. */
static int fill_next(int self)
{
	int number = test.next[self]++;

	test.nodes[number].contents = number;
	return number;
}

/* Counts the push while the node is still the caller's. */
static int push(int number)
{
	test.pushed[number]++;

	int error = weft_stack_push(&test.stack, &test.nodes[number].link);

	model_assert(error == 0 || error == -EPIPE);
	if (error != 0)
		test.pushed[number]--;
	return error;
}

static int push_two(int newest, int oldest)
{
	weft_stack_link(&test.nodes[newest].link, &test.nodes[oldest].link);
	test.pushed[newest]++;
	test.pushed[oldest]++;

	int error = weft_stack_push_chain(&test.stack, &test.nodes[newest].link,
					  &test.nodes[oldest].link);

	if (error != 0) {
		test.pushed[newest]--;
		test.pushed[oldest]--;
	}
	return error;
}

/* The number of the node; 0 or -EPIPE when there is none. */
static int pop(void)
{
	weft_stack_node *link;
	int error = weft_stack_pop(&test.stack, &link);

	if (error != 0)
		return error == -EPIPE ? -EPIPE : 0;
	use(link);
	return (int)((struct node *)link - test.nodes);
}

/* The numbers as digits, the newest first. */
static long pop_all(void)
{
	const weft_stack_node *link = weft_stack_pop_all(&test.stack);
	long digits = 0;

	for (; link != NULL; link = weft_stack_next(link)) {
		use(link);
		digits = digits * 10 + ((const struct node *)(const void *)link - test.nodes);
	}
	return digits;
}

enum {
	PUSH,
	PUSH_TWO,
	POP,
	POP_ALL,
	CLOSE
};

static void do_push(int number)
{
	model_call(PUSH, number);
	model_return(push(number));
}

static int do_pop(void)
{
	model_call(POP, 0);

	int number = pop();

	model_return(number);
	return number;
}

static void do_push_two(int newest, int oldest)
{
	model_call(PUSH_TWO, newest * 10 + oldest);
	model_return(push_two(newest, oldest));
}

static void do_pop_all(void)
{
	model_call(POP_ALL, 0);
	model_return(pop_all());
}

static void do_close(void)
{
	model_call(CLOSE, 0);
	weft_stack_close(&test.stack);
	model_return(0);
}

static void again(void)
{
	int number = do_pop();

	if (number > 0) {
		test.nodes[number].contents = number;
		do_push(number);
	}
}

static void follow(int self, const char *script)
{
	for (; script != NULL && *script != '\0'; script++) {
		if (*script == 'p') {
			do_push(fill_next(self));
		} else if (*script == 'b') {
			int oldest = fill_next(self);

			do_push_two(fill_next(self), oldest);
		} else if (*script == 'o') {
			do_pop();
		} else if (*script == 'r') {
			again();
		} else if (*script == 'a') {
			do_pop_all();
		} else if (*script == 'c') {
			do_close();
		} else {
			set_head(weft_wide_load_(&test.stack.head_).low, test.shape->tag);
		}
	}
}

static void work(void *argument)
{
	int self = (int)(intptr_t)argument;

	follow(self, test.shape->threads[self]);
}

static void setup(const struct shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;
	weft_stack_init(&test.stack);
	model_assert(weft_stack_is_empty(&test.stack) && !weft_stack_is_closed(&test.stack));
	set_head(0, shape->tag);
	/* The first nodes are those of `before`, then come two of each thread. */
	test.next[THREADS] = 1;
	for (int i = 0; i < THREADS; i++)
		test.next[i] = 4 + 2 * i;
	model_name(&test.stack, "head");
	for (int i = 1; i < NODES; i++)
		model_name(&test.nodes[i].link, "link");
	model_name_array(&test.nodes[0].contents, sizeof(test.nodes[0]), NODES, "contents");
	follow(THREADS, shape->before);
}

/* The specification. */

struct contents {
	unsigned char count;
	unsigned char closed;
	unsigned char elements[14];
};

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	static const char *const names[] = {"push", "push two", "pop", "pop all", "close"};

	snprintf(text, size, "%s(%ld): %ld%s", names[operation->kind], operation->argument,
		 operation->result, operation->pending ? ", frozen" : "");
}

static bool step_push(struct contents *state, const struct model_operation *operation)
{
	if (state->closed != 0)
		return operation->pending || operation->result == -EPIPE;
	if (!operation->pending && operation->result != 0)
		return false;
	if (operation->kind == PUSH_TWO)
		state->elements[state->count++] = (unsigned char)(operation->argument % 10);
	state->elements[state->count++] =
		(unsigned char)(operation->argument / (operation->kind == PUSH_TWO ? 10 : 1));
	return true;
}

static long step_pop(struct contents *state)
{
	long number = state->elements[--state->count];

	state->elements[state->count] = 0;
	return number;
}

static bool step(void *argument, const struct model_operation *operation)
{
	struct contents *state = argument;
	long result = 0;

	if (operation->kind == CLOSE) {
		state->closed = 1;
		return true;
	}
	if (operation->kind != POP && operation->kind != POP_ALL)
		return step_push(state, operation);
	if (operation->kind == POP && state->count == 0)
		result = state->closed != 0 ? -EPIPE : 0;
	else if (operation->kind == POP)
		result = step_pop(state);
	else
		while (state->count > 0)
			result = result * 10 + step_pop(state);
	return operation->pending || operation->result == result;
}

static const struct model_specification specification = {
	.state_size = sizeof(struct contents),
	.step = step,
	.describe = describe,
};

/* Linearizable; and each node was popped as often as it was pushed. */
static void exact(const void *shape)
{
	setup(shape);
	for (int i = 0; i < THREADS; i++) {
		if (test.shape->threads[i] != NULL)
			model_thread(work, (void *)(intptr_t)i);
	}
	model_join();
	if (model_frozen() == 0) {
		do_pop_all();
		model_assert(weft_stack_is_empty(&test.stack));
		for (int i = 0; i < NODES; i++)
			model_assert(test.popped[i] == test.pushed[i]);
	}
	model_assert_linearizable(&specification);
}

static int done_before_pop;

static void do_and_pop(void *unused)
{
	(void)unused;
	done_before_pop = 1;
	pop();
}

static void look_whether_empty(void *unused)
{
	(void)unused;
	if (weft_stack_is_empty(&test.stack))
		model_assert(done_before_pop == 1);
}

static void empty_tells(const void *shape)
{
	setup(shape);
	done_before_pop = 0;
	model_thread(do_and_pop, NULL);
	model_thread(look_whether_empty, NULL);
	model_join();
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "stack: pushes and pops",
		.run = exact,
		.argument = SHAPE(.threads = {"po", "po", "p"}),
	},
	{
		.name = "stack: 2 threads, all interleavings",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"po", "op"}),
		.preemptions = MODEL_UNBOUNDED,
		.stale = 1,
	},
	{
		.name = "stack: nodes come back while a pop looks at them",
		.run = exact,
		.argument = SHAPE(.before = "pp", .threads = {"o", "orp"}),
		.preemptions = 3,
	},
	{
		.name = "stack: nodes come back, from two threads",
		.run = exact,
		.argument = SHAPE(.before = "pp", .threads = {"o", "or", "r"}),
	},
	{
		.name = "stack: with a tag that comes back, the model shows the ABA",
		.run = exact,
		.argument = SHAPE(.before = "pp", .threads = {"o", "ort"}),
		.expect = "not true",
	},
	{
		.name = "stack: the tag starts again from 0",
		.run = exact,
		.argument = SHAPE(.before = "pp", .threads = {"o", "orp"}, .tag = UINT64_MAX - 1),
	},
	{
		.name = "stack: chains, and all at once",
		.run = exact,
		.argument = SHAPE(.before = "b", .threads = {"b", "a", "r"}),
	},
	{
		.name = "stack: what was taken at once comes back",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"o", "apr"}),
		.preemptions = 3,
	},
	{
		.name = "stack: who finds it empty sees what was done before",
		.run = empty_tells,
		.argument = SHAPE(.before = "p"),
	},
	{
		.name = "stack: closed",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"pp", "oo", "c"}),
	},
	{
		.name = "stack: closed twice, and all at once",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"bo", "ca", "c"}),
	},
	{
		.name = "stack: nobody waits for a frozen thread",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"po", "r", "bac"}),
		.freeze = true,
		.stale = MODEL_NONE,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
