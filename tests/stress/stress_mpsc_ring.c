/* SPDX-License-Identifier: Apache-2.0 */
#include "stress_fifo.h"

int main(void)
{
	static const stress_fifo_test tests[] = {
		{&fifo_mpsc_ring, &stress_pair},
		{&fifo_mpsc_ring, &stress_pairs},
		{&fifo_mpsc_ring, &stress_gather},
		{&fifo_mpsc_ring_in_place, &stress_pair},
		{&fifo_mpsc_ring_in_place, &stress_gather},
		{NULL, NULL},
	};

	return stress_fifo_run(tests);
}
