/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the parker and of sleeping on a word, with spin budgets and deadlines drawn at random.
 *
 *   - ring: a baton goes round by unpark and park; each member gets it in its turn, and sees what
 *     the one before wrote;
 *   - gather: many threads hand over to one parked thread and wait for its answer: no token that
 *     comes while it goes to sleep, or gives up, is lost;
 *   - barrier: all sleep on one word until the last has come and wakes them all;
 *   - lock: a mutex made of a word; the sleepers are woken one at a time, and none is forgotten.
 *
 * A lost wake-up ends as "stuck": most waits have no deadline of their own.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/sync/park.h>

#include "stress.h"

/* What each thread does at least in a round, and at most, so that the spread of seeds is used. */
#define STEPS_MIN 50
#define STEPS_MAX 20000

/* The lock's word. */
enum {
	LOCK_FREE = 0,
	LOCK_HELD = 1,
	LOCK_HELD_AND_WANTED = 2,
};

typedef struct park_stress {
	stress_crew crew;
	/* Members of one ring; the threads make several rings where they are more than these. */
	unsigned members;
	weft_parker parkers[STRESS_THREADS_MAX];
	/* ring: steps made, by the ring's first member. Whoever has the baton writes it. */
	uint64_t steps[STRESS_THREADS_MAX];
	bool over[STRESS_THREADS_MAX];
	/* gather: what each thread has handed over, and what the waiter has answered. */
	WEFT_ATOMIC(uint64_t) handed[STRESS_THREADS_MAX];
	WEFT_ATOMIC(uint64_t) answered[STRESS_THREADS_MAX];
	uint64_t payload[STRESS_THREADS_MAX];
	/* barrier: a generation that threads sleep on, and how many have come in it. */
	WEFT_ATOMIC(uint32_t) generation;
	WEFT_ATOMIC(uint32_t) arrived;
	uint64_t stamp;
	bool finished;
	/* lock, and what it guards. */
	WEFT_ATOMIC(uint32_t) lock;
	uint64_t guarded;
} park_stress;

typedef struct park_worker {
	park_stress *round;
	seeded_random random;
	unsigned index;
	uint64_t steps;
} park_worker;

static uint64_t random_budget(park_worker *self)
{
	static const uint64_t bounds[] = {1, 100, 3 * WEFT_MICROSECONDS, 40 * WEFT_MICROSECONDS};

	return seeded_random_below(&self->random, bounds[seeded_random_below(&self->random, 4)]);
}

/* Mostly so late that a lost wake-up shows; sometimes over, or soon. */
static weft_deadline random_deadline(park_worker *self)
{
	switch (seeded_random_below(&self->random, 8)) {
	case 0:
		return WEFT_NOW;
	case 1:
		return weft_after(seeded_random_below(&self->random, 60 * WEFT_MICROSECONDS));
	default:
		return self->round->crew.stuck_ns;
	}
}

/* Shifts what comes next by up to a microsecond: to where the other side falls asleep. */
static void dawdle(park_worker *self)
{
	for (uint64_t pauses = seeded_random_below(&self->random, 32); pauses > 0; pauses--)
		weft_cpu_relax();
}

/* After a wait that ended at its deadline: whether to wait again. */
static bool wait_again(park_worker *self, int error)
{
	stress_crew *crew = &self->round->crew;

	if (error != -ETIMEDOUT)
		stress_fail(crew, "a wait returned what it must not");
	else if (stress_now_ns() >= crew->stuck_ns)
		stress_fail(crew, "a wake-up was lost");
	return stress_failure(crew) == NULL;
}

/* Takes the parker's token, however many waits that needs. Returns false at a failure. */
static bool take_token(park_worker *self, weft_parker *parker)
{
	int error;

	do {
		error = weft_parker_park(parker, random_budget(self), random_deadline(self));
	} while (error != 0 && wait_again(self, error));
	return error == 0;
}

/* Waits until the word has changed. Returns false at a failure. */
static bool await_change(park_worker *self, WEFT_ATOMIC(uint32_t) * word, uint32_t value)
{
	int error;

	do {
		error = weft_park_while(word, value, random_budget(self), random_deadline(self));
	} while (error != 0 && wait_again(self, error));
	return error == 0;
}

static bool worked_enough(const park_worker *self)
{
	return self->steps >= STEPS_MAX ||
	       (self->steps >= STEPS_MIN && stress_time_is_over(&self->round->crew));
}

static void *run_ring(void *argument)
{
	park_worker *self = argument;
	park_stress *round = self->round;
	unsigned place = self->index % round->members, first = self->index - place;
	unsigned next = first + (place + 1) % round->members;

	stress_start_together(&round->crew);
	if (place == 0)
		weft_parker_unpark(&round->parkers[first]);
	while (take_token(self, &round->parkers[self->index])) {
		if (round->steps[first] % round->members != place)
			stress_fail(&round->crew, "the baton came out of turn");
		round->steps[first]++;
		self->steps++;
		if (worked_enough(self))
			round->over[first] = true;

		bool over = round->over[first];

		dawdle(self);
		weft_parker_unpark(&round->parkers[next]);
		if (over)
			break;
	}
	return NULL;
}

/* Answers each of the others; counts what it answered. Returns whether all have had their last. */
static bool answer_all(park_worker *self)
{
	park_stress *round = self->round;
	bool last = true;

	for (unsigned i = 1; i < round->crew.count; i++) {
		uint64_t handed = atomic_load_explicit(&round->handed[i], memory_order_acquire);
		uint64_t answered = atomic_load_explicit(&round->answered[i], memory_order_relaxed);

		if (handed != UINT64_MAX)
			last = false;
		if (handed == answered)
			continue;
		if (handed != UINT64_MAX) {
			if (handed != answered + 1 || round->payload[i] != handed * (i + 1))
				stress_fail(&round->crew, "what was handed over is not there");
			self->steps++;
		}
		atomic_store_explicit(&round->answered[i], handed, memory_order_release);
	}
	return last;
}

static void hand_over(park_worker *self)
{
	park_stress *round = self->round;
	unsigned i = self->index;
	bool last;

	do {
		last = worked_enough(self);
		uint64_t handed = last ? UINT64_MAX : ++self->steps;

		dawdle(self);
		round->payload[i] = handed * (i + 1);
		atomic_store_explicit(&round->handed[i], handed, memory_order_release);
		weft_parker_unpark(&round->parkers[0]);
		while (atomic_load_explicit(&round->answered[i], memory_order_acquire) != handed) {
			if (!stress_wait(&round->crew))
				return;
		}
	} while (!last);
}

static void *run_gather(void *argument)
{
	park_worker *self = argument;

	stress_start_together(&self->round->crew);
	if (self->index != 0) {
		hand_over(self);
		return NULL;
	}
	while (!answer_all(self) && take_token(self, &self->round->parkers[0]))
		continue;
	return NULL;
}

static void *run_barrier(void *argument)
{
	park_worker *self = argument;
	park_stress *round = self->round;
	bool finished = false;

	stress_start_together(&round->crew);
	while (!finished) {
		uint32_t generation =
			atomic_load_explicit(&round->generation, memory_order_acquire);

		/* acq_rel: the last one has seen what all others have done with the stamp. */
		if (atomic_fetch_add_explicit(&round->arrived, 1, memory_order_acq_rel) + 1 ==
		    round->crew.count) {
			dawdle(self);
			round->stamp = (uint64_t)generation + 1;
			round->finished = worked_enough(self);
			atomic_store_explicit(&round->arrived, 0, memory_order_relaxed);
			atomic_store_explicit(&round->generation, generation + 1,
					      memory_order_release);
			weft_park_wake(&round->generation, WEFT_PARK_ALL);
		} else if (!await_change(self, &round->generation, generation)) {
			break;
		}
		if (round->stamp != (uint64_t)generation + 1)
			stress_fail(&round->crew, "a thread passed the barrier too early or late");
		finished = round->finished;
		self->steps++;
	}
	return NULL;
}

/* Returns false at a failure. */
static bool lock(park_worker *self)
{
	WEFT_ATOMIC(uint32_t) *word = &self->round->lock;
	uint32_t seen = LOCK_FREE;

	if (atomic_compare_exchange_strong_explicit(word, &seen, LOCK_HELD, memory_order_acquire,
						    memory_order_relaxed))
		return true;
	while (atomic_exchange_explicit(word, LOCK_HELD_AND_WANTED, memory_order_acquire) !=
	       LOCK_FREE) {
		if (!await_change(self, word, LOCK_HELD_AND_WANTED))
			return false;
	}
	return true;
}

static void unlock(park_worker *self)
{
	WEFT_ATOMIC(uint32_t) *word = &self->round->lock;

	if (atomic_exchange_explicit(word, LOCK_FREE, memory_order_release) == LOCK_HELD_AND_WANTED)
		weft_park_wake(word, 1);
}

static void *run_lock(void *argument)
{
	park_worker *self = argument;

	stress_start_together(&self->round->crew);
	while (!worked_enough(self) && lock(self)) {
		self->round->guarded++;
		self->steps++;
		dawdle(self);
		/* Leaves the CPU with the lock held now and then: others must sleep for it. */
		if (seeded_random_below(&self->random, 16) == 0)
			sched_yield();
		unlock(self);
	}
	return NULL;
}

static void check_ring(const park_stress *round, const park_worker *workers)
{
	for (unsigned first = 0; first < round->crew.count; first += round->members) {
		uint64_t steps = 0;

		for (unsigned i = first; i < first + round->members; i++)
			steps += workers[i].steps;
		assert_int_equal(round->steps[first], steps);
	}
}

/* The one that gathered has answered each as often as it has handed over. */
static void check_gather(const park_stress *round, const park_worker *workers)
{
	uint64_t handed = 0;

	for (unsigned i = 1; i < round->crew.count; i++)
		handed += workers[i].steps;
	assert_int_equal(workers[0].steps, handed);
}

static void check_barrier(const park_stress *round, const park_worker *workers)
{
	for (unsigned i = 0; i < round->crew.count; i++)
		assert_int_equal(workers[i].steps, round->stamp);
}

static void check_lock(const park_stress *round, const park_worker *workers)
{
	uint64_t locked = 0;

	for (unsigned i = 0; i < round->crew.count; i++)
		locked += workers[i].steps;
	assert_int_equal(round->guarded, locked);
}

typedef struct point {
	const char *name;
	unsigned threads;
	unsigned members;
	void *(*body)(void *worker);
	void (*check)(const park_stress *round, const park_worker *workers);
} point;

static const point points[] = {
	{"ring, 2 threads", 2, 2, run_ring, check_ring},
	{"ring, 8 times 2 threads", 16, 2, run_ring, check_ring},
	{"ring, 16 threads", 16, 16, run_ring, check_ring},
	{"gather, 2 threads", 2, 0, run_gather, check_gather},
	{"gather, 16 threads", 16, 0, run_gather, check_gather},
	{"barrier, 2 threads", 2, 0, run_barrier, check_barrier},
	{"barrier, 16 threads", 16, 0, run_barrier, check_barrier},
	{"lock, 2 threads", 2, 0, run_lock, check_lock},
	{"lock, 16 threads", 16, 0, run_lock, check_lock},
};

#define POINTS (sizeof(points) / sizeof(points[0]))

static seeded_random seeds;

/* Returns how many steps the threads made. */
static uint64_t run_round(const point *self, uint64_t deadline_ns)
{
	park_stress round;
	park_worker workers[STRESS_THREADS_MAX];
	uint64_t steps = 0;

	memset((void *)&round, 0, sizeof(round));
	round.members = self->members;
	stress_crew_init(&round.crew, self->threads, deadline_ns);
	for (unsigned i = 0; i < self->threads; i++)
		workers[i] = (park_worker){&round, {seeded_random_next(&seeds)}, i, 0};
	stress_run(&round.crew, self->body, workers, sizeof(workers[0]));
	if (stress_failure(&round.crew) != NULL)
		fail_msg("%s", stress_failure(&round.crew));
	self->check(&round, workers);
	for (unsigned i = 0; i < self->threads; i++)
		steps += workers[i].steps;
	return steps;
}

static void run_point(void **state)
{
	const point *self = *state;
	uint64_t deadline_ns = stress_deadline_ns(POINTS);
	uint64_t steps = 0;

	do {
		steps += run_round(self, deadline_ns);
	} while (stress_now_ns() < deadline_ns);
	printf("# %llu steps\n", (unsigned long long)steps);
}

int main(void)
{
	struct CMUnitTest tests[POINTS];

	for (size_t i = 0; i < POINTS; i++)
		tests[i] = (struct CMUnitTest){points[i].name, run_point, NULL, NULL,
					       (void *)(uintptr_t)&points[i]};
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
