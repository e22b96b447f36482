/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/slot_pool.h>

#include <sched.h>

/* In each list there are at least as many, when they are shared out evenly. */
#define SLOTS_OF_A_LIST 64

size_t weft_slot_pool_lists_(size_t capacity)
{
	size_t cpus = weft_per_cpu_count_(), lists = 1;

	while (lists < cpus && lists < WEFT_SLOT_POOL_LISTS_ &&
	       2 * lists * SLOTS_OF_A_LIST <= capacity)
		lists *= 2;
	return lists;
}

void weft_slot_pool_start_(weft_slot_pool_ *pool, void *links, size_t stride, size_t capacity,
			   size_t lists)
{
	size_t each = capacity / lists;
	/* A slot in the hands of a thread is missed by all others, above all if it is stopped. */
	size_t steal = capacity / 256;

	pool->links = links;
	pool->number_mask = 1;
	while (pool->number_mask < capacity)
		pool->number_mask = 2 * pool->number_mask + 1;
	pool->closed = pool->number_mask + 1;
	pool->tag_step = 2 * pool->closed;
	pool->list_mask = (uint32_t)(lists - 1);
	pool->steal = steal < 1                       ? 1
		      : steal > WEFT_SLOT_POOL_STEAL_ ? WEFT_SLOT_POOL_STEAL_
						      : (uint32_t)steal;
	for (uint64_t number = 1; number <= capacity; number++) {
		uint64_t depth = each - (number - 1) % each;

		weft_slot_set_link_(pool, stride, number, depth > 1 ? number + 1 : 0, depth);
	}
	/* relaxed: not shared yet. */
	for (size_t i = 0; i < lists; i++)
		atomic_store_explicit(&pool->lists[i].head, 1 + i * each, memory_order_relaxed);
}

size_t weft_slot_pool_ask_here_(const weft_slot_pool_ *pool)
{
	int cpu;

	if (pool->list_mask == 0)
		return 0;
	cpu = sched_getcpu();
	return cpu < 0 ? 0 : (uint32_t)cpu & pool->list_mask;
}

/* What is the head of a list now. relaxed: who counts estimates; who looks for the second time has
 * acquired with the first what there is to know. */
static uint64_t look(const weft_slot_list_ *list)
{
	return atomic_load_explicit(&list->head, memory_order_relaxed);
}

size_t weft_slot_pool_size_(const weft_slot_pool_ *pool, size_t stride)
{
	size_t size = 0;

	for (size_t i = 0; i <= pool->list_mask; i++)
		size += weft_slot_depth_(pool, stride, look(&pool->lists[i]) & pool->number_mask);
	return size;
}

/* Leaves `count` slots of the chain, and puts those after them into the list of this CPU. */
static void share(weft_slot_pool_ *pool, size_t stride, size_t count, weft_slot_chain_ *chain)
{
	weft_slot_chain_ rest;

	if (chain->count <= count)
		return;
	rest.last = chain->last;
	rest.count = chain->count - count;
	chain->last = chain->first;
	for (chain->count = 1; chain->count < count; chain->count++)
		chain->last = weft_slot_next_(pool, stride, chain->last);
	rest.first = weft_slot_next_(pool, stride, chain->last);
	weft_slot_pool_put_(pool, stride, &rest);
}

/*
 * Slots that others move to lists which this thread has left behind must not make it say that there
 * are none. So it looks twice: if no head has changed between, all were empty when the second look
 * began. (What made the last of them empty was seen by the first look, hence by the second, and
 * with it all that whoever did it had seen.)
 */
size_t weft_slot_pool_take_slow_(weft_slot_pool_ *pool, size_t stride, size_t count,
				 weft_slot_chain_ *chain)
{
	size_t wanted = count < pool->steal ? pool->steal : count;
	size_t here = weft_slot_pool_here_(pool);

	for (;;) {
		uint64_t heads[WEFT_SLOT_POOL_LISTS_] = {0};
		bool changed = false;

		for (size_t i = 0; i <= pool->list_mask; i++) {
			size_t at = (here + i) & pool->list_mask;

			if (weft_slot_list_take_(pool, &pool->lists[at], stride, wanted, chain,
						 &heads[at]) > 0) {
				share(pool, stride, count, chain);
				return chain->count;
			}
		}
		for (size_t i = 0; i <= pool->list_mask; i++)
			changed = changed || look(&pool->lists[i]) != heads[i];
		if (!changed)
			return 0;
	}
}
