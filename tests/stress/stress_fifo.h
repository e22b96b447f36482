/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_STRESS_FIFO_H
#define WEFT_TESTS_STRESS_FIFO_H

/*
 * Stress of the bounded queues: producers number their elements, consumers check what they get.
 *
 *   - each element that was pushed is popped exactly once, and no other is (counted one by one);
 *   - each consumer sees the elements of each producer in their order;
 *   - what the producer wrote before the push, the consumer reads after the pop;
 *   - the size is never above the capacity, where the queue says so it is a bound, and at last 0;
 *   - a batch is one run, where the queue says so: without others between its elements;
 *   - where the queue can be closed, which happens at a random moment or at the end: no push
 *     succeeds after that, and the consumers learn of the end when all is out, and only then.
 */

#include "../fifo.h"

/* A way to share the threads among queues and roles. */
typedef struct stress_shape {
	const char *name;
	/* So many queues of their own, each with so many threads. */
	unsigned queues;
	unsigned producers, consumers;
	/* Whether all of them, equal in number, are the same threads: each pushes and pops. */
	bool both;
} stress_shape;

/* Two threads, which is as many as the smallest machine runs at once. */
extern const stress_shape stress_pair, stress_two;
/* Sixteen. */
extern const stress_shape stress_pairs, stress_sixteen, stress_crowd, stress_gather, stress_scatter;

/* What one test is about. */
typedef struct stress_fifo_test {
	const fifo *kind;
	const stress_shape *shape;
} stress_fifo_test;

/*
 * Runs each of the tests (the last one is followed by one without a kind) at the capacities of 1, 2
 * and 4096 as a TAP stream. Returns what main returns.
 */
int stress_fifo_run(const stress_fifo_test *tests);

#endif
