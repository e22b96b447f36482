/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_MODEL_RECLAIM_SCENARIOS_H
#define WEFT_TESTS_MODEL_RECLAIM_SCENARIOS_H

/* What the models of reclaim and of rcu_ptr share: everything begins anew, and ends with nothing
 * left. */

#include <stdbool.h>

/* Whether readers have counters, and membarrier is there; or else barriers of their own. */
void reclaim_scenario_begin(bool counters);

/* The same for what stands in for liburcu. */
void urcu_stand_in_begin(bool counters);

/* All but the scenario's own thread have ended: frees what is retired, and the records. */
void reclaim_scenario_end(void);

/* What weft does when a thread ends that has been a reader. */
void reclaim_scenario_thread_ends(void);

#endif
