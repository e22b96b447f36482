/* SPDX-License-Identifier: Apache-2.0 */

/* priority_queue and multiqueue, 8-byte elements, against heaps behind a mutex. */

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
	static constexpr bool strict = true;

	explicit baseline(size_t capacity) : heap_(capacity) {}

	class user
	{
	      public:
		explicit user(baseline &queue) : heap_(queue.heap_) {}

		bool try_push(uint64_t priority, uint64_t element)
		{
			return heap_.try_push(priority, element);
		}

		bool try_pop(uint64_t &element)
		{
			return heap_.try_pop(element);
		}

	      private:
		Heap &heap_;
	};

      private:
	Heap heap_;
};

class strict_queue
{
      public:
	static constexpr bool strict = true;

	explicit strict_queue(size_t capacity)
	{
		if (weft_priority_queue_init(&queue_, capacity, few_priorities) != 0)
			throw std::bad_alloc();
	}

	strict_queue(const strict_queue &) = delete;

	~strict_queue()
	{
		weft_priority_queue_fini(&queue_);
	}

	class user
	{
	      public:
		explicit user(strict_queue &queue) : queue_(&queue.queue_) {}

		bool try_push(uint64_t priority, uint64_t element)
		{
			return weft_priority_queue_try_push(queue_, static_cast<unsigned>(priority),
							    reinterpret_cast<void *>(element));
		}

		bool try_pop(uint64_t &element)
		{
			void *popped;

			if (!weft_priority_queue_try_pop(queue_, &popped, nullptr))
				return false;
			element = reinterpret_cast<uint64_t>(popped);
			return true;
		}

	      private:
		weft_priority_queue *queue_;
	};

      private:
	weft_priority_queue queue_;
};

/* Sixteen lanes: two for each thread of 4P4C. */
template <unsigned Stickiness> class relaxed
{
      public:
	static constexpr bool strict = false;

	explicit relaxed(size_t capacity)
	{
		if (weft_multiqueue_init(&queue_, capacity, 16, Stickiness) != 0)
			throw std::bad_alloc();
	}

	relaxed(const relaxed &) = delete;

	~relaxed()
	{
		weft_multiqueue_fini(&queue_);
	}

	class user
	{
	      public:
		explicit user(relaxed &queue)
		{
			weft_multiqueue_handle_init(&handle_, &queue.queue_);
		}

		bool try_push(uint64_t priority, uint64_t element)
		{
			return weft_multiqueue_try_push(&handle_, priority,
							reinterpret_cast<void *>(element));
		}

		bool try_pop(uint64_t &element)
		{
			void *popped;

			if (!weft_multiqueue_try_pop(&handle_, &popped, nullptr))
				return false;
			element = reinterpret_cast<uint64_t>(popped);
			return true;
		}

	      private:
		weft_multiqueue_handle handle_;
	};

      private:
	weft_multiqueue queue_;
};

template <uint64_t Priorities> void add_baselines(const std::string &structure)
{
	add_priority_scenarios<baseline<mutex_heap_normal>, Priorities>(structure, "mutex_heap",
									role::baseline);
	add_priority_scenarios<baseline<mutex_heap_adaptive>, Priorities>(
		structure, "mutex_adaptive", role::baseline);
}

} // namespace

void add_multiqueue()
{
	add_priority_scenarios<relaxed<8>, many_priorities>("multiqueue", "weft", role::weft);
	add_priority_scenarios<relaxed<1>, many_priorities>("multiqueue", "weft_not_sticky",
							    role::weft);
	add_baselines<many_priorities>("multiqueue");
}

void add_priority_queue()
{
	add_priority_scenarios<strict_queue, few_priorities>("priority_queue", "weft", role::weft);
	add_baselines<few_priorities>("priority_queue");
}

} // namespace bench
