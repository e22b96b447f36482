/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stress of suspended tasks: members of a crowd, most of them tasks of several pools and some of
 * them threads, give each other pieces of work and wait for theirs, by a parker, an eventcount or a
 * word, with deadlines drawn at random. Every piece that is given is received, once; nobody sleeps
 * through one; and what belongs to a task is what it was before it waited. Half of the tasks may
 * move, and then mostly wait without a deadline, so that they do.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/sync/eventcount.h>

#include "../pool_fixture.h"
#include "stress.h"

enum {
	TASKS = 60,
	THREADS = 3,
	MEMBERS = TASKS + THREADS,
	/* Pieces that are given in a round, before no more are. */
	PIECES = 20000,
	BALLS = 8, /* that go round at a time */
};

enum way {
	BY_PARKER,
	BY_EVENTCOUNT,
	BY_WORD,
	WAYS,
};

struct crowd;

typedef struct member {
	weft_task task;
	struct crowd *all;
	seeded_random random;
	int number;
	enum way way;
	bool may_move;
	/* Pieces for this member that it has not received. */
	WEFT_ATOMIC(uint32_t) pending;
	weft_parker parker;
	weft_eventcount changed;
	uint64_t received, given;
	bool wrong;
} member;

typedef struct crowd {
	member members[MEMBERS];
	WEFT_ATOMIC(int64_t) left;   /* pieces that may still be given */
	WEFT_ATOMIC(uint32_t) balls; /* pieces that are with nobody */
	WEFT_ATOMIC(bool) over;
} crowd;

static void wake(member *to)
{
	if (to->way == BY_PARKER)
		weft_parker_unpark(&to->parker);
	else if (to->way == BY_EVENTCOUNT)
		weft_eventcount_notify_one(&to->changed);
	else
		weft_park_wake(&to->pending, 1);
}

static void give(member *from, member *to)
{
	from->given++;
	atomic_fetch_add_explicit(&to->pending, 1, memory_order_release);
	wake(to);
}

/* Not inlined: a compiler takes errno for one and the same variable throughout a function. */
static __attribute__((noinline)) int get_errno(void)
{
	return errno;
}

static __attribute__((noinline)) void set_errno(int error)
{
	errno = error;
}

/* Mostly so late that a lost wake-up shows. */
static weft_deadline some_deadline(member *self)
{
	switch (seeded_random_below(&self->random, 8)) {
	case 0:
		return WEFT_NOW;
	case 1:
	case 2:
		return weft_after(seeded_random_below(&self->random, 200000));
	default:
		return self->may_move ? WEFT_FOREVER : guard();
	}
}

/* Waits until there may be something, or the deadline. */
static void await_something(member *self)
{
	weft_deadline deadline = some_deadline(self);

	if (self->way == BY_PARKER) {
		weft_parker_park(&self->parker, 0, deadline);
	} else if (self->way == BY_WORD) {
		weft_park_while(&self->pending, 0, 0, deadline);
	} else {
		uint32_t key = weft_eventcount_prepare(&self->changed);

		if (atomic_load_explicit(&self->pending, memory_order_acquire) != 0 ||
		    atomic_load_explicit(&self->all->over, memory_order_acquire))
			weft_eventcount_cancel(&self->changed);
		else
			weft_eventcount_wait(&self->changed, key, 0, deadline);
	}
	if (deadline > weft_now() && atomic_load(&self->pending) == 0 &&
	    seeded_random_below(&self->random, 4) == 0)
		weft_task_yield();
}

/* Ends the round when the last ball has been taken out of it. */
static void take_ball_out(crowd *all)
{
	if (atomic_fetch_sub(&all->balls, 1) != 1)
		return;
	atomic_store(&all->over, true);
	for (int i = 0; i < MEMBERS; i++) {
		member *other = &all->members[i];

		/* Who waits for its word to change waits for ever otherwise. */
		atomic_fetch_add(&other->pending, 1);
		wake(other);
	}
}

static void live(member *self)
{
	crowd *all = self->all;

	while (!atomic_load_explicit(&all->over, memory_order_acquire)) {
		uint32_t got = atomic_exchange_explicit(&self->pending, 0, memory_order_acquire);

		if (got == 0) {
			set_errno(self->number);
			await_something(self);
			/* Of a thread, or when a lock is fought for, errno is the kernel's. */
			self->wrong =
				self->wrong || (self->number <= TASKS && self->way == BY_PARKER &&
						get_errno() != self->number);
			continue;
		}
		if (atomic_load_explicit(&all->over, memory_order_acquire))
			break;
		self->received += got;
		for (; got > 0; got--) {
			if (atomic_fetch_sub(&all->left, 1) > 0)
				give(self,
				     &all->members[seeded_random_below(&self->random, MEMBERS)]);
			else
				take_ball_out(all);
		}
	}
}

static void live_as_task(weft_task *task)
{
	live((member *)task);
}

static void *live_as_thread(void *self)
{
	live(self);
	return NULL;
}

static void one_round(weft_pool *const *pools, uint64_t seed)
{
	static crowd all;
	pthread_t threads[THREADS];
	weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;
	member giver = {.all = &all};
	uint64_t given = 0, received = 0;

	memset((void *)&all, 0, sizeof(all));
	atomic_store(&all.left, PIECES);
	atomic_store(&all.balls, BALLS);
	for (int i = 0; i < MEMBERS; i++) {
		member *one = &all.members[i];

		one->all = &all;
		one->number = i + 1;
		one->random.state = seed + (uint64_t)i * 7919;
		one->way = (enum way)(i % WAYS);
		one->may_move = i % 4 < 2 && i < TASKS;
		if (i >= TASKS) {
			assert_int_equal(
				pthread_create(&threads[i - TASKS], NULL, live_as_thread, one), 0);
			continue;
		}
		weft_task_init(&one->task, live_as_task);
		options.may_move = one->may_move;
		assert_int_equal(weft_task_submit_with(pools[i % 2], &one->task, &options), 0);
	}
	for (int i = 0; i < BALLS; i++)
		give(&giver, &all.members[i * MEMBERS / BALLS]);
	for (int i = 0; i < TASKS; i++)
		assert_int_equal(weft_task_wait(&all.members[i].task, guard()), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < MEMBERS; i++) {
		given += all.members[i].given;
		received += all.members[i].received;
		assert_false(all.members[i].wrong);
	}
	assert_int_equal(given, PIECES);
	assert_int_equal(received, PIECES + BALLS);
}

static void crowds(unsigned workers, uint64_t spin_ns)
{
	uint64_t moved = 0;
	uint64_t deadline_ns = stress_deadline_ns(3);
	seeded_random random = {seeded_random_seed()};

	do {
		weft_pool *pools[2] = {pool_of(workers, spin_ns), pool_of(workers, 1)};

		one_round(pools, seeded_random_next(&random));
		moved += statistics_of(pools[0]).moved + statistics_of(pools[1]).moved;
		assert_int_equal(weft_pool_destroy(pools[0]), 0);
		assert_int_equal(weft_pool_destroy(pools[1]), 0);
	} while (stress_now_ns() < deadline_ns);
	assert_true(workers == 1 ? moved == 0 : moved > 0);
}

static void one_worker_each(void **state)
{
	(void)state;
	crowds(1, 0);
}

static void a_worker_for_each_core(void **state)
{
	(void)state;
	crowds(2, 0);
}

static void oversubscribed(void **state)
{
	(void)state;
	crowds(8, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_worker_each),
		cmocka_unit_test(a_worker_for_each_core),
		cmocka_unit_test(oversubscribed),
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
