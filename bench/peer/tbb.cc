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
class task_groups
{
      public:
	explicit task_groups(unsigned workers) : arena_(static_cast<int>(workers)) {}

	long run_fib()
	{
		return arena_.execute([] { return fib(fib_argument); });
	}

      private:
	static long fib(int n)
	{
		long a, b;

		if (n < 2)
			return n;

		tbb::task_group group;

		group.run([&a, n] { a = fib(n - 1); });
		b = fib(n - 2);
		group.wait();
		return a + b;
	}

	tbb::task_arena arena_;
};

} // namespace

void add_peer_tbb()
{
	add_forks<task_groups>("tbb", role::peer);
	add_shared_queue<unbounded>("mpmc_queue", "tbb", role::peer);
	add_shared_queue<bounded>("mpmc_queue", "tbb_bounded", role::peer);
}

} // namespace bench
