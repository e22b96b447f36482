/* SPDX-License-Identifier: Apache-2.0 */

/* The tasks and the loops of OpenMP, by the compiler's own library; for another compiler's see
 * openmp_clang.cc. */

#include <omp.h>

#include "fork_scenarios.h"
#include "peer/peer_list.h"
#include "pool_scenarios.h"

#ifdef WEFT_BENCH_OPENMP_MODULE
/* It runs the calls of knapsack in an order in which they take half a minute. */
#define WEFT_BENCH_OPENMP_NAME     "openmp_clang"
#define WEFT_BENCH_OPENMP_SEARCHES false
#else
#define WEFT_BENCH_OPENMP_NAME     "openmp"
#define WEFT_BENCH_OPENMP_SEARCHES true
#endif

namespace bench
{

namespace
{

/* A team of so many threads; one of them makes the first call. */
struct team {
	struct group {
		template <class Call> void run(const Call &call)
		{
#pragma omp task firstprivate(call)
			call();
		}

		void wait()
		{
#pragma omp taskwait
		}
	};

	explicit team(unsigned count) : threads(count) {}

#ifndef WEFT_BENCH_OPENMP_MODULE
	/* Its threads would spin on for a while, where the next thing is measured. */
	~team()
	{
		omp_pause_resource_all(omp_pause_hard);
	}
#endif

	template <class Call> long call(const Call &call)
	{
		long value = 0;

#pragma omp parallel num_threads(threads)
#pragma omp single
		value = call();
		return value;
	}

	unsigned threads;
};

class parallel_loop
{
      public:
	explicit parallel_loop(unsigned workers) : workers_(workers) {}

	void run(std::vector<tally> &steps)
	{
#pragma omp parallel for num_threads(workers_)
		for (tally &step : steps)
			step.count++;
	}

      private:
	unsigned workers_;
};

} // namespace

#ifdef WEFT_BENCH_OPENMP_MODULE
extern "C" void weft_bench_add_openmp()
#else
void add_peer_openmp()
#endif
{
	add_forks<group_forks<team>>(WEFT_BENCH_OPENMP_NAME, role::peer,
				     WEFT_BENCH_OPENMP_SEARCHES);
	add_fan_out<parallel_loop>(WEFT_BENCH_OPENMP_NAME, role::peer);
}

} // namespace bench
