/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_HEAP_H
#define WEFT_BENCH_MUTEX_HEAP_H

/*
 * The priority queue that one writes with a mutex: a binary heap, its memory taken beforehand, in
 * which elements of one priority keep their order. The default mutex, or glibc's adaptive one.
 */

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <vector>

#include <weft/lockfree/base.h>

namespace bench
{

template <int Kind> class mutex_heap
{
      public:
	explicit mutex_heap(size_t capacity) : capacity_(capacity)
	{
		pthread_mutexattr_t attributes;

		pthread_mutexattr_init(&attributes);
		pthread_mutexattr_settype(&attributes, Kind);
		pthread_mutex_init(&mutex_, &attributes);
		pthread_mutexattr_destroy(&attributes);
		heap_.reserve(capacity);
	}

	mutex_heap(const mutex_heap &) = delete;

	~mutex_heap()
	{
		pthread_mutex_destroy(&mutex_);
	}

	bool try_push(uint64_t priority, uint64_t element)
	{
		pthread_mutex_lock(&mutex_);

		bool fits = heap_.size() < capacity_;

		if (fits) {
			heap_.push_back({priority, sequence_++, element});
			std::push_heap(heap_.begin(), heap_.end(), later);
		}
		pthread_mutex_unlock(&mutex_);
		return fits;
	}

	bool try_pop(uint64_t &element)
	{
		pthread_mutex_lock(&mutex_);

		bool found = !heap_.empty();

		if (found) {
			element = heap_.front().element;
			std::pop_heap(heap_.begin(), heap_.end(), later);
			heap_.pop_back();
		}
		pthread_mutex_unlock(&mutex_);
		return found;
	}

      private:
	struct entry {
		uint64_t priority;
		uint64_t sequence;
		uint64_t element;
	};

	static bool later(const entry &left, const entry &right)
	{
		return left.priority > right.priority ||
		       (left.priority == right.priority && left.sequence > right.sequence);
	}

	WEFT_LINE_ALIGNED pthread_mutex_t mutex_;
	uint64_t sequence_ = 0;
	const size_t capacity_;
	std::vector<entry> heap_;
};

using mutex_heap_normal = mutex_heap<PTHREAD_MUTEX_NORMAL>;
using mutex_heap_adaptive = mutex_heap<PTHREAD_MUTEX_ADAPTIVE_NP>;

} // namespace bench

#endif
