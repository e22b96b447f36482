/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_BELL_SCENARIOS_H
#define WEFT_BENCH_BELL_SCENARIOS_H

/* What is measured of a bell (baseline/bells.h), as one template for all; a round trip may be
 * answered by another kind of bell. */

#include "harness.h"
#include "registry.h"

namespace bench
{

/* For this long the caller of a round trip is busy before it rings; then whoever waits sleeps. */
constexpr double think_ns = 100e3;

inline void stay_busy(double ns)
{
	for (double end_ns = now_ns() + ns; now_ns() < end_ns;) {
	}
}

template <class Bell, class Answer = Bell> class bell_scenarios
{
      public:
	/* One thread rings and takes the ring; after as many waits no ring is left. */
	static result uncontended()
	{
		Bell bell;
		double ns = time_alone(256, [&] {
			for (int i = 0; i < 256; i++) {
				bell.ring();
				bell.wait();
			}
		});

		if (!waits_for_ring(bell))
			return {.wrong = "a wait ended that nobody had rung for"};
		return {.ns = ns};
	}

	/* To another thread and back; the message proves that a ring makes visible what was before.
	 */
	static result round_trip(bool thinks)
	{
		bell_scenarios pair;
		samples times;

		run_crew(2, current_settings().run_ms, [&](unsigned thread, const stop_flag &stop) {
			if (thread == 0)
				pair.call(times, thinks, stop);
			else
				pair.answer();
		});
		if (!pair.right_)
			return {.wrong = "the answer was not visible"};
		return quantiles(times);
	}

      private:
	/* Rings when the other thread has had time to wait; whether it waited until then. */
	static bool waits_for_ring(Bell &bell)
	{
		std::atomic<bool> waits{false}, rung{false};
		bool waited = false;

		run_crew(2, 0, [&](unsigned thread, const stop_flag &) {
			if (thread == 0) {
				waits.store(true);
				bell.wait();
				waited = rung.load();
				return;
			}
			while (!waits.load())
				sched_yield();
			stay_busy(think_ns);
			rung.store(true);
			bell.ring();
		});
		return waited;
	}

	void call(samples &times, bool thinks, const stop_flag &stop)
	{
		do {
			if (thinks)
				stay_busy(think_ns);

			uint64_t sent = ++message_;
			uint64_t start = ticks();

			there_.ring();
			back_.wait();
			times.add(ticks() - start);
			right_ = right_ && message_ == sent + 1;
		} while (!stop && !times.full());
		message_ = farewell;
		there_.ring();
	}

	void answer()
	{
		for (;;) {
			there_.wait();
			if (message_ == farewell)
				return;
			message_++;
			back_.ring();
		}
	}

	static constexpr uint64_t farewell = UINT64_MAX;

	Bell there_;
	Answer back_;
	/* Written by whoever is not waiting. */
	WEFT_LINE_ALIGNED uint64_t message_ = 0;
	bool right_ = true;
};

} // namespace bench

#endif
