/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the priority queues: producers, consumers, and one thread that closes the queue.
 *
 *   - each element whose push succeeded is popped exactly once (counted one by one), and nothing
 *     else is; what the producer wrote before the push, the consumer reads after the pop;
 *   - the consumers go on until they are told that nothing will come, and then nothing is left;
 *   - a consumer gets the elements of one producer and one priority in their order;
 *   - in a strict queue that is closed each consumer gets ever larger priorities.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/multiqueue.h>
#include <weft/lockfree/priority_queue.h>

#include "stress.h"

/* The elements of one producer in one round, at most and at least. */
#define ELEMENTS_MAX 4096
#define ELEMENTS_MIN 256
#define PRODUCERS    (STRESS_THREADS_MAX / 2)
#define PRIORITIES   20

typedef struct priority_element {
	/* Written before the push, read by whoever pops it. */
	uint64_t payload;
	unsigned producer, number, priority;
	/* How often it was popped. */
	atomic_uchar pops;
} priority_element;

typedef struct priority_stress {
	stress_crew crew;
	bool strict;
	weft_priority_queue levels;
	weft_multiqueue lanes;
	unsigned pairs;
	/* Whether no push is under way any more, nor will be. */
	atomic_uint producing;
	priority_element elements[PRODUCERS][ELEMENTS_MAX];
	unsigned pushed[PRODUCERS];
	atomic_ullong popped;
} priority_stress;

typedef struct priority_worker {
	priority_stress *round;
	weft_multiqueue_handle handle;
	seeded_random random;
	unsigned index;
} priority_worker;

static int push_one(priority_worker *self, priority_element *element)
{
	if (self->round->strict)
		return weft_priority_queue_push(&self->round->levels, element->priority, element);
	return weft_multiqueue_push(&self->handle, element->priority, element);
}

static int pop_one(priority_worker *self, priority_element **element)
{
	uint64_t wide_priority = 0;
	unsigned priority = 0;
	void *popped = NULL;
	int error;

	if (self->round->strict) {
		error = weft_priority_queue_pop(&self->round->levels, &popped, &priority);
	} else {
		error = weft_multiqueue_pop(&self->handle, &popped, &wide_priority);
		priority = (unsigned)wide_priority;
	}
	if (error != 0)
		return error;
	*element = popped;
	if ((*element)->priority != priority)
		stress_fail(&self->round->crew, "a priority has changed");
	if ((*element)->payload != ~(uint64_t)(*element)->number)
		stress_fail(&self->round->crew, "a consumer does not see what was written");
	/* relaxed: only counts. */
	if (atomic_fetch_add_explicit(&(*element)->pops, 1, memory_order_relaxed) != 0)
		stress_fail(&self->round->crew, "an element was popped twice");
	atomic_fetch_add_explicit(&self->round->popped, 1, memory_order_relaxed);
	return 0;
}

static void close_queue(priority_stress *round)
{
	if (round->strict)
		weft_priority_queue_close(&round->levels);
	else
		weft_multiqueue_close(&round->lanes);
}

/* The last producer to have enough closes the queue for all. */
static void produce(priority_worker *self)
{
	priority_stress *round = self->round;
	bool enough = false;
	unsigned number = 0;
	int error;

	do {
		priority_element *element = &round->elements[self->index][number];

		element->producer = self->index;
		element->number = number;
		element->payload = ~(uint64_t)number;
		element->priority = (unsigned)seeded_random_below(&self->random, PRIORITIES);
		error = push_one(self, element);
		if (error == 0)
			number++;
		else if (error == -EAGAIN && !stress_wait(&round->crew))
			break;
		if (!enough && number >= ELEMENTS_MIN &&
		    (number == ELEMENTS_MAX || stress_time_is_over(&round->crew))) {
			enough = true;
			if (atomic_fetch_sub_explicit(&round->producing, 1, memory_order_relaxed) ==
			    1)
				close_queue(round);
		}
	} while (error != -EPIPE && number < ELEMENTS_MAX);
	if (error != 0 && error != -EPIPE && error != -EAGAIN)
		stress_fail(&round->crew, "a push returned what it must not");
	round->pushed[self->index] = number;
}

static void consume(priority_worker *self)
{
	priority_stress *round = self->round;
	unsigned next[PRODUCERS][PRIORITIES] = {{0}}, largest = 0;

	for (;;) {
		bool closed = round->strict && weft_priority_queue_is_closed(&round->levels) &&
			      atomic_load_explicit(&round->producing, memory_order_acquire) == 0;
		priority_element *element;
		int error = pop_one(self, &element);

		if (error == -EPIPE)
			return;
		if (error == -EAGAIN && !stress_wait(&round->crew))
			return;
		if (error != 0)
			continue;
		unsigned *expected = &next[element->producer][element->priority];

		if (element->number < *expected)
			stress_fail(&round->crew, "equal elements of a producer changed places");
		*expected = element->number + 1;
		/* A push that was under way at the close may still bring a smaller one. */
		if (closed && element->priority < largest && self->round->pairs == 1)
			stress_fail(&round->crew, "a smaller priority came after a larger one");
		largest = closed ? element->priority : 0;
	}
}

static void *work(void *argument)
{
	priority_worker *self = argument;

	stress_start_together(&self->round->crew);
	if (self->index < self->round->pairs)
		produce(self);
	else
		consume(self);
	return NULL;
}

static void check_round(priority_stress *round)
{
	uint64_t pushed = 0;

	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	for (unsigned i = 0; i < round->pairs; i++) {
		pushed += round->pushed[i];
		for (unsigned n = 0; n < ELEMENTS_MAX; n++)
			assert_int_equal(atomic_load_explicit(&round->elements[i][n].pops,
							      memory_order_relaxed),
					 n < round->pushed[i]);
	}
	assert_int_equal(atomic_load_explicit(&round->popped, memory_order_relaxed), pushed);
	if (round->strict)
		assert_int_equal(weft_priority_queue_size(&round->levels), 0);
	else
		assert_int_equal(weft_multiqueue_size(&round->lanes), 0);
}

static uint64_t run_round(bool strict, unsigned pairs, size_t capacity, uint64_t deadline_ns,
			  seeded_random *random)
{
	priority_stress *round = aligned_alloc(WEFT_CACHE_LINE, sizeof(*round));
	priority_worker workers[STRESS_THREADS_MAX];
	uint64_t popped;

	assert_non_null(round);
	memset((void *)round, 0, sizeof(*round));
	round->strict = strict;
	round->pairs = pairs;
	atomic_init(&round->producing, pairs);
	assert_int_equal(weft_priority_queue_init(&round->levels, capacity, PRIORITIES), 0);
	assert_int_equal(weft_multiqueue_init(&round->lanes, capacity,
					      capacity < 2 * pairs ? 1 : 2 * pairs, 4),
			 0);
	stress_crew_init(&round->crew, 2 * pairs, deadline_ns);
	for (unsigned i = 0; i < 2 * pairs; i++) {
		workers[i] = (priority_worker){
			.round = round, .random = {seeded_random_next(random)}, .index = i};
		weft_multiqueue_handle_init(&workers[i].handle, &round->lanes);
	}
	stress_run(&round->crew, work, workers, sizeof(workers[0]));
	check_round(round);
	popped = atomic_load_explicit(&round->popped, memory_order_relaxed);
	weft_multiqueue_fini(&round->lanes);
	weft_priority_queue_fini(&round->levels);
	free(round);
	return popped;
}

typedef struct point {
	const char *name;
	bool strict;
	unsigned pairs;
	size_t capacity;
} point;

static const point points[] = {
	{"strict, 1P1C, capacity 1", true, 1, 1},      {"strict, 1P1C, capacity 512", true, 1, 512},
	{"strict, 8P8C, capacity 4", true, 8, 4},      {"strict, 8P8C, capacity 512", true, 8, 512},
	{"multiqueue, 1P1C, capacity 1", false, 1, 1}, {"multiqueue, 1P1C", false, 1, 512},
	{"multiqueue, 8P8C, capacity 4", false, 8, 4}, {"multiqueue, 8P8C", false, 8, 512},
};

#define POINTS (sizeof(points) / sizeof(points[0]))

static seeded_random seeds;

static void run_point(void **state)
{
	const point *self = *state;
	uint64_t deadline_ns = stress_deadline_ns(POINTS), popped = 0;

	do {
		popped += run_round(self->strict, self->pairs, self->capacity, deadline_ns, &seeds);
	} while (stress_now_ns() < deadline_ns);
	printf("# %llu elements\n", (unsigned long long)popped);
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
