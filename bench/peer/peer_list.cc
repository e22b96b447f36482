/* SPDX-License-Identifier: Apache-2.0 */
#include "peer/peer_list.h"

#include <exception>

namespace bench
{

namespace
{

struct peer {
	void (*add)();
	const char *package;
};

/*
 * Written by meson, with an empty one at the end of each:
 *     built     {add_peer_boost_lockfree, "libboost-dev 1.74.0.3"}, ...
 *     left_out  "libck-dev (not there)", ...
 */
#include "peer/peers_built.inc"

/* Those that add_peers() could not add, and why. */
std::string failed;

} // namespace

void add_peers()
{
	for (const peer *peer = built; peer->add != nullptr; peer++) {
		try {
			peer->add();
		} catch (const std::exception &error) {
			failed += std::string(failed.empty() ? "" : ", ") + peer->package + " (" +
				  error.what() + ")";
		}
	}
}

std::string peers()
{
	std::string names, others = failed.empty() ? "" : "; left out: " + failed;

	/* Some packages have several adapters. */
	for (const peer *peer = built; peer->add != nullptr; peer++)
		if (names.find(peer->package) == std::string::npos &&
		    failed.find(peer->package) == std::string::npos)
			names += (names.empty() ? "" : ", ") + std::string(peer->package);
	for (const char *const *name = left_out; *name != nullptr; name++)
		others += (others.empty() ? "; left out: " : ", ") + std::string(*name);
	return (names.empty() ? "none" : names) + others;
}

} // namespace bench
