/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_DEQUE_H
#define WEFT_BENCH_MUTEX_DEQUE_H

/*
 * The work-stealing deque that one writes with a mutex: a growable ring, the owner at one end and
 * thieves at the other. A thief looks whether there is anything before it takes the lock, and goes
 * elsewhere when the lock is taken; the owner of an empty deque need not take it either.
 */

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pthread.h>

#include <weft/lockfree/base.h>

namespace bench
{

class mutex_deque
{
      public:
	explicit mutex_deque(size_t capacity)
	    : mask_(capacity - 1), slots_(std::make_unique<uint64_t[]>(capacity))
	{
	}

	mutex_deque(const mutex_deque &) = delete;

	~mutex_deque()
	{
		pthread_mutex_destroy(&mutex_);
	}

	void push(uint64_t element)
	{
		pthread_mutex_lock(&mutex_);

		uint64_t top = top_.load(std::memory_order_relaxed);
		uint64_t bottom = bottom_.load(std::memory_order_relaxed);

		if (bottom - top > mask_)
			grow(top, bottom);
		slots_[bottom & mask_] = element;
		bottom_.store(bottom + 1, std::memory_order_relaxed);
		pthread_mutex_unlock(&mutex_);
	}

	bool try_pop(uint64_t &element)
	{
		if (size() == 0)
			return false;
		pthread_mutex_lock(&mutex_);

		uint64_t top = top_.load(std::memory_order_relaxed);
		uint64_t bottom = bottom_.load(std::memory_order_relaxed);
		bool found = top != bottom;

		if (found) {
			element = slots_[(bottom - 1) & mask_];
			bottom_.store(bottom - 1, std::memory_order_relaxed);
		}
		pthread_mutex_unlock(&mutex_);
		return found;
	}

	/* 0; -ENOENT when there is nothing; -EAGAIN when somebody else is at it. */
	int steal(uint64_t &element)
	{
		size_t stolen;

		return steal_half(&element, 1, stolen);
	}

	/* Half of the elements, rounded up, but not more than `count`. */
	int steal_half(uint64_t *elements, size_t count, size_t &stolen)
	{
		stolen = 0;
		if (size() == 0)
			return -ENOENT;
		if (pthread_mutex_trylock(&mutex_) != 0)
			return -EAGAIN;

		uint64_t top = top_.load(std::memory_order_relaxed);
		size_t inside = bottom_.load(std::memory_order_relaxed) - top;

		for (; stolen < count && stolen < inside - inside / 2; stolen++)
			elements[stolen] = slots_[(top + stolen) & mask_];
		top_.store(top + stolen, std::memory_order_relaxed);
		pthread_mutex_unlock(&mutex_);
		return stolen > 0 ? 0 : -ENOENT;
	}

	size_t size() const
	{
		uint64_t top = top_.load(std::memory_order_relaxed);
		uint64_t bottom = bottom_.load(std::memory_order_relaxed);

		return static_cast<int64_t>(bottom - top) > 0 ? bottom - top : 0;
	}

      private:
	void grow(uint64_t top, uint64_t bottom)
	{
		auto larger = std::make_unique<uint64_t[]>(2 * (mask_ + 1));

		for (uint64_t i = top; i != bottom; i++)
			larger[i & (2 * mask_ + 1)] = slots_[i & mask_];
		slots_ = std::move(larger);
		mask_ = 2 * mask_ + 1;
	}

	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	/* Written under the mutex only; atomic because they are looked at without it. */
	std::atomic<uint64_t> top_{0};
	std::atomic<uint64_t> bottom_{0};
	uint64_t mask_;
	std::unique_ptr<uint64_t[]> slots_;
};

} // namespace bench

#endif
