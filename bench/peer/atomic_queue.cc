/* SPDX-License-Identifier: Apache-2.0 */

/*
 * atomic_queue: the two queues whose capacity is chosen when they are made. With several producers
 * or consumers they do not keep the order: while a thread is preempted between its ticket and its
 * slot, another one may come to the same slot a round later, and take or leave an element there
 * first.
 */

#include <atomic_queue/atomic_queue.h>

#include "peer/peer_list.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

/* B has 0 for an empty slot, B2 a flag beside it. */
using b = atomic_queue::AtomicQueueB<uint64_t>;
template <class Element> using b2_of = atomic_queue::AtomicQueueB2<Element>;
using b_spsc = atomic_queue::AtomicQueueB<uint64_t, std::allocator<uint64_t>, 0, true, false, true>;

template <class Queue> class adapter
{
      public:
	using element = typename Queue::value_type;
	static constexpr bool keeps_order = false;

	explicit adapter(size_t capacity) : queue_(static_cast<unsigned>(capacity)) {}

	bool try_push(const element &pushed)
	{
		return queue_.try_push(pushed);
	}

	bool try_pop(element &popped)
	{
		return queue_.try_pop(popped);
	}

      private:
	Queue queue_;
};

template <class Element> using b2 = adapter<b2_of<Element>>;

} // namespace

void add_peer_atomic_queue()
{
	add_shared_queue<adapter<b>>("mpmc_queue", "atomic_queue_b", role::peer);
	add_shared_sizes<b2>("mpmc_queue", "atomic_queue_b2", role::peer);
	add_queue<adapter<b_spsc>>("spsc_queue", "atomic_queue_b", role::peer);
}

} // namespace bench
