/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_STACK_H
#define WEFT_BENCH_MUTEX_STACK_H

/*
 * The stack that one writes with a mutex: a vector. Two kinds of mutex, as in mutex_ring.h.
 */

#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <vector>

#include <weft/lockfree/base.h>

namespace bench
{

template <int Kind> class mutex_stack
{
      public:
	using element = uint64_t;

	explicit mutex_stack(size_t count)
	{
		pthread_mutexattr_t attributes;

		pthread_mutexattr_init(&attributes);
		pthread_mutexattr_settype(&attributes, Kind);
		pthread_mutex_init(&mutex_, &attributes);
		pthread_mutexattr_destroy(&attributes);
		for (uint64_t number = 1; number <= count; number++)
			elements_.push_back(number);
	}

	mutex_stack(const mutex_stack &) = delete;

	~mutex_stack()
	{
		pthread_mutex_destroy(&mutex_);
	}

	bool try_pop(element &popped)
	{
		pthread_mutex_lock(&mutex_);

		bool found = !elements_.empty();

		if (found) {
			popped = elements_.back();
			elements_.pop_back();
		}
		pthread_mutex_unlock(&mutex_);
		return found;
	}

	void push(element pushed)
	{
		pthread_mutex_lock(&mutex_);
		elements_.push_back(pushed);
		pthread_mutex_unlock(&mutex_);
	}

	static uint64_t number_of(element number)
	{
		return number;
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_;
	std::vector<uint64_t> elements_;
};

} // namespace bench

#endif
