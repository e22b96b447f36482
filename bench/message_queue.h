/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MESSAGE_QUEUE_H
#define WEFT_BENCH_MESSAGE_QUEUE_H

/*
 * A queue of queue_scenarios.h made of one whose nodes stand inside its users' messages. Links is a
 * class of
 *     types queue and node, which is not larger than what is beside it in a line
 *     void init(queue &), bool push(queue &, node *), node *pop(queue &), NULL when it is empty
 */

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <weft/lockfree/base.h>

#include "queue_elements.h"

namespace bench
{

template <class Links> class message_queue
{
	/* What a user pushes: a message on a line of its own, which the consumer gives back. */
	struct alignas(64) message {
		typename Links::node node; /* first */
		std::atomic<bool> inside;
		uint64_t element;
	};

      public:
	explicit message_queue(size_t capacity)
	    : mask_(capacity / 4 - 1),
	      messages_(std::make_unique<message[]>(producers_max * (mask_ + 1)))
	{
		Links::init(queue_);
	}

	message_queue(const message_queue &) = delete;

	/* Its messages are its own, and come back in their order. */
	class producer
	{
	      public:
		explicit producer(message_queue &owner) : queue_(owner.queue_), mask_(owner.mask_)
		{
			messages_ = &owner.messages_[owner.producers_++ * (mask_ + 1)];
		}

		bool try_push(uint64_t element)
		{
			message &next = messages_[next_ & mask_];

			if (next.inside.load(std::memory_order_acquire))
				return false;
			next.inside.store(true, std::memory_order_relaxed);
			next.element = element;
			next_++;
			return Links::push(queue_, &next.node);
		}

	      private:
		typename Links::queue &queue_;
		message *messages_;
		size_t mask_;
		size_t next_ = 0;
	};

	class consumer
	{
	      public:
		explicit consumer(message_queue &owner) : queue_(owner.queue_) {}

		bool try_pop(uint64_t &element)
		{
			typename Links::node *node = Links::pop(queue_);

			if (node == nullptr)
				return false;

			auto *popped = reinterpret_cast<message *>(node);

			element = popped->element;
			popped->inside.store(false, std::memory_order_release);
			return true;
		}

	      private:
		typename Links::queue &queue_;
	};

      private:
	WEFT_LINE_ALIGNED typename Links::queue queue_;
	const size_t mask_;
	const std::unique_ptr<message[]> messages_;
	std::atomic<size_t> producers_{0};
};

} // namespace bench

#endif
