/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_POOL_SCENARIOS_H
#define WEFT_BENCH_POOL_SCENARIOS_H

/*
 * What is measured of a pool of threads, as one template for all. A pool is a class of
 *     pool(unsigned first, unsigned workers)     workers at the places of the threads from `first`
 *                                                on, where the pool lets one choose
 *     type task, which others are derived from
 *     void prepare(task &, void (*function)(task *))
 *     void submit(task &), void wait(task &)
 * and where there is such a thing
 *     void submit(const std::vector<task *> &)   all of them at once
 *     type future, a handle
 *     future submit(int (*function)(void *argument, void **value), void *argument)
 *     void wait(future &), void *value(future &), void release(future &)
 *
 * A round trip is one empty task, submitted and waited for: to a worker that is looking around, and
 * to one that sleeps. A fan-out is a parallel loop without a body. Each measurement checks that
 * every task has run once.
 */

#include <memory>
#include <string>

#include "bell_scenarios.h"
#include "harness.h"
#include "registry.h"
#include "under_load.h"

namespace bench
{

template <class Pool>
concept has_futures = requires
{
	typename Pool::future;
};

template <class Pool>
concept submits_at_once = requires(Pool &pool, const std::vector<typename Pool::task *> &all)
{
	pool.submit(all);
};

/* Of the steps of a fan-out each worker has so many. */
constexpr size_t fan_steps = 8;

/*
 * One loop after the other, each of empty steps that all must have been made once. A way to loop
 * is a class of
 *     loop(unsigned workers)
 *     void run(std::vector<tally> &steps)   counts each of the steps, on whatever thread
 */
template <class Loop> result fan_out()
{
	unsigned workers = placement::instance().places();
	Loop loop(workers);
	std::vector<tally> steps(workers * fan_steps);
	samples times;

	run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
		do {
			uint64_t start = ticks();

			loop.run(steps);
			times.add(ticks() - start);
		} while (!stop && !times.full());
	});
	for (const tally &step : steps)
		if (step.count != times.size())
			return {.wrong = "a step was not made exactly once"};
	return quantiles(times);
}

/* The loop that one makes of a pool's tasks. */
template <class Pool> class loop_of_tasks
{
      public:
	explicit loop_of_tasks(unsigned workers) : pool_(0, workers), tasks_(workers * fan_steps)
	{
		for (step &task : tasks_)
			all_.push_back(&task);
	}

	void run(std::vector<tally> &steps)
	{
		for (size_t i = 0; i < steps.size(); i++) {
			tasks_[i].counted = &steps[i];
			Pool::prepare(tasks_[i], count);
		}
		if constexpr (submits_at_once<Pool>)
			pool_.submit(all_);
		else
			for (step &task : tasks_)
				pool_.submit(task);
		for (step &task : tasks_)
			pool_.wait(task);
	}

      private:
	struct step : Pool::task {
		tally *counted = nullptr;
	};

	static void count(typename Pool::task *task)
	{
		static_cast<step *>(task)->counted->count++;
	}

	Pool pool_;
	std::vector<step> tasks_;
	std::vector<typename Pool::task *> all_;
};

template <class Pool> class pool_scenarios
{
      public:
	/* One worker, on another CPU than the caller where there is one. */
	static result round_trip(bool thinks)
	{
		Pool pool(1, 1);
		samples times;
		job job;
		uint64_t trips = 0;

		Pool::prepare(job, run_job);
		run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
			do {
				if (thinks)
					stay_busy(think_ns);

				uint64_t start = ticks();

				pool.submit(job);
				pool.wait(job);
				times.add(ticks() - start);
				trips++;
			} while (!stop && !times.full());
		});
		if (job.runs != trips)
			return {.wrong = "a task did not run exactly once"};
		return quantiles(times);
	}

	/* Many tasks in memory of the caller, who is not a worker. */
	static result outside_tasks()
	{
		Pool pool(0, placement::instance().places());
		jobs jobs(current_settings().tasks);

		return in_one_thread([&] { submit_and_wait(pool, jobs); }, jobs);
	}

	/* The same, out of a task. */
	static result inside_tasks()
	{
		Pool pool(0, placement::instance().places());
		jobs jobs(current_settings().tasks);
		root root;

		root.pool = &pool;
		root.jobs = &jobs;
		Pool::prepare(root, run_root);
		return in_one_thread(
			[&] {
				pool.submit(root);
				pool.wait(root);
			},
			jobs);
	}

	/* Many futures. The pool takes the memory: what that costs the first time, a page fault for
	 * every 64 of them, is not measured. */
	static result outside_futures() requires has_futures<Pool>
	{
		Pool pool(0, placement::instance().places());
		call_root root(pool);

		return futures(root, [&] { call_all(root); });
	}

	/* The same, out of a task. */
	static result inside_futures() requires has_futures<Pool>
	{
		Pool pool(0, placement::instance().places());
		call_root root(pool);

		return futures(root, [&] {
			Pool::prepare(root, run_call_root);
			pool.submit(root);
			pool.wait(root);
		});
	}

	/* All with one call. */
	static result outside_tasks_at_once() requires submits_at_once<Pool>
	{
		Pool pool(0, placement::instance().places());
		jobs jobs(current_settings().tasks);
		std::vector<typename Pool::task *> all;

		for (job &job : jobs)
			all.push_back(&job);
		return in_one_thread(
			[&] {
				for (job &job : jobs)
					Pool::prepare(job, run_job);
				pool.submit(all);
				for (job &job : jobs)
					pool.wait(job);
			},
			jobs);
	}

	/* For under_load.h: tasks from outside to one worker, which notes when each began. */
	static const char *run(double interval_ticks, unsigned run_ms, samples &latencies)
	{
		return arrive(interval_ticks, run_ms, latencies).wrong;
	}

	static double run_at_once(unsigned run_ms)
	{
		samples ignored;

		return arrive(0, run_ms, ignored).ns;
	}

      private:
	struct arrival : Pool::task {
		uint64_t due = 0;
		samples *latencies = nullptr;
	};

	static void note_begin(typename Pool::task *task)
	{
		auto *begun = static_cast<arrival *>(task);

		if (!begun->latencies->full())
			begun->latencies->add(lateness(begun->due, ticks()));
	}

	static result arrive(double interval_ticks, unsigned run_ms, samples &latencies)
	{
		Pool pool(1, 1);
		std::vector<arrival> tasks(4096);
		uint64_t count = 0;

		for (arrival &task : tasks)
			task.latencies = &latencies;

		double ns = run_crew(1, run_ms, [&](unsigned, const stop_flag &stop) {
			arrivals arrivals(interval_ticks);

			do {
				arrival &task = tasks[count % tasks.size()];

				if (count >= tasks.size())
					pool.wait(task);
				task.due = arrivals.wait_for_next(stop);
				Pool::prepare(task, note_begin);
				pool.submit(task);
				count++;
			} while (!stop);
			for (uint64_t i = 0; i < std::min<uint64_t>(count, tasks.size()); i++)
				pool.wait(tasks[i]);
		});
		if (latencies.size() != std::min<uint64_t>(count, samples::capacity))
			return {.wrong = "a task did not run exactly once"};
		return {.ns = ns / static_cast<double>(count)};
	}

	/* The empty task; it only counts its runs. */
	struct job : Pool::task {
		uint64_t runs = 0;
	};

	using jobs = std::vector<job>;

	struct root : Pool::task {
		Pool *pool;
		pool_scenarios::jobs *jobs;
	};

	/* A task, or a thread, that calls all jobs through futures. */
	struct call_root : Pool::task {
		explicit call_root(Pool &of)
		    : pool(of), jobs(current_settings().tasks), futures(jobs.size())
		{
		}

		Pool &pool;
		pool_scenarios::jobs jobs;
		std::vector<typename Pool::future> futures;
		bool right = true;
	};

	static result wrong_value()
	{
		return {.wrong = "a future has not the value of its function"};
	}

	static void call_all(call_root &root)
	{
		for (size_t i = 0; i < root.jobs.size(); i++)
			root.futures[i] = root.pool.submit(run_call, &root.jobs[i]);
		for (size_t i = 0; i < root.jobs.size(); i++) {
			root.pool.wait(root.futures[i]);
			root.right = root.right && Pool::value(root.futures[i]) == &root.jobs[i];
			Pool::release(root.futures[i]);
		}
	}

	/* The second of two times that all jobs are called. */
	template <class Work> static result futures(call_root &root, Work work)
	{
		result first = in_one_thread(work, root.jobs);

		for (job &job : root.jobs)
			job.runs = 0;
		if (first.wrong != nullptr)
			return first;

		result second = in_one_thread(work, root.jobs);

		return root.right ? second : wrong_value();
	}

	static void run_call_root(typename Pool::task *task)
	{
		call_all(*static_cast<call_root *>(task));
	}

	static void run_job(typename Pool::task *task)
	{
		static_cast<job *>(task)->runs++;
	}

	static int run_call(void *argument, void **value)
	{
		static_cast<job *>(argument)->runs++;
		*value = argument;
		return 0;
	}

	static void run_root(typename Pool::task *task)
	{
		submit_and_wait(*static_cast<root *>(task)->pool, *static_cast<root *>(task)->jobs);
	}

	static void submit_and_wait(Pool &pool, jobs &jobs)
	{
		for (job &job : jobs) {
			Pool::prepare(job, run_job);
			pool.submit(job);
		}
		for (job &job : jobs)
			pool.wait(job);
	}

	/* Time for each job; each must have run once. */
	template <class Work> static result in_one_thread(Work work, const jobs &jobs)
	{
		double ns = run_crew(1, 0, [&](unsigned, const stop_flag &) { work(); });

		for (const job &job : jobs)
			if (job.runs != 1)
				return {.wrong = "a task did not run exactly once"};
		return {.ns = ns / static_cast<double>(jobs.size())};
	}
};

template <class Pool> void add_pool_round_trips(const std::string &name, role role)
{
	using scenarios = pool_scenarios<Pool>;

	add("pool", "spinning_round_trip", unit::time,
	    {name, role, [] { return scenarios::round_trip(false); }});
	add("pool", "parked_round_trip", unit::time,
	    {name, role, [] { return scenarios::round_trip(true); }});
}

template <class Loop> void add_fan_out(const std::string &name, role role)
{
	add("pool", "fan_out", unit::time, {name, role, fan_out<Loop>});
}

/* What is measured from outside; of pools with one worker when one is asked for also their latency
 * under load. */
template <class Pool>
void add_pool_from_outside(const std::string &name, role role, bool one_worker = true)
{
	using scenarios = pool_scenarios<Pool>;

	if (one_worker)
		add_under_load<scenarios>("pool", name, role);
	add("pool", "tasks_from_outside", unit::time, {name, role, scenarios::outside_tasks});
	if constexpr (has_futures<Pool>)
		add("pool", "futures_from_outside", unit::time,
		    {.name = name,
		     .role = role,
		     .measure = scenarios::outside_futures,
		     .warms_up = true});
	add_fan_out<loop_of_tasks<Pool>>(name, role);
}

/* For pools in whose tasks one can wait for others. */
template <class Pool> void add_pool_from_inside(const std::string &name, role role)
{
	using scenarios = pool_scenarios<Pool>;

	add("pool", "tasks_from_inside", unit::time, {name, role, scenarios::inside_tasks});
	if constexpr (has_futures<Pool>)
		add("pool", "futures_from_inside", unit::time,
		    {.name = name,
		     .role = role,
		     .measure = scenarios::inside_futures,
		     .warms_up = true});
}

} // namespace bench

#endif
