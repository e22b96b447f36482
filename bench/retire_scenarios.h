/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_RETIRE_SCENARIOS_H
#define WEFT_BENCH_RETIRE_SCENARIOS_H

/*
 * What it costs to allocate 64 bytes and to have them freed when nobody can be reading them. A
 * variant is a class with retire(retired_piece *), which has free_piece() called for it, and
 * finish(), after which it was called for all of the thread's.
 *
 * The time is CPU time per piece, of all threads; freeing the last ones counts as well.
 */

#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include <weft/lockfree/counter.h>
#include <weft/lockfree/reclaim.h>

#include "harness.h"
#include "registry.h"

namespace bench
{

struct retired_piece {
	weft_reclaim_head head;
	unsigned char rest[64 - sizeof(weft_reclaim_head)];
};

/* How many pieces were freed, by whatever thread; it costs each a nanosecond. */
inline weft_counter &freed_pieces()
{
	static weft_counter *const counter = [] {
		auto *made = new weft_counter;

		if (weft_counter_init(made) != 0)
			throw std::bad_alloc();
		return made;
	}();

	return *counter;
}

inline void free_piece(void *piece)
{
	weft_counter_increment(&freed_pieces());
	std::free(piece);
}

template <class Variant> result retire_pieces(unsigned threads)
{
	auto shared = std::make_unique<Variant>();
	std::vector<tally> tallies(threads);
	int64_t freed_before = weft_counter_read(&freed_pieces());

	run_crew(threads, current_settings().run_ms, [&](unsigned thread, const stop_flag &stop) {
		tally &mine = tallies[thread];
		double start_ns = thread_cpu_ns();

		do {
			for (int i = 0; i < 256; i++) {
				auto *piece =
					static_cast<retired_piece *>(malloc(sizeof(retired_piece)));

				if (piece == nullptr)
					abort();
				shared->retire(piece);
			}
			mine.count += 256;
		} while (!stop);
		shared->finish();
		mine.ns = thread_cpu_ns() - start_ns;
	});

	tally sum = total(tallies, 0, threads);

	if (weft_counter_read(&freed_pieces()) - freed_before != static_cast<int64_t>(sum.count))
		return {.wrong = "what was retired was not freed exactly once"};
	return {.ns = sum.ns / static_cast<double>(sum.count)};
}

template <class Variant>
void add_retire(const std::string &structure, const std::string &name, role role)
{
	for (unsigned threads : {1u, 2u})
		add(structure, "retire_" + std::to_string(threads), unit::time,
		    {name, role, [threads] { return retire_pieces<Variant>(threads); }});
}

} // namespace bench

#endif
