/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_FIBER_GATE_H
#define WEFT_POOL_FIBER_GATE_H

/*
 * Private: two must be through before a suspended task that may move goes on: its worker, which has
 * left its stack; and whoever wakes it, which may be sooner. The second one finds the gate open,
 * and is the one to offer the task to the workers; the first one no longer touches it.
 */

#include <weft/lockfree/base.h>

enum {
	WEFT_FIBER_GATE_SHUT_,
	WEFT_FIBER_GATE_LEFT_,
	WEFT_FIBER_GATE_WOKEN_,
};

typedef struct weft_fiber_gate_ {
	WEFT_ATOMIC(uint32_t) state;
} weft_fiber_gate_;

/* Before anybody can know that the task waits. Threads: the task's. Progress: wait-free. */
WEFT_INLINE void weft_fiber_gate_shut_(weft_fiber_gate_ *gate)
{
	/* relaxed: published with the wait. */
	atomic_store_explicit(&gate->state, WEFT_FIBER_GATE_SHUT_, memory_order_relaxed);
}

/* The worker runs on another stack. Returns whether it is the one to offer the task. Threads: the
 * worker that the task was on. Progress: wait-free. */
WEFT_INLINE bool weft_fiber_gate_leave_(weft_fiber_gate_ *gate)
{
	/* G1 acq_rel, pairs with G2: the stack as it was left; what was done before the wake. */
	return atomic_exchange_explicit(&gate->state, WEFT_FIBER_GATE_LEFT_,
					memory_order_acq_rel) == WEFT_FIBER_GATE_WOKEN_;
}

/* The wait is over. Returns whether the caller is the one to offer the task. Threads: one, any.
 * Progress: wait-free. */
WEFT_INLINE bool weft_fiber_gate_wake_(weft_fiber_gate_ *gate)
{
	/* G2 acq_rel, pairs with G1: as there, the other way round. */
	return atomic_exchange_explicit(&gate->state, WEFT_FIBER_GATE_WOKEN_,
					memory_order_acq_rel) == WEFT_FIBER_GATE_LEFT_;
}

#endif
