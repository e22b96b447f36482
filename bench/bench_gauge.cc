/* SPDX-License-Identifier: Apache-2.0 */

/*
 * gauge: recording a value for the high and the low mark, against one atomic integer for each and
 * two integers behind a mutex. Nearly all values are between the marks, as it is in a program.
 */

#include <new>
#include <pthread.h>

#include <weft/lockfree/gauge.h>

#include "update_scenarios.h"

namespace bench
{

namespace
{

bool are_extremes(int64_t low, int64_t high)
{
	auto [least, largest] = std::minmax_element(latencies().begin(), latencies().end());

	return low == static_cast<int64_t>(*least) && high == static_cast<int64_t>(*largest);
}

class sharded
{
      public:
	explicit sharded(unsigned)
	{
		if (weft_gauge_init(&gauge_) != 0)
			throw std::bad_alloc();
	}

	sharded(const sharded &) = delete;

	~sharded()
	{
		weft_gauge_fini(&gauge_);
	}

	auto updater(unsigned)
	{
		return [gauge = &gauge_, values = latencies().data()](uint64_t i) {
			weft_gauge_record(gauge, static_cast<int64_t>(values[i]));
		};
	}

	bool is_right(uint64_t) const
	{
		return are_extremes(weft_gauge_low(&gauge_), weft_gauge_high(&gauge_));
	}

      private:
	weft_gauge gauge_;
};

class two_atomics
{
      public:
	explicit two_atomics(unsigned) {}

	auto updater(unsigned)
	{
		return [this, values = latencies().data()](uint64_t i) {
			int64_t value = static_cast<int64_t>(values[i]);
			int64_t high = high_.load(std::memory_order_relaxed);
			int64_t low = low_.load(std::memory_order_relaxed);

			while (value > high &&
			       !high_.compare_exchange_weak(high, value, std::memory_order_relaxed))
				;
			while (value < low &&
			       !low_.compare_exchange_weak(low, value, std::memory_order_relaxed))
				;
		};
	}

	bool is_right(uint64_t) const
	{
		return are_extremes(low_, high_);
	}

      private:
	WEFT_LINE_ALIGNED std::atomic<int64_t> high_{INT64_MIN};
	std::atomic<int64_t> low_{INT64_MAX};
};

class behind_mutex
{
      public:
	explicit behind_mutex(unsigned) {}

	behind_mutex(const behind_mutex &) = delete;

	~behind_mutex()
	{
		pthread_mutex_destroy(&mutex_);
	}

	auto updater(unsigned)
	{
		return [this, values = latencies().data()](uint64_t i) {
			int64_t value = static_cast<int64_t>(values[i]);

			pthread_mutex_lock(&mutex_);
			high_ = std::max(high_, value);
			low_ = std::min(low_, value);
			pthread_mutex_unlock(&mutex_);
		};
	}

	bool is_right(uint64_t) const
	{
		return are_extremes(low_, high_);
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	int64_t high_ = INT64_MIN;
	int64_t low_ = INT64_MAX;
};

} // namespace

void add_gauge()
{
	add_updates<sharded>("gauge", "weft", role::weft);
	add_updates<two_atomics>("gauge", "atomics", role::baseline);
	add_updates<behind_mutex>("gauge", "mutex", role::baseline);
}

} // namespace bench
