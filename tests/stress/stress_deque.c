/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the deque: an owner that pushes and pops, thieves that steal.
 *
 *   - each element is taken exactly once (counted one by one), by the owner or by a thief;
 *   - the owner takes the newest of those that are left, each thief ever newer ones;
 *   - what the owner wrote before the push, the thief reads after the steal;
 *   - the deque begins small in every round and grows while it is stolen from;
 *   - an owner that pushes and then looks for sleepers and a worker that announces its sleep and
 *     then looks for elements do not miss each other.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/deque.h>

#include "stress.h"

/* The elements of one round, at most and at least. */
#define ELEMENTS_MAX 32768
#define ELEMENTS_MIN 2048
/* What a thief takes at once, at most. */
#define STEALS_MAX 16

/* An element: the deque gets its address, its place in the array is its number. */
typedef struct deque_element {
	/* Written before the push, read by whoever takes it. */
	uint64_t payload;
	/* How often it was taken. */
	atomic_uchar takes;
} deque_element;

typedef struct deque_stress {
	stress_crew crew;
	weft_deque deque;
	deque_element elements[ELEMENTS_MAX];
	/* The owner's: how many were pushed, and the numbers that it has not popped, as a stack. */
	uint64_t pushed;
	uint64_t depth;
	uint64_t stack[ELEMENTS_MAX];
	size_t burst_max;
	/* Whether the owner has pushed its last and stopped popping. */
	atomic_bool finished;
} deque_stress;

typedef struct deque_worker {
	deque_stress *round;
	seeded_random random;
	bool owns;
	uint64_t taken;
	weft_deque own; /* a thief's */
} deque_worker;

static uint64_t payload_of(uint64_t number)
{
	return number * 0x9e3779b97f4a7c15 + 1;
}

/* Checks and counts what was taken; returns its number. */
static uint64_t take(deque_worker *self, void *taken)
{
	deque_stress *round = self->round;
	uintptr_t offset = (uintptr_t)taken - (uintptr_t)round->elements;
	uint64_t number = offset / sizeof(deque_element);

	if (offset % sizeof(deque_element) != 0 || number >= ELEMENTS_MAX) {
		stress_fail(&round->crew, "an element that nobody pushed");
		return 0;
	}
	deque_element *element = taken;

	if (element->payload != payload_of(number))
		stress_fail(&round->crew, "the taker does not see what the owner wrote");
	/* relaxed: only counts. */
	if (atomic_fetch_add_explicit(&element->takes, 1, memory_order_relaxed) != 0)
		stress_fail(&round->crew, "an element was taken twice");
	self->taken++;
	return number;
}

static void push_next(deque_worker *self)
{
	deque_stress *round = self->round;
	deque_element *element = &round->elements[round->pushed];
	int error;

	element->payload = payload_of(round->pushed);
	switch (seeded_random_below(&self->random, 4)) {
	case 0:
		error = weft_deque_push(&round->deque, element);
		break;
	case 1:
		error = weft_deque_push_seq_cst(&round->deque, element);
		break;
	default:
		error = weft_deque_push_lazy(&round->deque, element);
	}
	if (error != 0)
		stress_fail(&round->crew, "a push failed");
	round->stack[round->depth++] = round->pushed++;
}

/* Returns whether there was an element. */
static bool pop_newest(deque_worker *self)
{
	deque_stress *round = self->round;
	void *taken;
	bool found;

	if (seeded_random_below(&self->random, 2) == 0)
		found = weft_deque_try_pop_lazy(&round->deque, &taken);
	else
		found = weft_deque_try_pop(&round->deque, &taken);
	if (!found) {
		/* All were stolen. */
		round->depth = 0;
		return false;
	}
	uint64_t number = take(self, taken);

	if (round->depth == 0 || round->stack[round->depth - 1] != number)
		stress_fail(&round->crew, "the owner did not get the newest element");
	else
		round->depth--;
	return true;
}

static bool owner_has_more(deque_worker *self)
{
	deque_stress *round = self->round;

	if (round->pushed == ELEMENTS_MAX || stress_failure(&round->crew) != NULL)
		return false;
	return round->pushed < ELEMENTS_MIN || !stress_time_is_over(&round->crew);
}

/* One element half of the time, which the owner and the thieves then fight for. */
static size_t pick_burst(deque_worker *self)
{
	if (seeded_random_below(&self->random, 2) == 0)
		return 1;
	return 1 + (size_t)seeded_random_below(&self->random, self->round->burst_max);
}

static void *own(void *argument)
{
	deque_worker *self = argument;
	deque_stress *round = self->round;

	stress_start_together(&round->crew);
	while (owner_has_more(self)) {
		size_t pushes = pick_burst(self), pops = pick_burst(self);

		while (pushes-- > 0 && round->pushed < ELEMENTS_MAX)
			push_next(self);
		while (pops-- > 0 && pop_newest(self))
			continue;
		/* Where the thieves have no CPU of their own, they get this one now and then. */
		if (seeded_random_below(&self->random, 64) == 0)
			sched_yield();
	}
	/* The rest is sometimes the owner's and sometimes the thieves'. */
	if (seeded_random_below(&self->random, 2) == 0) {
		while (pop_newest(self))
			continue;
	}
	weft_deque_publish(&round->deque);
	/* release: pairs with the acquire of the thieves; all is pushed. */
	atomic_store_explicit(&round->finished, true, memory_order_release);
	return NULL;
}

/* What a thief does in one of three ways. Returns what the steal does, and the elements. */
static int steal_some(deque_worker *self, void **taken, size_t *count)
{
	deque_stress *round = self->round;

	*count = 1;
	switch (seeded_random_below(&self->random, 3)) {
	case 0:
		return weft_deque_steal(&round->deque, taken);
	case 1:
		return weft_deque_steal_batch(&round->deque, taken, STEALS_MAX, count);
	default:
		break;
	}

	int result = weft_deque_steal_half(&round->deque, &self->own, taken);

	if (result != 0)
		return result;
	/* Oldest first, like the others. */
	while (*count < STEALS_MAX && weft_deque_steal(&self->own, &taken[*count]) == 0)
		++*count;
	return 0;
}

static void *rob(void *argument)
{
	deque_worker *self = argument;
	deque_stress *round = self->round;
	void *taken[STEALS_MAX];
	uint64_t next = 0;
	size_t count;

	if (weft_deque_init(&self->own, STEALS_MAX / 2) != 0)
		stress_fail(&round->crew, "a deque was not made");
	stress_start_together(&round->crew);
	while (stress_failure(&round->crew) == NULL) {
		bool last = atomic_load_explicit(&round->finished, memory_order_acquire);
		int result = steal_some(self, taken, &count);

		if (weft_deque_size(&round->deque) > ELEMENTS_MAX)
			stress_fail(&round->crew, "the size is above what was pushed");
		if (result == 0) {
			for (size_t i = 0; i < count; i++) {
				uint64_t number = take(self, taken[i]);

				if (number < next)
					stress_fail(&round->crew, "a thief got an older element "
								  "after a newer one");
				next = number + 1;
			}
		} else if (result == -ENOENT) {
			if (last || !stress_wait(&round->crew))
				break;
		} else if (result != -EAGAIN) {
			stress_fail(&round->crew, "a steal returned what it must not");
		}
	}
	weft_deque_fini(&self->own);
	return NULL;
}

static void *work(void *argument)
{
	deque_worker *self = argument;

	return self->owns ? own(self) : rob(self);
}

/* What one round did. */
typedef struct deque_tally {
	uint64_t pushed, stolen, grown;
} deque_tally;

static void check_round(deque_stress *round, const deque_worker *workers, deque_tally *tally)
{
	weft_deque_ring_ *ring = atomic_load_explicit(&round->deque.ring_, memory_order_relaxed);
	uint64_t taken = 0;

	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	for (uint64_t number = 0; number < ELEMENTS_MAX; number++) {
		deque_element *element = &round->elements[number];

		assert_int_equal(atomic_load_explicit(&element->takes, memory_order_relaxed),
				 number < round->pushed);
	}
	for (unsigned i = 0; i < round->crew.count; i++)
		taken += workers[i].taken;
	assert_int_equal(taken, round->pushed);
	assert_int_equal(weft_deque_size(&round->deque), 0);
	tally->pushed += round->pushed;
	tally->stolen += round->pushed - workers[0].taken;
	for (; ring->outgrown != NULL; ring = ring->outgrown)
		tally->grown++;
}

static void run_round(unsigned threads, size_t capacity, uint64_t deadline_ns, deque_tally *tally,
		      seeded_random *random)
{
	deque_stress *round = aligned_alloc(WEFT_CACHE_LINE, sizeof(*round));
	deque_worker workers[STRESS_THREADS_MAX];

	assert_non_null(round);
	memset((void *)round, 0, sizeof(*round));
	assert_int_equal(weft_deque_init(&round->deque, capacity), 0);
	round->burst_max = 16 + 2 * capacity;
	stress_crew_init(&round->crew, threads, deadline_ns);
	for (unsigned i = 0; i < threads; i++)
		workers[i] = (deque_worker){
			.round = round, .random = {seeded_random_next(random)}, .owns = i == 0};
	stress_run(&round->crew, work, workers, sizeof(workers[0]));
	check_round(round, workers, tally);
	weft_deque_fini(&round->deque);
	free(round);
}

typedef struct point {
	const char *name;
	unsigned threads;
	size_t capacity;
} point;

static const point points[] = {
	{"1 thief, capacity 1", 2, 1},       {"1 thief, capacity 2", 2, 2},
	{"1 thief, capacity 4096", 2, 4096}, {"15 thieves, capacity 1", 16, 1},
	{"15 thieves, capacity 2", 16, 2},   {"15 thieves, capacity 4096", 16, 4096},
};

#define POINTS (sizeof(points) / sizeof(points[0]))

/* With that of the sleeper. */
#define TESTS (POINTS + 1)

static seeded_random seeds;

static void run_point(void **state)
{
	const point *self = *state;
	uint64_t deadline_ns = stress_deadline_ns(TESTS);
	deque_tally tally = {0, 0, 0};

	do {
		run_round(self->threads, self->capacity, deadline_ns, &tally, &seeds);
	} while (stress_now_ns() < deadline_ns);
	printf("# %llu elements, %llu of them stolen, grown %llu times\n",
	       (unsigned long long)tally.pushed, (unsigned long long)tally.stolen,
	       (unsigned long long)tally.grown);
}

/* The owner and a worker that wants to sleep. They keep in step: see meet(). */
typedef struct sleeper_stress {
	stress_crew crew;
	weft_deque deque;
	/* The step that either is at; a line each, lest one delays the other. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) owner_at;
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) worker_at;
	/* Whether the worker has announced that it sleeps. */
	WEFT_LINE_ALIGNED atomic_bool asleep;
	/* What the owner saw when it had pushed; read by the worker one step later. */
	bool saw_sleeper;
	/* Written by the worker, read by the owner one step later. */
	bool over;
	uint64_t tries;
} sleeper_stress;

typedef struct sleeper_worker {
	sleeper_stress *round;
	bool owns;
} sleeper_worker;

#define TRIES_MIN 1000

/* Says that this thread is at this step, and waits for the other. Returns false at a failure. */
static bool meet(const sleeper_worker *self, uint64_t step)
{
	sleeper_stress *round = self->round;
	WEFT_ATOMIC(uint64_t) *own_at = self->owns ? &round->owner_at : &round->worker_at;
	WEFT_ATOMIC(uint64_t) *other_at = self->owns ? &round->worker_at : &round->owner_at;

	atomic_store_explicit(own_at, step, memory_order_release);
	for (unsigned spins = 1; atomic_load_explicit(other_at, memory_order_acquire) < step;
	     spins++) {
		weft_cpu_relax();
		if (spins % 256 == 0 && !stress_wait(&round->crew))
			return false;
	}
	return true;
}

/* In every try: push, look for a sleeper; meet; the worker judges; meet; pop; meet. */
static void own_and_wake(const sleeper_worker *self)
{
	sleeper_stress *round = self->round;
	void *element;

	for (uint64_t step = 1; meet(self, step); step += 3) {
		if (weft_deque_push_seq_cst(&round->deque, round) != 0)
			stress_fail(&round->crew, "a push failed");
		round->saw_sleeper = atomic_load_explicit(&round->asleep, memory_order_seq_cst);
		if (!meet(self, step + 1) || !meet(self, step + 2) || round->over)
			break;
		weft_deque_try_pop(&round->deque, &element);
	}
}

/* In every try: announce the sleep, look for elements; meet; judge; meet; meet. */
static void fall_asleep(const sleeper_worker *self)
{
	sleeper_stress *round = self->round;

	for (uint64_t step = 1; meet(self, step); step += 3) {
		atomic_store_explicit(&round->asleep, true, memory_order_seq_cst);
		size_t size = weft_deque_size(&round->deque);

		if (!meet(self, step + 1))
			break;
		if (!round->saw_sleeper && size == 0)
			stress_fail(&round->crew, "the owner and the sleeper missed each other");
		atomic_store_explicit(&round->asleep, false, memory_order_relaxed);
		round->tries++;
		round->over = round->tries >= TRIES_MIN && stress_time_is_over(&round->crew);
		if (!meet(self, step + 2) || round->over)
			break;
	}
}

static void *push_or_sleep(void *argument)
{
	sleeper_worker *self = argument;

	stress_start_together(&self->round->crew);
	if (self->owns)
		own_and_wake(self);
	else
		fall_asleep(self);
	return NULL;
}

static void sleeper_is_not_missed(void **state)
{
	sleeper_stress *round = aligned_alloc(WEFT_CACHE_LINE, sizeof(*round));

	(void)state;
	assert_non_null(round);
	memset((void *)round, 0, sizeof(*round));
	sleeper_worker workers[2] = {{round, true}, {round, false}};

	assert_int_equal(weft_deque_init(&round->deque, 1), 0);
	stress_crew_init(&round->crew, 2, stress_deadline_ns(TESTS));
	stress_run(&round->crew, push_or_sleep, workers, sizeof(workers[0]));
	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	printf("# %llu tries\n", (unsigned long long)round->tries);
	weft_deque_fini(&round->deque);
	free(round);
}

int main(void)
{
	struct CMUnitTest tests[TESTS] = {
		{"sleeper_is_not_missed", sleeper_is_not_missed, NULL, NULL, NULL},
	};

	for (size_t i = 0; i < POINTS; i++)
		tests[i + 1] = (struct CMUnitTest){points[i].name, run_point, NULL, NULL,
						   (void *)(uintptr_t)&points[i]};
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
