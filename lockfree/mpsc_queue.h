/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_MPSC_QUEUE_H
#define WEFT_LOCKFREE_MPSC_QUEUE_H

/*
 * Unbounded FIFO queue for any number of producers and one consumer, of nodes which stand inside
 * the caller's own structures. It never allocates, is never full, and a push is one exchange.
 *
 * When not to use it: where a bound has to hold producers back, or with a second consumer at the
 * same time (mpmc_queue.h); where a stopped producer must not delay the elements of others
 * (mpmc_lockfree.h). The consumer's role may move from thread to thread when something else orders
 * the hand-over.
 *
 * Source: Dmitry Vyukov's intrusive MPSC queue (1024cores.net, 2008). Here the stub takes the place
 * of the last node by a compare-and-exchange, so that it is never in the middle, and the end is
 * agreed on: see weft_mpsc_queue_end_.
 *
 *     operation                          threads       progress      sleeps  allocates
 *     weft_mpsc_queue_init               one           -             no      no
 *     weft_mpsc_queue_push, _try_push    any           wait-free     no      no
 *     weft_mpsc_queue_push_chain         any           wait-free     no      no
 *     weft_mpsc_queue_pop, _try_pop      one consumer  blocking (*)  no      no
 *     weft_mpsc_queue_pop_all            one consumer  blocking (*)  no      no
 *     weft_mpsc_queue_chain_pop          one consumer  blocking (*)  no      no
 *     weft_mpsc_queue_close              any           wait-free     no      no
 *     weft_mpsc_queue_is_closed          any           wait-free     no      no
 *
 *     (*) No call ever waits. But a producer that is stopped between its exchange and its link
 *     makes pop answer "empty for now" at its node, though later nodes are there; so "empty" is
 *     linearizable only while no other thread is inside a push. Nothing is lost, doubled or
 *     reordered. The last node of a run of 3 to 64 comes 64 pauses later, which are 0.3 to 3
 *     microseconds: the consumer rests before it, so that producers get ahead.
 *
 * Order: FIFO by exchange, hence FIFO for each producer.
 *
 * Nodes: a node is the queue's from its push until it is popped, and then the caller's at once, to
 * be freed or pushed again, to any queue. There is no size: a count would be one more word that all
 * producers write.
 *
 * Signal handlers may push. Memory: three lines; a node is 8 bytes. A queue must not be moved.
 */

#include <string.h>

#include <weft/lockfree/base.h>

typedef struct weft_mpsc_queue_node {
	/* The node that was pushed after this one; NULL while there is none, or not yet. */
	WEFT_ATOMIC(struct weft_mpsc_queue_node *) next_;
} weft_mpsc_queue_node;

/* The state of a queue. It goes forward, but for ENDING, which goes back to CLOSED or on. */
enum {
	WEFT_MPSC_QUEUE_OPEN_,
	WEFT_MPSC_QUEUE_CLOSED_, /* no push that begins succeeds; some may be under way */
	WEFT_MPSC_QUEUE_ENDING_, /* the consumer looks whether one is */
	WEFT_MPSC_QUEUE_ENDED_   /* none was: nothing will ever come */
};

/*
 * Invariants:
 *   I1  from head_ links lead to tail_, but for the one between a producer's exchange and its link;
 *   I2  the stub is the first node or it is not in the queue, and then its link is NULL;
 *   I3  from ENDED on tail_ means nothing, and no link is written.
 */
typedef struct weft_mpsc_queue {
	/* The node that was pushed last; written by producers. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(weft_mpsc_queue_node *) tail_;
	/* Written by the consumer; the stub's link also by the first producer after it. */
	WEFT_LINE_ALIGNED weft_mpsc_queue_node *head_; /* the oldest node, or the stub before it */
	weft_mpsc_queue_node stub_;
	size_t chains_; /* taken by pop_all and not yet used up */
	uint32_t run_;  /* popped one by one since the last node was come to */
	/* Read by every push, written at the end. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) state_;
} weft_mpsc_queue;

static_assert(sizeof(weft_mpsc_queue) == 3 * (size_t)WEFT_CACHE_LINE, "one line per writer");

/* What weft_mpsc_queue_pop_all took. */
typedef struct weft_mpsc_queue_chain {
	weft_mpsc_queue *queue_;
	weft_mpsc_queue_node *first_; /* NULL when it is used up */
	weft_mpsc_queue_node *last_;
} weft_mpsc_queue_chain;

/* Makes it an empty, open queue. Threads: one, before it is shared. Progress: wait-free. */
WEFT_INLINE void weft_mpsc_queue_init(weft_mpsc_queue *queue)
{
	memset((void *)queue, 0, sizeof(*queue));
	queue->head_ = &queue->stub_;
	/* relaxed: nobody else has the queue yet. */
	atomic_store_explicit(&queue->tail_, &queue->stub_, memory_order_relaxed);
}

/*
 * Makes `next` the node that follows this one in a chain for weft_mpsc_queue_push_chain.
 * Threads: the one that owns both. Progress: wait-free.
 */
WEFT_INLINE void weft_mpsc_queue_link(weft_mpsc_queue_node *node, weft_mpsc_queue_node *next)
{
	/* relaxed: P1 publishes it. */
	atomic_store_explicit(&node->next_, next, memory_order_relaxed);
}

WEFT_INLINE uint32_t weft_mpsc_queue_state_(const weft_mpsc_queue *queue)
{
	/* K1 acquire, pairs with E1, K2: what was done before the close is seen. */
	return atomic_load_explicit(&queue->state_, memory_order_acquire);
}

/*
 * For a push that finds, after its exchange, that the consumer looks whether one is under way: says
 * so, by taking ENDING back. Returns false when it comes too late.
 */
static __attribute__((cold, noinline, unused)) bool weft_mpsc_queue_is_in_time_(
	weft_mpsc_queue *queue, uint32_t state)
{
	/* relaxed: one word decides, and the exchange before has published the node. When another
	 * push was faster the state is CLOSED, and that one has spoken for this one, too. */
	if (state == WEFT_MPSC_QUEUE_ENDING_)
		atomic_compare_exchange_strong_explicit(&queue->state_, &state,
							WEFT_MPSC_QUEUE_CLOSED_,
							memory_order_relaxed, memory_order_relaxed);
	return state != WEFT_MPSC_QUEUE_ENDED_;
}

/*
 * Appends the nodes from `first` to `last`, which is found from `first` by the links that were made
 * with weft_mpsc_queue_link; no others come between them, and all become visible at once.
 * Threads: any. Progress: wait-free.
 * Returns 0; -EPIPE when the queue is closed, the nodes are then still the caller's.
 */
WEFT_INLINE int weft_mpsc_queue_push_chain(weft_mpsc_queue *queue, weft_mpsc_queue_node *first,
					   weft_mpsc_queue_node *last)
{
	if (WEFT_UNLIKELY(weft_mpsc_queue_state_(queue) != WEFT_MPSC_QUEUE_OPEN_))
		return -EPIPE;
	/* relaxed: P1 publishes it. */
	atomic_store_explicit(&last->next_, NULL, memory_order_relaxed);

	/* P1 seq_cst, pairs with P1, C3, C4, E2: the next producer links to a node whose link is
	 * NULL; and in the order of E1 and E2. */
	weft_mpsc_queue_node *before =
		atomic_exchange_explicit(&queue->tail_, last, memory_order_seq_cst);
	/* P2 seq_cst, pairs with E1: either this is no longer open, or E2 sees the exchange. */
	uint32_t state = atomic_load_explicit(&queue->state_, memory_order_seq_cst);

	if (WEFT_UNLIKELY(state > WEFT_MPSC_QUEUE_CLOSED_) &&
	    !weft_mpsc_queue_is_in_time_(queue, state))
		return -EPIPE;
	/* P3 release, pairs with C1: publishes the nodes. */
	atomic_store_explicit(&before->next_, first, memory_order_release);
	return 0;
}

/*
 * Appends the node.
 * Threads: any. Progress: wait-free.
 * Returns 0; -EPIPE when the queue is closed, the node is then still the caller's.
 */
WEFT_INLINE int weft_mpsc_queue_push(weft_mpsc_queue *queue, weft_mpsc_queue_node *node)
{
	return weft_mpsc_queue_push_chain(queue, node, node);
}

/* As weft_mpsc_queue_push. Returns false when the queue is closed.
 * Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_mpsc_queue_try_push(weft_mpsc_queue *queue, weft_mpsc_queue_node *node)
{
	return weft_mpsc_queue_push(queue, node) == 0;
}

/* The node that follows, or NULL: there is none, or a producer is about to link it. */
WEFT_INLINE weft_mpsc_queue_node *weft_mpsc_queue_next_(const weft_mpsc_queue_node *node)
{
	/* C1 acquire, pairs with P3: the node is complete. */
	return atomic_load_explicit(&node->next_, memory_order_acquire);
}

/* The oldest node, without the stub before it, or NULL. */
WEFT_INLINE weft_mpsc_queue_node *weft_mpsc_queue_oldest_(weft_mpsc_queue *queue)
{
	weft_mpsc_queue_node *oldest = queue->head_;

	if (oldest == &queue->stub_) {
		oldest = weft_mpsc_queue_next_(oldest);
		if (oldest == NULL)
			return NULL;
		queue->head_ = oldest;
		/* relaxed: C3 and C4 publish it, with the stub. */
		atomic_store_explicit(&queue->stub_.next_, NULL, memory_order_relaxed);
	}
	return oldest;
}

#define WEFT_MPSC_QUEUE_A_FEW_  63
#define WEFT_MPSC_QUEUE_PAUSES_ 64

/*
 * For a consumer that has come to the last node, to take which it has to write to the producers'
 * line, and they to its own after that: whether to look again for one that follows. When there were
 * only a few since the last time it rests before: they come faster than this. It does not judge
 * what that brings, and for how long, as the rings do (rest.c): what a producer gets done meanwhile
 * depends on where its nodes are. On 16 cores one producer's stream took 11 to 21 ns a node with
 * this, 58 with rests that were judged, and 35 to 87 with 1.4 us by the clock, which are hardly
 * longer there.
 */
static __attribute__((cold, noinline, unused)) bool weft_mpsc_queue_rest_(weft_mpsc_queue *queue)
{
	uint32_t run = queue->run_;

	queue->run_ = 0;
	if (run < 2 || run > WEFT_MPSC_QUEUE_A_FEW_)
		return false;
	for (int i = 0; i < WEFT_MPSC_QUEUE_PAUSES_; i++)
		weft_cpu_relax();
	return true;
}

/*
 * Moves the oldest node to *node.
 * Threads: the consumer. Progress: see (*) above. Returns false when the queue is empty for now.
 */
WEFT_INLINE bool weft_mpsc_queue_try_pop(weft_mpsc_queue *queue, weft_mpsc_queue_node **node)
{
	weft_mpsc_queue_node *oldest = weft_mpsc_queue_oldest_(queue);

	if (oldest == NULL)
		return false;

	weft_mpsc_queue_node *next = weft_mpsc_queue_next_(oldest);

	if (WEFT_UNLIKELY(next == NULL) && weft_mpsc_queue_rest_(queue))
		next = weft_mpsc_queue_next_(oldest);
	if (WEFT_UNLIKELY(next == NULL)) {
		weft_mpsc_queue_node *last = oldest;

		/* C3 release, pairs with P1: the stub, whose link is NULL, in place of the node. */
		if (atomic_compare_exchange_strong_explicit(&queue->tail_, &last, &queue->stub_,
							    memory_order_release,
							    memory_order_relaxed)) {
			queue->head_ = &queue->stub_;
			*node = oldest;
			return true;
		}
		next = weft_mpsc_queue_next_(oldest);
		if (next == NULL)
			return false;
	}
	queue->head_ = next;
	queue->run_++;
	*node = oldest;
	return true;
}

/*
 * Whether no node will ever come, for a consumer who has just found the queue empty.
 *
 * A push that began before the close may be anywhere; what has to be agreed on is whether its
 * exchange was in time. The consumer announces (E1) that it looks, and looks (E2) at the last node;
 * a producer exchanges the last node (P1), and looks (P2) at the announcement. In the one order of
 * these four at least one sees the other: the consumer sees the push and goes on, or the producer
 * sees the announcement, and the exchange of the state that comes first decides. A producer that is
 * late has not written a link: its node is its caller's, and so are those of all that came later,
 * who are late, too.
 */
static __attribute__((cold, noinline, unused)) bool weft_mpsc_queue_end_(weft_mpsc_queue *queue)
{
	uint32_t state = weft_mpsc_queue_state_(queue);

	if (state != WEFT_MPSC_QUEUE_CLOSED_)
		return state == WEFT_MPSC_QUEUE_ENDED_;
	if (queue->head_ != &queue->stub_ || queue->chains_ > 0)
		return false;
	/* E1 seq_cst, pairs with P2, K1: see above. */
	atomic_store_explicit(&queue->state_, WEFT_MPSC_QUEUE_ENDING_, memory_order_seq_cst);
	state = WEFT_MPSC_QUEUE_ENDING_;
	/* E2 seq_cst, pairs with P1: see above. */
	bool ends = atomic_load_explicit(&queue->tail_, memory_order_seq_cst) == &queue->stub_;

	/* relaxed: one word decides. When it fails, a producer has made it CLOSED. */
	return atomic_compare_exchange_strong_explicit(
		       &queue->state_, &state,
		       ends ? WEFT_MPSC_QUEUE_ENDED_ : WEFT_MPSC_QUEUE_CLOSED_,
		       memory_order_relaxed, memory_order_relaxed) &&
	       ends;
}

/* What the consumer answers when there is no node. */
WEFT_INLINE int weft_mpsc_queue_nothing_(weft_mpsc_queue *queue)
{
	if (WEFT_LIKELY(weft_mpsc_queue_state_(queue) == WEFT_MPSC_QUEUE_OPEN_))
		return -EAGAIN;
	return weft_mpsc_queue_end_(queue) ? -EPIPE : -EAGAIN;
}

/*
 * Moves the oldest node to *node.
 * Threads: the consumer. Progress: see (*) above.
 * Returns 0; -EAGAIN when the queue is empty for now; -EPIPE when it is empty and closed: nothing
 * will ever come.
 */
WEFT_INLINE int weft_mpsc_queue_pop(weft_mpsc_queue *queue, weft_mpsc_queue_node **node)
{
	return weft_mpsc_queue_try_pop(queue, node) ? 0 : weft_mpsc_queue_nothing_(queue);
}

/*
 * Takes all nodes in one step, whatever their number, and sets *chain, for
 * weft_mpsc_queue_chain_pop. The queue says -EPIPE only when its chains are used up.
 * Threads: the consumer. Progress: see (*) above.
 * Returns 0; -EAGAIN or -EPIPE as pop does: then *chain is used up.
 */
WEFT_INLINE int weft_mpsc_queue_pop_all(weft_mpsc_queue *queue, weft_mpsc_queue_chain *chain)
{
	chain->queue_ = queue;
	chain->last_ = NULL;
	chain->first_ = weft_mpsc_queue_oldest_(queue);
	if (chain->first_ == NULL)
		return weft_mpsc_queue_nothing_(queue);
	/* C4 release, pairs with P1: the stub, whose link is NULL, in place of all nodes. */
	chain->last_ = atomic_exchange_explicit(&queue->tail_, &queue->stub_, memory_order_release);
	queue->head_ = &queue->stub_;
	queue->chains_++;
	return 0;
}

/*
 * Moves the oldest node of the chain to *node.
 * Threads: the consumer. Progress: see (*) above.
 * Returns 0; -EAGAIN when the next one cannot be reached for now; -ENODATA when the chain is used
 * up.
 */
WEFT_INLINE int weft_mpsc_queue_chain_pop(weft_mpsc_queue_chain *chain, weft_mpsc_queue_node **node)
{
	weft_mpsc_queue_node *first = chain->first_, *next = NULL;

	if (first == NULL)
		return -ENODATA;
	if (first != chain->last_) {
		next = weft_mpsc_queue_next_(first);
		if (next == NULL)
			return -EAGAIN;
	} else {
		chain->queue_->chains_--;
	}
	chain->first_ = next;
	*node = first;
	return 0;
}

/*
 * Closes the queue: no push that begins after the return succeeds, and when the nodes of all that
 * did have been popped, pop says so. Who learns of it sees what was done before. May be called
 * again.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE void weft_mpsc_queue_close(weft_mpsc_queue *queue)
{
	uint32_t state = WEFT_MPSC_QUEUE_OPEN_;

	/* K2 release, pairs with K1: who learns of it sees what was done before. */
	atomic_compare_exchange_strong_explicit(&queue->state_, &state, WEFT_MPSC_QUEUE_CLOSED_,
						memory_order_release, memory_order_relaxed);
}

/* Whether the queue has been closed. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_mpsc_queue_is_closed(const weft_mpsc_queue *queue)
{
	return weft_mpsc_queue_state_(queue) != WEFT_MPSC_QUEUE_OPEN_;
}

#endif
