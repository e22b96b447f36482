/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_FIBER_H
#define WEFT_POOL_FIBER_H

/*
 * Private: how a worker gives a task that waits its stack, and goes on with another.
 *
 * A fiber is a stack on which the worker's loop runs, and above the loop at most one task. As long
 * as tasks only run, a worker needs the one that it began with. When a task waits, the worker
 * switches to another fiber, in which the loop goes on; the one that was left belongs to the task.
 * Once that may go on, it is put on the worker's list of those that are ready. The loop, which then
 * has no task above it, leaves its own fiber for the cache and switches to the task's. When the
 * task ends it returns into the loop that had started it, and that one goes on. So no wait grows a
 * stack, and whatever order tasks end in is as good as another.
 *
 * A fiber stays with its worker: what runs there may have the address of a thread-local variable,
 * or of errno, in a register. Other threads that wake a task put its fiber on the list `woken`, and
 * see to it that the worker is awake, as for tasks: the essay in wake.h holds for this list, too.
 *
 * But a task may have said that it may move. Its fiber then moves with it, as a whole: once it is
 * woken and its worker has left it (fiber_gate.h) it is offered to all workers, as a task among
 * those of normal priority, and belongs to the one that takes it. The loop below the task then
 * belongs to that one, too: whatever runs below tasks asks its fiber, after each, whose it is. Such
 * a task does not begin on the thread's own stack, which cannot move. It stays where it is while
 * something of the worker's is its own: a deadline in the timer wheel, a place in a run of
 * fork-join, a blocking section, a section of reclaim. `away` counts those that have been left to
 * whoever takes them; until they are taken the worker neither leaves nor is quiet, and so there is
 * an inbox of its own where others may put them.
 *
 * The memory of a stack stays with the worker that has made it, `home`. A worker with more fibers
 * than it keeps when idle sends those of others home, when it has left them, by their list `woken`.
 *
 * A pool does not end while a task is suspended. Who wakes the last one may still be about to wake
 * its worker when the pool has nothing to do any more: `wakers` counts those, and the worker does
 * not end before them.
 */

#include <weft/lockfree/base.h>
#include <weft/pool/context.h>
#include <weft/pool/executor.h>
#include <weft/sync/park_task.h>

#include "fiber_gate.h"
#include "fiber_stack.h"
#include "timer_wheel.h"
#include "woken_list.h"

typedef struct weft_worker_ weft_worker_;
typedef struct weft_fork_level_ weft_fork_level_;

/* weft_fiber_.state, for who looks at a program from outside. */
enum {
	WEFT_FIBER_CACHED_, /* its loop waits to be of use */
	WEFT_FIBER_RUNNING_,
	WEFT_FIBER_WAITING_, /* it belongs to a task that waits */
	WEFT_FIBER_READY_,   /* it belongs to a task that may go on */
};

/* Stands at the top of its own stack. */
typedef struct weft_fiber_ {
	weft_context context;
	weft_park_task_ park;
	weft_worker_ *worker;  /* whose it is at present */
	const weft_task *task; /* above the loop, or NULL */
	/* forkjoin.c: where the task stands in a run, or NULL. */
	weft_fork_level_ *fork_level;
	/* In the list that it is in. */
	struct weft_fiber_ *next;
	struct weft_fiber_ *previous;
	weft_woken_node_ woken;
	weft_timer_ timer;
	weft_task going_on;      /* stands for its task, among those of a worker */
	weft_fiber_stack_ stack; /* all NULL: the thread's own */
	weft_worker_ *home;
	uint32_t state;
	bool may_move; /* its task, if it waits now */
	bool moves;    /* it does, at its present wait */
	weft_fiber_gate_ gate;
} weft_fiber_;

typedef struct weft_fiber_list_ {
	weft_fiber_ *first;
	weft_fiber_ *last;
} weft_fiber_list_;

/* A worker's fibers. */
typedef struct weft_fibers_ {
	weft_fiber_ *running;
	weft_fiber_list_ ready;   /* they may go on */
	weft_fiber_list_ yielded; /* they may go on, but others come first */
	weft_fiber_list_ cached;  /* the last one used first */
	unsigned cached_count;
	uint32_t handed_over; /* times that one task went on after another */
	bool yielded_turn;    /* one of those that have yielded is next */
	weft_task *carried;   /* the first that the fiber which is switched to is to run */
	weft_fiber_ *left;    /* was left by the last switch, and is no longer this worker's */
	uint64_t looked_tick; /* the processor's counter at the last look at the clock */
	weft_fiber_stacks_ stacks;
	weft_fiber_ first; /* on the thread's own stack */
	/* Tasks that have begun to wait and will go on here; for others to read. */
	WEFT_ATOMIC(uint32_t) suspended;
	weft_timer_wheel_ timers;
	/* Written by whoever wakes a task. */
	WEFT_LINE_ALIGNED weft_woken_list_ woken;
	WEFT_ATOMIC(uint32_t) wakers;
	/* Tasks that have begun to wait here, may move, and have not been taken. */
	WEFT_ATOMIC(uint32_t) away;
} weft_fibers_;

/* Before the worker's thread begins. Returns 0, or -EINVAL for a size of stacks out of bounds. */
int weft_fibers_init_(weft_worker_ *worker, size_t stack_bytes);

/* After it has ended, or when it has never begun. */
void weft_fibers_fini_(weft_worker_ *worker);

/* Of the worker's thread: it begins; it is about to end, and no task is left. */
void weft_fibers_begin_(weft_worker_ *self);
void weft_fibers_end_(weft_worker_ *self);

/* Finds a suspended task that may go on. Returns what stands for it, or NULL. */
weft_task *weft_fibers_find_(weft_worker_ *self);
/* The same, of those who have yielded. */
weft_task *weft_fibers_find_yielded_(weft_worker_ *self);

/* Goes on with what was found, or stolen. Returns when a task has waited and its worker, which may
 * be another by then, goes on here. */
void weft_fibers_go_on_(weft_worker_ *self, weft_task *found);

/* Sees to it that a task that may move begins on a stack that may. Returns false when this one may,
 * or there is no memory: it is to be run here. Else it has been carried to another fiber, and the
 * worker goes on here as after weft_fibers_go_on_. */
bool weft_fibers_carry_(weft_worker_ *self, weft_task *task);

/* The task that was carried to this fiber, or NULL. */
WEFT_INLINE weft_task *weft_fibers_carried_(weft_fibers_ *fibers)
{
	weft_task *task = fibers->carried;

	if (WEFT_UNLIKELY(task != NULL))
		fibers->carried = NULL;
	return task;
}

/* Whether no task is suspended that this worker has to be there for. */
WEFT_INLINE bool weft_fibers_none_suspended_(const weft_fibers_ *fibers)
{
	/* relaxed: the worker's own.
	 * Y1 seq_cst, pairs with worker:Y2: after the look at whether to end or to leave. */
	return atomic_load_explicit(&fibers->suspended, memory_order_relaxed) == 0 &&
	       atomic_load_explicit(&fibers->away, memory_order_seq_cst) == 0;
}

/* When the worker must be awake for a deadline of a suspended task. */
weft_deadline weft_fibers_deadline_(const weft_worker_ *self);

/* Gives some of the stacks that nobody has needed lately back to the system. Returns whether there
 * were any. */
bool weft_fibers_trim_(weft_worker_ *self);

/* Whether there may be something to find. */
WEFT_INLINE bool weft_fibers_any_(const weft_fibers_ *fibers)
{
	return fibers->ready.first != NULL || fibers->timers.count != 0 ||
	       weft_woken_list_has_some_(&fibers->woken);
}

#endif
