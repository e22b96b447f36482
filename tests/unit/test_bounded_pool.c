/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of pools that accept only so many tasks: who waits, who is refused, who runs its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weft/pool/forkjoin.h>
#include <weft/pool/strand.h>

#include "../pool_fixture.h"

enum {
	LIMIT = 8,
	THREADS = 4,
	EACH = 3000,
};

static atomic_long runs;

static weft_pool *bounded(unsigned workers, weft_full full, uint64_t wait_ns)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	atomic_store(&runs, 0);
	options.workers = workers;
	options.max_queued = LIMIT;
	options.full = full;
	options.full_wait_ns = wait_ns;
	must(weft_pool_create(&pool, &options) == 0);
	return pool;
}

static void count_run(void *argument)
{
	must(argument == NULL || pthread_equal(*(pthread_t *)argument, pthread_self()));
	atomic_fetch_add(&runs, 1);
}

/* Fills a pool whose workers are held. */
static void fill(weft_pool *pool)
{
	for (int i = 0; i < LIMIT; i++)
		must(weft_spawn(pool, count_run, NULL) == 0);
}

static void refuses_what_is_too_much(void **state)
{
	weft_pool *pool = bounded(1, WEFT_FULL_REFUSE, 0);
	weft_task task, *tasks[LIMIT + 1];
	weft_future *future = (weft_future *)&pool;
	gate_task holder;
	gate at = {0};

	(void)state;
	for (int round = 0; round < 3; round++) {
		memset(&at, 0, sizeof(at));
		gate_hold(pool, &at, &holder, 1);
		fill(pool);
		weft_task_init(&task, gate_task_run);
		assert_int_equal(weft_spawn(pool, count_run, NULL), -EAGAIN);
		assert_int_equal(weft_task_submit(pool, &task), -EAGAIN);
		assert_int_equal(weft_task_wait(&task, WEFT_NOW), -EINVAL);
		assert_int_equal(weft_submit(pool, NULL, NULL, &future), -EINVAL);
		gate_let_go(&at, &holder, 1);
		pool_await_rest(pool);
		assert_int_equal(atomic_load(&runs), (round + 1) * LIMIT);
	}
	for (int i = 0; i <= LIMIT; i++)
		tasks[i] = &task;
	assert_int_equal(weft_task_submit_many(pool, tasks, LIMIT + 1, NULL), -EBUSY);

	weft_task many[LIMIT + 1];

	for (int i = 0; i <= LIMIT; i++) {
		weft_task_init(&many[i], gate_task_run);
		tasks[i] = &many[i];
	}
	assert_int_equal(weft_task_submit_many(pool, tasks, LIMIT + 1, NULL), -EINVAL);
	weft_pool_destroy(pool);
}

static int submit_in_vain(void *pool, void **value)
{
	uint64_t before = weft_now();
	int error = weft_spawn(pool, count_run, NULL);

	(void)value;
	must(weft_now() - before >= 3 * WEFT_MILLISECONDS);
	return error;
}

/* Neither a thread nor a task; that is another pool's, for its own would make room meanwhile. */
static void waits_no_longer_than_told(void **state)
{
	weft_pool *pool = bounded(1, WEFT_FULL_BLOCK, 3 * WEFT_MILLISECONDS);
	weft_pool *other = pool_of(1, 0);
	weft_future *future;
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	fill(pool);
	assert_int_equal(submit_in_vain(pool, NULL), -EAGAIN);
	assert_int_equal(weft_submit(other, submit_in_vain, pool, &future), 0);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	assert_int_equal(weft_future_error(future), -EAGAIN);
	weft_future_release(future);
	assert_int_equal(statistics_of(other).suspensions, 1);
	gate_let_go(&at, &holder, 1);
	weft_pool_destroy(pool);
	weft_pool_destroy(other);
	assert_int_equal(atomic_load(&runs), LIMIT);
}

/* A thread that submits to a full pool. */
typedef struct late_thread {
	weft_pool *pool;
	int result;
} late_thread;

static void *submit_one(void *argument)
{
	late_thread *self = argument;

	self->result = weft_spawn(self->pool, count_run, NULL);
	return NULL;
}

/* Though the tasks that would make room do not begin. */
static void closing_ends_the_wait(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		weft_pool *pool = bounded(1, WEFT_FULL_BLOCK, 0);
		late_thread late[THREADS];
		pthread_t threads[THREADS];
		weft_deadline deadline = guard();
		gate_task holder;
		gate at = {0};

		gate_hold(pool, &at, &holder, 1);
		fill(pool);
		for (int i = 0; i < THREADS; i++) {
			late[i].pool = pool;
			assert_int_equal(pthread_create(&threads[i], NULL, submit_one, &late[i]),
					 0);
		}
		while (atomic_load(&pool->bound.room.waiters_) != THREADS) {
			assert_true(weft_now() < deadline);
			sched_yield();
		}
		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, WEFT_NOW),
				 -ETIMEDOUT);
		for (int i = 0; i < THREADS; i++) {
			assert_int_equal(pthread_join(threads[i], NULL), 0);
			assert_int_equal(late[i].result, -EPIPE);
		}
		gate_let_go(&at, &holder, 1);
		assert_int_equal(weft_pool_destroy(pool), 0);
		assert_int_equal(atomic_load(&runs), how == 0 ? LIMIT : 0);
	}
}

static void *submit_each(void *pool)
{
	for (int i = 0; i < EACH; i++)
		must(weft_spawn(pool, count_run, NULL) == 0);
	return NULL;
}

static void many_wait_for_room(void **state)
{
	weft_pool *pool = bounded(2, WEFT_FULL_BLOCK, 0);
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, submit_each, pool), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), THREADS * EACH);
}

static void flood(void *pool)
{
	submit_each(pool);
}

/* A task that waits for room is suspended, and its worker makes it. */
static void tasks_wait_for_room(void **state)
{
	weft_pool *pool = bounded(1, WEFT_FULL_BLOCK, 0);

	(void)state;
	assert_int_equal(weft_spawn(pool, flood, pool), 0);
	assert_int_equal(weft_spawn(pool, flood, pool), 0);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), 2 * EACH);
}

static int answer(void *argument, void **value)
{
	*value = argument;
	return 0;
}

static void submitters_run_what_is_too_much(void **state)
{
	weft_pool *pool = bounded(1, WEFT_FULL_RUN, 0);
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
	pthread_t self = pthread_self();
	weft_future *future;
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	fill(pool);
	assert_int_equal(atomic_load(&runs), 0);
	assert_int_equal(weft_spawn(pool, count_run, &self), 0);
	assert_int_equal(atomic_load(&runs), 1);
	assert_int_equal(weft_submit(pool, answer, &self, &future), 0);
	assert_true(weft_future_is_done(future));
	assert_ptr_equal(weft_future_value(future), &self);
	weft_future_release(future);
	options.to_worker = true;
	assert_int_equal(weft_spawn_with(pool, count_run, NULL, &options), -EAGAIN);
	gate_let_go(&at, &holder, 1);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(weft_spawn(pool, count_run, NULL), -EPIPE);
	assert_int_equal(statistics_of(pool).run, LIMIT + 3);
	assert_int_equal(statistics_of(pool).submitted, LIMIT + 3);
	weft_pool_destroy(pool);
}

static void count_task(weft_task *task)
{
	(void)task;
	atomic_fetch_add(&runs, 1);
}

/* Several at once, all of them; but not those of a strand, which have an order. */
static void submitters_run_many(void **state)
{
	weft_pool *pool = bounded(1, WEFT_FULL_RUN, 0);
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
	weft_task many[LIMIT], *tasks[LIMIT];
	weft_strand strand;
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	fill(pool);
	for (int i = 0; i < LIMIT; i++) {
		weft_task_init(&many[i], count_task);
		tasks[i] = &many[i];
	}
	assert_int_equal(weft_task_submit_many(pool, tasks, LIMIT, NULL), 0);
	for (int i = 0; i < LIMIT; i++)
		assert_int_equal(weft_task_wait(&many[i], WEFT_NOW), 0);
	assert_int_equal(atomic_load(&runs), LIMIT);
	assert_int_equal(weft_strand_init(&strand, pool, NULL), 0);
	options.strand = &strand;
	assert_int_equal(weft_spawn_with(pool, count_run, NULL, &options), -EAGAIN);
	assert_true(weft_strand_is_idle(&strand));
	gate_let_go(&at, &holder, 1);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), 2 * LIMIT);
}

/* What is refused for want of its worker takes no room. */
static void refused_tasks_take_no_room(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_submit_options to_absent = WEFT_SUBMIT_OPTIONS_INIT;
	weft_deadline deadline = guard();
	weft_pool *pool = NULL;
	gate_task holder;
	gate at = {0};

	(void)state;
	atomic_store(&runs, 0);
	options.workers = 1;
	options.max_workers = 2;
	options.max_queued = LIMIT;
	options.full = WEFT_FULL_REFUSE;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	while (!weft_inbox_is_closed_(&pool->worker[1]->private_inbox)) {
		must(weft_now() < deadline);
		sched_yield();
	}
	gate_hold(pool, &at, &holder, 1);
	to_absent.to_worker = true;
	to_absent.worker = 1;
	for (int i = 0; i <= LIMIT; i++)
		assert_int_equal(weft_spawn_with(pool, count_run, NULL, &to_absent), -EPIPE);
	fill(pool);
	assert_int_equal(weft_spawn(pool, count_run, NULL), -EAGAIN);
	gate_let_go(&at, &holder, 1);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), LIMIT);
}

static void canceled_tasks_make_room(void **state)
{
	weft_pool *pool = bounded(1, WEFT_FULL_REFUSE, 0);
	gate_task holder;
	gate at = {0};
	weft_task tasks[LIMIT];

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	for (int i = 0; i < LIMIT; i++) {
		weft_task_init(&tasks[i], gate_task_run);
		assert_int_equal(weft_task_submit(pool, &tasks[i]), 0);
		assert_true(weft_task_cancel(&tasks[i]));
	}
	/* Once a worker has come upon them. */
	assert_int_equal(weft_spawn(pool, count_run, NULL), -EAGAIN);
	gate_let_go(&at, &holder, 1);
	for (int i = 0; i < LIMIT; i++)
		assert_int_equal(weft_task_wait(&tasks[i], guard()), -ECANCELED);
	pool_await_rest(pool);
	fill(pool);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), LIMIT);
}

WEFT_FORKABLE_1(long, leaves, int);

static long leaves(weft_fork at, int levels)
{
	if (levels == 0)
		return 1;
	leaves_fork(&at, levels - 1);

	long right = leaves(at, levels - 1);

	return leaves_join(&at) + right;
}

/* Though there is no room, and whoever runs it must be a worker. */
static void runs_of_fork_join_are_not_counted(void **state)
{
	weft_pool *pool = bounded(2, WEFT_FULL_RUN, 0);
	gate_task holder;
	gate at = {0};
	long count = 0;

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	assert_int_equal(leaves_run(pool, &count, 12), 0);
	assert_int_equal(count, 4096);
	gate_let_go(&at, &holder, 1);
	pool_await_rest(pool);
	fill(pool);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_is_too_much),
		cmocka_unit_test(waits_no_longer_than_told),
		cmocka_unit_test(closing_ends_the_wait),
		cmocka_unit_test(many_wait_for_room),
		cmocka_unit_test(tasks_wait_for_room),
		cmocka_unit_test(submitters_run_what_is_too_much),
		cmocka_unit_test(submitters_run_many),
		cmocka_unit_test(refused_tasks_take_no_room),
		cmocka_unit_test(canceled_tasks_make_room),
		cmocka_unit_test(runs_of_fork_join_are_not_counted),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
