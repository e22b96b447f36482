/* SPDX-License-Identifier: Apache-2.0 */
#include "stress_fifo.h"

int main(void)
{
	static const stress_fifo_test tests[] = {
		{&fifo_mpmc_lockfree_any, &stress_pair},
		{&fifo_mpmc_lockfree_any, &stress_two},
		{&fifo_mpmc_lockfree_any, &stress_crowd},
		{&fifo_mpmc_lockfree_any, &stress_sixteen},
		{&fifo_mpmc_lockfree_any, &stress_gather},
		{&fifo_mpmc_lockfree_any, &stress_scatter},
		{NULL, NULL},
	};

	return stress_fifo_run(tests);
}
