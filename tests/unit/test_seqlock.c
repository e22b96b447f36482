/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/seqlock.h>

#include "../seeded_random.h"

/* Values around the size of a word, and a large one. */
#define BYTES_OF(size)                                                                             \
	struct bytes_##size {                                                                      \
		unsigned char at[size];                                                            \
	};                                                                                         \
	WEFT_SEQLOCK_DEFINE(lock_##size, struct bytes_##size)

BYTES_OF(1);
BYTES_OF(7);
BYTES_OF(8);
BYTES_OF(9);
BYTES_OF(24);
BYTES_OF(4099);

#define LARGEST 4099

static void fill(unsigned char *bytes, size_t size, uint64_t number)
{
	for (size_t at = 0; at < size; at++)
		bytes[at] = (unsigned char)(number * 37 + at * 11 + 1);
}

/* The bytes around a value that is read are left alone, those inside are those last written. */
#define KEEPS_BYTES(size)                                                                          \
	do {                                                                                       \
		static lock_##size lock;                                                           \
		struct bytes_##size value, expected;                                               \
		struct {                                                                           \
			struct bytes_##size value;                                                 \
			unsigned char behind;                                                      \
		} got;                                                                             \
		fill(value.at, size, 0);                                                           \
		lock_##size##_init(&lock, &value);                                                 \
		for (uint64_t number = 0; number < 20; number++) {                                 \
			fill(expected.at, size, number);                                           \
			memset(&got, 0xa5, sizeof(got));                                           \
			assert_int_equal(lock_##size##_read(&lock, &got.value), number);           \
			assert_memory_equal(&got.value, &expected, size);                          \
			assert_int_equal(got.behind, 0xa5);                                        \
			memset(&got, 0xa5, sizeof(got));                                           \
			assert_true(lock_##size##_try_read(&lock, &got.value));                    \
			assert_memory_equal(&got.value, &expected, size);                          \
			fill(value.at, size, number + 1);                                          \
			lock_##size##_write(&lock, &value);                                        \
			assert_int_equal(lock_##size##_version(&lock), number + 1);                \
		}                                                                                  \
	} while (0)

static void keeps_every_byte_of_any_size(void **state)
{
	(void)state;
	KEEPS_BYTES(1);
	KEEPS_BYTES(7);
	KEEPS_BYTES(8);
	KEEPS_BYTES(9);
	KEEPS_BYTES(24);
	KEEPS_BYTES(4099);
}

static void stands_in_lines_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(_Alignof(lock_1), WEFT_CACHE_LINE);
	assert_int_equal(sizeof(lock_24), WEFT_CACHE_LINE);
	assert_int_equal(sizeof(lock_4099) % WEFT_CACHE_LINE, 0);
	assert_true(sizeof(lock_4099) <= 2 * LARGEST + 16 + WEFT_CACHE_LINE);
}

static void the_version_starts_again_from_0(void **state)
{
	struct bytes_24 value = {{0}};
	lock_24 lock;

	(void)state;
	lock_24_init(&lock, &value);
	atomic_store_explicit(&lock.version_, UINT64_MAX - 1, memory_order_relaxed);
	for (uint64_t number = 0; number < 4; number++) {
		struct bytes_24 got;

		fill(value.at, sizeof(value), number);
		lock_24_write(&lock, &value);
		assert_int_equal(lock_24_read(&lock, &got), UINT64_MAX + number);
		assert_memory_equal(&got, &value, sizeof(value));
	}
}

/* A writer that was stopped between the words of a new value: the last one is still read. */
static void a_stopped_writer_stops_nobody(void **state)
{
	struct bytes_24 value, got;
	lock_24 lock;

	(void)state;
	fill(value.at, sizeof(value), 1);
	lock_24_init(&lock, &value);
	/* What a write does first: the first word of the other copy. */
	atomic_store_explicit(&lock.words_[3], UINT64_MAX, memory_order_relaxed);
	assert_true(lock_24_try_read(&lock, &got));
	assert_memory_equal(&got, &value, sizeof(value));
	assert_int_equal(lock_24_read(&lock, &got), 0);
}

/* A handler interrupts reads, in the middle too, by a whole write. */
static lock_4099 interrupted;
static uint64_t writes_in_handler;
static atomic_bool interrupted_enough;

static void write_in_handler(int signal_number)
{
	static struct bytes_4099 value;

	(void)signal_number;
	/* The second overwrites the copy that is being read. */
	for (int i = 0; i < 2; i++) {
		writes_in_handler++;
		memset(value.at, (int)(writes_in_handler % 251), sizeof(value));
		lock_4099_write(&interrupted, &value);
	}
}

static void *interrupt(void *thread)
{
	while (!atomic_load_explicit(&interrupted_enough, memory_order_relaxed)) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

static void a_read_that_a_handler_interrupts_is_whole(void **state)
{
	static struct bytes_4099 value, got, expected;
	struct sigaction action = {.sa_handler = write_in_handler}, old;
	pthread_t self = pthread_self(), thread;
	uint64_t version = 0;

	(void)state;
	writes_in_handler = 0;
	atomic_store_explicit(&interrupted_enough, false, memory_order_relaxed);
	lock_4099_init(&interrupted, &value);
	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, &self), 0);
	do {
		uint64_t now = lock_4099_read(&interrupted, &got);

		assert_true(now >= version);
		version = now;
		memset(expected.at, (int)(version % 251), sizeof(expected));
		assert_memory_equal(&got, &expected, sizeof(got));
	} while (version < 2000);
	atomic_store_explicit(&interrupted_enough, true, memory_order_relaxed);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
}

/* Random calls against a plain variable. */
static void does_what_a_variable_does(void **state)
{
	seeded_random random = {seeded_random_seed()};
	struct bytes_9 variable = {{0}}, got;
	uint64_t writes = 0;
	lock_9 lock;

	(void)state;
	lock_9_init(&lock, &variable);
	for (int i = 0; i < 20000; i++) {
		switch (seeded_random_below(&random, 4)) {
		case 0:
			for (size_t at = 0; at < sizeof(variable); at++)
				variable.at[at] = (unsigned char)seeded_random_next(&random);
			lock_9_write(&lock, &variable);
			writes++;
			break;
		case 1:
			assert_true(lock_9_try_read(&lock, &got));
			assert_memory_equal(&got, &variable, sizeof(got));
			break;
		case 2:
			assert_int_equal(lock_9_read(&lock, &got), writes);
			assert_memory_equal(&got, &variable, sizeof(got));
			break;
		default:
			assert_int_equal(lock_9_version(&lock), writes);
			break;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_every_byte_of_any_size),
		cmocka_unit_test(stands_in_lines_of_its_own),
		cmocka_unit_test(the_version_starts_again_from_0),
		cmocka_unit_test(a_stopped_writer_stops_nobody),
		cmocka_unit_test(a_read_that_a_handler_interrupts_is_whole),
		cmocka_unit_test(does_what_a_variable_does),
	};

	return cmocka_run_group_tests_name("seqlock", tests, NULL, NULL);
}
