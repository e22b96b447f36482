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

/* By the functions of a typed wrapper. */
template <class Stack, class Element, auto Init, auto Fini, auto TryPush, auto TryPop,
	  auto TryPushBatch, auto TryPopBatch>
class bounded_stack
{
      public:
	using element = Element;

	explicit bounded_stack(size_t count)
	{
		if (Init(&stack_, count) != 0)
			throw std::bad_alloc();
		for (uint64_t number = 1; number <= count; number++) {
			Element pushed;

			set_number(pushed, number);
			push(pushed);
		}
	}

	bounded_stack(const bounded_stack &) = delete;

	~bounded_stack()
	{
		Fini(&stack_);
	}

	bool try_pop(Element &popped)
	{
		return TryPop(&stack_, &popped);
	}

	/* There is room: what is pushed was popped. */
	void push(const Element &pushed)
	{
		TryPush(&stack_, pushed);
	}

	size_t try_pop_batch(Element *popped, size_t count)
	{
		return TryPopBatch(&stack_, popped, count);
	}

	void push_batch(const Element *pushed, size_t count)
	{
		TryPushBatch(&stack_, pushed, count);
	}

	static uint64_t number_of(const Element &element)
	{
		return bench::number_of(element);
	}

      private:
	Stack stack_;
};

#define BENCH_BOUNDED_STACK(name, element)                                                         \
	bounded_stack<name, element, name##_init, name##_fini, name##_try_push, name##_try_pop,    \
		      name##_try_push_batch, name##_try_pop_batch>

BENCH_DEFINE_SIZES_AS(WEFT_BOUNDED_STACK_DEFINE, bounded, BENCH_BOUNDED_STACK);

} // namespace

void add_stack()
{
	add_one_stack<treiber>("weft", role::weft);
	add_stack_sizes<bounded>("weft_bounded", role::weft);
	add_stack_sizes<mutex_stack_normal>("mutex_vector", role::baseline);
	add_stack_sizes<mutex_stack_adaptive>("mutex_adaptive", role::baseline);
}

} // namespace bench
