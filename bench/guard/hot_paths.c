/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot paths whose instructions bench_guard.py counts, under valgrind: each function path_X does
 * what is counted TIMES times and nothing else. One thread, no contention; under valgrind there are
 * no restartable sequences, so per-CPU structures are counted on the path of a system without them.
 */
#include <stdio.h>
#include <stdlib.h>

#include <weft/weft.h>

enum {
	TIMES = 4096,
	CAPACITY = 1024,
};

#define PATH static __attribute__((noinline)) void

WEFT_SPSC_QUEUE_DEFINE(spsc_of_words, uint64_t);
WEFT_MPSC_RING_DEFINE(mpsc_of_words, uint64_t);
WEFT_MPMC_QUEUE_DEFINE(mpmc_of_words, uint64_t);
WEFT_MPMC_UNBOUNDED_DEFINE(unbounded_of_words, uint64_t);

static spsc_of_words spsc;
static mpsc_of_words ring;
static weft_mpsc_queue mpsc;
static mpmc_of_words mpmc;
static weft_mpmc_pointer_queue pointers;
static weft_mpmc_lockfree lockfree;
static unbounded_of_words unbounded;
static weft_stack stack;
static weft_deque deque;
static weft_priority_queue priorities;
static weft_counter counter;
static weft_histogram histogram;
static weft_object_pool objects;
static weft_rcu_ptr rcu;
static weft_eventcount eventcount;
static weft_parker parker;
static int thing;
/* What was found, so that nothing is optimized away. */
static uint64_t found;

static void must(int error)
{
	if (error != 0) {
		fprintf(stderr, "hot_paths: %d\n", error);
		exit(1);
	}
}

static void set_up(void)
{
	const weft_object_pool_options of_64 = {.object_size = 64};

	must(spsc_of_words_init(&spsc, CAPACITY));
	must(mpsc_of_words_init(&ring, CAPACITY));
	weft_mpsc_queue_init(&mpsc);
	must(mpmc_of_words_init(&mpmc, CAPACITY));
	must(weft_mpmc_pointer_queue_init(&pointers, CAPACITY));
	must(weft_mpmc_lockfree_init(&lockfree, CAPACITY));
	must(unbounded_of_words_init(&unbounded, 0));
	weft_stack_init(&stack);
	must(weft_deque_init(&deque, CAPACITY));
	must(weft_priority_queue_init(&priorities, CAPACITY, 8));
	must(weft_counter_init(&counter));
	must(weft_histogram_init(&histogram, 1000000, 5));
	must(weft_object_pool_init(&objects, &of_64));
	weft_rcu_ptr_init(&rcu, &thing);
}

PATH path_spsc_queue(void)
{
	for (uint64_t i = 0; i < TIMES; i++) {
		spsc_of_words_try_push(&spsc, i);
		spsc_of_words_try_pop(&spsc, &found);
	}
}

PATH path_mpsc_ring(void)
{
	for (uint64_t i = 0; i < TIMES; i++) {
		mpsc_of_words_try_push(&ring, i);
		mpsc_of_words_try_pop(&ring, &found);
	}
}

PATH path_mpsc_queue(void)
{
	static weft_mpsc_queue_node nodes[2];
	weft_mpsc_queue_node *node = NULL;

	for (size_t i = 0; i < TIMES; i++) {
		weft_mpsc_queue_push(&mpsc, &nodes[i % 2]);
		weft_mpsc_queue_try_pop(&mpsc, &node);
	}
}

PATH path_mpmc_queue(void)
{
	for (uint64_t i = 0; i < TIMES; i++) {
		mpmc_of_words_try_push(&mpmc, i);
		mpmc_of_words_try_pop(&mpmc, &found);
	}
}

PATH path_mpmc_pointer_queue(void)
{
	void *pointer = NULL;

	for (size_t i = 0; i < TIMES; i++) {
		weft_mpmc_pointer_queue_try_push(&pointers, &thing);
		weft_mpmc_pointer_queue_try_pop(&pointers, &pointer);
	}
}

PATH path_mpmc_lockfree(void)
{
	void *pointer = NULL;

	for (size_t i = 0; i < TIMES; i++) {
		weft_mpmc_lockfree_try_push(&lockfree, &thing);
		weft_mpmc_lockfree_try_pop(&lockfree, &pointer);
	}
}

PATH path_mpmc_unbounded(void)
{
	for (uint64_t i = 0; i < TIMES; i++) {
		unbounded_of_words_push(&unbounded, i);
		unbounded_of_words_try_pop(&unbounded, &found);
	}
}

PATH path_stack(void)
{
	static weft_stack_node one;
	weft_stack_node *node = NULL;

	for (size_t i = 0; i < TIMES; i++) {
		weft_stack_push(&stack, &one);
		weft_stack_try_pop(&stack, &node);
	}
}

PATH path_deque(void)
{
	void *element = NULL;

	for (size_t i = 0; i < TIMES; i++) {
		weft_deque_push(&deque, &thing);
		weft_deque_try_pop(&deque, &element);
	}
}

PATH path_deque_lazy(void)
{
	void *element = NULL;

	for (size_t i = 0; i < TIMES; i++) {
		weft_deque_push_lazy(&deque, &thing);
		weft_deque_try_pop_lazy(&deque, &element);
	}
}

PATH path_priority_queue(void)
{
	void *element = NULL;
	unsigned priority = 0;

	for (unsigned i = 0; i < TIMES; i++) {
		weft_priority_queue_try_push(&priorities, i % 8, &thing);
		weft_priority_queue_try_pop(&priorities, &element, &priority);
	}
}

PATH path_counter(void)
{
	for (size_t i = 0; i < TIMES; i++)
		weft_counter_increment(&counter);
}

PATH path_histogram(void)
{
	for (uint64_t i = 0; i < TIMES; i++)
		weft_histogram_record(&histogram, i);
}

PATH path_object_pool(void)
{
	for (size_t i = 0; i < TIMES; i++)
		weft_object_pool_free(&objects, weft_object_pool_alloc(&objects));
}

PATH path_reclaim_section(void)
{
	for (size_t i = 0; i < TIMES; i++) {
		weft_reclaim_enter();
		found += (uintptr_t)weft_rcu_ptr_read(&rcu);
		weft_reclaim_exit();
	}
}

PATH path_eventcount_notify(void)
{
	for (size_t i = 0; i < TIMES; i++)
		weft_eventcount_notify_one(&eventcount);
}

PATH path_parker_token(void)
{
	for (size_t i = 0; i < TIMES; i++) {
		weft_parker_unpark(&parker);
		weft_parker_park(&parker, 0, WEFT_NOW);
	}
}

WEFT_FORKABLE_1(uint64_t, unit, uint64_t);

static uint64_t unit(weft_fork at, uint64_t number)
{
	(void)at;
	return number;
}

PATH path_fork_join(weft_fork at)
{
	for (uint64_t i = 0; i < TIMES; i++) {
		unit_fork(&at, i);
		found += unit_join(&at);
	}
}

WEFT_FORKABLE_VOID_0(units);

static void units(weft_fork at)
{
	path_fork_join(at);
}

/* With one worker, so that nobody steals. */
static void fork_and_join(void)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	weft_pool *pool;

	options.workers = 1;
	must(weft_pool_create(&pool, &options));
	must(units_run(pool));
	must(weft_pool_destroy(pool));
}

int main(void)
{
	static void (*const paths[])(void) = {
		path_counter,
		path_deque,
		path_deque_lazy,
		path_eventcount_notify,
		path_histogram,
		path_mpmc_lockfree,
		path_mpmc_pointer_queue,
		path_mpmc_queue,
		path_mpmc_unbounded,
		path_mpsc_queue,
		path_mpsc_ring,
		path_object_pool,
		path_parker_token,
		path_priority_queue,
		path_reclaim_section,
		path_spsc_queue,
		path_stack,
	};

	set_up();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		paths[i]();
	fork_and_join();
	/* The count of each, for who reads the instructions. */
	printf("%d\n", TIMES);
	return 0;
}
