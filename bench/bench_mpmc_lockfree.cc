/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_lockfree against rings behind a mutex, and against weft's ring that a stopped thread can
 * block: what being lock-free costs. */

#include <weft/lockfree/mpmc_lockfree.h>
#include <weft/lockfree/mpmc_lockfree_any.h>
#include <weft/lockfree/mpmc_pointer_queue.h>

#include "baseline/mutex_ring.h"
#include "queue_adapters.h"

namespace bench
{

namespace
{

BENCH_DEFINE_SIZES(WEFT_MPMC_LOCKFREE_ANY_DEFINE, any_size);

using lockfree = of_pointers<weft_mpmc_lockfree, weft_mpmc_lockfree_init, weft_mpmc_lockfree_fini,
			     weft_mpmc_lockfree_try_push, weft_mpmc_lockfree_try_pop,
			     weft_mpmc_lockfree_try_push_batch, weft_mpmc_lockfree_try_pop_batch>;
using blocking =
	of_pointers<weft_mpmc_pointer_queue, weft_mpmc_pointer_queue_init,
		    weft_mpmc_pointer_queue_fini, weft_mpmc_pointer_queue_try_push,
		    weft_mpmc_pointer_queue_try_pop, weft_mpmc_pointer_queue_try_push_batch,
		    weft_mpmc_pointer_queue_try_pop_batch>;

} // namespace

void add_mpmc_lockfree()
{
	add_shared_queue<lockfree>("mpmc_lockfree", "weft", role::weft);
	add_shared_sizes<any_size>("mpmc_lockfree", "weft_any", role::weft);
	add_shared_sizes<mutex_ring_normal>("mpmc_lockfree", "mutex_ring", role::baseline);
	add_shared_sizes<mutex_ring_adaptive>("mpmc_lockfree", "mutex_adaptive", role::baseline);
	add_shared_queue<blocking>("mpmc_lockfree", "weft_pointer", role::floor);
}

} // namespace bench
