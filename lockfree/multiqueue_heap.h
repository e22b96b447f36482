/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MULTIQUEUE_HEAP_H
#define WEFT_LOCKFREE_MULTIQUEUE_HEAP_H

/*
 * Private: how the elements of a multiqueue's lane are sorted, for the thread that has taken it.
 *
 * The first ones stand in the front, a sorted array whose end is popped: most of what is pushed
 * and popped soon goes no further. When it is full its later half goes to the heap, and when it is
 * empty half a front comes from there. Invariants:
 *   H1  nothing in the heap precedes anything in the front;
 *   H2  limit_ is the priority of the last one in the front, or 0 when that is empty: what has this
 *       priority or a later one belongs into the heap, unless that is empty.
 *   H3  behind the last entry of the heap, its siblings have the key of no element.
 *
 * The heap has four children to an entry, whose keys are one line of 64 bytes, apart from the
 * elements. It is in chunks; those of four siblings' children are in one, so that where to look
 * next is found while it is not yet known whose children they will be.
 */

#include <string.h>

#include <weft/lockfree/multiqueue.h>

/* Of the heap, log2: children of an entry. */
#define WEFT_MULTIQUEUE_ARITY_SHIFT_ 2
#define WEFT_MULTIQUEUE_ARITY_       (1U << WEFT_MULTIQUEUE_ARITY_SHIFT_)
/* The number of its first entry: with it, the children of each four siblings begin at a multiple of
 * sixteen. Those of an entry are the numbers 4 * (entry - 8) and after. */
#define WEFT_MULTIQUEUE_ROOT_ 11
/* log2 of the entries of a chunk, at least: what is before the root is less than half of it. */
#define WEFT_MULTIQUEUE_CHUNK_SHIFT_MIN_ 5
/* What fits into a front: so many elements, and fewer large ones, of so many bytes in all. */
#define WEFT_MULTIQUEUE_FRONT_MAX_   32
#define WEFT_MULTIQUEUE_FRONT_MIN_   4
#define WEFT_MULTIQUEUE_FRONT_BYTES_ 1024

/* By which elements are sorted: the priority, and below it the number of the element in its lane,
 * so that among equals the oldest is first. One number, which is compared without a branch. */
__extension__ typedef unsigned __int128 weft_multiqueue_key_ __attribute__((aligned(8)));

/* What stands where no element is: after all others. */
#define WEFT_MULTIQUEUE_NO_KEY_ (~(weft_multiqueue_key_)0)

WEFT_INLINE weft_multiqueue_key_ weft_multiqueue_key_of_(uint64_t priority, uint64_t sequence)
{
	return (weft_multiqueue_key_)priority << 64 | sequence;
}

WEFT_INLINE uint64_t weft_multiqueue_priority_of_(weft_multiqueue_key_ key)
{
	return (uint64_t)(key >> 64);
}

/* An element's place is this large. */
WEFT_INLINE size_t weft_multiqueue_place_size_for_(size_t element_size)
{
	return (element_size + 7) / 8 * 8;
}

/* How many fit into a front. */
WEFT_INLINE uint32_t weft_multiqueue_front_capacity_for_(size_t element_size)
{
	size_t fit = WEFT_MULTIQUEUE_FRONT_BYTES_ /
		     (sizeof(weft_multiqueue_key_) + weft_multiqueue_place_size_for_(element_size));

	if (fit < WEFT_MULTIQUEUE_FRONT_MIN_)
		return WEFT_MULTIQUEUE_FRONT_MIN_;
	return fit < WEFT_MULTIQUEUE_FRONT_MAX_ ? (uint32_t)fit : WEFT_MULTIQUEUE_FRONT_MAX_;
}

/* The bytes of a front. */
WEFT_INLINE size_t weft_multiqueue_front_size_for_(size_t element_size)
{
	return weft_whole_lines_(
		weft_multiqueue_front_capacity_for_(element_size) *
		(sizeof(weft_multiqueue_key_) + weft_multiqueue_place_size_for_(element_size)));
}

/* relaxed: written by the thread that has taken the lane; others take both for estimates, and who
 * must see what was pushed before has synchronised with the push, or with M2. */
WEFT_INLINE uint32_t weft_multiqueue_count_of_(const weft_multiqueue_lane_ *lane)
{
	return atomic_load_explicit(&lane->count_, memory_order_relaxed);
}

/* Front and heap of a lane that is ours; a copy of what does not change while we work in it, so
 * that the compiler knows that. */
typedef struct weft_multiqueue_heap_ {
	weft_multiqueue_key_ *keys;
	unsigned char *elements;
	const uint16_t *chunks;
	uint32_t shift;
	uint32_t front_capacity;
	size_t element_size, place_size;
} weft_multiqueue_heap_;

WEFT_INLINE weft_multiqueue_heap_ weft_multiqueue_heap_of_(const weft_multiqueue *queue,
							   const weft_multiqueue_lane_ *lane,
							   size_t element_size)
{
	weft_multiqueue_heap_ heap = {
		.keys = queue->keys_,
		.elements = queue->elements_,
		.chunks = lane->chunks_,
		.shift = queue->chunk_shift_,
		.front_capacity = weft_multiqueue_front_capacity_for_(element_size),
		.element_size = element_size,
		.place_size = weft_multiqueue_place_size_for_(element_size),
	};

	return heap;
}

/* Where in keys_ and elements_ the entry is that has this number in the heap. Siblings stand
 * together. */
WEFT_INLINE size_t weft_multiqueue_place_of_(const weft_multiqueue_heap_ *heap, size_t index)
{
	return ((size_t)heap->chunks[index >> heap->shift] << heap->shift) |
	       (index & (((size_t)1 << heap->shift) - 1));
}

WEFT_INLINE size_t weft_multiqueue_parent_of_(size_t index)
{
	return (index >> WEFT_MULTIQUEUE_ARITY_SHIFT_) + 8;
}

WEFT_INLINE size_t weft_multiqueue_first_child_of_(size_t index)
{
	return (index - 8) << WEFT_MULTIQUEUE_ARITY_SHIFT_;
}

/* The entry of a front that has this number: the last one is the first to be popped. */
WEFT_INLINE weft_multiqueue_key_ *weft_multiqueue_front_at_(const weft_multiqueue_heap_ *heap,
							    const weft_multiqueue_lane_ *lane,
							    uint32_t index)
{
	size_t stride = sizeof(weft_multiqueue_key_) + heap->place_size;

	return (weft_multiqueue_key_ *)(void *)(lane->front_ + index * stride);
}

/* relaxed: as above. */
WEFT_INLINE void weft_multiqueue_set_count_(const weft_multiqueue_heap_ *heap,
					    weft_multiqueue_lane_ *lane, uint32_t count)
{
	uint64_t least = UINT64_MAX;

	if (WEFT_LIKELY(lane->front_count_ > 0))
		least = weft_multiqueue_priority_of_(
			*weft_multiqueue_front_at_(heap, lane, lane->front_count_ - 1));
	else if (count > 0)
		least = weft_multiqueue_priority_of_(
			heap->keys[weft_multiqueue_place_of_(heap, WEFT_MULTIQUEUE_ROOT_)]);
	atomic_store_explicit(&lane->count_, count, memory_order_relaxed);
	if (atomic_load_explicit(&lane->least_, memory_order_relaxed) != least)
		atomic_store_explicit(&lane->least_, least, memory_order_relaxed);
}

WEFT_INLINE void weft_multiqueue_copy_entry_(const weft_multiqueue_heap_ *heap, size_t to,
					     size_t from)
{
	heap->keys[to] = heap->keys[from];
	memcpy(heap->elements + to * heap->place_size, heap->elements + from * heap->place_size,
	       heap->element_size);
}

/* Moves the parents of a hole that `key` precedes into it; returns where the hole is then. */
WEFT_INLINE size_t weft_multiqueue_raise_hole_(const weft_multiqueue_heap_ *heap, size_t hole,
					       weft_multiqueue_key_ key)
{
	size_t place = weft_multiqueue_place_of_(heap, hole);

	while (hole > WEFT_MULTIQUEUE_ROOT_) {
		size_t parent = weft_multiqueue_parent_of_(hole);
		size_t parent_place = weft_multiqueue_place_of_(heap, parent);

		if (key > heap->keys[parent_place])
			break;
		weft_multiqueue_copy_entry_(heap, place, parent_place);
		place = parent_place;
		hole = parent;
	}
	return place;
}

/* Into the heap of a lane, in which so many are. */
WEFT_INLINE void weft_multiqueue_insert_heap_(const weft_multiqueue_heap_ *heap, uint32_t count,
					      const weft_multiqueue_key_ *key, const void *element)
{
	size_t hole = WEFT_MULTIQUEUE_ROOT_ + (size_t)count, place;

	/* The first one of siblings: the others are not there yet. */
	if (hole % WEFT_MULTIQUEUE_ARITY_ == 0) {
		place = weft_multiqueue_place_of_(heap, hole);
		for (uint32_t i = 1; i < WEFT_MULTIQUEUE_ARITY_; i++)
			heap->keys[place + i] = WEFT_MULTIQUEUE_NO_KEY_;
	}
	place = weft_multiqueue_raise_hole_(heap, hole, *key);
	heap->keys[place] = *key;
	memcpy(heap->elements + place * heap->place_size, element, heap->element_size);
}

/* Moves the later half of a full front into the heap, in which so many are. */
WEFT_INLINE void weft_multiqueue_spill_front_(const weft_multiqueue_heap_ *heap,
					      weft_multiqueue_lane_ *lane, uint32_t count)
{
	uint32_t spilled = heap->front_capacity / 2, kept = heap->front_capacity - spilled;

	for (uint32_t i = 0; i < spilled; i++) {
		const weft_multiqueue_key_ *key = weft_multiqueue_front_at_(heap, lane, i);

		weft_multiqueue_insert_heap_(heap, count + i, key, key + 1);
	}
	memmove(weft_multiqueue_front_at_(heap, lane, 0),
		weft_multiqueue_front_at_(heap, lane, spilled),
		kept * (sizeof(weft_multiqueue_key_) + heap->place_size));
	lane->front_count_ = kept;
	lane->limit_ = weft_multiqueue_priority_of_(*weft_multiqueue_front_at_(heap, lane, 0));
}

/* Into a lane that is ours and has room. Inlined for pointers, and once for all other sizes. */
WEFT_INLINE void weft_multiqueue_insert_(const weft_multiqueue *queue, weft_multiqueue_lane_ *lane,
					 uint64_t priority, const void *element,
					 size_t element_size)
{
	weft_multiqueue_heap_ heap = weft_multiqueue_heap_of_(queue, lane, element_size);
	weft_multiqueue_key_ key = weft_multiqueue_key_of_(priority, lane->sequence_++);
	uint32_t count = weft_multiqueue_count_of_(lane), front = lane->front_count_;

	if (WEFT_UNLIKELY(front == heap.front_capacity) &&
	    (front == count || priority < lane->limit_)) {
		weft_multiqueue_spill_front_(&heap, lane, count - front);
		front = lane->front_count_;
	}
	if (front < count && priority >= lane->limit_) {
		weft_multiqueue_insert_heap_(&heap, count - front, &key, element);
	} else {
		weft_multiqueue_key_ *hole;

		hole = weft_multiqueue_front_at_(&heap, lane, front);
		for (; front > 0; front--) {
			weft_multiqueue_key_ *before =
				weft_multiqueue_front_at_(&heap, lane, front - 1);

			if (key < *before)
				break;
			*hole = *before;
			memcpy(hole + 1, before + 1, element_size);
			hole = before;
		}
		*hole = key;
		memcpy(hole + 1, element, element_size);
		if (front == 0)
			lane->limit_ = priority;
		lane->front_count_++;
	}
	weft_multiqueue_set_count_(&heap, lane, count + 1);
}

/* Which of the siblings at this place is the first. */
WEFT_INLINE uint32_t weft_multiqueue_first_of_(const weft_multiqueue_key_ *siblings)
{
	weft_multiqueue_key_ one = siblings[0], other = siblings[1];
	weft_multiqueue_key_ third = siblings[2], fourth = siblings[3];
	uint32_t left = other < one, right = fourth < third;

	/* Without branches: half of them would be foreseen wrongly. */
	one ^= (one ^ other) & -(weft_multiqueue_key_)left;
	third ^= (third ^ fourth) & -(weft_multiqueue_key_)right;
	return left + (2 + right - left) * (third < one);
}

/*
 * The first of a heap in which `count` are, and one more. The hole that it leaves goes down to a
 * leaf, without a look at the last element, which is to fill it: that one mostly belongs there, so
 * that it is quicker to let it rise afterwards.
 */
WEFT_INLINE void weft_multiqueue_extract_heap_(const weft_multiqueue_heap_ *heap, uint32_t count,
					       weft_multiqueue_key_ *to)
{
	size_t hole = WEFT_MULTIQUEUE_ROOT_,
	       child = weft_multiqueue_first_child_of_(WEFT_MULTIQUEUE_ROOT_),
	       end = WEFT_MULTIQUEUE_ROOT_ + (size_t)count;
	size_t place = weft_multiqueue_place_of_(heap, WEFT_MULTIQUEUE_ROOT_),
	       last = weft_multiqueue_place_of_(heap, end), child_place;
	weft_multiqueue_key_ key = heap->keys[last];

	*to = heap->keys[place];
	memcpy(to + 1, heap->elements + place * heap->place_size, heap->element_size);
	heap->keys[last] = WEFT_MULTIQUEUE_NO_KEY_;
	child_place = child < end ? weft_multiqueue_place_of_(heap, child) : 0;
	while (child < end) {
		/* Where the children of the four are, ahead of the answer whose it will be. */
		size_t next = weft_multiqueue_first_child_of_(child),
		       next_place = next < end ? weft_multiqueue_place_of_(heap, next) : 0;
		uint32_t first = weft_multiqueue_first_of_(&heap->keys[child_place]);

		weft_multiqueue_copy_entry_(heap, place, child_place + first);
		place = child_place + first;
		hole = child + first;
		child = next + first * WEFT_MULTIQUEUE_ARITY_;
		child_place = next_place + first * WEFT_MULTIQUEUE_ARITY_;
	}
	if (count > 0) {
		place = weft_multiqueue_raise_hole_(heap, hole, key);
		heap->keys[place] = key;
		memcpy(heap->elements + place * heap->place_size,
		       heap->elements + last * heap->place_size, heap->element_size);
	}
}

/* Half a front, of the first ones of a heap that is not empty. */
WEFT_INLINE void weft_multiqueue_fill_front_(const weft_multiqueue_heap_ *heap,
					     weft_multiqueue_lane_ *lane, uint32_t count)
{
	uint32_t half = heap->front_capacity / 2, filled = count < half ? count : half;

	for (uint32_t i = 1; i <= filled; i++)
		weft_multiqueue_extract_heap_(heap, count - i,
					      weft_multiqueue_front_at_(heap, lane, filled - i));
	lane->front_count_ = filled;
	lane->limit_ = weft_multiqueue_priority_of_(*weft_multiqueue_front_at_(heap, lane, 0));
}

/* From a lane that is ours and not empty. */
WEFT_INLINE void weft_multiqueue_extract_(const weft_multiqueue *queue, weft_multiqueue_lane_ *lane,
					  void *element, uint64_t *priority, size_t element_size)
{
	weft_multiqueue_heap_ heap = weft_multiqueue_heap_of_(queue, lane, element_size);
	uint32_t count = weft_multiqueue_count_of_(lane);
	const weft_multiqueue_key_ *first;

	if (WEFT_UNLIKELY(lane->front_count_ == 0))
		weft_multiqueue_fill_front_(&heap, lane, count);
	first = weft_multiqueue_front_at_(&heap, lane, --lane->front_count_);
	if (lane->front_count_ == 0)
		lane->limit_ = 0;
	memcpy(element, first + 1, element_size);
	if (priority != NULL)
		*priority = weft_multiqueue_priority_of_(*first);
	weft_multiqueue_set_count_(&heap, lane, count - 1);
}

#endif
