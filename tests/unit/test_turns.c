/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/worker: whose turn it is. Whatever one worker is busy with for ever, everything
 * else that it could do is done at last, and before long.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pool_fixture.h"

/* What the worker is busy with, and what waits meanwhile. Of the first three, with this priority.
 */
typedef enum kind {
	NORMAL = WEFT_PRIORITY_NORMAL,
	HIGH = WEFT_PRIORITY_HIGH,
	LOW = WEFT_PRIORITY_LOW,
	PRIVATE, /* tasks for this worker alone */
	BEGUN,   /* tasks that have waited, and go on */
	YIELDED, /* tasks that have yielded */
	MIXED,   /* tasks from inside, and others from outside; or one from inside, below others */
	KINDS,
} kind;

enum {
	/* Of 64 tasks that a worker takes one is of each kind; and of those that have begun as many
	 * as 16 follow each other at once. */
	STEPS_MAX = 2 * 64 * 16,
	WAITING = 20,
};

static weft_pool *pool;
static atomic_long steps;
static atomic_bool stop;

static weft_submit_options options_of(kind kind)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	if (kind < PRIVATE)
		options.priority = (weft_priority)kind;
	options.to_worker = kind == PRIVATE;
	return options;
}

/* Two that are always there, one of them at least. */
typedef struct endless {
	weft_task task;
	kind kind;
	bool from_outside;
	weft_parker token;
	struct endless *other;
} endless;

/* To be submitted by the first of those that comes. */
static weft_task *_Atomic inside;

static void submit_next(endless *self)
{
	weft_submit_options options = options_of(self->kind);
	weft_worker_ *worker = weft_worker_current_;

	if (self->from_outside)
		weft_worker_current_ = NULL;
	must(weft_task_submit_with(pool, &self->other->task, &options) == 0);
	weft_worker_current_ = worker;
}

static void endless_run(weft_task *task)
{
	endless *self = (endless *)task;

	do {
		weft_task *one = atomic_load(&inside);

		/* There is one worker. Whoever asked for it may wait for the task then. */
		if (one != NULL) {
			must(weft_task_submit(pool, one) == 0);
			atomic_store(&inside, NULL);
		}
		atomic_fetch_add(&steps, 1);
		if (self->kind == YIELDED) {
			weft_task_yield();
		} else if (self->kind == BEGUN) {
			weft_parker_unpark(&self->other->token);
			must(weft_parker_park(&self->token, 0, WEFT_FOREVER) == 0);
		} else if (!atomic_load(&stop)) {
			submit_next(self);
		}
	} while ((self->kind == BEGUN || self->kind == YIELDED) && !atomic_load(&stop));
	if (self->kind == BEGUN)
		weft_parker_unpark(&self->other->token);
}

/* Begins when it is its turn, or goes on. */
typedef struct waiting {
	weft_task task;
	kind kind;
	atomic_bool waits;
	weft_parker token;
	long began, went_on;
} waiting;

static void waiting_run(weft_task *task)
{
	waiting *self = (waiting *)task;

	if (self->kind == BEGUN) {
		atomic_store(&self->waits, true);
		must(weft_parker_park(&self->token, 0, WEFT_FOREVER) == 0);
	}
	self->began = atomic_load(&steps);
	if (self->kind == YIELDED)
		weft_task_yield();
	self->went_on = atomic_load(&steps);
}

static void begin_pair(endless *pair, kind kind, bool from_outside)
{
	weft_submit_options options = options_of(kind);

	memset((void *)pair, 0, 2 * sizeof(*pair));
	for (int i = 0; i < 2; i++) {
		weft_task_init(&pair[i].task, endless_run);
		pair[i].kind = kind;
		pair[i].from_outside = from_outside;
		pair[i].other = &pair[1 - i];
	}
	for (int i = 0; i < (kind == BEGUN || kind == YIELDED ? 2 : 1); i++)
		must(weft_task_submit_with(pool, &pair[i].task, &options) == 0);
}

static void await_steps(long count)
{
	weft_deadline deadline = guard();

	while (atomic_load(&steps) < count) {
		assert_true(weft_now() < deadline);
		sched_yield();
	}
}

/* One such task, and how many steps were made before it began. */
static long submit_waiting(waiting *one)
{
	weft_submit_options options = options_of(one->kind);

	weft_task_init(&one->task, waiting_run);
	atomic_store(&one->waits, one->kind != BEGUN);
	if (one->kind != MIXED)
		must(weft_task_submit_with(pool, &one->task, &options) == 0);
	else
		atomic_store(&inside, &one->task);
	while (atomic_load(&inside) != NULL || !atomic_load(&one->waits))
		sched_yield();
	if (one->kind == BEGUN)
		weft_parker_unpark(&one->token);
	return atomic_load(&steps);
}

static void each_has_its_turn(kind busy_with, kind kind)
{
	waiting one = {.kind = kind};
	endless pairs[2][2];

	pool = pool_of(1, 0);
	atomic_store(&stop, false);
	atomic_store(&steps, 0);
	begin_pair(pairs[0], busy_with, false);
	if (busy_with == MIXED)
		begin_pair(pairs[1], busy_with, true);
	await_steps(100);
	for (int i = 0; i < WAITING; i++) {
		long before = submit_waiting(&one);

		if (weft_task_wait(&one.task, guard()) != 0)
			fail_msg("busy with %d a worker never comes to %d", (int)busy_with,
				 (int)kind);
		assert_true(one.began - before <= STEPS_MAX);
		assert_true(one.went_on - one.began <= STEPS_MAX);
	}
	atomic_store(&stop, true);
	weft_pool_destroy(pool);
}

static void nothing_waits_for_ever(void **state)
{
	(void)state;
	for (int busy_with = 0; busy_with < KINDS; busy_with++)
		for (int waits = 0; waits < KINDS; waits++)
			each_has_its_turn((kind)busy_with, (kind)waits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_waits_for_ever),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
