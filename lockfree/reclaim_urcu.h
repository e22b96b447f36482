/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_RECLAIM_URCU_H
#define WEFT_LOCKFREE_RECLAIM_URCU_H

/*
 * Private: all that reclaim.c wants from liburcu and from the system. reclaim_urcu.c has it; the
 * model checker puts something of its own in its place.
 */

#include <stdbool.h>
#include <stdint.h>

/* The calling thread becomes a reader of the memb flavour, and weft_reclaim_thread_ends_ is called
 * when it ends. Returns false when there is no memory; then nothing has changed. */
bool weft_urcu_register_(void);
void weft_urcu_unregister_(void);

/* Around a section: what was stored before stands before what is loaded in it, for a thread that
 * calls weft_urcu_fence_all_. May be entered twice and left once. */
void weft_urcu_enter_(void);
void weft_urcu_exit_(void);

/* The calling thread, which is not registered, becomes an online reader of the QSBR flavour. */
void weft_urcu_worker_register_(void);
void weft_urcu_worker_unregister_(void);
void weft_urcu_worker_quiescent_(void);
/* Each has a full barrier: online after, offline before. */
void weft_urcu_worker_online_(void);
void weft_urcu_worker_offline_(void);

/* A full barrier here, and in every thread that is inside or enters a section. */
void weft_urcu_fence_all_(void);

/*
 * A full barrier here and in every thread of the process, readers or not. Returns false when the
 * system does not have it; then it never had, or the process has given it up.
 */
bool weft_urcu_fence_process_(void);

/* Sleeps for a grace period of both flavours; returns at once in the child of a fork. */
void weft_urcu_wait_(void);

/* The number of the calling thread, as in /proc/self/task. */
int32_t weft_urcu_thread_number_(void);

#endif
