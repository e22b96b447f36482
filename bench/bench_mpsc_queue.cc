/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpsc_queue, 8-byte elements in nodes that go round, and mpsc_ring, which copies them, against
 * rings behind a mutex. What they have to beat, to be worth structures of their own, is mpmc_queue
 * with one consumer.
 */

#include <cstddef>
#include <new>

#include <weft/lockfree/mpmc_queue.h>
#include <weft/lockfree/mpsc_queue.h>
#include <weft/lockfree/mpsc_ring.h>

#include "baseline/condvar_ring.h"
#include "baseline/mutex_ring.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

/* What a user pushes: a message on a line of its own, which the consumer gives back. */
struct alignas(64) message {
	weft_mpsc_queue_node node;
	std::atomic<bool> inside;
	uint64_t element;
};

class intrusive
{
      public:
	explicit intrusive(size_t capacity)
	    : mask_(capacity / 4 - 1),
	      messages_(std::make_unique<message[]>(producers_max * (mask_ + 1)))
	{
		weft_mpsc_queue_init(&queue_);
	}

	intrusive(const intrusive &) = delete;

	/* Its messages are its own, and come back in their order. */
	class producer
	{
	      public:
		explicit producer(intrusive &owner) : queue_(&owner.queue_), mask_(owner.mask_)
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
			return weft_mpsc_queue_try_push(queue_, &next.node);
		}

	      private:
		weft_mpsc_queue *queue_;
		message *messages_;
		size_t mask_;
		size_t next_ = 0;
	};

	class consumer
	{
	      public:
		explicit consumer(intrusive &owner) : queue_(&owner.queue_) {}

		bool try_pop(uint64_t &element)
		{
			weft_mpsc_queue_node *node;

			if (!weft_mpsc_queue_try_pop(queue_, &node))
				return false;

			/* It is the first member. */
			auto *popped = reinterpret_cast<message *>(node);

			element = popped->element;
			popped->inside.store(false, std::memory_order_release);
			return true;
		}

	      private:
		weft_mpsc_queue *queue_;
	};

      private:
	static constexpr size_t producers_max = 16;

	weft_mpsc_queue queue_;
	const size_t mask_;
	const std::unique_ptr<message[]> messages_;
	std::atomic<size_t> producers_{0};
};

WEFT_MPMC_QUEUE_DEFINE(words, uint64_t);
WEFT_MPSC_RING_DEFINE(ring_words, uint64_t);

class many_consumers
{
      public:
	explicit many_consumers(size_t capacity)
	{
		if (words_init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	many_consumers(const many_consumers &) = delete;

	~many_consumers()
	{
		words_fini(&queue_);
	}

	bool try_push(uint64_t element)
	{
		return words_try_push(&queue_, element);
	}

	bool try_pop(uint64_t &element)
	{
		return words_try_pop(&queue_, &element);
	}

	size_t try_push_batch(const uint64_t *elements, size_t count)
	{
		return words_try_push_batch(&queue_, elements, count);
	}

	size_t try_pop_batch(uint64_t *elements, size_t count)
	{
		return words_try_pop_batch(&queue_, elements, count);
	}

      private:
	words queue_;
};

class ring
{
      public:
	explicit ring(size_t capacity)
	{
		if (ring_words_init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	ring(const ring &) = delete;

	~ring()
	{
		ring_words_fini(&queue_);
	}

	bool try_push(uint64_t element)
	{
		return ring_words_try_push(&queue_, element);
	}

	bool try_pop(uint64_t &element)
	{
		return ring_words_try_pop(&queue_, &element);
	}

	size_t try_push_batch(const uint64_t *elements, size_t count)
	{
		return ring_words_try_push_batch(&queue_, elements, count);
	}

	size_t try_pop_batch(uint64_t *elements, size_t count)
	{
		return ring_words_try_pop_batch(&queue_, elements, count);
	}

      private:
	ring_words queue_;
};

} // namespace

void add_mpsc_queue()
{
	add_gathering_queue<intrusive>("mpsc_queue", "weft", role::weft);
	add_gathering_queue<ring>("mpsc_queue", "weft_ring", role::weft);
	add_gathering_queue<mutex_ring_normal>("mpsc_queue", "mutex_ring", role::baseline);
	add_gathering_queue<mutex_ring_adaptive>("mpsc_queue", "mutex_adaptive", role::baseline);
	add_gathering_queue<condvar_ring>("mpsc_queue", "mutex_condvar", role::baseline);
	add_gathering_queue<many_consumers>("mpsc_queue", "weft_mpmc", role::floor);
}

} // namespace bench
