/* SPDX-License-Identifier: Apache-2.0 */
#include "stress_fifo.h"

int main(void)
{
	static const stress_fifo_test tests[] = {
		{&fifo_spsc_queue, &stress_pair},
		{&fifo_spsc_queue, &stress_pairs},
		{&fifo_spsc_queue_typed, &stress_pair},
		{&fifo_spsc_queue_typed, &stress_pairs},
		{&fifo_spsc_queue_in_place, &stress_pair},
		{&fifo_spsc_queue_in_place, &stress_pairs},
		{&fifo_spsc_queue_by_turns, &stress_two},
		{&fifo_spsc_queue_by_turns, &stress_sixteen},
		{NULL, NULL},
	};

	return stress_fifo_run(tests);
}
