/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/pace: what a worker's rests are, for threads that hand over tasks in one way or
 * another. The time is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/pool/pace.h>

enum {
	PAUSE_NS = 25,
	/* Of the line between the two, there and back. */
	TRANSFER_NS = 150,
	/* For a task that is handed over while the line is at home; and to run one. */
	SUBMIT_NS = 30,
	RUN_NS = 10,
};

static weft_pace_ pace;
static uint64_t now_ns;

uint64_t __wrap_weft_now(void);

uint64_t __wrap_weft_now(void)
{
	return now_ns;
}

static int reset(void **state)
{
	(void)state;
	memset(&pace, 0, sizeof(pace));
	now_ns = 1000000;
	return 0;
}

/* Looks until there is something: so many looks. Returns the time that rests took. */
static uint64_t look(unsigned looks)
{
	uint64_t rest_ns = 0;

	for (unsigned i = 0; i < looks; i++) {
		bool rests = pace.looks == 0 && pace.takes != 0;

		weft_pace_before_take_(&pace);
		if (rests)
			rest_ns += (uint64_t)pace.rest * PAUSE_NS;
	}
	now_ns += rest_ns;
	return rest_ns;
}

/* As who hands over a task each `interval_ns` if the worker keeps up with that. Returns the tasks
 * that were taken in so many takes. */
static uint64_t take_from(uint64_t interval_ns, unsigned takes, uint64_t *due_ns)
{
	uint64_t all = 0;

	for (unsigned i = 0; i < takes; i++) {
		uint64_t span_ns = look(1) + TRANSFER_NS;
		uint64_t most = 1 + (span_ns - TRANSFER_NS) / SUBMIT_NS, tasks = 0;

		now_ns += TRANSFER_NS;
		/* It waits for a task that is not there yet. */
		if (*due_ns > now_ns)
			now_ns = *due_ns;
		while (tasks < most && *due_ns <= now_ns) {
			*due_ns += interval_ns;
			tasks++;
		}
		now_ns += tasks * RUN_NS;
		all += tasks;
		weft_pace_after_take_(&pace, tasks);
	}
	return all;
}

/* A thread that waits for each task, and one that has a task now and then. */
static void one_at_a_time_is_not_kept_waiting(void **state)
{
	uint64_t rest_ns = 0;
	unsigned rests = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t ns = look(1);

		rests += ns > 0;
		rest_ns += ns;
		now_ns += TRANSFER_NS;
		weft_pace_after_take_(&pace, 1);
	}
	assert_true(rests > 100);
	assert_true(rests < 1000);
	assert_true(rest_ns < 100000);
	assert_int_equal(pace.settled, 0);
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(look(2 * WEFT_PACE_QUICK_LOOKS_), 0);
		now_ns += 1000;
		weft_pace_after_take_(&pace, 1);
	}
}

static void who_is_as_fast_as_the_worker_gets_ahead(void **state)
{
	uint64_t due_ns = now_ns, begin_ns, tasks;

	(void)state;
	take_from(1, 1000, &due_ns);
	begin_ns = now_ns;
	tasks = take_from(1, 1000, &due_ns);
	assert_true(pace.settled >= 32);
	/* One by one it is TRANSFER_NS each. */
	assert_true((now_ns - begin_ns) / tasks < SUBMIT_NS + RUN_NS + 15);
}

static void who_has_a_rate_of_its_own_is_kept_up_with_and_no_more(void **state)
{
	uint64_t due_ns = now_ns, longest_ns = 0;

	(void)state;
	/* Too fast to be taken one by one. */
	take_from(80, 2000, &due_ns);
	for (unsigned i = 0; i < 200; i++) {
		take_from(80, 16, &due_ns);
		if (due_ns + longest_ns < now_ns)
			longest_ns = now_ns - due_ns;
	}
	assert_true(longest_ns < 10000);
	assert_true(pace.settled > 0 && pace.settled <= 16);
	/* Slower from now on: as before. */
	take_from(400, 3000, &due_ns);
	assert_int_equal(pace.settled, 0);
}

static void nobody_is_waited_for_who_has_stopped(void **state)
{
	uint64_t due_ns = now_ns;

	(void)state;
	take_from(1, 1000, &due_ns);
	assert_true(look(1) > 0);
	assert_int_equal(look(2 * WEFT_PACE_QUICK_LOOKS_), 0);
	for (unsigned i = 0; i < 10; i++) {
		weft_pace_after_take_(&pace, 1);
		assert_int_equal(look(1), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_at_a_time_is_not_kept_waiting, reset),
		cmocka_unit_test_setup(who_is_as_fast_as_the_worker_gets_ahead, reset),
		cmocka_unit_test_setup(who_has_a_rate_of_its_own_is_kept_up_with_and_no_more,
				       reset),
		cmocka_unit_test_setup(nobody_is_waited_for_who_has_stopped, reset),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
