/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_RECLAIM_H
#define WEFT_LOCKFREE_RECLAIM_H

/*
 * When may memory be freed that other threads may still be reading? A reader looks at shared data
 * inside a section; a writer unlinks a piece of it and retires the piece; its function, which frees
 * it, is called when every section that was open then has ended: after a grace period.
 *
 * When not to use it: for data with one owner at a time, for a value that is copied (seqlock.h),
 * and where a section may last for long, as nothing that is retired meanwhile can be freed. For one
 * pointer that is read often and changed seldom there is rcu_ptr.h on top of this.
 *
 * Source: read-copy-update (Paul McKenney and John Slingwine, 1998) as in liburcu (Mathieu
 * Desnoyers and others, "User-level implementations of read-copy update", 2012), which is used and
 * stays out of sight. Threads of a pool are readers of its QSBR flavour: for them a section is a
 * counter, and the worker reports by itself between tasks that it holds nothing. All other threads
 * are readers of its memb flavour, whose sections have no barrier (the other side has it, by
 * membarrier).
 *
 * What is added here, and why. liburcu 0.13 can only sleep until a grace period has passed, and its
 * call_rcu gives all retired memory to one thread of its own, whose backlog has no bound. So each
 * thread also has one word here that says in which grace period it began to read: by these words
 * anybody sees, without waiting, whether a grace period is over. So no thread is needed behind the
 * scenes: who retires, or calls weft_reclaim_poll, and each worker before it sleeps, does the next
 * bit of the work, and one at a time does it.
 *
 *     operation                      threads         progress       sleeps  allocates
 *     weft_reclaim_enter             any             wait-free (1)  no      first use (2)
 *     weft_reclaim_exit              any             wait-free      no      no
 *     weft_reclaim_retire            any             lock-free (3)  no      first use (2)
 *     weft_reclaim_retire_pointer    any             lock-free (3)  no      yes
 *     weft_reclaim_poll              any             lock-free (3)  no      no
 *     weft_reclaim_quiescent         any             wait-free      no      no
 *     weft_reclaim_synchronize       any, outside    blocking       yes     no
 *     weft_reclaim_barrier           any, outside    blocking       yes     no
 *     weft_reclaim_limit, _stalled,
 *     weft_reclaim_statistics_read   any             wait-free      no      no
 *
 *     (1) but for the first one of a thread, which makes the thread known to liburcu and allocates.
 *     (2) When that fails the thread is not known by name: its sections hold, and cost an addition
 *     to a counter that all such threads share. It is tried again the next time.
 *     (3) and whatever the functions of what was retired do, of which one call runs at most 128.
 *
 * Rules. What was found inside a section may not be used after it. Inside a section do not wait for
 * other threads (on a worker, not for tasks either). The functions run in any thread that retires
 * or polls, inside that call, one at a time, in no order; they may retire and open sections, but
 * must not wait, and must not take a lock that is held around a retire.
 *
 * Bound. The backlog is what is retired and not yet freed. When it is above the limit
 * (weft_reclaim_limit), retire says -EAGAIN and takes nothing: the object stays the caller's.
 * weft_reclaim_stalled says who is in the way. The limit is looked at after every 32 objects or 64
 * KiB of a thread, so the backlog may go above it by that much (and one object) for each thread.
 *
 * A thread that ends leaves by itself, and what it retired is freed by others. One that ends inside
 * a section ends the section. Sections may be opened in signal handlers, once the thread has been
 * in one before; nothing else may be called there.
 *
 * After a fork the child has only the thread that forked: the sections of all others are over, and
 * what was retired before is freed in the child as well, but for what was just being freed. In the
 * child sections cost a barrier each, and synchronize and barrier spin in place of sleeping.
 *
 * A program that uses liburcu itself registers its threads, for the memb flavour, before they come
 * here first, and unregisters none of them before it ends.
 *
 * All this is one thing per process. Memory: 384 bytes for each thread that there is at once.
 */

#include <weft/lockfree/base.h>

/* Stands inside what is retired, or beside it. Nothing needs to be set. */
typedef struct weft_reclaim_head {
	struct weft_reclaim_head *next_;
	void (*function_)(struct weft_reclaim_head *head);
	size_t bytes_;
} weft_reclaim_head;

typedef struct weft_reclaim_statistics {
	size_t size;            /* sizeof(weft_reclaim_statistics), set by the caller */
	uint64_t objects;       /* the backlog: retired and not yet freed */
	uint64_t bytes;         /* of these, as retire was told */
	uint64_t retired;       /* objects, since the beginning */
	uint64_t refused;       /* calls of retire that said -EAGAIN, since the beginning */
	uint64_t grace_periods; /* that were begun for what was retired, since the beginning */
	uint64_t threads;       /* that are known by name now */
} weft_reclaim_statistics;

typedef struct weft_reclaim_stall {
	size_t size;       /* sizeof(weft_reclaim_stall), set by the caller */
	uint64_t readers;  /* how many are in the way; what follows is about one of them */
	uint64_t since_ns; /* it has been reading since before this time of CLOCK_MONOTONIC */
	int64_t thread;    /* its number, as in /proc/self/task; 0 when it is not known by name */
	bool worker;       /* a worker that runs one task, or else a thread inside one section */
} weft_reclaim_stall;

struct weft_reclaim_record_;

/* What a thread knows of itself. */
typedef struct weft_reclaim_self {
	uint32_t depth_; /* sections that it is in */
	/* Between what is written one after the other: compilers look at neighbours by one load,
	 * and a load of two stores waits until both have left the processor. */
	uint32_t unseen_objects_; /* retired since it last looked at the limit */
	uint64_t unseen_bytes_;   /* the same */
	struct weft_reclaim_record_ *record_;
	/* Constant as long as the thread has a record and a counter. */
	WEFT_ATOMIC(uint64_t) * epoch_;              /* the record's */
	const WEFT_ATOMIC(uint64_t) * newest_epoch_; /* what it becomes */
	WEFT_ATOMIC(unsigned long) * counter_;       /* the thread's, of who waits, or NULL */
	const WEFT_ATOMIC(unsigned long) * period_;  /* what it becomes */
	const WEFT_ATOMIC(int32_t) * sleeper_;       /* -1: who ends a section wakes somebody */
	uint32_t shielded_;                          /* one of the below */
	bool refused_;                               /* the backlog was above the limit then */
	bool unnamed_;                               /* inside a section without a record */
	bool counted_; /* this section is in the counter, or about to be */
	bool collecting_;
} weft_reclaim_self;

enum {
	WEFT_RECLAIM_OPEN_ = 0,     /* must say so before it reads */
	WEFT_RECLAIM_SHIELDED_ = 1, /* has said that it reads */
	WEFT_RECLAIM_WORKER_ = 2,   /* a worker: reads until it says otherwise */
};

WEFT_BEGIN_DECLS

/* Private: the calling thread. __thread, as C++'s thread_local would be reached by a call. */
WEFT_API extern __thread __attribute__((tls_model("initial-exec")))
weft_reclaim_self weft_reclaim_self_;

/* Private: the first section of a thread that is no worker begins, or ends, and has no counter. */
WEFT_API WEFT_COLD void weft_reclaim_begin_slowly_(void);
WEFT_API WEFT_COLD void weft_reclaim_end_slowly_(void);

/* Private: wakes who sleeps. */
WEFT_API WEFT_COLD void weft_reclaim_wake_(void);

/*
 * Retires an object: `function` is called with its head after a grace period, and may free it. The
 * object must no longer be reachable for threads that enter a section from now on. `bytes` counts
 * for the limit and for nothing else.
 * Threads: any. Progress: lock-free; runs functions of what was retired before.
 * Returns 0; -EAGAIN when the backlog is above the limit: the object is still the caller's, who may
 * try again, or call weft_reclaim_barrier outside of sections; -EINVAL when head or function is
 * NULL.
 */
WEFT_API int weft_reclaim_retire(weft_reclaim_head *head, void (*function)(weft_reclaim_head *head),
				 size_t bytes);

/*
 * The same for an object without a head in it; one is allocated.
 * Threads: any. Progress: allocates, and as above.
 * Returns 0, -EAGAIN or -EINVAL as above, or -ENOMEM; then the object is still the caller's.
 */
WEFT_API int weft_reclaim_retire_pointer(void *pointer, void (*function)(void *pointer),
					 size_t bytes);

/*
 * Does the next bit of work: begins a grace period for what has been retired, or looks whether one
 * is over and calls up to 128 functions. A program whose threads do not retire regularly calls it
 * now and then, or weft_reclaim_barrier.
 * Threads: any. Progress: lock-free. Returns how many functions it called; 0 also when another
 * thread is at it.
 */
WEFT_API size_t weft_reclaim_poll(void);

/*
 * Says that this thread holds nothing, for a task that runs for long on a pool's worker: workers
 * say it only between tasks. Does nothing on other threads or inside a section.
 * Threads: any. Progress: wait-free.
 */
WEFT_API void weft_reclaim_quiescent(void);

/*
 * Waits until every section that is open now has ended, and every worker has finished its task or
 * called weft_reclaim_quiescent. Afterwards what was unlinked before may be freed at once.
 * Threads: any, outside of sections. Progress: blocking; sleeps, inside liburcu.
 * Returns 0, or -EDEADLK inside a section.
 */
WEFT_API int weft_reclaim_synchronize(void);

/*
 * Waits until everything that was retired before this call has been freed: before a library is
 * unloaded whose functions were given to retire, before leaks are looked for.
 * Threads: any, outside of sections. Progress: blocking; sleeps, inside liburcu.
 * Returns 0, or -EDEADLK inside a section or in a function of what was retired.
 */
WEFT_API int weft_reclaim_barrier(void);

/*
 * Sets the limit of the backlog; SIZE_MAX: none. At first it is 262144 objects and 256 MiB.
 * Threads: any. Progress: wait-free. Returns 0, or -EINVAL when one of them is 0.
 */
WEFT_API int weft_reclaim_limit(size_t objects, size_t bytes);

/*
 * Reads the statistics. They are exact while nobody retires or frees.
 * Threads: any. Progress: wait-free, O(threads). Returns 0, or -EINVAL when `size` is wrong.
 */
WEFT_API int weft_reclaim_statistics_read(weft_reclaim_statistics *statistics);

/*
 * Tells what holds up the grace period that is under way for what was retired.
 * Threads: any. Progress: wait-free, O(threads).
 * Returns 1 and fills *stall when a thread is in the way, 0 when none is, -EINVAL when `size` is
 * wrong.
 */
WEFT_API int weft_reclaim_stalled(weft_reclaim_stall *stall);

WEFT_END_DECLS

/* The compiler keeps what is before this before what comes after it, for handlers of signals. */
WEFT_INLINE void weft_reclaim_in_order_(void)
{
	__asm__ __volatile__("" ::: "memory");
}

/* The part of a counter that is the depth of sections; its unit is 1. */
#define WEFT_RECLAIM_DEPTH_ ((1ul << (4 * sizeof(long))) - 1)

/*
 * Says that the thread reads from here on. (Here and below the thread's words are named, and not
 * reached by a pointer: for one to a thread-local gcc 12's UBSan looks at flags that nothing has
 * set, and reports that it is null.)
 */
WEFT_INLINE void weft_reclaim_begin_epoch_(void)
{
	/* E1 acquire, pairs with G1, G2: what was unlinked before this grace period began is not
	 * found any more. */
	uint64_t newest =
		atomic_load_explicit(weft_reclaim_self_.newest_epoch_, memory_order_acquire);

	/* E2 release, pairs with S1: the section before has ended. */
	atomic_store_explicit(weft_reclaim_self_.epoch_, newest, memory_order_release);
}

/*
 * The first section of a thread that is no worker. What this thread has stored before stands before
 * what it loads inside, for a thread that calls fence_all. And liburcu knows, so that it can sleep
 * until the section ends. The program's own sections of liburcu may be around it. relaxed: for one
 * in fence_all the compiler's order is enough, as it makes a barrier here; and liburcu, which has
 * one as well, only helps: the words decide.
 */
WEFT_INLINE void weft_reclaim_begin_reading_(void)
{
	unsigned long count;

	if (WEFT_UNLIKELY(weft_reclaim_self_.counter_ == NULL)) {
		weft_reclaim_begin_slowly_();
		return;
	}
	weft_reclaim_begin_epoch_();
	/* Looked at before counted_, here and at the end: a handler that interrupts in between
	 * leaves the same in the counter as is stored here then. */
	count = atomic_load_explicit(weft_reclaim_self_.counter_, memory_order_relaxed);
	weft_reclaim_in_order_();
	if (WEFT_LIKELY(!weft_reclaim_self_.counted_)) {
		weft_reclaim_self_.counted_ = true;
		weft_reclaim_in_order_();
		if (WEFT_LIKELY((count & WEFT_RECLAIM_DEPTH_) == 0))
			count = atomic_load_explicit(weft_reclaim_self_.period_,
						     memory_order_relaxed);
		else
			count++;
		atomic_store_explicit(weft_reclaim_self_.counter_, count, memory_order_relaxed);
	}
	weft_reclaim_in_order_();
	weft_reclaim_self_.shielded_ = WEFT_RECLAIM_SHIELDED_;
}

/* relaxed: as above; who sleeps makes a barrier here as well, after it has said so. */
WEFT_INLINE void weft_reclaim_end_reading_(void)
{
	unsigned long count;

	/* First, for a handler that interrupts this. */
	weft_reclaim_self_.shielded_ = WEFT_RECLAIM_OPEN_;
	weft_reclaim_in_order_();
	if (WEFT_UNLIKELY(weft_reclaim_self_.counter_ == NULL)) {
		weft_reclaim_end_slowly_();
		return;
	}
	count = atomic_load_explicit(weft_reclaim_self_.counter_, memory_order_relaxed);
	weft_reclaim_in_order_();
	if (WEFT_LIKELY(weft_reclaim_self_.counted_)) {
		weft_reclaim_self_.counted_ = false;
		weft_reclaim_in_order_();
		atomic_store_explicit(weft_reclaim_self_.counter_, count - 1, memory_order_relaxed);
		weft_reclaim_in_order_();
		if (WEFT_UNLIKELY(atomic_load_explicit(weft_reclaim_self_.sleeper_,
						       memory_order_relaxed) == -1))
			weft_reclaim_wake_();
	}
	/* X1 release, pairs with S1: what was read, was read. */
	atomic_store_explicit(weft_reclaim_self_.epoch_, 0, memory_order_release);
}

/* Opens a section; they nest. Threads: any. Progress: wait-free, see (1) above. */
WEFT_INLINE void weft_reclaim_enter(void)
{
	/* A handler that interrupts this anywhere finds either that it has to say that it reads,
	 * or that this has been said and stays so: the depth comes first. */
	weft_reclaim_self_.depth_++;
	weft_reclaim_in_order_();
	if (weft_reclaim_self_.shielded_ == WEFT_RECLAIM_OPEN_)
		weft_reclaim_begin_reading_();
}

/* Closes the section that was opened last. Threads: who opened it. Progress: wait-free. */
WEFT_INLINE void weft_reclaim_exit(void)
{
	WEFT_CONTRACT(weft_reclaim_self_.depth_ > 0, "each exit has its enter");
	weft_reclaim_self_.depth_--;
	weft_reclaim_in_order_();
	if (weft_reclaim_self_.depth_ == 0 &&
	    weft_reclaim_self_.shielded_ == WEFT_RECLAIM_SHIELDED_)
		weft_reclaim_end_reading_();
}

/* Whether the calling thread is inside a section. Threads: any. Progress: wait-free. */
WEFT_INLINE bool weft_reclaim_inside(void)
{
	return weft_reclaim_self_.depth_ > 0;
}

#endif
