/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/sync/park.h>

#include <linux/futex.h>
#include <sched.h>
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
 * No wake-up is lost. A task takes the lock (C1), then looks at the word (W5); a waker has changed
 * the word, then looks at lock and count, which are one atomic object (C3), with a fence between
 * (F1). If C1 comes before the fence in the order of all these, the waker sees that the lock is
 * taken, or the count: it waits for the lock. If the fence comes first, the task sees the change
 * and does not wait. Under the lock the task is in the list before the waker looks through it, or
 * else looks at the word after the waker has been there.
 *
 * Who takes a task out of the list has it go on: the waker, or its own worker at the deadline.
 */

enum {
	PARKER_EMPTY = 0,
	PARKER_TOKEN = 1,
	PARKER_ASLEEP = 2,
	PARKER_SUSPENDED = 3, /* a task waits, which the parker knows */
	/* Looks at the word between two looks at the clock: a look costs a few nanoseconds, the
	 * clock 20 to 30 and the pause up to 40, so that the budget is kept within a microsecond.
	 */
	LOOKS_PER_CLOCK = 8,
	BUCKET_BITS = 16,
	/* In a bucket's state. */
	LOCKED = 1,
	ONE_TASK = 2,
	/* Looks at a lock before sleeping for it, and how long: who has it holds it for some 50 ns,
	 * unless it has lost its CPU. Giving the lock back is then a plain store. */
	LOOKS_AT_LOCK = 100,
	SLEEP_FOR_LOCK_NS = 50000,
	/* How long a thread sleeps in place of its task, before it tries again to suspend that. */
	SLEEP_FOR_TASK_NS = 1000000,
};

typedef struct bucket {
	/* How many stand in the list, times ONE_TASK; and LOCKED. */
	WEFT_ATOMIC(uint32_t) state;
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

/* Takes the lock. Returns the state without it. */
static uint32_t lock(bucket *in)
{
	/* relaxed: C1 acquires. */
	uint32_t state = atomic_load_explicit(&in->state, memory_order_relaxed) & ~(uint32_t)LOCKED;

	/* C1 seq_cst, pairs with C2, F1: what was done under the lock, and see above. */
	for (int look = 1;
	     !atomic_compare_exchange_weak_explicit(&in->state, &state, state | LOCKED,
						    memory_order_seq_cst, memory_order_relaxed);
	     look++) {
		if ((state & LOCKED) != 0 && look % LOOKS_AT_LOCK == 0)
			futex_wait(&in->state, state, weft_after(SLEEP_FOR_LOCK_NS));
		else if ((state & LOCKED) != 0)
			weft_cpu_relax();
		state &= ~(uint32_t)LOCKED;
	}
	return state;
}

/* Gives it back, with the state that there is now. */
static void unlock(bucket *in, uint32_t state)
{
	/* C2 release, pairs with C1: what was done under the lock. */
	atomic_store_explicit(&in->state, state, memory_order_release);
}

/* Under the lock. */
static void take_out(bucket *in, weft_park_task_ *task)
{
	*(task->previous == NULL ? &in->first : &task->previous->next) = task->next;
	*(task->next == NULL ? &in->last : &task->next->previous) = task->previous;
	task->waits = false;
}

/* Puts the running task into the table, unless the word has changed. */
static bool put_in(weft_park_task_ *task, const WEFT_ATOMIC(uint32_t) * word, uint32_t value)
{
	bucket *in = bucket_of(word);
	uint32_t state = lock(in);

	/* W5 seq_cst, pairs with F1: see above. */
	if (atomic_load_explicit(word, memory_order_seq_cst) != value) {
		unlock(in, state);
		return false;
	}
	task->word = word;
	task->waits = true;
	task->next = NULL;
	task->previous = in->last;
	*(in->last == NULL ? &in->first : &in->last->next) = task;
	in->last = task;
	unlock(in, state + ONE_TASK);
	return true;
}

static bool leave_table(weft_park_task_ *task)
{
	bucket *in = bucket_of(task->word);
	uint32_t state = lock(in);
	bool waited = task->waits;

	if (waited)
		take_out(in, task);
	unlock(in, waited ? state - ONE_TASK : state);
	return waited;
}

bool weft_park_leave_(weft_park_task_ *task)
{
	uint32_t suspended = PARKER_SUSPENDED;

	if (task->parker == NULL)
		task->has_left = leave_table(task);
	else
		/* relaxed: nothing is handed over by a wait that is given up. */
		task->has_left = atomic_compare_exchange_strong_explicit(
			&task->parker->state_, &suspended, PARKER_EMPTY, memory_order_relaxed,
			memory_order_relaxed);
	return task->has_left;
}

/* Waits once while *word == value, as a task or, without one, as a thread. */
static void wait_once(weft_park_task_ *task, const WEFT_ATOMIC(uint32_t) * word, uint32_t value,
		      weft_deadline deadline)
{
	if (task == NULL) {
		futex_wait(word, value, deadline);
	} else if (!task->ways->prepare(task, deadline)) {
		weft_deadline soon = weft_after(SLEEP_FOR_TASK_NS);

		futex_wait(word, value, soon < deadline ? soon : deadline);
	} else if (put_in(task, word, value)) {
		task->ways->suspend(task, deadline);
	}
}

/* Spins while *word == value, for the budget or to the deadline. Returns the word as last seen. */
static uint32_t spin_while(const weft_park_task_ *task, const WEFT_ATOMIC(uint32_t) * word,
			   uint32_t value, uint64_t spin_ns, weft_deadline deadline)
{
	/* W1 acquire, pairs with W2: what happened before the change is visible. */
	uint32_t seen = atomic_load_explicit(word, memory_order_acquire);

	/* A task that spins would only keep others from running. */
	if (seen != value || spin_ns == 0 || deadline == WEFT_NOW || task != NULL)
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

bool weft_park_spin_(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
		     weft_deadline deadline)
{
	return spin_while(weft_park_running_, word, value, spin_ns, deadline) != value;
}

static int park_while(weft_park_task_ *task, const WEFT_ATOMIC(uint32_t) * word, uint32_t value,
		      uint64_t spin_ns, weft_deadline deadline)
{
	uint32_t seen = spin_while(task, word, value, spin_ns, deadline);
	bool late = false;

	while (seen == value && !late) {
		/* The clock before the word: who was preempted between the two must not call the
		 * word unchanged from a look of long before the deadline. */
		late = deadline == WEFT_NOW || (deadline != WEFT_FOREVER && weft_now() >= deadline);
		if (!late)
			wait_once(task, word, value, deadline);
		/* W4 acquire, pairs with W2: as W1. */
		seen = atomic_load_explicit(word, memory_order_acquire);
	}
	return seen == value ? -ETIMEDOUT : 0;
}

int weft_park_while(const WEFT_ATOMIC(uint32_t) * word, uint32_t value, uint64_t spin_ns,
		    weft_deadline deadline)
{
	return park_while(weft_park_running_, word, value, spin_ns, deadline);
}

/* Takes up to `count` tasks that wait for the word out of a bucket that is not empty, the longest
 * waiting first, and has them go on. Returns how many. */
static __attribute__((noinline)) int32_t wake_some(bucket *in, const void *word, int32_t count)
{
	weft_park_task_ *woken = NULL, **end = &woken;
	uint32_t state = lock(in);
	int32_t found = 0;

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
	unlock(in, state - (uint32_t)found * ONE_TASK);
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

	/* F1 seq_cst, pairs with C1, W5: see above. */
	atomic_thread_fence(memory_order_seq_cst);
	/* relaxed: C3, ordered by the fence. */
	if (WEFT_LIKELY(atomic_load_explicit(&in->state, memory_order_relaxed) == 0))
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

static uint32_t forget(bucket *in)
{
	/* relaxed: nobody else is here. What is not in use is not written to, and takes no memory.
	 */
	uint32_t state = atomic_load_explicit(&in->state, memory_order_relaxed);

	if (state != 0) {
		atomic_store_explicit(&in->state, 0, memory_order_relaxed);
		in->first = in->last = NULL;
	}
	return state / ONE_TASK;
}

uint32_t weft_park_forget_(const void *word)
{
	return forget(bucket_of(word));
}

void weft_park_yield_(void)
{
	sched_yield();
}

void weft_park_forked_(void)
{
	for (size_t i = 0; i < sizeof(buckets) / sizeof(buckets[0]); i++)
		forget(&buckets[i]);
	weft_park_running_ = NULL;
}

/* As a task. Returns whether it was suspended, and then made to go on by the token: that has been
 * handed over, and is no longer in the parker. */
static bool suspend_for_token(weft_parker *parker, weft_park_task_ *task, weft_deadline deadline)
{
	uint32_t seen = PARKER_EMPTY;

	if (deadline == WEFT_NOW || !task->ways->prepare(task, deadline))
		return false;
	parker->task_ = task;
	task->parker = parker;
	task->has_left = true;
	/* T1 release, pairs with T2, W2: the unparker finds the task. */
	if (atomic_compare_exchange_strong_explicit(&parker->state_, &seen, PARKER_SUSPENDED,
						    memory_order_release, memory_order_relaxed)) {
		task->has_left = false;
		task->ways->suspend(task, deadline);
	}
	task->parker = NULL;
	return !task->has_left;
}

int weft_parker_park(weft_parker *parker, uint64_t spin_ns, weft_deadline deadline)
{
	weft_park_task_ *task = weft_park_running_;
	uint32_t seen;

	/* relaxed: a second token, W6 takes it with acquire. */
	if (task != NULL && suspend_for_token(parker, task, deadline) &&
	    atomic_load_explicit(&parker->state_, memory_order_relaxed) == PARKER_EMPTY)
		return 0;
	seen = spin_while(task, &parker->state_, PARKER_EMPTY, spin_ns, deadline);
	if (seen == PARKER_EMPTY && deadline != WEFT_NOW) {
		/* Say that the waker must enter the kernel, unless the token has come meanwhile.
		 * relaxed: W6 below takes the token with acquire. */
		if (atomic_compare_exchange_strong_explicit(&parker->state_, &seen, PARKER_ASLEEP,
							    memory_order_relaxed,
							    memory_order_relaxed))
			park_while(task, &parker->state_, PARKER_ASLEEP, 0, deadline);
	}
	/* W6 acquire, pairs with W2: takes the token if there is one by now, deadline or not. */
	seen = atomic_exchange_explicit(&parker->state_, PARKER_EMPTY, memory_order_acquire);
	return seen == PARKER_TOKEN ? 0 : -ETIMEDOUT;
}

void weft_parker_unpark(weft_parker *parker)
{
	/* relaxed: the exchange checks it. */
	uint32_t seen = atomic_load_explicit(&parker->state_, memory_order_relaxed);
	weft_park_task_ *task;

	/* T2 acquire, pairs with T1: the task. It gets the token from hand to hand. */
	if (seen == PARKER_SUSPENDED &&
	    atomic_compare_exchange_strong_explicit(&parker->state_, &seen, PARKER_EMPTY,
						    memory_order_acquire, memory_order_relaxed)) {
		task = parker->task_;
		task->ways->resume(task);
		return;
	}
	/* W2 acq_rel, pairs with T1, W1, W3, W4, W6: what happened before is the waiter's to see;
	 * and the task, if one is suspended by now. */
	seen = atomic_exchange_explicit(&parker->state_, PARKER_TOKEN, memory_order_acq_rel);
	if (seen == PARKER_ASLEEP) {
		weft_park_wake(&parker->state_, 1);
	} else if (seen == PARKER_SUSPENDED) {
		task = parker->task_;
		task->ways->resume(task);
	}
}
