/* SPDX-License-Identifier: Apache-2.0 */
#include "bound.h"

bool weft_bound_try_enter_(weft_bound_ *bound, uint32_t tasks)
{
	/* relaxed: a count; tasks are published elsewhere, and the eventcount orders its looks. */
	uint32_t queued = atomic_load_explicit(&bound->queued, memory_order_relaxed);

	do {
		if (tasks > bound->limit || queued > bound->limit - tasks)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&bound->queued, &queued, queued + tasks,
							memory_order_relaxed,
							memory_order_relaxed));
	return true;
}

void weft_bound_leave_(weft_bound_ *bound, uint32_t tasks)
{
	uint32_t half = bound->limit / 2;
	/* relaxed: as above. */
	uint32_t queued =
		atomic_fetch_sub_explicit(&bound->queued, tasks, memory_order_relaxed) - tasks;

	if (queued == 0 || (queued <= half && queued + tasks > half))
		weft_eventcount_notify_all(&bound->room);
}
