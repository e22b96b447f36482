/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sleeping and the clock.
 *
 * FUTEX_WAIT looks at the word and falls asleep in one step. The kernel's lock on the word's bucket
 * orders it, and its return, with every FUTEX_WAKE on the word, so that a waiter sees what the
 * wakers before it had seen: each word has a view that both take and leave. No happens-before comes
 * of that, as no C program may rely on it for its data. A wake may wake any of the sleepers.
 *
 * Time stands still but for looks at the clock, a microsecond each. A sleeper with a deadline may
 * reach it at any moment, and the clock then jumps there.
 */

#include "engine.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>

enum {
	WORDS = 16,
	NS_PER_LOOK = 1000
};

struct word {
	uintptr_t address;
	uint64_t hash; /* as it is part of engine.memory_hash */
	struct engine_view view;
};

static struct word words[WORDS];
static int word_count;

long __real_syscall(long number, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
long __wrap_syscall(long number, ...);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

void engine_futex_start(void)
{
	word_count = 0;
	engine.time_ns = (uint64_t)1000000000;
}

static struct word *word_at(uintptr_t address)
{
	for (int i = 0; i < word_count; i++)
		if (words[i].address == address)
			return &words[i];
	if (word_count == WORDS)
		model_fail("limit of the checker: too many futex words");

	struct word *word = &words[word_count++];

	word->address = address;
	word->hash = 0;
	engine_view_reset(&word->view);
	return word;
}

/* Takes the lock of the word's bucket, which orders those who do. */
static void word_lock(struct word *word)
{
	struct engine_thread *thread = engine_self();

	engine_view_join_seen(&thread->now, &word->view);
	engine_view_join_seen(&word->view, &thread->now);
	engine.memory_hash -= word->hash;
	word->hash = engine_mix(word->address, engine_view_hash(&word->view));
	engine.memory_hash += word->hash;
	thread->history = engine_mix(thread->history, word->hash);
}

static void trace(enum engine_kind kind, uintptr_t address, engine_value value, const void *pc)
{
	struct engine_event event = {
		.kind = kind,
		.thread = engine.self,
		.address = address,
		.size = 4,
		.before = value,
		.pc = pc,
	};

	engine_trace_event(&event);
}

static long wait(uintptr_t address, uint32_t value, const struct timespec *until, const void *pc)
{
	struct engine_thread *thread = engine_self();

	engine_point(ENGINE_WAIT);
	engine_race_atomic(address, 4, false, pc);
	word_lock(word_at(address));
	trace(ENGINE_WAIT, address, value, pc);
	if (engine_read(engine_location(address, 4), memory_order_relaxed, pc) != value) {
		errno = EAGAIN;
		return -1;
	}
	thread->sleeps_on = address;
	thread->has_deadline = until != NULL;
	if (until != NULL)
		thread->deadline = (uint64_t)until->tv_sec * 1000000000u + (uint64_t)until->tv_nsec;
	engine_sleep();
	word_lock(word_at(address));
	trace(thread->woken_by, address, 0, pc);
	thread->history = engine_mix(thread->history, thread->woken_by);
	if (thread->woken_by == ENGINE_WOKEN)
		return 0;
	errno = thread->woken_by == ENGINE_TIMEOUT ? ETIMEDOUT : EINTR;
	return -1;
}

static long wake(uintptr_t address, uint32_t count, const void *pc)
{
	struct engine_thread *thread = engine_self();
	uint32_t woken = 0;

	engine_point(ENGINE_WAKE);
	word_lock(word_at(address));
	while (woken < count) {
		int sleepers[ENGINE_THREADS], sleeper_count = 0;

		for (int i = 0; i < engine.thread_count; i++)
			if (engine.threads[i].state == ENGINE_ASLEEP &&
			    engine.threads[i].sleeps_on == address)
				sleepers[sleeper_count++] = i;
		if (sleeper_count == 0)
			break;

		struct engine_thread *sleeper =
			&engine.threads[sleepers[engine_choose(sleeper_count)]];

		sleeper->state = ENGINE_READY;
		sleeper->woken_by = ENGINE_WOKEN;
		woken++;
	}
	trace(ENGINE_WAKE, address, woken, pc);
	thread->history = engine_mix(thread->history, 3 + woken);
	engine_wrote();
	return (long)woken;
}

static long futex(uintptr_t address, int operation, uint32_t value, const struct timespec *until,
		  const void *pc)
{
	switch (operation & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
		if (until != NULL)
			model_fail("the checker knows FUTEX_WAIT without a timeout only");
		return wait(address, value, NULL, pc);
	case FUTEX_WAIT_BITSET:
		return wait(address, value, until, pc);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		return wake(address, value, pc);
	default:
		model_fail("the checker does not know futex operation %d", operation);
	}
}

long __wrap_syscall(long number, ...)
{
	const void *pc = __builtin_return_address(0);
	long a[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (!engine.running || engine.inside)
		return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	engine.inside = true;
	if (number != SYS_futex)
		model_fail("the checker does not know system call %ld", number);

	long result = futex((uintptr_t)a[0], (int)a[1], (uint32_t)a[2],
			    (const struct timespec *)a[3], pc);

	engine.inside = false;
	return result;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	if (!engine.running || engine.inside)
		return __real_clock_gettime(clock, time);

	struct engine_thread *thread = engine_self();

	engine.time_ns += NS_PER_LOOK;
	thread->history = engine_mix(thread->history, engine.time_ns);
	time->tv_sec = (time_t)(engine.time_ns / 1000000000u);
	time->tv_nsec = (long)(engine.time_ns % 1000000000u);
	return 0;
}
