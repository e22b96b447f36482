/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pool: what its policies cost. The CPU time of an idle pool, by each way to be idle; tasks for a
 * bounded pool, by what it does when it is full; and a worker that leaves and comes back, against a
 * thread that ends and another that begins.
 */

#include <cerrno>
#include <thread>

#include "baseline/mutex_bounded_pool.h"
#include "baseline/mutex_pool.h"
#include "pool_policy_scenarios.h"
#include "weft_executor.h"

namespace bench
{

namespace
{

template <weft_idle Idle> class weft_idle_pool : public weft_executor<0>
{
      public:
	weft_idle_pool(unsigned first, unsigned workers)
	    : weft_executor(first, workers, [](weft_pool_options &options) { options.idle = Idle; })
	{
	}
};

template <weft_full Full> class weft_bounded_pool : public weft_executor<0>
{
      public:
	weft_bounded_pool(unsigned first, unsigned workers)
	    : weft_executor(first, workers, [](weft_pool_options &options) {
		      options.full = Full;
		      options.max_queued = bound;
	      })
	{
	}

	void submit(task &prepared)
	{
		patience patience;

		while (weft_task_submit(pool(), &prepared) == -EAGAIN)
			patience.failed();
	}
};

/* A pool of two, of whom one leaves and comes back. */
class weft_resized : public weft_executor<0>
{
      public:
	weft_resized() : weft_executor(0, 2) {}

	uint64_t there_and_back()
	{
		uint64_t given = 0;

		weft_pool_resize(pool(), 1);
		while (gives())
			given++;
		weft_pool_resize(pool(), 2);
		while (!gives())
			weft_cpu_relax();
		return given + 1;
	}

	uint64_t runs() const
	{
		return job_.runs;
	}

      private:
	struct job : task {
		uint64_t runs = 0;
	};

	/* Whether the second worker takes a task; then it has run it on return. */
	bool gives()
	{
		weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

		options.to_worker = true;
		options.worker = 1;
		prepare(job_, [](task *run) { static_cast<job *>(run)->runs++; });
		if (weft_task_submit_with(pool(), &job_, &options) != 0)
			return false;
		wait(job_);
		return true;
	}

	job job_;
};

/* Another thread each time. */
class new_thread
{
      public:
	uint64_t there_and_back()
	{
		std::thread([this] {
			placement::instance().bind(1);
			runs_++;
		}).join();
		return 1;
	}

	uint64_t runs() const
	{
		return runs_;
	}

      private:
	uint64_t runs_ = 0;
};

template <class Pool> void add_idle_cpu(const std::string &name, role role)
{
	add("pool", "idle_cpu", unit::time, {name, role, pool_policy_scenarios<Pool>::idle_cpu});
}

template <weft_full Full, when_full WhenFull> void add_bounded(const std::string &scenario)
{
	auto add_one = [&](const std::string &name, role role, auto measure) {
		add("pool", scenario, unit::time, {name, role, measure});
	};

	add_one("weft", role::weft, pool_policy_scenarios<weft_bounded_pool<Full>>::bounded);
	add_one("mutex_pool", role::baseline,
		pool_policy_scenarios<mutex_bounded_pool<WhenFull, bound, mutex_pool<0>>>::bounded);
	add_one("mutex_pool_spin", role::baseline,
		pool_policy_scenarios<
			mutex_bounded_pool<WhenFull, bound, mutex_pool<30000>>>::bounded);
}

} // namespace

void add_pool_policies()
{
	add_idle_cpu<weft_idle_pool<WEFT_IDLE_BALANCED>>("weft", role::weft);
	add_idle_cpu<weft_idle_pool<WEFT_IDLE_EFFICIENT>>("weft_efficient", role::weft);
	add_idle_cpu<weft_idle_pool<WEFT_IDLE_LATENCY>>("weft_latency", role::weft);
	add_idle_cpu<mutex_pool<0>>("mutex_pool", role::baseline);
	add_idle_cpu<mutex_pool<30000>>("mutex_pool_spin", role::baseline);
	add_bounded<WEFT_FULL_BLOCK, when_full::block>("bounded_block");
	add_bounded<WEFT_FULL_REFUSE, when_full::try_again>("bounded_refuse");
	add_bounded<WEFT_FULL_RUN, when_full::run>("bounded_run");
	add("pool", "resize", unit::time, {"weft", role::weft, resize<weft_resized>});
	add("pool", "resize", unit::time, {"new_thread", role::baseline, resize<new_thread>});
}

} // namespace bench
