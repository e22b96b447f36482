/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_FORK_SCENARIOS_H
#define WEFT_BENCH_FORK_SCENARIOS_H

/*
 * What is measured of fork-join, as one template for all. A way to fork is a class of
 *     forks(unsigned workers), long fib(), skynet(), queens(), uts(),
 *     void multiply(matrices &), strassen(matrices &), sort(numbers, space), knapsack(things)
 * and group_forks makes one of what has groups of calls (see fork_programs.h).
 */

#include <map>
#include <memory>
#include <string>

#include "fork_programs.h"
#include "harness.h"
#include "registry.h"

namespace bench
{

/* An arena has a type of group, and calls something where such groups may be used. */
template <class Arena> class group_forks
{
	using group = typename Arena::group;

      public:
	explicit group_forks(unsigned workers) : arena_(workers) {}

	long fib()
	{
		return arena_.call([] { return group_fib<group>(fib_argument); });
	}

	long skynet()
	{
		return arena_.call([] { return group_skynet<group>(0, skynet_size); });
	}

	long queens()
	{
		return arena_.call([] { return group_queens<group>(0, board()); });
	}

	long uts()
	{
		return arena_.call([] { return group_uts_of_root<group>(); });
	}

	void multiply(matrices &all)
	{
		arena_.call([&all] {
			group_multiply<group>(all.a.data(), all.b.data(), all.product.data(),
					      matrix_rows);
			return 0L;
		});
	}

	void strassen(matrices &all)
	{
		arena_.call([&all] {
			group_strassen<group>({all.a.data(), matrix_rows},
					      {all.b.data(), matrix_rows}, all.product.data(),
					      matrix_rows);
			return 0L;
		});
	}

	void sort(uint32_t *numbers, uint32_t *space)
	{
		arena_.call([=] {
			group_sort<group>(numbers, space, sort_count);
			return 0L;
		});
	}

	void knapsack(const thing *things)
	{
		arena_.call([=] {
			group_knapsack<group>(things, knapsack_things, knapsack_capacity, 0);
			return 0L;
		});
	}

      private:
	Arena arena_;
};

/* One way to fork, and what the programs work on: each program is a function that runs it, and one
 * that says whether its result is right, and makes ready for the next run. */
template <class Forks> class fork_programs
{
      public:
	explicit fork_programs(unsigned workers) : forks_(workers) {}

	void fib()
	{
		value_ = forks_.fib();
	}

	void skynet()
	{
		value_ = forks_.skynet();
	}

	void queens()
	{
		value_ = forks_.queens();
	}

	void uts()
	{
		value_ = forks_.uts();
	}

	template <long Value> bool is_value()
	{
		return value_ == Value;
	}

	void multiply()
	{
		forks_.multiply(matrices_);
	}

	void strassen()
	{
		forks_.strassen(matrices_);
	}

	bool is_product()
	{
		return matrices_.is_product();
	}

	void sort()
	{
		forks_.sort(numbers_.data(), space_.data());
	}

	bool is_sorted()
	{
		bool right = numbers_ == sorted_;

		numbers_ = unsorted_;
		return right;
	}

	void knapsack()
	{
		forks_.knapsack(things_.data());
	}

	bool is_knapsack_value()
	{
		return knapsack_best.exchange(0) == knapsack_value_;
	}

      private:
	Forks forks_;
	long value_ = -1;
	matrices matrices_;
	const std::vector<uint32_t> unsorted_ = unsorted_numbers(), sorted_ = sorted_numbers();
	std::vector<uint32_t> numbers_ = unsorted_, space_ = unsorted_;
	std::vector<thing> things_ = things_to_carry();
	int knapsack_value_ = knapsack_value();
};

template <class Forks> struct fork_program {
	const char *name;
	void (fork_programs<Forks>::*run)();
	bool (fork_programs<Forks>::*is_right)();
	double calls;
};

template <class Forks> std::vector<fork_program<Forks>> all_fork_programs()
{
	using programs = fork_programs<Forks>;

	return {{"fib", &programs::fib, &programs::template is_value<fib_value>, fib_calls},
		{"skynet", &programs::skynet, &programs::template is_value<skynet_value>,
		 skynet_calls},
		{"queens", &programs::queens, &programs::template is_value<queens_value>,
		 queens_calls},
		{"uts", &programs::uts, &programs::template is_value<uts_value>, uts_calls},
		{"matmul", &programs::multiply, &programs::is_product, 1},
		{"strassen", &programs::strassen, &programs::is_product, 1},
		{"sort", &programs::sort, &programs::is_sorted, 1},
		{"knapsack", &programs::knapsack, &programs::is_knapsack_value, 1}};
}

/* Makes runs until the time is up; each must be right. The time is that of one of its calls. */
template <class Forks> result measure_forks(unsigned workers, const fork_program<Forks> &program)
{
	auto programs = std::make_unique<fork_programs<Forks>>(workers);
	double runs = 0, ns = 0;

	/* The first one only warms up. */
	for (bool first = true; ns < current_settings().run_ms * 1e6; first = false) {
		double begin_ns = now_ns();

		(programs.get()->*program.run)();

		double end_ns = now_ns();

		if (!(programs.get()->*program.is_right)())
			return {.wrong = "a wrong result"};
		if (first)
			continue;
		ns += end_ns - begin_ns;
		runs++;
	}
	return {.ns = ns / runs / program.calls};
}

/* One worker, two, four and so on, and one for each core; and what the name of a benchmark says of
 * it. */
inline std::map<unsigned, std::string> worker_counts()
{
	unsigned cores = placement::instance().places();
	std::map<unsigned, std::string> counts;

	for (unsigned workers = 2; workers < cores; workers *= 2)
		counts[workers].append("_").append(std::to_string(workers)).append("_workers");
	counts[cores] = "_all_cores";
	counts[1] = "_1_worker";
	return counts;
}

/* Without `searches`: not the program whose work depends on the order of the calls, of which there
 * may be a hundred times as many. */
template <class Forks> void add_forks(const std::string &name, role role, bool searches = true)
{
	for (const fork_program<Forks> &each : all_fork_programs<Forks>()) {
		if (each.run == &fork_programs<Forks>::knapsack && !searches)
			continue;
		for (const auto &[workers, named] : worker_counts()) {
			auto measure = [each, count = workers] {
				return measure_forks(count, each);
			};

			add("forkjoin", each.name + named, unit::time,
			    {.name = name, .role = role, .measure = measure, .warms_up = true});
		}
	}
}

} // namespace bench

#endif
