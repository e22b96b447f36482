/* SPDX-License-Identifier: Apache-2.0 */

/*
 * counter: an increment against that of one atomic integer and of an integer behind a mutex, and
 * against the floor: `+= 1` on a word in memory that no other thread touches.
 *
 * All run in the same loop, eight increments to a turn. The time is CPU time per increment, so that
 * threads that take turns on a CPU do not count each other's; a thread that sleeps at the mutex
 * counts nothing, to the mutex's advantage.
 */

#include <new>
#include <pthread.h>

#include <weft/lockfree/counter.h>

#include "harness.h"
#include "registry.h"

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

	auto incrementer(unsigned)
	{
		return [counter = &counter_] { weft_counter_increment(counter); };
	}

	uint64_t read() const
	{
		return static_cast<uint64_t>(weft_counter_read(&counter_));
	}

      private:
	weft_counter counter_;
};

class plain
{
      public:
	explicit plain(unsigned threads) : words_(threads) {}

	auto incrementer(unsigned thread)
	{
		return [word = &words_[thread].count] {
			*word += 1;
			/* The compiler must leave it in memory, and may add but once. */
			__asm__ __volatile__("" : "+m"(*word));
		};
	}

	uint64_t read() const
	{
		return total(words_, 0, words_.size()).count;
	}

      private:
	std::vector<tally> words_;
};

class one_atomic
{
      public:
	explicit one_atomic(unsigned) {}

	auto incrementer(unsigned)
	{
		return [count = &count_] { count->fetch_add(1, std::memory_order_relaxed); };
	}

	uint64_t read() const
	{
		return count_.load();
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

	auto incrementer(unsigned)
	{
		return [this] {
			pthread_mutex_lock(&mutex_);
			count_++;
			pthread_mutex_unlock(&mutex_);
		};
	}

	uint64_t read() const
	{
		return count_;
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	uint64_t count_ = 0;
};

template <class Increment> tally increment_until(const stop_flag &stop, Increment increment)
{
	tally mine;
	double start_ns = thread_cpu_ns();

	do {
		for (int i = 0; i < 128; i++) {
			increment();
			increment();
			increment();
			increment();
			increment();
			increment();
			increment();
			increment();
		}
		mine.count += 8 * 128;
	} while (!stop);
	mine.ns = thread_cpu_ns() - start_ns;
	return mine;
}

template <class Counter> result increments(unsigned threads)
{
	Counter counter(threads);
	std::vector<tally> tallies(threads);

	run_crew(threads, current_settings().run_ms, [&](unsigned thread, const stop_flag &stop) {
		tallies[thread] = increment_until(stop, counter.incrementer(thread));
	});

	tally sum = total(tallies, 0, threads);

	if (counter.read() != sum.count)
		return {.wrong = "increments were lost"};
	return {.ns = sum.ns / static_cast<double>(sum.count)};
}

template <class Counter> void add_one(const std::string &name, role role)
{
	for (unsigned threads : {1u, 2u, 8u})
		add("counter", std::to_string(threads) + (threads == 1 ? "_thread" : "_threads"),
		    unit::time, {name, role, [threads] { return increments<Counter>(threads); }});
}

} // namespace

void add_counter()
{
	add_one<sharded>("weft", role::weft);
	add_one<one_atomic>("atomic", role::baseline);
	add_one<behind_mutex>("mutex", role::baseline);
	add_one<plain>("plain_add", role::floor);
}

} // namespace bench
