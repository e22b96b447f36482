/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_STRAND_H
#define WEFT_POOL_STRAND_H

/*
 * Keyed serial execution: tasks of one strand run one at a time and in the order of submission, on
 * any worker of the pool. One strand for each connection, account or document, and what belongs to
 * it needs no lock:
 *
 *     weft_strand_init(&account->strand, pool, NULL);
 *     ...
 *     weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
 *     options.strand = &account->strand;
 *     weft_spawn_with(pool, deposit, account, &options);
 *
 * When not to use it: for tasks that only need to be on one thread (to_worker in executor.h), or
 * where a task waits for another of its strand: that never comes (and is not noticed).
 *
 * How: tasks are pushed to a list with one exchange. Who finds the strand idle hands it to the
 * pool, where it runs as one task: it takes the list, runs the tasks, and after some of them goes
 * to the end of the queue, so that a busy strand does not keep a worker. Idle strands cost nothing.
 *
 * Source: the strands of Boost.Asio (Christopher Kohlhoff); the list is that of inboxes (lane.h).
 *
 *     operation            threads  progress     sleeps  allocates
 *     weft_strand_init     one      wait-free    no      no
 *     weft_strand_fini     one      blocking     yes     no
 *     weft_strand_is_idle  any      wait-free    no      no
 *     (submitting: as without a strand, executor.h and future.h)
 *
 * What a task does is visible to the next one of its strand. A pool counts the strand as one more
 * task each time that it is handed over. When the pool aborts, the tasks of its strands end with
 * -ECANCELED, too; so do those that are accepted at the very moment in which the pool closes, or in
 * which the one worker of the strand leaves (weft_pool_resize).
 */

#include <weft/lockfree/base.h>
#include <weft/pool/executor.h>

/* In the caller's memory; it must not be moved. */
struct weft_strand {
	/* Tasks that were not taken yet, newest first; a mark while the strand is idle. Written by
	 * any thread. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(weft_task *) newest_;
	weft_pool *pool_;
	weft_submit_options how_;
	/* The strand itself in the pool's queues; and what it has taken, oldest first. */
	weft_task runner_;
	weft_task *first_;
};

WEFT_BEGIN_DECLS

/*
 * Makes an idle strand of the pool. `how` is for all of its tasks: their priority, or the one
 * worker that runs them; NULL: as weft_submit_options are when zeroed.
 * Threads: one, before the strand is shared. Progress: wait-free.
 * Returns 0; -EINVAL when an argument but `how` is NULL, or for options as weft_spawn_with, or when
 * they name a strand.
 */
WEFT_API int weft_strand_init(weft_strand *strand, weft_pool *pool, const weft_submit_options *how);

/*
 * Waits until the strand is idle. Its memory is then the caller's.
 * Threads: one, after all tasks of the strand are done, not a task of it. Progress: blocking, for
 * as long as a worker takes to notice that the last task has ended.
 */
WEFT_API void weft_strand_fini(weft_strand *strand);

/* Whether it has no task at present. Threads: any. Progress: wait-free. */
WEFT_API bool weft_strand_is_idle(const weft_strand *strand);

WEFT_END_DECLS

#endif
