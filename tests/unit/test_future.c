/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/future: how futures end, what they then say, who is told, and who owns them.
 *
 * The linker sends the library's system calls to __wrap_syscall below, so that a test can hold a
 * thread that has just woken those who wait.
 */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/futex.h>

#include <cmocka.h>

#include "../pool_fixture.h"

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* Called after threads that sleep on this word were woken. Set while nobody wakes any. */
static _Atomic(const void *) woken_word;
static void (*after_waking)(void);

long __wrap_syscall(long number, ...)
{
	va_list list;
	long a[6];

	va_start(list, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);

	long result = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (number == SYS_futex && (a[1] & FUTEX_CMD_MASK) == FUTEX_WAKE &&
	    a[0] == (long)atomic_load(&woken_word))
		after_waking();
	return result;
}

/* A future begins with its task. */
static uint32_t state_of(weft_future *future)
{
	return atomic_load(&((weft_task *)future)->state_);
}

/* What a function does: the value it stores, where it is held then unless NULL, and its end. */
typedef struct script {
	gate *at;
	int error;
	void *value; /* stored, unless NULL */
	atomic_int runs;
} script;

static int follow(void *argument, void **value)
{
	script *self = argument;

	must(*value == NULL);
	atomic_fetch_add(&self->runs, 1);
	if (self->value != NULL)
		*value = self->value;
	if (self->at != NULL)
		gate_pass(self->at);
	return self->error;
}

static weft_future *submit(weft_pool *pool, script *argument)
{
	weft_future *future = NULL;

	must(weft_submit(pool, follow, argument, &future) == 0 && future != NULL);
	return future;
}

/* What a callback was told, and when. */
typedef struct note {
	weft_future *future;
	atomic_int calls;
	int order; /* among all calls of this test */
	int error;
	void *value;
	bool done;
	pthread_t thread;
} note;

static atomic_int calls;

static void take_note(weft_future *future, void *argument)
{
	note *self = argument;

	self->future = future;
	self->order = atomic_fetch_add(&calls, 1);
	self->error = weft_future_error(future);
	self->value = weft_future_value(future);
	self->done = weft_future_is_done(future);
	self->thread = pthread_self();
	/* One more owner for a moment: of a future that was freed a debug build would complain. */
	weft_future_release(weft_future_retain(future));
	/* Who sees this count sees the rest. */
	atomic_fetch_add(&self->calls, 1);
}

static int reset_calls(void **state)
{
	(void)state;
	atomic_store(&calls, 0);
	return 0;
}

static void await_call(note *expected)
{
	weft_deadline deadline = guard();

	while (atomic_load(&expected->calls) == 0) {
		assert_true(weft_now() < deadline);
		sched_yield();
	}
}

static void assert_note(note *expected, weft_future *future, int error, void *value)
{
	assert_int_equal(atomic_load(&expected->calls), 1);
	assert_ptr_equal(expected->future, future);
	assert_int_equal(expected->error, error);
	assert_ptr_equal(expected->value, value);
	assert_true(expected->done);
}

static void assert_ended(weft_future *future, int error, void *value)
{
	assert_true(weft_future_is_done(future));
	assert_int_equal(weft_future_error(future), error);
	assert_ptr_equal(weft_future_value(future), value);
	assert_int_equal(weft_future_wait(future, WEFT_NOW), 0);
	assert_false(weft_future_cancel(future));
}

static void assert_pending(weft_future *future)
{
	assert_false(weft_future_is_done(future));
	assert_int_equal(weft_future_error(future), -EINPROGRESS);
	assert_null(weft_future_value(future));
	assert_int_equal(weft_future_wait(future, WEFT_NOW), -ETIMEDOUT);
}

static void refuses_nonsense(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	weft_future *future = NULL;
	script nothing = {0};
	note told = {0};

	(void)state;
	assert_int_equal(weft_submit(NULL, follow, &nothing, &future), -EINVAL);
	assert_int_equal(weft_submit(pool, NULL, &nothing, &future), -EINVAL);
	assert_int_equal(weft_submit(pool, follow, &nothing, NULL), -EINVAL);
	assert_null(future);
	assert_int_equal(weft_future_wait(NULL, WEFT_FOREVER), -EINVAL);
	assert_int_equal(weft_future_on_done(NULL, take_note, &told), -EINVAL);
	weft_future_release(NULL);
	future = submit(pool, &nothing);
	assert_int_equal(weft_future_on_done(future, NULL, &told), -EINVAL);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	weft_future_release(future);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	future = (weft_future *)&told;
	assert_int_equal(weft_submit(pool, follow, &nothing, &future), -EPIPE);
	assert_ptr_equal(future, &told);
	assert_int_equal(nothing.runs, 1);
	weft_pool_destroy(pool);
}

static void ends_in_what_the_function_said(void **state)
{
	static const int errors[] = {0, -EIO, -ECANCELED, -EINPROGRESS, -ETIMEDOUT, -1, INT_MIN, 7};

	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		weft_pool *pool = pool_of(workers, workers % 2);

		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			for (int stores = 0; stores < 2; stores++) {
				script says = {.error = errors[i],
					       .value = stores == 0 ? NULL : &says};
				weft_future *future = submit(pool, &says);

				assert_int_equal(weft_future_wait(future, guard()), 0);
				assert_ended(future, errors[i], says.value);
				assert_int_equal(says.runs, 1);
				weft_future_release(future);
			}
		}
		weft_pool_destroy(pool);
	}
}

static void says_nothing_before_its_end(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	gate before = {0}, within = {0};
	script says = {.at = &within, .value = &says};
	gate_task holder;
	weft_future *future;

	(void)state;
	gate_hold(pool, &before, &holder, 1);
	future = submit(pool, &says);
	assert_pending(future);
	gate_let_go(&before, &holder, 1);
	gate_await(&within, 1);
	assert_pending(future);
	/* It is too late for that. */
	assert_false(weft_future_cancel(future));
	assert_pending(future);
	weft_deadline deadline = weft_after(2 * WEFT_MILLISECONDS);

	assert_int_equal(weft_future_wait(future, deadline), -ETIMEDOUT);
	assert_true(weft_now() >= deadline);
	gate_open(&within);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	assert_ended(future, 0, &says);
	weft_future_release(future);
	weft_pool_destroy(pool);
}

/* A function that waits for another future. */
typedef struct waiting {
	weft_future *_Atomic awaited;
} waiting;

static int wait_for(void *argument, void **value)
{
	waiting *self = argument;
	weft_future *awaited;

	(void)value;
	while ((awaited = atomic_load(&self->awaited)) == NULL)
		sched_yield();
	return weft_future_wait(awaited, guard());
}

static weft_future *submit_waiting(weft_pool *pool, waiting *self, weft_future *awaited)
{
	weft_future *future = NULL;

	atomic_store(&self->awaited, awaited);
	must(weft_submit(pool, wait_for, self, &future) == 0);
	return future;
}

static void assert_waits(weft_future *future, int error)
{
	assert_int_equal(weft_future_wait(future, guard()), 0);
	assert_int_equal(weft_future_error(future), error);
	weft_future_release(future);
}

static void waiting_for_oneself_is_refused(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	weft_future *future, *other;
	waiting self, there;

	(void)state;
	future = submit_waiting(pool, &self, NULL);
	atomic_store(&self.awaited, future);
	assert_waits(future, -EDEADLK);
	/* But not waiting for one that began earlier on the same worker, and waits itself. */
	future = submit_waiting(pool, &self, NULL);
	other = submit_waiting(pool, &there, future);
	atomic_store(&self.awaited, future);
	assert_waits(future, -EDEADLK);
	assert_waits(other, 0);
	weft_pool_destroy(pool);
}

static void canceled_future_ends_at_once(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	script never = {.value = &never};
	note told[3] = {{0}};
	gate_task holder;
	gate at = {0};
	weft_future *future;

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	future = submit(pool, &never);
	for (int i = 0; i < 3; i++)
		assert_int_equal(weft_future_on_done(future, take_note, &told[i]), 0);
	assert_true(weft_future_cancel(future));
	for (int i = 0; i < 3; i++) {
		assert_note(&told[i], future, -ECANCELED, NULL);
		assert_int_equal(told[i].order, i);
		assert_true(pthread_equal(told[i].thread, pthread_self()));
	}
	assert_ended(future, -ECANCELED, NULL);
	assert_int_equal(statistics_of(pool).canceled, 1);
	gate_let_go(&at, &holder, 1);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(statistics_of(pool).run, 1);
	assert_int_equal(never.runs, 0);
	weft_future_release(future);
	weft_pool_destroy(pool);
}

/* Threads that sleep for a future (here workers of another pool) are woken by its cancellation. */
static void cancellation_wakes_who_waits(void **state)
{
	enum {
		WAITERS = 3
	};

	(void)state;
	for (int round = 0; round < 50; round++) {
		weft_pool *pool = pool_of(1, 1), *other = pool_of(WAITERS, 1);
		weft_future *waiters[WAITERS], *future;
		waiting arguments[WAITERS];
		script never = {0};
		gate_task holder;
		gate at = {0};

		gate_hold(pool, &at, &holder, 1);
		future = submit(pool, &never);
		for (int i = 0; i < WAITERS; i++)
			waiters[i] = submit_waiting(other, &arguments[i], future);
		while (round % 2 == 0 && (state_of(future) & WEFT_TASK_TASK_WAITS_) == 0)
			sched_yield();
		assert_true(weft_future_cancel(future));
		for (int i = 0; i < WAITERS; i++)
			assert_waits(waiters[i], 0);
		gate_let_go(&at, &holder, 1);
		weft_future_release(future);
		weft_pool_destroy(pool);
		weft_pool_destroy(other);
	}
}

static void callbacks_come_in_order(void **state)
{
	enum {
		CALLBACKS = 100
	};
	weft_pool *pool = pool_of(1, 0);
	note told[CALLBACKS + 1];
	gate at = {0};
	script says = {.at = &at, .value = &says, .error = -EIO};
	weft_future *future = submit(pool, &says);

	(void)state;
	memset((void *)told, 0, sizeof(told));
	for (int i = 0; i < CALLBACKS; i++)
		assert_int_equal(weft_future_on_done(future, take_note, &told[i]), 0);
	assert_int_equal(atomic_load(&calls), 0);
	gate_open(&at);
	await_call(&told[CALLBACKS - 1]);
	for (int i = 0; i < CALLBACKS; i++) {
		assert_note(&told[i], future, -EIO, &says);
		assert_int_equal(told[i].order, i);
		assert_false(pthread_equal(told[i].thread, pthread_self()));
	}
	/* And one that comes late is called on its own thread. */
	assert_int_equal(weft_future_on_done(future, take_note, &told[CALLBACKS]), 0);
	assert_note(&told[CALLBACKS], future, -EIO, &says);
	assert_true(pthread_equal(told[CALLBACKS].thread, pthread_self()));
	weft_future_release(future);
	weft_pool_destroy(pool);
}

static void pass_gate(weft_future *future, void *at)
{
	must(weft_future_is_done(future));
	gate_pass(at);
}

static void waiters_are_woken_before_callbacks(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	gate at = {0}, within = {0};
	script says = {.at = &at};
	weft_future *future = submit(pool, &says);

	(void)state;
	assert_int_equal(weft_future_on_done(future, pass_gate, &within), 0);
	gate_open(&at);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	gate_await(&within, 1);
	weft_future_release(future);
	gate_open(&within);
	weft_pool_destroy(pool);
}

/* Ends when somebody sleeps for the future. */
static weft_future *_Atomic slept_for;

static int end_when_slept_for(void *argument, void **value)
{
	weft_future *future;

	while ((future = atomic_load(&slept_for)) == NULL ||
	       (state_of(future) & WEFT_TASK_THREAD_WAITS_) == 0)
		sched_yield();
	*value = argument;
	return 0;
}

static gate waking;

static void hold_waker(void)
{
	gate_pass(&waking);
}

/* Even when the thread that ends the future has not come to its callbacks yet. */
static void callback_after_the_end_comes_at_once(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	note early = {0}, late = {0};
	weft_future *future;
	int late_calls;

	(void)state;
	memset((void *)&waking, 0, sizeof(waking));
	after_waking = hold_waker;
	atomic_store(&slept_for, NULL);
	assert_int_equal(weft_submit(pool, end_when_slept_for, &early, &future), 0);
	assert_int_equal(weft_future_on_done(future, take_note, &early), 0);
	atomic_store(&woken_word, &((weft_task *)future)->state_);
	atomic_store(&slept_for, future);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	gate_await(&waking, 1);
	assert_int_equal(weft_future_on_done(future, take_note, &late), 0);
	late_calls = atomic_load(&late.calls);
	atomic_store(&woken_word, NULL);
	gate_open(&waking);
	assert_int_equal(late_calls, 1);
	assert_note(&late, future, 0, &early);
	assert_true(pthread_equal(late.thread, pthread_self()));
	await_call(&early);
	assert_note(&early, future, 0, &early);
	weft_future_release(future);
	weft_pool_destroy(pool);
}

static void release_it(weft_future *future, void *argument)
{
	(void)argument;
	weft_future_release(future);
}

static void retain_it(weft_future *future, void *argument)
{
	weft_future **kept = argument;

	*kept = weft_future_retain(future);
}

static void register_another(weft_future *future, void *argument)
{
	note *told = argument;

	must(weft_future_on_done(future, take_note, told) == 0);
	/* The future has ended: at once. */
	must(atomic_load(&told->calls) == 1);
}

static void submit_and_wait(weft_future *future, void *argument)
{
	script says = {.value = &says};
	weft_future *inside = submit(argument, &says);

	must(weft_future_wait(future, WEFT_FOREVER) == 0);
	must(weft_future_wait(inside, guard()) == 0);
	must(weft_future_value(inside) == &says);
	weft_future_release(inside);
}

static void callbacks_may_do_what_threads_may(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		weft_pool *pool = pool_of(1, 0);
		weft_future *kept = NULL, *future;
		note told = {0}, last = {0};
		gate_task holder;
		gate at = {0};
		script says = {.value = &says};

		/* Before the end, which is by the worker or by a cancellation; or after the end. */
		gate_hold(pool, &at, &holder, 1);
		future = submit(pool, &says);
		if (way == 2) {
			gate_open(&at);
			assert_int_equal(weft_future_wait(future, guard()), 0);
		}
		assert_int_equal(weft_future_on_done(future, retain_it, &kept), 0);
		assert_int_equal(weft_future_on_done(future, register_another, &told), 0);
		if (way != 1)
			assert_int_equal(weft_future_on_done(future, submit_and_wait, pool), 0);
		assert_int_equal(weft_future_on_done(future, take_note, &last), 0);
		assert_int_equal(weft_future_on_done(future, release_it, NULL), 0);
		if (way == 1)
			assert_true(weft_future_cancel(future));
		gate_let_go(&at, &holder, 1);
		assert_int_equal(weft_pool_destroy(pool), 0);
		assert_note(&told, future, way == 1 ? -ECANCELED : 0, way == 1 ? NULL : &says);
		assert_note(&last, future, way == 1 ? -ECANCELED : 0, way == 1 ? NULL : &says);
		/* Of the two owners there is one left. */
		assert_ptr_equal(kept, future);
		assert_ended(kept, way == 1 ? -ECANCELED : 0, way == 1 ? NULL : &says);
		weft_future_release(kept);
	}
}

/* What the canceled future's first callback needs to have its worker go past it. */
typedef struct passing {
	weft_pool *pool;
	gate *at;
} passing;

static void nothing(weft_task *task)
{
	(void)task;
}

static void let_pass_then_release(weft_future *future, void *argument)
{
	passing *self = argument;
	weft_task behind;

	weft_task_init(&behind, nothing);
	must(weft_task_submit(self->pool, &behind) == 0);
	gate_open(self->at);
	must(weft_task_wait(&behind, guard()) == 0);
	weft_future_release(future);
}

/* A callback may give up the caller's ownership; the future is valid in the next one all the same,
 * though the pool is done with it as well. */
static void canceled_future_is_valid_in_each_callback(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	gate at = {0};
	passing first = {.pool = pool, .at = &at};
	script never = {0};
	note second = {0};
	gate_task holder;
	weft_future *future;

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	future = submit(pool, &never);
	assert_int_equal(weft_future_on_done(future, let_pass_then_release, &first), 0);
	assert_int_equal(weft_future_on_done(future, take_note, &second), 0);
	assert_true(weft_future_cancel(future));
	assert_note(&second, future, -ECANCELED, NULL);
	gate_let_go(&at, &holder, 1);
	weft_pool_destroy(pool);
}

static void future_that_nobody_owns_still_runs(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	script says = {0};
	note told[500];

	(void)state;
	memset((void *)told, 0, sizeof(told));
	for (int i = 0; i < 500; i++) {
		weft_future *future = submit(pool, &says);

		assert_int_equal(weft_future_on_done(future, take_note, &told[i]), 0);
		weft_future_release(future);
	}
	assert_int_equal(weft_pool_destroy(pool), 0);
	assert_int_equal(says.runs, 500);
	for (int i = 0; i < 500; i++)
		assert_int_equal(atomic_load(&told[i].calls), 1);
}

static void *wait_and_release(void *argument)
{
	weft_future *future = argument;

	must(weft_future_wait(future, guard()) == 0);
	must(weft_future_error(future) == -EIO);
	weft_future_release(future);
	return NULL;
}

static void each_owner_releases_once(void **state)
{
	enum {
		OWNERS = 4
	};

	(void)state;
	for (int round = 0; round < 50; round++) {
		weft_pool *pool = pool_of(1, (uint64_t)(round % 2));
		pthread_t threads[OWNERS];
		gate at = {0};
		script says = {.at = &at, .error = -EIO};
		weft_future *future = submit(pool, &says);

		for (int i = 0; i < OWNERS; i++) {
			assert_ptr_equal(weft_future_retain(future), future);
			assert_int_equal(
				pthread_create(&threads[i], NULL, wait_and_release, future), 0);
		}
		gate_open(&at);
		if (round % 3 != 0)
			weft_future_release(future);
		for (int i = 0; i < OWNERS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		if (round % 3 == 0)
			wait_and_release(future);
		weft_pool_destroy(pool);
	}
}

static void futures_outlive_their_pool(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		weft_pool *pool = pool_of(1, 1);
		gate at = {0};
		script runs = {.at = &at, .value = &runs}, waits = {.value = &waits};
		note told[2] = {{0}};
		weft_future *first = submit(pool, &runs), *second;
		int error = how == 0 ? 0 : -ECANCELED;

		gate_await(&at, 1);
		second = submit(pool, &waits);
		assert_int_equal(weft_future_on_done(second, take_note, &told[0]), 0);
		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, WEFT_NOW),
				 -ETIMEDOUT);
		gate_open(&at);
		assert_int_equal(weft_pool_destroy(pool), 0);
		assert_ended(first, 0, &runs);
		assert_ended(second, error, how == 0 ? &waits : NULL);
		assert_int_equal(waits.runs, how == 0);
		assert_note(&told[0], second, error, how == 0 ? &waits : NULL);
		assert_int_equal(weft_future_on_done(second, take_note, &told[1]), 0);
		assert_note(&told[1], second, error, how == 0 ? &waits : NULL);
		weft_future_release(first);
		weft_future_release(weft_future_retain(second));
		weft_future_release(second);
	}
}

static weft_pool *fibonacci_pool;

static int fibonacci(void *argument, void **value)
{
	uintptr_t n = (uintptr_t)argument;
	weft_future *one;
	void *two = NULL;

	*value = argument;
	if (n < 2)
		return 0;
	must(weft_submit(fibonacci_pool, fibonacci, (void *)(n - 1), &one) == 0);
	must(fibonacci((void *)(n - 2), &two) == 0);
	must(weft_future_wait(one, guard()) == 0);
	*value = (void *)((uintptr_t)weft_future_value(one) + (uintptr_t)two);
	weft_future_release(one);
	return 0;
}

static void waiting_workers_help(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 9; workers += 4) {
		weft_future *future;

		fibonacci_pool = pool_of(workers, workers % 8);
		assert_int_equal(weft_submit(fibonacci_pool, fibonacci, (void *)18, &future), 0);
		assert_int_equal(weft_future_wait(future, guard()), 0);
		assert_ptr_equal(weft_future_value(future), (void *)2584);
		weft_future_release(future);
		weft_pool_destroy(fibonacci_pool);
	}
}

/* A release build does not look. */
#ifndef NDEBUG

/* What a process does that owns a future once, and releases it twice. */
static void release_twice_while_pending(void)
{
	weft_pool *pool = pool_of(1, 0);
	gate at = {0};
	script says = {.at = &at};
	weft_future *future = submit(pool, &says);

	gate_await(&at, 1);
	weft_future_release(future);
	weft_future_release(future);
}

static void release_twice_after_the_end(void)
{
	weft_pool *pool = pool_of(1, 0);
	script says = {0};
	weft_future *future = submit(pool, &says), *others[100];

	weft_future_release(weft_future_retain(future));
	must(weft_future_wait(future, guard()) == 0);
	for (int i = 0; i < 100; i++)
		others[i] = submit(pool, &says);
	weft_pool_destroy(pool);
	weft_future_release(future);
	for (int i = 0; i < 100; i++)
		weft_future_release(others[i]);
	weft_future_release(future);
}

/* Runs this in a process of its own, which has to abort with one line that says why. */
static void assert_breaks_contract(void (*scenario)(void))
{
	char text[1024] = "";
	size_t length = 0;
	ssize_t got;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		guard_program();
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		scenario();
		_exit(0);
	}
	close(ends[1]);
	while (length + 1 < sizeof(text) &&
	       (got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_ptr_equal(strstr(text, "weft: contract broken at "), text);
	assert_non_null(strstr(text, "released as often as it is owned"));
	assert_ptr_equal(strchr(text, '\n'), text + length - 1);
}

static void debug_build_reports_a_second_release(void **state)
{
	(void)state;
	assert_breaks_contract(release_twice_while_pending);
	assert_breaks_contract(release_twice_after_the_end);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_nonsense),
		cmocka_unit_test(ends_in_what_the_function_said),
		cmocka_unit_test(says_nothing_before_its_end),
		cmocka_unit_test(waiting_for_oneself_is_refused),
		cmocka_unit_test_setup(canceled_future_ends_at_once, reset_calls),
		cmocka_unit_test(cancellation_wakes_who_waits),
		cmocka_unit_test_setup(callbacks_come_in_order, reset_calls),
		cmocka_unit_test(waiters_are_woken_before_callbacks),
		cmocka_unit_test_setup(callback_after_the_end_comes_at_once, reset_calls),
		cmocka_unit_test(callbacks_may_do_what_threads_may),
		cmocka_unit_test(canceled_future_is_valid_in_each_callback),
		cmocka_unit_test(future_that_nobody_owns_still_runs),
		cmocka_unit_test(each_owner_releases_once),
		cmocka_unit_test(futures_outlive_their_pool),
		cmocka_unit_test(waiting_workers_help),
#ifndef NDEBUG
		cmocka_unit_test(debug_build_reports_a_second_release),
#endif
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
