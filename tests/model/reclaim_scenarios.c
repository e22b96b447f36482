/* SPDX-License-Identifier: Apache-2.0 */
#include "reclaim_scenarios.h"

#include <stdlib.h>
#include <string.h>

#include "../../lockfree/reclaim_thread.h"
#include "model.h"

/* relaxed: nobody else is there. */
void reclaim_scenario_begin(bool counters)
{
	weft_reclaim_state_ *all = &weft_reclaim_all_;

	urcu_stand_in_begin(counters);
	memset((void *)all, 0, sizeof(*all));
	atomic_store_explicit(&all->epoch, 1, memory_order_relaxed);
	atomic_store_explicit(&all->records, &all->common, memory_order_relaxed);
	atomic_store_explicit(&all->limit_objects, 100, memory_order_relaxed);
	atomic_store_explicit(&all->limit_bytes, 100, memory_order_relaxed);
	atomic_store_explicit(&all->common.used, true, memory_order_relaxed);
	model_name(&all->epoch, "epoch");
	model_name(&all->records, "records");
	model_name(&all->unnamed, "unnamed");
	model_name(&all->collecting, "collecting");
	model_name(&all->taken, "taken");
}

void reclaim_scenario_thread_ends(void)
{
	if (weft_reclaim_self_.record_ == NULL)
		return;
	if (weft_reclaim_self_.shielded_ == WEFT_RECLAIM_WORKER_)
		weft_reclaim_worker_ends_();
	else
		weft_reclaim_thread_ends_();
}

void reclaim_scenario_end(void)
{
	weft_reclaim_record_ *record, *next;

	model_assert(weft_reclaim_barrier() == 0);
	record = atomic_load_explicit(&weft_reclaim_all_.records, memory_order_relaxed);
	for (; record != &weft_reclaim_all_.common; record = next) {
		next = record->next;
		free(record);
	}
}
