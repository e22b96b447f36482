/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of sync/eventcount. Nothing here may hang: waits that should be answered end at a guard
 * deadline and fail, and SIGALRM ends the rest. That no notification is lost between threads is for
 * the stress and the model.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/sync/eventcount.h>

#include "futex_watch.h"

/* A wait that is still going on after this long has missed its notification. */
#define GUARD_NS (20 * WEFT_SECONDS)

typedef void notify_function(weft_eventcount *eventcount);

static notify_function *const notifies[] = {weft_eventcount_notify_one, weft_eventcount_notify_all};

#define NOTIFIES (sizeof(notifies) / sizeof(notifies[0]))

/* Spin budgets: none, short, and longer than any deadline here. */
static const uint64_t budgets[] = {0, 1, 20 * WEFT_MICROSECONDS, UINT64_MAX};

#define BUDGETS (sizeof(budgets) / sizeof(budgets[0]))

/* A thread that waits once. */
typedef struct waiter {
	pthread_t thread;
	WEFT_ATOMIC(int) thread_number;
	WEFT_ATOMIC(bool) prepared;
	WEFT_ATOMIC(bool) returned;
	weft_eventcount *eventcount;
	uint64_t spin_ns;
	int result;
	const int *message; /* what the notifying thread wrote before, */
	int message_seen;   /* and the waiter saw after */
} waiter;

static void *waiter_main(void *argument)
{
	waiter *self = argument;
	uint32_t key = weft_eventcount_prepare(self->eventcount);

	atomic_store(&self->thread_number, futex_watch_thread());
	atomic_store(&self->prepared, true);
	self->result =
		weft_eventcount_wait(self->eventcount, key, self->spin_ns, weft_after(GUARD_NS));
	self->message_seen = *self->message;
	atomic_store(&self->returned, true);
	return NULL;
}

#define WAITERS 3

/* Starts threads that wait; those that do not spin sleep when this returns. */
static void start_waiters(waiter *waiters, weft_eventcount *eventcount, uint64_t spin_ns,
			  const int *message)
{
	for (long i = 0; i < WAITERS; i++) {
		waiter *one = &waiters[i];

		*one = (waiter){.eventcount = eventcount, .spin_ns = spin_ns, .message = message};
		assert_int_equal(pthread_create(&one->thread, NULL, waiter_main, one), 0);
		while (!atomic_load(&one->prepared))
			sched_yield();
		if (spin_ns == 0)
			futex_watch_until_asleep(&one->thread_number, i + 1);
	}
}

static int returned(const waiter *waiters)
{
	int sum = 0;

	for (int i = 0; i < WAITERS; i++)
		sum += atomic_load(&waiters[i].returned);
	return sum;
}

static void join_waiters(waiter *waiters)
{
	for (int i = 0; i < WAITERS; i++) {
		assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
		assert_int_equal(waiters[i].result, 0);
		assert_int_equal(waiters[i].message_seen, 42);
	}
}

/* Nobody is announced: a notification makes no system call and leaves no trace. */
static void assert_nobody_waits(weft_eventcount *eventcount)
{
	long wakes = atomic_load(&futex_watched.wakes);
	uint32_t epoch = atomic_load(&eventcount->epoch_);

	weft_eventcount_notify_one(eventcount);
	weft_eventcount_notify_all(eventcount);
	assert_int_equal(atomic_load(&futex_watched.wakes), wakes);
	assert_int_equal(atomic_load(&eventcount->epoch_), epoch);
}

static void notification_of_nobody_costs_no_system_call(void **state)
{
	(void)state;
	weft_eventcount eventcount = {0};

	assert_nobody_waits(&eventcount);
	/* Nor is it kept for a later waiter. */
	uint32_t key = weft_eventcount_prepare(&eventcount);

	assert_int_equal(weft_eventcount_wait(&eventcount, key, 0, WEFT_NOW), -ETIMEDOUT);
	assert_nobody_waits(&eventcount);
}

static void cancel_takes_one_announcement_back(void **state)
{
	(void)state;
	weft_eventcount eventcount = {0};

	weft_eventcount_prepare(&eventcount);
	weft_eventcount_prepare(&eventcount);
	weft_eventcount_cancel(&eventcount);
	weft_eventcount_notify_one(&eventcount);
	assert_int_equal(atomic_load(&eventcount.epoch_), 1);
	/* Who has announced itself does not sleep yet. */
	assert_int_equal(atomic_load(&futex_watched.wakes), 0);
	weft_eventcount_cancel(&eventcount);
	assert_nobody_waits(&eventcount);
}

static void notification_between_prepare_and_wait_ends_the_wait(void **state)
{
	(void)state;
	const weft_deadline deadlines[] = {WEFT_NOW, 1, WEFT_FOREVER};

	for (size_t i = 0; i < NOTIFIES * 3 * BUDGETS; i++) {
		notify_function *notify = notifies[i % NOTIFIES];
		weft_deadline deadline = deadlines[i / NOTIFIES % 3];
		uint64_t spin_ns = budgets[i / NOTIFIES / 3];
		weft_eventcount eventcount = {0};
		uint32_t key = weft_eventcount_prepare(&eventcount);

		notify(&eventcount);
		assert_int_equal(weft_eventcount_wait(&eventcount, key, spin_ns, deadline), 0);
		assert_nobody_waits(&eventcount);
	}
	assert_int_equal(atomic_load(&futex_watched.waits), 0);
}

static void notification_before_prepare_does_not_end_the_wait(void **state)
{
	(void)state;
	weft_eventcount eventcount = {0};
	uint32_t other = weft_eventcount_prepare(&eventcount);

	weft_eventcount_notify_one(&eventcount);

	uint32_t key = weft_eventcount_prepare(&eventcount);

	assert_int_equal(weft_eventcount_wait(&eventcount, key, 0, WEFT_NOW), -ETIMEDOUT);
	assert_int_equal(weft_eventcount_wait(&eventcount, other, 0, WEFT_NOW), 0);
	assert_nobody_waits(&eventcount);
}

static void epoch_may_wrap(void **state)
{
	(void)state;
	weft_eventcount eventcount = {.epoch_ = UINT32_MAX};
	uint32_t key = weft_eventcount_prepare(&eventcount);

	weft_eventcount_notify_one(&eventcount);
	weft_eventcount_notify_all(&eventcount);
	assert_int_equal(weft_eventcount_wait(&eventcount, key, 0, WEFT_NOW), 0);
}

static void wait_ends_at_the_deadline_and_not_before(void **state)
{
	(void)state;
	weft_eventcount eventcount = {0};

	for (size_t i = 0; i < BUDGETS; i++) {
		weft_deadline deadline = weft_after(2 * WEFT_MILLISECONDS);
		uint32_t key = weft_eventcount_prepare(&eventcount);

		assert_int_equal(weft_eventcount_wait(&eventcount, key, budgets[i], deadline),
				 -ETIMEDOUT);
		assert_true(weft_now() >= deadline);
		assert_nobody_waits(&eventcount);
	}
}

static weft_eventcount *hooked_eventcount;
static weft_deadline hooked_deadline;

static bool pass_the_deadline_then_notify(long nth)
{
	(void)nth;
	futex_watched.clock_ns = hooked_deadline;
	weft_eventcount_notify_one(hooked_eventcount);
	return false;
}

/* The sleep is over because of the deadline, and then the notification comes: it is not ignored. */
static void notification_at_the_deadline_counts(void **state)
{
	(void)state;
	weft_eventcount eventcount = {0};
	uint32_t key = weft_eventcount_prepare(&eventcount);

	hooked_eventcount = &eventcount;
	hooked_deadline = weft_after(GUARD_NS);
	futex_watched.before_wait = pass_the_deadline_then_notify;
	assert_int_equal(weft_eventcount_wait(&eventcount, key, 0, hooked_deadline), 0);
	assert_nobody_waits(&eventcount);
}

static bool notify_then_sleep(long nth)
{
	(void)nth;
	weft_eventcount_notify_one(hooked_eventcount);
	return true;
}

/* The waiter has looked at the epoch and is about to enter the kernel: it must not sleep. */
static void notification_between_look_and_sleep(void **state)
{
	(void)state;
	weft_eventcount eventcount = {0};
	uint32_t key = weft_eventcount_prepare(&eventcount);

	hooked_eventcount = &eventcount;
	futex_watched.before_wait = notify_then_sleep;
	assert_int_equal(weft_eventcount_wait(&eventcount, key, 0, weft_after(GUARD_NS)), 0);
	assert_int_equal(atomic_load(&futex_watched.waits), 1);
}

static void notify_one_wakes_one_sleeper_each(void **state)
{
	(void)state;
	int message = 0;
	weft_eventcount eventcount = {0};
	waiter waiters[WAITERS];

	start_waiters(waiters, &eventcount, 0, &message);
	assert_int_equal(returned(waiters), 0);
	message = 42;
	for (int i = 1; i <= WAITERS; i++) {
		weft_eventcount_notify_one(&eventcount);
		assert_int_equal(atomic_load(&futex_watched.woken), i);
		while (returned(waiters) < i)
			sched_yield();
	}
	join_waiters(waiters);
	assert_nobody_waits(&eventcount);
}

static void notify_all_wakes_all_sleepers(void **state)
{
	(void)state;
	int message = 0;
	weft_eventcount eventcount = {0};
	waiter waiters[WAITERS];

	start_waiters(waiters, &eventcount, 0, &message);
	message = 42;
	weft_eventcount_notify_all(&eventcount);
	assert_int_equal(atomic_load(&futex_watched.woken), WAITERS);
	join_waiters(waiters);
	assert_nobody_waits(&eventcount);
}

/* Each of them compares with a key that is over: one notification ends all of their waits. It makes
 * no system call for them. */
static void spinners_see_any_notification(void **state)
{
	(void)state;
	for (size_t i = 0; i < NOTIFIES; i++) {
		int message = 0;
		weft_eventcount eventcount = {0};
		waiter waiters[WAITERS];

		start_waiters(waiters, &eventcount, UINT64_MAX, &message);
		message = 42;
		notifies[i](&eventcount);
		join_waiters(waiters);
		assert_int_equal(atomic_load(&futex_watched.waits), 0);
		assert_int_equal(atomic_load(&futex_watched.wakes), 0);
		assert_nobody_waits(&eventcount);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(notification_of_nobody_costs_no_system_call,
				       futex_watch_reset),
		cmocka_unit_test_setup(cancel_takes_one_announcement_back, futex_watch_reset),
		cmocka_unit_test_setup(notification_between_prepare_and_wait_ends_the_wait,
				       futex_watch_reset),
		cmocka_unit_test_setup(notification_before_prepare_does_not_end_the_wait,
				       futex_watch_reset),
		cmocka_unit_test_setup(epoch_may_wrap, futex_watch_reset),
		cmocka_unit_test_setup(wait_ends_at_the_deadline_and_not_before, futex_watch_reset),
		cmocka_unit_test_setup(notification_at_the_deadline_counts, futex_watch_reset),
		cmocka_unit_test_setup(notification_between_look_and_sleep, futex_watch_reset),
		cmocka_unit_test_setup(notify_one_wakes_one_sleeper_each, futex_watch_reset),
		cmocka_unit_test_setup(notify_all_wakes_all_sleepers, futex_watch_reset),
		cmocka_unit_test_setup(spinners_see_any_notification, futex_watch_reset),
	};

	/* A wait without a deadline that is never answered ends the program, by SIGALRM. */
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
