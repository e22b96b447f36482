/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the eventcount, with spin budgets and deadlines drawn at random.
 *
 *   - queue: a bounded queue made blocking on both ends, as eventcount.h shows. Each element
 *     arrives exactly once, those of one producer in order at each consumer, and all threads end;
 *   - broadcast: one thread changes a word again and again, and tells all others, who answer.
 *
 * A lost notification ends as "stuck": most waits have no deadline of their own.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/mpmc_queue.h>
#include <weft/sync/eventcount.h>

#include "stress.h"

/* Elements of one producer, or generations of one broadcast, in a round. */
#define STEPS_MIN 50
#define STEPS_MAX 8192

/* The largest batch. */
#define BATCH 5

typedef struct parcel {
	uint32_t producer;
	uint32_t number;
} parcel;

WEFT_MPMC_QUEUE_DEFINE(parcels, parcel);

typedef struct eventcount_stress {
	stress_crew crew;
	/* queue: the first so many threads produce, the others consume. */
	unsigned producers;
	parcels queue;
	weft_eventcount not_empty;
	weft_eventcount not_full;
	/* Producers that still produce. */
	WEFT_ATOMIC(uint32_t) open;
	/* How often each parcel has arrived. */
	WEFT_ATOMIC(uint8_t) arrivals[STRESS_THREADS_MAX][STEPS_MAX];
	/* broadcast: the generation (UINT64_MAX: the last), and which of it each thread has seen.
	 */
	weft_eventcount news;
	WEFT_ATOMIC(uint64_t) generation;
	WEFT_ATOMIC(uint64_t) answers[STRESS_THREADS_MAX];
} eventcount_stress;

typedef struct eventcount_worker {
	eventcount_stress *round;
	seeded_random random;
	unsigned index;
	uint64_t steps;
	/* Consumer: the next number that each producer can have for it. */
	uint32_t next[STRESS_THREADS_MAX];
} eventcount_worker;

static uint64_t random_budget(eventcount_worker *self)
{
	static const uint64_t bounds[] = {1, 100, 3 * WEFT_MICROSECONDS, 40 * WEFT_MICROSECONDS};

	return seeded_random_below(&self->random, bounds[seeded_random_below(&self->random, 4)]);
}

/* Mostly so late that a lost notification shows; sometimes over, or soon. */
static weft_deadline random_deadline(eventcount_worker *self)
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

/* Waits for a notification, or a while. Returns false at a failure. */
static bool wait_for_news(eventcount_worker *self, weft_eventcount *eventcount, uint32_t key)
{
	stress_crew *crew = &self->round->crew;
	int error =
		weft_eventcount_wait(eventcount, key, random_budget(self), random_deadline(self));

	if (error != 0 && error != -ETIMEDOUT)
		stress_fail(crew, "a wait returned what it must not");
	if (stress_now_ns() >= crew->stuck_ns)
		stress_fail(crew, "a notification was lost");
	return stress_failure(crew) == NULL;
}

/* Pushes at least one of the parcels, waiting for room. Returns how many; 0 at a failure. */
static size_t push_some(eventcount_worker *self, const parcel *batch, size_t count)
{
	eventcount_stress *round = self->round;
	size_t pushed;

	while ((pushed = parcels_try_push_batch(&round->queue, batch, count)) == 0) {
		uint32_t key = weft_eventcount_prepare(&round->not_full);

		pushed = parcels_try_push_batch(&round->queue, batch, count);
		if (pushed > 0) {
			weft_eventcount_cancel(&round->not_full);
			break;
		}
		if (!wait_for_news(self, &round->not_full, key))
			return 0;
	}
	/* As eventcount.h says: who was told of this room may have found a slot before it that is
	 * not free yet, and sleep again. */
	if (parcels_size(&round->queue) < parcels_capacity(&round->queue))
		weft_eventcount_notify_one(&round->not_full);
	return pushed;
}

/* One notification for each parcel, or one for all. */
static void tell_of(eventcount_worker *self, size_t pushed)
{
	if (pushed > 1 && seeded_random_below(&self->random, 2) == 0) {
		weft_eventcount_notify_all(&self->round->not_empty);
		return;
	}
	for (; pushed > 0; pushed--)
		weft_eventcount_notify_one(&self->round->not_empty);
}

static void produce(eventcount_worker *self)
{
	eventcount_stress *round = self->round;
	size_t pushed;

	do {
		parcel batch[BATCH];
		size_t count = 1 + (size_t)seeded_random_below(&self->random, BATCH);

		for (size_t i = 0; i < count; i++)
			batch[i] = (parcel){self->index, (uint32_t)(self->steps + i)};
		pushed = push_some(self, batch, count);
		tell_of(self, pushed);
		self->steps += pushed;
	} while (pushed > 0 && self->steps + BATCH <= STEPS_MAX &&
		 (self->steps < STEPS_MIN || !stress_time_is_over(&round->crew)));
	/* release: who sees that this producer has ended sees all that it pushed. */
	if (atomic_fetch_sub_explicit(&round->open, 1, memory_order_acq_rel) == 1)
		weft_eventcount_notify_all(&round->not_empty);
}

/* Takes a parcel, waiting for one. Returns false when there will be none any more. */
static bool pop_one(eventcount_worker *self, parcel *got)
{
	eventcount_stress *round = self->round;

	while (!parcels_try_pop(&round->queue, got)) {
		uint32_t key = weft_eventcount_prepare(&round->not_empty);
		/* Before the look at the queue: what was pushed before the end is still there. */
		bool closed = atomic_load_explicit(&round->open, memory_order_acquire) == 0;
		bool popped = parcels_try_pop(&round->queue, got);

		if (popped || closed) {
			weft_eventcount_cancel(&round->not_empty);
			if (!popped)
				return false;
			break;
		}
		if (!wait_for_news(self, &round->not_empty, key))
			return false;
	}
	/* The same for those who were told of elements. */
	if (parcels_size(&round->queue) > 0)
		weft_eventcount_notify_one(&round->not_empty);
	return true;
}

static void consume(eventcount_worker *self)
{
	eventcount_stress *round = self->round;
	parcel got;

	while (pop_one(self, &got)) {
		weft_eventcount_notify_one(&round->not_full);
		if (got.producer >= round->producers || got.number >= STEPS_MAX) {
			stress_fail(&round->crew, "a parcel that nobody sent");
			break;
		}
		if (got.number < self->next[got.producer])
			stress_fail(&round->crew, "parcels of one producer came out of order");
		self->next[got.producer] = got.number + 1;
		/* relaxed: only counts. */
		atomic_fetch_add_explicit(&round->arrivals[got.producer][got.number], 1,
					  memory_order_relaxed);
		self->steps++;
	}
}

static void *run_queue(void *argument)
{
	eventcount_worker *self = argument;

	stress_start_together(&self->round->crew);
	if (self->index < self->round->producers)
		produce(self);
	else
		consume(self);
	return NULL;
}

static void check_queue(eventcount_stress *round, const eventcount_worker *workers)
{
	uint64_t sent = 0, arrived = 0;

	for (unsigned i = 0; i < round->producers; i++) {
		for (uint64_t number = 0; number < STEPS_MAX; number++)
			assert_int_equal(atomic_load(&round->arrivals[i][number]),
					 number < workers[i].steps);
		sent += workers[i].steps;
	}
	for (unsigned i = round->producers; i < round->crew.count; i++)
		arrived += workers[i].steps;
	assert_int_equal(arrived, sent);
}

/* Waits until all have answered. Returns false at a failure. */
static bool all_answer(eventcount_stress *round, uint64_t generation)
{
	for (unsigned i = 1; i < round->crew.count; i++) {
		while (atomic_load_explicit(&round->answers[i], memory_order_acquire) !=
		       generation) {
			if (!stress_wait(&round->crew))
				return false;
		}
	}
	return true;
}

static void broadcast(eventcount_worker *self)
{
	eventcount_stress *round = self->round;
	uint64_t generation;

	do {
		bool last = ++self->steps >= STEPS_MAX ||
			    (self->steps >= STEPS_MIN && stress_time_is_over(&round->crew));

		generation = last ? UINT64_MAX : self->steps;
		/* relaxed: the eventcount orders it, whatever it is. */
		atomic_store_explicit(&round->generation, generation, memory_order_relaxed);
		weft_eventcount_notify_all(&round->news);
	} while (all_answer(round, generation) && generation != UINT64_MAX);
}

static void listen_and_answer(eventcount_worker *self)
{
	eventcount_stress *round = self->round;
	uint64_t seen = 0;

	while (seen != UINT64_MAX) {
		uint32_t key = weft_eventcount_prepare(&round->news);
		uint64_t now = atomic_load_explicit(&round->generation, memory_order_relaxed);

		if (now == seen) {
			if (!wait_for_news(self, &round->news, key))
				return;
			continue;
		}
		weft_eventcount_cancel(&round->news);
		seen = now;
		self->steps++;
		atomic_store_explicit(&round->answers[self->index], seen, memory_order_release);
	}
}

static void *run_broadcast(void *argument)
{
	eventcount_worker *self = argument;

	stress_start_together(&self->round->crew);
	if (self->index == 0)
		broadcast(self);
	else
		listen_and_answer(self);
	return NULL;
}

/* Each has seen each generation, since the first waits for all. */
static void check_broadcast(eventcount_stress *round, const eventcount_worker *workers)
{
	for (unsigned i = 1; i < round->crew.count; i++)
		assert_int_equal(workers[i].steps, workers[0].steps);
}

typedef struct point {
	const char *name;
	unsigned threads;
	unsigned producers;
	size_t capacity;
	void *(*body)(void *worker);
	void (*check)(eventcount_stress *round, const eventcount_worker *workers);
} point;

static const point points[] = {
	{"queue, 1 producer, 1 consumer, capacity 1", 2, 1, 1, run_queue, check_queue},
	{"queue, 1 producer, 1 consumer, capacity 64", 2, 1, 64, run_queue, check_queue},
	{"queue, 8 producers, 8 consumers, capacity 1", 16, 8, 1, run_queue, check_queue},
	{"queue, 8 producers, 8 consumers, capacity 64", 16, 8, 64, run_queue, check_queue},
	{"queue, 15 producers, 1 consumer, capacity 2", 16, 15, 2, run_queue, check_queue},
	{"queue, 1 producer, 15 consumers, capacity 2", 16, 1, 2, run_queue, check_queue},
	{"broadcast to 1", 2, 0, 1, run_broadcast, check_broadcast},
	{"broadcast to 15", 16, 0, 1, run_broadcast, check_broadcast},
};

#define POINTS (sizeof(points) / sizeof(points[0]))

static seeded_random seeds;

/* Returns how many steps the threads made. */
static uint64_t run_round(const point *self, uint64_t deadline_ns)
{
	eventcount_stress *round = aligned_alloc(WEFT_CACHE_LINE, sizeof(*round));
	eventcount_worker workers[STRESS_THREADS_MAX];
	uint64_t steps = 0;

	assert_non_null(round);
	memset((void *)round, 0, sizeof(*round));
	round->producers = self->producers;
	atomic_store(&round->open, self->producers);
	assert_int_equal(parcels_init(&round->queue, self->capacity), 0);
	stress_crew_init(&round->crew, self->threads, deadline_ns);
	for (unsigned i = 0; i < self->threads; i++)
		workers[i] = (eventcount_worker){round, {seeded_random_next(&seeds)}, i, 0, {0}};
	stress_run(&round->crew, self->body, workers, sizeof(workers[0]));
	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	self->check(round, workers);
	for (unsigned i = 0; i < self->threads; i++)
		steps += workers[i].steps;
	parcels_fini(&round->queue);
	free(round);
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
