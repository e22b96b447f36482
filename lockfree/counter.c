/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/counter.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t shard_count(const weft_counter *counter)
{
	return counter->shard_bytes_ / sizeof(weft_counter_shard_);
}

int weft_counter_init(weft_counter *counter)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	size_t bytes = (cpus < 1 ? 1 : (size_t)cpus) * sizeof(weft_counter_shard_);

	memset((void *)counter, 0, sizeof(*counter));
	counter->shards_ = aligned_alloc(sizeof(weft_counter_shard_), bytes);
	if (counter->shards_ == NULL)
		return -ENOMEM;
	memset((void *)counter->shards_, 0, bytes);
	counter->shard_bytes_ = (uint32_t)bytes;
	return 0;
}

void weft_counter_fini(weft_counter *counter)
{
	free(counter->shards_);
	memset((void *)counter, 0, sizeof(*counter));
}

int64_t weft_counter_read(const weft_counter *counter)
{
	uint64_t sum = 0;
	size_t i;

	/* relaxed: a sum orders nothing; an addition that happened before the call is seen by
	 * coherence, and the shards are not one snapshot, as the header says. */
	for (i = 0; i < shard_count(counter); i++) {
		const weft_counter_shard_ *shard = &counter->shards_[i];

		sum += (uint64_t)atomic_load_explicit(&shard->restartable, memory_order_relaxed);
		sum += (uint64_t)atomic_load_explicit(&shard->atomic, memory_order_relaxed);
	}
	return (int64_t)sum;
}

bool weft_counter_is_restartable(void)
{
#if WEFT_COUNTER_RESTARTABLE_
	/* Not __rseq_size, which speaks for the process: the kernel may have refused this thread.
	 * The area is there in any case, and says so with a negative number of the CPU. */
	const void *area = (const char *)__builtin_thread_pointer() + __rseq_offset;

	return (int32_t)((const volatile struct rseq *)area)->cpu_id >= 0;
#else
	return false;
#endif
}

void weft_counter_add_atomic_(weft_counter *counter, int64_t amount)
{
	int cpu = sched_getcpu();
	/* Where even that fails, every thread meets on shard 0: slow, and still exact. */
	size_t shard = cpu < 0 ? 0 : (size_t)cpu % shard_count(counter);

	/* relaxed: a count orders nothing. */
	atomic_fetch_add_explicit(&counter->shards_[shard].atomic, amount, memory_order_relaxed);
}
