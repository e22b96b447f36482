/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/per_cpu.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

size_t weft_per_cpu_count_(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	return cpus < 1 ? 1 : (size_t)cpus;
}

static void start(weft_per_cpu_ *per_cpu, void *memory, size_t bytes)
{
	memset(memory, 0, bytes);
	per_cpu->areas = memory;
	per_cpu->bytes = bytes;
	per_cpu->limit = bytes < INT32_MAX ? (uint32_t)bytes : INT32_MAX;
}

int weft_per_cpu_init_(weft_per_cpu_ *per_cpu, size_t areas, size_t area_bytes)
{
	size_t bytes;

	memset(per_cpu, 0, sizeof(*per_cpu));
	if (__builtin_mul_overflow(areas, area_bytes, &bytes))
		return -ENOMEM;

	void *memory = aligned_alloc(WEFT_CACHE_LINE, bytes);

	if (memory == NULL)
		return -ENOMEM;
	start(per_cpu, memory, bytes);
	return 0;
}

void *weft_per_cpu_init_in_(weft_per_cpu_ *per_cpu, void *memory, size_t areas, size_t area_bytes)
{
	memset(per_cpu, 0, sizeof(*per_cpu));
	per_cpu->lent = true;
	start(per_cpu, memory, areas * area_bytes);
	return (char *)memory + per_cpu->bytes;
}

void weft_per_cpu_fini_(weft_per_cpu_ *per_cpu)
{
	if (!per_cpu->lent)
		free(per_cpu->areas);
	memset(per_cpu, 0, sizeof(*per_cpu));
}

bool weft_per_cpu_is_restartable_(void)
{
#if WEFT_RESTARTABLE_
	return weft_per_cpu_number_() >= 0;
#else
	return false;
#endif
}

void *weft_per_cpu_current_(const weft_per_cpu_ *per_cpu, size_t area_bytes)
{
	int cpu = sched_getcpu();
	/* Where even that fails, every thread meets in area 0: slow, and still exact. */
	size_t area = cpu < 0 ? 0 : (size_t)cpu % (per_cpu->bytes / area_bytes);

	return (char *)per_cpu->areas + area * area_bytes;
}
