/* SPDX-License-Identifier: Apache-2.0 */

/*
 * timer: waits with a deadline. What the deadline adds to a task's wait that is cut short, or comes
 * to its end, against threads that wait for a condition variable; and how late a wait of 100
 * microseconds ends, beside the bare call of the kernel.
 */

#include <array>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <sys/prctl.h>
#include <thread>

#include "fiber_scenarios.h"
#include "pinned_pool.h"
#include "task_chain.h"

namespace bench
{

namespace
{

/* Longer than a measurement; and so short that deadlines pass while others are being made. */
constexpr uint64_t long_ns = 3600 * WEFT_SECONDS;
constexpr uint64_t short_ns = 50 * WEFT_MICROSECONDS;

/* How late a wait is that ends with its deadline. */
constexpr uint64_t nap_ns = 100 * WEFT_MICROSECONDS;

class weft_tasks
{
      public:
	/* Each waits until the next one has begun, or the deadline; returns how many waits ended as
	 * they were to. */
	uint64_t cut_short(uint64_t count)
	{
		return run_waits(count, long_ns, 0);
	}

	uint64_t expire(uint64_t count)
	{
		return run_waits(count, short_ns, -ETIMEDOUT);
	}

	/* Calls nap(), which waits in a task of the pool. */
	void run(void (*nap)(void *), void *argument)
	{
		single one;

		one.nap = nap;
		one.argument = argument;
		weft_task_init(&one, run_single);
		weft_task_submit(pool_, &one);
		weft_task_wait(&one, WEFT_FOREVER);
	}

      private:
	struct single : weft_task {
		void (*nap)(void *);
		void *argument;
	};

	struct waits : task_chain {
		using task_chain::task_chain;

		uint64_t timeout_ns = 0;
		int expected = 0;
	};

	uint64_t run_waits(uint64_t count, uint64_t timeout_ns, int expected)
	{
		waits all(count);

		all.timeout_ns = timeout_ns;
		all.expected = expected;
		all.run(pool_, wait_once);
		return all.right;
	}

	static void wait_once(weft_task *task)
	{
		auto *self = static_cast<task_chain::link *>(task);
		auto *all = static_cast<waits *>(self->all);

		/* The first one has nobody before it, and the last one nobody after. */
		if (all->expected == 0 && !self->is_first())
			weft_parker_unpark(&self[-1].mine);
		if (all->expected == 0 && self->is_last())
			weft_parker_unpark(&self->mine);
		all->right += weft_parker_park(&self->mine, 0, weft_after(all->timeout_ns)) ==
			      all->expected;
	}

	static void run_single(weft_task *task)
	{
		auto *self = static_cast<single *>(task);

		self->nap(self->argument);
	}

	pinned_pool pool_{0, 1};
};

/* Threads that wait as one does without weft, as many at a time as fit in a machine. */
class threads
{
      public:
	uint64_t cut_short(uint64_t count)
	{
		return waves(count, long_ns, true);
	}

	uint64_t expire(uint64_t count)
	{
		return waves(count, short_ns, false);
	}

      private:
	static constexpr size_t window = 100;

	struct bell {
		std::mutex mutex;
		std::condition_variable changed;
		bool rung = false;

		void ring()
		{
			std::lock_guard<std::mutex> guard(mutex);

			rung = true;
			changed.notify_one();
		}

		/* Whether it was rung before the time was over. */
		bool wait(uint64_t timeout_ns)
		{
			std::unique_lock<std::mutex> guard(mutex);

			bool in_time = changed.wait_for(guard, std::chrono::nanoseconds(timeout_ns),
							[this] { return rung; });

			rung = false;
			return in_time;
		}
	};

	uint64_t waves(uint64_t count, uint64_t timeout_ns, bool rings)
	{
		std::atomic<uint64_t> right{0};

		for (uint64_t begun = 0; begun < count;) {
			std::vector<std::thread> some;

			for (size_t i = 0; i < window && begun < count; i++, begun++)
				some.emplace_back([&, i] {
					if (rings && i > 0)
						bells_[i - 1].ring();
					right += bells_[i].wait(timeout_ns) == rings;
				});
			if (rings)
				bells_[some.size() - 1].ring();
			for (std::thread &one : some)
				one.join();
		}
		return right;
	}

	std::array<bell, window> bells_;
};

/* Ways to wait until a time on CLOCK_MONOTONIC: in a task, and in a thread. */
void park_until(uint64_t time_ns)
{
	weft_parker parker = {};

	weft_parker_park(&parker, 0, time_ns);
}

/* As exactly as the kernel can: by default it may add 50 microseconds. */
void sleep_until(uint64_t time_ns)
{
	thread_local const int slack = prctl(PR_SET_TIMERSLACK, 1UL);
	timespec time = {static_cast<time_t>(time_ns / WEFT_SECONDS),
			 static_cast<long>(time_ns % WEFT_SECONDS)};

	(void)slack;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr) == EINTR)
		;
}

void condition_until(uint64_t time_ns)
{
	static std::mutex mutex;
	static std::condition_variable never;
	std::unique_lock<std::mutex> guard(mutex);

	never.wait_until(guard,
			 std::chrono::steady_clock::time_point(std::chrono::nanoseconds(time_ns)),
			 [] { return false; });
}

/* What the naps of one measurement have come to. */
struct naps {
	samples late;
	bool early = false;
	const stop_flag *stop;
};

template <void (*Until)(uint64_t)> void take_naps(void *argument)
{
	auto *mine = static_cast<naps *>(argument);

	do {
		uint64_t due_ns = weft_after(nap_ns);

		Until(due_ns);

		uint64_t now_ns = weft_now();

		mine->early = mine->early || now_ns < due_ns;
		mine->late.add(static_cast<uint64_t>(static_cast<double>(now_ns - due_ns) /
						     ns_per_tick()));
	} while (!*mine->stop && !mine->late.full());
}

template <void (*Until)(uint64_t), bool InTask> result lateness()
{
	naps all;

	run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
		all.stop = &stop;
		if constexpr (InTask)
			weft_tasks().run(take_naps<Until>, &all);
		else
			take_naps<Until>(&all);
	});
	if (all.early)
		return {.wrong = "a wait ended before its deadline"};
	return quantiles(all.late);
}

/* `part`: as of add_fibers. */
template <class Waits> void add_waits(const std::string &name, role role, uint64_t part = 1)
{
	uint64_t count = 20000 / part;

	add("timer", "cut_short", unit::time,
	    {name, role, [count] {
		     return measure_fibers<Waits>(&Waits::cut_short, count,
						  static_cast<double>(count));
	     }});
	add("timer", "expire", unit::time,
	    {name, role, [count] {
		     return measure_fibers<Waits>(&Waits::expire, count,
						  static_cast<double>(count));
	     }});
}

template <void (*Until)(uint64_t), bool InTask = false>
void add_lateness(const std::string &name, role role)
{
	add("timer", "late_after_100_us", unit::time, {name, role, lateness<Until, InTask>});
}

} // namespace

void add_timer()
{
	add_waits<weft_tasks>("weft", role::weft);
	add_waits<threads>("threads", role::baseline, 100);
	add_lateness<park_until, true>("weft", role::weft);
	add_lateness<park_until>("weft_thread", role::weft);
	add_lateness<condition_until>("condvar", role::baseline);
	add_lateness<sleep_until>("clock_nanosleep", role::floor);
}

} // namespace bench
