/* SPDX-License-Identifier: Apache-2.0 */

/* boost.lockfree: queue and stack, bounded and without allocation, and spsc_queue. */

#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <boost/lockfree/stack.hpp>

#include "../queue_scenarios.h"
#include "../stack_scenarios.h"
#include "peer_list.h"

namespace bench
{

namespace
{

class shared
{
      public:
	explicit shared(size_t capacity) : queue_(capacity) {}

	bool try_push(uint64_t element)
	{
		return queue_.bounded_push(element);
	}

	bool try_pop(uint64_t &element)
	{
		return queue_.pop(element);
	}

      private:
	boost::lockfree::queue<uint64_t, boost::lockfree::fixed_sized<true>> queue_;
};

class spsc
{
      public:
	explicit spsc(size_t capacity) : queue_(capacity) {}

	bool try_push(uint64_t element)
	{
		return queue_.push(element);
	}

	bool try_pop(uint64_t &element)
	{
		return queue_.pop(element);
	}

	size_t try_push_batch(const uint64_t *elements, size_t count)
	{
		return queue_.push(elements, count);
	}

	size_t try_pop_batch(uint64_t *elements, size_t count)
	{
		return queue_.pop(elements, count);
	}

      private:
	boost::lockfree::spsc_queue<uint64_t> queue_;
};

class stack
{
      public:
	using element = uint64_t;

	explicit stack(size_t count) : stack_(count)
	{
		for (uint64_t number = 1; number <= count; number++)
			stack_.bounded_push(number);
	}

	bool try_pop(element &popped)
	{
		return stack_.pop(popped);
	}

	/* There is room: what is pushed was popped. */
	void push(element pushed)
	{
		stack_.bounded_push(pushed);
	}

	static uint64_t number_of(element number)
	{
		return number;
	}

      private:
	boost::lockfree::stack<uint64_t, boost::lockfree::fixed_sized<true>> stack_;
};

} // namespace

void add_peer_boost_lockfree()
{
	add_one_stack<stack>("boost", role::peer);
	add_shared_queue<shared>("mpmc_queue", "boost", role::peer);
	add_shared_queue<shared>("mpmc_lockfree", "boost", role::peer);
	add_queue<spsc>("spsc_queue", "boost", role::peer);
}

} // namespace bench
