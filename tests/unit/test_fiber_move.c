/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of tasks that may move: they go on on another worker when their own has no time, with what
 * belongs to them, and stay where something of the worker's is theirs.
 *
 * The linker sends the library's mmap to __wrap_mmap64, which refuses memory for stacks when told.
 */
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <weft/lockfree/reclaim.h>
#include <weft/pool/forkjoin.h>
#include <weft/pool/strand.h>

#include "../pool_fixture.h"

static atomic_bool refuse_maps;

void *__real_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from);
void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from);

void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from)
{
	if (atomic_load(&refuse_maps) && (flags & MAP_STACK) != 0) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap64(address, bytes, protection, flags, file, from);
}

static const weft_submit_options may_move = {.size = sizeof(weft_submit_options), .may_move = true};

/* errno is asked for and set where nobody has kept its address. */
static __attribute__((noinline)) int get_errno(void)
{
	return errno;
}

static __attribute__((noinline)) void set_errno(int error)
{
	errno = error;
}

/* A task that waits once, and says where it began and where it went on. */
typedef struct mover {
	weft_task task;
	weft_pool *pool;
	weft_parker parker;
	weft_deadline deadline;
	int began, went_on;
	bool kept;
	void *local_began, *local_went_on;
} mover;

static void mover_wait(mover *self)
{
	self->began = weft_pool_worker_index(self->pool);
	self->local_began = weft_pool_local(self->pool);
	set_errno(1234);
	fesetround(FE_UPWARD);
	must(weft_parker_park(&self->parker, 0, self->deadline) == 0);
	self->kept = get_errno() == 1234 && fegetround() == FE_UPWARD;
	fesetround(FE_TONEAREST);
	self->went_on = weft_pool_worker_index(self->pool);
	self->local_went_on = weft_pool_local(self->pool);
}

static void mover_run(weft_task *task)
{
	mover_wait((mover *)task);
}

static void mover_init(mover *self, weft_pool *pool, weft_task_function function)
{
	memset((void *)self, 0, sizeof(*self));
	weft_task_init(&self->task, function);
	self->pool = pool;
	self->deadline = WEFT_FOREVER;
	self->began = self->went_on = -1;
}

/* Holds one worker of a pool until the gate opens. */
static void hold(weft_pool *pool, unsigned worker, gate *at, gate_task *holder)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	options.to_worker = true;
	options.worker = worker;
	memset((void *)at, 0, sizeof(*at));
	weft_task_init(&holder->task, gate_task_run);
	holder->at = at;
	must(weft_task_submit_with(pool, &holder->task, &options) == 0);
	gate_await(at, 1);
}

/* The worker on which it began, worker 0, is held while it is woken, and the other one is not. */
typedef struct stage {
	weft_pool *pool;
	gate at[2];
	gate_task holder[2];
} stage;

static void stage_before(stage *on, weft_pool *pool)
{
	on->pool = pool;
	hold(pool, 1, &on->at[1], &on->holder[1]);
}

static void stage_suspended(stage *on)
{
	pool_await_suspended(on->pool, 1);
	hold(on->pool, 0, &on->at[0], &on->holder[0]);
	gate_let_go(&on->at[1], &on->holder[1], 1);
}

static void stage_end(stage *on)
{
	gate_let_go(&on->at[0], &on->holder[0], 1);
}

static void assert_moves(mover *self)
{
	assert_true(self->kept);
	assert_int_equal(self->began, 0);
	assert_int_equal(self->went_on, 1);
}

/* Has a task wait on worker 0 and wakes it while that is held: it moves, or waits for it. */
static void assert_task(weft_pool *pool, mover *self, const weft_submit_options *options,
			bool moves)
{
	stage on;

	stage_before(&on, pool);
	assert_int_equal(weft_task_submit_with(pool, &self->task, options), 0);
	stage_suspended(&on);
	weft_parker_unpark(&self->parker);
	if (moves) {
		assert_int_equal(weft_task_wait(&self->task, guard()), 0);
		assert_moves(self);
	} else {
		pool_await_sleepers(pool, 1);
		assert_false(weft_task_is_done(&self->task));
	}
	stage_end(&on);
	assert_int_equal(weft_task_wait(&self->task, guard()), 0);
	assert_true(self->kept);
	assert_int_equal(self->went_on, moves ? 1 : 0);
	assert_int_equal(statistics_of(pool).suspended, 0);
}

static void goes_on_where_there_is_time(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;
	mover self;

	(void)state;
	options.workers = 2;
	options.local_bytes = 8;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	for (uint64_t round = 1; round <= 20; round++) {
		mover_init(&self, pool, mover_run);
		assert_task(pool, &self, &may_move, true);
		assert_int_equal(statistics_of(pool).moved, round);
		assert_ptr_equal(self.local_began, weft_pool_local_of(pool, 0));
		assert_ptr_equal(self.local_went_on, weft_pool_local_of(pool, 1));
	}
	/* One that does not say so stays. */
	mover_init(&self, pool, mover_run);
	assert_task(pool, &self, NULL, false);
	assert_int_equal(statistics_of(pool).moved, 20);
	weft_pool_destroy(pool);
}

/* Those that may not move, for what they are in the middle of. */

static void run_in_blocking_section(weft_task *task)
{
	weft_blocking_begin();
	mover_wait((mover *)task);
	weft_blocking_end();
}

static void run_in_reclaim_section(weft_task *task)
{
	weft_reclaim_enter();
	mover_wait((mover *)task);
	weft_reclaim_exit();
}

WEFT_FORKABLE_VOID_1(wait_in_run, mover *);

static void wait_in_run(weft_fork at, mover *self)
{
	(void)at;
	mover_wait(self);
}

static void run_in_run(weft_task *task)
{
	mover *self = (mover *)task;

	must(wait_in_run_run(self->pool, self) == 0);
}

static void stays_while_something_is_the_workers(void **state)
{
	static const weft_task_function functions[] = {run_in_blocking_section,
						       run_in_reclaim_section, run_in_run};
	weft_pool *pool = pool_of(2, 1);
	mover self;

	(void)state;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		mover_init(&self, pool, functions[i]);
		assert_task(pool, &self, &may_move, false);
	}
	/* And with a deadline, which is its worker's to look at. */
	mover_init(&self, pool, mover_run);
	self.deadline = guard();
	assert_task(pool, &self, &may_move, false);
	/* That was for the one wait. */
	mover_init(&self, pool, mover_run);
	assert_task(pool, &self, &may_move, true);
	weft_pool_destroy(pool);
}

/* It waits, moves, waits with a deadline, yields, waits, and moves back. */
typedef struct traveller {
	weft_task task;
	weft_pool *pool;
	weft_parker parker;
	int on[4];
} traveller;

static void traveller_run(weft_task *task)
{
	traveller *self = (traveller *)task;
	weft_parker never = {0};

	self->on[0] = weft_pool_worker_index(self->pool);
	must(weft_parker_park(&self->parker, 0, WEFT_FOREVER) == 0);
	self->on[1] = weft_pool_worker_index(self->pool);
	must(weft_parker_park(&never, 0, weft_after(WEFT_MICROSECONDS)) == -ETIMEDOUT);
	/* One for which there is nothing to wait. */
	weft_parker_unpark(&never);
	must(weft_parker_park(&never, 0, WEFT_FOREVER) == 0);
	weft_task_yield();
	self->on[2] = weft_pool_worker_index(self->pool);
	must(weft_parker_park(&self->parker, 0, WEFT_FOREVER) == 0);
	self->on[3] = weft_pool_worker_index(self->pool);
}

static void moves_back(void **state)
{
	weft_pool *pool = pool_of(2, 1);

	(void)state;
	for (int round = 0; round < 20; round++) {
		traveller self = {.pool = pool};
		weft_deadline deadline = guard();
		stage on;

		stage_before(&on, pool);
		weft_task_init(&self.task, traveller_run);
		assert_int_equal(weft_task_submit_with(pool, &self.task, &may_move), 0);
		stage_suspended(&on);
		weft_parker_unpark(&self.parker);
		while (statistics_of(pool).suspensions % 3 != 0 ||
		       statistics_of(pool).suspended != 1) {
			must(weft_now() < deadline);
			sched_yield();
		}
		hold(pool, 1, &on.at[1], &on.holder[1]);
		stage_end(&on);
		weft_parker_unpark(&self.parker);
		assert_int_equal(weft_task_wait(&self.task, guard()), 0);
		gate_let_go(&on.at[1], &on.holder[1], 1);
		assert_int_equal(self.on[0], 0);
		assert_int_equal(self.on[1], 1);
		assert_int_equal(self.on[2], 1);
		assert_int_equal(self.on[3], 0);
	}
	weft_pool_destroy(pool);
}

/* Whatever way it is submitted. */

static int as_future(void *argument, void **value)
{
	(void)value;
	mover_wait(argument);
	return 0;
}

static atomic_bool spawned_has_ended;

static void as_spawned(void *argument)
{
	mover_wait(argument);
	atomic_store(&spawned_has_ended, true);
}

static void futures_and_spawned_calls_move(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	weft_deadline deadline = guard();
	weft_future *future;
	mover self;
	stage on;

	(void)state;
	mover_init(&self, pool, NULL);
	stage_before(&on, pool);
	assert_int_equal(weft_submit_with(pool, as_future, &self, &may_move, &future), 0);
	stage_suspended(&on);
	weft_parker_unpark(&self.parker);
	assert_int_equal(weft_future_wait(future, guard()), 0);
	assert_moves(&self);
	weft_future_release(future);
	stage_end(&on);

	mover_init(&self, pool, NULL);
	stage_before(&on, pool);
	assert_int_equal(weft_spawn_with(pool, as_spawned, &self, &may_move), 0);
	stage_suspended(&on);
	weft_parker_unpark(&self.parker);
	while (!atomic_load(&spawned_has_ended)) {
		must(weft_now() < deadline);
		sched_yield();
	}
	assert_moves(&self);
	stage_end(&on);
	weft_pool_destroy(pool);
}

/* Several at once, of which one waits for the other. */
static void run_waiting_for_next(weft_task *task)
{
	mover *self = (mover *)task;

	self->began = weft_pool_worker_index(self->pool);
	must(weft_task_wait(&self[1].task, WEFT_FOREVER) == 0);
	self->went_on = weft_pool_worker_index(self->pool);
}

static void waits_for_tasks_move(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	mover two[2];
	weft_task *const tasks[] = {&two[0].task, &two[1].task};
	stage on;

	(void)state;
	mover_init(&two[0], pool, run_waiting_for_next);
	mover_init(&two[1], pool, mover_run);
	stage_before(&on, pool);
	assert_int_equal(weft_task_submit_many(pool, tasks, 2, &may_move), 0);
	pool_await_suspended(pool, 2);
	hold(pool, 0, &on.at[0], &on.holder[0]);
	gate_let_go(&on.at[1], &on.holder[1], 1);
	weft_parker_unpark(&two[1].parker);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(weft_task_wait(&two[i].task, guard()), 0);
		assert_int_equal(two[i].began, 0);
		assert_int_equal(two[i].went_on, 1);
	}
	stage_end(&on);
	weft_pool_destroy(pool);
}

/* A strand's tasks move when the strand says so, and remain one after the other. */
static void strands_move(void **state)
{
	weft_pool *pool = pool_of(2, 1);

	(void)state;
	for (int moves = 0; moves < 2; moves++) {
		weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
		weft_strand strand;
		mover self;

		assert_int_equal(weft_strand_init(&strand, pool, moves == 1 ? &may_move : NULL), 0);
		options.strand = &strand;
		/* The task's own word does not count. */
		options.may_move = moves == 0;
		mover_init(&self, pool, mover_run);
		assert_task(pool, &self, &options, moves == 1);
		weft_strand_fini(&strand);
	}
	weft_pool_destroy(pool);
}

/* A task that is run by the one that submits it, as the pool is full, moves if both may. */
typedef struct submitter {
	weft_task task;
	mover inner;
	const weft_submit_options *options;
	gate at;
} submitter;

static void run_submitter(weft_task *task)
{
	submitter *self = (submitter *)task;

	gate_pass(&self->at);
	must(weft_task_submit_with(self->inner.pool, &self->inner.task, self->options) == 0);
	must(weft_task_is_done(&self->inner.task));
}

static void nothing(weft_task *task)
{
	(void)task;
}

static void nested_tasks_move_together(void **state)
{
	const weft_submit_options *options[] = {NULL, &may_move};
	weft_submit_options to_held = WEFT_SUBMIT_OPTIONS_INIT;
	weft_pool_options pool_options = WEFT_POOL_OPTIONS_INIT;

	(void)state;
	to_held.to_worker = true;
	to_held.worker = 1;
	pool_options.workers = 2;
	pool_options.spin_ns = 1;
	pool_options.max_queued = 1;
	pool_options.full = WEFT_FULL_RUN;
	for (int which = 0; which < 4; which++) {
		submitter outer = {.options = options[which & 1]};
		weft_pool *pool = NULL;
		mover below;
		weft_task filler;
		stage on;

		assert_int_equal(weft_pool_create(&pool, &pool_options), 0);
		mover_init(&outer.inner, pool, mover_run);
		weft_task_init(&outer.task, run_submitter);
		weft_task_init(&filler, nothing);
		stage_before(&on, pool);
		/* So that all others begin on stacks that could move. */
		mover_init(&below, pool, mover_run);
		assert_int_equal(weft_task_submit(pool, &below.task), 0);
		pool_await_suspended(pool, 1);
		assert_int_equal(weft_task_submit_with(pool, &outer.task, options[which >> 1]), 0);
		gate_await(&outer.at, 1);
		assert_int_equal(weft_task_submit_with(pool, &filler, &to_held), 0);
		gate_open(&outer.at);
		pool_await_suspended(pool, 2);
		gate_let_go(&on.at[1], &on.holder[1], 1);
		assert_int_equal(weft_task_wait(&filler, guard()), 0);
		hold(pool, 0, &on.at[0], &on.holder[0]);
		weft_parker_unpark(&outer.inner.parker);
		if (which == 3)
			assert_int_equal(weft_task_wait(&outer.task, guard()), 0);
		else
			pool_await_sleepers(pool, 1);
		assert_int_equal(weft_task_is_done(&outer.task), which == 3);
		stage_end(&on);
		assert_int_equal(weft_task_wait(&outer.task, guard()), 0);
		assert_int_equal(outer.inner.began, 0);
		assert_int_equal(outer.inner.went_on, which == 3 ? 1 : 0);
		weft_parker_unpark(&below.parker);
		assert_int_equal(weft_task_wait(&below.task, guard()), 0);
		weft_pool_destroy(pool);
	}
}

static void not_for_one_worker(void **state)
{
	weft_submit_options options = may_move;
	weft_pool *pool = pool_of(1, 1);
	weft_strand strand;
	mover self;

	(void)state;
	options.to_worker = true;
	mover_init(&self, pool, mover_run);
	assert_int_equal(weft_task_submit_with(pool, &self.task, &options), -EINVAL);
	assert_int_equal(weft_strand_init(&strand, pool, &options), -EINVAL);
	weft_pool_destroy(pool);
}

/* The last that a closing pool waits for goes on on another worker than the one that sleeps until
 * it has. */
static void pool_ends_after_a_move(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		weft_shutdown how = round % 2 == 0 ? WEFT_SHUTDOWN_DRAIN : WEFT_SHUTDOWN_ABORT;
		weft_pool *pool = pool_of(2, round % 4 < 2 ? 1 : 0);
		mover self;
		stage on;

		mover_init(&self, pool, mover_run);
		stage_before(&on, pool);
		assert_int_equal(weft_task_submit_with(pool, &self.task, &may_move), 0);
		pool_await_suspended(pool, 1);
		gate_let_go(&on.at[1], &on.holder[1], 1);
		assert_int_equal(weft_pool_shutdown(pool, how, WEFT_NOW), -ETIMEDOUT);
		if (round % 3 != 0)
			pool_await_rest(pool);
		assert_false(weft_task_is_done(&self.task));
		weft_parker_unpark(&self.parker);
		assert_int_equal(weft_pool_shutdown(pool, how, guard()), 0);
		assert_int_equal(weft_task_wait(&self.task, WEFT_NOW), 0);
		assert_int_equal(weft_pool_destroy(pool), 0);
	}
}

/* It is suspended on a worker that has been quiet, and whose inboxes are closed for ever. */
typedef struct late {
	weft_task task;
	mover inner;
	gate at[2];
} late;

static void late_run(weft_task *task)
{
	late *self = (late *)task;

	gate_pass(&self->at[0]);
	must(weft_task_submit_with(self->inner.pool, &self->inner.task, &may_move) == 0);
	/* The other worker steals it. */
	gate_pass(&self->at[1]);
}

static void goes_on_where_a_worker_was_quiet(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		weft_pool *pool = pool_of(2, 1);
		weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
		late outer = {0};

		options.to_worker = true;
		mover_init(&outer.inner, pool, mover_run);
		weft_task_init(&outer.task, late_run);
		assert_int_equal(weft_task_submit_with(pool, &outer.task, &options), 0);
		gate_await(&outer.at[0], 1);
		assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_NOW),
				 -ETIMEDOUT);
		pool_await_sleepers(pool, 1);
		assert_true(weft_inbox_is_closed_(&pool->worker[1]->lane[WEFT_LANE_NORMAL_].inbox));
		gate_open(&outer.at[0]);
		pool_await_suspended(pool, 1);
		weft_parker_unpark(&outer.inner.parker);
		assert_int_equal(weft_task_wait(&outer.inner.task, guard()), 0);
		assert_int_equal(outer.inner.began, 1);
		gate_open(&outer.at[1]);
		assert_int_equal(weft_pool_destroy(pool), 0);
	}
}

/* A worker that is to leave stays until the last task that has been there is taken by another. */
static void worker_leaves_after_a_move(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		weft_pool *pool = pool_of(2, 1);
		weft_deadline deadline = guard();
		gate at;
		gate_task holder;
		mover self;

		mover_init(&self, pool, mover_run);
		hold(pool, 0, &at, &holder);
		assert_int_equal(weft_task_submit_with(pool, &self.task, &may_move), 0);
		pool_await_suspended(pool, 1);
		gate_let_go(&at, &holder, 1);
		assert_int_equal(weft_pool_resize(pool, 1), 0);
		if (round % 2 == 0)
			pool_await_sleepers(pool, 2);
		weft_parker_unpark(&self.parker);
		assert_int_equal(weft_task_wait(&self.task, guard()), 0);
		assert_int_equal(self.began, 1);
		while (!weft_inbox_is_closed_(&pool->worker[1]->private_inbox)) {
			must(weft_now() < deadline);
			sched_yield();
		}
		weft_pool_destroy(pool);
	}
}

/* Stacks that have moved serve where they are, and go back to where they are from. */
static void stacks_go_home(void **state)
{
	enum {
		MANY = 1000
	};
	static mover all[MANY];
	weft_submit_options to_other = WEFT_SUBMIT_OPTIONS_INIT;
	weft_pool *pool = pool_of(2, 1);

	(void)state;
	to_other.to_worker = true;
	to_other.worker = 1;
	for (int round = 0; round < 10; round++) {
		stage on;

		stage_before(&on, pool);
		for (int i = 0; i < MANY; i++) {
			mover_init(&all[i], pool, mover_run);
			assert_int_equal(weft_task_submit_with(pool, &all[i].task, &may_move), 0);
		}
		pool_await_suspended(pool, MANY);
		hold(pool, 0, &on.at[0], &on.holder[0]);
		gate_let_go(&on.at[1], &on.holder[1], 1);
		for (int i = 0; i < MANY; i++)
			weft_parker_unpark(&all[i].parker);
		for (int i = 0; i < MANY; i++) {
			assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
			assert_moves(&all[i]);
		}
		stage_end(&on);
		/* Others wait on them meanwhile. */
		for (int i = 0; i < MANY; i++) {
			mover_init(&all[i], pool, mover_run);
			assert_int_equal(weft_task_submit_with(pool, &all[i].task, &to_other), 0);
		}
		pool_await_suspended(pool, MANY);
		for (int i = 0; i < MANY; i++)
			weft_parker_unpark(&all[i].parker);
		for (int i = 0; i < MANY; i++)
			assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
		pool_await_rest(pool);
		/* Each keeps some for the next time, of whomever. */
		for (int i = 0; i < 2; i++)
			assert_in_range(pool->worker[i]->fibers.stacks.in_use, 0, 32);
	}
	weft_pool_destroy(pool);
}

/* Without memory for a stack it begins on the thread's, and stays. */
static void no_memory_for_a_stack(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	weft_deadline deadline = guard();
	mover self;

	(void)state;
	atomic_store(&refuse_maps, true);
	mover_init(&self, pool, mover_run);
	assert_int_equal(weft_task_submit_with(pool, &self.task, &may_move), 0);
	/* Its worker sleeps with it. */
	while (atomic_load(&self.parker.state_) == 0) {
		must(weft_now() < deadline);
		sched_yield();
	}
	assert_int_equal(statistics_of(pool).suspended, 0);
	weft_parker_unpark(&self.parker);
	assert_int_equal(weft_task_wait(&self.task, guard()), 0);
	assert_int_equal(self.went_on, 0);
	atomic_store(&refuse_maps, false);
	mover_init(&self, pool, mover_run);
	assert_int_equal(weft_task_submit_with(pool, &self.task, &may_move), 0);
	pool_await_suspended(pool, 1);
	weft_parker_unpark(&self.parker);
	assert_int_equal(weft_task_wait(&self.task, guard()), 0);
	weft_pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_where_there_is_time),
		cmocka_unit_test(stays_while_something_is_the_workers),
		cmocka_unit_test(moves_back),
		cmocka_unit_test(futures_and_spawned_calls_move),
		cmocka_unit_test(waits_for_tasks_move),
		cmocka_unit_test(strands_move),
		cmocka_unit_test(nested_tasks_move_together),
		cmocka_unit_test(not_for_one_worker),
		cmocka_unit_test(pool_ends_after_a_move),
		cmocka_unit_test(goes_on_where_a_worker_was_quiet),
		cmocka_unit_test(worker_leaves_after_a_move),
		cmocka_unit_test(stacks_go_home),
		cmocka_unit_test(no_memory_for_a_stack),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
