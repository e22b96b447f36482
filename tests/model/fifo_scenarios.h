/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_MODEL_FIFO_SCENARIOS_H
#define WEFT_TESTS_MODEL_FIFO_SCENARIOS_H

/* What every bounded queue must do when many threads use it at once. */

#include "../fifo.h"
#include "model.h"

/* The argument of each scenario. */
struct fifo_shape {
	const fifo *queue;
	int producers, consumers;
	int pushes, pops; /* calls of each thread */
	int batch;        /* elements of a call; 0: the calls for one element */
	size_t capacity;
	uint64_t ticket; /* the queue starts there */
	/* For the histories: what each thread calls, as in "ppc": try_push twice, try_pop once
	 * (consume). P and C are push and pop, which say why not; x closes, ? asks is_closed, n
	 * writes the note that one who learns of the close has to see. */
	const char *threads[4];
};

/* No element is lost, doubled, torn or seen before it is written; FIFO for each producer. */
void fifo_scenario_exact(const void *shape);

/* The history is that of a FIFO queue, in which "full" and "empty" mean it. */
void fifo_scenario_linearizable(const void *shape);

/* The same, but "full" may be said at any time; or "empty" may; or both. */
void fifo_scenario_weak_full(const void *shape);
void fifo_scenario_weak_empty(const void *shape);
void fifo_scenario_weak(const void *shape);

/* Each thread pushes one element, until it is in, and then pops until it has one. */
void fifo_scenario_push_then_pop(const void *shape);

/* init fails, or all goes well. */
void fifo_scenario_init(const void *shape);

/* A third thread looks at the size. */
void fifo_scenario_size(const void *shape);

#endif
