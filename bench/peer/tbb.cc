/* SPDX-License-Identifier: Apache-2.0 */

/*
 * oneTBB: concurrent_queue, which has no bound, and concurrent_bounded_queue;
 * concurrent_priority_queue; combinable, for counting; task_group; task_arena, and parallel_for in
 * one.
 */

#include <functional>

#include <oneapi/tbb/combinable.h>
#include <oneapi/tbb/concurrent_priority_queue.h>
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include "fork_scenarios.h"
#include "peer/peer_list.h"
#include "pool_scenarios.h"
#include "priority_scenarios.h"
#include "queue_scenarios.h"
#include "update_scenarios.h"

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

/* In the order of the numbers, whose upper bits are the priority: so equals are in that of their
 * pushes, which it does not promise by itself. It has no bound of its own. */
template <class Element> class priorities
{
      public:
	using element = Element;
	static constexpr bool strict = true;

	explicit priorities(size_t capacity) : capacity_(capacity), queue_(capacity) {}

	class user
	{
	      public:
		explicit user(priorities &queue) : queue_(queue) {}

		bool try_push(uint64_t, const Element &pushed)
		{
			if (queue_.queue_.size() >= queue_.capacity_)
				return false;
			queue_.queue_.push(pushed);
			return true;
		}

		bool try_pop(Element &popped)
		{
			return queue_.queue_.try_pop(popped);
		}

		size_t try_push_batch(uint64_t priority, const Element *elements, size_t count)
		{
			return one_by_one(
				count, [&](size_t i) { return try_push(priority, elements[i]); });
		}

		size_t try_pop_batch(Element *elements, size_t count)
		{
			return one_by_one(count, [&](size_t i) { return try_pop(elements[i]); });
		}

	      private:
		priorities &queue_;
	};

      private:
	struct comes_later {
		bool operator()(const Element &one, const Element &other) const
		{
			return number_of(one) > number_of(other);
		}
	};

	size_t capacity_;
	tbb::concurrent_priority_queue<Element, comes_later> queue_;
};

/* A number for each thread, found anew for each addition, as weft's is. */
class combined
{
      public:
	explicit combined(unsigned) {}

	auto updater(unsigned)
	{
		return [counts = &counts_](uint64_t) { counts->local()++; };
	}

	bool is_right(uint64_t updates)
	{
		return counts_.combine(std::plus<>()) == updates;
	}

      private:
	tbb::combinable<uint64_t> counts_{[] { return 0; }};
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
	add_priority_sizes<priorities, few_priorities>("priority_queue", "tbb", role::peer);
	add_priority_sizes<priorities, many_priorities>("multiqueue", "tbb", role::peer);
	add_updates<combined>("counter", "tbb_combinable", role::peer);
}

} // namespace bench
