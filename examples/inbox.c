/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads leave messages, one collects them: a weft_stack inside the messages themselves, so
 * that nothing is allocated to send one. The collector takes all that is there in one step; the
 * newest comes first, so it turns the chain round to read in the order of arrival.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>

#include <weft/lockfree/stack.h>

#include "must.h"

#define SENDERS  4
#define MESSAGES 1000 /* from each sender */

typedef struct message {
	weft_stack_node link;
	int sender;
	int number;
} message;

typedef struct sender {
	pthread_t thread;
	weft_stack *inbox;
	int number;
	message messages[MESSAGES];
} sender;

static void *send_all(void *argument)
{
	sender *self = argument;

	for (int i = 0; i < MESSAGES; i++) {
		self->messages[i].sender = self->number;
		self->messages[i].number = i;
		must(weft_stack_push(self->inbox, &self->messages[i].link), "weft_stack_push");
	}
	return NULL;
}

/* The chain in the other order. */
static weft_stack_node *reversed(weft_stack_node *newest)
{
	weft_stack_node *oldest = NULL;

	while (newest != NULL) {
		weft_stack_node *older = weft_stack_next(newest);

		weft_stack_link(newest, oldest);
		oldest = newest;
		newest = older;
	}
	return oldest;
}

int main(void)
{
	static sender senders[SENDERS];
	int read = 0, out_of_order = 0, next[SENDERS] = {0};
	weft_stack inbox;
	message late = {.sender = 0};

	weft_stack_init(&inbox);
	for (int i = 0; i < SENDERS; i++) {
		senders[i].inbox = &inbox;
		senders[i].number = i;
		must(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
		     "pthread_create");
	}
	while (read < SENDERS * MESSAGES) {
		weft_stack_node *node = reversed(weft_stack_pop_all(&inbox));

		for (; node != NULL; node = weft_stack_next(node), read++) {
			const message *found = (const message *)(const void *)node;

			out_of_order += found->number != next[found->sender]++;
		}
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	printf("%d messages, %d out of order\n", read, out_of_order);
	weft_stack_close(&inbox);
	if (weft_stack_push(&inbox, &late.link) == -EPIPE)
		printf("the inbox is closed\n");
	return 0;
}
