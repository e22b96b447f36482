/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_QUEUE_ADAPTERS_H
#define WEFT_BENCH_QUEUE_ADAPTERS_H

/* weft's bounded queues as the scenarios want them, by their functions. */

#include <array>
#include <cstring>
#include <new>

#include "queue_scenarios.h"

namespace bench
{

/* A queue of elements of any size, made by a typed wrapper. */
template <class Queue, class Element, auto Init, auto Fini, auto TryPush, auto TryPop,
	  auto TryPushBatch, auto TryPopBatch>
class of_elements
{
      public:
	using element = Element;

	explicit of_elements(size_t capacity)
	{
		if (Init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	of_elements(const of_elements &) = delete;

	~of_elements()
	{
		Fini(&queue_);
	}

	/* A large element by a batch of one, which takes it from where it is. */
	bool try_push(const Element &pushed)
	{
		if constexpr (sizeof(Element) > sizeof(uint64_t))
			return TryPushBatch(&queue_, &pushed, 1) == 1;
		else
			return TryPush(&queue_, pushed);
	}

	bool try_pop(Element &popped)
	{
		return TryPop(&queue_, &popped);
	}

	size_t try_push_batch(const Element *elements, size_t count)
	{
		return TryPushBatch(&queue_, elements, count);
	}

	size_t try_pop_batch(Element *elements, size_t count)
	{
		return TryPopBatch(&queue_, elements, count);
	}

      private:
	Queue queue_;
};

/* Of what WEFT_..._DEFINE(name, element) has made. */
#define BENCH_OF_ELEMENTS(name, element)                                                           \
	of_elements<name, element, name##_init, name##_fini, name##_try_push, name##_try_pop,      \
		    name##_try_push_batch, name##_try_pop_batch>

/* Defines the template `alias`, whose alias<element> is a queue of elements of that size, by the
 * typed wrappers that `define` makes. */
#define BENCH_DEFINE_SIZES(define, alias) BENCH_DEFINE_SIZES_AS(define, alias, BENCH_OF_ELEMENTS)

/* A queue of pointers by its functions; numbers travel as pointers. */
template <class Queue, auto Init, auto Fini, auto TryPush, auto TryPop, auto TryPushBatch,
	  auto TryPopBatch>
class of_pointers
{
      public:
	explicit of_pointers(size_t capacity)
	{
		if (Init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	of_pointers(const of_pointers &) = delete;

	~of_pointers()
	{
		Fini(&queue_);
	}

	bool try_push(uint64_t element)
	{
		return TryPush(&queue_, reinterpret_cast<void *>(static_cast<uintptr_t>(element)));
	}

	bool try_pop(uint64_t &element)
	{
		void *popped;

		if (!TryPop(&queue_, &popped))
			return false;
		element = reinterpret_cast<uintptr_t>(popped);
		return true;
	}

	/* Batches of at most batch_size. A number is not a pointer: they are copied. */
	size_t try_push_batch(const uint64_t *elements, size_t count)
	{
		std::array<void *, batch_size> pointers;

		memcpy(pointers.data(), elements, count * sizeof(*elements));
		return TryPushBatch(&queue_, pointers.data(), count);
	}

	size_t try_pop_batch(uint64_t *elements, size_t count)
	{
		std::array<void *, batch_size> pointers;

		count = TryPopBatch(&queue_, pointers.data(), count);
		memcpy(elements, pointers.data(), count * sizeof(*elements));
		return count;
	}

      private:
	Queue queue_;
};

} // namespace bench

#endif
