/* SPDX-License-Identifier: Apache-2.0 */

/*
 * forkjoin: the programs of fork_programs.h, on one worker and on one for each core, against the
 * same recursion in plain C++. The time is that of one call, or of the whole where calls are of all
 * sizes.
 */

#include <algorithm>

#include <weft/pool/forkjoin.h>

#include "fork_scenarios.h"
#include "harness.h"
#include "pinned_pool.h"
#include "registry.h"

namespace bench
{

namespace
{

WEFT_FORKABLE_1(long, fib, int);

long fib(weft_fork at, int n)
{
	if (n < 2)
		return n;
	fib_fork(&at, n - 1);

	long b = fib(at, n - 2);

	return fib_join(&at) + b;
}

WEFT_FORKABLE_2(long, skynet, long, long);

long skynet(weft_fork at, long base, long size)
{
	if (size == 1) [[likely]]
		return base;
	size /= 10;
	for (int i = 0; i < 9; i++)
		skynet_fork(&at, base + size * i, size);

	long sum = skynet(at, base + size * 9, size);

	for (int i = 0; i < 9; i++)
		sum += skynet_join(&at);
	return sum;
}

WEFT_FORKABLE_2(long, queens, int, board);

long queens(weft_fork at, int row, board placed)
{
	int forked = 0;
	long solutions = 0;

	if (row == board_size)
		return 1;
	for (int column = 0; column < board_size; column++) {
		if (placed.is_free(row, column)) {
			queens_fork(&at, row + 1, placed.with(row, column));
			forked++;
		}
	}
	while (forked-- > 0)
		solutions += queens_join(&at);
	return solutions;
}

WEFT_FORKABLE_2(long, uts, uint64_t, int);

long uts(weft_fork at, uint64_t node, int depth)
{
	int branches = uts_branches(node, depth);

	if (branches == 0)
		return 1;
	for (int i = 0; i < branches - 1; i++)
		uts_fork(&at, uts_child(node, i), depth + 1);

	long nodes = 1 + uts(at, uts_child(node, branches - 1), depth + 1);

	for (int i = 0; i < branches - 1; i++)
		nodes += uts_join(&at);
	return nodes;
}

WEFT_FORKABLE_VOID_4(multiply, const double *, const double *, double *, int);

void multiply(weft_fork at, const double *a, const double *b, double *product, int rows)
{
	if (rows <= matrix_leaf) {
		multiply_leaf(a, b, product, rows);
		return;
	}
	for (int half = 0; half < 2; half++) {
		for (int i = 0; i < 4; i++)
			multiply_fork(&at, quarter(a, rows, i / 2, half),
				      quarter(b, rows, half, i % 2),
				      quarter(product, rows, i / 2, i % 2), rows / 2);
		for (int i = 0; i < 4; i++)
			multiply_join(&at);
	}
}

WEFT_FORKABLE_VOID_4(strassen, square, square, double *, int);

void strassen(weft_fork at, square a, square b, double *product, int rows)
{
	if (rows <= strassen_leaf) {
		strassen_multiply_leaf(a, b, product, rows);
		return;
	}

	strassen_step step(a, b, rows);

	for (size_t i = 0; i < 7; i++)
		strassen_fork(&at, step.left[i], step.right[i], step.product[i], step.rows());
	for (int i = 0; i < 7; i++)
		strassen_join(&at);
	step.finish(product);
}

WEFT_FORKABLE_VOID_5(merge, const uint32_t *, size_t, const uint32_t *, size_t, uint32_t *);

void merge(weft_fork at, const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count,
	   uint32_t *to)
{
	if (a_count + b_count <= sort_leaf) {
		merge_few(a, a_count, b, b_count, to);
		return;
	}

	merge_halves cut(a, a_count, b, b_count);

	merge_fork(&at, cut.a, cut.a_cut, cut.b, cut.b_cut, to);
	merge(at, cut.a + cut.a_cut, cut.a_count - cut.a_cut, cut.b + cut.b_cut,
	      cut.b_count - cut.b_cut, to + cut.a_cut + cut.b_cut);
	merge_join(&at);
}

WEFT_FORKABLE_VOID_3(sort, uint32_t *, uint32_t *, size_t);

void sort(weft_fork at, uint32_t *numbers, uint32_t *space, size_t count)
{
	size_t half = count / 2, part = half / 2;

	if (count <= sort_leaf) {
		sort_few(numbers, count);
		return;
	}
	for (size_t i = 0; i < 4; i++)
		sort_fork(&at, numbers + i * part, space + i * part, part);
	for (int i = 0; i < 4; i++)
		sort_join(&at);
	merge_fork(&at, numbers, part, numbers + part, part, space);
	merge(at, numbers + half, part, numbers + half + part, part, space + half);
	merge_join(&at);
	merge(at, space, half, space + half, half, numbers);
}

WEFT_FORKABLE_VOID_4(knapsack, const thing *, int, int, int);

void knapsack(weft_fork at, const thing *next, int left, int capacity, int worth)
{
	if (knapsack_is_over(next, left, capacity, worth))
		return;
	knapsack_fork(&at, next + 1, left - 1, capacity, worth);
	knapsack(at, next + 1, left - 1, capacity - next->weight, worth + next->worth);
	knapsack_join(&at);
}

class weft_forks
{
      public:
	explicit weft_forks(unsigned workers) : pool_(0, workers) {}

	long fib()
	{
		long value = -1;

		fib_run(pool_, &value, fib_argument);
		return value;
	}

	long skynet()
	{
		long value = -1;

		skynet_run(pool_, &value, 0, skynet_size);
		return value;
	}

	long queens()
	{
		long value = -1;

		queens_run(pool_, &value, 0, board());
		return value;
	}

	long uts()
	{
		long value = -1;

		uts_run(pool_, &value, uts_root, 0);
		return value;
	}

	void multiply(matrices &all)
	{
		multiply_run(pool_, all.a.data(), all.b.data(), all.product.data(), matrix_rows);
	}

	void strassen(matrices &all)
	{
		strassen_run(pool_, {all.a.data(), matrix_rows}, {all.b.data(), matrix_rows},
			     all.product.data(), matrix_rows);
	}

	void sort(uint32_t *numbers, uint32_t *space)
	{
		sort_run(pool_, numbers, space, sort_count);
	}

	void knapsack(const thing *things)
	{
		knapsack_run(pool_, things, knapsack_things, knapsack_capacity, 0);
	}

      private:
	pinned_pool pool_;
};

/* One thread, without any forks. */
struct alone {
	struct group {
		template <class Call> void run(const Call &call)
		{
			call();
		}

		void wait() {}
	};

	explicit alone(unsigned) {}

	template <class Call> long call(const Call &call)
	{
		return call();
	}
};

/* Where a call does next to nothing, as one writes it: in plain C. */
class serial : public group_forks<alone>
{
      public:
	using group_forks<alone>::group_forks;

	long fib()
	{
		return fib_alone(unforeseen(fib_argument));
	}

	long skynet()
	{
		return skynet_alone(0, unforeseen(skynet_size));
	}

	long queens()
	{
		return queens_alone(unforeseen(0), board());
	}

	long uts()
	{
		return uts_alone(unforeseen(uts_root), 0);
	}

	/* In the order of the others, for how much there is to do depends on it. */
	void knapsack(const thing *things)
	{
		knapsack_alone(things, knapsack_things, knapsack_capacity, 0);
	}

      private:
	/* Else the compiler makes the calls once for all runs, or a loop of every other one. */
	template <class Value> static Value unforeseen(Value value)
	{
		__asm__ __volatile__("" : "+r"(value));
		return value;
	}

	__attribute__((noinline)) static long fib_alone(int n)
	{
		if (n < 2)
			return n;

		long a = unforeseen(fib_alone(n - 1));

		return a + unforeseen(fib_alone(n - 2));
	}

	__attribute__((noinline)) static long skynet_alone(long base, long size)
	{
		long sum = 0;

		if (size == 1) [[likely]]
			return base;
		size /= 10;
		for (int i = 0; i < 10; i++)
			sum += unforeseen(skynet_alone(base + size * i, size));
		return sum;
	}

	__attribute__((noinline)) static long queens_alone(int row, board placed)
	{
		long solutions = 0;

		if (row == board_size)
			return 1;
		for (int column = 0; column < board_size; column++)
			if (placed.is_free(row, column))
				solutions +=
					unforeseen(queens_alone(row + 1, placed.with(row, column)));
		return solutions;
	}

	__attribute__((noinline)) static void knapsack_alone(const thing *next, int left,
							     int capacity, int worth)
	{
		if (knapsack_is_over(next, left, capacity, worth))
			return;
		knapsack_alone(next + 1, left - 1, capacity - next->weight, worth + next->worth);
		knapsack_alone(next + 1, left - 1, capacity, worth);
	}

	__attribute__((noinline)) static long uts_alone(uint64_t node, int depth)
	{
		int branches = uts_branches(node, depth);
		long nodes = 1;

		for (int i = 0; i < branches; i++)
			nodes += unforeseen(uts_alone(uts_child(node, i), depth + 1));
		return nodes;
	}
};

} // namespace

void add_forkjoin()
{
	add_forks<weft_forks>("weft", role::weft);
	add_forks<serial>("serial", role::baseline);
}

} // namespace bench
