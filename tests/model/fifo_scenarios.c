/* SPDX-License-Identifier: Apache-2.0 */
#include "fifo_scenarios.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/lockfree/base.h>

enum {
	THREADS = 8,
	ELEMENTS = 64,
	PER_THREAD = 8,
	QUEUE_BYTES = 4096,
	CALLS_MAX = 16,
	SCRIPTS = sizeof(((struct fifo_shape *)0)->threads) / sizeof(char *)
};

/* Elements are numbers from 1; a producer's are consecutive. */
static struct {
	WEFT_LINE_ALIGNED unsigned char queue[QUEUE_BYTES];
	const struct fifo_shape *shape;
	uint64_t got[THREADS][CALLS_MAX]; /* each row is its consumer's */
	int got_count[THREADS];
	int pushed[THREADS];
	int contents[ELEMENTS]; /* what the element's owner may touch */
	int note;               /* what the closer did before */
} test;

static void setup(const struct fifo_shape *shape)
{
	memset(&test, 0, sizeof(test));
	test.shape = shape;
	model_assert(shape->queue->queue_bytes <= QUEUE_BYTES);
	model_assert(shape->queue->init(test.queue, shape->capacity) == 0);
	if (shape->ticket != 0)
		shape->queue->start_at(test.queue, shape->ticket);
	/* All the queues begin with a line for each side's index. */
	model_name(test.queue, "tail");
	model_name(test.queue + WEFT_CACHE_LINE, "head");
	model_name_array(test.contents, sizeof(*test.contents), ELEMENTS, "contents");
}

static uint64_t element_of(int producer, int index)
{
	return 1 + (uint64_t)producer * PER_THREAD + (uint64_t)index;
}

static void produce(void *argument)
{
	const struct fifo_shape *shape = test.shape;
	int self = (int)(intptr_t)argument;
	int batch = shape->batch == 0 ? 1 : shape->batch;

	for (int call = 0; call < shape->pushes; call++) {
		uint64_t values[PER_THREAD];

		for (int i = 0; i < batch; i++) {
			values[i] = element_of(self, test.pushed[self] + i);
			test.contents[values[i]] = (int)values[i];
		}
		if (shape->batch == 0)
			test.pushed[self] += shape->queue->try_push(test.queue, values[0]);
		else
			test.pushed[self] += (int)shape->queue->try_push_batch(test.queue, values,
									       (size_t)batch);
	}
}

static void receive(int self, uint64_t value)
{
	model_assert(value > 0 && value < ELEMENTS);
	/* If the push did not happen before the pop, this is a race. */
	model_assert(test.contents[value] == (int)value);
	test.contents[value] = 0;
	test.got[self][test.got_count[self]++] = value;
}

static void consume(void *argument)
{
	const struct fifo_shape *shape = test.shape;
	int self = (int)(intptr_t)argument;

	for (int call = 0; call < shape->pops; call++) {
		uint64_t values[PER_THREAD];
		size_t count;

		if (shape->batch == 0)
			count = shape->queue->try_pop(test.queue, values);
		else
			count = shape->queue->try_pop_batch(test.queue, values,
							    (size_t)shape->batch);
		for (size_t i = 0; i < count; i++)
			receive(self, values[i]);
	}
}

static void check_order(int consumer)
{
	uint64_t last[THREADS] = {0};

	for (int i = 0; i < test.got_count[consumer]; i++) {
		uint64_t value = test.got[consumer][i];
		int producer = (int)(value - 1) / PER_THREAD;

		model_assert(value > last[producer] && "FIFO for each producer");
		last[producer] = value;
	}
}

void fifo_scenario_exact(const void *argument)
{
	const struct fifo_shape *shape = argument;
	bool seen[ELEMENTS] = {false};
	uint64_t value;
	int expected = 0, received = 0;

	setup(shape);
	for (int i = 0; i < shape->producers; i++)
		model_thread(produce, (void *)(intptr_t)i);
	for (int i = 0; i < shape->consumers; i++)
		model_thread(consume, (void *)(intptr_t)i);
	model_join();
	if (model_frozen() != 0)
		return;
	while (shape->queue->try_pop(test.queue, &value))
		receive(shape->consumers, value);
	for (int i = 0; i <= shape->consumers; i++) {
		check_order(i);
		for (int j = 0; j < test.got_count[i]; j++) {
			model_assert(!seen[test.got[i][j]]);
			seen[test.got[i][j]] = true;
			received++;
		}
	}
	for (int i = 0; i < shape->producers; i++)
		expected += test.pushed[i];
	model_assert(received == expected);
	model_assert(shape->queue->size(test.queue) == 0);
	shape->queue->fini(test.queue);
}

/* The specification. */

enum {
	PUSH,
	POP,
	CLOSE,
	IS_CLOSED
};

struct contents {
	unsigned char count;
	unsigned char closed;
	unsigned char elements[14];
};

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	static const char *const refusals[] = {"full", "empty", "", "no"};
	static const char *const names[] = {"push", "pop", "close", "is_closed"};
	int length = snprintf(text, size, "%s", names[operation->kind]);

	text += length;
	size -= (size_t)length;
	if (operation->kind == PUSH) {
		length = snprintf(text, size, "(%ld)", operation->argument);
		text += length;
		size -= (size_t)length;
	}
	if (operation->pending)
		return;
	if (operation->result < 0)
		snprintf(text, size, ": closed");
	else if (operation->result == 0)
		snprintf(text, size, ": %s", refusals[operation->kind]);
	else if (operation->kind == POP)
		snprintf(text, size, ": %ld", operation->result);
	else
		snprintf(text, size, ": done");
}

enum {
	FULL_MEANS_IT = 1,
	EMPTY_MEANS_IT = 2
};

static bool step_push(struct contents *state, const struct model_operation *operation, int strict)
{
	bool full = state->count == test.shape->capacity;

	if (!operation->pending && operation->result < 0)
		return state->closed != 0;
	if (!operation->pending && operation->result == 0)
		return full || (strict & FULL_MEANS_IT) == 0;
	if (full || state->closed != 0)
		return operation->pending;
	state->elements[state->count++] = (unsigned char)operation->argument;
	return true;
}

static bool step_pop(struct contents *state, const struct model_operation *operation, int strict)
{
	if (!operation->pending && operation->result < 0)
		return state->count == 0 && state->closed != 0;
	if (!operation->pending && operation->result == 0)
		return state->count == 0 || (strict & EMPTY_MEANS_IT) == 0;
	if (state->count == 0)
		return operation->pending;
	if (!operation->pending && state->elements[0] != operation->result)
		return false;
	memmove(state->elements, state->elements + 1, sizeof(state->elements) - 1);
	state->elements[sizeof(state->elements) - 1] = 0;
	state->count--;
	return true;
}

static bool step(struct contents *state, const struct model_operation *operation, int strict)
{
	switch (operation->kind) {
	case PUSH:
		return step_push(state, operation, strict);
	case POP:
		return step_pop(state, operation, strict);
	case CLOSE:
		state->closed = 1;
		return true;
	default:
		return operation->pending || operation->result == state->closed;
	}
}

static bool step_strict(void *state, const struct model_operation *operation)
{
	return step(state, operation, FULL_MEANS_IT | EMPTY_MEANS_IT);
}

static bool step_weak_full(void *state, const struct model_operation *operation)
{
	return step(state, operation, EMPTY_MEANS_IT);
}

static bool step_weak_empty(void *state, const struct model_operation *operation)
{
	return step(state, operation, FULL_MEANS_IT);
}

static bool step_weak(void *state, const struct model_operation *operation)
{
	return step(state, operation, 0);
}

static void push(uint64_t value)
{
	model_call(PUSH, (long)value);
	model_return(test.shape->queue->try_push(test.queue, value));
}

static bool pop(void)
{
	uint64_t value = 0;

	model_call(POP, 0);

	bool done = test.shape->queue->try_pop(test.queue, &value);

	model_return((long)value);
	return done;
}

/* Whether a thread makes this call. */
static bool is_in_script(char call)
{
	for (int i = 0; i < SCRIPTS && test.shape->threads[i] != NULL; i++) {
		if (strchr(test.shape->threads[i], call) != NULL)
			return true;
	}
	return false;
}

/* What came before the close is seen by whoever learns of it: if not, this is a race. */
static void see_note(void)
{
	if (is_in_script('n'))
		model_assert(test.note == 1);
}

/* The result of a call that says why not, as the specification has it: 0 for "not now". */
static long outcome_of(int error, long done)
{
	if (error == -EPIPE)
		see_note();
	model_assert(error == 0 || error == -EAGAIN || error == -EPIPE);
	return error == 0 ? done : error == -EAGAIN ? 0 : error;
}

static void push_or_say_why(uint64_t value)
{
	model_call(PUSH, (long)value);
	model_return(outcome_of(test.shape->queue->push(test.queue, value), 1));
}

static int pop_or_say_why(void)
{
	uint64_t value = 0;

	model_call(POP, 0);

	int error = test.shape->queue->pop(test.queue, &value);

	model_return(outcome_of(error, (long)value));
	return error;
}

static void close_queue(void)
{
	model_call(CLOSE, 0);
	test.shape->queue->close(test.queue);
	model_return(1);
}

static void ask_whether_closed(void)
{
	model_call(IS_CLOSED, 0);

	bool closed = test.shape->queue->is_closed(test.queue);

	if (closed)
		see_note();
	model_return(closed);
}

static void follow_script(void *argument)
{
	int self = (int)(intptr_t)argument;
	const char *script = test.shape->threads[self];

	for (int i = 0; script[i] != '\0'; i++) {
		switch (script[i]) {
		case 'p':
			push(element_of(self, i));
			break;
		case 'P':
			push_or_say_why(element_of(self, i));
			break;
		case 'C':
			pop_or_say_why();
			break;
		case 'n':
			test.note = 1;
			break;
		case 'x':
			close_queue();
			break;
		case '?':
			ask_whether_closed();
			break;
		default:
			pop();
		}
	}
}

/* Nobody else is there: what is not found now is lost. */
static void drain(void)
{
	if (model_frozen() != 0)
		return;
	if (!is_in_script('x')) {
		while (pop())
			;
	} else {
		while (pop_or_say_why() == 0)
			;
		model_assert(test.shape->queue->is_closed(test.queue));
		model_assert(pop_or_say_why() == -EPIPE);
	}
	model_assert(test.shape->queue->size(test.queue) == 0);
}

static void check_history(const struct fifo_shape *shape,
			  bool (*step_of)(void *state, const struct model_operation *operation))
{
	struct model_specification specification = {
		.state_size = sizeof(struct contents),
		.step = step_of,
		.describe = describe,
	};

	setup(shape);
	for (int i = 0; i < SCRIPTS && shape->threads[i] != NULL; i++)
		model_thread(follow_script, (void *)(intptr_t)i);
	model_join();
	drain();
	model_assert_linearizable(&specification);
	if (model_frozen() == 0)
		shape->queue->fini(test.queue);
}

void fifo_scenario_linearizable(const void *shape)
{
	check_history(shape, step_strict);
}

void fifo_scenario_weak_full(const void *shape)
{
	check_history(shape, step_weak_full);
}

void fifo_scenario_weak_empty(const void *shape)
{
	check_history(shape, step_weak_empty);
}

void fifo_scenario_weak(const void *shape)
{
	check_history(shape, step_weak);
}

static void push_then_pop(void *argument)
{
	uint64_t value;

	while (!test.shape->queue->try_push(test.queue, element_of((int)(intptr_t)argument, 0)))
		;
	while (!test.shape->queue->try_pop(test.queue, &value))
		;
}

void fifo_scenario_push_then_pop(const void *argument)
{
	const struct fifo_shape *shape = argument;

	setup(shape);
	for (int i = 0; i < shape->producers; i++)
		model_thread(push_then_pop, (void *)(intptr_t)i);
	model_join();
	if (model_frozen() == 0)
		shape->queue->fini(test.queue);
}

void fifo_scenario_init(const void *argument)
{
	const struct fifo_shape *shape = argument;
	int error;

	memset(&test, 0, sizeof(test));
	error = shape->queue->init(test.queue, shape->capacity);
	model_assert(error == 0 || error == -ENOMEM);
	model_assert(error != 0 || shape->queue->try_push(test.queue, 1));
	shape->queue->fini(test.queue);
}

static void look_at_size(void *unused)
{
	size_t size = test.shape->queue->size(test.queue);

	(void)unused;
	model_assert(size <= test.shape->capacity);
}

void fifo_scenario_size(const void *argument)
{
	const struct fifo_shape *shape = argument;

	setup(shape);
	model_thread(produce, (void *)0);
	model_thread(consume, (void *)0);
	model_thread(look_at_size, NULL);
	model_join();
	if (model_frozen() == 0)
		shape->queue->fini(test.queue);
}
