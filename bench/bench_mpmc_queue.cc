/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_queue and mpmc_pointer_queue, 8-byte elements, against rings behind a mutex. */

#include <cstring>
#include <new>

#include <weft/lockfree/mpmc_pointer_queue.h>
#include <weft/lockfree/mpmc_queue.h>

#include "baseline/condvar_ring.h"
#include "baseline/mutex_ring.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

WEFT_MPMC_QUEUE_DEFINE(words, uint64_t);

class any_size
{
      public:
	explicit any_size(size_t capacity)
	{
		if (words_init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	any_size(const any_size &) = delete;

	~any_size()
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

class pointer
{
      public:
	explicit pointer(size_t capacity)
	{
		if (weft_mpmc_pointer_queue_init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	pointer(const pointer &) = delete;

	~pointer()
	{
		weft_mpmc_pointer_queue_fini(&queue_);
	}

	bool try_push(uint64_t element)
	{
		return weft_mpmc_pointer_queue_try_push(&queue_, as_pointer(element));
	}

	bool try_pop(uint64_t &element)
	{
		void *popped;

		if (!weft_mpmc_pointer_queue_try_pop(&queue_, &popped))
			return false;
		element = reinterpret_cast<uintptr_t>(popped);
		return true;
	}

	/* Batches of at most batch_size. A number is not a pointer: they are copied. */
	size_t try_push_batch(const uint64_t *elements, size_t count)
	{
		std::array<void *, batch_size> pointers;

		memcpy(pointers.data(), elements, count * sizeof(*elements));
		return weft_mpmc_pointer_queue_try_push_batch(&queue_, pointers.data(), count);
	}

	size_t try_pop_batch(uint64_t *elements, size_t count)
	{
		std::array<void *, batch_size> pointers;

		count = weft_mpmc_pointer_queue_try_pop_batch(&queue_, pointers.data(), count);
		memcpy(elements, pointers.data(), count * sizeof(*elements));
		return count;
	}

      private:
	static void *as_pointer(uint64_t element)
	{
		return reinterpret_cast<void *>(static_cast<uintptr_t>(element));
	}

	weft_mpmc_pointer_queue queue_;
};

} // namespace

void add_mpmc_queue()
{
	add_shared_queue<any_size>("mpmc_queue", "weft", role::weft);
	add_shared_queue<pointer>("mpmc_queue", "weft_pointer", role::weft);
	add_shared_queue<mutex_ring_normal>("mpmc_queue", "mutex_ring", role::baseline);
	add_shared_queue<mutex_ring_adaptive>("mpmc_queue", "mutex_adaptive", role::baseline);
	add_shared_queue<condvar_ring>("mpmc_queue", "mutex_condvar", role::baseline);
}

} // namespace bench
