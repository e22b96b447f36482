/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/counter.h>

#include <string.h>

int weft_counter_init(weft_counter *counter)
{
	memset((void *)counter, 0, sizeof(*counter));
	return weft_per_cpu_init_(&counter->shards_, weft_per_cpu_count_(),
				  sizeof(weft_counter_shard_));
}

size_t weft_counter_memory_size(void)
{
	return weft_per_cpu_count_() * sizeof(weft_counter_shard_);
}

int weft_counter_init_in(weft_counter *counter, void *memory, size_t bytes)
{
	size_t cpus = weft_per_cpu_count_();

	memset((void *)counter, 0, sizeof(*counter));
	if (!weft_memory_fits_(memory, bytes, cpus * sizeof(weft_counter_shard_)))
		return -EINVAL;
	weft_per_cpu_init_in_(&counter->shards_, memory, cpus, sizeof(weft_counter_shard_));
	return 0;
}

void weft_counter_fini(weft_counter *counter)
{
	weft_per_cpu_fini_(&counter->shards_);
	memset((void *)counter, 0, sizeof(*counter));
}

/*
 * The sum of all additions that there ever were: of all that the caller has seen, and perhaps
 * others. relaxed: an addition that happened before the call is seen by coherence, and so is one
 * that an earlier sum has seen, where that happened before.
 */
static uint64_t sum_of(const weft_counter *counter)
{
	const weft_counter_shard_ *shards = counter->shards_.areas;
	uint64_t sum = 0;

	for (size_t i = 0; i < counter->shards_.bytes / sizeof(*shards); i++) {
		sum += (uint64_t)atomic_load_explicit(&shards[i].restartable, memory_order_relaxed);
		sum += (uint64_t)atomic_load_explicit(&shards[i].atomic, memory_order_relaxed);
	}
	return sum;
}

int64_t weft_counter_read(const weft_counter *counter)
{
	/* B1 acquire, pairs with B3: the sum below has all that the reset has taken. */
	int64_t base = atomic_load_explicit(&counter->base_, memory_order_acquire);

	return (int64_t)(sum_of(counter) - (uint64_t)base);
}

int64_t weft_counter_move_(weft_counter *counter, int64_t value)
{
	uint64_t sum;
	int64_t base;

	do {
		/* B2 acquire, pairs with B3: as B1. So each sum that becomes the base has all
		 * additions of the one before, and some more: what this reset takes. */
		base = atomic_load_explicit(&counter->base_, memory_order_acquire);
		sum = sum_of(counter);
		/* B3 release, pairs with B1, B2: who finds this base has seen what is in it.
		 * relaxed on failure: it is loaded again. */
	} while (!atomic_compare_exchange_strong_explicit(
		&counter->base_, &base, (int64_t)(sum - (uint64_t)value), memory_order_release,
		memory_order_relaxed));
	return (int64_t)(sum - (uint64_t)base);
}

int64_t weft_counter_reset(weft_counter *counter)
{
	return weft_counter_move_(counter, 0);
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
