/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/strand.h>

#include <string.h>

#include "worker.h"

enum {
	/* After so many tasks others of the worker come first. */
	TASKS_IN_A_ROW = 32,
	/* Between two looks whether a strand is idle by now. */
	LOOK_NS = 20000,
};

/* What newest_ is while the strand is idle: it is in no queue and no worker has it. */
static weft_task idle;

int weft_strand_init(weft_strand *strand, weft_pool *pool, const weft_submit_options *how)
{
	const weft_submit_options defaults = WEFT_SUBMIT_OPTIONS_INIT;

	if (strand == NULL || pool == NULL || !weft_worker_accepts_(pool, how) ||
	    (how != NULL && how->strand != NULL))
		return -EINVAL;
	memset((void *)strand, 0, sizeof(*strand));
	strand->pool_ = pool;
	strand->how_ = how != NULL ? *how : defaults;
	strand->runner_.kind_ = WEFT_TASK_STRAND_;
	if (strand->how_.may_move)
		weft_worker_let_move_(&strand->runner_);
	strand->runner_.pool_ = pool;
	/* relaxed: the strand is not shared yet. */
	atomic_store_explicit(&strand->newest_, &idle, memory_order_relaxed);
	return 0;
}

bool weft_strand_is_idle(const weft_strand *strand)
{
	/* I1 acquire, pairs with I2: what its tasks did. */
	return atomic_load_explicit(&strand->newest_, memory_order_acquire) == &idle;
}

void weft_strand_fini(weft_strand *strand)
{
	while (!weft_strand_is_idle(strand)) {
		weft_parker parker = {0};

		weft_parker_park(&parker, 0, weft_after(LOOK_NS));
	}
}

/* Takes what was pushed, oldest first. */
static weft_task *take(weft_strand *strand)
{
	/* G1 acquire, pairs with G2: the tasks are complete. */
	return weft_task_reverse_(
		atomic_exchange_explicit(&strand->newest_, NULL, memory_order_acquire));
}

/* It has nothing left. Returns false when there is something by now. The strand may be gone. */
static bool become_idle(weft_strand *strand)
{
	weft_task *nothing = NULL;

	/* I2 release, pairs with I1, G2: what its tasks did, for whoever frees it or goes on. */
	return atomic_compare_exchange_strong_explicit(&strand->newest_, &nothing, &idle,
						       memory_order_release, memory_order_relaxed);
}

/* The pool takes nothing any more: all its tasks end. */
static void cancel_all(weft_strand *strand)
{
	weft_pool *pool = strand->pool_;
	weft_task *task = strand->first_;

	strand->first_ = NULL;
	do {
		if (task == NULL)
			task = take(strand);
		while (task != NULL) {
			weft_task *next = task->next_;

			weft_worker_run_(pool, task, true);
			task = next;
		}
	} while (!become_idle(strand));
}

void weft_strand_run_(weft_task *runner)
{
	weft_strand *strand = (weft_strand *)((char *)runner - offsetof(weft_strand, runner_));
	weft_pool *pool = strand->pool_;

	weft_counter_increment(&pool->run);
	for (int i = 0; i < TASKS_IN_A_ROW; i++) {
		weft_task *task = strand->first_;

		if (task == NULL)
			task = take(strand);
		if (task == NULL) {
			if (become_idle(strand))
				return;
			continue;
		}
		strand->first_ = task->next_;
		weft_worker_run_(pool, task, weft_worker_phase_(pool) == WEFT_POOL_ABORTING_);
	}
	runner->next_ = NULL;
	if (weft_worker_send_behind_(pool, runner, &strand->how_) != 0)
		cancel_all(strand);
}

/* Whether it is for one worker alone, and that is not on duty. One that leaves just after this look
 * has its tasks canceled, as when the pool is closed meanwhile. */
static bool has_no_worker(const weft_strand *strand)
{
	const weft_pool *pool = strand->pool_;

	return strand->how_.to_worker && weft_worker_phase_(pool) == WEFT_POOL_OPEN_ &&
	       weft_inbox_is_closed_(&pool->worker[strand->how_.worker]->private_inbox);
}

int weft_strand_send_(weft_strand *strand, weft_task *first, uint32_t count)
{
	weft_pool *pool = strand->pool_;
	weft_task *newest, *before;
	int error;

	if (!weft_worker_may_submit_(pool) || has_no_worker(strand))
		return -EPIPE;
	if (strand->how_.may_move)
		weft_worker_let_move_(first);
	newest = weft_task_reverse_(first);
	/* relaxed: only its value counts. */
	before = atomic_load_explicit(&strand->newest_, memory_order_relaxed);
	do {
		first->next_ = before == &idle ? NULL : before;
		/* G2 acq_rel, pairs with G1, I2: publishes the tasks; and who finds it idle goes
		 * on where its last worker stopped. */
	} while (!atomic_compare_exchange_weak_explicit(
		&strand->newest_, &before, newest, memory_order_acq_rel, memory_order_relaxed));
	weft_counter_add(&pool->submitted, count);
	if (before != &idle)
		return 0;
	strand->runner_.next_ = NULL;
	error = weft_worker_send_unbounded_(pool, &strand->runner_, 1, &strand->how_);
	/* The pool was closed meanwhile. These tasks, and others that relied on it, are accepted,
	 * and end at once. */
	if (error != 0)
		cancel_all(strand);
	return 0;
}
