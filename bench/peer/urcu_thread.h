/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_PEER_URCU_THREAD_H
#define WEFT_BENCH_PEER_URCU_THREAD_H

#include <weft/lockfree/reclaim.h>

namespace bench
{

/* weft registers each thread that opens a section; so there is one registration for both. */
inline void register_thread()
{
	thread_local bool done = [] {
		weft_reclaim_enter();
		weft_reclaim_exit();
		return true;
	}();

	(void)done;
}

} // namespace bench

#endif
