/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_REPORT_CALL_H
#define WEFT_BENCH_REPORT_CALL_H

#include <string>
#include <vector>

namespace bench
{

/*
 * Calls the program that makes reports of results and compares them; it complains by itself.
 * Without results it only says whether it could. Returns its exit status, 1 when it cannot be run.
 */
int call_report(const std::vector<std::string> &arguments);

} // namespace bench

#endif
