/* SPDX-License-Identifier: Apache-2.0 */

/* oneTBB: concurrent_queue, which has no bound, and concurrent_bounded_queue. */

#include <oneapi/tbb/concurrent_queue.h>

#include "../queue_scenarios.h"
#include "peer_list.h"

namespace bench
{

namespace
{

class unbounded
{
      public:
	explicit unbounded(size_t) {}

	bool try_push(uint64_t element)
	{
		queue_.push(element);
		return true;
	}

	bool try_pop(uint64_t &element)
	{
		return queue_.try_pop(element);
	}

      private:
	tbb::concurrent_queue<uint64_t> queue_;
};

class bounded
{
      public:
	explicit bounded(size_t capacity)
	{
		queue_.set_capacity(static_cast<std::ptrdiff_t>(capacity));
	}

	bool try_push(uint64_t element)
	{
		return queue_.try_push(element);
	}

	bool try_pop(uint64_t &element)
	{
		return queue_.try_pop(element);
	}

      private:
	tbb::concurrent_bounded_queue<uint64_t> queue_;
};

} // namespace

void add_peer_tbb()
{
	add_shared_queue<unbounded>("mpmc_queue", "tbb", role::peer);
	add_shared_queue<bounded>("mpmc_queue", "tbb_bounded", role::peer);
}

} // namespace bench
