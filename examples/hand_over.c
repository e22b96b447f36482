/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread waits for exactly one other: a weft_parker. The waiter spins for a short budget before
 * it sleeps, since a hand-over to a spinning thread takes a tenth of a microsecond and one to a
 * sleeping thread twenty; and it never waits beyond a deadline.
 */
#include <pthread.h>
#include <stdio.h>

#include <weft/sync/park.h>

#include "must.h"

#define ROUNDS  1000
#define SPIN_NS (10 * WEFT_MICROSECONDS)

typedef struct table {
	weft_parker server;
	weft_parker player;
	int ball; /* needs no lock: whoever was unparked last has it */
} table;

/* Hits back until the ball has been hit ROUNDS times from this side. */
static void *player_main(void *argument)
{
	table *shared = argument;

	for (int i = 0; i < ROUNDS; i++) {
		if (weft_parker_park(&shared->player, SPIN_NS, WEFT_FOREVER) != 0)
			break;
		shared->ball++;
		weft_parker_unpark(&shared->server);
	}
	return NULL;
}

int main(void)
{
	table shared = {0};
	pthread_t player;

	/* Nobody has unparked us yet: this wait ends at its deadline. */
	if (weft_parker_park(&shared.server, 0, weft_after(WEFT_MILLISECONDS)) == -ETIMEDOUT)
		printf("nobody plays yet\n");
	must(pthread_create(&player, NULL, player_main, &shared), "pthread_create");
	for (int i = 0; i < ROUNDS; i++) {
		shared.ball++;
		weft_parker_unpark(&shared.player);
		must(weft_parker_park(&shared.server, SPIN_NS, weft_after(60 * WEFT_SECONDS)),
		     "weft_parker_park");
	}
	pthread_join(player, NULL);
	printf("the ball was hit %d times\n", shared.ball);
	return 0;
}
