/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What stands in for liburcu in the models of reclaim: readers with barriers of their own, as where
 * there is no membarrier, and no sleep, so that waiting is done by the words of the threads, whose
 * meaning the model then checks.
 */

#include <weft/lockfree/base.h>

#include "../../lockfree/reclaim_urcu.h"
#include "model.h"

bool weft_urcu_register_(void)
{
	return true;
}

void weft_urcu_unregister_(void) {}

void weft_urcu_enter_(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

void weft_urcu_exit_(void) {}

void weft_urcu_worker_register_(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

void weft_urcu_worker_unregister_(void) {}
void weft_urcu_worker_quiescent_(void) {}

void weft_urcu_worker_online_(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

void weft_urcu_worker_offline_(void) {}

void weft_urcu_fence_all_(void)
{
	atomic_thread_fence(memory_order_seq_cst);
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
