/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_RCU_PTR_H
#define WEFT_LOCKFREE_RCU_PTR_H

/*
 * A pointer to something that is read all the time and replaced now and then: a configuration, a
 * routing table, a snapshot of a tree. A reader finds the newest by one load; a writer puts another
 * one in its place, and the old one is destroyed when nobody can be reading it any more.
 *
 * When not to use it: for a small value that one thread writes (seqlock.h: nothing is allocated),
 * and where it is replaced so often that the limit of reclaim.h is reached.
 *
 * Source: rcu_dereference and rcu_assign_pointer of Linux (Paul McKenney), on reclaim.h, whose
 * rules for sections hold.
 *
 *     operation                        threads              progress       sleeps  allocates
 *     weft_rcu_ptr_init                one                  -              no      no
 *     weft_rcu_ptr_read                any, in a section    wait-free      no      no
 *     weft_rcu_ptr_copy                any                  wait-free (1)  no      no
 *     weft_rcu_ptr_exchange            any                  wait-free      no      no
 *     weft_rcu_ptr_compare_exchange    any                  wait-free      no      no
 *     weft_rcu_ptr_update              any                  lock-free (1)  no      a note
 *
 *     (1) as weft_reclaim_enter and weft_reclaim_retire_pointer are.
 *
 * There is nothing to clean up but what the pointer points at.
 * Memory: 8 bytes; put it where little else is written.
 */

#include <string.h>

#include <weft/lockfree/reclaim.h>

typedef struct weft_rcu_ptr {
	/* Written by writers. */
	WEFT_ATOMIC(void *) pointer_;
} weft_rcu_ptr;

WEFT_BEGIN_DECLS

/*
 * Puts `pointer` in place of what is there, which `destroy` gets after a grace period; `bytes` is
 * how much that frees. Either may be NULL; NULL is not destroyed.
 * Threads: any. Progress: allocates, and as weft_reclaim_retire_pointer.
 * Returns 0, -EAGAIN, -EINVAL or -ENOMEM as weft_reclaim_retire_pointer; then nothing has changed.
 */
WEFT_API int weft_rcu_ptr_update(weft_rcu_ptr *rcu, void *pointer, void (*destroy)(void *old),
				 size_t bytes);

WEFT_END_DECLS

/* Threads: one, before it is shared. What `pointer` points at must be complete. */
WEFT_INLINE void weft_rcu_ptr_init(weft_rcu_ptr *rcu, void *pointer)
{
	/* relaxed: it is not shared yet. */
	atomic_store_explicit(&rcu->pointer_, pointer, memory_order_relaxed);
}

/*
 * The newest pointer. What it points at stays until the section ends.
 * Threads: any, inside a section of weft_reclaim_enter; or who alone replaces it. Progress:
 * wait-free.
 */
WEFT_INLINE void *weft_rcu_ptr_read(const weft_rcu_ptr *rcu)
{
	/* R1 acquire, pairs with W1, W2: what it points at is complete. */
	return atomic_load_explicit(&rcu->pointer_, memory_order_acquire);
}

/*
 * Copies the first `bytes` of what the pointer points at, in a section of its own.
 * Threads: any. Progress: as weft_reclaim_enter. Returns false when the pointer is NULL.
 */
WEFT_INLINE bool weft_rcu_ptr_copy(const weft_rcu_ptr *rcu, void *copy, size_t bytes)
{
	const void *pointer;

	weft_reclaim_enter();
	pointer = weft_rcu_ptr_read(rcu);
	if (pointer != NULL)
		memcpy(copy, pointer, bytes);
	weft_reclaim_exit();
	return pointer != NULL;
}

/*
 * Puts `pointer` in place of what is there, and returns that. It is the caller's to destroy after a
 * grace period: by weft_reclaim_retire, or after weft_reclaim_synchronize.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE void *weft_rcu_ptr_exchange(weft_rcu_ptr *rcu, void *pointer)
{
	/* W1 acq_rel, pairs with R1, W1, W2: what it points at is complete, and so was the old. */
	return atomic_exchange_explicit(&rcu->pointer_, pointer, memory_order_acq_rel);
}

/*
 * The same if *expected is there; else *expected becomes what is there, and false is returned. For
 * writers that make the new from the old: they read, copy and replace inside one section, so that
 * the old one cannot come back meanwhile.
 * Threads: any, inside a section. Progress: wait-free.
 */
WEFT_INLINE bool weft_rcu_ptr_compare_exchange(weft_rcu_ptr *rcu, void **expected, void *pointer)
{
	/* W2 acq_rel, pairs with R1, W1, W2: as W1. */
	return atomic_compare_exchange_strong_explicit(&rcu->pointer_, expected, pointer,
						       memory_order_acq_rel, memory_order_acquire);
}

/*
 * WEFT_RCU_PTR_DEFINE(table_ptr, struct table) makes the type `table_ptr` and table_ptr_init,
 * _read, _copy, _exchange, _compare_exchange and _update, which differ from the functions above in
 * that they take and return pointers to struct table.
 */
#define WEFT_RCU_PTR_DEFINE(name, type)                                                            \
	typedef struct name {                                                                      \
		weft_rcu_ptr rcu_;                                                                 \
	} name;                                                                                    \
	WEFT_INLINE void name##_init(name *rcu, type *pointer)                                     \
	{                                                                                          \
		weft_rcu_ptr_init(&rcu->rcu_, pointer);                                            \
	}                                                                                          \
	WEFT_INLINE const type *name##_read(const name *rcu)                                       \
	{                                                                                          \
		return (const type *)weft_rcu_ptr_read(&rcu->rcu_);                                \
	}                                                                                          \
	WEFT_INLINE bool name##_copy(const name *rcu, type *copy)                                  \
	{                                                                                          \
		return weft_rcu_ptr_copy(&rcu->rcu_, copy, sizeof(*copy));                         \
	}                                                                                          \
	WEFT_INLINE type *name##_exchange(name *rcu, type *pointer)                                \
	{                                                                                          \
		return (type *)weft_rcu_ptr_exchange(&rcu->rcu_, pointer);                         \
	}                                                                                          \
	WEFT_INLINE bool name##_compare_exchange(name *rcu, type **expected, type *pointer)        \
	{                                                                                          \
		void *there = *expected;                                                           \
		bool done = weft_rcu_ptr_compare_exchange(&rcu->rcu_, &there, pointer);            \
		*expected = (type *)there;                                                         \
		return done;                                                                       \
	}                                                                                          \
	WEFT_INLINE int name##_update(name *rcu, type *pointer, void (*destroy)(void *old))        \
	{                                                                                          \
		return weft_rcu_ptr_update(&rcu->rcu_, pointer, destroy, sizeof(*pointer));        \
	}                                                                                          \
	static_assert(sizeof(name) == sizeof(void *), "a pointer")

#endif
