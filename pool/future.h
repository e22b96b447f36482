/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_FUTURE_H
#define WEFT_POOL_FUTURE_H

/*
 * Results of tasks: weft_submit runs a function on a pool and returns a future, through which any
 * thread can wait for its value or error, cancel it, or be called when it ends.
 *
 * When not to use it: when nobody needs the result (weft_spawn), or when no memory may be allocated
 * (weft_task, executor.h).
 *
 *     operation                            threads  progress                  sleeps  allocates
 *     weft_submit, _with, _many            any      lock-free but the kernel  no      yes
 *     weft_future_wait                     any      blocking                  yes     no
 *     weft_future_is_done                  any      wait-free                 no      no
 *     weft_future_value, _error            any      wait-free                 no      no
 *     weft_future_cancel                   any      lock-free but the kernel  no      no
 *     weft_future_on_done                  any      lock-free                 no      yes
 *     weft_future_retain, _release         any      wait-free                 no      no
 *     weft_future_trim                     any      lock-free but the kernel  no      no (frees)
 *
 * Every future ends, once: in a value, in the error that the function returned, or in -ECANCELED.
 * A future takes 64 bytes, from an object_pool that all pools share, and stays valid after its
 * pool is destroyed.
 */

#include <weft/lockfree/base.h>
#include <weft/pool/executor.h>
#include <weft/pool/pool.h>
#include <weft/sync/deadline.h>

/* Opaque. */
typedef struct weft_future weft_future;

/*
 * A function with a result. It stores its value in *value (NULL before) and returns 0, or returns a
 * negative errno of its own choice, which is then the future's error.
 */
typedef int (*weft_function)(void *argument, void **value);

/* Called when a future ends; see weft_future_on_done. */
typedef void (*weft_future_callback)(weft_future *future, void *argument);

WEFT_BEGIN_DECLS

/*
 * Runs function(argument, &value) on a worker of the pool. The caller owns the future it gets and
 * must release it; a future that is released early still runs.
 *
 * Threads: any. Progress: lock-free but for the kernel and the allocator.
 * Returns 0; -EPIPE when the pool is closed; -ENOMEM; -EINVAL when an argument but `argument` is
 * NULL. On an error *future is as it was and the function is not called.
 */
WEFT_API int weft_submit(weft_pool *pool, weft_function function, void *argument,
			 weft_future **future);

/*
 * The same with options of executor.h, which may be NULL.
 * Threads: any. Progress: as weft_submit.
 * Returns also -EINVAL for options as weft_spawn_with.
 */
WEFT_API int weft_submit_with(weft_pool *pool, weft_function function, void *argument,
			      const weft_submit_options *options, weft_future **future);

/*
 * Runs function(arguments[i], &value) for each i below `count` and fills futures[i], all or none:
 * cheaper than one by one; see weft_task_submit_many. None is allowed.
 *
 * Threads: any. Progress: as weft_submit, O(count).
 * Returns as weft_submit_with, and -EINVAL for more than WEFT_SUBMIT_MANY_MAX. On an error the
 * futures[i] mean nothing and no function is called.
 */
WEFT_API int weft_submit_many(weft_pool *pool, weft_function function, void *const *arguments,
			      size_t count, const weft_submit_options *options,
			      weft_future **futures);

/*
 * Waits until the future has ended.
 *
 * Threads: any. Progress: blocking; a task is suspended, and its worker runs others meanwhile (see
 * executor.h).
 * Returns 0 when it has ended, in whatever way; -ETIMEDOUT; -EDEADLK in this very future's
 * function; -EINVAL when future is NULL.
 */
WEFT_API int weft_future_wait(weft_future *future, weft_deadline deadline);

/* Whether the future has ended. Threads: any. Progress: wait-free. */
WEFT_API bool weft_future_is_done(const weft_future *future);

/*
 * The value, NULL unless the function stored one; and the error: 0, what the function returned, or
 * -ECANCELED. Of a future that has not ended they are NULL and -EINPROGRESS.
 * Threads: any. Progress: wait-free.
 */
WEFT_API void *weft_future_value(const weft_future *future);
WEFT_API int weft_future_error(const weft_future *future);

/*
 * Ends the future with -ECANCELED if its function has not begun.
 *
 * Threads: any, but not while the pool is being destroyed. Progress: lock-free but for the kernel
 * (waiters are woken) and the callbacks, which run on this thread.
 * Returns whether this call canceled it.
 */
WEFT_API bool weft_future_cancel(weft_future *future);

/*
 * Has callback(future, argument) called once the future has ended: at once, on this thread, if it
 * has; else on the thread that ends it, after waiters were woken, in the order of registration. The
 * future is valid during the call. A callback may wait: on a worker as a task does, which is then
 * suspended; on a thread that cancels, or comes late, it holds that one up. The callbacks that were
 * registered after it come after its wait.
 *
 * Threads: any; any number of callbacks. Progress: lock-free but for the allocator.
 * Returns 0; -ENOMEM, and the callback is not called; -EINVAL when future or callback is NULL.
 */
WEFT_API int weft_future_on_done(weft_future *future, weft_future_callback callback,
				 void *argument);

/*
 * One more owner, who must release it. Returns the future.
 * Threads: any that owns it. Progress: wait-free.
 */
WEFT_API weft_future *weft_future_retain(weft_future *future);

/*
 * Gives up ownership; the last one frees the future once it has ended. NULL is allowed. Releasing
 * more often than owned is a broken contract, which a debug build of the library reports.
 * Threads: any that owns it. Progress: wait-free but for the allocator.
 */
WEFT_API void weft_future_release(weft_future *future);

/*
 * Gives memory of futures and spawned tasks that no longer exist back to the system. Without it the
 * process keeps as much as it once needed. Not before a pool was created.
 * Threads: any. Progress: lock-free but for the allocator, O(that memory).
 * Returns how many bytes.
 */
WEFT_API size_t weft_future_trim(void);

WEFT_END_DECLS

#endif
