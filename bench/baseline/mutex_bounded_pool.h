/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_BOUNDED_POOL_H
#define WEFT_BENCH_MUTEX_BOUNDED_POOL_H

/*
 * A pool that accepts so many tasks and no more before they begin, over another one: a number with
 * a mutex and a condition variable, which is signalled when there is room again and somebody waits.
 */

#include <pthread.h>

#include "../harness.h"

namespace bench
{

/* What submit does when there is no room. */
enum class when_full {
	block,
	try_again, /* as who is refused does */
	run,       /* in the calling thread */
};

template <when_full WhenFull, unsigned Limit, class Pool> class mutex_bounded_pool
{
      public:
	struct task : Pool::task {
		void (*bounded_function)(task *) = nullptr;
		mutex_bounded_pool *bounded_pool = nullptr;
	};

	mutex_bounded_pool(unsigned first, unsigned workers) : pool_(first, workers) {}

	mutex_bounded_pool(const mutex_bounded_pool &) = delete;

	~mutex_bounded_pool()
	{
		pthread_cond_destroy(&room_);
		pthread_mutex_destroy(&mutex_);
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		prepared.bounded_function = function;
		Pool::prepare(prepared, begin);
	}

	void submit(task &submitted)
	{
		if (enter()) {
			submitted.bounded_pool = this;
			pool_.submit(submitted);
		} else {
			submitted.bounded_pool = nullptr;
			submitted.bounded_function(&submitted);
		}
	}

	void wait(task &awaited)
	{
		if (awaited.bounded_pool != nullptr)
			pool_.wait(awaited);
	}

      private:
	/* Returns false when the task is to be run here. */
	bool enter()
	{
		patience patience;
		bool enters = true;

		pthread_mutex_lock(&mutex_);
		while (queued_ == Limit && enters) {
			if constexpr (WhenFull == when_full::block) {
				waiting_++;
				pthread_cond_wait(&room_, &mutex_);
				waiting_--;
			} else if constexpr (WhenFull == when_full::try_again) {
				pthread_mutex_unlock(&mutex_);
				patience.failed();
				pthread_mutex_lock(&mutex_);
			} else {
				enters = false;
			}
		}
		queued_ += enters;
		pthread_mutex_unlock(&mutex_);
		return enters;
	}

	void leave()
	{
		pthread_mutex_lock(&mutex_);
		queued_--;

		/* As weft: not at each of them. */
		bool wakes = waiting_ > 0 && queued_ == Limit / 2;

		pthread_mutex_unlock(&mutex_);
		if (wakes)
			pthread_cond_broadcast(&room_);
	}

	static void begin(typename Pool::task *base)
	{
		task *begun = static_cast<task *>(base);

		begun->bounded_pool->leave();
		begun->bounded_function(begun);
	}

	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	unsigned queued_ = 0;
	unsigned waiting_ = 0;
	pthread_cond_t room_ = PTHREAD_COND_INITIALIZER;
	/* The last one: its end is that of all tasks. */
	Pool pool_;
};

} // namespace bench

#endif
