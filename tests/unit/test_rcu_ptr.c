/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/rcu_ptr.h>

#include "../seeded_random.h"

typedef struct table {
	long number;
	char name[24];
} table;

WEFT_RCU_PTR_DEFINE(table_ptr, table);

static unsigned destroyed;
static long last_destroyed;

static void destroy(void *old)
{
	destroyed++;
	last_destroyed = ((table *)old)->number;
	free(old);
}

static table *make(long number)
{
	table *made = calloc(1, sizeof(*made));

	assert_non_null(made);
	made->number = number;
	memset(made->name, 'a' + (int)(number % 26), sizeof(made->name));
	return made;
}

/* All of it. */
static void is_copy_of(const table *copy, long number)
{
	assert_int_equal(copy->number, number);
	for (size_t i = 0; i < sizeof(copy->name); i++)
		assert_int_equal(copy->name[i], 'a' + number % 26);
}

static weft_reclaim_statistics statistics(void)
{
	weft_reclaim_statistics now = {.size = sizeof(now)};

	assert_int_equal(weft_reclaim_statistics_read(&now), 0);
	return now;
}

static int begin(void **state)
{
	(void)state;
	destroyed = 0;
	return 0;
}

static void is_empty_when_zeroed(void **state)
{
	static table_ptr zeroed;
	table copy = {.number = 7};

	(void)state;
	weft_reclaim_enter();
	assert_null(table_ptr_read(&zeroed));
	weft_reclaim_exit();
	assert_false(table_ptr_copy(&zeroed, &copy));
	assert_int_equal(copy.number, 7);
	assert_int_equal(table_ptr_update(&zeroed, NULL, destroy), 0);
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(destroyed, 0);
}

static void what_is_read_stays(void **state)
{
	const table *found;
	table_ptr shared;
	table copy;

	(void)state;
	table_ptr_init(&shared, make(1));
	weft_reclaim_enter();
	found = table_ptr_read(&shared);
	assert_int_equal(table_ptr_update(&shared, make(2), destroy), 0);
	assert_int_equal(table_ptr_read(&shared)->number, 2);
	/* It counts for the limit of reclaim. */
	assert_int_equal(statistics().objects, 1);
	assert_int_equal(statistics().bytes, sizeof(table));
	weft_reclaim_poll();
	assert_int_equal(destroyed, 0);
	assert_int_equal(found->number, 1);
	weft_reclaim_exit();
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(destroyed, 1);
	assert_int_equal(last_destroyed, 1);
	assert_true(table_ptr_copy(&shared, &copy));
	is_copy_of(&copy, 2);
	assert_int_equal(table_ptr_update(&shared, NULL, destroy), 0);
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(destroyed, 2);
}

static void exchange_hands_the_old_one_over(void **state)
{
	table *first = make(1), *second = make(2), *expected = second;
	table_ptr shared;

	(void)state;
	table_ptr_init(&shared, first);
	assert_false(table_ptr_compare_exchange(&shared, &expected, second));
	assert_ptr_equal(expected, first);
	assert_true(table_ptr_compare_exchange(&shared, &expected, second));
	assert_ptr_equal(table_ptr_exchange(&shared, NULL), second);
	assert_int_equal(weft_reclaim_synchronize(), 0);
	free(first);
	free(second);
}

static void a_refused_update_changes_nothing(void **state)
{
	table *second = make(2);
	table_ptr shared;
	int error = 0;

	(void)state;
	table_ptr_init(&shared, make(1));
	assert_int_equal(table_ptr_update(&shared, second, NULL), -EINVAL);
	assert_int_equal(weft_reclaim_limit(1, SIZE_MAX), 0);
	weft_reclaim_enter();
	for (int i = 0; i < 100 && error == 0; i++) {
		void *piece = malloc(1);

		error = weft_reclaim_retire_pointer(piece, free, 1);
		if (error != 0)
			free(piece);
	}
	assert_int_equal(error, -EAGAIN);
	assert_int_equal(table_ptr_update(&shared, second, destroy), -EAGAIN);
	assert_int_equal(table_ptr_read(&shared)->number, 1);
	weft_reclaim_exit();
	assert_int_equal(table_ptr_update(&shared, second, destroy), 0);
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(destroyed, 1);
	assert_int_equal(weft_reclaim_limit(262144, SIZE_MAX), 0);
	assert_int_equal(statistics().objects, 0);
	free(table_ptr_exchange(&shared, NULL));
}

/* Random calls against a variable. */
static void does_what_a_variable_does(void **state)
{
	seeded_random random = {seeded_random_seed()};
	long variable = 0;
	unsigned updates = 0;
	table_ptr shared;
	table copy;

	(void)state;
	table_ptr_init(&shared, make(0));
	for (int i = 0; i < 20000; i++) {
		switch (seeded_random_below(&random, 4)) {
		case 0:
			variable = (long)seeded_random_below(&random, 1000000);
			assert_int_equal(table_ptr_update(&shared, make(variable), destroy), 0);
			updates++;
			break;
		case 1:
			weft_reclaim_enter();
			assert_int_equal(table_ptr_read(&shared)->number, variable);
			weft_reclaim_exit();
			break;
		case 2:
			assert_true(table_ptr_copy(&shared, &copy));
			is_copy_of(&copy, variable);
			break;
		default:
			weft_reclaim_poll();
			break;
		}
		assert_true(destroyed <= updates);
	}
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(destroyed, updates);
	free(table_ptr_exchange(&shared, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(is_empty_when_zeroed, begin),
		cmocka_unit_test_setup(what_is_read_stays, begin),
		cmocka_unit_test_setup(exchange_hands_the_old_one_over, begin),
		cmocka_unit_test_setup(a_refused_update_changes_nothing, begin),
		cmocka_unit_test_setup(does_what_a_variable_does, begin),
	};

	return cmocka_run_group_tests_name("rcu_ptr", tests, NULL, NULL);
}
