/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_SNAPSHOT_SCENARIOS_H
#define WEFT_BENCH_SNAPSHOT_SCENARIOS_H

/*
 * A value that many read and one thread writes, seldom: what a read costs. A variant is a class
 * with read(snapshot &) for any thread and write(const snapshot &) for one; each read must give all
 * of one write, and none an older one than the read before.
 */

#include <memory>
#include <string>

#include "harness.h"
#include "registry.h"

namespace bench
{

struct snapshot {
	uint64_t words[8];
};

/* Between two writes the writer pauses so many times: a few hundred nanoseconds to a microsecond.
 */
constexpr unsigned pauses_between_writes = 32;

template <class Variant> class snapshot_scenario
{
      public:
	static result measure(unsigned readers, bool written)
	{
		auto shared = std::make_unique<Variant>();
		std::vector<tally> tallies(readers);
		std::atomic<bool> torn{false};

		run_crew(readers + written, current_settings().run_ms,
			 [&](unsigned thread, const stop_flag &stop) {
				 if (thread == readers)
					 write_until(stop, *shared);
				 else
					 tallies[thread] = read_until(stop, *shared, torn);
			 });

		tally sum = total(tallies, 0, readers);

		if (torn)
			return {.wrong = "a snapshot was torn, or older than the one before"};
		return {.ns = sum.ns / static_cast<double>(sum.count)};
	}

      private:
	static tally read_until(const stop_flag &stop, Variant &shared, std::atomic<bool> &torn)
	{
		tally mine;
		uint64_t last = 0, older = 0;
		double start_ns = thread_cpu_ns();

		do {
			uint64_t differences = 0;

			for (int i = 0; i < 256; i++) {
				snapshot value;

				shared.read(value);
				/* All of it is wanted, not only what is compared. */
				__asm__ __volatile__("" : : "r"(&value) : "memory");
				differences |= value.words[0] ^ value.words[7];
				older |= value.words[0] < last;
				last = value.words[0];
			}
			if ((differences | older) != 0)
				torn = true;
			mine.count += 256;
		} while (!stop);
		mine.ns = thread_cpu_ns() - start_ns;
		return mine;
	}

	static void write_until(const stop_flag &stop, Variant &shared)
	{
		uint64_t number = 0;

		do {
			snapshot value;

			number++;
			for (uint64_t &word : value.words)
				word = number;
			shared.write(value);
			for (unsigned i = 0; i < pauses_between_writes; i++)
				weft_cpu_relax();
		} while (!stop);
	}
};

template <class Variant>
void add_snapshot(const std::string &structure, const std::string &name, role role)
{
	add(structure, "read_quiet", unit::time,
	    {name, role, [] { return snapshot_scenario<Variant>::measure(2, false); }});
	add(structure, "read_while_written", unit::time,
	    {name, role, [] { return snapshot_scenario<Variant>::measure(1, true); }});
}

} // namespace bench

#endif
