/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the counter: threads add, while another thread disturbs them.
 *
 *   - the sum is exact: when the threads are moved from CPU to CPU in the middle of their
 *     additions, when signals whose handlers add as well come in between, and when some threads
 * have restartable sequences and others have not;
 *   - a sum of positive amounts never goes back;
 *   - whoever resets meanwhile, each addition is in one of the sums that resets return.
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

#include "../rseq_leave.h"
#include "stress.h"

/* Additions of each worker and disturbances, at least. */
#define ADDITIONS_MIN    10000
#define DISTURBANCES_MIN 20

/* After so many additions a worker lets another thread run, lest the disturber waits for long. */
#define RUN 2000

typedef struct counter_test {
	const char *name;
	unsigned workers;
	/* What the disturber does. */
	bool moves, signals;
	/* Whether every other worker gives its restartable sequences back. */
	bool mixed;
	/* Whether all of them reset; else the disturber reads. */
	bool resets;
} counter_test;

/* Handlers find it here. */
static struct {
	weft_counter rising; /* gets positive amounts only */
	weft_counter mixed;  /* gets positive and negative ones */
	/* How often the handler ran. */
	WEFT_ATOMIC(uint64_t) handled;
} counted;

typedef struct counter_stress {
	stress_crew crew;
	const counter_test *test;
	/* The CPUs that the disturber moves the workers to. */
	size_t cpus[2];
	/* Whether the disturber has finished; the workers then do. */
	atomic_bool over;
	uint64_t disturbances;
	struct counter_worker *workers;
} counter_stress;

typedef struct counter_worker {
	counter_stress *round;
	/* Its number, from 0; that of the disturber comes last. */
	unsigned number;
	/* Valid once all have started. */
	pthread_t thread;
	seeded_random random;
	/* What it added, and what its resets took. */
	int64_t rising, mixed;
	int64_t rising_taken, mixed_taken;
} counter_worker;

static void add_in_handler(int signal_number)
{
	(void)signal_number;
	weft_counter_increment(&counted.rising);
	weft_counter_add(&counted.mixed, -7);
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

static void add_run(counter_worker *self)
{
	for (int i = 0; i < RUN; i++) {
		int64_t amount = (int64_t)seeded_random_below(&self->random, 1000);

		weft_counter_increment(&counted.rising);
		weft_counter_add(&counted.rising, amount);
		weft_counter_add(&counted.mixed, amount - 500);
		self->rising += 1 + amount;
		self->mixed += amount - 500;
	}
}

static void reset(counter_worker *self)
{
	int64_t taken = weft_counter_reset(&counted.rising);

	if (taken < 0)
		stress_fail(&self->round->crew, "a reset took less than nothing");
	self->rising_taken += taken;
	self->mixed_taken += weft_counter_reset(&counted.mixed);
}

static void *add(counter_worker *self)
{
	counter_stress *round = self->round;
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

static void disturb_all(counter_stress *round)
{
	const counter_test *test = round->test;

	for (unsigned i = 0; i < test->workers; i++) {
		pthread_t thread = round->workers[i].thread;
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET(round->cpus[(round->disturbances + i) % 2], &one);
		if (test->moves && pthread_setaffinity_np(thread, sizeof(one), &one) != 0)
			stress_fail(&round->crew, "a thread could not be moved");
		if (test->signals && pthread_kill(thread, SIGALRM) != 0)
			stress_fail(&round->crew, "a thread could not be signalled");
	}
	round->disturbances++;
}

/* Also the reader: what it reads never falls. */
static void *disturb(counter_worker *self)
{
	counter_stress *round = self->round;
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
	counter_worker *self = argument;

	self->thread = pthread_self();
	return self->number < self->round->test->workers ? add(self) : disturb(self);
}

/* Two CPUs to go to and fro; false where there is only one. */
static bool find_cpus(size_t cpus[2])
{
	cpu_set_t allowed;
	int found = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return false;
	for (size_t cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			cpus[found++] = cpu;
	}
	return found == 2;
}

/* A signal every 100 microseconds, to whichever worker, in addition to those of the disturber. */
static void set_timer(bool on)
{
	struct itimerval interval = {{0, on ? 100 : 0}, {0, on ? 100 : 0}};

	assert_int_equal(setitimer(ITIMER_REAL, &interval, NULL), 0);
}

static void check_sums(counter_stress *round)
{
	uint64_t handled = atomic_load_explicit(&counted.handled, memory_order_relaxed);
	int64_t rising = (int64_t)handled, mixed = -7 * (int64_t)handled;

	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	for (unsigned i = 0; i <= round->test->workers; i++) {
		const counter_worker *worker = &round->workers[i];

		rising += worker->rising - worker->rising_taken;
		mixed += worker->mixed - worker->mixed_taken;
	}
	printf("# left %lld, disturbed %llu times, %llu signals handled\n", (long long)rising,
	       (unsigned long long)round->disturbances, (unsigned long long)handled);
	assert_true(weft_counter_read(&counted.rising) == rising);
	assert_true(weft_counter_read(&counted.mixed) == mixed);
	assert_int_equal(handled > 0, round->test->signals);
}

static const counter_test counter_tests[] = {
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

#define TESTS (sizeof(counter_tests) / sizeof(counter_tests[0]))

static seeded_random seeds;

static void run_stress(void **state)
{
	const counter_test *test = *state;
	counter_worker workers[STRESS_THREADS_MAX];
	counter_stress round;

	memset((void *)&round, 0, sizeof(round));
	if (!find_cpus(round.cpus) && test->moves)
		skip();
	round.test = test;
	round.workers = workers;
	for (unsigned i = 0; i <= test->workers; i++)
		workers[i] = (counter_worker){
			.round = &round, .number = i, .random = {seeded_random_next(&seeds)}};
	assert_int_equal(weft_counter_init(&counted.rising), 0);
	assert_int_equal(weft_counter_init(&counted.mixed), 0);
	atomic_store_explicit(&counted.handled, 0, memory_order_relaxed);
	stress_crew_init(&round.crew, test->workers + 1, stress_deadline_ns(TESTS));
	set_timer(test->signals);
	stress_run(&round.crew, work, workers, sizeof(workers[0]));
	set_timer(false);
	check_sums(&round);
	weft_counter_fini(&counted.rising);
	weft_counter_fini(&counted.mixed);
}

int main(void)
{
	struct sigaction action = {.sa_handler = add_in_handler, .sa_flags = SA_RESTART};
	struct CMUnitTest tests[TESTS];

	if (sigaction(SIGALRM, &action, NULL) != 0)
		return 1;
	mask_alarm(SIG_BLOCK);
	for (size_t i = 0; i < TESTS; i++)
		tests[i] = (struct CMUnitTest){counter_tests[i].name, run_stress, NULL, NULL,
					       (void *)(uintptr_t)&counter_tests[i]};
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
