/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_FIFO_CONTRACT_H
#define WEFT_TESTS_FIFO_CONTRACT_H

/* What every bounded FIFO queue promises to one thread. */

#include "../fifo.h"

/* Of cmocka, whose header wants four others before it. */
struct CMUnitTest;

/*
 * Runs the tests of the contract for each of the kinds (the last one is followed by NULL) and then
 * a program's own tests. Returns what main returns.
 */
int fifo_contract_run(const fifo *const *kinds, const struct CMUnitTest *own, size_t own_count);

#endif
