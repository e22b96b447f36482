/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_HARNESS_H
#define WEFT_BENCH_HARNESS_H

/*
 * What every benchmark stands on: how long to measure, threads that are pinned by a plan and start
 * together, a clock for single operations, and what a thread does when a try_ call says no.
 *
 * A measurement runs for a fixed time, in threads of its own; the main thread only sleeps
 * meanwhile. Where threads do not wait for each other, their CPU time counts, so that another
 * process on the CPU does not; where they do, it is the time from the start to the end of the last.
 */

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <sched.h>
#include <string>
#include <vector>

#include <weft/affinity/plan.h>
#include <weft/lockfree/base.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "registry.h"

namespace bench
{

/* How much to measure; filled from the command line. */
struct settings {
	unsigned run_ms = 50;      /* the length of one measurement */
	unsigned repetitions = 14; /* rounds; the median of their measurements counts */
	unsigned tasks = 500000;   /* tasks in one measurement of a pool */
	unsigned hang_s = 60;      /* what takes so much longer than it should ends its round */
};

settings &current_settings();

/* The plan by which threads are pinned: one on each core that the process may use. */
class placement
{
      public:
	/* That of this process. The first call must precede all other threads. */
	static placement &instance();

	/* How many threads have a core of their own. */
	unsigned places() const
	{
		return weft_plan_workers(plan_);
	}

	/* Threads beyond places() take the places round and round. */
	unsigned cpu(unsigned thread) const
	{
		return weft_plan_cpu(plan_, thread % places());
	}

	/* Binds the calling thread; a failure is kept for trouble(). */
	void bind(unsigned thread);
	/* A plan for workers at the places of the threads `first` and after; for the caller to
	 * destroy.
	 */
	weft_plan *plan_for(unsigned first, unsigned workers) const;
	/* "worker 0 on CPU 0, worker 1 on CPU 1" */
	std::string description() const;
	/* Empty, or why threads are not pinned. */
	std::string trouble() const;

      private:
	placement();

	weft_topology *topology_ = nullptr;
	weft_plan *plan_ = nullptr;
	std::atomic<int> bind_error_{0};
};

/* Whether the time of a measurement is up. */
class stop_flag
{
      public:
	explicit operator bool() const
	{
		return stop_.load(std::memory_order_relaxed);
	}

	void set()
	{
		stop_.store(true, std::memory_order_relaxed);
	}

      private:
	WEFT_LINE_ALIGNED std::atomic<bool> stop_{false};
};

/* What one thread of a crew does, at least once though the time be up. It must not throw. */
using crew_body = std::function<void(unsigned thread, const stop_flag &stop)>;

/*
 * Runs body(thread, stop) on this many threads, which are bound and start together; `stop` is set
 * after the time. Returns the nanoseconds from the start to the end of the last thread.
 */
double run_crew(unsigned threads, unsigned run_ms, const crew_body &body);

/*
 * The part (0 to 1) of the last crew's time in which one of its threads could run and had to wait
 * for its CPU, for another program was on it. 0 where the threads share CPUs among themselves, and
 * where the system does not say.
 */
double disturbance();

/* Whether that was so much that one measures again. */
inline bool is_disturbed()
{
	return disturbance() > 0.02;
}

/* Whether all crews since forget_crews() were of one thread, and no other thread of this process
 * did anything beside them: then nobody has waited for anybody. False when there was no crew. */
bool worked_alone();
void forget_crews();

/*
 * One bound thread calls work(), which does this many operations, until the time is up. Returns its
 * nanoseconds of CPU time for an operation.
 */
double time_alone(uint64_t operations, const std::function<void()> &work);

/* The part (0 to 1) of the CPUs' time that other programs take at present, or the hypervisor. */
double part_taken_by_others();

/* How much of this process is in memory. */
uint64_t resident_bytes();

inline double clock_ns(clockid_t clock)
{
	timespec time;

	clock_gettime(clock, &time);
	return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

inline double thread_cpu_ns()
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Of all its threads. */
inline double process_cpu_ns()
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

inline double now_ns()
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* A time stamp for single operations: the processor's own counter, where it can be read. */
inline uint64_t ticks()
{
#if defined(__x86_64__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t now;

	__asm__ __volatile__("isb; mrs %0, cntvct_el0" : "=r"(now)::"memory");
	return now;
#else
	return static_cast<uint64_t>(now_ns());
#endif
}

/* Measured against the clock, once. */
double ns_per_tick();

/* What a thread does when a try_ call says no: the same for every structure that is compared. */
class patience
{
      public:
	void failed()
	{
		if (++failures_ < 64) {
			weft_cpu_relax();
		} else {
			failures_ = 0;
			sched_yield();
		}
	}

	void succeeded()
	{
		failures_ = 0;
	}

      private:
	unsigned failures_ = 0;
};

/* Times of single operations, in ticks; no more of them than memory is set aside for. */
class samples
{
      public:
	static constexpr size_t capacity = 1 << 20;

	samples()
	{
		ticks_.reserve(capacity);
	}

	bool full() const
	{
		return ticks_.size() == capacity;
	}

	size_t size() const
	{
		return ticks_.size();
	}

	void add(uint64_t ticks)
	{
		ticks_.push_back(static_cast<uint32_t>(std::min<uint64_t>(ticks, UINT32_MAX)));
	}

	/* The nanoseconds that this part (0 to 1) of the operations took at most. */
	double quantile_ns(double part);

      private:
	std::vector<uint32_t> ticks_;
};

/* Of single operations: the median, and the quantiles beyond it that so many can tell. */
result quantiles(samples &times);

/* The result of one thread, on a line of its own. */
struct WEFT_LINE_ALIGNED tally {
	uint64_t count = 0;
	uint64_t sum = 0;
	uint64_t wrong = 0; /* of the count: those that were not as they should be */
	double ns = 0;
};

/* The sum of the tallies [first, last). */
tally total(const std::vector<tally> &tallies, size_t first, size_t last);

} // namespace bench

#endif
