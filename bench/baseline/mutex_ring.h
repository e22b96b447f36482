/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_RING_H
#define WEFT_BENCH_MUTEX_RING_H

/*
 * The bounded queue that one writes with a mutex: a ring of a power of two, so that an index is a
 * mask away; the indices beside the mutex, so that one line moves with the lock; the critical
 * section a handful of instructions.
 *
 * Two kinds of mutex: the default one, which sleeps when it is taken, and glibc's adaptive one,
 * which spins a little before: neither is the better one everywhere.
 */

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <pthread.h>

#include <weft/lockfree/base.h>

namespace bench
{

template <int Kind, class Element> class mutex_ring
{
      public:
	using element = Element;

	explicit mutex_ring(size_t capacity)
	    : mask_(std::bit_ceil(capacity) - 1), slots_(std::make_unique<Element[]>(mask_ + 1))
	{
		pthread_mutexattr_t attributes;

		pthread_mutexattr_init(&attributes);
		pthread_mutexattr_settype(&attributes, Kind);
		pthread_mutex_init(&mutex_, &attributes);
		pthread_mutexattr_destroy(&attributes);
	}

	mutex_ring(const mutex_ring &) = delete;

	~mutex_ring()
	{
		pthread_mutex_destroy(&mutex_);
	}

	bool try_push(const Element &pushed)
	{
		return try_push_batch(&pushed, 1) == 1;
	}

	bool try_pop(Element &popped)
	{
		return try_pop_batch(&popped, 1) == 1;
	}

	size_t try_push_batch(const Element *elements, size_t count)
	{
		pthread_mutex_lock(&mutex_);
		count = std::min<size_t>(count, mask_ + 1 - (tail_ - head_));
		for (size_t i = 0; i < count; i++)
			slots_[(tail_ + i) & mask_] = elements[i];
		tail_ += count;
		pthread_mutex_unlock(&mutex_);
		return count;
	}

	size_t try_pop_batch(Element *elements, size_t count)
	{
		pthread_mutex_lock(&mutex_);
		count = std::min<size_t>(count, tail_ - head_);
		for (size_t i = 0; i < count; i++)
			elements[i] = slots_[(head_ + i) & mask_];
		head_ += count;
		pthread_mutex_unlock(&mutex_);
		return count;
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_;
	uint64_t head_ = 0; /* index of the oldest element; indices only grow */
	uint64_t tail_ = 0; /* index after the newest */
	const uint64_t mask_;
	const std::unique_ptr<Element[]> slots_;
};

template <class Element> using mutex_ring_normal = mutex_ring<PTHREAD_MUTEX_NORMAL, Element>;
template <class Element> using mutex_ring_adaptive = mutex_ring<PTHREAD_MUTEX_ADAPTIVE_NP, Element>;

} // namespace bench

#endif
