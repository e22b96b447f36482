/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_STRESS_H
#define WEFT_TESTS_STRESS_H

/*
 * What the stress programs share: a crew of threads that start together, the time a test may take,
 * waiting that ends, and the first failure that any of the threads found.
 *
 * A program runs for about WEFT_STRESS_SECONDS (from the environment, fractions allowed; 1 where it
 * is not set), shared equally by its tests. Each test makes at least one round, however short that
 * is: threads are made, they work for at most a quota or until the test's time is over, they are
 * joined, and what they did is checked.
 */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../seeded_random.h"

/* A round in which some thread waits longer than this is stuck. */
#define STRESS_STUCK_NS (20 * (uint64_t)1000000000)

/* The most threads of a crew: eight for each CPU of the smallest machine. */
#define STRESS_THREADS_MAX 16

typedef struct stress_crew {
	/* How many threads are at the starting line, of how many. */
	atomic_uint arrived;
	unsigned count;
	/* When the test's time is over, and when a thread that waits may call the round stuck. */
	uint64_t deadline_ns;
	uint64_t stuck_ns;
	/* What the first thread that saw something wrong saw; NULL while all is well. */
	_Atomic(const char *) failure;
} stress_crew;

static inline uint64_t stress_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* When a test that begins now has to end, in a program of so many tests. */
static inline uint64_t stress_deadline_ns(size_t tests)
{
	const char *wanted = getenv("WEFT_STRESS_SECONDS");
	double seconds = wanted == NULL ? 1 : strtod(wanted, NULL);

	return stress_now_ns() + (uint64_t)(seconds * 1e9 / (double)tests);
}

static inline void stress_crew_init(stress_crew *crew, unsigned count, uint64_t deadline_ns)
{
	uint64_t now = stress_now_ns();

	atomic_init(&crew->arrived, 0);
	atomic_init(&crew->failure, NULL);
	crew->count = count;
	crew->deadline_ns = deadline_ns;
	crew->stuck_ns = (now > deadline_ns ? now : deadline_ns) + STRESS_STUCK_NS;
}

/* A thread calls this first: all of them leave it at about the same time. */
static inline void stress_start_together(stress_crew *crew)
{
	atomic_fetch_add_explicit(&crew->arrived, 1, memory_order_acq_rel);
	while (atomic_load_explicit(&crew->arrived, memory_order_acquire) < crew->count)
		sched_yield();
}

/* Reports what went wrong; the first report counts. */
static inline void stress_fail(stress_crew *crew, const char *what)
{
	const char *none = NULL;

	atomic_compare_exchange_strong_explicit(&crew->failure, &none, what, memory_order_relaxed,
						memory_order_relaxed);
}

static inline const char *stress_failure(stress_crew *crew)
{
	return atomic_load_explicit(&crew->failure, memory_order_relaxed);
}

static inline bool stress_time_is_over(const stress_crew *crew)
{
	return stress_now_ns() >= crew->deadline_ns;
}

/*
 * Lets another thread run, for one that can do nothing now. Returns false when there is nothing to
 * wait for any more: the round has failed, or is stuck, which is a failure.
 */
static inline bool stress_wait(stress_crew *crew)
{
	sched_yield();
	if (stress_failure(crew) == NULL && stress_now_ns() >= crew->stuck_ns)
		stress_fail(crew, "a thread waited for twenty seconds");
	return stress_failure(crew) == NULL;
}

/* Runs body(&workers[i]) in crew->count threads, from items of this size, and joins them. */
static inline void stress_run(stress_crew *crew, void *(*body)(void *worker), void *workers,
			      size_t worker_bytes)
{
	pthread_t threads[STRESS_THREADS_MAX];

	for (unsigned i = 0; i < crew->count; i++) {
		/* Threads at the starting line cannot be called back. */
		if (pthread_create(&threads[i], NULL, body, (char *)workers + i * worker_bytes) !=
		    0) {
			perror("pthread_create");
			exit(1);
		}
	}
	for (unsigned i = 0; i < crew->count; i++)
		pthread_join(threads[i], NULL);
}

#endif
