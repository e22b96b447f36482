/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_WORKER_H
#define WEFT_POOL_WORKER_H

/*
 * Private: a worker, the pool around it, and what both know of a task. How workers sleep and
 * are woken: wake.h.
 */

#include <pthread.h>

#include <weft/affinity/rebind.h>
#include <weft/lockfree/counter.h>
#include <weft/lockfree/fork_stack.h>
#include <weft/pool/executor.h>
#include <weft/pool/pool.h>
#include <weft/pool/strand.h>
#include <weft/sync/park.h>

#include "bound.h"
#include "fiber.h"
#include "lane.h"
#include "overflow.h"
#include "wake.h"

/* weft_task.kind_: what stands around the task, and so how it is run and how it ends. */
enum {
	WEFT_TASK_PLAIN_, /* the caller's; its function is called, then it is the caller's again */
	WEFT_TASK_SPAWNED_,     /* executor.c's, freed after the call */
	WEFT_TASK_FUTURE_,      /* future.c's */
	WEFT_TASK_STOLEN_CALL_, /* forkjoin.c's: stands for the call that the worker has stolen */
	WEFT_TASK_SUSPENDED_,   /* fiber.c's: stands for one that has begun */
	WEFT_TASK_STRAND_,      /* strand.c's: runs some of its tasks */
	WEFT_TASK_KIND_MASK_ = 0xff,
	/* Bits: the pool is bounded and has counted it; it may go on on another worker. */
	WEFT_TASK_COUNTED_ = 1 << 8,
	WEFT_TASK_MAY_MOVE_ = 1 << 9,
};

/*
 * weft_task.state_: one of these, plus the bits below. A task goes idle -> queued -> running ->
 * done, or queued -> canceling -> canceled, and from done and canceled to queued again.
 */
enum {
	WEFT_TASK_IDLE_ = 0,
	WEFT_TASK_QUEUED_ = 1,
	WEFT_TASK_RUNNING_ = 2,
	WEFT_TASK_CANCELING_ = 3, /* will not run; the pool still holds it */
	WEFT_TASK_DONE_ = 4,
	WEFT_TASK_CANCELED_ = 5,
	WEFT_TASK_STATE_MASK_ = 7,
	WEFT_TASK_THREAD_WAITS_ = 8, /* a thread sleeps on the word */
	WEFT_TASK_TASK_WAITS_ = 16,  /* a suspended task waits for the word */
	/* Of futures; see future.c. */
	WEFT_TASK_CALLS_BACK_ = 1 << 8, /* there is somebody to be called at the end */
	WEFT_TASK_DISOWNED_ = 1 << 9,   /* who comes last frees it */
	WEFT_TASK_HELD_ = 1 << 10,      /* canceled, but still in a queue */
};

/* pool->phase: only ever grows. */
enum {
	WEFT_POOL_OPEN_,
	WEFT_POOL_DRAINING_,
	WEFT_POOL_ABORTING_,
	WEFT_POOL_ENDED_, /* nothing is left and nothing can come: the workers return */
};

/* In the order in which they are looked at. */
enum {
	WEFT_LANE_HIGH_,
	WEFT_LANE_NORMAL_,
	WEFT_LANE_LOW_,
	WEFT_LANES_,
};

struct weft_worker_ {
	weft_lane_ lane[WEFT_LANES_];
	/* Written by whoever wakes this worker. */
	WEFT_LINE_ALIGNED weft_parker parker;
	/* Tasks for this worker alone; written by any thread. */
	weft_inbox_ private_inbox;
	/* The same, of the pool's own tasks while it drains and the one above is closed. */
	weft_inbox_ late_inbox;
	/* Where it is to be bound when it comes on duty; written by who wants it there. */
	WEFT_ATOMIC(uint32_t) place;
	/* The worker's own. */
	WEFT_LINE_ALIGNED weft_pool *pool;
	unsigned index;
	uint32_t ticks;           /* tasks taken; tells whose turn it is */
	uint32_t woken_in_vain;   /* how often, of late; up to a limit */
	weft_deadline nap_end;    /* until then it asks for no calls in its sleep */
	weft_task *private_first; /* taken from private_inbox, oldest first */
	uint64_t taken;           /* tasks out of inboxes and of other deques */
	weft_cpu_heels_ heels;    /* of those they come from */
	void *local;              /* storage for the user, or NULL */
	uint32_t blocking;        /* blocking sections that its tasks are in */
	uint32_t bound_place;     /* the worker of the plan whose CPU is to be its own */
	weft_binding_ binding;    /* to that CPU */
	weft_deadline looked_at_place;
	pthread_t thread;
	/* forkjoin.c: its fork stacks, and a stolen call that is to be made. */
	weft_fork_level_ *fork_levels; /* all of them */
	weft_fork_level_ *fork_free;
	weft_fork_slot *fork_stolen;
	struct weft_worker_ *fork_victim;
	unsigned fork_waiting; /* joins of its that wait and have given it away */
	bool fork_declines;    /* it steals no calls: too many joins wait, or there is no memory */
	weft_task fork_task;
	weft_fibers_ fibers;
	weft_overflow_ overflow;
	/* The fork stack that thieves look at, or NULL; written by the worker. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(weft_fork_level_ *) fork_shown;
};

/* In pool->quiet: one more is quiet, for the so manieth time; and how many are. */
#define WEFT_QUIET_ONE_            (((uint64_t)1 << 32) + 1)
#define WEFT_QUIET_WORKERS_(quiet) ((uint32_t)(quiet))

struct weft_pool {
	/* Constant once the workers run. */
	const weft_plan *plan;
	weft_plan *own_plan; /* the same when the pool made it, else NULL */
	weft_worker_ **worker;
	unsigned workers;     /* all of them */
	unsigned workers_max; /* without those that only stand in for others */
	uint64_t spin_ns;
	uint64_t spin_ns_crowded; /* while workers share a CPU that has been taken from another */
	size_t stack_bytes;
	weft_idle idle;
	bool unpinned;
	uint32_t generation; /* that it was created in */
	bool shares_cpus;    /* workers do, that are there at the beginning */
	weft_full full;
	uint64_t full_wait_ns;
	int (*worker_begins)(void *context, unsigned worker);
	void (*worker_ends)(void *context, unsigned worker);
	void *hook_context;
	size_t local_bytes;
	/* Written when the pool starts and stops. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) phase;
	WEFT_ATOMIC(uint32_t) alive;    /* worker threads; the word shutdown sleeps on */
	WEFT_ATOMIC(uint32_t) starting; /* not yet bound; the word create sleeps on */
	WEFT_ATOMIC(uint32_t) unbound;  /* workers that are not where the plan wants them */
	WEFT_ATOMIC(uint32_t) crowded;  /* of these, those that share a CPU for that */
	WEFT_ATOMIC(int32_t) bind_error;
	WEFT_ATOMIC(int32_t) hook_error; /* of a worker_begins that failed */
	/* duty.c: workers with lower numbers are on duty; and how many were asked for. */
	WEFT_ATOMIC(uint32_t) on_duty;
	WEFT_ATOMIC(uint32_t) wanted;
	/* While closing, or not on duty: workers that hold no task, whose inbox is closed and whose
	 * deque is empty. When that is all of them the pool has ended. */
	WEFT_ATOMIC(uint64_t) quiet; /* see WEFT_QUIET_ONE_ */
	weft_wake_ wake;
	weft_bound_ bound;
	/* Tasks in lanes of high and low priority. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) queued[WEFT_LANES_];
	weft_counter submitted;
	weft_counter run;
	weft_counter canceled;
	weft_counter stolen;
	weft_counter parked;
	weft_counter woken;
	weft_counter suspensions;
	weft_counter moved;
};

/* The worker that the calling thread is, or NULL. */
extern _Thread_local weft_worker_ *weft_worker_current_
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* task.c: the calling thread spins for one task after the other. */
extern _Thread_local bool weft_worker_follows_
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A thread's whole life as a worker; the argument is its weft_worker_. */
void *weft_worker_main_(void *worker);

/* Runs tasks, on the stack of this fiber and on whatever worker that is, until the pool has ended.
 */
void weft_worker_loop_(const weft_fiber_ *fiber);

/* How long a worker looks around, and who waits for one spins. */
WEFT_INLINE uint64_t weft_worker_look_ns_(const weft_pool *pool)
{
	/* relaxed: a hint. */
	return WEFT_LIKELY(atomic_load_explicit(&pool->crowded, memory_order_relaxed) == 0)
		       ? pool->spin_ns
		       : pool->spin_ns_crowded;
}

/* Sleeps until there is a token for this worker, or the deadline; it reads nothing meanwhile. */
void weft_worker_park_(weft_worker_ *self, weft_deadline deadline);

WEFT_INLINE uint32_t weft_worker_phase_(const weft_pool *pool)
{
	/* F1 acquire, pairs with F2, pool:F3, pool:F4: what was done before closing. */
	return atomic_load_explicit(&pool->phase, memory_order_acquire);
}

/*
 * submit.c: hands over `count` queued tasks, linked by next_ in their order. The options are valid,
 * or NULL. Returns 0, -EPIPE, and -EAGAIN or -EINVAL where the pool is bounded and has no room. The
 * tasks may be gone on return.
 */
int weft_worker_send_(weft_pool *pool, weft_task *first, uint32_t count,
		      const weft_submit_options *options);

/* The same whatever the bound, not to a strand. Returns 0 or -EPIPE. */
int weft_worker_send_unbounded_(weft_pool *pool, weft_task *first, uint32_t count,
				const weft_submit_options *options);

/* The same for one task, of a worker of the pool: it comes behind those that this worker has. */
int weft_worker_send_behind_(weft_pool *pool, weft_task *task, const weft_submit_options *options);

/* These tasks, which are linked, may go on on another worker when they have waited. */
WEFT_INLINE void weft_worker_let_move_(weft_task *first)
{
	for (; first != NULL; first = first->next_)
		first->kind_ |= WEFT_TASK_MAY_MOVE_;
}

/* A suspended task may go on, on any worker. The caller is one of them or counted in wakers of the
 * worker on which the task was `last`. */
void weft_worker_offer_(weft_worker_ *last, weft_task *going_on);

/* `self` has taken a task that was suspended on the worker `last` and may move. */
void weft_worker_taken_(weft_worker_ *last, const weft_worker_ *self);

/* Whether the options, which are there, are valid for this pool. */
bool weft_worker_accepts_these_(const weft_pool *pool, const weft_submit_options *options);

/* The same; NULL is valid. */
WEFT_INLINE bool weft_worker_accepts_(const weft_pool *pool, const weft_submit_options *options)
{
	return WEFT_LIKELY(options == NULL) || weft_worker_accepts_these_(pool, options);
}

/* Whether the calling thread is a worker of the pool; and whether it may submit at present. */
bool weft_worker_is_inside_(const weft_pool *pool);
bool weft_worker_may_submit_(const weft_pool *pool);

/* Runs a task on this thread, or ends it unrun. It may be gone on return. */
void weft_worker_run_(weft_pool *pool, weft_task *task, bool cancel);

/* worker_place.c: runs the worker on the CPU of this place in the plan, or on what is left; and
 * looks now and then whether CPUs have gone or come back. */
void weft_worker_take_place_(weft_worker_ *self, uint32_t place);
void weft_worker_keep_place_(weft_worker_ *self);

/* duty.c: whether nothing keeps a worker that is not on duty; it leaves, and is back on return. */
bool weft_worker_may_leave_(const weft_worker_ *self);
void weft_worker_leave_(weft_worker_ *self);

/* Whether this worker is to leave, between two tasks. */
WEFT_INLINE bool weft_worker_is_off_duty_(const weft_worker_ *self)
{
	/* relaxed: who changes it unparks this worker. */
	return WEFT_UNLIKELY(self->index >=
			     atomic_load_explicit(&self->pool->on_duty, memory_order_relaxed)) &&
	       weft_worker_may_leave_(self);
}

/* strand.c: hands over tasks to a strand of the pool; runs some of its tasks. */
int weft_strand_send_(weft_strand *strand, weft_task *first, uint32_t count);
void weft_strand_run_(weft_task *runner);

/* executor.c: as weft_task_submit, whatever the bound. */
int weft_executor_submit_unbounded_(weft_pool *pool, weft_task *task);

/* There is something for this very worker: wakes it if it is idle. */
void weft_worker_wake_(weft_worker_ *worker);

/* There is work that was made visible: wakes an idle worker, `near` last, unless somebody searches
 * already. */
void weft_worker_wake_one_(weft_pool *pool, unsigned near);

WEFT_INLINE void weft_worker_notify_(weft_pool *pool, unsigned near)
{
	if (WEFT_UNLIKELY(weft_wake_somebody_is_idle_(&pool->wake)))
		weft_worker_wake_one_(pool, near);
}

/* Whether there is something that this worker could do. A guess. */
bool weft_worker_sees_work_(const weft_worker_ *self);

/* Whether some worker that is awake looks for work. A guess. */
bool weft_worker_somebody_searches_(const weft_pool *pool);

/* The calling thread submits tasks to this pool, and so is at no worker's heels any more. Returns
 * how long a thread spins that waits for one of them; with a bit for the case that no worker is
 * idle. Then the task may begin only when another has ended, and the waiting thread may be what
 * keeps a worker from its CPU: it spins for a part of that time only, unless the task has begun by
 * then. */
#define WEFT_SPIN_IF_BEGUN_ ((uint32_t)1 << 31)
uint32_t weft_worker_note_submission_(const weft_pool *pool);

/* Tells all workers that the phase has changed. */
void weft_worker_wake_all_(weft_pool *pool);

/* Forks that lead to this process: a pool of another generation has no workers here. */
extern uint32_t weft_pool_generation_ __attribute__((visibility("hidden")));

/* task_memory.c: memory for what is submitted and stands around a task, of WEFT_TASK_BYTES_; NULL
 * when there is none. Prepared once by weft_pool_create, for all pools; returns 0 or -ENOMEM. */
#define WEFT_TASK_BYTES_ 64
int weft_task_memory_prepare_(void);
void *weft_task_alloc_(void);
void weft_task_free_(void *task);
/* Frees what has been a future. */
void weft_task_retire_(void *task);

/* executor.c and future.c: run the thing around the task on this worker, or end it unrun. The task
 * may be gone on return. */
void weft_executor_run_plain_(weft_task *task, bool canceled);
void weft_executor_run_spawned_(weft_task *task, bool canceled);
void weft_future_run_(weft_task *task, bool canceled);

/* A worker with so many joins that wait begins no stolen call. */
#define WEFT_FORK_WAITING_MAX_ 64

/* forkjoin.c: steals a call from the victim's fork stack, or asks it to share; NULL if there is
 * none. Then makes it. */
weft_task *weft_forkjoin_steal_(weft_worker_ *self, weft_worker_ *victim);
void weft_forkjoin_run_stolen_(weft_worker_ *self);
/* Whether a call can be stolen from this worker. */
bool weft_forkjoin_has_public_(const weft_worker_ *worker);
/* Asks all others to share. Returns whether there is anyone. */
bool weft_forkjoin_ask_all_(const weft_worker_ *self);
void weft_forkjoin_free_levels_(weft_worker_ *worker);
/* Whether the address is in the guard behind all slots of one of the worker's fork stacks. */
bool weft_forkjoin_is_beyond_all_(const weft_worker_ *worker, const void *address);
/* A task goes on in the middle of a run: thieves may look there again. */
void weft_forkjoin_show_(weft_worker_ *self);

#endif
