/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_unbounded against rings behind a mutex. These have a capacity, and so wait where it grows.
 */

#include <weft/lockfree/mpmc_unbounded.h>

#include "baseline/mutex_ring.h"
#include "queue_adapters.h"

namespace bench
{

namespace
{

BENCH_DEFINE_SIZES(WEFT_MPMC_UNBOUNDED_DEFINE, by_segments);

/* What is a capacity to others is the size of a segment to this one; 0: its own choice. */
template <class Element> class unbounded : public by_segments<Element>
{
      public:
	explicit unbounded(size_t) : by_segments<Element>(0) {}
};

} // namespace

void add_mpmc_unbounded()
{
	add_shared_sizes<unbounded>("mpmc_unbounded", "weft", role::weft);
	add_shared_sizes<mutex_ring_normal>("mpmc_unbounded", "mutex_ring", role::baseline);
	add_shared_sizes<mutex_ring_adaptive>("mpmc_unbounded", "mutex_adaptive", role::baseline);
}

} // namespace bench
