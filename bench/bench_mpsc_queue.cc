/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpsc_queue, 8-byte elements in nodes that go round, and mpsc_ring, which copies them, against
 * rings behind a mutex. What they have to beat, to be worth structures of their own, is mpmc_queue
 * with one consumer.
 */

#include <weft/lockfree/mpmc_queue.h>
#include <weft/lockfree/mpsc_queue.h>
#include <weft/lockfree/mpsc_ring.h>

#include "baseline/condvar_ring.h"
#include "baseline/mutex_ring.h"
#include "message_queue.h"
#include "queue_adapters.h"

namespace bench
{

namespace
{

struct weft_messages {
	using queue = weft_mpsc_queue;
	using node = weft_mpsc_queue_node;

	static void init(queue &made)
	{
		weft_mpsc_queue_init(&made);
	}

	static bool push(queue &queue, node *pushed)
	{
		return weft_mpsc_queue_try_push(&queue, pushed);
	}

	static node *pop(queue &queue)
	{
		node *popped;

		return weft_mpsc_queue_try_pop(&queue, &popped) ? popped : nullptr;
	}
};

BENCH_DEFINE_SIZES(WEFT_MPSC_RING_DEFINE, ring);
BENCH_DEFINE_SIZES(WEFT_MPMC_QUEUE_DEFINE, many_consumers);

} // namespace

void add_mpsc_queue()
{
	add_gathering_queue<message_queue<weft_messages>>("mpsc_queue", "weft", role::weft);
	add_gathering_sizes<ring>("mpsc_queue", "weft_ring", role::weft);
	add_gathering_sizes<mutex_ring_normal>("mpsc_queue", "mutex_ring", role::baseline);
	add_gathering_sizes<mutex_ring_adaptive>("mpsc_queue", "mutex_adaptive", role::baseline);
	add_gathering_sizes<condvar_ring>("mpsc_queue", "mutex_condvar", role::baseline);
	add_gathering_sizes<many_consumers>("mpsc_queue", "weft_mpmc", role::weft);
}

} // namespace bench
