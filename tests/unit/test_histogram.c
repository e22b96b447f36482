/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
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

#include <weft/lockfree/histogram.h>

#include "../rseq_leave.h"
#include "../seeded_random.h"
#include "lent_memory.h"

/* Most tests: numbers up to about a million, with an error of one in 32. */
#define LARGEST   1000000
#define PRECISION 5

typedef struct recorded {
	weft_histogram histogram;
	weft_histogram_snapshot snapshot;
} recorded;

static void make(recorded *test, uint64_t largest, unsigned precision_bits)
{
	assert_int_equal(weft_histogram_init(&test->histogram, largest, precision_bits), 0);
	assert_int_equal(weft_histogram_snapshot_init(&test->snapshot, largest, precision_bits), 0);
}

static void finish(recorded *test)
{
	weft_histogram_fini(&test->histogram);
	weft_histogram_snapshot_fini(&test->snapshot);
}

/* As the header says: an area for each CPU, and two more, or one where nothing is restartable. */
static void assert_has_areas(const weft_histogram *histogram)
{
	size_t all = (size_t)sysconf(_SC_NPROCESSORS_CONF) * histogram->area_bytes_;
	bool restartable = weft_per_cpu_is_restartable_();

	assert_int_equal(histogram->restartable_.bytes, restartable ? all : 0);
	assert_int_equal(histogram->atomic_.bytes, restartable ? histogram->area_bytes_ : all);
	assert_int_equal(histogram->taken_.bytes, histogram->area_bytes_);
}

static void begins_empty(void **state)
{
	static const weft_histogram zeroed;
	static const weft_histogram_snapshot zeroed_snapshot;
	weft_histogram_bucket bucket = {0};
	recorded test;

	(void)state;
	memset((void *)&test, 0, sizeof(test));
	finish(&test);
	for (int again = 0; again < 2; again++) {
		memset((void *)&test, 0xa5, sizeof(test));
		make(&test, LARGEST, PRECISION);
		assert_has_areas(&test.histogram);
		assert_int_equal(weft_histogram_read(&test.histogram, &test.snapshot), 0);
		assert_int_equal(test.snapshot.count, 0);
		assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 50), 0);
		assert_int_equal(weft_histogram_snapshot_least(&test.snapshot), 0);
		assert_int_equal(weft_histogram_snapshot_largest(&test.snapshot), 0);
		assert_true(weft_histogram_snapshot_mean(&test.snapshot) == 0);
		assert_false(weft_histogram_snapshot_next(&test.snapshot, &bucket));
		weft_histogram_record(&test.histogram, 1);
		finish(&test);
		assert_memory_equal(&test.histogram, &zeroed, sizeof(zeroed));
		assert_memory_equal(&test.snapshot, &zeroed_snapshot, sizeof(zeroed_snapshot));
		finish(&test);
	}
	assert_int_equal(weft_histogram_snapshot_largest(&test.snapshot), 0);
}

static void refuses_what_it_cannot_be(void **state)
{
	static const weft_histogram zeroed;
	static const weft_histogram_snapshot zeroed_snapshot;
	static WEFT_LINE_ALIGNED char line;
	const unsigned wrong = WEFT_HISTOGRAM_PRECISION_MAX + 1;
	recorded test;

	(void)state;
	assert_int_equal(weft_histogram_buckets(LARGEST, wrong), 0);
	assert_int_equal(weft_histogram_buckets(LARGEST, UINT32_MAX), 0);
	assert_int_equal(weft_histogram_memory_size(LARGEST, wrong), 0);
	memset((void *)&test, 0xa5, sizeof(test));
	assert_int_equal(weft_histogram_init(&test.histogram, LARGEST, wrong), -EINVAL);
	assert_memory_equal(&test.histogram, &zeroed, sizeof(zeroed));
	assert_int_equal(weft_histogram_init_in(&test.histogram, &line, SIZE_MAX, LARGEST, wrong),
			 -EINVAL);
	assert_memory_equal(&test.histogram, &zeroed, sizeof(zeroed));
	assert_int_equal(weft_histogram_snapshot_init(&test.snapshot, LARGEST, wrong), -EINVAL);
	assert_memory_equal(&test.snapshot, &zeroed_snapshot, sizeof(zeroed_snapshot));
	/* Both are without effect. */
	finish(&test);
}

/* A snapshot of another shape is refused, and nothing is lost. */
static void refuses_a_snapshot_of_another_shape(void **state)
{
	weft_histogram_snapshot other;
	recorded test;

	(void)state;
	make(&test, LARGEST, PRECISION);
	weft_histogram_record(&test.histogram, 7);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(weft_histogram_snapshot_init(&other, i == 0 ? 100 : LARGEST,
							      i == 0 ? PRECISION : PRECISION + 1),
				 0);
		other.count = 123;
		assert_int_equal(weft_histogram_read(&test.histogram, &other), -EINVAL);
		assert_int_equal(weft_histogram_reset(&test.histogram, &other), -EINVAL);
		assert_int_equal(weft_histogram_snapshot_add(&other, &test.snapshot), -EINVAL);
		assert_int_equal(weft_histogram_snapshot_add(&test.snapshot, &other), -EINVAL);
		assert_int_equal(other.count, 123);
		weft_histogram_snapshot_fini(&other);
	}
	/* As many buckets, of other sizes. */
	other = (weft_histogram_snapshot){.buckets = test.snapshot.buckets, .precision_bits = 4};
	assert_int_equal(weft_histogram_reset(&test.histogram, &other), -EINVAL);
	assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.count, 1);
	finish(&test);
}

/* What is known of a bucket: it is found from each of its numbers, and the next one begins where it
 * ends. */
static void check_buckets(uint64_t largest, unsigned precision_bits)
{
	weft_histogram_bucket bucket = {0};
	weft_histogram_snapshot all;
	uint64_t next = 0;
	size_t index = 0;

	assert_int_equal(weft_histogram_snapshot_init(&all, largest, precision_bits), 0);
	for (size_t i = 0; i <= all.buckets; i++)
		all.counts[i] = 1 + i;
	/* Nothing is beyond that. */
	if (largest == UINT64_MAX)
		all.counts[all.buckets] = 0;
	for (; weft_histogram_snapshot_next(&all, &bucket); index++) {
		assert_true(bucket.count == 1 + index);
		assert_true(bucket.least == next);
		assert_true(bucket.largest >= bucket.least);
		next = bucket.largest + 1;
		if (index == all.buckets)
			break;
		assert_int_equal(weft_histogram_index_(bucket.least, precision_bits), index);
		assert_int_equal(weft_histogram_index_(bucket.largest, precision_bits), index);
		/* The error that the header promises. */
		assert_true((bucket.largest - bucket.least) >> (63 - precision_bits) == 0);
		assert_true((bucket.largest - bucket.least) << precision_bits <= bucket.least);
	}
	assert_int_equal(index, all.buckets);
	assert_true(bucket.largest == UINT64_MAX);
	weft_histogram_snapshot_fini(&all);
}

static void buckets_follow_each_other(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits <= WEFT_HISTOGRAM_PRECISION_MAX; bits++) {
		check_buckets(0, bits);
		check_buckets(1, bits);
		check_buckets(LARGEST, bits);
		if (bits <= 8)
			check_buckets(UINT64_MAX - 1, bits);
		if (bits <= 8)
			check_buckets(UINT64_MAX, bits);
	}
	/* What the header says of a minute. */
	assert_int_equal(weft_histogram_buckets(60000000000, 4), 524);
	assert_int_equal(weft_histogram_buckets(60000000000, 5), 1016);
	assert_int_equal(weft_histogram_buckets(60000000000, 7), 3808);
	assert_int_equal(weft_histogram_buckets(60000000000, 10), 27389);
}

static void small_numbers_are_exact(void **state)
{
	recorded test;

	(void)state;
	make(&test, LARGEST, PRECISION);
	for (uint64_t value = 1; value <= 63; value++)
		weft_histogram_record(&test.histogram, value);
	assert_int_equal(weft_histogram_read(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.count, 63);
	assert_int_equal(weft_histogram_snapshot_least(&test.snapshot), 1);
	assert_int_equal(weft_histogram_snapshot_largest(&test.snapshot), 63);
	assert_true(weft_histogram_snapshot_mean(&test.snapshot) == 32);
	for (unsigned rank = 1; rank <= 63; rank++)
		assert_int_equal(
			weft_histogram_snapshot_percentile(&test.snapshot, (double)rank * 100 / 63),
			rank);
	finish(&test);
}

/* Ten numbers: which of them a percentile is, also where the division is not exact. */
static void percentiles_are_of_the_right_rank(void **state)
{
	recorded test;

	(void)state;
	make(&test, LARGEST, PRECISION);
	weft_histogram_record_many(&test.histogram, 10, 990);
	weft_histogram_record_many(&test.histogram, 20, 9);
	weft_histogram_record_many(&test.histogram, 30, 1);
	weft_histogram_record_many(&test.histogram, 40, 0);
	assert_int_equal(weft_histogram_read(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.count, 1000);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 0), 10);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 50), 10);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 99), 10);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 99.01), 20);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 99.9), 20);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 99.99), 30);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 100), 30);
	/* What is no percentage. */
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, -1), 10);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 1e300), 30);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, NAN), 10);
	assert_true(fabs(weft_histogram_snapshot_mean(&test.snapshot) - 10.11) < 1e-9);
	finish(&test);
}

static void counts_what_is_beyond_the_range(void **state)
{
	weft_histogram_bucket bucket = {0};
	recorded test;

	(void)state;
	make(&test, 100, PRECISION);
	/* The range ends with the bucket of 100, which are two numbers. */
	weft_histogram_record(&test.histogram, 101);
	weft_histogram_record(&test.histogram, 102);
	weft_histogram_record(&test.histogram, UINT64_MAX);
	assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.count, 3);
	assert_int_equal(test.snapshot.counts[test.snapshot.buckets], 2);
	assert_int_equal(weft_histogram_snapshot_percentile(&test.snapshot, 33), 101);
	assert_true(weft_histogram_snapshot_percentile(&test.snapshot, 34) == UINT64_MAX);
	assert_true(weft_histogram_snapshot_largest(&test.snapshot) == UINT64_MAX);
	assert_int_equal(weft_histogram_snapshot_least(&test.snapshot), 100);
	/* 100.5 and twice 102. */
	assert_true(fabs(weft_histogram_snapshot_mean(&test.snapshot) - 101.5) < 1e-9);
	assert_true(weft_histogram_snapshot_next(&test.snapshot, &bucket));
	assert_int_equal(bucket.least, 100);
	assert_int_equal(bucket.largest, 101);
	assert_true(weft_histogram_snapshot_next(&test.snapshot, &bucket));
	assert_int_equal(bucket.least, 102);
	assert_true(bucket.largest == UINT64_MAX);
	assert_int_equal(bucket.count, 2);
	assert_false(weft_histogram_snapshot_next(&test.snapshot, &bucket));
	finish(&test);
}

static void takes_each_record_once(void **state)
{
	recorded test;

	(void)state;
	make(&test, LARGEST, PRECISION);
	for (uint64_t i = 0; i < 100; i++) {
		weft_histogram_record_many(&test.histogram, i * 100, 1 + i);
		weft_histogram_record(&test.histogram, UINT64_MAX);
		assert_int_equal(weft_histogram_read(&test.histogram, &test.snapshot), 0);
		assert_int_equal(test.snapshot.count, 2 + i);
		assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
		assert_int_equal(test.snapshot.count, 2 + i);
		assert_int_equal(test.snapshot.counts[weft_histogram_index_(i * 100, PRECISION)],
				 1 + i);
		assert_int_equal(weft_histogram_read(&test.histogram, &test.snapshot), 0);
		assert_int_equal(test.snapshot.count, 0);
	}
	finish(&test);
}

static void snapshots_add_up(void **state)
{
	weft_histogram_snapshot sum;
	recorded test;

	(void)state;
	make(&test, LARGEST, PRECISION);
	assert_int_equal(weft_histogram_snapshot_init(&sum, LARGEST, PRECISION), 0);
	for (uint64_t i = 1; i <= 50; i++) {
		weft_histogram_record(&test.histogram, i);
		weft_histogram_record(&test.histogram, LARGEST * 2);
		assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
		assert_int_equal(weft_histogram_snapshot_add(&sum, &test.snapshot), 0);
		assert_int_equal(sum.count, 2 * i);
	}
	assert_int_equal(weft_histogram_snapshot_percentile(&sum, 25), 25);
	assert_int_equal(sum.counts[sum.buckets], 50);
	weft_histogram_snapshot_fini(&sum);
	finish(&test);
}

/* Which of the arrays grow tells how the additions were made. */
static uint64_t sum_of(const weft_per_cpu_ *per_cpu)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < per_cpu->bytes / sizeof(int64_t); i++)
		sum += (uint64_t)atomic_load_explicit((WEFT_ATOMIC(int64_t) *)per_cpu->areas + i,
						      memory_order_relaxed);
	return sum;
}

static void *record_without_sequences(void *shared)
{
	recorded *test = shared;
	bool left = rseq_leave();

	weft_histogram_record(&test->histogram, 5);
	weft_histogram_record(&test->histogram, UINT64_MAX);
	return left ? shared : NULL;
}

/* As where the kernel refuses them to a thread; others go on with theirs. */
static void one_thread_may_lack_sequences(void **state)
{
	bool restartable = weft_per_cpu_is_restartable_();
	pthread_t thread;
	recorded test;
	void *result;

	(void)state;
	make(&test, LARGEST, PRECISION);
	weft_histogram_record(&test.histogram, 5);
	assert_int_equal(sum_of(&test.histogram.restartable_), restartable);
	assert_int_equal(sum_of(&test.histogram.atomic_), !restartable);
	assert_int_equal(pthread_create(&thread, NULL, record_without_sequences, &test), 0);
	pthread_join(thread, &result);
	assert_ptr_equal(result, &test);
	assert_int_equal(sum_of(&test.histogram.restartable_), restartable);
	assert_int_equal(sum_of(&test.histogram.atomic_), restartable ? 2 : 3);
	assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.counts[5], 2);
	assert_int_equal(test.snapshot.count, 3);
	finish(&test);
}

static void *make_without_sequences(void *shared)
{
	bool left = rseq_leave();

	make(shared, LARGEST, PRECISION);
	return left ? shared : NULL;
}

/* What a thread without sequences has made, others use as well. */
static void may_be_made_without_sequences(void **state)
{
	pthread_t thread;
	recorded test;
	void *result;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, make_without_sequences, &test), 0);
	pthread_join(thread, &result);
	assert_ptr_equal(result, &test);
	weft_histogram_record(&test.histogram, 5);
	assert_int_equal(sum_of(&test.histogram.restartable_), 0);
	assert_int_equal(sum_of(&test.histogram.atomic_), 1);
	assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.count, 1);
	finish(&test);
}

static int init_in(void *histogram, void *memory, size_t bytes)
{
	return weft_histogram_init_in(histogram, memory, bytes, LARGEST, PRECISION);
}

static void fini(void *histogram)
{
	weft_histogram_fini(histogram);
}

/* One more in each bucket of all areas. */
static void fill(const weft_per_cpu_ *areas)
{
	WEFT_ATOMIC(int64_t) *counts = areas->areas;

	for (size_t i = 0; i < areas->bytes / sizeof(*counts); i++)
		atomic_fetch_add_explicit(&counts[i], 1, memory_order_relaxed);
}

/* No count of a CPU is that of another, or a mark. */
static void use_all_areas(void *made)
{
	weft_histogram *histogram = made;
	weft_histogram_snapshot snapshot;
	uint64_t areas;

	assert_int_equal(weft_histogram_snapshot_init(&snapshot, LARGEST, PRECISION), 0);
	assert_int_equal(weft_histogram_reset(histogram, &snapshot), 0);
	assert_int_equal(snapshot.count, 0);
	assert_has_areas(histogram);
	fill(&histogram->restartable_);
	fill(&histogram->atomic_);
	weft_histogram_record(histogram, 5);
	areas = (histogram->restartable_.bytes + histogram->atomic_.bytes) / histogram->area_bytes_;
	assert_int_equal(weft_histogram_reset(histogram, &snapshot), 0);
	assert_int_equal(snapshot.counts[5], areas + 1);
	assert_int_equal(snapshot.count, areas * (snapshot.buckets + 1) + 1);
	assert_int_equal(weft_histogram_reset(histogram, &snapshot), 0);
	assert_int_equal(snapshot.count, 0);
	weft_histogram_snapshot_fini(&snapshot);
}

static void lives_in_lent_memory(void **state)
{
	weft_histogram histogram;

	(void)state;
	lent_memory_is_enough(&(const lent_thing){&histogram, sizeof(histogram),
						  weft_histogram_memory_size(LARGEST, PRECISION),
						  init_in, use_all_areas, fini});
}

/* On every CPU that there is; one has no array, as if it had come after init. */
static void records_on_every_cpu(void **state)
{
	cpu_set_t allowed, one;
	uint64_t cpus = 0;
	recorded test;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	make(&test, LARGEST, PRECISION);
	if (test.histogram.restartable_.bytes > test.histogram.area_bytes_)
		test.histogram.restartable_.bytes -= test.histogram.area_bytes_;
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (!CPU_ISSET(cpu, &allowed) || sched_setaffinity(0, sizeof(one), &one) != 0)
			continue;
		weft_histogram_record(&test.histogram, 63);
		weft_histogram_record(&test.histogram, UINT64_MAX);
		cpus++;
	}
	assert_int_equal(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
	assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.counts[63], cpus);
	assert_int_equal(test.snapshot.counts[test.snapshot.buckets], cpus);
	finish(&test);
}

static recorded signalled;

static void record_in_handler(int number)
{
	(void)number;
	weft_histogram_record(&signalled.histogram, 3);
}

static void signal_handlers_record(void **state)
{
	struct sigaction action = {.sa_handler = record_in_handler}, before;

	(void)state;
	make(&signalled, LARGEST, PRECISION);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	for (int i = 0; i < 100; i++) {
		weft_histogram_record(&signalled.histogram, 2);
		raise(SIGUSR1);
	}
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	assert_int_equal(weft_histogram_reset(&signalled.histogram, &signalled.snapshot), 0);
	assert_int_equal(signalled.snapshot.counts[2], 100);
	assert_int_equal(signalled.snapshot.counts[3], 100);
	finish(&signalled);
}

#define THREADS  8
#define RECORDED 20000

typedef struct recorder {
	recorded *test;
	weft_histogram_snapshot taken;
} recorder;

static void *record_and_reset(void *argument)
{
	recorder *self = argument;
	weft_histogram_snapshot snapshot;

	assert_int_equal(weft_histogram_snapshot_init(&snapshot, LARGEST, PRECISION), 0);
	for (uint64_t i = 0; i < RECORDED; i++) {
		weft_histogram_record(&self->test->histogram, i);
		if (i % 1000 == 0) {
			weft_histogram_reset(&self->test->histogram, &snapshot);
			weft_histogram_snapshot_add(&self->taken, &snapshot);
		}
	}
	weft_histogram_snapshot_fini(&snapshot);
	return NULL;
}

static void many_threads_record_and_reset(void **state)
{
	pthread_t threads[THREADS];
	recorder recorders[THREADS];
	recorded test;

	(void)state;
	make(&test, LARGEST, PRECISION);
	for (int i = 0; i < THREADS; i++) {
		recorders[i].test = &test;
		assert_int_equal(
			weft_histogram_snapshot_init(&recorders[i].taken, LARGEST, PRECISION), 0);
		assert_int_equal(pthread_create(&threads[i], NULL, record_and_reset, &recorders[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
	for (int i = 0; i < THREADS; i++) {
		weft_histogram_snapshot_add(&test.snapshot, &recorders[i].taken);
		weft_histogram_snapshot_fini(&recorders[i].taken);
	}
	assert_int_equal(test.snapshot.count, THREADS * RECORDED);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(test.snapshot.counts[i], THREADS);
	finish(&test);
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

	return (first > second) - (first < second);
}

/* Whether `read` is what is to be read for the number `exact`. */
static bool is_about(uint64_t read, uint64_t exact, unsigned precision_bits)
{
	return read >= exact && read - exact <= exact >> precision_bits;
}

#define NUMBERS 2000

/* One round: numbers of all sizes, against a sorted array of them. */
static void compare_with_array(seeded_random *random, unsigned precision_bits)
{
	static uint64_t numbers[NUMBERS];
	double sum = 0;
	recorded test;

	make(&test, UINT64_MAX, precision_bits);
	for (size_t i = 0; i < NUMBERS; i++) {
		numbers[i] = seeded_random_next(random) >> seeded_random_below(random, 64);
		weft_histogram_record(&test.histogram, numbers[i]);
		sum += (double)numbers[i];
	}
	qsort(numbers, NUMBERS, sizeof(numbers[0]), compare_numbers);
	assert_int_equal(weft_histogram_reset(&test.histogram, &test.snapshot), 0);
	assert_int_equal(test.snapshot.count, NUMBERS);
	for (size_t rank = 1; rank <= NUMBERS; rank++)
		assert_true(is_about(weft_histogram_snapshot_percentile(
					     &test.snapshot, (double)rank * 100 / NUMBERS),
				     numbers[rank - 1], precision_bits));
	assert_true(weft_histogram_snapshot_least(&test.snapshot) <= numbers[0]);
	assert_true(is_about(numbers[0], weft_histogram_snapshot_least(&test.snapshot),
			     precision_bits));
	double error = weft_histogram_snapshot_mean(&test.snapshot) / (sum / NUMBERS) - 1;

	assert_true(fabs(error) <= ldexp(0.5, -(int)precision_bits) + 1e-9);
	finish(&test);
}

static void equals_its_model(void **state)
{
	seeded_random random = {seeded_random_seed()};

	(void)state;
	for (unsigned bits = 0; bits <= 10; bits += 2)
		compare_with_array(&random, bits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_empty),
		cmocka_unit_test(refuses_what_it_cannot_be),
		cmocka_unit_test(refuses_a_snapshot_of_another_shape),
		cmocka_unit_test(buckets_follow_each_other),
		cmocka_unit_test(small_numbers_are_exact),
		cmocka_unit_test(percentiles_are_of_the_right_rank),
		cmocka_unit_test(counts_what_is_beyond_the_range),
		cmocka_unit_test(takes_each_record_once),
		cmocka_unit_test(snapshots_add_up),
		cmocka_unit_test(one_thread_may_lack_sequences),
		cmocka_unit_test(may_be_made_without_sequences),
		cmocka_unit_test(lives_in_lent_memory),
		cmocka_unit_test(records_on_every_cpu),
		cmocka_unit_test(signal_handlers_record),
		cmocka_unit_test(many_threads_record_and_reset),
		cmocka_unit_test(equals_its_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
