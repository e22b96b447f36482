/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

/* The whole public interface of weft. A program that needs one room includes its header alone. */

#include <weft/affinity/memory.h>
#include <weft/affinity/plan.h>
#include <weft/affinity/topology.h>
#include <weft/lockfree/base.h>
#include <weft/lockfree/bounded_stack.h>
#include <weft/lockfree/counter.h>
#include <weft/lockfree/deque.h>
#include <weft/lockfree/fork_stack.h>
#include <weft/lockfree/gauge.h>
#include <weft/lockfree/histogram.h>
#include <weft/lockfree/mpmc_lockfree.h>
#include <weft/lockfree/mpmc_lockfree_any.h>
#include <weft/lockfree/mpmc_pointer_queue.h>
#include <weft/lockfree/mpmc_queue.h>
#include <weft/lockfree/mpmc_unbounded.h>
#include <weft/lockfree/mpsc_queue.h>
#include <weft/lockfree/mpsc_ring.h>
#include <weft/lockfree/multiqueue.h>
#include <weft/lockfree/object_pool.h>
#include <weft/lockfree/per_cpu.h>
#include <weft/lockfree/per_cpu_list.h>
#include <weft/lockfree/priority_queue.h>
#include <weft/lockfree/rcu_ptr.h>
#include <weft/lockfree/reclaim.h>
#include <weft/lockfree/seqlock.h>
#include <weft/lockfree/slot_pool.h>
#include <weft/lockfree/spsc_queue.h>
#include <weft/lockfree/stack.h>
#include <weft/lockfree/wide_word.h>
#include <weft/pool/context.h>
#include <weft/pool/executor.h>
#include <weft/pool/forkjoin.h>
#include <weft/pool/future.h>
#include <weft/pool/pool.h>
#include <weft/pool/strand.h>
#include <weft/sync/deadline.h>
#include <weft/sync/eventcount.h>
#include <weft/sync/park.h>

#endif
