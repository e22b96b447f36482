/* SPDX-License-Identifier: Apache-2.0 */

/*
 * liburcu, the memb flavour as its users have it: sections are inlined, call_rcu frees. Its
 * wfcqueue, for one consumer, who never waits, and for several, under its own lock.
 */

#include <memory>

#include "message_queue.h"
#include "peer/peer_list.h"
#include "peer/urcu_thread.h"
#include "queue_scenarios.h"
#include "retire_scenarios.h"
#include "snapshot_scenarios.h"

#define _LGPL_SOURCE
#include <urcu/urcu-memb.h>
#include <urcu/wfcqueue.h>

namespace bench
{

namespace
{

class by_call_rcu
{
      public:
	by_call_rcu() = default;
	by_call_rcu(const by_call_rcu &) = delete;

	~by_call_rcu()
	{
		delete pointer_.load();
		urcu_memb_barrier();
	}

	void read(snapshot &value) const
	{
		register_thread();
		urcu_memb_read_lock();
		value = pointer_.load(std::memory_order_consume)->value;
		urcu_memb_read_unlock();
	}

	void write(const snapshot &value)
	{
		auto *old = pointer_.exchange(new node{{}, value}, std::memory_order_acq_rel);

		register_thread();
		urcu_memb_call_rcu(&old->head,
				   [](rcu_head *head) { delete reinterpret_cast<node *>(head); });
	}

      private:
	struct node {
		rcu_head head;
		snapshot value;
	};

	WEFT_LINE_ALIGNED std::atomic<node *> pointer_{new node()};
};

class retire_by_call_rcu
{
      public:
	static void retire(retired_piece *piece)
	{
		register_thread();
		urcu_memb_call_rcu(reinterpret_cast<rcu_head *>(piece),
				   [](rcu_head *head) { free_piece(head); });
	}

	static void finish()
	{
		urcu_memb_barrier();
	}
};

struct wfcqueue_messages {
	using node = cds_wfcq_node;

	struct queue {
		WEFT_LINE_ALIGNED __cds_wfcq_head head;
		WEFT_LINE_ALIGNED cds_wfcq_tail tail;
	};

	static void init(queue &made)
	{
		__cds_wfcq_init(&made.head, &made.tail);
	}

	static bool push(queue &queue, node *pushed)
	{
		cds_wfcq_node_init(pushed);
		cds_wfcq_enqueue(__cds_wfcq_head_cast(&queue.head), &queue.tail, pushed);
		return true;
	}

	static node *pop(queue &queue)
	{
		node *popped = __cds_wfcq_dequeue_nonblocking(__cds_wfcq_head_cast(&queue.head),
							      &queue.tail);

		return popped == CDS_WFCQ_WOULDBLOCK ? nullptr : popped;
	}
};

/* Any number of consumers, who take its lock, and nodes from malloc: it has no bound. */
class locked_wfcqueue
{
      public:
	explicit locked_wfcqueue(size_t)
	{
		cds_wfcq_init(&head_, &tail_);
	}

	locked_wfcqueue(const locked_wfcqueue &) = delete;

	~locked_wfcqueue()
	{
		cds_wfcq_destroy(&head_, &tail_);
	}

	bool try_push(uint64_t pushed)
	{
		auto *made = new node{{}, pushed};

		cds_wfcq_node_init(&made->link);
		cds_wfcq_enqueue(cds_wfcq_head_cast(&head_), &tail_, &made->link);
		return true;
	}

	bool try_pop(uint64_t &popped)
	{
		auto *first = reinterpret_cast<node *>(cds_wfcq_dequeue_blocking(&head_, &tail_));

		if (first == nullptr)
			return false;
		popped = first->number;
		delete first;
		return true;
	}

      private:
	struct node {
		cds_wfcq_node link; /* first */
		uint64_t number;
	};

	WEFT_LINE_ALIGNED cds_wfcq_head head_;
	WEFT_LINE_ALIGNED cds_wfcq_tail tail_;
};

} // namespace

void add_peer_liburcu()
{
	add_gathering_queue<message_queue<wfcqueue_messages>>("mpsc_queue", "urcu_wfcqueue",
							      role::peer);
	add_shared_queue<locked_wfcqueue>("mpmc_unbounded", "urcu_wfcqueue", role::peer);
	add_snapshot<by_call_rcu>("rcu_ptr", "urcu_memb", role::peer);
	add_retire<retire_by_call_rcu>("rcu_ptr", "call_rcu", role::peer);
}

} // namespace bench
