/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many producers, many consumers, and an end: the last producer closes the weft_mpmc_queue, and
 * each consumer leaves its loop when all that was pushed has come out. The ring itself lies in
 * memory of a NUMA node that the program chose.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/affinity/memory.h>
#include <weft/lockfree/mpmc_queue.h>

#include "must.h"

#define THREADS  3 /* on either side */
#define ORDERS   100000
#define CAPACITY 1024
#define NODE     0

typedef struct order {
	unsigned customer;
	unsigned amount;
} order;

WEFT_MPMC_QUEUE_DEFINE(orders, order);

static orders queue;
static WEFT_ATOMIC(unsigned) customers;
static WEFT_ATOMIC(unsigned) left;

static void *customer_main(void *unused)
{
	unsigned self = atomic_fetch_add_explicit(&customers, 1, memory_order_relaxed);
	unsigned placed = 0;

	while (placed < ORDERS) {
		int error = orders_push(&queue, (order){self, placed % 10});

		if (error == 0)
			placed++;
		else if (error == -EAGAIN)
			sched_yield(); /* full; see blocking_queue.c for threads that sleep */
	}
	if (atomic_fetch_sub_explicit(&left, 1, memory_order_acq_rel) == 1)
		orders_close(&queue);
	return unused;
}

/* Its sum is the argument. */
static void *clerk_main(void *argument)
{
	unsigned long *sum = argument;
	order next;
	int error;

	while ((error = orders_pop(&queue, &next)) != -EPIPE) {
		if (error == 0)
			*sum += next.amount;
		else
			sched_yield();
	}
	return NULL;
}

int main(void)
{
	size_t bytes = orders_memory_size(CAPACITY);
	void *memory = weft_memory_alloc(bytes, WEFT_CACHE_LINE, NODE);
	pthread_t threads[2 * THREADS];
	unsigned long sums[THREADS] = {0}, sum = 0;

	must(orders_init_in(&queue, memory, bytes, CAPACITY), "orders_init_in");
	atomic_init(&left, THREADS);
	for (int i = 0; i < THREADS; i++) {
		must(pthread_create(&threads[2 * i], NULL, customer_main, NULL), "pthread_create");
		must(pthread_create(&threads[2 * i + 1], NULL, clerk_main, &sums[i]),
		     "pthread_create");
	}
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		sum += sums[i];
	printf("the orders come to %lu\n", sum);
	if (orders_push(&queue, (order){0, 1}) == -EPIPE)
		printf("the shop is closed\n");
	orders_fini(&queue);
	weft_memory_free(memory, bytes, WEFT_CACHE_LINE);
	return 0;
}
