/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/multiqueue.h>

#include "multiqueue_heap.h"
#include "ring_memory.h"

/* How many pairs of lanes a pop looks at before it goes through all of them. */
#define PAIRS_TRIED 4

/* Chunks for each lane when all have the same; a lane wastes less than two. */
#define CHUNKS_A_LANE 4

/* What fits into an inbox. */
#define INBOX_CAPACITY 16

/* In chunks_, where a count is above it. */
#define CHUNK_BITS 16
#define NO_CHUNK   (((uint64_t)1 << CHUNK_BITS) - 1)

/* What lies in an inbox, but that it is cut off behind the element. */
typedef struct weft_multiqueue_letter_ {
	uint64_t priority;
	unsigned char element[WEFT_MULTIQUEUE_ELEMENT_MAX];
} weft_multiqueue_letter_;

/* How the memory is divided: lanes, inboxes, fronts, keys, elements, links of chunks, tables of the
 * lanes. */
typedef struct weft_multiqueue_layout_ {
	uint32_t lanes, stickiness, chunks, chunk_shift;
	size_t inbox_size, letter_size;
	size_t inboxes, fronts, keys, elements, links, tables, bytes;
} weft_multiqueue_layout_;

/* Returns false when the arguments are refused. */
static bool lay_out(weft_multiqueue_layout_ *layout, size_t capacity, size_t element_size,
		    unsigned lanes, unsigned stickiness)
{
	size_t entries;

	if (lanes == 0 || lanes > WEFT_MULTIQUEUE_LANES_MAX || capacity == 0 ||
	    capacity > WEFT_RING_CAPACITY_MAX_ || element_size == 0 ||
	    element_size > WEFT_MULTIQUEUE_ELEMENT_MAX || stickiness == 0 ||
	    stickiness > WEFT_MULTIQUEUE_STICKINESS_MAX)
		return false;
	memset(layout, 0, sizeof(*layout));
	layout->chunk_shift = WEFT_MULTIQUEUE_CHUNK_SHIFT_MIN_;
	layout->stickiness = stickiness;
	layout->lanes = 1;
	while (layout->lanes < lanes)
		layout->lanes *= 2;
	while (capacity > ((size_t)CHUNKS_A_LANE * layout->lanes) << layout->chunk_shift)
		layout->chunk_shift++;
	layout->chunks = (uint32_t)((capacity - 1) >> layout->chunk_shift) + 1 + 2 * layout->lanes;
	entries = (size_t)layout->chunks << layout->chunk_shift;
	layout->letter_size = offsetof(weft_multiqueue_letter_, element) + element_size;
	layout->inbox_size = weft_mpmc_queue_memory_size(INBOX_CAPACITY, layout->letter_size);
	layout->inboxes = layout->lanes * sizeof(weft_multiqueue_lane_);
	layout->fronts = layout->inboxes + layout->lanes * layout->inbox_size;
	layout->keys =
		layout->fronts + layout->lanes * weft_multiqueue_front_size_for_(element_size);
	layout->elements = layout->keys + weft_whole_lines_(entries * sizeof(weft_multiqueue_key_));
	layout->links = layout->elements +
			weft_whole_lines_(entries * weft_multiqueue_place_size_for_(element_size));
	layout->tables = layout->links + weft_whole_lines_(layout->chunks * sizeof(uint16_t));
	layout->bytes = layout->tables +
			layout->lanes * weft_whole_lines_(layout->chunks * sizeof(uint16_t));
	return true;
}

size_t weft_multiqueue_memory_size_(size_t capacity, size_t element_size, unsigned lanes)
{
	weft_multiqueue_layout_ layout;

	return lay_out(&layout, capacity, element_size, lanes, 1) ? layout.bytes : 0;
}

static weft_multiqueue_lane_ *lane_at(const weft_multiqueue *queue, uint64_t index)
{
	return &queue->lanes_[index & queue->lane_mask_];
}

static void start(weft_multiqueue *queue, unsigned char *memory, size_t capacity,
		  size_t element_size, const weft_multiqueue_layout_ *layout)
{
	size_t table_size = (layout->bytes - layout->tables) / layout->lanes;

	queue->lanes_ = (weft_multiqueue_lane_ *)(void *)memory;
	queue->keys_ = (weft_multiqueue_key_ *)(void *)(memory + layout->keys);
	queue->elements_ = memory + layout->elements;
	queue->links_ = (WEFT_ATOMIC(uint16_t) *)(void *)(memory + layout->links);
	queue->capacity_ = (uint32_t)capacity;
	queue->lane_mask_ = layout->lanes - 1;
	queue->stickiness_ = layout->stickiness;
	queue->element_size_ = (uint16_t)element_size;
	queue->chunk_shift_ = (uint8_t)layout->chunk_shift;
	/* relaxed: the queue is not shared yet. */
	for (uint32_t i = 0; i < layout->lanes; i++) {
		weft_multiqueue_lane_ *lane = lane_at(queue, i);

		atomic_store_explicit(&lane->least_, UINT64_MAX, memory_order_relaxed);
		lane->front_ =
			memory + layout->fronts + i * weft_multiqueue_front_size_for_(element_size);
		lane->chunks_ = (uint16_t *)(void *)(memory + layout->tables + i * table_size);
		weft_mpmc_queue_init_in(&lane->inbox_,
					memory + layout->inboxes + i * layout->inbox_size,
					layout->inbox_size, INBOX_CAPACITY, layout->letter_size);
	}
	for (uint32_t i = 0; i < layout->chunks; i++)
		atomic_store_explicit(&queue->links_[i], (uint16_t)(i - 1), memory_order_relaxed);
	atomic_store_explicit(&queue->chunks_, layout->chunks - 1, memory_order_relaxed);
}

/* Both kinds of init: with memory of the caller, or with none. */
int weft_multiqueue_init_(weft_multiqueue *queue, size_t capacity, size_t element_size,
			  unsigned lanes, unsigned stickiness)
{
	weft_multiqueue_layout_ layout;
	size_t one = 1;

	memset((void *)queue, 0, sizeof(*queue));
	if (!lay_out(&layout, capacity, element_size, lanes, stickiness))
		return -EINVAL;

	int error = weft_ring_memory_create_(&queue->owned_, &one, layout.bytes);

	if (error == 0)
		start(queue, queue->owned_, capacity, element_size, &layout);
	return error;
}

int weft_multiqueue_init_in_(weft_multiqueue *queue, void *memory, size_t bytes, size_t capacity,
			     size_t element_size, unsigned lanes, unsigned stickiness)
{
	weft_multiqueue_layout_ layout;
	size_t one = 1;

	memset((void *)queue, 0, sizeof(*queue));
	if (!lay_out(&layout, capacity, element_size, lanes, stickiness))
		return -EINVAL;

	int error = weft_ring_memory_adopt_(memory, bytes, &one, layout.bytes);

	if (error == 0)
		start(queue, memory, capacity, element_size, &layout);
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
	handle->identity_ =
		(atomic_fetch_add_explicit(&queue->handles_, 1, memory_order_relaxed) + 1) *
		0x9e3779b97f4a7c15;
	handle->random_ = handle->identity_;
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

/* Where all elements of this priority go that this handle pushes: in one lane they keep their
 * order. */
static weft_multiqueue_lane_ *lane_of(const weft_multiqueue_handle *handle, uint64_t priority)
{
	uint64_t mixed = priority + handle->identity_;

	mixed ^= mixed >> 32;
	return lane_at(handle->queue_, (mixed * 0xbf58476d1ce4e5b9) >> 48);
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

/* Whether there is an entry for one more in a lane that is ours; a new chunk if need be. */
static bool make_room(weft_multiqueue *queue, weft_multiqueue_lane_ *lane)
{
	uint64_t first, next;

	if (WEFT_LIKELY(WEFT_MULTIQUEUE_ROOT_ + weft_multiqueue_count_of_(lane) <
			(uint64_t)lane->chunk_count_ << queue->chunk_shift_))
		return true;
	do {
		/* K1 acquire, pairs with K2: its link, and its last user is done with it. */
		first = atomic_load_explicit(&queue->chunks_, memory_order_acquire);
		if ((first & NO_CHUNK) == NO_CHUNK)
			return false;
		/* relaxed: the link may be of another use by now; then the exchange fails, which
		 * itself only counts. */
		next = atomic_load_explicit(&queue->links_[first & NO_CHUNK], memory_order_relaxed);
		next |= ((first >> CHUNK_BITS) + 1) << CHUNK_BITS;
	} while (!atomic_compare_exchange_weak_explicit(
		&queue->chunks_, &first, next, memory_order_relaxed, memory_order_relaxed));
	lane->chunks_[lane->chunk_count_++] = (uint16_t)(first & NO_CHUNK);
	return true;
}

/* Gives the last chunk back when no entry in it is used, nor half of the one before: a lane that
 * grows and shrinks by a few elements keeps what it has. */
static void give_room(weft_multiqueue *queue, weft_multiqueue_lane_ *lane)
{
	uint64_t chunk = (uint64_t)1 << queue->chunk_shift_, first, given;

	if (WEFT_LIKELY(WEFT_MULTIQUEUE_ROOT_ + weft_multiqueue_count_of_(lane) + chunk +
				chunk / 2 >
			lane->chunk_count_ * chunk))
		return;
	given = lane->chunks_[--lane->chunk_count_];
	/* relaxed: only the exchange counts. */
	first = atomic_load_explicit(&queue->chunks_, memory_order_relaxed);
	do {
		/* relaxed: published by the exchange. */
		atomic_store_explicit(&queue->links_[given], (uint16_t)(first & NO_CHUNK),
				      memory_order_relaxed);
		/* K2 release, pairs with K1: its link, and we are done with it. */
	} while (!atomic_compare_exchange_weak_explicit(
		&queue->chunks_, &first, ((first >> CHUNK_BITS) + 1) << CHUNK_BITS | given,
		memory_order_release, memory_order_relaxed));
}

static void insert(const weft_multiqueue *queue, weft_multiqueue_lane_ *lane, uint64_t priority,
		   const void *element)
{
	if (queue->element_size_ == sizeof(void *))
		weft_multiqueue_insert_(queue, lane, priority, element, sizeof(void *));
	else
		weft_multiqueue_insert_(queue, lane, priority, element, queue->element_size_);
}

static void extract(weft_multiqueue *queue, weft_multiqueue_lane_ *lane, void *element,
		    uint64_t *priority)
{
	if (queue->element_size_ == sizeof(void *))
		weft_multiqueue_extract_(queue, lane, element, priority, sizeof(void *));
	else
		weft_multiqueue_extract_(queue, lane, element, priority, queue->element_size_);
	give_room(queue, lane);
}

/* relaxed: a hint for all but the thread that has the lane, and for that B2 acquires; see count_of.
 */
static bool has_mail(const weft_multiqueue_lane_ *lane)
{
	return atomic_load_explicit(&lane->mail_, memory_order_relaxed) != 0;
}

/* Moves what others have left in the inbox of a lane that is ours into its heap. Returns whether
 * nothing is left there, so that what is pushed now may go into the heap directly. */
static bool empty_inbox(weft_multiqueue *queue, weft_multiqueue_lane_ *lane)
{
	weft_multiqueue_letter_ letter;
	size_t letters;

	if (WEFT_LIKELY(!has_mail(lane)))
		return true;
	/* B2 acquire, pairs with B1: the letters of all who have said that there are some. */
	atomic_exchange_explicit(&lane->mail_, 0, memory_order_acquire);
	for (letters = weft_mpmc_queue_size(&lane->inbox_); letters > 0; letters--) {
		if (!make_room(queue, lane) || !weft_mpmc_queue_try_pop(&lane->inbox_, &letter))
			break;
		insert(queue, lane, letter.priority, letter.element);
	}
	if (weft_mpmc_queue_size(&lane->inbox_) == 0)
		return true;
	/* relaxed: the letters were published by B1, and this does not come between B1 and B2. */
	atomic_exchange_explicit(&lane->mail_, 1, memory_order_relaxed);
	return false;
}

/* Whether there is something in a lane, or may be. */
static bool has_elements(const weft_multiqueue_lane_ *lane)
{
	return has_mail(lane) || weft_multiqueue_count_of_(lane) > 0;
}

/* What a pop takes for the least priority of a lane. What is in an inbox may be anything: somebody
 * should look. In a lane that is another thread's there is nothing to be had. */
static uint64_t least_of(const weft_multiqueue_lane_ *lane)
{
	/* relaxed: estimates. */
	if (atomic_load_explicit(&lane->taken_, memory_order_relaxed) != 0)
		return UINT64_MAX;
	return has_mail(lane) ? 0 : atomic_load_explicit(&lane->least_, memory_order_relaxed);
}

/* relaxed: a pop that has found the queue closed and then this lane empty had it before us, so that
 * M1 shows the same to us; and who knows that it was closed sees it. */
static bool seems_closed(const weft_multiqueue *queue)
{
	return atomic_load_explicit(&queue->phase_, memory_order_relaxed) != WEFT_MULTIQUEUE_OPEN_;
}

/* Leaves an element to the thread that works in the lane, or to the next one. */
static int push_to_inbox(weft_multiqueue *queue, weft_multiqueue_lane_ *lane, uint64_t priority,
			 const void *element)
{
	weft_multiqueue_letter_ letter;
	int error;

	if (seems_closed(queue))
		return -EPIPE;
	letter.priority = priority;
	memcpy(letter.element, element, queue->element_size_);
	error = weft_mpmc_queue_push(&lane->inbox_, &letter);
	/* B1 release, pairs with B2: the letter. */
	if (error == 0)
		atomic_exchange_explicit(&lane->mail_, 1, memory_order_release);
	return error;
}

/* Pushes what it can into a lane that is ours; nothing, and returns 0, when there is something in
 * its inbox that must come before. */
static int push_to_heap(weft_multiqueue *queue, weft_multiqueue_lane_ *lane, uint64_t priority,
			const unsigned char *elements, size_t count, size_t *pushed)
{
	if (seems_closed(queue))
		return -EPIPE;
	if (!empty_inbox(queue, lane))
		return 0;
	for (; *pushed < count; ++*pushed) {
		if (!make_room(queue, lane))
			return -EAGAIN;
		insert(queue, lane, priority, elements + *pushed * queue->element_size_);
	}
	return 0;
}

/* Whether all chunks are with the lanes. Some of those have room then, but to look for it would
 * only disturb who pops: each wastes less than two chunks, which are there beyond the capacity.
 * relaxed: who must see that there is room has synchronised with the pop that made it. */
static bool is_full(const weft_multiqueue *queue)
{
	return (atomic_load_explicit(&queue->chunks_, memory_order_relaxed) & NO_CHUNK) == NO_CHUNK;
}

int weft_multiqueue_push_(weft_multiqueue_handle *handle, uint64_t priority, const void *elements,
			  size_t count, size_t *pushed)
{
	weft_multiqueue *queue = handle->queue_;
	weft_multiqueue_lane_ *lane = lane_of(handle, priority);
	const unsigned char *bytes = elements;
	int error = 0;

	*pushed = 0;
	if (WEFT_UNLIKELY(is_full(queue)))
		return seems_closed(queue) ? -EPIPE : -EAGAIN;
	while (error == 0 && *pushed < count) {
		size_t before = *pushed;

		if (try_take(lane)) {
			error = push_to_heap(queue, lane, priority, bytes, count, pushed);
			release(lane);
		}
		if (error == 0 && *pushed == before) {
			error = push_to_inbox(queue, lane, priority,
					      bytes + before * queue->element_size_);
			*pushed += error == 0;
		}
	}
	return error;
}

/* The first letter of a lane that is ours and whose heap is empty: there is no room for that, or
 * the letter came just now. Returns 0, -ENOENT when there is none, nor will be when `closed`, or
 * -EBUSY. */
static int pop_from_inbox(weft_multiqueue *queue, weft_multiqueue_lane_ *lane, bool closed,
			  void *element, uint64_t *priority)
{
	weft_multiqueue_letter_ letter;
	int error;

	if (closed)
		weft_mpmc_queue_close(&lane->inbox_);
	error = weft_mpmc_queue_pop(&lane->inbox_, &letter);
	if (error != 0)
		return error == -EPIPE || !closed ? -ENOENT : -EBUSY;
	memcpy(element, letter.element, queue->element_size_);
	if (priority != NULL)
		*priority = letter.priority;
	return 0;
}

/* Takes up to `count` of the first elements of a lane. Returns how many; -ENOENT when it has none;
 * -EBUSY when another thread works in it, or is about to leave something in its inbox. */
static long pop_from(weft_multiqueue *queue, weft_multiqueue_lane_ *lane, bool closed,
		     unsigned char *elements, uint64_t *priorities, size_t count)
{
	long popped = 0;

	if (!try_take(lane))
		return -EBUSY;
	empty_inbox(queue, lane);
	for (; (size_t)popped < count && weft_multiqueue_count_of_(lane) > 0; popped++)
		extract(queue, lane, elements + (size_t)popped * queue->element_size_,
			priorities == NULL ? NULL : priorities + popped);
	if (popped == 0) {
		int error = pop_from_inbox(queue, lane, closed, elements, priorities);

		popped = error == 0 ? 1 : error;
	}
	release(lane);
	return popped;
}

/* Goes through all lanes. Returns how many elements it took; -ENOENT when there are none, -EBUSY
 * when some lanes could not be looked at. With `closed` it also takes those that seem empty: no
 * push can follow. */
static long pop_from_any(weft_multiqueue_handle *handle, bool closed, unsigned char *elements,
			 uint64_t *priorities, size_t count)
{
	weft_multiqueue *queue = handle->queue_;
	uint32_t first = random_of(handle);
	long result = -ENOENT;

	for (uint32_t i = 0; i <= queue->lane_mask_; i++) {
		weft_multiqueue_lane_ *lane = lane_at(queue, first + i);
		long popped;

		if (!closed && !has_elements(lane))
			continue;
		popped = pop_from(queue, lane, closed, elements, priorities, count);
		if (popped > 0)
			return popped;
		if (popped == -EBUSY)
			result = popped;
	}
	return result;
}

/* The better of the two lanes of a handle. At times they change: the better one stays, to be
 * compared with another. */
static weft_multiqueue_lane_ *choose_lane(weft_multiqueue_handle *handle, bool keep)
{
	weft_multiqueue *queue = handle->queue_;
	weft_multiqueue_lane_ *one = lane_at(queue, handle->pop_lanes_[0]);
	weft_multiqueue_lane_ *other = lane_at(queue, handle->pop_lanes_[1]);

	if (handle->pop_left_ == 0) {
		if (!keep)
			handle->pop_lanes_[0] = random_of(handle);
		else if (least_of(other) < least_of(one))
			handle->pop_lanes_[0] = handle->pop_lanes_[1];
		handle->pop_lanes_[1] = random_of(handle);
		handle->pop_left_ = queue->stickiness_;
		one = lane_at(queue, handle->pop_lanes_[0]);
		other = lane_at(queue, handle->pop_lanes_[1]);
	}
	handle->pop_left_--;
	return least_of(other) < least_of(one) ? other : one;
}

/* Takes up to `count` elements of one lane. Returns how many, -EAGAIN or -EPIPE. */
static long pop_some(weft_multiqueue_handle *handle, unsigned char *elements, uint64_t *priorities,
		     size_t count)
{
	weft_multiqueue *queue = handle->queue_;
	uint32_t phase;
	long popped;

	for (int tried = 0; tried < PAIRS_TRIED; tried++) {
		weft_multiqueue_lane_ *lane = choose_lane(handle, tried == 0);

		if (has_elements(lane)) {
			popped = pop_from(queue, lane, false, elements, priorities, count);
			if (popped > 0)
				return popped;
		}
		handle->pop_left_ = 0;
	}
	/* M6 acquire, pairs with M3, M5: what was done before closing. */
	phase = atomic_load_explicit(&queue->phase_, memory_order_acquire);
	if (phase == WEFT_MULTIQUEUE_DRAINED_)
		return -EPIPE;
	popped = pop_from_any(handle, phase != WEFT_MULTIQUEUE_OPEN_, elements, priorities, count);
	if (popped > 0)
		return popped;
	if (phase == WEFT_MULTIQUEUE_OPEN_ || popped != -ENOENT)
		return -EAGAIN;
	/* M5 release, pairs with M4, M6: for those who will not have seen it closed. From now on
	 * lanes are taken in vain, and nobody need wonder about one that is. */
	atomic_store_explicit(&queue->phase_, WEFT_MULTIQUEUE_DRAINED_, memory_order_release);
	return -EPIPE;
}

int weft_multiqueue_pop_(weft_multiqueue_handle *handle, void *elements, uint64_t *priorities,
			 size_t count, size_t *popped)
{
	unsigned char *bytes = elements;

	*popped = 0;
	while (*popped < count) {
		long more =
			pop_some(handle, bytes + *popped * handle->queue_->element_size_,
				 priorities == NULL ? NULL : priorities + *popped, count - *popped);

		if (more < 0)
			return (int)more;
		*popped += (size_t)more;
	}
	return 0;
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

	for (uint32_t i = 0; i <= queue->lane_mask_; i++) {
		const weft_multiqueue_lane_ *lane = lane_at(queue, i);

		size += weft_multiqueue_count_of_(lane) + weft_mpmc_queue_size(&lane->inbox_);
	}
	return size;
}
