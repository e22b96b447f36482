/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/executor: spawned calls and tasks in the caller's memory; what waiting for them,
 * canceling them and submitting them again answers; and how a worker that waits helps.
 *
 * The linker sends the library's sched_getcpu to __wrap_sched_getcpu below: a thread that submits
 * calls it between taking the task and handing it over, so that a test can act there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../pool_fixture.h"

int __real_sched_getcpu(void);
int __wrap_sched_getcpu(void);

/* Called where a thread submits; set while nobody does. */
static void (*while_submitting)(void);

int __wrap_sched_getcpu(void)
{
	if (while_submitting != NULL)
		while_submitting();
	return __real_sched_getcpu();
}

/* A task that counts its runs in a plain number: only one run at a time, each after the last. */
typedef struct counted_task {
	weft_task task;
	long runs;
} counted_task;

static void counted_task_run(weft_task *task)
{
	((counted_task *)task)->runs++;
}

static void counted_task_init(counted_task *task)
{
	weft_task_init(&task->task, counted_task_run);
	task->runs = 0;
}

static atomic_long calls;

static void count_call(void *argument)
{
	must(argument == &calls);
	atomic_fetch_add(&calls, 1);
}

static void nothing(weft_task *task)
{
	(void)task;
}

static void spawn_refuses_nonsense(void **state)
{
	weft_pool *pool = pool_of(1, 0);

	(void)state;
	assert_int_equal(weft_spawn(NULL, count_call, &calls), -EINVAL);
	assert_int_equal(weft_spawn(pool, NULL, &calls), -EINVAL);
	assert_int_equal(statistics_of(pool).submitted, 0);
	weft_pool_destroy(pool);
}

static void spawned_calls_run_once(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 4; workers++) {
		weft_pool *pool = pool_of(workers, workers % 2);

		atomic_store(&calls, 0);
		for (int i = 0; i < 3000; i++)
			assert_int_equal(weft_spawn(pool, count_call, &calls), 0);
		assert_int_equal(weft_pool_destroy(pool), 0);
		assert_int_equal(atomic_load(&calls), 3000);
	}
}

static void task_submit_refuses_nonsense(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	weft_task task;

	(void)state;
	weft_task_init(&task, nothing);
	assert_int_equal(weft_task_submit(NULL, &task), -EINVAL);
	assert_int_equal(weft_task_submit(pool, NULL), -EINVAL);
	weft_task_init(&task, NULL);
	assert_int_equal(weft_task_submit(pool, &task), -EINVAL);
	assert_int_equal(weft_task_wait(&task, WEFT_FOREVER), -EINVAL);
	weft_pool_destroy(pool);
}

static void task_that_was_never_submitted(void **state)
{
	weft_task task;

	(void)state;
	weft_task_init(&task, nothing);
	assert_int_equal(weft_task_wait(NULL, WEFT_FOREVER), -EINVAL);
	assert_int_equal(weft_task_wait(&task, WEFT_NOW), -EINVAL);
	assert_int_equal(weft_task_wait(&task, WEFT_FOREVER), -EINVAL);
	assert_false(weft_task_cancel(&task));
	assert_false(weft_task_is_done(&task));
	assert_int_equal(weft_task_wait(&task, WEFT_NOW), -EINVAL);
}

static void task_runs_once_for_each_submission(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 4; workers++) {
		weft_pool *pool = pool_of(workers, workers % 2);
		counted_task task;

		counted_task_init(&task);
		for (long i = 1; i <= 2000; i++) {
			assert_int_equal(weft_task_submit(pool, &task.task), 0);
			assert_int_equal(weft_task_wait(&task.task, guard()), 0);
			assert_int_equal(task.runs, i);
			/* Who has waited for all finds exact sums. */
			assert_int_equal(statistics_of(pool).submitted, i);
			assert_int_equal(statistics_of(pool).run, i);
			assert_true(weft_task_is_done(&task.task));
			assert_false(weft_task_cancel(&task.task));
			assert_int_equal(weft_task_wait(&task.task, WEFT_NOW), 0);
		}
		weft_pool_destroy(pool);
		/* It does not need its pool any more. */
		assert_true(weft_task_is_done(&task.task));
		assert_int_equal(weft_task_wait(&task.task, WEFT_FOREVER), 0);
		assert_false(weft_task_cancel(&task.task));
	}
}

/* After the wait the memory is the caller's: an allocator that watches sees a later touch. */
static void task_memory_is_free_after_the_wait(void **state)
{
	weft_pool *pool = pool_of(3, 1);

	(void)state;
	for (int i = 0; i < 2000; i++) {
		weft_task *task = malloc(sizeof(*task));

		assert_non_null(task);
		weft_task_init(task, nothing);
		assert_int_equal(weft_task_submit(pool, task), 0);
		if (i % 2 == 0) {
			assert_int_equal(weft_task_wait(task, guard()), 0);
		} else {
			weft_deadline deadline = guard();

			while (!weft_task_is_done(task))
				assert_true(weft_now() < deadline);
		}
		memset((void *)task, 0xa5, sizeof(*task));
		free(task);
	}
	weft_pool_destroy(pool);
}

/* In each state but done, and by the task itself. */
typedef struct selfish_task {
	weft_task task;
	weft_pool *pool;
	gate *at;
	int submitted, waited, waited_now;
	bool canceled, done;
} selfish_task;

static void selfish_task_run(weft_task *task)
{
	selfish_task *self = (selfish_task *)task;

	gate_pass(self->at);
	self->submitted = weft_task_submit(self->pool, task);
	self->waited = weft_task_wait(task, WEFT_FOREVER);
	self->waited_now = weft_task_wait(task, WEFT_NOW);
	self->canceled = weft_task_cancel(task);
	self->done = weft_task_is_done(task);
}

static void task_is_busy_until_it_is_done(void **state)
{
	weft_pool *pool = pool_of(1, 0), *other = pool_of(1, 0);
	gate before = {0}, within = {0};
	selfish_task task = {.pool = pool, .at = &within, .canceled = true, .done = true};
	gate_task holder;

	(void)state;
	weft_task_init(&task.task, selfish_task_run);
	gate_hold(pool, &before, &holder, 1);
	assert_int_equal(weft_task_submit(pool, &task.task), 0);
	assert_int_equal(weft_task_submit(pool, &task.task), -EBUSY);
	assert_int_equal(weft_task_submit(other, &task.task), -EBUSY);
	assert_false(weft_task_is_done(&task.task));
	gate_let_go(&before, &holder, 1);
	gate_await(&within, 1);
	assert_int_equal(weft_task_submit(pool, &task.task), -EBUSY);
	assert_int_equal(weft_task_submit(other, &task.task), -EBUSY);
	assert_false(weft_task_cancel(&task.task));
	assert_false(weft_task_is_done(&task.task));
	assert_int_equal(weft_task_wait(&task.task, WEFT_NOW), -ETIMEDOUT);
	gate_open(&within);
	assert_int_equal(weft_task_wait(&task.task, guard()), 0);
	assert_int_equal(task.submitted, -EBUSY);
	assert_int_equal(task.waited, -EDEADLK);
	assert_int_equal(task.waited_now, -EDEADLK);
	assert_false(task.canceled);
	assert_false(task.done);
	/* And now it may go to the other pool. */
	assert_int_equal(weft_task_submit(other, &task.task), 0);
	assert_int_equal(weft_task_wait(&task.task, guard()), 0);
	assert_int_equal(statistics_of(pool).submitted, 2);
	assert_int_equal(statistics_of(other).submitted, 1);
	weft_pool_destroy(pool);
	weft_pool_destroy(other);
}

static void canceled_task_does_not_run(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	counted_task task;
	gate_task holder;
	gate at = {0};

	(void)state;
	counted_task_init(&task);
	gate_hold(pool, &at, &holder, 1);
	assert_int_equal(weft_task_submit(pool, &task.task), 0);
	assert_true(weft_task_cancel(&task.task));
	/* The pool still has it. */
	assert_false(weft_task_cancel(&task.task));
	assert_false(weft_task_is_done(&task.task));
	assert_int_equal(weft_task_submit(pool, &task.task), -EBUSY);
	assert_int_equal(weft_task_wait(&task.task, WEFT_NOW), -ETIMEDOUT);
	assert_int_equal(weft_task_wait(&task.task, weft_after(WEFT_MILLISECONDS)), -ETIMEDOUT);
	gate_let_go(&at, &holder, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(weft_task_wait(&task.task, guard()), -ECANCELED);
		assert_true(weft_task_is_done(&task.task));
		assert_false(weft_task_cancel(&task.task));
	}
	assert_int_equal(task.runs, 0);
	assert_int_equal(weft_task_submit(pool, &task.task), 0);
	assert_int_equal(weft_task_wait(&task.task, guard()), 0);
	assert_int_equal(task.runs, 1);
	weft_pool_destroy(pool);
}

static void closed_pool_leaves_the_task_as_it_was(void **state)
{
	weft_pool *pool = pool_of(1, 0), *open = pool_of(1, 0);
	counted_task fresh, done;

	(void)state;
	counted_task_init(&fresh);
	counted_task_init(&done);
	assert_int_equal(weft_task_submit(open, &done.task), 0);
	assert_int_equal(weft_task_wait(&done.task, guard()), 0);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(weft_task_submit(pool, &fresh.task), -EPIPE);
	assert_int_equal(weft_task_submit(pool, &done.task), -EPIPE);
	assert_int_equal(weft_task_wait(&fresh.task, WEFT_NOW), -EINVAL);
	assert_false(weft_task_cancel(&fresh.task));
	assert_true(weft_task_is_done(&done.task));
	assert_int_equal(weft_task_wait(&done.task, WEFT_NOW), 0);
	assert_int_equal(weft_task_submit(open, &fresh.task), 0);
	assert_int_equal(weft_task_submit(open, &done.task), 0);
	assert_int_equal(weft_task_wait(&fresh.task, guard()), 0);
	assert_int_equal(weft_task_wait(&done.task, guard()), 0);
	assert_int_equal(fresh.runs + done.runs, 3);
	weft_pool_destroy(pool);
	weft_pool_destroy(open);
}

/* With all workers busy who waits spins for all of the budget only if the task has begun. */
static void budget_is_smaller_when_all_are_busy(void **state)
{
	weft_pool *pool = pool_of(2, 8000);
	gate_task holders[2];
	gate first = {0}, second = {0};
	weft_task task;

	(void)state;
	weft_task_init(&task, nothing);
	pool_await_rest(pool);
	assert_int_equal(weft_task_submit(pool, &task), 0);
	assert_int_equal(task.spin_ns_, 8000);
	assert_int_equal(weft_task_wait(&task, guard()), 0);
	gate_hold(pool, &first, holders, 1);
	pool_await_sleepers(pool, 1);
	assert_int_equal(weft_task_submit(pool, &task), 0);
	assert_int_equal(task.spin_ns_, 8000);
	assert_int_equal(weft_task_wait(&task, guard()), 0);
	gate_hold(pool, &second, holders + 1, 1);
	assert_int_equal(weft_task_submit(pool, &task), 0);
	assert_int_equal(task.spin_ns_, 8000 | WEFT_SPIN_IF_BEGUN_);
	gate_let_go(&first, holders, 1);
	gate_let_go(&second, holders + 1, 1);
	assert_int_equal(weft_task_wait(&task, guard()), 0);
	weft_pool_destroy(pool);
}

/* A task on a worker that waits for another one. */
typedef struct waiting_task {
	weft_task task;
	gate *at; /* to be passed first, unless NULL */
	weft_task *awaited;
	weft_deadline deadline;
	int result;
	uint64_t returned_ns;
} waiting_task;

static void waiting_task_run(weft_task *task)
{
	waiting_task *self = (waiting_task *)task;

	if (self->at != NULL)
		gate_pass(self->at);
	self->result = weft_task_wait(self->awaited, self->deadline);
	self->returned_ns = weft_now();
}

static void waiting_task_init(waiting_task *self, weft_task *awaited, weft_deadline deadline)
{
	memset((void *)self, 0, sizeof(*self));
	weft_task_init(&self->task, waiting_task_run);
	self->awaited = awaited;
	self->deadline = deadline;
	self->result = 1;
}

static int wait_on_worker(weft_pool *pool, weft_task *awaited, weft_deadline deadline,
			  uint64_t *returned_ns)
{
	waiting_task waiting;

	waiting_task_init(&waiting, awaited, deadline);
	assert_int_equal(weft_task_submit(pool, &waiting.task), 0);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	*returned_ns = waiting.returned_ns;
	return waiting.result;
}

static void waits_end_at_their_deadline(void **state)
{
	static const uint64_t budgets[] = {1, 0, 10 * WEFT_MILLISECONDS};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		weft_pool *pool = pool_of(2, budgets[i]), *other = pool_of(1, budgets[i]);
		gate_task held;
		gate at = {0};

		gate_hold(pool, &at, &held, 1);
		for (int k = 0; k < 6; k++) {
			weft_deadline soon = weft_after(2 * WEFT_MILLISECONDS);
			weft_deadline deadline = k == 0 ? WEFT_NOW : k == 1 ? weft_now() : soon;
			uint64_t returned_ns;

			/* As a thread, as a worker of the pool, and as one of another. */
			assert_int_equal(weft_task_wait(&held.task, deadline), -ETIMEDOUT);
			assert_true(weft_now() >= deadline);
			assert_int_equal(wait_on_worker(pool, &held.task, deadline, &returned_ns),
					 -ETIMEDOUT);
			assert_true(returned_ns >= deadline);
			assert_int_equal(wait_on_worker(other, &held.task, deadline, &returned_ns),
					 -ETIMEDOUT);
			assert_true(returned_ns >= deadline);
		}
		gate_let_go(&at, &held, 1);
		weft_pool_destroy(pool);
		weft_pool_destroy(other);
	}
}

/* Waiters of each kind, all asleep, when the one task that they wait for ends. */
static void end_wakes_all_who_wait(void **state)
{
	enum {
		WORKERS = 5,
		THREADS = 3,
		OTHERS = 2
	};

	(void)state;
	for (int round = 0; round < 20; round++) {
		weft_pool *pool = pool_of(1 + WORKERS, 1), *other = pool_of(OTHERS, 1);
		weft_pool *threads = pool_of(THREADS, 1);
		waiting_task waiting[WORKERS + OTHERS + THREADS];
		gate_task held;
		gate at = {0};

		gate_hold(pool, &at, &held, 1);
		for (size_t i = 0; i < WORKERS + OTHERS + THREADS; i++) {
			weft_pool *mine = i < WORKERS ? pool : i % 2 == 0 ? other : threads;

			waiting_task_init(&waiting[i], &held.task, guard());
			assert_int_equal(weft_task_submit(mine, &waiting[i].task), 0);
		}
		pool_await_sleepers(pool, WORKERS);
		gate_open(&at);
		for (size_t i = 0; i < WORKERS + OTHERS + THREADS; i++) {
			assert_int_equal(weft_task_wait(&waiting[i].task, guard()), 0);
			assert_int_equal(waiting[i].result, 0);
		}
		weft_pool_destroy(pool);
		weft_pool_destroy(other);
		weft_pool_destroy(threads);
	}
}

/* A worker sleeps for a task, and is the only one that could run another: it does. */
static void worker_that_waits_is_woken_for_work(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	counted_task counted;
	waiting_task waiting;
	gate_task held;
	gate at = {0};

	(void)state;
	counted_task_init(&counted);
	gate_hold(pool, &at, &held, 1);
	waiting_task_init(&waiting, &held.task, guard());
	assert_int_equal(weft_task_submit(pool, &waiting.task), 0);
	for (long i = 1; i <= 100; i++) {
		pool_await_sleepers(pool, 1);
		assert_int_equal(weft_task_submit(pool, &counted.task), 0);
		assert_int_equal(weft_task_wait(&counted.task, guard()), 0);
		assert_int_equal(counted.runs, i);
	}
	assert_false(weft_task_is_done(&waiting.task));
	gate_let_go(&at, &held, 1);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	assert_int_equal(waiting.result, 0);
	weft_pool_destroy(pool);
}

/* A tower of tasks on one worker: each submits the next, waits for it, and looks down. */
typedef struct tower_task {
	weft_task task;
	weft_pool *pool;
	struct tower_task *below;
	int levels;
	long height; /* of the tower from here on */
} tower_task;

static void tower_task_run(weft_task *task)
{
	tower_task *self = (tower_task *)task;
	tower_task above = {.pool = self->pool, .below = self, .levels = self->levels - 1};

	self->height = 1;
	if (self->levels > 1) {
		weft_task_init(&above.task, tower_task_run);
		must(weft_task_submit(self->pool, &above.task) == 0);
		must(weft_task_wait(&above.task, guard()) == 0);
		self->height += above.height;
		return;
	}
	/* The top: it must not wait for itself; those below wait, too, and will for a while. */
	must(weft_task_wait(task, WEFT_FOREVER) == -EDEADLK);
	for (tower_task *below = self->below; below != NULL; below = below->below)
		must(weft_task_wait(&below->task, WEFT_NOW) == -ETIMEDOUT);
}

static void nested_waits_return(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 4; workers += 3) {
		tower_task bottom = {.pool = pool_of(workers, 0), .levels = 1000};

		for (int again = 0; again < 3; again++) {
			weft_task_init(&bottom.task, tower_task_run);
			assert_int_equal(weft_task_submit(bottom.pool, &bottom.task), 0);
			assert_int_equal(weft_task_wait(&bottom.task, guard()), 0);
			assert_int_equal(bottom.height, 1000);
		}
		weft_pool_destroy(bottom.pool);
	}
}

/* Fibonacci numbers the slow way: one branch as a task, one as a call, then a wait. */
typedef struct fibonacci_task {
	weft_task task;
	weft_pool *pool;
	long n, result;
} fibonacci_task;

static void fibonacci_task_run(weft_task *task)
{
	fibonacci_task *self = (fibonacci_task *)task;
	fibonacci_task one = {.pool = self->pool, .n = self->n - 1};
	fibonacci_task two = {.pool = self->pool, .n = self->n - 2};

	self->result = self->n;
	if (self->n < 2)
		return;
	weft_task_init(&one.task, fibonacci_task_run);
	must(weft_task_submit(self->pool, &one.task) == 0);
	fibonacci_task_run(&two.task);
	must(weft_task_wait(&one.task, guard()) == 0);
	self->result = one.result + two.result;
}

static void waiting_workers_help(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 9; workers += 4) {
		for (uint64_t spin_ns = 0; spin_ns < 2; spin_ns++) {
			fibonacci_task task = {.pool = pool_of(workers, spin_ns), .n = 18};

			weft_task_init(&task.task, fibonacci_task_run);
			assert_int_equal(weft_task_submit(task.pool, &task.task), 0);
			assert_int_equal(weft_task_wait(&task.task, guard()), 0);
			assert_int_equal(task.result, 2584);
			weft_pool_destroy(task.pool);
		}
	}
}

enum {
	/* Far beyond the room that a worker's deque has at first. */
	FLOOD = 100000,
};

typedef struct flood_task {
	weft_task task;
	weft_pool *pool;
	counted_task *tasks;
} flood_task;

static void flood_task_run(weft_task *task)
{
	flood_task *self = (flood_task *)task;

	for (int i = 0; i < FLOOD; i++) {
		counted_task_init(&self->tasks[i]);
		must(weft_task_submit(self->pool, &self->tasks[i].task) == 0);
	}
}

static void deque_grows_under_a_flood_from_inside(void **state)
{
	counted_task *tasks = malloc(FLOOD * sizeof(*tasks));

	(void)state;
	assert_non_null(tasks);
	for (unsigned workers = 1; workers <= 4; workers += 3) {
		flood_task flood = {.pool = pool_of(workers, 0), .tasks = tasks};

		weft_task_init(&flood.task, flood_task_run);
		assert_int_equal(weft_task_submit(flood.pool, &flood.task), 0);
		assert_int_equal(weft_task_wait(&flood.task, guard()), 0);
		for (int i = 0; i < FLOOD; i++) {
			assert_int_equal(weft_task_wait(&tasks[i].task, guard()), 0);
			assert_int_equal(tasks[i].runs, 1);
		}
		assert_int_equal(statistics_of(flood.pool).run, FLOOD + 1);
		weft_pool_destroy(flood.pool);
	}
	free(tasks);
}

/* Calls that always spawn another one, until somebody else's task says stop. */
static weft_pool *chain_pool;
static atomic_bool chain_stops;

static void chain_call(void *argument)
{
	if (!atomic_load(&chain_stops))
		must(weft_spawn(chain_pool, chain_call, argument) == 0);
}

static void chain_wait(weft_task *task)
{
	weft_task inside;

	(void)task;
	while (!atomic_load(&chain_stops)) {
		weft_task_init(&inside, nothing);
		must(weft_task_submit(chain_pool, &inside) == 0);
		must(weft_task_wait(&inside, WEFT_FOREVER) == 0);
	}
}

static void chain_stop(weft_task *task)
{
	(void)task;
	atomic_store(&chain_stops, true);
}

static void endless_work_does_not_starve_others(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		weft_task stop, waiting;

		atomic_store(&chain_stops, false);
		chain_pool = pool_of(1, 0);
		weft_task_init(&stop, chain_stop);
		weft_task_init(&waiting, chain_wait);
		if (kind == 0)
			assert_int_equal(weft_spawn(chain_pool, chain_call, NULL), 0);
		else
			assert_int_equal(weft_task_submit(chain_pool, &waiting), 0);
		assert_int_equal(weft_task_submit(chain_pool, &stop), 0);
		assert_int_equal(weft_task_wait(&stop, guard()), 0);
		assert_int_equal(weft_pool_destroy(chain_pool), 0);
	}
}

/* Who comes while a task is being submitted to a closed pool: the submitter is held meanwhile. */
static gate submitting;

static void hold_submitter(void)
{
	gate_pass(&submitting);
}

typedef struct refused_task {
	weft_pool *pool;
	weft_task task;
	int result;
} refused_task;

static void *submit_in_vain(void *argument)
{
	refused_task *self = argument;

	self->result = weft_task_submit(self->pool, &self->task);
	return NULL;
}

/* Whoever began to wait for a submission that is then refused does not wait for ever. */
static void let_waiters_go_when_refused(bool was_done)
{
	weft_pool *closing = pool_of(2, 1), *open = pool_of(1, 1);
	refused_task refused = {.pool = closing};
	waiting_task inside, outside;
	gate_task held;
	gate at = {0}, before = {0};
	pthread_t thread;

	weft_task_init(&refused.task, nothing);
	if (was_done) {
		assert_int_equal(weft_task_submit(open, &refused.task), 0);
		assert_int_equal(weft_task_wait(&refused.task, guard()), 0);
	}
	gate_hold(closing, &at, &held, 1);
	waiting_task_init(&inside, &refused.task, guard());
	inside.at = &before;
	assert_int_equal(weft_task_submit(closing, &inside.task), 0);
	gate_await(&before, 1);
	assert_int_equal(weft_pool_shutdown(closing, WEFT_SHUTDOWN_DRAIN, WEFT_NOW), -ETIMEDOUT);
	memset((void *)&submitting, 0, sizeof(submitting));
	while_submitting = hold_submitter;
	assert_int_equal(pthread_create(&thread, NULL, submit_in_vain, &refused), 0);
	gate_await(&submitting, 1);
	while_submitting = NULL;
	gate_open(&before);
	waiting_task_init(&outside, &refused.task, guard());
	assert_int_equal(weft_task_submit(open, &outside.task), 0);
	pool_await_sleepers(closing, 1);
	while (statistics_of(closing).suspended + statistics_of(open).suspended < 2)
		sched_yield();
	gate_open(&submitting);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(refused.result, -EPIPE);
	assert_int_equal(weft_task_wait(&inside.task, guard()), 0);
	assert_int_equal(weft_task_wait(&outside.task, guard()), 0);
	assert_int_equal(inside.result, was_done ? 0 : -EINVAL);
	assert_int_equal(outside.result, was_done ? 0 : -EINVAL);
	gate_let_go(&at, &held, 1);
	weft_pool_destroy(closing);
	weft_pool_destroy(open);
}

static void refused_submission_lets_waiters_go(void **state)
{
	(void)state;
	let_waiters_go_when_refused(true);
	let_waiters_go_when_refused(false);
}

/* What happened before a submission is the task's to see, and its doings are the waiter's. */
static void everything_passes_through_submission_and_wait(void **state)
{
	enum {
		TASKS = 500
	};
	static fibonacci_task tasks[TASKS];
	weft_pool *pool = pool_of(4, 0);

	(void)state;
	for (int i = 0; i < TASKS; i++) {
		tasks[i].n = 3 + i % 3;
		tasks[i].pool = pool;
		weft_task_init(&tasks[i].task, fibonacci_task_run);
		assert_int_equal(weft_task_submit(pool, &tasks[i].task), 0);
	}
	for (int i = 0; i < TASKS; i++) {
		assert_int_equal(weft_task_wait(&tasks[i].task, guard()), 0);
		assert_int_equal(tasks[i].result, i % 3 == 0 ? 2 : i % 3 == 1 ? 3 : 5);
	}
	weft_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spawn_refuses_nonsense),
		cmocka_unit_test(spawned_calls_run_once),
		cmocka_unit_test(task_submit_refuses_nonsense),
		cmocka_unit_test(task_that_was_never_submitted),
		cmocka_unit_test(task_runs_once_for_each_submission),
		cmocka_unit_test(task_memory_is_free_after_the_wait),
		cmocka_unit_test(task_is_busy_until_it_is_done),
		cmocka_unit_test(canceled_task_does_not_run),
		cmocka_unit_test(closed_pool_leaves_the_task_as_it_was),
		cmocka_unit_test(budget_is_smaller_when_all_are_busy),
		cmocka_unit_test(waits_end_at_their_deadline),
		cmocka_unit_test(end_wakes_all_who_wait),
		cmocka_unit_test(worker_that_waits_is_woken_for_work),
		cmocka_unit_test(nested_waits_return),
		cmocka_unit_test(waiting_workers_help),
		cmocka_unit_test(deque_grows_under_a_flood_from_inside),
		cmocka_unit_test(endless_work_does_not_starve_others),
		cmocka_unit_test(refused_submission_lets_waiters_go),
		cmocka_unit_test(everything_passes_through_submission_and_wait),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
