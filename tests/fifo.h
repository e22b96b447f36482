/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_FIFO_H
#define WEFT_TESTS_FIFO_H

/*
 * One view of every FIFO queue in lockfree/, so that what they all promise is tested in one
 * place: by one thread in unit/fifo_contract.c, by many in stress/stress_fifo.c and in
 * model/fifo_scenarios.c. How a queue gets one: fifo_adapter.h.
 *
 * An element is a number below 2^48, which is what the narrowest queue takes. Where the queue holds
 * something larger, it is filled with words made of the number, and a pop that finds them torn
 * yields FIFO_TORN.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No element: what a pop yields when the bytes of the element do not belong together. */
#define FIFO_TORN UINT64_MAX

/* The longest batch that may be asked for. */
#define FIFO_BATCH_MAX 64

typedef struct fifo {
	const char *name;
	/* What to allocate for a queue, aligned to WEFT_CACHE_LINE. */
	size_t queue_bytes;
	/* A slot's turn is the same again after this many laps; 0 where slots carry no turn. */
	uint64_t turn_laps;
	/* Whether the size is a lower bound to the one consumer, an upper one to the producer. */
	bool size_is_bound;
	/* Whether elements of other threads may come between those of a batch. */
	bool batches_mix;
	int (*init)(void *queue, size_t capacity);
	/* In memory of the caller; NULL, both, where the queue has no such thing. */
	size_t (*memory_size)(size_t capacity);
	int (*init_in)(void *queue, void *memory, size_t bytes, size_t capacity);
	void (*fini)(void *queue);
	size_t (*capacity)(const void *queue);
	size_t (*size)(const void *queue);
	bool (*try_push)(void *queue, uint64_t value);
	bool (*try_pop)(void *queue, uint64_t *value);
	size_t (*try_push_batch)(void *queue, const uint64_t *values, size_t count);
	size_t (*try_pop_batch)(void *queue, uint64_t *values, size_t count);
	/* Where the queue can be closed; else NULL, all four. */
	int (*push)(void *queue, uint64_t value);
	int (*pop)(void *queue, uint64_t *value);
	void (*close)(void *queue);
	bool (*is_closed)(const void *queue);
	/* Where only the producer closes: how others ask for it; no push that begins when this has
	 * returned succeeds, and the end comes when the producer has been refused. Else NULL. */
	void (*cancel)(void *queue);
	/*
	 * Makes an empty queue look as if this many elements had gone through it: its next ticket
	 * is `ticket`. Reaches into the private members, before the queue is shared.
	 */
	void (*start_at)(void *queue, uint64_t ticket);
	/* Sets the indices that size looks at, of elements popped and pushed so far; NULL where it
	 * looks at something else. Nothing but size and fini may be called then. */
	void (*set_ends)(void *queue, uint64_t head, uint64_t tail);
} fifo;

/* Elements of 8 bytes by the functions that take the element's size at run time. */
extern const fifo fifo_mpmc_queue;
/* Elements of 264 bytes by the typed wrapper. */
extern const fifo fifo_mpmc_queue_typed;
extern const fifo fifo_mpmc_lockfree;
/* Elements of 8 bytes by the typed wrapper. */
extern const fifo fifo_mpmc_lockfree_any;
/* Elements of 24 bytes by the functions that take the element's size at run time. */
extern const fifo fifo_mpmc_lockfree_any_wide;
extern const fifo fifo_mpmc_pointer_queue;
/* Never full; the capacity is that of a segment, up to the largest, or else the default one. */
extern const fifo fifo_mpmc_unbounded;
extern const fifo fifo_mpmc_unbounded_typed;
/* Nodes on the heap; never full, whatever the capacity. */
extern const fifo fifo_mpsc_queue;
/* Elements of 8 bytes; and of 24, by the typed wrapper, which the consumer also reads in place. */
extern const fifo fifo_mpsc_ring;
extern const fifo fifo_mpsc_ring_in_place;
/* As for mpmc_queue. */
extern const fifo fifo_spsc_queue;
extern const fifo fifo_spsc_queue_typed;
/* Elements of 24 bytes, written and read where they are. */
extern const fifo fifo_spsc_queue_in_place;
/* Any thread may push and pop: a mutex for either side hands its role from thread to thread. */
extern const fifo fifo_spsc_queue_by_turns;

#endif
