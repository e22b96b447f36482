/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/future.h>

#include <stdlib.h>
#include <string.h>

#include <weft/affinity/memory.h>

#include "worker.h"

typedef struct callback {
	struct callback *next;
	weft_future_callback function;
	void *argument;
} callback;

struct weft_future {
	weft_task task;
	/* The pool's ownership until the task is out of its hands, plus the callers'. */
	WEFT_ATOMIC(uint32_t) owners;
	int error;
	weft_function function;
	void *argument;
	void *value;
	/* To be called at the end, latest first; callbacks_closed once they were taken. */
	WEFT_ATOMIC(callback *) callbacks;
	uint32_t magic;
};

static_assert(sizeof(weft_future) <= WEFT_CACHE_LINE, "a future takes one line");

enum {
	/* owners: a caller's share is 1, the pool's this much, so that the two do not mix. */
	POOL_SHARE = 1 << 30,
	MAGIC_ALIVE = 0x77656674,
	MAGIC_RELEASED = 0x64656164,
};

static callback callbacks_closed;

#ifdef NDEBUG
static void give_back(weft_future *future)
{
	weft_memory_free(future, sizeof(*future), WEFT_CACHE_LINE);
}
#else
/* A debug build keeps the latest released futures for a while, so that releasing one of them again
 * is seen and not taken for the release of its successor in the same memory. */
static void give_back(weft_future *future)
{
	static WEFT_ATOMIC(weft_future *) released[256];
	static WEFT_ATOMIC(uint32_t) next;
	/* relaxed: any slot will do; R1 hands the memory on. */
	uint32_t slot = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % 256;

	future->magic = MAGIC_RELEASED;
	/* R1 acq_rel, pairs with R1: whoever frees it does so after all that used it. */
	future = atomic_exchange_explicit(&released[slot], future, memory_order_acq_rel);
	weft_memory_free(future, sizeof(*future), WEFT_CACHE_LINE);
}
#endif

static void drop_share(weft_future *future, uint32_t share)
{
	/* O1 acq_rel, pairs with O1: the last owner frees it after all that the others did. */
	uint32_t owners = atomic_fetch_sub_explicit(&future->owners, share, memory_order_acq_rel);

	WEFT_CONTRACT((owners & (POOL_SHARE - 1)) >= (share & (POOL_SHARE - 1)),
		      "a future is released as often as it is owned");
	if (owners == share)
		give_back(future);
}

int weft_submit(weft_pool *pool, weft_function function, void *argument, weft_future **future)
{
	weft_future *made;
	int error;

	if (pool == NULL || function == NULL || future == NULL)
		return -EINVAL;
	made = weft_memory_alloc(sizeof(*made), WEFT_CACHE_LINE, WEFT_MEMORY_ANY);
	if (made == NULL)
		return -ENOMEM;
	memset((void *)made, 0, sizeof(*made));
	made->task.kind_ = WEFT_TASK_FUTURE_;
	made->task.pool_ = pool;
	made->task.spin_ns_ = weft_worker_spin_ns_(pool);
	made->function = function;
	made->argument = argument;
	made->magic = MAGIC_ALIVE;
	/* relaxed: sending publishes the future. */
	atomic_store_explicit(&made->task.state_, WEFT_TASK_QUEUED_, memory_order_relaxed);
	atomic_store_explicit(&made->owners, POOL_SHARE + 1, memory_order_relaxed);
	error = weft_worker_send_(pool, &made->task);
	if (error != 0) {
		weft_memory_free(made, sizeof(*made), WEFT_CACHE_LINE);
		return error;
	}
	*future = made;
	return 0;
}

/* Ends a claimed future whose value and error are set: wakes, then calls back. */
static void end(weft_future *future, uint32_t end_state)
{
	callback *latest, *first = NULL;

	weft_worker_end_(&future->task, end_state);
	/* K1 acq_rel, pairs with K2, K3: the registrations; and later ones see the end. */
	latest = atomic_exchange_explicit(&future->callbacks, &callbacks_closed,
					  memory_order_acq_rel);
	while (latest != NULL) {
		callback *next = latest->next;

		latest->next = first;
		first = latest;
		latest = next;
	}
	while (first != NULL) {
		callback *next = first->next;

		first->function(future, first->argument);
		free(first);
		first = next;
	}
}

void weft_future_run_(weft_task *task, bool canceled)
{
	weft_future *future = (weft_future *)task;
	bool claimed =
		weft_worker_claim_(task, canceled ? WEFT_TASK_CANCELING_ : WEFT_TASK_RUNNING_);

	if (claimed && canceled) {
		future->error = -ECANCELED;
		end(future, WEFT_TASK_CANCELED_);
	} else if (claimed) {
		future->error = future->function(future->argument, &future->value);
		end(future, WEFT_TASK_DONE_);
	}
	drop_share(future, POOL_SHARE);
}

int weft_future_wait(weft_future *future, weft_deadline deadline)
{
	if (future == NULL)
		return -EINVAL;
	return weft_worker_wait_for_(&future->task, deadline);
}

bool weft_future_is_done(const weft_future *future)
{
	return weft_worker_ended_(&future->task);
}

void *weft_future_value(const weft_future *future)
{
	return weft_future_is_done(future) ? future->value : NULL;
}

int weft_future_error(const weft_future *future)
{
	return weft_future_is_done(future) ? future->error : -EINPROGRESS;
}

bool weft_future_cancel(weft_future *future)
{
	if (!weft_worker_claim_(&future->task, WEFT_TASK_CANCELING_))
		return false;
	/* A callback may give up the caller's share, and the pool gives up its own at any time. */
	weft_future_retain(future);
	future->error = -ECANCELED;
	end(future, WEFT_TASK_CANCELED_);
	drop_share(future, 1);
	return true;
}

int weft_future_on_done(weft_future *future, weft_future_callback function, void *argument)
{
	callback *entry;

	if (future == NULL || function == NULL)
		return -EINVAL;
	/* Who ended it may not have closed the list yet. */
	if (weft_worker_ended_(&future->task)) {
		function(future, argument);
		return 0;
	}
	entry = malloc(sizeof(*entry));
	if (entry == NULL)
		return -ENOMEM;
	entry->function = function;
	entry->argument = argument;
	/* K2 acquire, pairs with K1: closed means ended, and the value is visible. */
	entry->next = atomic_load_explicit(&future->callbacks, memory_order_acquire);
	do {
		if (entry->next == &callbacks_closed) {
			free(entry);
			function(future, argument);
			return 0;
		}
		/* K3 release, pairs with K1: the registration. A failed exchange acquires as K2. */
	} while (!atomic_compare_exchange_weak_explicit(&future->callbacks, &entry->next, entry,
							memory_order_release,
							memory_order_acquire));
	return 0;
}

weft_future *weft_future_retain(weft_future *future)
{
	/* relaxed: who retains owns it already. */
	atomic_fetch_add_explicit(&future->owners, 1, memory_order_relaxed);
	return future;
}

void weft_future_release(weft_future *future)
{
	if (future == NULL)
		return;
	WEFT_CONTRACT(future->magic == MAGIC_ALIVE, "a future is released as often as it is owned");
	drop_share(future, 1);
}
