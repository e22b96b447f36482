/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_UNDER_LOAD_H
#define WEFT_BENCH_UNDER_LOAD_H

/*
 * Latency under load: things arrive at a constant rate, whether the receiver is ready or not, and
 * the latency of each counts from when it was due to arrive. So a stall is paid for by all that was
 * due meanwhile (Gil Tene calls it coordinated omission when it is not). The rate is a part of what
 * the same two threads reach when things arrive as fast as they can.
 */

#include "harness.h"
#include "registry.h"

namespace bench
{

/* The parts that are measured, in percent. */
constexpr unsigned loads[] = {10, 50, 80, 95};

/* Times of arrival, in ticks. */
class arrivals
{
      public:
	/* 0 ticks: each as soon as the one before was sent. */
	explicit arrivals(double interval_ticks)
	    : interval_ticks_(interval_ticks), due_(static_cast<double>(ticks()))
	{
	}

	/* Waits until the next one is due; returns when that is. At the end of the time one more is
	 * due at once, so that there is one even where the rate has none in the time. */
	uint64_t wait_for_next(const stop_flag &stop)
	{
		uint64_t now = ticks();

		if (interval_ticks_ == 0)
			return now;
		due_ += interval_ticks_;
		while (static_cast<double>(now) < due_ && !stop)
			now = ticks();
		return std::min(now, static_cast<uint64_t>(due_));
	}

      private:
	double interval_ticks_;
	double due_;
};

/* How late something due at `due` is at `now`. The clock of another CPU may be a little behind. */
inline uint64_t lateness(uint64_t due, uint64_t now)
{
	return now > due ? now - due : 0;
}

/*
 * Scenario is a class with
 *     static const char *run(double interval_ticks, unsigned run_ms, samples &latencies)
 * which returns what was wrong, or nullptr, and
 *     static double run_at_once(unsigned run_ms)
 * which returns the nanoseconds for each thing when they arrive as fast as they can.
 */
template <class Scenario> double least_interval_ns()
{
	constexpr int tries = 3;
	double least_ns = Scenario::run_at_once(5);

	/* What another program took away once would make all the rates too low. */
	for (int i = 1; i < tries && is_disturbed(); i++)
		least_ns = std::min(least_ns, Scenario::run_at_once(5));
	return least_ns;
}

template <class Scenario> result under_load(unsigned percent)
{
	static const double least_ns = least_interval_ns<Scenario>();
	double interval_ns = least_ns * 100 / percent;
	samples latencies;
	const char *wrong =
		Scenario::run(interval_ns / ns_per_tick(), current_settings().run_ms, latencies);

	if (wrong != nullptr)
		return {.wrong = wrong};
	return {.ns = latencies.quantile_ns(0.5),
		.p99_ns = latencies.quantile_ns(0.99),
		.p999_ns = latencies.quantile_ns(0.999),
		.p9999_ns = latencies.quantile_ns(0.9999),
		.arrivals_per_us = 1e3 / interval_ns};
}

template <class Scenario>
void add_under_load(const std::string &structure, const std::string &name, role role)
{
	for (unsigned percent : loads)
		add(structure, "load_" + std::to_string(percent), unit::time,
		    {name, role, [percent] { return under_load<Scenario>(percent); }});
}

} // namespace bench

#endif
