/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What stands in for liburcu in the models of reclaim. Its readers have a counter, and no barrier
 * but by membarrier; or none, and barriers, as where there is no membarrier. Nobody sleeps, so that
 * waiting is done by the words of the threads, whose meaning the model then checks.
 */

#include "../../lockfree/reclaim_urcu.h"
#include "model.h"
#include "reclaim_scenarios.h"

static WEFT_ATOMIC(unsigned long) period;
static WEFT_ATOMIC(int32_t) sleeper;
static __thread WEFT_ATOMIC(unsigned long) counter;
static bool has_counters;

const weft_urcu_words_ weft_urcu_memb_ = {.period = &period, .sleeper = &sleeper};

/* relaxed: nobody else is there. */
void urcu_stand_in_begin(bool counters)
{
	has_counters = counters;
	atomic_store_explicit(&period, 1, memory_order_relaxed);
	atomic_store_explicit(&sleeper, 0, memory_order_relaxed);
}

bool weft_urcu_register_(void)
{
	return true;
}

void weft_urcu_unregister_(void) {}

WEFT_ATOMIC(unsigned long) * weft_urcu_counter_(void)
{
	return has_counters ? &counter : NULL;
}

void weft_urcu_enter_(void) {}
void weft_urcu_exit_(void) {}
void weft_urcu_wake_(void) {}

void weft_urcu_worker_register_(void) {}
void weft_urcu_worker_unregister_(void) {}
void weft_urcu_worker_quiescent_(void) {}
void weft_urcu_worker_online_(void) {}
void weft_urcu_worker_offline_(void) {}

void weft_urcu_barrier_everywhere_(void)
{
	if (has_counters)
		model_fence_all();
}

bool weft_urcu_fence_process_(void)
{
	model_fence_all();
	return true;
}

void weft_urcu_wait_(void) {}

int32_t weft_urcu_thread_number_(void)
{
	return 1;
}

/* There are none in the models. */
bool weft_urcu_restart_sequences_(size_t cpu)
{
	(void)cpu;
	return false;
}
