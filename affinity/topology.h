/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_AFFINITY_TOPOLOGY_H
#define WEFT_AFFINITY_TOPOLOGY_H

/*
 * The machine as far as this process may use it: its processing units (PUs: hardware threads, what
 * Linux calls CPUs) and, of each, the core, last-level cache, NUMA node and package it belongs to.
 *
 * What "may use" means, for this machine: the PU is online, the cgroup's cpuset holds it, and some
 * thread of the process may run on it (the affinity mask; so taskset, isolcpus and the masks of
 * batch systems are honoured). Create the topology before the first thread pins itself: a process
 * whose only thread is pinned to one CPU has one CPU. A CPU quota (cgroup cpu.max) takes no PU
 * away and is not looked at.
 *
 * Not for: finding out where to run a thread; that is a plan, <weft/affinity/plan.h>. Not a general
 * view of the hardware (devices, memory sizes of foreign nodes): use hwloc for that.
 *
 * The source of the facts is hwloc (Broquedis et al., PDP 2010), which also makes machines out of a
 * description, so that plans can be tried on machines one does not own. The hwloc environment
 * variables (HWLOC_SYNTHETIC, HWLOC_XMLFILE, HWLOC_FSROOT, ...) hold here too, and hwloc itself may
 * write a warning to standard error when the firmware's tables contradict each other.
 *
 * Levels nest, always: PU in core in cache in node in package in machine. Where the hardware does
 * not say, or says otherwise:
 *   no core known             each PU is a core
 *   no cache known            each core is its own cache group
 *   a cache over two nodes    (sub-NUMA clustering) counts as one cache group in each; so does
 *                             one over two packages
 *   no node with memory near  the PU takes its memory from the first allowed node
 *   a node over two packages  the packages still divide: "same node" means same package, too
 *   no package known          the machine is one package
 * Cores, caches, nodes and packages without an allowed PU are not there: all indices are dense.
 *
 *   operation                threads                   progress    sleeps  allocates
 *   weft_topology_create     any                       blocking*   no      yes
 *   weft_topology_destroy    one, when no other reads  blocking*   no      no (frees)
 *   all others               any                       wait-free   no      no
 *   * reads files of the kernel, and takes the allocator's locks
 */

#include <weft/lockfree/base.h>

WEFT_BEGIN_DECLS

/* Opaque and immutable: made once, then read by any thread without synchronisation. */
typedef struct weft_topology weft_topology;

/* Zero value of each member: the default. */
typedef struct weft_topology_options {
	/* sizeof(weft_topology_options), filled by WEFT_TOPOLOGY_OPTIONS_INIT. */
	size_t size;
	/*
	 * NULL: this machine. Else a machine made up from hwloc's synthetic description, such as
	 * "pack:2 numa:1 l3:8 core:8 pu:2": each number counts children of one parent.
	 */
	const char *synthetic;
	/*
	 * NULL: all. Else a list of CPUs (Linux numbers) to stay within, such as "0-3,8". CPUs that
	 * this process may not use anyway, or that do not exist, are passed over.
	 */
	const char *allowed;
} weft_topology_options;

#define WEFT_TOPOLOGY_OPTIONS_INIT                                                                 \
	{                                                                                          \
		sizeof(weft_topology_options), NULL, NULL                                          \
	}

/* One processing unit. All but cpu are logical indices: dense from 0, in topology order. */
typedef struct weft_pu {
	unsigned cpu;     /* the number Linux gives it: sched_getcpu(), taskset, /proc/cpuinfo */
	unsigned core;    /* PUs of one core share its pipelines (SMT) */
	unsigned cache;   /* group that shares the last-level cache */
	unsigned node;    /* its NUMA node; see weft_topology_node */
	unsigned package; /* socket */
	unsigned sibling; /* rank among the allowed PUs of its core: each core has a 0 */
	/* Kind of core on a hybrid machine: 0 the slowest, more is faster. -1: not known. */
	int efficiency;
} weft_pu;

/* One NUMA node that serves memory to at least one allowed PU. */
typedef struct weft_node {
	unsigned node;         /* the number Linux gives it: numactl, weft_memory_alloc */
	uint64_t memory_bytes; /* 0: not known */
} weft_node;

/* One last-level cache group. */
typedef struct weft_cache {
	unsigned level;      /* 3 for an L3; 0: no cache is known, the group is a core */
	uint64_t size_bytes; /* 0: not known */
} weft_cache;

/* How far two PUs are apart: the smallest thing that holds both. */
typedef enum weft_distance {
	WEFT_DISTANCE_SAME = 0, /* the same PU */
	WEFT_DISTANCE_CORE,     /* another PU of the core */
	WEFT_DISTANCE_CACHE,    /* another core of the cache group */
	WEFT_DISTANCE_NODE,     /* another cache group of the NUMA node, in the same package */
	WEFT_DISTANCE_PACKAGE,  /* another NUMA node of the package */
	WEFT_DISTANCE_MACHINE   /* another package */
} weft_distance;

#define WEFT_DISTANCES 6 /* how many there are */

/*
 * Finds out what this process may use; options NULL means this machine, all of it.
 *
 * Reads a hundred files of the kernel and more, and loads hwloc's plug-ins where they are
 * installed: make one and keep it. Threads: any. Progress: blocking (reads files of the kernel).
 * Returns 0 and the topology, which the caller destroys; or, leaving *topology as it was,
 *   -EINVAL  topology is NULL; options->size is wrong, or an option this library does not know
 *            is set; the description or the list of CPUs cannot be read; the list leaves no CPU
 *   -ENODEV  the machine does not let itself be read, or leaves this process no CPU
 *   -ENOMEM  out of memory
 */
WEFT_API int weft_topology_create(weft_topology **topology, const weft_topology_options *options);

/*
 * Frees the topology; NULL is allowed. Plans made from it stay valid.
 * Threads: one, after the last reader. Progress: blocking (the allocator's).
 */
WEFT_API void weft_topology_destroy(weft_topology *topology);

/*
 * How many there are of each level, with at least one allowed PU: never 0.
 * Threads: any. Progress: wait-free.
 */
WEFT_API unsigned weft_topology_pu_count(const weft_topology *topology);
WEFT_API unsigned weft_topology_core_count(const weft_topology *topology);
WEFT_API unsigned weft_topology_cache_count(const weft_topology *topology);
WEFT_API unsigned weft_topology_node_count(const weft_topology *topology);
WEFT_API unsigned weft_topology_package_count(const weft_topology *topology);

/*
 * The PU, node or cache group with this logical index. PUs stand in topology order: those of a core
 * together, then those of its cache group, and so on outwards.
 * Threads: any. Progress: wait-free.
 * Returns NULL when there is none with this index; the record lives as long as the topology.
 */
WEFT_API const weft_pu *weft_topology_pu(const weft_topology *topology, unsigned index);
WEFT_API const weft_node *weft_topology_node(const weft_topology *topology, unsigned index);
WEFT_API const weft_cache *weft_topology_cache(const weft_topology *topology, unsigned index);

/*
 * How far the PUs with these logical indices are apart. It is symmetric.
 * Threads: any. Progress: wait-free.
 * Returns a distance; for an index that does not exist (a broken contract) WEFT_DISTANCE_MACHINE.
 */
WEFT_API weft_distance weft_topology_distance(const weft_topology *topology, unsigned pu_a,
					      unsigned pu_b);

/*
 * Whether this is the machine that the process runs on: not a synthetic one, nor one that hwloc was
 * told to read from elsewhere. Only then can a thread be bound to its CPUs.
 * Threads: any. Progress: wait-free.
 */
WEFT_API bool weft_topology_is_this_machine(const weft_topology *topology);

WEFT_END_DECLS

#endif
