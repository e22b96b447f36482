/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Linearizability: is there an order of the recorded calls, in which each comes after all that had
 * returned before it was called, that a sequential object could have answered in the same way?
 *
 * The search is that of Wing and Gong (1993) with Lowe's memory of what was tried (2017): a set of
 * calls done and a state of the object are looked at once.
 *
 * A call is made when its thread takes its first step in it, not when model_call() ran: in between,
 * other threads may run, and the later the call the more calls come before it.
 */

#include "engine.h"

#include <stdio.h>
#include <string.h>

enum {
	OPERATIONS = 48,
	TRIED = 1 << 14
};

static struct model_operation operations[OPERATIONS];
static int operation_count;
static uint64_t ticks;
static const struct model_specification *specification;
static struct {
	uint64_t key;
	uint64_t generation;
} tried[TRIED];
static uint64_t generation;

void engine_history_start(void)
{
	operation_count = 0;
	ticks = 0;
}

static void trace(enum engine_kind kind, int index)
{
	struct engine_event event = {
		.kind = kind,
		.thread = engine.self,
		.before = (engine_value)index,
	};

	engine_trace_event(&event);
}

void engine_history_step(void)
{
	struct engine_thread *thread = engine_self();

	if (thread->call < 0)
		return;
	operations[thread->call].called = ++ticks;
	trace(ENGINE_CALL, thread->call);
	thread->call = -1;
	/* Which calls had returned is part of what the scenario's result depends on. */
	for (int i = 0; i < engine.thread_count; i++)
		thread->history = engine_mix(thread->history, engine.threads[i].calls_returned);
}

void model_call(int kind, long argument)
{
	struct engine_thread *thread = engine_self();

	engine.inside = true;
	if (operation_count == OPERATIONS)
		model_fail("limit of the checker: too many recorded calls");
	if (thread->open_call >= 0)
		model_fail("a recorded call inside a recorded call");
	operations[operation_count] = (struct model_operation){
		.thread = engine.self,
		.kind = kind,
		.argument = argument,
		.pending = true,
		.returned = UINT64_MAX,
	};
	thread->call = operation_count;
	thread->open_call = operation_count++;
	engine.inside = false;
}

void model_return(long result)
{
	struct engine_thread *thread = engine_self();

	engine.inside = true;
	engine_history_step();

	struct model_operation *operation = &operations[thread->open_call];

	operation->result = result;
	operation->pending = false;
	operation->returned = ++ticks;
	trace(ENGINE_RETURN, thread->open_call);
	thread->open_call = -1;
	thread->calls_returned++;
	engine.inside = false;
}

static bool try_once(uint64_t done, const unsigned char *state)
{
	uint64_t key = engine_mix(generation, done);

	for (size_t i = 0; i < specification->state_size; i++)
		key = engine_mix(key, state[i]);

	size_t slot = key % TRIED;

	for (size_t probes = 0; tried[slot].generation == generation; probes++) {
		if (tried[slot].key == key)
			return false;
		if (probes == TRIED - 1)
			model_fail("limit of the checker: the history is too long");
		slot = (slot + 1) % TRIED;
	}
	tried[slot].key = key;
	tried[slot].generation = generation;
	return true;
}

static bool linearize(uint64_t done, uint64_t must, const unsigned char *state)
{
	uint64_t first_return = UINT64_MAX;

	if ((done & must) == must)
		return true;
	if (!try_once(done, state))
		return false;
	for (int i = 0; i < operation_count; i++)
		if ((done >> i & 1) == 0 && operations[i].returned < first_return)
			first_return = operations[i].returned;
	for (int i = 0; i < operation_count; i++) {
		unsigned char next[MODEL_STATE_MAX];

		if ((done >> i & 1) != 0 || operations[i].called > first_return)
			continue;
		memcpy(next, state, specification->state_size);
		if (specification->step(next, &operations[i]) &&
		    linearize(done | (uint64_t)1 << i, must, next))
			return true;
	}
	return false;
}

/* A history's outcome depends on the order of calls and returns only. */
static uint64_t history_key(void)
{
	uint64_t key = 0;

	for (int i = 0; i < operation_count; i++) {
		const struct model_operation *operation = &operations[i];
		uint64_t one = engine_mix(
			engine_mix((uint64_t)operation->thread + 1, (uint64_t)operation->kind),
			(uint64_t)operation->argument);

		one = engine_mix(engine_mix(one, (uint64_t)operation->result), operation->pending);
		one = engine_mix(engine_mix(one, operation->called), operation->returned);
		key += one;
	}
	return engine_mix(key, (uintptr_t)specification);
}

void model_assert_linearizable(const struct model_specification *wanted)
{
	unsigned char state[MODEL_STATE_MAX] = {0};
	uint64_t must = 0;

	engine.inside = true;
	specification = wanted;
	if (wanted->state_size > MODEL_STATE_MAX)
		model_fail("the state of a specification has at most %d bytes", MODEL_STATE_MAX);
	for (int i = 0; i < operation_count; i++) {
		/* A call that never took a step was not made. */
		if (operations[i].called == 0)
			operations[i].called = UINT64_MAX;
		if (!operations[i].pending)
			must |= (uint64_t)1 << i;
	}
	generation++;
	if (!engine_states_seen(history_key(), 0, 0) && !linearize(0, must, state))
		model_fail("the history is not linearizable");
	engine.inside = false;
}

int engine_history_describe(int index, char *text, size_t size)
{
	if (specification != NULL)
		specification->describe(&operations[index], text, size);
	else
		snprintf(text, size, "operation %d(%ld)", operations[index].kind,
			 operations[index].argument);
	return operations[index].kind;
}
