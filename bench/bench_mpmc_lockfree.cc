/* SPDX-License-Identifier: Apache-2.0 */

/* mpmc_lockfree against rings behind a mutex, and against weft's ring that a stopped thread can
 * block: what being lock-free costs. */

#include <cstring>
#include <new>

#include <weft/lockfree/mpmc_lockfree.h>
#include <weft/lockfree/mpmc_pointer_queue.h>

#include "baseline/mutex_ring.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

/* A queue of pointers by its functions; numbers travel as pointers. */
template <class Queue, auto Init, auto Fini, auto TryPush, auto TryPop, auto TryPushBatch,
	  auto TryPopBatch>
class of_pointers
{
      public:
	explicit of_pointers(size_t capacity)
	{
		if (Init(&queue_, capacity) != 0)
			throw std::bad_alloc();
	}

	of_pointers(const of_pointers &) = delete;

	~of_pointers()
	{
		Fini(&queue_);
	}

	bool try_push(uint64_t element)
	{
		return TryPush(&queue_, reinterpret_cast<void *>(static_cast<uintptr_t>(element)));
	}

	bool try_pop(uint64_t &element)
	{
		void *popped;

		if (!TryPop(&queue_, &popped))
			return false;
		element = reinterpret_cast<uintptr_t>(popped);
		return true;
	}

	/* Batches of at most batch_size. A number is not a pointer: they are copied. */
	size_t try_push_batch(const uint64_t *elements, size_t count)
	{
		std::array<void *, batch_size> pointers;

		memcpy(pointers.data(), elements, count * sizeof(*elements));
		return TryPushBatch(&queue_, pointers.data(), count);
	}

	size_t try_pop_batch(uint64_t *elements, size_t count)
	{
		std::array<void *, batch_size> pointers;

		count = TryPopBatch(&queue_, pointers.data(), count);
		memcpy(elements, pointers.data(), count * sizeof(*elements));
		return count;
	}

      private:
	Queue queue_;
};

using lockfree = of_pointers<weft_mpmc_lockfree, weft_mpmc_lockfree_init, weft_mpmc_lockfree_fini,
			     weft_mpmc_lockfree_try_push, weft_mpmc_lockfree_try_pop,
			     weft_mpmc_lockfree_try_push_batch, weft_mpmc_lockfree_try_pop_batch>;
using blocking =
	of_pointers<weft_mpmc_pointer_queue, weft_mpmc_pointer_queue_init,
		    weft_mpmc_pointer_queue_fini, weft_mpmc_pointer_queue_try_push,
		    weft_mpmc_pointer_queue_try_pop, weft_mpmc_pointer_queue_try_push_batch,
		    weft_mpmc_pointer_queue_try_pop_batch>;

} // namespace

void add_mpmc_lockfree()
{
	add_shared_queue<lockfree>("mpmc_lockfree", "weft", role::weft);
	add_shared_queue<mutex_ring_normal>("mpmc_lockfree", "mutex_ring", role::baseline);
	add_shared_queue<mutex_ring_adaptive>("mpmc_lockfree", "mutex_adaptive", role::baseline);
	add_shared_queue<blocking>("mpmc_lockfree", "weft_pointer", role::floor);
}

} // namespace bench
