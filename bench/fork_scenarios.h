/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_FORK_SCENARIOS_H
#define WEFT_BENCH_FORK_SCENARIOS_H

/*
 * What is measured of fork-join, as one template for all. A way to fork is a class of
 *     forks(unsigned workers), long fib(), skynet(), queens(), uts(),
 *     void multiply(matrices &), strassen(matrices &), sort(numbers, space), knapsack(things)
 * and group_forks makes one of what has groups of calls (see fork_programs.h).
 */

#include <memory>

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

/* One way to fork, and what the programs work on; each returns whether its result is right. */
template <class Forks> class fork_programs
{
      public:
	explicit fork_programs(unsigned workers) : forks_(workers) {}

	bool fib()
	{
		return forks_.fib() == fib_value;
	}

	bool skynet()
	{
		return forks_.skynet() == skynet_value;
	}

	bool queens()
	{
		return forks_.queens() == queens_value;
	}

	bool uts()
	{
		return forks_.uts() == uts_value;
	}

	/* Only the first product is looked at, which takes as long as to make it. */
	bool multiply()
	{
		forks_.multiply(matrices_);
		return products_++ > 0 || matrices_.is_product();
	}

	bool strassen()
	{
		forks_.strassen(matrices_);
		return products_++ > 0 || matrices_.is_product();
	}

	bool sort()
	{
		numbers_ = unsorted_;
		forks_.sort(numbers_.data(), space_.data());
		return std::is_sorted(numbers_.begin(), numbers_.end());
	}

	bool knapsack()
	{
		knapsack_best = 0;
		forks_.knapsack(things_.data());
		return knapsack_best == knapsack_value_;
	}

      private:
	Forks forks_;
	matrices matrices_;
	int products_ = 0;
	std::vector<uint32_t> unsorted_ = unsorted_numbers(), numbers_, space_ = unsorted_;
	std::vector<thing> things_ = things_to_carry();
	int knapsack_value_ = knapsack_value();
};

/* Makes runs until the time is up; each must be right. The time is that of one of its calls. */
template <class Forks>
result measure_forks(unsigned workers, bool (fork_programs<Forks>::*run)(), double calls)
{
	auto programs = std::make_unique<fork_programs<Forks>>(workers);
	double runs = 0, begin, end;

	if (!(programs.get()->*run)())
		return {.wrong = "a wrong result"};
	begin = now_ns();
	do {
		if (!(programs.get()->*run)())
			return {.wrong = "a wrong result"};
		runs++;
		end = now_ns();
	} while (end - begin < current_settings().run_ms * 1e6);
	return {.ns = (end - begin) / runs / calls};
}

/* Without `searches`: not the program whose work depends on the order of the calls, of which there
 * may be a hundred times as many. */
template <class Forks> void add_forks(const std::string &name, role role, bool searches = true)
{
	using programs = fork_programs<Forks>;

	struct program {
		const char *name;
		bool (programs::*run)();
		double calls;
	};

	for (const program &each :
	     {program{"fib", &programs::fib, fib_calls},
	      program{"skynet", &programs::skynet, skynet_calls},
	      program{"queens", &programs::queens, queens_calls},
	      program{"uts", &programs::uts, uts_calls}, program{"matmul", &programs::multiply, 1},
	      program{"strassen", &programs::strassen, 1}, program{"sort", &programs::sort, 1},
	      program{"knapsack", &programs::knapsack, 1}}) {
		if (each.run == &programs::knapsack && !searches)
			continue;
		for (unsigned workers : {1u, placement::instance().places()})
			add("forkjoin",
			    std::string(each.name) + (workers == 1 ? "_1_worker" : "_all_cores"),
			    unit::time,
			    {name, role,
			     [=] { return measure_forks<Forks>(workers, each.run, each.calls); }});
	}
}

} // namespace bench

#endif
