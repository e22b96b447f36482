/* SPDX-License-Identifier: Apache-2.0 */

/* The thread_pool of libthread-pool-dev (Robert Vaser's): a locked queue for each thread, theft
 * between them, and a std::future for each task. */

#include <future>

#include <thread_pool/thread_pool.hpp>

#include "future_scenarios.h"
#include "peer/peer_list.h"
#include "peer/std_futures.h"

namespace bench
{

namespace
{

class stealing_pool : public std_futures
{
      public:
	using std_futures::wait;

	struct task {
		void (*function)(task *) = nullptr;
		std::future<void> end;
	};

	stealing_pool(unsigned, unsigned workers) : pool_(workers) {}

	static void prepare(task &prepared, void (*function)(task *))
	{
		prepared.function = function;
	}

	void submit(task &submitted)
	{
		submitted.end = pool_.Submit([&submitted] { submitted.function(&submitted); });
	}

	void wait(task &submitted)
	{
		if (submitted.end.valid())
			submitted.end.get();
	}

	future submit(int (*function)(void *argument, void **value), void *argument)
	{
		return pool_.Submit(call_of(function, argument));
	}

      private:
	::thread_pool::ThreadPool pool_;
};

} // namespace

void add_peer_thread_pool()
{
	add_pool_round_trips<stealing_pool>("thread_pool", role::peer);
	add_future_round_trip<stealing_pool>("thread_pool", role::peer);
	add_pool_from_outside<stealing_pool>("thread_pool", role::peer);
}

} // namespace bench
