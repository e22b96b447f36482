/* SPDX-License-Identifier: Apache-2.0 */

/* future: there and back, called back, and canceled, against futures over a mutex pool. Many at a
 * time are in bench_pool.cc. */

#include "baseline/mutex_pool.h"
#include "future_scenarios.h"
#include "weft_executor.h"

namespace bench
{

void add_future()
{
	add_futures<weft_executor<0>>("weft", role::weft);
	add_futures<mutex_pool<0>>("mutex_pool", role::baseline);
	add_futures<mutex_pool<30000>>("mutex_pool_spin", role::baseline);
}

} // namespace bench
