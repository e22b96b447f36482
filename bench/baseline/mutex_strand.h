/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_STRAND_H
#define WEFT_BENCH_MUTEX_STRAND_H

/*
 * Tasks one at a time and in order, as one writes it over a pool of a mutex: a list behind a mutex
 * of its own, and one task of the pool that takes all of the list, runs it, and comes again when
 * there is more.
 */

#include <pthread.h>

#include "mutex_pool.h"

namespace bench
{

template <unsigned SpinNs> class mutex_strand
{
	using pool = mutex_pool<SpinNs>;

      public:
	struct task {
		void (*function)(task *) = nullptr;
		task *next = nullptr;
	};

	explicit mutex_strand(pool &of) : pool_(of)
	{
		runner_.self = this;
		pool::prepare(runner_, run);
	}

	mutex_strand(const mutex_strand &) = delete;

	/* The pool must have come to its end. */
	~mutex_strand()
	{
		pthread_mutex_destroy(&mutex_);
	}

	void submit(task &added)
	{
		added.next = nullptr;
		pthread_mutex_lock(&mutex_);
		*last_ = &added;
		last_ = &added.next;

		bool was_idle = !busy_;

		busy_ = true;
		pthread_mutex_unlock(&mutex_);
		if (was_idle)
			pool_.submit(runner_);
	}

      private:
	struct runner : pool::task {
		mutex_strand *self;
	};

	static void run(typename pool::task *task)
	{
		mutex_strand *self = static_cast<runner *>(task)->self;

		while (struct task *next = self->take_all()) {
			while (next != nullptr) {
				struct task *running = next;

				next = next->next;
				running->function(running);
			}
		}
	}

	/* Null when there is nothing, and the strand is idle. */
	task *take_all()
	{
		pthread_mutex_lock(&mutex_);

		task *taken = first_;

		first_ = nullptr;
		last_ = &first_;
		busy_ = taken != nullptr;
		pthread_mutex_unlock(&mutex_);
		return taken;
	}

	pool &pool_;
	runner runner_;
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	task *first_ = nullptr;
	task **last_ = &first_;
	bool busy_ = false;
};

} // namespace bench

#endif
