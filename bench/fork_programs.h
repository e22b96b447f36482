/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_FORK_PROGRAMS_H
#define WEFT_BENCH_FORK_PROGRAMS_H

/*
 * The recursions that the literature measures fork-join with: what they work on, what each comes
 * to, and the recursions themselves for whatever has a group of calls: Group group;
 * group.run(callable); group.wait();
 *
 * What the leaves of the large ones do is never inlined, and so is one and the same code for all
 * that one compiler has built: copies of it, here and there, differed by a tenth.
 */

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

namespace bench
{

/* The 27th Fibonacci number by the definition: 635,621 calls that do nothing. */
constexpr int fib_argument = 27;
constexpr long fib_value = 196418;
constexpr double fib_calls = 635621;

template <class Group> long group_fib(int n)
{
	long a, b;

	if (n < 2)
		return n;

	Group group;

	group.run([&a, n] { a = group_fib<Group>(n - 1); });
	b = group_fib<Group>(n - 2);
	group.wait();
	return a + b;
}

/* A tree of ten branches at each node, and the sum of its 100,000 leaves. */
constexpr long skynet_size = 100000;
constexpr long skynet_value = skynet_size * (skynet_size - 1) / 2;
constexpr double skynet_calls = 111111;

template <class Group> long group_skynet(long base, long size)
{
	std::array<long, 9> parts;
	long sum;

	/* Of ten calls nine end here. */
	if (size == 1) [[likely]]
		return base;
	size /= 10;

	Group group;

	for (size_t i = 0; i < parts.size(); i++)
		group.run([&parts, base, size, i] {
			parts[i] = group_skynet<Group>(base + size * static_cast<long>(i), size);
		});
	sum = group_skynet<Group>(base + size * 9, size);
	group.wait();
	return std::accumulate(parts.begin(), parts.end(), sum);
}

/* Ten queens: 35,539 calls, which carry a board. */
constexpr int board_size = 10;
constexpr long queens_value = 724;
constexpr double queens_calls = 35539;

/* The columns of the queens in the rows so far. */
struct board {
	std::array<signed char, 16> column{};

	bool is_free(int row, int wanted) const
	{
		for (int above = 0; above < row; above++) {
			int distance = column[static_cast<size_t>(above)] - wanted;

			if (distance == 0 || distance == row - above || distance == above - row)
				return false;
		}
		return true;
	}

	board with(int row, int wanted) const
	{
		board after = *this;

		after.column[static_cast<size_t>(row)] = static_cast<signed char>(wanted);
		return after;
	}
};

template <class Group> long group_queens(int row, const board &placed)
{
	std::array<long, board_size> parts{};

	if (row == board_size)
		return 1;

	Group group;

	for (int column = 0; column < board_size; column++)
		if (placed.is_free(row, column))
			group.run([&parts, row, column, next = placed.with(row, column)] {
				parts[static_cast<size_t>(column)] =
					group_queens<Group>(row + 1, next);
			});
	group.wait();
	return std::accumulate(parts.begin(), parts.end(), 0L);
}

/*
 * An unbalanced tree as in UTS, though of a cheaper hash: its root has 1000 children, any other
 * node 8 with a probability a little below 1/8, else none. So no subtree tells its size.
 */
constexpr uint64_t uts_root = 42;
constexpr int uts_root_children = 1000;
constexpr int uts_children = 8;
constexpr long uts_value = 92865;
constexpr double uts_calls = uts_value;

inline uint64_t uts_hash(uint64_t number)
{
	number += 0x9E3779B97F4A7C15u;
	number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9u;
	number = (number ^ number >> 27) * 0x94D049BB133111EBu;
	return number ^ number >> 31;
}

inline uint64_t uts_child(uint64_t node, int index)
{
	return uts_hash(node * 31 + static_cast<uint64_t>(index) + 1);
}

inline int uts_branches(uint64_t node, int depth)
{
	if (depth == 0)
		return uts_root_children;
	return static_cast<double>(uts_hash(node) >> 11) * 0x1p-53 < 0.124875 ? uts_children : 0;
}

template <class Group> long group_uts(uint64_t node)
{
	std::array<long, uts_children> parts;
	int branches = uts_branches(node, 1);

	if (branches == 0)
		return 1;

	Group group;

	for (int i = 0; i < branches; i++)
		group.run([&parts, node, i] {
			parts[static_cast<size_t>(i)] = group_uts<Group>(uts_child(node, i));
		});
	group.wait();
	return std::accumulate(parts.begin(), parts.begin() + branches, 1L);
}

template <class Group> long group_uts_of_root()
{
	std::vector<long> parts(uts_root_children);
	Group group;

	for (int i = 0; i < uts_root_children; i++)
		group.run([&parts, i] {
			parts[static_cast<size_t>(i)] = group_uts<Group>(uts_child(uts_root, i));
		});
	group.wait();
	return std::accumulate(parts.begin(), parts.end(), 1L);
}

/* The product of two matrices of numbers, by quarters; below 32 rows by the definition. */
constexpr int matrix_rows = 256;
constexpr int matrix_leaf = 32;

struct matrices {
	std::vector<double> a, b, product;

	matrices()
	    : a(matrix_rows * matrix_rows), b(matrix_rows * matrix_rows),
	      product(matrix_rows * matrix_rows)
	{
		for (size_t i = 0; i < a.size(); i++) {
			a[i] = static_cast<double>(i % 7);
			b[i] = static_cast<double>(i % 5);
		}
	}

	/*
	 * Whether `product` is that, by Freivalds: what both sides make of a vector by chance
	 * agrees, which a wrong product does in one of a million cases. All are whole numbers below
	 * 2^53, so that the sums can be taken in any order. Clears it, to be added up once more.
	 */
	bool is_product()
	{
		std::vector<double> vector(matrix_rows);

		for (double &number : vector) {
			chance_ = chance_ * 6364136223846793005u + 1442695040888963407u;
			number = static_cast<double>(chance_ >> 44);
		}

		bool right = of_vector(product, vector) == of_vector(a, of_vector(b, vector));

		std::fill(product.begin(), product.end(), 0);
		return right;
	}

      private:
	static std::vector<double> of_vector(const std::vector<double> &matrix,
					     const std::vector<double> &vector)
	{
		std::vector<double> result;

		for (auto row = matrix.begin(); row != matrix.end(); row += matrix_rows)
			result.push_back(
				std::inner_product(vector.begin(), vector.end(), row, 0.0));
		return result;
	}

	uint64_t chance_ = 1;
};

/* Adds the product of two squares of so many rows, which are parts of the matrices. */
[[gnu::noinline]] inline void multiply_leaf(const double *a, const double *b, double *product,
					    int rows)
{
	for (int i = 0; i < rows; i++)
		for (int k = 0; k < rows; k++)
			for (int j = 0; j < rows; j++)
				product[i * matrix_rows + j] +=
					a[i * matrix_rows + k] * b[k * matrix_rows + j];
}

/* The quarter of a part of a matrix. */
template <class Number> Number *quarter(Number *part, int rows, int down, int right)
{
	return part + (down * matrix_rows + right) * (rows / 2);
}

/* The quarters get two products each, which must not be added at once. */
template <class Group>
void group_multiply(const double *a, const double *b, double *product, int rows)
{
	if (rows <= matrix_leaf) {
		multiply_leaf(a, b, product, rows);
		return;
	}
	for (int half = 0; half < 2; half++) {
		Group group;

		for (int i = 0; i < 4; i++)
			group.run([=] {
				group_multiply<Group>(quarter(a, rows, i / 2, half),
						      quarter(b, rows, half, i % 2),
						      quarter(product, rows, i / 2, i % 2),
						      rows / 2);
			});
		group.wait();
	}
}

/* Squares of so many rows are multiplied by the definition by strassen, too. */
constexpr int strassen_leaf = 64;

/* A square of numbers, and how many of them are from one of its rows to the next. */
struct square {
	const double *numbers;
	long stride;

	const double *row(int i) const
	{
		return numbers + i * stride;
	}
};

inline square quarter(square whole, int rows, int down, int right)
{
	return {whole.row(down * rows / 2) + right * rows / 2, whole.stride};
}

/* Of one step of Strassen's multiplication: its seven products, which may be made at once, of
 * quarters and sums of them; and what they come to. A product has no gaps between its rows. */
class strassen_step
{
      public:
	[[gnu::noinline]] strassen_step(square a, square b, int rows)
	    : half_(rows / 2), count_(static_cast<size_t>(half_) * static_cast<size_t>(half_)),
	      space_(new double[17 * count_])
	{
		square a11 = quarter(a, rows, 0, 0), a12 = quarter(a, rows, 0, 1),
		       a21 = quarter(a, rows, 1, 0), a22 = quarter(a, rows, 1, 1),
		       b11 = quarter(b, rows, 0, 0), b12 = quarter(b, rows, 0, 1),
		       b21 = quarter(b, rows, 1, 0), b22 = quarter(b, rows, 1, 1);

		left = {sum(a11, a22),     sum(a21, a22),    a11, a22, sum(a11, a12),
			sum(a21, a11, -1), sum(a12, a22, -1)};
		right = {sum(b11, b22), b11,           sum(b12, b22, -1), sum(b21, b11, -1),
			 b22,           sum(b11, b12), sum(b21, b22)};
		for (double *&each : product)
			each = next_space();
	}

	int rows() const
	{
		return half_;
	}

	[[gnu::noinline]] void finish(double *whole) const
	{
		long stride = 2L * half_;

		for (size_t i = 0; i < count_; i++) {
			auto row = static_cast<long>(i) / half_,
			     column = static_cast<long>(i) % half_;
			double *to = whole + row * stride + column;

			to[0] = product[0][i] + product[3][i] - product[4][i] + product[6][i];
			to[half_] = product[2][i] + product[4][i];
			to[half_ * stride] = product[1][i] + product[3][i];
			to[half_ * stride + half_] =
				product[0][i] - product[1][i] + product[2][i] + product[5][i];
		}
	}

	std::array<square, 7> left, right;
	std::array<double *, 7> product;

      private:
	double *next_space()
	{
		return space_.get() + count_ * used_++;
	}

	square sum(square a, square b, int sign = 1)
	{
		double *to = next_space();

		for (int i = 0; i < half_; i++)
			for (int j = 0; j < half_; j++)
				to[i * half_ + j] = a.row(i)[j] + sign * b.row(i)[j];
		return {to, half_};
	}

	int half_;
	size_t count_, used_ = 0;
	std::unique_ptr<double[]> space_;
};

[[gnu::noinline]] inline void strassen_multiply_leaf(square a, square b, double *__restrict product,
						     int rows)
{
	std::fill(product, product + rows * rows, 0);
	for (int i = 0; i < rows; i++)
		for (int k = 0; k < rows; k++)
			for (int j = 0; j < rows; j++)
				product[i * rows + j] += a.row(i)[k] * b.row(k)[j];
}

template <class Group> void group_strassen(square a, square b, double *product, int rows)
{
	if (rows <= strassen_leaf) {
		strassen_multiply_leaf(a, b, product, rows);
		return;
	}

	strassen_step step(a, b, rows);
	Group group;

	for (size_t i = 0; i < 7; i++)
		group.run([&step, i] {
			group_strassen<Group>(step.left[i], step.right[i], step.product[i],
					      step.rows());
		});
	group.wait();
	step.finish(product);
}

/* A merge sort whose merges are split, too: that of Cilk. */
constexpr size_t sort_count = 1 << 17;
constexpr size_t sort_leaf = 2048;

inline std::vector<uint32_t> unsorted_numbers()
{
	std::vector<uint32_t> numbers(sort_count);
	uint32_t next = 1;

	for (uint32_t &number : numbers)
		number = next = next * 1664525 + 1013904223;
	return numbers;
}

inline std::vector<uint32_t> sorted_numbers()
{
	std::vector<uint32_t> numbers = unsorted_numbers();

	std::sort(numbers.begin(), numbers.end());
	return numbers;
}

/* Two sorted ranges, the longer one first, and where each is cut so that the halves can be merged
 * apart from each other. */
struct merge_halves {
	const uint32_t *a, *b;
	size_t a_count, b_count, a_cut, b_cut;

	merge_halves(const uint32_t *one, size_t count, const uint32_t *other, size_t other_count)
	    : a(one), b(other), a_count(count), b_count(other_count)
	{
		if (a_count < b_count) {
			std::swap(a, b);
			std::swap(a_count, b_count);
		}
		a_cut = a_count / 2;
		b_cut = static_cast<size_t>(std::lower_bound(b, b + b_count, a[a_cut]) - b);
	}
};

[[gnu::noinline]] inline void sort_few(uint32_t *numbers, size_t count)
{
	std::sort(numbers, numbers + count);
}

[[gnu::noinline]] inline void merge_few(const uint32_t *a, size_t a_count, const uint32_t *b,
					size_t b_count, uint32_t *to)
{
	std::merge(a, a + a_count, b, b + b_count, to);
}

template <class Group>
void group_merge(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count, uint32_t *to)
{
	if (a_count + b_count <= sort_leaf) {
		merge_few(a, a_count, b, b_count, to);
		return;
	}

	merge_halves cut(a, a_count, b, b_count);
	Group group;

	group.run([&cut, to] { group_merge<Group>(cut.a, cut.a_cut, cut.b, cut.b_cut, to); });
	group_merge<Group>(cut.a + cut.a_cut, cut.a_count - cut.a_cut, cut.b + cut.b_cut,
			   cut.b_count - cut.b_cut, to + cut.a_cut + cut.b_cut);
	group.wait();
}

template <class Group> void group_sort(uint32_t *numbers, uint32_t *space, size_t count)
{
	size_t half = count / 2, part = half / 2;

	if (count <= sort_leaf) {
		sort_few(numbers, count);
		return;
	}

	Group group;

	for (size_t i = 0; i < 4; i++)
		group.run([=] { group_sort<Group>(numbers + i * part, space + i * part, part); });
	group.wait();
	group.run([=] { group_merge<Group>(numbers, part, numbers + part, part, space); });
	group_merge<Group>(numbers + half, part, numbers + half + part, part, space + half);
	group.wait();
	group_merge<Group>(space, half, space + half, half, numbers);
}

/*
 * What is worth most of what can be carried, by taking or leaving one thing after the other and
 * giving up where the best so far is out of reach: how much there is to do depends on the order.
 */
struct thing {
	int weight, worth;
};

constexpr int knapsack_things = 60;
constexpr int knapsack_capacity = 1777;

/* Sorted by their worth per weight. */
inline std::vector<thing> things_to_carry()
{
	std::vector<thing> things(knapsack_things);
	uint32_t next = 7;

	for (thing &each : things) {
		next = next * 1664525 + 1013904223;
		each.weight = 20 + static_cast<int>(next >> 24) % 80;
		each.worth = each.weight + static_cast<int>(next >> 16) % 10;
	}
	std::sort(things.begin(), things.end(), [](const thing &a, const thing &b) {
		return a.worth * b.weight > b.worth * a.weight;
	});
	return things;
}

/* The best found so far, by any thread. */
inline std::atomic<int> knapsack_best;

inline void knapsack_found(int worth)
{
	int best = knapsack_best.load(std::memory_order_relaxed);

	while (worth > best && !knapsack_best.compare_exchange_weak(best, worth))
		;
}

/* Whether it is of no use to go on from here. */
inline bool knapsack_is_over(const thing *next, int left, int capacity, int worth)
{
	if (capacity < 0)
		return true;
	knapsack_found(worth);
	return left == 0 || worth + static_cast<double>(capacity) * next->worth / next->weight <=
				    knapsack_best.load(std::memory_order_relaxed);
}

template <class Group> void group_knapsack(const thing *next, int left, int capacity, int worth)
{
	if (knapsack_is_over(next, left, capacity, worth))
		return;

	Group group;

	group.run([=] { group_knapsack<Group>(next + 1, left - 1, capacity, worth); });
	group_knapsack<Group>(next + 1, left - 1, capacity - next->weight, worth + next->worth);
	group.wait();
}

/* By dynamic programming. */
inline int knapsack_value()
{
	std::vector<int> best(knapsack_capacity + 1);

	for (const thing &each : things_to_carry())
		for (int capacity = knapsack_capacity; capacity >= each.weight; capacity--)
			best[static_cast<size_t>(capacity)] = std::max(
				best[static_cast<size_t>(capacity)],
				best[static_cast<size_t>(capacity - each.weight)] + each.worth);
	return best[knapsack_capacity];
}

} // namespace bench

#endif
