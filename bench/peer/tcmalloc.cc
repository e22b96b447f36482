/* SPDX-License-Identifier: Apache-2.0 */

/* tcmalloc, of gperftools. */

#include "peer/opened_malloc.h"
#include "peer/peer_list.h"

namespace bench
{

namespace
{

struct tcmalloc {
	static constexpr const char *file = "libtcmalloc_minimal.so";
	static constexpr const char *malloc = "tc_malloc";
	static constexpr const char *free = "tc_free";
};

} // namespace

void add_peer_tcmalloc()
{
	opened_malloc<tcmalloc>(); /* is it there? */
	add_allocator<opened_malloc<tcmalloc>>("tcmalloc", role::peer);
}

} // namespace bench
