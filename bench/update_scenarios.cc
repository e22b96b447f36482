/* SPDX-License-Identifier: Apache-2.0 */
#include "update_scenarios.h"

namespace bench
{

namespace
{

std::vector<uint64_t> make_latencies()
{
	std::vector<uint64_t> made;
	uint64_t state = 1;

	while (made.size() < updates_in_turn) {
		state = state * 6364136223846793005 + 1442695040888963407;
		/* Up to a power of two, which itself is a matter of chance. */
		made.push_back(200 + (state >> 33) % (uint64_t{1} << (8 + (state >> 60) % 12)));
	}
	return made;
}

} // namespace

const std::vector<uint64_t> &latencies()
{
	static const std::vector<uint64_t> the_latencies = make_latencies();

	return the_latencies;
}

} // namespace bench
