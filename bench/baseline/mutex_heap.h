/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_HEAP_H
#define WEFT_BENCH_MUTEX_HEAP_H

/*
 * The priority queue that one writes with a mutex: a binary heap, its memory taken beforehand, in
 * which elements of one priority keep their order. Elements larger than a word stay where they are
 * while the heap moves: its entries then have their places. The default mutex, or glibc's adaptive
 * one.
 */

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <pthread.h>
#include <vector>

#include <weft/lockfree/base.h>

namespace bench
{

template <int Kind, class Element> class mutex_heap
{
      public:
	using element = Element;

	explicit mutex_heap(size_t capacity) : capacity_(capacity)
	{
		pthread_mutexattr_t attributes;

		pthread_mutexattr_init(&attributes);
		pthread_mutexattr_settype(&attributes, Kind);
		pthread_mutex_init(&mutex_, &attributes);
		pthread_mutexattr_destroy(&attributes);
		heap_.reserve(capacity);
		if constexpr (!is_word) {
			places_.resize(capacity);
			for (uint64_t place = capacity; place-- > 0;)
				free_.push_back(place);
		}
	}

	mutex_heap(const mutex_heap &) = delete;

	~mutex_heap()
	{
		pthread_mutex_destroy(&mutex_);
	}

	bool try_push(uint64_t priority, const Element &pushed)
	{
		return try_push_batch(priority, &pushed, 1) == 1;
	}

	bool try_pop(Element &popped)
	{
		return try_pop_batch(&popped, 1) == 1;
	}

	size_t try_push_batch(uint64_t priority, const Element *elements, size_t count)
	{
		pthread_mutex_lock(&mutex_);
		count = std::min(count, capacity_ - heap_.size());
		for (size_t i = 0; i < count; i++) {
			heap_.push_back({priority, sequence_++, put_away(elements[i])});
			std::push_heap(heap_.begin(), heap_.end(), later);
		}
		pthread_mutex_unlock(&mutex_);
		return count;
	}

	size_t try_pop_batch(Element *elements, size_t count)
	{
		pthread_mutex_lock(&mutex_);
		count = std::min(count, heap_.size());
		for (size_t i = 0; i < count; i++) {
			elements[i] = fetch(heap_.front().element);
			std::pop_heap(heap_.begin(), heap_.end(), later);
			heap_.pop_back();
		}
		pthread_mutex_unlock(&mutex_);
		return count;
	}

      private:
	static constexpr bool is_word = sizeof(Element) <= sizeof(uint64_t);

	struct entry {
		uint64_t priority;
		uint64_t sequence;
		uint64_t element; /* itself, or its place */
	};

	static bool later(const entry &left, const entry &right)
	{
		return left.priority > right.priority ||
		       (left.priority == right.priority && left.sequence > right.sequence);
	}

	uint64_t put_away(const Element &pushed)
	{
		if constexpr (is_word) {
			return pushed;
		} else {
			uint64_t place = free_.back();

			free_.pop_back();
			places_[place] = pushed;
			return place;
		}
	}

	Element fetch(uint64_t kept)
	{
		if constexpr (is_word) {
			return kept;
		} else {
			free_.push_back(kept);
			return places_[kept];
		}
	}

	WEFT_LINE_ALIGNED pthread_mutex_t mutex_;
	uint64_t sequence_ = 0;
	const size_t capacity_;
	std::vector<entry> heap_;
	std::vector<Element> places_;
	std::vector<uint64_t> free_;
};

template <class Element> using mutex_heap_normal = mutex_heap<PTHREAD_MUTEX_NORMAL, Element>;
template <class Element> using mutex_heap_adaptive = mutex_heap<PTHREAD_MUTEX_ADAPTIVE_NP, Element>;

} // namespace bench

#endif
