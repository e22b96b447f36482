/* SPDX-License-Identifier: Apache-2.0 */

/*
 * priority_queue: each element is taken exactly once, by a thread that sees what it points to; a
 * priority is a FIFO queue; no pop passes over an element that was there before it; nobody waits
 * for anybody; a closed queue is drained before anyone is told that it is.
 */

#include <stdio.h>
#include <string.h>

#include <weft/lockfree/priority_queue.h>

#include "scripts.h"

enum {
	THREADS = 4,
	ELEMENTS = 10, /* 10 * thread + number of the push is an element of a thread, from 1 */
	CALLS = 8
};

/* The calls of a thread: '0' to '9' push with that priority, 'o' pop, 'c' close, 'i' is_closed; 'P'
 * and 'O' push (priority 0) and pop two elements at once. */
struct shape {
	size_t capacity;
	unsigned levels;
	const char *before, *threads[THREADS - 1];
	bool wrap; /* counts begin just below their overflow */
};

/* What a call did. */
struct call {
	char kind;
	int result;
	unsigned priority; /* of what was popped */
	int element;
};

static struct {
	weft_priority_queue queue;
	const struct shape *shape;
	int contents[THREADS * ELEMENTS];
	struct call calls[THREADS][CALLS];
	int made[THREADS];
	unsigned priorities[THREADS * ELEMENTS];
	int last_words; /* written before the queue is closed */
	bool out_of_memory;
} test;

/* All that is counted is about to overflow. */
static void set_counts(void)
{
	weft_priority_queue *queue = &test.queue;
	uint64_t last = (uint64_t)UINT32_MAX << 32;

	for (unsigned i = 0; i < test.shape->levels; i++) {
		atomic_store_explicit(&queue->levels_[i].head_, last | i, memory_order_relaxed);
		atomic_store_explicit(&queue->levels_[i].tail_, last | i, memory_order_relaxed);
	}
	for (unsigned i = 0; i < test.shape->levels + test.shape->capacity; i++) {
		uint64_t next = atomic_load_explicit(&queue->nodes_[i].next_, memory_order_relaxed);

		atomic_store_explicit(&queue->nodes_[i].next_, last | next, memory_order_relaxed);
	}
	atomic_store_explicit(&queue->words_[0], UINT64_MAX << 16, memory_order_relaxed);
	atomic_fetch_or_explicit(&queue->free_, UINT64_MAX << 33, memory_order_relaxed);
}

static void setup(const struct shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;

	int error = weft_priority_queue_init(&test.queue, shape->capacity, shape->levels);

	model_assert(error == 0 || error == -ENOMEM);
	test.out_of_memory = error != 0;
	if (error != 0)
		return;
	if (shape->wrap)
		set_counts();
	model_name(&test.queue.free_, "free");
	model_name(test.queue.words_, "word");
	model_name_array(&test.queue.levels_->head_, sizeof(*test.queue.levels_), shape->levels,
			 "head");
	model_name_array(&test.queue.levels_->tail_, sizeof(*test.queue.levels_), shape->levels,
			 "tail");
	model_name_array(&test.queue.nodes_->next_, sizeof(*test.queue.nodes_),
			 shape->levels + shape->capacity, "next");
	model_name_array(test.contents, sizeof(*test.contents), THREADS * ELEMENTS, "contents");
}

static void *prepare(int thread, struct call *call, int number)
{
	call->element = thread * ELEMENTS + number;
	test.contents[call->element] = call->element;
	test.priorities[call->element] = (unsigned)(call->kind - '0');
	return &test.contents[call->element];
}

static void push(int thread, struct call *call, int number)
{
	void *element = prepare(thread, call, number);

	call->result = weft_priority_queue_push(&test.queue, (unsigned)(call->kind - '0'), element);
	model_assert(call->result == 0 || call->result == -EAGAIN || call->result == -EPIPE);
	if (call->result == -EPIPE)
		model_assert(test.last_words == 1);
}

/* Recorded as two calls. */
static void push_two(int thread, struct call *calls, int number)
{
	void *elements[2];

	for (int i = 0; i < 2; i++) {
		calls[i].kind = '0';
		elements[i] = prepare(thread, &calls[i], number + i);
	}

	size_t pushed = weft_priority_queue_try_push_batch(&test.queue, 0, elements, 2);

	for (size_t i = 0; i < 2; i++)
		calls[i].result = i < pushed ? 0 : -EAGAIN;
}

static void look_at(struct call *call, void *element)
{
	int *contents = element;

	call->element = (int)(contents - test.contents);
	/* A second use is a race, if not a wrong value. */
	model_assert(*contents == call->element);
	*contents = 0;
	model_assert(call->priority == test.priorities[call->element]);
}

/* Recorded as two calls. */
static void pop_two(struct call *calls)
{
	void *elements[2];
	unsigned priorities[2];
	size_t popped = weft_priority_queue_try_pop_batch(&test.queue, elements, priorities, 2);

	for (size_t i = 0; i < 2; i++) {
		calls[i].kind = 'o';
		calls[i].result = i < popped ? 0 : -EAGAIN;
		if (i >= popped)
			continue;
		calls[i].priority = priorities[i];
		look_at(&calls[i], elements[i]);
	}
}

static void pop(struct call *call)
{
	void *element;

	call->result = weft_priority_queue_pop(&test.queue, &element, &call->priority);
	model_assert(call->result == 0 || call->result == -EAGAIN || call->result == -EPIPE);
	if (call->result == -EPIPE)
		model_assert(test.last_words == 1);
	if (call->result == 0)
		look_at(call, element);
}

static void close_it(void)
{
	test.last_words = 1;
	weft_priority_queue_close(&test.queue);
}

static void make_call(int thread, int index, char what)
{
	struct call *call = &test.calls[thread][test.made[thread]];

	(void)index;
	if (what == 'i') {
		if (weft_priority_queue_is_closed(&test.queue))
			model_assert(test.last_words == 1);
		return;
	}
	call->kind = what;
	if (what == 'o')
		pop(call);
	else if (what == 'O')
		pop_two(call);
	else if (what == 'P')
		push_two(thread, call, test.made[thread] + 1);
	else if (what == 'c')
		close_it();
	else
		push(thread, call, test.made[thread] + 1);
	test.made[thread] += what == 'O' || what == 'P' ? 2 : 1;
}

static void run_all(const struct shape *shape)
{
	setup(shape);
	if (test.out_of_memory)
		return;
	model_follow_script(0, shape->before, make_call);
	model_run_scripts(shape->threads, THREADS - 1, 1, make_call);
}

/* How often an element was popped by others than this thread. */
static int popped_by_others(int thread, int element)
{
	int count = 0;

	for (int i = 0; i < THREADS; i++)
		for (int j = 0; i != thread && j < test.made[i]; j++)
			count += test.calls[i][j].kind == 'o' && test.calls[i][j].result == 0 &&
				 test.calls[i][j].element == element;
	return count;
}

/* What is left goes to thread 0, and then all that went in has come out once. */
static void check_all_taken_once(void)
{
	weft_priority_queue *queue = &test.queue;
	struct call rest = {.kind = 'o'};
	int inside = 0;

	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < test.made[i]; j++) {
			const struct call *call = &test.calls[i][j];

			if (call->kind != 'c' && call->result == 0)
				inside += call->kind == 'o' ? -1 : 1;
		}
	model_assert(inside >= 0);
	model_assert(weft_priority_queue_size(queue) == (size_t)inside);
	for (unsigned last = 0; inside > 0; inside--, last = rest.priority) {
		pop(&rest);
		model_assert(rest.result == 0 && rest.priority >= last);
	}
	pop(&rest);
	model_assert(rest.result == (weft_priority_queue_is_closed(queue) ? -EPIPE : -EAGAIN));
	model_assert(weft_priority_queue_size(queue) == 0);
}

/* A pop passes over no element that its own thread had pushed, or that was there before, unless
 * another thread has taken it; and a thread's elements of one priority keep their order. */
static void check_order(void)
{
	for (int i = 1; i < THREADS; i++)
		for (int j = 0; j < test.made[i]; j++) {
			const struct call *pop = &test.calls[i][j];

			if (pop->kind != 'o')
				continue;
			for (int k = 0; k < j + test.made[0]; k++) {
				const struct call *other =
					k < j ? &test.calls[i][k] : &test.calls[0][k - j];
				bool before = pop->result != 0 ||
					      (unsigned)(other->kind - '0') < pop->priority;

				if (other->kind >= '0' && other->kind <= '9' &&
				    other->result == 0 && before) {
					int taken = popped_by_others(i, other->element);

					for (int l = 0; l < j; l++)
						taken += test.calls[i][l].kind == 'o' &&
							 test.calls[i][l].result == 0 &&
							 test.calls[i][l].element == other->element;
					model_assert(taken == 1);
				}
			}
		}
}

static void exact(const void *shape)
{
	run_all(shape);
	if (model_frozen() != 0)
		return;
	if (!test.out_of_memory) {
		check_order();
		check_all_taken_once();
	}
	weft_priority_queue_fini(&test.queue);
}

/* Nobody is told that the queue is drained before it is, and then nothing comes any more. */
static void closes(const void *shape)
{
	run_all(shape);
	if (model_frozen() != 0)
		return;
	for (int i = 1; i < THREADS; i++) {
		bool closed = false, drained = false;

		for (int j = 0; j < test.made[i]; j++) {
			const struct call *call = &test.calls[i][j];

			closed = closed || call->kind == 'c' || call->result == -EPIPE;
			if (closed && call->kind >= '0' && call->kind <= '9')
				model_assert(call->result == -EPIPE);
			model_assert(!drained || call->result == -EPIPE);
			drained = drained || (call->kind == 'o' && call->result == -EPIPE);
			if (!drained)
				continue;
			/* All that was pushed has been popped, some of it perhaps by a pop that is
			 * still to return. */
			struct call rest = {.kind = 'o'};

			pop(&rest);
			model_assert(rest.result == -EPIPE);
		}
	}
	check_all_taken_once();
	weft_priority_queue_fini(&test.queue);
}

/* One priority is a FIFO queue. */

struct contents {
	unsigned char count;
	unsigned char elements[15];
};

static bool step(void *state, const struct model_operation *operation)
{
	struct contents *contents = state;

	if (operation->kind != 'o') {
		if (!operation->pending && operation->result != 0)
			return false;
		contents->elements[contents->count++] = (unsigned char)operation->argument;
		return true;
	}
	if (!operation->pending && operation->result == 0)
		return contents->count == 0;
	if (contents->count == 0)
		return operation->pending;
	unsigned char oldest = contents->elements[0];

	memmove(contents->elements, contents->elements + 1, sizeof(contents->elements) - 1);
	contents->elements[--contents->count] = 0;
	return operation->pending || oldest == operation->result;
}

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	if (operation->kind != 'o')
		snprintf(text, size, "push(%ld)", operation->argument);
	else
		snprintf(text, size, "pop: %ld", operation->result);
}

static const struct model_specification specification = {
	.state_size = sizeof(struct contents),
	.step = step,
	.describe = describe,
};

static void record_call(int thread, int index, char what)
{
	struct call call = {.kind = what};

	if (what == 'o') {
		model_call('o', 0);
		pop(&call);
		model_return(call.result == 0 ? call.element : 0);
	} else {
		model_call('p', thread * ELEMENTS + index + 1);
		push(thread, &call, index + 1);
		model_return(call.result);
	}
}

static void linearizable(const void *shape)
{
	setup(shape);
	model_run_scripts(test.shape->threads, THREADS - 1, 1, record_call);
	model_assert_linearizable(&specification);
	if (model_frozen() == 0)
		weft_priority_queue_fini(&test.queue);
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "priority_queue: 2 producers, 1 consumer, 2 priorities",
		.run = exact,
		.argument = SHAPE(.capacity = 3, .levels = 2, .threads = {"10", "0", "oo"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "priority_queue: nothing is passed over",
		.run = exact,
		.argument =
			SHAPE(.capacity = 3, .levels = 2, .before = "1", .threads = {"0o", "oo"}),
		.stale = 1,
	},
	{
		.name = "priority_queue: nothing is passed over, among many words",
		.run = exact,
		.argument =
			SHAPE(.capacity = 3, .levels = 17, .before = "1", .threads = {"2o", "oo"}),
		.preemptions = 1,
	},
	{
		.name = "priority_queue: a priority that is emptied and filled",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .levels = 1, .threads = {"0o", "0o", "o"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "priority_queue: the same node again and again, in two priorities",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .levels = 2, .threads = {"0o1o", "0o"}),
		.stale = 1,
	},
	{
		/* The first free node is the same again, and what was behind it is in use. */
		.name = "priority_queue: a free node that comes back",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .levels = 1, .threads = {"00", "00oo"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "priority_queue: counts overflow",
		.run = exact,
		.argument =
			SHAPE(.capacity = 2, .levels = 2, .threads = {"0o", "1o"}, .wrap = true),
		.stale = 1,
	},
	{
		.name = "priority_queue: two at once",
		.run = exact,
		.argument = SHAPE(.capacity = 3, .levels = 1, .threads = {"PO", "Oo"}),
		.stale = 1,
	},
	{
		.name = "priority_queue: two at once, of which others have taken one",
		.run = exact,
		.argument = SHAPE(.capacity = 3, .levels = 1, .before = "0",
				  .threads = {"P", "O", "o"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "priority_queue: linearizable, one priority",
		.run = linearizable,
		.argument = SHAPE(.capacity = 4, .levels = 1, .threads = {"00", "0o", "o"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "priority_queue: nobody waits for a frozen thread",
		.run = exact,
		.argument =
			SHAPE(.capacity = 3, .levels = 2, .before = "1", .threads = {"0o", "1o"}),
		.freeze = true,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "priority_queue: nor in a batch, nor in close",
		.run = exact,
		.argument = SHAPE(.capacity = 3, .levels = 2, .before = "1",
				  .threads = {"Pc", "O0", "io"}),
		.freeze = true,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "priority_queue: closed while elements go in and out",
		.run = closes,
		.argument = SHAPE(.capacity = 2, .levels = 1, .threads = {"00", "oi", "c"}),
		.stale = 1,
	},
	{
		.name = "priority_queue: who closes pushes and pops",
		.run = closes,
		.argument = SHAPE(.capacity = 2, .levels = 1, .threads = {"0c0oo", "o0"}),
		.stale = 1,
	},
	{
		.name = "priority_queue: out of memory",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .levels = 1, .threads = {"0", "o"}),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
