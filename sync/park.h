/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_SYNC_PARK_H
#define WEFT_SYNC_PARK_H

/*
 * The one place of weft where a thread sleeps, and where a task of a pool is suspended so that its
 * worker can do something else. Both wait by the same calls. Two forms:
 *
 *   - a weft_parker belongs to one waiter and holds one token: unpark puts the token there, park
 *     takes it and sleeps until there is one. Who knows the waiter wakes it.
 *   - weft_park_while sleeps while a word has a value; weft_park_wake wakes those who sleep on the
 *     word. Who knows the thing wakes its waiters.
 *
 * When not to use it: to wait for a future, a task or a queue. Those have waits of their own, made
 * of this.
 *
 * Both spin for a budget before they sleep: on the virtual machines of today a sleeper is 20
 * microseconds away and waking it takes 8 from the waker, while a spinner is 0.1 away. Spinning is
 * for waits that are expected to be short, on a machine with a second CPU; 0 is "sleep at once".
 * A task does not spin: suspending it takes less time than that.
 *
 * Source: the one-token parker is that of java.util.concurrent (Doug Lea) and Rust's standard
 * library; sleeping on a word is the futex (Franke, Russell, Kirkwood, 2002).
 *
 *     operation            threads            progress                  sleeps  allocates
 *     weft_parker_park     the one waiter     blocking                  yes     no
 *     weft_parker_unpark   any                wait-free but the kernel  no      no
 *     weft_park_while      any                blocking                  yes     no
 *     weft_park_wake       any                wait-free but the kernel  no      no
 */

#include <weft/lockfree/base.h>
#include <weft/sync/deadline.h>

/*
 * One waiter's token. Valid when zeroed: no token. At most one token is held: unparking twice
 * before a park is unparking once.
 */
typedef struct weft_parker {
	WEFT_ATOMIC(uint32_t) state_;
	struct weft_park_task_ *task_; /* that waits, if it is one */
} weft_parker;

/* For weft_park_wake: all that sleep on the word. */
#define WEFT_PARK_ALL INT32_MAX

WEFT_BEGIN_DECLS

/*
 * Takes the parker's token; waits for it, spinning for up to `spin_ns` nanoseconds and then asleep.
 * What the unparking thread did before is visible afterwards.
 * Threads: one at a time, the parker's waiter. Progress: blocking.
 * Returns 0, or -ETIMEDOUT when there was no token by the deadline.
 */
WEFT_API int weft_parker_park(weft_parker *parker, uint64_t spin_ns, weft_deadline deadline);

/*
 * Puts the token there and wakes the waiter if it sleeps. The parker may be gone as soon as the
 * waiter has the token: this call does not read it afterwards.
 * Threads: any. Progress: wait-free but for the kernel, entered only when the waiter sleeps.
 */
WEFT_API void weft_parker_unpark(weft_parker *parker);

/*
 * Returns when *word differs from `value`, at once when it does already; spins for up to `spin_ns`
 * nanoseconds and then sleeps. What the thread that changed the word did before is visible
 * afterwards, if it changed it with release order. A thread that sleeps notices a change only when
 * somebody calls weft_park_wake after it.
 * Threads: any. Progress: blocking.
 * Returns 0, or -ETIMEDOUT when the word still had the value at the deadline.
 */
WEFT_API int weft_park_while(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
			     weft_deadline deadline);

/*
 * Wakes up to `count` (WEFT_PARK_ALL for all) that wait in weft_park_while on the word: tasks, the
 * first one first, and then threads.
 * The word's memory may be gone: it is not read.
 * Threads: any. Progress: one system call, if there are not as many tasks; and a short lock, if
 * tasks wait.
 */
WEFT_API void weft_park_wake(const WEFT_ATOMIC(uint32_t) * word, int32_t count);

/* Private: as weft_park_while, but does not sleep. Returns whether the word has changed. */
bool weft_park_spin_(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
		     weft_deadline deadline) __attribute__((visibility("hidden")));

WEFT_END_DECLS

#endif
