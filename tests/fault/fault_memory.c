/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory on a machine with several nodes, on one without; and when the kernel refuses, jemalloc
 * makes no arena, or memory runs out. The kernel's answers are made up, so that all of this is seen
 * on any machine. Which nodes there are is asked once in a process: each test is a child.
 */
#include <errno.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/affinity/memory.h>

#include "fail_alloc.h"

/* What the made-up kernel answers. */
static unsigned long nodes_allowed;
static int query_errno;
static int mbind_errno;

/* What it was told: the ranges that prefer a node. */
typedef struct range {
	uintptr_t begin, end;
	unsigned long nodes;
} range;

static range ranges[1000];
static unsigned range_count;
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;

static long answer_query(unsigned long *mask, unsigned long bits, unsigned long flags)
{
	if (query_errno != 0 || flags != MPOL_F_MEMS_ALLOWED || bits < 1024) {
		errno = query_errno != 0 ? query_errno : EINVAL;
		return -1;
	}
	mask[0] = nodes_allowed;
	return 0;
}

static long note_range(uintptr_t begin, unsigned long bytes, long mode, const unsigned long *mask)
{
	if (mbind_errno != 0 || mode != MPOL_PREFERRED || begin % 4096 != 0) {
		errno = mbind_errno != 0 ? mbind_errno : EINVAL;
		return -1;
	}
	pthread_mutex_lock(&ranges_lock);
	if (range_count < sizeof(ranges) / sizeof(ranges[0]))
		ranges[range_count++] = (range){begin, begin + bytes, mask[0]};
	pthread_mutex_unlock(&ranges_lock);
	return 0;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

long __wrap_syscall(long number, ...)
{
	unsigned long argument[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		argument[i] = va_arg(list, unsigned long);
	va_end(list);
	if (number == SYS_get_mempolicy)
		return answer_query((unsigned long *)argument[1], argument[2], argument[4]);
	if (number == SYS_mbind)
		return note_range(argument[0], argument[1], (long)argument[2],
				  (const unsigned long *)argument[3]);
	return __real_syscall(number, argument[0], argument[1], argument[2], argument[3],
			      argument[4], argument[5]);
}

/* How many arenas were made, and after how many that fails. Weak: there may be no jemalloc. */
static atomic_int arenas;
static int arenas_max = 1000;

int __real_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
	__attribute__((weak));
int __wrap_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size);

int __wrap_mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size)
{
	if (strcmp(name, "arenas.create") == 0 &&
	    atomic_fetch_add_explicit(&arenas, 1, memory_order_relaxed) >= arenas_max)
		return EAGAIN;
	return __real_mallctl(name, old, old_size, new, new_size);
}

/* The nodes that the memory prefers, as a mask: 0 where no node was asked for. */
static unsigned long nodes_of(const void *memory)
{
	unsigned long nodes = 0;

	pthread_mutex_lock(&ranges_lock);
	for (unsigned i = 0; i < range_count; i++) {
		/* The last one counts: addresses are used again. */
		if ((uintptr_t)memory >= ranges[i].begin && (uintptr_t)memory < ranges[i].end)
			nodes = ranges[i].nodes;
	}
	pthread_mutex_unlock(&ranges_lock);
	return nodes;
}

enum {
	PIECES = 100
};

static size_t size_of_piece(size_t piece)
{
	return 40 + piece * piece * 37;
}

/* Allocates small and large pieces; returns whether all prefer exactly these nodes. */
static bool all_prefer(int node, unsigned long nodes)
{
	void *piece[PIECES];
	bool all = true;

	for (size_t i = 0; i < PIECES; i++) {
		piece[i] = weft_memory_alloc(size_of_piece(i), 64, node);
		if (piece[i] == NULL)
			return false;
		memset(piece[i], 1, size_of_piece(i));
		all &= nodes_of(piece[i]) == nodes;
	}
	for (size_t i = 0; i < PIECES; i++)
		weft_memory_free(piece[i], size_of_piece(i), 64);
	return all;
}

/* Runs the scenario in a child and asserts that it says true. */
static void in_child(bool (*scenario)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0)
		_exit(scenario() ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Without jemalloc there are no arenas, and the tests of them have nothing to look at. */
static bool has_arenas(void)
{
	if (__real_mallctl == NULL)
		print_message("# not tested: built without jemalloc\n");
	return __real_mallctl != NULL;
}

static bool three_nodes(void)
{
	nodes_allowed = 1ul << 0 | 1ul << 2 | 1ul << 63;
	/* Before any node is asked for, lest the thread's cache hold memory of one. */
	if (!all_prefer(WEFT_MEMORY_ANY, 0))
		return false;
	for (int round = 0; round < 3; round++) {
		if (!all_prefer(0, 1ul << 0) || !all_prefer(2, 1ul << 2) ||
		    !all_prefer(63, 1ul << 63))
			return false;
	}
	return atomic_load_explicit(&arenas, memory_order_relaxed) == 3;
}

static void each_node_has_its_memory(void **state)
{
	(void)state;
	if (has_arenas())
		in_child(three_nodes);
}

static bool nodes_not_there(void)
{
	static const int elsewhere[] = {1, 3, 62, 64, 1024, INT32_MAX, -2};

	nodes_allowed = 1ul << 0 | 1ul << 2;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++) {
		if (!all_prefer(elsewhere[i], 0))
			return false;
	}
	return true;
}

static void a_node_that_is_not_there_is_any(void **state)
{
	(void)state;
	in_child(nodes_not_there);
}

static bool one_node(void)
{
	nodes_allowed = 1ul << 1;
	return all_prefer(1, 0) && atomic_load_explicit(&arenas, memory_order_relaxed) == 0;
}

static void a_single_node_needs_no_arena(void **state)
{
	(void)state;
	in_child(one_node);
}

static bool query_refused(void)
{
	nodes_allowed = 3;
	query_errno = EPERM;
	return all_prefer(0, 0) && all_prefer(1, 0);
}

static bool binding_refused(void)
{
	nodes_allowed = 3;
	mbind_errno = EPERM;
	return all_prefer(0, 0) && all_prefer(1, 0);
}

static void without_permission_memory_comes_from_anywhere(void **state)
{
	(void)state;
	in_child(query_refused);
	in_child(binding_refused);
}

static bool second_arena_refused(void)
{
	nodes_allowed = 3;
	arenas_max = 1;
	return all_prefer(1, 0) && all_prefer(0, 1);
}

static void a_node_without_an_arena_is_any(void **state)
{
	(void)state;
	if (has_arenas())
		in_child(second_arena_refused);
}

static void *allocate_on_both(void *start)
{
	pthread_barrier_wait(start);
	return all_prefer(0, 1) && all_prefer(1, 2) ? start : NULL;
}

static bool all_at_once(void)
{
	enum {
		THREADS = 8
	};
	pthread_barrier_t start;
	pthread_t thread[THREADS];
	bool all = true;

	nodes_allowed = 3;
	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&thread[i], NULL, allocate_on_both, &start) != 0)
			return false;
	}
	for (int i = 0; i < THREADS; i++) {
		void *result = NULL;

		all &= pthread_join(thread[i], &result) == 0 && result != NULL;
	}
	return all && atomic_load_explicit(&arenas, memory_order_relaxed) == 2;
}

static void arenas_are_made_once(void **state)
{
	(void)state;
	if (has_arenas())
		in_child(all_at_once);
}

static bool out_of_memory(void)
{
	nodes_allowed = 3;
	for (int node = -1; node < 3; node++) {
		fail_alloc_after(0);
		if (weft_memory_alloc(64, 64, node) != NULL || !fail_alloc_happened())
			return false;
		fail_alloc_after(-1);
	}
	return fail_alloc_live() == 0;
}

static void out_of_memory_is_null(void **state)
{
	(void)state;
	in_child(out_of_memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_node_has_its_memory),
		cmocka_unit_test(a_node_that_is_not_there_is_any),
		cmocka_unit_test(a_single_node_needs_no_arena),
		cmocka_unit_test(without_permission_memory_comes_from_anywhere),
		cmocka_unit_test(a_node_without_an_arena_is_any),
		cmocka_unit_test(arenas_are_made_once),
		cmocka_unit_test(out_of_memory_is_null),
	};

	return cmocka_run_group_tests_name("memory out of luck", tests, NULL, NULL);
}
