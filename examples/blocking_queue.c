/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue that producers and consumers can wait on: weft_mpmc_queue holds the elements, an
 * eventcount on each side puts those to sleep who find it full or empty. While nobody has to wait,
 * nobody enters the kernel.
 */
#include <pthread.h>
#include <stdio.h>

#include <weft/lockfree/mpmc_queue.h>
#include <weft/sync/eventcount.h>

#include "must.h"

#define PRODUCERS 2
#define CONSUMERS 2
#define ORDERS    10000 /* from each producer */

typedef struct order {
	unsigned number;
	unsigned amount; /* 0: the sign to go home */
} order;

/* The type `orders`, and orders_try_push(queue, order) and the like. */
WEFT_MPMC_QUEUE_DEFINE(orders, order);

typedef struct shop {
	orders queue;
	weft_eventcount not_empty;
	weft_eventcount not_full;
} shop;

typedef struct consumer {
	pthread_t thread;
	shop *shop;
	unsigned received;
	unsigned long long amount;
} consumer;

/* Waits for room as long as it takes. */
static void push(shop *self, order pushed)
{
	while (!orders_try_push(&self->queue, pushed)) {
		/* Announce the wait, and look once more: whoever makes room after that look sees
		 * the announcement, whoever made room before it is seen by the look. */
		uint32_t key = weft_eventcount_prepare(&self->not_full);

		if (orders_try_push(&self->queue, pushed)) {
			weft_eventcount_cancel(&self->not_full);
			break;
		}
		weft_eventcount_wait(&self->not_full, key, 5 * WEFT_MICROSECONDS, WEFT_FOREVER);
	}
	weft_eventcount_notify_one(&self->not_empty);
	/* See pop: who was told of room may have found it where it could not be used yet. */
	if (orders_size(&self->queue) < orders_capacity(&self->queue))
		weft_eventcount_notify_one(&self->not_full);
}

/* Waits for an order as long as it takes. */
static order pop(shop *self)
{
	order popped;

	while (!orders_try_pop(&self->queue, &popped)) {
		uint32_t key = weft_eventcount_prepare(&self->not_empty);

		if (orders_try_pop(&self->queue, &popped)) {
			weft_eventcount_cancel(&self->not_empty);
			break;
		}
		weft_eventcount_wait(&self->not_empty, key, 5 * WEFT_MICROSECONDS, WEFT_FOREVER);
	}
	weft_eventcount_notify_one(&self->not_full);
	/* A consumer that was woken may have found a slot before this one that its producer had
	 * taken and not yet filled: "empty", and back to sleep (see mpmc_queue.h). So whoever gets
	 * an order passes the word on when there are more. */
	if (orders_size(&self->queue) > 0)
		weft_eventcount_notify_one(&self->not_empty);
	return popped;
}

static void *produce(void *argument)
{
	for (unsigned i = 1; i <= ORDERS; i++)
		push(argument, (order){.number = i, .amount = 2 * i});
	return NULL;
}

static void *consume(void *argument)
{
	consumer *self = argument;
	order popped;

	while ((popped = pop(self->shop)).amount != 0) {
		self->received++;
		self->amount += popped.amount;
	}
	return NULL;
}

int main(void)
{
	shop shared = {0};
	pthread_t producers[PRODUCERS];
	consumer consumers[CONSUMERS] = {0};
	unsigned received = 0;
	unsigned long long amount = 0;

	must(orders_init(&shared.queue, 64), "orders_init");
	for (int i = 0; i < CONSUMERS; i++) {
		consumers[i].shop = &shared;
		must(pthread_create(&consumers[i].thread, NULL, consume, &consumers[i]),
		     "pthread_create");
	}
	for (int i = 0; i < PRODUCERS; i++)
		must(pthread_create(&producers[i], NULL, produce, &shared), "pthread_create");
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i], NULL);
	for (int i = 0; i < CONSUMERS; i++)
		push(&shared, (order){0});
	for (int i = 0; i < CONSUMERS; i++) {
		pthread_join(consumers[i].thread, NULL);
		received += consumers[i].received;
		amount += consumers[i].amount;
	}
	printf("%u orders received, for %llu in all\n", received, amount);
	orders_fini(&shared.queue);
	return 0;
}
