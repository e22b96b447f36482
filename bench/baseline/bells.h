/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_BELLS_H
#define WEFT_BENCH_BELLS_H

/*
 * Ways to tell one waiting thread that something has happened: a bell is rung by one thread and
 * waited for by another, once for each ring. Those of weft are in bench_park.cc; here are the two
 * floors, which do no more than the machine wants, and what one writes with a mutex.
 */

#include <atomic>
#include <cstdint>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../harness.h"

namespace bench
{

/* Floor of a wait that sleeps: each wait is one futex call, and so is each ring. */
class bare_futex
{
      public:
	void ring()
	{
		word_.store(1, std::memory_order_release);
		syscall(SYS_futex, &word_, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, nullptr, nullptr, 0);
	}

	void wait()
	{
		do
			syscall(SYS_futex, &word_, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, nullptr,
				nullptr, 0);
		while (word_.load(std::memory_order_acquire) == 0);
		word_.store(0, std::memory_order_relaxed);
	}

      private:
	WEFT_LINE_ALIGNED std::atomic<uint32_t> word_{0};
};

/* Floor of a wait that does not: a count, whose line goes from one CPU to the other. */
class bare_word
{
      public:
	void ring()
	{
		word_.store(++rung_, std::memory_order_release);
	}

	void wait()
	{
		patience patience;

		awaited_++;
		while (word_.load(std::memory_order_acquire) != awaited_)
			patience.failed();
	}

      private:
	WEFT_LINE_ALIGNED std::atomic<uint32_t> word_{0};
	WEFT_LINE_ALIGNED uint32_t rung_ = 0;
	WEFT_LINE_ALIGNED uint32_t awaited_ = 0;
};

/*
 * A flag with a mutex and a condition variable, which is signalled only when somebody sleeps and
 * when the mutex is free again. Before it takes the lock to sleep, it looks for a while at the flag
 * alone, if it was told to.
 */
template <unsigned SpinNs> class condvar_bell
{
      public:
	condvar_bell() = default;
	condvar_bell(const condvar_bell &) = delete;

	~condvar_bell()
	{
		pthread_cond_destroy(&rung_);
		pthread_mutex_destroy(&mutex_);
	}

	void ring()
	{
		pthread_mutex_lock(&mutex_);
		flag_.store(true, std::memory_order_release);

		bool sleeps = sleeps_;

		pthread_mutex_unlock(&mutex_);
		if (sleeps)
			pthread_cond_signal(&rung_);
	}

	void wait()
	{
		if constexpr (SpinNs > 0)
			spin();
		pthread_mutex_lock(&mutex_);
		sleeps_ = true;
		while (!flag_.load(std::memory_order_relaxed))
			pthread_cond_wait(&rung_, &mutex_);
		sleeps_ = false;
		flag_.store(false, std::memory_order_relaxed);
		pthread_mutex_unlock(&mutex_);
	}

      private:
	void spin()
	{
		double end_ns = now_ns() + SpinNs;

		do {
			for (int look = 0; look < 8; look++) {
				if (flag_.load(std::memory_order_acquire))
					return;
				weft_cpu_relax();
			}
		} while (now_ns() < end_ns);
	}

	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t rung_ = PTHREAD_COND_INITIALIZER;
	std::atomic<bool> flag_{false};
	bool sleeps_ = false;
};

} // namespace bench

#endif
