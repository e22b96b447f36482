/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forkjoin under real threads: several threads run random trees on one pool at once, with a worker
 * for each CPU and with eight; each node is counted once, and every result is right. And calls that
 * wait for each other: as many are made at once as there are workers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/pool/forkjoin.h>

#include "stress.h"

enum {
	TESTS = 4,
	RUNNERS = 3
};

/* The children of a node follow from its number, so that one thread can count them as well. */
static uint64_t child(uint64_t node, unsigned index)
{
	uint64_t number = (node + index + 1) * 0x9E3779B97F4A7C15u;

	number ^= number >> 31;
	number *= 0xBF58476D1CE4E5B9u;
	return number ^ number >> 29;
}

/* Two of three nodes have none, the others four: deep and narrow, with branches of all sizes. */
static unsigned children(uint64_t node, int depth)
{
	return depth > 0 && (depth > 12 || node % 3 == 0) ? 4 : 0;
}

static uint64_t count_alone(uint64_t node, int depth)
{
	uint64_t count = 1;

	for (unsigned i = 0; i < children(node, depth); i++)
		count += count_alone(child(node, i), depth - 1);
	return count;
}

WEFT_FORKABLE_3(uint64_t, count, uint64_t, int, atomic_long *);

static uint64_t count(weft_fork at, uint64_t node, int depth, atomic_long *visited)
{
	unsigned branches = children(node, depth);
	uint64_t nodes = 1;

	atomic_fetch_add_explicit(visited, 1, memory_order_relaxed);
	for (unsigned i = 1; i < branches; i++)
		count_fork(&at, child(node, i), depth - 1, visited);
	if (branches > 0)
		nodes += count(at, child(node, 0), depth - 1, visited);
	for (unsigned i = 1; i < branches; i++)
		nodes += count_join(&at);
	return nodes;
}

typedef struct runner {
	stress_crew *crew;
	weft_pool *pool;
	uint64_t seed;
} runner;

static void *run(void *argument)
{
	runner *self = argument;

	stress_start_together(self->crew);
	do {
		uint64_t root = child(self->seed++, 0), nodes = 0;
		int depth = 13 + (int)(root % 4);
		atomic_long visited = 0;

		if (count_run(self->pool, &nodes, root, depth, &visited) != 0)
			stress_fail(self->crew, "a run was refused");
		else if (nodes != count_alone(root, depth))
			stress_fail(self->crew, "a wrong sum");
		else if ((uint64_t)visited != nodes)
			stress_fail(self->crew, "a call was lost, or made twice");
	} while (stress_failure(self->crew) == NULL && !stress_time_is_over(self->crew));
	return NULL;
}

static void trees(unsigned workers, uint64_t spin_ns)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	runner runners[RUNNERS];
	weft_pool *pool;
	stress_crew crew;

	options.workers = workers;
	options.spin_ns = spin_ns;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	stress_crew_init(&crew, RUNNERS, stress_deadline_ns(TESTS));
	for (unsigned i = 0; i < RUNNERS; i++)
		runners[i] = (runner){.crew = &crew, .pool = pool, .seed = i * 1000003};
	stress_run(&crew, run, runners, sizeof(*runners));
	weft_pool_destroy(pool);
	if (stress_failure(&crew) != NULL)
		fail_msg("%s", stress_failure(&crew));
}

static void a_worker_for_each_core(void **state)
{
	(void)state;
	trees(0, 0);
}

static void workers_that_sleep_at_once(void **state)
{
	(void)state;
	trees(3, 1);
}

static void oversubscribed(void **state)
{
	(void)state;
	trees(16, 0);
}

/*
 * A run forks long calls, one after the other, and goes on with short ones until all of the long
 * ones have begun: none is left to a worker that sleeps. In between all may fall asleep, or not.
 */
enum {
	CROWD = 5,
};

static struct {
	stress_crew crew;
	seeded_random random;
	atomic_uint begun;
	atomic_bool over;
} together;

WEFT_FORKABLE_0(int, is_short);
WEFT_FORKABLE_0(int, is_long);
WEFT_FORKABLE_1(unsigned, forks_long, unsigned);

static int is_short(weft_fork at)
{
	(void)at;
	return 1;
}

static int is_long(weft_fork at)
{
	(void)at;
	atomic_fetch_add(&together.begun, 1);
	while (!atomic_load(&together.over) && stress_wait(&together.crew))
		;
	return 1;
}

static void make_short_calls(weft_fork at, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		is_short_fork(&at);
	for (uint64_t i = 0; i < count; i++)
		is_short_join(&at);
}

static unsigned forks_long(weft_fork at, unsigned count)
{
	seeded_random *random = &together.random;
	unsigned sum = 0;

	for (unsigned i = 0; i < count; i++) {
		for (uint64_t calls = seeded_random_below(random, 200); calls > 0; calls--)
			make_short_calls(at, calls % 4);
		is_long_fork(&at);
	}
	do
		make_short_calls(at, 2);
	while (atomic_load(&together.begun) < count && stress_wait(&together.crew));
	atomic_store(&together.over, true);
	for (unsigned i = 0; i < count; i++)
		sum += (unsigned)is_long_join(&at);
	return sum;
}

static void calls_that_wait_for_each_other(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool;

	(void)state;
	options.workers = CROWD;
	options.spin_ns = 1;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	stress_crew_init(&together.crew, 1, stress_deadline_ns(TESTS));
	do {
		unsigned sum = 0;
		unsigned count = 1 + (unsigned)seeded_random_below(&together.random, CROWD - 1);

		atomic_store(&together.begun, 0);
		atomic_store(&together.over, false);
		assert_int_equal(forks_long_run(pool, &sum, count), 0);
		assert_int_equal(sum, count);
	} while (stress_failure(&together.crew) == NULL && !stress_time_is_over(&together.crew));
	weft_pool_destroy(pool);
	if (stress_failure(&together.crew) != NULL)
		fail_msg("%s", stress_failure(&together.crew));
}

int main(void)
{
	const struct CMUnitTest tests[TESTS] = {
		cmocka_unit_test(a_worker_for_each_core),
		cmocka_unit_test(workers_that_sleep_at_once),
		cmocka_unit_test(oversubscribed),
		cmocka_unit_test(calls_that_wait_for_each_other),
	};

	together.random.state = seeded_random_seed();
	/* What hangs where nobody looks has failed, too. */
	alarm(120 + 4 * (unsigned)((stress_deadline_ns(1) - stress_now_ns()) / 1000000000));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
