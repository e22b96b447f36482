/* SPDX-License-Identifier: Apache-2.0 */
#include "rebind.h"

#include <sched.h>

enum {
	/* As many as the kernel can be built for; see plan.c. */
	CPUS = 8192,
	NO_CPU = CPUS,
};

/* One cpu_set_t holds 1024. */
typedef struct cpus {
	cpu_set_t set[CPUS / 1024];
} cpus;

static bool has(const cpus *these, unsigned cpu)
{
	return cpu < CPUS && CPU_ISSET_S(cpu, sizeof(these->set), these->set);
}

static void add(cpus *these, unsigned cpu)
{
	if (cpu < CPUS)
		CPU_SET_S(cpu, sizeof(these->set), these->set);
}

static bool are_only(const cpus *these, unsigned cpu)
{
	return has(these, cpu) && CPU_COUNT_S(sizeof(these->set), these->set) == 1;
}

/* 0 is the calling thread. */
static bool get_mask(cpus *mask)
{
	CPU_ZERO_S(sizeof(mask->set), mask->set);
	return sched_getaffinity(0, sizeof(mask->set), mask->set) == 0;
}

/* The kernel takes of them those that are online and in the cpuset. EINVAL: none is. */
static int set_mask(const cpus *mask)
{
	if (sched_setaffinity(0, sizeof(mask->set), mask->set) == 0)
		return 0;
	return errno == EINVAL ? -ENODEV : -errno;
}

/* Those of the plan. */
static void planned(const weft_plan *plan, cpus *these)
{
	CPU_ZERO_S(sizeof(these->set), these->set);
	for (unsigned worker = 0; worker < weft_plan_workers(plan); worker++)
		add(these, weft_plan_cpu(plan, worker));
}

/* Of those left, that the plan does not use: the one with this rank, or NO_CPU. Else the rank goes
 * down by as many as there are. */
static unsigned unused(const cpus *left, const cpus *used, unsigned *rank)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		if (has(left, cpu) && !has(used, cpu) && (*rank)-- == 0)
			return cpu;
	return NO_CPU;
}

/* The CPU for a worker whose own is not among those left; at least one is. */
static unsigned deal(const weft_plan *plan, unsigned worker, const cpus *left, bool *shares)
{
	unsigned rank = 0, skip, cpu;
	cpus used;

	planned(plan, &used);
	for (unsigned other = 0; other < worker; other++)
		rank += !has(left, weft_plan_cpu(plan, other));
	cpu = unused(left, &used, &rank);
	*shares = cpu == NO_CPU;
	if (cpu != NO_CPU)
		return cpu;
	skip = rank % (unsigned)CPU_COUNT_S(sizeof(left->set), left->set);
	for (cpu = CPUS - 1; !has(left, cpu) || skip-- > 0; cpu--)
		;
	return cpu;
}

/* Whether no mask brings the worker's CPU back. Asks for all of the plan; `left` gets those that
 * there are, or stays. The caller sets the mask afterwards. */
static bool look_for(const weft_plan *plan, unsigned own, cpus *left)
{
	cpus asked, granted;
	int error;

	planned(plan, &asked);
	error = set_mask(&asked);
	if (error != 0)
		return error == -ENODEV;
	if (!get_mask(&granted))
		return false;
	*left = granted;
	return !has(&granted, own);
}

static int bind_to(unsigned cpu)
{
	cpus one;

	CPU_ZERO_S(sizeof(one.set), one.set);
	add(&one, cpu);
	return set_mask(&one);
}

/* It could not be bound just now. */
static int fail(weft_binding_ *binding, int error)
{
	const weft_binding_ failed = {.error = error, .cpu = NO_CPU};

	*binding = failed;
	return error;
}

int weft_plan_begin_binding_(const weft_plan *plan, unsigned worker, weft_binding_ *binding)
{
	const weft_binding_ as_planned = {0};
	int error = weft_plan_bind(plan, worker);

	if (error != 0)
		return fail(binding, error);
	*binding = as_planned;
	return 0;
}

/* Binds it to one of those left. */
static int make_do(const weft_plan *plan, unsigned worker, weft_binding_ *binding, const cpus *left)
{
	int error;

	binding->error = -ENODEV;
	binding->cpu = deal(plan, worker, left, &binding->shares);
	error = bind_to(binding->cpu);
	if (error == 0)
		return binding->error;
	(void)set_mask(left);
	return fail(binding, error);
}

int weft_plan_keep_binding_(const weft_plan *plan, unsigned worker, weft_binding_ *binding)
{
	unsigned own = weft_plan_cpu(plan, worker);
	unsigned bound = binding->error == 0 ? own : binding->cpu;
	bool has_changed;
	cpus now, left;

	if ((binding->error != 0 && binding->error != -ENODEV) || !get_mask(&now))
		return binding->error;
	has_changed = !are_only(&now, bound);
	if (!has_changed && !binding->is_gone)
		return binding->error;
	if (has(&now, own))
		return weft_plan_begin_binding_(plan, worker, binding);
	left = now;
	binding->is_gone = look_for(plan, own, &left);
	/* A mask that it was given is what it may use. */
	if (has_changed)
		return make_do(plan, worker, binding, &now);
	/* This mask is its own doing, and it was the kernel that took its CPU. */
	if (!binding->is_gone)
		return weft_plan_begin_binding_(plan, worker, binding);
	/* Others of the plan may be back, to share with fewer. */
	if (binding->shares)
		return make_do(plan, worker, binding, &left);
	return bind_to(bound) == 0 ? binding->error : fail(binding, -ENODEV);
}
