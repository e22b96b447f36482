/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_RECLAIM_URCU_H
#define WEFT_LOCKFREE_RECLAIM_URCU_H

/*
 * Private: all that reclaim.c wants from liburcu and from the system. reclaim_urcu.c has it; the
 * model checker puts something of its own in its place.
 */

#include <weft/lockfree/base.h>

/* What a section inlines of the memb flavour, as atomics: for liburcu they are plain words. */
typedef struct weft_urcu_words_ {
	const WEFT_ATOMIC(unsigned long) * period; /* what the counter of a reader becomes */
	const WEFT_ATOMIC(int32_t) * sleeper;      /* -1: who ends a section has to wake somebody */
} weft_urcu_words_;

extern const weft_urcu_words_ weft_urcu_memb_ __attribute__((visibility("hidden")));

/* The calling thread becomes a reader of the memb flavour, and weft_reclaim_thread_ends_ is called
 * when it ends. Returns false when there is no memory; then nothing has changed. */
bool weft_urcu_register_(void);
void weft_urcu_unregister_(void);

/* The counter of the calling thread, which is registered; NULL where sections need barriers of
 * their own: where there is no membarrier, and in the child of a fork. */
WEFT_ATOMIC(unsigned long) * weft_urcu_counter_(void);

/* Around a section of a thread without a counter, which adds the barrier that counts for weft. May
 * be entered twice and left once. */
void weft_urcu_enter_(void);
void weft_urcu_exit_(void);

/* Wakes who sleeps, for a thread with a counter that has just ended a section. */
void weft_urcu_wake_(void);

/* The calling thread, which is not registered, becomes an online reader of the QSBR flavour. */
void weft_urcu_worker_register_(void);
void weft_urcu_worker_unregister_(void);
void weft_urcu_worker_quiescent_(void);
void weft_urcu_worker_online_(void);
void weft_urcu_worker_offline_(void);

/* A full barrier in every thread with a counter. */
void weft_urcu_barrier_everywhere_(void);

/*
 * A full barrier here and in every thread of the process, readers or not. Returns false when the
 * system does not have it; then it never had, or the process has given it up.
 */
bool weft_urcu_fence_process_(void);

/* Sleeps for a grace period of both flavours; returns at once in the child of a fork. */
void weft_urcu_wait_(void);

/* The number of the calling thread, as in /proc/self/task. */
int32_t weft_urcu_thread_number_(void);

/*
 * Restarts the restartable sequences of this process that are under way on that CPU, with a full
 * barrier there and here. Not of liburcu, but a barrier of the system like the others. Returns
 * false where there is no such thing.
 */
bool weft_urcu_restart_sequences_(size_t cpu);

#endif
