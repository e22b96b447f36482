/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that are kept open for the next request: the one that was used last is taken first,
 * for it is the least likely to have gone stale, and only so many are kept. A weft_bounded_stack
 * holds them by value, whatever they consist of, in memory that is there from the start.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <weft/lockfree/bounded_stack.h>

#include "must.h"

#define WORKERS  8
#define REQUESTS 20000 /* of each worker */
#define KEPT     4

typedef struct connection {
	int socket; /* a number, here */
	long requests;
} connection;

WEFT_BOUNDED_STACK_DEFINE(idle_connections, connection);

typedef struct server {
	idle_connections idle;
	atomic_int opened;
	atomic_long served; /* by connections that were closed */
} server;

static void close_connection(server *shared, const connection *closed)
{
	atomic_fetch_add(&shared->served, closed->requests);
}

static void *worker_main(void *argument)
{
	server *shared = argument;

	for (int i = 0; i < REQUESTS; i++) {
		connection used;

		if (!idle_connections_try_pop(&shared->idle, &used)) {
			used.socket = atomic_fetch_add(&shared->opened, 1);
			used.requests = 0;
		}
		used.requests++;
		/* Enough are kept: this one is not. */
		if (!idle_connections_try_push(&shared->idle, used))
			close_connection(shared, &used);
	}
	return NULL;
}

int main(void)
{
	static server shared;
	pthread_t workers[WORKERS];
	connection left[KEPT], late = {0, 0};
	size_t count;

	must(idle_connections_init(&shared.idle, KEPT), "idle_connections_init");
	for (int i = 0; i < WORKERS; i++)
		must(pthread_create(&workers[i], NULL, worker_main, &shared), "pthread_create");
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	/* From here on nothing is kept any more. */
	idle_connections_close(&shared.idle);
	if (idle_connections_push(&shared.idle, late) != -EPIPE)
		return 1;
	count = idle_connections_try_pop_batch(&shared.idle, left, KEPT);
	for (size_t i = 0; i < count; i++)
		close_connection(&shared, &left[i]);
	printf("%ld requests served, %s\n", atomic_load(&shared.served),
	       count > 0 && count <= KEPT ? "some connections were kept" : "which is odd");
	idle_connections_fini(&shared.idle);
	return 0;
}
