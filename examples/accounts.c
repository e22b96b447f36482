/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strands: what belongs to one account runs one at a time and in order, so that it needs no lock,
 * while the accounts use all workers. The pool accepts a thousand deposits ahead, not more: who
 * submits faster than they are made waits. The report has low priority.
 */
#include <stdio.h>

#include <weft/pool/future.h>
#include <weft/pool/strand.h>

#include "must.h"

#define ACCOUNTS 4
#define DEPOSITS 100000

typedef struct account {
	weft_strand strand;
	long deposits;
	long long balance;
} account;

typedef struct deposit {
	weft_task task;
	account *to;
	long amount;
} deposit;

static void make_deposit(weft_task *task)
{
	deposit *self = (deposit *)(void *)task; /* its first member */

	self->to->deposits++;
	self->to->balance += self->amount;
}

/* Runs when the workers have nothing else to do. */
static int report(void *argument, void **value)
{
	(void)value;
	puts(argument);
	return 0;
}

int main(void)
{
	static account accounts[ACCOUNTS];
	static deposit deposits[DEPOSITS];
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_submit_options how = WEFT_SUBMIT_OPTIONS_INIT;
	weft_future *reported;
	weft_pool *pool;

	options.max_queued = 1000;
	options.full = WEFT_FULL_BLOCK;
	must(weft_pool_create(&pool, &options), "weft_pool_create");
	for (int i = 0; i < ACCOUNTS; i++)
		must(weft_strand_init(&accounts[i].strand, pool, NULL), "weft_strand_init");
	for (long i = 0; i < DEPOSITS; i++) {
		deposits[i].to = &accounts[i % ACCOUNTS];
		deposits[i].amount = i / ACCOUNTS + i % ACCOUNTS;
		weft_task_init(&deposits[i].task, make_deposit);
		how.strand = &deposits[i].to->strand;
		must(weft_task_submit_with(pool, &deposits[i].task, &how), "weft_task_submit_with");
	}
	for (long i = 0; i < DEPOSITS; i++)
		must(weft_task_wait(&deposits[i].task, WEFT_FOREVER), "weft_task_wait");
	for (int i = 0; i < ACCOUNTS; i++) {
		/* Before its memory is used for something else. */
		weft_strand_fini(&accounts[i].strand);
		printf("account %d: %ld deposits, balance %lld\n", i, accounts[i].deposits,
		       accounts[i].balance);
	}
	fflush(stdout);
	how.strand = NULL;
	how.priority = WEFT_PRIORITY_LOW;
	must(weft_submit_with(pool, report, "all 100000 of them before the report", &how,
			      &reported),
	     "weft_submit_with");
	must(weft_future_wait(reported, WEFT_FOREVER), "weft_future_wait");
	weft_future_release(reported);
	return weft_pool_destroy(pool);
}
