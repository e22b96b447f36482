/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/affinity/memory.h>
#include <weft/lockfree/mpmc_lockfree.h>

#include "../fifo.h"
#include "fifo_contract.h"

#define LAP_WRAP ((uint64_t)1 << WEFT_MPMC_LOCKFREE_LAP_BITS_)

/* A debug build tells of a broken contract here, instead of aborting. */
static int contracts_broken;
static jmp_buf after_contract;

void __wrap_weft_contract_broken_(const char *where, const char *contract)
	__attribute__((noreturn));

void __wrap_weft_contract_broken_(const char *where, const char *contract)
{
	(void)where;
	assert_non_null(strstr(contract, "48 bits"));
	contracts_broken++;
	longjmp(after_contract, 1);
}

/* The first that has more bits than a slot has for it, and the last that has not. */
static void *const too_long = (void *)((uintptr_t)1 << WEFT_MPMC_LOCKFREE_POINTER_BITS);
static void *const longest = (void *)(((uintptr_t)1 << WEFT_MPMC_LOCKFREE_POINTER_BITS) - 1);

static void *number(uintptr_t value)
{
	return (void *)value;
}

static void init(weft_mpmc_lockfree *queue, size_t capacity)
{
	assert_int_equal(weft_mpmc_lockfree_init(queue, capacity), 0);
}

static void push(weft_mpmc_lockfree *queue, uintptr_t value)
{
	assert_int_equal(weft_mpmc_lockfree_push(queue, number(value)), 0);
}

static void pop(weft_mpmc_lockfree *queue, uintptr_t value)
{
	void *popped = NULL;

	assert_int_equal(weft_mpmc_lockfree_pop(queue, &popped), 0);
	assert_ptr_equal(popped, number(value));
}

static int refused_pop(weft_mpmc_lockfree *queue)
{
	void *popped = queue;
	int error = weft_mpmc_lockfree_pop(queue, &popped);

	assert_ptr_equal(popped, queue);
	return error;
}

static void accepts_48_bits(void **state)
{
	int local;

	(void)state;
	assert_true(weft_mpmc_lockfree_accepts(NULL));
	assert_true(weft_mpmc_lockfree_accepts(&local));
	assert_true(weft_mpmc_lockfree_accepts(longest));
	assert_false(weft_mpmc_lockfree_accepts(too_long));
	assert_false(weft_mpmc_lockfree_accepts((void *)UINTPTR_MAX));
}

/* All bits and none are the pointers that the flags and the lap beside them could be taken for. */
static void null_and_the_longest_are_elements(void **state)
{
	weft_mpmc_lockfree queue;

	(void)state;
	init(&queue, 2);
	for (int lap = 0; lap < 5; lap++) {
		push(&queue, 0);
		assert_int_equal(weft_mpmc_lockfree_size(&queue), 1);
		assert_int_equal(weft_mpmc_lockfree_push(&queue, longest), 0);
		assert_int_equal(weft_mpmc_lockfree_push(&queue, NULL), -EAGAIN);
		pop(&queue, 0);
		pop(&queue, (uintptr_t)longest);
		assert_int_equal(refused_pop(&queue), -EAGAIN);
	}
	weft_mpmc_lockfree_fini(&queue);
}

/* Twice round the 14 bits of a full slot's lap, one element after the other. */
static void laps_come_round(void **state)
{
	weft_mpmc_lockfree queue;

	(void)state;
	for (size_t capacity = 1; capacity <= 2; capacity++) {
		init(&queue, capacity);
		for (uintptr_t i = 0; i < 2 * LAP_WRAP * capacity + 9; i++) {
			push(&queue, i);
			if (capacity == 1)
				assert_int_equal(weft_mpmc_lockfree_push(&queue, NULL), -EAGAIN);
			pop(&queue, i);
			assert_int_equal(refused_pop(&queue), -EAGAIN);
		}
		weft_mpmc_lockfree_fini(&queue);
	}
}

static void push_too_long(weft_mpmc_lockfree *queue)
{
	if (setjmp(after_contract) == 0)
		assert_int_equal(weft_mpmc_lockfree_push(queue, too_long), -EINVAL);
}

static void push_a_batch_with_one_too_long(weft_mpmc_lockfree *queue)
{
	void *pointers[3] = {number(7), too_long, NULL};

	if (setjmp(after_contract) == 0)
		assert_int_equal(weft_mpmc_lockfree_try_push_batch(queue, pointers, 3), 1);
	else
		push(queue, 7);
}

/* A debug build says so and does not return; a release build leaves the queue as it was. */
static void refuses_a_pointer_that_is_too_long(void **state)
{
	weft_mpmc_lockfree queue;

	(void)state;
	init(&queue, 4);
	contracts_broken = 0;
	push_too_long(&queue);
	assert_int_equal(weft_mpmc_lockfree_size(&queue), 0);
	push_a_batch_with_one_too_long(&queue);
	pop(&queue, 7);
	assert_int_equal(refused_pop(&queue), -EAGAIN);
#ifdef NDEBUG
	assert_int_equal(contracts_broken, 0);
#else
	assert_int_equal(contracts_broken, 2);
#endif
	weft_mpmc_lockfree_fini(&queue);
}

/* Hints that threads wrote late, of any age: all is still found. */
static void finds_its_way_from_old_hints(void **state)
{
	static const uint64_t ages[] = {0, 1, 2, 5, 8, 9, 100, 5000, 16384, 16385, 200000, 262144};
	weft_mpmc_lockfree queue;

	(void)state;
	init(&queue, 8);
	fifo_mpmc_lockfree.start_at(&queue, (uint64_t)1 << 40);
	for (uintptr_t lap = 0; lap < 4000; lap++) {
		size_t inside = lap % 9;

		for (uintptr_t i = 0; i < inside; i++)
			push(&queue, lap + i);
		for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
			uint64_t tail = atomic_load(&queue.tail_), head = atomic_load(&queue.head_);

			atomic_store(&queue.tail_, tail - ages[i]);
			atomic_store(&queue.head_, head - ages[(i + lap) % 12]);
			assert_int_equal(weft_mpmc_lockfree_size(&queue), inside);
			if (inside == 8)
				assert_int_equal(weft_mpmc_lockfree_push(&queue, NULL), -EAGAIN);
			else
				push(&queue, lap + inside);
			if (inside < 8)
				pop(&queue, lap);
			for (uintptr_t j = 1; inside < 8 && j < inside + 1; j++) {
				pop(&queue, lap + j);
				push(&queue, lap + j - 1);
			}
		}
		for (uintptr_t i = 0; i < inside; i++)
			pop(&queue, lap + i);
		assert_int_equal(refused_pop(&queue), -EAGAIN);
	}
	weft_mpmc_lockfree_fini(&queue);
}

/*
 * A pop was suspended before its exchange; 2^14 laps later its word is there again, but one ticket
 * behind the start. Leaves the queue with the elements 11, 12 (which the pop took) and, if `full`,
 * 13 and 14.
 */
typedef struct sleeper {
	uint64_t ticket, word;
} sleeper;

static sleeper pop_early(weft_mpmc_lockfree *queue, bool full)
{
	sleeper self = {.ticket = 0};

	init(queue, 4);
	push(queue, 12);
	self.word = weft_mpmc_lockfree_look_(queue, self.ticket);
	pop(queue, 12);
	for (uintptr_t i = 0; i < LAP_WRAP * 4 - 2; i++) {
		push(queue, i);
		pop(queue, i);
	}
	for (uintptr_t i = 11; i < (full ? 15 : 13); i++)
		push(queue, i);
	/* From here on it comes too late for its own look at the floor. */
	assert_false(weft_mpmc_lockfree_take_(queue, self.ticket, self.word));
	uint64_t word = self.word;

	assert_true(weft_mpmc_lockfree_exchange_(queue, self.ticket, &word,
						 weft_mpmc_lockfree_free_(queue, self.ticket + 4)));
	return self;
}

/* It puts back what it took, and nobody could tell. */
static void sleeper_puts_back(void **state)
{
	(void)state;
	for (int full = 0; full < 2; full++) {
		weft_mpmc_lockfree queue;
		sleeper self = pop_early(&queue, full);

		assert_int_equal(weft_mpmc_lockfree_size(&queue), full ? 4 : 2);
		if (full)
			assert_int_equal(weft_mpmc_lockfree_push(&queue, NULL), -EAGAIN);
		assert_true(weft_mpmc_lockfree_put_back_(&queue, self.ticket, self.word));
		for (uintptr_t i = 11; i < (full ? 15 : 13); i++)
			pop(&queue, i);
		assert_int_equal(refused_pop(&queue), -EAGAIN);
		weft_mpmc_lockfree_fini(&queue);
	}
}

/* What comes first is popped meanwhile: then it was right, and the next pop sees to that. */
static void sleeper_is_right_by_a_pop(void **state)
{
	(void)state;
	for (int full = 0; full < 2; full++) {
		weft_mpmc_lockfree queue;
		sleeper self = pop_early(&queue, full);

		pop(&queue, 11);
		if (full)
			pop(&queue, 13);
		else
			assert_int_equal(refused_pop(&queue), -EAGAIN);
		assert_false(weft_mpmc_lockfree_put_back_(&queue, self.ticket, self.word));
		push(&queue, 15);
		if (full)
			pop(&queue, 14);
		pop(&queue, 15);
		assert_int_equal(refused_pop(&queue), -EAGAIN);
		weft_mpmc_lockfree_fini(&queue);
	}
}

/* Or the push that comes to its slot does; or closing. */
static void sleeper_is_right_by_a_push(void **state)
{
	(void)state;
	for (int closing = 0; closing < 2; closing++) {
		weft_mpmc_lockfree queue;
		sleeper self = pop_early(&queue, true);

		pop(&queue, 11);
		push(&queue, 15);
		if (closing)
			weft_mpmc_lockfree_close(&queue);
		else
			push(&queue, 16);
		assert_false(weft_mpmc_lockfree_put_back_(&queue, self.ticket, self.word));
		for (uintptr_t i = 13; i < (closing ? 16 : 17); i++)
			pop(&queue, i);
		assert_int_equal(refused_pop(&queue), closing ? -EPIPE : -EAGAIN);
		weft_mpmc_lockfree_fini(&queue);
	}
}

/* Threads that popped at the right time and were then suspended look for early words, too. */
static void nothing_to_put_back(void **state)
{
	weft_mpmc_lockfree queue;
	uint64_t word;

	(void)state;
	init(&queue, 2);
	push(&queue, 1);
	word = weft_mpmc_lockfree_look_(&queue, 0);
	pop(&queue, 1);
	for (uintptr_t i = 0; i < 20; i++) {
		push(&queue, i);
		if (i >= 2)
			assert_false(weft_mpmc_lockfree_put_back_(&queue, 0, word));
		pop(&queue, i);
	}
	weft_mpmc_lockfree_fini(&queue);
}

/*
 * A push is suspended at its first look at a slot: the page of the slots is taken away, and what
 * others do meanwhile is done by the handler of the signal. They go on for 2^14 laps, to where the
 * slot of the end of then has just such a word as if the queue were full.
 */
typedef struct suspended {
	weft_mpmc_lockfree queue;
	void *page;
	size_t page_bytes;
	uintptr_t inside; /* afterwards */
	uintptr_t signals, pushed;
} suspended;

static suspended *asleep;

static void others_go_on(int unused)
{
	weft_mpmc_lockfree *queue = &asleep->queue;

	(void)unused;
	if (mprotect(asleep->page, asleep->page_bytes, PROT_READ | PROT_WRITE) != 0)
		_exit(1);
	asleep->signals++;
	fifo_mpmc_lockfree.start_at(queue, LAP_WRAP * 4);
	while (asleep->pushed < asleep->inside &&
	       weft_mpmc_lockfree_push(queue, number(20 + asleep->pushed)) == 0)
		asleep->pushed++;
}

/* Returns what it said to a push, when it had 4 elements, which are all there is room for. */
static int push_and_sleep(suspended *self)
{
	struct sigaction action = {.sa_handler = others_go_on}, old;
	int error;

	self->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	self->page = mmap(NULL, self->page_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(self->page, MAP_FAILED);
	assert_int_equal(weft_mpmc_lockfree_init_in(&self->queue, self->page, self->page_bytes, 4),
			 0);
	for (uintptr_t i = 0; i < 4; i++)
		push(&self->queue, i);
	/* It does not look again. */
	atomic_store(&self->queue.full_at_.at, 2 * 4);
	asleep = self;
	assert_int_equal(sigaction(SIGSEGV, &action, &old), 0);
	assert_int_equal(mprotect(self->page, self->page_bytes, PROT_NONE), 0);
	error = weft_mpmc_lockfree_push_slow_(&self->queue, number(7));
	assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);
	assert_int_equal(self->signals, 1);
	assert_int_equal(self->pushed, self->inside);
	return error;
}

static void sleeper_is_not_told_that_it_is_full(void **state)
{
	(void)state;
	for (uintptr_t inside = 1; inside <= 4; inside++) {
		suspended self = {.inside = inside};

		assert_int_equal(push_and_sleep(&self), inside < 4 ? 0 : -EAGAIN);
		for (uintptr_t i = 0; i < inside; i++)
			pop(&self.queue, 20 + i);
		if (inside < 4)
			pop(&self.queue, 7);
		assert_int_equal(refused_pop(&self.queue), -EAGAIN);
		weft_mpmc_lockfree_fini(&self.queue);
		munmap(self.page, self.page_bytes);
	}
}

/* The header says so: memory on a NUMA node. */
static void lives_on_a_node(void **state)
{
	size_t bytes = weft_mpmc_lockfree_memory_size(100);
	void *memory = weft_memory_alloc(bytes, WEFT_CACHE_LINE, 0);
	weft_mpmc_lockfree queue;

	(void)state;
	assert_non_null(memory);
	assert_int_equal(bytes, 1024);
	assert_int_equal(weft_mpmc_lockfree_init_in(&queue, memory, bytes, 100), 0);
	for (uintptr_t i = 0; i < 128; i++)
		push(&queue, i);
	assert_int_equal(weft_mpmc_lockfree_push(&queue, NULL), -EAGAIN);
	for (uintptr_t i = 0; i < 128; i++)
		pop(&queue, i);
	weft_mpmc_lockfree_fini(&queue);
	weft_memory_free(memory, bytes, WEFT_CACHE_LINE);
}

int main(void)
{
	static const fifo *const kinds[] = {&fifo_mpmc_lockfree, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_48_bits),
		cmocka_unit_test(null_and_the_longest_are_elements),
		cmocka_unit_test(laps_come_round),
		cmocka_unit_test(refuses_a_pointer_that_is_too_long),
		cmocka_unit_test(finds_its_way_from_old_hints),
		cmocka_unit_test(sleeper_puts_back),
		cmocka_unit_test(sleeper_is_right_by_a_pop),
		cmocka_unit_test(sleeper_is_right_by_a_push),
		cmocka_unit_test(nothing_to_put_back),
		cmocka_unit_test(sleeper_is_not_told_that_it_is_full),
		cmocka_unit_test(lives_on_a_node),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
