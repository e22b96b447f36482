/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/executor and pool/future: many tasks at once, priorities, and tasks for one worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pool_fixture.h"

enum {
	MANY = 5000,
	/* As the header of executor states it. */
	PERIOD = 64,
};

/* Writes down when it ran, as which one of all. */
typedef struct noted {
	weft_task task;
	weft_pool *pool;
	long when;
	int worker;
} noted;

static atomic_long runs;

static void take_note(weft_task *task)
{
	noted *self = (noted *)task;

	self->when = atomic_fetch_add(&runs, 1);
	self->worker = weft_pool_worker_index(self->pool);
}

static noted *notes_for(weft_pool *pool, size_t count)
{
	noted *notes = calloc(count, sizeof(*notes));

	must(notes != NULL);
	for (size_t i = 0; i < count; i++) {
		weft_task_init(&notes[i].task, take_note);
		notes[i].pool = pool;
		notes[i].when = -1;
	}
	atomic_store(&runs, 0);
	return notes;
}

static void submit_notes(noted *notes, size_t count, const weft_submit_options *options)
{
	for (size_t i = 0; i < count; i++)
		must(weft_task_submit_with(notes[i].pool, &notes[i].task, options) == 0);
}

static void await_notes(noted *notes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		must(weft_task_wait(&notes[i].task, guard()) == 0);
		must(notes[i].when >= 0);
	}
}

static weft_submit_options with_priority(weft_priority priority)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	options.priority = priority;
	return options;
}

static weft_submit_options to_worker(unsigned worker)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	options.to_worker = true;
	options.worker = worker;
	return options;
}

static void call(void *argument)
{
	(void)argument;
	atomic_fetch_add(&runs, 1);
}

static int answer(void *argument, void **value)
{
	*value = argument;
	return 0;
}

static void refused(weft_pool *pool, const weft_submit_options *options)
{
	noted *note = notes_for(pool, 1);
	weft_task *task = &note->task;
	weft_future *future = (weft_future *)note;
	void *argument = NULL;

	assert_int_equal(weft_spawn_with(pool, call, NULL, options), -EINVAL);
	assert_int_equal(weft_task_submit_with(pool, task, options), -EINVAL);
	assert_int_equal(weft_task_submit_many(pool, &task, 1, options), -EINVAL);
	assert_int_equal(weft_submit_with(pool, answer, NULL, options, &future), -EINVAL);
	assert_int_equal(weft_submit_many(pool, answer, &argument, 1, options, &future), -EINVAL);
	assert_ptr_equal(future, note);
	assert_int_equal(weft_task_wait(task, WEFT_NOW), -EINVAL);
	free(note);
}

static void refuses_bad_options(void **state)
{
	weft_pool *pool = pool_of(2, 0);
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	(void)state;
	options.size--;
	refused(pool, &options);
	options = with_priority((weft_priority)(WEFT_PRIORITY_LOW + 1));
	refused(pool, &options);
	options = with_priority((weft_priority)-1);
	refused(pool, &options);
	options = to_worker(2);
	refused(pool, &options);
	options = to_worker(UINT32_MAX);
	refused(pool, &options);
	assert_int_equal(statistics_of(pool).submitted, 0);
	weft_pool_destroy(pool);
	assert_int_equal(atomic_load(&runs), 0);
}

/* One worker that is held meanwhile: high before normal before low, but for the turns of the
 * oldest. */
static void runs_by_priority(void **state)
{
	static const weft_priority order[] = {WEFT_PRIORITY_HIGH, WEFT_PRIORITY_NORMAL,
					      WEFT_PRIORITY_LOW};
	weft_pool *pool = pool_of(1, 0);
	noted *notes = notes_for(pool, (size_t)3 * MANY);
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	for (int i = 2; i >= 0; i--) {
		weft_submit_options options = with_priority(order[i]);

		submit_notes(notes + (ptrdiff_t)i * MANY, MANY, &options);
	}
	gate_let_go(&at, &holder, 1);
	await_notes(notes, (size_t)3 * MANY);
	for (long i = 0; i < MANY; i++) {
		/* Before a task of high priority: others of it, and two of 64. */
		assert_in_range(notes[i].when, 0, MANY + 2 * (MANY / (PERIOD - 2) + 1));
		assert_in_range(notes[MANY + i].when, 0, 2 * MANY + 2 * MANY / (PERIOD - 1) + 2);
	}
	weft_pool_destroy(pool);
	free(notes);
}

/* Submits itself again, with high priority, until it is told to stop. */
typedef struct eternal {
	weft_task task;
	weft_pool *pool;
	weft_submit_options options;
	long rounds;
	atomic_bool stop;
	struct eternal *next;
} eternal;

static void go_round(weft_task *task)
{
	eternal *self = (eternal *)task;

	self->rounds++;
	atomic_fetch_add(&runs, 1);
	if (!atomic_load(&self->stop))
		must(weft_task_submit_with(self->pool, &self->next->task, &self->options) == 0);
}

/* Two tasks that submit each other for ever, so that there is always one of their priority. */
static void nothing_starves_behind(weft_priority priority)
{
	weft_pool *pool = pool_of(1, 0);
	eternal pair[2] = {0};
	noted *notes = notes_for(pool, 3);
	weft_submit_options low = with_priority(WEFT_PRIORITY_LOW);

	for (int i = 0; i < 2; i++) {
		weft_task_init(&pair[i].task, go_round);
		pair[i].pool = pool;
		pair[i].options = with_priority(priority);
		pair[i].next = &pair[1 - i];
	}
	must(weft_task_submit_with(pool, &pair[0].task, &pair[0].options) == 0);
	submit_notes(notes, 1, NULL);
	submit_notes(notes + 1, 2, &low);
	await_notes(notes, 3);
	atomic_store(&pair[0].stop, true);
	atomic_store(&pair[1].stop, true);
	weft_pool_destroy(pool);
	/* It takes less than the third period, even if the submissions took another. */
	assert_true(notes[1].when - notes[2].when <= 2 * PERIOD &&
		    notes[2].when - notes[1].when <= 2 * PERIOD);
	free(notes);
}

static void nothing_starves(void **state)
{
	(void)state;
	nothing_starves_behind(WEFT_PRIORITY_HIGH);
	nothing_starves_behind(WEFT_PRIORITY_NORMAL);
}

/* Others help with each priority. */
static void each_priority_is_stolen(void **state)
{
	weft_pool *pool = pool_of(2, 0);
	noted *notes = notes_for(pool, 3);
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	for (int i = 0; i < 3; i++) {
		weft_submit_options options = with_priority((weft_priority)i);

		submit_notes(notes + i, 1, &options);
	}
	await_notes(notes, 3);
	gate_let_go(&at, &holder, 1);
	weft_pool_destroy(pool);
	free(notes);
}

static void private_tasks_run_there_in_order(void **state)
{
	enum {
		WORKERS = 3
	};
	weft_pool *pool = pool_of(WORKERS, 0);
	noted *notes = notes_for(pool, MANY);

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		weft_submit_options options = to_worker(i % WORKERS);

		submit_notes(notes + i, 1, &options);
	}
	await_notes(notes, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(notes[i].worker, i % WORKERS);
		if (i >= WORKERS)
			assert_true(notes[i].when > notes[i - WORKERS].when);
	}
	weft_pool_destroy(pool);
	free(notes);
}

/* Though another worker sleeps, and though there is other work. */
static void private_task_waits_for_its_worker(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	noted *notes = notes_for(pool, 2 * PERIOD);
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	pool_await_sleepers(pool, 1);

	/* Which one is held? The one that a task of its own does not reach. */
	unsigned held = (atomic_load(&pool->wake.idle[0]) & 1) != 0 ? 1 : 0;
	weft_submit_options options = to_worker(held), other = to_worker(1 - held);

	submit_notes(notes, PERIOD, &options);
	submit_notes(notes + PERIOD, PERIOD, &other);
	await_notes(notes + PERIOD, PERIOD);
	for (size_t i = 0; i < PERIOD; i++)
		assert_false(weft_task_is_done(&notes[i].task));
	gate_let_go(&at, &holder, 1);
	await_notes(notes, PERIOD);
	for (size_t i = 0; i < PERIOD; i++)
		assert_int_equal(notes[i].worker, held);
	weft_pool_destroy(pool);
	free(notes);
}

static void private_tasks_end_with_the_pool(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		weft_pool *pool = pool_of(2, 1);
		noted *notes = notes_for(pool, 3 * PERIOD);
		weft_submit_options options = to_worker(1);
		weft_submit_options high = with_priority(WEFT_PRIORITY_HIGH);
		gate_task holders[2];
		gate at = {0};

		gate_hold(pool, &at, holders, 2);
		submit_notes(notes, PERIOD, &options);
		submit_notes(notes + PERIOD, PERIOD, &high);
		submit_notes(notes + (ptrdiff_t)2 * PERIOD, PERIOD, NULL);
		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, WEFT_NOW),
				 -ETIMEDOUT);
		assert_int_equal(weft_spawn_with(pool, call, NULL, &options), -EPIPE);
		assert_int_equal(weft_spawn_with(pool, call, NULL, &high), -EPIPE);
		gate_let_go(&at, holders, 2);
		for (size_t i = 0; i < (size_t)3 * PERIOD; i++)
			assert_int_equal(weft_task_wait(&notes[i].task, guard()),
					 how == 0 ? 0 : -ECANCELED);
		weft_pool_destroy(pool);
		free(notes);
	}
}

/* All at once, from outside and inside. */
typedef struct crowd {
	weft_task task;
	weft_pool *pool;
	const weft_submit_options *options;
} crowd;

static void submit_crowd(weft_task *task)
{
	crowd *self = (crowd *)task;
	noted *notes = notes_for(self->pool, MANY);
	weft_task *tasks[MANY];

	for (size_t i = 0; i < MANY; i++)
		tasks[i] = &notes[i].task;
	for (size_t count = 0; count <= MANY; count = 3 * count + 1) {
		must(weft_task_submit_many(self->pool, tasks, count, self->options) == 0);
		await_notes(notes, count);
		must(atomic_exchange(&runs, 0) == (long)count);
	}
	free(notes);
}

static void many_are_submitted_at_once(void **state)
{
	weft_submit_options all[] = {with_priority(WEFT_PRIORITY_HIGH),
				     with_priority(WEFT_PRIORITY_LOW), to_worker(0)};

	(void)state;
	for (size_t i = 0; i <= 3; i++) {
		crowd self = {.pool = pool_of(2, 0), .options = i < 3 ? &all[i] : NULL};

		submit_crowd(&self.task);
		/* A worker that waits for tasks of its own only. */
		weft_task_init(&self.task, submit_crowd);
		assert_int_equal(weft_task_submit(self.pool, &self.task), 0);
		assert_int_equal(weft_task_wait(&self.task, guard()), 0);
		assert_int_equal(weft_pool_shutdown(self.pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
		assert_int_equal(statistics_of(self.pool).submitted, statistics_of(self.pool).run);
		weft_pool_destroy(self.pool);
	}
}

static void many_wake_one_at_first(void **state)
{
	weft_pool *pool = pool_of(4, 1);
	noted *notes = notes_for(pool, 1);
	weft_task *task = &notes->task;

	(void)state;
	pool_await_rest(pool);
	assert_int_equal(weft_task_submit_many(pool, &task, 1, NULL), 0);
	await_notes(notes, 1);
	pool_await_rest(pool);
	assert_int_equal(statistics_of(pool).woken, 1);
	weft_pool_destroy(pool);
	free(notes);
}

static void many_are_submitted_or_none(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	noted *notes = notes_for(pool, 3);
	weft_task *tasks[] = {&notes[0].task, &notes[1].task, &notes[2].task};
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	assert_int_equal(weft_task_submit(pool, &notes[2].task), 0);
	assert_int_equal(weft_task_submit_many(pool, tasks, 3, NULL), -EBUSY);
	tasks[2] = tasks[1];
	assert_int_equal(weft_task_submit_many(pool, tasks, 3, NULL), -EBUSY);
	tasks[2] = NULL;
	assert_int_equal(weft_task_submit_many(pool, tasks, 3, NULL), -EINVAL);
	assert_int_equal(weft_task_submit_many(pool, NULL, 1, NULL), -EINVAL);
	assert_int_equal(weft_task_submit_many(NULL, tasks, 1, NULL), -EINVAL);
	assert_int_equal(weft_task_submit_many(pool, tasks, WEFT_SUBMIT_MANY_MAX + 1, NULL),
			 -EINVAL);
	assert_int_equal(weft_task_submit_many(pool, NULL, 0, NULL), 0);
	gate_let_go(&at, &holder, 1);
	await_notes(notes + 2, 1);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	tasks[2] = &notes[2].task;
	assert_int_equal(weft_task_submit_many(pool, tasks, 3, NULL), -EPIPE);
	/* As they were: never submitted, and done. */
	assert_int_equal(weft_task_wait(&notes[0].task, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_task_wait(&notes[1].task, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_task_wait(&notes[2].task, WEFT_NOW), 0);
	assert_int_equal(atomic_load(&runs), 1);
	weft_pool_destroy(pool);
	free(notes);
}

static void many_futures_at_once(void **state)
{
	weft_pool *pool = pool_of(2, 0);
	weft_future *futures[PERIOD];
	void *arguments[PERIOD];

	(void)state;
	for (size_t i = 0; i < PERIOD; i++)
		arguments[i] = &arguments[i];
	assert_int_equal(weft_submit_many(pool, answer, arguments, PERIOD, NULL, futures), 0);
	for (size_t i = 0; i < PERIOD; i++) {
		assert_int_equal(weft_future_wait(futures[i], guard()), 0);
		assert_ptr_equal(weft_future_value(futures[i]), &arguments[i]);
		weft_future_release(futures[i]);
	}
	assert_int_equal(weft_submit_many(pool, answer, NULL, 0, NULL, NULL), 0);
	assert_int_equal(weft_submit_many(pool, answer, NULL, 1, NULL, futures), -EINVAL);
	assert_int_equal(weft_submit_many(pool, answer, arguments, 1, NULL, NULL), -EINVAL);
	assert_int_equal(weft_submit_many(pool, NULL, arguments, 1, NULL, futures), -EINVAL);
	assert_int_equal(weft_submit_many(NULL, answer, arguments, 1, NULL, futures), -EINVAL);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(weft_submit_many(pool, answer, arguments, PERIOD, NULL, futures), -EPIPE);
	weft_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bad_options),
		cmocka_unit_test(runs_by_priority),
		cmocka_unit_test(nothing_starves),
		cmocka_unit_test(each_priority_is_stolen),
		cmocka_unit_test(private_tasks_run_there_in_order),
		cmocka_unit_test(private_task_waits_for_its_worker),
		cmocka_unit_test(private_tasks_end_with_the_pool),
		cmocka_unit_test(many_are_submitted_at_once),
		cmocka_unit_test(many_wake_one_at_first),
		cmocka_unit_test(many_are_submitted_or_none),
		cmocka_unit_test(many_futures_at_once),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
