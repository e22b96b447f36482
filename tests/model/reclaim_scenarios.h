/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_MODEL_RECLAIM_SCENARIOS_H
#define WEFT_TESTS_MODEL_RECLAIM_SCENARIOS_H

/* What the models of reclaim and of rcu_ptr share: everything begins anew, and ends with nothing
 * left. */

void reclaim_scenario_begin(void);

/* All but the scenario's own thread have ended: frees what is retired, and the records. */
void reclaim_scenario_end(void);

/* What weft does when a thread ends that has been a reader. */
void reclaim_scenario_thread_ends(void);

#endif
