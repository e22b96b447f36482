/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_AGAINST_H
#define WEFT_BENCH_AGAINST_H

/*
 * Two builds side by side in one run. What varies from one run to the next, often by more than a
 * change that one looks for, is the machine, and what each process finds of it (see rounds.h). So
 * each benchmark is measured by a process of either build, one right after the other, of which
 * chance says which is first, and the difference counts. Many short pairs tell more than few long
 * ones: a process is quiet in itself.
 *
 * A benchmark has enough pairs when the noise of their mean is so small that a change of 5 to 10 %
 * cannot hide in it; the others go on, up to a bound. The noise says when to stop, and not the
 * difference, so that stopping makes no difference out of nothing.
 */

#include <string>
#include <vector>

#include "registry.h"

namespace bench
{

struct pair_events {
	std::function<void(const std::string &name)> begun;
	std::function<void(const std::string &name, const result &ours, const result &theirs)>
		measured;
	/* There will be no more of this benchmark: for this reason, or because it is known well. */
	std::function<void(const std::string &name, const std::string &what)> wrong;
	std::function<void(const std::string &name, unsigned pairs)> known;
	/* See loop_ns(). */
	std::function<void(double ns)> loop;
};

/* The benchmarks of weft, with figures that two builds can be compared by, that `program` also has.
 * Throws when there are none, or the program is no weft-bench. */
std::vector<std::string> names_in_both(const std::string &program);

/* Measures these by this program and the other, `most` times at most. One whose process is ended,
 * or cannot be started, is wrong; the others go on. */
void measure_pairs(const std::string &program, const std::vector<std::string> &names, unsigned most,
		   const pair_events &events);

} // namespace bench

#endif
