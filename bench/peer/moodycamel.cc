/* SPDX-License-Identifier: Apache-2.0 */

/*
 * moodycamel::ConcurrentQueue, with tokens, as its author recommends. It keeps the order of each
 * producer only, and has no bound: its try_enqueue, which does not allocate, may fail for ever once
 * another producer has ended, because that one's blocks are not reused.
 */

#include <concurrentqueue/concurrentqueue.h>

#include "peer/peer_list.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

template <class Element> class moodycamel_queue
{
      public:
	using element = Element;
	using queue = moodycamel::ConcurrentQueue<Element>;

	explicit moodycamel_queue(size_t capacity) : queue_(capacity) {}

	class producer
	{
	      public:
		explicit producer(moodycamel_queue &owner)
		    : queue_(owner.queue_), token_(owner.queue_)
		{
		}

		bool try_push(const Element &pushed)
		{
			return queue_.enqueue(token_, pushed);
		}

		size_t try_push_batch(const Element *elements, size_t count)
		{
			return queue_.enqueue_bulk(token_, elements, count) ? count : 0;
		}

	      private:
		queue &queue_;
		moodycamel::ProducerToken token_;
	};

	class consumer
	{
	      public:
		explicit consumer(moodycamel_queue &owner)
		    : queue_(owner.queue_), token_(owner.queue_)
		{
		}

		bool try_pop(Element &popped)
		{
			return queue_.try_dequeue(token_, popped);
		}

		size_t try_pop_batch(Element *elements, size_t count)
		{
			return queue_.try_dequeue_bulk(token_, elements, count);
		}

	      private:
		queue &queue_;
		moodycamel::ConsumerToken token_;
	};

      private:
	queue queue_;
};

} // namespace

void add_peer_moodycamel()
{
	add_shared_sizes<moodycamel_queue>("mpmc_queue", "moodycamel", role::peer);
	add_shared_sizes<moodycamel_queue>("mpmc_unbounded", "moodycamel", role::peer);
	add_gathering_sizes<moodycamel_queue>("mpsc_queue", "moodycamel", role::peer);
}

} // namespace bench
