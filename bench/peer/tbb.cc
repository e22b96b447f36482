/* SPDX-License-Identifier: Apache-2.0 */

/* oneTBB: concurrent_queue, which has no bound, and concurrent_bounded_queue; task_group. */

#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "../fork_scenarios.h"
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

/* task_group, in an arena of so many threads. */
struct task_groups {
	using group = tbb::task_group;

	explicit task_groups(unsigned workers) : arena(static_cast<int>(workers)) {}

	template <class Call> long call(const Call &call)
	{
		return arena.execute(call);
	}

	tbb::task_arena arena;
};

} // namespace

void add_peer_tbb()
{
	add_forks<group_forks<task_groups>>("tbb", role::peer);
	add_shared_queue<unbounded>("mpmc_queue", "tbb", role::peer);
	add_shared_queue<bounded>("mpmc_queue", "tbb_bounded", role::peer);
}

} // namespace bench
