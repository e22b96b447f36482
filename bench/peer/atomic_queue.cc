/* SPDX-License-Identifier: Apache-2.0 */

/* atomic_queue: the two queues whose capacity is chosen when they are made. */

#include <atomic_queue/atomic_queue.h>

#include "../queue_scenarios.h"
#include "peer_list.h"

namespace bench
{

namespace
{

/* B has 0 for an empty slot, B2 a flag beside it. */
using b = atomic_queue::AtomicQueueB<uint64_t>;
using b2 = atomic_queue::AtomicQueueB2<uint64_t>;
using b_spsc = atomic_queue::AtomicQueueB<uint64_t, std::allocator<uint64_t>, 0, true, false, true>;

template <class Queue> class adapter
{
      public:
	explicit adapter(size_t capacity) : queue_(static_cast<unsigned>(capacity)) {}

	bool try_push(uint64_t element)
	{
		return queue_.try_push(element);
	}

	bool try_pop(uint64_t &element)
	{
		return queue_.try_pop(element);
	}

      private:
	Queue queue_;
};

} // namespace

void add_peer_atomic_queue()
{
	add_shared_queue<adapter<b>>("mpmc_queue", "atomic_queue_b", role::peer);
	add_shared_queue<adapter<b2>>("mpmc_queue", "atomic_queue_b2", role::peer);
	add_queue<adapter<b_spsc>>("spsc_queue", "atomic_queue_b", role::peer);
}

} // namespace bench
