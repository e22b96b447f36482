/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that one thread makes and another one finishes with: a weft_object_pool of them. Making
 * and dropping one takes a few instructions each, and what is dropped over there comes back here in
 * batches. When the burst is over, the memory goes back to the system.
 */
#include <pthread.h>
#include <stdio.h>

#include <weft/lockfree/object_pool.h>
#include <weft/lockfree/stack.h>

#include "must.h"

#define REQUESTS  100000
#define IN_FLIGHT 1000 /* requests at a time, at most */

typedef struct request {
	weft_stack_node link;
	long number;
} request;

/* The type `requests`, and requests_alloc(pool) and the like. */
WEFT_OBJECT_POOL_DEFINE(requests, request);

typedef struct server {
	requests pool;
	weft_stack inbox;
	long served;
	long sum;
} server;

static void *serve(void *argument)
{
	server *self = argument;

	while (self->served < REQUESTS) {
		weft_stack_node *node = weft_stack_pop_all(&self->inbox);

		while (node != NULL) {
			request *served = (request *)(void *)node;

			node = weft_stack_next(node);
			self->sum += served->number;
			self->served++;
			requests_free(&self->pool, served);
		}
	}
	return NULL;
}

int main(void)
{
	const weft_object_pool_options options = {.max_objects = IN_FLIGHT, .cached_objects = 64};
	server shared = {.served = 0};
	pthread_t thread;

	must(requests_init(&shared.pool, &options), "requests_init");
	/* From here on nothing is allocated. */
	must(requests_reserve(&shared.pool, IN_FLIGHT), "requests_reserve");
	must(pthread_create(&thread, NULL, serve, &shared), "pthread_create");
	for (long number = 1; number <= REQUESTS; number++) {
		request *made;

		/* NULL while there are as many as there may be. */
		while ((made = requests_alloc(&shared.pool)) == NULL)
			weft_cpu_relax();
		made->number = number;
		must(weft_stack_push(&shared.inbox, &made->link), "weft_stack_push");
	}
	pthread_join(thread, NULL);

	weft_object_pool_statistics found = requests_stats(&shared.pool);

	printf("%ld requests, sum %ld\n", shared.served, shared.sum);
	printf("%zu objects, %zu in use\n", found.objects, found.in_use);
	requests_fini(&shared.pool);
	return 0;
}
