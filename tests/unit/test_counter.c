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
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/lockfree/counter.h>

#include "../rseq_leave.h"
#include "../seeded_random.h"
#include "lent_memory.h"

/* The two words that hold a count; which of them grows tells how the additions were made. */
typedef struct words {
	int64_t restartable, atomic;
} words;

static size_t shards_of(const weft_counter *counter)
{
	return counter->shards_.bytes / sizeof(weft_counter_shard_);
}

static words words_of_shard(const weft_counter *counter, size_t index)
{
	weft_counter_shard_ *shard = (weft_counter_shard_ *)counter->shards_.areas + index;

	return (words){atomic_load_explicit(&shard->restartable, memory_order_relaxed),
		       atomic_load_explicit(&shard->atomic, memory_order_relaxed)};
}

static words words_of(const weft_counter *counter)
{
	words sum = {0, 0};

	for (size_t i = 0; i < shards_of(counter); i++) {
		words shard = words_of_shard(counter, i);

		sum.restartable += shard.restartable;
		sum.atomic += shard.atomic;
	}
	return sum;
}

/*
 * Whether additions have to be restartable here, found without the counter: the header was built
 * for it, the kernel knows the call, and WEFT_EXPECT_RESTARTABLE=0 does not say that the C library
 * was told to do without.
 */
static bool must_be_restartable(void)
{
	const char *expected = getenv("WEFT_EXPECT_RESTARTABLE");

	if (expected != NULL && strcmp(expected, "0") == 0)
		return false;
#if WEFT_RESTARTABLE_
	/* Wrong in all else, so that nothing is registered. */
	return syscall(SYS_rseq, NULL, 0, 0, 0) != 0 && errno != ENOSYS;
#else
	return false;
#endif
}

static void begins_with_zero(void **state)
{
	static const weft_counter zeroed;
	weft_counter counter;

	(void)state;
	memset((void *)&counter, 0, sizeof(counter));
	weft_counter_fini(&counter);
	for (int again = 0; again < 2; again++) {
		memset((void *)&counter, 0xa5, sizeof(counter));
		assert_int_equal(weft_counter_init(&counter), 0);
		assert_int_equal(shards_of(&counter), sysconf(_SC_NPROCESSORS_CONF));
		/* Where an addition on a CPU without a shard stops. */
		assert_int_equal(counter.shards_.limit, counter.shards_.bytes);
		assert_int_equal(weft_counter_read(&counter), 0);
		weft_counter_increment(&counter);
		weft_counter_fini(&counter);
		assert_memory_equal(&counter, &zeroed, sizeof(counter));
		weft_counter_fini(&counter);
	}
}

static int init_in(void *counter, void *memory, size_t bytes)
{
	return weft_counter_init_in(counter, memory, bytes);
}

static void fini(void *counter)
{
	weft_counter_fini(counter);
}

/* Both words of every shard are its own. */
static void use_all_shards(void *made)
{
	weft_counter *counter = made;

	assert_int_equal(shards_of(counter), sysconf(_SC_NPROCESSORS_CONF));
	assert_int_equal(weft_counter_read(counter), 0);
	for (size_t i = 0; i < shards_of(counter); i++) {
		weft_counter_shard_ *shard = (weft_counter_shard_ *)counter->shards_.areas + i;

		atomic_store_explicit(&shard->restartable, 1, memory_order_relaxed);
		atomic_store_explicit(&shard->atomic, 2, memory_order_relaxed);
	}
	weft_counter_increment(counter);
	assert_int_equal(weft_counter_read(counter), 3 * (int64_t)shards_of(counter) + 1);
}

static void lives_in_lent_memory(void **state)
{
	weft_counter counter;

	(void)state;
	lent_memory_is_enough(&(const lent_thing){&counter, sizeof(counter),
						  weft_counter_memory_size(), init_in,
						  use_all_shards, fini});
}

static void adds(void **state)
{
	weft_counter counter, other;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	assert_int_equal(weft_counter_init(&other), 0);
	for (int i = 1; i <= 1000; i++) {
		weft_counter_increment(&counter);
		weft_counter_add(&other, 3);
		weft_counter_add(&other, -1);
		assert_int_equal(weft_counter_read(&counter), i);
		assert_int_equal(weft_counter_read(&other), 2 * i);
	}
	weft_counter_add(&counter, -2000);
	assert_true(weft_counter_read(&counter) == -1000);
	weft_counter_add(&counter, 0);
	assert_true(weft_counter_read(&counter) == -1000);
	weft_counter_fini(&counter);
	weft_counter_fini(&other);
}

/*
 * Inlined, so that the amount is a constant to the first addition. The second cannot know it. The
 * two may be different instructions.
 */
WEFT_INLINE void assert_adds(weft_counter *counter, int64_t amount)
{
	uint64_t before = (uint64_t)weft_counter_read(counter);
	volatile int64_t variable = amount;

	weft_counter_add(counter, amount);
	weft_counter_add(counter, variable);
	assert_true((uint64_t)weft_counter_read(counter) == before + 2 * (uint64_t)amount);
}

/* Amounts at the edges of what fits in an instruction, and sums beyond 64 bits. */
static void adds_any_amount(void **state)
{
	weft_counter counter;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	assert_adds(&counter, 127);
	assert_adds(&counter, 128);
	assert_adds(&counter, -129);
	assert_adds(&counter, INT32_MAX);
	assert_adds(&counter, (int64_t)INT32_MAX + 1);
	assert_adds(&counter, INT32_MIN);
	assert_adds(&counter, (int64_t)INT32_MIN - 1);
	assert_adds(&counter, (int64_t)UINT32_MAX);
	assert_adds(&counter, (int64_t)1 << 40);
	assert_adds(&counter, INT64_MAX);
	assert_adds(&counter, INT64_MIN);
	weft_counter_fini(&counter);
}

static void subtracts(void **state)
{
	weft_counter counter;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	weft_counter_subtract(&counter, 7);
	assert_true(weft_counter_read(&counter) == -7);
	weft_counter_subtract(&counter, -10);
	assert_true(weft_counter_read(&counter) == 3);
	/* It has no opposite; modulo 2^64 it is its own. */
	weft_counter_subtract(&counter, INT64_MIN);
	assert_true(weft_counter_read(&counter) == INT64_MIN + 3);
	weft_counter_fini(&counter);
}

static void resets(void **state)
{
	weft_counter counter;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	assert_int_equal(weft_counter_reset(&counter), 0);
	for (int i = 0; i < 1000; i++) {
		weft_counter_add(&counter, 2 * i);
		weft_counter_subtract(&counter, i);
		if (i % 10 == 0)
			assert_int_equal(weft_counter_read(&counter), i);
		assert_int_equal(weft_counter_reset(&counter), i);
		assert_int_equal(weft_counter_read(&counter), 0);
	}
	weft_counter_subtract(&counter, 5);
	assert_true(weft_counter_reset(&counter) == -5);
	assert_int_equal(weft_counter_reset(&counter), 0);
	weft_counter_fini(&counter);
}

/* What was counted since the last reset is right, however far the sum of all time has gone. */
static void resets_around_the_end_of_64_bits(void **state)
{
	weft_counter counter;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	for (int i = 0; i < 5; i++) {
		weft_counter_add(&counter, INT64_MAX);
		assert_true(weft_counter_reset(&counter) == INT64_MAX);
		weft_counter_add(&counter, 3);
		assert_int_equal(weft_counter_reset(&counter), 3);
	}
	/* More than fits since the last reset: modulo 2^64. */
	weft_counter_add(&counter, INT64_MAX);
	weft_counter_add(&counter, 1);
	assert_true(weft_counter_reset(&counter) == INT64_MIN);
	weft_counter_fini(&counter);
}

static void knows_how_it_adds(void **state)
{
	weft_counter counter;

	(void)state;
	assert_int_equal(weft_counter_is_restartable(), must_be_restartable());
	assert_int_equal(weft_counter_init(&counter), 0);
	weft_counter_add(&counter, 5);
	weft_counter_increment(&counter);
	words sum = words_of(&counter);

	assert_int_equal(sum.restartable, weft_counter_is_restartable() ? 6 : 0);
	assert_int_equal(sum.atomic, weft_counter_is_restartable() ? 0 : 6);
	weft_counter_fini(&counter);
}

static void *add_without_sequences(void *shared)
{
	bool left = rseq_leave();

	weft_counter_add(shared, 5);
	return left && !weft_counter_is_restartable() ? shared : NULL;
}

/* As where the kernel refuses them to a thread; others go on with theirs. */
static void one_thread_may_lack_sequences(void **state)
{
	weft_counter counter;
	pthread_t thread;
	void *result;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	weft_counter_add(&counter, 1);
	words before = words_of(&counter);

	assert_int_equal(pthread_create(&thread, NULL, add_without_sequences, &counter), 0);
	pthread_join(thread, &result);
	assert_int_equal(words_of(&counter).atomic, before.atomic + 5);
	assert_int_equal(words_of(&counter).restartable, before.restartable);
	assert_ptr_equal(result, &counter);
	assert_int_equal(weft_counter_is_restartable(), must_be_restartable());
	weft_counter_fini(&counter);
}

/* On every CPU that there is: its shard and no other is added to. */
static void adds_to_the_shard_of_its_cpu(void **state)
{
	cpu_set_t allowed, one;
	weft_counter counter;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	assert_int_equal(weft_counter_init(&counter), 0);
	for (size_t cpu = 0; cpu < shards_of(&counter) && cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) != 0)
			continue;
		for (size_t i = 0; i <= cpu; i++)
			weft_counter_increment(&counter);
		words shard = words_of_shard(&counter, cpu);

		assert_int_equal(shard.restartable + shard.atomic, cpu + 1);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
	weft_counter_fini(&counter);
}

/* A CPU that came after init has no shard: the others take its additions, atomically. */
static void counts_on_a_cpu_without_a_shard(void **state)
{
	cpu_set_t allowed, one;
	weft_counter counter;
	size_t cpu = CPU_SETSIZE - 1;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	while (cpu > 0 && !CPU_ISSET(cpu, &allowed))
		cpu--;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (cpu == 0 || sched_setaffinity(0, sizeof(one), &one) != 0)
		skip();
	assert_int_equal(weft_counter_init(&counter), 0);
	counter.shards_.bytes = sizeof(weft_counter_shard_);
	counter.shards_.limit = sizeof(weft_counter_shard_);
	weft_counter_add(&counter, 41);
	weft_counter_increment(&counter);
	assert_int_equal(words_of(&counter).restartable, 0);
	assert_int_equal(words_of(&counter).atomic, 42);
	assert_int_equal(weft_counter_read(&counter), 42);
	weft_counter_fini(&counter);
	assert_int_equal(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
}

#define THREADS 8
#define ADDED   20000

typedef struct resetting {
	weft_counter counter;
	WEFT_ATOMIC(int64_t) taken;
} resetting;

static void *add_and_reset(void *shared)
{
	resetting *test = shared;

	for (int i = 0; i < ADDED; i++) {
		weft_counter_increment(&test->counter);
		if (i % 100 == 0) {
			int64_t taken = weft_counter_reset(&test->counter);

			/* Not negative, as the amounts are not. */
			if (taken < 0)
				return shared;
			atomic_fetch_add_explicit(&test->taken, taken, memory_order_relaxed);
		}
	}
	return NULL;
}

static void many_threads_reset(void **state)
{
	pthread_t threads[THREADS];
	resetting test;
	void *wrong;

	(void)state;
	atomic_init(&test.taken, 0);
	assert_int_equal(weft_counter_init(&test.counter), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_and_reset, &test), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	int64_t taken = atomic_load_explicit(&test.taken, memory_order_relaxed);

	assert_int_equal(taken + weft_counter_reset(&test.counter), THREADS * ADDED);
	weft_counter_fini(&test.counter);
}

static void *add_up_and_down(void *shared)
{
	weft_counter *counter = shared;

	for (int i = 0; i < ADDED; i++) {
		weft_counter_add(counter, 3);
		weft_counter_add(counter, -1);
		weft_counter_increment(counter);
	}
	return NULL;
}

static void many_threads_add(void **state)
{
	pthread_t threads[THREADS];
	weft_counter counter;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_up_and_down, &counter), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(weft_counter_read(&counter), 3 * THREADS * ADDED);
	weft_counter_fini(&counter);
}

static void *add_one(void *shared)
{
	weft_counter_increment(shared);
	return NULL;
}

/* A thread that ends loses nothing, though others get its memory. */
static void threads_end(void **state)
{
	weft_counter counter;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	for (int i = 1; i <= 300; i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, add_one, &counter), 0);
		pthread_join(thread, NULL);
		assert_int_equal(weft_counter_read(&counter), i);
	}
	weft_counter_fini(&counter);
}

static weft_counter signalled;

static void add_in_handler(int signal_number)
{
	(void)signal_number;
	weft_counter_add(&signalled, 10);
}

static void signal_handlers_add(void **state)
{
	struct sigaction action = {.sa_handler = add_in_handler}, before;

	(void)state;
	assert_int_equal(weft_counter_init(&signalled), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	for (int i = 0; i < 100; i++) {
		weft_counter_increment(&signalled);
		raise(SIGUSR1);
	}
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	assert_int_equal(weft_counter_read(&signalled), 1100);
	weft_counter_fini(&signalled);
}

static void equals_its_model(void **state)
{
	seeded_random random = {seeded_random_seed()};
	weft_counter counter;
	uint64_t sum = 0;

	(void)state;
	assert_int_equal(weft_counter_init(&counter), 0);
	for (int i = 0; i < 100000; i++) {
		/* Small ones and large ones alike. */
		int64_t amount =
			(int64_t)seeded_random_next(&random) >> seeded_random_below(&random, 64);

		if (seeded_random_below(&random, 2) == 0) {
			weft_counter_add(&counter, amount);
			sum += (uint64_t)amount;
		} else {
			weft_counter_subtract(&counter, amount);
			sum -= (uint64_t)amount;
		}
		assert_true((uint64_t)weft_counter_read(&counter) == sum);
		if (seeded_random_below(&random, 8) == 0) {
			assert_true((uint64_t)weft_counter_reset(&counter) == sum);
			sum = 0;
		}
	}
	weft_counter_fini(&counter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_zero),
		cmocka_unit_test(lives_in_lent_memory),
		cmocka_unit_test(adds),
		cmocka_unit_test(adds_any_amount),
		cmocka_unit_test(subtracts),
		cmocka_unit_test(resets),
		cmocka_unit_test(resets_around_the_end_of_64_bits),
		cmocka_unit_test(knows_how_it_adds),
		cmocka_unit_test(one_thread_may_lack_sequences),
		cmocka_unit_test(adds_to_the_shard_of_its_cpu),
		cmocka_unit_test(counts_on_a_cpu_without_a_shard),
		cmocka_unit_test(many_threads_add),
		cmocka_unit_test(many_threads_reset),
		cmocka_unit_test(threads_end),
		cmocka_unit_test(signal_handlers_add),
		cmocka_unit_test(equals_its_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
