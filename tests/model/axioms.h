/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_MODEL_AXIOMS_H
#define WEFT_TESTS_MODEL_AXIOMS_H

/*
 * The memory model once more, not executed but judged: all outcomes of a small program, found by
 * trying every reads-from relation and every modification order and keeping those that satisfy the
 * axioms of C++20 (and the two limits of the checker that README.md names). Slow, and as near to
 * the words of [atomics.order] as can be: what the engine is compared with.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	AXIOMS_THREADS = 3,
	AXIOMS_OPERATIONS = 3, /* of a thread */
	AXIOMS_OBJECTS = 2,
};

enum axioms_action {
	AXIOMS_LOAD,
	AXIOMS_STORE,
	AXIOMS_ADD,      /* of 1 */
	AXIOMS_EXCHANGE, /* strong, of the value 1; a failure is relaxed */
	AXIOMS_FENCE,
	AXIOMS_NOTHING,
};

struct axioms_operation {
	enum axioms_action action;
	int object, order;
	int value; /* what a store or a successful exchange writes */
};

struct axioms_program {
	int threads;
	struct axioms_operation operations[AXIOMS_THREADS][AXIOMS_OPERATIONS];
};

/* What the threads observed, operation by operation (0 where nothing), and the last values. */
struct axioms_outcome {
	int observed[AXIOMS_THREADS][AXIOMS_OPERATIONS];
	int last[AXIOMS_OBJECTS];
};

/* Calls `found` for each outcome, more than once for some. All objects are 0 at first. */
void axioms_outcomes(const struct axioms_program *program,
		     void (*found)(const struct axioms_outcome *outcome));

#endif
