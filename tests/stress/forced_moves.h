/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_STRESS_FORCED_MOVES_H
#define WEFT_TESTS_STRESS_FORCED_MOVES_H

/*
 * What interrupts restartable sequences: threads that are moved from CPU to CPU, and signals. For
 * the stress programs of what is built on per_cpu.h. Included after <cmocka.h>.
 */

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

#include "stress.h"

/* Two CPUs to go to and fro; false where there is only one. */
static inline bool find_cpus(size_t cpus[2])
{
	cpu_set_t allowed;
	int found = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
		return false;
	for (size_t cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			cpus[found++] = cpu;
	}
	return found == 2;
}

static inline void move_thread(stress_crew *crew, pthread_t thread, size_t cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (pthread_setaffinity_np(thread, sizeof(one), &one) != 0)
		stress_fail(crew, "a thread could not be moved");
}

static inline void signal_thread(stress_crew *crew, pthread_t thread)
{
	if (pthread_kill(thread, SIGALRM) != 0)
		stress_fail(crew, "a thread could not be signalled");
}

/* A signal every 100 microseconds, to whichever worker, in addition to those of the disturber. */
static inline void set_timer(bool on)
{
	struct itimerval interval = {{0, on ? 100 : 0}, {0, on ? 100 : 0}};

	assert_int_equal(setitimer(ITIMER_REAL, &interval, NULL), 0);
}

#endif
