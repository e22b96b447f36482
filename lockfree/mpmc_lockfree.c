/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/mpmc_lockfree.h>

#include <string.h>

#include "ring_memory.h"

#define FULL   WEFT_MPMC_LOCKFREE_FULL_
#define CLOSED WEFT_MPMC_LOCKFREE_CLOSED_
/* What laps_ahead says of a slot that is one lap behind. */
#define ONE_BEHIND (((uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_) - 1)

void weft_mpmc_lockfree_start_(weft_mpmc_lockfree *queue, void *slots, size_t capacity)
{
	queue->slots_ = slots;
	queue->mask_ = capacity - 1;
	queue->lap_shift_ = (uint32_t)__builtin_ctzll(capacity);
}

int weft_mpmc_lockfree_init(weft_mpmc_lockfree *queue, size_t capacity)
{
	memset((void *)queue, 0, sizeof(*queue));

	int error = weft_ring_memory_create_(&queue->owned_, &capacity, sizeof(*queue->slots_));

	if (error == 0)
		weft_mpmc_lockfree_start_(queue, queue->owned_, capacity);
	return error;
}

size_t weft_mpmc_lockfree_memory_size(size_t capacity)
{
	return weft_ring_memory_size_(capacity, sizeof(uint64_t));
}

int weft_mpmc_lockfree_init_in(weft_mpmc_lockfree *queue, void *memory, size_t bytes,
			       size_t capacity)
{
	memset((void *)queue, 0, sizeof(*queue));

	int error = weft_ring_memory_adopt_(memory, bytes, &capacity, sizeof(*queue->slots_));

	if (error == 0)
		weft_mpmc_lockfree_start_(queue, memory, capacity);
	return error;
}

void weft_mpmc_lockfree_fini(weft_mpmc_lockfree *queue)
{
	weft_ring_memory_destroy_(queue->owned_);
	memset((void *)queue, 0, sizeof(*queue));
}

/* Whether a word is that of a free slot, for this ticket or a later one. Otherwise there is an
 * element in it, though early(t) says free: free for a ticket of long ago. */
static bool is_free(const weft_mpmc_lockfree *queue, uint64_t ticket, uint64_t word)
{
	return (word & FULL) == 0 && (int64_t)(word - weft_mpmc_lockfree_free_(queue, ticket)) >= 0;
}

/* How many laps the element in a slot is ahead of the ticket, modulo 2^14. early(t) has been made
 * from full(t), and says so: it has the lap of t, and one more. */
static uint64_t laps_ahead(const weft_mpmc_lockfree *queue, uint64_t ticket, uint64_t word)
{
	uint64_t lap =
		(word & FULL) != 0 ? word >> (64 - WEFT_MPMC_LOCKFREE_LAP_BITS_) : (word >> 2) - 1;

	return (lap - (ticket >> queue->lap_shift_)) & ONE_BEHIND;
}

/* Whether the ticket is pushed. All those of one lap before it are popped or will be here first: if
 * it is not, the slot is at most one lap behind. */
static bool is_pushed(const weft_mpmc_lockfree *queue, uint64_t ticket)
{
	uint64_t word = weft_mpmc_lockfree_look_(queue, ticket);

	if (is_free(queue, ticket, word))
		return (word & ~CLOSED) != weft_mpmc_lockfree_free_(queue, ticket);
	return laps_ahead(queue, ticket, word) != ONE_BEHIND;
}

/* Whether the ticket is popped. That of one lap before it is. */
static bool is_popped(const weft_mpmc_lockfree *queue, uint64_t ticket)
{
	uint64_t word = weft_mpmc_lockfree_look_(queue, ticket);

	if (is_free(queue, ticket, word))
		return (word & ~CLOSED) != weft_mpmc_lockfree_free_(queue, ticket);
	return laps_ahead(queue, ticket, word) != 0;
}

/*
 * The first ticket that is not done, seen from a hint: by steps that double as long as they end at
 * one that is done, and begin again with one. A thread that slept before it wrote its hint leaves
 * one that is far behind. The steps are at most a lap, as is_pushed and is_popped want it.
 */
static uint64_t find(const weft_mpmc_lockfree *queue, const WEFT_ATOMIC(uint64_t) * hint,
		     bool (*is_done)(const weft_mpmc_lockfree *queue, uint64_t ticket))
{
	uint64_t ticket = weft_mpmc_lockfree_hint_(hint);
	uint64_t floor = weft_mpmc_lockfree_floor_(queue);
	uint64_t step = 1;

	if ((int64_t)(floor - ticket) > 0)
		ticket = floor;
	for (;;) {
		if (is_done(queue, ticket + step - 1)) {
			ticket += step;
			if (step <= queue->mask_ / 2)
				step *= 2;
		} else if (step == 1) {
			return ticket;
		} else {
			step = 1;
		}
	}
}

/* What stands at either side of the queue. */
enum side {
	GOES_ON, /* a free slot for a push, an element for a pop */
	NOTHING, /* the queue is full, or empty */
	OVER     /* the queue is closed; for a pop: and empty */
};

/* Finds the end, and its slot's word. */
static enum side look_at_end(const weft_mpmc_lockfree *queue, uint64_t *ticket, uint64_t *word)
{
	for (;;) {
		*ticket = find(queue, &queue->tail_, is_pushed);
		*word = weft_mpmc_lockfree_look_(queue, *ticket);

		uint64_t waiting = weft_mpmc_lockfree_free_(queue, *ticket);
		uint64_t start = *ticket - queue->mask_ - 1;

		if (is_free(queue, *ticket, *word)) {
			if ((*word & ~CLOSED) == waiting)
				return (*word & CLOSED) != 0 ? OVER : GOES_ON;
		} else if (laps_ahead(queue, *ticket, *word) == ONE_BEHIND &&
			   (int64_t)(weft_mpmc_lockfree_floor_(queue) - start) <= 0) {
			/* The queue is full. If this thread slept, and the word is of 2^14 laps
			 * later, then the floor is beyond. */
			if ((*word & FULL) != 0)
				return (*word & CLOSED) != 0 ? OVER : NOTHING;
			/* early(start), and is settled. */
			weft_mpmc_lockfree_exchange_(queue, *ticket, word, waiting);
		}
	}
}

/* Finds the start, and its slot's word. */
static enum side look_at_start(const weft_mpmc_lockfree *queue, uint64_t *ticket, uint64_t *word)
{
	for (;;) {
		*ticket = find(queue, &queue->head_, is_popped);
		*word = weft_mpmc_lockfree_look_(queue, *ticket);

		uint64_t next = *ticket + queue->mask_ + 1;

		if (is_free(queue, *ticket, *word)) {
			if ((*word & ~CLOSED) == weft_mpmc_lockfree_free_(queue, *ticket))
				return (*word & CLOSED) != 0 ? OVER : NOTHING;
		} else if (laps_ahead(queue, *ticket, *word) == 0) {
			if ((*word & FULL) != 0)
				return GOES_ON;
			/* early(start), and is settled. */
			weft_mpmc_lockfree_exchange_(queue, *ticket, word,
						     weft_mpmc_lockfree_free_(queue, next));
		}
	}
}

int weft_mpmc_lockfree_push_slow_(weft_mpmc_lockfree *queue, void *pointer)
{
	uint64_t ticket, word;

	for (;;) {
		switch (look_at_end(queue, &ticket, &word)) {
		case NOTHING:
			if (weft_cpu_rest_behind_(&queue->full_at_, 2 * ticket))
				continue;
			return -EAGAIN;
		case OVER:
			return -EPIPE;
		case GOES_ON:
			break;
		}
		if (weft_mpmc_lockfree_give_(queue, ticket, pointer)) {
			weft_mpmc_lockfree_set_hint_(&queue->tail_, ticket + 1);
			return 0;
		}
	}
}

/* Brings the floor near to a ticket that is not beyond the start (I5). */
static void raise_floor(weft_mpmc_lockfree *queue, uint64_t ticket)
{
	uint64_t floor = weft_mpmc_lockfree_floor_(queue);

	/* F2 release, pairs with F1: all before the ticket are popped.
	 * A failure leaves the floor to whoever was faster: take_ looks again. */
	if ((int64_t)(ticket - floor) >= WEFT_MPMC_LOCKFREE_WINDOW_)
		atomic_compare_exchange_strong_explicit(&queue->floor_, &floor, ticket,
							memory_order_release, memory_order_relaxed);
}

int weft_mpmc_lockfree_pop_slow_(weft_mpmc_lockfree *queue, void **pointer)
{
	uint64_t ticket, word;

	for (;;) {
		switch (look_at_start(queue, &ticket, &word)) {
		case NOTHING:
			if (weft_cpu_rest_behind_(&queue->empty_at_, 2 * ticket))
				continue;
			return -EAGAIN;
		case OVER:
			return -EPIPE;
		case GOES_ON:
			break;
		}
		raise_floor(queue, ticket);
		if (weft_mpmc_lockfree_take_(queue, ticket, word)) {
			weft_mpmc_lockfree_set_hint_(&queue->head_, ticket + 1);
			word &= ~CLOSED;
			*pointer =
				(void *)(uintptr_t)weft_mpmc_lockfree_content_(queue, ticket, word);
			return 0;
		}
	}
}

/* Who has popped in time has left the same word, but that is long gone, and this does nothing. */
bool weft_mpmc_lockfree_put_back_(weft_mpmc_lockfree *queue, uint64_t ticket, uint64_t word)
{
	uint64_t early = weft_mpmc_lockfree_free_(queue, ticket + queue->mask_ + 1);

	return weft_mpmc_lockfree_exchange_(queue, ticket, &early, word);
}

/* Marks the slot of the end, and goes only when it has seen the mark there: the exchange of a full
 * word may come 2^14 laps too late, and would then close a later slot. */
void weft_mpmc_lockfree_close(weft_mpmc_lockfree *queue)
{
	uint64_t ticket, word;

	while (look_at_end(queue, &ticket, &word) != OVER)
		weft_mpmc_lockfree_exchange_(queue, ticket, &word, word | CLOSED);
}

bool weft_mpmc_lockfree_is_closed(const weft_mpmc_lockfree *queue)
{
	uint64_t ticket, word;

	return look_at_end(queue, &ticket, &word) == OVER;
}

size_t weft_mpmc_lockfree_size(const weft_mpmc_lockfree *queue)
{
	uint64_t start = find(queue, &queue->head_, is_popped);
	uint64_t end = find(queue, &queue->tail_, is_pushed);

	/* If this thread slept in between, `end` may be a place that was the end long ago. */
	if ((int64_t)(end - start) < 0)
		return 0;
	return end - start > queue->mask_ ? (size_t)queue->mask_ + 1 : (size_t)(end - start);
}
