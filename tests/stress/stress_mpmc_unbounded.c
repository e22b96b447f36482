/* SPDX-License-Identifier: Apache-2.0 */
#include "stress_fifo.h"

int main(void)
{
	static const stress_fifo_test tests[] = {
		{&fifo_mpmc_unbounded, &stress_pair},
		{&fifo_mpmc_unbounded, &stress_two},
		{&fifo_mpmc_unbounded, &stress_crowd},
		{&fifo_mpmc_unbounded, &stress_sixteen},
		{&fifo_mpmc_unbounded, &stress_gather},
		{&fifo_mpmc_unbounded, &stress_scatter},
		{&fifo_mpmc_unbounded_typed, &stress_two},
		{&fifo_mpmc_unbounded_typed, &stress_crowd},
		{NULL, NULL},
	};

	return stress_fifo_run(tests);
}
