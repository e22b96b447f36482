/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_POOL_H
#define WEFT_POOL_POOL_H

/*
 * A set of worker threads, pinned by a plan, that run tasks: see executor.h for handing them work
 * and future.h for results.
 *
 * Each worker has a deque of its own tasks and an inbox for those of other threads. It runs its own
 * newest task first, then takes its inbox, then steals half of what the nearest worker has that has
 * something.
 * With nothing to do it looks around for a short while and then sleeps: an idle pool uses no CPU.
 * Handing over a task wakes one worker, and only when no worker is looking around already.
 *
 * Workers are readers of reclaim.h, for whom a section costs next to nothing. Between tasks and
 * while it sleeps a worker holds nothing; a task that runs for long says weft_reclaim_quiescent.
 * What was retired is freed by workers that have nothing else to do.
 *
 * A task that waits is suspended, and its worker runs others; see executor.h.
 *
 * A task that overflows its stack ends the process by SIGSEGV, as a guard stands below each. (On
 * systems before Linux 6.13 below the first 16384 of them: there a guard takes mappings.) So that
 * this is told from other faults, a handler of SIGSEGV says one line on standard error first. It is
 * set while there are pools, and only if the signal had its default action when the first one was
 * created; a program that wants another sets it before, or whenever it likes.
 *
 * In the child of a fork the workers are not there. A pool from before can be shut down there,
 * which ends nothing and returns at once, and destroyed, and others be created; tasks and futures
 * that had not ended never do, and must not be waited for. In a child that a task has made, the
 * pool of that task cannot be destroyed (-EDEADLK).
 *
 * A worker whose CPU is taken away while it runs (taskset from outside, a cpuset that shrinks, a
 * CPU that goes offline) is moved by the system and goes on. When it next has nothing to do it is
 * bound anew, to a CPU that is left: one that the plan does not use, else one that it then shares
 * with others; while some share, none spins by the default budget. It goes back to its own once
 * that is there again: at the next look, of which there is one in 100 ms at most, before it sleeps;
 * a worker that is displaced looks also between tasks. Who gives it a mask (taskset) is respected,
 * and says so by another mask when the CPU may be used again. The order of stealing stays that of
 * the plan.
 *
 * When not to use it: for work that blocks in the kernel for long (it holds a worker; give it
 * threads of its own), or for a single background thread.
 *
 * Source: work stealing of Blumofe and Leiserson (1999); the rule for waking (a counted set of
 * searchers, of which the last to find work passes the search on) is that of Go's scheduler (Dmitry
 * Vyukov, 2012).
 *
 *     operation                        threads                 progress    sleeps  allocates
 *     weft_pool_create                 any                     blocking    yes     yes
 *     weft_pool_shutdown               any but its workers     blocking    yes     no
 *     weft_pool_destroy                one, not its workers    blocking    yes     no
 *     weft_pool_statistics_read        any                     wait-free   no      no
 *     weft_pool_resize                 any                     lock-free   no      no
 *     weft_blocking_begin, _end        any                     wait-free   no      no
 *     weft_pool_workers, _worker_index any                     wait-free   no      no
 *     weft_pool_local, _local_of       any                     wait-free   no      no
 */

#include <weft/affinity/plan.h>
#include <weft/lockfree/base.h>
#include <weft/sync/deadline.h>

/* Opaque. */
typedef struct weft_pool weft_pool;

/* What a worker does that finds nothing to run. */
typedef enum weft_idle {
	/* Looks around for spin_ns, then sleeps. When more than half of the workers that are awake
	 * look around already, it sleeps at once. */
	WEFT_IDLE_BALANCED,
	/* Keeps looking around and never sleeps: all CPUs of the pool are busy at all times. */
	WEFT_IDLE_LATENCY,
	/* Sleeps at once. */
	WEFT_IDLE_EFFICIENT
} weft_idle;

/* What a submission does that a bounded pool has no room for. */
typedef enum weft_full {
	/* Waits for room, as long as full_wait_ns says, and returns -EAGAIN after that. A task that
	 * submits is suspended. Returns -EPIPE when the pool is closed meanwhile. */
	WEFT_FULL_BLOCK,
	/* Returns -EAGAIN at once. */
	WEFT_FULL_REFUSE,
	/* Runs the task itself, and returns when it has run. Tasks of strands or for one worker are
	 * refused. */
	WEFT_FULL_RUN
} weft_full;

typedef struct weft_pool_options {
	/* sizeof(weft_pool_options), filled by WEFT_POOL_OPTIONS_INIT. */
	size_t size;
	/*
	 * Where the workers run; it must live until the pool is destroyed. NULL: one worker on each
	 * core of this machine that the process may use.
	 */
	const weft_plan *plan;
	/*
	 * Number of workers when there is no plan; 0: as many as cores. More than there are CPUs is
	 * allowed: they take turns. With a plan it must be 0 or what the plan says, unless
	 * max_workers is given.
	 */
	unsigned workers;
	/*
	 * Up to how many workers weft_pool_resize may go; 0: `workers`. The threads of all are
	 * there, and asleep, from the beginning. With a plan, that has so many and those below.
	 */
	unsigned max_workers;
	/* Workers beyond those, that stand in for others in blocking sections: at most so many. */
	unsigned spare_workers;
	/* Leave the workers to the system's scheduler. Stealing still follows the plan. */
	bool unpinned;
	/*
	 * How long a worker looks around, and a thread that waits for a task or for room spins,
	 * before it sleeps; the thread, an eighth of that when all workers were busy as it
	 * submitted. 0: 30 microseconds, or 1 ns where workers share CPUs and spinning for each
	 * other is in vain. Other policies than WEFT_IDLE_BALANCED have spans of their own: they
	 * take 0.
	 */
	uint64_t spin_ns;
	/*
	 * Bytes of stack that a task can count on, from WEFT_POOL_STACK_BYTES_MIN up to _MAX; 0:
	 * 256 KiB. Only what is touched takes memory. Tasks that begin before any has waited run on
	 * the thread's own stack, which is mostly larger.
	 */
	size_t stack_bytes;
	weft_idle idle;
	/*
	 * How many tasks may be accepted and not begun, at most; 0: any number. Who submits many at
	 * once gets -EINVAL for more than that. fork-join runs are not counted.
	 */
	uint32_t max_queued;
	weft_full full;
	uint64_t full_wait_ns; /* 0: without a bound */
	/*
	 * Called on each worker's thread before its first and after its last task, with the
	 * context and the number of the worker; NULL: not called. When worker_begins returns other
	 * than 0, weft_pool_create fails with that, after worker_ends on the workers that had
	 * begun.
	 */
	int (*worker_begins)(void *context, unsigned worker);
	void (*worker_ends)(void *context, unsigned worker);
	void *hook_context;
	/* Bytes of zeroed storage for each worker, on its node; see weft_pool_local. */
	size_t local_bytes;
} weft_pool_options;

#define WEFT_POOL_OPTIONS_INIT                                                                     \
	{                                                                                          \
		sizeof(weft_pool_options), NULL, 0, 0, 0, false, 0, 0, WEFT_IDLE_BALANCED, 0,      \
			WEFT_FULL_BLOCK, 0, NULL, NULL, NULL, 0                                    \
	}

#define WEFT_POOL_STACK_BYTES_MIN ((size_t)16 << 10)
#define WEFT_POOL_STACK_BYTES_MAX ((size_t)1 << 30)

/* What a pool has done since it was created. Sums are exact when the pool is at rest. */
typedef struct weft_pool_statistics {
	/* sizeof(weft_pool_statistics), filled by WEFT_POOL_STATISTICS_INIT. */
	size_t size;
	uint64_t submitted;   /* tasks accepted */
	uint64_t run;         /* tasks whose function has returned */
	uint64_t canceled;    /* tasks that ended without running */
	uint64_t stolen;      /* times that a worker took a task from another one */
	uint64_t parked;      /* times that a worker went to sleep */
	uint64_t woken;       /* times that a sleeping worker was woken for work */
	uint64_t suspensions; /* times that a task waited, and its worker did something else */
	uint64_t moved;       /* times that a task went on on another worker; see executor.h */
	uint32_t suspended;   /* tasks that wait so at present */
	uint32_t workers;     /* worker threads */
	uint32_t unpinned;    /* of these, those that are not bound to the plan's CPU at present */
	int32_t bind_error;   /* why: 0 by option; -ENODEV: the CPU is not there, and a worker is
			       * bound to another; else the negative errno of weft_plan_bind */
} weft_pool_statistics;

#define WEFT_POOL_STATISTICS_INIT                                                                  \
	{                                                                                          \
		sizeof(weft_pool_statistics), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                   \
	}

typedef enum weft_shutdown {
	/* Run everything that was accepted, and what those tasks submit. */
	WEFT_SHUTDOWN_DRAIN,
	/* Let tasks return that have begun, also those that are suspended, whose waits end as they
	 * would have; everything else ends with -ECANCELED. */
	WEFT_SHUTDOWN_ABORT
} weft_shutdown;

WEFT_BEGIN_DECLS

/*
 * Starts the workers. When the process may not bind them they run unpinned; when a CPU of the plan
 * is gone, on what is left, as above. The statistics say so. Workers block all signals but SIGSEGV.
 *
 * Threads: any. Progress: blocking, until every worker has started. options may be NULL: defaults.
 * Returns 0 and the pool; or, with nothing left behind and *pool as it was,
 *   -EINVAL  pool is NULL, the options have another size than this library knows, name a plan and
 *            another number of workers than it has, more workers than max_workers or than
 *            WEFT_PLAN_WORKERS_MAX, no known policies, a span with a policy that does not take
 *            one, or stacks of less than WEFT_POOL_STACK_BYTES_MIN or more than _MAX bytes
 *   -ENOMEM  out of memory
 *   -EAGAIN  the system does not grant another thread
 *   another negative errno of weft_topology_create, or what worker_begins returned
 */
WEFT_API int weft_pool_create(weft_pool **pool, const weft_pool_options *options);

/*
 * From now on so many workers take tasks. More begin at once; one that is too many finishes the
 * task that it is running, and those of it that wait, gives what else it has to another, and
 * sleeps. No task is lost, whatever others submit meanwhile; but one for a worker that has left
 * (to_worker in executor.h) is refused with -EPIPE until it is back.
 *
 * Threads: any, several at once. Progress: lock-free but for the kernel; does not wait for those
 * who leave.
 * Returns 0; -EINVAL when pool is NULL, for 0 or for more workers than max_workers; -EPIPE when the
 * pool is closed.
 */
WEFT_API int weft_pool_resize(weft_pool *pool, unsigned workers);

/*
 * Around what may block a task's thread for long, such as a system call: meanwhile a spare worker
 * of the pool (spare_workers) takes the place of this one. Where all spare ones are in use, or
 * outside of tasks, they do nothing. They nest. What waits by means of park needs none of this: it
 * suspends the task.
 * Threads: any. Progress: wait-free but for the kernel.
 */
WEFT_API void weft_blocking_begin(void);
WEFT_API void weft_blocking_end(void);

/*
 * Closes the pool: from now on other threads that submit get -EPIPE. Then waits until the workers
 * have drained or aborted, as asked, and have ended. While a pool drains its own tasks may still
 * submit; while it aborts they get -EPIPE, too. May be called again, to wait on or to turn a drain
 * into an abort.
 *
 * Threads: any but the pool's workers; several at once. Progress: blocking.
 * Returns 0; -ETIMEDOUT when workers still run at the deadline (they go on); -EDEADLK on a worker
 * of the pool; -EINVAL.
 */
WEFT_API int weft_pool_shutdown(weft_pool *pool, weft_shutdown how, weft_deadline deadline);

/*
 * Drains the pool unless it was shut down, and frees it. Futures of its tasks stay valid. NULL is
 * allowed.
 *
 * Threads: one, after all others have stopped using the pool; not a worker of it.
 * Progress: blocking, without a bound: shut down with a deadline first where that matters.
 * Returns 0; -EDEADLK on a worker of the pool, its hooks included and also while it is being
 * destroyed, and then nothing has changed.
 */
WEFT_API int weft_pool_destroy(weft_pool *pool);

/*
 * Fills *statistics, whose size member must be set (WEFT_POOL_STATISTICS_INIT).
 * Threads: any. Progress: wait-free; visits one line per CPU for each sum.
 * Returns 0, or -EINVAL.
 */
WEFT_API int weft_pool_statistics_read(const weft_pool *pool, weft_pool_statistics *statistics);

/* How many workers the pool was last asked to have. Threads: any. Progress: wait-free. */
WEFT_API unsigned weft_pool_workers(const weft_pool *pool);

/*
 * The number of the calling worker, from 0: an index for storage of one's own per worker; or -1 on
 * a thread that is not a worker of this pool.
 * Threads: any. Progress: wait-free.
 */
WEFT_API int weft_pool_worker_index(const weft_pool *pool);

/*
 * The storage of the calling worker (see local_bytes), aligned to WEFT_CACHE_LINE; and that of any
 * worker, for instance to sum up: what others may do with it meanwhile is the caller's to know. It
 * lives until the pool is destroyed.
 * Threads: any. Progress: wait-free.
 * Returns NULL when there is none: no bytes were asked for, the thread is not a worker of this
 * pool, or there is no such worker.
 */
WEFT_API void *weft_pool_local(const weft_pool *pool);
WEFT_API void *weft_pool_local_of(const weft_pool *pool, unsigned worker);

WEFT_END_DECLS

#endif
