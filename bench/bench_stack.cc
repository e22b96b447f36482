/* SPDX-License-Identifier: Apache-2.0 */

/* stack, against a vector behind a mutex. */

#include <weft/lockfree/stack.h>

#include "baseline/mutex_stack.h"
#include "stack_scenarios.h"

namespace bench
{

namespace
{

class treiber
{
      public:
	using element = weft_stack_node *;

	explicit treiber(size_t count) : nodes_(count)
	{
		weft_stack_init(&stack_);
		for (weft_stack_node &node : nodes_)
			weft_stack_push(&stack_, &node);
	}

	treiber(const treiber &) = delete;

	bool try_pop(element &popped)
	{
		return weft_stack_try_pop(&stack_, &popped);
	}

	void push(element pushed)
	{
		weft_stack_push(&stack_, pushed);
	}

	uint64_t number_of(element node) const
	{
		return static_cast<uint64_t>(node - nodes_.data()) + 1;
	}

      private:
	weft_stack stack_;
	std::vector<weft_stack_node> nodes_;
};

} // namespace

void add_stack()
{
	add_one_stack<treiber>("weft", role::weft);
	add_one_stack<mutex_stack<PTHREAD_MUTEX_NORMAL>>("mutex_vector", role::baseline);
	add_one_stack<mutex_stack<PTHREAD_MUTEX_ADAPTIVE_NP>>("mutex_adaptive", role::baseline);
}

} // namespace bench
