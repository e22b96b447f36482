/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The search: which thread takes the next step, and in which order all answers are tried.
 *
 * Depth first. An execution is replayed from the start with the recorded choices, the last of which
 * is a new one, and then goes on with first choices, which are: the same thread, the newest store,
 * no surprise. Two bounds keep the tree small: on preemptions (Musuvathi and Qadeer, 2007) and on
 * surprises of the memory.
 *
 * States are merged. A thread's local state is a function of what it has observed, and so is every
 * store that it made; the rest of the state is the modification order of each object and what the
 * seq_cst operations have published. Interleavings that agree in all this differ only in the order
 * of steps that have nothing to do with each other, and have the same future. So when, at a choice
 * of the next thread, that state was seen before with no more of the bounds used up, the execution
 * ends there: what could follow has followed. This finds at least what sleep sets would, and unlike
 * these it is exact under the bounds. (A race is found in whichever order the two accesses are
 * executed, so none is lost with the orders that are left out; what a history records of real time
 * is an observation of the thread that records it, see engine_history.c.)
 *
 * A thread that begins the same round of observations for the third time in a row, without a write
 * of its own, is taken to spin, and runs again when somebody has written. All threads spinning is a
 * livelock. Nor are there stale answers in the third round. Nothing is lost by that: the round adds
 * nothing to what the thread knows, and could as well have come right behind the second, where the
 * answers are the same. But the thread may be in a loop that counts its rounds; so, once between
 * two writes and as one of the surprises, it goes on.
 *
 * The other modes do not enumerate: uniformly random choices, and probabilistic concurrency testing
 * (Burckhardt et al., 2010), for scenarios too large for the first.
 */

#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct engine engine;

struct choice {
	uint16_t count, chosen;
};

static struct choice *choices;
static size_t choice_count, choices_recorded, choices_capacity;
static int starter = -1; /* the thread that waits for a new one to reach its first step */
static uint64_t random_state;
static uint64_t pct_changes[16];

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545F4914F6CDD1Du >> 16;
}

static void switch_to(int to)
{
	int from = engine.self;

	if (to == from)
		return;
	engine.self = to;
	engine_thread_local_leave(from);
	engine_thread_local_enter(to);
	engine_fiber_switch(&engine.threads[from].context, engine.threads[to].context);
}

/* Ends this execution where it is. */
static void __attribute__((noreturn)) abandon(void)
{
	engine.running = false;
	engine_fiber_switch(&engine_self()->context, engine.home);
	abort();
}

void model_fail(const char *format, ...)
{
	va_list list;

	engine.inside = true;
	va_start(list, format);
	vsnprintf(engine.result.message, sizeof(engine.result.message), format, list);
	va_end(list);
	engine.result.failed = true;
	if (!engine.running) {
		fprintf(stderr, "model: outside of a scenario: %s\n", engine.result.message);
		abort();
	}
	abandon();
}

/* Whether all recorded choices have been replayed, so that this is new ground. */
static bool at_frontier(void)
{
	return choice_count >= choices_recorded;
}

int engine_choose(int count)
{
	if (count <= 1)
		return 0;
	if (engine.options.mode == ENGINE_RANDOM)
		return (int)(random_next() % (unsigned)count);
	if (engine.options.mode == ENGINE_PCT)
		return random_next() % 4 != 0 ? 0 : (int)(random_next() % (unsigned)count);
	if (choice_count < choices_recorded) {
		if (choices[choice_count].count != count)
			model_fail("the scenario does not repeat: it has a choice of %d that was "
				   "one of %d",
				   count, choices[choice_count].count);
		return choices[choice_count++].chosen;
	}
	if (choices_recorded == choices_capacity) {
		choices_capacity = choices_capacity == 0 ? 256 : 2 * choices_capacity;
		choices = realloc(choices, choices_capacity * sizeof(*choices));
	}
	choices[choice_count++] = (struct choice){(uint16_t)count, 0};
	choices_recorded = choice_count;
	return 0;
}

bool engine_surprise_left(void)
{
	return engine.options.stale < 0 || engine.stale < engine.options.stale;
}

void engine_wrote(void)
{
	engine.last_write = engine.steps;
	engine_self()->observation_count = 0;
	engine_self()->counts = false;
	for (int i = 0; i < engine.thread_count; i++)
		engine.threads[i].spins = false;
}

/* What the current thread observed `back` loads ago, from 1. */
static uint64_t observed(unsigned back)
{
	const struct engine_thread *thread = engine_self();

	return thread->observations[(thread->observation_count - back) % ENGINE_OBSERVATIONS];
}

/* Whether the last two rounds, of this length, are the same. */
static bool is_periodic(unsigned length)
{
	for (unsigned back = 1; back <= length; back++)
		if (observed(back) != observed(back + length))
			return false;
	return true;
}

bool engine_repeats(uint64_t observation)
{
	unsigned count = engine_self()->observation_count;

	if (count > ENGINE_OBSERVATIONS)
		count = ENGINE_OBSERVATIONS;
	for (unsigned length = 1; length <= count / 2; length++)
		if (observed(length) == observation && is_periodic(length))
			return true;
	return false;
}

void engine_observe(uint64_t observation, bool is_newest)
{
	struct engine_thread *thread = engine_self();

	if (is_newest && engine_repeats(observation)) {
		if (!thread->counts && engine_surprise_left() && engine_choose(2) == 1) {
			engine.stale++;
			thread->counts = true;
			thread->observation_count = 0;
		} else {
			thread->spins = true;
		}
	}
	thread->observations[thread->observation_count++ % ENGINE_OBSERVATIONS] = observation;
}

static bool others_are_done(void)
{
	for (int i = 1; i < engine.thread_count; i++)
		if (engine.threads[i].state != ENGINE_FINISHED &&
		    engine.threads[i].state != ENGINE_STOPPED)
			return false;
	return true;
}

/* Whether a sleeper may wake by itself. */
static bool may_wake(const struct engine_thread *thread)
{
	return thread->state == ENGINE_ASLEEP &&
	       (thread->has_deadline || (engine.options.spurious_wakes && engine_surprise_left()));
}

static bool can_run(const struct engine_thread *thread)
{
	if (thread->state != ENGINE_READY || thread->spins)
		return false;
	return thread->pending != ENGINE_JOIN || others_are_done();
}

/* The threads that may run now: the current one first, sleepers that wake by themselves last. */
static int runnable(int *list)
{
	int count = 0;

	if (can_run(engine_self()))
		list[count++] = engine.self;
	for (int i = 0; i < engine.thread_count; i++)
		if (i != engine.self && can_run(&engine.threads[i]))
			list[count++] = i;
	for (int i = 0; i < engine.thread_count; i++)
		if (may_wake(&engine.threads[i]))
			list[count++] = i;
	return count;
}

static void report_stuck(const char *what)
{
	static const char *const states[] = {"runs", "sleeps on", "has finished", "is frozen"};
	char text[320] = "", name[64];
	size_t used = 0;

	for (int i = 1; i < engine.thread_count; i++) {
		const struct engine_thread *thread = &engine.threads[i];

		name[0] = '\0';
		if (thread->state == ENGINE_ASLEEP)
			engine_trace_name(thread->sleeps_on, name, sizeof(name));
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sT%d %s%s%s",
					 i == 1 ? "" : ", ", i, states[thread->state],
					 name[0] == '\0' ? "" : " ", name);
		if (used >= sizeof(text))
			break;
	}
	if (engine.frozen != 0)
		model_fail("not lock-free: a frozen thread stops the others: %s (%s)", what, text);
	model_fail("%s: %s", what, text);
}

static uint64_t state_key(const int *list)
{
	uint64_t key = engine.memory_hash;

	for (int i = 0; i < engine.thread_count; i++) {
		const struct engine_thread *thread = &engine.threads[i];
		unsigned state = (unsigned)thread->state << 6 | (unsigned)thread->counts << 5 |
				 (unsigned)thread->spins << 4 | (unsigned)thread->woken_by;

		key += engine_mix(engine_mix((uint64_t)i + 1, thread->history), state);
	}
	key = engine_mix(key, engine.time_ns);
	key = engine_mix(key, (uint64_t)engine.frozen << 1 | engine.allocation_failed);
	/* Going on costs nothing: so it matters who it is. */
	if (engine.options.preemptions >= 0 && list[0] == engine.self)
		key = engine_mix(key, (uint64_t)engine.self + 1);
	return key;
}

static int pick_pct(const int *list, int count)
{
	int best = 0;

	for (int i = 0; i < engine.options.pct_depth - 1; i++)
		if (pct_changes[i] == engine.steps)
			engine_self()->priority = -1 - i;
	for (int i = 1; i < count; i++)
		if (engine.threads[list[i]].priority > engine.threads[list[best]].priority)
			best = i;
	return list[best];
}

/*
 * Whether this state was explored. Where nothing is to be decided, not every state is remembered:
 * the step that it takes to the next one that is costs less. (The number of steps so far is a
 * function of the state, so all that come to a state agree on whether it is remembered.)
 */
static bool is_explored(const int *list, bool decides)
{
	if (!engine.options.merge || !at_frontier() || (!decides && engine.steps % 4 != 0))
		return false;
	return engine_states_seen(state_key(list), engine.preemptions, engine.stale);
}

static int pick(const int *list, int count)
{
	const struct engine_options *options = &engine.options;
	bool could_go_on = list[0] == engine.self && can_run(engine_self());

	if (options->mode == ENGINE_PCT)
		return pick_pct(list, count);
	if (could_go_on && options->preemptions >= 0 && engine.preemptions >= options->preemptions)
		count = 1;
	if (is_explored(list, count > 1)) {
		engine.result.merged++;
		abandon();
	}

	int picked = list[engine_choose(count)];

	if (could_go_on && picked != engine.self)
		engine.preemptions++;
	return picked;
}

/* Lets somebody run; returns when it is the current thread's turn. */
static void schedule(void)
{
	int list[2 * ENGINE_THREADS];
	int count = runnable(list);

	if (count == 0) {
		for (int i = 0; i < engine.thread_count; i++)
			engine.threads[i].spins = false;
		count = runnable(list);
	}
	if (count == 0 || (engine.threads[list[0]].state == ENGINE_ASLEEP &&
			   !engine.threads[list[0]].has_deadline))
		report_stuck("deadlock or lost wake-up");

	int picked = pick(list, count);
	struct engine_thread *thread = &engine.threads[picked];

	if (thread->state == ENGINE_ASLEEP) {
		thread->state = ENGINE_READY;
		thread->woken_by = thread->has_deadline ? ENGINE_TIMEOUT : ENGINE_SPURIOUS;
		if (!thread->has_deadline)
			engine.stale++;
		else if (engine.time_ns < thread->deadline)
			engine.time_ns = thread->deadline;
	}
	switch_to(picked);
}

static void freeze_self(void)
{
	struct engine_event event = {.kind = ENGINE_FROZEN, .thread = engine.self};

	engine_trace_event(&event);
	engine_self()->state = ENGINE_STOPPED;
	engine.frozen = engine.self;
	schedule();
	abort();
}

void engine_point(enum engine_kind kind)
{
	engine_self()->pending = kind;
	if (++engine.steps > ENGINE_STEPS_MAX)
		report_stuck("an execution without an end");
	if (engine.steps - engine.last_write > ENGINE_STEPS_SILENT)
		report_stuck("livelock: nobody writes any more");
	if (starter >= 0) {
		int back = starter;

		starter = -1;
		switch_to(back);
	} else {
		if (engine.options.freeze && engine.frozen == 0 && engine.self != 0 &&
		    engine_choose(2) == 1)
			freeze_self();
		schedule();
	}
	engine_history_step();
}

void engine_sleep(void)
{
	engine_self()->state = ENGINE_ASLEEP;
	schedule();
}

static void thread_entry(void)
{
	struct engine_thread *thread = engine_self();

	engine.inside = false;
	thread->function(thread->argument);
	engine.inside = true;
	if (engine.self == 0) {
		if (engine.frozen == 0)
			engine_heap_finish();
		abandon();
	}
	thread->state = ENGINE_FINISHED;
	engine_wrote();
	if (starter >= 0) {
		int back = starter;

		starter = -1;
		switch_to(back);
	}
	schedule();
	abort();
}

static struct engine_thread *thread_create(int index, void (*function)(void *), void *argument)
{
	struct engine_thread *thread = &engine.threads[index];

	if (thread->stack == NULL)
		thread->stack = malloc(ENGINE_STACK_SIZE);
	thread->function = function;
	thread->argument = argument;
	thread->state = ENGINE_READY;
	thread->history = (uint64_t)index;
	thread->observation_count = 0;
	thread->spins = false;
	thread->counts = false;
	thread->woken_by = ENGINE_WOKEN;
	thread->call = -1;
	thread->open_call = -1;
	thread->calls_returned = 0;
	thread->heap_used = 0;
	thread->priority = (int)(random_next() % 1000) + 1;
	engine_view_reset(&thread->now);
	engine_view_reset(&thread->acquired);
	engine_view_reset(&thread->released);
	engine_thread_local_create(index);
	thread->context = engine_fiber_create(thread->stack, ENGINE_STACK_SIZE, thread_entry);
	return thread;
}

static void spawn(void (*function)(void *), void *argument)
{
	struct engine_thread *parent = engine_self();
	int index = engine.thread_count;

	if (index == ENGINE_THREADS)
		model_fail("limit of the checker: too many threads");
	engine.thread_count++;

	struct engine_thread *thread = thread_create(index, function, argument);

	engine_view_join(&thread->now, &parent->now);
	thread->now.clock[index] = 1;
	thread->history = engine_mix(parent->history, (uint64_t)index);
	parent->now.clock[engine.self]++;
	parent->history = engine_mix(parent->history, 4);
	/* What it does before its first step is nobody else's business: no choice is needed. */
	int outer = starter;

	starter = engine.self;
	switch_to(index);
	starter = outer;
}

void model_thread(void (*function)(void *argument), void *argument)
{
	engine.inside = true;
	spawn(function, argument);
	engine.inside = false;
}

void model_join(void)
{
	struct engine_thread *thread = engine_self();

	engine.inside = true;
	engine_point(ENGINE_JOIN);
	for (int i = 1; i < engine.thread_count; i++) {
		if (engine.threads[i].state != ENGINE_FINISHED)
			continue;
		engine_view_join(&thread->now, &engine.threads[i].now);
		thread->history = engine_mix(thread->history, engine.threads[i].history);
	}
	engine.inside = false;
}

int model_frozen(void)
{
	return engine.frozen;
}

int model_choose(int count)
{
	engine.inside = true;

	int choice = engine_choose(count);

	engine_self()->history = engine_mix(engine_self()->history, (uint64_t)choice);
	engine.inside = false;
	return choice;
}

static void run_scenario(void *argument)
{
	(void)argument;
	engine.scenario->run(engine.scenario->argument);
}

static void execute(void)
{
	random_state = engine_mix(engine.options.seed + 1, engine.result.executions) | 1;
	for (int i = 0; i < engine.options.pct_depth - 1; i++)
		pct_changes[i] =
			random_next() % (engine.result.longest == 0 ? 50 : engine.result.longest);
	choice_count = 0;
	starter = -1;
	engine.thread_count = 1;
	engine.self = 0;
	engine.preemptions = 0;
	engine.stale = 0;
	engine.frozen = 0;
	engine.allocation_failed = false;
	engine.steps = 0;
	engine.last_write = 0;
	engine_memory_start();
	engine_race_start();
	engine_heap_start();
	engine_futex_start();
	engine_history_start();
	engine_trace_start();

	struct engine_thread *first = thread_create(0, run_scenario, NULL);

	first->now.clock[0] = 1;
	engine.inside = true;
	engine.running = true;
	engine_thread_local_enter(0);
	engine_fiber_switch(&engine.home, first->context);
	engine.running = false;
	engine.inside = false;
	engine.result.executions++;
	if (engine.result.longest < engine.steps)
		engine.result.longest = engine.steps;
}

/* Makes the last choice that has an answer left give the next one. False: all have been tried. */
static bool next_choice(void)
{
	while (choices_recorded > 0 &&
	       choices[choices_recorded - 1].chosen + 1 >= choices[choices_recorded - 1].count)
		choices_recorded--;
	if (choices_recorded == 0)
		return false;
	choices[choices_recorded - 1].chosen++;
	return true;
}

static double seconds_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct engine_result engine_explore(const struct model_scenario *scenario,
				    const struct engine_options *options)
{
	double start = seconds_now();

	engine.options = *options;
	if (options->mode != ENGINE_DEPTH_FIRST)
		engine.options.merge = false;
	if (engine.options.pct_depth > (int)(sizeof(pct_changes) / sizeof(*pct_changes)))
		engine.options.pct_depth = (int)(sizeof(pct_changes) / sizeof(*pct_changes));
	memset(&engine.result, 0, sizeof(engine.result));
	engine.scenario = scenario;
	choices_recorded = 0;
	engine_states_clear();
	for (;;) {
		execute();
		if (engine.result.failed)
			break;
		if (options->mode == ENGINE_DEPTH_FIRST && !next_choice()) {
			engine.result.complete = true;
			break;
		}
		if (options->executions_max != 0 &&
		    engine.result.executions >= options->executions_max)
			break;
		if (options->seconds_max > 0 && engine.result.executions % 256 == 0 &&
		    seconds_now() - start > options->seconds_max)
			break;
	}
	engine.result.states = engine_states_count();
	engine.result.seconds = seconds_now() - start;
	return engine.result;
}
