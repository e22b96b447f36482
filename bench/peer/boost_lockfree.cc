/* SPDX-License-Identifier: Apache-2.0 */

/* boost.lockfree: queue and stack, bounded and without allocation, and spsc_queue. */

#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/lockfree/stack.hpp>

#include "peer/peer_list.h"
#include "queue_scenarios.h"
#include "stack_scenarios.h"

namespace bench
{

namespace
{

template <class Element> class shared
{
      public:
	using element = Element;

	explicit shared(size_t capacity) : queue_(capacity) {}

	bool try_push(const Element &pushed)
	{
		return queue_.bounded_push(pushed);
	}

	bool try_pop(Element &popped)
	{
		return queue_.pop(popped);
	}

      private:
	boost::lockfree::queue<Element, boost::lockfree::fixed_sized<true>> queue_;
};

template <class Element> class spsc
{
      public:
	using element = Element;

	explicit spsc(size_t capacity) : queue_(capacity) {}

	bool try_push(const Element &pushed)
	{
		return queue_.push(pushed);
	}

	bool try_pop(Element &popped)
	{
		return queue_.pop(popped);
	}

	size_t try_push_batch(const Element *elements, size_t count)
	{
		return queue_.push(elements, count);
	}

	size_t try_pop_batch(Element *elements, size_t count)
	{
		return queue_.pop(elements, count);
	}

      private:
	boost::lockfree::spsc_queue<Element> queue_;
};

template <class Element> class stack
{
      public:
	using element = Element;

	explicit stack(size_t count) : stack_(count)
	{
		for (uint64_t number = 1; number <= count; number++) {
			Element pushed;

			set_number(pushed, number);
			push(pushed);
		}
	}

	bool try_pop(Element &popped)
	{
		return stack_.pop(popped);
	}

	/* There is room: what is pushed was popped. */
	void push(const Element &pushed)
	{
		stack_.bounded_push(pushed);
	}

	static uint64_t number_of(const Element &element)
	{
		return bench::number_of(element);
	}

      private:
	boost::lockfree::stack<Element, boost::lockfree::fixed_sized<true>> stack_;
};

} // namespace

void add_peer_boost_lockfree()
{
	add_stack_sizes<stack>("boost", role::peer);
	add_shared_sizes<shared>("mpmc_queue", "boost", role::peer);
	add_shared_sizes<shared>("mpmc_lockfree", "boost", role::peer);
	add_spsc_sizes<spsc>("spsc_queue", "boost", role::peer);
}

} // namespace bench
