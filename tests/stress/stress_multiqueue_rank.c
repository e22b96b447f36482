/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rank errors of a multiqueue with real threads. Each thread pushes and pops in turn, with
 * random priorities, and writes down when: before a push, and after a pop. Afterwards all that is
 * played back in the order of these times: the rank error of a pop is then how many elements of a
 * smaller priority are inside. A thread that is preempted before it has looked at the clock makes
 * it seem larger, never smaller.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/multiqueue.h>

#include "../rank_tree.h"
#include "stress.h"

/* Inside, for each thread. */
#define FILLING 512
/* What all threads of a round write down, at most. */
#define EVENTS_MAX 262144
/* And those of a worker at least, with the filling. */
#define EVENTS_MIN (FILLING + 200)

typedef struct rank_event {
	uint64_t ns;
	uint16_t priority;
	bool popped;
} rank_event;

typedef struct rank_round {
	stress_crew crew;
	weft_multiqueue queue;
	rank_event events[EVENTS_MAX];
} rank_round;

typedef struct rank_worker {
	rank_round *round;
	rank_event *events;
	size_t count, room;
	seeded_random random;
} rank_worker;

static void push_one(rank_worker *self, weft_multiqueue_handle *handle)
{
	rank_event event = {stress_now_ns(), (uint16_t)seeded_random_next(&self->random), false};
	void *element = (void *)(uintptr_t)event.priority;

	/* There is room, but that may be hidden for a moment. */
	while (!weft_multiqueue_try_push(handle, event.priority, element))
		if (!stress_wait(&self->round->crew))
			return;
	self->events[self->count++] = event;
}

static void pop_one(rank_worker *self, weft_multiqueue_handle *handle)
{
	uint64_t priority = 0;
	void *element;

	while (!weft_multiqueue_try_pop(handle, &element, &priority))
		if (!stress_wait(&self->round->crew))
			return;
	self->events[self->count++] = (rank_event){stress_now_ns(), (uint16_t)priority, true};
	if ((uintptr_t)element != priority)
		stress_fail(&self->round->crew, "a priority has changed");
}

static void *work(void *argument)
{
	rank_worker *self = argument;
	weft_multiqueue_handle handle;

	weft_multiqueue_handle_init(&handle, &self->round->queue);
	for (int i = 0; i < FILLING; i++)
		push_one(self, &handle);
	stress_start_together(&self->round->crew);
	/* Some in any case, however late this thread gets its CPU. */
	while (self->count + 2 <= self->room &&
	       (self->count < EVENTS_MIN || !stress_time_is_over(&self->round->crew)) &&
	       stress_failure(&self->round->crew) == NULL) {
		push_one(self, &handle);
		pop_one(self, &handle);
	}
	return NULL;
}

/* By their time; a push comes before the pop of what it pushed. */
static int compare_events(const void *left, const void *right)
{
	const rank_event *one = left, *other = right;

	if (one->ns != other->ns)
		return one->ns < other->ns ? -1 : 1;
	return one->popped - other->popped;
}

static int compare_ranks(const void *left, const void *right)
{
	const unsigned *one = left, *other = right;

	return *one < *other ? -1 : *one > *other;
}

/* Plays the events back and returns the rank errors of the pops, in `ranks`, sorted. */
static size_t play_back(rank_event *events, size_t count, unsigned *ranks)
{
	static rank_tree inside;
	size_t pops = 0;

	rank_tree_clear(&inside);
	qsort(events, count, sizeof(*events), compare_events);
	for (size_t i = 0; i < count; i++) {
		if (events[i].popped)
			ranks[pops++] = rank_tree_below(&inside, events[i].priority);
		rank_tree_add(&inside, events[i].priority, events[i].popped ? -1 : 1);
	}
	qsort(ranks, pops, sizeof(*ranks), compare_ranks);
	return pops;
}

typedef struct rank_point {
	unsigned threads, lanes, stickiness;
} rank_point;

static const rank_point points[] = {{2, 4, 1}, {2, 4, 8}, {8, 16, 1}, {8, 16, 8}, {16, 32, 8}};

#define POINTS (sizeof(points) / sizeof(points[0]))

static seeded_random seeds;

static void run_point(void **state)
{
	const rank_point *self = *state;
	rank_round *round = aligned_alloc(WEFT_CACHE_LINE, sizeof(*round));
	unsigned *ranks = malloc(EVENTS_MAX * sizeof(*ranks));
	rank_worker workers[STRESS_THREADS_MAX];
	size_t count = 0, pops;
	double sum = 0;

	assert_non_null(round);
	assert_non_null(ranks);
	memset((void *)round, 0, sizeof(*round));
	stress_crew_init(&round->crew, self->threads, stress_deadline_ns(POINTS));
	assert_int_equal(weft_multiqueue_init(&round->queue, (size_t)2 * FILLING * self->threads,
					      self->lanes, self->stickiness),
			 0);
	for (unsigned i = 0; i < self->threads; i++)
		workers[i] =
			(rank_worker){.round = round,
				      .events = round->events + i * (EVENTS_MAX / self->threads),
				      .room = EVENTS_MAX / self->threads,
				      .random = {seeded_random_next(&seeds)}};
	stress_run(&round->crew, work, workers, sizeof(workers[0]));
	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	for (unsigned i = 0; i < self->threads; i++) {
		memmove(round->events + count, workers[i].events,
			workers[i].count * sizeof(rank_event));
		count += workers[i].count;
	}
	pops = play_back(round->events, count, ranks);
	assert_true(pops > 0);
	for (size_t i = 0; i < pops; i++)
		sum += ranks[i];
	printf("# %u threads, %u lanes, stickiness %u, %zu pops: rank error %.1f on average, "
	       "median %u, p99 %u, p99.9 %u, largest %u\n",
	       self->threads, self->lanes, self->stickiness, pops, sum / (double)pops,
	       ranks[pops / 2], ranks[pops * 99 / 100], ranks[pops * 999 / 1000], ranks[pops - 1]);
	assert_true(sum / (double)pops < 4.0 * self->lanes * self->stickiness);
	weft_multiqueue_fini(&round->queue);
	free(ranks);
	free(round);
}

int main(void)
{
	struct CMUnitTest tests[POINTS];
	char names[POINTS][64];

	for (size_t i = 0; i < POINTS; i++) {
		snprintf(names[i], sizeof(names[i]), "%u threads, %u lanes, stickiness %u",
			 points[i].threads, points[i].lanes, points[i].stickiness);
		tests[i] = (struct CMUnitTest){names[i], run_point, NULL, NULL,
					       (void *)(uintptr_t)&points[i]};
	}
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
