/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_unbounded, 8-byte elements, against rings behind a mutex. These have a capacity, and so wait
 * where it grows. */

#include <new>

#include <weft/lockfree/mpmc_unbounded.h>

#include "baseline/mutex_ring.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

WEFT_MPMC_UNBOUNDED_DEFINE(unbounded_words, uint64_t);

class unbounded
{
      public:
	explicit unbounded(size_t)
	{
		if (unbounded_words_init(&queue_, 0) != 0)
			throw std::bad_alloc();
	}

	unbounded(const unbounded &) = delete;

	~unbounded()
	{
		unbounded_words_fini(&queue_);
	}

	bool try_push(uint64_t element)
	{
		return unbounded_words_try_push(&queue_, element);
	}

	bool try_pop(uint64_t &element)
	{
		return unbounded_words_try_pop(&queue_, &element);
	}

	size_t try_push_batch(const uint64_t *elements, size_t count)
	{
		return unbounded_words_try_push_batch(&queue_, elements, count);
	}

	size_t try_pop_batch(uint64_t *elements, size_t count)
	{
		return unbounded_words_try_pop_batch(&queue_, elements, count);
	}

      private:
	unbounded_words queue_;
};

} // namespace

void add_mpmc_unbounded()
{
	add_shared_queue<unbounded>("mpmc_unbounded", "weft", role::weft);
	add_shared_queue<mutex_ring_normal>("mpmc_unbounded", "mutex_ring", role::baseline);
	add_shared_queue<mutex_ring_adaptive>("mpmc_unbounded", "mutex_adaptive", role::baseline);
}

} // namespace bench
