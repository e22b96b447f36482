/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_queue and mpmc_pointer_queue against rings behind a mutex. */

#include <weft/lockfree/mpmc_pointer_queue.h>
#include <weft/lockfree/mpmc_queue.h>

#include "baseline/condvar_ring.h"
#include "baseline/mutex_ring.h"
#include "queue_adapters.h"

namespace bench
{

namespace
{

BENCH_DEFINE_SIZES(WEFT_MPMC_QUEUE_DEFINE, any_size);

using pointer = of_pointers<weft_mpmc_pointer_queue, weft_mpmc_pointer_queue_init,
			    weft_mpmc_pointer_queue_fini, weft_mpmc_pointer_queue_try_push,
			    weft_mpmc_pointer_queue_try_pop, weft_mpmc_pointer_queue_try_push_batch,
			    weft_mpmc_pointer_queue_try_pop_batch>;

} // namespace

void add_mpmc_queue()
{
	add_shared_sizes<any_size>("mpmc_queue", "weft", role::weft);
	add_shared_queue<pointer>("mpmc_queue", "weft_pointer", role::weft);
	add_shared_sizes<mutex_ring_normal>("mpmc_queue", "mutex_ring", role::baseline);
	add_shared_sizes<mutex_ring_adaptive>("mpmc_queue", "mutex_adaptive", role::baseline);
	add_shared_sizes<condvar_ring>("mpmc_queue", "mutex_condvar", role::baseline);
}

} // namespace bench
