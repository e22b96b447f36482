/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/affinity/plan.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>

struct weft_plan {
	unsigned *cpu;     /* of each worker */
	unsigned *node;    /* of each worker */
	uint16_t *victims; /* of worker w: workers - 1 entries from w * (workers - 1) on */
	uint16_t *near;    /* worker nearest to each CPU number below cpus */
	unsigned workers;
	unsigned cpus;
	bool oversubscribed;
	bool this_machine;
};

/* CPU numbers from here on get no entry in the table of nearest workers; Linux ends at 8192. */
#define NEAR_CPUS_MAX 65536u

static_assert(WEFT_PLAN_WORKERS_MAX <= UINT16_MAX, "a worker's number fits in 16 bits");

static const char *const policy_names[] = {
	[WEFT_POLICY_ONE_PER_CORE] = "one-per-core",
	[WEFT_POLICY_ONE_PER_PU] = "one-per-pu",
	[WEFT_POLICY_COMPACT] = "compact",
	[WEFT_POLICY_SCATTER] = "scatter",
};

static_assert(sizeof(policy_names) / sizeof(policy_names[0]) == WEFT_POLICIES,
	      "each policy has a name");

const char *weft_policy_name(weft_policy policy)
{
	return (unsigned)policy < WEFT_POLICIES ? policy_names[policy] : NULL;
}

int weft_policy_parse(weft_policy *policy, const char *name)
{
	if (policy == NULL || name == NULL)
		return -EINVAL;
	for (unsigned i = 0; i < WEFT_POLICIES; i++) {
		if (strcmp(name, policy_names[i]) == 0) {
			*policy = (weft_policy)i;
			return 0;
		}
	}
	return -EINVAL;
}

/*
 * Each of the order_ functions writes PUs (logical indices) in the order of a policy, at most
 * `room` of them, and returns how many.
 */
static unsigned order_compact(const weft_topology *topology, unsigned *places, unsigned room)
{
	unsigned count = weft_topology_pu_count(topology);

	if (count > room)
		count = room;
	for (unsigned i = 0; i < count; i++)
		places[i] = i;
	return count;
}

/* The PUs that are the sibling-th of their cores. */
static unsigned order_siblings(const weft_topology *topology, unsigned sibling, unsigned *places,
			       unsigned room)
{
	unsigned pus = weft_topology_pu_count(topology);
	unsigned count = 0;

	for (unsigned i = 0; i < pus && count < room; i++) {
		if (weft_topology_pu(topology, i)->sibling == sibling)
			places[count++] = i;
	}
	return count;
}

static unsigned order_one_per_pu(const weft_topology *topology, unsigned *places, unsigned room)
{
	unsigned count = 0;

	/* Ends: ranks are dense, so the first rank that adds none is beyond every core's last. */
	for (unsigned sibling = 0;; sibling++) {
		unsigned added = order_siblings(topology, sibling, places + count, room - count);

		if (added == 0)
			return count;
		count += added;
	}
}

/* What scatter keeps: which PUs are taken, and how many in each package, node and cache group. */
typedef struct scattering {
	const weft_topology *topology;
	bool *taken;
	unsigned *in_package;
	unsigned *in_node;
	unsigned *in_cache;
} scattering;

/*
 * Whether scatter prefers a to b. Read it as a descent: the package with the fewest, and of those
 * the first; in it the node with the fewest ... Cores need no count: all that still have a PU of
 * this sibling rank have as many taken, the rank.
 */
static bool emptier(const scattering *so_far, const weft_pu *a, const weft_pu *b)
{
	if (a->sibling != b->sibling)
		return a->sibling < b->sibling;
	if (so_far->in_package[a->package] != so_far->in_package[b->package])
		return so_far->in_package[a->package] < so_far->in_package[b->package];
	if (a->package != b->package)
		return a->package < b->package;
	if (so_far->in_node[a->node] != so_far->in_node[b->node])
		return so_far->in_node[a->node] < so_far->in_node[b->node];
	if (a->node != b->node)
		return a->node < b->node;
	if (so_far->in_cache[a->cache] != so_far->in_cache[b->cache])
		return so_far->in_cache[a->cache] < so_far->in_cache[b->cache];
	return false; /* the caller asks in topology order: the earlier one stays */
}

/* Takes the PU that the policy wants next; there must be one left. */
static unsigned scatter_next(scattering *so_far)
{
	unsigned best = 0;

	while (so_far->taken[best])
		best++;
	for (unsigned i = best + 1; i < weft_topology_pu_count(so_far->topology); i++) {
		if (!so_far->taken[i] && emptier(so_far, weft_topology_pu(so_far->topology, i),
						 weft_topology_pu(so_far->topology, best)))
			best = i;
	}

	const weft_pu *pu = weft_topology_pu(so_far->topology, best);

	so_far->taken[best] = true;
	so_far->in_package[pu->package]++;
	so_far->in_node[pu->node]++;
	so_far->in_cache[pu->cache]++;
	return best;
}

/* Returns 0 when out of memory. */
static unsigned order_scatter(const weft_topology *topology, unsigned *places, unsigned room)
{
	unsigned count = weft_topology_pu_count(topology);
	scattering so_far = {
		topology,
		calloc(count, sizeof(bool)),
		calloc(weft_topology_package_count(topology), sizeof(unsigned)),
		calloc(weft_topology_node_count(topology), sizeof(unsigned)),
		calloc(weft_topology_cache_count(topology), sizeof(unsigned)),
	};

	if (so_far.taken == NULL || so_far.in_package == NULL || so_far.in_node == NULL ||
	    so_far.in_cache == NULL)
		count = 0;
	if (count > room)
		count = room;
	for (unsigned i = 0; i < count; i++)
		places[i] = scatter_next(&so_far);
	free(so_far.taken);
	free(so_far.in_package);
	free(so_far.in_node);
	free(so_far.in_cache);
	return count;
}

/*
 * For each worker: counts the others at each distance, then deals them into that many slots. It
 * goes through the others from its own successor on, so at equal distance no two workers begin with
 * the same victim.
 */
static void rank_victims(weft_plan *plan, const weft_topology *topology, const unsigned *places)
{
	unsigned workers = plan->workers;

	for (unsigned self = 0; self < workers; self++) {
		uint16_t *victims = plan->victims + (size_t)self * (workers - 1);
		unsigned slot[WEFT_DISTANCES + 1] = {0};

		for (unsigned other = 0; other < workers; other++) {
			if (other != self)
				slot[weft_topology_distance(topology, places[self], places[other]) +
				     1]++;
		}
		for (unsigned distance = 1; distance <= WEFT_DISTANCES; distance++)
			slot[distance] += slot[distance - 1];
		for (unsigned step = 1; step < workers; step++) {
			unsigned other = (self + step) % workers;
			weft_distance distance =
				weft_topology_distance(topology, places[self], places[other]);

			victims[slot[distance]++] = (uint16_t)other;
		}
	}
}

/* One of the workers that are nearest to the PU: which of them goes round with the PU's index. */
static uint16_t nearest_worker(const weft_topology *topology, const unsigned *places,
			       unsigned workers, unsigned pu)
{
	weft_distance nearest = weft_topology_distance(topology, pu, places[0]);
	unsigned equals = 1;

	for (unsigned worker = 1; worker < workers; worker++) {
		weft_distance distance = weft_topology_distance(topology, pu, places[worker]);

		if (distance < nearest) {
			nearest = distance;
			equals = 0;
		}
		equals += distance == nearest;
	}
	unsigned skip = pu % equals;
	unsigned worker = 0;

	while (weft_topology_distance(topology, pu, places[worker]) != nearest || skip-- > 0)
		worker++;
	return (uint16_t)worker;
}

static void find_near(weft_plan *plan, const weft_topology *topology, const unsigned *places)
{
	for (unsigned cpu = 0; cpu < plan->cpus; cpu++)
		plan->near[cpu] = (uint16_t)(cpu % plan->workers);
	for (unsigned pu = 0; pu < weft_topology_pu_count(topology); pu++) {
		unsigned cpu = weft_topology_pu(topology, pu)->cpu;

		if (cpu < plan->cpus)
			plan->near[cpu] = nearest_worker(topology, places, plan->workers, pu);
	}
}

/* One more than the largest CPU number of the topology, as far as the table goes. */
static unsigned table_size(const weft_topology *topology)
{
	unsigned size = 0;

	for (unsigned pu = 0; pu < weft_topology_pu_count(topology); pu++) {
		unsigned cpu = weft_topology_pu(topology, pu)->cpu;

		if (cpu >= size && cpu < NEAR_CPUS_MAX)
			size = cpu + 1;
	}
	return size;
}

/* Writes down all that a plan says about workers at these places. */
static int plan_from_places(weft_plan **plan, const weft_topology *topology, const unsigned *places,
			    unsigned workers)
{
	weft_plan *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	made->workers = workers;
	made->cpus = table_size(topology);
	made->this_machine = weft_topology_is_this_machine(topology);
	made->cpu = calloc(workers, sizeof(*made->cpu));
	made->node = calloc(workers, sizeof(*made->node));
	/* One entry more than is used: a worker alone has none, and calloc(0) may give NULL. */
	made->victims = calloc((size_t)workers * (workers - 1) + 1, sizeof(*made->victims));
	made->near = calloc((size_t)made->cpus + 1, sizeof(*made->near));
	if (made->cpu == NULL || made->node == NULL || made->victims == NULL ||
	    made->near == NULL) {
		weft_plan_destroy(made);
		return -ENOMEM;
	}
	for (unsigned worker = 0; worker < workers; worker++) {
		const weft_pu *pu = weft_topology_pu(topology, places[worker]);

		made->cpu[worker] = pu->cpu;
		made->node[worker] = weft_topology_node(topology, pu->node)->node;
	}
	rank_victims(made, topology, places);
	find_near(made, topology, places);
	/* The nearest victim tells whether a PU is shared. */
	for (unsigned worker = 0; worker < workers && workers > 1; worker++) {
		unsigned victim = weft_plan_victims(made, worker)[0];

		made->oversubscribed |= places[worker] == places[victim];
	}
	*plan = made;
	return 0;
}

static unsigned order_places(const weft_topology *topology, weft_policy policy, unsigned *places,
			     unsigned room)
{
	switch (policy) {
	case WEFT_POLICY_ONE_PER_CORE:
		return order_siblings(topology, 0, places, room);
	case WEFT_POLICY_ONE_PER_PU:
		return order_one_per_pu(topology, places, room);
	case WEFT_POLICY_COMPACT:
		return order_compact(topology, places, room);
	case WEFT_POLICY_SCATTER:
		return order_scatter(topology, places, room);
	}
	return 0;
}

int weft_plan_create(weft_plan **plan, const weft_topology *topology, weft_policy policy,
		     unsigned workers)
{
	if (plan == NULL || topology == NULL || weft_policy_name(policy) == NULL ||
	    workers > WEFT_PLAN_WORKERS_MAX)
		return -EINVAL;
	unsigned room = workers == 0 ? WEFT_PLAN_WORKERS_MAX : workers;
	unsigned *places = calloc(room, sizeof(*places));
	unsigned count = places == NULL ? 0 : order_places(topology, policy, places, room);
	int result = -ENOMEM;

	if (count > 0) {
		if (workers == 0)
			workers = count;
		for (unsigned worker = count; worker < workers; worker++)
			places[worker] = places[worker - count];
		result = plan_from_places(plan, topology, places, workers);
	}
	free(places);
	return result;
}

int weft_plan_create_from_cpus(weft_plan **plan, const weft_topology *topology,
			       const unsigned *cpus, unsigned count)
{
	if (plan == NULL || topology == NULL || cpus == NULL || count == 0 ||
	    count > WEFT_PLAN_WORKERS_MAX)
		return -EINVAL;
	unsigned pus = weft_topology_pu_count(topology);
	unsigned *places = calloc(count, sizeof(*places));
	int result = places == NULL ? -ENOMEM : 0;

	for (unsigned worker = 0; worker < count && result == 0; worker++) {
		unsigned pu = 0;

		while (pu < pus && weft_topology_pu(topology, pu)->cpu != cpus[worker])
			pu++;
		places[worker] = pu;
		if (pu == pus)
			result = -ENODEV;
	}
	if (result == 0)
		result = plan_from_places(plan, topology, places, count);
	free(places);
	return result;
}

void weft_plan_destroy(weft_plan *plan)
{
	if (plan == NULL)
		return;
	free(plan->cpu);
	free(plan->node);
	free(plan->victims);
	free(plan->near);
	free(plan);
}

unsigned weft_plan_workers(const weft_plan *plan)
{
	return plan->workers;
}

bool weft_plan_oversubscribed(const weft_plan *plan)
{
	return plan->oversubscribed;
}

unsigned weft_plan_cpu(const weft_plan *plan, unsigned worker)
{
	WEFT_CONTRACT(worker < plan->workers, "the worker is one of the plan's");
	return plan->cpu[worker];
}

unsigned weft_plan_node(const weft_plan *plan, unsigned worker)
{
	WEFT_CONTRACT(worker < plan->workers, "the worker is one of the plan's");
	return plan->node[worker];
}

const uint16_t *weft_plan_victims(const weft_plan *plan, unsigned worker)
{
	WEFT_CONTRACT(worker < plan->workers, "the worker is one of the plan's");
	return plan->victims + (size_t)worker * (plan->workers - 1);
}

unsigned weft_plan_worker_near(const weft_plan *plan, unsigned cpu)
{
	return cpu < plan->cpus ? plan->near[cpu] : cpu % plan->workers;
}

int weft_plan_bind(const weft_plan *plan, unsigned worker)
{
	/* 8192 CPUs, as many as the kernel can be built for; one cpu_set_t holds 1024. */
	cpu_set_t set[8];

	if (worker >= plan->workers)
		return -EINVAL;
	if (!plan->this_machine)
		return -ENOTSUP;
	if (plan->cpu[worker] >= sizeof(set) * 8)
		return -ENODEV;
	CPU_ZERO_S(sizeof(set), set);
	CPU_SET_S(plan->cpu[worker], sizeof(set), set);
	/* 0 is the calling thread. EINVAL: none of the set is online and in the cpuset. */
	if (sched_setaffinity(0, sizeof(set), set) == 0)
		return 0;
	return errno == EINVAL ? -ENODEV : -errno;
}
