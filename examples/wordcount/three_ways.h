/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_EXAMPLES_THREE_WAYS_H
#define WEFT_EXAMPLES_THREE_WAYS_H

/*
 * The same count made in three ways: by one thread, by a pool of mutex and condition variables, by
 * a pool of weft. Both pools have the same workers at the same places and do the same: one task
 * feeds the chunks to the others, with at most FLYING for each worker in flight, as a program would
 * that reads files into so many buffers; while it has to wait, its worker helps. Each worker counts
 * into a table of its own; at the end the tables are merged.
 */

#include <weft/weft.h>

#include "condvar_pool.h"
#include "input_files.h"
#include "word_table.h"

#define FLYING 8

typedef enum counting_way {
	ONE_THREAD,
	CONDVAR_POOL,
	WEFT_POOL
} counting_way;

#define COUNTING_WAYS 3
#define DELAYS        3

/* What is the same in every count. */
typedef struct counting_plan {
	const input_files *input;
	unsigned repeat; /* each chunk is counted so many times */
	const weft_plan *plan;
	condvar_pool *condvar_pool;
	weft_pool *weft_pool;
} counting_plan;

/* What one count gave. */
typedef struct counting_result {
	word_table words;
	uint64_t elapsed_ns;
	/* From the submission of a task to its start on a worker: p50, p99 and p99.9 of all tasks,
	 * to within 3 %; 0 for one thread. */
	double delay_us[DELAYS];
} counting_result;

/* Starts the pools. Returns 0, or a negative errno with nothing left behind. */
int counting_start(counting_plan *counting);

/* Ends the pools. */
void counting_stop(counting_plan *counting);

/* Counts. The caller frees result->words, also on an error. Returns 0 or a negative errno. */
int counting_run(const counting_plan *counting, counting_way way, counting_result *result);

#endif
