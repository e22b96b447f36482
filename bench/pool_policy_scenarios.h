/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_POOL_POLICY_SCENARIOS_H
#define WEFT_BENCH_POOL_POLICY_SCENARIOS_H

/*
 * What a pool's policies cost: what it uses while there is nothing to do, tasks that it has no room
 * for, and workers that leave and come back. The pools are as in pool_scenarios.h.
 */

#include <chrono>
#include <thread>

#include "harness.h"
#include "registry.h"

namespace bench
{

/* Of a bounded pool: tasks that are accepted and have not begun. */
constexpr unsigned bound = 64;

template <class Pool> class pool_policy_scenarios
{
      public:
	/*
	 * The CPU time that all threads take for each millisecond of a time, ten times as long as
	 * other measurements, in which nobody asks for anything: 1000 ns is 0.1 % of one CPU.
	 */
	static result idle_cpu()
	{
		unsigned workers = placement::instance().places();
		Pool pool(0, workers);
		std::vector<job> jobs(workers);
		double ms = 10.0 * current_settings().run_ms;

		submit_and_wait(pool, jobs);
		/* They may look around for a while. */
		std::this_thread::sleep_for(std::chrono::milliseconds(2));

		double start_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);

		std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms));

		double cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start_ns;

		return all_ran(jobs) ? result{.ns = cpu_ns / ms} : not_once();
	}

	/* Many tasks from outside, for most of which there is no room at first. What submit does
	 * about that is the pool's matter. */
	static result bounded()
	{
		Pool pool(0, placement::instance().places());
		std::vector<job> jobs(current_settings().tasks);
		double ns = run_crew(
			1, 0, [&](unsigned, const stop_flag &) { submit_and_wait(pool, jobs); });

		return all_ran(jobs) ? result{.ns = ns / static_cast<double>(jobs.size())}
				     : not_once();
	}

      private:
	struct job : Pool::task {
		uint64_t runs = 0;
	};

	static void submit_and_wait(Pool &pool, std::vector<job> &jobs)
	{
		for (job &job : jobs) {
			Pool::prepare(job, run);
			pool.submit(job);
		}
		for (job &job : jobs)
			pool.wait(job);
	}

	static void run(typename Pool::task *task)
	{
		static_cast<job *>(task)->runs++;
	}

	static bool all_ran(const std::vector<job> &jobs)
	{
		return std::all_of(jobs.begin(), jobs.end(),
				   [](const job &job) { return job.runs == 1; });
	}

	static result not_once()
	{
		return {.wrong = "a task did not run exactly once"};
	}
};

/*
 * A worker leaves, comes back and runs a task. A way to do that is a class of
 *     uint64_t there_and_back()   returns how many tasks the worker has been given
 *     uint64_t runs()             how many it has run
 */
template <class Workers> result resize()
{
	Workers workers;
	samples times;
	uint64_t given = 0;

	run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
		do {
			uint64_t start = ticks();

			given += workers.there_and_back();
			times.add(ticks() - start);
		} while (!stop && !times.full());
	});
	if (given < times.size() || workers.runs() != given)
		return {.wrong = "a task did not run exactly once"};

	double p50_ns = times.quantile_ns(0.5);

	return {.ns = p50_ns, .p99_ns = times.quantile_ns(0.99)};
}

} // namespace bench

#endif
