/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of seqlock: one thread writes as fast as it can, the others read. No value is torn, none
 * belongs to another version, and no reader sees versions go back; what was written before a value
 * is seen with it.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/seqlock.h>

#include "stress.h"

#define WORDS      24
#define WRITES_MIN 10000
#define WRITES_MAX 100000
#define BEFORE     1024 /* notes that the writer keeps, used in turn */

struct block {
	uint64_t number;
	uint64_t words[WORDS];
};

WEFT_SEQLOCK_DEFINE(blocks, struct block);

typedef struct seqlock_stress {
	stress_crew crew;
	blocks lock;
	atomic_bool over;
	uint64_t writes;
	/* Written before the value of that number, and again only BEFORE values later. */
	WEFT_ATOMIC(uint64_t) before[BEFORE];
} seqlock_stress;

typedef struct seqlock_worker {
	seqlock_stress *round;
	unsigned number; /* 0 is the writer */
	uint64_t reads, versions;
} seqlock_worker;

static void make(struct block *block, uint64_t number)
{
	block->number = number;
	for (uint64_t i = 0; i < WORDS; i++)
		block->words[i] = number * (2 * i + 1);
}

static void write_all(seqlock_stress *round)
{
	struct block block;

	for (uint64_t number = 1; number <= WRITES_MAX; number++) {
		if (number > WRITES_MIN && stress_time_is_over(&round->crew))
			break;
		make(&block, number);
		atomic_store_explicit(&round->before[number % BEFORE], number,
				      memory_order_relaxed);
		blocks_write(&round->lock, &block);
		round->writes = number;
		if (number % 4096 == 0)
			sched_yield();
	}
	atomic_store_explicit(&round->over, true, memory_order_release);
}

static const char *check(seqlock_worker *self, const struct block *block)
{
	struct block expected;
	uint64_t before = atomic_load_explicit(&self->round->before[block->number % BEFORE],
					       memory_order_relaxed);

	make(&expected, block->number);
	if (memcmp(block, &expected, sizeof(expected)) != 0)
		return "a value is torn";
	if (before < block->number)
		return "what was before a write is not seen";
	return NULL;
}

static void read_all(seqlock_worker *self)
{
	seqlock_stress *round = self->round;
	uint64_t last = 0;
	struct block block;
	bool over;

	do {
		const char *wrong = NULL;
		uint64_t version;

		over = atomic_load_explicit(&round->over, memory_order_acquire);
		if (self->reads++ % 2 == 0) {
			version = blocks_read(&round->lock, &block);
			if (version != block.number)
				wrong = "a value belongs to another version";
		} else if (blocks_try_read(&round->lock, &block)) {
			version = block.number;
		} else {
			continue;
		}
		if (wrong == NULL)
			wrong = version < last ? "a version goes back" : check(self, &block);
		if (wrong != NULL) {
			stress_fail(&round->crew, wrong);
			return;
		}
		self->versions += version != last;
		last = version;
	} while (!over);
	blocks_read(&round->lock, &block);
	if (block.number != round->writes)
		stress_fail(&round->crew, "the last value is not the last one written");
}

static void *work(void *worker)
{
	seqlock_worker *self = worker;

	stress_start_together(&self->round->crew);
	if (self->number == 0)
		write_all(self->round);
	else
		read_all(self);
	return NULL;
}

static void run_round(unsigned threads, uint64_t deadline_ns)
{
	static seqlock_stress round;
	seqlock_worker workers[STRESS_THREADS_MAX] = {0};
	struct block first;

	memset((void *)&round, 0, sizeof(round));
	stress_crew_init(&round.crew, threads, deadline_ns);
	make(&first, 0);
	blocks_init(&round.lock, &first);
	for (unsigned i = 0; i < threads; i++)
		workers[i] = (seqlock_worker){.round = &round, .number = i};
	stress_run(&round.crew, work, workers, sizeof(*workers));
	if (stress_failure(&round.crew) != NULL)
		fail_msg("%s", stress_failure(&round.crew));
	assert_int_equal(blocks_version(&round.lock), round.writes);
	for (unsigned i = 1; i < threads; i++)
		assert_true(workers[i].reads > 0);
}

static void run(unsigned threads)
{
	uint64_t deadline_ns = stress_deadline_ns(2);

	do {
		run_round(threads, deadline_ns);
	} while (stress_now_ns() < deadline_ns);
}

static void one_writer_one_reader(void **state)
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
		cmocka_unit_test(one_writer_one_reader),
		cmocka_unit_test(eight_times_oversubscribed),
	};

	return cmocka_run_group_tests_name("seqlock", tests, NULL, NULL);
}
