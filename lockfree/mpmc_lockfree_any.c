/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/mpmc_lockfree_any.h>

#include "ring_memory.h"

/* The most slots of a page; and when it has so many, a queue has as many pages. */
#define PAGE_SLOTS 32
#define PAGES_MIN  32
/* The most pages that somebody who is stopped may be in the way of. */
#define SPARE_PAGES 16

static bool is_element_size(size_t element_size)
{
	return element_size > 0 && element_size <= WEFT_MPMC_LOCKFREE_ANY_ELEMENT_MAX;
}

/* How much there is of what. */
typedef struct layout {
	size_t capacity;
	size_t lists;
	size_t page_slots, pages;
} layout;

/*
 * A queue of capacity elements keeps that many slots busy. In the way are those of pages that are
 * not full yet or any more, which are at most two for each list, for slots are popped in the order
 * in which they were taken; and pages of which somebody who is stopped has a slot.
 */
static layout layout_of(size_t capacity)
{
	layout found = {.capacity = capacity, .lists = weft_slot_pool_lists_(capacity)};
	size_t spare = capacity / 4;

	found.page_slots = 1;
	while (found.page_slots < PAGE_SLOTS && found.page_slots * PAGES_MIN < capacity)
		found.page_slots *= 2;
	spare = spare < 1 ? 1 : spare > SPARE_PAGES ? SPARE_PAGES : spare;
	found.pages = capacity / found.page_slots + 2 * found.lists + spare;
	/* Each list has as many. */
	found.pages = (found.pages + found.lists - 1) / found.lists * found.lists;
	return found;
}

/* Of everything: the pages, which are lines, the places of the ring, the elements. */
static int measure(size_t *capacity, size_t element_size, size_t *bytes)
{
	size_t ring_bytes, elements, total;
	int error = is_element_size(element_size)
			    ? weft_ring_memory_measure_(capacity, sizeof(uint64_t), &ring_bytes)
			    : -EINVAL;

	if (error != 0)
		return error;

	layout found = layout_of(*capacity);

	if (__builtin_mul_overflow(found.pages * found.page_slots, element_size, &elements) ||
	    __builtin_add_overflow(elements, ring_bytes, &total) ||
	    __builtin_add_overflow(total, found.pages * sizeof(weft_mpmc_lockfree_page_), &total))
		return -ENOMEM;
	*bytes = total;
	return 0;
}

static void start(weft_mpmc_lockfree_any *queue, void *memory, const layout *sizes,
		  size_t element_size)
{
	unsigned char *ring =
		(unsigned char *)memory + sizes->pages * sizeof(weft_mpmc_lockfree_page_);

	weft_slot_pool_start_(&queue->pages_, memory, WEFT_MPMC_LOCKFREE_ANY_STRIDE_, sizes->pages,
			      sizes->lists);
	weft_mpmc_lockfree_start_(&queue->ring_, ring, sizes->capacity);
	queue->elements_ = ring + sizes->capacity * sizeof(uint64_t);
	queue->element_size_ = element_size;
	queue->page_slots_ = sizes->page_slots;
	queue->page_shift_ = (uint32_t)__builtin_ctzll(sizes->page_slots);
	/* Used up (I3). relaxed: not shared yet. */
	for (size_t i = 0; i < WEFT_SLOT_POOL_LISTS_; i++)
		atomic_store_explicit(&queue->current_[i].word, sizes->page_slots,
				      memory_order_relaxed);
}

int weft_mpmc_lockfree_any_init(weft_mpmc_lockfree_any *queue, size_t capacity, size_t element_size)
{
	size_t bytes, one = 1;
	int error = measure(&capacity, element_size, &bytes);

	memset((void *)queue, 0, sizeof(*queue));
	if (error == 0)
		error = weft_ring_memory_create_(&queue->owned_, &one, bytes);
	if (error == 0) {
		const layout sizes = layout_of(capacity);

		start(queue, queue->owned_, &sizes, element_size);
	}
	return error;
}

size_t weft_mpmc_lockfree_any_memory_size(size_t capacity, size_t element_size)
{
	size_t bytes;

	if (measure(&capacity, element_size, &bytes) != 0)
		return 0;
	return weft_ring_memory_size_(1, bytes);
}

int weft_mpmc_lockfree_any_init_in(weft_mpmc_lockfree_any *queue, void *memory, size_t bytes,
				   size_t capacity, size_t element_size)
{
	size_t needed, one = 1;

	memset((void *)queue, 0, sizeof(*queue));
	if (measure(&capacity, element_size, &needed) != 0 ||
	    weft_ring_memory_adopt_(memory, bytes, &one, needed) != 0)
		return -EINVAL;

	const layout sizes = layout_of(capacity);

	start(queue, memory, &sizes, element_size);
	return 0;
}

void weft_mpmc_lockfree_any_fini(weft_mpmc_lockfree_any *queue)
{
	weft_ring_memory_destroy_(queue->owned_);
	memset((void *)queue, 0, sizeof(*queue));
}

static void put_page(weft_mpmc_lockfree_any *queue, uint64_t page)
{
	const weft_slot_chain_ chain = {page + 1, page + 1, 1};

	weft_slot_pool_put_(&queue->pages_, WEFT_MPMC_LOCKFREE_ANY_STRIDE_, &chain);
}

void weft_mpmc_lockfree_any_free_page_(weft_mpmc_lockfree_any *queue, uint64_t page)
{
	put_page(queue, page);
}

/* relaxed: what is read of a word tells whether it is used up; the exchange does the rest, and the
 * slots are counted before it. */
bool weft_mpmc_lockfree_any_turn_page_(weft_mpmc_lockfree_any *queue,
				       WEFT_ATOMIC(uint64_t) * current)
{
	weft_slot_chain_ chain;
	uint64_t word;
	bool found = weft_slot_pool_take_(&queue->pages_, WEFT_MPMC_LOCKFREE_ANY_STRIDE_, 1,
					  &chain) == 1;

	word = atomic_load_explicit(current, memory_order_relaxed);
	if (found) {
		uint64_t page = chain.first - 1;

		atomic_store_explicit(&weft_mpmc_lockfree_any_page_(queue, page)->live,
				      queue->page_slots_, memory_order_relaxed);
		while ((uint32_t)word >= queue->page_slots_) {
			/* T2 release, pairs with T1: the slots are free. */
			if (atomic_compare_exchange_strong_explicit(current, &word, page << 32,
								    memory_order_release,
								    memory_order_relaxed))
				return true;
		}
		/* Another thread was faster. */
		put_page(queue, page);
	}
	return (uint32_t)word < queue->page_slots_;
}

/* As long as the caller has a slot of the page, that does not begin anew: if as many are taken as
 * were then, they are the same. */
void weft_mpmc_lockfree_any_untake_(weft_mpmc_lockfree_any *queue, uint64_t first, size_t count)
{
	uint64_t page = first >> queue->page_shift_;
	uint64_t before = page << 32 | (first & (queue->page_slots_ - 1));
	uint64_t after = before + count;
	size_t here = weft_slot_pool_here_(&queue->pages_);

	/* T4 release, pairs with T1: what this thread wrote there, another may write over. */
	if (!atomic_compare_exchange_strong_explicit(&queue->current_[here].word, &after, before,
						     memory_order_release, memory_order_relaxed))
		weft_mpmc_lockfree_any_free_(queue, page, count);
}
