/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/sync/park.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "park_task.h"

/*
 * Who waits, a thread or a task. A thread sleeps in the kernel, which knows by the word's address
 * whom to wake. A task is suspended, and stands in a table of our own: a bucket for each hash of an
 * address, with a lock, a list, and the number of tasks in the list. (The table is large, for there
 * may be 100,000 tasks; what of it is not used takes no memory.)
 *
 * No wake-up is lost. A task counts itself (C1), then looks at the word (W5), with a fence between;
 * a waker has changed the word, then looks at the count (C3), with a fence between. In the order of
 * the fences either the waker's comes later, so that it sees the count and takes the lock; or the
 * task's, which then sees the change and does not wait. Under the lock the task is in the list
 * before the waker looks through it, or else looks at the word after the waker has been there.
 *
 * Who takes a task out of the list has it go on: the waker, or its own worker at the deadline.
 */

enum {
	PARKER_EMPTY = 0,
	PARKER_TOKEN = 1,
	PARKER_ASLEEP = 2,
	/* Looks at the word between two looks at the clock: a look costs a few nanoseconds, the
	 * clock 20 to 30 and the pause up to 40, so that the budget is kept within a microsecond.
	 */
	LOOKS_PER_CLOCK = 8,
	BUCKET_BITS = 16,
	/* Looks at a lock before sleeping for it. */
	LOOKS_AT_LOCK = 100,
	LOCK_FREE = 0,
	LOCK_TAKEN = 1,
	LOCK_AWAITED = 2, /* taken, and somebody sleeps for it */
	/* How long a thread sleeps in place of its task, before it tries again to suspend that. */
	SLEEP_FOR_TASK_NS = 1000000,
};

typedef struct bucket {
	WEFT_ATOMIC(uint32_t) lock;
	/* How many stand in the list; written under the lock. */
	WEFT_ATOMIC(uint32_t) count;
	weft_park_task_ *first;
	weft_park_task_ *last;
} bucket;

static bucket buckets[1 << BUCKET_BITS];

_Thread_local weft_park_task_ *weft_park_running_;

/* Sleeps while *word == value. Returns on a wake, a signal, a change or the deadline. */
static void futex_wait(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, weft_deadline deadline)
{
	struct timespec until = {
		.tv_sec = (time_t)(deadline / WEFT_SECONDS),
		.tv_nsec = (long)(deadline % WEFT_SECONDS),
	};

	/* The bitset form takes an absolute time on CLOCK_MONOTONIC. Whatever it returns, the
	 * caller looks at the word and the clock again. */
	syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value,
		deadline == WEFT_FOREVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void futex_wake(const WEFT_ATOMIC(uint32_t) * word, int32_t count)
{
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, NULL, NULL, 0);
}

static bucket *bucket_of(const void *word)
{
	/* Fibonacci hashing: the high bits of the product are well mixed. */
	return &buckets[(uint64_t)((uintptr_t)word >> 2) * 0x9e3779b97f4a7c15 >>
			(64 - BUCKET_BITS)];
}

static void lock(bucket *in)
{
	for (int look = 0; look < LOOKS_AT_LOCK; look++) {
		uint32_t seen = LOCK_FREE;

		/* L1 acquire, pairs with L3: what was done under the lock. */
		if (WEFT_LIKELY(atomic_compare_exchange_weak_explicit(&in->lock, &seen, LOCK_TAKEN,
								      memory_order_acquire,
								      memory_order_relaxed)))
			return;
		weft_cpu_relax();
	}
	/* L2 acquire, pairs with L3: as L1. */
	while (atomic_exchange_explicit(&in->lock, LOCK_AWAITED, memory_order_acquire) != LOCK_FREE)
		futex_wait(&in->lock, LOCK_AWAITED, WEFT_FOREVER);
}

static void unlock(bucket *in)
{
	/* L3 release, pairs with L1, L2: what was done under the lock. */
	if (atomic_exchange_explicit(&in->lock, LOCK_FREE, memory_order_release) == LOCK_AWAITED)
		futex_wake(&in->lock, 1);
}

/* Under the lock. */
static void change_count(bucket *in, uint32_t by)
{
	/* relaxed: C1, written under the lock only; the fences order it for C3. */
	uint32_t count = atomic_load_explicit(&in->count, memory_order_relaxed);

	atomic_store_explicit(&in->count, count + by, memory_order_relaxed);
}

/* Under the lock. */
static void take_out(bucket *in, weft_park_task_ *task)
{
	*(task->previous == NULL ? &in->first : &task->previous->next) = task->next;
	*(task->next == NULL ? &in->last : &task->next->previous) = task->previous;
	task->waits = false;
	change_count(in, (uint32_t)-1);
}

/* Puts the running task into the table, unless the word has changed. */
static bool put_in(weft_park_task_ *task, const WEFT_ATOMIC(uint32_t) * word, uint32_t value)
{
	bucket *in = bucket_of(word);
	bool waits;

	lock(in);
	change_count(in, 1);
	/* F1 seq_cst, pairs with F2: see above. */
	atomic_thread_fence(memory_order_seq_cst);
	/* relaxed: W5, ordered by the fence; who goes on looks again with acquire. */
	waits = atomic_load_explicit(word, memory_order_relaxed) == value;
	if (waits) {
		task->word = word;
		task->waits = true;
		task->next = NULL;
		task->previous = in->last;
		*(in->last == NULL ? &in->first : &in->last->next) = task;
		in->last = task;
	} else {
		change_count(in, (uint32_t)-1);
	}
	unlock(in);
	return waits;
}

bool weft_park_leave_(weft_park_task_ *task)
{
	bucket *in = bucket_of(task->word);
	bool waited;

	lock(in);
	waited = task->waits;
	if (waited)
		take_out(in, task);
	unlock(in);
	return waited;
}

/* Waits once while *word == value, as a task or as a thread. */
static void wait_once(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, weft_deadline deadline)
{
	weft_park_task_ *task = weft_park_running_;

	if (task == NULL) {
		futex_wait(word, value, deadline);
	} else if (!task->ways->prepare(task)) {
		weft_deadline soon = weft_after(SLEEP_FOR_TASK_NS);

		futex_wait(word, value, soon < deadline ? soon : deadline);
	} else if (put_in(task, word, value)) {
		task->ways->suspend(task, deadline);
	}
}

/* Spins while *word == value, for the budget or to the deadline. Returns the word as last seen. */
static uint32_t spin_while(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
			   weft_deadline deadline)
{
	/* W1 acquire, pairs with W2: what happened before the change is visible. */
	uint32_t seen = atomic_load_explicit(word, memory_order_acquire);

	/* A task that spins would only keep others from running. */
	if (seen != value || spin_ns == 0 || deadline == WEFT_NOW || weft_park_running_ != NULL)
		return seen;

	weft_deadline end = weft_after(spin_ns);

	if (deadline < end)
		end = deadline;
	do {
		for (int look = 0; look < LOOKS_PER_CLOCK; look++) {
			weft_cpu_relax();
			/* W3 acquire, pairs with W2: as W1. */
			seen = atomic_load_explicit(word, memory_order_acquire);
			if (seen != value)
				return seen;
		}
	} while (weft_now() < end);
	return seen;
}

int weft_park_while(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
		    weft_deadline deadline)
{
	uint32_t seen = spin_while(word, value, spin_ns, deadline);
	bool late = false;

	while (seen == value && !late) {
		/* The clock before the word: who was preempted between the two must not call the
		 * word unchanged from a look of long before the deadline. */
		late = deadline == WEFT_NOW || (deadline != WEFT_FOREVER && weft_now() >= deadline);
		if (!late)
			wait_once(word, value, deadline);
		/* W4 acquire, pairs with W2: as W1. */
		seen = atomic_load_explicit(word, memory_order_acquire);
	}
	return seen == value ? -ETIMEDOUT : 0;
}

/* Takes up to `count` tasks that wait for the word out of a bucket that is not empty, the longest
 * waiting first, and has them go on. Returns how many. */
static WEFT_COLD int32_t wake_some(bucket *in, const void *word, int32_t count)
{
	weft_park_task_ *woken = NULL, **end = &woken;
	int32_t found = 0;

	lock(in);
	for (weft_park_task_ *task = in->first, *next; task != NULL && found < count; task = next) {
		next = task->next;
		if (task->word != word)
			continue;
		take_out(in, task);
		task->next = NULL;
		*end = task;
		end = &task->next;
		found++;
	}
	unlock(in);
	while (woken != NULL) {
		weft_park_task_ *next = woken->next;

		woken->ways->resume(woken);
		woken = next;
	}
	return found;
}

static inline int32_t wake_tasks(const void *word, int32_t count)
{
	bucket *in = bucket_of(word);

	/* F2 seq_cst, pairs with F1: see above. */
	atomic_thread_fence(memory_order_seq_cst);
	/* relaxed: C3, ordered by the fence. */
	if (WEFT_LIKELY(atomic_load_explicit(&in->count, memory_order_relaxed) == 0))
		return 0;
	return wake_some(in, word, count);
}

void weft_park_wake_tasks_(const WEFT_ATOMIC(uint32_t) * word, int32_t count)
{
	wake_tasks(word, count);
}

void weft_park_wake(const WEFT_ATOMIC(uint32_t) * word, int32_t count)
{
	int32_t woken = wake_tasks(word, count);

	if (woken < count)
		futex_wake(word, count - woken);
}

void weft_park_forked_(void)
{
	for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++) {
		bucket *in = &buckets[i];

		/* relaxed: this process has one thread. Only what is in use is written to. */
		if (atomic_load_explicit(&in->count, memory_order_relaxed) == 0 &&
		    atomic_load_explicit(&in->lock, memory_order_relaxed) == LOCK_FREE)
			continue;
		atomic_store_explicit(&in->count, 0, memory_order_relaxed);
		atomic_store_explicit(&in->lock, LOCK_FREE, memory_order_relaxed);
		in->first = in->last = NULL;
	}
}

int weft_parker_park(weft_parker *parker, uint64_t spin_ns, weft_deadline deadline)
{
	uint32_t seen = spin_while(&parker->state_, PARKER_EMPTY, spin_ns, deadline);

	if (seen == PARKER_EMPTY && deadline != WEFT_NOW) {
		/* Say that the waker must enter the kernel, unless the token has come meanwhile.
		 * relaxed: W6 below takes the token with acquire. */
		if (atomic_compare_exchange_strong_explicit(&parker->state_, &seen, PARKER_ASLEEP,
							    memory_order_relaxed,
							    memory_order_relaxed))
			weft_park_while(&parker->state_, PARKER_ASLEEP, 0, deadline);
	}
	/* W6 acquire, pairs with W2: takes the token if there is one by now, deadline or not. */
	seen = atomic_exchange_explicit(&parker->state_, PARKER_EMPTY, memory_order_acquire);
	return seen == PARKER_TOKEN ? 0 : -ETIMEDOUT;
}

void weft_parker_unpark(weft_parker *parker)
{
	/* W2 release, pairs with W1, W3, W4, W6: what happened before is the waiter's to see. */
	uint32_t seen =
		atomic_exchange_explicit(&parker->state_, PARKER_TOKEN, memory_order_release);

	if (seen == PARKER_ASLEEP)
		weft_park_wake(&parker->state_, 1);
}
