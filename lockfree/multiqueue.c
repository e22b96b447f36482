/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/multiqueue.h>

#include <string.h>

#include "ring_memory.h"

/* How many pairs of lanes a pop looks at before it goes through all of them. */
#define PAIRS_TRIED 4

typedef struct weft_multiqueue_entry_ {
	uint64_t priority;
	uint64_t sequence;
	void *element;
} weft_multiqueue_entry_;

static uint32_t rounded_lanes(unsigned lanes)
{
	uint32_t rounded = 1;

	while (rounded < lanes)
		rounded *= 2;
	return rounded;
}

/* Elements in each lane, or 0 when the arguments are refused. */
static uint32_t lane_capacity(size_t capacity, unsigned lanes)
{
	if (lanes == 0 || lanes > WEFT_MULTIQUEUE_LANES_MAX || capacity < lanes ||
	    capacity > WEFT_RING_CAPACITY_MAX_)
		return 0;
	return (uint32_t)((capacity + rounded_lanes(lanes) - 1) / rounded_lanes(lanes));
}

static size_t lane_bytes(uint32_t elements)
{
	size_t bytes = sizeof(weft_multiqueue_lane_) +
		       (size_t)elements * sizeof(weft_multiqueue_entry_) + WEFT_CACHE_LINE - 1;

	return bytes / WEFT_CACHE_LINE * WEFT_CACHE_LINE;
}

static weft_multiqueue_lane_ *lane_at(const weft_multiqueue *queue, uint64_t index)
{
	return (weft_multiqueue_lane_ *)(void *)(queue->lanes_ +
						 (index & queue->lane_mask_) * queue->lane_bytes_);
}

static void start(weft_multiqueue *queue, void *lanes, uint32_t elements, unsigned count,
		  unsigned stickiness)
{
	queue->lanes_ = lanes;
	queue->lane_bytes_ = lane_bytes(elements);
	queue->lane_mask_ = rounded_lanes(count) - 1;
	queue->lane_capacity_ = elements;
	queue->stickiness_ = stickiness;
	/* relaxed: the queue is not shared yet. */
	for (uint32_t i = 0; i <= queue->lane_mask_; i++)
		atomic_store_explicit(&lane_at(queue, i)->least_, UINT64_MAX, memory_order_relaxed);
}

int weft_multiqueue_init(weft_multiqueue *queue, size_t capacity, unsigned lanes,
			 unsigned stickiness)
{
	size_t one = 1, bytes = weft_multiqueue_memory_size(capacity, lanes);

	memset((void *)queue, 0, sizeof(*queue));
	if (bytes == 0 || stickiness == 0 || stickiness > WEFT_MULTIQUEUE_STICKINESS_MAX)
		return -EINVAL;

	int error = weft_ring_memory_create_(&queue->owned_, &one, bytes);

	if (error == 0)
		start(queue, queue->owned_, lane_capacity(capacity, lanes), lanes, stickiness);
	return error;
}

size_t weft_multiqueue_memory_size(size_t capacity, unsigned lanes)
{
	uint32_t elements = lane_capacity(capacity, lanes);

	return elements == 0 ? 0 : rounded_lanes(lanes) * lane_bytes(elements);
}

int weft_multiqueue_init_in(weft_multiqueue *queue, void *memory, size_t bytes, size_t capacity,
			    unsigned lanes, unsigned stickiness)
{
	size_t one = 1, needed = weft_multiqueue_memory_size(capacity, lanes);

	memset((void *)queue, 0, sizeof(*queue));
	if (needed == 0 || stickiness == 0 || stickiness > WEFT_MULTIQUEUE_STICKINESS_MAX)
		return -EINVAL;

	int error = weft_ring_memory_adopt_(memory, bytes, &one, needed);

	if (error == 0)
		start(queue, memory, lane_capacity(capacity, lanes), lanes, stickiness);
	return error;
}

void weft_multiqueue_fini(weft_multiqueue *queue)
{
	weft_ring_memory_destroy_(queue->owned_);
	memset((void *)queue, 0, sizeof(*queue));
}

void weft_multiqueue_handle_init(weft_multiqueue_handle *handle, weft_multiqueue *queue)
{
	memset(handle, 0, sizeof(*handle));
	handle->queue_ = queue;
	/* relaxed: a number that no other handle has. Far apart, and never 0. */
	handle->random_ =
		(atomic_fetch_add_explicit(&queue->handles_, 1, memory_order_relaxed) + 1) *
		0x9e3779b97f4a7c15;
}

/* Marsaglia's xorshift; the upper half is random enough for lanes. */
static uint32_t random_of(weft_multiqueue_handle *handle)
{
	uint64_t bits = handle->random_;

	bits ^= bits << 13;
	bits ^= bits >> 7;
	bits ^= bits << 17;
	handle->random_ = bits;
	return (uint32_t)(bits >> 32);
}

/* Takes the lane if no other thread works in it. */
static bool try_take(weft_multiqueue_lane_ *lane)
{
	/* relaxed: a look, so that the line of a lane that is taken stays with its thread. */
	return atomic_load_explicit(&lane->taken_, memory_order_relaxed) == 0 &&
	       /* M1 acquire, pairs with M2: the heap as the last thread left it. */
	       atomic_exchange_explicit(&lane->taken_, 1, memory_order_acquire) == 0;
}

static void release(weft_multiqueue_lane_ *lane)
{
	/* M2 release, pairs with M1: the heap, and what its elements point to. */
	atomic_store_explicit(&lane->taken_, 0, memory_order_release);
}

static weft_multiqueue_entry_ *heap_of(weft_multiqueue_lane_ *lane)
{
	return (weft_multiqueue_entry_ *)(void *)(lane + 1);
}

static bool precedes(const weft_multiqueue_entry_ *left, const weft_multiqueue_entry_ *right)
{
	return left->priority < right->priority ||
	       (left->priority == right->priority && left->sequence < right->sequence);
}

/* relaxed: written by the thread that has taken the lane; others take both for estimates, and who
 * must see what was pushed before has synchronised with M2. */
static uint32_t count_of(const weft_multiqueue_lane_ *lane)
{
	return atomic_load_explicit(&lane->count_, memory_order_relaxed);
}

/* relaxed: as above. */
static uint64_t least_of(const weft_multiqueue_lane_ *lane)
{
	return atomic_load_explicit(&lane->least_, memory_order_relaxed);
}

/* relaxed: as above. */
static void set_count(weft_multiqueue_lane_ *lane, uint32_t count)
{
	uint64_t least = count == 0 ? UINT64_MAX : heap_of(lane)->priority;

	atomic_store_explicit(&lane->count_, count, memory_order_relaxed);
	if (least_of(lane) != least)
		atomic_store_explicit(&lane->least_, least, memory_order_relaxed);
}

/* Into a lane that is ours and not full. */
static void insert(weft_multiqueue_lane_ *lane, uint64_t priority, void *element)
{
	weft_multiqueue_entry_ *heap = heap_of(lane);
	weft_multiqueue_entry_ added = {priority, lane->sequence_++, element};
	uint32_t count = count_of(lane), hole = count;

	while (hole > 0 && precedes(&added, &heap[(hole - 1) / 2])) {
		heap[hole] = heap[(hole - 1) / 2];
		hole = (hole - 1) / 2;
	}
	heap[hole] = added;
	set_count(lane, count + 1);
}

/* From a lane that is ours and not empty. */
static weft_multiqueue_entry_ extract(weft_multiqueue_lane_ *lane)
{
	weft_multiqueue_entry_ *heap = heap_of(lane);
	weft_multiqueue_entry_ first = heap[0];
	uint32_t count = count_of(lane) - 1, hole = 0, child;

	while ((child = 2 * hole + 1) < count) {
		child += child + 1 < count && precedes(&heap[child + 1], &heap[child]);
		if (!precedes(&heap[child], &heap[count]))
			break;
		heap[hole] = heap[child];
		hole = child;
	}
	heap[hole] = heap[count];
	set_count(lane, count);
	return first;
}

int weft_multiqueue_push(weft_multiqueue_handle *handle, uint64_t priority, void *element)
{
	weft_multiqueue *queue = handle->queue_;

	if (handle->push_left_ == 0) {
		handle->push_lane_ = random_of(handle);
		handle->push_left_ = queue->stickiness_;
	}
	handle->push_left_--;
	for (uint32_t tried = 0; tried <= queue->lane_mask_; tried++) {
		weft_multiqueue_lane_ *lane = lane_at(queue, handle->push_lane_);

		if (try_take(lane)) {
			/* relaxed: a pop that has found the queue closed and then this lane empty
			 * had it before us, so that M1 shows the same to us. */
			bool closed = atomic_load_explicit(&queue->phase_, memory_order_relaxed) !=
				      WEFT_MULTIQUEUE_OPEN_;
			bool fits = count_of(lane) < queue->lane_capacity_;

			if (!closed && fits)
				insert(lane, priority, element);
			release(lane);
			if (closed)
				return -EPIPE;
			if (fits)
				return 0;
		}
		handle->push_lane_++;
	}
	return -EAGAIN;
}

/* Takes the first element of a lane. Returns 0, -ENOENT when it has none, -EBUSY when another
 * thread works in it. */
static int pop_from(weft_multiqueue_lane_ *lane, void **element, uint64_t *priority)
{
	if (!try_take(lane))
		return -EBUSY;
	if (count_of(lane) == 0) {
		release(lane);
		return -ENOENT;
	}

	weft_multiqueue_entry_ first = extract(lane);

	release(lane);
	*element = first.element;
	if (priority != NULL)
		*priority = first.priority;
	return 0;
}

/* Goes through all lanes. Returns 0, -ENOENT when all were empty, -EBUSY when some could not be
 * looked at. With `closed` it also takes those that seem empty: no push can follow. */
static int pop_from_any(weft_multiqueue_handle *handle, bool closed, void **element,
			uint64_t *priority)
{
	uint32_t first = random_of(handle);
	int result = -ENOENT;

	for (uint32_t i = 0; i <= handle->queue_->lane_mask_; i++) {
		weft_multiqueue_lane_ *lane = lane_at(handle->queue_, first + i);

		if (!closed && count_of(lane) == 0)
			continue;

		int error = pop_from(lane, element, priority);

		if (error == 0)
			return 0;
		if (error == -EBUSY)
			result = error;
	}
	return result;
}

int weft_multiqueue_pop(weft_multiqueue_handle *handle, void **element, uint64_t *priority)
{
	weft_multiqueue *queue = handle->queue_;

	for (int tried = 0; tried < PAIRS_TRIED; tried++) {
		if (handle->pop_left_ == 0) {
			handle->pop_lanes_[0] = random_of(handle);
			handle->pop_lanes_[1] = random_of(handle);
			handle->pop_left_ = queue->stickiness_;
		}
		handle->pop_left_--;

		weft_multiqueue_lane_ *one = lane_at(queue, handle->pop_lanes_[0]);
		weft_multiqueue_lane_ *other = lane_at(queue, handle->pop_lanes_[1]);
		weft_multiqueue_lane_ *better = least_of(other) < least_of(one) ? other : one;

		if (count_of(better) != 0 && pop_from(better, element, priority) == 0)
			return 0;
		handle->pop_left_ = 0;
	}

	/* M6 acquire, pairs with M3, M5: what was done before closing. */
	uint32_t phase = atomic_load_explicit(&queue->phase_, memory_order_acquire);

	if (phase == WEFT_MULTIQUEUE_DRAINED_)
		return -EPIPE;
	int error = pop_from_any(handle, phase != WEFT_MULTIQUEUE_OPEN_, element, priority);

	if (error == 0)
		return 0;
	if (phase == WEFT_MULTIQUEUE_OPEN_ || error != -ENOENT)
		return -EAGAIN;
	/* M5 release, pairs with M4, M6: for those who will not have seen it closed. From now on
	 * lanes are taken in vain, and nobody need wonder about one that is. */
	atomic_store_explicit(&queue->phase_, WEFT_MULTIQUEUE_DRAINED_, memory_order_release);
	return -EPIPE;
}

void weft_multiqueue_close(weft_multiqueue *queue)
{
	uint32_t open = WEFT_MULTIQUEUE_OPEN_;

	/* M3 release, pairs with M4, M6: what was done before. */
	atomic_compare_exchange_strong_explicit(&queue->phase_, &open, WEFT_MULTIQUEUE_CLOSED_,
						memory_order_release, memory_order_relaxed);
}

size_t weft_multiqueue_size(const weft_multiqueue *queue)
{
	size_t size = 0;

	for (uint32_t i = 0; i <= queue->lane_mask_; i++)
		size += count_of(lane_at(queue, i));
	return size;
}
