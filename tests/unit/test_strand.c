/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of pool/strand: one task at a time, in order, from any thread, until the pool ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pool_fixture.h"

enum {
	THREADS = 4,
	EACH = 5000,
	STRANDS = 3,
};

/* What belongs to a strand: plain data, which the strand keeps from races. */
typedef struct account {
	weft_strand strand;
	weft_submit_options options;
	long runs;
	long last[THREADS]; /* of each submitter, the number of the task that ran last */
	bool busy;
} account;

typedef struct deposit {
	weft_task task;
	account *to;
	int thread;
	long number; /* from 1 */
} deposit;

static void account_init(account *self, weft_pool *pool)
{
	const weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	memset((void *)self, 0, sizeof(*self));
	self->options = options;
	self->options.strand = &self->strand;
	must(weft_strand_init(&self->strand, pool, NULL) == 0);
	must(weft_strand_is_idle(&self->strand));
}

static void make_deposit(weft_task *task)
{
	deposit *self = (deposit *)task;
	account *to = self->to;

	must(!to->busy);
	to->busy = true;
	must(to->last[self->thread] + 1 == self->number);
	to->last[self->thread] = self->number;
	to->runs++;
	to->busy = false;
}

/* One thread that submits to all strands, in memory of its own. */
typedef struct submitter {
	weft_pool *pool;
	account *accounts;
	int thread;
	deposit deposits[STRANDS][EACH];
} submitter;

static void *submit_all(void *argument)
{
	submitter *self = argument;

	for (long i = 0; i < EACH; i++) {
		for (int k = 0; k < STRANDS; k++) {
			deposit *one = &self->deposits[k][i];

			weft_task_init(&one->task, make_deposit);
			one->to = &self->accounts[k];
			one->thread = self->thread;
			one->number = i + 1;
			must(weft_task_submit_with(self->pool, &one->task, &one->to->options) == 0);
		}
	}
	for (int k = 0; k < STRANDS; k++)
		for (long i = EACH - 1; i >= 0; i--)
			must(weft_task_wait(&self->deposits[k][i].task, guard()) == 0);
	return NULL;
}

static void one_at_a_time_in_order(void **state)
{
	weft_pool *pool = pool_of(3, 0);
	account accounts[STRANDS];
	submitter *submitters = calloc(THREADS, sizeof(*submitters));
	pthread_t threads[THREADS];

	(void)state;
	assert_non_null(submitters);
	for (int k = 0; k < STRANDS; k++)
		account_init(&accounts[k], pool);
	for (int i = 0; i < THREADS; i++) {
		submitters[i].pool = pool;
		submitters[i].accounts = accounts;
		submitters[i].thread = i;
		assert_int_equal(pthread_create(&threads[i], NULL, submit_all, &submitters[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int k = 0; k < STRANDS; k++) {
		weft_strand_fini(&accounts[k].strand);
		assert_int_equal(accounts[k].runs, THREADS * EACH);
	}
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(statistics_of(pool).submitted, statistics_of(pool).run);
	weft_pool_destroy(pool);
	free(submitters);
}

/* Its tasks submit more, and wait for what is not of the strand. */
typedef struct chained {
	account *to;
	weft_pool *pool;
	long left;
} chained;

static int answer(void *argument, void **value)
{
	*value = argument;
	return 0;
}

static void chain(void *argument)
{
	chained *self = argument;
	weft_future *future;

	must(!self->to->busy);
	self->to->busy = true;
	must(weft_submit(self->pool, answer, self, &future) == 0);
	must(weft_future_wait(future, guard()) == 0);
	weft_future_release(future);
	if (--self->left > 0)
		must(weft_spawn_with(self->pool, chain, self, &self->to->options) == 0);
	self->to->busy = false;
}

static void tasks_of_a_strand_submit_and_wait(void **state)
{
	for (unsigned workers = 1; workers <= 3; workers++) {
		weft_pool *pool = pool_of(workers, 0);
		account account;
		chained self = {&account, pool, 1000};

		(void)state;
		account_init(&account, pool);
		assert_int_equal(weft_spawn_with(pool, chain, &self, &account.options), 0);
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		weft_strand_fini(&account.strand);
		assert_int_equal(self.left, 0);
		weft_pool_destroy(pool);
	}
}

/* A strand that always has more does not keep the only worker. */
static atomic_bool stop;

static void go_on_forever(void *argument)
{
	chained *self = argument;

	self->left++;
	if (!atomic_load(&stop))
		must(weft_spawn_with(self->pool, go_on_forever, self, &self->to->options) == 0);
}

static void others_have_their_turn(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	account account;
	chained self = {&account, pool, 0};
	weft_future *future;

	(void)state;
	account_init(&account, pool);
	atomic_store(&stop, false);
	for (int i = 0; i < 100; i++)
		assert_int_equal(weft_spawn_with(pool, go_on_forever, &self, &account.options), 0);
	assert_int_equal(weft_submit(pool, answer, &self, &future), 0);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	weft_future_release(future);
	atomic_store(&stop, true);
	weft_pool_destroy(pool);
}

/* How far the strand was when this ran, on the same worker. */
static int see(void *argument, void **value)
{
	*value = (void *)((chained *)argument)->left;
	return 0;
}

/* After some of its tasks it comes behind all that its worker has. */
static void others_come_soon(void **state)
{
	enum {
		OTHERS = 50
	};
	weft_pool *pool = pool_of(1, 0);
	account account;
	chained self = {&account, pool, 0};
	void *arguments[OTHERS];
	weft_future *futures[OTHERS];
	gate_task holder;
	gate at = {0};

	(void)state;
	account_init(&account, pool);
	atomic_store(&stop, false);
	gate_hold(pool, &at, &holder, 1);
	for (int i = 0; i < OTHERS; i++)
		arguments[i] = &self;
	assert_int_equal(weft_spawn_with(pool, go_on_forever, &self, &account.options), 0);
	assert_int_equal(weft_submit_many(pool, see, arguments, OTHERS, NULL, futures), 0);
	gate_let_go(&at, &holder, 1);
	for (int i = 0; i < OTHERS; i++) {
		assert_int_equal(weft_future_wait(futures[i], guard()), 0);
		assert_in_range((uintptr_t)weft_future_value(futures[i]), 0, 200);
		weft_future_release(futures[i]);
	}
	atomic_store(&stop, true);
	weft_pool_destroy(pool);
}

/* Of each priority, and for longer than a strand keeps its worker. */
static void strands_have_a_priority(void **state)
{
	enum {
		TASKS = 200
	};
	weft_pool *pool = pool_of(1, 0);
	void *arguments[TASKS];
	weft_future *futures[TASKS];

	(void)state;
	for (int priority = 0; priority <= WEFT_PRIORITY_LOW; priority++) {
		weft_submit_options how = WEFT_SUBMIT_OPTIONS_INIT;
		account account;
		chained self = {&account, pool, 0};

		account_init(&account, pool);
		how.priority = (weft_priority)priority;
		assert_int_equal(weft_strand_init(&account.strand, pool, &how), 0);
		for (int i = 0; i < TASKS; i++)
			arguments[i] = &self;
		assert_int_equal(
			weft_submit_many(pool, see, arguments, TASKS, &account.options, futures),
			0);
		for (int i = 0; i < TASKS; i++) {
			assert_int_equal(weft_future_wait(futures[i], guard()), 0);
			weft_future_release(futures[i]);
		}
		weft_strand_fini(&account.strand);
		pool_await_rest(pool);
		assert_int_equal(atomic_load(&pool->queued[WEFT_LANE_HIGH_]), 0);
		assert_int_equal(atomic_load(&pool->queued[WEFT_LANE_LOW_]), 0);
	}
	weft_pool_destroy(pool);
}

/* Holds the worker on which the strand is, once that has had its turn there. */
typedef struct leaver {
	weft_pool *pool;
	gate_task holder;
	gate at;
} leaver;

static int hold_own_worker(void *argument, void **value)
{
	leaver *self = argument;
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	*value = NULL;
	if (self->holder.at != NULL)
		return 0;
	self->holder.at = &self->at;
	weft_task_init(&self->holder.task, gate_task_run);
	options.to_worker = true;
	options.worker = (unsigned)weft_pool_worker_index(self->pool);
	return weft_task_submit_with(self->pool, &self->holder.task, &options);
}

/* A worker that sleeps is woken for it. */
static void strands_go_on_elsewhere(void **state)
{
	enum {
		TASKS = 100
	};
	weft_pool *pool = pool_of(2, 1);
	leaver self = {.pool = pool};
	void *arguments[TASKS];
	weft_future *futures[TASKS];
	account account;

	(void)state;
	account_init(&account, pool);
	pool_await_rest(pool);
	for (int i = 0; i < TASKS; i++)
		arguments[i] = &self;
	assert_int_equal(weft_submit_many(pool, hold_own_worker, arguments, TASKS, &account.options,
					  futures),
			 0);
	for (int i = 0; i < TASKS; i++) {
		assert_int_equal(weft_future_wait(futures[i], guard()), 0);
		assert_int_equal(weft_future_error(futures[i]), 0);
		weft_future_release(futures[i]);
	}
	gate_await(&self.at, 1);
	gate_let_go(&self.at, &self.holder, 1);
	weft_strand_fini(&account.strand);
	weft_pool_destroy(pool);
}

static void futures_and_cancel(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	account account;
	weft_future *futures[3];
	void *arguments[3] = {&futures[0], &futures[1], &futures[2]};
	gate_task holder;
	gate at = {0};

	(void)state;
	account_init(&account, pool);
	gate_hold(pool, &at, &holder, 1);
	assert_int_equal(weft_submit_many(pool, answer, arguments, 3, &account.options, futures),
			 0);
	assert_true(weft_future_cancel(futures[1]));
	gate_let_go(&at, &holder, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(weft_future_wait(futures[i], guard()), 0);
		assert_int_equal(weft_future_error(futures[i]), i == 1 ? -ECANCELED : 0);
		assert_ptr_equal(weft_future_value(futures[i]), i == 1 ? NULL : arguments[i]);
		weft_future_release(futures[i]);
	}
	weft_strand_fini(&account.strand);
	weft_pool_destroy(pool);
}

/* On one worker, before others. */
static void note_worker(void *argument)
{
	chained *self = argument;

	must(weft_pool_worker_index(self->pool) == 1);
	self->left--;
}

static void a_strand_may_have_one_worker(void **state)
{
	weft_pool *pool = pool_of(2, 0);
	weft_submit_options how = WEFT_SUBMIT_OPTIONS_INIT;
	account account;
	chained self = {&account, pool, 1000};

	(void)state;
	account_init(&account, pool);
	how.to_worker = true;
	how.worker = 1;
	assert_int_equal(weft_strand_init(&account.strand, pool, &how), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(weft_spawn_with(pool, note_worker, &self, &account.options), 0);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(self.left, 0);
	weft_pool_destroy(pool);
}

/* When it is not there, the submitter learns of it. */
static void a_strand_whose_worker_has_left(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	weft_submit_options how = WEFT_SUBMIT_OPTIONS_INIT;
	weft_deadline deadline = guard();
	account account;
	chained self = {&account, pool, 10};

	(void)state;
	account_init(&account, pool);
	how.to_worker = true;
	how.worker = 1;
	assert_int_equal(weft_strand_init(&account.strand, pool, &how), 0);
	assert_int_equal(weft_pool_resize(pool, 1), 0);
	while (!weft_inbox_is_closed_(&pool->worker[1]->private_inbox)) {
		assert_true(weft_now() < deadline);
		sched_yield();
	}
	assert_int_equal(weft_spawn_with(pool, note_worker, &self, &account.options), -EPIPE);
	assert_true(weft_strand_is_idle(&account.strand));
	assert_int_equal(weft_pool_resize(pool, 2), 0);
	for (int spawned = 0; spawned < 10;) {
		int error = weft_spawn_with(pool, note_worker, &self, &account.options);

		assert_true(error == 0 || error == -EPIPE);
		assert_true(weft_now() < deadline);
		spawned += error == 0;
	}
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(self.left, 0);
	assert_int_equal(statistics_of(pool).canceled, 0);
	weft_pool_destroy(pool);
}

static void strands_end_with_the_pool(void **state)
{
	static deposit deposits[EACH];

	(void)state;
	for (int how = 0; how < 2; how++) {
		weft_pool *pool = pool_of(2, 1);
		account account;
		gate_task holders[2];
		gate at = {0};

		account_init(&account, pool);
		gate_hold(pool, &at, holders, 2);
		for (long i = 0; i < EACH; i++) {
			weft_task_init(&deposits[i].task, make_deposit);
			deposits[i].to = &account;
			deposits[i].thread = 0;
			deposits[i].number = i + 1;
			assert_int_equal(
				weft_task_submit_with(pool, &deposits[i].task, &account.options),
				0);
		}
		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, WEFT_NOW),
				 -ETIMEDOUT);
		assert_int_equal(weft_spawn_with(pool, chain, NULL, &account.options), -EPIPE);
		gate_let_go(&at, holders, 2);
		for (long i = 0; i < EACH; i++)
			assert_int_equal(weft_task_wait(&deposits[i].task, guard()),
					 how == 0 ? 0 : -ECANCELED);
		weft_strand_fini(&account.strand);
		assert_int_equal(account.runs, how == 0 ? EACH : 0);
		weft_pool_destroy(pool);
	}
}

static void refuses_nonsense(void **state)
{
	weft_pool *pool = pool_of(1, 0), *other = pool_of(1, 0);
	weft_submit_options how = WEFT_SUBMIT_OPTIONS_INIT;
	account account;

	(void)state;
	account_init(&account, pool);
	assert_int_equal(weft_strand_init(NULL, pool, NULL), -EINVAL);
	assert_int_equal(weft_strand_init(&account.strand, NULL, NULL), -EINVAL);
	assert_int_equal(weft_strand_init(&account.strand, pool, &account.options), -EINVAL);
	how.priority = (weft_priority)9;
	assert_int_equal(weft_strand_init(&account.strand, pool, &how), -EINVAL);
	/* A strand of another pool. */
	assert_int_equal(weft_spawn_with(other, chain, NULL, &account.options), -EINVAL);
	weft_strand_fini(&account.strand);
	weft_pool_destroy(pool);
	weft_pool_destroy(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time_in_order),
		cmocka_unit_test(tasks_of_a_strand_submit_and_wait),
		cmocka_unit_test(others_have_their_turn),
		cmocka_unit_test(others_come_soon),
		cmocka_unit_test(strands_have_a_priority),
		cmocka_unit_test(strands_go_on_elsewhere),
		cmocka_unit_test(futures_and_cancel),
		cmocka_unit_test(a_strand_may_have_one_worker),
		cmocka_unit_test(a_strand_whose_worker_has_left),
		cmocka_unit_test(strands_end_with_the_pool),
		cmocka_unit_test(refuses_nonsense),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
