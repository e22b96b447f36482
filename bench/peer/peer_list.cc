/* SPDX-License-Identifier: Apache-2.0 */
#include "peer_list.h"

namespace bench
{

namespace
{

struct peer {
	void (*add)();
	const char *package;
};

/* Written by meson: {add_peer_boost_lockfree, "libboost-dev 1.74.0.3"}, ... and an empty one at the
 * end. */
constexpr peer built[] = {
#include "peers_built.inc"
	{nullptr, nullptr},
};

} // namespace

void add_peers()
{
	for (const peer *peer = built; peer->add != nullptr; peer++)
		peer->add();
}

std::string peers()
{
	std::string names;

	for (const peer *peer = built; peer->add != nullptr; peer++)
		names += (names.empty() ? "" : ", ") + std::string(peer->package);
	return names.empty() ? "none" : names;
}

} // namespace bench
