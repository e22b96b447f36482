/* SPDX-License-Identifier: Apache-2.0 */
#include "stress_fifo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/base.h>

#include "stress.h"

/* The elements that go through one queue in one round, at most and at least. */
#define ELEMENTS_MAX 131072
#define ELEMENTS_MIN 1024

/* The longest batch of the workers. */
#define BATCH 16

/* An element: its producer's number above its own. */
#define NUMBER_BITS 32

/* What is known of an element. */
typedef struct stress_record {
	/* Written before the push, read after the pop. */
	uint64_t payload;
	/* How often it was popped. */
	atomic_uchar pops;
	/* Whether a push began with it; written by its producer. */
	unsigned char begins_run;
} stress_record;

/* What the threads of one queue share. */
typedef struct stress_lane {
	stress_crew *crew;
	const fifo *kind;
	void *queue;
	size_t capacity;
	unsigned producers;
	uint64_t quota;   /* elements of each producer, at most */
	uint64_t minimum; /* and at least, whatever the time */
	/* Producers that still have something to push. */
	atomic_uint producing;
	/* Where it can be closed: a consumer does it after this many elements, or else the last
	 * producer when it has no more. */
	uint64_t close_after;
	atomic_bool stopped; /* a consumer has done it */
	/* One for each element, producer by producer. */
	stress_record *records;
	/* All elements as the one consumer got them; NULL where there are more consumers. */
	uint64_t *log;
	uint64_t logged;
} stress_lane;

typedef struct stress_worker {
	stress_lane *lane;
	seeded_random random;
	unsigned producer; /* its number, when it is one */
	bool produces, consumes;
	bool refused; /* a push found the queue closed */
	bool ended;   /* a pop found it closed and drained */
	uint64_t sent;
	uint64_t received;
	/* The number from which on elements of each producer may come. */
	uint64_t next[STRESS_THREADS_MAX];
} stress_worker;

static uint64_t payload_of(uint64_t element)
{
	return element * 0x9e3779b97f4a7c15 + 1;
}

/* Singly half of the time, or else in a batch of up to BATCH. */
static size_t pick_count(stress_worker *self)
{
	if (seeded_random_below(&self->random, 2) == 0)
		return 1;
	return 1 + (size_t)seeded_random_below(&self->random, BATCH);
}

/* Pushes one element and returns whether it could. */
static bool push_one(stress_worker *self, uint64_t value)
{
	stress_lane *lane = self->lane;

	if (lane->kind->push == NULL || seeded_random_below(&self->random, 2) == 0)
		return lane->kind->try_push(lane->queue, value);

	/* acquire, pairs with stop_production. */
	bool closed = atomic_load_explicit(&lane->stopped, memory_order_acquire) ||
		      (lane->kind->cancel == NULL && lane->kind->is_closed(lane->queue));
	int error = lane->kind->push(lane->queue, value);

	if (error != 0 && error != -EAGAIN && error != -EPIPE)
		stress_fail(lane->crew, "a push said something else");
	if (error == 0 && closed)
		stress_fail(lane->crew, "a push after the close");
	self->refused = error == -EPIPE;
	return error == 0;
}

/* Pops one element and returns whether there was one. */
static bool pop_one(stress_worker *self, uint64_t *value)
{
	stress_lane *lane = self->lane;

	if (lane->kind->pop == NULL)
		return lane->kind->try_pop(lane->queue, value);

	int error = lane->kind->pop(lane->queue, value);

	if (error != 0 && error != -EAGAIN && error != -EPIPE)
		stress_fail(lane->crew, "a pop said something else");
	self->ended = error == -EPIPE;
	if (self->ended && lane->kind->pop(lane->queue, value) != -EPIPE)
		stress_fail(lane->crew, "something after the end");
	return error == 0;
}

/* Pushes the next elements of this producer; returns how many it could. */
static size_t produce(stress_worker *self)
{
	stress_lane *lane = self->lane;
	stress_record *records = &lane->records[self->producer * lane->quota + self->sent];
	uint64_t values[BATCH];
	size_t count = pick_count(self), pushed, room = 0;

	if (count > lane->quota - self->sent)
		count = (size_t)(lane->quota - self->sent);
	for (size_t i = 0; i < count; i++) {
		values[i] = ((uint64_t)self->producer << NUMBER_BITS) + self->sent + i;
		records[i].payload = payload_of(values[i]);
	}
	records[0].begins_run = 1;
	if (lane->kind->size_is_bound)
		room = lane->capacity - lane->kind->size(lane->queue);
	if (count == 1)
		pushed = push_one(self, values[0]);
	else
		pushed = lane->kind->try_push_batch(lane->queue, values, count);
	if (pushed < (count < room ? count : room) &&
	    (lane->kind->close == NULL || !lane->kind->is_closed(lane->queue)))
		stress_fail(lane->crew, "the producer's size was not an upper bound");
	self->sent += pushed;
	return pushed;
}

static void check_element(stress_worker *self, uint64_t element)
{
	stress_lane *lane = self->lane;
	uint64_t producer = element >> NUMBER_BITS;
	uint64_t number = element & (((uint64_t)1 << NUMBER_BITS) - 1);

	if (producer >= lane->producers || number >= lane->quota) {
		stress_fail(lane->crew, "an element that nobody pushed");
		return;
	}
	stress_record *record = &lane->records[producer * lane->quota + number];

	if (record->payload != payload_of(element))
		stress_fail(lane->crew, "the consumer does not see what the producer wrote");
	if (number < self->next[producer])
		stress_fail(lane->crew, "elements of one producer in another order, or twice");
	self->next[producer] = number + 1;
	/* relaxed: only counts. */
	if (atomic_fetch_add_explicit(&record->pops, 1, memory_order_relaxed) != 0)
		stress_fail(lane->crew, "an element came twice");
	else if (lane->log != NULL)
		lane->log[lane->logged++] = element;
}

/* For a consumer that wants no more. */
static void stop_production(stress_lane *lane)
{
	if (lane->kind->cancel != NULL)
		lane->kind->cancel(lane->queue);
	else if (lane->kind->close != NULL)
		lane->kind->close(lane->queue);
	/* release, pairs with push_one: it has returned. */
	atomic_store_explicit(&lane->stopped, true, memory_order_release);
}

/* Pops and checks; returns how many elements there were. */
static size_t consume(stress_worker *self)
{
	stress_lane *lane = self->lane;
	uint64_t values[BATCH];
	size_t count = pick_count(self), popped, size = lane->kind->size(lane->queue);

	if (size > lane->capacity)
		stress_fail(lane->crew, "the size is above the capacity");
	if (count == 1)
		popped = pop_one(self, values);
	else
		popped = lane->kind->try_pop_batch(lane->queue, values, count);
	if (lane->kind->size_is_bound && popped < (count < size ? count : size))
		stress_fail(lane->crew, "the consumer's size was not a lower bound");
	for (size_t i = 0; i < popped; i++) {
		check_element(self, values[i]);
		if (!lane->kind->batches_mix && lane->producers == 1 && i > 0 &&
		    values[i] != values[i - 1] + 1)
			stress_fail(lane->crew, "others took elements out of the run of a pop");
	}
	self->received += popped;
	if (self->received >= lane->close_after)
		stop_production(lane);
	return popped;
}

/* Whether this producer goes on. Looks at the clock once in a while. */
static bool has_more(stress_worker *self)
{
	const stress_lane *lane = self->lane;

	if (self->sent >= lane->quota || self->refused)
		return false;
	return self->sent < lane->minimum || seeded_random_below(&self->random, 16) != 0 ||
	       !stress_time_is_over(lane->crew);
}

/* acq_rel: what the others pushed happens before the close. */
static void end_production(stress_lane *lane)
{
	if (atomic_fetch_sub_explicit(&lane->producing, 1, memory_order_acq_rel) == 1 &&
	    lane->kind->close != NULL)
		lane->kind->close(lane->queue);
}

static void *work(void *argument)
{
	stress_worker *self = argument;
	stress_lane *lane = self->lane;
	bool producing = self->produces, drained = false;

	stress_start_together(lane->crew);
	while ((producing || (self->consumes && !drained)) && stress_failure(lane->crew) == NULL) {
		/* When all have been pushed before a pop, "empty" is the end.
		 * acquire, pairs with end_production: their pushes are complete. */
		bool last = atomic_load_explicit(&lane->producing, memory_order_acquire) == 0;
		size_t moved = 0;

		if (producing) {
			moved += produce(self);
			producing = has_more(self);
			if (!producing)
				end_production(lane);
		}
		if (self->consumes)
			moved += consume(self);
		drained = lane->kind->close == NULL ? last && moved == 0 : self->ended;
		if (moved == 0 && !drained && !stress_wait(lane->crew))
			break;
	}
	return NULL;
}

/* The consumer's log against the runs of the producers: only a run's begin may follow another. */
static void check_runs(const stress_lane *lane)
{
	for (uint64_t i = 1; i < lane->logged; i++) {
		uint64_t producer = lane->log[i] >> NUMBER_BITS;
		uint64_t number = lane->log[i] & (((uint64_t)1 << NUMBER_BITS) - 1);

		if (!lane->records[producer * lane->quota + number].begins_run)
			assert_int_equal(lane->log[i], lane->log[i - 1] + 1);
	}
}

/* After the round: of each producer exactly what it sent has come, once. Returns how much. */
static uint64_t check_lane(const stress_lane *lane, const stress_worker *workers, unsigned count)
{
	uint64_t sent = 0, received = 0, value;

	for (unsigned i = 0; i < count; i++) {
		sent += workers[i].sent;
		received += workers[i].received;
		if (!workers[i].produces)
			continue;
		assert_true(workers[i].sent >= lane->minimum || workers[i].refused);
		stress_record *records = &lane->records[workers[i].producer * lane->quota];

		for (uint64_t number = 0; number < lane->quota; number++)
			assert_int_equal(
				atomic_load_explicit(&records[number].pops, memory_order_relaxed),
				number < workers[i].sent);
	}
	assert_int_equal(received, sent);
	assert_int_equal(lane->kind->size(lane->queue), 0);
	assert_false(lane->kind->try_pop(lane->queue, &value));
	if (lane->log != NULL && !lane->kind->batches_mix)
		check_runs(lane);
	return received;
}

/*
 * The first ticket of a round: 0, or so that a slot's turn or the ticket itself comes round on the
 * way.
 */
static uint64_t pick_start(const stress_lane *lane, seeded_random *random)
{
	uint64_t before = seeded_random_below(random, lane->minimum * lane->producers);

	switch (seeded_random_below(random, 3)) {
	case 0:
		return 0;
	case 1:
		return lane->kind->turn_laps * lane->capacity - before;
	default:
		return 0 - before;
	}
}

static void lane_init(stress_lane *lane, stress_crew *crew, const stress_fifo_test *test,
		      size_t capacity, seeded_random *random)
{
	const stress_shape *shape = test->shape;

	memset((void *)lane, 0, sizeof(*lane));
	lane->crew = crew;
	lane->kind = test->kind;
	lane->capacity = capacity;
	lane->producers = shape->producers;
	lane->quota = ELEMENTS_MAX / shape->producers / shape->queues;
	lane->minimum = ELEMENTS_MIN / shape->producers / shape->queues;
	atomic_init(&lane->producing, shape->producers);
	atomic_init(&lane->stopped, false);
	lane->close_after = seeded_random_below(random, 2) == 0
				    ? UINT64_MAX
				    : seeded_random_below(random, lane->quota);

	size_t elements = lane->quota * lane->producers;

	lane->records = calloc(elements, sizeof(*lane->records));
	lane->log = shape->consumers == 1 ? calloc(elements, sizeof(*lane->log)) : NULL;
	lane->queue = aligned_alloc(WEFT_CACHE_LINE, lane->kind->queue_bytes);
	assert_true(lane->records != NULL && (lane->log != NULL || shape->consumers > 1) &&
		    lane->queue != NULL);
	assert_int_equal(lane->kind->init(lane->queue, capacity), 0);
	lane->kind->start_at(lane->queue, pick_start(lane, random));
}

static void lane_fini(stress_lane *lane)
{
	lane->kind->fini(lane->queue);
	free(lane->queue);
	free(lane->records);
	free(lane->log);
}

/* The thread with this number among those of the lane. */
static void worker_init(stress_worker *self, stress_lane *lane, const stress_shape *shape,
			unsigned number, seeded_random *random)
{
	memset(self, 0, sizeof(*self));
	self->lane = lane;
	self->random.state = seeded_random_next(random);
	self->produces = number < shape->producers;
	self->consumes = shape->both || number >= shape->producers;
	self->producer = number;
}

/* Returns how many elements went through. */
static uint64_t run_round(const stress_fifo_test *test, size_t capacity, uint64_t deadline_ns,
			  seeded_random *random)
{
	const stress_shape *shape = test->shape;
	unsigned threads = shape->producers + (shape->both ? 0 : shape->consumers);
	stress_lane lanes[STRESS_THREADS_MAX];
	stress_worker workers[STRESS_THREADS_MAX];
	stress_crew crew;
	uint64_t elements = 0;

	stress_crew_init(&crew, threads * shape->queues, deadline_ns);
	for (unsigned q = 0; q < shape->queues; q++) {
		lane_init(&lanes[q], &crew, test, capacity, random);
		for (unsigned i = 0; i < threads; i++)
			worker_init(&workers[q * threads + i], &lanes[q], shape, i, random);
	}
	stress_run(&crew, work, workers, sizeof(workers[0]));
	if (stress_failure(&crew) != NULL)
		fail_msg("%s", stress_failure(&crew));
	for (unsigned q = 0; q < shape->queues; q++) {
		elements += check_lane(&lanes[q], &workers[q * threads], threads);
		lane_fini(&lanes[q]);
	}
	return elements;
}

const stress_shape stress_pair = {"1 producer and 1 consumer", 1, 1, 1, false};
const stress_shape stress_pairs = {"8 times 1 producer and 1 consumer", 8, 1, 1, false};
const stress_shape stress_two = {"2 threads that push and pop", 1, 2, 2, true};
const stress_shape stress_sixteen = {"16 threads that push and pop", 1, 16, 16, true};
const stress_shape stress_crowd = {"8 producers and 8 consumers", 1, 8, 8, false};
const stress_shape stress_gather = {"15 producers and 1 consumer", 1, 15, 1, false};
const stress_shape stress_scatter = {"1 producer and 15 consumers", 1, 1, 15, false};

#define TESTS_MAX 64

/* One point of the TAP stream. */
typedef struct point {
	const stress_fifo_test *test;
	size_t capacity;
	char name[120];
} point;

static size_t points;
static seeded_random seeds;

static void run_point(void **state)
{
	const point *self = *state;
	uint64_t deadline_ns = stress_deadline_ns(points), elements = 0;

	do {
		elements += run_round(self->test, self->capacity, deadline_ns, &seeds);
	} while (stress_now_ns() < deadline_ns);
	printf("# %llu elements\n", (unsigned long long)elements);
}

int stress_fifo_run(const stress_fifo_test *tests)
{
	static const size_t capacities[] = {1, 2, 4096};
	static struct CMUnitTest units[TESTS_MAX];
	static point all[TESTS_MAX];

	for (; tests->kind != NULL; tests++) {
		for (size_t i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++, points++) {
			point *self = &all[points];

			assert_true(points < TESTS_MAX);
			self->test = tests;
			self->capacity = capacities[i];
			snprintf(self->name, sizeof(self->name), "%s: %s, capacity %zu",
				 tests->kind->name, tests->shape->name, self->capacity);
			units[points] =
				(struct CMUnitTest){self->name, run_point, NULL, NULL, self};
		}
	}
	seeds.state = seeded_random_seed();
	return _cmocka_run_group_tests("stress", units, points, NULL, NULL);
}
