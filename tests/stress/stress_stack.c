/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the stack: threads push, pop, take all, and the nodes go round without end.
 *
 *   - a node is in one place at a time: the thread that popped it is the only one that has it, and
 *     reads what its last owner wrote;
 *   - in the end, when the stack has been closed and drained, each node is there once.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/stack.h>

#include "stress.h"

#define NODES     256
#define CHAIN_MAX 8

/* Operations of each thread, at least; and how many between two chances for others to run. */
#define OPERATIONS_MIN 2000
#define RUN            500

typedef struct stress_node {
	weft_stack_node link; /* first: a link is its node */
	/* Written by the owner alone. */
	uint64_t owned;    /* how often it was popped */
	uint64_t checksum; /* follows from `owned` */
} stress_node;

typedef struct stack_test {
	const char *name;
	unsigned threads;
	unsigned nodes;
} stack_test;

typedef struct stack_stress {
	stress_crew crew;
	const stack_test *test;
	weft_stack stack;
	stress_node nodes[NODES];
} stack_stress;

typedef struct stack_worker {
	stack_stress *round;
	seeded_random random;
	uint64_t popped;
	uint64_t kept; /* nodes that it could not push any more */
} stack_worker;

static uint64_t checksum_of(uint64_t owned)
{
	return owned * 0x9e3779b97f4a7c15 + 1;
}

/* The thread has the node alone: what others do to it meanwhile shows here, or to TSan. */
static void take(stack_worker *self, weft_stack_node *link)
{
	stress_node *node = (stress_node *)(void *)link;

	if (node->checksum != checksum_of(node->owned))
		stress_fail(&self->round->crew, "a node has two owners, or is not what was pushed");
	node->owned++;
	node->checksum = checksum_of(node->owned);
	self->popped++;
}

static void give(stack_worker *self, weft_stack_node *first, weft_stack_node *last, uint64_t count)
{
	int error = weft_stack_push_chain(&self->round->stack, first, last);

	if (error == -EPIPE)
		self->kept += count;
	else if (error != 0)
		stress_fail(&self->round->crew, "a push returned what it must not");
}

/* Pops some, links them to a chain in another order and pushes that. */
static void recycle(stack_worker *self)
{
	uint64_t wanted = 1 + seeded_random_below(&self->random, CHAIN_MAX), count = 0;
	weft_stack_node *first = NULL, *last = NULL, *link = NULL;

	while (count < wanted && weft_stack_try_pop(&self->round->stack, &link)) {
		take(self, link);
		if (first == NULL)
			last = link;
		else
			weft_stack_link(link, first);
		first = link;
		count++;
	}
	if (count > 0)
		give(self, first, last, count);
}

static void recycle_all(stack_worker *self)
{
	weft_stack_node *first = weft_stack_pop_all(&self->round->stack), *last = first;
	uint64_t count = 0;

	for (weft_stack_node *link = first; link != NULL; link = weft_stack_next(link)) {
		take(self, link);
		last = link;
		count++;
	}
	if (count > self->round->test->nodes)
		stress_fail(&self->round->crew, "more nodes than there are");
	if (count > 0)
		give(self, first, last, count);
}

static void *work(void *argument)
{
	stack_worker *self = argument;
	stack_stress *round = self->round;
	unsigned operations = 0;

	stress_start_together(&round->crew);
	while (stress_failure(&round->crew) == NULL &&
	       (operations < OPERATIONS_MIN || !stress_time_is_over(&round->crew))) {
		for (int i = 0; i < RUN; i++) {
			if (seeded_random_below(&self->random, 64) == 0)
				recycle_all(self);
			else
				recycle(self);
		}
		operations += RUN;
		sched_yield();
	}
	/* The first that has finished ends it for all. */
	weft_stack_close(&round->stack);
	return NULL;
}

static void check_round(stack_stress *round, const stack_worker *workers)
{
	uint64_t popped = 0, kept = 0, owned = 0, left = 0;
	weft_stack_node *link = NULL;

	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	for (unsigned i = 0; i < round->crew.count; i++) {
		popped += workers[i].popped;
		kept += workers[i].kept;
	}
	while (weft_stack_pop(&round->stack, &link) == 0)
		left++;
	assert_int_equal(weft_stack_pop(&round->stack, &link), -EPIPE);
	assert_int_equal(left + kept, round->test->nodes);
	for (unsigned i = 0; i < round->test->nodes; i++) {
		assert_true(round->nodes[i].checksum == checksum_of(round->nodes[i].owned));
		owned += round->nodes[i].owned;
	}
	assert_int_equal(owned, popped);
	printf("# %llu nodes popped\n", (unsigned long long)popped);
}

static const stack_test stack_tests[] = {
	{"2 threads, 2 nodes", 2, 2},
	{"2 threads, 256 nodes", 2, NODES},
	{"16 threads, 3 nodes", 16, 3},
	{"16 threads, 256 nodes", 16, NODES},
};

#define TESTS (sizeof(stack_tests) / sizeof(stack_tests[0]))

static seeded_random seeds;

static void run_stress(void **state)
{
	static stack_stress round;
	stack_worker workers[STRESS_THREADS_MAX];

	memset((void *)&round, 0, sizeof(round));
	round.test = *state;
	weft_stack_init(&round.stack);
	for (unsigned i = 0; i < round.test->nodes; i++) {
		round.nodes[i].checksum = checksum_of(0);
		assert_int_equal(weft_stack_push(&round.stack, &round.nodes[i].link), 0);
	}
	for (unsigned i = 0; i < round.test->threads; i++)
		workers[i] = (stack_worker){&round, {seeded_random_next(&seeds)}, 0, 0};
	stress_crew_init(&round.crew, round.test->threads, stress_deadline_ns(TESTS));
	stress_run(&round.crew, work, workers, sizeof(workers[0]));
	check_round(&round, workers);
}

int main(void)
{
	struct CMUnitTest tests[TESTS];

	for (size_t i = 0; i < TESTS; i++)
		tests[i] = (struct CMUnitTest){stack_tests[i].name, run_stress, NULL, NULL,
					       (void *)(uintptr_t)&stack_tests[i]};
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
