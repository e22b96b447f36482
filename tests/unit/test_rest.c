/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of lockfree/rest: what the rests of a consumer are, for producers of one kind or another.
 * The time is the test's, and passes while somebody looks at it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/base.h>

enum {
	LOOK_NS = 20,
	REST_MAX_NS = 3200,
	/* As heels.settled says it. */
	REST_OF_200_NS = 2,
	/* Of the line between the two, there and back, with which this many elements come. */
	TRANSFER_NS = 300,
	AT_ONCE = 2,
	/* To push an element while the line is at home, and to pop one. */
	PUSH_NS = 20,
	POP_NS = 10,
};

static weft_cpu_heels_ heels;
static uint64_t now_ns, ticket, due_ns;
static uint64_t elements; /* since nothing was found */
static unsigned shorter;  /* how often it has not rested for long */
/* Not NULL: what others do while the thread that looks at the clock next is stopped there. */
static void (*while_stopped)(void);

uint64_t __wrap_weft_clock_ns_(void);

uint64_t __wrap_weft_clock_ns_(void)
{
	void (*others)(void) = while_stopped;

	while_stopped = NULL;
	if (others != NULL)
		others();
	return now_ns += LOOK_NS;
}

static int reset(void **state)
{
	(void)state;
	memset((void *)&heels, 0, sizeof(heels));
	due_ns = now_ns = 1000000;
	ticket = elements = 0;
	return 0;
}

/* Finds nothing, when so many elements were there since the last time. Returns how long it rests.
 */
static uint64_t finds_nothing_after(uint64_t taken)
{
	uint64_t begin_ns = now_ns;
	bool again;

	ticket += 2 * taken;
	again = weft_cpu_rest_behind_(&heels, ticket);
	assert_int_equal(again, now_ns - begin_ns >= 200);
	assert_true(now_ns - begin_ns <= REST_MAX_NS + 6 * LOOK_NS);
	return now_ns - begin_ns;
}

/* Finds nothing so many times, where somebody pushes an element each `interval_ns`, if the consumer
 * keeps up with that. Returns the nanoseconds for an element. */
static uint64_t take_from(uint64_t interval_ns, unsigned times)
{
	uint64_t begin_ns = now_ns, all = 0;

	for (unsigned i = 0; i < times; i++) {
		uint64_t rest_ns = finds_nothing_after(elements);
		uint64_t most = AT_ONCE + rest_ns / PUSH_NS;

		shorter += rest_ns < REST_MAX_NS;

		now_ns += TRANSFER_NS;
		/* It waits for one that is not there yet. */
		if (due_ns > now_ns)
			now_ns = due_ns;
		for (elements = 0; elements < most && due_ns <= now_ns; elements++)
			due_ns += interval_ns;
		now_ns += elements * POP_NS;
		all += elements;
	}
	return (now_ns - begin_ns) / all;
}

static void one_at_a_time_is_not_kept_waiting(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++) {
		assert_int_equal(finds_nothing_after(0), 0);
		assert_int_equal(finds_nothing_after(1), 0);
	}
	/* One that slept comes with a ticket of long ago. */
	ticket -= 1000;
	assert_int_equal(finds_nothing_after(0), 0);
	assert_true(finds_nothing_after(2) >= REST_MAX_NS);
}

static void a_stream_gets_ahead(void **state)
{
	(void)state;
	/* From the beginning. Two by two it is 160 ns each. */
	assert_true(take_from(1, 16) < 40);
	/* Shorter rests are tried seldom. */
	shorter = 0;
	assert_true(take_from(1, 10000) < 40);
	assert_int_equal(heels.settled, 0);
	assert_true(shorter > 0 && shorter < 10000 / 20);
	/* Again, after some time of another kind. */
	take_from(400, 100);
	for (int i = 0; i < 1000; i++) {
		now_ns += 100000;
		finds_nothing_after(2);
	}
	assert_int_equal(heels.settled, WEFT_CPU_NO_REST_);
	due_ns = now_ns;
	take_from(1, 300);
	assert_int_equal(heels.settled, 0);
	assert_true(take_from(1, 1000) < 40);
}

static void who_has_a_rate_of_its_own_is_kept_up_with_and_no_more(void **state)
{
	uint64_t longest_ns = 0, rested_ns = 0;

	(void)state;
	/* Too fast to be taken two by two. */
	take_from(100, 2000);
	for (unsigned i = 0; i < 1000; i++) {
		take_from(100, 1);
		if (due_ns + longest_ns < now_ns)
			longest_ns = now_ns - due_ns;
	}
	assert_true(longest_ns < 3 * REST_MAX_NS);
	assert_int_equal(heels.settled, REST_OF_200_NS);
	/* Faster for a while, so that longer ones pay; and as before. */
	take_from(1, 3000);
	assert_int_equal(heels.settled, 0);
	due_ns = now_ns;
	take_from(100, 5000);
	assert_int_equal(heels.settled, REST_OF_200_NS);
	/* Slower from now on. */
	take_from(200, 2000);
	assert_int_equal(heels.settled, WEFT_CPU_NO_REST_);
	for (unsigned i = 0; i < 10000; i++) {
		now_ns += 400;
		rested_ns += finds_nothing_after(2);
	}
	assert_true(rested_ns > 0);
	assert_true(rested_ns < 10000 * 400 / 100);
}

static void who_begins_without_rests_soon_has_them_where_they_pay(void **state)
{
	(void)state;
	heels.settled = WEFT_CPU_NO_REST_;
	for (int i = 0; i < 16; i++) {
		now_ns += 100;
		assert_true(finds_nothing_after(2) <= LOOK_NS);
	}
	due_ns = now_ns;
	take_from(1, 100);
	assert_true(take_from(1, 1000) < 40);
}

/* Two in so much time each are one in half of it. */
static void rare_ones_are_not_kept_waiting(void **state)
{
	static const uint64_t intervals_ns[] = {5000, 2500};

	for (size_t interval = 0; interval < 2; interval++) {
		reset(state);
		for (int i = 0; i < 1100; i++) {
			uint64_t rest_ns;

			now_ns += intervals_ns[interval];
			rest_ns = finds_nothing_after(2);
			assert_true(i < 100 || rest_ns <= LOOK_NS);
		}
	}
}

/* A measurement of a stream that goes on well is long, in occasions, but not in time. */
static void what_has_become_rare_is_noticed_soon(void **state)
{
	static const uint64_t intervals_ns[] = {1000000000, 1000000};

	for (size_t interval = 0; interval < 2; interval++) {
		reset(state);
		take_from(1, 10000);
		assert_int_equal(heels.settled, 0);
		for (int i = 0; i < 1000; i++) {
			uint64_t rest_ns;

			now_ns += intervals_ns[interval];
			rest_ns = finds_nothing_after(4);
			assert_true(i < (interval == 0 ? 10 : 50) || rest_ns <= 2 * LOOK_NS);
		}
	}
}

static void find_rare_ones(void)
{
	for (int i = 0; i < 1000; i++) {
		now_ns += 5000;
		finds_nothing_after(2);
	}
}

/* The first look at the clock is of a thread that decides what is next. */
static void who_is_stopped_does_not_decide_for_all(void **state)
{
	(void)state;
	while_stopped = find_rare_ones;
	weft_cpu_rest_behind_(&heels, ticket += 4);
	assert_null(while_stopped);
	assert_int_equal(heels.settled, WEFT_CPU_NO_REST_);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_at_a_time_is_not_kept_waiting, reset),
		cmocka_unit_test_setup(a_stream_gets_ahead, reset),
		cmocka_unit_test_setup(who_has_a_rate_of_its_own_is_kept_up_with_and_no_more,
				       reset),
		cmocka_unit_test_setup(who_begins_without_rests_soon_has_them_where_they_pay,
				       reset),
		cmocka_unit_test_setup(rare_ones_are_not_kept_waiting, reset),
		cmocka_unit_test_setup(what_has_become_rare_is_noticed_soon, reset),
		cmocka_unit_test_setup(who_is_stopped_does_not_decide_for_all, reset),
	};

	return cmocka_run_group_tests_name("rest", tests, NULL, NULL);
}
