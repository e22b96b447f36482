/* SPDX-License-Identifier: Apache-2.0 */

/*
 * liburcu's lock-free containers by their functions (in C++ they are not inlined): rculfqueue, and
 * lfstack, whose pops are under its lock, as one without sections wants it.
 */

#include "peer/peer_list.h"
#include "peer/urcu_thread.h"
#include "queue_scenarios.h"
#include "stack_scenarios.h"

#include <urcu/urcu-memb.h>

#include <urcu/lfstack.h>
#include <urcu/rculfqueue.h>

namespace bench
{

namespace
{

class lfqueue
{
      public:
	explicit lfqueue(size_t)
	{
		cds_lfq_init_rcu(&queue_, urcu_memb_call_rcu);
	}

	lfqueue(const lfqueue &) = delete;

	~lfqueue()
	{
		register_thread();
		cds_lfq_destroy_rcu(&queue_);
		urcu_memb_barrier();
	}

	bool try_push(uint64_t pushed)
	{
		auto *made = new node{{}, {}, pushed};

		register_thread();
		cds_lfq_node_init_rcu(&made->link);
		urcu_memb_read_lock();
		cds_lfq_enqueue_rcu(&queue_, &made->link);
		urcu_memb_read_unlock();
		return true;
	}

	bool try_pop(uint64_t &popped)
	{
		register_thread();
		urcu_memb_read_lock();

		auto *first = reinterpret_cast<node *>(cds_lfq_dequeue_rcu(&queue_));

		urcu_memb_read_unlock();
		if (first == nullptr)
			return false;
		popped = first->number;
		urcu_memb_call_rcu(&first->head, [](rcu_head *head) {
			delete caa_container_of(head, node, head);
		});
		return true;
	}

      private:
	struct node {
		cds_lfq_node_rcu link; /* first */
		rcu_head head;
		uint64_t number;
	};

	WEFT_LINE_ALIGNED cds_lfq_queue_rcu queue_;
};

class lfstack
{
      public:
	using element = cds_lfs_node *;

	explicit lfstack(size_t count) : nodes_(count)
	{
		cds_lfs_init(&stack_);
		for (cds_lfs_node &node : nodes_)
			push(&node);
	}

	lfstack(const lfstack &) = delete;

	~lfstack()
	{
		cds_lfs_destroy(&stack_);
	}

	bool try_pop(element &popped)
	{
		popped = cds_lfs_pop_blocking(&stack_);
		return popped != nullptr;
	}

	void push(element pushed)
	{
		cds_lfs_stack_ptr_t stack;

		stack.s = &stack_;
		cds_lfs_node_init(pushed);
		cds_lfs_push(stack, pushed);
	}

	uint64_t number_of(element node) const
	{
		return static_cast<uint64_t>(node - nodes_.data()) + 1;
	}

      private:
	WEFT_LINE_ALIGNED cds_lfs_stack stack_;
	WEFT_LINE_ALIGNED std::vector<cds_lfs_node> nodes_;
};

} // namespace

void add_peer_liburcu_cds()
{
	add_shared_queue<lfqueue>("mpmc_unbounded", "urcu_lfqueue", role::peer);
	add_one_stack<lfstack>("urcu_lfstack", role::peer);
}

} // namespace bench
