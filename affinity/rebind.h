/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_AFFINITY_REBIND_H
#define WEFT_AFFINITY_REBIND_H

/*
 * Private: what becomes of a bound thread when CPUs are taken from it, and given back, while it
 * runs.
 *
 * Others take a CPU in one of two ways, and each is respected. Who gives the thread another mask
 * (taskset, sched_setaffinity from outside) says where it may run until he says otherwise. When the
 * process's cpuset shrinks, or the CPU goes offline, the kernel moves the thread to what is left;
 * it tells nobody when the CPU is back, so that is tried now and then.
 *
 * What is left is dealt out as the plan deals out CPUs. Workers whose CPU is there keep it. Of the
 * others the first ones take the CPUs that the plan does not use, and the rest share: the last CPU
 * first, as the last workers of a plan are the ones that are off duty. All of them compute the same
 * from the same CPUs, and tell each other nothing.
 */

#include <weft/affinity/plan.h>

/* Where a thread runs that was to be bound to the CPU of its worker. The thread's own. Zeroed: it
 * is bound as planned. */
typedef struct weft_binding_ {
	/* 0: it is where the plan wants it. -ENODEV: it is bound to another CPU, or about to be.
	 * Else this process may not bind its threads, and it runs where the system likes. */
	int error;
	unsigned cpu; /* that other CPU */
	bool shares;  /* which others are bound to as well */
	bool is_gone; /* no mask brings its own back: see now and then whether it is there again */
} weft_binding_;

/*
 * Binds the calling thread to the CPU of the worker, as weft_plan_bind does.
 * Threads: the one to be bound. Progress: blocking (one system call). Returns what that returns.
 */
int weft_plan_begin_binding_(const weft_plan *plan, unsigned worker, weft_binding_ *binding);

/*
 * Looks whether the CPUs that the calling thread may use have changed since the last call for the
 * same worker, and binds it anew if so. (A mask that somebody gives it during this call may be
 * lost.) Threads: the one that is bound. Progress: blocking (one system call; if there is something
 * to do, up to five). Returns 0 when it is bound to the CPU of the worker; -ENODEV when it is bound
 * to another; else another error of weft_plan_bind, and it runs where the system likes.
 */
int weft_plan_keep_binding_(const weft_plan *plan, unsigned worker, weft_binding_ *binding);

#endif
