/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small record that one thread keeps up to date and all others look at: a seqlock gives each of
 * them a whole one, without a lock and without disturbing the writer.
 */
#include <pthread.h>
#include <stdio.h>

#include <weft/lockfree/seqlock.h>

#include "must.h"

#define READERS 3
#define TRADES  200000

struct quote {
	long trades; /* so far */
	long bid, ask;
	double mean;
};

WEFT_SEQLOCK_DEFINE(board, struct quote);

static board shared;

static void *trade(void *unused)
{
	struct quote quote = {0};

	for (long i = 1; i <= TRADES; i++) {
		quote.bid = 1000 + i % 7;
		quote.ask = quote.bid + 2;
		quote.mean += ((double)quote.bid - quote.mean) / (double)i;
		quote.trades = i;
		board_write(&shared, &quote);
	}
	return unused;
}

/* Looks until it has seen the last trade. */
static void *watch(void *torn)
{
	struct quote quote;

	do {
		board_read(&shared, &quote);
		if (quote.trades > 0 && quote.ask - quote.bid != 2)
			*(int *)torn = 1;
	} while (quote.trades < TRADES);
	return NULL;
}

int main(void)
{
	struct quote quote = {0};
	pthread_t writer, readers[READERS];
	int torn[READERS] = {0}, all_torn = 0;

	board_init(&shared, &quote);
	must(pthread_create(&writer, NULL, trade, NULL), "pthread_create");
	for (int i = 0; i < READERS; i++)
		must(pthread_create(&readers[i], NULL, watch, &torn[i]), "pthread_create");
	pthread_join(writer, NULL);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i], NULL);
		all_torn |= torn[i];
	}
	board_read(&shared, &quote);
	printf("%ld trades, the last at %ld/%ld, %s\n", quote.trades, quote.bid, quote.ask,
	       all_torn ? "torn quotes were seen" : "every quote was whole");
	return 0;
}
