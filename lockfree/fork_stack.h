/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_FORK_STACK_H
#define WEFT_LOCKFREE_FORK_STACK_H

/*
 * Stack of calls that wait to be joined: the memory under fork-join. Its owner forks and joins at
 * the top; other threads steal the oldest calls from the part at the bottom that the owner has made
 * public. A call lives in its slot: function, arguments, later the result.
 *
 * When not to use it: programs use pool/forkjoin.h. For tasks that are pointers, and seen by
 * thieves at once, there is deque.h.
 *
 * Source: the direct task stack (Faxen, 2008) and the split deque of Lace (van Dijk and van de Pol,
 * 2014): the private part needs neither an atomic read-modify-write nor a fence. Here the owner
 * learns that somebody is hungry from the word that it compares with in every fork and join anyway:
 * a thief that finds nothing public raises that limit above every slot.
 *
 *     operation                            threads      progress   sleeps  allocates
 *     weft_fork_stack_init, _init_beyond   one          wait-free  no      no
 *     weft_fork_stack_calls                the owner    wait-free  no      no
 *     weft_fork_stack_share                the owner    wait-free  no      no
 *     weft_fork_stack_take_back, _renew    the owner    wait-free  no      no
 *     weft_fork_stack_steal                any          lock-free  no      no
 *     weft_fork_stack_ask, _has_public     any          wait-free  no      no
 *     weft_fork_slot_finish, _give_back    the thief    wait-free  no      no
 *     weft_fork_slot_thief, _await         the owner    wait-free  no      no
 *
 * Memory: the caller's, 64 bytes a slot.
 */

#include <weft/lockfree/base.h>

/* Bytes in a slot for the arguments of a call, and then for its result. */
#define WEFT_FORK_DATA_BYTES 48

/* Where a function stands: the first free slot above the calls that it has forked. A plain pointer,
 * for compilers keep that in a register, and make a loop of a call that comes last. */
typedef struct weft_fork_slot *weft_fork;

typedef struct weft_fork_slot {
	void (*run)(weft_fork at, struct weft_fork_slot *slot);
	/* Of a public slot: 0, or where it is made that was stolen, then one of WEFT_FORK_DONE_ and
	 * WEFT_FORK_GIVEN_BACK_; and a flag below. */
	WEFT_ATOMIC(uintptr_t) state_;
	uint64_t data[WEFT_FORK_DATA_BYTES / 8] __attribute__((aligned(16)));
} weft_fork_slot;

static_assert(sizeof(void *) != 8 || sizeof(weft_fork_slot) == 64, "a slot is a line");

/* state_: the call has been made, its result is in the slot. */
#define WEFT_FORK_DONE_ ((uintptr_t)1)
/* state_: the owner sleeps until the thief is done with it. */
#define WEFT_FORK_AWAITED_ ((uintptr_t)2)
/* state_: the thief has not made it, and will not. */
#define WEFT_FORK_GIVEN_BACK_ (WEFT_FORK_DONE_ | 4)
/* state_: not below this when it names somebody. */
#define WEFT_FORK_THIEF_ ((uintptr_t)8)
/* limit_: somebody is hungry. Above every slot. */
#define WEFT_FORK_HUNGRY_ ((weft_fork_slot *)~(uintptr_t)63)

/*
 * Invariants, for slots as indices from base_:
 *   I1  slots [taken, split) are public, where range_ has split in its upper and taken in its lower
 *       half; those below `taken` are stolen or done; those from split on are the owner's alone;
 *   I2  taken only grows while taken < split, by the exchange of the thief that takes that slot;
 *   I3  split_ is the owner's copy of split; limit_ is split_, or HUNGRY;
 *   I4  a stolen call that has been joined leaves all this as it is: its slot is below split_, so
 *       that the next fork there is told to look, and moves them down (renew).
 *
 * Every change of range_ is an update (or a store where nothing is public, so that no thief's
 * exchange can succeed). So whether a slot at the border goes to its owner or to a thief is decided
 * by the order of one word, and no fence is needed.
 *
 * No thief that sleeps hungry is forgotten. It marks itself as asleep (seq_cst), asks (A1 or A2)
 * and looks for something public (R3). The owner clears limit_ (L1) only together with a
 * publication (R1) that follows, and then looks for sleepers (seq_cst). If L1 clears what A1 wrote,
 * or A2 read, the owner sees the sleeper; else limit_ stays raised, and the owner's next fork or
 * join publishes and looks again. What is public already the sleeper sees, or R3 < R1 in the order
 * of all seq_cst operations, and the owner sees the sleeper. An owner that sees one or more must
 * see to it that someone is awake who asks again: what it has published may be gone when they come.
 */
typedef struct weft_fork_stack {
	/* Written by hungry thieves, and by the owner when it has fed them. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(weft_fork_slot *) limit_;
	/* Written by thieves, and by the owner when it publishes or takes back. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) range_;
	/* Constant; here because a thief reads it then. */
	weft_fork_slot *base_;
	/* Constant. Slots from end_ on are never public: they belong to the stack beyond. */
	weft_fork_slot *end_;
	/* The owner's. */
	WEFT_LINE_ALIGNED weft_fork_slot *split_;
} weft_fork_stack;

static_assert(sizeof(weft_fork_stack) == 3 * (size_t)WEFT_CACHE_LINE, "one line per writer");

WEFT_BEGIN_DECLS

/*
 * Makes an empty stack of `stealable` slots, below 2^31. Threads: one, before the stack is shared.
 * Progress: wait-free.
 */
WEFT_API void weft_fork_stack_init(weft_fork_stack *stack, weft_fork_slot *slots, size_t stealable);

/*
 * Makes what stands for a stack in the slots that follow its end: a fork there is told to look, and
 * makes the call itself; so is a join, which finds it made. So an end costs the others no
 * comparison. Threads: one, before the stack is shared. Progress: wait-free.
 */
WEFT_API void weft_fork_stack_init_beyond(weft_fork_stack *stack);

/*
 * Makes half of the private slots below `head` (or the end) public, one at least, if there is any;
 * then nobody is taken to be hungry. Threads: the owner. Progress: wait-free. Returns how many.
 */
WEFT_API size_t weft_fork_stack_share(weft_fork_stack *stack, weft_fork_slot *head);

/*
 * Makes the topmost slot that holds a call private again, along with others, unless it is stolen.
 * Threads: the owner. Progress: wait-free. Returns whether it is the owner's to call.
 */
WEFT_API bool weft_fork_stack_take_back(weft_fork_stack *stack, weft_fork_slot *slot);

/* A call has been written to the slot, and an older one there may have been stolen: now it is
 * private. Threads: the owner. Progress: wait-free. */
WEFT_API void weft_fork_stack_renew(weft_fork_stack *stack, weft_fork_slot *slot);

/*
 * Takes the oldest public slot for the thief, whose number is neither 0 nor has one of its three
 * lowest bits set.
 * Threads: any. Progress: lock-free (an exchange is lost only to another thief or to the owner).
 * Returns the slot, to be called and finished, or given back, or NULL when none is public.
 */
WEFT_API weft_fork_slot *weft_fork_stack_steal(weft_fork_stack *stack, uintptr_t thief);

WEFT_END_DECLS

/* Whether the owner has to look: somebody is hungry, or the slot is not private; of a slot that has
 * been filled just now, or is to be joined. Threads: the owner. Progress: wait-free. */
WEFT_INLINE bool weft_fork_stack_calls(const weft_fork_stack *stack, const weft_fork_slot *slot)
{
	/* relaxed: a hint; what follows from it has its own order. */
	return atomic_load_explicit(&stack->limit_, memory_order_relaxed) > slot;
}

/* Asks the owner to share. Threads: any. Progress: wait-free. */
WEFT_INLINE void weft_fork_stack_ask(weft_fork_stack *stack)
{
	/* A2 seq_cst, pairs with L1: raised already, and if not for long, its clearing comes later
	 * than this. */
	if (atomic_load_explicit(&stack->limit_, memory_order_seq_cst) == WEFT_FORK_HUNGRY_)
		return;
	/* A1 release, pairs with L1: whoever clears it knows what was announced before. */
	atomic_store_explicit(&stack->limit_, WEFT_FORK_HUNGRY_, memory_order_release);
}

/* Whether there is something to steal. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_fork_stack_has_public(const weft_fork_stack *stack)
{
	/* R3 seq_cst, pairs with R1: in the order of the essay. */
	uint64_t range = atomic_load_explicit(&stack->range_, memory_order_seq_cst);

	return (uint32_t)range < range >> 32;
}

/* The thief of a stolen slot: 0 while it is not known yet; or, in the end, WEFT_FORK_DONE_ when the
 * call has been made and its result can be read, or WEFT_FORK_GIVEN_BACK_ when it is the owner's to
 * make. Threads: the owner. Progress: wait-free. */
WEFT_INLINE uintptr_t weft_fork_slot_thief(const weft_fork_slot *slot)
{
	/* W1 acquire, pairs with D1, N1: the result; or what the thief's number means. */
	return atomic_load_explicit(&slot->state_, memory_order_acquire) & ~WEFT_FORK_AWAITED_;
}

/* Whether the thief is done with the stolen slot. Threads: the owner. Progress: wait-free. */
WEFT_INLINE bool weft_fork_slot_is_over(const weft_fork_slot *slot)
{
	return (weft_fork_slot_thief(slot) & WEFT_FORK_DONE_) != 0;
}

/* Asks to be told when the thief is done with the stolen call. Threads: the owner. Progress:
 * wait-free. Returns false when it is: see weft_fork_slot_thief for the result. */
WEFT_INLINE bool weft_fork_slot_await(weft_fork_slot *slot)
{
	/* relaxed: W1 reads the result. */
	return (atomic_fetch_or_explicit(&slot->state_, WEFT_FORK_AWAITED_, memory_order_relaxed) &
		WEFT_FORK_DONE_) == 0;
}

/* The stolen call has been made. The slot may be used again at once. Threads: the thief. Progress:
 * wait-free. Returns whether its owner wants to be told. */
WEFT_INLINE bool weft_fork_slot_finish(weft_fork_slot *slot)
{
	/* D1 release, pairs with W1: the result. */
	return (atomic_exchange_explicit(&slot->state_, WEFT_FORK_DONE_, memory_order_release) &
		WEFT_FORK_AWAITED_) != 0;
}

/* The stolen call has not been made, nor been looked at: its owner makes it, in its join. Threads:
 * the thief. Progress: wait-free. Returns whether its owner wants to be told. */
WEFT_INLINE bool weft_fork_slot_give_back(weft_fork_slot *slot)
{
	/* relaxed: all that is in the slot is the owner's own. */
	return (atomic_exchange_explicit(&slot->state_, WEFT_FORK_GIVEN_BACK_,
					 memory_order_relaxed) &
		WEFT_FORK_AWAITED_) != 0;
}

#endif
