/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_UNIT_MACHINES_H
#define WEFT_TESTS_UNIT_MACHINES_H

/* Machines that nobody here owns, and this one: what topologies and plans are tested on. */

#include <weft/affinity/topology.h>

typedef struct machine {
	const char *name;
	const char *synthetic; /* NULL: this machine, or the one of write_xml */
	const char *allowed;   /* NULL: all */
	void (*write_xml)(void);
	/* What there must be; no pus: not known beforehand. */
	unsigned pus, cores, caches, nodes, packages;
} machine;

extern const machine machines[];
extern const unsigned machine_count;

/* Makes the topology of the machine; asserts (cmocka) that it can be made. */
weft_topology *machine_topology(const machine *which);

/* Makes the topology of a synthetic description, cut down to the list (NULL: all). */
weft_topology *synthetic_topology(const char *synthetic, const char *allowed);

/* The hybrid machine of the table: CPU numbers, see machines.c. */
extern const machine *const hybrid_machine;

#endif
