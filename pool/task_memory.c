/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include <weft/affinity/memory.h>
#include <weft/lockfree/object_pool.h>
#include <weft/pool/future.h>

#include "worker.h"

/* What all pools of the process share: memory for tasks, and the news that this is the child of a
 * fork. */

uint32_t weft_pool_generation_;

static weft_object_pool memory;

static void *chunk_alloc(void *context, size_t bytes, size_t alignment)
{
	(void)context;
	return weft_memory_alloc(bytes, alignment, WEFT_MEMORY_ANY);
}

static void chunk_free(void *context, void *chunk, size_t bytes, size_t alignment)
{
	(void)context;
	weft_memory_free(chunk, bytes, alignment);
}

/* Whether the memory is prepared; the word on which those sleep that come meanwhile. */
enum {
	NOT_PREPARED,
	IN_PREPARATION,
	PREPARED,
};

static WEFT_ATOMIC(uint32_t) stage;

/* In the child of a fork: the workers are not there, nor whoever was preparing or waited. */
static void after_fork(void)
{
	/* relaxed: there is one thread. */
	uint32_t found = atomic_load_explicit(&stage, memory_order_relaxed);

	weft_pool_generation_++;
	weft_park_forked_();
	weft_overflow_forked_();
	weft_park_running_ = NULL;
	if (found == IN_PREPARATION)
		atomic_store_explicit(&stage, NOT_PREPARED, memory_order_relaxed);
}

static int prepare(void)
{
	static const weft_object_pool_options options = {
		.object_size = WEFT_TASK_BYTES_,
		.alignment = WEFT_TASK_BYTES_,
		.chunk_alloc = chunk_alloc,
		.chunk_free = chunk_free,
	};
	static bool watches_forks;

	if (!watches_forks && pthread_atfork(NULL, NULL, after_fork) != 0)
		return -ENOMEM;
	watches_forks = true;
	return weft_object_pool_init(&memory, &options);
}

int weft_task_memory_prepare_(void)
{
	uint32_t found;
	int error;

	do {
		found = NOT_PREPARED;
		/* M1 acquire, pairs with M2: the memory that another thread has prepared. */
		if (atomic_compare_exchange_strong_explicit(&stage, &found, IN_PREPARATION,
							    memory_order_acquire,
							    memory_order_acquire)) {
			error = prepare();
			/* M2 release, pairs with M1: the memory. */
			atomic_store_explicit(&stage, error == 0 ? PREPARED : NOT_PREPARED,
					      memory_order_release);
			weft_park_wake(&stage, WEFT_PARK_ALL);
			return error;
		}
		if (found == IN_PREPARATION)
			weft_park_while(&stage, IN_PREPARATION, 0, WEFT_FOREVER);
	} while (found != PREPARED);
	return 0;
}

size_t weft_future_trim(void)
{
	return weft_object_pool_trim(&memory);
}

void *weft_task_alloc_(void)
{
	return weft_object_pool_alloc(&memory);
}

void weft_task_free_(void *task)
{
	weft_object_pool_free(&memory, task);
}

#ifdef NDEBUG
void weft_task_retire_(void *task)
{
	weft_task_free_(task);
}
#else
/* A debug build keeps the latest ones for a while, so that releasing a future again is seen and not
 * taken for the release of its successor in the same memory. */
void weft_task_retire_(void *task)
{
	static WEFT_ATOMIC(void *) retired[256];
	static WEFT_ATOMIC(uint32_t) next;
	/* relaxed: any slot will do; R1 hands the memory on. */
	uint32_t slot = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % 256;

	/* R1 acq_rel, pairs with R1: whoever frees it does so after all that used it. */
	weft_task_free_(atomic_exchange_explicit(&retired[slot], task, memory_order_acq_rel));
}
#endif
