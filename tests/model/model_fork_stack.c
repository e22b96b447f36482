/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fork_stack: each call is made exactly once, by a thread that sees its arguments, and its owner
 * sees the result; a hungry thief that sleeps is not forgotten. The owner and the thieves do what
 * forkjoin.c does.
 */

#include <string.h>

#include <weft/lockfree/fork_stack.h>

#include "model.h"

enum {
	SLOTS = 4,
	THIEVES = 2,
	MADE = 100 /* the result of call i is i + MADE */
};

/* The owner's calls: 'f' fork, 'j' join. */
struct shape {
	const char *owner;
	int thieves, steals;
	size_t stealable;
	bool asked;       /* somebody is hungry from the start */
	bool never_waits; /* the owner gives up at a stolen call that has not been made */
	bool sleeps;      /* a thief that finds nothing sleeps */
};

static struct {
	weft_fork_stack stack, beyond;
	weft_fork_slot slots[SLOTS];
	const struct shape *shape;
	weft_fork_slot *head;
	uint64_t forked;
	WEFT_ATOMIC(int) asleep;
	bool gave_up;
} test;

static void setup(const struct shape *shape)
{
	memset((void *)&test, 0, sizeof(test));
	test.shape = shape;
	test.head = test.slots;
	weft_fork_stack_init(&test.stack, test.slots, shape->stealable);
	weft_fork_stack_init_beyond(&test.beyond);
	if (shape->asked)
		weft_fork_stack_ask(&test.stack);
	model_name(&test.stack.limit_, "limit");
	model_name(&test.stack.range_, "range");
	model_name(&test.asleep, "asleep");
	for (int i = 0; i < SLOTS; i++)
		model_name(&test.slots[i].state_, "state");
}

static void make_call(weft_fork_slot *slot)
{
	/* Made twice it is too large, if not a race. */
	model_assert(slot->data[0] < MADE);
	slot->data[0] += MADE;
}

/* Feeds whoever is hungry, and wakes who sleeps. */
static void share(weft_fork_slot *head)
{
	if (weft_fork_stack_share(&test.stack, head) > 0 &&
	    atomic_load_explicit(&test.asleep, memory_order_seq_cst) != 0)
		atomic_store_explicit(&test.asleep, 0, memory_order_relaxed);
}

static void fork(void)
{
	weft_fork_slot *slot = test.head++;

	slot->data[0] = ++test.forked;
	if (slot >= test.stack.end_) {
		model_assert(weft_fork_stack_calls(&test.beyond, slot));
		make_call(slot);
	} else if (weft_fork_stack_calls(&test.stack, slot)) {
		weft_fork_stack_renew(&test.stack, slot);
		if (weft_fork_stack_calls(&test.stack, test.stack.end_))
			share(test.head);
	}
}

/* Returns whether the topmost call is still to be made, by the owner. */
static bool is_own(weft_fork_slot *slot)
{
	if (slot >= test.stack.end_) {
		model_assert(weft_fork_stack_calls(&test.beyond, slot));
		return false;
	}
	if (!weft_fork_stack_calls(&test.stack, slot))
		return true;
	if (weft_fork_stack_calls(&test.stack, test.stack.end_))
		share(slot);
	return weft_fork_stack_take_back(&test.stack, slot);
}

static void join(uint64_t number)
{
	weft_fork_slot *slot = --test.head;

	if (is_own(slot)) {
		make_call(slot);
	} else if (slot < test.stack.end_) {
		if (test.shape->never_waits && weft_fork_slot_thief(slot) != WEFT_FORK_DONE_) {
			test.gave_up = true;
			return;
		}
		while (weft_fork_slot_thief(slot) != WEFT_FORK_DONE_)
			;
	}
	model_assert(slot->data[0] == number + MADE);
}

static void own(void *unused)
{
	uint64_t open[SLOTS];
	int depth = 0;

	(void)unused;
	for (const char *call = test.shape->owner; *call != '\0' && !test.gave_up; call++) {
		if (*call == 'f') {
			fork();
			open[depth++] = test.forked;
		} else {
			join(open[--depth]);
		}
	}
}

static void rob(void *argument)
{
	uintptr_t thief = WEFT_FORK_THIEF_ * (uintptr_t)argument;

	for (int i = 0; i < test.shape->steals; i++) {
		weft_fork_slot *slot = weft_fork_stack_steal(&test.stack, thief);

		if (slot == NULL) {
			weft_fork_stack_ask(&test.stack);
			continue;
		}
		make_call(slot);
		weft_fork_slot_finish(slot);
	}
	if (test.shape->sleeps) {
		/* As worker.c does it: announce, ask, look. */
		atomic_store_explicit(&test.asleep, 1, memory_order_seq_cst);
		weft_fork_stack_ask(&test.stack);
		if (weft_fork_stack_has_public(&test.stack))
			atomic_exchange_explicit(&test.asleep, 0, memory_order_seq_cst);
	}
}

static void run(const void *argument)
{
	const struct shape *shape = argument;

	setup(shape);
	model_thread(own, NULL);
	for (int i = 1; i <= shape->thieves; i++)
		model_thread(rob, (void *)(intptr_t)i);
	model_join();
	if (model_frozen() != 0)
		return;
	if (atomic_load_explicit(&test.asleep, memory_order_relaxed) != 0) {
		model_assert(!weft_fork_stack_has_public(&test.stack));
		/* Heard at the next fork. */
		model_assert(weft_fork_stack_calls(&test.stack, test.stack.end_));
	}
}

/* The owner sleeps until the thief has made the call. */

static WEFT_ATOMIC(int) told;

static void rob_and_tell(void *unused)
{
	weft_fork_slot *slot = weft_fork_stack_steal(&test.stack, WEFT_FORK_THIEF_);

	(void)unused;
	if (slot == NULL)
		return;
	make_call(slot);
	if (weft_fork_slot_finish(slot))
		atomic_store_explicit(&told, 1, memory_order_release);
}

static void own_and_await(void *unused)
{
	weft_fork_slot *slot = test.head;

	(void)unused;
	fork();
	if (is_own(slot))
		return;
	/* As with a parker. */
	if (weft_fork_slot_await(slot))
		while (atomic_load_explicit(&told, memory_order_acquire) == 0)
			;
	model_assert(weft_fork_slot_thief(slot) == WEFT_FORK_DONE_);
	model_assert(slot->data[0] == 1 + MADE);
}

static void awaited(const void *argument)
{
	setup(argument);
	atomic_store_explicit(&told, 0, memory_order_relaxed);
	model_name(&told, "told");
	model_thread(own_and_await, NULL);
	model_thread(rob_and_tell, NULL);
	model_join();
}

/*
 * Leapfrogging. A thief makes the stolen call, which forks another on the thief's own stack, and
 * then forks one that has nothing to do with it. The owner, while it waits, makes what it can steal
 * of the first, and gives the other back.
 */

enum {
	DESCENDS = 1, /* in data[1] */
	FOREIGN = 2,
	LEAPS = 2,
};

static struct {
	weft_fork_stack stack;
	weft_fork_slot slots[1];
} other;

static void fork_at(weft_fork_stack *stack, weft_fork_slot *slot, uint64_t kind)
{
	slot->data[0] = kind;
	slot->data[1] = kind;
	if (!weft_fork_stack_calls(stack, slot))
		return;
	weft_fork_stack_renew(stack, slot);
	if (weft_fork_stack_calls(stack, stack->end_))
		weft_fork_stack_share(stack, slot + 1);
}

static void join_at(weft_fork_stack *stack, weft_fork_slot *slot, uint64_t kind)
{
	bool own = !weft_fork_stack_calls(stack, slot) || weft_fork_stack_take_back(stack, slot);

	if (!own) {
		while (!weft_fork_slot_is_over(slot))
			;
		own = weft_fork_slot_thief(slot) == WEFT_FORK_GIVEN_BACK_;
	}
	if (own)
		make_call(slot);
	model_assert(slot->data[0] == kind + MADE);
}

static void leap_while_it_waits(void *unused)
{
	weft_fork_slot *waited = test.slots, *slot;
	uintptr_t thief;

	(void)unused;
	fork_at(&test.stack, waited, DESCENDS);
	if (weft_fork_stack_take_back(&test.stack, waited))
		return;
	for (int leap = 0; leap < LEAPS; leap++) {
		thief = weft_fork_slot_thief(waited);
		if (thief == 0)
			continue;
		if ((thief & WEFT_FORK_DONE_) != 0)
			break;
		slot = weft_fork_stack_steal((weft_fork_stack *)thief, WEFT_FORK_THIEF_);
		if (slot == NULL)
			continue;
		if (weft_fork_slot_is_over(waited)) {
			weft_fork_slot_give_back(slot);
			continue;
		}
		model_assert(slot->data[1] == DESCENDS);
		make_call(slot);
		weft_fork_slot_finish(slot);
	}
	while (!weft_fork_slot_is_over(waited))
		;
	model_assert(waited->data[0] == DESCENDS + MADE);
}

static void rob_and_fork(void *unused)
{
	weft_fork_slot *slot;

	(void)unused;
	/* The owner gets to know of it by the slot alone. */
	weft_fork_stack_init(&other.stack, other.slots, 1);
	weft_fork_stack_ask(&other.stack);
	slot = weft_fork_stack_steal(&test.stack, (uintptr_t)&other.stack);
	if (slot == NULL)
		return;
	fork_at(&other.stack, other.slots, DESCENDS);
	join_at(&other.stack, other.slots, DESCENDS);
	make_call(slot);
	weft_fork_slot_finish(slot);
	weft_fork_stack_ask(&other.stack);
	fork_at(&other.stack, other.slots, FOREIGN);
	join_at(&other.stack, other.slots, FOREIGN);
}

static void leapfrog(const void *argument)
{
	setup(argument);
	memset((void *)&other, 0, sizeof(other));
	model_name(&other.stack.range_, "other range");
	model_name(&other.slots[0].state_, "other state");
	model_thread(leap_while_it_waits, NULL);
	model_thread(rob_and_fork, NULL);
	model_join();
}

#define SHAPE(...) (&(const struct shape){__VA_ARGS__})

static const struct model_scenario scenarios[] = {
	{
		.name = "fork_stack: 2 forks, 2 thieves",
		.run = run,
		.argument =
			SHAPE("ffjj", .thieves = 2, .steals = 1, .stealable = SLOTS, .asked = true),
	},
	{
		.name = "fork_stack: 3 forks, a thief of 2",
		.run = run,
		.argument = SHAPE("fffjjj", .thieves = 1, .steals = 2, .stealable = SLOTS,
				  .asked = true),
		.preemptions = 3,
	},
	{
		.name = "fork_stack: a slot is used again",
		.run = run,
		.argument =
			SHAPE("fjfj", .thieves = 1, .steals = 2, .stealable = SLOTS, .asked = true),
		.preemptions = 4,
	},
	{
		.name = "fork_stack: the third call is made by its fork",
		.run = run,
		.argument =
			SHAPE("fffjjjfj", .thieves = 1, .steals = 2, .stealable = 2, .asked = true),
	},
	{
		.name = "fork_stack: a hungry thief that sleeps is not forgotten",
		.run = run,
		.argument = SHAPE("fjfj", .thieves = 1, .steals = 1, .stealable = SLOTS,
				  .sleeps = true),
		.preemptions = 3,
	},
	{
		.name = "fork_stack: nobody sleeps while there is something public",
		.run = run,
		.argument = SHAPE("ff", .thieves = 1, .stealable = SLOTS, .asked = true,
				  .sleeps = true),
		.preemptions = MODEL_UNBOUNDED,
	},
	{
		.name = "fork_stack: nobody but a join waits for a frozen thread",
		.run = run,
		.argument = SHAPE("ffjj", .thieves = 2, .steals = 1, .stealable = SLOTS,
				  .asked = true, .never_waits = true),
		.freeze = true,
	},
	{
		.name = "fork_stack: a join waits for a frozen thief",
		.run = run,
		.argument =
			SHAPE("fj", .thieves = 1, .steals = 1, .stealable = SLOTS, .asked = true),
		.freeze = true,
		.expect = "a frozen thread stops the others",
	},
	{
		.name = "fork_stack: an owner that sleeps is told, all interleavings",
		.run = awaited,
		.argument = SHAPE("", .stealable = SLOTS, .asked = true),
		.preemptions = MODEL_UNBOUNDED,
	},
	{
		.name = "fork_stack: who waits makes only what descends from what it waits for",
		.run = leapfrog,
		.argument = SHAPE("", .stealable = SLOTS, .asked = true),
		.preemptions = 4,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
