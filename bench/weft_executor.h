/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_WEFT_EXECUTOR_H
#define WEFT_BENCH_WEFT_EXECUTOR_H

/* weft's pool as the scenarios want it (pool_scenarios.h, future_scenarios.h). */

#include <vector>

#include <weft/pool/executor.h>
#include <weft/pool/future.h>

#include "pinned_pool.h"

namespace bench
{

/* SpinNs is that of the pool's options. */
template <uint64_t SpinNs> class weft_executor
{
      public:
	using task = weft_task;
	using future = weft_future *;

	weft_executor(unsigned first, unsigned workers) : pool_(first, workers, SpinNs) {}

	/* change() changes the options of the pool. */
	template <class Change>
	weft_executor(unsigned first, unsigned workers, Change change)
	    : pool_(first, workers, SpinNs, change)
	{
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		weft_task_init(&prepared, function);
	}

	/* These can fail only where the benchmark is wrong, which its checks find. */
	void submit(task &prepared)
	{
		weft_task_submit(pool_, &prepared);
	}

	void submit(const std::vector<task *> &prepared)
	{
		weft_task_submit_many(pool_, prepared.data(), prepared.size(), nullptr);
	}

	void wait(task &submitted)
	{
		weft_task_wait(&submitted, WEFT_FOREVER);
	}

	future submit(int (*function)(void *argument, void **value), void *argument)
	{
		future submitted = nullptr;

		weft_submit(pool_, function, argument, &submitted);
		return submitted;
	}

	void wait(future submitted)
	{
		weft_future_wait(submitted, WEFT_FOREVER);
	}

	static void *value(future ended)
	{
		return weft_future_value(ended);
	}

	template <void (*Function)(void *)> static bool on_done(future submitted, void *argument)
	{
		return weft_future_on_done(
			       submitted, [](future, void *given) { Function(given); }, argument) ==
		       0;
	}

	static bool cancel(future submitted)
	{
		return weft_future_cancel(submitted);
	}

	static void release(future owned)
	{
		weft_future_release(owned);
	}

      protected:
	weft_pool *pool()
	{
		return pool_;
	}

      private:
	pinned_pool pool_;
};

} // namespace bench

#endif
