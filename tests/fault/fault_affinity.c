/* SPDX-License-Identifier: Apache-2.0 */
/* Topology and plan when memory runs out, hwloc fails, or binding is not permitted. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>
#include <hwloc.h>

#include <weft/affinity/plan.h>

#include "fail_alloc.h"

/*
 * What hwloc allocates inside itself is out of reach of fail_alloc; its functions that allocate and
 * that topology.c calls are counted as allocations instead.
 */
int __real_hwloc_topology_init(hwloc_topology_t *topology);
int __real_hwloc_topology_set_synthetic(hwloc_topology_t topology, const char *description);
int __real_hwloc_topology_load(hwloc_topology_t topology);
hwloc_bitmap_t __real_hwloc_bitmap_alloc(void);
int __real_hwloc_bitmap_copy(hwloc_bitmap_t to, hwloc_const_bitmap_t from);
int __real_hwloc_bitmap_and(hwloc_bitmap_t to, hwloc_const_bitmap_t a, hwloc_const_bitmap_t b);
int __real_hwloc_bitmap_set_range(hwloc_bitmap_t set, unsigned first, int last);
void __real_hwloc_topology_destroy(hwloc_topology_t topology);
void __real_hwloc_bitmap_free(hwloc_bitmap_t set);

int __real_hwloc_get_cpubind(hwloc_topology_t topology, hwloc_cpuset_t set, int flags);
int __wrap_hwloc_get_cpubind(hwloc_topology_t topology, hwloc_cpuset_t set, int flags);
int __wrap_hwloc_topology_init(hwloc_topology_t *topology);
int __wrap_hwloc_topology_set_synthetic(hwloc_topology_t topology, const char *description);
int __wrap_hwloc_topology_load(hwloc_topology_t topology);
hwloc_bitmap_t __wrap_hwloc_bitmap_alloc(void);
int __wrap_hwloc_bitmap_copy(hwloc_bitmap_t to, hwloc_const_bitmap_t from);
int __wrap_hwloc_bitmap_and(hwloc_bitmap_t to, hwloc_const_bitmap_t a, hwloc_const_bitmap_t b);
int __wrap_hwloc_bitmap_set_range(hwloc_bitmap_t set, unsigned first, int last);
void __wrap_hwloc_topology_destroy(hwloc_topology_t topology);
void __wrap_hwloc_bitmap_free(hwloc_bitmap_t set);

/* Topologies and bitmaps of hwloc that were made and not destroyed. */
static int hwloc_live;

static int fails(void)
{
	if (!fail_alloc_now())
		return 0;
	errno = ENOMEM;
	return -1;
}

int __wrap_hwloc_topology_init(hwloc_topology_t *topology)
{
	if (fails())
		return -1;
	hwloc_live++;
	return __real_hwloc_topology_init(topology);
}

int __wrap_hwloc_topology_set_synthetic(hwloc_topology_t topology, const char *description)
{
	return fails() ? -1 : __real_hwloc_topology_set_synthetic(topology, description);
}

/* Fails with this errno when it is not 0. */
static int load_errno;

int __wrap_hwloc_topology_load(hwloc_topology_t topology)
{
	if (load_errno != 0) {
		errno = load_errno;
		return -1;
	}
	return fails() ? -1 : __real_hwloc_topology_load(topology);
}

hwloc_bitmap_t __wrap_hwloc_bitmap_alloc(void)
{
	if (fails())
		return NULL;
	hwloc_live++;
	return __real_hwloc_bitmap_alloc();
}

int __wrap_hwloc_bitmap_copy(hwloc_bitmap_t to, hwloc_const_bitmap_t from)
{
	return fails() ? -1 : __real_hwloc_bitmap_copy(to, from);
}

int __wrap_hwloc_bitmap_and(hwloc_bitmap_t to, hwloc_const_bitmap_t a, hwloc_const_bitmap_t b)
{
	return fails() ? -1 : __real_hwloc_bitmap_and(to, a, b);
}

int __wrap_hwloc_bitmap_set_range(hwloc_bitmap_t set, unsigned first, int last)
{
	return fails() ? -1 : __real_hwloc_bitmap_set_range(set, first, last);
}

void __wrap_hwloc_topology_destroy(hwloc_topology_t topology)
{
	hwloc_live--;
	__real_hwloc_topology_destroy(topology);
}

void __wrap_hwloc_bitmap_free(hwloc_bitmap_t set)
{
	hwloc_live -= set != NULL;
	__real_hwloc_bitmap_free(set);
}

/* Says that the process may run nowhere, or that it cannot be known, instead of the truth. */
static enum {
	TRUE_MASK,
	EMPTY_MASK,
	UNKNOWN_MASK
} mask;

int __wrap_hwloc_get_cpubind(hwloc_topology_t topology, hwloc_cpuset_t set, int flags)
{
	if (mask == TRUE_MASK)
		return __real_hwloc_get_cpubind(topology, set, flags);
	errno = ENOSYS;
	hwloc_bitmap_zero(set);
	return mask == EMPTY_MASK ? 0 : -1;
}

/*
 * Takes the place of the C library's, for hwloc's own calls too: a program's symbols come first.
 * Fails with this errno when it is not 0.
 */
static int binding_errno;
static int bindings;

int sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *set)
{
	bindings++;
	if (binding_errno != 0) {
		errno = binding_errno;
		return -1;
	}
	return (int)syscall(SYS_sched_setaffinity, thread, size, set);
}

static int create_topology(void *options)
{
	weft_topology *topology = NULL;
	int result = weft_topology_create(&topology, options);

	assert_int_equal(topology != NULL, result == 0);
	weft_topology_destroy(topology);
	assert_int_equal(hwloc_live, 0);
	return result;
}

static void a_topology_out_of_memory_leaves_nothing_behind(void **state)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;

	(void)state;
	/* hwloc: init, bitmap, load, copy, bitmap of the mask, and; then our own four arrays. */
	assert_int_equal(fail_alloc_each(create_topology, NULL), 10);
	options.synthetic = "pack:2 core:4 pu:2";
	options.allowed = "0-5,8";
	assert_in_range(fail_alloc_each(create_topology, &options), 10, 100);
}

static void a_machine_that_cannot_be_read_is_no_device(void **state)
{
	(void)state;
	load_errno = EIO;
	int result = create_topology(NULL);

	load_errno = 0;
	assert_int_equal(result, -ENODEV);
}

static void a_process_that_may_run_nowhere_has_no_device(void **state)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;

	(void)state;
	options.allowed = "0";
	mask = EMPTY_MASK;
	int result = create_topology(NULL);
	int result_with_list = create_topology(&options);

	mask = TRUE_MASK;
	assert_int_equal(result, -ENODEV);
	assert_int_equal(result_with_list, -ENODEV);
}

static void a_mask_that_cannot_be_known_restricts_nothing(void **state)
{
	(void)state;
	mask = UNKNOWN_MASK;
	int result = create_topology(NULL);

	mask = TRUE_MASK;
	assert_int_equal(result, 0);
}

/* hwloc can read CPUs by running on each of them in turn; a library must not move its caller. */
static void creating_a_topology_binds_nothing(void **state)
{
	(void)state;
	bindings = 0;
	assert_int_equal(create_topology(NULL), 0);
	assert_int_equal(bindings, 0);
}

static weft_topology *two_packages(void)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology = NULL;

	options.synthetic = "pack:2 core:4 pu:2";
	assert_int_equal(weft_topology_create(&topology, &options), 0);
	return topology;
}

typedef struct plan_request {
	const weft_topology *topology;
	weft_policy policy;
} plan_request;

static int create_plan(void *context)
{
	const plan_request *request = context;
	weft_plan *plan = NULL;
	int result = weft_plan_create(&plan, request->topology, request->policy, 0);

	assert_int_equal(plan != NULL, result == 0);
	weft_plan_destroy(plan);
	return result;
}

static int create_plan_from_cpus(void *context)
{
	static const unsigned cpus[] = {3, 1};
	const plan_request *request = context;
	weft_plan *plan = NULL;
	int result = weft_plan_create_from_cpus(&plan, request->topology, cpus, 2);

	assert_int_equal(plan != NULL, result == 0);
	weft_plan_destroy(plan);
	return result;
}

static void a_plan_out_of_memory_leaves_nothing_behind(void **state)
{
	weft_topology *topology = two_packages();
	plan_request request = {.topology = topology};

	(void)state;
	for (unsigned policy = 0; policy < WEFT_POLICIES; policy++) {
		request.policy = (weft_policy)policy;
		assert_in_range(fail_alloc_each(create_plan, &request), 6, 100);
	}
	assert_in_range(fail_alloc_each(create_plan_from_cpus, &request), 6, 100);
	weft_topology_destroy(topology);
}

static void assert_binding_fails(const weft_plan *plan, int failure, int result)
{
	bindings = 0;
	binding_errno = failure;
	int error = weft_plan_bind(plan, 0);

	binding_errno = 0;
	assert_int_equal(error, result);
	assert_int_equal(bindings, 1);
}

static void a_binding_that_fails_says_why(void **state)
{
	weft_topology *topology = NULL;
	weft_plan *plan = NULL;

	(void)state;
	assert_int_equal(weft_topology_create(&topology, NULL), 0);
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_ONE_PER_CORE, 1), 0);
	assert_binding_fails(plan, EPERM, -EPERM);
	assert_binding_fails(plan, EINVAL, -ENODEV);
	assert_binding_fails(plan, ENOSYS, -ENOSYS);
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

/* The kernel is asked for CPUs that it does not have: as if they had gone since the plan was made.
 */
static void a_cpu_that_is_gone_is_no_device(void **state)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology = NULL;
	weft_plan *plan = NULL;
	cpu_set_t before, after;

	(void)state;
	options.synthetic = "pu:2(indexes=8191,9000)";
	setenv("HWLOC_THISSYSTEM", "1", 1);
	mask = UNKNOWN_MASK;
	int result = weft_topology_create(&topology, &options);

	mask = TRUE_MASK;
	unsetenv("HWLOC_THISSYSTEM");
	assert_int_equal(result, 0);
	assert_true(weft_topology_is_this_machine(topology));
	assert_int_equal(weft_plan_create(&plan, topology, WEFT_POLICY_COMPACT, 0), 0);
	assert_int_equal(weft_plan_workers(plan), 2);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(weft_plan_bind(plan, 0), -ENODEV);
	assert_int_equal(weft_plan_bind(plan, 1), -ENODEV);
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
	weft_plan_destroy(plan);
	weft_topology_destroy(topology);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_topology_out_of_memory_leaves_nothing_behind),
		cmocka_unit_test(a_machine_that_cannot_be_read_is_no_device),
		cmocka_unit_test(a_process_that_may_run_nowhere_has_no_device),
		cmocka_unit_test(a_mask_that_cannot_be_known_restricts_nothing),
		cmocka_unit_test(creating_a_topology_binds_nothing),
		cmocka_unit_test(a_plan_out_of_memory_leaves_nothing_behind),
		cmocka_unit_test(a_binding_that_fails_says_why),
		cmocka_unit_test(a_cpu_that_is_gone_is_no_device),
	};

	return cmocka_run_group_tests_name("affinity out of luck", tests, NULL, NULL);
}
