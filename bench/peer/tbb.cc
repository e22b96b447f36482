/* SPDX-License-Identifier: Apache-2.0 */

/*
 * oneTBB: concurrent_queue, which has no bound, and concurrent_bounded_queue; task_group;
 * task_arena, and parallel_for in one.
 */

#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "fork_scenarios.h"
#include "peer/peer_list.h"
#include "pool_scenarios.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

template <class Element> class unbounded
{
      public:
	using element = Element;

	explicit unbounded(size_t) {}

	bool try_push(const Element &pushed)
	{
		queue_.push(pushed);
		return true;
	}

	bool try_pop(Element &popped)
	{
		return queue_.try_pop(popped);
	}

      private:
	tbb::concurrent_queue<Element> queue_;
};

template <class Element> class bounded
{
      public:
	using element = Element;

	explicit bounded(size_t capacity)
	{
		queue_.set_capacity(static_cast<std::ptrdiff_t>(capacity));
	}

	bool try_push(const Element &pushed)
	{
		return queue_.try_push(pushed);
	}

	bool try_pop(Element &popped)
	{
		return queue_.try_pop(popped);
	}

      private:
	tbb::concurrent_bounded_queue<Element> queue_;
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

/* No place in the arena is kept for who waits outside. A task says by itself that it has ended. */
class arena
{
      public:
	struct task {
		void (*function)(task *) = nullptr;
		std::atomic<bool> done{false};
	};

	arena(unsigned, unsigned workers)
	    : threads_(tbb::global_control::max_allowed_parallelism, workers + 1),
	      arena_(static_cast<int>(workers), 0)
	{
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		prepared.function = function;
	}

	void submit(task &submitted)
	{
		submitted.done.store(false, std::memory_order_relaxed);
		arena_.enqueue([&submitted] {
			submitted.function(&submitted);
			submitted.done.store(true, std::memory_order_release);
			submitted.done.notify_one();
		});
	}

	void wait(task &submitted)
	{
		submitted.done.wait(false, std::memory_order_acquire);
	}

      private:
	/* It counts one of its threads as the caller's, who does not take part. */
	tbb::global_control threads_;
	tbb::task_arena arena_;
};

/* Who calls takes part, as it is meant. */
class parallel_loop
{
      public:
	explicit parallel_loop(unsigned workers) : arena_(static_cast<int>(workers)) {}

	void run(std::vector<tally> &steps)
	{
		arena_.execute([&steps] {
			tbb::parallel_for(size_t{0}, steps.size(),
					  [&steps](size_t i) { steps[i].count++; });
		});
	}

      private:
	tbb::task_arena arena_;
};

} // namespace

void add_peer_tbb()
{
	add_forks<group_forks<task_groups>>("tbb", role::peer);
	add_pool_round_trips<arena>("tbb_arena", role::peer);
	add_pool_from_outside<arena>("tbb_arena", role::peer);
	add_fan_out<parallel_loop>("tbb_for", role::peer);
	add_shared_sizes<unbounded>("mpmc_queue", "tbb", role::peer);
	add_shared_sizes<unbounded>("mpmc_unbounded", "tbb", role::peer);
	add_shared_sizes<bounded>("mpmc_queue", "tbb_bounded", role::peer);
}

} // namespace bench
