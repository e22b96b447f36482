/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/mpmc_unbounded.h>

#include <stdlib.h>

#include "reclaim_urcu.h"

/*
 * Why a segment is there whenever it is touched (I5):
 *
 *   - A slot is touched by the producer that has claimed it, by one exchange of a word and with no
 *     look at the segment before, and by the consumer that has claimed it in the same way: the
 *     segment waits until both are done with each of its slots.
 *   - A producer whose claim reaches the end of the segment must link the next one first. It pins
 *     the segment, by an exchange of tail_ that adds one to the pins in the word, which succeeds
 *     only while the segment is the last one. Any such producer moves tail_ on, whoever made the
 *     link, so that none of them waits for another.
 *   - A consumer that finds no run must look into the segment to learn what is filled. It pins it
 * in the same way, in head_. The exchange by which it then claims undoes the pin, too.
 *   - When a word moves on to the next segment, the pins that are in it move to the segment: split
 *     reference counts. Those of tail_ have moved before the segment can be free, as the producer
 *     that moves them holds the claim on its last slot.
 *
 * The consumer that moves head_ on retires the segment: it puts it on a list, together with those
 * that were retired before and were still in use, and looks at each. The list is taken as a whole,
 * by an exchange, so that each segment on it belongs to one thread; a thread that is stopped while
 * it holds it keeps these segments from being used again, and nothing else.
 *
 * Why a slot may be filled by a plain store (I4), although a consumer may skip it meanwhile: the
 * producer stores the state and then loads `doubt`; the consumer stores `doubt` and then loads the
 * state, each with a barrier between. So either the consumer finds the slot filled, or the producer
 * finds the segment in doubt and asks for the fate of its slot, which one exchange decides. As
 * slots are skipped when a thread is stopped, and hardly ever else, it is the consumer who pays: it
 * has the barrier carried out in all threads of the process. Another consumer that finds a slot
 * filled loads `doubt` as well, by the same rule: if it is not in doubt then, whoever puts it in
 * doubt will find the slot filled. Else it votes for the slot before it believes in it.
 *
 * Why "empty" is right, and no slot is skipped that nobody has claimed (I2): whoever reads head_
 * has synchronised with those who moved it there, each of whom has synchronised with the producers
 * of the slots it passed, or with the consumer that skipped them, who has read a tail_ beyond. So
 * by coherence a load of tail_ is not behind head_, and when it is the same there was a moment when
 * the queue was empty.
 */

/* Addresses of segments are multiples of this, and below 2^48. */
#define SEGMENT_ALIGNMENT 1024
#define ADDRESS_BITS      48

#define DEFAULT_ELEMENT_BYTES ((size_t)7936)
#define DEFAULT_SLOTS_MIN     ((size_t)8)
#define DEFAULT_SLOTS_MAX     ((size_t)992)

#define RUN_MAX 63

/* Threads that look into a segment at once; further ones wait. */
#define HEAD_PIN      ((uint64_t)1 << 16)
#define HEAD_PINS_MAX 1023

/* Threads that link a segment at once; further ones wait. */
#define TAIL_PIN      ((uint64_t)1 << 11)
#define TAIL_PINS_MAX 32767

/* The last look is after 127 pauses, which are some microseconds. */
#define PATIENCE 7

#define SETTLED_AT_ONCE 32

#define SPARES (sizeof(((weft_mpmc_unbounded *)NULL)->spares_) / sizeof(void *))

typedef weft_mpmc_unbounded_segment_ segment;

static uint64_t word_of(const segment *self)
{
	return (uint64_t)(uintptr_t)self << 16;
}

static uint64_t head_pins_of(uint64_t head)
{
	return head / HEAD_PIN & HEAD_PINS_MAX;
}

static uint64_t tail_pins_of(uint64_t tail)
{
	return tail / TAIL_PIN & TAIL_PINS_MAX;
}

static size_t segment_bytes(const weft_mpmc_unbounded *queue)
{
	size_t bytes = WEFT_CACHE_LINE + (size_t)2 * queue->flags_bytes_ +
		       (size_t)queue->slots_ * queue->element_size_;

	return (bytes + SEGMENT_ALIGNMENT - 1) / SEGMENT_ALIGNMENT * SEGMENT_ALIGNMENT;
}

/* Makes a segment of this thread as good as new. */
static void segment_reset(const weft_mpmc_unbounded *queue, segment *self)
{
	memset((void *)self, 0, WEFT_CACHE_LINE + (size_t)2 * queue->flags_bytes_);
}

static segment *segment_create(const weft_mpmc_unbounded *queue)
{
	segment *self = aligned_alloc(SEGMENT_ALIGNMENT, segment_bytes(queue));

	if (self == NULL)
		return NULL;
	if ((uint64_t)(uintptr_t)self >> ADDRESS_BITS != 0) {
		free(self);
		return NULL;
	}
	segment_reset(queue, self);
	return self;
}

/* A spare segment, or a new one; NULL without memory. */
static segment *segment_get(weft_mpmc_unbounded *queue)
{
	for (size_t i = 0; i < SPARES; i++) {
		/* relaxed: a first look, so that the line is written only when there is one. */
		if (atomic_load_explicit(&queue->spares_[i], memory_order_relaxed) == NULL)
			continue;
		/* S1 acquire, pairs with S2: it was reset. */
		segment *self =
			atomic_exchange_explicit(&queue->spares_[i], NULL, memory_order_acquire);

		if (self != NULL)
			return self;
	}
	return segment_create(queue);
}

/* Keeps a segment that is as good as new, or frees it. */
static void segment_put(weft_mpmc_unbounded *queue, segment *self)
{
	for (size_t i = 0; i < SPARES; i++) {
		segment *none = NULL;

		/* relaxed: as in segment_get, and when the exchange fails. */
		if (atomic_load_explicit(&queue->spares_[i], memory_order_relaxed) != NULL)
			continue;
		/* S2 release, pairs with S1, S3: it was reset. */
		if (atomic_compare_exchange_strong_explicit(&queue->spares_[i], &none, self,
							    memory_order_release,
							    memory_order_relaxed))
			return;
	}
	free(self);
}

/* Whether both sides are done with these slots. Looks at all of them: as they nearly always are, a
 * branch for each would cost more. */
static bool are_settled(const WEFT_ATOMIC(uint8_t) * states, const WEFT_ATOMIC(uint8_t) * fates,
			size_t count)
{
	uint8_t both = WEFT_MPMC_UNBOUNDED_LEFT_ & WEFT_MPMC_UNBOUNDED_TAKEN_;

	for (size_t i = 0; i < count; i++) {
		/* R1 acquire, pairs with P3: the producer is done with the slot. */
		both &= atomic_load_explicit(&states[i], memory_order_acquire);
		/* R2 acquire, pairs with C2, K1: the consumer is done with it, too. */
		both &= atomic_load_explicit(&fates[i], memory_order_acquire);
	}
	return both != 0;
}

/* Whether nobody uses this retired segment any more. */
static bool segment_is_free(const weft_mpmc_unbounded *queue, segment *self)
{
	while (self->settled < queue->slots_) {
		uint32_t rest = queue->slots_ - self->settled;
		uint32_t count = rest < SETTLED_AT_ONCE ? rest : SETTLED_AT_ONCE;

		if (!are_settled(weft_mpmc_unbounded_states_(self) + self->settled,
				 weft_mpmc_unbounded_fates_(queue, self) + self->settled, count))
			return false;
		self->settled += count;
	}
	/* R3 acquire, pairs with U2: those that had pins are done with the segment. */
	return atomic_load_explicit(&self->pins, memory_order_acquire) == 0;
}

/*
 * Takes the list of the retired segments, adds this one unless it is NULL, lets those go that
 * nobody uses (frees them, or makes them spare ones), and puts the rest back. Returns how many
 * went.
 */
static size_t collect(weft_mpmc_unbounded *queue, segment *retired, bool spare)
{
	/* R4 acquire, pairs with R5: what its last owner wrote. */
	segment *list = atomic_exchange_explicit(&queue->retired_, NULL, memory_order_acquire);
	segment *kept = NULL, *last = NULL;
	size_t gone = 0;

	if (retired != NULL) {
		retired->rest = list;
		list = retired;
	}
	while (list != NULL) {
		segment *self = list;

		list = self->rest;
		if (!segment_is_free(queue, self)) {
			self->rest = kept;
			kept = self;
			last = last == NULL ? self : last;
			continue;
		}
		gone++;
		if (spare) {
			segment_reset(queue, self);
			segment_put(queue, self);
		} else {
			free(self);
		}
	}
	if (kept != NULL) {
		/* relaxed: the rest of the list is its own until it is taken. */
		last->rest = atomic_load_explicit(&queue->retired_, memory_order_relaxed);
		/* R5 release, pairs with R4: what this thread wrote, also about the rest. */
		while (!atomic_compare_exchange_weak_explicit(&queue->retired_, &last->rest, kept,
							      memory_order_release,
							      memory_order_relaxed))
			;
	}
	return gone;
}

int weft_mpmc_unbounded_init(weft_mpmc_unbounded *queue, size_t segment_slots, size_t element_size)
{
	memset((void *)queue, 0, sizeof(*queue));
	if (element_size == 0 || element_size > WEFT_MPMC_UNBOUNDED_ELEMENT_MAX ||
	    segment_slots > WEFT_MPMC_UNBOUNDED_SEGMENT_MAX)
		return -EINVAL;
	if (segment_slots == 0) {
		segment_slots = DEFAULT_ELEMENT_BYTES / element_size;
		if (segment_slots > DEFAULT_SLOTS_MAX)
			segment_slots = DEFAULT_SLOTS_MAX;
		if (segment_slots < DEFAULT_SLOTS_MIN)
			segment_slots = DEFAULT_SLOTS_MIN;
	}
	queue->slots_ = (uint32_t)segment_slots;
	queue->element_size_ = (uint32_t)element_size;
	queue->flags_bytes_ = (uint32_t)weft_whole_lines_(segment_slots);
	queue->fences_ = !weft_urcu_fence_process_();
	queue->patience_ = PATIENCE;

	segment *first = segment_create(queue);

	if (first == NULL) {
		memset((void *)queue, 0, sizeof(*queue));
		return -ENOMEM;
	}
	/* relaxed: the queue is not shared yet. */
	atomic_store_explicit(&queue->tail_, word_of(first), memory_order_relaxed);
	atomic_store_explicit(&queue->head_, word_of(first), memory_order_relaxed);
	return 0;
}

void weft_mpmc_unbounded_fini(weft_mpmc_unbounded *queue)
{
	/* relaxed: the others have stopped. */
	segment *self = weft_mpmc_unbounded_segment_of_(
		atomic_load_explicit(&queue->head_, memory_order_relaxed));

	while (self != NULL) {
		segment *next = atomic_load_explicit(&self->next, memory_order_relaxed);

		free(self);
		self = next;
	}
	self = atomic_load_explicit(&queue->retired_, memory_order_relaxed);
	while (self != NULL) {
		segment *rest = self->rest;

		free(self);
		self = rest;
	}
	for (size_t i = 0; i < SPARES; i++)
		free(atomic_load_explicit(&queue->spares_[i], memory_order_relaxed));
	memset((void *)queue, 0, sizeof(*queue));
}

void weft_mpmc_unbounded_close(weft_mpmc_unbounded *queue)
{
	/* Z1 release, pairs with E6, L4, Q1: what the closing thread did before. */
	atomic_fetch_or_explicit(&queue->tail_, WEFT_MPMC_UNBOUNDED_CLOSED_, memory_order_release);
}

size_t weft_mpmc_unbounded_trim(weft_mpmc_unbounded *queue)
{
	size_t gone = collect(queue, NULL, false);

	for (size_t i = 0; i < SPARES; i++) {
		/* S3 acquire, pairs with S2: it was reset. */
		segment *self =
			atomic_exchange_explicit(&queue->spares_[i], NULL, memory_order_acquire);

		gone += self != NULL;
		free(self);
	}
	return gone * segment_bytes(queue);
}

/*
 * Undoes a pin of this thread, in the word or, if that has moved on, in the segment. relaxed: a
 * wrong word fails the exchange.
 */
static void unpin(WEFT_ATOMIC(uint64_t) * word, uint64_t pin, segment *pinned)
{
	uint64_t now = atomic_load_explicit(word, memory_order_relaxed);

	while (weft_mpmc_unbounded_segment_of_(now) == pinned) {
		/* U1 release, pairs with E4, L3: this thread does not touch the segment any more.
		 */
		if (atomic_compare_exchange_weak_explicit(
			    word, &now, now - pin, memory_order_release, memory_order_relaxed))
			return;
	}
	/* U2 release, pairs with R3: as U1. */
	atomic_fetch_sub_explicit(&pinned->pins, 1, memory_order_release);
}

/* The segment after this one, which this thread has pinned; NULL without memory. */
static segment *link_next(weft_mpmc_unbounded *queue, segment *last)
{
	/* E1 acquire, pairs with E2: another producer made it. */
	segment *next = atomic_load_explicit(&last->next, memory_order_acquire);
	segment *fresh;

	if (next != NULL)
		return next;
	fresh = segment_get(queue);
	if (fresh == NULL)
		return NULL;
	/* E2 acq_rel, pairs with E1, E2, L5: the segment is ready to be used. E3 is the failure. */
	if (atomic_compare_exchange_strong_explicit(&last->next, &next, fresh, memory_order_acq_rel,
						    memory_order_acquire))
		return fresh;
	segment_put(queue, fresh);
	return next;
}

/*
 * What weft_mpmc_unbounded_extend_ does once this thread has its pin in the last segment. Returns 0
 * when the segment is no longer the last one.
 */
static int extend_pinned(weft_mpmc_unbounded *queue, uint64_t tail, uint64_t *claim)
{
	segment *last = weft_mpmc_unbounded_segment_of_(tail);
	segment *next = link_next(queue, last);
	int error = next == NULL ? -ENOMEM : 0;

	while (error == 0 && weft_mpmc_unbounded_segment_of_(tail) == last) {
		if ((tail & WEFT_MPMC_UNBOUNDED_CLOSED_) != 0) {
			error = -EPIPE;
			break;
		}
		/* E4 acq_rel, pairs with P1, E4, E5, U1: the next segment is ready to be filled.
		 * relaxed: a wrong word fails. */
		if (atomic_compare_exchange_weak_explicit(&queue->tail_, &tail, word_of(next),
							  memory_order_acq_rel,
							  memory_order_acquire)) {
			/* relaxed: an estimate, and a count whose other half is U2. */
			atomic_fetch_add_explicit(&queue->filled_, 1, memory_order_relaxed);
			atomic_fetch_add_explicit(&last->pins, (uint32_t)tail_pins_of(tail) - 1,
						  memory_order_relaxed);
			*claim = tail;
			return (int)(queue->slots_ - weft_mpmc_unbounded_index_(tail));
		}
	}
	unpin(&queue->tail_, TAIL_PIN, last);
	return error;
}

int weft_mpmc_unbounded_extend_(weft_mpmc_unbounded *queue, size_t count, uint64_t *claim)
{
	for (;;) {
		/* E6 acquire, pairs with Z1: what happened before the queue was closed. */
		uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_acquire);
		bool fits = count < queue->slots_ - weft_mpmc_unbounded_index_(tail);
		uint64_t next = fits ? tail + count : tail + TAIL_PIN;
		int claimed = (int)count;

		if ((tail & WEFT_MPMC_UNBOUNDED_CLOSED_) != 0)
			return -EPIPE;
		/* E5 acquire, pairs with E4: the segment is ready to be filled and linked. */
		if ((!fits && tail_pins_of(tail) == TAIL_PINS_MAX) ||
		    !atomic_compare_exchange_weak_explicit(&queue->tail_, &tail, next,
							   memory_order_acquire,
							   memory_order_relaxed)) {
			weft_mpmc_unbounded_stand_back_();
			continue;
		}
		*claim = tail;
		if (!fits)
			claimed = extend_pinned(queue, next, claim);
		if (claimed != 0)
			return claimed;
	}
}

bool weft_mpmc_unbounded_keep_(const weft_mpmc_unbounded *queue, segment *self, size_t index)
{
	uint8_t fate = 0;

	/* relaxed: a vote. Who takes the slot has seen its state, and who skips it has said K1. */
	return atomic_compare_exchange_strong_explicit(
		       &weft_mpmc_unbounded_fates_(queue, self)[index], &fate,
		       WEFT_MPMC_UNBOUNDED_KEPT_, memory_order_relaxed, memory_order_relaxed) ||
	       fate != WEFT_MPMC_UNBOUNDED_SKIPPED_;
}

/*
 * Passes slots that have been skipped, moving *index, and returns how many from there on, up to
 * `wanted`, are filled and will not be skipped.
 */
static size_t find_filled(const weft_mpmc_unbounded *queue, segment *self, size_t *index,
			  size_t wanted)
{
	WEFT_ATOMIC(uint8_t) *states = weft_mpmc_unbounded_states_(self);
	WEFT_ATOMIC(uint8_t) *fates = weft_mpmc_unbounded_fates_(queue, self);
	size_t slots = queue->slots_;

	for (;;) {
		size_t end = wanted < slots - *index ? *index + wanted : slots, at = *index;

		/* L2 acquire, pairs with P2, P3: the element is complete. */
		while (at < end && atomic_load_explicit(&states[at], memory_order_acquire) != 0)
			at++;
		weft_mpmc_unbounded_in_order_(queue);
		/* relaxed: ordered by D1. */
		if (WEFT_LIKELY(atomic_load_explicit(&self->doubt, memory_order_relaxed) == 0))
			return at - *index;
		for (end = at, at = *index; at < end; at++)
			if (!weft_mpmc_unbounded_keep_(queue, self, at))
				break;
		if (at > *index || *index == slots)
			return at - *index;
		/* L7 acquire, pairs with K1: tail_ has been here. */
		if (atomic_load_explicit(&fates[*index], memory_order_acquire) !=
		    WEFT_MPMC_UNBOUNDED_SKIPPED_)
			return 0;
		++*index;
	}
}

/* Gives the producer of a claimed slot some time; returns whether it has filled it. */
static bool wait_for(const weft_mpmc_unbounded *queue, WEFT_ATOMIC(uint8_t) * state)
{
	for (uint32_t looks = 0; looks < queue->patience_; looks++) {
		for (uint32_t i = 0; i < (uint32_t)1 << looks; i++)
			weft_cpu_relax();
		/* relaxed: that it is filled is found out by L2. */
		if (atomic_load_explicit(state, memory_order_relaxed) != 0)
			return true;
	}
	return false;
}

/* Sees to it that a producer that fills a slot of this segment from now on asks for its fate.
 * Returns false when the system has forbidden that meanwhile. */
static bool put_in_doubt(const weft_mpmc_unbounded *queue, segment *self)
{
	/* relaxed: ordered by D2. */
	atomic_store_explicit(&self->doubt, 1, memory_order_relaxed);
	if (!queue->fences_)
		return weft_urcu_fence_process_();
	/* D2 seq_cst, pairs with D1: either the slot is found filled, or its producer asks. */
	atomic_thread_fence(memory_order_seq_cst);
	return true;
}

/*
 * The slot that head_ is at is neither filled nor skipped. Returns -EAGAIN or -EPIPE when nobody
 * has claimed it; otherwise gives its producer a moment, skips it if that was not enough, and
 * returns 0.
 */
static int pass_by(const weft_mpmc_unbounded *queue, segment *first, size_t index)
{
	WEFT_ATOMIC(uint8_t) *state = &weft_mpmc_unbounded_states_(first)[index];
	uint8_t undecided = 0;
	/* L4 acquire, pairs with Z1: what happened before the queue was closed. */
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_acquire);

	tail &= ~(TAIL_PINS_MAX * TAIL_PIN);
	if (tail == (word_of(first) | index))
		return -EAGAIN;
	if (tail == (word_of(first) | index | WEFT_MPMC_UNBOUNDED_CLOSED_))
		return -EPIPE;
	/* relaxed: ordered by D2. */
	if (wait_for(queue, state) || !put_in_doubt(queue, first) ||
	    atomic_load_explicit(state, memory_order_relaxed) != 0)
		return 0;
	/* K1 release, pairs with L7, R2: tail_ is beyond this slot. relaxed: it has a fate. */
	atomic_compare_exchange_strong_explicit(&weft_mpmc_unbounded_fates_(queue, first)[index],
						&undecided, WEFT_MPMC_UNBOUNDED_SKIPPED_,
						memory_order_release, memory_order_relaxed);
	return 0;
}

/* Counts what looks found, up to where it does not matter any more. relaxed: a guess. */
static void note_found(weft_mpmc_unbounded *queue, size_t found)
{
	uint32_t before = atomic_load_explicit(&queue->head_found_, memory_order_relaxed);

	if (before <= WEFT_AT_THE_HEELS_)
		atomic_store_explicit(&queue->head_found_, before + (uint32_t)found,
				      memory_order_relaxed);
}

/*
 * There is nothing. When there were a few elements since that was so last, consumers are at the
 * heels of producers, and take the lines from them that are being filled: stays off them for a
 * moment, once, and returns whether it did. As weft_cpu_rest_behind_. relaxed: a guess.
 */
static bool catch_breath(weft_mpmc_unbounded *queue)
{
	uint32_t found = atomic_load_explicit(&queue->head_found_, memory_order_relaxed);

	if (found != 0)
		atomic_store_explicit(&queue->head_found_, 0, memory_order_relaxed);
	if (found <= 1 || found > WEFT_AT_THE_HEELS_)
		return false;
	weft_mpmc_unbounded_stand_back_();
	return true;
}

/* The word of head_ when these slots were claimed and the run after them is this long. */
static uint64_t moved_by(uint64_t head, size_t claimed, size_t run, uint64_t pins)
{
	run = run < RUN_MAX ? run : RUN_MAX;
	return head + claimed + run * WEFT_MPMC_UNBOUNDED_RUN_ + pins * HEAD_PIN;
}

/* Lets a segment go that head_ has left with so many pins of other threads. */
static void retire(weft_mpmc_unbounded *queue, segment *drained, uint64_t pins)
{
	/* relaxed: an estimate, and a count whose other half is U2. */
	atomic_fetch_add_explicit(&queue->drained_, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&drained->pins, (uint32_t)pins, memory_order_relaxed);
	collect(queue, drained, true);
}

/*
 * What weft_mpmc_unbounded_look_ does once this thread has its pin in the first segment. Returns 0
 * when the segment is no longer the first one.
 */
static int look_pinned(weft_mpmc_unbounded *queue, uint64_t head, size_t count, uint64_t *claim)
{
	segment *first = weft_mpmc_unbounded_segment_of_(head);
	size_t slots = queue->slots_, wanted = count < slots ? count + RUN_MAX : slots;
	int error = 0;

	while (error == 0 && weft_mpmc_unbounded_segment_of_(head) == first) {
		size_t index = weft_mpmc_unbounded_index_(head);
		size_t ready = find_filled(queue, first, &index, wanted);
		size_t mine = ready < count ? ready : count;
		uint64_t others = head_pins_of(head) - 1;
		uint64_t next;

		if (ready == 0 && index < slots) {
			if (!catch_breath(queue))
				error = pass_by(queue, first, index);
			/* L6 acquire, pairs with L3: as when the pin was made. */
			head = atomic_load_explicit(&queue->head_, memory_order_acquire);
			continue;
		}
		/* L5 acquire, pairs with E2: the next segment is ready to be looked into. */
		if (index == slots)
			next = word_of(atomic_load_explicit(&first->next, memory_order_acquire));
		else
			next = moved_by(word_of(first) + index, mine, ready - mine, others);
		/* L3 acq_rel, pairs with C1, L1, L3, L6, U1: the elements of the run are complete,
		 * or the next segment is ready; and pins that are undone are undone. acquire when
		 * it fails, as L6. */
		if (atomic_compare_exchange_weak_explicit(&queue->head_, &head, next,
							  memory_order_acq_rel,
							  memory_order_acquire)) {
			*claim = word_of(first) + index;
			if (index == slots)
				retire(queue, first, others);
			else
				note_found(queue, ready);
			return (int)mine;
		}
	}
	unpin(&queue->head_, HEAD_PIN, first);
	return error;
}

int weft_mpmc_unbounded_look_(weft_mpmc_unbounded *queue, size_t count, uint64_t *claim)
{
	for (;;) {
		/* relaxed: a wrong word fails the exchange. */
		uint64_t head = atomic_load_explicit(&queue->head_, memory_order_relaxed);
		int claimed = 0;

		/* L1 acquire, pairs with L3: the segment is ready to be looked into. */
		if (head_pins_of(head) < HEAD_PINS_MAX &&
		    atomic_compare_exchange_weak_explicit(&queue->head_, &head, head + HEAD_PIN,
							  memory_order_acquire,
							  memory_order_relaxed))
			claimed = look_pinned(queue, head + HEAD_PIN, count, claim);
		else
			weft_mpmc_unbounded_stand_back_();
		if (claimed != 0)
			return claimed;
	}
}
