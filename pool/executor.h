/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_EXECUTOR_H
#define WEFT_POOL_EXECUTOR_H

/*
 * Handing work to a pool: weft_spawn for a call whose end nobody waits for, and weft_task for one
 * that lives in the caller's memory and is submitted without any allocation. For a result, see
 * weft_submit in future.h.
 *
 * When not to use it: for work of less than a few hundred nanoseconds a piece. Put more into one
 * task.
 *
 * A task may submit, and may wait for whatever it likes: another task, a future, anything made of
 * park. It is then suspended with the stack that it is on, and its worker takes another and runs
 * other tasks; it goes on later on the same worker, with its errno and its rounding. (Without
 * memory for a stack the worker goes on only with tasks that had begun; while none of those may, it
 * sleeps with its task, and looks again each millisecond.) Tasks that
 * wait for each other in a circle wait for ever, which is not noticed; one that waits for itself
 * gets -EDEADLK. A task takes its worker along into system calls that block.
 *
 * A task that says that it may move (may_move in its options) goes on on whichever worker takes it
 * first, when its own is busy. It begins on a stack of stack_bytes, not on the thread's own. It
 * still stays for a wait with a deadline, and inside of a run of fork-join, a blocking section or a
 * section of reclaim.h. It takes errno and rounding along; all else that is a thread's is another
 * one's afterwards, and compilers do not know that: they keep the address of a thread-local
 * variable, and of errno, for a whole function and what is inlined there. So a function of such a
 * task that waits leaves those, and sections of reclaim.h, to functions that it calls and that are
 * __attribute__((noinline)). weft_pool_local and weft_pool_worker_index are such; what lockfree/
 * keeps for each CPU (counters, histograms) is not concerned.
 *
 *     operation                     threads  progress                  sleeps  allocates
 *     weft_spawn, _spawn_with       any      lock-free but the kernel  no      yes
 *     weft_task_init                one      wait-free                 no      no
 *     weft_task_submit, _with       any      lock-free but the kernel  no      no (*)
 *     weft_task_submit_many         any      lock-free but the kernel  no      no (*)
 *     weft_task_wait                any      blocking                  yes     no
 *     weft_task_cancel              any      lock-free                 no      no
 *     weft_task_is_done             any      wait-free                 no      no
 *     weft_task_yield               any      lock-free                 no      no
 *
 * (The kernel is entered when a sleeping worker must be woken.)
 * (*) A worker's deque doubles when it is full; without memory for that the task is kept all the
 * same.
 *
 * What happens before a submission is visible to the task; what a task does is visible after its
 * wait.
 *
 * Where the pool is bounded (max_queued in pool.h) and has no room, each submission waits, returns
 * -EAGAIN or runs the task itself, as the pool's options say.
 *
 * Order: there is none among tasks of one priority, but that each begins at last: of 64 tasks that
 * a worker takes one is an oldest of normal priority that it has (of those from inside and of those
 * from outside the pool, in turns), one an oldest of high and one of low priority that it finds,
 * one the oldest that is for this worker alone, and one the oldest that has yielded. So a task
 * waits for at most 127 tasks of others for itself and each of its kind before it, whatever is
 * submitted meanwhile, as long as tasks return or wait. (Of tasks that have waited, and go on, up
 * to 16 in a row count as one.)
 */

#include <weft/lockfree/base.h>
#include <weft/pool/pool.h>
#include <weft/sync/deadline.h>

typedef struct weft_task weft_task;
typedef struct weft_strand weft_strand;

/* What comes first when there is more than can run. A task that runs is not interrupted. */
typedef enum weft_priority {
	WEFT_PRIORITY_NORMAL,
	WEFT_PRIORITY_HIGH,
	WEFT_PRIORITY_LOW
} weft_priority;

/* How a task is to be run. Zeroed but for the size it means what NULL means. */
typedef struct weft_submit_options {
	/* sizeof(weft_submit_options), filled by WEFT_SUBMIT_OPTIONS_INIT. */
	size_t size;
	weft_priority priority;
	/*
	 * On this worker and no other; it runs such tasks in the order of submission, before
	 * others. Their priority is not looked at.
	 */
	bool to_worker;
	unsigned worker;
	/*
	 * One at a time with the other tasks of this strand, in the order of submission, wherever
	 * the strand runs (strand.h): the members above are not looked at. NULL: alone.
	 */
	weft_strand *strand;
	/*
	 * The task may go on on another worker when it has waited; see above. Not with to_worker.
	 * Of a strand's tasks that is for the strand's own options to say.
	 */
	bool may_move;
} weft_submit_options;

#define WEFT_SUBMIT_OPTIONS_INIT                                                                   \
	{                                                                                          \
		sizeof(weft_submit_options), WEFT_PRIORITY_NORMAL, false, 0, NULL, false           \
	}

/* A task's function finds its data around the task: the task is a member of the caller's struct. */
typedef void (*weft_task_function)(weft_task *task);

/*
 * A unit of work in the caller's memory. From its submission until it is done (weft_task_wait
 * returned 0 or -ECANCELED, or weft_task_is_done said so) it belongs to the pool. After that, and
 * when no other thread is still inside weft_task_wait for it, it may be submitted again.
 */
struct weft_task {
	weft_task_function function_;
	weft_task *next_; /* in an inbox; written by whoever holds the task */
	weft_pool *pool_; /* where it was submitted last */
	/* What it is doing, and who waits for it; see worker.h. The word waiters sleep on. */
	WEFT_ATOMIC(uint32_t) state_;
	WEFT_ATOMIC(uint32_t) spin_ns_; /* how long a thread spins that waits; from the pool */
	uint32_t kind_;                 /* what stands around it; see worker.h */
	/* Of a future: how many; see future.c. Of others: for who submits many. */
	WEFT_ATOMIC(uint32_t) owners_;
};

WEFT_BEGIN_DECLS

/*
 * Runs function(argument) on a worker of the pool. Nobody learns of its end; when the pool aborts
 * first it is dropped and counted as canceled.
 *
 * Threads: any. Progress: lock-free but for the kernel and the allocator.
 * Returns 0; -EPIPE when the pool is closed; -ENOMEM; -EINVAL when pool or function is NULL.
 */
WEFT_API int weft_spawn(weft_pool *pool, void (*function)(void *argument), void *argument);

/*
 * The same with options, which may be NULL.
 * Threads: any. Progress: as weft_spawn.
 * Returns also -EINVAL when the options have another size than this library knows, a priority that
 * there is not, or a worker or a strand that is not the pool's.
 */
WEFT_API int weft_spawn_with(weft_pool *pool, void (*function)(void *argument), void *argument,
			     const weft_submit_options *options);

/* Prepares a task that was never submitted, or is done. Threads: one. Progress: wait-free. */
WEFT_API void weft_task_init(weft_task *task, weft_task_function function);

/*
 * Hands the task to the pool. A worker of the pool that submits keeps it in its own deque, where
 * idle workers may steal it; other threads put it in the inbox of the worker nearest to them.
 *
 * Threads: any. Progress: lock-free but for the kernel.
 * Returns 0; -EPIPE when the pool is closed; -EBUSY when the task is submitted and not yet done;
 * -EINVAL when pool, task or its function is NULL. On an error the task is as it was.
 */
WEFT_API int weft_task_submit(weft_pool *pool, weft_task *task);

/*
 * The same with options, which may be NULL.
 * Threads: any. Progress: as weft_task_submit.
 * Returns also -EINVAL for options as weft_spawn_with.
 */
WEFT_API int weft_task_submit_with(weft_pool *pool, weft_task *task,
				   const weft_submit_options *options);

/*
 * Hands `count` tasks over at once, all or none, with options for all, or NULL: cheaper than one by
 * one, and one worker at most is woken, which wakes the next when there is more than one can do.
 *
 * Threads: any. Progress: lock-free but for the kernel, O(count).
 * Returns 0; -EPIPE when the pool is closed; -EBUSY when one of the tasks is submitted and not yet
 * done, or there twice; -EINVAL when the pool, the list, a task or its function is NULL, for
 * options as above, or for more than WEFT_SUBMIT_MANY_MAX tasks. On an error all tasks are as they
 * were. None is allowed.
 */
#define WEFT_SUBMIT_MANY_MAX ((size_t)1 << 30)
WEFT_API int weft_task_submit_many(weft_pool *pool, weft_task *const *tasks, size_t count,
				   const weft_submit_options *options);

/*
 * Waits until the task is done and belongs to the caller again.
 *
 * Threads: any. Progress: blocking; a task is suspended, and its worker runs others meanwhile.
 * Returns 0 when it has run; -ECANCELED when it ended without running; -ETIMEDOUT; -EDEADLK in this
 * very task; -EINVAL when it was never submitted, or when the
 * submission that it waited for was refused.
 */
WEFT_API int weft_task_wait(weft_task *task, weft_deadline deadline);

/*
 * Asks that the task be not run. The memory is the caller's again only once weft_task_wait has
 * returned: the pool still holds the task until a worker comes upon it.
 *
 * Threads: any. Progress: lock-free.
 * Returns whether it will not run: false when it runs already, is done, or was never submitted.
 */
WEFT_API bool weft_task_cancel(weft_task *task);

/*
 * Lets other tasks of the worker come first, whether they have begun or not, and goes on then. Does
 * nothing outside of tasks.
 *
 * Threads: any. Progress: lock-free; the calling task comes back after a bounded number of others.
 */
WEFT_API void weft_task_yield(void);

/* Whether the task is done and belongs to the caller. Threads: any. Progress: wait-free. */
WEFT_API bool weft_task_is_done(const weft_task *task);

WEFT_END_DECLS

#endif
