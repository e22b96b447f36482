/* SPDX-License-Identifier: Apache-2.0 */

/*
 * park_task, woken_list: tasks that wait in park are found by who wakes them, once each; none
 * sleeps through a change, a token or its deadline; and what was before is visible. A thread here
 * is a worker with one task.
 */

#include <stdlib.h>
#include <string.h>

#include <weft/pool/woken_list.h>
#include <weft/sync/eventcount.h>
#include <weft/sync/park.h>
#include <weft/sync/park_task.h>

#include "model.h"

/* A worker and the one task that it has. */
typedef struct runner {
	weft_park_task_ task; /* first */
	weft_woken_node_ node;
	weft_woken_list_ woken;
	weft_parker parker;
	WEFT_ATOMIC(uint32_t) idle;
	int resumed; /* written by whoever resumes, read by the worker */
} runner;

static runner runners[2];
static WEFT_ATOMIC(uint32_t) word;
static weft_parker token;
static weft_parker *borrowed;
static weft_eventcount eventcount;
static int data;
static int timeouts;

static bool prepare(weft_park_task_ *task, weft_deadline deadline)
{
	(void)task;
	(void)deadline;
	return true;
}

/* Sleeps as a worker does that has nothing but this task: says so, looks once more, sleeps. */
static void suspend(weft_park_task_ *task, weft_deadline deadline)
{
	runner *self = (runner *)task;
	bool left = false;

	weft_park_running_ = NULL;
	while (!weft_woken_list_has_some_(&self->woken) && !left) {
		atomic_store_explicit(&self->idle, 1, memory_order_seq_cst);
		if (!weft_woken_list_last_look_(&self->woken) &&
		    weft_parker_park(&self->parker, 0, deadline) != 0) {
			left = weft_park_leave_(task);
			deadline = WEFT_FOREVER;
		}
		atomic_store_explicit(&self->idle, 0, memory_order_seq_cst);
	}
	if (!left) {
		model_assert(weft_woken_list_take_(&self->woken) == &self->node);
		model_assert(self->resumed == 1);
		self->resumed = 0;
	}
	model_assert(!weft_woken_list_has_some_(&self->woken));
	weft_park_running_ = task;
}

static void resume(weft_park_task_ *task)
{
	runner *self = (runner *)task;

	self->resumed++;
	weft_woken_list_add_(&self->woken, &self->node);
	if (atomic_load_explicit(&self->idle, memory_order_seq_cst) != 0)
		weft_parker_unpark(&self->parker);
}

static const weft_park_ways_ ways = {prepare, suspend, resume};

static void setup(void)
{
	memset((void *)runners, 0, sizeof(runners));
	memset((void *)&token, 0, sizeof(token));
	memset((void *)&eventcount, 0, sizeof(eventcount));
	data = timeouts = 0;
	atomic_store_explicit(&word, 0, memory_order_relaxed);
	weft_park_forget_(&word);
	weft_park_forget_(&token.state_);
	weft_park_forget_(&eventcount.epoch_);
	for (int i = 0; i < 2; i++) {
		runners[i].task.ways = &ways;
		model_name(&runners[i].woken, i == 0 ? "woken 0" : "woken 1");
		model_name(&runners[i].idle, i == 0 ? "idle 0" : "idle 1");
	}
	model_name(&word, "word");
	model_name(&token, "token");
	model_name(&data, "data");
}

/* At the end nobody is left in the table. */
static void assert_nobody_waits(const void *at)
{
	model_assert(weft_park_forget_(at) == 0);
}

static void as_task(int number)
{
	weft_park_running_ = &runners[number].task;
}

static void task_waits_for_word(void *number)
{
	as_task((int)(intptr_t)number);
	model_assert(weft_park_while(&word, 0, 0, WEFT_FOREVER) == 0);
	model_assert(data == 1);
}

static void thread_waits_for_word(void *unused)
{
	(void)unused;
	model_assert(weft_park_while(&word, 0, 0, WEFT_FOREVER) == 0);
	model_assert(data == 1);
}

static void change_word(void *count)
{
	data = 1;
	atomic_store_explicit(&word, 1, memory_order_release);
	weft_park_wake(&word, (int32_t)(intptr_t)count);
}

static void one_task(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_waits_for_word, (void *)0);
	model_thread(change_word, (void *)(intptr_t)1);
	model_join();
	assert_nobody_waits(&word);
}

static void two_tasks(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_waits_for_word, (void *)0);
	model_thread(task_waits_for_word, (void *)1);
	model_thread(change_word, (void *)(intptr_t)WEFT_PARK_ALL);
	model_join();
	assert_nobody_waits(&word);
}

static void task_and_thread(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_waits_for_word, (void *)0);
	model_thread(thread_waits_for_word, NULL);
	model_thread(change_word, (void *)(intptr_t)2);
	model_join();
	assert_nobody_waits(&word);
}

/* The checker checked: of two that wait one is woken. */
static void one_wake_for_two(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_waits_for_word, (void *)0);
	model_thread(task_waits_for_word, (void *)1);
	model_thread(change_word, (void *)(intptr_t)1);
	model_join();
}

static void task_waits_until(void *unused)
{
	int error;

	(void)unused;
	as_task(0);
	error = weft_park_while(&word, 0, 0, weft_after(1000000));
	model_assert(error == 0 || error == -ETIMEDOUT);
	if (error == 0)
		model_assert(data == 1);
	/* And once more: nothing of the first wait is left. */
	model_assert(weft_park_while(&word, 0, 0, WEFT_FOREVER) == 0);
}

static void deadline(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_waits_until, NULL);
	model_thread(change_word, (void *)(intptr_t)1);
	model_join();
	assert_nobody_waits(&word);
}

static void task_takes_token_and_frees(void *unused)
{
	(void)unused;
	as_task(0);
	model_assert(weft_parker_park(borrowed, 0, WEFT_FOREVER) == 0);
	model_assert(data == 1);
	weft_park_running_ = NULL;
	free(borrowed);
}

static void give_token(void *unused)
{
	(void)unused;
	data = 1;
	weft_parker_unpark(borrowed);
}

static void parker_is_gone(const void *unused)
{
	(void)unused;
	setup();
	borrowed = calloc(1, sizeof(*borrowed));
	weft_park_forget_(&borrowed->state_);
	model_thread(task_takes_token_and_frees, NULL);
	model_thread(give_token, NULL);
	model_join();
}

/* Two tokens, of which the second may come while the first is being handed over; and a deadline. */
static void task_takes_tokens(void *unused)
{
	(void)unused;
	as_task(0);
	while (atomic_load_explicit(&word, memory_order_relaxed) != 3)
		model_assert(weft_parker_park(&token, 0, WEFT_FOREVER) == 0);
	weft_park_running_ = NULL;
}

static void set_flag(void *argument)
{
	atomic_fetch_or_explicit(&word, (uint32_t)(uintptr_t)argument, memory_order_relaxed);
	weft_parker_unpark(&token);
}

static void two_tokens(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_takes_tokens, NULL);
	model_thread(set_flag, (void *)1);
	model_thread(set_flag, (void *)2);
	model_join();
}

static void task_waits_for_token_until(void *unused)
{
	int error;

	(void)unused;
	as_task(0);
	error = weft_parker_park(&token, 0, weft_after(1000000));
	model_assert(error == 0 || error == -ETIMEDOUT);
	if (error == 0)
		model_assert(data == 1);
	else
		model_assert(weft_parker_park(&token, 0, WEFT_FOREVER) == 0);
	model_assert(weft_parker_park(&token, 0, WEFT_NOW) == -ETIMEDOUT);
	weft_park_running_ = NULL;
}

static void put_token(void *unused)
{
	(void)unused;
	data = 1;
	weft_parker_unpark(&token);
}

static void token_or_deadline(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_waits_for_token_until, NULL);
	model_thread(put_token, NULL);
	model_join();
}

static void task_waits_by_eventcount(void *number)
{
	as_task((int)(intptr_t)number);
	while (atomic_load_explicit(&word, memory_order_relaxed) == 0) {
		uint32_t key = weft_eventcount_prepare(&eventcount);

		if (atomic_load_explicit(&word, memory_order_relaxed) != 0) {
			weft_eventcount_cancel(&eventcount);
			break;
		}
		model_assert(weft_eventcount_wait(&eventcount, key, 0, WEFT_FOREVER) == 0);
	}
}

static void notify(void *unused)
{
	(void)unused;
	atomic_store_explicit(&word, 1, memory_order_relaxed);
	weft_eventcount_notify_one(&eventcount);
}

static void by_eventcount(const void *unused)
{
	(void)unused;
	setup();
	model_thread(task_waits_by_eventcount, (void *)0);
	model_thread(notify, NULL);
	model_join();
	assert_nobody_waits(&eventcount.epoch_);
}

static const struct model_scenario scenarios[] = {
	{
		.name = "park_task: one task, all interleavings",
		.run = one_task,
		.preemptions = 4,
		.stale = 3,
	},
	{
		.name = "park_task: two tasks",
		.run = two_tasks,
		.stale = 1,
	},
	{
		.name = "park_task: a task and a thread",
		.run = task_and_thread,
	},
	{
		.name = "park_task: a deadline",
		.run = deadline,
	},
	{
		.name = "park_task: the parker is freed by its waiter",
		.run = parker_is_gone,
	},
	{
		.name = "park_task: two tokens",
		.run = two_tokens,
	},
	{
		.name = "park_task: a token or a deadline",
		.run = token_or_deadline,
		.preemptions = 3,
	},
	{
		.name = "park_task: an eventcount",
		.run = by_eventcount,
	},
	{
		.name = "park_task: one wake is not enough for two",
		.run = one_wake_for_two,
		.expect = "deadlock or lost wake-up",
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
