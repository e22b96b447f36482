/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libuv: uv_queue_work, whose results come back to the loop of the one thread that may submit. Its
 * threads are one set for the process; there are as many as places, also where one is asked for.
 */

#include <cstdlib>
#include <stdexcept>

#include <uv.h>

#include "peer/peer_list.h"
#include "pool_scenarios.h"

namespace bench
{

namespace
{

class work_queue
{
      public:
	struct task {
		void (*function)(task *) = nullptr;
		uv_work_t work;
		bool done = false;
	};

	work_queue(unsigned, unsigned)
	{
		setenv("UV_THREADPOOL_SIZE", std::to_string(placement::instance().places()).c_str(),
		       0);
		if (int error = uv_loop_init(&loop_); error != 0)
			throw std::runtime_error(uv_strerror(error));
	}

	work_queue(const work_queue &) = delete;

	~work_queue()
	{
		uv_loop_close(&loop_);
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		prepared.function = function;
	}

	/* The loop is that of whoever submits. */
	void submit(task &submitted)
	{
		submitted.done = false;
		submitted.work.data = &submitted;
		uv_queue_work(&loop_, &submitted.work, run, end);
	}

	void wait(task &submitted)
	{
		while (!submitted.done)
			uv_run(&loop_, UV_RUN_ONCE);
	}

      private:
	static void run(uv_work_t *work)
	{
		auto *running = static_cast<task *>(work->data);

		running->function(running);
	}

	static void end(uv_work_t *work, int)
	{
		static_cast<task *>(work->data)->done = true;
	}

	uv_loop_t loop_;
};

} // namespace

void add_peer_libuv()
{
	add_pool_round_trips<work_queue>("libuv", role::peer);
	add_pool_from_outside<work_queue>("libuv", role::peer, false);
}

} // namespace bench
