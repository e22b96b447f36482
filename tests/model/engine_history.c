/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Linearizability: is there an order of the recorded calls, in which each comes after all that
 * precede it, that a sequential object could have answered in the same way?
 *
 * What precedes a call: in C and C++ time is happens-before, so a call that returned precedes one
 * that it happens before. A scenario may ask for real time instead. Then a call also precedes those
 * that are made later by the clock on the wall, though nothing orders them; that is of use only
 * without stale reads, which make all objects look late.
 *
 * The search is that of Wing and Gong (1993) with Lowe's memory of what was tried (2017): a set of
 * calls done and a state of the object are looked at once.
 *
 * In real time a call is made when its thread takes its first step in it, not when model_call()
 * ran: in between, other threads may run, and the later the call the more calls come before it.
 */

#include "engine.h"

#include <stdio.h>
#include <string.h>

enum {
	OPERATIONS = 48,
	TRIED = 1 << 14
};

static struct model_operation operations[OPERATIONS];
static struct {
	uint64_t called, returned;             /* real time */
	uint32_t clock_called[ENGINE_THREADS]; /* what the caller knew */
	uint32_t clock_returned;               /* how far it was itself */
	uint64_t after;                        /* set of the operations that precede this one */
} times[OPERATIONS];
static int operation_count;
static uint64_t ticks;
static struct model_specification specification;
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
	times[thread->call].called = ++ticks;
	memcpy(times[thread->call].clock_called, thread->now.clock, sizeof(thread->now.clock));
	trace(ENGINE_CALL, thread->call);
	thread->call = -1;
	/* Which calls had returned is then part of what the scenario's result depends on. */
	if (engine.options.real_time)
		for (int i = 0; i < engine.thread_count; i++)
			thread->history =
				engine_mix(thread->history, engine.threads[i].calls_returned);
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
	};
	times[operation_count].called = 0;
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
	times[thread->open_call].returned = ++ticks;
	times[thread->open_call].clock_returned = thread->now.clock[engine.self];
	trace(ENGINE_RETURN, thread->open_call);
	thread->open_call = -1;
	thread->calls_returned++;
	engine.inside = false;
}

static bool try_once(uint64_t done, const unsigned char *state)
{
	uint64_t key = engine_mix(generation, done);

	for (size_t i = 0; i < specification.state_size; i++)
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
	if ((done & must) == must)
		return true;
	if (!try_once(done, state))
		return false;
	for (int i = 0; i < operation_count; i++) {
		unsigned char next[MODEL_STATE_MAX];

		if ((done >> i & 1) != 0 || (times[i].after & ~done) != 0 || times[i].called == 0)
			continue;
		memcpy(next, state, specification.state_size);
		if (specification.step(next, &operations[i]) &&
		    linearize(done | (uint64_t)1 << i, must, next))
			return true;
	}
	return false;
}

static bool precedes(int first, int second)
{
	int thread = operations[first].thread;

	if (operations[first].pending || times[second].called == 0)
		return false;
	if (engine.options.real_time || thread == operations[second].thread)
		return times[first].returned < times[second].called;
	return times[second].clock_called[thread] >= times[first].clock_returned;
}

/* All that the answer depends on. */
static uint64_t history_key(void)
{
	uint64_t key = (uintptr_t)specification.step;

	for (int i = 0; i < operation_count; i++) {
		const struct model_operation *operation = &operations[i];

		key = engine_mix(key, (uint64_t)operation->kind << 1 | operation->pending);
		key = engine_mix(key, (uint64_t)operation->argument);
		key = engine_mix(key, operation->pending ? 0 : (uint64_t)operation->result);
		key = engine_mix(key, times[i].after);
	}
	return key;
}

void model_assert_linearizable(const struct model_specification *wanted)
{
	unsigned char state[MODEL_STATE_MAX] = {0};
	uint64_t must = 0;

	engine.inside = true;
	specification = *wanted;
	if (wanted->state_size > MODEL_STATE_MAX)
		model_fail("the state of a specification has at most %d bytes", MODEL_STATE_MAX);
	for (int i = 0; i < operation_count; i++) {
		times[i].after = 0;
		for (int j = 0; j < operation_count; j++)
			if (precedes(j, i))
				times[i].after |= (uint64_t)1 << j;
		if (!operations[i].pending)
			must |= (uint64_t)1 << i;
	}
	generation++;
	if (!engine_states_seen(history_key(), 0, 0) && !linearize(0, must, state))
		model_fail("the history is not linearizable");
	engine.inside = false;
}

void engine_history_describe(int index, char *text, size_t size)
{
	if (specification.describe != NULL)
		specification.describe(&operations[index], text, size);
	else
		snprintf(text, size, "operation %d(%ld)", operations[index].kind,
			 operations[index].argument);
}
