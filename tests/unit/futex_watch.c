/* SPDX-License-Identifier: Apache-2.0 */
#include "futex_watch.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>

#define NS_PER_SECOND 1000000000

futex_watch futex_watched;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

static long wake(const long *a)
{
	atomic_fetch_add(&futex_watched.wakes, 1);

	long woken = __real_syscall(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);

	atomic_fetch_add(&futex_watched.woken, woken);
	return woken;
}

static long wait(const long *a)
{
	long nth = atomic_fetch_add(&futex_watched.waits, 1) + 1;

	if (futex_watched.before_wait != NULL && !futex_watched.before_wait(nth))
		return 0;

	long result = __real_syscall(SYS_futex, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (result == -1 && errno == EINTR)
		atomic_fetch_add(&futex_watched.interrupted, 1);
	return result;
}

long __wrap_syscall(long number, ...)
{
	va_list list;
	long a[6];

	va_start(list, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number != SYS_futex)
		return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return ((int)a[1] & FUTEX_CMD_MASK) == FUTEX_WAKE ? wake(a) : wait(a);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	if (futex_watched.before_clock != NULL)
		futex_watched.before_clock();
	if (futex_watched.clock_ns == 0)
		return __real_clock_gettime(clock, time);
	time->tv_sec = (time_t)(futex_watched.clock_ns / NS_PER_SECOND);
	time->tv_nsec = (long)(futex_watched.clock_ns % NS_PER_SECOND);
	return 0;
}

int futex_watch_reset(void **state)
{
	(void)state;
	futex_watched.before_wait = NULL;
	futex_watched.before_clock = NULL;
	futex_watched.clock_ns = 0;
	atomic_store(&futex_watched.waits, 0);
	atomic_store(&futex_watched.interrupted, 0);
	atomic_store(&futex_watched.wakes, 0);
	atomic_store(&futex_watched.woken, 0);
	return 0;
}

int futex_watch_thread(void)
{
	return (int)gettid();
}

/* The thread's state as the kernel names it: 'S' is asleep. */
static char thread_state(int thread)
{
	char path[64];
	char line[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread);
	file = fopen(path, "r");
	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = 0;
	fclose(file);
	/* "NUMBER (name) S ...": the name may hold anything, but its parenthesis is the last. */
	const char *end = strrchr(line, ')');

	return end == NULL || end[1] == 0 ? (char)0 : end[2];
}

void futex_watch_until_asleep(const _Atomic(int) *thread, long waits)
{
	while (atomic_load(&futex_watched.waits) < waits ||
	       thread_state(atomic_load(thread)) != 'S')
		sched_yield();
}
