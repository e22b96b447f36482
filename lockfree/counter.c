/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/counter.h>

#include <string.h>

int weft_counter_init(weft_counter *counter)
{
	memset((void *)counter, 0, sizeof(*counter));
	return weft_per_cpu_init_(&counter->shards_, sizeof(weft_counter_shard_));
}

void weft_counter_fini(weft_counter *counter)
{
	weft_per_cpu_fini_(&counter->shards_);
	memset((void *)counter, 0, sizeof(*counter));
}

int64_t weft_counter_read(const weft_counter *counter)
{
	const weft_counter_shard_ *shards = counter->shards_.areas;
	uint64_t sum = 0;

	/* relaxed: a sum orders nothing; an addition that happened before the call is seen by
	 * coherence, and the shards are not one snapshot, as the header says. */
	for (size_t i = 0; i < counter->shards_.bytes / sizeof(*shards); i++) {
		sum += (uint64_t)atomic_load_explicit(&shards[i].restartable, memory_order_relaxed);
		sum += (uint64_t)atomic_load_explicit(&shards[i].atomic, memory_order_relaxed);
	}
	return (int64_t)sum;
}

bool weft_counter_is_restartable(void)
{
	return weft_per_cpu_is_restartable_();
}

void weft_counter_add_atomic_(weft_counter *counter, int64_t amount)
{
	weft_counter_shard_ *shard =
		weft_per_cpu_current_(&counter->shards_, sizeof(weft_counter_shard_));

	/* relaxed: a count orders nothing. */
	atomic_fetch_add_explicit(&shard->atomic, amount, memory_order_relaxed);
}
