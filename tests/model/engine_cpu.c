/* SPDX-License-Identifier: Apache-2.0 */

/* The CPUs of the model: two, and a thread is on the one that the scenario says. Which of them gets
 * a line is up to the search: nobody stands back (lockfree/back_off.c, a matter of speed). */

#include <sched.h>
#include <unistd.h>

#include "engine.h"

enum {
	CPUS = 2
};

int __wrap_sched_getcpu(void);
long __wrap_sysconf(int name);
long __real_sysconf(int name);
void weft_cpu_stand_back_(const volatile void *line);

static int current[ENGINE_THREADS];

void model_run_on(int cpu)
{
	current[engine.self] = cpu;
}

int __wrap_sched_getcpu(void)
{
	return current[engine.self];
}

long __wrap_sysconf(int name)
{
	return name == _SC_NPROCESSORS_CONF ? CPUS : __real_sysconf(name);
}

void weft_cpu_stand_back_(const volatile void *line)
{
	(void)line;
}
