/* SPDX-License-Identifier: Apache-2.0 */

/* mimalloc. */

#include "peer/opened_malloc.h"
#include "peer/peer_list.h"

namespace bench
{

namespace
{

struct mimalloc {
	static constexpr const char *file = "libmimalloc.so";
	static constexpr const char *malloc = "mi_malloc";
	static constexpr const char *free = "mi_free";
};

} // namespace

void add_peer_mimalloc()
{
	opened_malloc<mimalloc>(); /* is it there? */
	add_allocator<opened_malloc<mimalloc>>("mimalloc", role::peer);
}

} // namespace bench
