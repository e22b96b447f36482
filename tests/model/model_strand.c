/* SPDX-License-Identifier: Apache-2.0 */

/*
 * strand: tasks of a strand run one at a time, in the order of submission and once each; what one
 * did is visible to the next; when the strand is idle its memory is the caller's. The pool around
 * it is one inbox, to which the strand is handed over, and workers that take from it.
 */

#include <stdlib.h>
#include <string.h>

#include <weft/pool/strand.h>
#include <weft/pool/worker.h>

#include "model.h"

enum {
	TASKS = 3,
};

_Thread_local weft_worker_ *weft_worker_current_;

weft_task weft_inbox_closed_;

/* What stands around strand.c. */

static weft_pool pool;
static weft_inbox_ queue;
static WEFT_ATOMIC(uint32_t) left; /* tasks that have not ended */
static weft_strand *strand;
static weft_task tasks[TASKS];
static int data[TASKS];  /* written before a task is submitted */
static int ends[TASKS];  /* 1: it has run, 2: it was canceled */
static int order[TASKS]; /* the tasks, in the order in which they ran; plain, as it is a strand's */
static int ran;
static bool is_busy;
static bool accepted[TASKS];
static weft_worker_ worker[2], *workers[2];

bool weft_worker_accepts_these_(const weft_pool *of, const weft_submit_options *options)
{
	(void)of;
	(void)options;
	return true;
}

bool weft_worker_may_submit_(const weft_pool *to)
{
	return weft_worker_phase_(to) == WEFT_POOL_OPEN_;
}

int weft_worker_send_unbounded_(weft_pool *to, weft_task *first, uint32_t count,
				const weft_submit_options *options)
{
	(void)to;
	(void)options;
	model_assert(count == 1 && first->next_ == NULL);
	return weft_inbox_put_(&queue, first, first) ? 0 : -EPIPE;
}

int weft_worker_send_behind_(weft_pool *to, weft_task *task, const weft_submit_options *options)
{
	task->next_ = NULL;
	return weft_worker_send_unbounded_(to, task, 1, options);
}

void weft_worker_run_(weft_pool *of, weft_task *task, bool cancel)
{
	size_t number = (size_t)(task - tasks);

	(void)of;
	model_assert(!is_busy && data[number] == 1 && ends[number] == 0);
	is_busy = true;
	ends[number] = cancel ? 2 : 1;
	if (!cancel)
		order[ran++] = (int)number;
	is_busy = false;
	/* As the end of a task, whose waiter knows what it did; others look at it relaxed. */
	atomic_fetch_sub_explicit(&left, 1, memory_order_release);
}

static void setup(uint32_t count)
{
	memset((void *)&pool, 0, sizeof(pool));
	memset((void *)&queue, 0, sizeof(queue));
	memset((void *)tasks, 0, sizeof(tasks));
	memset((void *)worker, 0, sizeof(worker));
	memset(data, 0, sizeof(data));
	memset(ends, 0, sizeof(ends));
	memset(order, 0, sizeof(order));
	memset(accepted, 0, sizeof(accepted));
	ran = 0;
	is_busy = false;
	model_run_on(0);
	model_assert(weft_counter_init(&pool.run) == 0);
	model_assert(weft_counter_init(&pool.submitted) == 0);
	workers[0] = &worker[0];
	workers[1] = &worker[1];
	pool.worker = workers;
	atomic_store_explicit(&left, count, memory_order_relaxed);
	strand = malloc(sizeof(*strand));
	model_assert(strand != NULL && weft_strand_init(strand, &pool, NULL) == 0);
	model_name(&queue.newest, "queue");
	model_name(&strand->newest_, "strand");
	model_name(&left, "left");
}

static void tear_down(void)
{
	weft_counter_fini(&pool.run);
	weft_counter_fini(&pool.submitted);
}

static bool is_over(void)
{
	return atomic_load_explicit(&left, memory_order_relaxed) == 0;
}

static void run_all(weft_task *newest)
{
	for (weft_task *task = weft_task_reverse_(newest), *next; task != NULL; task = next) {
		next = task->next_;
		weft_strand_run_(task);
	}
}

static void work(void *unused)
{
	(void)unused;
	model_run_on(0);
	while (!is_over())
		run_all(weft_inbox_take_(&queue));
}

/* The pool ends: what is in the queue is canceled, and nothing comes any more. */
static void abort_and_close(void *unused)
{
	(void)unused;
	model_run_on(0);
	atomic_store_explicit(&pool.phase, WEFT_POOL_ABORTING_, memory_order_release);
	run_all(weft_inbox_close_(&queue));
}

static void submit(void *argument)
{
	unsigned number = (unsigned)(uintptr_t)argument;

	model_run_on(0);
	data[number] = 1;
	accepted[number] = weft_strand_send_(strand, &tasks[number], 1) == 0;
	if (!accepted[number])
		atomic_fetch_sub_explicit(&left, 1, memory_order_relaxed);
}

/* Two, one after the other. */
static void submit_first_two(void *unused)
{
	(void)unused;
	submit((void *)0);
	submit((void *)1);
}

/* Two at once. */
static void submit_pair(void *unused)
{
	(void)unused;
	model_run_on(0);
	data[0] = data[1] = 1;
	tasks[0].next_ = &tasks[1];
	accepted[0] = accepted[1] = weft_strand_send_(strand, &tasks[0], 2) == 0;
}

static int place_of(int number)
{
	for (int i = 0; i < ran; i++)
		if (order[i] == number)
			return i;
	return -1;
}

/* The caller has been told that the tasks are done, and frees the strand as soon as it may. */
static void reclaim(void *argument)
{
	int count = (int)(intptr_t)argument;

	model_run_on(0);
	while (atomic_load_explicit(&left, memory_order_acquire) != 0)
		;
	/* weft_strand_fini, without its sleeps. */
	while (!weft_strand_is_idle(strand))
		;
	for (int i = 0; i < count; i++)
		model_assert(ends[i] == 1);
	model_assert(ran == count);
	if (count > 1)
		model_assert(place_of(0) < place_of(1));
	free(strand);
}

static void one_submitter(const void *unused)
{
	(void)unused;
	setup(2);
	model_thread(work, NULL);
	model_thread(submit_first_two, NULL);
	model_join();
	reclaim((void *)2);
	tear_down();
}

static void freed_at_once(const void *unused)
{
	(void)unused;
	setup(2);
	model_thread(work, NULL);
	model_thread(submit_pair, NULL);
	model_thread(reclaim, (void *)2);
	model_join();
	tear_down();
}

static void two_submitters(const void *unused)
{
	(void)unused;
	setup(3);
	model_thread(work, NULL);
	model_thread(submit_first_two, NULL);
	model_thread(submit, (void *)2);
	model_join();
	reclaim((void *)3);
	tear_down();
}

static void two_workers(const void *unused)
{
	(void)unused;
	setup(2);
	model_thread(work, NULL);
	model_thread(work, NULL);
	model_thread(submit_first_two, NULL);
	model_join();
	reclaim((void *)2);
	tear_down();
}

static void closed_meanwhile(const void *unused)
{
	(void)unused;
	setup(2);
	model_thread(submit, (void *)0);
	model_thread(submit, (void *)1);
	model_thread(abort_and_close, NULL);
	model_join();
	model_assert(is_over());
	model_assert(weft_strand_is_idle(strand));
	for (int i = 0; i < 2; i++)
		model_assert(accepted[i] ? ends[i] != 0 : ends[i] == 0);
	free(strand);
	tear_down();
}

static const struct model_scenario scenarios[] = {
	{.name = "strand: two tasks, one after the other", .run = one_submitter, .preemptions = 3},
	{.name = "strand: freed as soon as it is idle", .run = freed_at_once},
	{.name = "strand: two submitters", .run = two_submitters, .preemptions = 1, .stale = 1},
	{.name = "strand: two workers", .run = two_workers, .preemptions = 1, .stale = 1},
	{.name = "strand: the pool aborts meanwhile", .run = closed_meanwhile},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
