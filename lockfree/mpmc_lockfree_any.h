/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MPMC_LOCKFREE_ANY_H
#define WEFT_LOCKFREE_MPMC_LOCKFREE_ANY_H

/*
 * Bounded FIFO queue for any number of producers and consumers, elements of any size, lock-free:
 * whichever threads are stopped for ever, wherever they are, all the others push and pop on.
 *
 * When not to use it: for pointers, or what can go by pointer and comes from elsewhere
 * (mpmc_lockfree.h: half the exchanges, and "full" is exact); where no thread is ever stopped for
 * long (mpmc_queue.h is two to four times as fast).
 *
 * Source: a queue of indices beside the elements is what Ruslan Nikolaev puts on a ring that is
 * lock-free (DISC 2019), with a second queue of the indices that are not used. Here unused slots
 * come in pages, of which each CPU has one: a slot costs an addition on a line that mostly stays
 * there, and neighbours in the queue are neighbours in memory.
 *
 *     operation                                threads  progress   sleeps  allocates
 *     weft_mpmc_lockfree_any_init, _fini       one      -          no      init
 *     weft_mpmc_lockfree_any_init_in           one      -          no      no
 *     weft_mpmc_lockfree_any_push, _try_push   any      lock-free  no      no
 *     weft_mpmc_lockfree_any_pop, _try_pop     any      lock-free  no      no
 *     ..._try_push_batch, _try_pop_batch       any      lock-free  no      no
 *     weft_mpmc_lockfree_any_close             any      lock-free  no      no
 *     ..._is_closed, _size                     any      lock-free  no      no
 *     ..._capacity, _memory_size               any      wait-free  no      no
 *
 * Order: FIFO. A batch keeps its order; elements of other threads may come between. "Empty" and
 * "closed" are linearizable. "Full" is mostly said when there is no place in the ring, and then is,
 * too; but also when there is no page. Beside those that the elements fill there are two for each
 * list of pages (as many as CPUs, up to 8) and capacity / 4 more, at least 1 and at most 16. Each
 * call that is stopped in the middle is in the way of one of these, and so is one that was, until
 * its element has been popped. A "no", and a batch that gets less than it asks for, may take
 * longer, as in mpmc_lockfree.h.
 *
 * Suspended threads: what mpmc_lockfree.h says of them holds here. And a push is misled that stops
 * while it takes a page, until exactly 2^(62 - log2(pages)) pages have been taken, which are 2^35
 * or more, or a multiple of that.
 *
 * End: a closed queue takes nothing more; what is inside is popped first, then pop says -EPIPE.
 * Memory: for each place 10 bytes and 1.3 elements with a capacity of 4096 and more, up to 136
 * bytes and 2 elements with 32 and more, up to 264 bytes and 4 elements with fewer; 21 lines for
 * all. It may be the caller's, for instance on a given NUMA node: weft_memory_alloc() of
 * <weft/affinity/memory.h>, then weft_mpmc_lockfree_any_init_in.
 */

#include <string.h>

#include <weft/lockfree/mpmc_lockfree.h>
#include <weft/lockfree/slot_pool.h>

/*
 * The memory of the elements is in pages of as many slots. A CPU has a page of which the producers
 * there take one slot after the other; it comes back into the pool when the last of its slots has
 * been popped. Invariants:
 *   I1  a page is in the pool, one CPU's, used up and not yet free, or in the hands of a call;
 *   I2  live of a page is how many of its slots are not free: all, from when it leaves the pool,
 *       whether they are taken or not. Who makes it 0 puts the page back;
 *   I3  current_ of a CPU is its page << 32 | how many slots of it are taken; above those that it
 *       has when it is used up. It never goes back to a page that is not, but by the exchange that
 *       makes that page its own. So who takes a slot, by an addition, takes it of the page that is
 *       the CPU's at that moment, whatever was read before.
 */
typedef struct weft_mpmc_lockfree_page_ {
	WEFT_ATOMIC(uint64_t) link; /* of the pool */
	WEFT_ATOMIC(uint64_t) live;
	unsigned char padding[48]; /* consumers write here: not on one line with another page */
} weft_mpmc_lockfree_page_;

typedef struct weft_mpmc_lockfree_current_ {
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) word;
} weft_mpmc_lockfree_current_;

typedef struct weft_mpmc_lockfree_any {
	/* The numbers of the slots with elements, in their order. */
	weft_mpmc_lockfree ring_;
	/* One for each list of the pool. */
	weft_mpmc_lockfree_current_ current_[WEFT_SLOT_POOL_LISTS_];
	weft_slot_pool_ pages_;
	/* Constant between init and fini. */
	WEFT_LINE_ALIGNED unsigned char *elements_;
	size_t element_size_;
	uint64_t page_slots_; /* a power of two */
	uint32_t page_shift_;
	void *owned_; /* all of it, if it is not memory of the caller */
} weft_mpmc_lockfree_any;

/* The largest element, in bytes. Larger things are better passed by pointer. */
#define WEFT_MPMC_LOCKFREE_ANY_ELEMENT_MAX 1048576

/* How many elements of a batch are in the hands of a call at once. */
#define WEFT_MPMC_LOCKFREE_ANY_HANDFUL_ 32

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` elements of `element_size` bytes each. The capacity
 * is rounded up to a power of two. All memory is taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates; asks the system for the number of
 * CPUs.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31, or the element size is 0 or above
 * WEFT_MPMC_LOCKFREE_ANY_ELEMENT_MAX; -ENOMEM when there is no memory (also when the byte count
 * overflows). On an error *queue is left zeroed, and weft_mpmc_lockfree_any_fini may be called.
 */
WEFT_API int weft_mpmc_lockfree_any_init(weft_mpmc_lockfree_any *queue, size_t capacity,
					 size_t element_size);

/*
 * How many bytes weft_mpmc_lockfree_any_init_in needs for such a queue; 0 when
 * weft_mpmc_lockfree_any_init would refuse the arguments, or when a size_t cannot count them.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_mpmc_lockfree_any_memory_size(size_t capacity, size_t element_size);

/*
 * As weft_mpmc_lockfree_any_init, in memory of the caller, which stays the caller's: it must
 * outlive the queue, and weft_mpmc_lockfree_any_fini does not free it.
 * Threads: one, before the queue is shared. Progress: touches all the memory it needs; asks the
 * system for the number of CPUs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_mpmc_lockfree_any_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_mpmc_lockfree_any_init_in(weft_mpmc_lockfree_any *queue, void *memory,
					    size_t bytes, size_t capacity, size_t element_size);

/*
 * Frees the memory, if it is not the caller's. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_mpmc_lockfree_any_fini(weft_mpmc_lockfree_any *queue);

/* Private: gives the CPU of this word another page in place of one that is used up. Returns false
 * when there is none. */
WEFT_API WEFT_COLD bool weft_mpmc_lockfree_any_turn_page_(weft_mpmc_lockfree_any *queue,
							  WEFT_ATOMIC(uint64_t) * current);

/* Private: puts a page back whose slots are all free. */
WEFT_API WEFT_COLD void weft_mpmc_lockfree_any_free_page_(weft_mpmc_lockfree_any *queue,
							  uint64_t page);

/* Private: gives slots back that were taken last, and not used. */
WEFT_API WEFT_COLD void weft_mpmc_lockfree_any_untake_(weft_mpmc_lockfree_any *queue,
						       uint64_t first, size_t count);

WEFT_END_DECLS

/*
 * Ends the queue: no push succeeds after this has returned, pops take what is inside and then say
 * so. Idempotent.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE void weft_mpmc_lockfree_any_close(weft_mpmc_lockfree_any *queue)
{
	weft_mpmc_lockfree_close(&queue->ring_);
}

/* Whether it was closed. Threads: any. Progress: lock-free. */
WEFT_INLINE bool weft_mpmc_lockfree_any_is_closed(const weft_mpmc_lockfree_any *queue)
{
	return weft_mpmc_lockfree_is_closed(&queue->ring_);
}

/* How many elements fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_mpmc_lockfree_any_capacity(const weft_mpmc_lockfree_any *queue)
{
	return weft_mpmc_lockfree_capacity(&queue->ring_);
}

/*
 * How many elements are inside, between 0 and the capacity. Exact while nobody pushes or pops;
 * otherwise off by at most the number of elements that were moved meanwhile.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_mpmc_lockfree_any_size(const weft_mpmc_lockfree_any *queue)
{
	return weft_mpmc_lockfree_size(&queue->ring_);
}

/* From one page's link to the next. */
#define WEFT_MPMC_LOCKFREE_ANY_STRIDE_ sizeof(weft_mpmc_lockfree_page_)

WEFT_INLINE void *weft_mpmc_lockfree_any_element_(const weft_mpmc_lockfree_any *queue,
						  uint64_t number, size_t element_size)
{
	return queue->elements_ + number * element_size;
}

WEFT_INLINE weft_mpmc_lockfree_page_ *weft_mpmc_lockfree_any_page_(
	const weft_mpmc_lockfree_any *queue, uint64_t page)
{
	return (weft_mpmc_lockfree_page_ *)(void *)queue->pages_.links + page;
}

/* Takes up to `count` slots in a row, from *number on; returns how many, 0 when there is none. */
WEFT_INLINE size_t weft_mpmc_lockfree_any_take_(weft_mpmc_lockfree_any *queue, size_t count,
						uint64_t *number)
{
	for (;;) {
		WEFT_ATOMIC(uint64_t) *current =
			&queue->current_[weft_slot_pool_here_(&queue->pages_)].word;
		/* relaxed: looked at first, so that the word cannot run over when there is no other
		 * page; the addition tells. */
		uint64_t word = atomic_load_explicit(current, memory_order_relaxed);

		if (WEFT_LIKELY((uint32_t)word < queue->page_slots_)) {
			uint64_t taken, left;

			/* T1 acquire, pairs with T2, T4: the slots are free. */
			word = atomic_fetch_add_explicit(current, count, memory_order_acquire);
			taken = (uint32_t)word;
			left = queue->page_slots_ - taken;
			if (WEFT_LIKELY(taken < queue->page_slots_)) {
				*number = ((word >> 32) << queue->page_shift_) + taken;
				return left < count ? (size_t)left : count;
			}
		}
		if (WEFT_UNLIKELY(!weft_mpmc_lockfree_any_turn_page_(queue, current)))
			return 0;
	}
}

/* Gives back slots of one page. */
WEFT_INLINE void weft_mpmc_lockfree_any_free_(weft_mpmc_lockfree_any *queue, uint64_t page,
					      uint64_t count)
{
	weft_mpmc_lockfree_page_ *freed = weft_mpmc_lockfree_any_page_(queue, page);

	/* T3 acq_rel, pairs with T3: who frees the last slot knows that the others were read. */
	if (WEFT_UNLIKELY(atomic_fetch_sub_explicit(&freed->live, count, memory_order_acq_rel) ==
			  count))
		weft_mpmc_lockfree_any_free_page_(queue, page);
}

/* The ring holds pointers: a number travels as one. */
WEFT_INLINE void *weft_mpmc_lockfree_any_wrap_(uint64_t number)
{
	return (void *)(uintptr_t)number;
}

/* Pushes one element; returns what push returns. */
WEFT_INLINE int weft_mpmc_lockfree_any_push_core_(weft_mpmc_lockfree_any *queue,
						  const void *element, size_t element_size)
{
	uint64_t number;
	void *pointer;
	int error;

	if (WEFT_UNLIKELY(weft_mpmc_lockfree_any_take_(queue, 1, &number) == 0))
		return weft_mpmc_lockfree_any_is_closed(queue) ? -EPIPE : -EAGAIN;
	memcpy(weft_mpmc_lockfree_any_element_(queue, number, element_size), element, element_size);
	pointer = weft_mpmc_lockfree_any_wrap_(number);
	if (WEFT_LIKELY(weft_mpmc_lockfree_push_run_(&queue->ring_, &pointer, 1) == 1))
		return 0;
	error = weft_mpmc_lockfree_push_slow_(&queue->ring_, pointer);
	if (WEFT_UNLIKELY(error != 0))
		weft_mpmc_lockfree_any_untake_(queue, number, 1);
	return error;
}

/* Pops one element; returns what pop returns. */
WEFT_INLINE int weft_mpmc_lockfree_any_pop_core_(weft_mpmc_lockfree_any *queue, void *element,
						 size_t element_size)
{
	void *pointer;
	uint64_t number;
	int error = weft_mpmc_lockfree_pop(&queue->ring_, &pointer);

	if (WEFT_UNLIKELY(error != 0))
		return error;
	number = (uint64_t)(uintptr_t)pointer;
	memcpy(element, weft_mpmc_lockfree_any_element_(queue, number, element_size), element_size);
	weft_mpmc_lockfree_any_free_(queue, number >> queue->page_shift_, 1);
	return 0;
}

/* Pushes up to a handful of elements; returns how many. */
WEFT_INLINE size_t weft_mpmc_lockfree_any_push_some_(weft_mpmc_lockfree_any *queue,
						     const void *elements, size_t count,
						     size_t element_size)
{
	void *numbers[WEFT_MPMC_LOCKFREE_ANY_HANDFUL_];
	uint64_t first;
	size_t taken = weft_mpmc_lockfree_any_take_(queue, count, &first);
	size_t pushed;

	if (WEFT_UNLIKELY(taken == 0))
		return 0;
	for (size_t i = 0; i < taken; i++)
		numbers[i] = weft_mpmc_lockfree_any_wrap_(first + i);
	memcpy(weft_mpmc_lockfree_any_element_(queue, first, element_size), elements,
	       taken * element_size);
	pushed = weft_mpmc_lockfree_try_push_batch(&queue->ring_, numbers, taken);
	if (WEFT_UNLIKELY(pushed < taken))
		weft_mpmc_lockfree_any_untake_(queue, first + pushed, taken - pushed);
	return pushed;
}

/* Pops up to a handful of elements; returns how many. */
WEFT_INLINE size_t weft_mpmc_lockfree_any_pop_some_(weft_mpmc_lockfree_any *queue, void *elements,
						    size_t count, size_t element_size)
{
	void *numbers[WEFT_MPMC_LOCKFREE_ANY_HANDFUL_];
	size_t popped = weft_mpmc_lockfree_try_pop_batch(&queue->ring_, numbers, count);
	uint64_t page = 0, of_page = 0;

	for (size_t i = 0; i < popped; i++) {
		uint64_t number = (uint64_t)(uintptr_t)numbers[i];

		memcpy((char *)elements + i * element_size,
		       weft_mpmc_lockfree_any_element_(queue, number, element_size), element_size);
		if (number >> queue->page_shift_ != page && of_page > 0) {
			weft_mpmc_lockfree_any_free_(queue, page, of_page);
			of_page = 0;
		}
		page = number >> queue->page_shift_;
		of_page++;
	}
	if (of_page > 0)
		weft_mpmc_lockfree_any_free_(queue, page, of_page);
	return popped;
}

/* How many of `left` elements make the next handful. */
WEFT_INLINE size_t weft_mpmc_lockfree_any_handful_(size_t left)
{
	return left < WEFT_MPMC_LOCKFREE_ANY_HANDFUL_ ? left : WEFT_MPMC_LOCKFREE_ANY_HANDFUL_;
}

WEFT_INLINE size_t weft_mpmc_lockfree_any_push_batch_(weft_mpmc_lockfree_any *queue,
						      const void *elements, size_t count,
						      size_t element_size)
{
	size_t pushed = 0;

	while (pushed < count) {
		size_t some = weft_mpmc_lockfree_any_handful_(count - pushed);
		size_t done = weft_mpmc_lockfree_any_push_some_(
			queue, (const char *)elements + pushed * element_size, some, element_size);

		pushed += done;
		if (done == 0)
			break;
	}
	return pushed;
}

WEFT_INLINE size_t weft_mpmc_lockfree_any_pop_batch_(weft_mpmc_lockfree_any *queue, void *elements,
						     size_t count, size_t element_size)
{
	size_t popped = 0;

	while (popped < count) {
		size_t some = weft_mpmc_lockfree_any_handful_(count - popped);
		size_t done = weft_mpmc_lockfree_any_pop_some_(
			queue, (char *)elements + popped * element_size, some, element_size);

		popped += done;
		if (done < some)
			break;
	}
	return popped;
}

/*
 * Appends a copy of the element.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the queue is full; -EPIPE when it is closed.
 */
WEFT_INLINE int weft_mpmc_lockfree_any_push(weft_mpmc_lockfree_any *queue, const void *element)
{
	return weft_mpmc_lockfree_any_push_core_(queue, element, queue->element_size_);
}

/*
 * Moves the oldest element to *element.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the queue is empty for now; -EPIPE when it is closed and nothing will
 * ever come.
 */
WEFT_INLINE int weft_mpmc_lockfree_any_pop(weft_mpmc_lockfree_any *queue, void *element)
{
	return weft_mpmc_lockfree_any_pop_core_(queue, element, queue->element_size_);
}

/*
 * As weft_mpmc_lockfree_any_push; returns whether the element is in.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE bool weft_mpmc_lockfree_any_try_push(weft_mpmc_lockfree_any *queue, const void *element)
{
	return weft_mpmc_lockfree_any_push(queue, element) == 0;
}

/*
 * As weft_mpmc_lockfree_any_pop; returns whether there was one.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE bool weft_mpmc_lockfree_any_try_pop(weft_mpmc_lockfree_any *queue, void *element)
{
	return weft_mpmc_lockfree_any_pop(queue, element) == 0;
}

/*
 * Appends up to `count` elements in their order, and returns how many: fewer than `count` when the
 * queue is full or closed.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_mpmc_lockfree_any_try_push_batch(weft_mpmc_lockfree_any *queue,
							 const void *elements, size_t count)
{
	return weft_mpmc_lockfree_any_push_batch_(queue, elements, count, queue->element_size_);
}

/*
 * Moves up to `count` of the oldest elements to the array, and returns how many: fewer than `count`
 * when the queue is empty. The quickest way to drain it.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE size_t weft_mpmc_lockfree_any_try_pop_batch(weft_mpmc_lockfree_any *queue,
							void *elements, size_t count)
{
	return weft_mpmc_lockfree_any_pop_batch_(queue, elements, count, queue->element_size_);
}

/*
 * WEFT_MPMC_LOCKFREE_ANY_DEFINE(orders, struct order) makes the type `orders` and orders_init,
 * _memory_size, _init_in, _fini, _close, _is_closed, _capacity, _size, _push, _pop, _try_push,
 * _try_pop, _try_push_batch and _try_pop_batch, which differ from the functions above in that the
 * element's type is checked and its size is known when compiled.
 * _push and _try_push take the element by value. A large one is better pushed by a batch of one,
 * which copies it once, from where it is.
 */
#define WEFT_MPMC_LOCKFREE_ANY_DEFINE(name, type)                                                  \
	typedef struct name {                                                                      \
		weft_mpmc_lockfree_any queue_;                                                     \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *queue, size_t capacity)                                  \
	{                                                                                          \
		return weft_mpmc_lockfree_any_init(&queue->queue_, capacity, sizeof(type));        \
	}                                                                                          \
	WEFT_INLINE size_t name##_memory_size(size_t capacity)                                     \
	{                                                                                          \
		return weft_mpmc_lockfree_any_memory_size(capacity, sizeof(type));                 \
	}                                                                                          \
	WEFT_INLINE int name##_init_in(name *queue, void *memory, size_t bytes, size_t capacity)   \
	{                                                                                          \
		return weft_mpmc_lockfree_any_init_in(&queue->queue_, memory, bytes, capacity,     \
						      sizeof(type));                               \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_mpmc_lockfree_any_fini(&queue->queue_);                                       \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *queue)                                                 \
	{                                                                                          \
		weft_mpmc_lockfree_any_close(&queue->queue_);                                      \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *queue)                                       \
	{                                                                                          \
		return weft_mpmc_lockfree_any_is_closed(&queue->queue_);                           \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *queue)                                      \
	{                                                                                          \
		return weft_mpmc_lockfree_any_capacity(&queue->queue_);                            \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_mpmc_lockfree_any_size(&queue->queue_);                                \
	}                                                                                          \
	WEFT_INLINE int name##_push(name *queue, type element)                                     \
	{                                                                                          \
		return weft_mpmc_lockfree_any_push_core_(&queue->queue_, &element, sizeof(type));  \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name *queue, type *element)                                     \
	{                                                                                          \
		return weft_mpmc_lockfree_any_pop_core_(&queue->queue_, element, sizeof(type));    \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *queue, type element)                                \
	{                                                                                          \
		return name##_push(queue, element) == 0;                                           \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *queue, type *element)                                \
	{                                                                                          \
		return name##_pop(queue, element) == 0;                                            \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *queue, const type *elements, size_t count)  \
	{                                                                                          \
		return weft_mpmc_lockfree_any_push_batch_(&queue->queue_, elements, count,         \
							  sizeof(type));                           \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *queue, type *elements, size_t count)         \
	{                                                                                          \
		return weft_mpmc_lockfree_any_pop_batch_(&queue->queue_, elements, count,          \
							 sizeof(type));                            \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_MPMC_LOCKFREE_ANY_ELEMENT_MAX, "element too large")

#endif
