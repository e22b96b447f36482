/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_OVERFLOW_H
#define WEFT_POOL_OVERFLOW_H

/*
 * Private: one line on standard error when a task overflows its stack, before the process dies of
 * it. Without it there would be a segmentation fault like any other, of which a debugger can show
 * little, as there is no stack left to look at it from.
 *
 * That takes a handler of SIGSEGV, which a library must not take away from its program. So it is
 * set only while there are pools, and only if the signal had its default action when the first one
 * was created; a program that sets its own later replaces it. It says its line, puts the default
 * action back and returns, so that the fault happens once more, as if it had not been there.
 */

#include <stdbool.h>
#include <stddef.h>

typedef struct weft_worker_ weft_worker_;

/* What a worker's thread needs to handle it, as its stack is full. */
typedef struct weft_overflow_ {
	void *alternate; /* stack, or NULL */
	char *low;       /* the lowest byte of the thread's own stack */
} weft_overflow_;

/* A pool is created, or destroyed. */
void weft_overflow_watch_(void);
void weft_overflow_unwatch_(void);

/* In the child of a fork: whoever was in one of these is not there. */
void weft_overflow_forked_(void);

/* A worker's thread begins, or ends. */
void weft_overflow_worker_begins_(weft_worker_ *self);
void weft_overflow_worker_ends_(weft_worker_ *self);

#endif
