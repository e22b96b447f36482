/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/lockfree/gauge.h>

#include "../rseq_leave.h"
#include "../seeded_random.h"
#include "lent_memory.h"

static void begins_with_nothing(void **state)
{
	static const weft_gauge zeroed;
	weft_gauge gauge;

	(void)state;
	memset((void *)&gauge, 0, sizeof(gauge));
	weft_gauge_fini(&gauge);
	for (int again = 0; again < 2; again++) {
		memset((void *)&gauge, 0xa5, sizeof(gauge));
		assert_int_equal(weft_gauge_init(&gauge), 0);
		assert_int_equal(weft_gauge_read(&gauge), 0);
		assert_true(weft_gauge_high(&gauge) == WEFT_GAUGE_HIGH_NONE);
		assert_true(weft_gauge_low(&gauge) == WEFT_GAUGE_LOW_NONE);
		assert_true(weft_gauge_reset_high(&gauge) == WEFT_GAUGE_HIGH_NONE);
		assert_true(weft_gauge_reset_low(&gauge) == WEFT_GAUGE_LOW_NONE);
		weft_gauge_add(&gauge, 5);
		weft_gauge_record(&gauge, 5);
		weft_gauge_fini(&gauge);
		assert_memory_equal(&gauge, &zeroed, sizeof(gauge));
		weft_gauge_fini(&gauge);
	}
}

static int init_in(void *gauge, void *memory, size_t bytes)
{
	return weft_gauge_init_in(gauge, memory, bytes);
}

static void fini(void *gauge)
{
	weft_gauge_fini(gauge);
}

/* The shards of the level and those of the marks are not the same ones. */
static void use_all_shards(void *made)
{
	weft_gauge *gauge = made;
	int64_t cpus = sysconf(_SC_NPROCESSORS_CONF);
	weft_gauge_marks_ *marks = gauge->marks_.areas;
	weft_counter_shard_ *shards = gauge->level_.shards_.areas;

	assert_int_equal(gauge->marks_.bytes, cpus * WEFT_CACHE_LINE);
	assert_int_equal(gauge->level_.shards_.bytes, cpus * WEFT_CACHE_LINE);
	assert_int_equal(weft_gauge_read(gauge), 0);
	assert_true(weft_gauge_reset_high(gauge) == WEFT_GAUGE_HIGH_NONE);
	assert_true(weft_gauge_reset_low(gauge) == WEFT_GAUGE_LOW_NONE);
	for (int64_t i = 0; i < cpus; i++) {
		weft_gauge_move_marks_(&marks[i], 5);
		atomic_store_explicit(&shards[i].atomic, 7, memory_order_relaxed);
	}
	weft_gauge_add(gauge, 1);
	assert_int_equal(weft_gauge_read(gauge), 7 * cpus + 1);
	assert_int_equal(weft_gauge_high(gauge), 5);
	assert_int_equal(weft_gauge_low(gauge), 5);
}

static void lives_in_lent_memory(void **state)
{
	weft_gauge gauge;

	(void)state;
	lent_memory_is_enough(&(const lent_thing){&gauge, sizeof(gauge), weft_gauge_memory_size(),
						  init_in, use_all_shards, fini});
}

static void has_a_level(void **state)
{
	weft_gauge gauge;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	weft_gauge_add(&gauge, 10);
	weft_gauge_subtract(&gauge, 3);
	assert_int_equal(weft_gauge_read(&gauge), 7);
	weft_gauge_add(&gauge, -8);
	assert_true(weft_gauge_read(&gauge) == -1);
	assert_true(weft_gauge_set(&gauge, 100) == -1);
	assert_int_equal(weft_gauge_read(&gauge), 100);
	weft_gauge_subtract(&gauge, 1);
	assert_int_equal(weft_gauge_set(&gauge, INT64_MIN), 99);
	assert_true(weft_gauge_read(&gauge) == INT64_MIN);
	assert_true(weft_gauge_set(&gauge, INT64_MAX) == INT64_MIN);
	weft_gauge_add(&gauge, 1);
	assert_true(weft_gauge_read(&gauge) == INT64_MIN);
	/* The marks know only what is recorded. */
	assert_true(weft_gauge_high(&gauge) == WEFT_GAUGE_HIGH_NONE);
	weft_gauge_fini(&gauge);
}

static void keeps_the_extremes(void **state)
{
	weft_gauge gauge;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	weft_gauge_record(&gauge, 5);
	assert_int_equal(weft_gauge_high(&gauge), 5);
	assert_int_equal(weft_gauge_low(&gauge), 5);
	weft_gauge_record(&gauge, -7);
	weft_gauge_record(&gauge, 3);
	weft_gauge_record(&gauge, 9);
	weft_gauge_record(&gauge, 9);
	assert_int_equal(weft_gauge_high(&gauge), 9);
	assert_true(weft_gauge_low(&gauge) == -7);
	/* Each mark by itself. */
	assert_int_equal(weft_gauge_reset_high(&gauge), 9);
	assert_true(weft_gauge_high(&gauge) == WEFT_GAUGE_HIGH_NONE);
	assert_true(weft_gauge_low(&gauge) == -7);
	weft_gauge_record(&gauge, 0);
	assert_int_equal(weft_gauge_high(&gauge), 0);
	assert_true(weft_gauge_reset_low(&gauge) == -7);
	assert_true(weft_gauge_reset_low(&gauge) == WEFT_GAUGE_LOW_NONE);
	assert_int_equal(weft_gauge_reset_high(&gauge), 0);
	assert_int_equal(weft_gauge_read(&gauge), 0);
	weft_gauge_fini(&gauge);
}

/* The smallest and the largest number there is; each is also what one of the marks is at first. */
static void keeps_the_ends_of_the_range(void **state)
{
	weft_gauge gauge;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	weft_gauge_record(&gauge, INT64_MIN);
	assert_true(weft_gauge_low(&gauge) == INT64_MIN);
	assert_true(weft_gauge_high(&gauge) == INT64_MIN);
	weft_gauge_record(&gauge, INT64_MAX);
	assert_true(weft_gauge_reset_low(&gauge) == INT64_MIN);
	assert_true(weft_gauge_reset_high(&gauge) == INT64_MAX);
	weft_gauge_fini(&gauge);
}

/* Calls body on every CPU that there is, and says how many that were. */
static int on_every_cpu(void (*body)(weft_gauge *gauge, int index), weft_gauge *gauge)
{
	cpu_set_t allowed, one;
	int index = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (CPU_ISSET(cpu, &allowed) && sched_setaffinity(0, sizeof(one), &one) == 0)
			body(gauge, index++);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
	return index;
}

static void use_here(weft_gauge *gauge, int index)
{
	weft_gauge_add(gauge, 100);
	weft_gauge_record(gauge, index);
	weft_gauge_record(gauge, -index);
}

static void joins_all_cpus(void **state)
{
	weft_gauge gauge;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	int cpus = on_every_cpu(use_here, &gauge);

	assert_int_equal(weft_gauge_read(&gauge), 100 * cpus);
	assert_int_equal(weft_gauge_high(&gauge), cpus - 1);
	assert_int_equal(-weft_gauge_low(&gauge), cpus - 1);
	assert_int_equal(weft_gauge_reset_high(&gauge), cpus - 1);
	assert_int_equal(-weft_gauge_reset_low(&gauge), cpus - 1);
	assert_true(weft_gauge_high(&gauge) == WEFT_GAUGE_HIGH_NONE);
	assert_true(weft_gauge_low(&gauge) == WEFT_GAUGE_LOW_NONE);
	weft_gauge_fini(&gauge);
}

/* A CPU that came after init has no shard of its own. */
static void records_on_a_cpu_without_a_shard(void **state)
{
	weft_gauge gauge;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	gauge.marks_.bytes = sizeof(weft_gauge_marks_);
	int cpus = on_every_cpu(use_here, &gauge);

	assert_int_equal(weft_gauge_high(&gauge), cpus - 1);
	assert_int_equal(-weft_gauge_reset_low(&gauge), cpus - 1);
	weft_gauge_fini(&gauge);
}

static void *use_without_sequences(void *shared)
{
	bool left = rseq_leave();

	use_here(shared, 3);
	return left ? shared : NULL;
}

static void one_thread_may_lack_sequences(void **state)
{
	weft_gauge gauge;
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	use_here(&gauge, 2);
	assert_int_equal(pthread_create(&thread, NULL, use_without_sequences, &gauge), 0);
	pthread_join(thread, &result);
	assert_ptr_equal(result, &gauge);
	assert_int_equal(weft_gauge_read(&gauge), 200);
	assert_int_equal(weft_gauge_high(&gauge), 3);
	assert_true(weft_gauge_low(&gauge) == -3);
	weft_gauge_fini(&gauge);
}

static weft_gauge signalled;

static void use_in_handler(int number)
{
	(void)number;
	weft_gauge_subtract(&signalled, 2);
	weft_gauge_record(&signalled, weft_gauge_high(&signalled) + 1);
}

static void signal_handlers_use_it(void **state)
{
	struct sigaction action = {.sa_handler = use_in_handler}, before;

	(void)state;
	assert_int_equal(weft_gauge_init(&signalled), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	weft_gauge_record(&signalled, 0);
	for (int i = 0; i < 100; i++) {
		weft_gauge_add(&signalled, 3);
		raise(SIGUSR1);
	}
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	assert_int_equal(weft_gauge_read(&signalled), 100);
	assert_int_equal(weft_gauge_high(&signalled), 100);
	assert_int_equal(weft_gauge_low(&signalled), 0);
	weft_gauge_fini(&signalled);
}

#define THREADS  8
#define RECORDED 20000

typedef struct recorder {
	weft_gauge *gauge;
	int64_t first;
	int64_t high, low; /* what its resets returned */
} recorder;

/* Rising values, that each of them is a new mark; resets now and then. */
static void *record_and_reset(void *argument)
{
	recorder *self = argument;

	self->high = WEFT_GAUGE_HIGH_NONE;
	self->low = WEFT_GAUGE_LOW_NONE;
	for (int64_t i = 0; i < RECORDED; i++) {
		weft_gauge_add(self->gauge, 2);
		weft_gauge_record(self->gauge, self->first + i);
		weft_gauge_record(self->gauge, -self->first - i);
		weft_gauge_subtract(self->gauge, 1);
		if (i % 64 == 0) {
			int64_t high = weft_gauge_reset_high(self->gauge);
			int64_t low = weft_gauge_reset_low(self->gauge);

			self->high = high > self->high ? high : self->high;
			self->low = low < self->low ? low : self->low;
		}
	}
	return NULL;
}

static void many_threads_use_it(void **state)
{
	pthread_t threads[THREADS];
	recorder recorders[THREADS];
	weft_gauge gauge;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	for (int i = 0; i < THREADS; i++) {
		recorders[i] = (recorder){.gauge = &gauge, .first = i * 5};
		assert_int_equal(pthread_create(&threads[i], NULL, record_and_reset, &recorders[i]),
				 0);
	}
	int64_t high = WEFT_GAUGE_HIGH_NONE, low = WEFT_GAUGE_LOW_NONE;

	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		high = recorders[i].high > high ? recorders[i].high : high;
		low = recorders[i].low < low ? recorders[i].low : low;
	}
	int64_t last_high = weft_gauge_reset_high(&gauge), last_low = weft_gauge_reset_low(&gauge);

	high = last_high > high ? last_high : high;
	low = last_low < low ? last_low : low;
	assert_int_equal(high, RECORDED - 1 + (THREADS - 1) * 5);
	assert_int_equal(-low, RECORDED - 1 + (THREADS - 1) * 5);
	assert_int_equal(weft_gauge_read(&gauge), THREADS * RECORDED);
	weft_gauge_fini(&gauge);
}

static void equals_its_model(void **state)
{
	seeded_random random = {seeded_random_seed()};
	int64_t high = WEFT_GAUGE_HIGH_NONE, low = WEFT_GAUGE_LOW_NONE;
	uint64_t level = 0;
	weft_gauge gauge;

	(void)state;
	assert_int_equal(weft_gauge_init(&gauge), 0);
	for (int i = 0; i < 100000; i++) {
		int64_t number =
			(int64_t)seeded_random_next(&random) >> seeded_random_below(&random, 64);

		switch (seeded_random_below(&random, 16)) {
		case 0:
			assert_true(weft_gauge_reset_high(&gauge) == high);
			high = WEFT_GAUGE_HIGH_NONE;
			break;
		case 1:
			assert_true(weft_gauge_reset_low(&gauge) == low);
			low = WEFT_GAUGE_LOW_NONE;
			break;
		case 2:
			assert_true((uint64_t)weft_gauge_set(&gauge, number) == level);
			level = (uint64_t)number;
			break;
		case 3:
			weft_gauge_subtract(&gauge, number);
			level -= (uint64_t)number;
			break;
		case 4:
			weft_gauge_add(&gauge, number);
			level += (uint64_t)number;
			break;
		default:
			weft_gauge_record(&gauge, number);
			high = number > high ? number : high;
			low = number < low ? number : low;
		}
		assert_true((uint64_t)weft_gauge_read(&gauge) == level);
		assert_true(weft_gauge_high(&gauge) == high);
		assert_true(weft_gauge_low(&gauge) == low);
	}
	weft_gauge_fini(&gauge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_nothing),
		cmocka_unit_test(lives_in_lent_memory),
		cmocka_unit_test(has_a_level),
		cmocka_unit_test(keeps_the_extremes),
		cmocka_unit_test(keeps_the_ends_of_the_range),
		cmocka_unit_test(joins_all_cpus),
		cmocka_unit_test(records_on_a_cpu_without_a_shard),
		cmocka_unit_test(one_thread_may_lack_sequences),
		cmocka_unit_test(signal_handlers_use_it),
		cmocka_unit_test(many_threads_use_it),
		cmocka_unit_test(equals_its_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
