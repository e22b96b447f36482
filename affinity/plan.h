/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_AFFINITY_PLAN_H
#define WEFT_AFFINITY_PLAN_H

/*
 * A plan says, for each worker: the CPU it runs on, the NUMA node its memory comes from, and the
 * order in which it looks for work at the others, nearest first. It is a pure function of a
 * topology and a policy: the same input gives the same plan, on any machine; so a plan for a large
 * machine is tested on a small one.
 *
 * Not for programs that leave placement to the kernel: a pool can run unpinned. Binding pays when
 * workers are about as many as cores and own data that should stay in their caches; it hurts on a
 * machine shared with other busy processes, since a bound thread cannot step aside.
 *
 * Stealing nearest first: Quintin and Wagner, "Hierarchical Work-Stealing", Euro-Par 2010; here
 * without their leaders, since within one machine every worker can reach every other.
 *
 *   operation                             threads                   progress    sleeps  allocates
 *   weft_plan_create, _create_from_cpus   any                       blocking*   no      yes
 *   weft_plan_destroy                     one, when no other reads  blocking*   no      no (frees)
 *   weft_plan_bind                        binds the caller          blocking**  no      no
 *   all others                            any                       wait-free   no      no
 *   * the allocator's locks
 *   ** one system call, which may move the caller to another CPU
 */

#include <weft/affinity/topology.h>

WEFT_BEGIN_DECLS

/*
 * In which order workers take the PUs of the topology. "Place" is a PU that the policy uses; worker
 * i takes place i. For two packages, each with two cores (a b | c d) of two PUs (0 1):
 *
 *   policy         places                    order
 *   one-per-core   first PU of each core     a0 b0 c0 d0
 *   one-per-pu     all                       a0 b0 c0 d0 a1 b1 c1 d1
 *   compact        all                       a0 a1 b0 b1 c0 c1 d0 d1
 *   scatter        all                       a0 c0 b0 d0 a1 c1 b1 d1
 */
typedef enum weft_policy {
	/*
	 * One worker for each core, in topology order. The default: no two workers share a
	 * pipeline, which is best for latency and for code that keeps a core busy.
	 */
	WEFT_POLICY_ONE_PER_CORE = 0,
	/*
	 * One worker for each PU; the first PU of every core, in topology order, before the second
	 * of any. For throughput of code that misses the cache often. With as many workers as cores
	 * it is one-per-core.
	 */
	WEFT_POLICY_ONE_PER_PU,
	/*
	 * Topology order: fills all PUs of a core, then the next core of its cache group, of its
	 * node, of its package. For few workers that share data: they share caches.
	 */
	WEFT_POLICY_COMPACT,
	/*
	 * As far apart as can be: each next worker goes to the package with the fewest workers, in
	 * it to the node with the fewest, then cache group, then core; the second PU of any core
	 * only after the first of every. For few workers that each want much cache or bandwidth.
	 */
	WEFT_POLICY_SCATTER
} weft_policy;

#define WEFT_POLICIES 4 /* how many there are */

/* Most workers that a plan can have. */
#define WEFT_PLAN_WORKERS_MAX 4096u

/* Opaque, immutable, and self-contained: the topology may be destroyed before it. */
typedef struct weft_plan weft_plan;

/*
 * The policy's name ("one-per-core", "one-per-pu", "compact", "scatter"), and back.
 * Threads: any. Progress: wait-free.
 * weft_policy_name returns NULL, weft_policy_parse -EINVAL, for what is not a policy.
 */
WEFT_API const char *weft_policy_name(weft_policy policy);
WEFT_API int weft_policy_parse(weft_policy *policy, const char *name);

/*
 * Plans this many workers by the policy; 0 workers: one for each place, but no more than
 * WEFT_PLAN_WORKERS_MAX. More workers than places are allowed: they take the places round and
 * round, and weft_plan_oversubscribed says so.
 *
 * Threads: any. Progress: blocking (the allocator's). Time, and two bytes of memory for each pair,
 * grow with the square of the workers: 32 MiB for the most there can be.
 * Returns 0 and the plan, which the caller destroys; or, leaving *plan as it was,
 *   -EINVAL  a pointer is NULL, the policy is none, workers is above WEFT_PLAN_WORKERS_MAX
 *   -ENOMEM  out of memory
 */
WEFT_API int weft_plan_create(weft_plan **plan, const weft_topology *topology, weft_policy policy,
			      unsigned workers);

/*
 * Plans one worker on each CPU of the list (Linux numbers), in its order. A CPU that is named twice
 * gets two workers.
 *
 * Threads: any. Progress: blocking (the allocator's).
 * Returns 0 and the plan, which the caller destroys; or, leaving *plan as it was,
 *   -EINVAL  a pointer is NULL, count is 0 or above WEFT_PLAN_WORKERS_MAX
 *   -ENODEV  a CPU is not in the topology: gone, or not allowed to this process
 *   -ENOMEM  out of memory
 */
WEFT_API int weft_plan_create_from_cpus(weft_plan **plan, const weft_topology *topology,
					const unsigned *cpus, unsigned count);

/*
 * Frees the plan; NULL is allowed.
 * Threads: one, after the last reader. Progress: blocking (the allocator's).
 */
WEFT_API void weft_plan_destroy(weft_plan *plan);

/*
 * How many workers: at least 1, at most WEFT_PLAN_WORKERS_MAX.
 * Threads: any. Progress: wait-free.
 */
WEFT_API unsigned weft_plan_workers(const weft_plan *plan);

/*
 * Whether two workers share a PU. They then take turns: spinning for each other is wasted.
 * Threads: any. Progress: wait-free.
 */
WEFT_API bool weft_plan_oversubscribed(const weft_plan *plan);

/*
 * The CPU of the worker, and the NUMA node of its memory (both as Linux numbers them; the node is
 * for weft_memory_alloc).
 * Threads: any. Progress: wait-free. The worker must be one of the plan's.
 */
WEFT_API unsigned weft_plan_cpu(const weft_plan *plan, unsigned worker);
WEFT_API unsigned weft_plan_node(const weft_plan *plan, unsigned worker);

/*
 * The other workers, nearest first: weft_plan_workers - 1 entries, to be tried in this order by a
 * worker that looks for work. At one distance each worker begins with the one after itself, so that
 * not all thieves go to the same victim.
 *
 * Threads: any. Progress: wait-free. The worker must be one of the plan's.
 * Returns an array that lives as long as the plan; not to be read when the worker is alone.
 */
WEFT_API const uint16_t *weft_plan_victims(const weft_plan *plan, unsigned worker);

/*
 * The worker nearest to a CPU (Linux number): where a thread that runs there submits its work.
 * CPUs that are equally near to several workers are dealt out among them.
 *
 * Threads: any. Progress: wait-free, one load.
 * Returns a worker of the plan for any number, also of a CPU that the plan does not know.
 */
WEFT_API unsigned weft_plan_worker_near(const weft_plan *plan, unsigned cpu);

/*
 * Binds the calling thread to the CPU of the worker. On an error the thread stays as it was and may
 * go on, unbound.
 *
 * Threads: the one to be bound. Progress: blocking (one system call).
 * Returns 0, or
 *   -EINVAL  the worker is not one of the plan's
 *   -EPERM   this process may not bind its threads
 *   -ENODEV  the CPU is gone: offline, or no longer allowed to this process
 *   -ENOTSUP the plan is for another machine (weft_topology_is_this_machine said no)
 *   another negative errno of sched_setaffinity, such as -ENOSYS where a sandbox forbids the call
 */
WEFT_API int weft_plan_bind(const weft_plan *plan, unsigned worker);

WEFT_END_DECLS

#endif
