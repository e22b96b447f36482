/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_STRAND_SCENARIOS_H
#define WEFT_BENCH_STRAND_SCENARIOS_H

/* What is measured of strands: that each runs its tasks once and in order is checked. */

#include "harness.h"
#include "registry.h"

namespace bench
{

/*
 * Strands are a class of
 *     strands(unsigned count)
 *     type task, which others are derived from
 *     void submit(unsigned strand, task &, void (*function)(task *))
 * whose end is that of their tasks.
 */
template <class Strands> class strand_scenario
{
      public:
	/* Tasks from outside, the strands in turn. */
	static result measure(unsigned count)
	{
		std::vector<tally> seen(count);
		std::vector<job> jobs(current_settings().tasks);
		std::atomic<unsigned> ended{0};
		size_t rounds = jobs.size() / count;
		double ns;

		{
			Strands strands(count);

			ns = run_crew(1, 0, [&](unsigned, const stop_flag &) {
				patience patience;

				for (size_t i = 0; i < rounds * count; i++) {
					jobs[i].seen = &seen[i % count];
					jobs[i].number = i / count;
					jobs[i].ended = i / count == rounds - 1 ? &ended : nullptr;
					strands.submit(static_cast<unsigned>(i % count), jobs[i],
						       run);
				}
				while (ended.load(std::memory_order_acquire) < count)
					patience.failed();
			});
		}
		for (const tally &one : seen)
			if (one.wrong != 0 || one.count != rounds)
				return {.wrong = "tasks of a strand did not run once and in order"};
		return {.ns = ns / static_cast<double>(rounds * count)};
	}

      private:
	struct job : Strands::task {
		tally *seen; /* of its strand, whose tasks need no lock for it */
		uint64_t number;
		std::atomic<unsigned> *ended; /* the last one says so */
	};

	static void run(typename Strands::task *task)
	{
		auto *self = static_cast<job *>(task);

		self->seen->wrong += self->seen->count++ != self->number;
		if (self->ended != nullptr)
			self->ended->fetch_add(1, std::memory_order_release);
	}
};

} // namespace bench

#endif
