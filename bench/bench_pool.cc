/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pool: tasks and futures against a pool of a mutex and condition variables with the same
 * operations; and a round trip beside what two threads need for it with a word or a futex alone.
 */

#include "baseline/bells.h"
#include "baseline/mutex_pool.h"
#include "pool_scenarios.h"
#include "weft_executor.h"

namespace bench
{

void add_pool()
{
	add_pool_round_trips<weft_executor<0>>("weft", role::weft);
	/* Sleeps at once, on both sides, as a futex does. */
	add("pool", "parked_round_trip", unit::time,
	    {"weft_no_spin", role::weft,
	     [] { return pool_scenarios<weft_executor<1>>::round_trip(true); }});
	add_pool_round_trips<mutex_pool<0>>("mutex_pool", role::baseline);
	add_pool_round_trips<mutex_pool<30000>>("mutex_pool_spin", role::baseline);
	add("pool", "spinning_round_trip", unit::time,
	    {"bare_word", role::floor,
	     [] { return bell_scenarios<bare_word>::round_trip(false); }});
	/* Only the worker sleeps: who waits may look for a while. */
	add("pool", "parked_round_trip", unit::time,
	    {"bare_futex", role::floor,
	     [] { return bell_scenarios<bare_futex, bare_word>::round_trip(true); }});
	add_pool_from_outside<weft_executor<0>>("weft", role::weft);
	add_pool_from_inside<weft_executor<0>>("weft", role::weft);
	add("pool", "tasks_from_outside", unit::time,
	    {"weft_at_once", role::weft, pool_scenarios<weft_executor<0>>::outside_tasks_at_once});
	add_pool_from_outside<mutex_pool<0>>("mutex_pool", role::baseline);
	add_pool_from_inside<mutex_pool<0>>("mutex_pool", role::baseline);
	add_pool_from_outside<mutex_pool<30000>>("mutex_pool_spin", role::baseline);
	add_pool_from_inside<mutex_pool<30000>>("mutex_pool_spin", role::baseline);
}

} // namespace bench
