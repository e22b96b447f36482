/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/priority_queue.h>

#include <string.h>

#include "ring_memory.h"

/* The index of no node. */
#define NONE UINT32_MAX

/* In links. */
#define COUNT_SHIFT 32
/* In free_, where the count is above it. */
#define CLOSED     ((uint64_t)1 << 32)
#define FREE_SHIFT 33
/* In words_. */
#define LEVELS_A_WORD 16
#define ONE_PUSH      ((uint64_t)1 << LEVELS_A_WORD)

/* A link to this node, which counts one more than the link that it replaces. */
static uint64_t link_after(uint64_t replaced, uint32_t node)
{
	return ((replaced >> COUNT_SHIFT) + 1) << COUNT_SHIFT | node;
}

static size_t level_bytes(unsigned levels)
{
	return levels * sizeof(weft_priority_level_);
}

static size_t word_count(unsigned levels)
{
	return (levels + LEVELS_A_WORD - 1) / LEVELS_A_WORD;
}

/* The words have lines of their own. */
static size_t word_bytes(unsigned levels)
{
	return weft_whole_lines_(word_count(levels) * sizeof(uint64_t));
}

static size_t slot_size(size_t element_size)
{
	return (element_size + 7) / 8 * 8;
}

static size_t node_bytes(size_t capacity, unsigned levels)
{
	return weft_whole_lines_((capacity + levels) * sizeof(weft_priority_node_));
}

size_t weft_priority_queue_memory_size_(size_t capacity, size_t element_size, unsigned levels)
{
	if (levels == 0 || levels > WEFT_PRIORITY_QUEUE_LEVELS_MAX || capacity == 0 ||
	    capacity > WEFT_RING_CAPACITY_MAX_ || element_size == 0 ||
	    element_size > WEFT_PRIORITY_QUEUE_ELEMENT_MAX)
		return 0;
	return level_bytes(levels) + word_bytes(levels) + node_bytes(capacity, levels) +
	       weft_whole_lines_(capacity * slot_size(element_size));
}

/* The first nodes begin the levels, the others are free, each with a slot. */
static void start(weft_priority_queue *queue, void *memory, size_t capacity, size_t element_size,
		  unsigned levels)
{
	unsigned char *bytes = memory, *words = bytes + level_bytes(levels);
	unsigned char *nodes = words + word_bytes(levels);

	queue->levels_ = memory;
	queue->words_ = (WEFT_ATOMIC(uint64_t) *)(void *)words;
	queue->nodes_ = (weft_priority_node_ *)(void *)nodes;
	queue->slots_ = nodes + node_bytes(capacity, levels);
	queue->element_size_ = element_size;
	queue->level_count_ = levels;
	queue->capacity_ = (uint32_t)capacity;
	/* relaxed: the queue is not shared yet. */
	for (uint32_t i = 0; i < levels; i++) {
		atomic_store_explicit(&queue->nodes_[i].next_, NONE, memory_order_relaxed);
		atomic_store_explicit(&queue->levels_[i].head_, i, memory_order_relaxed);
		atomic_store_explicit(&queue->levels_[i].tail_, i, memory_order_relaxed);
	}
	for (uint32_t i = 0; i < queue->capacity_; i++) {
		weft_priority_node_ *node = &queue->nodes_[levels + i];

		atomic_store_explicit(&node->next_, i == 0 ? NONE : levels + i - 1,
				      memory_order_relaxed);
		atomic_store_explicit(&node->slot_, i, memory_order_relaxed);
		atomic_store_explicit(&node->depth_, i + 1, memory_order_relaxed);
	}
	atomic_store_explicit(&queue->free_, levels + queue->capacity_ - 1, memory_order_relaxed);
}

int weft_priority_queue_init_(weft_priority_queue *queue, size_t capacity, size_t element_size,
			      unsigned levels)
{
	size_t one = 1, bytes = weft_priority_queue_memory_size_(capacity, element_size, levels);

	memset((void *)queue, 0, sizeof(*queue));
	if (bytes == 0)
		return -EINVAL;

	int error = weft_ring_memory_create_(&queue->owned_, &one, bytes);

	if (error == 0)
		start(queue, queue->owned_, capacity, element_size, levels);
	return error;
}

int weft_priority_queue_init_in_(weft_priority_queue *queue, void *memory, size_t bytes,
				 size_t capacity, size_t element_size, unsigned levels)
{
	size_t one = 1, needed = weft_priority_queue_memory_size_(capacity, element_size, levels);

	memset((void *)queue, 0, sizeof(*queue));
	if (needed == 0)
		return -EINVAL;

	int error = weft_ring_memory_adopt_(memory, bytes, &one, needed);

	if (error == 0)
		start(queue, memory, capacity, element_size, levels);
	return error;
}

void weft_priority_queue_fini(weft_priority_queue *queue)
{
	weft_ring_memory_destroy_(queue->owned_);
	memset((void *)queue, 0, sizeof(*queue));
}

/* What free_ becomes: this node first, and one more change. */
static uint64_t free_after(uint64_t replaced, uint32_t node)
{
	return ((replaced >> FREE_SHIFT) + 1) << FREE_SHIFT | (replaced & CLOSED) | node;
}

/*
 * What takes a count, from here on, is compiled twice: for one element, where the loops vanish, and
 * for batches.
 */

/* Takes up to `count` free nodes, which stay linked: 0, -EAGAIN or -EPIPE. */
WEFT_INLINE int take_nodes(weft_priority_queue *queue, size_t count, uint32_t *taken,
			   size_t *length)
{
	for (;;) {
		/* F1 acquire, pairs with F3, F5: the nodes' links, and their last users are done
		 * with them; or what was done before closing. */
		uint64_t first = atomic_load_explicit(&queue->free_, memory_order_acquire), next;
		size_t found = 1;

		if ((first & CLOSED) != 0)
			return -EPIPE;
		if ((uint32_t)first == NONE)
			return -EAGAIN;
		/* relaxed: the links may be of another use by now; then the exchange fails, which
		 * itself only counts. */
		next = atomic_load_explicit(&queue->nodes_[(uint32_t)first].next_,
					    memory_order_relaxed);
		for (; found < count && (uint32_t)next != NONE; found++)
			next = atomic_load_explicit(&queue->nodes_[(uint32_t)next].next_,
						    memory_order_relaxed);
		if (atomic_compare_exchange_weak_explicit(
			    &queue->free_, &first, free_after(first, (uint32_t)next),
			    memory_order_relaxed, memory_order_relaxed)) {
			*taken = (uint32_t)first;
			*length = found;
			return 0;
		}
	}
}

/* The number of free nodes when free_ was this, or any number when that was long ago. */
static uint32_t depth_of(const weft_priority_queue *queue, uint64_t first)
{
	/* relaxed: published with free_. */
	return (uint32_t)first == NONE
		       ? 0
		       : atomic_load_explicit(&queue->nodes_[(uint32_t)first].depth_,
					      memory_order_relaxed);
}

/* relaxed: the node is ours, and was published with the one that led to it. */
static uint32_t node_after(const weft_priority_queue *queue, uint32_t node)
{
	return (uint32_t)atomic_load_explicit(&queue->nodes_[node].next_, memory_order_relaxed);
}

/* Gives back `count` nodes that are linked. */
WEFT_INLINE void give_nodes(weft_priority_queue *queue, uint32_t node, size_t count)
{
	uint32_t last = node;

	for (size_t i = 1; i < count; i++)
		last = node_after(queue, last);
	/* relaxed: the nodes are ours until F3. */
	uint64_t old = atomic_load_explicit(&queue->nodes_[last].next_, memory_order_relaxed);
	uint64_t first;

	do {
		uint32_t given = node, depth;

		/* F2 acquire, pairs with F3: the depth of the first. */
		first = atomic_load_explicit(&queue->free_, memory_order_acquire);
		depth = depth_of(queue, first) + (uint32_t)count;
		for (size_t i = 0; i < count; i++) {
			atomic_store_explicit(&queue->nodes_[given].depth_, depth - (uint32_t)i,
					      memory_order_relaxed);
			given = node_after(queue, given);
		}
		/* N1 release, pairs with L2, L7: who sees it sees that the node left its level. */
		atomic_store_explicit(&queue->nodes_[last].next_, link_after(old, (uint32_t)first),
				      memory_order_release);
		/* F3 release, pairs with F1, F2, F4: their links and depths are complete, and we
		 * are done with the nodes. */
	} while (!atomic_compare_exchange_weak_explicit(
		&queue->free_, &first, free_after(first, node), memory_order_release,
		memory_order_relaxed));
}

static void *slot_at(const weft_priority_queue *queue, uint32_t slot)
{
	return queue->slots_ + slot * slot_size(queue->element_size_);
}

/* Most elements are pointers, or as large: these need no call. */
static void copy_element(const weft_priority_queue *queue, void *to, const void *from)
{
	if (WEFT_LIKELY(queue->element_size_ == sizeof(void *)))
		memcpy(to, from, sizeof(void *));
	else
		memcpy(to, from, queue->element_size_);
}

/* Moves the tail of a level from this node to one behind it, unless somebody else has moved it. */
static void move_tail(weft_priority_level_ *level, uint64_t tail, uint64_t next)
{
	/* L4 release, pairs with L1, L6: the next node. */
	atomic_compare_exchange_strong_explicit(&level->tail_, &tail,
						link_after(tail, (uint32_t)next),
						memory_order_release, memory_order_relaxed);
}

/* Appends nodes that are ours and linked, from the first to the last, to a level. */
static void append(weft_priority_queue *queue, weft_priority_level_ *level, uint32_t node,
		   uint32_t newest)
{
	for (;;) {
		/* L1 acquire, pairs with L4: the node, whose next_ is of this level. */
		uint64_t tail = atomic_load_explicit(&level->tail_, memory_order_acquire);
		weft_priority_node_ *last = &queue->nodes_[(uint32_t)tail];
		/* L2 acquire, pairs with L3, N1, N2: the node after it, for L4; or, when the node
		 * has left the level, that the tail is another one. */
		uint64_t next = atomic_load_explicit(&last->next_, memory_order_acquire);

		/* relaxed: L2 is before it. */
		if (atomic_load_explicit(&level->tail_, memory_order_relaxed) != tail)
			continue;
		if ((uint32_t)next != NONE) {
			move_tail(level, tail, next);
			continue;
		}
		/* L3 release, pairs with L2, L7: the elements and what they point to. */
		if (atomic_compare_exchange_strong_explicit(
			    &last->next_, &next, link_after(next, node), memory_order_release,
			    memory_order_relaxed)) {
			move_tail(level, tail, newest);
			return;
		}
	}
}

WEFT_INLINE int push(weft_priority_queue *queue, unsigned priority, const void *elements,
		     size_t count, size_t *pushed)
{
	const unsigned char *bytes = elements;
	uint32_t node, newest;

	*pushed = 0;
	if (priority >= queue->level_count_)
		return -EINVAL;
	if (count == 0)
		return 0;

	int error = take_nodes(queue, count, &node, pushed);

	if (error != 0)
		return error;
	newest = node;
	for (size_t i = 0; i < *pushed; i++) {
		newest = i == 0 ? node : node_after(queue, newest);
		/* relaxed: the nodes are ours until L3. */
		copy_element(queue,
			     slot_at(queue, atomic_load_explicit(&queue->nodes_[newest].slot_,
								 memory_order_relaxed)),
			     bytes + i * queue->element_size_);
	}
	/* relaxed: as above. */
	uint64_t old = atomic_load_explicit(&queue->nodes_[newest].next_, memory_order_relaxed);

	/* N2 release, pairs with L2, L7: as N1. */
	atomic_store_explicit(&queue->nodes_[newest].next_, link_after(old, NONE),
			      memory_order_release);
	append(queue, &queue->levels_[priority], node, newest);

	/* relaxed: only the exchange counts. */
	WEFT_ATOMIC(uint64_t) *word = &queue->words_[priority / LEVELS_A_WORD];
	uint64_t bit = (uint64_t)1 << priority % LEVELS_A_WORD;
	uint64_t seen = atomic_load_explicit(word, memory_order_relaxed);

	/* W1 release, pairs with W2: who sees the bit, or any later word, sees the elements. */
	while (!atomic_compare_exchange_weak_explicit(word, &seen, (seen + ONE_PUSH) | bit,
						      memory_order_release, memory_order_relaxed))
		continue;
	return *pushed == count ? 0 : -EAGAIN;
}

int weft_priority_queue_push_(weft_priority_queue *queue, unsigned priority, const void *elements,
			      size_t count, size_t *pushed)
{
	return count == 1 ? push(queue, priority, elements, 1, pushed)
			  : push(queue, priority, elements, count, pushed);
}

/* Moves the elements out of a chain of nodes that begins with an old head. Each node gets the slot
 * of the one after it; that of the last is given, as the node after it is not ours. */
WEFT_INLINE void move_out(weft_priority_queue *queue, uint32_t node, uint32_t last_slot,
			  size_t count, unsigned char *elements)
{
	for (size_t i = 1; i <= count; i++) {
		uint32_t next = node_after(queue, node), slot = last_slot;

		/* relaxed: the nodes are ours. */
		if (i < count)
			slot = atomic_load_explicit(&queue->nodes_[next].slot_,
						    memory_order_relaxed);
		copy_element(queue, elements, slot_at(queue, slot));
		atomic_store_explicit(&queue->nodes_[node].slot_, slot, memory_order_relaxed);
		elements += queue->element_size_;
		node = next;
	}
}

/* Takes up to `count` of the oldest elements of a level and returns how many. */
WEFT_INLINE size_t take_oldest(weft_priority_queue *queue, weft_priority_level_ *level,
			       unsigned char *elements, size_t count)
{
	for (;;) {
		/* L8 acquire, pairs with L5: the node, and a tail that is not before it. */
		uint64_t head = atomic_load_explicit(&level->head_, memory_order_acquire);
		/* L6 acquire, pairs with L4: the node at the tail. */
		uint64_t tail = atomic_load_explicit(&level->tail_, memory_order_acquire), next;
		uint32_t node = (uint32_t)head, slot = NONE;
		size_t found = 0;

		do {
			/* L7 acquire, pairs with L3, N1, N2: the element in the next node; or, when
			 * the node has left the level, that the head is another one. */
			next = atomic_load_explicit(&queue->nodes_[node].next_,
						    memory_order_acquire);
			if ((uint32_t)next == NONE || node == (uint32_t)tail)
				break;
			node = (uint32_t)next;
			/* relaxed: if the node was used again, the exchange fails. */
			slot = atomic_load_explicit(&queue->nodes_[node].slot_,
						    memory_order_relaxed);
			found++;
		} while (found < count);
		if (found == 0 && (uint32_t)next != NONE) {
			move_tail(level, tail, next); /* I3 */
			continue;
		}
		if (found == 0) {
			/* relaxed: L7 is before it. */
			if (atomic_load_explicit(&level->head_, memory_order_relaxed) == head)
				return 0;
			continue;
		}
		/* L5 release, pairs with L8: the tail; and what a batch has behind the node. */
		if (atomic_compare_exchange_strong_explicit(
			    &level->head_, &head, link_after(head, node), memory_order_release,
			    memory_order_relaxed)) {
			move_out(queue, (uint32_t)head, slot, found, elements);
			give_nodes(queue, (uint32_t)head, found);
			return found;
		}
	}
}

/* Takes up to `count` of the oldest elements of the least of the levels of a word, and returns how
 * many. */
WEFT_INLINE size_t take_least(weft_priority_queue *queue, size_t index, unsigned char *elements,
			      unsigned *priorities, size_t count)
{
	for (;;) {
		/* W2 acquire, pairs with W1: the elements of the levels whose bits are set. */
		uint64_t seen = atomic_load_explicit(&queue->words_[index], memory_order_acquire);

		if (seen % ONE_PUSH == 0)
			return 0;
		unsigned bit = (unsigned)__builtin_ctzll(seen);
		unsigned level = (unsigned)index * LEVELS_A_WORD + bit;
		size_t taken = take_oldest(queue, &queue->levels_[level], elements, count);

		for (size_t i = 0; i < taken && priorities != NULL; i++)
			priorities[i] = level;
		if (taken > 0)
			return taken;
		/* relaxed: it says nothing that W1 has not said (I4). */
		atomic_compare_exchange_strong_explicit(&queue->words_[index], &seen,
							seen & ~((uint64_t)1 << bit),
							memory_order_relaxed, memory_order_relaxed);
	}
}

WEFT_INLINE int pop(weft_priority_queue *queue, void *elements, unsigned *priorities, size_t count,
		    size_t *popped)
{
	unsigned char *bytes = elements;
	size_t word = 0;

	*popped = 0;
	while (*popped < count && word < word_count(queue->level_count_)) {
		size_t taken = take_least(queue, word, bytes + *popped * queue->element_size_,
					  priorities == NULL ? NULL : priorities + *popped,
					  count - *popped);

		*popped += taken;
		word += taken == 0;
	}
	if (*popped == count)
		return 0;

	/* F4 acquire, pairs with F3, F5: the depth; and what was done before closing. */
	uint64_t first = atomic_load_explicit(&queue->free_, memory_order_acquire);

	/* Closed, and all nodes are free: no push is under way, none can begin, and what was inside
	 * has been popped. A depth that changes meanwhile was not of this free_: of a closed queue
	 * nodes only come back. */
	if ((first & CLOSED) != 0 && depth_of(queue, first) == queue->capacity_)
		return -EPIPE;
	return -EAGAIN;
}

int weft_priority_queue_pop_(weft_priority_queue *queue, void *elements, unsigned *priorities,
			     size_t count, size_t *popped)
{
	return count == 1 ? pop(queue, elements, priorities, 1, popped)
			  : pop(queue, elements, priorities, count, popped);
}

void weft_priority_queue_close(weft_priority_queue *queue)
{
	/* F5 release, pairs with F1, F4, F6: what was done before. */
	atomic_fetch_or_explicit(&queue->free_, CLOSED, memory_order_release);
}

bool weft_priority_queue_is_closed(const weft_priority_queue *queue)
{
	/* F6 acquire, pairs with F5: what was done before closing. */
	return (atomic_load_explicit(&queue->free_, memory_order_acquire) & CLOSED) != 0;
}

size_t weft_priority_queue_size(const weft_priority_queue *queue)
{
	/* relaxed: an estimate; who must be exact has synchronised with the calls before. */
	uint64_t first = atomic_load_explicit(&queue->free_, memory_order_relaxed);
	uint32_t depth = depth_of(queue, first);

	/* That of a node which was taken meanwhile is of another moment, but in range. */
	return queue->capacity_ - (depth < queue->capacity_ ? depth : queue->capacity_);
}
