/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_FORK_SCENARIOS_H
#define WEFT_BENCH_FORK_SCENARIOS_H

/*
 * What is measured of fork-join, as one template for all. A way to fork is a class of
 *     forks(unsigned workers), long run_fib(), long run_queens()
 * of which the last may be missing.
 */

#include <array>
#include <memory>

#include "harness.h"
#include "registry.h"

namespace bench
{

/* The 27th Fibonacci number by the definition: 635,621 calls that do nothing. */
constexpr int fib_argument = 27;
constexpr long fib_value = 196418;
constexpr double fib_calls = 635621;

/* Ten queens: 35,539 calls, which carry a board. */
constexpr int board_size = 10;
constexpr long queens_value = 724;
constexpr double queens_calls = 35539;

/* The columns of the queens in the rows so far. */
struct board {
	std::array<signed char, 16> column{};

	bool is_free(int row, int wanted) const
	{
		for (int above = 0; above < row; above++) {
			int distance = column[static_cast<size_t>(above)] - wanted;

			if (distance == 0 || distance == row - above || distance == above - row)
				return false;
		}
		return true;
	}

	board with(int row, int wanted) const
	{
		board after = *this;

		after.column[static_cast<size_t>(row)] = static_cast<signed char>(wanted);
		return after;
	}
};

/* Calls run() until the time is up; each time it must give the value. */
template <class Forks>
result measure_forks(unsigned workers, long (Forks::*run)(), long value, double calls)
{
	auto forks = std::make_unique<Forks>(workers);
	double runs = 0, begin, end;

	if ((forks.get()->*run)() != value)
		return {.wrong = "a wrong result"};
	begin = now_ns();
	do {
		if ((forks.get()->*run)() != value)
			return {.wrong = "a wrong result"};
		runs++;
		end = now_ns();
	} while (end - begin < current_settings().run_ms * 1e6);
	return {.ns = (end - begin) / runs / calls};
}

template <class Forks> void add_forks(const std::string &name, role role)
{
	unsigned cores = placement::instance().places();

	add("forkjoin", "fib_1_worker", unit::time,
	    {name, role,
	     [] { return measure_forks<Forks>(1, &Forks::run_fib, fib_value, fib_calls); }});
	add("forkjoin", "fib_all_cores", unit::time,
	    {name, role, [cores] {
		     return measure_forks<Forks>(cores, &Forks::run_fib, fib_value, fib_calls);
	     }});
	if constexpr (requires(Forks & forks) { forks.run_queens(); }) {
		add("forkjoin", "queens_1_worker", unit::time,
		    {name, role, [] {
			     return measure_forks<Forks>(1, &Forks::run_queens, queens_value,
							 queens_calls);
		     }});
		add("forkjoin", "queens_all_cores", unit::time,
		    {name, role, [cores] {
			     return measure_forks<Forks>(cores, &Forks::run_queens, queens_value,
							 queens_calls);
		     }});
	}
}

} // namespace bench

#endif
