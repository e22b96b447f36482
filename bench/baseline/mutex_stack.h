/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_STACK_H
#define WEFT_BENCH_MUTEX_STACK_H

/*
 * The stack that one writes with a mutex: a vector. Two kinds of mutex, as in mutex_ring.h.
 */

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <vector>

#include <weft/lockfree/base.h>

#include "../queue_elements.h"

namespace bench
{

template <int Kind, class Element> class mutex_stack
{
      public:
	using element = Element;

	explicit mutex_stack(size_t count)
	{
		pthread_mutexattr_t attributes;

		pthread_mutexattr_init(&attributes);
		pthread_mutexattr_settype(&attributes, Kind);
		pthread_mutex_init(&mutex_, &attributes);
		pthread_mutexattr_destroy(&attributes);
		for (uint64_t number = 1; number <= count; number++)
			set_number(elements_.emplace_back(), number);
	}

	mutex_stack(const mutex_stack &) = delete;

	~mutex_stack()
	{
		pthread_mutex_destroy(&mutex_);
	}

	bool try_pop(Element &popped)
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

	void push(const Element &pushed)
	{
		pthread_mutex_lock(&mutex_);
		elements_.push_back(pushed);
		pthread_mutex_unlock(&mutex_);
	}

	size_t try_pop_batch(Element *popped, size_t count)
	{
		pthread_mutex_lock(&mutex_);
		count = std::min(count, elements_.size());
		std::copy_n(elements_.rbegin(), count, popped);
		elements_.resize(elements_.size() - count);
		pthread_mutex_unlock(&mutex_);
		return count;
	}

	void push_batch(const Element *pushed, size_t count)
	{
		pthread_mutex_lock(&mutex_);
		elements_.insert(elements_.end(), pushed, pushed + count);
		pthread_mutex_unlock(&mutex_);
	}

	static uint64_t number_of(const Element &element)
	{
		return bench::number_of(element);
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_;
	std::vector<Element> elements_;
};

template <class Element> using mutex_stack_normal = mutex_stack<PTHREAD_MUTEX_NORMAL, Element>;
template <class Element>
using mutex_stack_adaptive = mutex_stack<PTHREAD_MUTEX_ADAPTIVE_NP, Element>;

} // namespace bench

#endif
