/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_FORKJOIN_H
#define WEFT_POOL_FORKJOIN_H

/*
 * Fork-join: recursion on all workers of a pool at nearly the price of a call. A function that is
 * to be forked takes where it stands as its first argument, and is announced by a macro:
 *
 *     WEFT_FORKABLE_1(long, fib, int);
 *     static long fib(weft_fork at, int n)
 *     {
 *             if (n < 2)
 *                     return n;
 *             fib_fork(&at, n - 1);
 *             long b = fib(at, n - 2);
 *             return fib_join(&at) + b;
 *     }
 *     ...
 *     error = fib_run(pool, &result, 40);
 *
 * WEFT_FORKABLE_<n>(result, name, types of n arguments), n from 0 to 6, or WEFT_FORKABLE_VOID_<n>(
 * name, types...) for a function without a result, declares it as static inline (gcc then makes the
 * calls of small functions in fewer, larger steps, for which it must not be noinline) and defines
 *
 *     name_fork(&at, arguments)            the call may be made by another worker, from now on
 *     result name_join(&at)                its result: of the last fork that is not joined yet
 *     int name_run(pool, &result, arguments)   the first call of all; waits for it
 *
 * A run returns 0; -EINVAL when pool or result is NULL; -EPIPE when the pool is closed, -ECANCELED
 * when it aborts before the run has begun; -ENOMEM. On an error the result is as it was.
 *
 * What belongs together: a function joins, before it returns, all calls that it has forked, the
 * last one first, each by the join of the function that it forked. A debug build aborts at a join
 * that finds nothing forked, or another function; and when a function has returned with calls that
 * it has not joined, unless somebody was about to steal them: it names that function, if it was
 * forked or run itself, and else the one whose call is left. `at` is passed on by value, and only
 * downwards.
 *
 * Where most calls only look whether there is anything to do, say so: if (WEFT_LIKELY(size == 1))
 * return ...; then gcc puts that look into their callers wherever they are made. Else, of a
 * function that is not as small as fib, it does so for some levels of the recursion, and whether
 * the lowest one is among them depends on the depth of the first call. A stolen call begins at
 * another one.
 *
 * When not to use it: for calls that wait for something other than their own forks (meanwhile their
 * worker goes on, but nobody comes to steal what they have forked), and when each call is to have a
 * future: see executor.h.
 *
 * A fork writes a slot of 64 bytes and compares two words; the join of a call that nobody has
 * stolen compares one and calls the function directly. There is no allocation, no fence and no
 * atomic read-modify-write, unless a worker is hungry. A join of a stolen call makes calls that
 * this has forked meanwhile (leapfrogging). Where there are none it is suspended: after a
 * microsecond if there is anything else that its worker could do, and else when that has spun for
 * as long as the pool says. No stack holds more calls than the recursion is deep, and a worker
 * begins no stolen call while 64 of its joins are suspended.
 *
 *     operation                     threads                       progress  sleeps     allocates
 *     name_run                      any                           blocking  yes (*)    first time
 *     name_fork                     the function that stands there  wait-free (**)  no  no
 *     name_join                     the function that stands there  blocking  if stolen  a stack
 *
 *     (*) On a worker of the pool it makes the call itself, and does not sleep.
 *     (**) but for the kernel, when a sleeping worker is woken. Not in the first ten microseconds
 *     of a run: one whose only forks are then, while all others sleep, is made by one worker.
 *
 * Limits: arguments, and the result, of at most WEFT_FORK_DATA_BYTES each. Of a worker's calls that
 * are forked and not joined the first 65536 may be stolen; a fork beyond that makes the call at
 * once. Beyond some 8 million of them, or at the end of the thread's stack, is a guard page, which
 * ends the process with a line that says so (pool.h).
 *
 * Source: see lockfree/fork_stack.h; leapfrogging: Wagner and Calder, PPoPP 1993.
 */

#include <string.h>

#include <weft/lockfree/fork_stack.h>
#include <weft/pool/pool.h>

WEFT_BEGIN_DECLS

/* Private: the way of a run, and the long ways of fork and join. */
WEFT_API int weft_forkjoin_run_(weft_pool *pool, weft_fork_slot *slot);
WEFT_API void weft_forkjoin_forked_(weft_fork_slot *slot);
WEFT_API bool weft_forkjoin_join_(weft_fork_slot *slot);
/* Private: says whose contract is broken. */
WEFT_API WEFT_COLD void weft_forkjoin_not_joined_(weft_fork at, const char *name)
	__attribute__((noreturn));

WEFT_END_DECLS

/*
 * Private: where a slot's stack is, told by the slot's address alone. The slots that can be stolen
 * end at a multiple of GRANULE, and the others follow; either part finds its stack at this distance
 * below the granule that it is in. All but what is used costs address space only.
 */
#define WEFT_FORK_GRANULE_   ((uintptr_t)1 << 29)
#define WEFT_FORK_STEALABLE_ 65536
#define WEFT_FORK_BELOW_     (WEFT_FORK_STEALABLE_ * sizeof(weft_fork_slot) + 65536)

WEFT_INLINE weft_fork_stack *weft_fork_stack_of_(weft_fork_slot *slot)
{
	return (weft_fork_stack *)(((uintptr_t)slot & ~(WEFT_FORK_GRANULE_ - 1)) -
				   WEFT_FORK_BELOW_);
}

/*
 * Private: lines of the asm below, by which gcc tells how large it is, and so what it puts into
 * what. With 17 to 21 of them gcc 12 compiles skynet the same way (see docs/performance.md), with
 * 18 to 22 fib, from 19 on uts. With few it puts fork and join into a function before that
 * function's beginning goes into its callers, which cost fib a fifth, or so many levels of the
 * recursion into each other that they differ by a third; with more it leaves short loops of forks
 * as they are, which costs skynet a third.
 */
#define WEFT_FORK_LINES_ "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"

/*
 * Private: weft_fork_stack_calls, of the stack that the slot is in. gcc does not compare with what
 * it loads atomically where that lies, and computes the stack's address first: two instructions too
 * many, of a dozen. It would for an operand in memory, too; without one it may move plain stores
 * past the asm, but not what is volatile or atomic, and nothing else writes the limit.
 */
WEFT_INLINE bool weft_fork_calls_(weft_fork_slot *slot)
{
#if defined(__x86_64__) && defined(__LP64__) && defined(__GCC_ASM_FLAG_OUTPUTS__) &&               \
	!defined(__clang__) && !defined(__SANITIZE_THREAD__)
	static_assert(offsetof(weft_fork_stack, limit_) == 0, "where the stack begins");
	bool calls;

	__asm__ __volatile__("cmp{q %c3(%2), %1| %1, QWORD PTR [%2%c3]}" WEFT_FORK_LINES_
			     : "=@ccb"(calls)
			     : "r"(slot), "r"((uintptr_t)slot & ~(WEFT_FORK_GRANULE_ - 1)),
			       "i"(-(long)WEFT_FORK_BELOW_));
	return calls;
#else
	return weft_fork_stack_calls(weft_fork_stack_of_(slot), slot);
#endif
}

/* Private: the slot has been filled. */
WEFT_INLINE void weft_fork_push_(weft_fork_slot *slot, const char *name)
{
#ifndef NDEBUG
	/* relaxed: the owner's while the slot is private; sharing it overwrites this. */
	atomic_store_explicit(&slot->state_, (uintptr_t)name, memory_order_relaxed);
#endif
	(void)name;
	if (WEFT_UNLIKELY(weft_fork_calls_(slot)))
		weft_forkjoin_forked_(slot);
}

/* Private: in a debug build, all that was forked above here must have been joined. The name is that
 * of the function to blame if it has not. */
WEFT_INLINE void weft_fork_all_joined_(weft_fork at, const char *name)
{
#ifndef NDEBUG
	/* relaxed: only looks whether somebody has written to it. */
	if (WEFT_UNLIKELY(atomic_load_explicit(&at->state_, memory_order_relaxed) >=
				  WEFT_FORK_THIEF_ ||
			  (weft_fork_stack_of_(at)->split_ > at &&
			   weft_fork_stack_has_public(weft_fork_stack_of_(at)))))
		weft_forkjoin_not_joined_(at, name);
#endif
	(void)at;
	(void)name;
}

/* Private: removes the topmost slot. Returns whether the call is still to be made, here. */
WEFT_INLINE bool weft_fork_pop_(weft_fork_slot *slot,
				void (*run)(weft_fork at, weft_fork_slot *slot))
{
	bool own = true;

	WEFT_CONTRACT(slot >= weft_fork_stack_of_(slot)->base_ && slot->run == run,
		      "a join is of the last call that was forked and not joined");
	(void)run;
	weft_fork_all_joined_(slot + 1, NULL);
	if (WEFT_UNLIKELY(weft_fork_calls_(slot)))
		own = weft_forkjoin_join_(slot);
#ifndef NDEBUG
	/* relaxed: as in push; nobody else looks at it any more. */
	atomic_store_explicit(&slot->state_, 0, memory_order_relaxed);
#endif
	return own;
}

/* Private: inlined, but not at once: gcc then first takes a function's beginning, which often
 * decides that there is nothing to do, out of its recursion. */
#define WEFT_LATE_INLINE_ __attribute__((unused)) static inline

/* What stands in parentheses, without them. */
#define WEFT_FORK_LIST_(...) __VA_ARGS__

/* One argument goes into the slot. */
#define WEFT_FORK_PUT_(a) memcpy(&in->a, &a, sizeof(a));

/*
 * The typed wrappers. `members` are those of the struct of arguments; they go into the slot, and
 * are passed on from there, one by one: what is stored in small pieces and loaded as a whole, or
 * the other way round, makes the core wait. The lists in parentheses begin with a comma, for
 * something stands before them: parameters (, A a), their values (, a), the same from the slot
 * (, in->a).
 *
 * The function is inline, so that gcc puts small ones into themselves a few levels deep: fewer
 * calls, and most leaves without one.
 *
 * The result is stored at an offset: gcc 12 for aarch64 takes slot->data, where arguments have just
 * been read, for the first of them, and warns that a result overflows it (-Wstringop-overflow).
 */
#define WEFT_FORKABLE_(result, name, members, put, parameters, values, members_values)             \
	typedef struct __attribute__((may_alias)) name##_arguments_ {                              \
		members                                                                            \
	} name##_arguments_;                                                                       \
	static_assert(sizeof(name##_arguments_) <= WEFT_FORK_DATA_BYTES, "too many arguments");    \
	static_assert(__alignof__(name##_arguments_) <= 16, "too large an alignment");             \
	static inline result name(weft_fork at WEFT_FORK_LIST_ parameters);                        \
	static void name##_call_(weft_fork at, weft_fork_slot *slot);                              \
	WEFT_INLINE void name##_set_(weft_fork_slot *slot WEFT_FORK_LIST_ parameters)              \
	{                                                                                          \
		name##_arguments_ *in = (name##_arguments_ *)slot->data;                           \
		(void)in;                                                                          \
		put slot->run = name##_call_;                                                      \
	}                                                                                          \
	WEFT_INLINE result name##_call_here_(weft_fork at, const weft_fork_slot *slot)             \
	{                                                                                          \
		const name##_arguments_ *in = (const name##_arguments_ *)slot->data;               \
		(void)in;                                                                          \
		return name(at WEFT_FORK_LIST_ members_values);                                    \
	}                                                                                          \
	WEFT_LATE_INLINE_ void name##_fork_at_(weft_fork_slot *slot WEFT_FORK_LIST_ parameters)    \
	{                                                                                          \
		name##_set_(slot WEFT_FORK_LIST_ values);                                          \
		weft_fork_push_(slot, #name);                                                      \
	}                                                                                          \
	WEFT_INLINE void name##_fork(weft_fork *at WEFT_FORK_LIST_ parameters)                     \
	{                                                                                          \
		name##_fork_at_((*at)++ WEFT_FORK_LIST_ values);                                   \
	}

#define WEFT_FORKABLE_RESULT_(result, name, members, put, parameters, values, members_values)      \
	WEFT_FORKABLE_(result, name, members, put, parameters, values, members_values)             \
	static_assert(sizeof(result) <= WEFT_FORK_DATA_BYTES, "too large a result");               \
	static void name##_call_(weft_fork at, weft_fork_slot *slot)                               \
	{                                                                                          \
		result value = name##_call_here_(at, slot);                                        \
		weft_fork_all_joined_(at, #name);                                                  \
		memcpy((char *)slot + offsetof(weft_fork_slot, data), &value, sizeof(value));      \
	}                                                                                          \
	WEFT_LATE_INLINE_ result name##_join_at_(weft_fork_slot *slot)                             \
	{                                                                                          \
		result value;                                                                      \
		if (WEFT_LIKELY(weft_fork_pop_(slot, name##_call_)))                               \
			return name##_call_here_(slot, slot);                                      \
		memcpy(&value, slot->data, sizeof(value));                                         \
		return value;                                                                      \
	}                                                                                          \
	WEFT_INLINE result name##_join(weft_fork *at)                                              \
	{                                                                                          \
		return name##_join_at_(--(*at));                                                   \
	}                                                                                          \
	WEFT_INLINE int name##_run(weft_pool *pool, result *value WEFT_FORK_LIST_ parameters)      \
	{                                                                                          \
		weft_fork_slot slot;                                                               \
		name##_set_(&slot WEFT_FORK_LIST_ values);                                         \
		int error = value == NULL ? -EINVAL : weft_forkjoin_run_(pool, &slot);             \
		if (error == 0)                                                                    \
			memcpy(value, slot.data, sizeof(*value));                                  \
		return error;                                                                      \
	}                                                                                          \
	static_assert(sizeof(result) > 0, "a type that is complete")

#define WEFT_FORKABLE_NOTHING_(name, members, put, parameters, values, members_values)             \
	WEFT_FORKABLE_(void, name, members, put, parameters, values, members_values)               \
	static void name##_call_(weft_fork at, weft_fork_slot *slot)                               \
	{                                                                                          \
		name##_call_here_(at, slot);                                                       \
		weft_fork_all_joined_(at, #name);                                                  \
	}                                                                                          \
	WEFT_LATE_INLINE_ void name##_join_at_(weft_fork_slot *slot)                               \
	{                                                                                          \
		if (WEFT_LIKELY(weft_fork_pop_(slot, name##_call_)))                               \
			name##_call_here_(slot, slot);                                             \
	}                                                                                          \
	WEFT_INLINE void name##_join(weft_fork *at)                                                \
	{                                                                                          \
		name##_join_at_(--(*at));                                                          \
	}                                                                                          \
	WEFT_INLINE int name##_run(weft_pool *pool WEFT_FORK_LIST_ parameters)                     \
	{                                                                                          \
		weft_fork_slot slot;                                                               \
		name##_set_(&slot WEFT_FORK_LIST_ values);                                         \
		return weft_forkjoin_run_(pool, &slot);                                            \
	}                                                                                          \
	static_assert(sizeof(name##_arguments_) > 0, "a type that is complete")

#define WEFT_FORKABLE_0(result, name) WEFT_FORKABLE_RESULT_(result, name, char none;, , (), (), ())
#define WEFT_FORKABLE_1(result, name, A)                                                           \
	WEFT_FORKABLE_RESULT_(result, name, A a;, WEFT_FORK_PUT_(a), (, A a), (, a), (, in->a))
#define WEFT_FORKABLE_2(result, name, A, B)                                                        \
	WEFT_FORKABLE_RESULT_(result, name, A a; B b;, WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b),        \
						     (, A a, B b), (, a, b), (, in->a, in->b))
#define WEFT_FORKABLE_3(result, name, A, B, C)                                                     \
	WEFT_FORKABLE_RESULT_(result, name, A a; B b; C c;                                         \
			      , WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c),             \
			      (, A a, B b, C c), (, a, b, c), (, in->a, in->b, in->c))
#define WEFT_FORKABLE_4(result, name, A, B, C, D)                                                  \
	WEFT_FORKABLE_RESULT_(                                                                     \
		result, name, A a; B b; C c; D d;                                                  \
		, WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c) WEFT_FORK_PUT_(d),         \
		(, A a, B b, C c, D d), (, a, b, c, d), (, in->a, in->b, in->c, in->d))
#define WEFT_FORKABLE_5(result, name, A, B, C, D, E)                                               \
	WEFT_FORKABLE_RESULT_(result, name, A a; B b; C c; D d; E e;                               \
			      ,                                                                    \
			      WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c)                \
				      WEFT_FORK_PUT_(d) WEFT_FORK_PUT_(e),                         \
			      (, A a, B b, C c, D d, E e), (, a, b, c, d, e),                      \
			      (, in->a, in->b, in->c, in->d, in->e))
#define WEFT_FORKABLE_6(result, name, A, B, C, D, E, F)                                            \
	WEFT_FORKABLE_RESULT_(result, name, A a; B b; C c; D d; E e; F f;                          \
			      ,                                                                    \
			      WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c)                \
				      WEFT_FORK_PUT_(d) WEFT_FORK_PUT_(e) WEFT_FORK_PUT_(f),       \
			      (, A a, B b, C c, D d, E e, F f), (, a, b, c, d, e, f),              \
			      (, in->a, in->b, in->c, in->d, in->e, in->f))

#define WEFT_FORKABLE_VOID_0(name) WEFT_FORKABLE_NOTHING_(name, char none;, , (), (), ())
#define WEFT_FORKABLE_VOID_1(name, A)                                                              \
	WEFT_FORKABLE_NOTHING_(name, A a;, WEFT_FORK_PUT_(a), (, A a), (, a), (, in->a))
#define WEFT_FORKABLE_VOID_2(name, A, B)                                                           \
	WEFT_FORKABLE_NOTHING_(name, A a; B b;, WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b), (, A a, B b), \
					      (, a, b), (, in->a, in->b))
#define WEFT_FORKABLE_VOID_3(name, A, B, C)                                                        \
	WEFT_FORKABLE_NOTHING_(name, A a; B b; C c;                                                \
			       , WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c),            \
			       (, A a, B b, C c), (, a, b, c), (, in->a, in->b, in->c))
#define WEFT_FORKABLE_VOID_4(name, A, B, C, D)                                                     \
	WEFT_FORKABLE_NOTHING_(                                                                    \
		name, A a; B b; C c; D d;                                                          \
		, WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c) WEFT_FORK_PUT_(d),         \
		(, A a, B b, C c, D d), (, a, b, c, d), (, in->a, in->b, in->c, in->d))
#define WEFT_FORKABLE_VOID_5(name, A, B, C, D, E)                                                  \
	WEFT_FORKABLE_NOTHING_(name, A a; B b; C c; D d; E e;                                      \
			       ,                                                                   \
			       WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c)               \
				       WEFT_FORK_PUT_(d) WEFT_FORK_PUT_(e),                        \
			       (, A a, B b, C c, D d, E e), (, a, b, c, d, e),                     \
			       (, in->a, in->b, in->c, in->d, in->e))
#define WEFT_FORKABLE_VOID_6(name, A, B, C, D, E, F)                                               \
	WEFT_FORKABLE_NOTHING_(name, A a; B b; C c; D d; E e; F f;                                 \
			       ,                                                                   \
			       WEFT_FORK_PUT_(a) WEFT_FORK_PUT_(b) WEFT_FORK_PUT_(c)               \
				       WEFT_FORK_PUT_(d) WEFT_FORK_PUT_(e) WEFT_FORK_PUT_(f),      \
			       (, A a, B b, C c, D d, E e, F f), (, a, b, c, d, e, f),             \
			       (, in->a, in->b, in->c, in->d, in->e, in->f))

#endif
