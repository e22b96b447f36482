/* SPDX-License-Identifier: Apache-2.0 */

/*
 * spsc_queue: "empty" is exact, or "full" is, though not both in one history; and wait-free. What
 * was pushed before the end is popped before pop says that it is the end.
 */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <weft/lockfree/spsc_queue.h>

#include "fifo_scenarios.h"

#define SHAPE(...)                                                                                 \
	(&(const struct fifo_shape){                                                               \
		.queue = &fifo_spsc_queue, .producers = 1, .consumers = 1, __VA_ARGS__})

#define IN_PLACE(...)                                                                              \
	(&(const struct fifo_shape){                                                               \
		.queue = &fifo_spsc_queue_in_place, .producers = 1, .consumers = 1, __VA_ARGS__})

enum {
	PUSHES = 3
};

/* How the queue comes to its end. */
struct ending {
	size_t capacity;
	uint64_t ticket;
	bool cancelled;  /* by a third thread; else the producer closes */
	bool in_place;   /* pushed by commit */
	bool keeps_open; /* the producer does not close, however its pushes ended */
};

/* Elements are the numbers from 1. */
static struct {
	weft_spsc_queue queue;
	const struct ending *ending;
	int contents[PUSHES + 1]; /* what the element's owner may touch */
	int pushed, popped;
	bool refused; /* the producer's last push found the queue closed */
	bool ended;   /* the consumer was told so */
	int note;     /* written before the end, read by who learns of it */
	atomic_bool cancelled;
} end;

static int push_number(uint64_t number)
{
	size_t count = 1;
	void *element;
	int error;

	if (!end.ending->in_place)
		return weft_spsc_queue_push(&end.queue, &number);
	error = weft_spsc_queue_reserve(&end.queue, &element, &count);
	if (error != 0)
		return error;
	memcpy(element, &number, sizeof(number));
	return weft_spsc_queue_commit(&end.queue, 1);
}

static void push_to_the_end(void *unused)
{
	(void)unused;
	for (int i = 0; i < PUSHES && !end.refused; i++) {
		bool over = atomic_load_explicit(&end.cancelled, memory_order_acquire);
		int error;

		end.contents[end.pushed + 1] = end.pushed + 1;
		error = push_number((uint64_t)end.pushed + 1);
		model_assert(!over || error == -EPIPE);
		end.pushed += error == 0;
		end.refused = error == -EPIPE;
	}
	/* If this did not come after the note, it is a race. */
	if (end.refused || (end.ending->cancelled && weft_spsc_queue_is_closed(&end.queue)))
		model_assert(end.note == 1);
	if (!end.ending->cancelled)
		end.note = 1;
	if (!end.ending->keeps_open)
		weft_spsc_queue_close(&end.queue);
}

static int pop_number(void)
{
	uint64_t number;
	int error = weft_spsc_queue_pop(&end.queue, &number);

	if (error == 0) {
		model_assert(number == (uint64_t)++end.popped);
		/* If the push did not happen before, this is a race. */
		model_assert(end.contents[number] == (int)number);
	}
	return error;
}

static void pop_to_the_end(void *unused)
{
	(void)unused;
	for (int i = 0; i < PUSHES && !end.ended; i++)
		end.ended = pop_number() == -EPIPE;
	if (weft_spsc_queue_is_closed(&end.queue) &&
	    (end.ending->keeps_open || !end.ending->cancelled))
		model_assert(end.note == 1);
}

static void cancel(void *unused)
{
	(void)unused;
	end.note = 1;
	weft_spsc_queue_cancel(&end.queue);
	atomic_store_explicit(&end.cancelled, true, memory_order_release);
}

static void run_to_the_end(const void *argument)
{
	memset((void *)&end, 0, sizeof(end));
	end.ending = argument;
	model_assert(weft_spsc_queue_init(&end.queue, end.ending->capacity, 8) == 0);
	fifo_spsc_queue.start_at(&end.queue, end.ending->ticket);
	model_name(&end.queue.tail_, "tail");
	model_name(&end.queue.head_, "head");
	model_name(&end.queue.state_, "state");
	model_thread(push_to_the_end, NULL);
	model_thread(pop_to_the_end, NULL);
	if (end.ending->cancelled)
		model_thread(cancel, NULL);
	model_join();
	if (model_frozen() != 0)
		return;
	/* The end comes after all that was pushed, and not before the producer knows. */
	model_assert(!end.ended || end.popped == end.pushed);
	model_assert(!end.ended || end.refused || !end.ending->keeps_open);
	while (pop_number() == 0)
		;
	model_assert(end.popped == end.pushed);
	model_assert(pop_number() == (end.refused || !end.ending->keeps_open ? -EPIPE : -EAGAIN));
	weft_spsc_queue_fini(&end.queue);
}

#define ENDING(...) (&(const struct ending){__VA_ARGS__})

static void commit_too_many(const void *unused)
{
	size_t count = 4;
	void *elements;

	(void)unused;
	memset((void *)&end, 0, sizeof(end));
	model_assert(weft_spsc_queue_init(&end.queue, 2, 8) == 0);
	model_assert(weft_spsc_queue_reserve(&end.queue, &elements, &count) == 0 && count == 2);
	weft_spsc_queue_commit(&end.queue, 3);
}

static void release_too_many(const void *unused)
{
	uint64_t number = 1;

	(void)unused;
	memset((void *)&end, 0, sizeof(end));
	model_assert(weft_spsc_queue_init(&end.queue, 2, 8) == 0);
	model_assert(weft_spsc_queue_push(&end.queue, &number) == 0);
	weft_spsc_queue_release(&end.queue, 1);
}

static const struct model_scenario scenarios[] = {
	{
		.name = "spsc_queue: 4 pushes, 4 pops, capacity 2",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 4, .pops = 4, .capacity = 2),
		.preemptions = 4,
		.stale = 3,
	},
	{
		.name = "spsc_queue: capacity 1, all interleavings and stale reads",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 3, .pops = 3, .capacity = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "spsc_queue: batches of 2 around the end of the ring",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 3, .pops = 3, .batch = 2, .capacity = 2, .ticket = 1),
		.preemptions = 4,
	},
	{
		.name = "spsc_queue: indices start again from 0",
		.run = fifo_scenario_exact,
		.argument = SHAPE(.pushes = 4, .pops = 4, .capacity = 2, .ticket = UINT64_MAX - 1),
	},
	{
		.name = "spsc_queue: \"empty\" is linearizable",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"pppp", "cccc"}),
		.preemptions = 4,
	},
	{
		.name = "spsc_queue: \"full\" is linearizable",
		.run = fifo_scenario_weak_empty,
		.argument = SHAPE(.capacity = 2, .threads = {"pppp", "cccc"}),
		.preemptions = 4,
	},
	{
		/* Each side may look at the other's index before its own store is visible. */
		.name = "spsc_queue: \"full\" and \"empty\" together are not",
		.run = fifo_scenario_linearizable,
		.argument = SHAPE(.capacity = 2, .threads = {"pppp", "cccc"}),
		.expect = "not linearizable",
	},
	{
		.name = "spsc_queue: \"empty\" is linearizable in real time, were all stores seen "
			"at once",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"ppp", "ccc"}),
		.real_time = true,
		.preemptions = 4,
		.stale = MODEL_NONE,
	},
	{
		.name = "spsc_queue: in real time a store may be seen late",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"ppp", "ccc"}),
		.real_time = true,
		.expect = "not linearizable",
	},
	{
		.name = "spsc_queue: each side goes on when the other is frozen",
		.run = fifo_scenario_weak_full,
		.argument = SHAPE(.capacity = 2, .threads = {"ppp", "ccc"}),
		.freeze = true,
	},
	{
		.name = "spsc_queue: in place, batches of 2 around the end of the ring",
		.run = fifo_scenario_exact,
		.argument =
			IN_PLACE(.pushes = 3, .pops = 3, .batch = 2, .capacity = 2, .ticket = 1),
		.preemptions = 3,
	},
	{
		.name = "spsc_queue: closed by its producer",
		.run = run_to_the_end,
		.argument = ENDING(.capacity = 2),
		.preemptions = 4,
	},
	{
		.name = "spsc_queue: cancelled, capacity 1",
		.run = run_to_the_end,
		.argument = ENDING(.capacity = 1, .cancelled = true, .keeps_open = true),
	},
	{
		.name = "spsc_queue: cancelled with room, indices start again from 0",
		.run = run_to_the_end,
		.argument = ENDING(.capacity = 4, .cancelled = true, .keeps_open = true,
				   .ticket = UINT64_MAX - 1),
	},
	{
		.name = "spsc_queue: cancelled between reserve and commit",
		.run = run_to_the_end,
		.argument = ENDING(.capacity = 2, .cancelled = true, .in_place = true),
	},
	{
		.name = "spsc_queue: nobody waits for a frozen thread, nor when it ends",
		.run = run_to_the_end,
		.argument = ENDING(.capacity = 1, .cancelled = true),
		.preemptions = 1,
		.freeze = true,
	},
	{
		.name = "spsc_queue: no more is committed than was reserved",
		.run = commit_too_many,
		.expect = "no more is committed than was reserved",
	},
	{
		.name = "spsc_queue: no more is released than was seen",
		.run = release_too_many,
		.expect = "no more is released than was seen",
	},
	{
		.name = "spsc_queue: size",
		.run = fifo_scenario_size,
		.argument = SHAPE(.pushes = 2, .pops = 2, .capacity = 2),
	},
	{
		.name = "spsc_queue: out of memory",
		.run = fifo_scenario_init,
		.argument = SHAPE(.capacity = 2),
		.fail_allocations = true,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
