/* SPDX-License-Identifier: Apache-2.0 */

/* What stands in for what workers and pools call and the models of worker.c and pool.c leave out:
 * places, fibers, futures, memory for tasks, plans, reclaim. */

#include <weft/affinity/memory.h>
#include <weft/affinity/topology.h>
#include <weft/lockfree/reclaim_thread.h>
#include <weft/pool/worker.h>

void weft_worker_take_place_(weft_worker_ *self, uint32_t place)
{
	self->bound_place = place;
}

void weft_worker_keep_place_(weft_worker_ *self)
{
	(void)self;
}

weft_task *weft_fibers_find_(weft_worker_ *self)
{
	(void)self;
	return NULL;
}

weft_task *weft_fibers_find_yielded_(weft_worker_ *self)
{
	(void)self;
	return NULL;
}

void weft_fibers_go_on_(weft_worker_ *self, weft_task *found)
{
	(void)self;
	(void)found;
}

bool weft_fibers_carry_(weft_worker_ *self, weft_task *task)
{
	(void)self;
	(void)task;
	return false;
}

weft_deadline weft_fibers_deadline_(const weft_worker_ *self)
{
	(void)self;
	return WEFT_FOREVER;
}

bool weft_fibers_trim_(weft_worker_ *self)
{
	(void)self;
	return false;
}

void weft_fibers_begin_(weft_worker_ *self)
{
	self->fibers.first.worker = self;
}

void weft_fibers_end_(weft_worker_ *self)
{
	(void)self;
}

void weft_future_run_(weft_task *task, bool canceled)
{
	(void)task;
	(void)canceled;
}

void weft_overflow_worker_begins_(weft_worker_ *self)
{
	(void)self;
}

void weft_overflow_worker_ends_(weft_worker_ *self)
{
	(void)self;
}

void *weft_task_alloc_(void)
{
	return NULL;
}

void weft_task_free_(void *memory)
{
	(void)memory;
}

/* What creating and destroying need, which are not called. */

uint32_t weft_pool_generation_;

int weft_topology_create(weft_topology **topology, const weft_topology_options *options)
{
	(void)topology;
	(void)options;
	return -ENOMEM;
}

void weft_topology_destroy(weft_topology *topology)
{
	(void)topology;
}

int weft_plan_create(weft_plan **plan, const weft_topology *topology, weft_policy policy,
		     unsigned count)
{
	(void)plan;
	(void)topology;
	(void)policy;
	(void)count;
	return -ENOMEM;
}

void weft_plan_destroy(weft_plan *plan)
{
	(void)plan;
}

unsigned weft_plan_workers(const weft_plan *plan)
{
	(void)plan;
	return 0;
}

bool weft_plan_oversubscribed(const weft_plan *plan)
{
	(void)plan;
	return false;
}

unsigned weft_plan_node(const weft_plan *plan, unsigned index)
{
	(void)plan;
	return index;
}

void *weft_memory_alloc(size_t bytes, size_t alignment, int node)
{
	(void)bytes;
	(void)alignment;
	(void)node;
	return NULL;
}

void weft_memory_free(void *memory, size_t bytes, size_t alignment)
{
	(void)memory;
	(void)bytes;
	(void)alignment;
}

int weft_fibers_init_(weft_worker_ *self, size_t stack_bytes)
{
	(void)self;
	(void)stack_bytes;
	return -ENOMEM;
}

void weft_fibers_fini_(weft_worker_ *self)
{
	(void)self;
}

void weft_forkjoin_free_levels_(weft_worker_ *self)
{
	(void)self;
}

int weft_task_memory_prepare_(void)
{
	return -ENOMEM;
}

void weft_overflow_watch_(void) {}

void weft_overflow_unwatch_(void) {}

/* Nothing is retired. */
_Thread_local weft_reclaim_self weft_reclaim_self_;
weft_reclaim_state_ weft_reclaim_all_;

void weft_reclaim_worker_begins_(void) {}

void weft_reclaim_worker_ends_(void) {}

void weft_reclaim_worker_parks_(void) {}

void weft_reclaim_worker_wakes_(void) {}

void weft_reclaim_quiescent(void) {}

size_t weft_reclaim_poll(void)
{
	return 0;
}
