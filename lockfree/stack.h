/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_STACK_H
#define WEFT_LOCKFREE_STACK_H

/*
 * Lock-free stack (LIFO) of any number of nodes, which stand inside the caller's own structures.
 *
 * When not to use it: where order matters to those who wait (the oldest node waits for ever while
 * newer ones come: use a queue); as an allocator (object_pool.h); for memory that is unmapped while
 * others pop, see "Nodes".
 *
 * Source: R. Kent Treiber (IBM RJ 5118, 1986), with a tag beside the head against ABA. A push
 * need not know the tag: what it found on top is what its node will stand on, whatever was between.
 *
 *     operation                       threads  progress   sleeps  allocates
 *     weft_stack_init                 one      -          no      no
 *     weft_stack_push, _try_push      any      lock-free  no      no
 *     weft_stack_push_chain           any      lock-free  no      no
 *     weft_stack_pop, _try_pop        any      lock-free  no      no
 *     weft_stack_pop_all              any      lock-free  no      no
 *     weft_stack_close                any      lock-free  no      no
 *     weft_stack_is_empty, _is_closed any      wait-free  no      no
 *
 * Order: last in, first out, linearizable, "empty" and "closed" included; who finds the stack empty
 * sees what those who emptied it did before. There is no size: a count would be one more word that
 * all threads write.
 *
 * ABA: a pop exchanges the head and a tag of 64 bits as one, and adds one to the tag. A pop is
 * misled when its thread stops in the middle of it for exactly 2^64 pops, or a multiple of that:
 * 5800 years at 10^8 pops in a second.
 *
 * Nodes: a pop reads the link of a node that another thread may just have popped. So from its first
 * push on, a node's memory must stay mapped, and nothing else may be written into the
 * weft_stack_node itself, until each thread that was inside pop or try_pop of that stack when the
 * node was popped has left it: at the latest when the stack is no longer used. Pushing the node
 * again, to any stack, is always allowed. For nodes that are taken by pop_all only, while nobody
 * calls pop or try_pop, there is no such rule: the node is the caller's at once.
 *
 * Signal handlers may call everything. Memory: one line; a node is 8 bytes.
 */

#include <string.h>

#include <weft/lockfree/base.h>
#include <weft/lockfree/wide_word.h>

typedef struct weft_stack_node {
	/* The next older node, or NULL. relaxed: it is published and seen with the head. Atomic
	 * since a pop may read it when the node is no longer in the stack. */
	WEFT_ATOMIC(struct weft_stack_node *) next_;
} weft_stack_node;

/*
 * Zeroed, it is an empty stack.
 *
 * Invariant: as long as the tag stays the same, nodes are pushed and none is popped. A pop loads
 * the tag, then the newest node, then that node's link; when its exchange finds tag and node as
 * they were, the node was in the stack all the while, on top at the beginning and at the end, and
 * its link has not changed.
 */
typedef struct weft_stack {
	/* low: the newest node or NULL, plus 1 when closed. high: the tag, how often it was popped.
	 */
	WEFT_LINE_ALIGNED weft_wide_word_ head_;
} weft_stack;

static_assert(sizeof(weft_stack) == WEFT_CACHE_LINE, "no neighbour on the line");

#define WEFT_STACK_CLOSED_ ((uint64_t)1)

/* Makes it an empty, open stack. Threads: one, before it is shared. */
WEFT_INLINE void weft_stack_init(weft_stack *stack)
{
	memset((void *)stack, 0, sizeof(*stack));
}

/*
 * The node that follows this one in a chain, or NULL at its end. Of a chain that the caller makes
 * or was given by weft_stack_pop_all.
 * Threads: the one that owns the chain. Progress: wait-free.
 */
WEFT_INLINE weft_stack_node *weft_stack_next(const weft_stack_node *node)
{
	return atomic_load_explicit(&node->next_, memory_order_relaxed);
}

/* Makes `next` (or NULL) the node that follows this one. Threads: as above. Progress: wait-free. */
WEFT_INLINE void weft_stack_link(weft_stack_node *node, weft_stack_node *next)
{
	atomic_store_explicit(&node->next_, next, memory_order_relaxed);
}

/* Private: the newest node of a stack whose head has this low word. */
WEFT_INLINE weft_stack_node *weft_stack_newest_(uint64_t low)
{
	return (weft_stack_node *)(uintptr_t)(low & ~WEFT_STACK_CLOSED_);
}

/* Private: the head that follows this one when nodes are popped and this is then the newest. */
WEFT_INLINE weft_wide_value_ weft_stack_popped_(weft_wide_value_ head, weft_stack_node *newest)
{
	weft_wide_value_ popped = {(uint64_t)(uintptr_t)newest | (head.low & WEFT_STACK_CLOSED_),
				   head.high + 1};

	return popped;
}

/*
 * Pushes the chain that begins with `first`, will be popped first, and ends with `last`; `last` is
 * found from `first` by weft_stack_next. All nodes become visible at once.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EPIPE when the stack is closed, the chain is then still the caller's.
 */
WEFT_INLINE int weft_stack_push_chain(weft_stack *stack, weft_stack_node *first,
				      weft_stack_node *last)
{
	for (;;) {
		uint64_t low = weft_wide_load_low_(&stack->head_);

		if (WEFT_UNLIKELY((low & WEFT_STACK_CLOSED_) != 0))
			return -EPIPE;
		weft_stack_link(last, weft_stack_newest_(low));
		if (WEFT_LIKELY(weft_wide_exchange_low_(&stack->head_, low,
							(uint64_t)(uintptr_t)first)))
			return 0;
		weft_cpu_stand_back_(&stack->head_);
	}
}

/*
 * Pushes the node.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EPIPE when the stack is closed, the node is then still the caller's.
 */
WEFT_INLINE int weft_stack_push(weft_stack *stack, weft_stack_node *node)
{
	return weft_stack_push_chain(stack, node, node);
}

/* As weft_stack_push. Threads: any. Progress: lock-free. Returns false when the stack is closed. */
WEFT_INLINE bool weft_stack_try_push(weft_stack *stack, weft_stack_node *node)
{
	return weft_stack_push(stack, node) == 0;
}

/*
 * Moves the newest node to *node.
 * Threads: any. Progress: lock-free.
 * Returns 0; -EAGAIN when the stack is empty; -EPIPE when it is empty and closed: nothing will ever
 * come.
 */
WEFT_INLINE int weft_stack_pop(weft_stack *stack, weft_stack_node **node)
{
	for (;;) {
		weft_wide_value_ head = weft_wide_load_(&stack->head_);
		weft_stack_node *newest = weft_stack_newest_(head.low);

		if (WEFT_UNLIKELY(newest == NULL))
			return (head.low & WEFT_STACK_CLOSED_) != 0 ? -EPIPE : -EAGAIN;
		/* When another thread has popped the node meanwhile, this is whatever it has made
		 * of the link, and the exchange fails. */
		weft_stack_node *next = weft_stack_next(newest);

		if (WEFT_LIKELY(weft_wide_exchange_(&stack->head_, head,
						    weft_stack_popped_(head, next)))) {
			*node = newest;
			return 0;
		}
		weft_cpu_stand_back_(&stack->head_);
	}
}

/* As weft_stack_pop. Threads: any. Progress: lock-free. Returns false when the stack is empty. */
WEFT_INLINE bool weft_stack_try_pop(weft_stack *stack, weft_stack_node **node)
{
	return weft_stack_pop(stack, node) == 0;
}

/*
 * Takes all nodes in one step, whatever their number.
 * Threads: any. Progress: lock-free.
 * Returns the newest, from which weft_stack_next leads to the others; NULL when the stack is empty.
 */
WEFT_INLINE weft_stack_node *weft_stack_pop_all(weft_stack *stack)
{
	for (;;) {
		weft_wide_value_ head = weft_wide_load_(&stack->head_);
		weft_stack_node *newest = weft_stack_newest_(head.low);

		if (newest == NULL || WEFT_LIKELY(weft_wide_exchange_(
					      &stack->head_, head, weft_stack_popped_(head, NULL))))
			return newest;
		weft_cpu_stand_back_(&stack->head_);
	}
}

/*
 * Closes the stack, for good: no push succeeds after the return, and pops take what is left. May be
 * called again.
 * Threads: any. Progress: lock-free.
 */
WEFT_INLINE void weft_stack_close(weft_stack *stack)
{
	uint64_t low;

	do {
		low = weft_wide_load_low_(&stack->head_);
	} while ((low & WEFT_STACK_CLOSED_) == 0 &&
		 !weft_wide_exchange_low_(&stack->head_, low, low | WEFT_STACK_CLOSED_));
}

/* Whether the stack has been closed. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_stack_is_closed(const weft_stack *stack)
{
	return (weft_wide_load_low_(&stack->head_) & WEFT_STACK_CLOSED_) != 0;
}

/* Whether the stack was empty at a moment of the call. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_stack_is_empty(const weft_stack *stack)
{
	return weft_stack_newest_(weft_wide_load_low_(&stack->head_)) == NULL;
}

#endif
