/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_FUTURE_SCENARIOS_H
#define WEFT_BENCH_FUTURE_SCENARIOS_H

/*
 * What is measured of futures alone (many of them: pool_scenarios.h), for pools with futures. Those
 * with on_done<Function>(future &, argument) and cancel(future &), which return whether they did,
 * are also called back, and canceled.
 */

#include "pool_scenarios.h"

namespace bench
{

template <class Pool> class future_scenarios
{
	using future = typename Pool::future;

      public:
	/* One worker, on another CPU than the caller where there is one. */
	static result round_trip()
	{
		Pool pool(1, 1);
		samples times;
		uint64_t runs = 0;
		bool right = true;

		run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
			do {
				uint64_t start = ticks();
				future submitted = pool.submit(count_run, &runs);

				pool.wait(submitted);
				right = right && Pool::value(submitted) == &runs;
				Pool::release(submitted);
				times.add(ticks() - start);
			} while (!stop && !times.full());
		});
		if (!right || runs != times.size())
			return {.wrong = "a future has not the value of its function"};
		return quantiles(times);
	}

	/* Many futures from outside, each of which calls back when it ends. */
	static result callbacks()
	{
		Pool pool(0, placement::instance().places());
		size_t count = current_settings().tasks;
		std::vector<tally> seen(count);
		std::vector<future> futures(count);
		std::atomic<size_t> called{0};
		bool right = true;

		all_called = &called;

		double ns = run_crew(1, 0, [&](unsigned, const stop_flag &) {
			patience patience;

			for (size_t i = 0; i < count; i++) {
				futures[i] = pool.submit(count_run, &seen[i].sum);
				right = Pool::template on_done<count_call>(futures[i], &seen[i]) &&
					right;
			}
			for (future &submitted : futures) {
				pool.wait(submitted);
				Pool::release(submitted);
			}
			/* A call may come a little after the end. */
			while (called.load(std::memory_order_acquire) < count)
				patience.failed();
		});
		for (const tally &one : seen)
			right = right && one.count == 1 && one.sum == 1;
		if (!right)
			return {.wrong = "a future did not call back exactly once"};
		return {.ns = ns / static_cast<double>(count)};
	}

	/* Many futures that are canceled before they begin: the only worker is kept busy. */
	static result canceled()
	{
		Pool pool(0, 1);
		size_t count = current_settings().tasks;
		std::atomic<bool> go_on{false};
		uint64_t runs = 0, last_runs = 0, canceled = 0;

		double ns = run_crew(1, 0, [&](unsigned, const stop_flag &) {
			future holder = pool.submit(hold, &go_on);

			for (size_t i = 0; i < count; i++) {
				future submitted = pool.submit(count_run, &runs);

				canceled += Pool::cancel(submitted);
				Pool::release(submitted);
			}
			go_on.store(true, std::memory_order_release);

			/* When it has run the worker has done with those before it. */
			future last = pool.submit(count_run, &last_runs);

			for (future *submitted : {&holder, &last}) {
				pool.wait(*submitted);
				Pool::release(*submitted);
			}
		});
		if (runs != 0 || canceled != count || last_runs != 1)
			return {.wrong = "a future that was canceled has run, or one has not that "
					 "was not"};
		return {.ns = ns / static_cast<double>(count)};
	}

      private:
	static int count_run(void *argument, void **value)
	{
		++*static_cast<uint64_t *>(argument);
		*value = argument;
		return 0;
	}

	static void count_call(void *argument)
	{
		static_cast<tally *>(argument)->count++;
		all_called->fetch_add(1, std::memory_order_release);
	}

	static int hold(void *argument, void **)
	{
		patience patience;

		while (!static_cast<std::atomic<bool> *>(argument)->load(std::memory_order_acquire))
			patience.failed();
		return 0;
	}

	/* Of the measurement that is being made. */
	static inline std::atomic<size_t> *all_called = nullptr;
};

template <class Pool> void add_future_round_trip(const std::string &name, role role)
{
	add("future", "round_trip", unit::time, {name, role, future_scenarios<Pool>::round_trip});
}

template <class Pool> void add_futures(const std::string &name, role role)
{
	using scenarios = future_scenarios<Pool>;

	add_future_round_trip<Pool>(name, role);
	add("future", "called_back", unit::time, {name, role, scenarios::callbacks});
	add("future", "canceled", unit::time, {name, role, scenarios::canceled});
}

} // namespace bench

#endif
