/* SPDX-License-Identifier: Apache-2.0 */

/* GLib: GAsyncQueue, which has no bound, and GThreadPool with threads of its own. */

#include <glib.h>

#include "peer/peer_list.h"
#include "pool_scenarios.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

class async_queue
{
      public:
	explicit async_queue(size_t) : queue_(g_async_queue_new()) {}

	async_queue(const async_queue &) = delete;

	~async_queue()
	{
		g_async_queue_unref(queue_);
	}

	bool try_push(uint64_t pushed)
	{
		g_async_queue_push(queue_, reinterpret_cast<void *>(pushed));
		return true;
	}

	bool try_pop(uint64_t &popped)
	{
		popped = reinterpret_cast<uint64_t>(g_async_queue_try_pop(queue_));
		return popped != 0;
	}

      private:
	GAsyncQueue *queue_;
};

/* A task says by itself that it has ended: the pool does not. */
class thread_pool
{
      public:
	struct task {
		void (*function)(task *) = nullptr;
		std::atomic<bool> done{false};
	};

	thread_pool(unsigned, unsigned workers)
	    : pool_(g_thread_pool_new(run, nullptr, static_cast<int>(workers), TRUE, nullptr))
	{
	}

	thread_pool(const thread_pool &) = delete;

	~thread_pool()
	{
		g_thread_pool_free(pool_, FALSE, TRUE);
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		prepared.function = function;
	}

	void submit(task &submitted)
	{
		submitted.done.store(false, std::memory_order_relaxed);
		g_thread_pool_push(pool_, &submitted, nullptr);
	}

	void wait(task &submitted)
	{
		submitted.done.wait(false, std::memory_order_acquire);
	}

      private:
	static void run(void *data, void *)
	{
		auto *running = static_cast<task *>(data);

		running->function(running);
		running->done.store(true, std::memory_order_release);
		running->done.notify_one();
	}

	GThreadPool *pool_;
};

} // namespace

void add_peer_glib()
{
	add_shared_queue<async_queue>("mpmc_unbounded", "glib_async", role::peer);
	add_pool_round_trips<thread_pool>("glib_pool", role::peer);
	add_pool_from_outside<thread_pool>("glib_pool", role::peer);
}

} // namespace bench
