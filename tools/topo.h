/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TOOLS_TOPO_H
#define WEFT_TOOLS_TOPO_H

/* Between `weft topo` and the two forms of its output. */

#include <weft/affinity/plan.h>

typedef struct topo_report {
	const weft_topology *topology;
	const weft_plan *plan;
	weft_policy policy;
	const char *synthetic;     /* as given; NULL: none was */
	const unsigned *worker_pu; /* the PU (logical index) of each worker */
} topo_report;

/* Each writes the whole report to standard output; false when out of memory. */
bool print_topo_text(const topo_report *report);
bool print_topo_json(const topo_report *report);

#endif
