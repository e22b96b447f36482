/* SPDX-License-Identifier: Apache-2.0 */

/*
 * deque: each element is taken exactly once, by a thread that sees what it points to; the history
 * is that of a deque; nobody waits for anybody; a worker that looks before it sleeps misses no
 * push.
 */

#include <stdio.h>
#include <string.h>

#include <weft/lockfree/deque.h>

#include "model.h"

enum {
	ELEMENTS = 80,
	THIEVES = 3,
	BATCH = 3
};

/* What thieves do. */
enum robbery {
	SINGLE,
	BATCHES, /* up to BATCH elements in a call */
	HALVES,  /* the first thief, into its own deque, from which the others steal */
};

/* The owner's calls: 'p' push, 's' push_seq_cst, 't' take (try_pop), 'l' push_lazy, 'z' take
 * (try_pop_lazy), 'u' publish, 'L' push_lazy as often as nothing has to be published, 'w' a write
 * to what the oldest element points to. */
struct shape {
	size_t capacity;
	const char *before; /* the owner's calls before there are thieves */
	const char *owner;
	int thieves, steals;
	enum robbery robbery;
	uint64_t index;      /* of the first element */
	size_t own_capacity; /* of the first thief's deque */
	size_t most;         /* what a batch may have, unless it is 0 */
};

static struct {
	weft_deque deque, own;
	const struct shape *shape;
	int pushed;
	int contents[ELEMENTS]; /* what an element points to: its own number, until it is used */
	bool got[THIEVES + 1][ELEMENTS];
	bool out_of_memory;
} test;

static void setup(const struct shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;

	int error = weft_deque_init(&test.deque, shape->capacity);

	model_assert(error == 0 || error == -ENOMEM);
	test.out_of_memory = error != 0;
	if (shape->own_capacity != 0)
		model_assert(weft_deque_init(&test.own, shape->own_capacity) == 0);
	if (shape->index != 0) {
		atomic_store_explicit(&test.deque.top_, shape->index, memory_order_relaxed);
		atomic_store_explicit(&test.deque.pushes_, shape->index, memory_order_relaxed);
		test.deque.owner_bottom_ = test.deque.public_ = shape->index;
		test.deque.top_seen_ = shape->index;
	}
	model_name(&test.deque.top_, "top");
	model_name(&test.deque.pushes_, "pushes");
	model_name(&test.deque.pops_, "pops");
	model_name(&test.deque.ring_, "ring");
	model_name_array(test.contents, sizeof(*test.contents), ELEMENTS, "contents");
}

static void use(int thread, void *element)
{
	int *contents = element;
	long number = contents - test.contents;

	model_assert(number > 0 && number < ELEMENTS);
	/* A second use is a race, if not a wrong value. */
	model_assert(*contents == number);
	*contents = 0;
	test.got[thread][number] = true;
}

static void push(char kind)
{
	int number = test.pushed + 1;
	int error;

	test.contents[number] = number;
	if (kind == 's')
		error = weft_deque_push_seq_cst(&test.deque, &test.contents[number]);
	else if (kind == 'p')
		error = weft_deque_push(&test.deque, &test.contents[number]);
	else
		error = weft_deque_push_lazy(&test.deque, &test.contents[number]);
	model_assert(error == 0 || error == -ENOMEM);
	if (error == 0)
		test.pushed = number;
}

static bool take(char kind, void **element)
{
	return kind == 't' ? weft_deque_try_pop(&test.deque, element)
			   : weft_deque_try_pop_lazy(&test.deque, element);
}

static void follow_script(const char *script)
{
	void *element;

	for (; script != NULL && *script != '\0'; script++) {
		if (*script == 'L')
			for (int i = 0; i < WEFT_DEQUE_HELD_MAX; i++)
				push('l');
		else if (*script == 'w')
			test.contents[1] = 1;
		else if (*script == 'u')
			weft_deque_publish(&test.deque);
		else if (strchr("tz", *script) == NULL)
			push(*script);
		else if (take(*script, &element))
			use(0, element);
	}
}

static void own(void *unused)
{
	(void)unused;
	follow_script(test.shape->owner);
}

/* One call of one thief; returns how many elements it took. */
static size_t rob(int thief, void **elements)
{
	size_t stolen = 0;

	if (test.shape->robbery == BATCHES) {
		int error = weft_deque_steal_batch(&test.deque, elements, BATCH, &stolen);

		model_assert((error == 0) == (stolen > 0));
		model_assert(test.shape->most == 0 || stolen <= test.shape->most);
		return stolen;
	}
	if (test.shape->robbery == HALVES && thief == 1)
		return weft_deque_steal_half(&test.deque, &test.own, elements) == 0;
	return weft_deque_steal(test.shape->robbery == HALVES ? &test.own : &test.deque,
				elements) == 0;
}

static void thieve(void *argument)
{
	int self = (int)(intptr_t)argument;
	void *elements[BATCH], *newest = NULL;

	for (int i = 0; i < test.shape->steals; i++) {
		size_t stolen = rob(self, elements);

		/* Each thief gets ever newer ones. */
		for (size_t j = 0; j < stolen; j++) {
			model_assert((int *)elements[j] > (int *)newest);
			newest = elements[j];
			use(self, newest);
		}
	}
	if (test.shape->robbery == HALVES && self == 1)
		while (weft_deque_try_pop(&test.own, &newest))
			use(self, newest);
}

static void check_all_taken_once(void)
{
	void *element;

	while (weft_deque_try_pop(&test.deque, &element))
		use(0, element);
	model_assert(weft_deque_size(&test.deque) == 0);
	for (int number = 1; number <= test.pushed; number++) {
		int count = 0;

		for (int i = 0; i <= test.shape->thieves; i++)
			count += test.got[i][number];
		model_assert(count == 1);
	}
}

static void exact(const void *shape)
{
	setup(shape);
	if (!test.out_of_memory) {
		follow_script(test.shape->before);
		model_thread(own, NULL);
		for (int i = 1; i <= test.shape->thieves; i++)
			model_thread(thieve, (void *)(intptr_t)i);
		model_join();
		if (model_frozen() == 0)
			check_all_taken_once();
	}
	if (model_frozen() == 0) {
		weft_deque_fini(&test.deque);
		weft_deque_fini(&test.own);
	}
}

/* The specification: push and take at one end, steal at the other. */

enum {
	PUSH,
	TAKE,
	STEAL
};

struct contents {
	unsigned char count;
	unsigned char elements[15];
};

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	static const char *const names[] = {"push", "take", "steal"};

	if (operation->kind == PUSH)
		snprintf(text, size, "push(%ld)", operation->argument);
	else if (operation->pending)
		snprintf(text, size, "%s", names[operation->kind]);
	else
		snprintf(text, size, "%s: %ld", names[operation->kind], operation->result);
}

static bool step(void *state, const struct model_operation *operation)
{
	struct contents *contents = state;
	unsigned char *elements = contents->elements;
	unsigned char taken;

	if (operation->kind == PUSH) {
		elements[contents->count++] = (unsigned char)operation->argument;
		return true;
	}
	/* A thief that was beaten to it says so, and that says nothing. */
	if (!operation->pending && operation->result == -EAGAIN)
		return true;
	/* For a thief there may be nothing though the owner holds some back. */
	if (!operation->pending && operation->result == 0)
		return contents->count == 0 ||
		       (operation->kind == STEAL && strchr(test.shape->owner, 'l') != NULL);
	if (contents->count == 0)
		return operation->pending;
	if (operation->kind == TAKE) {
		taken = elements[contents->count - 1];
	} else {
		taken = elements[0];
		memmove(elements, elements + 1, sizeof(contents->elements) - 1);
	}
	elements[--contents->count] = 0;
	return operation->pending || taken == operation->result;
}

static const struct model_specification specification = {
	.state_size = sizeof(struct contents),
	.step = step,
	.describe = describe,
};

static void own_recorded(void *unused)
{
	(void)unused;
	for (const char *call = test.shape->owner; *call != '\0'; call++) {
		if (strchr("tz", *call) != NULL) {
			void *element;

			model_call(TAKE, 0);

			bool taken = take(*call, &element);

			model_return(taken ? (int *)element - test.contents : 0);
		} else {
			model_call(PUSH, test.pushed + 1);
			push(*call);
			model_return(0);
		}
	}
}

static void thieve_recorded(void *unused)
{
	(void)unused;
	for (int i = 0; i < test.shape->steals; i++) {
		void *element;

		model_call(STEAL, 0);

		int error = weft_deque_steal(&test.deque, &element);

		model_return(error == 0         ? (int *)element - test.contents
			     : error == -ENOENT ? 0
						: error);
	}
}

static void linearizable(const void *shape)
{
	setup(shape);
	model_thread(own_recorded, NULL);
	for (int i = 0; i < test.shape->thieves; i++)
		model_thread(thieve_recorded, NULL);
	model_join();
	model_assert_linearizable(&specification);
	if (model_frozen() == 0)
		weft_deque_fini(&test.deque);
}

/* The owner pushes, then looks for sleepers; a worker says that it sleeps, then looks for work. */

static WEFT_ATOMIC(int) sleepers;
static bool saw_sleeper, saw_element;

static void push_and_look(void *unused)
{
	void *element;

	(void)unused;
	follow_script(test.shape->owner);
	if (test.shape->robbery == HALVES)
		model_assert(weft_deque_steal_half(&test.deque, &test.own, &element) == 0);
	else
		push('s');
	saw_sleeper = atomic_load_explicit(&sleepers, memory_order_seq_cst) != 0;
}

static void sleep_and_look(void *unused)
{
	(void)unused;
	atomic_store_explicit(&sleepers, 1, memory_order_seq_cst);
	saw_element = weft_deque_size(test.shape->robbery == HALVES ? &test.own : &test.deque) != 0;
}

static void no_push_is_missed(const void *shape)
{
	setup(shape);
	follow_script(test.shape->before);
	atomic_store_explicit(&sleepers, 0, memory_order_relaxed);
	model_name(&sleepers, "sleepers");
	model_thread(push_and_look, NULL);
	model_thread(sleep_and_look, NULL);
	model_join();
	model_assert(saw_sleeper || saw_element);
	weft_deque_fini(&test.deque);
	weft_deque_fini(&test.own);
}

/* There is an element all the time, while the owner pushes and takes others. */

static void look(void *unused)
{
	(void)unused;
	saw_element = weft_deque_size(&test.deque) != 0;
}

static void never_looks_empty(const void *shape)
{
	setup(shape);
	follow_script(test.shape->before);
	model_thread(own, NULL);
	model_thread(look, NULL);
	model_join();
	model_assert(saw_element);
	if (model_frozen() == 0)
		weft_deque_fini(&test.deque);
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "deque: 2 thieves, 2 pushes, 2 takes",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .owner = "pptt", .thieves = 2, .steals = 2),
	},
	{
		.name = "deque: 2 thieves, the last elements, all interleavings",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .before = "pp", .owner = "tt", .thieves = 2,
				  .steals = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "deque: a batch, and an owner that pops and pushes meanwhile",
		.run = exact,
		.argument = SHAPE(.capacity = 8, .before = "pppp", .owner = "tttpp", .thieves = 1,
				  .steals = 2, .robbery = BATCHES),
		.preemptions = 3,
		.stale = 3,
	},
	{
		.name = "deque: a batch is no more than half of what there is at any time",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .before = "p", .owner = "ptptp", .thieves = 1,
				  .steals = 1, .robbery = BATCHES, .most = 1),
		.preemptions = 3,
		.stale = 3,
	},
	{
		.name = "deque: the last element again and again",
		.run = exact,
		.argument = SHAPE(.capacity = 1, .owner = "ptptpt", .thieves = 1, .steals = 3),
		.preemptions = 3,
		.stale = 3,
	},
	{
		.name = "deque: a slot is used again while thieves look at it",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .before = "pp", .owner = "tptp", .thieves = 2,
				  .steals = 2),
	},
	{
		.name = "deque: growth from 1 with 2 thieves",
		.run = exact,
		.argument = SHAPE(.capacity = 1, .owner = "pppt", .thieves = 2, .steals = 2),
	},
	{
		.name = "deque: growth twice, 1 thief",
		.run = exact,
		.argument = SHAPE(.capacity = 1, .owner = "ppptptt", .thieves = 1, .steals = 3),
		.preemptions = 3,
	},
	{
		.name = "deque: the owner reserves what two thieves are at",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .before = "pppp", .owner = "zz", .thieves = 2,
				  .steals = 2),
	},
	{
		.name = "deque: pushed, stolen and reserved",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .owner = "pppz", .thieves = 2, .steals = 1),
	},
	{
		.name = "deque: reserved and stolen, all interleavings",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .before = "ppp", .owner = "zz", .thieves = 1,
				  .steals = 2),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "deque: held back until a thief asks",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .owner = "llzlt", .thieves = 1, .steals = 2),
	},
	{
		.name = "deque: more than can be held back",
		.run = exact,
		.argument = SHAPE(.capacity = 128, .before = "L", .owner = "wl", .thieves = 1,
				  .steals = 1),
	},
	{
		.name = "deque: batches of 2 thieves",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .before = "pppp", .owner = "tt", .thieves = 2,
				  .steals = 1, .robbery = BATCHES),
	},
	{
		.name = "deque: half of it into another deque, which is stolen from",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .before = "pppp", .owner = "t", .thieves = 2,
				  .steals = 1, .robbery = HALVES, .own_capacity = 1),
	},
	{
		.name = "deque: held back and published, linearizable",
		.run = linearizable,
		.argument = SHAPE(.capacity = 2, .owner = "lpztz", .thieves = 2, .steals = 1),
	},
	{
		.name = "deque: linearizable",
		.run = linearizable,
		.argument = SHAPE(.capacity = 2, .owner = "pptpt", .thieves = 2, .steals = 1),
	},
	{
		.name = "deque: nobody waits for a frozen thread",
		.run = linearizable,
		.argument = SHAPE(.capacity = 1, .owner = "pptpt", .thieves = 2, .steals = 1),
		.freeze = true,
		.stale = 1,
	},
	{
		.name = "deque: nor does an owner that holds some back, nor a batch of thieves",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .owner = "lllzut", .thieves = 2, .steals = 1,
				  .robbery = BATCHES),
		.freeze = true,
		.stale = MODEL_NONE,
	},
	{
		.name = "deque: nor whoever takes half",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .before = "pppp", .owner = "tt", .thieves = 2,
				  .steals = 1, .robbery = HALVES, .own_capacity = 1),
		.freeze = true,
		.stale = MODEL_NONE,
	},
	{
		.name = "deque: no push is missed by a worker that is about to sleep",
		.run = no_push_is_missed,
		.argument = SHAPE(.capacity = 2),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "deque: nor after a pop of the last element",
		.run = no_push_is_missed,
		.argument = SHAPE(.capacity = 2, .before = "p", .owner = "t"),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "deque: nor are stolen ones, in the thief's own deque",
		.run = no_push_is_missed,
		.argument =
			SHAPE(.capacity = 4, .before = "ppp", .robbery = HALVES, .own_capacity = 4),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "deque: never looks empty while there is an element",
		.run = never_looks_empty,
		.argument = SHAPE(.capacity = 2, .before = "p", .owner = "ptpt"),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "deque: out of memory, at once or when it grows",
		.run = exact,
		.argument = SHAPE(.capacity = 1, .owner = "ppt", .thieves = 1, .steals = 2),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
