/* SPDX-License-Identifier: Apache-2.0 */

/*
 * wake: of workers that sleep and threads that submit, no task is forgotten, and not more workers
 * are woken than needed. The workers' loop is worker.c's, without what it runs: tasks go from
 * inboxes (lane.h) to whoever takes them.
 */

#include <string.h>

#include <weft/pool/lane.h>
#include <weft/pool/wake.h>
#include <weft/sync/park.h>

#include "model.h"

enum {
	WORKERS = 2,
	TASKS = 2,
};

weft_task weft_inbox_closed_;

static weft_wake_ wake;
static weft_inbox_ inbox[WORKERS];
static weft_inbox_ private_inbox[WORKERS];
static weft_parker parker[WORKERS];
static weft_task tasks[TASKS];
static int data[TASKS];       /* written before a task is submitted */
static int runs[TASKS];       /* by whoever took it */
static WEFT_ATOMIC(int) left; /* tasks that have not been run */
static int woken[WORKERS];    /* times that a worker slept */
static bool first_waits;      /* the first task holds its worker until the second has begun */
static WEFT_ATOMIC(uint32_t) second_begun;

static void setup(int count)
{
	memset((void *)&wake, 0, sizeof(wake));
	memset((void *)inbox, 0, sizeof(inbox));
	memset((void *)private_inbox, 0, sizeof(private_inbox));
	memset((void *)parker, 0, sizeof(parker));
	memset((void *)tasks, 0, sizeof(tasks));
	memset(data, 0, sizeof(data));
	memset(runs, 0, sizeof(runs));
	memset(woken, 0, sizeof(woken));
	first_waits = false;
	atomic_store_explicit(&second_begun, 0, memory_order_relaxed);
	wake.workers = WORKERS;
	atomic_store_explicit(&left, count, memory_order_relaxed);
	model_name(&wake.searching, "searching");
	model_name(&wake.idle[0], "idle");
	model_name_array(inbox, sizeof(*inbox), WORKERS, "inbox");
	model_name_array(private_inbox, sizeof(*private_inbox), WORKERS, "private_inbox");
	model_name_array(parker, sizeof(*parker), WORKERS, "parker");
	model_name(&left, "left");
}

static void unpark_chosen(unsigned near)
{
	int chosen;

	if (!weft_wake_somebody_is_idle_(&wake))
		return;
	chosen = weft_wake_choose_(&wake, near);
	if (chosen >= 0)
		weft_parker_unpark(&parker[chosen]);
}

/* All are woken at the end, as when a pool ends. */
static void run(weft_task *task)
{
	while (task != NULL) {
		weft_task *next = task->next_;
		size_t number = (size_t)(task - tasks);

		model_assert(data[number] == 1);
		runs[number]++;
		task = next;
		if (number == 1) {
			atomic_store_explicit(&second_begun, 1, memory_order_relaxed);
			weft_park_wake(&second_begun, 1);
		} else if (first_waits) {
			weft_park_while(&second_begun, 0, 0, WEFT_FOREVER);
		}
		/* relaxed: the unparking publishes it. */
		if (atomic_fetch_sub_explicit(&left, 1, memory_order_relaxed) == 1)
			for (int i = 0; i < WORKERS; i++)
				weft_parker_unpark(&parker[i]);
	}
}

static bool is_over(void)
{
	/* relaxed: as above. */
	return atomic_load_explicit(&left, memory_order_relaxed) == 0;
}

static weft_task *find_task(unsigned self)
{
	weft_task *task = weft_inbox_take_(&private_inbox[self]);

	for (unsigned i = 0; task == NULL && i < WORKERS; i++)
		task = weft_inbox_take_(&inbox[(self + i) % WORKERS]);
	return task;
}

static bool work_is_visible(void)
{
	return weft_inbox_has_tasks_(&inbox[0]) || weft_inbox_has_tasks_(&inbox[1]);
}

static weft_task *rest(unsigned self)
{
	weft_task *task;

	weft_wake_begin_search_(&wake);
	while ((task = find_task(self)) == NULL && !is_over()) {
		weft_wake_lie_down_(&wake, self);
		weft_wake_stop_searching_(&wake);
		if (!work_is_visible() && !weft_inbox_has_tasks_(&private_inbox[self]) &&
		    !is_over()) {
			weft_parker_park(&parker[self], 0, WEFT_FOREVER);
			woken[self]++;
		}
		weft_wake_rise_(&wake, self);
	}
	if (weft_wake_end_search_(&wake) && weft_wake_somebody_is_idle_(&wake) && work_is_visible())
		unpark_chosen(self);
	return task;
}

static void work(void *argument)
{
	unsigned self = (unsigned)(uintptr_t)argument;

	while (!is_over()) {
		weft_task *task = find_task(self);

		if (task == NULL)
			task = rest(self);
		run(task);
	}
}

static void submit(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;

	data[number] = 1;
	model_assert(weft_inbox_put_(&inbox[number % WORKERS], &tasks[number], &tasks[number]));
	unpark_chosen(number % WORKERS);
}

static void submit_to_first(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;

	data[number] = 1;
	model_assert(weft_inbox_put_(&private_inbox[0], &tasks[number], &tasks[number]));
	if (weft_wake_is_idle_(&wake, 0))
		weft_parker_unpark(&parker[0]);
}

static void tear_down(int count)
{
	model_join();
	for (int i = 0; i < count; i++)
		model_assert(runs[i] == 1);
	model_assert(atomic_load_explicit(&wake.searching, memory_order_relaxed) == 0);
}

static void one_worker(const void *unused)
{
	(void)unused;
	setup(1);
	wake.workers = 1;
	model_thread(work, (void *)0);
	model_thread(submit, (void *)0);
	tear_down(1);
}

static void two_submit_to_one(const void *unused)
{
	(void)unused;
	setup(2);
	wake.workers = 1;
	model_thread(work, (void *)0);
	model_thread(submit, (void *)0);
	model_thread(submit, (void *)1);
	tear_down(2);
}

static void two_workers(const void *unused)
{
	(void)unused;
	setup(1);
	model_thread(work, (void *)0);
	model_thread(work, (void *)1);
	model_thread(submit, (void *)0);
	tear_down(1);
}

static void two_of_each(const void *unused)
{
	(void)unused;
	setup(2);
	model_thread(work, (void *)0);
	model_thread(work, (void *)1);
	model_thread(submit, (void *)0);
	model_thread(submit, (void *)1);
	tear_down(2);
}

static void submit_both(void *unused)
{
	(void)unused;
	submit((void *)0);
	submit((void *)1);
}

/* One worker is held by its task: another must be awake for the next, though nobody was woken for
 * that because somebody searched. */
static void two_at_the_same_time(const void *unused)
{
	(void)unused;
	setup(2);
	first_waits = true;
	model_thread(work, (void *)0);
	model_thread(work, (void *)1);
	model_thread(submit_both, NULL);
	tear_down(2);
}

static void for_one_worker(const void *unused)
{
	(void)unused;
	setup(2);
	model_thread(work, (void *)0);
	model_thread(submit_to_first, (void *)0);
	model_thread(submit, (void *)1);
	tear_down(2);
}

/* An inbox that is closed has been taken whole: a task is in it or was refused. */
static bool accepted[TASKS];

static void put(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;

	data[number] = 1;
	accepted[number] = weft_inbox_put_(&inbox[0], &tasks[number], &tasks[number]);
}

static void take_and_close(void *unused)
{
	(void)unused;
	for (weft_task *task = weft_inbox_take_(&inbox[0]); task != NULL; task = task->next_)
		runs[task - tasks] += data[task - tasks];
	for (weft_task *task = weft_inbox_close_(&inbox[0]); task != NULL; task = task->next_)
		runs[task - tasks] += data[task - tasks];
}

static void closed_meanwhile(const void *unused)
{
	(void)unused;
	setup(2);
	model_thread(put, (void *)0);
	model_thread(put, (void *)1);
	model_thread(take_and_close, NULL);
	model_join();
	for (int i = 0; i < TASKS; i++)
		model_assert(runs[i] == accepted[i]);
	model_assert(!weft_inbox_has_tasks_(&inbox[0]));
}

static const struct model_scenario scenarios[] = {
	{.name = "wake: a worker and a submitter", .run = one_worker, .preemptions = 3},
	{.name = "wake: two submit to one worker", .run = two_submit_to_one},
	{.name = "wake: two workers, one task", .run = two_workers},
	{.name = "wake: two workers, two tasks", .run = two_of_each, .preemptions = 1, .stale = 1},
	{
		.name = "wake: two tasks at the same time",
		.run = two_at_the_same_time,
		.preemptions = 1,
		.stale = 1,
	},
	{.name = "wake: a task for one worker alone", .run = for_one_worker},
	{.name = "wake: an inbox is closed meanwhile", .run = closed_meanwhile, .preemptions = 3},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
