/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of counter, gauge and histogram: threads add and record, while another thread disturbs
 * them.
 *
 *   - the sum is exact: when the threads are moved from CPU to CPU in the middle of their
 *     additions, when signals whose handlers add as well come in between, and when some threads
 *     have restartable sequences and others have not; so is the histogram's count of each number;
 *   - a sum of positive amounts never goes back;
 *   - whoever resets meanwhile, each addition and each record is in one of the sums and snapshots
 *     that resets return, and the extremes of all of a gauge's intervals are those of all values.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include <weft/lockfree/counter.h>
#include <weft/lockfree/gauge.h>
#include <weft/lockfree/histogram.h>

#include "../rseq_leave.h"
#include "forced_moves.h"
#include "stress.h"

/* Additions of each worker and disturbances, at least. */
#define ADDITIONS_MIN    10000
#define DISTURBANCES_MIN 20

/* After so many additions a worker lets another thread run, lest the disturber waits for long. */
#define RUN 2000

/* What is recorded: numbers below this, of which each has its own bucket. */
#define NUMBERS 1000
/* The one that signal handlers record. */
#define HANDLED   500
#define PRECISION 9

typedef struct statistics_test {
	const char *name;
	unsigned workers;
	/* What the disturber does. */
	bool moves, signals;
	/* Whether every other worker gives its restartable sequences back. */
	bool mixed;
	/* Whether all of them reset; else the disturber reads. */
	bool resets;
} statistics_test;

/* Handlers find it here. */
static struct {
	weft_counter rising; /* gets positive amounts only */
	weft_counter mixed;  /* gets positive and negative ones */
	weft_gauge gauge; /* its level is a copy of `mixed`, but for resets; records the numbers */
	weft_histogram histogram;
	/* How often the handler ran. */
	WEFT_ATOMIC(uint64_t) handled;
} counted;

typedef struct statistics_stress {
	stress_crew crew;
	const statistics_test *test;
	/* The CPUs that the disturber moves the workers to. */
	size_t cpus[2];
	/* Whether the disturber has finished; the workers then do. */
	atomic_bool over;
	uint64_t disturbances;
	struct statistics_worker *workers;
} statistics_stress;

typedef struct statistics_worker {
	statistics_stress *round;
	/* Its number, from 0; that of the disturber comes last. */
	unsigned number;
	/* Valid once all have started. */
	pthread_t thread;
	seeded_random random;
	/* What it added, and what its resets took. */
	int64_t rising, mixed;
	int64_t rising_taken, mixed_taken;
	/* How often it recorded each number; the extremes of its resets, and what they took. */
	uint64_t recorded[NUMBERS];
	int64_t high, low;
	weft_histogram_snapshot snapshot, taken;
} statistics_worker;

static void add_in_handler(int signal_number)
{
	(void)signal_number;
	weft_counter_increment(&counted.rising);
	weft_counter_add(&counted.mixed, -7);
	weft_gauge_subtract(&counted.gauge, 7);
	weft_gauge_record(&counted.gauge, HANDLED);
	weft_histogram_record(&counted.histogram, HANDLED);
	/* relaxed: only counts. */
	atomic_fetch_add_explicit(&counted.handled, 1, memory_order_relaxed);
}

/*
 * Only workers take the signals, while they work. The sum is final when they have been joined, and
 * no handler runs inside a pthread_join, where ThreadSanitizer may hold the lock that it wants.
 */
static void mask_alarm(int how)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(how, &alarm_only, NULL);
}

static void add_run(statistics_worker *self)
{
	for (int i = 0; i < RUN; i++) {
		uint64_t number = seeded_random_below(&self->random, NUMBERS);
		int64_t amount = (int64_t)number;

		weft_counter_increment(&counted.rising);
		weft_counter_add(&counted.rising, amount);
		weft_counter_add(&counted.mixed, amount - 500);
		weft_gauge_add(&counted.gauge, amount - 500);
		weft_gauge_record(&counted.gauge, amount);
		weft_histogram_record(&counted.histogram, number);
		self->recorded[number]++;
		self->rising += 1 + amount;
		self->mixed += amount - 500;
	}
}

static void reset(statistics_worker *self)
{
	int64_t taken = weft_counter_reset(&counted.rising);

	if (taken < 0)
		stress_fail(&self->round->crew, "a reset took less than nothing");
	self->rising_taken += taken;
	self->mixed_taken += weft_counter_reset(&counted.mixed);

	int64_t high = weft_gauge_reset_high(&counted.gauge);
	int64_t low = weft_gauge_reset_low(&counted.gauge);

	self->high = high > self->high ? high : self->high;
	self->low = low < self->low ? low : self->low;
	if (weft_histogram_reset(&counted.histogram, &self->snapshot) != 0 ||
	    weft_histogram_snapshot_add(&self->taken, &self->snapshot) != 0)
		stress_fail(&self->round->crew, "a snapshot was refused");
}

static void *add(statistics_worker *self)
{
	statistics_stress *round = self->round;
	unsigned additions = 0;

	if (round->test->mixed && self->number % 2 == 1 && !rseq_leave())
		stress_fail(&round->crew, "the thread keeps its restartable sequences");
	if (round->test->signals)
		mask_alarm(SIG_UNBLOCK);
	stress_start_together(&round->crew);
	while (additions < ADDITIONS_MIN ||
	       !atomic_load_explicit(&round->over, memory_order_relaxed)) {
		add_run(self);
		if (round->test->resets)
			reset(self);
		additions += RUN;
		sched_yield();
	}
	mask_alarm(SIG_BLOCK);
	return NULL;
}

static void disturb_all(statistics_stress *round)
{
	const statistics_test *test = round->test;

	for (unsigned i = 0; i < test->workers; i++) {
		pthread_t thread = round->workers[i].thread;

		if (test->moves)
			move_thread(&round->crew, thread,
				    round->cpus[(round->disturbances + i) % 2]);
		if (test->signals)
			signal_thread(&round->crew, thread);
	}
	round->disturbances++;
}

/* Also the reader: what it reads never falls. */
static void *disturb(statistics_worker *self)
{
	statistics_stress *round = self->round;
	int64_t before = 0;

	stress_start_together(&round->crew);
	while (round->disturbances < DISTURBANCES_MIN || !stress_time_is_over(&round->crew)) {
		if (round->test->resets) {
			reset(self);
		} else {
			int64_t now = weft_counter_read(&counted.rising);

			if (now < before)
				stress_fail(&round->crew, "the sum of positive amounts fell");
			before = now;
		}
		disturb_all(round);
		if (!stress_wait(&round->crew))
			break;
	}
	atomic_store_explicit(&round->over, true, memory_order_relaxed);
	return NULL;
}

static void *work(void *argument)
{
	statistics_worker *self = argument;

	self->thread = pthread_self();
	return self->number < self->round->test->workers ? add(self) : disturb(self);
}

/* Of what is left and of what was taken: each number as often as it was recorded. */
static void check_records(statistics_stress *round, statistics_worker *left, uint64_t handled)
{
	int64_t least = HANDLED, largest = HANDLED;

	for (uint64_t number = 0; number < NUMBERS; number++) {
		uint64_t recorded = number == HANDLED ? handled : 0;
		uint64_t found = left->taken.counts[number];

		for (unsigned i = 0; i <= round->test->workers; i++) {
			recorded += round->workers[i].recorded[number];
			found += round->workers[i].taken.counts[number];
		}
		assert_true(found == recorded);
		if (recorded > 0 && (int64_t)number < least)
			least = (int64_t)number;
		if (recorded > 0)
			largest = (int64_t)number > largest ? (int64_t)number : largest;
	}
	for (unsigned i = 0; i <= round->test->workers; i++) {
		left->high =
			round->workers[i].high > left->high ? round->workers[i].high : left->high;
		left->low = round->workers[i].low < left->low ? round->workers[i].low : left->low;
	}
	assert_int_equal(left->high, largest);
	assert_int_equal(left->low, least);
}

static void check_sums(statistics_stress *round, statistics_worker *left)
{
	uint64_t handled = atomic_load_explicit(&counted.handled, memory_order_relaxed);
	int64_t rising = (int64_t)handled, mixed = -7 * (int64_t)handled;

	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	reset(left);
	for (unsigned i = 0; i <= round->test->workers; i++) {
		rising += round->workers[i].rising;
		mixed += round->workers[i].mixed;
		left->rising_taken += round->workers[i].rising_taken;
		left->mixed_taken += round->workers[i].mixed_taken;
	}
	printf("# sum %lld, disturbed %llu times, %llu signals handled\n", (long long)rising,
	       (unsigned long long)round->disturbances, (unsigned long long)handled);
	assert_true(left->rising_taken == rising);
	assert_true(left->mixed_taken == mixed);
	assert_true(weft_gauge_read(&counted.gauge) == mixed);
	check_records(round, left, handled);
	assert_int_equal(handled > 0, round->test->signals);
}

static const statistics_test statistics_tests[] = {
	{"2 threads", 2, .moves = false},
	{"2 threads that are moved", 2, .moves = true},
	{"2 threads that get signals", 2, .signals = true},
	{"2 threads that are moved and get signals, one without sequences", 2, .moves = true,
	 .signals = true, .mixed = true},
	{"2 threads that reset, the same", 2, .moves = true, .signals = true, .mixed = true,
	 .resets = true},
	{"15 threads", 15, .moves = false},
	{"15 threads that are moved", 15, .moves = true},
	{"15 threads that get signals", 15, .signals = true},
	{"15 threads that are moved and get signals, 7 without sequences", 15, .moves = true,
	 .signals = true, .mixed = true},
	{"15 threads that reset, the same", 15, .moves = true, .signals = true, .mixed = true,
	 .resets = true},
};

#define TESTS (sizeof(statistics_tests) / sizeof(statistics_tests[0]))

static seeded_random seeds;

static void worker_init(statistics_worker *worker, statistics_stress *round, unsigned number)
{
	memset((void *)worker, 0, sizeof(*worker));
	worker->round = round;
	worker->number = number;
	worker->random.state = seeded_random_next(&seeds);
	worker->high = WEFT_GAUGE_HIGH_NONE;
	worker->low = WEFT_GAUGE_LOW_NONE;
	assert_int_equal(weft_histogram_snapshot_init(&worker->snapshot, NUMBERS, PRECISION), 0);
	assert_int_equal(weft_histogram_snapshot_init(&worker->taken, NUMBERS, PRECISION), 0);
}

static void counted_init(void)
{
	assert_int_equal(weft_counter_init(&counted.rising), 0);
	assert_int_equal(weft_counter_init(&counted.mixed), 0);
	assert_int_equal(weft_gauge_init(&counted.gauge), 0);
	assert_int_equal(weft_histogram_init(&counted.histogram, NUMBERS, PRECISION), 0);
	atomic_store_explicit(&counted.handled, 0, memory_order_relaxed);
}

static void counted_fini(void)
{
	weft_counter_fini(&counted.rising);
	weft_counter_fini(&counted.mixed);
	weft_gauge_fini(&counted.gauge);
	weft_histogram_fini(&counted.histogram);
}

static void run_stress(void **state)
{
	const statistics_test *test = *state;
	/* One more, for what is left at the end. */
	static statistics_worker workers[STRESS_THREADS_MAX + 1];
	statistics_stress round;

	memset((void *)&round, 0, sizeof(round));
	if (!find_cpus(round.cpus) && test->moves)
		skip();
	round.test = test;
	round.workers = workers;
	counted_init();
	for (unsigned i = 0; i <= test->workers + 1; i++)
		worker_init(&workers[i], &round, i);
	stress_crew_init(&round.crew, test->workers + 1, stress_deadline_ns(TESTS));
	set_timer(test->signals);
	stress_run(&round.crew, work, workers, sizeof(workers[0]));
	set_timer(false);
	check_sums(&round, &workers[test->workers + 1]);
	for (unsigned i = 0; i <= test->workers + 1; i++) {
		weft_histogram_snapshot_fini(&workers[i].snapshot);
		weft_histogram_snapshot_fini(&workers[i].taken);
	}
	counted_fini();
}

int main(void)
{
	struct sigaction action = {.sa_handler = add_in_handler, .sa_flags = SA_RESTART};
	struct CMUnitTest tests[TESTS];

	if (sigaction(SIGALRM, &action, NULL) != 0)
		return 1;
	mask_alarm(SIG_BLOCK);
	for (size_t i = 0; i < TESTS; i++)
		tests[i] = (struct CMUnitTest){statistics_tests[i].name, run_stress, NULL, NULL,
					       (void *)(uintptr_t)&statistics_tests[i]};
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
