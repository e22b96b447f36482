/* SPDX-License-Identifier: Apache-2.0 */

/* spsc_queue, 8-byte elements, against rings behind a mutex. */

#include <new>

#include <weft/lockfree/spsc_queue.h>

#include "baseline/condvar_ring.h"
#include "baseline/mutex_ring.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

WEFT_SPSC_QUEUE_DEFINE(words, uint64_t);

class spsc
{
      public:
	explicit spsc(size_t capacity)
	{
		if (words_init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	spsc(const spsc &) = delete;

	~spsc()
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

} // namespace

void add_spsc_queue()
{
	add_queue<spsc>("spsc_queue", "weft", role::weft);
	add_queue<mutex_ring_normal>("spsc_queue", "mutex_ring", role::baseline);
	add_queue<mutex_ring_adaptive>("spsc_queue", "mutex_adaptive", role::baseline);
	add_queue<condvar_ring>("spsc_queue", "mutex_condvar", role::baseline);
}

} // namespace bench
