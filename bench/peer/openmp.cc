/* SPDX-License-Identifier: Apache-2.0 */

/* The tasks of OpenMP, by the compiler's own library. */

#include "../fork_scenarios.h"
#include "peer_list.h"

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

} // namespace

void add_peer_openmp()
{
	add_forks<group_forks<team>>("openmp", role::peer);
}

} // namespace bench
