/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_POOL_FIXTURE_H
#define WEFT_TESTS_POOL_FIXTURE_H

/*
 * What the programs that test pool/ share: gates at which a test holds its tasks, pools that are
 * known to sleep, and a check for threads on which cmocka's must not be called. Nothing here waits
 * without an end: what takes longer than the guard has hung, and aborts the program with a line
 * that says where.
 */

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/pool/executor.h>
#include <weft/pool/future.h>
#include <weft/pool/pool.h>
#include <weft/pool/worker.h>
#include <weft/sync/park.h>
#include <weft/sync/park_task.h>

/* What is not there after this long will not come. A whole program may take four times as long. */
#define GUARD_SECONDS 30

/* Which sanitizer this is built with. Any of them: not for checks of how much time a thing takes.
 */
#ifdef __has_feature
#define FIXTURE_FEATURE(name) __has_feature(name)
#else
#define FIXTURE_FEATURE(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || FIXTURE_FEATURE(thread_sanitizer)
#define SANITIZED_THREADS 1
#else
#define SANITIZED_THREADS 0
#endif
#if defined(__SANITIZE_ADDRESS__) || FIXTURE_FEATURE(address_sanitizer) || SANITIZED_THREADS
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static inline weft_deadline guard(void)
{
	return weft_after(GUARD_SECONDS * WEFT_SECONDS);
}

/* For main: ends a program that hangs where no guard looks. */
static inline void guard_program(void)
{
	alarm(4 * GUARD_SECONDS);
}

static inline void must_hold(bool holds, const char *where, const char *what)
{
	if (holds)
		return;
	fflush(stdout);
	fprintf(stderr, "%s: does not hold: %s\n", where, what);
	abort();
}

/* As assert_true of cmocka, but for any thread. */
#define must(holds) must_hold(holds, __FILE__ ":" WEFT_STRING_(__LINE__), #holds)

/* Sleeps to the deadline. For waiting in which the time itself is what is tested. */
static inline void sleep_until(weft_deadline deadline)
{
	weft_parker parker = {0};

	must(weft_parker_park(&parker, 0, deadline) == -ETIMEDOUT);
}

/* Where tasks stop until the test lets them go on. Valid when zeroed: closed. */
typedef struct gate {
	WEFT_ATOMIC(uint32_t) arrived; /* how many have come to the gate */
	WEFT_ATOMIC(uint32_t) open;
} gate;

/* Waits in the manner of a system call that blocks: whatever thread calls this is held. */
static inline void gate_pass(gate *at)
{
	atomic_fetch_add(&at->arrived, 1);
	weft_park_wake(&at->arrived, WEFT_PARK_ALL);

	weft_park_task_ *task = weft_park_running_;

	weft_park_running_ = NULL;
	must(weft_park_while(&at->open, 0, 0, guard()) == 0);
	weft_park_running_ = task;
}

/* Waits until so many have come to the gate. */
static inline void gate_await(gate *at, uint32_t count)
{
	weft_deadline deadline = guard();
	uint32_t arrived;

	while ((arrived = atomic_load(&at->arrived)) < count)
		must(weft_park_while(&at->arrived, arrived, 0, deadline) == 0);
}

static inline void gate_open(gate *at)
{
	atomic_store(&at->open, 1);
	weft_park_wake(&at->open, WEFT_PARK_ALL);
}

/* A task that holds its worker at a gate. */
typedef struct gate_task {
	weft_task task;
	gate *at;
} gate_task;

static inline void gate_task_run(weft_task *task)
{
	gate_pass(((gate_task *)task)->at);
}

/* Holds `count` workers of a pool: returns when all of them stand at the gate. */
static inline void gate_hold(weft_pool *pool, gate *at, gate_task *tasks, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		weft_task_init(&tasks[i].task, gate_task_run);
		tasks[i].at = at;
		must(weft_task_submit(pool, &tasks[i].task) == 0);
	}
	gate_await(at, count);
}

/* Lets them go, and waits until the tasks are the caller's again. */
static inline void gate_let_go(gate *at, gate_task *tasks, uint32_t count)
{
	gate_open(at);
	for (uint32_t i = 0; i < count; i++)
		must(weft_task_wait(&tasks[i].task, guard()) == 0);
}

/* A pool of so many workers; 0: as many as cores. spin_ns as in the options. */
static inline weft_pool *pool_of(unsigned workers, uint64_t spin_ns)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	options.workers = workers;
	options.spin_ns = spin_ns;
	must(weft_pool_create(&pool, &options) == 0);
	return pool;
}

static inline weft_pool_statistics statistics_of(const weft_pool *pool)
{
	weft_pool_statistics statistics = WEFT_POOL_STATISTICS_INIT;

	must(weft_pool_statistics_read(pool, &statistics) == 0);
	return statistics;
}

/* Waits until so many tasks of the pool are suspended. */
static inline void pool_await_suspended(const weft_pool *pool, uint32_t count)
{
	weft_deadline deadline = guard();

	while (statistics_of(pool).suspended != count) {
		must(weft_now() < deadline);
		sched_yield();
	}
}

/* How many workers sleep, when nobody is looking for work; else 0. */
static inline unsigned pool_sleepers(const weft_pool *pool)
{
	/* What a parker's word is while its waiter sleeps, see sync/park.c. */
	const uint32_t asleep = 2;
	unsigned sleepers = 0;

	for (unsigned i = 0; i < pool->workers; i++) {
		bool idle = (atomic_load(&pool->wake.idle[i / 64]) >> (i % 64) & 1) != 0;

		if (idle && atomic_load(&pool->worker[i]->parker.state_) == asleep)
			sleepers++;
	}
	return atomic_load(&pool->wake.searching) == 0 ? sleepers : 0;
}

/* Waits until so many workers sleep. When that is all that are not held at a gate the pool is at
 * rest, and its statistics are exact. */
static inline void pool_await_sleepers(const weft_pool *pool, unsigned count)
{
	weft_deadline deadline = guard();

	while (pool_sleepers(pool) < count) {
		must(weft_now() < deadline);
		sched_yield();
	}
}

/* Waits until all workers sleep. */
static inline void pool_await_rest(const weft_pool *pool)
{
	pool_await_sleepers(pool, weft_pool_workers(pool));
}

#endif
