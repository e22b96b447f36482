/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_FIBER_SCENARIOS_H
#define WEFT_BENCH_FIBER_SCENARIOS_H

/*
 * What is measured of fibers, as templates for all.
 *
 * A way to switch is a class with
 *     void there_and_back()    to another context, which comes back at once
 *     uint64_t visits()        how often it was there
 * A way to run fibers is a class of
 *     fibers()                 on one thread, or one worker
 *     uint64_t pass(uint64_t)  two of them hand over to each other so often each
 *     uint64_t chain(uint64_t) so many, spawned one after the other: each waits until the next one
 *                              has begun, and ends. Returns how many have ended.
 *     uint64_t hold(uint64_t, function)
 *                              calls the function; and again when so many have begun and wait; lets
 *                              them end. Returns how many did.
 */

#include <functional>
#include <memory>

#include "harness.h"
#include "registry.h"

namespace bench
{

template <class Context> result measure_switch()
{
	auto context = std::make_unique<Context>();
	constexpr int trips = 1000;
	uint64_t wanted = 0;

	double ns = time_alone(2 * trips, [&] {
		for (int i = 0; i < trips; i++)
			context->there_and_back();
		wanted += trips;
	});
	if (context->visits() != wanted)
		return {.wrong = "a switch went elsewhere"};
	return {.ns = ns};
}

/* Calls run(count) until the time is up. */
template <class Fibers>
result measure_fibers(uint64_t (Fibers::*run)(uint64_t), uint64_t count, double operations)
{
	auto fibers = std::make_unique<Fibers>();
	double runs = 0, begin, end;

	(fibers.get()->*run)(count);
	begin = now_ns();
	do {
		if ((fibers.get()->*run)(count) != count)
			return {.wrong = "not all of them came to their end"};
		runs++;
		end = now_ns();
	} while (end - begin < current_settings().run_ms * 1e6);
	return {.ns = (end - begin) / runs / operations};
}

/* Bytes of memory for each that waits, of the process's own. */
template <class Fibers> result measure_memory(uint64_t count)
{
	auto fibers = std::make_unique<Fibers>();
	double bytes = 0;

	if (fibers->hold(count, [&] { bytes = static_cast<double>(resident_bytes()) - bytes; }) !=
	    count)
		return {.wrong = "not all of them came to their end"};
	return {.ns = bytes / static_cast<double>(count)};
}

template <class Context> void add_switch(const std::string &name, role role)
{
	add("fiber", "switch", unit::time, {name, role, measure_switch<Context>});
}

/* `part`: what takes hundreds of times as long does that part of the work. */
template <class Fibers> void add_fibers(const std::string &name, role role, uint64_t part = 1)
{
	uint64_t passes = 20000 / part, chained = 1000000 / part, held = 100000 / part;

	auto add_one = [&](const std::string &scenario, unit unit, auto measure) {
		add("fiber", scenario, unit,
		    {.name = name, .role = role, .measure = measure, .warms_up = true});
	};

	add_one("hand_over", unit::time, [passes] {
		return measure_fibers<Fibers>(&Fibers::pass, passes,
					      2 * static_cast<double>(passes));
	});
	add_one("spawn_suspend_resume_end", unit::time, [chained] {
		return measure_fibers<Fibers>(&Fibers::chain, chained,
					      static_cast<double>(chained));
	});
	add_one("memory_while_suspended", unit::bytes,
		[held] { return measure_memory<Fibers>(held); });
}

} // namespace bench

#endif
