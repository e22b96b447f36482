/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/fiber: tasks that wait, for other tasks and in everything that stands on park, and
 * the worker that does something else meanwhile. With one worker most of them would hang if it did
 * not.
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

#include <weft/sync/eventcount.h>

#include "../pool_fixture.h"

static atomic_bool refuse_maps;
static atomic_int refused;

void *__real_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from);
void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from);

void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from)
{
	if (atomic_load(&refuse_maps) && (flags & MAP_STACK) != 0) {
		atomic_fetch_add(&refused, 1);
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap64(address, bytes, protection, flags, file, from);
}

/* A task that takes a token, and says when it has it. */
typedef struct token_task {
	weft_task task;
	weft_parker parker;
	weft_deadline deadline;
	int result;
	int message, seen;
} token_task;

static void token_task_run(weft_task *task)
{
	token_task *self = (token_task *)task;

	self->result = weft_parker_park(&self->parker, WEFT_SECONDS, self->deadline);
	self->seen = self->message;
}

static void token_task_submit(token_task *self, weft_pool *pool, weft_deadline deadline)
{
	memset((void *)self, 0, sizeof(*self));
	weft_task_init(&self->task, token_task_run);
	self->deadline = deadline;
	self->result = 1;
	must(weft_task_submit(pool, &self->task) == 0);
}

static void nothing(weft_task *task)
{
	(void)task;
}

/* While one task waits the worker runs others, and then goes on with it. */
static void worker_goes_on_with_others(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	token_task waiting;
	weft_task other;

	(void)state;
	weft_task_init(&other, nothing);
	token_task_submit(&waiting, pool, guard());
	pool_await_suspended(pool, 1);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(weft_task_submit(pool, &other), 0);
		assert_int_equal(weft_task_wait(&other, guard()), 0);
	}
	assert_false(weft_task_is_done(&waiting.task));
	waiting.message = 42;
	weft_parker_unpark(&waiting.parker);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	assert_int_equal(waiting.result, 0);
	assert_int_equal(waiting.seen, 42);
	pool_await_suspended(pool, 0);
	assert_int_equal(statistics_of(pool).suspensions, 1);
	weft_pool_destroy(pool);
}

/* Two tasks on one worker throw a token to each other. */
typedef struct player {
	weft_task task;
	weft_parker mine, *other;
	int throws;
} player;

static void player_run(weft_task *task)
{
	player *self = (player *)task;

	for (; self->throws > 0; self->throws--) {
		must(weft_parker_park(&self->mine, 0, guard()) == 0);
		weft_parker_unpark(self->other);
	}
}

static void tasks_hand_over_to_each_other(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 2; workers++) {
		weft_pool *pool = pool_of(workers, workers % 2);
		player two[2];

		memset((void *)two, 0, sizeof(two));
		for (int i = 0; i < 2; i++) {
			weft_task_init(&two[i].task, player_run);
			two[i].other = &two[1 - i].mine;
			two[i].throws = 2000;
			assert_int_equal(weft_task_submit(pool, &two[i].task), 0);
		}
		weft_parker_unpark(&two[0].mine);
		for (int i = 0; i < 2; i++)
			assert_int_equal(weft_task_wait(&two[i].task, guard()), 0);
		weft_pool_destroy(pool);
	}
}

/* Tasks and threads, mixed, that wait for one word or one eventcount. */
typedef struct crowd {
	WEFT_ATOMIC(uint32_t) word;
	weft_eventcount changed;
	bool by_eventcount;
	atomic_int returned;
} crowd;

static void crowd_wait(crowd *self)
{
	if (!self->by_eventcount) {
		must(weft_park_while(&self->word, 0, 0, guard()) == 0);
	} else {
		while (atomic_load(&self->word) == 0) {
			uint32_t key = weft_eventcount_prepare(&self->changed);

			if (atomic_load(&self->word) != 0)
				weft_eventcount_cancel(&self->changed);
			else
				must(weft_eventcount_wait(&self->changed, key, 0, guard()) == 0);
		}
	}
	atomic_fetch_add(&self->returned, 1);
}

static void crowd_call(void *self)
{
	crowd_wait(self);
}

static void *crowd_thread(void *self)
{
	crowd_wait(self);
	return NULL;
}

static void tasks_and_threads_wait_alike(void **state)
{
	enum {
		TASKS = 20,
		THREADS = 3
	};

	(void)state;
	for (int round = 0; round < 20; round++) {
		weft_pool *pool = pool_of(2, 1);
		crowd all = {.by_eventcount = round % 2 == 1};
		pthread_t threads[THREADS];

		for (int i = 0; i < TASKS; i++)
			assert_int_equal(weft_spawn(pool, crowd_call, &all), 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &all), 0);
		pool_await_suspended(pool, TASKS);
		assert_int_equal(atomic_load(&all.returned), 0);
		atomic_store(&all.word, 1);
		if (all.by_eventcount)
			weft_eventcount_notify_all(&all.changed);
		else
			weft_park_wake(&all.word, WEFT_PARK_ALL);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		weft_pool_destroy(pool);
		assert_int_equal(atomic_load(&all.returned), TASKS + THREADS);
	}
}

/* Of those that wait for a word as many are woken as is asked, the first come first. */
typedef struct queuer {
	weft_task task;
	WEFT_ATOMIC(uint32_t) * word;
	atomic_int *order;
	int place;
} queuer;

static void queuer_run(weft_task *task)
{
	queuer *self = (queuer *)task;

	must(weft_park_while(self->word, 0, 0, guard()) == 0);
	self->place = atomic_fetch_add(self->order, 1);
}

static void wake_wakes_as_many_as_asked(void **state)
{
	enum {
		QUEUERS = 6
	};
	weft_pool *pool = pool_of(1, 1);
	WEFT_ATOMIC(uint32_t) word = 0;
	atomic_int order = 0;
	queuer all[QUEUERS];

	(void)state;
	for (uint32_t i = 0; i < QUEUERS; i++) {
		weft_task_init(&all[i].task, queuer_run);
		all[i].word = &word;
		all[i].order = &order;
		assert_int_equal(weft_task_submit(pool, &all[i].task), 0);
		pool_await_suspended(pool, i + 1);
	}
	atomic_store(&word, 1);
	for (int i = 0; i < QUEUERS; i += 2) {
		weft_park_wake(&word, 2);
		pool_await_suspended(pool, (uint32_t)(QUEUERS - 2 - i));
		for (int k = 0; k < 2; k++)
			assert_int_equal(weft_task_wait(&all[i + k].task, guard()), 0);
		assert_int_equal(atomic_load(&order), i + 2);
	}
	for (int i = 0; i < QUEUERS; i++)
		assert_int_equal(all[i].place, i);
	weft_pool_destroy(pool);
}

static void deadlines_of_tasks(void **state)
{
	enum {
		TASKS = 50
	};
	weft_pool *pool = pool_of(1, 1);
	static token_task all[TASKS];

	(void)state;
	/* Asleep, the worker wakes for each; every fifth gets its token instead. */
	for (int i = 0; i < TASKS; i++)
		token_task_submit(&all[i], pool,
				  weft_after((uint64_t)(TASKS - i) * WEFT_MILLISECONDS / 4));
	for (int i = 0; i < TASKS; i += 5)
		weft_parker_unpark(&all[i].parker);
	for (int i = 0; i < TASKS; i++) {
		assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
		assert_int_equal(all[i].result, i % 5 == 0 ? 0 : -ETIMEDOUT);
		assert_true(i % 5 == 0 || weft_now() >= all[i].deadline);
	}
	/* And those that are over before. */
	for (int i = 0; i < 3; i++) {
		token_task_submit(&all[i], pool, i == 0 ? WEFT_NOW : i == 1 ? 1 : weft_now());
		assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
		assert_int_equal(all[i].result, -ETIMEDOUT);
	}
	weft_pool_destroy(pool);
}

/* A worker with endless work of its own still looks at the clock. */
static atomic_bool busy_stops;

static void busy_call(void *pool)
{
	if (!atomic_load(&busy_stops))
		must(weft_spawn(pool, busy_call, pool) == 0);
}

static void busy_worker_keeps_deadlines(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	token_task waiting;

	(void)state;
	atomic_store(&busy_stops, false);
	token_task_submit(&waiting, pool, weft_after(2 * WEFT_MILLISECONDS));
	assert_int_equal(weft_spawn(pool, busy_call, pool), 0);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	assert_int_equal(waiting.result, -ETIMEDOUT);
	atomic_store(&busy_stops, true);
	weft_pool_destroy(pool);
}

/* What belongs to a task while it is suspended. */
typedef struct owner {
	weft_task task;
	weft_parker parker;
	int number;
	bool kept;
} owner;

static void owner_run(weft_task *task)
{
	static const int ways[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
	owner *self = (owner *)task;

	errno = self->number;
	fesetround(ways[self->number % 4]);
	must(weft_parker_park(&self->parker, 0, guard()) == 0);
	self->kept = errno == self->number && fegetround() == ways[self->number % 4];
	fesetround(FE_TONEAREST);
	errno = 0;
}

static void errno_and_rounding_are_kept(void **state)
{
	enum {
		OWNERS = 40
	};
	static owner all[OWNERS];
	weft_pool *pool = pool_of(1, 1);

	(void)state;
	memset((void *)all, 0, sizeof(all));
	for (int i = 0; i < OWNERS; i++) {
		weft_task_init(&all[i].task, owner_run);
		all[i].number = i + 1;
		assert_int_equal(weft_task_submit(pool, &all[i].task), 0);
	}
	pool_await_suspended(pool, OWNERS);
	for (int i = OWNERS - 1; i >= 0; i--)
		weft_parker_unpark(&all[i].parker);
	for (int i = 0; i < OWNERS; i++) {
		assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
		assert_true(all[i].kept);
	}
	weft_pool_destroy(pool);
}

/* A tower of tasks that each wait for the next: none stands on the stack of another. */
typedef struct tower {
	weft_task task;
	weft_pool *pool;
	int levels;
	size_t deepest; /* bytes of stack, between the fiber and what runs there */
} tower;

static void tower_run(weft_task *task)
{
	tower *self = (tower *)task;
	tower above = {.pool = self->pool, .levels = self->levels - 1};
	const weft_fiber_ *fiber = weft_worker_current_->fibers.running;
	size_t depth = fiber->stack.low == NULL ? 0 : (size_t)((char *)fiber - (char *)&above);

	if (self->levels > 1) {
		weft_task_init(&above.task, tower_run);
		must(weft_task_submit(self->pool, &above.task) == 0);
		must(weft_task_wait(&above.task, guard()) == 0);
	}
	self->deepest = depth > above.deepest ? depth : above.deepest;
}

static void waits_do_not_grow_the_stack(void **state)
{
	tower bottom = {.pool = pool_of(1, 0), .levels = 1000};

	(void)state;
	weft_task_init(&bottom.task, tower_run);
	assert_int_equal(weft_task_submit(bottom.pool, &bottom.task), 0);
	assert_int_equal(weft_task_wait(&bottom.task, guard()), 0);
	assert_in_range(bottom.deepest, 1, SANITIZED ? 4096 : 1024);
	weft_pool_destroy(bottom.pool);
}

/* Each waits for the one that began before it: on one worker, in whatever order. */
typedef struct chained {
	weft_task task;
	weft_task *before;
	weft_parker *first;
} chained;

static void chained_run(weft_task *task)
{
	chained *self = (chained *)task;

	if (self->before == NULL)
		must(weft_parker_park(self->first, 0, guard()) == 0);
	else
		must(weft_task_wait(self->before, guard()) == 0);
}

static void tasks_may_wait_for_earlier_ones(void **state)
{
	enum {
		LENGTH = 200
	};
	static chained all[LENGTH];

	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		weft_pool *pool = pool_of(workers, 1);
		weft_parker first = {0};

		for (uint32_t i = 0; i < LENGTH; i++) {
			weft_task_init(&all[i].task, chained_run);
			all[i].before = i == 0 ? NULL : &all[i - 1].task;
			all[i].first = &first;
			assert_int_equal(weft_task_submit(pool, &all[i].task), 0);
		}
		pool_await_suspended(pool, LENGTH);
		weft_parker_unpark(&first);
		for (int i = LENGTH - 1; i >= 0; i--)
			assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
		weft_pool_destroy(pool);
	}
}

static size_t resident_bytes(void)
{
	unsigned long total, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	must(file != NULL && fscanf(file, "%lu %lu", &total, &resident) == 2);
	fclose(file);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* ThreadSanitizer knows some 8000 fibers, and AddressSanitizer has shadows of the stacks. */
#if SANITIZED
#define MANY 2000
#else
#define MANY 100000
#endif

static void a_hundred_thousand(void **state)
{
	weft_pool *pool = pool_of(2, 0);
	token_task *all = calloc(MANY, sizeof(*all));
	size_t before, each;

	(void)state;
	assert_non_null(all);
	memset((void *)all, 1, MANY * sizeof(*all));
	before = resident_bytes();
	for (int i = 0; i < MANY; i++)
		token_task_submit(&all[i], pool, i % 2 == 0 ? WEFT_FOREVER : guard());
	pool_await_suspended(pool, MANY);
	each = (resident_bytes() - before) / MANY;
	if (!SANITIZED)
		assert_in_range(each, 1, 4608);
	for (int i = 0; i < MANY; i++)
		weft_parker_unpark(&all[i].parker);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
		assert_int_equal(all[i].result, 0);
	}
	/* Idle, the workers give the stacks back. */
	pool_await_rest(pool);
	if (!SANITIZED)
		assert_true(resident_bytes() < before + ((size_t)16 << 20));
	free(all);
	weft_pool_destroy(pool);
}

static void drain_waits_for_suspended_tasks(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		weft_pool *pool = pool_of(2, 1);
		weft_deadline soon;
		token_task waiting;

		token_task_submit(&waiting, pool, guard());
		pool_await_suspended(pool, 1);
		soon = weft_after(5 * WEFT_MILLISECONDS);
		/* Aborted or not, it has begun: it is waited for, and a shutdown with a deadline
		 * says that it is still there. */
		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, soon), -ETIMEDOUT);
		assert_false(weft_task_is_done(&waiting.task));
		weft_parker_unpark(&waiting.parker);
		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, guard()), 0);
		assert_true(weft_task_is_done(&waiting.task));
		assert_int_equal(waiting.result, 0);
		assert_int_equal(weft_pool_destroy(pool), 0);
	}
}

/* A suspended task that goes on while the pool drains may submit, and wait for it. */
typedef struct late {
	weft_task task;
	weft_pool *pool;
	weft_parker parker;
	int submitted, waited;
} late;

static void late_run(weft_task *task)
{
	late *self = (late *)task;
	weft_task inside;

	must(weft_parker_park(&self->parker, 0, guard()) == 0);
	weft_task_init(&inside, nothing);
	self->submitted = weft_task_submit(self->pool, &inside);
	self->waited = weft_task_wait(&inside, guard());
}

static void going_on_while_the_pool_closes(void **state)
{
	(void)state;
	for (int how = 0; how < 2; how++) {
		weft_pool *pool = pool_of(2, 1);
		late self = {.pool = pool};

		weft_task_init(&self.task, late_run);
		assert_int_equal(weft_task_submit(pool, &self.task), 0);
		pool_await_suspended(pool, 1);
		assert_int_equal(weft_pool_shutdown(pool, (weft_shutdown)how, WEFT_NOW),
				 -ETIMEDOUT);
		weft_parker_unpark(&self.parker);
		assert_int_equal(weft_pool_destroy(pool), 0);
		assert_int_equal(self.submitted, how == 0 ? 0 : -EPIPE);
		assert_int_equal(self.waited, how == 0 ? 0 : -EINVAL);
	}
}

/* A task in a queue that an abort cancels: who waits for it inside the pool goes on. */
typedef struct waits_for_queued {
	weft_task task;
	weft_task *queued;
	int result;
} waits_for_queued;

static void waits_for_queued_run(weft_task *task)
{
	waits_for_queued *self = (waits_for_queued *)task;

	self->result = weft_task_wait(self->queued, guard());
}

static void abort_lets_waiting_tasks_go(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	waits_for_queued waiting;
	weft_task queued;
	gate_task holder;
	gate at = {0};

	(void)state;
	weft_task_init(&queued, nothing);
	weft_task_init(&waiting.task, waits_for_queued_run);
	waiting.queued = &queued;
	/* It waits for what is queued behind the task that holds the worker. */
	weft_task_init(&holder.task, gate_task_run);
	holder.at = &at;
	assert_int_equal(weft_task_submit(pool, &waiting.task), 0);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	assert_int_equal(waiting.result, -EINVAL);
	gate_hold(pool, &at, &holder, 1);
	assert_int_equal(weft_task_submit(pool, &queued), 0);
	assert_int_equal(weft_task_submit(pool, &waiting.task), 0);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, WEFT_NOW), -ETIMEDOUT);
	gate_let_go(&at, &holder, 1);
	assert_int_equal(weft_pool_destroy(pool), 0);
	assert_int_equal(weft_task_wait(&queued, WEFT_NOW), -ECANCELED);
	assert_int_equal(weft_task_wait(&waiting.task, WEFT_NOW), -ECANCELED);
}

/* Who yields lets others come first, those that have begun and those that have not. */
static atomic_int turn;

typedef struct yielder {
	weft_task task;
	weft_pool *pool;
	int number, wrong;
} yielder;

static void yielder_run(weft_task *task)
{
	yielder *self = (yielder *)task;

	for (int round = 0; round < 100; round++) {
		weft_deadline deadline = guard();

		while (atomic_load(&turn) % 3 != self->number) {
			must(weft_now() < deadline);
			weft_task_yield();
		}
		atomic_fetch_add(&turn, 1);
	}
}

static void yielding_gives_others_a_turn(void **state)
{
	weft_pool *pool = pool_of(1, 0);
	yielder all[3];

	(void)state;
	atomic_store(&turn, 0);
	/* On a thread it does nothing. */
	weft_task_yield();
	for (int i = 2; i >= 0; i--) {
		weft_task_init(&all[i].task, yielder_run);
		all[i].number = i;
		assert_int_equal(weft_task_submit(pool, &all[i].task), 0);
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(weft_task_wait(&all[i].task, guard()), 0);
	assert_int_equal(atomic_load(&turn), 300);
	weft_pool_destroy(pool);
}

static void stack_sizes(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	(void)state;
	options.workers = 1;
	options.stack_bytes = WEFT_POOL_STACK_BYTES_MIN - 1;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	options.stack_bytes = WEFT_POOL_STACK_BYTES_MAX + 1;
	assert_int_equal(weft_pool_create(&pool, &options), -EINVAL);
	assert_null(pool);
	for (size_t bytes = WEFT_POOL_STACK_BYTES_MIN; bytes <= (size_t)64 << 20; bytes *= 8) {
		token_task two[2];

		options.stack_bytes = bytes;
		assert_int_equal(weft_pool_create(&pool, &options), 0);
		/* There is none before somebody waits. */
		weft_task_init(&two[0].task, nothing);
		assert_int_equal(weft_task_submit(pool, &two[0].task), 0);
		assert_int_equal(weft_task_wait(&two[0].task, guard()), 0);
		assert_int_equal(pool->worker[0]->fibers.stacks.in_use, 0);
		for (uint32_t i = 0; i < 2; i++) {
			token_task_submit(&two[i], pool, guard());
			pool_await_suspended(pool, i + 1);
		}
		for (int i = 0; i < 2; i++) {
			weft_parker_unpark(&two[i].parker);
			assert_int_equal(weft_task_wait(&two[i].task, guard()), 0);
		}
		weft_pool_destroy(pool);
	}
}

/* Without memory for a stack the worker itself sleeps, and asks again before long. */
static void no_memory_for_stacks(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	token_task waiting;
	weft_task other;

	(void)state;
	weft_task_init(&other, nothing);
	atomic_store(&refused, 0);
	atomic_store(&refuse_maps, true);
	token_task_submit(&waiting, pool, guard());
	while (atomic_load(&refused) < 3)
		sched_yield();
	assert_int_equal(statistics_of(pool).suspended, 0);
	weft_parker_unpark(&waiting.parker);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	assert_int_equal(waiting.result, 0);
	token_task_submit(&waiting, pool, weft_after(2 * WEFT_MILLISECONDS));
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	assert_int_equal(waiting.result, -ETIMEDOUT);
	/* With memory again it is suspended after all, and the next task runs. */
	token_task_submit(&waiting, pool, guard());
	assert_int_equal(weft_task_submit(pool, &other), 0);
	while (atomic_load(&refused) < 10)
		sched_yield();
	assert_false(weft_task_is_done(&other));
	atomic_store(&refuse_maps, false);
	assert_int_equal(weft_task_wait(&other, guard()), 0);
	assert_false(weft_task_is_done(&waiting.task));
	weft_parker_unpark(&waiting.parker);
	assert_int_equal(weft_task_wait(&waiting.task, guard()), 0);
	weft_pool_destroy(pool);
}

/* But what has begun goes on, though what waits now has taken the last stack. */
static void without_stacks_those_that_have_begun_go_on(void **state)
{
	enum {
		MEMBERS = 40
	};
	static token_task begun[MEMBERS], last[MEMBERS];
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool = NULL;

	(void)state;
	options.workers = 1;
	/* So large that each is mapped by itself. */
	options.stack_bytes = (size_t)64 << 20;
	assert_int_equal(weft_pool_create(&pool, &options), 0);
	for (int i = 0; i < MEMBERS; i++)
		token_task_submit(&begun[i], pool,
				  i + 1 == MEMBERS ? weft_after(WEFT_SECONDS / 4) : WEFT_FOREVER);
	while (statistics_of(pool).suspensions < MEMBERS)
		sched_yield();
	atomic_store(&refuse_maps, true);
	for (int i = 0; i < MEMBERS; i++) {
		atomic_store(&refused, 0);
		token_task_submit(&last[i], pool, WEFT_FOREVER);
		/* On a very busy machine the deadline has passed, and there is a stack again. */
		while (atomic_load(&refused) == 0 &&
		       statistics_of(pool).suspensions < MEMBERS + (uint64_t)i + 1)
			sched_yield();
		if (i + 1 < MEMBERS)
			weft_parker_unpark(&begun[i].parker);
		assert_int_equal(weft_task_wait(&begun[i].task, guard()), 0);
		assert_int_equal(begun[i].result, i + 1 == MEMBERS ? -ETIMEDOUT : 0);
		assert_false(weft_task_is_done(&last[i].task));
	}
	for (int i = 0; i < MEMBERS; i++)
		weft_parker_unpark(&last[i].parker);
	for (int i = 0; i < MEMBERS; i++)
		assert_int_equal(weft_task_wait(&last[i].task, guard()), 0);
	atomic_store(&refuse_maps, false);
	weft_pool_destroy(pool);
}

/* Each waits for the next one, which has not begun; and a thread for the first. */
static weft_future *futures[MANY];

static int wait_for_next(void *argument, void **value)
{
	weft_future **mine = argument;

	*value = &futures[MANY - 1];
	if (mine == *value)
		return 0;
	must(weft_future_wait(mine[1], WEFT_FOREVER) == 0);
	*value = weft_future_value(mine[1]);
	return weft_future_error(mine[1]);
}

static void submit_from_last(weft_task *task)
{
	for (size_t i = MANY; i-- > 0;)
		must(weft_submit(((tower *)task)->pool, wait_for_next, &futures[i], &futures[i]) ==
		     0);
}

static void waits_are_nested_to_any_depth(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 2; workers++) {
		tower root = {.pool = pool_of(workers, 0)};

		weft_task_init(&root.task, submit_from_last);
		assert_int_equal(weft_task_submit(root.pool, &root.task), 0);
		assert_int_equal(weft_task_wait(&root.task, guard()), 0);
		assert_int_equal(weft_future_wait(futures[0], guard()), 0);
		assert_ptr_equal(weft_future_value(futures[0]), &futures[MANY - 1]);
		/* Every 64th is taken from the end. */
		if (workers == 1)
			assert_in_range(statistics_of(root.pool).suspensions, MANY - MANY / 32,
					MANY);
		for (size_t i = 0; i < MANY; i++)
			weft_future_release(futures[i]);
		weft_pool_destroy(root.pool);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worker_goes_on_with_others),
		cmocka_unit_test(tasks_hand_over_to_each_other),
		cmocka_unit_test(tasks_and_threads_wait_alike),
		cmocka_unit_test(wake_wakes_as_many_as_asked),
		cmocka_unit_test(deadlines_of_tasks),
		cmocka_unit_test(busy_worker_keeps_deadlines),
		cmocka_unit_test(errno_and_rounding_are_kept),
		cmocka_unit_test(waits_do_not_grow_the_stack),
		cmocka_unit_test(tasks_may_wait_for_earlier_ones),
		cmocka_unit_test(a_hundred_thousand),
		cmocka_unit_test(drain_waits_for_suspended_tasks),
		cmocka_unit_test(going_on_while_the_pool_closes),
		cmocka_unit_test(abort_lets_waiting_tasks_go),
		cmocka_unit_test(yielding_gives_others_a_turn),
		cmocka_unit_test(stack_sizes),
		cmocka_unit_test(no_memory_for_stacks),
		cmocka_unit_test(without_stacks_those_that_have_begun_go_on),
		cmocka_unit_test(waits_are_nested_to_any_depth),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
