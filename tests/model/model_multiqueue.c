/* SPDX-License-Identifier: Apache-2.0 */

/*
 * multiqueue: each element is taken exactly once, by a thread that sees what it points to; one lane
 * is a priority queue; a frozen thread hides its lane and no more; a closed queue is drained before
 * anyone is told that it is.
 */

#include <stdio.h>
#include <string.h>

#include <weft/lockfree/multiqueue.h>

#include "scripts.h"

enum {
	THREADS = 4,
	ELEMENTS = 8,
	CALLS = 8
};

/* The calls of a thread: '0' to '9' push with that priority, 'o' pop, 'c' close, 'i' is_closed, and
 * 'r' releases lane 0. */
struct shape {
	size_t capacity;
	unsigned lanes;
	const char *before, *threads[THREADS - 1];
	bool never_full; /* each push finds a lane */
	bool taken;      /* lane 0 is, until somebody releases it */
};

static struct {
	weft_multiqueue queue;
	const struct shape *shape;
	weft_multiqueue_handle handles[THREADS];
	/* What an element points to: its number, until it is used. */
	int contents[THREADS * ELEMENTS];
	int pushed[THREADS], popped[THREADS];
	bool got[THREADS][THREADS * ELEMENTS];
	/* What a thread has learned, or done itself. */
	bool closed[THREADS], drained[THREADS];
	/* Written before the queue is closed. */
	int last_words;
	bool out_of_memory;
} test;

static void setup(const struct shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;

	int error = weft_multiqueue_init(&test.queue, shape->capacity, shape->lanes, 1);

	model_assert(error == 0 || error == -ENOMEM);
	test.out_of_memory = error != 0;
	if (error != 0)
		return;
	for (int i = 0; i < THREADS; i++)
		weft_multiqueue_handle_init(&test.handles[i], &test.queue);
	weft_multiqueue_lane_ *lanes = test.queue.lanes_;

	model_name_array(&lanes->taken_, sizeof(*lanes), shape->lanes, "taken");
	model_name_array(&lanes->mail_, sizeof(*lanes), shape->lanes, "mail");
	model_name_array(&lanes->count_, sizeof(*lanes), shape->lanes, "count");
	model_name_array(&lanes->least_, sizeof(*lanes), shape->lanes, "least");
	model_name_array(&lanes->inbox_.tail_, sizeof(*lanes), shape->lanes, "inbox tail");
	model_name_array(&lanes->inbox_.head_, sizeof(*lanes), shape->lanes, "inbox head");
	model_name(&test.queue.chunks_, "chunks");
	model_name(&test.queue.phase_, "phase");
	atomic_store_explicit(&lanes->taken_, shape->taken, memory_order_relaxed);
	model_name_array(test.contents, sizeof(*test.contents), THREADS * ELEMENTS, "contents");
}

static int push(int thread, char kind)
{
	int number = thread * ELEMENTS + test.pushed[thread] + 1;

	test.contents[number] = number;
	int result = weft_multiqueue_push(&test.handles[thread], (uint64_t)(kind - '0'),
					  &test.contents[number]);

	model_assert(result == 0 || result == -EAGAIN || result == -EPIPE);
	test.pushed[thread] += result == 0;
	model_assert(result != -EAGAIN || !test.shape->never_full);
	return result;
}

/* Returns the number of the element, or a negative errno. */
static int pop(int thread, uint64_t *priority)
{
	void *element;
	int result = weft_multiqueue_pop(&test.handles[thread], &element, priority);

	model_assert(result == 0 || result == -EAGAIN || result == -EPIPE);
	if (result != 0)
		return result;
	int *contents = element, number = (int)(contents - test.contents);

	/* A second use is a race, if not a wrong value. */
	model_assert(*contents == number);
	*contents = 0;
	model_assert(!test.got[thread][number]);
	test.got[thread][number] = true;
	test.popped[thread]++;
	return number;
}

static void release_lane(void)
{
	atomic_store_explicit(&test.queue.lanes_->taken_, 0, memory_order_release);
}

static void call(int thread, int index, char what)
{
	int result = 0;

	(void)index;
	if (what == 'c') {
		test.last_words = 1;
		weft_multiqueue_close(&test.queue);
		test.closed[thread] = true;
	} else if (what == 'i') {
		if (weft_multiqueue_is_closed(&test.queue))
			model_assert(test.last_words == 1);
	} else if (what != 'o') {
		result = push(thread, what);
		model_assert(!test.closed[thread] || result != 0);
	} else {
		result = pop(thread, NULL);
		model_assert(!test.drained[thread] || result == -EPIPE);
		test.drained[thread] = result == -EPIPE;
		if (result == -EPIPE)
			model_assert(test.last_words == 1);
	}
	test.closed[thread] = test.closed[thread] || result == -EPIPE;
}

static void check_all_taken_once(void)
{
	bool drained = false;
	size_t left = 0;

	for (int i = 0; i < THREADS; i++) {
		left += (size_t)(test.pushed[i] - test.popped[i]);
		drained = drained || test.drained[i];
	}
	model_assert(weft_multiqueue_size(&test.queue) == left);
	/* Who said that nothing will come was right. */
	model_assert(!drained || left == 0);
	for (; left > 0; left--)
		model_assert(pop(0, NULL) > 0);
	model_assert(pop(0, NULL) == (weft_multiqueue_is_closed(&test.queue) ? -EPIPE : -EAGAIN));
	for (int i = 0; i < THREADS; i++)
		for (int j = 1; j <= test.pushed[i]; j++) {
			int count = 0;

			for (int k = 0; k < THREADS; k++)
				count += test.got[k][i * ELEMENTS + j];
			model_assert(count == 1);
		}
}

static void exact(const void *shape)
{
	setup(shape);
	if (test.out_of_memory) {
		weft_multiqueue_fini(&test.queue);
		return;
	}
	model_follow_script(0, test.shape->before, call);
	model_run_scripts(test.shape->threads, THREADS - 1, 1, call);
	if (model_frozen() == 0) {
		check_all_taken_once();
		weft_multiqueue_fini(&test.queue);
	}
}

/* The elements of one thread and one priority are a FIFO queue, of which a pop may say that another
 * thread hides it. */

struct elements {
	unsigned char count;
	unsigned char pushed[7]; /* 4 * element + priority, oldest first */
};

static bool step(void *state, const struct model_operation *operation)
{
	struct elements *elements = state;
	int place = 0;

	if (operation->result == -EAGAIN)
		return true;
	if (operation->kind != 'o') {
		elements->pushed[elements->count++] = (unsigned char)operation->argument;
		return true;
	}
	while (place < elements->count && elements->pushed[place] / 4 != operation->result)
		place++;
	if (place == elements->count)
		return false;
	for (int i = 0; i < place; i++)
		if (elements->pushed[i] % 4 == elements->pushed[place] % 4 &&
		    elements->pushed[i] / 4 / ELEMENTS == elements->pushed[place] / 4 / ELEMENTS)
			return false;
	memmove(elements->pushed + place, elements->pushed + place + 1,
		(size_t)(--elements->count - place));
	elements->pushed[elements->count] = 0;
	return true;
}

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	if (operation->kind != 'o')
		snprintf(text, size, "push(%ld, priority %ld): %ld", operation->argument / 4,
			 operation->argument % 4, operation->result);
	else
		snprintf(text, size, "pop: %ld", operation->result);
}

static const struct model_specification specification = {
	.state_size = sizeof(struct elements),
	.step = step,
	.describe = describe,
};

static void call_recorded(int thread, int index, char what)
{
	(void)index;
	if (what == 'o') {
		model_call('o', 0);
		model_return(pop(thread, NULL));
	} else if (what == 'r') {
		release_lane();
	} else {
		model_call('p', 4 * (thread * ELEMENTS + test.pushed[thread] + 1) + what - '0');
		model_return(push(thread, what));
	}
}

static void linearizable(const void *shape)
{
	setup(shape);
	model_run_scripts(test.shape->threads, THREADS - 1, 1, call_recorded);
	model_assert_linearizable(&specification);
	if (model_frozen() == 0)
		weft_multiqueue_fini(&test.queue);
}

/*
 * A chunk that lane 0 gives back is taken by lane 1: the first thread pops what is in lane 0 down
 * to where it does so, and the second pushes to lane 1, whose chunks are full.
 */

/* A priority, this or a higher one, with which the thread pushes to this lane. */
static uint64_t priority_for(int thread, int lane, uint64_t priority)
{
	const weft_multiqueue_lane_ *of = &test.queue.lanes_[lane];

	for (;; priority++) {
		uint32_t before = atomic_load_explicit(&of->count_, memory_order_relaxed);
		bool found;

		model_assert(weft_multiqueue_push(&test.handles[thread], priority, &test) == 0);
		found = atomic_load_explicit(&of->count_, memory_order_relaxed) > before;
		model_assert(weft_multiqueue_try_pop(&test.handles[thread], &(void *){NULL}, NULL));
		if (found)
			return priority;
	}
}

static void pop_plain(int thread, int count)
{
	void *element;

	for (int i = 0; i < count; i++)
		model_assert(weft_multiqueue_pop(&test.handles[thread], &element, NULL) == 0);
}

static void push_plain(int thread, int count, uint64_t priority)
{
	for (int i = 0; i < count; i++)
		model_assert(weft_multiqueue_push(&test.handles[thread], priority, &test) == 0);
}

/* Written before the threads begin. */
static uint64_t lane_1_priority;

static void give_or_take(int thread, int index, char what)
{
	void *elements[] = {&test, &test, [16] = NULL};

	(void)index;
	if (what == 'o')
		model_assert(weft_multiqueue_try_pop_batch(&test.handles[thread], elements, NULL,
							   17) == 17);
	else
		model_assert(weft_multiqueue_try_push_batch(&test.handles[thread], lane_1_priority,
							    elements, 2) == 2);
}

static void chunk_goes_round(const void *shape)
{
	setup(shape);

	uint64_t lane_0_priority = priority_for(0, 0, 0);

	lane_1_priority = priority_for(2, 1, lane_0_priority + 1);
	/* One in the front, and the heap fills two chunks but for one entry. */
	push_plain(2, 33, lane_1_priority);
	pop_plain(0, 15);
	push_plain(2, 35, lane_1_priority);
	/* The heap has one entry in its second chunk, and the front is empty. */
	push_plain(0, 38, lane_0_priority);
	pop_plain(0, 16);
	model_assert(atomic_load_explicit(&test.queue.lanes_[0].count_, memory_order_relaxed) ==
		     22);
	model_run_scripts(test.shape->threads, THREADS - 1, 1, give_or_take);
	model_assert(test.queue.lanes_[0].chunk_count_ == 1);
	model_assert(test.queue.lanes_[1].chunk_count_ == 3);
	pop_plain(0, 22 + 53 - 17 + 2);
	model_assert(weft_multiqueue_size(&test.queue) == 0);
	weft_multiqueue_fini(&test.queue);
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "multiqueue: 2 producers, 1 consumer, 2 lanes",
		.run = exact,
		.argument = SHAPE(.capacity = 4, .lanes = 2, .threads = {"10", "2", "oo"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: elements go in and out of 2 lanes",
		.run = exact,
		.argument =
			SHAPE(.capacity = 4, .lanes = 2, .before = "5", .threads = {"0o", "1o"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: full",
		.run = exact,
		.argument =
			SHAPE(.capacity = 2, .lanes = 2, .before = "3", .threads = {"12o", "0o"}),
		.preemptions = 1,
	},
	{
		.name = "multiqueue: equals of a producer keep their order, 1 lane",
		.run = linearizable,
		.argument = SHAPE(.capacity = 4, .lanes = 1, .threads = {"00o", "0o"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: equals of a producer keep their order, 2 lanes",
		.run = linearizable,
		.argument = SHAPE(.capacity = 4, .lanes = 2, .threads = {"00", "oo", "o"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: nothing overtakes what is in an inbox",
		.run = linearizable,
		.argument = SHAPE(.capacity = 4, .lanes = 1, .threads = {"0", "00o", "r"},
				  .taken = true),
		.stale = 1,
	},
	{
		.name = "multiqueue: a frozen thread hides one lane",
		.run = exact,
		.argument = SHAPE(.capacity = 8, .lanes = 2, .before = "3", .threads = {"0o", "1o"},
				  .never_full = true),
		.freeze = true,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: closed while elements go in and out",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .lanes = 2, .before = "1",
				  .threads = {"0", "oi", "c"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: who closes pushes and pops",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .lanes = 1, .threads = {"0c0oo", "o0o"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: two are told that it is drained",
		.run = exact,
		.argument = SHAPE(.capacity = 1, .lanes = 1, .threads = {"o", "o", "c"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: a chunk goes from lane to lane",
		.run = chunk_goes_round,
		.argument = SHAPE(.capacity = 64, .lanes = 2, .threads = {"o", "p"}),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "multiqueue: out of memory",
		.run = exact,
		.argument = SHAPE(.capacity = 2, .lanes = 1, .threads = {"0", "o"}),
		.fail_allocations = true,
		.preemptions = 1,
		.stale = 1,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
