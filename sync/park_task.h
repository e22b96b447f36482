/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_SYNC_PARK_TASK_H
#define WEFT_SYNC_PARK_TASK_H

/*
 * Private: how park puts a task to rest and not its thread. Whoever runs tasks says which one runs
 * on its thread, and how it is suspended and made to go on; park remembers who waits for which
 * word, and finds them when it is woken. The essay on why no wake-up is lost stands in park.c.
 */

#include <weft/lockfree/base.h>
#include <weft/sync/deadline.h>

typedef struct weft_park_task_ weft_park_task_;

/* What the runner of a task can do. */
typedef struct weft_park_ways_ {
	/* Prepares for suspending the running task, this one. False when that cannot be: then its
	 * thread sleeps. */
	bool (*prepare)(weft_park_task_ *task, weft_deadline deadline);
	/* Suspends the running task, for which prepare was called with this deadline, until resume.
	 * When the deadline comes first, calls weft_park_leave_, and if that says yes goes on
	 * without resume. The thread may be another one on return: see weft_park_running_. */
	void (*suspend)(weft_park_task_ *task, weft_deadline deadline);
	/* Has a task go on that is suspended or about to be, on any thread. Called once for each
	 * suspend; the task may be gone on return. */
	void (*resume)(weft_park_task_ *task);
} weft_park_ways_;

struct weft_park_task_ {
	const weft_park_ways_ *ways;
	const void *word;           /* what it waits for; */
	struct weft_parker *parker; /* or this, unless NULL */
	/* In its bucket; under that one's lock. */
	weft_park_task_ *next;
	weft_park_task_ *previous;
	bool waits;
	bool has_left; /* its last wait, by weft_park_leave_ */
};

/* The task that runs on the calling thread and can be suspended, or NULL. Who waits looks at it
 * once and before it waits: a compiler may keep the address of what belongs to the thread. */
extern _Thread_local weft_park_task_ *weft_park_running_
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A suspended task waits no longer. Returns whether it did; if not, resume has been called for it
 * or soon will be. Threads: any that knows the task to be there. */
bool weft_park_leave_(weft_park_task_ *task);

/* Has up to `count` tasks that wait for the word go on, but wakes no thread. */
void weft_park_wake_tasks_(const WEFT_ATOMIC(uint32_t) * word, int32_t count);

/* As if nobody waited for a word in this one's bucket. Returns how many did. Threads: one, while
 * nobody else is in park. */
uint32_t weft_park_forget_(const void *word);

/* Lets other threads have this one's CPU, if there are any for it. Threads: any. */
void weft_park_yield_(void);

/* In the child of a fork: nobody waits, and the calling thread is a thread. */
void weft_park_forked_(void);

#endif
