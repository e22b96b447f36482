/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of reclaim and rcu_ptr: threads read what others replace and retire, threads come and go,
 * and one waits for grace periods now and then. No reader finds something destroyed, each piece is
 * destroyed exactly once, and in the end nothing is left.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/rcu_ptr.h>

#include "stress.h"

#define SLOTS     16
#define ROUND     20000
#define ALIVE     0x600d600d600d600du
#define DESTROYED 0xdeaddeaddeaddeadu

typedef struct piece {
	weft_reclaim_head head;
	uint64_t state; /* ALIVE until it is destroyed */
	WEFT_ATOMIC(uint64_t) * destroyed;
} piece;

WEFT_RCU_PTR_DEFINE(piece_ptr, piece);

typedef struct reclaim_stress {
	stress_crew crew;
	piece_ptr slots[SLOTS];
	WEFT_ATOMIC(uint64_t) destroyed;
} reclaim_stress;

typedef struct reclaim_worker {
	reclaim_stress *round;
	unsigned number;
	seeded_random random;
	uint64_t retired;
} reclaim_worker;

static void destroy(weft_reclaim_head *head)
{
	piece *dead = (piece *)head;

	if (dead->state != ALIVE)
		abort();
	dead->state = DESTROYED;
	/* relaxed: a sum, read when all is over. */
	atomic_fetch_add_explicit(dead->destroyed, 1, memory_order_relaxed);
	free(dead);
}

static void destroy_pointer(void *dead)
{
	destroy(dead);
}

static piece *make(reclaim_stress *round)
{
	piece *made = malloc(sizeof(*made));

	if (made == NULL)
		abort();
	made->state = ALIVE;
	made->destroyed = &round->destroyed;
	return made;
}

static void read_some(reclaim_worker *self)
{
	reclaim_stress *round = self->round;

	weft_reclaim_enter();
	for (int i = 0; i < 4; i++) {
		const piece *found =
			piece_ptr_read(&round->slots[seeded_random_below(&self->random, SLOTS)]);

		if (found != NULL && found->state != ALIVE)
			stress_fail(&round->crew, "a reader found something destroyed");
		if (seeded_random_below(&self->random, 64) == 0)
			sched_yield();
		if (found != NULL && found->state != ALIVE)
			stress_fail(&round->crew, "something was destroyed under a reader");
	}
	weft_reclaim_exit();
}

static void replace_one(reclaim_worker *self)
{
	reclaim_stress *round = self->round;
	piece_ptr *slot = &round->slots[seeded_random_below(&self->random, SLOTS)];
	piece *made = make(round), *old;

	if (seeded_random_below(&self->random, 2) == 0) {
		while (piece_ptr_update(slot, made, destroy_pointer) == -EAGAIN)
			if (!stress_wait(&round->crew))
				return;
	} else if ((old = piece_ptr_exchange(slot, made)) != NULL) {
		while (weft_reclaim_retire(&old->head, destroy, sizeof(*old)) == -EAGAIN)
			if (!stress_wait(&round->crew))
				return;
	}
	self->retired++;
}

static void *come_and_go(void *worker)
{
	reclaim_worker self = *(reclaim_worker *)worker;

	for (int i = 0; i < 20; i++)
		read_some(&self);
	return NULL;
}

static void *work(void *worker)
{
	reclaim_worker *self = worker;

	stress_start_together(&self->round->crew);
	for (unsigned i = 0; i < ROUND && stress_failure(&self->round->crew) == NULL; i++) {
		if (i % 1024 == 1023 && stress_time_is_over(&self->round->crew))
			break;
		if (self->number == 0 && i % 4096 == 0) {
			pthread_t thread;

			if (pthread_create(&thread, NULL, come_and_go, self) == 0)
				pthread_join(thread, NULL);
			weft_reclaim_synchronize();
		}
		if (self->number % 2 == 0 || seeded_random_below(&self->random, 16) == 0)
			replace_one(self);
		read_some(self);
	}
	return NULL;
}

static void run_round(unsigned threads, uint64_t deadline_ns, uint64_t seed)
{
	static reclaim_stress round;
	reclaim_worker workers[STRESS_THREADS_MAX] = {0};
	weft_reclaim_statistics statistics = {.size = sizeof(statistics)};
	uint64_t made = SLOTS;

	memset((void *)&round, 0, sizeof(round));
	stress_crew_init(&round.crew, threads, deadline_ns);
	for (int i = 0; i < SLOTS; i++)
		piece_ptr_init(&round.slots[i], make(&round));
	for (unsigned i = 0; i < threads; i++)
		workers[i] = (reclaim_worker){.round = &round, .number = i, .random = {seed + i}};
	stress_run(&round.crew, work, workers, sizeof(*workers));
	if (stress_failure(&round.crew) != NULL)
		fail_msg("%s", stress_failure(&round.crew));
	for (unsigned i = 0; i < threads; i++)
		made += workers[i].retired;
	for (int i = 0; i < SLOTS; i++)
		assert_int_equal(piece_ptr_update(&round.slots[i], NULL, destroy_pointer), 0);
	assert_int_equal(weft_reclaim_barrier(), 0);
	/* relaxed: the barrier has seen all of them. */
	assert_int_equal(atomic_load_explicit(&round.destroyed, memory_order_relaxed), made);
	assert_int_equal(weft_reclaim_statistics_read(&statistics), 0);
	assert_int_equal(statistics.objects, 0);
	assert_int_equal(statistics.bytes, 0);
}

static void run(unsigned threads)
{
	uint64_t deadline_ns = stress_deadline_ns(2), seed = seeded_random_seed();

	do {
		run_round(threads, deadline_ns, seed++);
	} while (stress_now_ns() < deadline_ns);
}

static void two_threads(void **state)
{
	(void)state;
	run(2);
}

static void eight_times_oversubscribed(void **state)
{
	(void)state;
	run(STRESS_THREADS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_threads),
		cmocka_unit_test(eight_times_oversubscribed),
	};

	return cmocka_run_group_tests_name("reclaim", tests, NULL, NULL);
}
