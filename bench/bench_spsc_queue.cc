/* SPDX-License-Identifier: Apache-2.0 */

/* spsc_queue against rings behind a mutex. */

#include <weft/lockfree/spsc_queue.h>

#include "baseline/condvar_ring.h"
#include "baseline/mutex_ring.h"
#include "queue_adapters.h"

namespace bench
{

namespace
{

BENCH_DEFINE_SIZES(WEFT_SPSC_QUEUE_DEFINE, spsc);

} // namespace

void add_spsc_queue()
{
	add_spsc_sizes<spsc>("spsc_queue", "weft", role::weft);
	add_spsc_sizes<mutex_ring_normal>("spsc_queue", "mutex_ring", role::baseline);
	add_spsc_sizes<mutex_ring_adaptive>("spsc_queue", "mutex_adaptive", role::baseline);
	add_spsc_sizes<condvar_ring>("spsc_queue", "mutex_condvar", role::baseline);
}

} // namespace bench
