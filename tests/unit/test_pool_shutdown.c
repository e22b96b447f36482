/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/pool: how a pool ends, by draining or by aborting, once, twice, late, and from
 * where it must not.
 *
 * The linker sends two calls of the library to the __wrap_ functions below, so that a test can act
 * there: a thread that submits calls sched_getcpu between its look at the pool's phase and the
 * handing over; a worker calls weft_plan_victims after it found nothing of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pool_fixture.h"

enum {
	/* More workers than this machine has to have CPUs. */
	MANY = 9,
};

int __real_sched_getcpu(void);
int __wrap_sched_getcpu(void);

/* Where a thread that submits is held, unless NULL. Set while nobody submits. */
static gate *submitting;

int __wrap_sched_getcpu(void)
{
	if (submitting != NULL)
		gate_pass(submitting);
	return __real_sched_getcpu();
}

const uint16_t *__real_weft_plan_victims(const weft_plan *plan, unsigned worker);
const uint16_t *__wrap_weft_plan_victims(const weft_plan *plan, unsigned worker);

/* Called by workers that found nothing of their own, unless NULL. */
static void (*_Atomic found_nothing)(void);

const uint16_t *__wrap_weft_plan_victims(const weft_plan *plan, unsigned worker)
{
	void (*act)(void) = atomic_load(&found_nothing);

	if (act != NULL)
		act();
	return __real_weft_plan_victims(plan, worker);
}

/* Counts its runs. */
static atomic_long runs;

static void count_run(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

static int answer(void *argument, void **value)
{
	*value = argument;
	return 0;
}

static int reset_runs(void **state)
{
	(void)state;
	atomic_store(&runs, 0);
	return 0;
}

/* Workers that would spin for ever do not keep a pool from ending. */
static void spinning_workers_shut_down(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= MANY; workers += 4) {
		for (int how = 0; how < 2; how++) {
			weft_pool *pool = pool_of(workers, WEFT_FOREVER);
			gate_task holder;
			gate at = {0};

			gate_hold(pool, &at, &holder, 1);
			assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, WEFT_NOW),
					 -ETIMEDOUT);
			gate_let_go(&at, &holder, 1);
			assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, guard()), 0);
			assert_int_equal(weft_pool_destroy(pool), 0);
		}
	}
}

static void assert_closed(weft_pool *pool)
{
	weft_future *future = NULL;
	weft_task task;

	weft_task_init(&task, gate_task_run);
	assert_int_equal(weft_spawn(pool, count_run, NULL), -EPIPE);
	assert_int_equal(weft_task_submit(pool, &task), -EPIPE);
	assert_int_equal(weft_task_wait(&task, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_submit(pool, answer, NULL, &future), -EPIPE);
	assert_null(future);
}

static void shutdown_refuses_nonsense(void **state)
{
	weft_pool *pool = pool_of(1, 0);

	(void)state;
	assert_int_equal(weft_pool_shutdown(NULL, WEFT_SHUTDOWN_DRAIN, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)2, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)-1, WEFT_NOW), -EINVAL);
	/* It is still open. */
	assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	assert_int_equal(weft_pool_destroy(pool), 0);
	assert_int_equal(atomic_load(&runs), 1);
	assert_int_equal(weft_pool_destroy(NULL), 0);
}

static void shutdown_may_be_repeated(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		weft_pool *pool = pool_of(2, 1);

		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, guard()), 0);
		assert_closed(pool);
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW), 0);
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, WEFT_NOW), 0);
		assert_int_equal(statistics_of(pool).submitted, 0);
		assert_int_equal(weft_pool_workers(pool), 2);
		assert_int_equal(weft_pool_destroy(pool), 0);
	}
}

static void shutdown_returns_at_its_deadline(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW), -ETIMEDOUT);
	assert_closed(pool);

	weft_deadline deadline = weft_after(2 * WEFT_MILLISECONDS);

	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, deadline), -ETIMEDOUT);
	assert_true(weft_now() >= deadline);
	gate_let_go(&at, &holder, 1);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(statistics_of(pool).run, 1);
	weft_pool_destroy(pool);
}

/* A tree of spawned calls, some levels deep. */
static weft_pool *tree_pool;
static gate tree_gate;

static void grow_tree(void *levels)
{
	uintptr_t below = (uintptr_t)levels;

	gate_pass(&tree_gate);
	atomic_fetch_add(&runs, 1);
	for (int i = 0; below > 0 && i < 3; i++)
		must(weft_spawn(tree_pool, grow_tree, (void *)(below - 1)) == 0);
}

static void drain_runs_what_tasks_submit_meanwhile(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= MANY; workers += 4) {
		reset_runs(NULL);
		memset((void *)&tree_gate, 0, sizeof(tree_gate));
		tree_pool = pool_of(workers, workers % 8);
		assert_int_equal(weft_spawn(tree_pool, grow_tree, (void *)7), 0);
		gate_await(&tree_gate, 1);
		assert_int_equal(weft_pool_shutdown(tree_pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW),
				 -ETIMEDOUT);
		assert_closed(tree_pool);
		gate_open(&tree_gate);
		assert_int_equal(weft_pool_shutdown(tree_pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		/* 3^0 + 3^1 + ... + 3^7. */
		assert_int_equal(atomic_load(&runs), 3280);
		assert_int_equal(statistics_of(tree_pool).submitted, 3280);
		assert_int_equal(statistics_of(tree_pool).run, 3280);
		weft_pool_destroy(tree_pool);
	}
}

/* Goes from worker to worker, as whose tasks belong to one of them do. */
typedef struct traveler {
	weft_pool *pool;
	weft_strand *strands; /* one of each worker; NULL: travels by itself */
	gate at;
	atomic_long hops;
} traveler;

enum {
	WORKERS = 3,
	HOPS = 300,
};

static void hop(void *argument)
{
	traveler *self = argument;
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
	long hops = atomic_fetch_add(&self->hops, 1);

	if (hops == 0)
		gate_pass(&self->at);
	else
		must(weft_pool_worker_index(self->pool) == hops % WORKERS);
	if (hops + 1 == HOPS)
		return;
	options.to_worker = true;
	options.worker = (unsigned)(hops + 1) % WORKERS;
	if (self->strands != NULL)
		options.strand = &self->strands[options.worker];
	must(weft_spawn_with(self->pool, hop, self, &options) == 0);
}

static void draining_tasks_reach_workers_that_are_quiet(void **state)
{
	(void)state;
	for (int by_strands = 0; by_strands < 2; by_strands++) {
		weft_strand strands[WORKERS];
		traveler self = {.pool = pool_of(WORKERS, 1)};
		weft_deadline deadline = guard();

		for (unsigned i = 0; i < WORKERS; i++) {
			weft_submit_options how = WEFT_SUBMIT_OPTIONS_INIT;

			how.to_worker = true;
			how.worker = i;
			must(weft_strand_init(&strands[i], self.pool, &how) == 0);
		}
		self.strands = by_strands != 0 ? strands : NULL;
		assert_int_equal(weft_spawn(self.pool, hop, &self), 0);
		gate_await(&self.at, 1);
		assert_int_equal(weft_pool_shutdown(self.pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW),
				 -ETIMEDOUT);
		while (WEFT_QUIET_WORKERS_(atomic_load(&self.pool->quiet)) != WORKERS - 1) {
			assert_true(weft_now() < deadline);
			sched_yield();
		}
		gate_open(&self.at);
		assert_int_equal(weft_pool_shutdown(self.pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		assert_int_equal(atomic_load(&self.hops), HOPS);
		assert_int_equal(statistics_of(self.pool).canceled, 0);
		weft_pool_destroy(self.pool);
	}
}

/* Plain numbers: whoever reads them must have been told that the workers have stopped. */
static weft_pool *plain_pool;
static long plain_runs[MANY];

static void count_plainly(void *argument)
{
	(void)argument;
	plain_runs[weft_pool_worker_index(plain_pool)]++;
}

static void shutdown_shows_what_was_done(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		long sum = 0;

		memset(plain_runs, 0, sizeof(plain_runs));
		plain_pool = pool_of(MANY, 1);
		for (int i = 0; i < 100; i++)
			assert_int_equal(weft_spawn(plain_pool, count_plainly, NULL), 0);
		/* Having waited, or coming when it is over. */
		if (round % 2 == 0)
			weft_pool_shutdown(plain_pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW);
		while (round % 2 == 0 &&
		       atomic_load_explicit(&plain_pool->alive, memory_order_relaxed) != 0)
			sched_yield();
		assert_int_equal(weft_pool_shutdown(plain_pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		for (int i = 0; i < MANY; i++)
			sum += plain_runs[i];
		assert_int_equal(sum, 100);
		weft_pool_destroy(plain_pool);
	}
}

static void destroy_drains(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= MANY; workers += 4) {
		weft_pool *pool = pool_of(workers, 1);
		gate_task holder;
		gate at = {0};

		reset_runs(NULL);
		gate_hold(pool, &at, &holder, 1);
		for (int i = 0; i < 5000; i++)
			assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		gate_let_go(&at, &holder, 1);
		assert_int_equal(weft_pool_destroy(pool), 0);
		assert_int_equal(atomic_load(&runs), 5000);
	}
}

/* Held at a gate, then tries to submit in each way, and to close its own pool. */
typedef struct inner_task {
	weft_task task;
	weft_pool *pool;
	gate *at;
	int spawned, submitted, placed, shut, aborted, destroyed;
	weft_task inside;
} inner_task;

static void nothing(weft_task *task)
{
	(void)task;
}

static void inner_task_run(weft_task *task)
{
	inner_task *self = (inner_task *)task;
	weft_future *future = NULL;

	gate_pass(self->at);
	self->shut = weft_pool_shutdown(self->pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW);
	self->aborted = weft_pool_shutdown(self->pool, WEFT_SHUTDOWN_ABORT, WEFT_FOREVER);
	self->destroyed = weft_pool_destroy(self->pool);
	weft_task_init(&self->inside, nothing);
	self->spawned = weft_spawn(self->pool, count_run, NULL);
	self->placed = weft_task_submit(self->pool, &self->inside);
	self->submitted = weft_submit(self->pool, answer, NULL, &future);
	weft_future_release(future);
}

static void inner_task_init(inner_task *self, weft_pool *pool, gate *at)
{
	memset((void *)self, 0, sizeof(*self));
	weft_task_init(&self->task, inner_task_run);
	self->pool = pool;
	self->at = at;
}

static void workers_cannot_end_their_pool(void **state)
{
	weft_pool *pool = pool_of(2, 0);
	inner_task task;
	gate at = {0};

	(void)state;
	inner_task_init(&task, pool, &at);
	gate_open(&at);
	assert_int_equal(weft_task_submit(pool, &task.task), 0);
	assert_int_equal(weft_task_wait(&task.task, guard()), 0);
	assert_int_equal(task.shut, -EDEADLK);
	assert_int_equal(task.aborted, -EDEADLK);
	assert_int_equal(task.destroyed, -EDEADLK);
	/* And nothing has changed. */
	assert_int_equal(task.spawned, 0);
	assert_int_equal(task.placed, 0);
	assert_int_equal(task.submitted, 0);
	assert_int_equal(weft_task_wait(&task.inside, guard()), 0);
	assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), 2);
}

/* A pool that is being destroyed is destroyed once more: by a task and by the hook of each worker.
 */
typedef struct destroyer {
	weft_task task;
	weft_pool *pool;
	WEFT_ATOMIC(int) refused;
} destroyer;

static void destroy_again(destroyer *self)
{
	must(weft_pool_destroy(self->pool) == -EDEADLK);
	atomic_fetch_add(&self->refused, 1);
}

static void destroyer_run(weft_task *task)
{
	destroyer *self = (destroyer *)task;
	weft_deadline deadline = guard();

	while (weft_worker_phase_(self->pool) == WEFT_POOL_OPEN_)
		must(weft_now() < deadline);
	destroy_again(self);
}

static void destroyer_ends(void *context, unsigned worker)
{
	(void)worker;
	destroy_again(context);
}

static void destroy_within_destroy_is_refused(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	destroyer self;

	(void)state;
	memset((void *)&self, 0, sizeof(self));
	weft_task_init(&self.task, destroyer_run);
	options.workers = 2;
	options.worker_ends = destroyer_ends;
	options.hook_context = &self;
	assert_int_equal(weft_pool_create(&self.pool, &options), 0);
	assert_int_equal(weft_task_submit(self.pool, &self.task), 0);
	assert_int_equal(weft_pool_destroy(self.pool), 0);
	assert_true(weft_task_is_done(&self.task));
	assert_int_equal(atomic_load(&self.refused), 3);
}

/* Turns a drain into an abort where the round is odd. */
static void abort_cancels_what_has_not_begun(void **state)
{
	(void)state;
	for (int round = 0; round < 4; round++) {
		weft_pool *pool = pool_of(round < 2 ? 1 : 4, 1);
		gate_task holders[3];
		inner_task inner;
		weft_task queued[100];
		gate at = {0};
		uint32_t held = round < 2 ? 0 : 3;

		reset_runs(NULL);
		gate_hold(pool, &at, holders, held);
		inner_task_init(&inner, pool, &at);
		assert_int_equal(weft_task_submit(pool, &inner.task), 0);
		gate_await(&at, held + 1);
		for (int i = 0; i < 100; i++) {
			weft_task_init(&queued[i], nothing);
			assert_int_equal(weft_task_submit(pool, &queued[i]), 0);
			assert_int_equal(weft_spawn(pool, count_run, NULL), 0);
		}
		if (round % 2 == 1)
			assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW),
					 -ETIMEDOUT);
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, WEFT_NOW),
				 -ETIMEDOUT);
		/* An abort stays one. */
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW),
				 -ETIMEDOUT);
		assert_closed(pool);
		gate_let_go(&at, holders, held);
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		assert_int_equal(weft_task_wait(&inner.task, WEFT_NOW), 0);
		assert_int_equal(inner.spawned, -EPIPE);
		assert_int_equal(inner.placed, -EPIPE);
		assert_int_equal(inner.submitted, -EPIPE);
		for (int i = 0; i < 100; i++)
			assert_int_equal(weft_task_wait(&queued[i], WEFT_NOW), -ECANCELED);
		assert_int_equal(atomic_load(&runs), 0);
		assert_int_equal(statistics_of(pool).run, held + 1);
		assert_int_equal(statistics_of(pool).canceled, 200);
		assert_int_equal(statistics_of(pool).submitted, held + 201);
		weft_pool_destroy(pool);
	}
}

/* Wakes a closing pool's other worker again and again, each time to find nothing. */
static void call_quiet_worker(weft_pool *pool, weft_shutdown how)
{
	for (int i = 0; i < 10; i++) {
		assert_int_equal(weft_pool_shutdown(pool, how, WEFT_NOW), -ETIMEDOUT);
		pool_await_sleepers(pool, 1);
	}
}

/* A task that needs another worker: it waits, as in a system call, until its child has begun. */
typedef struct needy_task {
	weft_task task, child;
	weft_pool *pool;
	gate *at, meeting;
} needy_task;

static void needy_child_run(weft_task *task)
{
	needy_task *self = (needy_task *)((char *)task - offsetof(needy_task, child));

	gate_open(&self->meeting);
}

static void needy_task_run(weft_task *task)
{
	needy_task *self = (needy_task *)task;

	gate_pass(self->at);
	must(weft_task_submit(self->pool, &self->child) == 0);
	gate_pass(&self->meeting);
}

/* Workers that found nothing to drain are there for what comes yet. */
static void draining_pool_keeps_its_workers(void **state)
{
	needy_task needy = {.pool = pool_of(2, 1)};
	gate at = {0};

	(void)state;
	needy.at = &at;
	weft_task_init(&needy.task, needy_task_run);
	weft_task_init(&needy.child, needy_child_run);
	assert_int_equal(weft_task_submit(needy.pool, &needy.task), 0);
	gate_await(&at, 1);
	call_quiet_worker(needy.pool, WEFT_SHUTDOWN_DRAIN);
	gate_open(&at);
	assert_int_equal(weft_pool_shutdown(needy.pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(weft_task_wait(&needy.task, WEFT_NOW), 0);
	assert_int_equal(weft_task_wait(&needy.child, WEFT_NOW), 0);
	weft_pool_destroy(needy.pool);
}

/* A pool is not at its end while one worker still runs a task, however often others are woken. */
static void aborting_pool_stays_closed_inside(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	inner_task inner;
	gate at = {0};

	(void)state;
	inner_task_init(&inner, pool, &at);
	assert_int_equal(weft_task_submit(pool, &inner.task), 0);
	gate_await(&at, 1);
	call_quiet_worker(pool, WEFT_SHUTDOWN_ABORT);
	gate_open(&at);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, guard()), 0);
	assert_int_equal(inner.spawned, -EPIPE);
	assert_int_equal(inner.placed, -EPIPE);
	assert_int_equal(inner.submitted, -EPIPE);
	weft_pool_destroy(pool);
}

/* A task whose submitter found the pool open, and hands it over when that is closing. */
typedef struct late_task {
	weft_pool *pool;
	weft_task task;
	int result;
	gate at, submitted;
} late_task;

static void *submit_late(void *argument)
{
	late_task *self = argument;

	self->result = weft_task_submit(self->pool, &self->task);
	gate_open(&self->submitted);
	return NULL;
}

/* Returns when the thread stands between its look and the handing over. */
static void late_task_begin(late_task *self, pthread_t *thread)
{
	memset((void *)self, 0, sizeof(*self));
	self->pool = pool_of(1, 1);
	weft_task_init(&self->task, nothing);
	submitting = &self->at;
	assert_int_equal(pthread_create(thread, NULL, submit_late, self), 0);
	gate_await(&self->at, 1);
	submitting = NULL;
}

/* Nothing is accepted that nobody will look at. */
static void submission_after_the_end_is_refused(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		late_task late;
		pthread_t thread;

		late_task_begin(&late, &thread);
		assert_int_equal(weft_pool_shutdown(late.pool, (weft_shutdown)how, guard()), 0);
		gate_open(&late.at);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(late.result, -EPIPE);
		assert_int_equal(weft_task_wait(&late.task, WEFT_NOW), -EINVAL);
		assert_int_equal(statistics_of(late.pool).submitted, 0);
		weft_pool_destroy(late.pool);
	}
}

static late_task *_Atomic accepted_late;

/* Of a closing pool, whose worker has looked into its inbox but not closed it. */
static void accept_late(void)
{
	late_task *late = atomic_load(&accepted_late);

	if (late == NULL || atomic_load(&late->pool->phase) == WEFT_POOL_OPEN_)
		return;
	atomic_store(&accepted_late, NULL);
	gate_open(&late->at);
	gate_pass(&late->submitted);
}

static void submission_just_before_the_end_is_kept(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		late_task late;
		pthread_t thread;

		late_task_begin(&late, &thread);
		atomic_store(&accepted_late, &late);
		atomic_store(&found_nothing, accept_late);
		assert_int_equal(weft_pool_shutdown(late.pool, (weft_shutdown)how, guard()), 0);
		atomic_store(&found_nothing, NULL);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(late.result, 0);
		assert_int_equal(weft_task_wait(&late.task, WEFT_NOW), how == 0 ? 0 : -ECANCELED);
		assert_int_equal(statistics_of(late.pool).submitted, 1);
		weft_pool_destroy(late.pool);
	}
}

static void *shut_down(void *pool)
{
	must(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()) == 0);
	return NULL;
}

static void several_threads_may_shut_down(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	pthread_t threads[4];
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, shut_down, pool), 0);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, WEFT_NOW), -ETIMEDOUT);
	gate_let_go(&at, &holder, 1);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	weft_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(shutdown_refuses_nonsense, reset_runs),
		cmocka_unit_test(shutdown_may_be_repeated),
		cmocka_unit_test(shutdown_returns_at_its_deadline),
		cmocka_unit_test(spinning_workers_shut_down),
		cmocka_unit_test(drain_runs_what_tasks_submit_meanwhile),
		cmocka_unit_test(draining_tasks_reach_workers_that_are_quiet),
		cmocka_unit_test(draining_pool_keeps_its_workers),
		cmocka_unit_test(shutdown_shows_what_was_done),
		cmocka_unit_test(destroy_drains),
		cmocka_unit_test_setup(workers_cannot_end_their_pool, reset_runs),
		cmocka_unit_test(abort_cancels_what_has_not_begun),
		cmocka_unit_test(aborting_pool_stays_closed_inside),
		cmocka_unit_test(submission_after_the_end_is_refused),
		cmocka_unit_test(submission_just_before_the_end_is_kept),
		cmocka_unit_test(destroy_within_destroy_is_refused),
		cmocka_unit_test(several_threads_may_shut_down),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
