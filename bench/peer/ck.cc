/* SPDX-License-Identifier: Apache-2.0 */

/* Concurrency Kit: ck_ring, in its forms for many threads and for one on either side or on both,
 * and ck_stack for many threads. */

#include "../queue_scenarios.h"
#include "../stack_scenarios.h"
#include "peer_list.h"

/* It returns false where it means a null pointer; C++ takes only 0 for one. */
#define false 0
/* These functions give a void pointer to another: not in C++, and not used here. */
#define CK_F_STACK_BATCH_POP_UPMC
#define CK_F_STACK_BATCH_POP_MPMC
#define CK_F_STACK_PUSH_MPNC
#include <ck_ring.h>
#include <ck_stack.h>
#undef false

namespace bench
{

namespace
{

template <bool ManyProducers, bool ManyConsumers> class ring
{
      public:
	explicit ring(size_t capacity) : slots_(std::make_unique<ck_ring_buffer[]>(capacity))
	{
		ck_ring_init(&ring_, static_cast<unsigned>(capacity));
	}

	bool try_push(uint64_t element)
	{
		void *pointer = reinterpret_cast<void *>(static_cast<uintptr_t>(element));

		if constexpr (ManyProducers)
			return ck_ring_enqueue_mpmc(&ring_, slots_.get(), pointer);
		else
			return ck_ring_enqueue_spsc(&ring_, slots_.get(), pointer);
	}

	bool try_pop(uint64_t &element)
	{
		void *pointer;
		bool popped;

		if constexpr (ManyConsumers)
			popped = ck_ring_dequeue_mpmc(&ring_, slots_.get(), &pointer);
		else
			popped = ck_ring_dequeue_spsc(&ring_, slots_.get(), &pointer);
		if (popped)
			element = reinterpret_cast<uintptr_t>(pointer);
		return popped;
	}

      private:
	WEFT_LINE_ALIGNED ck_ring ring_;
	std::unique_ptr<ck_ring_buffer[]> slots_;
};

/* A pop by several threads is there only with some compilers. */
#ifdef CK_F_STACK_POP_MPMC

class stack
{
      public:
	using element = ck_stack_entry_t *;

	explicit stack(size_t count) : nodes_(count)
	{
		ck_stack_init(&stack_);
		for (ck_stack_entry_t &node : nodes_)
			ck_stack_push_mpmc(&stack_, &node);
	}

	bool try_pop(element &popped)
	{
		popped = ck_stack_pop_mpmc(&stack_);
		return popped != nullptr;
	}

	void push(element pushed)
	{
		ck_stack_push_mpmc(&stack_, pushed);
	}

	uint64_t number_of(element node) const
	{
		return static_cast<uint64_t>(node - nodes_.data()) + 1;
	}

      private:
	WEFT_LINE_ALIGNED ck_stack_t stack_;
	WEFT_LINE_ALIGNED std::vector<ck_stack_entry_t> nodes_;
};

#endif

} // namespace

void add_peer_ck()
{
#ifdef CK_F_STACK_POP_MPMC
	add_one_stack<stack>("ck_stack", role::peer);
#endif
	add_shared_queue<ring<true, true>>("mpmc_queue", "ck_ring", role::peer);
	add_gathering_queue<ring<true, false>>("mpsc_queue", "ck_ring", role::peer);
	add_queue<ring<false, false>>("spsc_queue", "ck_ring", role::peer);
}

} // namespace bench
