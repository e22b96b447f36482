/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_EXAMPLES_CONDVAR_POOL_H
#define WEFT_EXAMPLES_CONDVAR_POOL_H

/*
 * The pool that one would write without weft: a list of tasks, a mutex and condition variables. It
 * is written with care, for a fair comparison: tasks are in the caller's memory; the lock is held
 * for a few instructions, and taken once between two tasks; nobody is signalled who does not sleep,
 * and a signal is sent when the lock is free again; workers are placed by the same plan.
 */

#include <stdbool.h>

#include <weft/affinity/plan.h>

typedef struct condvar_pool condvar_pool;
typedef struct condvar_task condvar_task;

/* Called on a worker, whose number is given. */
typedef void (*condvar_task_function)(condvar_task *task, unsigned worker);

struct condvar_task {
	condvar_task_function function;
	condvar_task *next;
	bool done;
	bool awaited; /* somebody sleeps until it is done */
};

/* Starts one worker for each of the plan. Returns 0, -ENOMEM, or -EAGAIN: no more threads. */
int condvar_pool_create(condvar_pool **pool, const weft_plan *plan);

/* Runs what was submitted, ends the workers and frees the pool; NULL is allowed. */
void condvar_pool_destroy(condvar_pool *pool);

/* Hands the task, with its function set, to the workers. */
void condvar_pool_submit(condvar_pool *pool, condvar_task *task);

/* Waits until the task is done and is the caller's again. For threads other than workers. */
void condvar_pool_wait(condvar_pool *pool, condvar_task *task);

/* The same on a worker, which runs other tasks meanwhile. */
void condvar_pool_help_until_done(condvar_pool *pool, condvar_task *task, unsigned worker);

#endif
