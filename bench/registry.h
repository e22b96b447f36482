/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_REGISTRY_H
#define WEFT_BENCH_REGISTRY_H

/*
 * The benchmarks there are. One is named structure/scenario/variant; the variants of a structure
 * and a scenario form a group: they do the same work, and are compared.
 */

#include <functional>
#include <string>
#include <vector>

namespace bench
{

/* What a variant is to the comparison. */
enum class role {
	weft,
	baseline, /* what one writes without weft: a mutex, mostly */
	floor,    /* what the machine allows, with nothing around it */
	peer,     /* another library */
};

/* How a group's figures are shown. */
enum class unit {
	rate,
	time,
	bytes /* what is a time elsewhere is their number */
};

/* Of one measurement. */
struct result {
	double ns = 0;     /* per element or operation; the median where single ones are timed */
	double p99_ns = 0; /* 0: single operations are not timed */
	double p999_ns = 0;
	double p9999_ns = 0;
	double arrivals_per_us = 0;  /* under load: the rate at which they came */
	bool alone = false;          /* one thread did it, see worked_alone() */
	const char *wrong = nullptr; /* what was wrong: there is no figure then */
};

struct variant {
	std::string name;
	bench::role role;
	std::function<result()> measure;
	bool thorough = false; /* the short suite leaves it out */
	bool warms_up = false; /* by itself, or needs it not */
};

struct group {
	std::string structure;
	std::string scenario;
	bench::unit unit;
	std::vector<variant> variants;

	std::string name() const
	{
		return structure + "/" + scenario;
	}
};

/* structure/scenario/variant */
std::string name_of(const group &group, const variant &variant);

/* All groups, in the order in which their first variants were added. */
std::vector<group> &groups();

void add(const std::string &structure, const std::string &scenario, unit unit, variant variant);

void add_mpmc_lockfree();
void add_mpmc_queue();
void add_mpmc_unbounded();
void add_mpsc_queue();
void add_spsc_queue();
void add_stack();
void add_deque();
void add_priority_queue();
void add_multiqueue();
void add_counter();
void add_gauge();
void add_histogram();
void add_rcu_ptr();
void add_seqlock();
void add_object_pool();
void add_park();
void add_eventcount();
void add_pool();
void add_pool_policies();
void add_future();
void add_strand();
void add_forkjoin();
void add_fiber();
void add_timer();

} // namespace bench

#endif
