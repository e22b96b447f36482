/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_MODEL_SCRIPTS_H
#define WEFT_TESTS_MODEL_SCRIPTS_H

/*
 * Threads whose calls are written as a string, a letter for each.
 */

#include "model.h"

/* What makes the call of a letter: which thread, the how manieth of its letters, and the letter. */
typedef void model_script_call(int thread, int index, char what);

static struct model_scripts {
	const char *const *threads;
	int first;
	model_script_call *call;
} model_scripts;

/* The calls of one thread. NULL is none. */
static inline void model_follow_script(int thread, const char *script, model_script_call *call)
{
	for (int i = 0; script != NULL && script[i] != '\0'; i++)
		call(thread, i, script[i]);
}

static inline void model_script_thread(void *argument)
{
	int thread = (int)(intptr_t)argument;

	model_follow_script(thread, model_scripts.threads[thread - model_scripts.first],
			    model_scripts.call);
}

/* Runs so many threads or those before the first NULL, the first of which has this number, to their
 * end. */
static inline void model_run_scripts(const char *const *threads, int count, int first,
				     model_script_call *call)
{
	model_scripts.threads = threads;
	model_scripts.first = first;
	model_scripts.call = call;
	for (int i = 0; i < count && threads[i] != NULL; i++)
		model_thread(model_script_thread, (void *)(intptr_t)(first + i));
	model_join();
}

#endif
