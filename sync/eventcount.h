/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_SYNC_EVENTCOUNT_H
#define WEFT_SYNC_EVENTCOUNT_H

/*
 * Waiting for a condition over lock-free data, with no lock: what a condition variable is to a
 * mutex. It makes a blocking queue of a lock-free one:
 *
 *     while (!weft_mpmc_queue_try_pop(&queue, &order)) {      producer:
 *             uint32_t key = weft_eventcount_prepare(&ec);      weft_mpmc_queue_try_push(...);
 *             if (weft_mpmc_queue_try_pop(&queue, &order)) {    weft_eventcount_notify_one(&ec);
 *                     weft_eventcount_cancel(&ec);
 *                     break;
 *             }
 *             weft_eventcount_wait(&ec, key, spin_ns, deadline);
 *     }
 *     if (weft_mpmc_queue_size(&queue) > 0)
 *             weft_eventcount_notify_one(&ec);
 *
 * The last two lines are for several consumers with notify_one. The queue's "empty" may be said of
 * a slot that is taken and not yet filled, while later ones are full: the thread that was woken
 * sleeps again, and its notification is used up. Who gets an element therefore passes the word on.
 * (The model checker found this, and passes what stands here.) With notify_all, or one consumer,
 * or a condition that is exact, they are not needed.
 *
 * When not to use it: when the waiter is known (weft_parker), or for a single word
 * (weft_park_while).
 *
 * Source: Dmitry Vyukov's eventcount; the fences as in folly's and Eigen's; model-checked here.
 *
 *     operation                           threads  progress                  sleeps  allocates
 *     weft_eventcount_prepare, _cancel    any      wait-free                 no      no
 *     weft_eventcount_wait                any      blocking                  yes     no
 *     weft_eventcount_notify_one, _all    any      wait-free but the kernel  no      no
 *
 * A notification costs a fence and a load of a line that nobody writes, as long as nobody waits.
 */

#include <weft/lockfree/base.h>
#include <weft/sync/deadline.h>

/* Valid when zeroed: nobody waits. */
typedef struct weft_eventcount {
	/* Moves by one with each notification that found a waiter; the word waiters sleep on. */
	WEFT_ATOMIC(uint32_t) epoch_;
	/* Threads and tasks between prepare and the end of cancel or wait. */
	WEFT_ATOMIC(uint32_t) waiters_;
	/* Of these, those that sleep or are about to, and do not spin. */
	WEFT_ATOMIC(uint32_t) sleepers_;
} weft_eventcount;

WEFT_BEGIN_DECLS

/*
 * Announces that the caller is about to wait, and returns the key for weft_eventcount_wait. The
 * caller must then look at its condition once more, and call exactly one of cancel and wait.
 * Threads: any. Progress: wait-free.
 */
WEFT_API uint32_t weft_eventcount_prepare(weft_eventcount *eventcount);

/* Takes the announcement back. Threads: that of the prepare. Progress: wait-free. */
WEFT_API void weft_eventcount_cancel(weft_eventcount *eventcount);

/*
 * Waits for a notification made after the prepare that returned the key: spins for up to `spin_ns`
 * nanoseconds, then sleeps. May return 0 early: the caller looks at its condition again. (A key is
 * 32 bits wide: exactly 2^32 notifications between prepare and wait would be taken for none.)
 * Threads: that of the prepare. Progress: blocking.
 * Returns 0, or -ETIMEDOUT when there was none by the deadline.
 */
WEFT_API int weft_eventcount_wait(weft_eventcount *eventcount, uint32_t key, uint64_t spin_ns,
				  weft_deadline deadline);

/*
 * Wakes one thread, or all threads, that wait now or have prepared to. The caller has made the
 * condition true before, with whatever memory order. The eventcount must live until this returns.
 * Threads: any. Progress: wait-free; enters the kernel only when somebody sleeps.
 */
WEFT_API void weft_eventcount_notify_one(weft_eventcount *eventcount);
WEFT_API void weft_eventcount_notify_all(weft_eventcount *eventcount);

WEFT_END_DECLS

#endif
