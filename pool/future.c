/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/future.h>

#include <stdlib.h>

#include "task.h"

/*
 * Who frees a future. Its callers, and each callback that is to be called, are owners and counted;
 * and so is, once there are callbacks, whoever ends it, for a thread that comes a little late may
 * call them all.
 * The pool is not: until its end a future is the pool's, too, and the last owner, who leaves before
 * that, says so in the state; whoever ends it then frees it. A future that was canceled may still
 * be in a queue, and is the pool's until a worker comes upon it there (HELD).
 */

typedef struct callback {
	struct callback *next;
	weft_future_callback function;
	void *argument;
} callback;

/* The function is the task's function_, as a pointer of another type. */
struct weft_future {
	weft_task task;
	/* The function's argument until it is called; then the value. */
	void *value;
	/* To be called at the end, latest first. */
	WEFT_ATOMIC(callback *) callbacks;
	int error;
	uint32_t magic;
};

static_assert(sizeof(weft_future) == WEFT_TASK_BYTES_, "no byte too many");

enum {
	MAGIC_ALIVE = 0x77656674,
	MAGIC_RELEASED = 0x64656164,
};

static void give_back(weft_future *future)
{
	future->magic = MAGIC_RELEASED;
	weft_task_retire_(future);
}

/* Whether the pool has no more to do with a future in this state. */
static bool is_let_go(uint32_t state)
{
	return (state & WEFT_TASK_STATE_MASK_) >= WEFT_TASK_DONE_ && (state & WEFT_TASK_HELD_) == 0;
}

/* Of an owner. The last one frees the future, or leaves that to the pool. */
static void drop_share(weft_future *future)
{
	WEFT_ATOMIC(uint32_t) *state = &future->task.state_;

	WEFT_CONTRACT(future->magic == MAGIC_ALIVE, "a future is released as often as it is owned");
	/* O1 acquire, pairs with O2: a single owner comes after all that the others did. */
	uint32_t owners = atomic_load_explicit(&future->task.owners_, memory_order_acquire);

	/* O2 acq_rel, pairs with O1, O2: of several the last one does. */
	if (owners != 1)
		owners = atomic_fetch_sub_explicit(&future->task.owners_, 1, memory_order_acq_rel);
	WEFT_CONTRACT(owners > 0, "a future is released as often as it is owned");
	if (owners != 1)
		return;
	/* relaxed: for the contract only. */
	atomic_store_explicit(&future->task.owners_, 0, memory_order_relaxed);
	/* D1 acquire, pairs with D2, task:T2, task:T4: the pool's last look was before. */
	if (is_let_go(atomic_load_explicit(state, memory_order_acquire)) ||
	    /* D3 acq_rel, pairs with D2, D3, task:T2: as D1, or all that was done with the future
	     * is before the pool frees it. */
	    is_let_go(atomic_fetch_or_explicit(state, WEFT_TASK_DISOWNED_, memory_order_acq_rel)))
		give_back(future);
}

/* A future that is queued, for the caller and the pool, or NULL without memory. */
static weft_future *create(weft_pool *pool, weft_function function, void *argument)
{
	weft_future *made = weft_task_alloc_();

	if (made == NULL)
		return NULL;
	made->task.function_ = (weft_task_function)(void (*)(void))function;
	made->task.next_ = NULL;
	made->task.pool_ = pool;
	weft_worker_let_spin_(&made->task, weft_worker_note_submission_(pool));
	made->task.kind_ = WEFT_TASK_FUTURE_;
	made->value = argument;
	made->error = 0;
	made->magic = MAGIC_ALIVE;
	/* relaxed: sending publishes the future. */
	atomic_store_explicit(&made->task.state_, WEFT_TASK_QUEUED_, memory_order_relaxed);
	atomic_store_explicit(&made->task.owners_, 1, memory_order_relaxed);
	atomic_store_explicit(&made->callbacks, NULL, memory_order_relaxed);
	return made;
}

int weft_submit(weft_pool *pool, weft_function function, void *argument, weft_future **future)
{
	return weft_submit_with(pool, function, argument, NULL, future);
}

int weft_submit_with(weft_pool *pool, weft_function function, void *argument,
		     const weft_submit_options *options, weft_future **future)
{
	weft_future *made;
	int error;

	if (pool == NULL || function == NULL || future == NULL ||
	    !weft_worker_accepts_(pool, options))
		return -EINVAL;
	made = create(pool, function, argument);
	if (made == NULL)
		return -ENOMEM;
	error = weft_worker_send_(pool, &made->task, 1, options);
	if (error != 0) {
		weft_task_free_(made);
		return error;
	}
	*future = made;
	return 0;
}

int weft_submit_many(weft_pool *pool, weft_function function, void *const *arguments, size_t count,
		     const weft_submit_options *options, weft_future **futures)
{
	weft_task *first = NULL;
	int error = -ENOMEM;
	size_t made = count;

	if (pool == NULL || function == NULL || count > WEFT_SUBMIT_MANY_MAX ||
	    (count > 0 && (arguments == NULL || futures == NULL)) ||
	    !weft_worker_accepts_(pool, options))
		return -EINVAL;
	if (count == 0)
		return 0;
	/* The last one first, so that each is linked to the next. */
	while (made > 0) {
		weft_future *future = create(pool, function, arguments[made - 1]);

		if (future == NULL)
			break;
		future->task.next_ = first;
		first = &future->task;
		futures[--made] = future;
	}
	if (made == 0)
		error = weft_worker_send_(pool, first, (uint32_t)count, options);
	if (error != 0)
		for (; made < count; made++)
			weft_task_free_(futures[made]);
	return error;
}

/* Calls back all that there are, in the order of registration; each owns a share of the future. */
static void call_back(weft_future *future)
{
	/* K1 acquire, pairs with K2: the registrations. */
	callback *latest = atomic_exchange_explicit(&future->callbacks, NULL, memory_order_acquire);
	callback *first = NULL;

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
		drop_share(future);
		first = next;
	}
}

/* The future, which was in this state before, has ended. */
static void follow_up(weft_future *future, uint32_t state)
{
	if ((state & WEFT_TASK_CALLS_BACK_) != 0) {
		call_back(future);
		drop_share(future);
	} else if ((state & WEFT_TASK_DISOWNED_) != 0) {
		give_back(future);
	}
}

void weft_future_run_(weft_task *task, bool canceled)
{
	weft_future *future = (weft_future *)task;

	if (weft_worker_claim_(task, canceled ? WEFT_TASK_CANCELING_ : WEFT_TASK_RUNNING_)) {
		void *argument = future->value;

		future->value = NULL;
		if (canceled)
			future->error = -ECANCELED;
		else
			future->error = ((weft_function)(void (*)(void))task->function_)(
				argument, &future->value);
		follow_up(future,
			  weft_worker_end_(task, canceled ? WEFT_TASK_CANCELED_ : WEFT_TASK_DONE_));
		return;
	}
	/* Somebody has canceled it, or is about to.
	 * D2 acq_rel, pairs with D1, D3, D2: who comes last frees it, after all others. */
	uint32_t state = atomic_fetch_and_explicit(&task->state_, ~(uint32_t)WEFT_TASK_HELD_,
						   memory_order_acq_rel);

	if (is_let_go(state & ~(uint32_t)WEFT_TASK_HELD_) && (state & WEFT_TASK_DISOWNED_) != 0)
		give_back(future);
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
	if (!weft_worker_claim_(&future->task, WEFT_TASK_CANCELING_ | WEFT_TASK_HELD_))
		return false;
	/* A callback may give up the caller's share. */
	weft_future_retain(future);
	future->value = NULL;
	future->error = -ECANCELED;
	follow_up(future, weft_worker_end_held_(&future->task));
	drop_share(future);
	return true;
}

int weft_future_on_done(weft_future *future, weft_future_callback function, void *argument)
{
	callback *entry;
	uint32_t state;

	if (future == NULL || function == NULL)
		return -EINVAL;
	if (weft_worker_ended_(&future->task)) {
		function(future, argument);
		return 0;
	}
	entry = malloc(sizeof(*entry));
	if (entry == NULL)
		return -ENOMEM;
	entry->function = function;
	entry->argument = argument;
	weft_future_retain(future);
	/* relaxed: K2 publishes the entry, behind whatever others. */
	entry->next = atomic_load_explicit(&future->callbacks, memory_order_relaxed);
	do {
		/* K2 release, pairs with K1: the registration. */
	} while (!atomic_compare_exchange_weak_explicit(&future->callbacks, &entry->next, entry,
							memory_order_release,
							memory_order_relaxed));
	/* For who ends it. */
	weft_future_retain(future);
	/* K3 acq_rel, pairs with task:T2, task:T4: either who ends it calls back, or it has ended,
	 * and the value is visible. */
	state = atomic_fetch_or_explicit(&future->task.state_, WEFT_TASK_CALLS_BACK_,
					 memory_order_acq_rel);
	if ((state & WEFT_TASK_STATE_MASK_) >= WEFT_TASK_DONE_)
		call_back(future);
	else if ((state & WEFT_TASK_CALLS_BACK_) == 0)
		return 0;
	drop_share(future);
	return 0;
}

weft_future *weft_future_retain(weft_future *future)
{
	/* relaxed: who retains owns it already. */
	atomic_fetch_add_explicit(&future->task.owners_, 1, memory_order_relaxed);
	return future;
}

void weft_future_release(weft_future *future)
{
	if (future == NULL)
		return;
	drop_share(future);
}
