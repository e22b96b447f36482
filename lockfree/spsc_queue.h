/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_SPSC_QUEUE_H
#define WEFT_LOCKFREE_SPSC_QUEUE_H

/*
 * Bounded FIFO queue for one producer and one consumer, elements of any size, which can also be
 * written and read where they are.
 *
 * When not to use it: with a second producer or consumer at the same time (mpsc_queue.h,
 * mpmc_queue.h). The two roles may move from thread to thread when something else orders the
 * hand-over.
 *
 * Source: Leslie Lamport's ring (1977), with each side keeping a copy of the other's index so that
 * the shared line moves once per run of elements and not once per element (Giacomoni et al.,
 * FastForward, 2008; Torquati's and Morrison's measurements; DPDK and folly do the same). The rests
 * are FastForward's temporal slipping, but made by the side that has caught up, for a bounded time.
 *
 *     operation                                threads       progress   sleeps  allocates
 *     weft_spsc_queue_init, _fini              one           -          no      init
 *     weft_spsc_queue_init_in                  one           -          no      no
 *     weft_spsc_queue_try_push, ..._batch      one producer  wait-free  no      no
 *     weft_spsc_queue_push, _reserve, _commit  one producer  wait-free  no      no
 *     weft_spsc_queue_try_pop, ..._batch       one consumer  wait-free  no      no
 *     weft_spsc_queue_pop, _peek, _release     one consumer  wait-free  no      no
 *     weft_spsc_queue_close                    one producer  wait-free  no      no
 *     weft_spsc_queue_cancel                   any           wait-free  no      no
 *     weft_spsc_queue_is_closed                any           wait-free  no      no
 *     weft_spsc_queue_size, _capacity          any           wait-free  no      no
 *
 * "Full" and "empty" are exact, each in itself: linearizable. (Not both in one history: a push that
 * has returned may not be seen yet by a pop that answers "empty", as with any two plain stores.)
 *
 * Rests: two sides that run on each other's heels take the same line from each other for every few
 * elements. So one that has found a little (2 elements or more, less than a quarter of the
 * capacity) twice in a row executes up to WEFT_SPSC_QUEUE_PAUSES_ pause instructions, at most a
 * microsecond or two, before it looks at the other's index again. Elements that go to and fro one
 * at a time, and queues of fewer than 64, never see one. Now and then a rest is watched: when the
 * other side has not moved meanwhile, as when one thread is both sides, the next ones are left out.
 *
 * Closing: the producer closes. Others can only ask it to, because without a read-modify-write in
 * each push a second thread cannot decide whether the last push was in time: between
 * weft_spsc_queue_cancel and the producer's next call (which fails) pop answers "empty for now".
 *
 * Memory: capacity * element_size bytes, rounded up to lines. It may be the caller's, for instance
 * on a given NUMA node: weft_memory_alloc() of <weft/affinity/memory.h>, then
 * weft_spsc_queue_init_in.
 */

#include <string.h>

#include <weft/lockfree/base.h>

/* The most pauses of a rest; enough for the other side to get a few lines ahead. */
#define WEFT_SPSC_QUEUE_PAUSES_ 32
/* Of so many rests one is watched, and so many looks go without one after a rest in vain. */
#define WEFT_SPSC_QUEUE_RESTS_TO_WATCH_ 8
#define WEFT_SPSC_QUEUE_LOOKS_WITHOUT_  256

/* Bytes of a line as the processor moves it, and how many ahead of the producer they are fetched.
 */
#define WEFT_SPSC_QUEUE_LINE_        64
#define WEFT_SPSC_QUEUE_LINES_AHEAD_ 4
/* The least elements of a stretch, unless there is less room. */
#define WEFT_SPSC_QUEUE_STRETCH_ 8

/* Whether elements may be pushed. */
enum {
	WEFT_SPSC_QUEUE_OPEN_,
	WEFT_SPSC_QUEUE_CANCELLED_, /* another thread wants no more of them */
	WEFT_SPSC_QUEUE_CLOSED_     /* the producer knows: there will be no more */
};

/* How much a side found when it looked at the other's index; its own. */
typedef struct weft_spsc_queue_pace_ {
	uint32_t found_some; /* the last time */
	uint32_t pauses;     /* before it looks again */
	uint32_t rests;      /* so far */
	uint32_t without;    /* looks to come that none precedes */
} weft_spsc_queue_pace_;

/*
 * Invariants, with indices that count elements and never wrap:
 *   I1  head_ <= tail_ <= head_ + capacity;
 *   I2  slots [head_, tail_) belong to the consumer, the others to the producer;
 *   I3  tail_ <= stretch_end_ <= limit_ <= head_ + capacity and tail_seen_ <= tail_: what a side
 *       has seen is only ever too careful.
 */
typedef struct weft_spsc_queue {
	/* Written by the producer. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) tail_;
	uint64_t limit_;       /* how far it may push, as far as it knows */
	uint64_t stretch_end_; /* how far with nothing else to do: some lines at most */
	weft_spsc_queue_pace_ producer_pace_;
	/* Written by the consumer. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) head_;
	uint64_t tail_seen_; /* the consumer's copy of tail_ */
	weft_spsc_queue_pace_ consumer_pace_;
	/* Constant between init and fini, but for the one change of the state. */
	WEFT_LINE_ALIGNED unsigned char *slots_;
	uint64_t mask_; /* capacity - 1 */
	size_t element_size_;
	void *owned_; /* the slots, if they are not memory of the caller */
	WEFT_ATOMIC(uint32_t) state_;
} weft_spsc_queue;

static_assert(sizeof(weft_spsc_queue) == 3 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* The largest element, in bytes. Larger things are better passed by pointer. */
#define WEFT_SPSC_QUEUE_ELEMENT_MAX 1048576

WEFT_BEGIN_DECLS

/*
 * Makes an empty queue of at least `capacity` elements of `element_size` bytes each. The capacity
 * is rounded up to a power of two. All memory is taken and touched here.
 * Threads: one, before the queue is shared. Progress: allocates.
 * Returns 0; -EINVAL when the capacity is 0 or above 2^31, or the element size is 0 or above
 * WEFT_SPSC_QUEUE_ELEMENT_MAX; -ENOMEM. On an error *queue is left zeroed, and
 * weft_spsc_queue_fini may be called.
 */
WEFT_API int weft_spsc_queue_init(weft_spsc_queue *queue, size_t capacity, size_t element_size);

/*
 * How many bytes weft_spsc_queue_init_in needs for such a queue; 0 when weft_spsc_queue_init would
 * refuse the arguments, or when a size_t cannot count them.
 * Threads: any. Progress: wait-free.
 */
WEFT_API size_t weft_spsc_queue_memory_size(size_t capacity, size_t element_size);

/*
 * As weft_spsc_queue_init, in memory of the caller, which stays his: it must outlive the queue, and
 * weft_spsc_queue_fini does not free it.
 * Threads: one, before the queue is shared. Progress: wait-free; touches all the memory it needs.
 * Returns 0; -EINVAL also when the memory is NULL, not aligned to WEFT_CACHE_LINE, or less than
 * weft_spsc_queue_memory_size() bytes. On an error *queue is left zeroed.
 */
WEFT_API int weft_spsc_queue_init_in(weft_spsc_queue *queue, void *memory, size_t bytes,
				     size_t capacity, size_t element_size);

/*
 * Frees the memory, if it is not the caller's. Elements still inside are dropped.
 * Threads: one, after both sides have stopped. A zeroed queue is allowed.
 */
WEFT_API void weft_spsc_queue_fini(weft_spsc_queue *queue);

WEFT_END_DECLS

/* How many elements fit. Threads: any. Progress: wait-free. */
WEFT_INLINE size_t weft_spsc_queue_capacity(const weft_spsc_queue *queue)
{
	return (size_t)queue->mask_ + 1;
}

/*
 * How many elements are inside, between 0 and the capacity. Called by the consumer it is a lower
 * bound, by the producer an upper bound; by others off by what was moved meanwhile.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE size_t weft_spsc_queue_size(const weft_spsc_queue *queue)
{
	/* relaxed: an estimate carries no data. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_relaxed);

	if ((int64_t)(tail - head) < 0)
		return 0;
	return tail - head > queue->mask_ ? (size_t)queue->mask_ + 1 : (size_t)(tail - head);
}

/* Decides about a rest before the next look, after one that has found so much. */
static __attribute__((noinline, unused)) void weft_spsc_queue_set_pace_(
	const weft_spsc_queue *queue, weft_spsc_queue_pace_ *pace, uint64_t found)
{
	uint64_t capacity = queue->mask_ + 1;
	uint64_t pauses = found / 2;

	if (pace->without > 0) {
		pace->without--;
	} else if (found > 1 && pace->found_some != 0 && found < capacity / 4) {
		/* Not so long that the other side runs out of room, or of elements. */
		if (pauses > capacity / 64)
			pauses = capacity / 64;
		if (pauses > WEFT_SPSC_QUEUE_PAUSES_)
			pauses = WEFT_SPSC_QUEUE_PAUSES_;
		pace->pauses = (uint32_t)pauses;
	}
	pace->found_some = found > 0;
}

/* Rests; `other` is the index of the other side. relaxed: only tells whether it moves. */
static __attribute__((noinline, unused)) void weft_spsc_queue_rest_(weft_spsc_queue_pace_ *pace,
								    const WEFT_ATOMIC(uint64_t) *
									    other)
{
	bool watches = pace->rests++ % WEFT_SPSC_QUEUE_RESTS_TO_WATCH_ == 0;
	uint64_t before = watches ? atomic_load_explicit(other, memory_order_relaxed) : 0;

	for (; pace->pauses > 0; pace->pauses--)
		weft_cpu_relax();
	if (watches && atomic_load_explicit(other, memory_order_relaxed) == before) {
		pace->without = WEFT_SPSC_QUEUE_LOOKS_WITHOUT_;
		pace->rests = 0; /* the next one is watched, too */
	}
}

/* Whether it is neither closed nor cancelled. */
WEFT_INLINE bool weft_spsc_queue_is_open_(const weft_spsc_queue *queue)
{
	/* K1 acquire, pairs with P3, X1: what was done before the close is seen. */
	return atomic_load_explicit(&queue->state_, memory_order_acquire) == WEFT_SPSC_QUEUE_OPEN_;
}

/* For the producer, that no longer pushes: the consumer may say that the queue has ended. */
WEFT_INLINE void weft_spsc_queue_end_(weft_spsc_queue *queue)
{
	/* P3 release, pairs with C3, K1: whoever knows that the queue is closed has all elements.
	 * An exchange, lest it hide what X1 has published. */
	atomic_exchange_explicit(&queue->state_, WEFT_SPSC_QUEUE_CLOSED_, memory_order_release);
}

/* Whether the producer may push; if not, the queue has ended. */
WEFT_INLINE bool weft_spsc_queue_may_push_(weft_spsc_queue *queue)
{
	/* relaxed: whoever may not looks again, by P3. */
	if (WEFT_LIKELY(atomic_load_explicit(&queue->state_, memory_order_relaxed) ==
			WEFT_SPSC_QUEUE_OPEN_))
		return true;
	weft_spsc_queue_end_(queue);
	return false;
}

/* How many slots are free, for a producer that knows of too few. */
static __attribute__((noinline, unused)) uint64_t weft_spsc_queue_find_room_(weft_spsc_queue *queue,
									     uint64_t tail)
{
	if (queue->producer_pace_.pauses != 0)
		weft_spsc_queue_rest_(&queue->producer_pace_, &queue->head_);

	/* P1 acquire, pairs with C2: the consumer is done with these slots. */
	uint64_t head = atomic_load_explicit(&queue->head_, memory_order_acquire);
	uint64_t room = queue->mask_ + 1 - (tail - head);

	queue->limit_ = tail + room;
	if (room != 1)
		weft_spsc_queue_set_pace_(queue, &queue->producer_pace_, room);
	return room;
}

/* How many slots are free, at least as far as is known without a look, if that is enough; 0 when
 * the queue is closed. */
WEFT_INLINE uint64_t weft_spsc_queue_room_(weft_spsc_queue *queue, uint64_t tail, uint64_t wanted)
{
	uint64_t room = queue->limit_ - tail;

	if (!weft_spsc_queue_may_push_(queue))
		return 0;
	return WEFT_UNLIKELY(room < wanted) ? weft_spsc_queue_find_room_(queue, tail) : room;
}

/* How many elements there are, for a consumer that knows of too few. */
WEFT_INLINE uint64_t weft_spsc_queue_find_elements_(weft_spsc_queue *queue, uint64_t head)
{
	if (WEFT_UNLIKELY(queue->consumer_pace_.pauses != 0))
		weft_spsc_queue_rest_(&queue->consumer_pace_, &queue->tail_);

	/* C1 acquire, pairs with P2: the elements are complete. */
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_acquire);

	queue->tail_seen_ = tail;
	if (WEFT_UNLIKELY(tail - head != 1))
		weft_spsc_queue_set_pace_(queue, &queue->consumer_pace_, tail - head);
	return tail - head;
}

/* How many elements there are, at least as far as is known without a look, if that is enough. */
WEFT_INLINE uint64_t weft_spsc_queue_inside_(weft_spsc_queue *queue, uint64_t head, uint64_t wanted)
{
	uint64_t inside = queue->tail_seen_ - head;

	return inside < wanted ? weft_spsc_queue_find_elements_(queue, head) : inside;
}

/* Makes the slots before `tail` the consumer's. */
WEFT_INLINE void weft_spsc_queue_publish_(weft_spsc_queue *queue, uint64_t tail)
{
	/* P2 release, pairs with C1: publishes the elements. */
	atomic_store_explicit(&queue->tail_, tail, memory_order_release);
}

/* The same after any number of elements: the next single one begins another stretch. */
WEFT_INLINE void weft_spsc_queue_publish_run_(weft_spsc_queue *queue, uint64_t tail)
{
	queue->stretch_end_ = tail;
	weft_spsc_queue_publish_(queue, tail);
}

/* Makes the slots before `head` the producer's. */
WEFT_INLINE void weft_spsc_queue_hand_back_(weft_spsc_queue *queue, uint64_t head)
{
	/* C2 release, pairs with P1: the slots may be written again. */
	atomic_store_explicit(&queue->head_, head, memory_order_release);
}

WEFT_INLINE uint64_t weft_spsc_queue_own_tail_(const weft_spsc_queue *queue)
{
	/* relaxed: only the producer, which asks, writes tail_. */
	return atomic_load_explicit(&queue->tail_, memory_order_relaxed);
}

WEFT_INLINE uint64_t weft_spsc_queue_own_head_(const weft_spsc_queue *queue)
{
	/* relaxed: only the consumer, which asks, writes head_. */
	return atomic_load_explicit(&queue->head_, memory_order_relaxed);
}

WEFT_INLINE unsigned char *weft_spsc_queue_slot_(const weft_spsc_queue *queue, uint64_t index,
						 size_t element_size)
{
	return queue->slots_ + (size_t)(index & queue->mask_) * element_size;
}

/* How many of so many slots, from this one on, stand before the end of the ring. */
WEFT_INLINE size_t weft_spsc_queue_run_(const weft_spsc_queue *queue, uint64_t index, size_t count)
{
	size_t to_the_end = (size_t)(queue->mask_ + 1 - (index & queue->mask_));

	return count < to_the_end ? count : to_the_end;
}

/* How many elements of this size, a power of two of them, a line has; larger ones have none. */
WEFT_INLINE uint32_t weft_spsc_queue_in_line_(size_t element_size)
{
	if (element_size > WEFT_SPSC_QUEUE_LINE_)
		return 0;
	return UINT32_C(1) << (31 - __builtin_clz(WEFT_SPSC_QUEUE_LINE_ / (uint32_t)element_size));
}

/*
 * Before a run of elements is written: asks for as many lines as it fills, that the producer will
 * come to, and that the consumer, who has read them, still shares. Without that each line costs the
 * producer a wait. Elements larger than a line are lines in a row, which the processor expects.
 */
WEFT_INLINE void weft_spsc_queue_run_ahead_(const weft_spsc_queue *queue, uint64_t tail,
					    uint64_t count, uint64_t room, size_t element_size,
					    uint32_t in_line)
{
	uint64_t ahead = (uint64_t)WEFT_SPSC_QUEUE_LINES_AHEAD_ * in_line;

	if (in_line == 0)
		return;
	for (uint64_t i = 0; i < count && room > i + ahead; i += in_line)
		weft_cpu_prefetch_to_write_(
			weft_spsc_queue_slot_(queue, tail + i + ahead, element_size));
}

/* For a producer that has come to the end of a stretch: whether there is another one. */
static __attribute__((noinline, unused)) bool weft_spsc_queue_next_stretch_(weft_spsc_queue *queue,
									    uint64_t tail,
									    size_t element_size,
									    uint32_t in_line)
{
	uint64_t room = queue->limit_ - tail;
	uint32_t most = in_line < WEFT_SPSC_QUEUE_STRETCH_ ? WEFT_SPSC_QUEUE_STRETCH_ : in_line;
	/* It ends with a line, whatever was pushed as a run before. */
	uint64_t stretch = most - (tail & (most - 1));

	if (room == 0)
		room = weft_spsc_queue_find_room_(queue, tail);
	/* Lines that are written whole, one by one, are expected by the processor. */
	if (in_line > 1 && stretch < room) {
		weft_spsc_queue_run_ahead_(queue, tail, stretch, room, element_size, in_line);
		room = stretch;
	}
	queue->stretch_end_ = tail + room;
	return room != 0;
}

WEFT_INLINE bool weft_spsc_queue_push_core_(weft_spsc_queue *queue, const void *element,
					    size_t element_size)
{
	uint64_t tail = weft_spsc_queue_own_tail_(queue);

	if (!weft_spsc_queue_may_push_(queue))
		return false;
	if (WEFT_UNLIKELY(tail == queue->stretch_end_) &&
	    !weft_spsc_queue_next_stretch_(queue, tail, element_size,
					   weft_spsc_queue_in_line_(element_size)))
		return false;
	memcpy(weft_spsc_queue_slot_(queue, tail, element_size), element, element_size);
	weft_spsc_queue_publish_(queue, tail + 1);
	return true;
}

WEFT_INLINE bool weft_spsc_queue_pop_core_(weft_spsc_queue *queue, void *element,
					   size_t element_size)
{
	uint64_t head = weft_spsc_queue_own_head_(queue);

	if (weft_spsc_queue_inside_(queue, head, 1) == 0)
		return false;
	memcpy(element, weft_spsc_queue_slot_(queue, head, element_size), element_size);
	weft_spsc_queue_hand_back_(queue, head + 1);
	return true;
}

WEFT_INLINE size_t weft_spsc_queue_push_run_(weft_spsc_queue *queue, const void *elements,
					     size_t count, size_t element_size)
{
	/* A batch that is known to be of one, without loops and calls. */
	if (__builtin_constant_p(count) && count == 1)
		return weft_spsc_queue_push_core_(queue, elements, element_size) ? 1 : 0;

	uint64_t tail = weft_spsc_queue_own_tail_(queue);
	uint64_t room = weft_spsc_queue_room_(queue, tail, count);

	if (count > room)
		count = (size_t)room;
	if (count == 0)
		return 0;

	size_t first = weft_spsc_queue_run_(queue, tail, count);

	weft_spsc_queue_run_ahead_(queue, tail, count, room, element_size,
				   weft_spsc_queue_in_line_(element_size));
	memcpy(weft_spsc_queue_slot_(queue, tail, element_size), elements, first * element_size);
	if (first < count)
		memcpy(queue->slots_, (const unsigned char *)elements + first * element_size,
		       (count - first) * element_size);
	weft_spsc_queue_publish_run_(queue, tail + count);
	return count;
}

WEFT_INLINE size_t weft_spsc_queue_pop_run_(weft_spsc_queue *queue, void *elements, size_t count,
					    size_t element_size)
{
	uint64_t head = weft_spsc_queue_own_head_(queue);
	uint64_t inside = weft_spsc_queue_inside_(queue, head, count);

	if (count > inside)
		count = (size_t)inside;
	if (count == 0)
		return 0;

	size_t first = weft_spsc_queue_run_(queue, head, count);

	memcpy(elements, weft_spsc_queue_slot_(queue, head, element_size), first * element_size);
	if (first < count)
		memcpy((unsigned char *)elements + first * element_size, queue->slots_,
		       (count - first) * element_size);
	weft_spsc_queue_hand_back_(queue, head + count);
	return count;
}

/* What the producer answers after a call that found no room: -EAGAIN or -EPIPE. */
WEFT_INLINE int weft_spsc_queue_refuse_(weft_spsc_queue *queue)
{
	if (weft_spsc_queue_is_open_(queue))
		return -EAGAIN;
	/* It may have been cancelled since then; the producer may never come back. */
	weft_spsc_queue_end_(queue);
	return -EPIPE;
}

/* Whether no element will come; then those that were pushed are visible. */
WEFT_INLINE bool weft_spsc_queue_has_ended_(const weft_spsc_queue *queue)
{
	/* C3 acquire, pairs with P3: the producer pushed nothing after this. */
	return atomic_load_explicit(&queue->state_, memory_order_acquire) ==
	       WEFT_SPSC_QUEUE_CLOSED_;
}

WEFT_INLINE int weft_spsc_queue_pop_or_end_(weft_spsc_queue *queue, void *element,
					    size_t element_size)
{
	if (weft_spsc_queue_pop_core_(queue, element, element_size))
		return 0;
	if (!weft_spsc_queue_has_ended_(queue))
		return -EAGAIN;
	return weft_spsc_queue_pop_core_(queue, element, element_size) ? 0 : -EPIPE;
}

/*
 * Appends a copy of the element, or returns false when the queue is full or closed.
 * Threads: the producer. Progress: wait-free.
 */
WEFT_INLINE bool weft_spsc_queue_try_push(weft_spsc_queue *queue, const void *element)
{
	return weft_spsc_queue_push_core_(queue, element, queue->element_size_);
}

/*
 * Moves the oldest element to *element, or returns false when the queue is empty.
 * Threads: the consumer. Progress: wait-free.
 */
WEFT_INLINE bool weft_spsc_queue_try_pop(weft_spsc_queue *queue, void *element)
{
	return weft_spsc_queue_pop_core_(queue, element, queue->element_size_);
}

/*
 * Appends up to `count` elements and returns how many: fewer than `count` when the queue becomes
 * full, 0 when it is closed. The consumer sees the run at once.
 * Threads: the producer. Progress: wait-free.
 */
WEFT_INLINE size_t weft_spsc_queue_try_push_batch(weft_spsc_queue *queue, const void *elements,
						  size_t count)
{
	return weft_spsc_queue_push_run_(queue, elements, count, queue->element_size_);
}

/*
 * Moves up to `count` of the oldest elements to the array and returns how many: fewer than `count`
 * when the queue becomes empty.
 * Threads: the consumer. Progress: wait-free.
 */
WEFT_INLINE size_t weft_spsc_queue_try_pop_batch(weft_spsc_queue *queue, void *elements,
						 size_t count)
{
	return weft_spsc_queue_pop_run_(queue, elements, count, queue->element_size_);
}

/*
 * Appends a copy of the element.
 * Threads: the producer. Progress: wait-free.
 * Returns 0; -EAGAIN when the queue is full; -EPIPE when it is closed.
 */
WEFT_INLINE int weft_spsc_queue_push(weft_spsc_queue *queue, const void *element)
{
	return weft_spsc_queue_try_push(queue, element) ? 0 : weft_spsc_queue_refuse_(queue);
}

/*
 * Moves the oldest element to *element.
 * Threads: the consumer. Progress: wait-free.
 * Returns 0; -EAGAIN when the queue is empty for now; -EPIPE when it is empty and closed by its
 * producer: nothing will ever come.
 */
WEFT_INLINE int weft_spsc_queue_pop(weft_spsc_queue *queue, void *element)
{
	return weft_spsc_queue_pop_or_end_(queue, element, queue->element_size_);
}

/* In place, without copying. */

WEFT_INLINE int weft_spsc_queue_reserve_core_(weft_spsc_queue *queue, void **elements,
					      size_t *count, size_t element_size)
{
	uint64_t tail = weft_spsc_queue_own_tail_(queue);
	uint64_t room = weft_spsc_queue_room_(queue, tail, *count);

	if (room == 0)
		return weft_spsc_queue_refuse_(queue);
	if (*count > room)
		*count = (size_t)room;
	*count = weft_spsc_queue_run_(queue, tail, *count);
	*elements = weft_spsc_queue_slot_(queue, tail, element_size);
	return 0;
}

/*
 * Finds room for up to *count elements, to be written where they will be: sets *elements to the
 * first of them and *count to how many there are in a row: fewer than were asked for when the queue
 * is nearly full, or the end of the ring comes first (then what is behind it is found by another
 * call, after the commit). Their bytes are what they are; nothing is reserved for longer than until
 * the producer's next push, and a second call without a commit finds the same room.
 * Threads: the producer. Progress: wait-free.
 * Returns 0; -EAGAIN when the queue is full, -EPIPE when it is closed: then nothing is set.
 */
WEFT_INLINE int weft_spsc_queue_reserve(weft_spsc_queue *queue, void **elements, size_t *count)
{
	return weft_spsc_queue_reserve_core_(queue, elements, count, queue->element_size_);
}

/*
 * Pushes the first `count` elements of the room that was last found, which may be fewer than that,
 * or none. The consumer sees the run at once.
 * Threads: the producer. Progress: wait-free.
 * Returns 0; -EPIPE when the queue was closed since: then nothing is pushed.
 */
WEFT_INLINE int weft_spsc_queue_commit(weft_spsc_queue *queue, size_t count)
{
	uint64_t tail = weft_spsc_queue_own_tail_(queue);

	if (WEFT_UNLIKELY(weft_spsc_queue_room_(queue, tail, count) < count)) {
		int refused = weft_spsc_queue_refuse_(queue);

		WEFT_CONTRACT(refused == -EPIPE, "no more is committed than was reserved");
		return refused;
	}
	weft_spsc_queue_publish_run_(queue, tail + count);
	return 0;
}

WEFT_INLINE int weft_spsc_queue_peek_core_(weft_spsc_queue *queue, void **elements, size_t *count,
					   size_t element_size)
{
	uint64_t head = weft_spsc_queue_own_head_(queue);
	uint64_t inside = weft_spsc_queue_inside_(queue, head, *count);

	if (inside == 0) {
		if (!weft_spsc_queue_has_ended_(queue))
			return -EAGAIN;
		inside = weft_spsc_queue_find_elements_(queue, head);
		if (inside == 0)
			return -EPIPE;
	}
	if (*count > inside)
		*count = (size_t)inside;
	*count = weft_spsc_queue_run_(queue, head, *count);
	*elements = weft_spsc_queue_slot_(queue, head, element_size);
	return 0;
}

/*
 * Finds up to *count of the oldest elements where they are: sets *elements to the first of them and
 * *count to how many there are in a row: fewer than were asked for when there are no more, or the
 * end of the ring comes first. They stay the consumer's, who may also write to them, until he
 * releases or pops them.
 * Threads: the consumer. Progress: wait-free.
 * Returns 0; -EAGAIN when the queue is empty for now, -EPIPE when it is empty and closed by its
 * producer: then nothing is set.
 */
WEFT_INLINE int weft_spsc_queue_peek(weft_spsc_queue *queue, void **elements, size_t *count)
{
	return weft_spsc_queue_peek_core_(queue, elements, count, queue->element_size_);
}

/*
 * Drops the `count` oldest elements, all of which have been seen by peek.
 * Threads: the consumer. Progress: wait-free.
 */
WEFT_INLINE void weft_spsc_queue_release(weft_spsc_queue *queue, size_t count)
{
	uint64_t head = weft_spsc_queue_own_head_(queue);

	WEFT_CONTRACT(count <= queue->tail_seen_ - head, "no more is released than was seen");
	weft_spsc_queue_hand_back_(queue, head + count);
}

/* Closing */

/*
 * Closes the queue: from now on no push succeeds, and when all elements have been popped, pop says
 * so. A producer that ends should close its queue, also when it was cancelled. May be called again.
 * Threads: the producer. Progress: wait-free.
 */
WEFT_INLINE void weft_spsc_queue_close(weft_spsc_queue *queue)
{
	weft_spsc_queue_end_(queue);
}

/*
 * Asks the producer to close the queue: when this has returned no push that begins succeeds, and
 * the first that is refused closes the queue. Who learns of it sees what was done before. May be
 * called again, and after close.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE void weft_spsc_queue_cancel(weft_spsc_queue *queue)
{
	uint32_t open = WEFT_SPSC_QUEUE_OPEN_;

	/* X1 release, pairs with K1: who learns of it sees what was done before. */
	atomic_compare_exchange_strong_explicit(&queue->state_, &open, WEFT_SPSC_QUEUE_CANCELLED_,
						memory_order_release, memory_order_relaxed);
}

/*
 * Whether the queue is closed, or is about to be: while weft_spsc_queue_cancel has not returned a
 * push may still succeed.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_spsc_queue_is_closed(const weft_spsc_queue *queue)
{
	return !weft_spsc_queue_is_open_(queue);
}

/*
 * WEFT_SPSC_QUEUE_DEFINE(samples, struct sample) makes the type `samples` and samples_init, _fini
 * and all the others, which differ from the functions above in that the element's type is checked
 * and its size is known when compiled; _push and _try_push take the element by value. A large one
 * is better pushed by a batch of one, which copies it once, from where it is.
 */
#define WEFT_SPSC_QUEUE_DEFINE(name, type)                                                         \
	typedef struct name {                                                                      \
		weft_spsc_queue queue_;                                                            \
	} name;                                                                                    \
	WEFT_INLINE int name##_init(name *queue, size_t capacity)                                  \
	{                                                                                          \
		return weft_spsc_queue_init(&queue->queue_, capacity, sizeof(type));               \
	}                                                                                          \
	WEFT_INLINE size_t name##_memory_size(size_t capacity)                                     \
	{                                                                                          \
		return weft_spsc_queue_memory_size(capacity, sizeof(type));                        \
	}                                                                                          \
	WEFT_INLINE int name##_init_in(name *queue, void *memory, size_t bytes, size_t capacity)   \
	{                                                                                          \
		return weft_spsc_queue_init_in(&queue->queue_, memory, bytes, capacity,            \
					       sizeof(type));                                      \
	}                                                                                          \
	WEFT_INLINE void name##_fini(name *queue)                                                  \
	{                                                                                          \
		weft_spsc_queue_fini(&queue->queue_);                                              \
	}                                                                                          \
	WEFT_INLINE size_t name##_capacity(const name *queue)                                      \
	{                                                                                          \
		return weft_spsc_queue_capacity(&queue->queue_);                                   \
	}                                                                                          \
	WEFT_INLINE size_t name##_size(const name *queue)                                          \
	{                                                                                          \
		return weft_spsc_queue_size(&queue->queue_);                                       \
	}                                                                                          \
	WEFT_INLINE bool name##_try_push(name *queue, type element)                                \
	{                                                                                          \
		return weft_spsc_queue_push_core_(&queue->queue_, &element, sizeof(type));         \
	}                                                                                          \
	WEFT_INLINE bool name##_try_pop(name *queue, type *element)                                \
	{                                                                                          \
		return weft_spsc_queue_pop_core_(&queue->queue_, element, sizeof(type));           \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_push_batch(name *queue, const type *elements, size_t count)  \
	{                                                                                          \
		return weft_spsc_queue_push_run_(&queue->queue_, elements, count, sizeof(type));   \
	}                                                                                          \
	WEFT_INLINE size_t name##_try_pop_batch(name *queue, type *elements, size_t count)         \
	{                                                                                          \
		return weft_spsc_queue_pop_run_(&queue->queue_, elements, count, sizeof(type));    \
	}                                                                                          \
	WEFT_INLINE int name##_push(name *queue, type element)                                     \
	{                                                                                          \
		return name##_try_push(queue, element) ? 0                                         \
						       : weft_spsc_queue_refuse_(&queue->queue_);  \
	}                                                                                          \
	WEFT_INLINE int name##_pop(name *queue, type *element)                                     \
	{                                                                                          \
		return weft_spsc_queue_pop_or_end_(&queue->queue_, element, sizeof(type));         \
	}                                                                                          \
	WEFT_INLINE int name##_reserve(name *queue, type **elements, size_t *count)                \
	{                                                                                          \
		void *first = NULL;                                                                \
		int error = weft_spsc_queue_reserve_core_(&queue->queue_, &first, count,           \
							  sizeof(type));                           \
                                                                                                   \
		*elements = (type *)first;                                                         \
		return error;                                                                      \
	}                                                                                          \
	WEFT_INLINE int name##_commit(name *queue, size_t count)                                   \
	{                                                                                          \
		return weft_spsc_queue_commit(&queue->queue_, count);                              \
	}                                                                                          \
	WEFT_INLINE int name##_peek(name *queue, type **elements, size_t *count)                   \
	{                                                                                          \
		void *first = NULL;                                                                \
		int error =                                                                        \
			weft_spsc_queue_peek_core_(&queue->queue_, &first, count, sizeof(type));   \
                                                                                                   \
		*elements = (type *)first;                                                         \
		return error;                                                                      \
	}                                                                                          \
	WEFT_INLINE void name##_release(name *queue, size_t count)                                 \
	{                                                                                          \
		weft_spsc_queue_release(&queue->queue_, count);                                    \
	}                                                                                          \
	WEFT_INLINE void name##_close(name *queue)                                                 \
	{                                                                                          \
		weft_spsc_queue_close(&queue->queue_);                                             \
	}                                                                                          \
	WEFT_INLINE void name##_cancel(name *queue)                                                \
	{                                                                                          \
		weft_spsc_queue_cancel(&queue->queue_);                                            \
	}                                                                                          \
	WEFT_INLINE bool name##_is_closed(const name *queue)                                       \
	{                                                                                          \
		return weft_spsc_queue_is_closed(&queue->queue_);                                  \
	}                                                                                          \
	static_assert(sizeof(type) <= WEFT_SPSC_QUEUE_ELEMENT_MAX, "element too large")

#endif
