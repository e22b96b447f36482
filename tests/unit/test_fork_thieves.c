/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/forkjoin: thieves, and the owners of what they steal.
 *
 * The linker sends the library's weft_fork_stack_steal to __wrap_weft_fork_stack_steal, in which a
 * join that waits for its thief is held before and after it steals, and its mmap to __wrap_mmap64
 * below, for files are large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <weft/lockfree/reclaim.h>
#include <weft/pool/forkjoin.h>

#include "../pool_fixture.h"

static weft_pool *pool;

/* To this worker alone. */
static void submit_to(weft_task *task, void (*function)(weft_task *task), unsigned worker)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	options.to_worker = true;
	options.worker = worker;
	weft_task_init(task, function);
	must(weft_task_submit_with(pool, task, &options) == 0);
}

/* For who forks and waits: whoever is hungry is fed by a fork. */
WEFT_FORKABLE_0(int, nothing);

static int nothing(weft_fork at)
{
	(void)at;
	return 7;
}

static void feed(weft_fork at, weft_deadline deadline)
{
	must(weft_now() < deadline);
	nothing_fork(&at);
	must(nothing_join(&at) == 7);
	sched_yield();
}

/*
 * A join waits for a stolen call, and steals from its thief what that call has forked. Just before
 * it does the call returns, and its thief begins another run in the same place: what is stolen is a
 * call of that one, which is given back. Its own join makes it, whether it comes later, or waits.
 */
enum given_back {
	BEFORE_ITS_JOIN,
	WHILE_ITS_JOIN_IS_SUSPENDED,
};

static struct {
	enum given_back when;
	weft_worker_ *_Atomic leaper; /* that is still to be held */
	_Atomic(weft_fork_stack *) place;
	gate leaping;
	atomic_bool taken;
	atomic_int made;
	weft_task another;
} leap;

weft_fork_slot *__real_weft_fork_stack_steal(weft_fork_stack *stack, uintptr_t thief);
weft_fork_slot *__wrap_weft_fork_stack_steal(weft_fork_stack *stack, uintptr_t thief);

weft_fork_slot *__wrap_weft_fork_stack_steal(weft_fork_stack *stack, uintptr_t thief)
{
	weft_worker_ *self = weft_worker_current_;
	weft_deadline deadline = guard();
	weft_fork_slot *slot;

	if (stack != atomic_load(&leap.place) ||
	    !atomic_compare_exchange_strong(&leap.leaper, &self, NULL))
		return __real_weft_fork_stack_steal(stack, thief);
	gate_open(&leap.leaping);
	while (!weft_fork_stack_has_public(stack)) {
		must(weft_now() < deadline);
		weft_fork_stack_ask(stack);
		sched_yield();
	}
	slot = __real_weft_fork_stack_steal(stack, thief);
	must(slot != NULL);
	atomic_store(&leap.taken, true);
	if (leap.when == WHILE_ITS_JOIN_IS_SUSPENDED)
		pool_await_suspended(pool, 1);
	return slot;
}

WEFT_FORKABLE_1(int, foreign, int);
WEFT_FORKABLE_0(int, other_run);
WEFT_FORKABLE_0(int, returns_too_soon);
WEFT_FORKABLE_0(int, leaps);

static int foreign(weft_fork at, int number)
{
	must(weft_fork_stack_of_(at) == atomic_load(&leap.place));
	atomic_fetch_add(&leap.made, 1);
	return number + 1;
}

static int other_run(weft_fork at)
{
	weft_deadline deadline = guard();

	must(weft_fork_stack_of_(at) == atomic_load(&leap.place));
	foreign_fork(&at, 41);
	while (!atomic_load(&leap.taken) ||
	       (leap.when == BEFORE_ITS_JOIN && !weft_fork_slot_is_over(at - 1)))
		feed(at, deadline);
	return foreign_join(&at);
}

static void run_another(weft_task *task)
{
	int value = 0;

	(void)task;
	must(other_run_run(pool, &value) == 0);
	must(value == 42);
}

static int returns_too_soon(weft_fork at)
{
	submit_to(&leap.another, run_another, weft_worker_current_->index);
	atomic_store(&leap.place, weft_fork_stack_of_(at));
	gate_pass(&leap.leaping);
	return 1;
}

static int leaps(weft_fork at)
{
	weft_deadline deadline = guard();

	atomic_store(&leap.leaper, weft_worker_current_);
	returns_too_soon_fork(&at);
	while (atomic_load(&leap.leaping.arrived) == 0)
		feed(at, deadline);
	return returns_too_soon_join(&at);
}

static void calls_are_given_back(void **state)
{
	(void)state;
	for (int when = BEFORE_ITS_JOIN; when <= WHILE_ITS_JOIN_IS_SUSPENDED; when++) {
		int value = 0;

		memset((void *)&leap, 0, sizeof(leap));
		leap.when = (enum given_back)when;
		pool = pool_of(2, 1);
		assert_int_equal(leaps_run(pool, &value), 0);
		assert_int_equal(value, 1);
		assert_int_equal(weft_task_wait(&leap.another, guard()), 0);
		assert_int_equal(atomic_load(&leap.made), 1);
		weft_pool_destroy(pool);
	}
}

/*
 * A task is suspended in the middle of a run, and its worker makes another run meanwhile: that is
 * where the thief looks, and asks, before it sleeps. What is forked when the first run goes on is
 * for the thief nevertheless.
 */
static struct {
	weft_worker_ *_Atomic owner;
	weft_parker token;
	gate gate;
} halt;

WEFT_FORKABLE_0(int, stands);
WEFT_FORKABLE_0(int, pauses);

static int stands(weft_fork at)
{
	(void)at;
	must(weft_worker_current_ != atomic_load(&halt.owner));
	gate_pass(&halt.gate);
	return 1;
}

static int pauses(weft_fork at)
{
	weft_deadline deadline = guard();
	int others;

	atomic_store(&halt.owner, weft_worker_current_);
	stands_fork(&at);
	while (atomic_load(&halt.gate.arrived) < 1)
		feed(at, deadline);
	must(weft_parker_park(&halt.token, 0, WEFT_FOREVER) == 0);
	stands_fork(&at);
	while (atomic_load(&halt.gate.arrived) < 2)
		feed(at, deadline);
	others = stands_join(&at);
	return others + stands_join(&at);
}

static void *run_pauses(void *unused)
{
	int others = 0;

	must(pauses_run(pool, &others) == 0);
	must(others == 2);
	return unused;
}

static void run_nothing(weft_task *task)
{
	int value = 0;

	(void)task;
	must(nothing_run(pool, &value) == 0);
	must(value == 7);
}

static void calls_are_stolen_when_a_run_goes_on(void **state)
{
	weft_task between;
	pthread_t thread;

	(void)state;
	memset((void *)&halt, 0, sizeof(halt));
	pool = pool_of(2, 1);
	assert_int_equal(pthread_create(&thread, NULL, run_pauses, NULL), 0);
	pool_await_suspended(pool, 1);
	submit_to(&between, run_nothing, atomic_load(&halt.owner)->index);
	assert_int_equal(weft_task_wait(&between, guard()), 0);
	gate_open(&halt.gate);
	pool_await_rest(pool);
	weft_parker_unpark(&halt.token);
	assert_int_equal(pthread_join(thread, NULL), 0);
	weft_pool_destroy(pool);
}

/*
 * A run within a run: thieves look at the inner one only, and there they ask before they sleep.
 * When it is over they come for what the outer one has shared before, and for what it forks
 * afterwards.
 */
static struct {
	bool shared_before;
	gate held, gate;
	gate_task holder;
} within;

WEFT_FORKABLE_0(int, is_stolen);
WEFT_FORKABLE_0(int, inner_run);
WEFT_FORKABLE_0(int, outer_run);

static int is_stolen(weft_fork at)
{
	(void)at;
	gate_pass(&within.gate);
	return 1;
}

/* The other worker is let go, finds nothing, and sleeps. */
static int inner_run(weft_fork at)
{
	(void)at;
	gate_open(&within.held);
	pool_await_sleepers(pool, 1);
	must(atomic_load(&within.gate.arrived) == 0);
	return 1;
}

static int outer_run(weft_fork at)
{
	weft_fork_stack *stack = weft_fork_stack_of_(at);
	weft_deadline deadline = guard();
	int value = 0;

	within.holder.at = &within.held;
	submit_to(&within.holder.task, gate_task_run, 1 - weft_worker_current_->index);
	while (atomic_load(&within.held.arrived) == 0) {
		must(weft_now() < deadline);
		sched_yield();
	}
	if (within.shared_before)
		is_stolen_fork(&at);
	/* Somebody has asked, and is answered. */
	while (weft_fork_stack_calls(stack, stack->end_))
		feed(at, deadline);
	must(weft_fork_stack_has_public(stack) == within.shared_before);
	must(inner_run_run(pool, &value) == 0);
	if (!within.shared_before)
		is_stolen_fork(&at);
	while (atomic_load(&within.gate.arrived) == 0) {
		must(weft_now() < deadline);
		if (!within.shared_before)
			feed(at, deadline);
		sched_yield();
	}
	gate_open(&within.gate);
	return value + is_stolen_join(&at);
}

static void calls_are_stolen_when_an_inner_run_is_over(void **state)
{
	(void)state;
	for (int shared_before = 0; shared_before < 2; shared_before++) {
		int value = 0;

		memset((void *)&within, 0, sizeof(within));
		within.shared_before = shared_before != 0;
		pool = pool_of(2, 1);
		assert_int_equal(outer_run_run(pool, &value), 0);
		assert_int_equal(value, 2);
		assert_int_equal(weft_task_wait(&within.holder.task, guard()), 0);
		weft_pool_destroy(pool);
	}
}

/* Calls that take long, forked one after the other: there is a worker for each, though all of them
 * had asked, and slept, when the first was shared. */
enum {
	LONG_CALLS = 3,
};

static gate long_calls;

WEFT_FORKABLE_0(int, takes_long);
WEFT_FORKABLE_0(int, one_by_one);

static int takes_long(weft_fork at)
{
	(void)at;
	gate_pass(&long_calls);
	return 1;
}

static int one_by_one(weft_fork at)
{
	weft_deadline deadline = guard();
	int sum = 0;

	for (unsigned i = 1; i <= LONG_CALLS; i++) {
		takes_long_fork(&at);
		while (atomic_load(&long_calls.arrived) < i)
			feed(at, deadline);
	}
	gate_open(&long_calls);
	for (int i = 0; i < LONG_CALLS; i++)
		sum += takes_long_join(&at);
	return sum;
}

static void each_that_sleeps_gets_a_call(void **state)
{
	int sum = 0;

	(void)state;
	memset((void *)&long_calls, 0, sizeof(long_calls));
	pool = pool_of(LONG_CALLS + 1, 1);
	pool_await_rest(pool);
	assert_int_equal(one_by_one_run(pool, &sum), 0);
	assert_int_equal(sum, LONG_CALLS);
	weft_pool_destroy(pool);
}

/* The same on a worker that has looked for work, and frees what was retired before it sleeps. */
static atomic_int sum_when_freed;

static void run_when_freed(void *unused)
{
	int sum = 0;

	(void)unused;
	must(weft_worker_current_ != NULL);
	must(one_by_one_run(pool, &sum) == 0);
	atomic_store(&sum_when_freed, sum);
}

static int object;

static void retire(weft_task *task)
{
	(void)task;
	must(weft_reclaim_retire_pointer(&object, run_when_freed, sizeof(object)) == 0);
}

static void do_nothing(weft_task *task)
{
	(void)task;
}

static void calls_are_stolen_from_a_worker_that_frees(void **state)
{
	weft_deadline deadline = guard();
	weft_task task;

	(void)state;
	memset((void *)&long_calls, 0, sizeof(long_calls));
	pool = pool_of(LONG_CALLS + 1, 1);
	pool_await_rest(pool);
	weft_task_init(&task, retire);
	assert_int_equal(weft_task_submit(pool, &task), 0);
	assert_int_equal(weft_task_wait(&task, guard()), 0);
	/* Each time the workers have gone on. */
	while (atomic_load(&sum_when_freed) == 0) {
		assert_true(weft_now() < deadline);
		weft_task_init(&task, do_nothing);
		assert_int_equal(weft_task_submit(pool, &task), 0);
		assert_int_equal(weft_task_wait(&task, guard()), 0);
		sched_yield();
	}
	assert_int_equal(atomic_load(&sum_when_freed), LONG_CALLS);
	weft_pool_destroy(pool);
}

/*
 * A worker that steals no calls is the one that is woken for them: it wakes the next. It has too
 * many joins that wait, also in a pool that drains, where a task that waits makes it stay; or it
 * has no memory.
 */
enum declines {
	HAS_TOO_MANY,
	HAS_TOO_MANY_AND_DRAINS,
	HAS_NO_MEMORY,
};

static struct {
	enum declines why;
	weft_parker token;
	atomic_bool is_full;
} decline;

static const weft_worker_ *_Atomic without_memory;

void *__real_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t offset);

void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
	const weft_worker_ *worker = atomic_load(&without_memory);

	return worker != NULL && worker == weft_worker_current_
		       ? MAP_FAILED
		       : __real_mmap64(address, bytes, protection, flags, file, offset);
}

WEFT_FORKABLE_0(int, one_call);

static void is_full(weft_task *task)
{
	weft_worker_ *self = weft_worker_current_;

	(void)task;
	self->fork_waiting += WEFT_FORK_WAITING_MAX_;
	atomic_store(&decline.is_full, true);
	must(weft_parker_park(&decline.token, 0, guard()) == 0);
	self->fork_waiting -= WEFT_FORK_WAITING_MAX_;
}

static int one_call(weft_fork at)
{
	weft_deadline deadline = guard();

	while (decline.why == HAS_TOO_MANY_AND_DRAINS &&
	       weft_worker_phase_(pool) == WEFT_POOL_OPEN_) {
		must(weft_now() < deadline);
		sched_yield();
	}
	pool_await_sleepers(pool, 2);
	takes_long_fork(&at);
	while (!weft_fork_stack_has_public(weft_fork_stack_of_(at)) &&
	       atomic_load(&long_calls.arrived) == 0)
		feed(at, deadline);
	/* That has woken the first. */
	while (atomic_load(&long_calls.arrived) == 0) {
		must(weft_now() < deadline);
		sched_yield();
	}
	gate_open(&long_calls);
	weft_parker_unpark(&decline.token);
	return takes_long_join(&at);
}

static void make_one_call(weft_task *task)
{
	int value = 0;

	(void)task;
	must(one_call_run(pool, &value) == 0);
	must(value == 1);
}

static void worker_that_steals_no_calls_wakes_the_next(void **state)
{
	(void)state;
	for (int why = HAS_TOO_MANY; why <= HAS_NO_MEMORY; why++) {
		weft_task first, caller;

		memset((void *)&decline, 0, sizeof(decline));
		memset((void *)&long_calls, 0, sizeof(long_calls));
		decline.why = (enum declines)why;
		pool = pool_of(3, 1);
		/* Worker 1 comes first after worker 0. */
		if (why == HAS_NO_MEMORY)
			atomic_store(&without_memory, pool->worker[1]);
		submit_to(&first, why == HAS_NO_MEMORY ? do_nothing : is_full, 1);
		while (why != HAS_NO_MEMORY && !atomic_load(&decline.is_full))
			sched_yield();
		submit_to(&caller, make_one_call, 0);
		if (why == HAS_TOO_MANY_AND_DRAINS)
			assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		assert_int_equal(weft_task_wait(&caller, guard()), 0);
		assert_int_equal(weft_task_wait(&first, guard()), 0);
		atomic_store(&without_memory, NULL);
		weft_pool_destroy(pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_stolen_when_an_inner_run_is_over),
		cmocka_unit_test(each_that_sleeps_gets_a_call),
		cmocka_unit_test(calls_are_stolen_from_a_worker_that_frees),
		cmocka_unit_test(worker_that_steals_no_calls_wakes_the_next),
		cmocka_unit_test(calls_are_given_back),
		cmocka_unit_test(calls_are_stolen_when_a_run_goes_on),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
