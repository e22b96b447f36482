/* SPDX-License-Identifier: Apache-2.0 */

/*
 * worker, submit, duty, executor, pool: how a pool ends, drained or aborted, while others submit,
 * from outside and from its own tasks; how its workers leave and come back; and that nobody sleeps
 * while there is a task that others have moved, or a call that its owner would share. What was
 * accepted ends once, as it should; what was refused is as it was; no worker sleeps through the
 * end. The workers are those of worker.c, without fibers and with a fork stack for one of them, and
 * pool.c shuts them down.
 */

#include <string.h>

#include <weft/pool/worker.h>

#include "model.h"

enum {
	WORKERS = 3,
	TASKS = 3,
};

/* What stands around the workers; what they only call is in pool_stand_in.c. */

static uint16_t victims[WORKERS][WORKERS - 1] = {{1, 2}, {0, 2}, {0, 1}};
static unsigned nearest;

unsigned weft_plan_worker_near(const weft_plan *plan, unsigned cpu)
{
	(void)plan;
	(void)cpu;
	return nearest;
}

const uint16_t *weft_plan_victims(const weft_plan *plan, unsigned worker)
{
	(void)plan;
	return victims[worker];
}

/* What there is of forkjoin.c: a fork stack that belongs to worker 0, if to any. */

enum {
	CALLS = 2,
};

static struct {
	weft_fork_stack stack;
	weft_fork_slot slots[CALLS];
	weft_worker_ *owner;
	WEFT_ATOMIC(uint32_t) stolen; /* how many */
	uint32_t held_until;          /* so many are stolen */
} calls;

weft_task *weft_forkjoin_steal_(weft_worker_ *self, weft_worker_ *victim)
{
	if (victim != calls.owner)
		return NULL;
	self->fork_stolen = weft_fork_stack_steal(&calls.stack, WEFT_FORK_THIEF_);
	if (self->fork_stolen == NULL) {
		weft_fork_stack_ask(&calls.stack);
		return NULL;
	}
	self->fork_task.kind_ = WEFT_TASK_STOLEN_CALL_;
	return &self->fork_task;
}

static uint32_t stolen_calls(void)
{
	/* relaxed: a count. */
	return atomic_load_explicit(&calls.stolen, memory_order_relaxed);
}

void weft_forkjoin_run_stolen_(weft_worker_ *self)
{
	uint32_t stolen;

	/* relaxed: a count. */
	atomic_fetch_add_explicit(&calls.stolen, 1, memory_order_relaxed);
	weft_park_wake(&calls.stolen, WEFT_PARK_ALL);
	while ((stolen = stolen_calls()) < calls.held_until)
		weft_park_while(&calls.stolen, stolen, 0, WEFT_FOREVER);
	weft_fork_slot_finish(self->fork_stolen);
}

bool weft_forkjoin_has_public_(const weft_worker_ *worker)
{
	return worker == calls.owner && weft_fork_stack_has_public(&calls.stack);
}

bool weft_forkjoin_ask_all_(const weft_worker_ *self)
{
	if (calls.owner == NULL || calls.owner == self)
		return false;
	weft_fork_stack_ask(&calls.stack);
	return true;
}

/* The scenarios. */

static weft_pool pool;
static weft_worker_ worker[WORKERS], *workers[WORKERS];
static weft_task tasks[TASKS];
static int data[TASKS];    /* written before a task is submitted */
static int runs[TASKS];    /* by the task */
static int results[TASKS]; /* of submitting it */
static int before_closing, begun[WORKERS], ended[WORKERS];
static int first_run[TASKS]; /* written by the first run only */

/* What a task submits, and to which worker; -1: nothing, to anyone. */
static int then[TASKS];
static int to[TASKS];

/* The task that waits at the gate with its worker, and the one that opens that, or -1. */
static WEFT_ATOMIC(uint32_t) gate;
static int held, opens;

static void open_gate(void *unused)
{
	(void)unused;
	atomic_store_explicit(&gate, 1, memory_order_relaxed);
	weft_park_wake(&gate, WEFT_PARK_ALL);
}

static void submit(int number, int to_worker)
{
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

	options.to_worker = to_worker >= 0;
	options.worker = to_worker >= 0 ? (unsigned)to_worker : 0;
	data[number] = 1;
	results[number] = weft_task_submit_with(&pool, &tasks[number], &options);
}

static void run(weft_task *task)
{
	int number = (int)(task - tasks);

	model_assert(data[number] == 1);
	if (runs[number]++ == 0)
		first_run[number] = 1;
	if (opens == number)
		open_gate(NULL);
	if (held == number)
		weft_park_while(&gate, 0, 0, WEFT_FOREVER);
	model_assert(weft_worker_phase_(&pool) != WEFT_POOL_ENDED_);
	if (to[number] >= 0)
		model_assert(weft_worker_current_ == &worker[to[number]]);
	if (then[number] >= 0)
		submit(then[number], to[then[number]]);
}

static int begins(void *context, unsigned index)
{
	(void)context;
	begun[index] = 1;
	return 0;
}

/* What was done before the pool was closed is known to its last one. */
static void ends(void *context, unsigned index)
{
	(void)context;
	model_assert(before_closing == 1);
	ended[index] = 1;
}

static void setup(unsigned count)
{
	weft_counter *counters[] = {&pool.submitted, &pool.run,    &pool.canceled,
				    &pool.stolen,    &pool.parked, &pool.woken};

	memset((void *)&pool, 0, sizeof(pool));
	memset((void *)worker, 0, sizeof(worker));
	memset((void *)&calls, 0, sizeof(calls));
	memset((void *)tasks, 0, sizeof(tasks));
	memset(data, 0, sizeof(data));
	memset(runs, 0, sizeof(runs));
	memset(begun, 0, sizeof(begun));
	memset(ended, 0, sizeof(ended));
	memset(first_run, 0, sizeof(first_run));
	before_closing = 0;
	atomic_store_explicit(&gate, 0, memory_order_relaxed);
	held = opens = -1;
	model_run_on(0);
	nearest = count - 1;
	pool.worker = workers;
	pool.workers = pool.workers_max = count;
	pool.wake.workers = count;
	pool.idle = WEFT_IDLE_EFFICIENT;
	pool.spin_ns = 1;
	pool.unpinned = true;
	pool.worker_begins = begins;
	pool.worker_ends = ends;
	atomic_store_explicit(&pool.starting, count, memory_order_relaxed);
	atomic_store_explicit(&pool.wanted, count, memory_order_relaxed);
	atomic_store_explicit(&pool.on_duty, count, memory_order_relaxed);
	atomic_store_explicit(&pool.alive, count, memory_order_relaxed);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		model_assert(weft_counter_init(counters[i]) == 0);
	for (unsigned i = 0; i < count; i++) {
		workers[i] = &worker[i];
		worker[i].pool = &pool;
		worker[i].index = i;
		for (int lane = 0; lane < WEFT_LANES_; lane++)
			model_assert(weft_deque_init(&worker[i].lane[lane].deque, 2) == 0);
	}
	for (int i = 0; i < TASKS; i++) {
		weft_task_init(&tasks[i], run);
		results[i] = -EINPROGRESS;
		then[i] = to[i] = -1;
	}
	model_name(&pool.phase, "phase");
	model_name(&pool.quiet, "quiet");
	model_name(&pool.on_duty, "on duty");
	model_name(&pool.alive, "alive");
	model_name(&pool.wake.searching, "searching");
	model_name(&pool.wake.idle[0], "idle");
	model_name_array(&worker[0].private_inbox, sizeof(worker[0]), count, "private");
	model_name_array(&worker[0].late_inbox, sizeof(worker[0]), count, "late");
	model_name_array(&worker[0].parker, sizeof(worker[0]), count, "parker");
	model_name_array(&worker[0].lane[WEFT_LANE_NORMAL_].inbox, sizeof(worker[0]), count,
			 "inbox");
}

static void work(void *argument)
{
	model_run_on(0);
	weft_worker_main_(argument);
}

static void start_workers(void)
{
	for (unsigned i = 0; i < pool.workers; i++)
		model_thread(work, &worker[i]);
}

/* As weft_pool_create, when the workers have settled. */
static void await_start(void)
{
	uint32_t starting;

	while ((starting = atomic_load_explicit(&pool.starting, memory_order_acquire)) != 0)
		weft_park_while(&pool.starting, starting, 0, WEFT_FOREVER);
	for (unsigned i = 0; i < pool.workers; i++)
		model_assert(begun[i] == 1);
}

static void shut_down(weft_shutdown how)
{
	before_closing = 1;
	model_assert(weft_pool_shutdown(&pool, how, WEFT_FOREVER) == 0);
	for (unsigned i = 0; i < pool.workers; i++)
		model_assert(ended[i] == 1);
}

/* All has ended: what was accepted has run, or may have been canceled. */
static void check_end(bool drained)
{
	weft_counter *counters[] = {&pool.submitted, &pool.run,    &pool.canceled,
				    &pool.stolen,    &pool.parked, &pool.woken};

	for (int i = 0; i < TASKS; i++) {
		int ran = runs[i]; /* known since the end of the pool */
		int error = weft_task_wait(&tasks[i], WEFT_NOW);

		if (results[i] != 0) {
			model_assert(results[i] == -EPIPE || results[i] == -EINPROGRESS);
			model_assert(error == -EINVAL && ran == 0);
		} else {
			model_assert(error == 0 || (error == -ECANCELED && !drained));
			model_assert(ran == (error == 0));
		}
	}
	for (unsigned i = 0; i < pool.workers; i++)
		for (int lane = 0; lane < WEFT_LANES_; lane++)
			weft_deque_fini(&worker[i].lane[lane].deque);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		weft_counter_fini(counters[i]);
}

static void submit_from_outside(void *number)
{
	model_run_on(0);
	submit((int)(intptr_t)number, to[(intptr_t)number]);
}

/* The same task again, as soon as it may be: what it did is known by then. */
static void submit_again(void *unused)
{
	int error;

	(void)unused;
	model_run_on(0);
	while ((error = weft_task_submit(&pool, &tasks[0])) == -EBUSY)
		;
	model_assert(error == 0 && first_run[0] == 1);
}

static WEFT_ATOMIC(uint32_t) done;

static void submit_again_and_say_so(void *unused)
{
	submit_again(unused);
	atomic_store_explicit(&done, 1, memory_order_relaxed);
}

static void twice(const void *unused)
{
	(void)unused;
	setup(1);
	atomic_store_explicit(&done, 0, memory_order_relaxed);
	start_workers();
	submit(0, -1);
	model_thread(submit_again_and_say_so, NULL);
	while (atomic_load_explicit(&done, memory_order_relaxed) == 0)
		;
	shut_down(WEFT_SHUTDOWN_DRAIN);
	model_join();
	model_assert(runs[0] == 2);
	runs[0] = 1; /* as of its last submission */
	check_end(true);
}

/* A thread that submits while another shuts down. */
static void one_worker(const void *how)
{
	setup(1);
	start_workers();
	await_start();
	model_thread(submit_from_outside, (void *)0);
	shut_down(*(const weft_shutdown *)how);
	model_join();
	check_end(*(const weft_shutdown *)how == WEFT_SHUTDOWN_DRAIN);
}

static void one_worker_private(const void *how)
{
	setup(1);
	to[0] = 0;
	start_workers();
	model_thread(submit_from_outside, (void *)0);
	shut_down(*(const weft_shutdown *)how);
	model_join();
	check_end(*(const weft_shutdown *)how == WEFT_SHUTDOWN_DRAIN);
}

static void two_workers(const void *how)
{
	setup(2);
	start_workers();
	model_thread(submit_from_outside, (void *)0);
	shut_down(*(const weft_shutdown *)how);
	model_join();
	check_end(*(const weft_shutdown *)how == WEFT_SHUTDOWN_DRAIN);
}

/* A task submits to the other worker, which may be quiet by then; that one's, when it has waited
 * for a while in which the first may find nothing, to the first. */
static void tasks_come_late(const void *unused)
{
	(void)unused;
	setup(2);
	to[0] = to[2] = 0;
	to[1] = 1;
	then[0] = 1;
	then[1] = 2;
	held = 1;
	submit(0, 0);
	start_workers();
	model_thread(open_gate, NULL);
	shut_down(WEFT_SHUTDOWN_DRAIN);
	model_join();
	model_assert(runs[0] == 1 && runs[1] == 1 && runs[2] == 1);
	check_end(true);
}

/* The second worker is told to leave, and perhaps to come back, before it is given two tasks, of
 * which one is for it alone: that is refused when it has left. */
static void worker_leaves(const void *comes_back)
{
	setup(2);
	start_workers();
	model_assert(weft_pool_resize(&pool, 1) == 0);
	if (comes_back != NULL)
		model_assert(weft_pool_resize(&pool, 2) == 0);
	submit(0, 1);
	submit(1, -1);
	model_assert(results[1] == 0);
	for (int i = 0; i < 2; i++)
		while (results[i] == 0 && !weft_task_is_done(&tasks[i]))
			;
	shut_down(WEFT_SHUTDOWN_DRAIN);
	model_join();
	check_end(true);
}

/* A task that may move has been suspended on worker 0, and is taken by worker 1, which then runs it
 * for a while: nobody but the one who closes the pool tells worker 0 about it. */
static void take_from(weft_task *task)
{
	(void)task;
	model_assert(weft_worker_current_ == &worker[1]);
	weft_worker_taken_(&worker[0], &worker[1]);
	atomic_store_explicit(&done, 1, memory_order_relaxed);
	weft_park_while(&gate, 0, 0, WEFT_FOREVER);
}

static void one_has_moved(void)
{
	setup(2);
	weft_task_init(&tasks[0], take_from);
	atomic_store_explicit(&done, 0, memory_order_relaxed);
	atomic_store_explicit(&worker[0].fibers.away, 1, memory_order_relaxed);
	submit(0, 1);
	start_workers();
	model_thread(open_gate, NULL);
}

static void pool_ends_after_a_move(const void *waits)
{
	one_has_moved();
	while (waits != NULL && atomic_load_explicit(&done, memory_order_relaxed) == 0)
		;
	shut_down(WEFT_SHUTDOWN_DRAIN);
	model_join();
	runs[0] = 1;
	check_end(true);
}

/* Tasks are seen by nobody while a worker moves them to its own deque. The oldest, with which that
 * worker goes on, waits for the next: the other one must find that, also when it has looked in vain
 * meanwhile and sleeps. The pool drains, so that a worker looks once and not for a while. */
static void drain_moved(void)
{
	held = 0;
	opens = 1;
	start_workers();
	shut_down(WEFT_SHUTDOWN_DRAIN);
	model_join();
	check_end(true);
}

static void out_of_an_inbox(const void *unused)
{
	(void)unused;
	setup(2);
	submit(0, -1);
	submit(1, -1);
	drain_moved();
}

/* Half of three are two. */
static void out_of_a_deque(const void *unused)
{
	(void)unused;
	setup(2);
	weft_worker_current_ = &worker[0];
	for (int i = 0; i < 3; i++)
		submit(i, -1);
	weft_worker_current_ = NULL;
	drain_moved();
}

/* Worker 0 forks calls and joins them, as forkjoin.c does it. */

static void share_if_asked(weft_fork_slot *head)
{
	if (weft_fork_stack_calls(&calls.stack, calls.stack.end_) &&
	    weft_fork_stack_share(&calls.stack, head) > 0)
		weft_worker_notify_(&pool, 0);
}

static void fork_call(weft_fork_slot *slot)
{
	if (!weft_fork_stack_calls(&calls.stack, slot))
		return;
	weft_fork_stack_renew(&calls.stack, slot);
	share_if_asked(slot + 1);
}

static void join_call(weft_fork_slot *slot)
{
	if (weft_fork_stack_calls(&calls.stack, slot) &&
	    !weft_fork_stack_take_back(&calls.stack, slot))
		while (!weft_fork_slot_is_over(slot))
			;
}

static void run_calls(unsigned count, void (*function)(weft_task *))
{
	setup(count);
	weft_fork_stack_init(&calls.stack, calls.slots, CALLS);
	calls.owner = &worker[0];
	weft_task_init(&tasks[0], function);
	submit(0, 0);
}

static void all_are_stolen(void)
{
	start_workers();
	shut_down(WEFT_SHUTDOWN_DRAIN);
	model_join();
	check_end(true);
}

/* The first call may be taken back when another worker has asked for it, and does not sleep yet: it
 * must not sleep through the second. */
static void fork_two(weft_task *task)
{
	weft_fork_slot *slot = calls.slots;
	uint32_t before;

	runs[task - tasks]++;
	fork_call(slot);
	join_call(slot);
	before = stolen_calls();
	fork_call(slot);
	while (stolen_calls() == before)
		share_if_asked(slot + 1);
	join_call(slot);
}

static void after_one_taken_back(const void *unused)
{
	(void)unused;
	run_calls(2, fork_two);
	all_are_stolen();
}

/* The first call holds its thief until the second has been stolen, too: not by a worker that sleeps
 * since both have asked, and one was answered. */
static void fork_both(weft_task *task)
{
	runs[task - tasks]++;
	for (uint32_t i = 0; i < CALLS; i++) {
		fork_call(&calls.slots[i]);
		while (stolen_calls() <= i)
			share_if_asked(&calls.slots[i + 1]);
	}
	for (int i = CALLS; i-- > 0;)
		join_call(&calls.slots[i]);
}

static void at_the_same_time(const void *unused)
{
	(void)unused;
	run_calls(3, fork_both);
	calls.held_until = CALLS;
	all_are_stolen();
}

static const weft_shutdown drain = WEFT_SHUTDOWN_DRAIN, abort_ = WEFT_SHUTDOWN_ABORT;

static const struct model_scenario scenarios[] = {
	{
		.name = "worker: submission against drain",
		.run = one_worker,
		.argument = &drain,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "worker: submission against abort",
		.run = one_worker,
		.argument = &abort_,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "worker: a task is submitted again",
		.run = twice,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "worker: for one worker against drain",
		.run = one_worker_private,
		.argument = &drain,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "worker: two workers, submission against drain",
		.run = two_workers,
		.argument = &drain,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "worker: tasks come late",
		.run = tasks_come_late,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "worker: the last task moves while the pool closes",
		.run = pool_ends_after_a_move,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "worker: the last task moves before the pool closes",
		.run = pool_ends_after_a_move,
		.argument = &drain,
		.preemptions = MODEL_NONE,
		.stale = 1,
	},
	{
		.name = "worker: tasks move out of an inbox",
		.run = out_of_an_inbox,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "worker: tasks move out of a deque",
		.run = out_of_a_deque,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "worker: a call is stolen after one that was taken back",
		.run = after_one_taken_back,
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "worker: two calls are stolen at the same time",
		.run = at_the_same_time,
		.preemptions = MODEL_NONE,
		.stale = 1,
	},
	{
		.name = "worker: one leaves",
		.run = worker_leaves,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "worker: one leaves and comes back",
		.run = worker_leaves,
		.argument = &drain,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
