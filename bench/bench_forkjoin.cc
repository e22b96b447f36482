/* SPDX-License-Identifier: Apache-2.0 */

/*
 * forkjoin: recursions that fork at every call, on one worker and on one for each core, against the
 * same recursion in plain C++. The time is that of one call.
 */

#include <array>
#include <cstring>
#include <stdexcept>

#include <weft/pool/forkjoin.h>

#include "fork_scenarios.h"
#include "harness.h"
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

class weft_forks
{
      public:
	explicit weft_forks(unsigned workers) : plan_(placement::instance().plan_for(0, workers))
	{
		weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

		options.plan = plan_;
		if (int error = weft_pool_create(&pool_, &options); error != 0) {
			weft_plan_destroy(plan_);
			throw std::runtime_error(std::strerror(-error));
		}
	}

	weft_forks(const weft_forks &) = delete;

	~weft_forks()
	{
		weft_pool_destroy(pool_);
		weft_plan_destroy(plan_);
	}

	long run_fib()
	{
		long value = -1;

		fib_run(pool_, &value, fib_argument);
		return value;
	}

	long run_queens()
	{
		long value = -1;

		queens_run(pool_, &value, 0, board());
		return value;
	}

      private:
	weft_plan *plan_ = nullptr;
	weft_pool *pool_ = nullptr;
};

/* One thread, without any forks. */
class serial
{
      public:
	explicit serial(unsigned) {}

	long run_fib()
	{
		return fib_alone(unforeseen(fib_argument));
	}

	long run_queens()
	{
		return queens_alone(unforeseen(0), board());
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
};

} // namespace

void add_forkjoin()
{
	add_forks<weft_forks>("weft", role::weft);
	add_forks<serial>("serial", role::baseline);
}

} // namespace bench
