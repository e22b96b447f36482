/* SPDX-License-Identifier: Apache-2.0 */

/* bounded_stack: every call linearizable, slots that go round by lists of other CPUs, "full" only
 * when it may be said, nobody waits. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/lockfree/bounded_stack.h>

#include "model.h"

WEFT_BOUNDED_STACK_DEFINE(words, uint64_t);

enum {
	THREADS = 3,
	VALUES = 10,
	BATCH = 2
};

struct shape {
	/* What is done before the threads start, and what each of them does: p pushes a value of
	 * its own, b two of them as a batch, o pops, a pops two as a batch, n writes a note, c
	 * closes, 0 and 1 go to that CPU, t sets the tag back to 0, by hand. */
	const char *before;
	const char *threads[THREADS];
	size_t capacity;
	int lists;     /* of unused slots; 0: one */
	int hands;     /* how many slots others may have in their hands when a push says "full" */
	uint64_t tags; /* where they begin: so many before the overflow */
};

static struct {
	words stack;
	/* Not from the heap: a frozen thread is still in it when the scenario ends. */
	WEFT_LINE_ALIGNED unsigned char memory[WEFT_CACHE_LINE];
	const struct shape *shape;
	uint64_t next[THREADS + 1]; /* the value that the thread pushes next */
	int contents[VALUES];       /* what the owner of a value may touch */
	int note;                   /* what the closer did before */
} test;

enum {
	PUSH,
	PUSH_TWO,
	POP,
	POP_TWO,
	CLOSE
};

static uint64_t fill_next(int self)
{
	uint64_t value = test.next[self]++;

	test.contents[value] = (int)value;
	return value;
}

static void use(uint64_t value)
{
	model_assert(value > 0 && value < VALUES);
	/* If the push did not happen before the pop, this is a race. */
	model_assert(test.contents[value] == (int)value);
	test.contents[value] = 0;
}

static long outcome_of(int error)
{
	model_assert(error == 0 || error == -EAGAIN || error == -EPIPE);
	if (error == -EPIPE)
		model_assert(test.note == 1);
	return error;
}

static void push(int self)
{
	uint64_t value = fill_next(self);

	model_call(PUSH, (long)value);
	model_return(outcome_of(words_push(&test.stack, value)));
}

/* How many went in: both, one, or none. */
static void push_two(int self)
{
	uint64_t values[BATCH];

	for (int i = 0; i < BATCH; i++)
		values[i] = fill_next(self);
	model_call(PUSH_TWO, (long)values[0]);
	model_return((long)words_try_push_batch(&test.stack, values, BATCH));
}

static long pop(void)
{
	uint64_t value = 0;

	model_call(POP, 0);

	long result = outcome_of(words_pop(&test.stack, &value));

	if (result == 0) {
		use(value);
		result = (long)value;
	}
	model_return(result);
	return result;
}

/* The values as digits, the newest first. */
static void pop_two(void)
{
	uint64_t values[BATCH];
	long digits = 0;

	model_call(POP_TWO, 0);

	size_t count = words_try_pop_batch(&test.stack, values, BATCH);

	for (size_t i = 0; i < count; i++) {
		use(values[i]);
		digits = digits * 10 + (long)values[i];
	}
	model_return(digits);
}

static void close_stack(void)
{
	model_call(CLOSE, 0);
	words_close(&test.stack);
	model_return(0);
}

static void follow(int self, const char *script)
{
	for (; script != NULL && *script != '\0'; script++) {
		if (*script == 'p')
			push(self);
		else if (*script == 'b')
			push_two(self);
		else if (*script == 'o')
			pop();
		else if (*script == 'a')
			pop_two();
		else if (*script == 'n')
			test.note = 1;
		else if (*script == 'c')
			close_stack();
		else if (*script == 't')
			atomic_fetch_and_explicit(&test.stack.stack_.top_.head,
						  test.stack.stack_.unused_.number_mask,
						  memory_order_relaxed);
		else
			model_run_on(*script - '0');
	}
}

static void work(void *argument)
{
	int self = (int)(intptr_t)argument;

	model_run_on(0);
	follow(self, test.shape->threads[self]);
}

static void setup(const struct shape *shape)
{
	weft_bounded_stack *stack = &test.stack.stack_;

	memset((void *)&test, 0, sizeof(test));
	test.shape = shape;
	model_assert(
		words_init_in(&test.stack, test.memory, sizeof(test.memory), shape->capacity) == 0);
	weft_slot_pool_start_(&stack->unused_, stack->unused_.links,
			      weft_bounded_stack_stride_(sizeof(uint64_t)), shape->capacity,
			      shape->lists == 0 ? 1 : (size_t)shape->lists);
	if (shape->tags != 0) {
		uint64_t tags = (0 - shape->tags) * stack->unused_.tag_step;

		atomic_store_explicit(&stack->top_.head, tags, memory_order_relaxed);
		atomic_store_explicit(&stack->unused_.lists[0].head, tags + 1,
				      memory_order_relaxed);
	}
	/* The first values are those of `before`, then come two of each thread. */
	test.next[THREADS] = 1;
	for (int i = 0; i < THREADS; i++)
		test.next[i] = 4 + 2 * (uint64_t)i;
	model_name(&stack->top_.head, "top");
	model_name_array(test.memory, 2 * sizeof(uint64_t), shape->capacity, "link");
	model_name_array(&stack->unused_.lists[0].head, sizeof(weft_slot_list_),
			 WEFT_SLOT_POOL_LISTS_, "unused");
	model_name_array(test.contents, sizeof(*test.contents), VALUES, "contents");
	model_run_on(0);
	follow(THREADS, shape->before);
}

/* The specification. */

struct contents {
	unsigned char count;
	unsigned char closed;
	unsigned char values[14];
};

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	static const char *const names[] = {"push", "push two", "pop", "pop two", "close"};

	snprintf(text, size, "%s(%ld): %ld%s", names[operation->kind], operation->argument,
		 operation->result, operation->pending ? ", frozen" : "");
}

/* As many as go in, of one or two; "full" also where there is room for `hands` more. */
static bool step_push(struct contents *state, const struct model_operation *operation)
{
	bool two = operation->kind == PUSH_TWO;
	long wanted = two ? 2 : 1, done = wanted;

	if (!operation->pending)
		done = two ? operation->result : operation->result == 0 ? 1 : 0;
	if (state->closed != 0)
		return operation->pending || (two ? done == 0 : operation->result == -EPIPE);
	if (!operation->pending && !two && operation->result == -EPIPE)
		return false;
	if (state->count + (size_t)done > test.shape->capacity)
		return operation->pending;
	if (done < wanted && state->count + done + test.shape->hands < (long)test.shape->capacity)
		return false;
	for (long i = 0; i < done; i++)
		state->values[state->count++] = (unsigned char)(operation->argument + i);
	return true;
}

static long step_pop(struct contents *state)
{
	long value = state->values[--state->count];

	state->values[state->count] = 0;
	return value;
}

static bool step(void *argument, const struct model_operation *operation)
{
	struct contents *state = argument;
	long result = 0;

	switch (operation->kind) {
	case CLOSE:
		state->closed = 1;
		return true;
	case POP:
		if (state->count > 0)
			result = step_pop(state);
		else
			result = state->closed != 0 ? -EPIPE : -EAGAIN;
		return operation->pending || operation->result == result;
	case POP_TWO:
		for (int i = 0; i < BATCH && state->count > 0; i++)
			result = result * 10 + step_pop(state);
		return operation->pending || operation->result == result;
	default:
		return step_push(state, operation);
	}
}

static const struct model_specification specification = {
	.state_size = sizeof(struct contents),
	.step = step,
	.describe = describe,
};

static void exact(const void *shape)
{
	setup(shape);
	for (int i = 0; i < THREADS; i++) {
		if (test.shape->threads[i] != NULL)
			model_thread(work, (void *)(intptr_t)i);
	}
	model_join();
	if (model_frozen() == 0) {
		/* What is found now is all there is, and all slots are back. */
		while (pop() > 0)
			;
		model_assert(words_size(&test.stack) == 0);
		model_assert(weft_slot_pool_size_(&test.stack.stack_.unused_,
						  weft_bounded_stack_stride_(sizeof(uint64_t))) ==
			     test.shape->capacity);
	}
	model_assert_linearizable(&specification);
}

static int done_before_pop;

static void do_and_pop(void *unused)
{
	(void)unused;
	model_run_on(0);
	done_before_pop = 1;
	pop();
}

static void look_whether_empty(void *unused)
{
	uint64_t value;

	(void)unused;
	model_run_on(0);
	if (words_pop(&test.stack, &value) == -EAGAIN)
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

static void init_and_fini(const void *unused)
{
	words stack;
	uint64_t value;

	(void)unused;
	if (words_init(&stack, 2) == 0) {
		model_assert(words_try_push(&stack, 7));
		model_assert(words_try_pop(&stack, &value) && value == 7);
	}
	words_fini(&stack);
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "bounded_stack: pushes and pops, and it is full",
		.run = exact,
		.argument = SHAPE(.threads = {"po", "po", "p"}, .capacity = 2, .hands = 2),
		.stale = 1,
	},
	{
		.name = "bounded_stack: slots come back while a pop looks at them",
		.run = exact,
		.argument =
			SHAPE(.before = "pp", .threads = {"o", "opp"}, .capacity = 2, .hands = 1),
		.preemptions = 3,
		.stale = 1,
	},
	{
		.name = "bounded_stack: with a tag that comes back, the model shows the ABA",
		.run = exact,
		.argument =
			SHAPE(.before = "pp", .threads = {"o", "apt"}, .capacity = 4, .hands = 2),
		.expect = "data race",
	},
	{
		.name = "bounded_stack: the tags start again from 0",
		.run = exact,
		.argument = SHAPE(.before = "pp", .threads = {"o", "opp"}, .capacity = 2,
				  .hands = 1, .tags = 3),
		.stale = 1,
	},
	{
		.name = "bounded_stack: batches are one step",
		.run = exact,
		.argument =
			SHAPE(.before = "p", .threads = {"b", "a", "p"}, .capacity = 4, .hands = 3),
		.stale = 1,
	},
	{
		.name = "bounded_stack: a batch takes what there is",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"1b", "b", "o"}, .capacity = 4,
				  .lists = 2, .hands = 3),
		.stale = 1,
	},
	{
		.name = "bounded_stack: \"full\" though slots go from list to list",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"1op", "0p", "1"}, .capacity = 2,
				  .lists = 2, .hands = 1),
		.preemptions = 3,
	},
	{
		.name = "bounded_stack: not full, though slots go from list to list",
		.run = exact,
		.argument = SHAPE(.before = "ppp", .threads = {"0p", "0o1p", "1"}, .capacity = 4,
				  .lists = 2, .hands = 1),
		.preemptions = 3,
	},
	{
		.name = "bounded_stack: who finds it empty sees what was done before",
		.run = empty_tells,
		.argument = SHAPE(.before = "p", .capacity = 2),
	},
	{
		.name = "bounded_stack: closed",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"pb", "oo", "nc"}, .capacity = 4,
				  .hands = 2),
		.stale = 1,
	},
	{
		.name = "bounded_stack: closed when it is full",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"p", "oo", "nc"}, .capacity = 1,
				  .hands = 1),
	},
	{
		.name = "bounded_stack: nobody waits for a frozen thread",
		.run = exact,
		.argument = SHAPE(.before = "p", .threads = {"po", "1ob", "0ap"}, .capacity = 4,
				  .lists = 2, .hands = 4),
		.freeze = true,
		.stale = MODEL_NONE,
	},
	{
		.name = "bounded_stack: out of memory",
		.run = init_and_fini,
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
