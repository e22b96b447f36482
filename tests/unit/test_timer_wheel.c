/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/timer_wheel, against a plain array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/pool/timer_wheel.h>

#include "../seeded_random.h"

enum {
	TICK = 1 << WEFT_TIMER_TICK_BITS_,
	TIMERS = 300,
};

static weft_timer_wheel_ wheel;

typedef struct entry {
	weft_timer_ timer;
	weft_deadline deadline;
	bool is_in;
} entry;

static entry entries[TIMERS];

static int reset(void **state)
{
	(void)state;
	memset(&wheel, 0, sizeof(wheel));
	memset(entries, 0, sizeof(entries));
	return 0;
}

static void add(entry *one, weft_deadline deadline)
{
	one->deadline = deadline;
	one->is_in = true;
	weft_timer_wheel_add_(&wheel, &one->timer, deadline);
}

/* Goes to this time; who expires is due, who stays is not. */
static size_t advance(weft_deadline now)
{
	uint64_t last = 0;
	weft_timer_ *timer;
	size_t expired = 0;

	while ((timer = weft_timer_wheel_expire_(&wheel, now)) != NULL) {
		entry *one = (entry *)timer;

		assert_true(one->is_in);
		assert_true(one->deadline <= now);
		/* In order, by ticks. */
		assert_true(timer->tick >= last);
		last = timer->tick;
		one->is_in = false;
		expired++;
	}
	for (int i = 0; i < TIMERS; i++)
		assert_true(!entries[i].is_in || entries[i].deadline >= now ||
			    now - entries[i].deadline < TICK);
	return expired;
}

static size_t count_in(weft_deadline *earliest)
{
	size_t count = 0;

	*earliest = WEFT_FOREVER;
	for (int i = 0; i < TIMERS; i++) {
		if (!entries[i].is_in)
			continue;
		count++;
		if (entries[i].deadline < *earliest)
			*earliest = entries[i].deadline;
	}
	return count;
}

static void empty(void **state)
{
	(void)state;
	assert_true(weft_timer_wheel_next_(&wheel) == WEFT_FOREVER);
	assert_int_equal(advance(0), 0);
	assert_int_equal(advance(weft_now()), 0);
	/* To take back what is not there does nothing. */
	weft_timer_wheel_remove_(&wheel, &entries[0].timer);
	assert_int_equal(wheel.count, 0);
}

/* Just before the deadline, at it, and far ones of each size. */
static void never_early_and_at_most_a_tick_late(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 64; bits++) {
		weft_deadline deadline = ((uint64_t)1 << bits) + 12345;

		reset(NULL);
		advance(12000);
		add(&entries[0], deadline);
		assert_int_equal(advance(deadline - 1), 0);
		assert_int_equal(advance(deadline + TICK), 1);
		assert_int_equal(wheel.count, 0);
		assert_true(weft_timer_wheel_next_(&wheel) == WEFT_FOREVER);
	}
	/* The last there is. */
	reset(NULL);
	add(&entries[0], WEFT_FOREVER - 1);
	assert_int_equal(advance(WEFT_FOREVER / 2), 0);
	weft_timer_wheel_remove_(&wheel, &entries[0].timer);
	assert_int_equal(wheel.count, 0);
}

static void overdue_ones_expire_at_the_next_tick(void **state)
{
	(void)state;
	advance((weft_deadline)1000 * TICK);
	add(&entries[0], WEFT_NOW);
	add(&entries[1], (weft_deadline)999 * TICK);
	add(&entries[2], (weft_deadline)1000 * TICK);
	assert_int_equal(advance((weft_deadline)1001 * TICK), 3);
}

/* Who sleeps until `next` and looks, again and again, misses nobody and looks seldom. */
static void sleeping_from_one_to_the_next(void **state)
{
	seeded_random random = {seeded_random_seed()};
	weft_deadline now = 0, earliest;
	int looks = 0;
	size_t expired = 0;

	(void)state;
	for (int i = 0; i < TIMERS; i++)
		add(&entries[i], seeded_random_next(&random) >> (8 + i % 50));
	while (count_in(&earliest) > 0) {
		weft_deadline next = weft_timer_wheel_next_(&wheel);

		assert_true(next > now);
		assert_true(next <= earliest + TICK);
		now = next;
		expired += advance(now);
		looks++;
	}
	assert_int_equal(expired, TIMERS);
	assert_true(looks <= TIMERS * WEFT_TIMER_LEVELS_);
}

static void any_order(void **state)
{
	seeded_random random = {seeded_random_seed()};
	weft_deadline now = 0, earliest;

	(void)state;
	for (int step = 0; step < 200000; step++) {
		entry *one = &entries[seeded_random_below(&random, TIMERS)];

		if (seeded_random_below(&random, 4) == 0) {
			now += seeded_random_next(&random) >>
			       (30 + seeded_random_below(&random, 30));
			advance(now);
		} else if (one->is_in) {
			weft_timer_wheel_remove_(&wheel, &one->timer);
			one->is_in = false;
		} else {
			add(one, now + (seeded_random_next(&random) >>
					(20 + seeded_random_below(&random, 44))));
		}
		if (step % 16 == 0) {
			assert_int_equal(wheel.count, count_in(&earliest));
			if (wheel.count > 0)
				assert_true(weft_timer_wheel_next_(&wheel) < earliest + 2 * TICK ||
					    earliest <= now);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(empty, reset),
		cmocka_unit_test_setup(never_early_and_at_most_a_tick_late, reset),
		cmocka_unit_test_setup(overdue_ones_expire_at_the_next_tick, reset),
		cmocka_unit_test_setup(sleeping_from_one_to_the_next, reset),
		cmocka_unit_test_setup(any_order, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
