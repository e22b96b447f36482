/* SPDX-License-Identifier: Apache-2.0 */

/* BS::thread_pool, without its optional features: one locked queue of std::function-like tasks, and
 * a std::future for each that is submitted with one. Debian 12 has no package of it; the adapter is
 * built where its header is. */

#include <BS_thread_pool.hpp>

#include "future_scenarios.h"
#include "peer/peer_list.h"
#include "peer/std_futures.h"

namespace bench
{

namespace
{

using pool = BS::thread_pool<>;

class bs_pool : public std_futures
{
      public:
	using std_futures::wait;

	struct task {
		void (*function)(task *) = nullptr;
		std::atomic<bool> done{false};
	};

	bs_pool(unsigned first, unsigned workers)
	    : pool_(workers, [first](size_t worker) {
		      placement::instance().bind(first + static_cast<unsigned>(worker));
	      })
	{
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		prepared.function = function;
	}

	void submit(task &submitted)
	{
		submitted.done.store(false, std::memory_order_relaxed);
		pool_.detach_task([&submitted] {
			submitted.function(&submitted);
			submitted.done.store(true, std::memory_order_release);
			submitted.done.notify_one();
		});
	}

	void wait(task &submitted)
	{
		submitted.done.wait(false, std::memory_order_acquire);
	}

	future submit(int (*function)(void *argument, void **value), void *argument)
	{
		return pool_.submit_task(call_of(function, argument));
	}

      private:
	pool pool_;
};

class bs_loop
{
      public:
	explicit bs_loop(unsigned workers) : pool_(workers) {}

	void run(std::vector<tally> &steps)
	{
		pool_.detach_loop(size_t{0}, steps.size(),
				  [&steps](size_t i) { steps[i].count++; });
		pool_.wait();
	}

      private:
	pool pool_;
};

} // namespace

void add_peer_bs_thread_pool()
{
	add_pool_round_trips<bs_pool>("bs_thread_pool", role::peer);
	add_future_round_trip<bs_pool>("bs_thread_pool", role::peer);
	add_pool_from_outside<bs_pool>("bs_thread_pool", role::peer);
	add_fan_out<bs_loop>("bs_loop", role::peer);
}

} // namespace bench
