/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of lockfree/back_off: who waits how long after a lost exchange. The time is the test's, and
 * passes while somebody looks at it; so one thread can play those that lose at the same moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft/lockfree/base.h>

enum {
	LOOK_NS = 50,
	STRETCH_NS = 4000,
	STRETCHES_MAX = 128,
	LONG_AGO_NS = 1000000,
};

static struct {
	WEFT_LINE_ALIGNED char byte;
} lines[2];

static uint64_t now_ns;

uint64_t __wrap_weft_clock_ns_(void);

uint64_t __wrap_weft_clock_ns_(void)
{
	return now_ns += LOOK_NS;
}

static int reset(void **state)
{
	(void)state;
	now_ns += LONG_AGO_NS;
	return 0;
}

/* How long a thread waits that loses at this moment. */
static uint64_t loses_at(uint64_t moment, const void *line)
{
	now_ns = moment;
	weft_cpu_stand_back_(line);
	return now_ns - moment;
}

static void assert_about(uint64_t ns, uint64_t expected)
{
	assert_in_range(ns, expected, expected + 4 * LOOK_NS);
}

static void one_collision_costs_nothing(void **state)
{
	(void)state;
	assert_about(loses_at(now_ns, &lines[0]), 0);
	assert_about(loses_at(now_ns + LONG_AGO_NS, &lines[0]), 0);
	/* Another line is another matter. */
	assert_about(loses_at(now_ns, &lines[1]), 0);
}

static void who_loses_again_stands_back(void **state)
{
	(void)state;
	loses_at(now_ns, &lines[0]);
	for (int i = 0; i < 10; i++)
		assert_about(loses_at(now_ns, &lines[0]), STRETCH_NS);
}

static void losers_come_back_in_turn(void **state)
{
	uint64_t moment;

	(void)state;
	loses_at(now_ns, &lines[0]);
	moment = now_ns;
	for (uint64_t before = 0; before < 20; before++)
		assert_about(loses_at(moment, &lines[0]), (before + 1) * STRETCH_NS);
	/* What was booked has passed: just now, or a while ago. */
	assert_about(loses_at(moment + 20 * STRETCH_NS, &lines[0]), STRETCH_NS);
	assert_about(loses_at(now_ns + STRETCH_NS / 2, &lines[0]), STRETCH_NS);
	assert_about(loses_at(now_ns + LONG_AGO_NS, &lines[0]), 0);
}

static void the_wait_is_bounded(void **state)
{
	uint64_t moment;

	(void)state;
	loses_at(now_ns, &lines[0]);
	moment = now_ns;
	for (int i = 0; i < 2 * STRETCHES_MAX; i++)
		loses_at(moment, &lines[0]);
	assert_about(loses_at(moment, &lines[0]), (STRETCHES_MAX + 1) * STRETCH_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_collision_costs_nothing, reset),
		cmocka_unit_test_setup(who_loses_again_stands_back, reset),
		cmocka_unit_test_setup(losers_come_back_in_turn, reset),
		cmocka_unit_test_setup(the_wait_is_bounded, reset),
	};

	return cmocka_run_group_tests_name("back_off", tests, NULL, NULL);
}
