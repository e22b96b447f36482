/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MULTIQUEUE_H
#define WEFT_LOCKFREE_MULTIQUEUE_H

/*
 * Relaxed priority queue for many threads: bounded, 64-bit priorities, the least first, but only
 * nearly. It is a number of lanes, each a heap that one thread at a time works in: a push goes to
 * any lane, a pop looks at two and takes from the better one.
 *
 * When not to use it: where the very least must come first, or elements of one priority in the
 * order of their pushes (priority_queue.h); for one or two threads, to which a heap behind a mutex
 * is as good.
 *
 * Source: Hamza Rihani, Peter Sanders and Roman Dementiev, MultiQueues (SPAA 2015), with the sticky
 * lanes of Marvin Williams, Peter Sanders and Roman Dementiev, Engineering MultiQueues (ESA 2021).
 * Their locks are tried here and never waited for.
 *
 *     operation                             threads        progress     sleeps  allocates
 *     weft_multiqueue_init / _fini          one            -            no      init
 *     weft_multiqueue_init_in               one            -            no      no
 *     weft_multiqueue_handle_init           any            wait-free    no      no
 *     weft_multiqueue_push, _try_push       one a handle   blocking (*) no      no
 *     weft_multiqueue_pop, _try_pop         one a handle   blocking (*) no      no
 *     weft_multiqueue_close, _is_closed     any            wait-free    no      no
 *     weft_multiqueue_size, _capacity       any            wait-free    no      no
 *
 *     (*) No call ever waits: it looks at each lane a bounded number of times. A thread that is
 *     stopped inside a call hides the one lane that it works in until it goes on; all others use
 *     the other lanes. So a push says "full" when each lane is full or another thread's at that
 *     moment, and a pop says "empty" when each lane is empty or another thread's. Elements are
 * never lost or doubled.
 *
 * Order. The rank error of a pop is the number of elements inside that should have come before its
 * own. With L lanes and stickiness S, random priorities and enough inside, it is expected to be of
 * the order of L * S: test_multiqueue finds 0.75 * L on average for S = 1 and 0.6 * L * S for
 * larger ones, and more than 8 * L * S in fewer than one pop of 1000; it fails above L * S. There
 * is no bound that always holds. Equal priorities come out in the order of their pushes when they
 * were put into the same lane, as S pushes in a row of one handle are unless another thread is in
 * their way; else within the rank error.
 *
 * Memory: 24 bytes an element, and 128 bytes a lane. It may be the caller's, for instance on a
 * given NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>, then weft_multiqueue_init_in.
 */

#include <weft/lockfree/base.h>

#define WEFT_MULTIQUEUE_LANES_MAX      1024
#define WEFT_MULTIQUEUE_STICKINESS_MAX 1024

/*
 * Private, a lane; its heap follows. Invariants:
 *   I1  only the thread that has set taken_ touches sequence_ and the heap;
 *   I2  count_ and least_ are those of the heap whenever taken_ is 0.
 */
typedef struct weft_multiqueue_lane_ {
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) taken_; /* 1 while a thread works in the lane */
	WEFT_ATOMIC(uint32_t) count_;                   /* elements in the heap */
	WEFT_ATOMIC(uint64_t) least_; /* priority of the first; UINT64_MAX when there is none */
	uint64_t sequence_;           /* of the next element: among equals the oldest is first */
} weft_multiqueue_lane_;

static_assert(sizeof(weft_multiqueue_lane_) == WEFT_CACHE_LINE, "a line of its own");

/* Private. */
enum {
	WEFT_MULTIQUEUE_OPEN_,
	WEFT_MULTIQUEUE_CLOSED_,
	WEFT_MULTIQUEUE_DRAINED_
};

typedef struct weft_multiqueue {
	/* Constant between init and fini, but for phase_, which changes twice. */
	WEFT_LINE_ALIGNED unsigned char *lanes_;
	size_t lane_bytes_;
	uint32_t lane_mask_;     /* number of lanes - 1 */
	uint32_t lane_capacity_; /* elements in each */
	uint32_t stickiness_;
	WEFT_ATOMIC(uint32_t) phase_; /* WEFT_MULTIQUEUE_OPEN_ and so on, in this order */
	void *owned_;                 /* what fini frees */
	/* How many handles were made. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) handles_;
} weft_multiqueue;

static_assert(sizeof(weft_multiqueue) == 2 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* What a thread uses a queue with: where it pushes and pops next. */
typedef struct weft_multiqueue_handle {
	weft_multiqueue *queue_;
	uint64_t random_;
	uint32_t push_lane_, push_left_;   /* for how many more pushes */
	uint32_t pop_lanes_[2], pop_left_; /* for how many more pops */
} weft_multiqueue_handle;

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` elements in `lanes` lanes (rounded up to a power of
 * two; two to four for each thread are a good choice), whose handles stay with a lane for
 * `stickiness` pushes or pops: 1 for the best order, 8 for speed. All memory is taken and touched
 * here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the lanes or the stickiness are 0 or above their limits, the capacity is
 * below the number of lanes or above 2^31; -ENOMEM. On an error *queue is left zeroed, and
 * weft_multiqueue_fini may be called.
 */
WEFT_API int weft_multiqueue_init(weft_multiqueue *queue, size_t capacity, unsigned lanes,
				  unsigned stickiness);

/*
 * How many bytes weft_multiqueue_init_in needs for such a queue; 0 when weft_multiqueue_init would
 * refuse the arguments.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_multiqueue_memory_size(size_t capacity, unsigned lanes);

/*
 * As weft_multiqueue_init, in memory of the caller, which stays his: it must outlive the queue, and
 * weft_multiqueue_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_multiqueue_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_multiqueue_init_in(weft_multiqueue *queue, void *memory, size_t bytes,
				     size_t capacity, unsigned lanes, unsigned stickiness);

/*
 * Frees the memory. Elements still inside are dropped.
 * Threads: one, after all others have stopped using the queue. A zeroed queue is allowed.
 */
WEFT_API void weft_multiqueue_fini(weft_multiqueue *queue);

/*
 * Makes a handle. It holds no elements and nothing that must be given back.
 * Threads: any; then one thread at a time uses the handle. Progress: wait-free.
 */
WEFT_API void weft_multiqueue_handle_init(weft_multiqueue_handle *handle, weft_multiqueue *queue);

/*
 * Adds an element.
 * Threads: one at a time for a handle. Progress: see (*) above.
 * Returns 0; -EAGAIN when no lane could take it; -EPIPE when the queue is closed.
 */
WEFT_API int weft_multiqueue_push(weft_multiqueue_handle *handle, uint64_t priority, void *element);

/*
 * Takes an element of nearly the least priority, which goes to *priority unless that is NULL.
 * Threads: one at a time for a handle. Progress: see (*) above.
 * Returns 0; -EAGAIN when no lane had one to give; -EPIPE when the queue is closed and drained, so
 * that nothing will ever come.
 */
WEFT_API int weft_multiqueue_pop(weft_multiqueue_handle *handle, void **element,
				 uint64_t *priority);

/*
 * Ends the pushes: after it has returned none succeeds. What is inside can still be popped. Once is
 * enough, more do no harm.
 * Threads: any. Progress: wait-free.
 */
WEFT_API void weft_multiqueue_close(weft_multiqueue *queue);

/*
 * How many elements are inside. Exact while nobody pushes or pops; otherwise off by at most the
 * number of calls that ran meanwhile.
 * Threads: any. Progress: wait-free, looks at each lane.
 */
WEFT_API size_t weft_multiqueue_size(const weft_multiqueue *queue);

WEFT_END_DECLS

/* Whether weft_multiqueue_close was called. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_multiqueue_is_closed(const weft_multiqueue *queue)
{
	/* M4 acquire, pairs with M3, M5: what was done before closing. */
	return atomic_load_explicit(&queue->phase_, memory_order_acquire) != WEFT_MULTIQUEUE_OPEN_;
}

/* How many elements fit, all lanes together. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_multiqueue_capacity(const weft_multiqueue *queue)
{
	return ((size_t)queue->lane_mask_ + 1) * queue->lane_capacity_;
}

/*
 * weft_multiqueue_push, and whether it did it.
 * Threads: one at a time for a handle. Progress: see (*) above.
 */
WEFT_INLINE bool weft_multiqueue_try_push(weft_multiqueue_handle *handle, uint64_t priority,
					  void *element)
{
	return weft_multiqueue_push(handle, priority, element) == 0;
}

/*
 * weft_multiqueue_pop, and whether it did it.
 * Threads: one at a time for a handle. Progress: see (*) above.
 */
WEFT_INLINE bool weft_multiqueue_try_pop(weft_multiqueue_handle *handle, void **element,
					 uint64_t *priority)
{
	return weft_multiqueue_pop(handle, element, priority) == 0;
}

#endif
