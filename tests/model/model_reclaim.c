/* SPDX-License-Identifier: Apache-2.0 */

/*
 * reclaim: what a reader has found in a section is there until the section ends, and all that was
 * retired is freed in the end; the checker sees every use after free, and every leak. liburcu is
 * replaced (urcu_stand_in.c); what is checked are the words by which grace periods are seen, and
 * the barriers that the readers have or the collector makes for them.
 */

#include <stdlib.h>

#include <weft/lockfree/reclaim.h>

#include "../../lockfree/reclaim_thread.h"
#include "model.h"
#include "reclaim_scenarios.h"

struct piece {
	weft_reclaim_head head;
	int value;
};

static WEFT_ATOMIC(struct piece *) shared;

static struct piece *make(int value)
{
	struct piece *piece = malloc(sizeof(*piece));

	if (piece != NULL)
		piece->value = value;
	return piece;
}

static void destroy(weft_reclaim_head *head)
{
	free(head);
}

static void setup(bool counters)
{
	reclaim_scenario_begin(counters);
	atomic_store_explicit(&shared, make(1), memory_order_relaxed);
	model_name(&shared, "shared");
}

static void finish(void)
{
	model_join();
	if (model_frozen() != 0)
		return;
	free(atomic_load_explicit(&shared, memory_order_relaxed));
	reclaim_scenario_end();
}

static void look(void)
{
	const struct piece *piece;

	weft_reclaim_enter();
	piece = atomic_load_explicit(&shared, memory_order_acquire);
	if (piece != NULL)
		model_assert(piece->value > 0);
	weft_reclaim_exit();
}

static void read_once(void *unused)
{
	(void)unused;
	look();
	reclaim_scenario_thread_ends();
}

static void read_twice(void *unused)
{
	(void)unused;
	look();
	look();
	reclaim_scenario_thread_ends();
}

/* The section inside ends nothing. */
static void read_nested(void *unused)
{
	const struct piece *piece;

	(void)unused;
	weft_reclaim_enter();
	piece = atomic_load_explicit(&shared, memory_order_acquire);
	look();
	if (piece != NULL)
		model_assert(piece->value > 0);
	weft_reclaim_exit();
	reclaim_scenario_thread_ends();
}

static void read_too_long(void *unused)
{
	const struct piece *piece;

	(void)unused;
	weft_reclaim_enter();
	piece = atomic_load_explicit(&shared, memory_order_acquire);
	weft_reclaim_exit();
	model_assert(piece == NULL || piece->value > 0);
	reclaim_scenario_thread_ends();
}

/* A worker that runs two tasks. */
static void work(void *unused)
{
	(void)unused;
	weft_reclaim_worker_begins_();
	look();
	weft_reclaim_between_tasks_();
	look();
	reclaim_scenario_thread_ends();
}

static void work_and_sleep(void *unused)
{
	(void)unused;
	weft_reclaim_worker_begins_();
	look();
	weft_reclaim_worker_parks_();
	weft_reclaim_worker_wakes_();
	look();
	reclaim_scenario_thread_ends();
}

static void replace_once(int value)
{
	struct piece *old = atomic_exchange_explicit(&shared, make(value), memory_order_acq_rel);

	if (old != NULL)
		model_assert(weft_reclaim_retire(&old->head, destroy, sizeof(*old) / 8) == 0);
}

static void replace_and_poll(void *unused)
{
	(void)unused;
	replace_once(2);
	weft_reclaim_poll();
	weft_reclaim_poll();
	reclaim_scenario_thread_ends();
}

static void replace_twice_and_poll(void *unused)
{
	(void)unused;
	replace_once(2);
	weft_reclaim_poll();
	replace_once(3);
	weft_reclaim_poll();
	reclaim_scenario_thread_ends();
}

/* What is freed is never more than what was retired. */
static void read_statistics(void *unused)
{
	weft_reclaim_statistics statistics = {.size = sizeof(statistics)};

	(void)unused;
	model_assert(weft_reclaim_statistics_read(&statistics) == 0);
	model_assert(statistics.objects <= 1 && statistics.bytes <= sizeof(struct piece) / 8);
}

static void poll_twice(void *unused)
{
	(void)unused;
	weft_reclaim_poll();
	weft_reclaim_poll();
}

/* Frees what it has unlinked by itself, after waiting. */
static void replace_and_synchronize(void *unused)
{
	struct piece *old = atomic_exchange_explicit(&shared, make(2), memory_order_acq_rel);

	(void)unused;
	model_assert(weft_reclaim_synchronize() == 0);
	free(old);
	reclaim_scenario_thread_ends();
}

static int freed;

static void count_and_destroy(weft_reclaim_head *head)
{
	freed++;
	free(head);
}

static void replace_and_barrier(void *unused)
{
	struct piece *old = atomic_exchange_explicit(&shared, make(2), memory_order_acq_rel);
	int before;

	(void)unused;
	if (old != NULL)
		model_assert(weft_reclaim_retire(&old->head, count_and_destroy, 1) == 0);
	model_assert(weft_reclaim_barrier() == 0);
	before = freed;
	model_assert(before >= 1);
	reclaim_scenario_thread_ends();
}

typedef void thread(void *);

struct crew {
	thread *threads[4];
};

static void run_crew(const struct crew *crew, bool counters)
{
	setup(counters);
	freed = 0;
	for (int i = 0; i < 4 && crew->threads[i] != NULL; i++)
		model_thread(crew->threads[i], NULL);
	finish();
}

/* As where there is no membarrier, and in the child of a fork. */
static void run(const void *argument)
{
	run_crew(argument, false);
}

static void run_with_membarrier(const void *argument)
{
	run_crew(argument, true);
}

/* A thread begins when another has ended, with the record of that one. */
static void take_over(void *unused)
{
	look();
	reclaim_scenario_thread_ends();
	read_twice(unused);
}

#define CREW(...) (&(const struct crew){{__VA_ARGS__}})

static const struct model_scenario scenarios[] = {
	{
		.name = "reclaim: a reader and a writer that polls",
		.run = run,
		.argument = CREW(read_once, replace_and_poll),
	},
	{
		.name = "reclaim: the same with membarrier",
		.run = run_with_membarrier,
		.argument = CREW(read_once, replace_and_poll),
		.stale = 1,
	},
	{
		.name = "reclaim: two sections of a reader",
		.run = run,
		.argument = CREW(read_twice, replace_twice_and_poll),
		.stale = 1,
	},
	{
		.name = "reclaim: a section inside a section",
		.run = run,
		.argument = CREW(read_nested, replace_and_poll),
		.stale = 1,
	},
	{
		.name = "reclaim: two readers",
		.run = run,
		.argument = CREW(read_once, read_once, replace_and_poll),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "reclaim: two readers with membarrier",
		.run = run_with_membarrier,
		.argument = CREW(read_once, read_nested, replace_and_poll),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "reclaim: two writers are collectors in turn",
		.run = run,
		.argument = CREW(read_once, replace_and_poll, replace_and_poll),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "reclaim: who polls has not retired",
		.run = run,
		.argument = CREW(read_once, replace_and_poll, poll_twice),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "reclaim: a record is handed on",
		.run = run,
		.argument = CREW(take_over, replace_twice_and_poll),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "reclaim: a worker between two tasks",
		.run = run,
		.argument = CREW(work, replace_and_poll),
		.preemptions = 3,
		.stale = 1,
	},
	{
		.name = "reclaim: a worker sleeps",
		.run = run,
		.argument = CREW(work_and_sleep, replace_and_poll),
		.stale = 1,
	},
	{
		.name = "reclaim: a worker and a reader with membarrier",
		.run = run_with_membarrier,
		.argument = CREW(work, read_once, replace_and_poll),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "reclaim: a worker, a reader and a writer",
		.run = run,
		.argument = CREW(work, read_once, replace_and_poll),
		.preemptions = 1,
		.stale = 1,
	},
	{
		.name = "reclaim: statistics",
		.run = run,
		.argument = CREW(replace_and_poll, read_statistics),
	},
	{
		.name = "reclaim: synchronize",
		.run = run,
		.argument = CREW(read_twice, replace_and_synchronize),
	},
	{
		.name = "reclaim: barrier",
		.run = run,
		.argument = CREW(read_once, replace_and_barrier),
	},
	{
		.name = "reclaim: what is used after its section may be gone",
		.run = run,
		.argument = CREW(read_too_long, replace_and_poll),
		.expect = "data race",
	},
	{
		.name = "reclaim: nobody waits for who is stopped",
		.run = run,
		.argument = CREW(read_once, replace_and_poll, poll_twice),
		.freeze = true,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "reclaim: nor with membarrier, nor for a worker",
		.run = run_with_membarrier,
		.argument = CREW(work_and_sleep, read_nested, replace_and_poll),
		.freeze = true,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "reclaim: out of memory",
		.run = run,
		.argument = CREW(read_twice, replace_and_poll),
		.fail_allocations = true,
		.preemptions = 1,
		.stale = 1,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
