/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/worker: what comes for a worker that has found nothing and is about to say that it
 * is idle. Nobody wakes it, for it is not, and so it must see that itself before it sleeps.
 *
 * The linker sends the library's weft_wake_lie_down_ to __wrap_weft_wake_lie_down_, in which the
 * worker is held meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft/pool/forkjoin.h>

#include "../pool_fixture.h"

/* The worker that is held once, or NULL; where; and until when. */
static weft_worker_ *_Atomic held;
static gate about_to_sleep;

void __real_weft_wake_lie_down_(weft_wake_ *wake, unsigned worker);
void __wrap_weft_wake_lie_down_(weft_wake_ *wake, unsigned worker);

void __wrap_weft_wake_lie_down_(weft_wake_ *wake, unsigned worker)
{
	weft_worker_ *self = weft_worker_current_;

	if (atomic_compare_exchange_strong(&held, &self, NULL))
		gate_pass(&about_to_sleep);
	__real_weft_wake_lie_down_(wake, worker);
}

static void nothing(weft_task *task)
{
	(void)task;
}

static weft_submit_options to_worker(unsigned worker)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	options.to_worker = true;
	options.worker = worker;
	return options;
}

/* Returns when the worker, which was asleep, is about to sleep again. */
static void hold(weft_pool *pool, unsigned worker)
{
	weft_submit_options options = to_worker(worker);
	weft_task task;

	weft_task_init(&task, nothing);
	memset((void *)&about_to_sleep, 0, sizeof(about_to_sleep));
	atomic_store(&held, pool->worker[worker]);
	must(weft_task_submit_with(pool, &task, &options) == 0);
	must(weft_task_wait(&task, guard()) == 0);
	gate_await(&about_to_sleep, 1);
}

static void submissions_are_seen(void **state)
{
	weft_submit_options all[] = {to_worker(0), to_worker(0), to_worker(0), to_worker(0)};
	weft_pool *pool = pool_of(1, 1);

	(void)state;
	for (int i = 0; i <= WEFT_PRIORITY_LOW; i++) {
		all[i].to_worker = false;
		all[i].priority = (weft_priority)i;
	}
	for (int i = 0; i < 4; i++) {
		weft_pool_statistics before;
		weft_task task;

		pool_await_rest(pool);
		hold(pool, 0);
		before = statistics_of(pool);
		weft_task_init(&task, nothing);
		assert_int_equal(weft_task_submit_with(pool, &task, &all[i]), 0);
		gate_open(&about_to_sleep);
		assert_int_equal(weft_task_wait(&task, guard()), 0);
		assert_int_equal(statistics_of(pool).woken, before.woken);
	}
	weft_pool_destroy(pool);
}

typedef struct token_task {
	weft_task task;
	weft_parker token;
	int result;
} token_task;

static void take_token(weft_task *task)
{
	token_task *self = (token_task *)task;

	self->result = weft_parker_park(&self->token, 0, WEFT_FOREVER);
}

static void tasks_that_may_go_on_are_seen(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	token_task waiting = {.result = 1};

	(void)state;
	weft_task_init(&waiting.task, take_token);
	assert_int_equal(weft_task_submit(pool, &waiting.task), 0);
	pool_await_suspended(pool, 1);
	pool_await_rest(pool);
	hold(pool, 0);
	weft_parker_unpark(&waiting.token);
	gate_open(&about_to_sleep);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	assert_int_equal(waiting.result, 0);
	weft_pool_destroy(pool);
}

/* A call that is forked meanwhile, and that its worker waits for to be stolen. */
static gate may_fork, is_stolen;
static atomic_int forks_on;

WEFT_FORKABLE_VOID_0(stolen);
WEFT_FORKABLE_VOID_0(forks);

static void stolen(weft_fork at)
{
	(void)at;
	gate_open(&is_stolen);
}

static void forks(weft_fork at)
{
	atomic_store(&forks_on, (int)weft_worker_current_->index);
	gate_pass(&may_fork);
	stolen_fork(&at);
	gate_open(&about_to_sleep);
	gate_pass(&is_stolen);
	stolen_join(&at);
}

static void *run_forks(void *pool)
{
	must(forks_run(pool) == 0);
	return NULL;
}

static void forked_calls_are_seen(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	pthread_t thread;

	(void)state;
	for (int round = 0; round < 10; round++) {
		memset((void *)&may_fork, 0, sizeof(may_fork));
		memset((void *)&is_stolen, 0, sizeof(is_stolen));
		pool_await_rest(pool);
		assert_int_equal(pthread_create(&thread, NULL, run_forks, pool), 0);
		gate_await(&may_fork, 1);
		pool_await_sleepers(pool, 1);
		hold(pool, 1 - (unsigned)atomic_load(&forks_on));
		gate_open(&may_fork);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	weft_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(submissions_are_seen),
		cmocka_unit_test(tasks_that_may_go_on_are_seen),
		cmocka_unit_test(forked_calls_are_seen),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
