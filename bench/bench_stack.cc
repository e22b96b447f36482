/* SPDX-License-Identifier: Apache-2.0 */

/* stack and bounded_stack, against a vector behind a mutex. */

#include <new>

#include <weft/lockfree/bounded_stack.h>
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

WEFT_BOUNDED_STACK_DEFINE(words, uint64_t);

class bounded
{
      public:
	using element = uint64_t;

	explicit bounded(size_t count)
	{
		if (words_init(&stack_, count) != 0)
			throw std::bad_alloc();
		for (uint64_t number = 1; number <= count; number++)
			words_push(&stack_, number);
	}

	bounded(const bounded &) = delete;

	~bounded()
	{
		words_fini(&stack_);
	}

	bool try_pop(element &popped)
	{
		return words_try_pop(&stack_, &popped);
	}

	/* There is room: what is pushed was popped. */
	void push(element pushed)
	{
		words_try_push(&stack_, pushed);
	}

	static uint64_t number_of(element number)
	{
		return number;
	}

      private:
	words stack_;
};

} // namespace

void add_stack()
{
	add_one_stack<treiber>("weft", role::weft);
	add_one_stack<bounded>("weft_bounded", role::weft);
	add_one_stack<mutex_stack<PTHREAD_MUTEX_NORMAL>>("mutex_vector", role::baseline);
	add_one_stack<mutex_stack<PTHREAD_MUTEX_ADAPTIVE_NP>>("mutex_adaptive", role::baseline);
}

} // namespace bench
