/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bound, submit: of submitters to a full pool none sleeps through room that there is, or through
 * the end; never more tasks are queued than the limit. The pool is one worker's inbox, from which a
 * thread takes tasks.
 */

#include <string.h>

#include <weft/pool/worker.h>

#include "model.h"

enum {
	TASKS = 4,
};

_Thread_local weft_worker_ *weft_worker_current_;

weft_task weft_inbox_closed_;

static weft_pool pool;
static weft_worker_ worker, *workers[1];
static weft_task tasks[TASKS];
static int data[TASKS];
static int runs[TASKS];
static int results[TASKS];
static WEFT_ATOMIC(uint32_t) left; /* tasks that have neither begun nor been refused */

/* What stands around submit.c. */

unsigned weft_plan_worker_near(const weft_plan *plan, unsigned cpu)
{
	(void)plan;
	(void)cpu;
	return 0;
}

void weft_worker_wake_one_(weft_pool *of, unsigned near)
{
	(void)of;
	(void)near;
}

void weft_worker_wake_(weft_worker_ *of)
{
	(void)of;
}

int weft_strand_send_(weft_strand *strand, weft_task *first, uint32_t count)
{
	(void)strand;
	(void)first;
	(void)count;
	return -EPIPE;
}

void weft_worker_run_(weft_pool *of, weft_task *task, bool cancel)
{
	size_t number = (size_t)(task - tasks);

	(void)cancel;
	model_assert((task->kind_ & WEFT_TASK_COUNTED_) != 0 && data[number] == 1);
	runs[number]++;
	weft_bound_leave_(&of->bound, 1);
	atomic_fetch_sub_explicit(&left, 1, memory_order_relaxed);
}

static void setup(uint32_t count, uint32_t limit)
{
	memset((void *)&pool, 0, sizeof(pool));
	memset((void *)&worker, 0, sizeof(worker));
	memset((void *)tasks, 0, sizeof(tasks));
	memset(data, 0, sizeof(data));
	memset(runs, 0, sizeof(runs));
	memset(results, 0, sizeof(results));
	model_run_on(0);
	model_assert(weft_counter_init(&pool.submitted) == 0);
	workers[0] = &worker;
	pool.worker = workers;
	pool.workers = 1;
	pool.full = WEFT_FULL_BLOCK;
	pool.bound.limit = limit;
	atomic_store_explicit(&left, count, memory_order_relaxed);
	model_name(&pool.bound.queued, "queued");
	model_name(&pool.bound.room.epoch_, "epoch");
	model_name(&pool.bound.room.waiters_, "waiters");
	model_name(&pool.phase, "phase");
	model_name(&worker.lane[WEFT_LANE_NORMAL_].inbox, "inbox");
	model_name(&left, "left");
}

static void tear_down(void)
{
	model_join();
	model_assert(atomic_load_explicit(&pool.bound.queued, memory_order_relaxed) == 0);
	model_assert(atomic_load_explicit(&pool.bound.room.waiters_, memory_order_relaxed) == 0);
	for (int i = 0; i < TASKS; i++)
		model_assert(runs[i] == (data[i] == 1 && results[i] == 0));
	weft_counter_fini(&pool.submitted);
}

static uint32_t count_of(const weft_task *task)
{
	uint32_t count = 0;

	for (; task != NULL; task = task->next_)
		count++;
	return count;
}

static void run_all(weft_task *newest)
{
	/* Others may be on their way: counted, and not there yet. */
	model_assert(count_of(newest) <= pool.bound.limit);
	for (weft_task *task = weft_task_reverse_(newest), *next; task != NULL; task = next) {
		next = task->next_;
		weft_worker_run_(&pool, task, false);
	}
}

static void work(void *unused)
{
	(void)unused;
	model_run_on(0);
	while (atomic_load_explicit(&left, memory_order_relaxed) != 0)
		run_all(weft_inbox_take_(&worker.lane[WEFT_LANE_NORMAL_].inbox));
}

/* `count` tasks from this one on, at once. */
static void send(unsigned number, unsigned count)
{
	model_run_on(0);
	for (unsigned i = number; i < number + count; i++) {
		data[i] = 1;
		tasks[i].next_ = i + 1 < number + count ? &tasks[i + 1] : NULL;
	}
	results[number] = weft_worker_send_(&pool, &tasks[number], count, NULL);
	for (unsigned i = number; i < number + count; i++) {
		results[i] = results[number];
		if (results[i] != 0)
			atomic_fetch_sub_explicit(&left, 1, memory_order_relaxed);
	}
}

static void submit(void *argument)
{
	send((unsigned)(uintptr_t)argument, 1);
}

static void submit_two(void *argument)
{
	send((unsigned)(uintptr_t)argument, 1);
	send((unsigned)(uintptr_t)argument + 1, 1);
}

static void submit_pair(void *argument)
{
	send((unsigned)(uintptr_t)argument, 2);
}

static void assert_all_ran(int count)
{
	for (int i = 0; i < count; i++)
		model_assert(results[i] == 0);
}

static void room_for_one(const void *unused)
{
	(void)unused;
	setup(3, 1);
	model_thread(work, NULL);
	model_thread(submit_two, (void *)0);
	model_thread(submit, (void *)2);
	tear_down();
	assert_all_ran(3);
}

static void two_at_once(const void *unused)
{
	(void)unused;
	setup(4, 2);
	model_thread(work, NULL);
	model_thread(submit_pair, (void *)0);
	model_thread(submit_two, (void *)2);
	tear_down();
	assert_all_ran(4);
}

/* As weft_pool_shutdown, of a pool whose worker does not come. */
static void close_pool(void *unused)
{
	(void)unused;
	atomic_store_explicit(&pool.phase, WEFT_POOL_DRAINING_, memory_order_release);
	weft_eventcount_notify_all(&pool.bound.room);
}

/* Nobody makes room: who waits is woken by the end. */
static void closed_meanwhile(const void *unused)
{
	(void)unused;
	setup(2, 1);
	model_thread(submit, (void *)0);
	model_thread(submit, (void *)1);
	model_thread(close_pool, NULL);
	model_join();
	run_all(weft_inbox_close_(&worker.lane[WEFT_LANE_NORMAL_].inbox));
	model_assert(results[0] == -EPIPE || results[1] == -EPIPE);
	tear_down();
}

/* The checker checked: as if closing woke nobody. */
static void close_silently(void *unused)
{
	(void)unused;
	atomic_store_explicit(&pool.phase, WEFT_POOL_DRAINING_, memory_order_release);
}

static void closed_silently(const void *unused)
{
	(void)unused;
	setup(2, 1);
	model_thread(submit, (void *)0);
	model_thread(submit, (void *)1);
	model_thread(close_silently, NULL);
	model_join();
}

static const struct model_scenario scenarios[] = {
	{.name = "bound: room for one", .run = room_for_one, .preemptions = 1, .stale = 1},
	{.name = "bound: two at once and two more",
	 .run = two_at_once,
	 .preemptions = 1,
	 .stale = 1},
	{.name = "bound: the pool is closed meanwhile", .run = closed_meanwhile},
	{
		.name = "bound: who waits must be told of the end",
		.run = closed_silently,
		.expect = "deadlock or lost wake-up",
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
