/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/affinity/rebind.h>

#include "worker.h"

/*
 * Where a worker runs: on the CPU of its place in the plan, and when that is taken away, on what is
 * left (affinity/rebind.h). Nobody tells a worker that this has happened. It looks when it has
 * nothing to do, and while it is displaced also between tasks, at most once in LOOK_NS: a system
 * call that costs less than the sleep that it precedes.
 */

enum {
	LOOK_NS = 100000000,
};

/* Has the pool know where this worker is now. */
static void tell(weft_worker_ *self, const weft_binding_ *before)
{
	weft_pool *pool = self->pool;
	const weft_binding_ *now = &self->binding;
	uint32_t unbound = (now->error != 0) - (uint32_t)(before->error != 0);
	uint32_t crowded = now->shares - (uint32_t)before->shares;

	/* relaxed: a report, and a hint for how long to spin; settling publishes the first ones. */
	if (now->error != 0)
		atomic_store_explicit(&pool->bind_error, now->error, memory_order_relaxed);
	if (unbound != 0 &&
	    atomic_fetch_add_explicit(&pool->unbound, unbound, memory_order_relaxed) + unbound == 0)
		atomic_store_explicit(&pool->bind_error, 0, memory_order_relaxed);
	if (crowded != 0)
		atomic_fetch_add_explicit(&pool->crowded, crowded, memory_order_relaxed);
}

void weft_worker_take_place_(weft_worker_ *self, uint32_t place)
{
	const weft_plan *plan = self->pool->plan;
	weft_binding_ before = self->binding;

	self->bound_place = place;
	if (self->pool->unpinned)
		return;
	if (weft_plan_begin_binding_(plan, place, &self->binding) == -ENODEV)
		weft_plan_keep_binding_(plan, place, &self->binding);
	tell(self, &before);
	self->looked_at_place = weft_now();
}

void weft_worker_keep_place_(weft_worker_ *self)
{
	weft_binding_ before = self->binding;
	/* relaxed: a number. */
	uint32_t place = atomic_load_explicit(&self->place, memory_order_relaxed);
	weft_deadline now;

	if (self->pool->unpinned)
		return;
	/* It has another one since, and has not left meanwhile. */
	if (place != self->bound_place) {
		weft_worker_take_place_(self, place);
		return;
	}
	now = weft_now();
	if (now - self->looked_at_place < LOOK_NS)
		return;
	self->looked_at_place = now;
	weft_plan_keep_binding_(self->pool->plan, self->bound_place, &self->binding);
	tell(self, &before);
}
