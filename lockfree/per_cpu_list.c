/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/per_cpu_list.h>

#include <string.h>

#include "reclaim_urcu.h"

int weft_per_cpu_list_init_(weft_per_cpu_list_ *list, size_t limit)
{
	size_t cpus = weft_per_cpu_count_();
	size_t bytes = weft_whole_lines_(sizeof(weft_per_cpu_list_area_) + limit * sizeof(void *));
	int error;

	memset((void *)list, 0, sizeof(*list));
	error = weft_per_cpu_init_(&list->areas, 2 * cpus, bytes);
	if (error != 0)
		return error;
	list->area_bytes = bytes;
	list->restartable_bytes = cpus * bytes;
	list->limit = limit;
	return 0;
}

void weft_per_cpu_list_fini_(weft_per_cpu_list_ *list)
{
	weft_per_cpu_fini_(&list->areas);
	memset((void *)list, 0, sizeof(*list));
}

size_t weft_per_cpu_list_size_(const weft_per_cpu_list_ *list)
{
	const char *area = list->areas.areas;
	size_t size = 0;

	/* relaxed: an estimate carries no data. */
	for (size_t at = 0; at < list->restartable_bytes; at += list->area_bytes) {
		const void *restartable = area + at;
		const void *taken = area + list->restartable_bytes + at;

		size += atomic_load_explicit(&((const weft_per_cpu_list_area_ *)restartable)->count,
					     memory_order_relaxed) &
			~WEFT_PER_CPU_LIST_STOPPED_;
		size += atomic_load_explicit(&((const weft_per_cpu_list_taken_ *)taken)->count,
					     memory_order_relaxed);
	}
	return size;
}

/* Whether the list is the caller's now; false when it is another thread's. */
static bool take_area(weft_per_cpu_list_taken_ *area)
{
	/* L1 acquire, pairs with L2, L3: the list is as its last holder has left it. */
	return atomic_exchange_explicit(&area->taken, 1, memory_order_acquire) == 0;
}

/* The area of this CPU, whose list is then the caller's; NULL when it is another thread's. */
static weft_per_cpu_list_taken_ *take(weft_per_cpu_list_ *list)
{
	const weft_per_cpu_ second = {
		.areas = (char *)list->areas.areas + list->restartable_bytes,
		.bytes = list->areas.bytes - list->restartable_bytes,
	};
	weft_per_cpu_list_taken_ *area = weft_per_cpu_current_(&second, list->area_bytes);

	return take_area(area) ? area : NULL;
}

static void leave(weft_per_cpu_list_taken_ *area)
{
	/* L2 release, pairs with L1: hands the list over. */
	atomic_store_explicit(&area->taken, 0, memory_order_release);
}

static void **pointers_of(weft_per_cpu_list_taken_ *area)
{
	return (void **)(void *)(area + 1);
}

bool weft_per_cpu_list_push_taken_(weft_per_cpu_list_ *list, void *pointer)
{
	weft_per_cpu_list_taken_ *area = take(list);

	if (area == NULL)
		return false;

	uint32_t count = atomic_load_explicit(&area->count, memory_order_relaxed);
	bool fits = count < list->limit;

	if (fits) {
		pointers_of(area)[count] = pointer;
		atomic_store_explicit(&area->count, count + 1, memory_order_relaxed);
	}
	leave(area);
	return fits;
}

void *weft_per_cpu_list_pop_taken_(weft_per_cpu_list_ *list)
{
	weft_per_cpu_list_taken_ *area = take(list);
	void *pointer = NULL;

	if (area == NULL)
		return NULL;

	uint32_t count = atomic_load_explicit(&area->count, memory_order_relaxed);

	if (count > 0) {
		pointer = pointers_of(area)[count - 1];
		atomic_store_explicit(&area->count, count - 1, memory_order_relaxed);
	}
	leave(area);
	return pointer;
}

/* relaxed: the barrier of the system orders what was done in the list before what is done now; and
 * a sequence is one step for it, before or behind the mark. */
static size_t drain_sequences(weft_per_cpu_list_area_ *area, size_t cpu, void **pointers)
{
	uint64_t count = atomic_load_explicit(&area->count, memory_order_relaxed);

	if (count == 0)
		return 0;
	/* Again only when a sequence was just storing its count. */
	do {
		atomic_fetch_or_explicit(&area->count, WEFT_PER_CPU_LIST_STOPPED_,
					 memory_order_relaxed);
		if (!weft_urcu_restart_sequences_(cpu)) {
			atomic_fetch_and_explicit(&area->count, ~WEFT_PER_CPU_LIST_STOPPED_,
						  memory_order_relaxed);
			return 0;
		}
		count = atomic_load_explicit(&area->count, memory_order_relaxed);
	} while ((count & WEFT_PER_CPU_LIST_STOPPED_) == 0);
	count -= WEFT_PER_CPU_LIST_STOPPED_;
	memcpy(pointers, area + 1, (size_t)count * sizeof(*pointers));
	/* L3 release, pairs with L1: the pointers have been read; the next sequence, which need not
	 * acquire for that, writes over them. */
	atomic_store_explicit(&area->count, 0, memory_order_release);
	return (size_t)count;
}

size_t weft_per_cpu_list_drain_(weft_per_cpu_list_ *list, size_t cpu, void **pointers)
{
	char *first = (char *)list->areas.areas + cpu * list->area_bytes;
	weft_per_cpu_list_taken_ *area = (void *)(first + list->restartable_bytes);
	size_t drained = drain_sequences((void *)first, cpu, pointers);

	if (!take_area(area))
		return drained;

	uint32_t count = atomic_load_explicit(&area->count, memory_order_relaxed);

	memcpy(pointers + drained, pointers_of(area), count * sizeof(*pointers));
	atomic_store_explicit(&area->count, 0, memory_order_relaxed);
	leave(area);
	return drained + count;
}
