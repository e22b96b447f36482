/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ways to hand work to a pool without a future. weft_spawn is for calls that nobody waits for;
 * it allocates. A weft_task is a member of the caller's own struct: submitting it allocates
 * nothing, so that it cannot fail for want of memory, and the caller can wait for it.
 */
#include <stdio.h>

#include <weft/lockfree/counter.h>
#include <weft/pool/executor.h>

#include "must.h"

#define ROWS    8
#define COLUMNS 1000

typedef struct row {
	weft_task task;
	int values[COLUMNS];
	long sum;
} row;

/* A task's function gets the task, and finds the struct around it. */
static void add_up_row(weft_task *task)
{
	row *self = (row *)(void *)((char *)task - offsetof(row, task));

	for (int i = 0; i < COLUMNS; i++)
		self->sum += self->values[i];
}

static void count_a_call(void *argument)
{
	weft_counter_increment(argument);
}

static long add_up_rows(weft_pool *pool, row *rows)
{
	long sum = 0;

	for (int i = 0; i < ROWS; i++) {
		weft_task_init(&rows[i].task, add_up_row);
		must(weft_task_submit(pool, &rows[i].task), "weft_task_submit");
	}
	for (int i = 0; i < ROWS; i++) {
		/* From the submission to the end of the wait the row belongs to the pool. */
		must(weft_task_wait(&rows[i].task, WEFT_FOREVER), "weft_task_wait");
		sum += rows[i].sum;
	}
	return sum;
}

int main(void)
{
	static row rows[ROWS];
	weft_pool *pool;
	weft_counter calls;

	must(weft_counter_init(&calls), "weft_counter_init");
	/* One worker on each core. */
	must(weft_pool_create(&pool, NULL), "weft_pool_create");
	for (int i = 0; i < ROWS * COLUMNS; i++)
		rows[i / COLUMNS].values[i % COLUMNS] = i;
	printf("sum of all rows: %ld\n", add_up_rows(pool, rows));
	for (int i = 0; i < 100; i++)
		must(weft_spawn(pool, count_a_call, &calls), "weft_spawn");
	/* Closes the pool, and waits for what was accepted, no longer than a minute. */
	must(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, weft_after(60 * WEFT_SECONDS)),
	     "weft_pool_shutdown");
	printf("calls: %lld\n", (long long)weft_counter_read(&calls));
	if (weft_spawn(pool, count_a_call, &calls) == -EPIPE)
		printf("the pool is closed\n");
	must(weft_pool_destroy(pool), "weft_pool_destroy");
	weft_counter_fini(&calls);
	return 0;
}
