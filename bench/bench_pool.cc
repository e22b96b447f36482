/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pool: tasks and futures against a pool of a mutex and condition variables with the same
 * operations. A round trip is one empty task, submitted and waited for: to a worker that is looking
 * around, and to one that sleeps, beside what two threads need for it with a word or a futex alone.
 */

#include <cstring>
#include <stdexcept>

#include <weft/pool/executor.h>
#include <weft/pool/future.h>
#include <weft/pool/pool.h>

#include "baseline/bells.h"
#include "baseline/mutex_pool.h"
#include "bell_scenarios.h"
#include "harness.h"
#include "registry.h"
#include "under_load.h"

namespace bench
{

namespace
{

/* SpinNs is that of the pool's options. */
template <uint64_t SpinNs> class weft_executor
{
      public:
	using task = weft_task;
	using future = weft_future;

	weft_executor(unsigned first, unsigned workers)
	    : plan_(placement::instance().plan_for(first, workers))
	{
		weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

		options.plan = plan_;
		options.spin_ns = SpinNs;
		if (int error = weft_pool_create(&pool_, &options); error != 0) {
			weft_plan_destroy(plan_);
			throw std::runtime_error(std::strerror(-error));
		}
	}

	weft_executor(const weft_executor &) = delete;

	~weft_executor()
	{
		weft_pool_destroy(pool_);
		weft_plan_destroy(plan_);
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		weft_task_init(&prepared, function);
	}

	/* These can fail only where the benchmark is wrong, which its checks find. */
	void submit(task &prepared)
	{
		weft_task_submit(pool_, &prepared);
	}

	void submit(const std::vector<task *> &prepared)
	{
		weft_task_submit_many(pool_, prepared.data(), prepared.size(), nullptr);
	}

	void wait(task &submitted)
	{
		weft_task_wait(&submitted, WEFT_FOREVER);
	}

	future *submit(int (*function)(void *argument, void **value), void *argument)
	{
		future *submitted = nullptr;

		weft_submit(pool_, function, argument, &submitted);
		return submitted;
	}

	void wait(future *submitted)
	{
		weft_future_wait(submitted, WEFT_FOREVER);
	}

	static void *value(const future *ended)
	{
		return weft_future_value(ended);
	}

	static void release(future *owned)
	{
		weft_future_release(owned);
	}

      private:
	weft_plan *plan_;
	weft_pool *pool_ = nullptr;
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

		double p50_ns = times.quantile_ns(0.5);

		return {.ns = p50_ns, .p99_ns = times.quantile_ns(0.99)};
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

	/* Many futures. The pool takes the memory. */
	static result outside_futures()
	{
		Pool pool(0, placement::instance().places());
		call_root root(pool);

		result result = in_one_thread([&] { call_all(root); }, root.jobs);

		return root.right ? result : wrong_value();
	}

	/* The same, out of a task. */
	static result inside_futures()
	{
		Pool pool(0, placement::instance().places());
		call_root root(pool);

		Pool::prepare(root, run_call_root);

		result result = in_one_thread(
			[&] {
				pool.submit(root);
				pool.wait(root);
			},
			root.jobs);

		return root.right ? result : wrong_value();
	}

	/* All with one call. For pools that have it. */
	static result outside_tasks_at_once()
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
			begun->latencies->add(ticks() - std::min(ticks(), begun->due));
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
		std::vector<typename Pool::future *> futures;
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

template <class Pool> void add_round_trips(const std::string &name, role role)
{
	using scenarios = pool_scenarios<Pool>;

	add("pool", "spinning_round_trip", unit::time,
	    {name, role, [] { return scenarios::round_trip(false); }});
	add("pool", "parked_round_trip", unit::time,
	    {name, role, [] { return scenarios::round_trip(true); }});
}

template <class Pool> void add_many(const std::string &name, role role)
{
	using scenarios = pool_scenarios<Pool>;

	add_under_load<scenarios>("pool", name, role);
	add("pool", "tasks_from_outside", unit::time, {name, role, scenarios::outside_tasks});
	add("pool", "futures_from_outside", unit::time, {name, role, scenarios::outside_futures});
	add("pool", "tasks_from_inside", unit::time, {name, role, scenarios::inside_tasks});
	add("pool", "futures_from_inside", unit::time, {name, role, scenarios::inside_futures});
}

} // namespace

void add_pool()
{
	add_round_trips<weft_executor<0>>("weft", role::weft);
	/* Sleeps at once, on both sides, as a futex does. */
	add("pool", "parked_round_trip", unit::time,
	    {"weft_no_spin", role::weft,
	     [] { return pool_scenarios<weft_executor<1>>::round_trip(true); }});
	add_round_trips<mutex_pool<0>>("mutex_pool", role::baseline);
	add_round_trips<mutex_pool<30000>>("mutex_pool_spin", role::baseline);
	add("pool", "spinning_round_trip", unit::time,
	    {"bare_word", role::floor,
	     [] { return bell_scenarios<bare_word>::round_trip(false); }});
	add("pool", "parked_round_trip", unit::time,
	    {"bare_futex", role::floor,
	     [] { return bell_scenarios<bare_futex>::round_trip(true); }});
	add_many<weft_executor<0>>("weft", role::weft);
	add("pool", "tasks_from_outside", unit::time,
	    {"weft_at_once", role::weft, pool_scenarios<weft_executor<0>>::outside_tasks_at_once});
	add_many<mutex_pool<0>>("mutex_pool", role::baseline);
	add_many<mutex_pool<30000>>("mutex_pool_spin", role::baseline);
}

} // namespace bench
