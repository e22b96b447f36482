/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the bounded stack: threads push and pop, singly and in batches, with more of them than
 * there is room, and take what the others left.
 *
 *   - an element is popped once, and whole: what it says of itself is true;
 *   - in the end, when the stack has been closed and drained, as many were popped as pushed, with
 *     the same sum, and all slots are unused again.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/bounded_stack.h>

#include "stress.h"

#define BATCH_MAX 9

/* Operations of each thread, at least; and how many between two chances for others to run. */
#define OPERATIONS_MIN 2000
#define RUN            500

typedef struct entry {
	uint64_t number;
	uint64_t checksum[2]; /* follows from the number */
} entry;

WEFT_BOUNDED_STACK_DEFINE(entries, entry);

typedef struct bounded_test {
	const char *name;
	unsigned threads;
	unsigned capacity;
	unsigned lists;
} bounded_test;

typedef struct bounded_stress {
	stress_crew crew;
	const bounded_test *test;
	entries stack;
} bounded_stress;

typedef struct bounded_worker {
	bounded_stress *round;
	seeded_random random;
	uint64_t pushed, pushed_sum;
	uint64_t popped, popped_sum;
} bounded_worker;

static entry entry_of(uint64_t number)
{
	entry made = {number, {number * 0x9e3779b97f4a7c15 + 1, ~number}};

	return made;
}

static void receive(bounded_worker *self, const entry *popped)
{
	entry expected = entry_of(popped->number);

	if (memcmp(popped, &expected, sizeof(expected)) != 0)
		stress_fail(&self->round->crew, "an element is torn");
	self->popped++;
	self->popped_sum += popped->number;
}

static void give(bounded_worker *self)
{
	entry batch[BATCH_MAX];
	size_t count = seeded_random_below(&self->random, BATCH_MAX) + 1, done;

	if (seeded_random_below(&self->random, 2) == 0)
		count = 1;
	for (size_t i = 0; i < count; i++)
		batch[i] = entry_of(seeded_random_next(&self->random));
	if (count == 1)
		done = entries_push(&self->round->stack, batch[0]) == 0;
	else
		done = entries_try_push_batch(&self->round->stack, batch, count);
	for (size_t i = 0; i < done; i++)
		self->pushed_sum += batch[i].number;
	self->pushed += done;
}

static void take(bounded_worker *self)
{
	entry batch[BATCH_MAX];
	size_t count = seeded_random_below(&self->random, BATCH_MAX) + 1;

	if (count % 2 == 0)
		count = entries_try_pop_batch(&self->round->stack, batch, count);
	else
		count = entries_try_pop(&self->round->stack, batch);
	for (size_t i = 0; i < count; i++)
		receive(self, &batch[i]);
}

static void *work(void *argument)
{
	bounded_worker *self = argument;
	bounded_stress *round = self->round;
	unsigned operations = 0;

	stress_start_together(&round->crew);
	while (stress_failure(&round->crew) == NULL &&
	       (operations < OPERATIONS_MIN || !stress_time_is_over(&round->crew))) {
		for (int i = 0; i < RUN; i++) {
			if (seeded_random_below(&self->random, 2) == 0)
				give(self);
			else
				take(self);
			if (entries_size(&round->stack) > round->test->capacity)
				stress_fail(&round->crew, "more elements than there is room");
		}
		operations += RUN;
		sched_yield();
	}
	/* The first that has finished ends it for all. */
	entries_close(&round->stack);
	return NULL;
}

static void check_round(bounded_stress *round, const bounded_worker *workers)
{
	bounded_worker all = {.round = round};
	entry left;

	while (entries_pop(&round->stack, &left) == 0)
		receive(&all, &left);
	assert_int_equal(entries_pop(&round->stack, &left), -EPIPE);
	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	for (unsigned i = 0; i < round->crew.count; i++) {
		all.pushed += workers[i].pushed;
		all.pushed_sum += workers[i].pushed_sum;
		all.popped += workers[i].popped;
		all.popped_sum += workers[i].popped_sum;
	}
	assert_true(all.pushed == all.popped);
	assert_true(all.pushed_sum == all.popped_sum);
	assert_int_equal(entries_size(&round->stack), 0);
	printf("# %llu elements popped\n", (unsigned long long)all.popped);
}

/* Several lists also where the machine has few CPUs. */
static const bounded_test bounded_tests[] = {
	{"2 threads, 1 slot", 2, 1, 1},
	{"2 threads, 256 slots", 2, 256, 2},
	{"16 threads, 8 slots, 8 lists", 16, 8, 8},
	{"16 threads, 1024 slots", 16, 1024, 2},
};

#define TESTS (sizeof(bounded_tests) / sizeof(bounded_tests[0]))

static seeded_random seeds;

static void run_stress(void **state)
{
	static bounded_stress round;
	bounded_worker workers[STRESS_THREADS_MAX];
	weft_bounded_stack *stack = &round.stack.stack_;

	memset((void *)&round, 0, sizeof(round));
	round.test = *state;
	assert_int_equal(entries_init(&round.stack, round.test->capacity), 0);
	weft_slot_pool_start_(&stack->unused_, stack->unused_.links,
			      weft_bounded_stack_stride_(sizeof(entry)), round.test->capacity,
			      round.test->lists);
	for (unsigned i = 0; i < round.test->threads; i++)
		workers[i] = (bounded_worker){&round, {seeded_random_next(&seeds)}, 0, 0, 0, 0};
	stress_crew_init(&round.crew, round.test->threads, stress_deadline_ns(TESTS));
	stress_run(&round.crew, work, workers, sizeof(workers[0]));
	check_round(&round, workers);
	entries_fini(&round.stack);
}

int main(void)
{
	struct CMUnitTest tests[TESTS];

	for (size_t i = 0; i < TESTS; i++)
		tests[i] = (struct CMUnitTest){bounded_tests[i].name, run_stress, NULL, NULL,
					       (void *)(uintptr_t)&bounded_tests[i]};
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
