/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many clients ask, one server answers: a weft_mpsc_ring of requests, bounded, so that clients who
 * are faster than the server are refused, and can do something about it: here they try again. The
 * server reads each request where it is in the queue. When the clients are done the queue is
 * closed, and the server is told when it has had the last request.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/lockfree/mpsc_ring.h>

#include "must.h"

#define CLIENTS  4
#define REQUESTS 5000 /* of each client */

typedef struct request {
	int client;
	int number;
	char text[48];
} request;

WEFT_MPSC_RING_DEFINE(requests, request);

static requests queue;

static void *ask(void *argument)
{
	request asked = {.client = (int)(intptr_t)argument};

	for (; asked.number < REQUESTS; asked.number++) {
		snprintf(asked.text, sizeof(asked.text), "%d.%d", asked.client, asked.number);
		while (requests_push(&queue, asked) == -EAGAIN)
			sched_yield(); /* full: the server is behind */
	}
	return NULL;
}

/* Returns how many requests came, or -1 when one of them came out of its client's order. */
static int serve(void)
{
	int next[CLIENTS] = {0}, served = 0, error;
	request *oldest;

	while ((error = requests_peek(&queue, &oldest)) != -EPIPE) {
		char expected[48];

		if (error == -EAGAIN) {
			sched_yield(); /* nothing to do */
			continue;
		}
		snprintf(expected, sizeof(expected), "%d.%d", oldest->client,
			 next[oldest->client]++);
		if (strcmp(oldest->text, expected) != 0)
			return -1;
		requests_release(&queue); /* from here on it is not ours */
		served++;
	}
	return served;
}

static void *run_server(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)serve();
}

int main(void)
{
	pthread_t clients[CLIENTS], server;
	void *served;

	must(requests_init(&queue, 256), "requests_init");
	must(pthread_create(&server, NULL, run_server, NULL), "pthread_create");
	for (intptr_t i = 0; i < CLIENTS; i++)
		must(pthread_create(&clients[i], NULL, ask, (void *)i), "pthread_create");
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	requests_close(&queue);
	pthread_join(server, &served);
	printf("%d requests served\n", (int)(intptr_t)served);
	requests_fini(&queue);
	return 0;
}
