/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/gauge.h>

#include <string.h>

static size_t shard_count(const weft_gauge *gauge)
{
	return gauge->marks_.bytes / sizeof(weft_gauge_marks_);
}

static weft_gauge_marks_ *shard_of(const weft_gauge *gauge, size_t index)
{
	return (weft_gauge_marks_ *)gauge->marks_.areas + index;
}

static void clear_marks(weft_gauge *gauge)
{
	for (size_t i = 0; i < shard_count(gauge); i++) {
		atomic_init(&shard_of(gauge, i)->high, WEFT_GAUGE_HIGH_NONE);
		atomic_init(&shard_of(gauge, i)->low, WEFT_GAUGE_LOW_NONE);
	}
}

int weft_gauge_init(weft_gauge *gauge)
{
	int error;

	memset((void *)gauge, 0, sizeof(*gauge));
	error = weft_per_cpu_init_(&gauge->marks_, weft_per_cpu_count_(),
				   sizeof(weft_gauge_marks_));
	if (error == 0)
		error = weft_counter_init(&gauge->level_);
	if (error != 0) {
		weft_gauge_fini(gauge);
		return error;
	}
	clear_marks(gauge);
	return 0;
}

/* With shards for so many CPUs. */
static size_t memory_size(size_t cpus)
{
	return cpus * (sizeof(weft_gauge_marks_) + sizeof(weft_counter_shard_));
}

size_t weft_gauge_memory_size(void)
{
	return memory_size(weft_per_cpu_count_());
}

int weft_gauge_init_in(weft_gauge *gauge, void *memory, size_t bytes)
{
	size_t cpus = weft_per_cpu_count_();

	memset((void *)gauge, 0, sizeof(*gauge));
	if (!weft_memory_fits_(memory, bytes, memory_size(cpus)))
		return -EINVAL;
	memory = weft_per_cpu_init_in_(&gauge->marks_, memory, cpus, sizeof(weft_gauge_marks_));
	weft_per_cpu_init_in_(&gauge->level_.shards_, memory, cpus, sizeof(weft_counter_shard_));
	clear_marks(gauge);
	return 0;
}

void weft_gauge_fini(weft_gauge *gauge)
{
	weft_counter_fini(&gauge->level_);
	weft_per_cpu_fini_(&gauge->marks_);
	memset((void *)gauge, 0, sizeof(*gauge));
}

int64_t weft_gauge_read(const weft_gauge *gauge)
{
	return weft_counter_read(&gauge->level_);
}

int64_t weft_gauge_set(weft_gauge *gauge, int64_t level)
{
	return weft_counter_move_(&gauge->level_, level);
}

int64_t weft_gauge_high(const weft_gauge *gauge)
{
	int64_t highest = WEFT_GAUGE_HIGH_NONE;

	for (size_t i = 0; i < shard_count(gauge); i++) {
		int64_t high =
			atomic_load_explicit(&shard_of(gauge, i)->high, memory_order_relaxed);

		highest = high > highest ? high : highest;
	}
	return highest;
}

int64_t weft_gauge_low(const weft_gauge *gauge)
{
	int64_t lowest = WEFT_GAUGE_LOW_NONE;

	for (size_t i = 0; i < shard_count(gauge); i++) {
		int64_t low = atomic_load_explicit(&shard_of(gauge, i)->low, memory_order_relaxed);

		lowest = low < lowest ? low : lowest;
	}
	return lowest;
}

int64_t weft_gauge_reset_high(weft_gauge *gauge)
{
	int64_t highest = WEFT_GAUGE_HIGH_NONE;

	for (size_t i = 0; i < shard_count(gauge); i++) {
		int64_t high = atomic_exchange_explicit(&shard_of(gauge, i)->high,
							WEFT_GAUGE_HIGH_NONE, memory_order_relaxed);

		highest = high > highest ? high : highest;
	}
	return highest;
}

int64_t weft_gauge_reset_low(weft_gauge *gauge)
{
	int64_t lowest = WEFT_GAUGE_LOW_NONE;

	for (size_t i = 0; i < shard_count(gauge); i++) {
		int64_t low = atomic_exchange_explicit(&shard_of(gauge, i)->low,
						       WEFT_GAUGE_LOW_NONE, memory_order_relaxed);

		lowest = low < lowest ? low : lowest;
	}
	return lowest;
}

void weft_gauge_move_marks_(weft_gauge_marks_ *marks, int64_t value)
{
	int64_t high = atomic_load_explicit(&marks->high, memory_order_relaxed);
	int64_t low = atomic_load_explicit(&marks->low, memory_order_relaxed);

	while (value > high &&
	       !atomic_compare_exchange_weak_explicit(&marks->high, &high, value,
						      memory_order_relaxed, memory_order_relaxed))
		;
	while (value < low &&
	       !atomic_compare_exchange_weak_explicit(&marks->low, &low, value,
						      memory_order_relaxed, memory_order_relaxed))
		;
}
