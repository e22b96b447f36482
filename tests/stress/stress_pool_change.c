/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of pools that change while threads submit in every way that there is: to strands, to one
 * worker, to a pool that is full; while others resize it, and until it is drained or aborted.
 *
 *   - what was accepted ends once, and runs when the pool drains; what was refused is untouched;
 *   - tasks of a strand exclude each other and come in the order of their submitter;
 *   - a task for one worker runs there;
 *   - nobody waits for room for ever, and the pool ends.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../pool_fixture.h"
#include "stress.h"

enum {
	TESTS = 4,
	SUBMITTERS = 3,
	EACH = 300,
	STRANDS = 3,
	WORKERS_MAX = 5,
	ROUNDS_MIN = SANITIZED ? 20 : 100,
};

/* What a round does besides submitting. */
enum {
	ENDS = 1,    /* the pool is closed in the middle */
	RESIZES = 2, /* and its size changes */
	BOUNDED = 4,
};

static uint64_t seed;

typedef struct strand_data {
	weft_strand strand;
	bool busy;
	long last[SUBMITTERS];
} strand_data;

typedef struct change change;

typedef struct item {
	weft_task task;
	change *in;
	strand_data *strand; /* or NULL */
	int to_worker;       /* or -1 */
	int submitter;
	long number;
	int runs;
	int result;
} item;

struct change {
	stress_crew crew;
	weft_pool *pool;
	weft_shutdown how;
	unsigned what;
	unsigned workers_max;
	uint64_t seeds[SUBMITTERS + 2];
	atomic_uint submitters_left;
	strand_data strands[STRANDS];
	item items[SUBMITTERS][EACH];
};

typedef struct changer {
	change *in;
	int number;
} changer;

static void item_run(weft_task *task)
{
	item *self = (item *)task;
	change *in = self->in;

	self->runs++;
	if (self->to_worker >= 0 && weft_pool_worker_index(in->pool) != self->to_worker)
		stress_fail(&in->crew, "a task ran on another worker");
	if (self->strand == NULL)
		return;
	if (self->strand->busy || self->strand->last[self->submitter] >= self->number)
		stress_fail(&in->crew, "tasks of a strand met, or changed places");
	self->strand->busy = true;
	self->strand->last[self->submitter] = self->number;
	/* Now and then it waits, or is away for a while. */
	if (self->number % 16 == 0)
		weft_task_yield();
	if (self->number % 64 == 1) {
		weft_blocking_begin();
		sched_yield();
		weft_blocking_end();
	}
	self->strand->busy = false;
}

static void submit_items(change *in, int submitter)
{
	seeded_random random = {in->seeds[submitter]};

	for (int i = 0; i < EACH; i++) {
		item *one = &in->items[submitter][i];
		weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
		uint64_t kind = seeded_random_below(&random, 4);

		weft_task_init(&one->task, item_run);
		one->in = in;
		one->submitter = submitter;
		one->number = i + 1;
		one->to_worker = -1;
		one->strand = NULL;
		if (kind == 0) {
			one->to_worker = (int)seeded_random_below(&random, in->workers_max);
			options.to_worker = true;
			options.worker = (unsigned)one->to_worker;
		} else if (kind == 1) {
			options.priority = (weft_priority)seeded_random_below(&random, 3);
		} else {
			one->strand = &in->strands[seeded_random_below(&random, STRANDS)];
			options.strand = &one->strand->strand;
		}
		one->result = weft_task_submit_with(in->pool, &one->task, &options);
		if (one->result != 0 && one->result != -EPIPE)
			stress_fail(&in->crew, "a submission failed");
		if (one->result == -EPIPE && (in->what & ENDS) == 0 && one->to_worker < 0)
			stress_fail(&in->crew, "an open pool refused a task");
		if (seeded_random_below(&random, 32) == 0)
			sched_yield();
	}
	atomic_fetch_sub(&in->submitters_left, 1);
}

static void *change_main(void *argument)
{
	changer *self = argument;
	change *in = self->in;
	seeded_random random = {in->seeds[self->number]};

	stress_start_together(&in->crew);
	if (self->number < SUBMITTERS) {
		submit_items(in, self->number);
	} else if (self->number == SUBMITTERS && (in->what & RESIZES) != 0) {
		while (atomic_load(&in->submitters_left) > 0) {
			unsigned size = 1 + (unsigned)seeded_random_below(&random, in->workers_max);
			int error = weft_pool_resize(in->pool, size);

			if (error != 0 && error != -EPIPE)
				stress_fail(&in->crew, "a resize failed");
			sched_yield();
		}
	} else if (self->number > SUBMITTERS && (in->what & ENDS) != 0) {
		for (uint64_t i = seeded_random_below(&random, 200); i > 0; i--)
			weft_cpu_relax();
		if (weft_pool_shutdown(in->pool, in->how, guard()) != 0)
			stress_fail(&in->crew, "a pool did not end");
	}
	return NULL;
}

/* Whether it may have ended unrun: aborted; or accepted by a strand in the moment of the end. */
static bool may_be_canceled(const change *in, const item *one)
{
	return (in->what & ENDS) != 0 && (in->how == WEFT_SHUTDOWN_ABORT || one->strand != NULL);
}

static void check_items(change *in)
{
	for (int s = 0; s < SUBMITTERS; s++) {
		for (int i = 0; i < EACH; i++) {
			item *one = &in->items[s][i];
			int error = weft_task_wait(&one->task, WEFT_NOW);

			if (one->result != 0) {
				assert_int_equal(error, -EINVAL);
				assert_int_equal(one->runs, 0);
				continue;
			}
			if (error == -ECANCELED)
				assert_true(may_be_canceled(in, one));
			else
				assert_int_equal(error, 0);
			assert_int_equal(one->runs, error == 0);
		}
	}
}

static void change_once(change *in, unsigned what, uint64_t deadline_ns, seeded_random *random)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	changer changers[SUBMITTERS + 2];

	memset((void *)in, 0, sizeof(*in));
	in->what = what;
	in->how = (weft_shutdown)seeded_random_below(random, 2);
	in->workers_max = 1 + (unsigned)seeded_random_below(random, WORKERS_MAX);
	atomic_store(&in->submitters_left, SUBMITTERS);
	options.workers = options.max_workers = in->workers_max;
	options.spare_workers = (unsigned)seeded_random_below(random, 2);
	options.spin_ns = 1 + seeded_random_below(random, 20000);
	if ((what & BOUNDED) != 0)
		options.max_queued = 1 + (uint32_t)seeded_random_below(random, 40);
	must(weft_pool_create(&in->pool, &options) == 0);
	for (int i = 0; i < STRANDS; i++)
		must(weft_strand_init(&in->strands[i].strand, in->pool, NULL) == 0);
	stress_crew_init(&in->crew, SUBMITTERS + 2, deadline_ns);
	for (int i = 0; i < SUBMITTERS + 2; i++) {
		in->seeds[i] = seeded_random_next(random);
		changers[i].in = in;
		changers[i].number = i;
	}
	stress_run(&in->crew, change_main, changers, sizeof(changers[0]));
	assert_int_equal(weft_pool_shutdown(in->pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_null(stress_failure(&in->crew));
	for (int i = 0; i < STRANDS; i++)
		assert_true(weft_strand_is_idle(&in->strands[i].strand));
	check_items(in);
	assert_int_equal(weft_pool_destroy(in->pool), 0);
}

static void change_with(unsigned what)
{
	uint64_t deadline_ns = stress_deadline_ns(TESTS);
	seeded_random random = {seed + what};
	change *in = malloc(sizeof(*in));

	assert_non_null(in);
	for (int round = 0; round < ROUNDS_MIN || stress_now_ns() < deadline_ns; round++)
		change_once(in, what, deadline_ns, &random);
	free(in);
}

static void sizes_change(void **state)
{
	(void)state;
	change_with(RESIZES);
}

/* Whose submitters are woken by room alone. */
static void full_pools_make_room(void **state)
{
	(void)state;
	change_with(RESIZES | BOUNDED);
}

static void full_pools_end(void **state)
{
	(void)state;
	change_with(BOUNDED | ENDS);
}

static void everything_at_once(void **state)
{
	(void)state;
	change_with(RESIZES | BOUNDED | ENDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_change),
		cmocka_unit_test(full_pools_make_room),
		cmocka_unit_test(full_pools_end),
		cmocka_unit_test(everything_at_once),
	};

	guard_program();
	seed = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
