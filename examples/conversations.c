/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thousand conversations at once, on two workers. Each is a task written as one would write it
 * for a thread of its own: it asks, waits for the answer, and asks again. While it waits it is
 * suspended, at the price of a page of memory, and the worker runs the others. A task that plays
 * the server answers what has come, and waits like everybody else when there is nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include <weft/lockfree/mpmc_pointer_queue.h>
#include <weft/pool/executor.h>
#include <weft/sync/eventcount.h>
#include <weft/sync/park.h>

#include "must.h"

enum {
	CLIENTS = 1000,
	QUESTIONS = 3,
};

typedef struct client {
	weft_task task;
	weft_parker answered;
	long question, answer, sum;
} client;

static weft_mpmc_pointer_queue asked;
static weft_eventcount asked_some;
static client clients[CLIENTS];

static void converse(weft_task *task)
{
	client *self = (client *)task;

	for (long i = 1; i <= QUESTIONS; i++) {
		self->question = i;
		if (!weft_mpmc_pointer_queue_try_push(&asked, self))
			abort(); /* there is room for each client's one question */
		weft_eventcount_notify_one(&asked_some);
		weft_parker_park(&self->answered, 0, WEFT_FOREVER);
		self->sum += self->answer;
	}
}

static void serve(weft_task *task)
{
	void *next;

	(void)task;
	for (int left = CLIENTS * QUESTIONS; left > 0; left--) {
		while (!weft_mpmc_pointer_queue_try_pop(&asked, &next)) {
			uint32_t key = weft_eventcount_prepare(&asked_some);

			if (weft_mpmc_pointer_queue_size(&asked) > 0)
				weft_eventcount_cancel(&asked_some);
			else
				weft_eventcount_wait(&asked_some, key, 0, WEFT_FOREVER);
		}

		client *one = next;

		one->answer = one->question * one->question;
		weft_parker_unpark(&one->answered);
	}
}

int main(void)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool;
	weft_task server;
	long sum = 0;

	options.workers = 2;
	options.unpinned = true;
	options.stack_bytes = (size_t)32 << 10;
	must(weft_pool_create(&pool, &options), "weft_pool_create");
	must(weft_mpmc_pointer_queue_init(&asked, CLIENTS), "weft_mpmc_pointer_queue_init");
	for (int i = 0; i < CLIENTS; i++) {
		weft_task_init(&clients[i].task, converse);
		must(weft_task_submit(pool, &clients[i].task), "weft_task_submit");
	}
	weft_task_init(&server, serve);
	must(weft_task_submit(pool, &server), "weft_task_submit");
	must(weft_task_wait(&server, WEFT_FOREVER), "weft_task_wait");
	for (int i = 0; i < CLIENTS; i++) {
		must(weft_task_wait(&clients[i].task, WEFT_FOREVER), "weft_task_wait");
		sum += clients[i].sum;
	}
	printf("%d conversations, the sum of all answers is %ld\n", CLIENTS, sum);
	weft_mpmc_pointer_queue_fini(&asked);
	return weft_pool_destroy(pool);
}
