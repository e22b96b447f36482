/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_ROUNDS_H
#define WEFT_BENCH_ROUNDS_H

/*
 * A run is made of rounds, each of which is a process of its own that measures every benchmark
 * once. So the repetitions of one benchmark differ in all that differs between two runs (where the
 * system has put the memory, what the machine did meanwhile), and the range that they span is the
 * one in which the next run may be expected. Of repetitions one after the other in one process that
 * is not so: they agree to a few percent, and their medians differ by twenty.
 */

#include <functional>
#include <string>
#include <vector>

#include "registry.h"

namespace bench
{

/* What a round tells, one call for each benchmark that it begins, or has made. */
struct round_events {
	std::function<void(const std::string &name)> begun;
	std::function<void(const std::string &name, const result &result)> measured;
	std::function<void(const std::string &name, const std::string &what)> wrong;
	/* See loop_ns(). */
	std::function<void(double ns)> loop;
};

/* How many rounds a run makes that may take so long, when so many have taken so long; at least
 * those that it has made. */
unsigned rounds_that_fit(double budget_s, unsigned made, double took_s);

/* In the process of a round: measures all groups, and writes the events to standard output. */
void run_round();

/* The path of this program, by which it starts itself. */
std::string this_program();

/* Starts a round, which is the program with these arguments and `--round`, and passes on what it
 * tells, until progress::interrupted(). Throws when it cannot be started or does not come to its
 * end. */
void call_round(const std::string &program, const std::vector<std::string> &arguments,
		const round_events &events);

/* The names of all benchmarks that a program has, which need not be this one. Throws when it cannot
 * be started or does not know `--list`. */
std::vector<std::string> names_of(const std::string &program);

} // namespace bench

#endif
