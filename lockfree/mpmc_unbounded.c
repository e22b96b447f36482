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
 *   - A consumer that finds head_ at the end of a segment must read where the next one is. It pins
 *     the segment in the same way, in head_.
 *   - When a word moves on to the next segment, the pins that are in it move to the segment: split
 *     reference counts. Those of tail_ have moved before the segment can be free, as the producer
 *     that moves them holds the claim on its last slot.
 *
 * The consumer that moves head_ on retires the segment: it puts it on a list, together with those
 * that were retired before and were still in use, and looks at each. The list is taken as a whole,
 * by an exchange, so that each segment on it belongs to one thread; a thread that is stopped while
 * it holds it keeps these segments from being used again, and nothing else.
 *
 * Why a slot may be filled by a plain store (I4), although its consumer may skip it meanwhile: the
 * producer stores the state and then loads `doubt`; the consumer stores `doubt` and then loads the
 * state, each with a barrier between. So either the consumer finds the slot filled, or the producer
 * finds the segment in doubt and asks for the fate of its slot, which one exchange decides. As
 * slots are skipped when a thread is stopped, and hardly ever else, it is the consumer who pays: it
 * has the barrier carried out in all threads of the process.
 *
 * What a run is worth (I3): a consumer reads head_, then tail_, and then exchanges head_ for a word
 * that says how far tail_ had got. If it was stopped between, for so long that the segment was used
 * again and head_ has come back to the very word, the run may be of slots that nobody has claimed.
 * That does no harm: whoever claims such a slot is its only consumer all the same, and waits for it
 * as for a stopped producer, and skips it; the producer who claims it later fills it in time or
 * takes another. head_ is ahead of tail_ until then, and the queue is empty.
 *
 * Why "empty" is right: it is said when tail_ is not ahead of a head_ that was read before, in the
 * same segment. Whoever reads head_ has synchronised with those who moved it there, and so with a
 * tail_ that had been in this segment; so by coherence the tail_ that is read is none of before. It
 * may be of long after, when the segment was used again: but then drained_ has counted that head_
 * left it, and is not what it was before head_ was read. If it is, there was a moment when all that
 * was pushed had been claimed.
 */

/* Addresses of segments are multiples of this, and below 2^48. */
#define SEGMENT_ALIGNMENT 1024
#define ADDRESS_BITS      48

/* Of a segment. With less, elements of 64 bytes and more spend their time between two segments. */
#define DEFAULT_ELEMENT_BYTES ((size_t)31744)
#define DEFAULT_SLOTS_MIN     ((size_t)8)
#define DEFAULT_SLOTS_MAX     ((size_t)992)

/* Threads that go from a segment to the next one at once; further ones wait. */
#define HEAD_PIN      ((uint64_t)1 << 19)
#define HEAD_PINS_MAX 127

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
		/* R2 acquire, pairs with C3, K1: the consumer is done with it, too. */
		both &= atomic_load_explicit(&fates[i], memory_order_acquire);
	}
	return both != 0;
}

/* Whether nobody uses this retired segment any more. */
static bool segment_is_free(const weft_mpmc_unbounded *queue, segment *self)
{
	weft_mpmc_unbounded_place_ place;

	while (self->settled < queue->slots_) {
		uint32_t rest = queue->slots_ - self->settled;
		uint32_t count = rest < SETTLED_AT_ONCE ? rest : SETTLED_AT_ONCE;

		place = weft_mpmc_unbounded_place_of_(queue, word_of(self) | self->settled, 0);
		if (!are_settled(place.state, place.fate, count))
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
		/* U1 release, pairs with E4, X4: this thread does not touch the segment any more.
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
	/* E2 acq_rel, pairs with E1, E2, X3: the segment is ready to be used. E3 is the failure. */
	if (atomic_compare_exchange_strong_explicit(&last->next, &next, fresh, memory_order_acq_rel,
						    memory_order_acquire))
		return fresh;
	segment_put(queue, fresh);
	return next;
}

/*
 * What weft_mpmc_unbounded_extend_ does once this thread has its pin in the last segment. Claims
 * nothing when the segment is no longer the last one.
 */
static weft_mpmc_unbounded_claim_ extend_pinned(weft_mpmc_unbounded *queue, uint64_t tail)
{
	segment *last = weft_mpmc_unbounded_segment_of_(tail);
	segment *next = link_next(queue, last);
	weft_mpmc_unbounded_claim_ claim = {0, next == NULL ? -ENOMEM : 0};

	while (claim.count == 0 && weft_mpmc_unbounded_segment_of_(tail) == last) {
		if ((tail & WEFT_MPMC_UNBOUNDED_CLOSED_) != 0) {
			claim.count = -EPIPE;
			break;
		}
		/* E4 acq_rel, pairs with P1, E4, E5, U1, L4, X2: the next segment is ready to be
		 * filled. relaxed: a wrong word fails. */
		if (atomic_compare_exchange_weak_explicit(&queue->tail_, &tail, word_of(next),
							  memory_order_acq_rel,
							  memory_order_acquire)) {
			/* relaxed: an estimate, and a count whose other half is U2. */
			atomic_fetch_add_explicit(&queue->filled_, 1, memory_order_relaxed);
			atomic_fetch_add_explicit(&last->pins, (uint32_t)tail_pins_of(tail) - 1,
						  memory_order_relaxed);
			claim.word = tail;
			claim.count = queue->slots_ - weft_mpmc_unbounded_index_(tail);
			return claim;
		}
	}
	unpin(&queue->tail_, TAIL_PIN, last);
	return claim;
}

weft_mpmc_unbounded_claim_ weft_mpmc_unbounded_extend_(weft_mpmc_unbounded *queue, size_t count)
{
	for (;;) {
		/* E6 acquire, pairs with Z1: what happened before the queue was closed. */
		uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_acquire);
		bool fits = count < queue->slots_ - weft_mpmc_unbounded_index_(tail);
		uint64_t next = fits ? tail + count : tail + TAIL_PIN;
		weft_mpmc_unbounded_claim_ claim = {tail, (int64_t)count};

		if ((tail & WEFT_MPMC_UNBOUNDED_CLOSED_) != 0) {
			claim.count = -EPIPE;
			return claim;
		}
		/* E5 acquire, pairs with E4: the segment is ready to be filled and linked. */
		if ((!fits && tail_pins_of(tail) == TAIL_PINS_MAX) ||
		    !atomic_compare_exchange_weak_explicit(&queue->tail_, &tail, next,
							   memory_order_acquire,
							   memory_order_relaxed)) {
			weft_cpu_stand_back_(&queue->tail_);
			continue;
		}
		if (!fits)
			claim = extend_pinned(queue, next);
		if (claim.count != 0)
			return claim;
	}
}

bool weft_mpmc_unbounded_keep_(WEFT_ATOMIC(uint8_t) * fate)
{
	uint8_t before = 0;

	/* K2 release, pairs with K1: the element is complete. relaxed: it has a fate. */
	return atomic_compare_exchange_strong_explicit(fate, &before, WEFT_MPMC_UNBOUNDED_KEPT_,
						       memory_order_release,
						       memory_order_relaxed) ||
	       before != WEFT_MPMC_UNBOUNDED_SKIPPED_;
}

/* Gives the producer of a claimed slot some time; returns whether it has filled it. */
static bool wait_for(const weft_mpmc_unbounded *queue, const WEFT_ATOMIC(uint8_t) * state)
{
	for (uint32_t looks = 0; looks < queue->patience_; looks++) {
		for (uint32_t i = 0; i < (uint32_t)1 << looks; i++)
			weft_cpu_relax();
		/* W2 acquire, pairs with P2, P3: the element is complete. */
		if (atomic_load_explicit(state, memory_order_acquire) != 0)
			return true;
	}
	return false;
}

/* Sees to it that a producer that fills a slot of this segment from now on asks for its fate.
 * Returns false when the system has forbidden that meanwhile. */
static bool put_in_doubt(const weft_mpmc_unbounded *queue, WEFT_ATOMIC(uint32_t) * doubt)
{
	/* relaxed: ordered by D2. */
	atomic_store_explicit(doubt, 1, memory_order_relaxed);
	if (!queue->fences_)
		return weft_urcu_fence_process_();
	/* D2 seq_cst, pairs with D1: either the slot is found filled, or its producer asks. */
	atomic_thread_fence(memory_order_seq_cst);
	return true;
}

bool weft_mpmc_unbounded_await_(const weft_mpmc_unbounded *queue, weft_mpmc_unbounded_place_ place)
{
	uint8_t fate = 0;

	do {
		if (wait_for(queue, place.state))
			return true;
	} while (!put_in_doubt(queue, place.doubt));
	/* W1 acquire, pairs with P2, P3: the element is complete. */
	if (atomic_load_explicit(place.state, memory_order_acquire) != 0)
		return true;
	/* K1 acq_rel, pairs with K2, R2: this thread is done with the slot; or its producer keeps
	 * it, and the element is complete. */
	return !atomic_compare_exchange_strong_explicit(place.fate, &fate,
							WEFT_MPMC_UNBOUNDED_SKIPPED_,
							memory_order_acq_rel, memory_order_acquire);
}

/* Lets a segment go that head_ has left with so many pins of other threads. */
static void retire(weft_mpmc_unbounded *queue, segment *drained, uint64_t pins)
{
	/* R6 release, pairs with L1: head_ has left it, and it is not used again before. */
	atomic_fetch_add_explicit(&queue->drained_, 1, memory_order_release);
	/* relaxed: a count whose other half is U2. */
	atomic_fetch_add_explicit(&drained->pins, (uint32_t)pins, memory_order_relaxed);
	collect(queue, drained, true);
}

/*
 * Moves head_, which is at the end of a segment, to the next one; or does nothing when it has moved
 * meanwhile. A tail_ that was read before the pin may be one of long ago.
 */
static void go_on(weft_mpmc_unbounded *queue, uint64_t head)
{
	segment *first = weft_mpmc_unbounded_segment_of_(head);

	/* X1 acquire, pairs with L3, X4: the segment is ready to be looked into. relaxed: a wrong
	 * word fails. */
	if (head_pins_of(head) == HEAD_PINS_MAX ||
	    !atomic_compare_exchange_weak_explicit(&queue->head_, &head, head + HEAD_PIN,
						   memory_order_acquire, memory_order_relaxed)) {
		weft_cpu_stand_back_(&queue->head_);
		return;
	}
	/* X2 acquire, pairs with E4: the next segment is linked. */
	uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_acquire);

	head += HEAD_PIN;
	while (weft_mpmc_unbounded_segment_of_(tail) != first &&
	       weft_mpmc_unbounded_segment_of_(head) == first) {
		/* X3 acquire, pairs with E2: the next segment is ready to be looked into. */
		segment *next = atomic_load_explicit(&first->next, memory_order_acquire);

		/* X4 acq_rel, pairs with C1, L2, L3, X1, X4, U1: the same, for all others; and pins
		 * that are undone are undone. relaxed: who fails leaves. */
		if (atomic_compare_exchange_weak_explicit(&queue->head_, &head, word_of(next),
							  memory_order_acq_rel,
							  memory_order_relaxed)) {
			retire(queue, first, head_pins_of(head) - 1);
			return;
		}
	}
	unpin(&queue->head_, HEAD_PIN, first);
}

/* The word of head_ when `claimed` of `found` slots were claimed. */
static uint64_t moved_by(uint64_t head, size_t claimed, size_t found)
{
	size_t run = found - claimed;

	run = run < WEFT_MPMC_UNBOUNDED_RUN_MAX_ ? run : WEFT_MPMC_UNBOUNDED_RUN_MAX_;
	return (head & ~(WEFT_MPMC_UNBOUNDED_RUN_ * WEFT_MPMC_UNBOUNDED_RUN_MAX_)) + claimed +
	       run * WEFT_MPMC_UNBOUNDED_RUN_;
}

weft_mpmc_unbounded_claim_ weft_mpmc_unbounded_look_(weft_mpmc_unbounded *queue, size_t count)
{
	weft_mpmc_unbounded_claim_ claim = {0, 0};

	for (;;) {
		/* L1 acquire, pairs with R6: head_ is not of before that. */
		uint64_t drained = atomic_load_explicit(&queue->drained_, memory_order_acquire);
		/* L2 acquire, pairs with C1, L3, X4: tail_ is not of before that. */
		uint64_t head = atomic_load_explicit(&queue->head_, memory_order_acquire);
		/* L4 acquire, pairs with E4, Z1: the segment is ready to be looked into; and what
		 * happened before the queue was closed. */
		uint64_t tail = atomic_load_explicit(&queue->tail_, memory_order_acquire);
		size_t index = weft_mpmc_unbounded_index_(head), end = queue->slots_;

		if (weft_mpmc_unbounded_segment_of_(tail) == weft_mpmc_unbounded_segment_of_(head))
			end = weft_mpmc_unbounded_index_(tail);
		else if (index == end) {
			go_on(queue, head);
			continue;
		}
		if (index >= end) {
			/* relaxed: ordered by L4. */
			if (atomic_load_explicit(&queue->drained_, memory_order_relaxed) !=
				    drained ||
			    weft_cpu_rest_behind_(&queue->empty_at_,
						  2 * (drained * queue->slots_ + index)))
				continue;
			claim.count = (tail & WEFT_MPMC_UNBOUNDED_CLOSED_) != 0 ? -EPIPE : -EAGAIN;
			return claim;
		}
		claim.word = head;
		claim.count = (int64_t)(count < end - index ? count : end - index);
		/* L3 acq_rel, pairs with C1, L2, L3, X1, X4: where tail_ is. relaxed: a wrong word
		 * fails. */
		if (atomic_compare_exchange_weak_explicit(
			    &queue->head_, &head, moved_by(head, (size_t)claim.count, end - index),
			    memory_order_acq_rel, memory_order_relaxed))
			return claim;
		weft_cpu_stand_back_(&queue->head_);
	}
}
