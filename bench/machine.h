/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MACHINE_H
#define WEFT_BENCH_MACHINE_H

/* What a report says of the machine. */

#include <string>
#include <vector>

namespace bench
{

std::string cpu_model();
std::string kernel();
/* What sets the frequency of the first CPU; "not told" where the system does not say. */
std::string governor();

/* Of which commit this program is, "-dirty" behind it when something was changed; the version where
 * it was not built in a repository. */
std::string commit();

/* "cpu,core,cache,node,package" for each CPU that the process may use. */
std::string processing_units();

/*
 * How long a cache line takes from each place of the plan to each other and back: the CPUs of the
 * places, then a row for each, as "0 1;0 320;320 0". Measures each pair for a moment; of more than
 * 32 places the first 32.
 */
std::string core_to_core_ns();

/* A loop that always does the same, on all places at once: the nanoseconds of the slowest. What it
 * varies by from time to time is the noise of the machine. */
double loop_ns();

} // namespace bench

#endif
