/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_UPDATE_SCENARIOS_H
#define WEFT_BENCH_UPDATE_SCENARIOS_H

/*
 * Many threads that update one statistic all the time, for things such as
 *
 *     class thing {
 *           public:
 *             explicit thing(unsigned threads);
 *             auto updater(unsigned thread); // called with the number of the update
 *             bool is_right(uint64_t updates) const;
 *     };
 *
 * All run in the same loop, eight updates to a turn. The time is CPU time per update, so that
 * threads that take turns on a CPU do not count each other's; a thread that sleeps at a mutex
 * counts nothing, to the mutex's advantage.
 */

#include "harness.h"
#include "registry.h"

namespace bench
{

/* How many updates are made with the numbers 0, 1, ... before they begin anew. */
constexpr uint64_t updates_in_turn = 1024;

template <class Update> tally update_until(const stop_flag &stop, Update update)
{
	tally mine;
	double start_ns = thread_cpu_ns();

	do {
		for (uint64_t i = 0; i < updates_in_turn; i += 8) {
			update(i);
			update(i + 1);
			update(i + 2);
			update(i + 3);
			update(i + 4);
			update(i + 5);
			update(i + 6);
			update(i + 7);
		}
		mine.count += updates_in_turn;
	} while (!stop);
	mine.ns = thread_cpu_ns() - start_ns;
	return mine;
}

template <class Thing> result updates(unsigned threads)
{
	Thing thing(threads);
	std::vector<tally> tallies(threads);

	run_crew(threads, current_settings().run_ms, [&](unsigned thread, const stop_flag &stop) {
		tallies[thread] = update_until(stop, thing.updater(thread));
	});

	tally sum = total(tallies, 0, threads);

	if (!thing.is_right(sum.count))
		return {.wrong = "updates were lost"};
	return {.ns = sum.ns / static_cast<double>(sum.count)};
}

/* Adds the groups 1_thread, 2_threads and 8_threads. */
template <class Thing>
void add_updates(const std::string &structure, const std::string &name, role role)
{
	for (unsigned threads : {1u, 2u, 8u})
		add(structure, std::to_string(threads) + (threads == 1 ? "_thread" : "_threads"),
		    unit::time, {name, role, [threads] { return updates<Thing>(threads); }});
}

/*
 * Latencies as a service sees them, in nanoseconds: from 200 to a million, most of them small. The
 * same ones in every run.
 */
const std::vector<uint64_t> &latencies();

} // namespace bench

#endif
