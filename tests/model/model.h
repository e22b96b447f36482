/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_MODEL_MODEL_H
#define WEFT_TESTS_MODEL_MODEL_H

/*
 * The model checker, as the author of a model sees it. README.md in this folder says how it works
 * and where its limits are.
 *
 * A scenario is a function that sets a structure up, starts a few threads, joins them and asserts
 * what must be true. It is run again and again, each time with another interleaving of the threads'
 * atomic operations and another choice of the stores that their loads read from, until all choices
 * within the bounds have been seen. It must therefore do the same thing for the same choices: it
 * sets all its variables itself, and takes nothing from the clock, from addresses or from chance.
 *
 * A failure is any of: a broken assertion or contract, a data race, a use after free, a double
 * free, a leak, an access outside a block of memory, a deadlock or lost wake-up, an endless loop, a
 * history that is not linearizable.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For a bound: no bound. */
#define MODEL_UNBOUNDED (-1)
/* For a bound: none at all, where 0 means the default. */
#define MODEL_NONE (-2)

struct model_scenario {
	const char *name;
	void (*run)(const void *argument);
	const void *argument;
	/* How often a thread that could go on is put aside for another one; default 2. */
	int preemptions;
	/* How many surprises of the memory there are: loads of a store that is not the newest,
	 * stores that go before the newest, weak exchanges that fail for nothing; default 2. */
	int stale;
	/* One thread, whichever, stops for ever at any step; all others must still finish. */
	bool freeze;
	/* One allocation, whichever, fails. */
	bool fail_allocations;
	/* A sleeper may wake though nobody woke it (each such wake is one of `stale`). */
	bool spurious_wakes;
	/* A recorded call precedes those made after its return, and not only those that it happens
	 * before. With `stale` none: else any object fails. */
	bool real_time;
	/* Not NULL: the scenario must fail, with a message that contains this. */
	const char *expect;
};

/*
 * Checks all scenarios, in the order given, and prints a TAP report. The arguments are those of the
 * command line: see --help. Returns the exit status.
 */
int model_main(int count, char **arguments, const struct model_scenario *scenarios,
	       size_t scenario_count);

/*
 * The same for one scenario and from inside a program: explores it and returns whether it failed,
 * silently. `message`, if not NULL, gets a copy of the failure's message.
 */
bool model_fails(const struct model_scenario *scenario, char *message, size_t message_size);

/* As model_fails, but without merging states: slower and simpler. For the checker's own tests. */
bool model_fails_unmerged(const struct model_scenario *scenario, char *message,
			  size_t message_size);

/* How many executions the last exploration took. */
uint64_t model_executions(void);

/* What a scenario calls. */

/* Starts a thread. What the caller did before happens before it. At most seven. */
void model_thread(void (*function)(void *argument), void *argument);

/* Waits for all threads that were started (but not for one that is frozen). */
void model_join(void);

/* The thread that was frozen in this execution, in the order of model_thread from 1, or 0. */
int model_frozen(void);

/* What stands in for membarrier: a seq_cst fence in every thread, wherever that is just now. */
void model_fence_all(void);

/* A number from 0 to count - 1; every one is tried. */
int model_choose(int count);

/*
 * The machine has two CPUs. Says which of them, 0 or 1, the calling thread is on from now on. Each
 * thread that is asked has to say it first, in every execution anew.
 */
void model_run_on(int cpu);

/* Names a variable, or an array of them, for the trace. The string must live as long. */
void model_name(const void *address, const char *name);
void model_name_array(const void *address, size_t stride, size_t count, const char *name);

/* Stops this execution and reports the failure. */
void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define model_assert(condition)                                                                    \
	((condition) ? (void)0 : model_fail("%s:%d: not true: %s", __FILE__, __LINE__, #condition))

/* Histories. A call and its return are recorded for the calling thread; at the end of the scenario
 * the history is compared with a sequential specification. */

struct model_operation {
	int thread;
	int kind;
	long argument;
	long result;
	bool pending; /* the call has not returned: its thread is frozen; `result` means nothing */
};

struct model_specification {
	/* The state of the abstract object: plain bytes without padding, zeroed at the start. */
	size_t state_size;
	/* Applies the operation; false when it cannot have this result in this state. */
	bool (*step)(void *state, const struct model_operation *operation);
	/* The operation's name and what it did, for the report. */
	void (*describe)(const struct model_operation *operation, char *text, size_t text_size);
};

#define MODEL_STATE_MAX 128

void model_call(int kind, long argument);
void model_return(long result);

/* Fails when no order of the recorded operations explains all results. */
void model_assert_linearizable(const struct model_specification *specification);

#endif
