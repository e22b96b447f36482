/* SPDX-License-Identifier: Apache-2.0 */

/*
 * mpsc_queue, 8-byte elements in nodes that go round, and mpsc_ring, which copies them, against
 * rings behind a mutex. What they have to beat, to be worth structures of their own, is mpmc_queue
 * with one consumer.
 */

#include <new>

#include <weft/lockfree/mpmc_queue.h>
#include <weft/lockfree/mpsc_queue.h>
#include <weft/lockfree/mpsc_ring.h>

#include "baseline/condvar_ring.h"
#include "baseline/mutex_ring.h"
#include "message_queue.h"
#include "queue_scenarios.h"

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
	add_gathering_queue<message_queue<weft_messages>>("mpsc_queue", "weft", role::weft);
	add_gathering_queue<ring>("mpsc_queue", "weft_ring", role::weft);
	add_gathering_queue<mutex_ring_normal>("mpsc_queue", "mutex_ring", role::baseline);
	add_gathering_queue<mutex_ring_adaptive>("mpsc_queue", "mutex_adaptive", role::baseline);
	add_gathering_queue<condvar_ring>("mpsc_queue", "mutex_condvar", role::baseline);
	add_gathering_queue<many_consumers>("mpsc_queue", "weft_mpmc", role::floor);
}

} // namespace bench
