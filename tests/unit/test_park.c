/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of sync/park and sync/deadline. Nothing here may hang: waits that should be answered end at
 * a guard deadline and fail, and SIGALRM ends the rest.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/sync/deadline.h>
#include <weft/sync/park.h>

#include "futex_watch.h"

/* A wait that is still going on after this long has missed its wake-up. */
#define GUARD_NS (20 * WEFT_SECONDS)

/* The word of a parker or of a gate; atomics are passed about as pointers to it. */
typedef WEFT_ATOMIC(uint32_t) futex_word;

/* A second thread that waits, and what a test wants to know of it. */
typedef struct waiter {
	pthread_t thread;
	WEFT_ATOMIC(int) thread_number;
	WEFT_ATOMIC(bool) returned;
	weft_parker *parker; /* either this, */
	futex_word *word;    /* or this, while it is 0 */
	uint64_t spin_ns;
	weft_deadline deadline;
	int result;
	int message;      /* what the waking thread wrote before, */
	int message_seen; /* and the waiter saw after */
} waiter;

static void *waiter_main(void *argument)
{
	waiter *self = argument;

	atomic_store(&self->thread_number, futex_watch_thread());
	if (self->parker != NULL)
		self->result = weft_parker_park(self->parker, self->spin_ns, self->deadline);
	else
		self->result = weft_park_while(self->word, 0, self->spin_ns, self->deadline);
	self->message_seen = self->message;
	atomic_store(&self->returned, true);
	return NULL;
}

static void waiter_start(waiter *self)
{
	assert_int_equal(pthread_create(&self->thread, NULL, waiter_main, self), 0);
}

static void until_asleep(const waiter *self, long waits)
{
	futex_watch_until_asleep(&self->thread_number, waits);
}

static void waiter_join(waiter *self)
{
	assert_int_equal(pthread_join(self->thread, NULL), 0);
}

/* Spin budgets: none, short, and longer than any deadline here. */
static const uint64_t budgets[] = {0, 1, 20 * WEFT_MICROSECONDS, UINT64_MAX};

#define BUDGETS (sizeof(budgets) / sizeof(budgets[0]))

/* Deadlines that are over. */
static weft_deadline past(size_t i)
{
	const weft_deadline deadlines[] = {WEFT_NOW, 1, weft_now() - 1, weft_now()};

	return deadlines[i];
}

#define PASTS 4

static void deadline_is_the_clock_plus_ns(void **state)
{
	(void)state;
	uint64_t before = weft_now();
	weft_deadline deadline = weft_after(WEFT_SECONDS);
	uint64_t after = weft_now();

	assert_true(before <= after);
	assert_true(deadline >= before + WEFT_SECONDS && deadline <= after + WEFT_SECONDS);
	assert_true(weft_after(0) >= after);
	assert_true(WEFT_NOW < before);
}

static void deadline_that_does_not_fit_is_forever(void **state)
{
	(void)state;
	assert_true(weft_after(UINT64_MAX) == WEFT_FOREVER);
	assert_true(weft_after(UINT64_MAX - 1) == WEFT_FOREVER);
	assert_true(weft_after(UINT64_MAX - weft_now()) == WEFT_FOREVER);
	/* A year less than that does fit. */
	assert_true(weft_after(UINT64_MAX - weft_now() - 365 * 86400 * WEFT_SECONDS) <
		    WEFT_FOREVER);
}

static void token_is_taken_once(void **state)
{
	(void)state;
	weft_parker parker = {0};

	assert_int_equal(weft_parker_park(&parker, 0, WEFT_NOW), -ETIMEDOUT);
	weft_parker_unpark(&parker);
	assert_int_equal(weft_parker_park(&parker, 0, WEFT_NOW), 0);
	assert_int_equal(weft_parker_park(&parker, 0, WEFT_NOW), -ETIMEDOUT);
	/* Two are one. */
	weft_parker_unpark(&parker);
	weft_parker_unpark(&parker);
	assert_int_equal(weft_parker_park(&parker, 0, WEFT_FOREVER), 0);
	assert_int_equal(weft_parker_park(&parker, 0, WEFT_NOW), -ETIMEDOUT);
	/* And nobody slept, so that nobody entered the kernel. */
	assert_int_equal(atomic_load(&futex_watched.waits), 0);
	assert_int_equal(atomic_load(&futex_watched.wakes), 0);
}

static void token_is_taken_after_the_deadline_too(void **state)
{
	(void)state;
	for (size_t i = 0; i < PASTS; i++) {
		for (size_t k = 0; k < BUDGETS; k++) {
			weft_parker parker = {0};

			weft_parker_unpark(&parker);
			assert_int_equal(weft_parker_park(&parker, budgets[k], past(i)), 0);
		}
	}
}

static void deadline_that_is_over_does_not_wait(void **state)
{
	(void)state;
	weft_parker parker = {0};
	futex_word word = 7;

	for (size_t i = 0; i < PASTS; i++) {
		for (size_t k = 0; k < BUDGETS; k++) {
			assert_int_equal(weft_parker_park(&parker, budgets[k], past(i)),
					 -ETIMEDOUT);
			assert_int_equal(weft_park_while(&word, 7, budgets[k], past(i)),
					 -ETIMEDOUT);
			assert_int_equal(weft_park_while(&word, 8, budgets[k], past(i)), 0);
		}
	}
	assert_int_equal(atomic_load(&futex_watched.waits), 0);
}

static void wait_ends_at_the_deadline_and_not_before(void **state)
{
	(void)state;
	for (size_t k = 0; k < BUDGETS; k++) {
		weft_parker parker = {0};
		futex_word word = 7;
		weft_deadline deadline = weft_after(2 * WEFT_MILLISECONDS);

		assert_int_equal(weft_parker_park(&parker, budgets[k], deadline), -ETIMEDOUT);
		assert_true(weft_now() >= deadline);
		deadline = weft_after(2 * WEFT_MILLISECONDS);
		assert_int_equal(weft_park_while(&word, 7, budgets[k], deadline), -ETIMEDOUT);
		assert_true(weft_now() >= deadline);
	}
}

static void budget_beyond_the_deadline_never_sleeps(void **state)
{
	(void)state;
	weft_parker parker = {0};
	futex_word word = 7;
	weft_deadline deadline = weft_after(WEFT_MILLISECONDS);

	assert_int_equal(weft_parker_park(&parker, UINT64_MAX, deadline), -ETIMEDOUT);
	assert_int_equal(weft_park_while(&word, 7, UINT64_MAX, deadline), -ETIMEDOUT);
	assert_int_equal(atomic_load(&futex_watched.waits), 0);
}

/* The parker or word that a hook works on, and what it counts. */
static weft_parker *hooked_parker;
static futex_word *hooked_word;
static weft_deadline hooked_deadline;
static int looks_at_the_clock;

static bool unpark_at_the_sixth_sleep(long nth)
{
	if (nth == 6)
		weft_parker_unpark(hooked_parker);
	return nth > 6;
}

static void wake_up_without_a_token_goes_on_waiting(void **state)
{
	(void)state;
	weft_parker parker = {0};

	hooked_parker = &parker;
	futex_watched.before_wait = unpark_at_the_sixth_sleep;
	assert_int_equal(weft_parker_park(&parker, 0, weft_after(GUARD_NS)), 0);
	assert_int_equal(atomic_load(&futex_watched.waits), 6);
	/* The token was taken. */
	assert_int_equal(weft_parker_park(&parker, 0, WEFT_NOW), -ETIMEDOUT);
}

static bool change_the_word_at_the_sixth_sleep(long nth)
{
	if (nth == 6)
		atomic_store(hooked_word, 1);
	return nth > 6;
}

static void wake_up_without_a_change_goes_on_waiting(void **state)
{
	(void)state;
	futex_word word = 0;

	hooked_word = &word;
	futex_watched.before_wait = change_the_word_at_the_sixth_sleep;
	assert_int_equal(weft_park_while(&word, 0, 0, weft_after(GUARD_NS)), 0);
	assert_int_equal(atomic_load(&futex_watched.waits), 6);
}

static bool unpark_then_sleep(long nth)
{
	(void)nth;
	weft_parker_unpark(hooked_parker);
	return true;
}

/* The waiter has announced its sleep and is about to enter the kernel: it must not sleep. */
static void token_between_announcement_and_sleep(void **state)
{
	(void)state;
	weft_parker parker = {0};

	hooked_parker = &parker;
	futex_watched.before_wait = unpark_then_sleep;
	assert_int_equal(weft_parker_park(&parker, 0, weft_after(GUARD_NS)), 0);
	assert_int_equal(atomic_load(&futex_watched.waits), 1);
	assert_int_equal(atomic_load(&futex_watched.wakes), 1);
}

static bool pass_the_deadline_then_unpark(long nth)
{
	(void)nth;
	futex_watched.clock_ns = hooked_deadline;
	weft_parker_unpark(hooked_parker);
	return false;
}

/* The sleep is over because of the deadline, and then the token comes: it is taken, not lost. */
static void token_at_the_deadline_is_taken(void **state)
{
	(void)state;
	weft_parker parker = {0};

	hooked_parker = &parker;
	futex_watched.before_wait = pass_the_deadline_then_unpark;
	hooked_deadline = weft_after(GUARD_NS);
	assert_int_equal(weft_parker_park(&parker, 0, hooked_deadline), 0);
	assert_int_equal(weft_parker_park(&parker, 0, WEFT_NOW), -ETIMEDOUT);
}

/* A waiter that gave up leaves nothing behind: the next token is kept, with no system call. */
static void token_after_the_deadline_is_kept(void **state)
{
	(void)state;
	weft_parker parker = {0};

	assert_int_equal(weft_parker_park(&parker, 0, weft_after(WEFT_MILLISECONDS)), -ETIMEDOUT);
	weft_parker_unpark(&parker);
	assert_int_equal(atomic_load(&futex_watched.wakes), 0);
	assert_int_equal(weft_parker_park(&parker, 0, WEFT_NOW), 0);
}

/* Before the waiter's second look at the clock the word changes, and then the deadline passes. */
static void change_the_word_then_pass_the_deadline(void)
{
	if (++looks_at_the_clock != 2)
		return;
	atomic_store(hooked_word, 1);
	futex_watched.clock_ns = hooked_deadline;
}

static bool wake_up_for_nothing(long nth)
{
	(void)nth;
	return false;
}

/* The clock stands one nanosecond before the deadline, until the waiter has slept five times. */
static bool reach_the_deadline_after_five_sleeps(long nth)
{
	if (nth == 5)
		futex_watched.clock_ns = hooked_deadline;
	return false;
}

static void one_nanosecond_before_the_deadline_is_before_it(void **state)
{
	(void)state;
	weft_parker parker = {0};
	futex_word word = 0;

	hooked_deadline = weft_after(GUARD_NS);
	futex_watched.before_wait = reach_the_deadline_after_five_sleeps;
	futex_watched.clock_ns = hooked_deadline - 1;
	assert_int_equal(weft_parker_park(&parker, 0, hooked_deadline), -ETIMEDOUT);
	assert_int_equal(atomic_load(&futex_watched.waits), 5);
	atomic_store(&futex_watched.waits, 0);
	futex_watched.clock_ns = hooked_deadline - 1;
	assert_int_equal(weft_park_while(&word, 0, 0, hooked_deadline), -ETIMEDOUT);
	assert_int_equal(atomic_load(&futex_watched.waits), 5);
}

/*
 * A waiter that is preempted between its last look at the word and the clock must look again: the
 * word has changed before the deadline. (Without a budget, that look is the one after a sleep.)
 */
static void change_before_the_deadline_is_seen(void **state)
{
	(void)state;
	for (size_t k = 0; k < BUDGETS; k++) {
		futex_word word = 0;

		hooked_word = &word;
		hooked_deadline = weft_after(GUARD_NS);
		looks_at_the_clock = 0;
		futex_watched.before_clock = change_the_word_then_pass_the_deadline;
		futex_watched.before_wait = wake_up_for_nothing;
		assert_int_equal(weft_park_while(&word, 0, budgets[k], hooked_deadline), 0);
		assert_true(looks_at_the_clock >= 2);
		futex_watch_reset(NULL);
	}
}

static void unpark_wakes_a_sleeper(void **state)
{
	(void)state;
	weft_parker parker = {0};
	waiter one = {.parker = &parker, .deadline = weft_after(GUARD_NS)};

	waiter_start(&one);
	until_asleep(&one, 1);
	one.message = 42;
	weft_parker_unpark(&parker);
	waiter_join(&one);
	assert_int_equal(one.result, 0);
	assert_int_equal(one.message_seen, 42);
	assert_int_equal(atomic_load(&futex_watched.wakes), 1);
	assert_int_equal(atomic_load(&futex_watched.woken), 1);
}

/* Nobody sleeps, so that nobody may pay for a wake: neither side enters the kernel. */
static void unpark_of_a_spinner_makes_no_system_call(void **state)
{
	(void)state;
	weft_parker parker = {0};
	waiter one = {.parker = &parker, .spin_ns = UINT64_MAX, .deadline = weft_after(GUARD_NS)};

	waiter_start(&one);
	while (atomic_load(&one.thread_number) == 0)
		sched_yield();
	one.message = 42;
	weft_parker_unpark(&parker);
	waiter_join(&one);
	assert_int_equal(one.result, 0);
	assert_int_equal(one.message_seen, 42);
	assert_int_equal(atomic_load(&futex_watched.waits), 0);
	assert_int_equal(atomic_load(&futex_watched.wakes), 0);
}

static void park_forever_ends_with_the_token(void **state)
{
	(void)state;
	const weft_deadline far[] = {WEFT_FOREVER, WEFT_FOREVER - 1, weft_after(UINT64_MAX / 2)};

	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		weft_parker parker = {0};
		waiter one = {.parker = &parker, .deadline = far[i]};

		futex_watch_reset(NULL);
		waiter_start(&one);
		until_asleep(&one, 1);
		assert_false(atomic_load(&one.returned));
		weft_parker_unpark(&parker);
		waiter_join(&one);
		assert_int_equal(one.result, 0);
	}
}

static void on_signal(int number)
{
	(void)number;
}

/* Has three signals interrupt the waiter's sleep; then it sleeps again. */
static void interrupt_three_times(waiter *one)
{
	struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */

	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	for (long time = 1; time <= 3; time++) {
		/* A signal that comes just before the sleep does not end it: send another. */
		while (atomic_load(&futex_watched.interrupted) < time) {
			until_asleep(one, time);
			assert_int_equal(pthread_kill(one->thread, SIGUSR1), 0);
		}
	}
	until_asleep(one, 4);
	assert_false(atomic_load(&one->returned));
}

static void signals_do_not_end_the_wait(void **state)
{
	(void)state;
	weft_parker parker = {0};
	waiter one = {.parker = &parker, .deadline = weft_after(GUARD_NS)};

	waiter_start(&one);
	interrupt_three_times(&one);
	weft_parker_unpark(&parker);
	waiter_join(&one);
	assert_int_equal(one.result, 0);
}

static bool sleep_only_from_the_sixth(long nth)
{
	return nth > 5;
}

static void wake_ups_do_not_move_the_deadline(void **state)
{
	(void)state;
	weft_parker parker = {0};
	futex_word word = 0;
	weft_deadline deadline = weft_after(2 * WEFT_MILLISECONDS);

	futex_watched.before_wait = sleep_only_from_the_sixth;
	assert_int_equal(weft_parker_park(&parker, 0, deadline), -ETIMEDOUT);
	assert_true(weft_now() >= deadline);
	atomic_store(&futex_watched.waits, 0);
	deadline = weft_after(2 * WEFT_MILLISECONDS);
	assert_int_equal(weft_park_while(&word, 0, 0, deadline), -ETIMEDOUT);
	assert_true(weft_now() >= deadline);
}

#define SLEEPERS 3

/* Threads that all sleep on the word, until the deadline. */
static void start_sleepers(waiter *sleepers, futex_word *word)
{
	for (long i = 0; i < SLEEPERS; i++) {
		sleepers[i] = (waiter){.word = word, .deadline = weft_after(GUARD_NS)};
		waiter_start(&sleepers[i]);
		until_asleep(&sleepers[i], i + 1);
	}
}

static void join_sleepers(waiter *sleepers)
{
	for (int i = 0; i < SLEEPERS; i++) {
		waiter_join(&sleepers[i]);
		assert_int_equal(sleepers[i].result, 0);
	}
}

static int returned(const waiter *sleepers)
{
	int sum = 0;

	for (int i = 0; i < SLEEPERS; i++)
		sum += atomic_load(&sleepers[i].returned);
	return sum;
}

static void wake_wakes_as_many_as_asked(void **state)
{
	(void)state;
	futex_word word = 0;
	waiter sleepers[SLEEPERS];

	start_sleepers(sleepers, &word);
	/* relaxed would do for the word; the messages need the release. */
	atomic_store_explicit(&word, 1, memory_order_release);
	assert_int_equal(returned(sleepers), 0);
	weft_park_wake(&word, 1);
	assert_int_equal(atomic_load(&futex_watched.woken), 1);
	while (returned(sleepers) == 0)
		sched_yield();
	weft_park_wake(&word, WEFT_PARK_ALL);
	assert_int_equal(atomic_load(&futex_watched.woken), SLEEPERS);
	join_sleepers(sleepers);
	weft_park_wake(&word, WEFT_PARK_ALL);
	assert_int_equal(atomic_load(&futex_watched.woken), SLEEPERS);
}

static void wake_without_a_change_ends_no_wait(void **state)
{
	(void)state;
	futex_word word = 0;
	waiter sleepers[SLEEPERS];

	start_sleepers(sleepers, &word);
	weft_park_wake(&word, WEFT_PARK_ALL);
	for (int i = 0; i < SLEEPERS; i++)
		until_asleep(&sleepers[i], (long)2 * SLEEPERS);
	assert_int_equal(returned(sleepers), 0);
	atomic_store_explicit(&word, 1, memory_order_release);
	weft_park_wake(&word, WEFT_PARK_ALL);
	join_sleepers(sleepers);
}

/* The waker may come when the waiter has left and freed the word. */
static void wake_does_not_read_the_word(void **state)
{
	(void)state;
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	weft_park_wake(page, 1);
	assert_int_equal(munmap(page, bytes), 0);
	weft_park_wake(page, WEFT_PARK_ALL);
	assert_int_equal(atomic_load(&futex_watched.wakes), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(deadline_is_the_clock_plus_ns, futex_watch_reset),
		cmocka_unit_test_setup(deadline_that_does_not_fit_is_forever, futex_watch_reset),
		cmocka_unit_test_setup(token_is_taken_once, futex_watch_reset),
		cmocka_unit_test_setup(token_is_taken_after_the_deadline_too, futex_watch_reset),
		cmocka_unit_test_setup(deadline_that_is_over_does_not_wait, futex_watch_reset),
		cmocka_unit_test_setup(wait_ends_at_the_deadline_and_not_before, futex_watch_reset),
		cmocka_unit_test_setup(budget_beyond_the_deadline_never_sleeps, futex_watch_reset),
		cmocka_unit_test_setup(wake_up_without_a_token_goes_on_waiting, futex_watch_reset),
		cmocka_unit_test_setup(wake_up_without_a_change_goes_on_waiting, futex_watch_reset),
		cmocka_unit_test_setup(token_between_announcement_and_sleep, futex_watch_reset),
		cmocka_unit_test_setup(token_at_the_deadline_is_taken, futex_watch_reset),
		cmocka_unit_test_setup(token_after_the_deadline_is_kept, futex_watch_reset),
		cmocka_unit_test_setup(one_nanosecond_before_the_deadline_is_before_it,
				       futex_watch_reset),
		cmocka_unit_test_setup(change_before_the_deadline_is_seen, futex_watch_reset),
		cmocka_unit_test_setup(unpark_wakes_a_sleeper, futex_watch_reset),
		cmocka_unit_test_setup(unpark_of_a_spinner_makes_no_system_call, futex_watch_reset),
		cmocka_unit_test_setup(park_forever_ends_with_the_token, futex_watch_reset),
		cmocka_unit_test_setup(signals_do_not_end_the_wait, futex_watch_reset),
		cmocka_unit_test_setup(wake_ups_do_not_move_the_deadline, futex_watch_reset),
		cmocka_unit_test_setup(wake_wakes_as_many_as_asked, futex_watch_reset),
		cmocka_unit_test_setup(wake_without_a_change_ends_no_wait, futex_watch_reset),
		cmocka_unit_test_setup(wake_does_not_read_the_word, futex_watch_reset),
	};

	/* A wait without a deadline that is never answered ends the program, by SIGALRM. */
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
