/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_WOKEN_LIST_H
#define WEFT_POOL_WOKEN_LIST_H

/*
 * Private: the fibers of one worker that others have woken. Any thread adds; the worker takes all
 * at once. All operations but a take are in the single order of the essay in wake.h.
 */

#include <weft/lockfree/base.h>

typedef struct weft_woken_node_ {
	struct weft_woken_node_ *next;
} weft_woken_node_;

/* Valid when zeroed: empty. */
typedef struct weft_woken_list_ {
	WEFT_ATOMIC(weft_woken_node_ *) newest;
} weft_woken_list_;

/* The node may be gone on return. Threads: any. Progress: lock-free. */
WEFT_INLINE void weft_woken_list_add_(weft_woken_list_ *list, weft_woken_node_ *node)
{
	/* relaxed: only its value counts, W1 publishes the node. */
	weft_woken_node_ *newest = atomic_load_explicit(&list->newest, memory_order_relaxed);

	do {
		node->next = newest;
		/* W1 seq_cst, pairs with W2, W3: what was done before the wake, and in the order of
		 * the essay in wake.h. */
	} while (!atomic_compare_exchange_weak_explicit(
		&list->newest, &newest, node, memory_order_seq_cst, memory_order_relaxed));
}

/* A guess. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_woken_list_has_some_(const weft_woken_list_ *list)
{
	/* relaxed: W2 acquires what is there. */
	return atomic_load_explicit(&list->newest, memory_order_relaxed) != NULL;
}

/* The last look before sleep: whoever adds later sees that the worker sleeps. Threads: the worker.
 * Progress: wait-free. */
WEFT_INLINE bool weft_woken_list_last_look_(const weft_woken_list_ *list)
{
	/* W3 seq_cst, pairs with W1: in the order of the essay in wake.h. */
	return atomic_load_explicit(&list->newest, memory_order_seq_cst) != NULL;
}

/* Takes all, the first one to be woken first. Threads: the worker. Progress: wait-free. */
WEFT_INLINE weft_woken_node_ *weft_woken_list_take_(weft_woken_list_ *list)
{
	/* W2 acquire, pairs with W1: as there. */
	weft_woken_node_ *newest =
		atomic_exchange_explicit(&list->newest, NULL, memory_order_acquire);
	weft_woken_node_ *oldest = NULL;

	while (newest != NULL) {
		weft_woken_node_ *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

#endif
