/* SPDX-License-Identifier: Apache-2.0 */

/* priority_queue and multiqueue against heaps behind a mutex. */

#include <new>

#include <weft/lockfree/multiqueue.h>
#include <weft/lockfree/priority_queue.h>

#include "baseline/mutex_heap.h"
#include "priority_scenarios.h"

namespace bench
{

namespace
{

template <class Heap> class baseline
{
      public:
	using element = typename Heap::element;
	static constexpr bool strict = true;

	explicit baseline(size_t capacity) : heap_(capacity) {}

	class user
	{
	      public:
		explicit user(baseline &queue) : heap_(queue.heap_) {}

		bool try_push(uint64_t priority, const element &pushed)
		{
			return heap_.try_push(priority, pushed);
		}

		bool try_pop(element &popped)
		{
			return heap_.try_pop(popped);
		}

		size_t try_push_batch(uint64_t priority, const element *elements, size_t count)
		{
			return heap_.try_push_batch(priority, elements, count);
		}

		size_t try_pop_batch(element *elements, size_t count)
		{
			return heap_.try_pop_batch(elements, count);
		}

	      private:
		Heap &heap_;
	};

      private:
	Heap heap_;
};

template <class Element> using normal = baseline<mutex_heap_normal<Element>>;
template <class Element> using adaptive = baseline<mutex_heap_adaptive<Element>>;

/* By the functions of a typed wrapper. */
template <class Queue, class Element, auto Init, auto Fini, auto TryPush, auto TryPop,
	  auto TryPushBatch, auto TryPopBatch>
class strict_queue
{
      public:
	using element = Element;
	static constexpr bool strict = true;

	explicit strict_queue(size_t capacity)
	{
		if (Init(&queue_, capacity, few_priorities) != 0)
			throw std::bad_alloc();
	}

	strict_queue(const strict_queue &) = delete;

	~strict_queue()
	{
		Fini(&queue_);
	}

	class user
	{
	      public:
		explicit user(strict_queue &queue) : queue_(&queue.queue_) {}

		bool try_push(uint64_t priority, const Element &pushed)
		{
			return TryPush(queue_, static_cast<unsigned>(priority), pushed);
		}

		bool try_pop(Element &popped)
		{
			return TryPop(queue_, &popped, nullptr);
		}

		size_t try_push_batch(uint64_t priority, const Element *elements, size_t count)
		{
			return TryPushBatch(queue_, static_cast<unsigned>(priority), elements,
					    count);
		}

		size_t try_pop_batch(Element *elements, size_t count)
		{
			return TryPopBatch(queue_, elements, nullptr, count);
		}

	      private:
		Queue *queue_;
	};

      private:
	Queue queue_;
};

#define BENCH_STRICT(name, element)                                                                \
	strict_queue<name, element, name##_init, name##_fini, name##_try_push, name##_try_pop,     \
		     name##_try_push_batch, name##_try_pop_batch>

BENCH_DEFINE_SIZES_AS(WEFT_PRIORITY_QUEUE_DEFINE, strict, BENCH_STRICT);

/* Sixteen lanes: two for each thread of 4P4C. */
template <unsigned Stickiness, class Queue, class Element, class Handle, auto Init, auto Fini,
	  auto HandleInit, auto TryPush, auto TryPop, auto TryPushBatch, auto TryPopBatch>
class relaxed
{
      public:
	using element = Element;
	static constexpr bool strict = false;

	explicit relaxed(size_t capacity)
	{
		if (Init(&queue_, capacity, 16, Stickiness) != 0)
			throw std::bad_alloc();
	}

	relaxed(const relaxed &) = delete;

	~relaxed()
	{
		Fini(&queue_);
	}

	class user
	{
	      public:
		explicit user(relaxed &queue)
		{
			HandleInit(&handle_, &queue.queue_);
		}

		bool try_push(uint64_t priority, const Element &pushed)
		{
			return TryPush(&handle_, priority, pushed);
		}

		bool try_pop(Element &popped)
		{
			return TryPop(&handle_, &popped, nullptr);
		}

		size_t try_push_batch(uint64_t priority, const Element *elements, size_t count)
		{
			return TryPushBatch(&handle_, priority, elements, count);
		}

		size_t try_pop_batch(Element *elements, size_t count)
		{
			return TryPopBatch(&handle_, elements, nullptr, count);
		}

	      private:
		Handle handle_;
	};

      private:
	Queue queue_;
};

#define BENCH_RELAXED(stickiness, name, element)                                                   \
	relaxed<stickiness, name, element, name##_handle, name##_init, name##_fini,                \
		name##_handle_init, name##_try_push, name##_try_pop, name##_try_push_batch,        \
		name##_try_pop_batch>
#define BENCH_STICKY(name, element) BENCH_RELAXED(8, name, element)

BENCH_DEFINE_SIZES_AS(WEFT_MULTIQUEUE_DEFINE, sticky, BENCH_STICKY);

using not_sticky = BENCH_RELAXED(1, sticky_of_8, uint64_t);

template <uint64_t Priorities> void add_baselines(const std::string &structure)
{
	add_priority_sizes<normal, Priorities>(structure, "mutex_heap", role::baseline);
	add_priority_sizes<adaptive, Priorities>(structure, "mutex_adaptive", role::baseline);
}

} // namespace

void add_multiqueue()
{
	add_priority_sizes<sticky, many_priorities>("multiqueue", "weft", role::weft);
	add_priority_scenarios<not_sticky, many_priorities>("multiqueue", "weft_not_sticky",
							    role::weft);
	add_baselines<many_priorities>("multiqueue");
}

void add_priority_queue()
{
	add_priority_sizes<strict, few_priorities>("priority_queue", "weft", role::weft);
	add_baselines<few_priorities>("priority_queue");
}

} // namespace bench
