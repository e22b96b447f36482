/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of tasks: submit a function and wait for its value, be called when it ends, let an error
 * travel with it, cancel it before it begins, wait no longer than to a deadline.
 */
#include <stdatomic.h>
#include <stdio.h>

#include <weft/pool/future.h>

#include "must.h"

/* A function with a result: the value through the pointer, an error as the return value. */
static int square(void *argument, void **value)
{
	long *number = argument;

	*number *= *number;
	*value = number;
	return 0;
}

static int refuse(void *argument, void **value)
{
	(void)argument;
	(void)value;
	return -EPERM;
}

/* Keeps its worker busy until it is let go. A task that waits would not: the worker goes on with
 * the next one meanwhile. */
static int stay_busy(void *argument, void **value)
{
	atomic_bool *let_go = argument;

	(void)value;
	while (!atomic_load_explicit(let_go, memory_order_relaxed))
		weft_cpu_relax();
	return 0;
}

/* Runs on the thread that ends the future; it must not wait. */
static void note_the_end(weft_future *future, void *argument)
{
	int *noted = argument;

	*noted = weft_future_error(future);
}

static void value_and_error(weft_pool *pool)
{
	long number = 12;
	int noted = 0;
	weft_future *squared, *refused;

	must(weft_submit(pool, square, &number, &squared), "weft_submit");
	must(weft_submit(pool, refuse, NULL, &refused), "weft_submit");
	must(weft_future_wait(squared, WEFT_FOREVER), "weft_future_wait");
	printf("value: %ld\n", *(long *)weft_future_value(squared));
	must(weft_future_wait(refused, WEFT_FOREVER), "weft_future_wait");
	/* It has ended: the callback comes at once. */
	must(weft_future_on_done(refused, note_the_end, &noted), "weft_future_on_done");
	printf("error: %s\n", noted == -EPERM ? "-EPERM" : "another");
	weft_future_release(squared);
	weft_future_release(refused);
}

static void deadline_and_cancel(weft_pool *pool)
{
	atomic_bool let_go = false;
	long number = 3;
	weft_future *slow, *never;

	/* The pool has one worker: while it is kept, what comes after does not begin. */
	must(weft_submit(pool, stay_busy, &let_go, &slow), "weft_submit");
	must(weft_submit(pool, square, &number, &never), "weft_submit");
	if (weft_future_wait(slow, weft_after(5 * WEFT_MILLISECONDS)) == -ETIMEDOUT)
		printf("deadline: still running\n");
	if (weft_future_cancel(never))
		printf("cancel: ended with %s\n",
		       weft_future_error(never) == -ECANCELED ? "-ECANCELED" : "another error");
	atomic_store_explicit(&let_go, true, memory_order_relaxed);
	must(weft_future_wait(slow, WEFT_FOREVER), "weft_future_wait");
	weft_future_release(slow);
	weft_future_release(never);
	printf("number: %ld\n", number);
}

int main(void)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool;

	options.workers = 1;
	must(weft_pool_create(&pool, &options), "weft_pool_create");
	value_and_error(pool);
	deadline_and_cancel(pool);
	must(weft_pool_destroy(pool), "weft_pool_destroy");
	return 0;
}
