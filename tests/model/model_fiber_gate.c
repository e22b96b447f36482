/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fiber_gate, park_task: a task that may move is suspended on one worker, woken by a third thread
 * at any time, and goes on on another worker: once, not before its own has left its stack, with
 * what was done before the wake. The worker that it leaves is a thread here that does nothing
 * afterwards; the other one takes what is offered.
 */

#include <string.h>

#include <weft/pool/fiber_gate.h>
#include <weft/pool/woken_list.h>
#include <weft/sync/park.h>
#include <weft/sync/park_task.h>

#include "model.h"

/* The task, and what the list of those that are offered knows of it. */
static weft_park_task_ task;
static weft_fiber_gate_ gate;
static weft_woken_node_ node;
static weft_woken_list_ offered;
static weft_parker other; /* the worker that takes it */
static weft_parker over;  /* the task has gone on */

static weft_parker token;
static WEFT_ATOMIC(uint32_t) word;
static int stack; /* what the first worker writes to last, as it leaves */
static int data;  /* what is done before the wake */
static int went_on;

static bool prepare(weft_park_task_ *self, weft_deadline deadline)
{
	(void)self;
	(void)deadline;
	weft_fiber_gate_shut_(&gate);
	return true;
}

static void offer(void)
{
	weft_woken_list_add_(&offered, &node);
	weft_parker_unpark(&other);
}

static void suspend(weft_park_task_ *self, weft_deadline deadline)
{
	(void)self;
	(void)deadline;
	weft_park_running_ = NULL;
	stack = 1;
	if (weft_fiber_gate_leave_(&gate))
		offer();
	/* The rest is for the other one to do. */
	model_assert(weft_parker_park(&over, 0, WEFT_FOREVER) == 0);
}

static void resume(weft_park_task_ *self)
{
	(void)self;
	if (weft_fiber_gate_wake_(&gate))
		offer();
}

static const weft_park_ways_ ways = {prepare, suspend, resume};

static void setup(void)
{
	memset((void *)&task, 0, sizeof(task));
	memset((void *)&offered, 0, sizeof(offered));
	memset((void *)&token, 0, sizeof(token));
	memset((void *)&other, 0, sizeof(other));
	memset((void *)&over, 0, sizeof(over));
	task.ways = &ways;
	stack = data = went_on = 0;
	atomic_store_explicit(&word, 0, memory_order_relaxed);
	weft_park_forget_(&word);
	model_name(&gate, "gate");
	model_name(&offered, "offered");
	model_name(&token, "token");
	model_name(&word, "word");
	model_name(&stack, "stack");
	model_name(&data, "data");
}

/* The first worker; the task may also find, before it waits, that there is nothing to wait for. */
static void task_takes_token(void *unused)
{
	(void)unused;
	weft_park_running_ = &task;
	if (weft_parker_park(&token, 0, WEFT_FOREVER) == 0 && went_on == 0) {
		model_assert(data == 1);
		went_on = 1;
		weft_parker_unpark(&other);
	}
}

static void task_waits_for_word(void *unused)
{
	(void)unused;
	weft_park_running_ = &task;
	if (weft_park_while(&word, 0, 0, WEFT_FOREVER) == 0 && went_on == 0) {
		model_assert(data == 1);
		went_on = 1;
		weft_parker_unpark(&other);
	}
}

static void other_worker(void *unused)
{
	(void)unused;
	weft_parker_park(&other, 0, WEFT_FOREVER);

	const weft_woken_node_ *taken = weft_woken_list_take_(&offered);

	if (taken == NULL) {
		model_assert(went_on == 1);
		return;
	}
	model_assert(taken == &node && taken->next == NULL);
	model_assert(stack == 1 && data == 1 && went_on == 0);
	went_on = 1;
	weft_parker_unpark(&over);
}

static void give_token(void *unused)
{
	(void)unused;
	data = 1;
	weft_parker_unpark(&token);
}

static void change_word(void *unused)
{
	(void)unused;
	data = 1;
	atomic_store_explicit(&word, 1, memory_order_release);
	weft_park_wake(&word, 1);
}

static void run(void (*wait)(void *), void (*wake)(void *))
{
	setup();
	model_thread(wait, NULL);
	model_thread(wake, NULL);
	model_thread(other_worker, NULL);
	model_join();
	model_assert(went_on == 1);
}

static void by_token(const void *unused)
{
	(void)unused;
	run(task_takes_token, give_token);
}

static void by_word(const void *unused)
{
	(void)unused;
	run(task_waits_for_word, change_word);
	model_assert(weft_park_forget_(&word) == 0);
}

/* The checker checked: a task that is offered at once may be taken while its worker is still on its
 * stack. */
static void resume_at_once(weft_park_task_ *self)
{
	(void)self;
	offer();
}

static void suspend_alone(weft_park_task_ *self, weft_deadline deadline)
{
	(void)self;
	(void)deadline;
	weft_park_running_ = NULL;
	stack = 1;
	model_assert(weft_parker_park(&over, 0, WEFT_FOREVER) == 0);
}

static const weft_park_ways_ without_gate = {prepare, suspend_alone, resume_at_once};

static void no_gate(const void *unused)
{
	(void)unused;
	setup();
	task.ways = &without_gate;
	model_thread(task_takes_token, NULL);
	model_thread(give_token, NULL);
	model_thread(other_worker, NULL);
	model_join();
}

static const struct model_scenario scenarios[] = {
	{
		.name = "fiber_gate: a token",
		.run = by_token,
	},
	{
		.name = "fiber_gate: a word",
		.run = by_word,
	},
	{
		.name = "fiber_gate: without a gate its stack is still in use",
		.run = no_gate,
		.expect = "race",
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
