/* SPDX-License-Identifier: Apache-2.0 */

/*
 * counter: an increment against that of one atomic integer and of an integer behind a mutex, and
 * against the floor: `+= 1` on a word in memory that no other thread touches.
 */

#include <new>
#include <pthread.h>

#include <weft/lockfree/counter.h>

#include "update_scenarios.h"

namespace bench
{

namespace
{

class sharded
{
      public:
	explicit sharded(unsigned)
	{
		if (weft_counter_init(&counter_) != 0)
			throw std::bad_alloc();
	}

	sharded(const sharded &) = delete;

	~sharded()
	{
		weft_counter_fini(&counter_);
	}

	auto updater(unsigned)
	{
		return [counter = &counter_](uint64_t) { weft_counter_increment(counter); };
	}

	bool is_right(uint64_t updates) const
	{
		return static_cast<uint64_t>(weft_counter_read(&counter_)) == updates;
	}

      private:
	weft_counter counter_;
};

class plain
{
      public:
	explicit plain(unsigned threads) : words_(threads) {}

	auto updater(unsigned thread)
	{
		return [word = &words_[thread].count](uint64_t) {
			*word += 1;
			/* The compiler must leave it in memory, and may add but once. */
			__asm__ __volatile__("" : "+m"(*word));
		};
	}

	bool is_right(uint64_t updates) const
	{
		return total(words_, 0, words_.size()).count == updates;
	}

      private:
	std::vector<tally> words_;
};

class one_atomic
{
      public:
	explicit one_atomic(unsigned) {}

	auto updater(unsigned)
	{
		return [count = &count_](uint64_t) {
			count->fetch_add(1, std::memory_order_relaxed);
		};
	}

	bool is_right(uint64_t updates) const
	{
		return count_.load() == updates;
	}

      private:
	WEFT_LINE_ALIGNED std::atomic<uint64_t> count_{0};
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
		return [this](uint64_t) {
			pthread_mutex_lock(&mutex_);
			count_++;
			pthread_mutex_unlock(&mutex_);
		};
	}

	bool is_right(uint64_t updates) const
	{
		return count_ == updates;
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	uint64_t count_ = 0;
};

} // namespace

void add_counter()
{
	add_updates<sharded>("counter", "weft", role::weft);
	add_updates<one_atomic>("counter", "atomic", role::baseline);
	add_updates<behind_mutex>("counter", "mutex", role::baseline);
	add_updates<plain>("counter", "plain_add", role::floor);
}

} // namespace bench
