/* SPDX-License-Identifier: Apache-2.0 */

/*
 * histogram: recording a latency, against the same buckets as plain numbers behind a mutex and as
 * atomics that all threads share, and against the floor: plain buckets of each thread's own.
 */

#include <memory>
#include <new>
#include <numeric>
#include <pthread.h>

#include <weft/lockfree/histogram.h>

#include "update_scenarios.h"

namespace bench
{

namespace
{

/* Up to a minute, with an error of 0.8 %. */
constexpr uint64_t largest = 60'000'000'000;
constexpr unsigned precision_bits = 7;

size_t bucket_count()
{
	return weft_histogram_buckets(largest, precision_bits);
}

class sharded
{
      public:
	explicit sharded(unsigned)
	{
		if (weft_histogram_init(&histogram_, largest, precision_bits) != 0)
			throw std::bad_alloc();
	}

	sharded(const sharded &) = delete;

	~sharded()
	{
		weft_histogram_fini(&histogram_);
	}

	auto updater(unsigned)
	{
		return [histogram = &histogram_, values = latencies().data()](uint64_t i) {
			weft_histogram_record(histogram, values[i]);
		};
	}

	bool is_right(uint64_t updates) const
	{
		weft_histogram_snapshot snapshot;

		if (weft_histogram_snapshot_init(&snapshot, largest, precision_bits) != 0)
			throw std::bad_alloc();
		bool right = weft_histogram_read(&histogram_, &snapshot) == 0 &&
			     snapshot.count == updates;

		weft_histogram_snapshot_fini(&snapshot);
		return right;
	}

      private:
	weft_histogram histogram_;
};

/* Each thread's own. */
class plain
{
      public:
	explicit plain(unsigned threads) : buckets_(threads, std::vector<uint64_t>(bucket_count()))
	{
	}

	auto updater(unsigned thread)
	{
		return [buckets = buckets_[thread].data(),
			values = latencies().data()](uint64_t i) {
			buckets[weft_histogram_index_(values[i], precision_bits)]++;
		};
	}

	bool is_right(uint64_t updates) const
	{
		uint64_t sum = 0;

		for (const std::vector<uint64_t> &buckets : buckets_)
			sum = std::accumulate(buckets.begin(), buckets.end(), sum);
		return sum == updates;
	}

      private:
	std::vector<std::vector<uint64_t>> buckets_;
};

class shared_atomics
{
      public:
	explicit shared_atomics(unsigned) : buckets_(bucket_count()) {}

	auto updater(unsigned)
	{
		return [buckets = buckets_.data(), values = latencies().data()](uint64_t i) {
			buckets[weft_histogram_index_(values[i], precision_bits)].fetch_add(
				1, std::memory_order_relaxed);
		};
	}

	bool is_right(uint64_t updates) const
	{
		return std::accumulate(buckets_.begin(), buckets_.end(), uint64_t{0}) == updates;
	}

      private:
	std::vector<std::atomic<uint64_t>> buckets_;
};

class behind_mutex
{
      public:
	explicit behind_mutex(unsigned) : buckets_(bucket_count()) {}

	behind_mutex(const behind_mutex &) = delete;

	~behind_mutex()
	{
		pthread_mutex_destroy(&mutex_);
	}

	auto updater(unsigned)
	{
		return [this, buckets = buckets_.data(), values = latencies().data()](uint64_t i) {
			size_t bucket = weft_histogram_index_(values[i], precision_bits);

			pthread_mutex_lock(&mutex_);
			buckets[bucket]++;
			pthread_mutex_unlock(&mutex_);
		};
	}

	bool is_right(uint64_t updates) const
	{
		return std::accumulate(buckets_.begin(), buckets_.end(), uint64_t{0}) == updates;
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	std::vector<uint64_t> buckets_;
};

} // namespace

void add_histogram()
{
	add_updates<sharded>("histogram", "weft", role::weft);
	add_updates<shared_atomics>("histogram", "atomics", role::baseline);
	add_updates<behind_mutex>("histogram", "mutex", role::baseline);
	add_updates<plain>("histogram", "plain_add", role::floor);
}

} // namespace bench
