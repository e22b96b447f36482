/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_CONDVAR_RING_H
#define WEFT_BENCH_CONDVAR_RING_H

/*
 * The blocking queue that one writes with a mutex and two condition variables. A condition is
 * signalled only when somebody waits for it, and after the mutex is free again, so that whom it
 * wakes does not run into the lock.
 */

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pthread.h>

#include <weft/lockfree/base.h>

namespace bench
{

template <class Element> class condvar_ring
{
      public:
	using element = Element;

	explicit condvar_ring(size_t capacity)
	    : mask_(std::bit_ceil(capacity) - 1), slots_(std::make_unique<Element[]>(mask_ + 1))
	{
	}

	condvar_ring(const condvar_ring &) = delete;

	~condvar_ring()
	{
		pthread_cond_destroy(&not_full_);
		pthread_cond_destroy(&not_empty_);
		pthread_mutex_destroy(&mutex_);
	}

	void push(const Element &pushed)
	{
		pthread_mutex_lock(&mutex_);
		while (tail_ - head_ > mask_) {
			producers_waiting_++;
			pthread_cond_wait(&not_full_, &mutex_);
			producers_waiting_--;
		}
		slots_[tail_++ & mask_] = pushed;

		bool somebody_waits = consumers_waiting_ > 0;

		pthread_mutex_unlock(&mutex_);
		if (somebody_waits)
			pthread_cond_signal(&not_empty_);
	}

	/* False when the queue is closed and empty. */
	bool pop(Element &popped)
	{
		pthread_mutex_lock(&mutex_);
		while (tail_ == head_ && !closed_) {
			consumers_waiting_++;
			pthread_cond_wait(&not_empty_, &mutex_);
			consumers_waiting_--;
		}

		bool found = tail_ != head_;
		bool somebody_waits = producers_waiting_ > 0;

		if (found)
			popped = slots_[head_++ & mask_];
		pthread_mutex_unlock(&mutex_);
		if (found && somebody_waits)
			pthread_cond_signal(&not_full_);
		return found;
	}

	/* No more elements will be pushed. */
	void close()
	{
		pthread_mutex_lock(&mutex_);
		closed_ = true;
		pthread_mutex_unlock(&mutex_);
		pthread_cond_broadcast(&not_empty_);
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	uint64_t head_ = 0; /* index of the oldest element; indices only grow */
	uint64_t tail_ = 0; /* index after the newest */
	const uint64_t mask_;
	const std::unique_ptr<Element[]> slots_;
	unsigned producers_waiting_ = 0;
	unsigned consumers_waiting_ = 0;
	bool closed_ = false;
	WEFT_LINE_ALIGNED pthread_cond_t not_empty_ = PTHREAD_COND_INITIALIZER;
	WEFT_LINE_ALIGNED pthread_cond_t not_full_ = PTHREAD_COND_INITIALIZER;
};

} // namespace bench

#endif
