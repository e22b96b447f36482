/* SPDX-License-Identifier: Apache-2.0 */

/*
 * future: a future ends once, its callbacks are called once and after the end, and whoever is the
 * last to have to do with it frees it. The worker is a thread that calls what a worker calls; the
 * queue is left out.
 */

#include <stdlib.h>
#include <string.h>

#include <weft/pool/future.h>
#include <weft/pool/worker.h>

#include "model.h"

enum {
	VALUE = 7,
};

_Thread_local weft_worker_ *weft_worker_current_;

static weft_pool pool;
static weft_task *sent;
static weft_future *future;
static int value;
static int calls;          /* of the function */
static int called_back[2]; /* each written by the callback's thread */
static bool canceled;

/* What stands around future.c and task.c. */

void *weft_task_alloc_(void)
{
	return malloc(WEFT_TASK_BYTES_);
}

void weft_task_free_(void *memory)
{
	free(memory);
}

void weft_task_retire_(void *memory)
{
	free(memory);
}

bool weft_worker_accepts_these_(const weft_pool *of, const weft_submit_options *options)
{
	(void)of;
	(void)options;
	return true;
}

int weft_worker_send_(weft_pool *to, weft_task *first, uint32_t count,
		      const weft_submit_options *options)
{
	(void)to;
	(void)count;
	(void)options;
	sent = first;
	return 0;
}

uint32_t weft_worker_note_submission_(const weft_pool *of)
{
	(void)of;
	return 0;
}

static int answer(void *argument, void **into)
{
	calls++;
	value = VALUE;
	*into = argument;
	return 0;
}

static void setup(void)
{
	memset((void *)&pool, 0, sizeof(pool));
	memset(called_back, 0, sizeof(called_back));
	value = calls = 0;
	canceled = false;
	sent = NULL;
	model_run_on(0);
	model_assert(weft_counter_init(&pool.run) == 0);
	model_assert(weft_counter_init(&pool.canceled) == 0);
	model_assert(weft_submit(&pool, answer, &value, &future) == 0);
	model_name(&sent->state_, "state");
	model_name(&sent->owners_, "owners");
}

/* The threads have ended, and the future must be gone. */
static void tear_down(bool may_be_canceled)
{
	model_join();
	model_assert(calls == !canceled);
	model_assert(!canceled || may_be_canceled);
	model_assert(weft_counter_read(&pool.run) == !canceled);
	model_assert(weft_counter_read(&pool.canceled) == canceled);
	weft_counter_fini(&pool.run);
	weft_counter_fini(&pool.canceled);
}

static void run(void *unused)
{
	(void)unused;
	model_run_on(0);
	weft_future_run_(sent, false);
}

static void run_aborting(void *unused)
{
	(void)unused;
	model_run_on(0);
	weft_future_run_(sent, true);
}

static void check_end(void)
{
	int error = weft_future_error(future);

	model_assert(weft_future_is_done(future));
	model_assert(error == 0 || error == -ECANCELED);
	model_assert(weft_future_value(future) == (error == 0 ? &value : NULL));
	model_assert(error != 0 || value == VALUE);
}

static void wait_and_release(void *unused)
{
	(void)unused;
	model_run_on(1);
	model_assert(weft_future_wait(future, WEFT_FOREVER) == 0);
	check_end();
	weft_future_release(future);
}

static void release(void *unused)
{
	(void)unused;
	model_run_on(1);
	weft_future_release(future);
}

static void cancel_and_release(void *unused)
{
	(void)unused;
	model_run_on(1);
	canceled = weft_future_cancel(future);
	if (canceled)
		check_end();
	weft_future_release(future);
}

static void note(weft_future *ended, void *counter)
{
	model_assert(ended == future);
	check_end();
	++*(int *)counter;
}

static void register_and_release(void *counter)
{
	model_run_on(1);
	model_assert(weft_future_on_done(future, note, counter) == 0);
	weft_future_release(future);
}

static void waited_for(const void *unused)
{
	(void)unused;
	setup();
	model_thread(run, NULL);
	model_thread(wait_and_release, NULL);
	tear_down(false);
}

static void given_up(const void *unused)
{
	(void)unused;
	setup();
	model_thread(run, NULL);
	model_thread(release, NULL);
	tear_down(false);
}

static void two_owners(const void *unused)
{
	(void)unused;
	setup();
	weft_future_retain(future);
	model_thread(run, NULL);
	model_thread(wait_and_release, NULL);
	model_thread(release, NULL);
	tear_down(false);
}

static void canceled_meanwhile(const void *unused)
{
	(void)unused;
	setup();
	model_thread(run, NULL);
	model_thread(cancel_and_release, NULL);
	tear_down(true);
}

static void canceled_while_waited_for(const void *unused)
{
	(void)unused;
	setup();
	weft_future_retain(future);
	model_thread(run, NULL);
	model_thread(cancel_and_release, NULL);
	model_thread(wait_and_release, NULL);
	tear_down(true);
}

static void called_back_once(const void *unused)
{
	(void)unused;
	setup();
	model_thread(run, NULL);
	model_thread(register_and_release, &called_back[0]);
	tear_down(false);
	model_assert(called_back[0] == 1);
}

static void two_are_called_back(const void *unused)
{
	(void)unused;
	setup();
	weft_future_retain(future);
	model_thread(run, NULL);
	model_thread(register_and_release, &called_back[0]);
	model_thread(register_and_release, &called_back[1]);
	tear_down(false);
	model_assert(called_back[0] == 1 && called_back[1] == 1);
}

static void called_back_when_canceled(const void *unused)
{
	(void)unused;
	setup();
	weft_future_retain(future);
	model_thread(run, NULL);
	model_thread(register_and_release, &called_back[0]);
	model_thread(cancel_and_release, NULL);
	tear_down(true);
	model_assert(called_back[0] == 1);
}

/* The pool aborts, and somebody cancels. Either way it ends unrun, and is counted once. */
static void aborted(const void *unused)
{
	(void)unused;
	setup();
	weft_future_retain(future);
	model_thread(run_aborting, NULL);
	model_thread(cancel_and_release, NULL);
	model_thread(wait_and_release, NULL);
	model_join();
	model_assert(calls == 0 && weft_counter_read(&pool.run) == 0);
	model_assert(weft_counter_read(&pool.canceled) == 1);
	weft_counter_fini(&pool.run);
	weft_counter_fini(&pool.canceled);
}

static const struct model_scenario scenarios[] = {
	{.name = "future: waited for", .run = waited_for, .spurious_wakes = true},
	{.name = "future: given up before its end", .run = given_up},
	{.name = "future: two owners", .run = two_owners},
	{.name = "future: canceled while it is run", .run = canceled_meanwhile},
	{.name = "future: canceled while it is waited for", .run = canceled_while_waited_for},
	{.name = "future: called back once", .run = called_back_once},
	{.name = "future: two are called back", .run = two_are_called_back, .preemptions = 1},
	{.name = "future: called back when canceled",
	 .run = called_back_when_canceled,
	 .preemptions = 1},
	{.name = "future: the pool aborts", .run = aborted, .preemptions = 1},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
