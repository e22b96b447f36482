/* SPDX-License-Identifier: Apache-2.0 */

/*
 * eventcount: no notification is lost. The condition is a count of items, changed and looked at by
 * relaxed operations only, so that it is the eventcount that must order them.
 */

#include <string.h>

#include <weft/lockfree/mpmc_queue.h>
#include <weft/sync/eventcount.h>

#include "model.h"

struct shape {
	int waiters, items_each; /* what each waiter takes */
	int notifiers, notifications;
	bool all; /* notify_all */
	uint64_t spin_ns;
};

static weft_eventcount eventcount;
static WEFT_ATOMIC(int) items;
static const struct shape *shape;

static void setup(const struct shape *wanted)
{
	memset(&eventcount, 0, sizeof(eventcount));
	atomic_store_explicit(&items, 0, memory_order_relaxed);
	shape = wanted;
	model_name(&eventcount.epoch_, "epoch");
	model_name(&eventcount.waiters_, "waiters");
	model_name(&eventcount.sleepers_, "sleepers");
	model_name(&items, "items");
}

static bool take(void)
{
	int count = atomic_load_explicit(&items, memory_order_relaxed);

	while (count > 0)
		if (atomic_compare_exchange_strong_explicit(
			    &items, &count, count - 1, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

static void wait(void *unused)
{
	(void)unused;
	for (int i = 0; i < shape->items_each; i++) {
		while (!take()) {
			uint32_t key = weft_eventcount_prepare(&eventcount);

			if (take()) {
				weft_eventcount_cancel(&eventcount);
				break;
			}
			model_assert(weft_eventcount_wait(&eventcount, key, shape->spin_ns,
							  WEFT_FOREVER) == 0);
		}
	}
}

static void notify(void *unused)
{
	(void)unused;
	for (int i = 0; i < shape->notifications; i++) {
		atomic_fetch_add_explicit(&items, 1, memory_order_relaxed);
		if (!shape->all)
			weft_eventcount_notify_one(&eventcount);
	}
	if (shape->all)
		weft_eventcount_notify_all(&eventcount);
}

static void no_loss(const void *argument)
{
	setup(argument);
	for (int i = 0; i < shape->waiters; i++)
		model_thread(wait, NULL);
	for (int i = 0; i < shape->notifiers; i++)
		model_thread(notify, NULL);
	model_join();
	model_assert(atomic_load_explicit(&eventcount.waiters_, memory_order_relaxed) == 0);
	model_assert(atomic_load_explicit(&eventcount.sleepers_, memory_order_relaxed) == 0);
}

/* What the notifier did before is visible to the waiter that waited for it. */

static int data;

static void wait_for_data(void *unused)
{
	uint32_t key;

	(void)unused;
	while (atomic_load_explicit(&items, memory_order_relaxed) == 0) {
		key = weft_eventcount_prepare(&eventcount);
		if (atomic_load_explicit(&items, memory_order_relaxed) != 0) {
			weft_eventcount_cancel(&eventcount);
			return;
		}
		if (weft_eventcount_wait(&eventcount, key, 0, WEFT_FOREVER) == 0) {
			model_assert(data == 1);
			return;
		}
	}
}

static void notify_data(void *unused)
{
	(void)unused;
	data = 1;
	atomic_store_explicit(&items, 1, memory_order_relaxed);
	weft_eventcount_notify_one(&eventcount);
}

static void visible(const void *argument)
{
	setup(argument);
	data = 0;
	model_thread(wait_for_data, NULL);
	model_thread(notify_data, NULL);
	model_join();
}

/* A wait with a deadline that gives up has taken its announcement back. */

static void wait_until(void *unused)
{
	uint32_t key = weft_eventcount_prepare(&eventcount);
	int error = 0;

	(void)unused;
	if (take())
		weft_eventcount_cancel(&eventcount);
	else
		error = weft_eventcount_wait(&eventcount, key, 0, weft_after(1000));
	model_assert(error == 0 || error == -ETIMEDOUT);
}

static void deadline(const void *argument)
{
	setup(argument);
	model_thread(wait_until, NULL);
	model_thread(notify, NULL);
	model_join();
	model_assert(atomic_load_explicit(&eventcount.waiters_, memory_order_relaxed) == 0);
	model_assert(atomic_load_explicit(&eventcount.sleepers_, memory_order_relaxed) == 0);
}

/*
 * A blocking queue of mpmc_queue. Its "empty" is not linearizable: a consumer that was woken for an
 * element may find an earlier slot unpublished, and sleep again with the notification used up. So
 * who takes an element and sees more must pass a notification on. (Without stale reads: the orders
 * of the queue and of the eventcount have scenarios of their own, these are about the protocol.)
 */

WEFT_MPMC_QUEUE_DEFINE(orders, int);

static orders queue;
static bool passes_on;

static void consume(void *unused)
{
	int order;

	(void)unused;
	while (!orders_try_pop(&queue, &order)) {
		uint32_t key = weft_eventcount_prepare(&eventcount);

		if (orders_try_pop(&queue, &order)) {
			weft_eventcount_cancel(&eventcount);
			break;
		}
		weft_eventcount_wait(&eventcount, key, 0, WEFT_FOREVER);
	}
	model_assert(order == 1 || order == 2);
	if (passes_on && orders_size(&queue) > 0)
		weft_eventcount_notify_one(&eventcount);
}

static void produce(void *argument)
{
	model_assert(orders_try_push(&queue, (int)(intptr_t)argument));
	if (shape->all)
		weft_eventcount_notify_all(&eventcount);
	else
		weft_eventcount_notify_one(&eventcount);
}

static void run_blocking_queue(const void *argument)
{
	setup(argument);
	model_assert(orders_init(&queue, 2) == 0);
	model_name(&queue.queue_.tail_, "tail");
	model_name(&queue.queue_.head_, "head");
	for (int i = 0; i < shape->waiters; i++)
		model_thread(consume, NULL);
	model_thread(produce, (void *)1);
	model_thread(produce, (void *)2);
	model_join();
	orders_fini(&queue);
}

static void naive_queue(const void *argument)
{
	passes_on = false;
	run_blocking_queue(argument);
}

static void blocking_queue(const void *argument)
{
	passes_on = true;
	run_blocking_queue(argument);
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "eventcount: 1 waiter, 1 notifier, all interleavings",
		.run = no_loss,
		.argument =
			SHAPE(.waiters = 1, .items_each = 1, .notifiers = 1, .notifications = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
		.spurious_wakes = true,
	},
	{
		.name = "eventcount: 2 waiters, 2 notifiers",
		.run = no_loss,
		.argument =
			SHAPE(.waiters = 2, .items_each = 1, .notifiers = 2, .notifications = 1),
	},
	{
		.name = "eventcount: 2 waiters, 1 notifier of 3",
		.run = no_loss,
		.argument =
			SHAPE(.waiters = 2, .items_each = 1, .notifiers = 1, .notifications = 3),
	},
	{
		.name = "eventcount: 1 waiter of 2, 2 notifiers",
		.run = no_loss,
		.argument =
			SHAPE(.waiters = 1, .items_each = 2, .notifiers = 2, .notifications = 1),
		.preemptions = 3,
	},
	{
		.name = "eventcount: notify_all",
		.run = no_loss,
		.argument = SHAPE(.waiters = 2, .items_each = 1, .notifiers = 1, .notifications = 2,
				  .all = true),
		.preemptions = 3,
	},
	{
		.name = "eventcount: what was before the notification is visible",
		.run = visible,
		.argument = SHAPE(.waiters = 1),
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	},
	{
		.name = "eventcount: a deadline",
		.run = deadline,
		.argument = SHAPE(.notifications = 1),
		.preemptions = MODEL_UNBOUNDED,
	},
	{
		.name = "eventcount: a blocking mpmc_queue, naive, notify_one",
		.run = naive_queue,
		.argument = SHAPE(.waiters = 2),
		.stale = MODEL_NONE,
		.expect = "deadlock or lost wake-up",
	},
	{
		.name = "eventcount: a blocking mpmc_queue, notifications are passed on",
		.run = blocking_queue,
		.argument = SHAPE(.waiters = 2),
		.stale = MODEL_NONE,
	},
	{
		.name = "eventcount: a blocking mpmc_queue, notify_all",
		.run = naive_queue,
		.argument = SHAPE(.waiters = 2, .all = true),
		.stale = MODEL_NONE,
	},
	{
		.name = "eventcount: with a spin budget",
		.run = no_loss,
		.argument = SHAPE(.waiters = 1, .items_each = 1, .notifiers = 1, .notifications = 1,
				  .spin_ns = 1500),
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
