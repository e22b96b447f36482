/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/affinity/topology.h>

#include <hwloc.h>
#include <stdlib.h>
#include <string.h>

/* All arrays have room for the PUs of the machine: no level has more members than PUs. */
struct weft_topology {
	weft_pu *pu;
	weft_node *node;
	weft_cache *cache;
	unsigned pus;
	unsigned cores;
	unsigned caches;
	unsigned nodes;
	unsigned packages;
	bool this_machine;
};

/* Larger numbers in a list of CPUs are mistakes; Linux itself ends at 8192. */
#define CPU_NUMBER_MAX 65535u

/*
 * Copies the options into this library's struct. A program built with newer headers passes a larger
 * one: that is fine as long as what this library does not know is left at its default, zero.
 */
static int read_options(weft_topology_options *known, const weft_topology_options *options)
{
	*known = (weft_topology_options)WEFT_TOPOLOGY_OPTIONS_INIT;
	if (options == NULL)
		return 0;
	if (options->size < sizeof(*known))
		return -EINVAL;
	for (size_t byte = sizeof(*known); byte < options->size; byte++) {
		if (((const unsigned char *)options)[byte] != 0)
			return -EINVAL;
	}
	*known = *options;
	return 0;
}

/* Reads a decimal number and steps over it. */
static bool read_cpu(const char **text, unsigned *cpu)
{
	const char *digit = *text;

	*cpu = 0;
	for (; *digit >= '0' && *digit <= '9' && *cpu <= CPU_NUMBER_MAX; digit++)
		*cpu = *cpu * 10 + (unsigned)(*digit - '0');
	bool valid = digit != *text && *cpu <= CPU_NUMBER_MAX;

	*text = digit;
	return valid;
}

/* Reads "0-3,8". hwloc's own reader is not used: it takes open ranges and trailing rubbish. */
static int read_cpu_list(hwloc_bitmap_t set, const char *text)
{
	for (;;) {
		unsigned first, last;

		if (!read_cpu(&text, &first))
			return -EINVAL;
		last = first;
		if (*text == '-') {
			text++;
			if (!read_cpu(&text, &last) || last < first)
				return -EINVAL;
		}
		if (hwloc_bitmap_set_range(set, first, (int)last) != 0)
			return -ENOMEM;
		if (*text == '\0')
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
}

/* Leaves out all that weft does not look at: devices, dies, instruction caches. */
static int keep_what_is_needed(hwloc_topology_t machine)
{
	static const hwloc_obj_type_t needed[] = {
		HWLOC_OBJ_CORE,    HWLOC_OBJ_PACKAGE, HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE,
		HWLOC_OBJ_L3CACHE, HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L5CACHE,
	};
	int result = hwloc_topology_set_all_types_filter(machine, HWLOC_TYPE_FILTER_KEEP_NONE);

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		result |= hwloc_topology_set_type_filter(machine, needed[i],
							 HWLOC_TYPE_FILTER_KEEP_ALL);
	}
	/* hwloc hangs a NUMA node that is part of a package or cache (sub-NUMA) on a group. */
	result |= hwloc_topology_set_type_filter(machine, HWLOC_OBJ_GROUP,
						 HWLOC_TYPE_FILTER_KEEP_STRUCTURE);
	/*
	 * The x86 component reads CPUID on every CPU, and to do that binds the calling thread to
	 * each of them. The kernel has already told all we need. Refused where hwloc has no such
	 * component: on other processors.
	 */
	hwloc_topology_set_components(machine, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
	return result == 0 ? 0 : -ENODEV;
}

static int describe_machine(hwloc_topology_t machine, const char *synthetic)
{
	errno = 0;
	if (synthetic != NULL && hwloc_topology_set_synthetic(machine, synthetic) != 0)
		return errno == ENOMEM ? -ENOMEM : -EINVAL;
	int result = keep_what_is_needed(machine);

	if (result == 0 && hwloc_topology_load(machine) != 0)
		result = errno == ENOMEM ? -ENOMEM : -ENODEV;
	return result;
}

/* Takes from the set the CPUs that no thread of this process may run on. */
static int keep_bound(hwloc_topology_t machine, hwloc_bitmap_t set)
{
	hwloc_bitmap_t bound = hwloc_bitmap_alloc();
	int result = 0;

	if (bound == NULL)
		return -ENOMEM;
	/*
	 * The union over all threads: one that has pinned itself, such as a worker that makes a
	 * second pool, does not narrow the view. Where /proc is not mounted, at least the caller.
	 */
	if (hwloc_get_cpubind(machine, bound, HWLOC_CPUBIND_PROCESS) == 0 ||
	    hwloc_get_cpubind(machine, bound, HWLOC_CPUBIND_THREAD) == 0) {
		if (hwloc_bitmap_and(set, set, bound) != 0)
			result = -ENOMEM;
	}
	hwloc_bitmap_free(bound);
	return result;
}

/* Takes from the set the CPUs that are not in the caller's list. */
static int keep_listed(hwloc_bitmap_t set, const char *list)
{
	hwloc_bitmap_t listed = hwloc_bitmap_alloc();

	if (listed == NULL)
		return -ENOMEM;
	int result = read_cpu_list(listed, list);

	if (result == 0 && hwloc_bitmap_and(set, set, listed) != 0)
		result = -ENOMEM;
	if (result == 0 && hwloc_bitmap_iszero(set))
		result = -EINVAL;
	hwloc_bitmap_free(listed);
	return result;
}

/* Fills the set with the CPUs that this process may use and the caller wants. */
static int find_allowed(hwloc_topology_t machine, const char *list, hwloc_bitmap_t set)
{
	int result = 0;

	if (hwloc_bitmap_copy(set, hwloc_topology_get_allowed_cpuset(machine)) != 0)
		return -ENOMEM;
	if (hwloc_topology_is_thissystem(machine))
		result = keep_bound(machine, set);
	if (result == 0 && hwloc_bitmap_iszero(set))
		result = -ENODEV;
	if (result == 0 && list != NULL)
		result = keep_listed(set, list);
	return result;
}

/* The smallest enclosing object of the type, or NULL. */
static hwloc_obj_t enclosing(hwloc_obj_t object, hwloc_obj_type_t type)
{
	while (object != NULL && object->type != type)
		object = object->parent;
	return object;
}

/* The outermost data cache around the core, or NULL: that is an L2 where there is no L3. */
static hwloc_obj_t last_level_cache(hwloc_obj_t core)
{
	hwloc_obj_t found = NULL;

	for (hwloc_obj_t object = core; object != NULL; object = object->parent) {
		if (hwloc_obj_type_is_dcache(object->type))
			found = object;
	}
	return found;
}

/* The memory attached closest to the PU; of several kinds in one place (DRAM, HBM) the first. */
static hwloc_obj_t nearest_node(hwloc_topology_t machine, hwloc_obj_t pu)
{
	for (hwloc_obj_t object = pu; object != NULL; object = object->parent) {
		hwloc_obj_t memory = object->memory_first_child;

		/* A memory-side cache stands between. */
		while (memory != NULL && memory->type != HWLOC_OBJ_NUMANODE)
			memory = memory->memory_first_child;
		if (memory != NULL)
			return memory;
	}
	return hwloc_get_obj_by_type(machine, HWLOC_OBJ_NUMANODE, 0);
}

/* The logical index of the PU's node, entered when it is new. Nodes are few: a search will do. */
static unsigned enter_node(weft_topology *topology, hwloc_obj_t object)
{
	unsigned os_node = object == NULL ? 0 : object->os_index;
	unsigned index = 0;

	while (index < topology->nodes && topology->node[index].node != os_node)
		index++;
	if (index == topology->nodes) {
		topology->node[index].node = os_node;
		if (object != NULL)
			topology->node[index].memory_bytes = object->attr->numanode.local_memory;
		topology->nodes++;
	}
	return index;
}

static int efficiency_of(hwloc_topology_t machine, hwloc_obj_t pu)
{
	int efficiency;
	int kind = hwloc_cpukinds_get_by_cpuset(machine, pu->cpuset, 0);

	if (kind < 0 ||
	    hwloc_cpukinds_get_info(machine, (unsigned)kind, NULL, &efficiency, NULL, NULL, 0) != 0)
		return -1;
	return efficiency;
}

/* What encloses the PU that was entered last. */
typedef struct enclosure {
	hwloc_obj_t package;
	hwloc_obj_t cache;
	hwloc_obj_t core;
	unsigned node;
} enclosure;

/*
 * Enters one PU. hwloc hands them out in depth-first order, so those of a core, cache or package
 * follow each other, and a level's next index is due as soon as the enclosing object is another
 * one. A new package, and a new node, begin a new cache group even within one cache: so they nest.
 */
static void enter_pu(weft_topology *topology, hwloc_topology_t machine, hwloc_obj_t object,
		     enclosure *last)
{
	weft_pu *pu = &topology->pu[topology->pus];
	const weft_pu *before = topology->pus == 0 ? NULL : pu - 1;
	enclosure here = {.package = enclosing(object, HWLOC_OBJ_PACKAGE),
			  .core = enclosing(object, HWLOC_OBJ_CORE),
			  .node = enter_node(topology, nearest_node(machine, object))};

	if (here.core == NULL)
		here.core = object;
	hwloc_obj_t cache = last_level_cache(here.core);

	here.cache = cache == NULL ? here.core : cache;

	bool new_package = before == NULL || here.package != last->package;
	bool new_cache = new_package || here.node != last->node || here.cache != last->cache;
	bool new_core = new_cache || here.core != last->core;

	topology->packages += new_package;
	topology->cores += new_core;
	if (new_cache) {
		weft_cache *group = &topology->cache[topology->caches++];

		if (cache != NULL) {
			group->level = cache->attr->cache.depth;
			group->size_bytes = cache->attr->cache.size;
		}
	}
	*pu = (weft_pu){.cpu = object->os_index,
			.core = topology->cores - 1,
			.cache = topology->caches - 1,
			.node = here.node,
			.package = topology->packages - 1,
			.sibling = new_core ? 0 : before->sibling + 1,
			.efficiency = efficiency_of(machine, object)};
	topology->pus++;
	*last = here;
}

static int enter_allowed(weft_topology *topology, hwloc_topology_t machine,
			 hwloc_const_bitmap_t allowed)
{
	int room = hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_PU);
	hwloc_obj_t object = NULL;
	enclosure last = {NULL, NULL, NULL, 0};

	if (room <= 0)
		return -ENODEV;
	topology->pu = calloc((size_t)room, sizeof(*topology->pu));
	topology->node = calloc((size_t)room, sizeof(*topology->node));
	topology->cache = calloc((size_t)room, sizeof(*topology->cache));
	if (topology->pu == NULL || topology->node == NULL || topology->cache == NULL)
		return -ENOMEM;
	while ((object = hwloc_get_next_obj_by_type(machine, HWLOC_OBJ_PU, object)) != NULL) {
		if (hwloc_bitmap_isset(allowed, object->os_index))
			enter_pu(topology, machine, object, &last);
	}
	return topology->pus > 0 ? 0 : -ENODEV;
}

static int read_machine(weft_topology *topology, const weft_topology_options *options)
{
	hwloc_topology_t machine;

	if (hwloc_topology_init(&machine) != 0)
		return -ENOMEM;
	hwloc_bitmap_t allowed = hwloc_bitmap_alloc();
	int result = allowed == NULL ? -ENOMEM : describe_machine(machine, options->synthetic);

	if (result == 0)
		result = find_allowed(machine, options->allowed, allowed);
	if (result == 0)
		result = enter_allowed(topology, machine, allowed);
	topology->this_machine = hwloc_topology_is_thissystem(machine) != 0;
	hwloc_bitmap_free(allowed);
	hwloc_topology_destroy(machine);
	return result;
}

int weft_topology_create(weft_topology **topology, const weft_topology_options *options)
{
	weft_topology_options known;

	if (topology == NULL || read_options(&known, options) != 0)
		return -EINVAL;
	weft_topology *made = calloc(1, sizeof(*made));

	if (made == NULL)
		return -ENOMEM;
	int result = read_machine(made, &known);

	if (result != 0) {
		weft_topology_destroy(made);
		return result;
	}
	*topology = made;
	return 0;
}

void weft_topology_destroy(weft_topology *topology)
{
	if (topology == NULL)
		return;
	free(topology->pu);
	free(topology->node);
	free(topology->cache);
	free(topology);
}

unsigned weft_topology_pu_count(const weft_topology *topology)
{
	return topology->pus;
}

unsigned weft_topology_core_count(const weft_topology *topology)
{
	return topology->cores;
}

unsigned weft_topology_cache_count(const weft_topology *topology)
{
	return topology->caches;
}

unsigned weft_topology_node_count(const weft_topology *topology)
{
	return topology->nodes;
}

unsigned weft_topology_package_count(const weft_topology *topology)
{
	return topology->packages;
}

const weft_pu *weft_topology_pu(const weft_topology *topology, unsigned index)
{
	return index < topology->pus ? &topology->pu[index] : NULL;
}

const weft_node *weft_topology_node(const weft_topology *topology, unsigned index)
{
	return index < topology->nodes ? &topology->node[index] : NULL;
}

const weft_cache *weft_topology_cache(const weft_topology *topology, unsigned index)
{
	return index < topology->caches ? &topology->cache[index] : NULL;
}

weft_distance weft_topology_distance(const weft_topology *topology, unsigned pu_a, unsigned pu_b)
{
	const weft_pu *a = weft_topology_pu(topology, pu_a);
	const weft_pu *b = weft_topology_pu(topology, pu_b);

	WEFT_CONTRACT(a != NULL && b != NULL, "both PUs are in the topology");
	if (a == NULL || b == NULL || a->package != b->package)
		return WEFT_DISTANCE_MACHINE;
	if (a->node != b->node)
		return WEFT_DISTANCE_PACKAGE;
	if (a->cache != b->cache)
		return WEFT_DISTANCE_NODE;
	if (a->core != b->core)
		return WEFT_DISTANCE_CACHE;
	return a == b ? WEFT_DISTANCE_SAME : WEFT_DISTANCE_CORE;
}

bool weft_topology_is_this_machine(const weft_topology *topology)
{
	return topology->this_machine;
}
