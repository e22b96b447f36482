/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/fork_stack.h>

#include <string.h>

static uint64_t range_of(uint32_t taken, uint32_t split)
{
	return (uint64_t)split << 32 | taken;
}

static uint32_t index_of(const weft_fork_stack *stack, const weft_fork_slot *slot)
{
	return (uint32_t)(slot - stack->base_);
}

void weft_fork_stack_init(weft_fork_stack *stack, weft_fork_slot *slots, size_t stealable)
{
	memset((void *)stack, 0, sizeof(*stack));
	stack->base_ = slots;
	stack->end_ = slots + stealable;
	stack->split_ = slots;
	/* relaxed: the stack is shared later. */
	atomic_store_explicit(&stack->limit_, slots, memory_order_relaxed);
}

void weft_fork_stack_init_beyond(weft_fork_stack *stack)
{
	memset((void *)stack, 0, sizeof(*stack));
	/* relaxed: the stack is shared later. */
	atomic_store_explicit(&stack->limit_, WEFT_FORK_HUNGRY_, memory_order_relaxed);
}

/* Moves the border, and the limit unless that is raised. */
static void set_split(weft_fork_stack *stack, weft_fork_slot *split)
{
	weft_fork_slot *limit = stack->split_;

	stack->split_ = split;
	/* relaxed: only the owner's own steps depend on a limit that is not raised. */
	atomic_compare_exchange_strong_explicit(&stack->limit_, &limit, split, memory_order_relaxed,
						memory_order_relaxed);
}

size_t weft_fork_stack_share(weft_fork_stack *stack, weft_fork_slot *head)
{
	weft_fork_slot *last = head > stack->end_ ? stack->end_ : head;
	size_t count;

	if (last <= stack->split_)
		return 0;
	count = (size_t)(last - stack->split_ + 1) / 2;
	/* relaxed: published by R1. */
	for (size_t i = 0; i < count; i++)
		atomic_store_explicit(&stack->split_[i].state_, 0, memory_order_relaxed);
	stack->split_ += count;
	/* L1 seq_cst, pairs with A1, A2: in the order of the essay. */
	atomic_exchange_explicit(&stack->limit_, stack->split_, memory_order_seq_cst);
	/* R1 seq_cst, pairs with R2, R3: publishes the calls, as in the essay. */
	atomic_fetch_add_explicit(&stack->range_, (uint64_t)count << 32, memory_order_seq_cst);
	return count;
}

bool weft_fork_stack_take_back(weft_fork_stack *stack, weft_fork_slot *slot)
{
	uint32_t index = index_of(stack, slot), split = index_of(stack, stack->split_), kept;
	/* relaxed: the updates below decide. */
	uint64_t range = atomic_load_explicit(&stack->range_, memory_order_relaxed);

	if (index >= split)
		return true;
	if ((uint32_t)range > index)
		return false;
	/* Half of what is public stays so, but for the topmost. */
	kept = (uint32_t)range + (split - (uint32_t)range) / 2;
	if (kept > index)
		kept = index;
	/* relaxed: a thief that takes a slot with an update after this one finds what was published
	 * before, and the slots that this one takes back are the owner's own work. */
	range = atomic_fetch_sub_explicit(&stack->range_, (uint64_t)(split - kept) << 32,
					  memory_order_relaxed);
	if ((uint32_t)range > kept) {
		/* They were faster. Nothing is public now, so that none of them succeeds. */
		kept = (uint32_t)range;
		atomic_store_explicit(&stack->range_, range_of(kept, kept), memory_order_relaxed);
	}
	set_split(stack, stack->base_ + kept);
	return kept <= index;
}

void weft_fork_stack_renew(weft_fork_stack *stack, weft_fork_slot *slot)
{
	uint32_t index = index_of(stack, slot);

	if (stack->split_ <= slot)
		return;
	/* relaxed: nothing is public before or after it. */
	atomic_store_explicit(&stack->range_, range_of(index, index), memory_order_relaxed);
	set_split(stack, slot);
}

weft_fork_slot *weft_fork_stack_steal(weft_fork_stack *stack, uintptr_t thief)
{
	/* relaxed: R2 acquires. */
	uint64_t range = atomic_load_explicit(&stack->range_, memory_order_relaxed);

	for (;;) {
		weft_fork_slot *slot = stack->base_ + (uint32_t)range;

		if ((uint32_t)range >= range >> 32)
			return NULL;
		/* R2 acquire, pairs with R1: the call is complete. */
		if (!atomic_compare_exchange_weak_explicit(&stack->range_, &range, range + 1,
							   memory_order_acquire,
							   memory_order_relaxed))
			continue;
		/* N1 release, pairs with W1: where the owner finds work while it waits, which may
		 * be new. Added, for the owner may have said already that it sleeps. */
		atomic_fetch_or_explicit(&slot->state_, thief, memory_order_release);
		return slot;
	}
}
