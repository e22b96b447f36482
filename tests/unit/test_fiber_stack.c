/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/fiber_stack. The linker sends mmap, munmap, madvise and mprotect to the __wrap_
 * functions below, which count, and refuse what a test says.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/pool/fiber_stack.h>

#include "../seeded_random.h"

enum {
	GUARD_INSTALL = 102,
	BYTES = 64 << 10,
	MANY = 1000,
};

static long maps, unmaps, guards, protections, discards;
static bool refuse_maps, refuse_unmaps, refuse_guards, refuse_protections;

void *__real_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from);
void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from);
int __real_munmap(void *address, size_t bytes);
int __wrap_munmap(void *address, size_t bytes);
int __real_madvise(void *address, size_t bytes, int advice);
int __wrap_madvise(void *address, size_t bytes, int advice);
int __real_mprotect(void *address, size_t bytes, int protection);
int __wrap_mprotect(void *address, size_t bytes, int protection);

void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t from)
{
	if (refuse_maps) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	maps++;
	return __real_mmap64(address, bytes, protection, flags, file, from);
}

int __wrap_munmap(void *address, size_t bytes)
{
	if (refuse_unmaps) {
		errno = ENOMEM;
		return -1;
	}
	unmaps++;
	return __real_munmap(address, bytes);
}

int __wrap_madvise(void *address, size_t bytes, int advice)
{
	guards += advice == GUARD_INSTALL;
	discards += advice == MADV_DONTNEED;
	if (advice == GUARD_INSTALL && refuse_guards) {
		errno = EINVAL;
		return -1;
	}
	return __real_madvise(address, bytes, advice);
}

int __wrap_mprotect(void *address, size_t bytes, int protection)
{
	protections++;
	if (refuse_protections) {
		errno = ENOMEM;
		return -1;
	}
	return __real_mprotect(address, bytes, protection);
}

static int reset(void **state)
{
	(void)state;
	maps = unmaps = guards = protections = discards = 0;
	refuse_maps = refuse_unmaps = refuse_guards = refuse_protections = false;
	return 0;
}

static void sizes_out_of_bounds_are_refused(void **state)
{
	weft_fiber_stacks_ stacks;

	(void)state;
	assert_int_equal(weft_fiber_stacks_init_(&stacks, 0), -EINVAL);
	assert_int_equal(weft_fiber_stacks_init_(&stacks, WEFT_POOL_STACK_BYTES_MIN - 1), -EINVAL);
	assert_int_equal(weft_fiber_stacks_init_(&stacks, WEFT_POOL_STACK_BYTES_MAX + 1), -EINVAL);
	assert_int_equal(weft_fiber_stacks_init_(&stacks, SIZE_MAX), -EINVAL);
	for (size_t bytes = WEFT_POOL_STACK_BYTES_MIN; bytes <= WEFT_POOL_STACK_BYTES_MAX;
	     bytes = bytes * 3 + 1) {
		weft_fiber_stack_ stack;

		assert_int_equal(weft_fiber_stacks_init_(&stacks, bytes), 0);
		assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack), 0);
		assert_true((size_t)(stack.high - stack.low) >= bytes);
		stack.low[0] = stack.high[-1] = 1;
		weft_fiber_stacks_give_(&stacks, &stack);
		weft_fiber_stacks_fini_(&stacks);
	}
}

/* Each is filled with its number; none may have another's. */
static void stacks_do_not_overlap(void **state)
{
	static weft_fiber_stack_ stack[MANY];
	weft_fiber_stacks_ stacks;

	(void)state;
	assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[i]), 0);
		assert_int_equal(stack[i].high - stack[i].low, BYTES);
		memset(stack[i].low, i % 251, BYTES);
	}
	assert_int_equal(stacks.in_use, MANY);
	assert_int_equal(maps, (MANY + 63) / 64);
	for (int i = 0; i < MANY; i++)
		for (int k = 0; k < BYTES; k += 509)
			assert_int_equal((unsigned char)stack[i].low[k], i % 251);
	for (int i = 0; i < MANY; i++)
		weft_fiber_stacks_give_(&stacks, &stack[i]);
	assert_int_equal(unmaps, maps);
	assert_null(stacks.first);
	assert_null(stacks.last);
	weft_fiber_stacks_fini_(&stacks);
}

/* What is given back takes no memory, and is zero when it is taken again. */
static void memory_goes_back(void **state)
{
	weft_fiber_stacks_ stacks;
	weft_fiber_stack_ kept, stack;
	unsigned char resident[BYTES / 4096];

	(void)state;
	assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
	assert_int_equal(weft_fiber_stacks_take_(&stacks, &kept), 0);
	assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack), 0);
	memset(stack.low, 1, BYTES);
	weft_fiber_stacks_give_(&stacks, &stack);
	assert_int_equal(unmaps, 0);
	assert_int_equal(discards, 1);
	assert_int_equal(mincore(stack.low, BYTES, resident), 0);
	for (size_t i = 0; i < sizeof(resident); i++)
		assert_int_equal(resident[i] & 1, 0);
	assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack), 0);
	for (int k = 0; k < BYTES; k += 61)
		assert_int_equal(stack.low[k], 0);
	/* Nothing of it is new, so it needs no other guard. */
	assert_int_equal(guards, 2);
	assert_int_equal(maps, 1);
	weft_fiber_stacks_give_(&stacks, &kept);
	weft_fiber_stacks_give_(&stacks, &stack);
	assert_int_equal(unmaps, 1);
}

/* Taken and given in any order, compared with a plain array. */
static void any_order(void **state)
{
	static weft_fiber_stack_ stack[MANY];
	static bool taken[MANY];
	weft_fiber_stacks_ stacks;
	seeded_random random = {seeded_random_seed()};
	size_t count = 0;

	(void)state;
	memset(taken, 0, sizeof(taken));
	assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
	for (int step = 0; step < 20000; step++) {
		int i = (int)seeded_random_below(&random, MANY);

		if (taken[i]) {
			assert_int_equal(*(int *)(void *)stack[i].low, i);
			assert_int_equal(((int *)(void *)stack[i].high)[-1], i);
			weft_fiber_stacks_give_(&stacks, &stack[i]);
			count--;
		} else {
			assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[i]), 0);
			*(int *)(void *)stack[i].low = i;
			((int *)(void *)stack[i].high)[-1] = i;
			count++;
		}
		taken[i] = !taken[i];
		assert_int_equal(stacks.in_use, count);
	}
	weft_fiber_stacks_fini_(&stacks);
	assert_int_equal(unmaps, maps);
}

static void walk_finds_those_in_use(void **state)
{
	weft_fiber_stacks_ stacks;
	weft_fiber_stack_ stack[3];
	int found = 0;

	(void)state;
	assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[i]), 0);
		weft_fiber_stacks_own_(&stacks, &stack[i], &stack[i]);
	}
	weft_fiber_stacks_give_(&stacks, &stack[1]);
	for (unsigned i = 0; i < stacks.per_slab; i++) {
		void *owner = stacks.first->owner[i];

		found += owner != NULL;
		assert_true(owner == NULL || owner == &stack[0] || owner == &stack[2]);
	}
	assert_int_equal(found, 2);
	weft_fiber_stacks_fini_(&stacks);
}

static void no_memory(void **state)
{
	weft_fiber_stacks_ stacks;
	weft_fiber_stack_ stack[65];

	(void)state;
	assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
	refuse_maps = true;
	assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[0]), -ENOMEM);
	refuse_maps = false;
	for (int i = 0; i < 64; i++)
		assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[i]), 0);
	refuse_maps = true;
	assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[64]), -ENOMEM);
	assert_int_equal(stacks.in_use, 64);
	/* One that is given back serves. */
	weft_fiber_stacks_give_(&stacks, &stack[7]);
	assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[7]), 0);
	weft_fiber_stacks_fini_(&stacks);
}

/* A slab that the system does not unmap serves again, and its memory goes back all the same. */
static void no_unmapping(void **state)
{
	weft_fiber_stacks_ stacks;
	weft_fiber_stack_ stack[65];

	(void)state;
	assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
	refuse_unmaps = true;
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 65; i++) {
			assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[i]), 0);
			assert_int_equal(stack[i].high[-1], 0);
			stack[i].high[-1] = 1;
		}
		assert_int_equal(maps, 2);
		for (int i = 0; i < 65; i++)
			weft_fiber_stacks_give_(&stacks, &stack[i]);
		assert_int_equal(stacks.in_use, 0);
		assert_int_equal(discards, 65 * (round + 1));
	}
	assert_int_equal(unmaps, 0);
	weft_fiber_stacks_fini_(&stacks);
	assert_null(stacks.first);
	assert_int_equal(discards, 3 * 65 + 2);
}

/* Runs this in a process of its own, which must die of SIGSEGV there, and not before. */
static void assert_hits_guard(char *below)
{
	int ends[2], status;
	char reached = 0;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		*(volatile char *)(below + 1) = 1;
		if (write(ends[1], "x", 1) == 1)
			*(volatile char *)below = 1;
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &reached, 1), 1);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

/* Of each kind, also after the stack was given back and taken again. */
static void guards_stop_an_overflow(void **state)
{
	(void)state;
	for (int mapped = 0; mapped < 2; mapped++) {
		weft_fiber_stacks_ stacks;
		weft_fiber_stack_ stack[3];

		reset(NULL);
		refuse_guards = mapped == 1;
		assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
		for (int i = 0; i < 3; i++)
			assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[i]), 0);
		if (mapped == 1)
			assert_int_equal(protections, 3);
		assert_hits_guard(stack[0].low - 1);
		assert_hits_guard(stack[2].low - 1);
		weft_fiber_stacks_give_(&stacks, &stack[1]);
		assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[1]), 0);
		assert_hits_guard(stack[1].low - 1);
		weft_fiber_stacks_fini_(&stacks);
	}
}

/* Beyond so many stacks with mapped guards there are stacks without, and those can be used. */
static void mapped_guards_are_bounded(void **state)
{
	static weft_fiber_stack_ stack[WEFT_FIBER_GUARDS_MAX_ + 100];
	weft_fiber_stacks_ stacks;

	(void)state;
	refuse_guards = true;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(weft_fiber_stacks_init_(&stacks, WEFT_POOL_STACK_BYTES_MIN), 0);
		protections = 0;
		for (int i = 0; i < WEFT_FIBER_GUARDS_MAX_ + 100; i++) {
			assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[i]), 0);
			stack[i].high[-1] = 1;
		}
		assert_int_equal(protections, WEFT_FIBER_GUARDS_MAX_);
		weft_fiber_stacks_fini_(&stacks);
	}
	/* And a system that refuses them earlier is no error. */
	refuse_protections = true;
	assert_int_equal(weft_fiber_stacks_init_(&stacks, BYTES), 0);
	assert_int_equal(weft_fiber_stacks_take_(&stacks, &stack[0]), 0);
	stack[0].low[0] = 1;
	weft_fiber_stacks_fini_(&stacks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sizes_out_of_bounds_are_refused, reset),
		cmocka_unit_test_setup(stacks_do_not_overlap, reset),
		cmocka_unit_test_setup(memory_goes_back, reset),
		cmocka_unit_test_setup(any_order, reset),
		cmocka_unit_test_setup(walk_finds_those_in_use, reset),
		cmocka_unit_test_setup(no_memory, reset),
		cmocka_unit_test_setup(no_unmapping, reset),
		cmocka_unit_test_setup(guards_stop_an_overflow, reset),
		cmocka_unit_test_setup(mapped_guards_are_bounded, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
