/* SPDX-License-Identifier: Apache-2.0 */

/*
 * libcds: the bounded ring of Vyukov, and the unbounded queues of Michael and Scott and of Hoffman,
 * Shalev and Shavit, over hazard pointers.
 */

#include <cds/container/basket_queue.h>
#include <cds/container/msqueue.h>
#include <cds/container/vyukov_mpmc_cycle_queue.h>
#include <cds/gc/hp.h>
#include <cds/init.h>

#include "peer/peer_list.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

template <class Element> class ring
{
      public:
	using element = Element;

	explicit ring(size_t capacity) : queue_(capacity) {}

	bool try_push(const element &pushed)
	{
		return queue_.enqueue(pushed);
	}

	bool try_pop(element &popped)
	{
		return queue_.dequeue(popped);
	}

      private:
	WEFT_LINE_ALIGNED cds::container::VyukovMPMCCycleQueue<Element> queue_;
};

/* What all its threads share; there before the first queue, and never taken down. */
void initialize()
{
	static const bool done = [] {
		cds::Initialize();
		new cds::gc::HP;
		return true;
	}();

	(void)done;
}

/* A queue over hazard pointers: a thread that uses it is attached as long. */
template <class Queue> class over_hazard_pointers
{
      public:
	using element = typename Queue::value_type;

	explicit over_hazard_pointers(size_t)
	{
		initialize();
		cds::threading::Manager::attachThread();
		queue_ = std::make_unique<Queue>();
	}

	over_hazard_pointers(const over_hazard_pointers &) = delete;

	~over_hazard_pointers()
	{
		queue_.reset();
		cds::threading::Manager::detachThread();
	}

	class end
	{
	      public:
		explicit end(over_hazard_pointers &owner) : queue_(*owner.queue_)
		{
			cds::threading::Manager::attachThread();
		}

		end(const end &) = delete;

		~end()
		{
			cds::threading::Manager::detachThread();
		}

		bool try_push(const element &pushed)
		{
			return queue_.enqueue(pushed);
		}

		bool try_pop(element &popped)
		{
			return queue_.dequeue(popped);
		}

	      private:
		Queue &queue_;
	};

	using producer = end;
	using consumer = end;

      private:
	std::unique_ptr<Queue> queue_;
};

template <class Element>
using michael_scott = over_hazard_pointers<cds::container::MSQueue<cds::gc::HP, Element>>;
template <class Element>
using baskets = over_hazard_pointers<cds::container::BasketQueue<cds::gc::HP, Element>>;

} // namespace

void add_peer_libcds()
{
	add_shared_sizes<ring>("mpmc_queue", "libcds_vyukov", role::peer);
	add_shared_sizes<michael_scott>("mpmc_unbounded", "libcds_ms", role::peer);
	add_shared_sizes<baskets>("mpmc_unbounded", "libcds_basket", role::peer);
}

} // namespace bench
