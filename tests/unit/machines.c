/* SPDX-License-Identifier: Apache-2.0 */
#include "machines.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

/*
 * hwloc reads the machine of HWLOC_XMLFILE: the only way to describe one that is not the same all
 * over. A machine's writer calls begin, then opens and closes objects from the outside inwards.
 */
static FILE *xml;

static void open_object(const char *type, unsigned number, uint64_t cpus, const char *more)
{
	fprintf(xml,
		"<object type=\"%s\" os_index=\"%u\" cpuset=\"0x%" PRIx64
		"\" complete_cpuset=\"0x%" PRIx64 "\" nodeset=\"0x1\" complete_nodeset=\"0x1\" %s>",
		type, number, cpus, cpus, more);
}

static void close_object(void)
{
	fputs("</object>", xml);
}

static void write_machine(uint64_t cpus, uint64_t allowed)
{
	char more[128];

	/* Line ends as hwloc writes them: its own small reader, in use without its plug-ins,
	 * wants them. */
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	      "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n<topology version=\"2.0\">",
	      xml);
	snprintf(more, sizeof(more), "allowed_cpuset=\"0x%" PRIx64 "\" allowed_nodeset=\"0x1\"",
		 allowed);
	open_object("Machine", 0, cpus, more);
}

static void write_node(uint64_t cpus)
{
	open_object("NUMANode", 0, cpus, "local_memory=\"1073741824\"");
	close_object();
}

static void write_core(unsigned number, unsigned first_cpu, unsigned cpus)
{
	open_object("Core", number, ((UINT64_C(1) << cpus) - 1) << first_cpu, "");
	for (unsigned cpu = first_cpu; cpu < first_cpu + cpus; cpu++) {
		open_object("PU", cpu, UINT64_C(1) << cpu, "");
		close_object();
	}
	close_object();
}

/*
 * Two fast cores of two PUs (CPUs 0-3) and four slow ones (4-7) behind one L3, the slow ones also
 * behind one L2; and two slower ones (8, 9) with nothing but an L2.
 */
static void write_hybrid(void)
{
	write_machine(0x3ff, 0x3ff);
	open_object("Package", 0, 0x3ff, "");
	write_node(0x3ff);
	open_object("L3Cache", 0, 0xff, "cache_size=\"25165824\" depth=\"3\" cache_type=\"0\"");
	write_core(0, 0, 2);
	write_core(1, 2, 2);
	open_object("L2Cache", 0, 0xf0, "cache_size=\"2097152\" depth=\"2\" cache_type=\"0\"");
	for (unsigned core = 2; core < 6; core++)
		write_core(core, core + 2, 1);
	close_object();
	close_object();
	open_object("L2Cache", 1, 0x300, "cache_size=\"2097152\" depth=\"2\" cache_type=\"0\"");
	write_core(6, 8, 1);
	write_core(7, 9, 1);
	close_object();
	close_object();
	close_object();
	fputs("<cpukind cpuset=\"0xf\" forced_efficiency=\"2\"/>"
	      "<cpukind cpuset=\"0xf0\" forced_efficiency=\"1\"/>"
	      "<cpukind cpuset=\"0x300\" forced_efficiency=\"0\"/></topology>",
	      xml);
}

/* Eight cores of two PUs, of which a cgroup leaves CPUs 5-8 and 14: halves of cores, too. */
static void write_cgroup(void)
{
	write_machine(0xffff, 0x41e0);
	write_node(0xffff);
	for (unsigned core = 0; core < 8; core++)
		write_core(core, 2 * core, 2);
	close_object();
	fputs("</topology>", xml);
}

const machine machines[] = {
	{"this machine", NULL, NULL, NULL, 0, 0, 0, 0, 0},
	{"one CPU", "core:1 pu:1", NULL, NULL, 1, 1, 1, 1, 1},
	{"2 packages x 64 cores x 2", "pack:2 numa:1 l3:8 core:8 pu:2", NULL, NULL, 256, 128, 16, 2,
	 2},
	{"8 NUMA nodes", "pack:2 numa:4 l3:2 core:4 pu:1", NULL, NULL, 64, 64, 16, 8, 2},
	{"8 packages of 4 PUs each", "pack:8 core:2 pu:4", NULL, NULL, 64, 16, 16, 1, 8},
	{"a mask with holes", "pack:2 numa:1 l3:2 core:4 pu:2", "1,4-7,17,19,22-23,30", NULL, 10, 7,
	 3, 2, 2},
	{"lopsided packages", "pack:2 numa:2 l3:1 core:8 pu:2", "0-1,16-63", NULL, 50, 25, 4, 4, 2},
	{"an L3 over two nodes", "pack:1 l3:1 numa:2 core:2 pu:2", NULL, NULL, 8, 4, 2, 2, 1},
	{"an L3 over two packages", "l3:1 pack:2 core:2 pu:1", NULL, NULL, 4, 4, 2, 1, 2},
	{"caches inside a core", "core:2 l1:2 pu:1", NULL, NULL, 4, 2, 2, 1, 1},
	{"no core, no cache", "pu:5", NULL, NULL, 5, 5, 5, 1, 1},
	{"L2 only", "l2:3 core:2 pu:1", NULL, NULL, 6, 6, 3, 1, 1},
	{"CPU numbers by sibling", "core:4 pu:2(indexes=core:pu)", NULL, NULL, 8, 4, 4, 1, 1},
	{"a cgroup's cpuset", NULL, NULL, write_cgroup, 5, 4, 4, 1, 1},
	{"hybrid", NULL, NULL, write_hybrid, 10, 8, 2, 1, 1},
};

const unsigned machine_count = sizeof(machines) / sizeof(machines[0]);

const machine *const hybrid_machine = &machines[sizeof(machines) / sizeof(machines[0]) - 1];

weft_topology *machine_topology(const machine *which)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology = NULL;
	char path[64];

	options.synthetic = which->synthetic;
	options.allowed = which->allowed;
	if (which->write_xml != NULL) {
		int file = memfd_create("machine", 0);

		assert_true(file >= 0);
		xml = fdopen(file, "w");
		which->write_xml();
		assert_int_equal(fflush(xml), 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
		setenv("HWLOC_XMLFILE", path, 1);
	}
	int result = weft_topology_create(&topology, &options);

	if (which->write_xml != NULL) {
		unsetenv("HWLOC_XMLFILE");
		fclose(xml);
	}
	assert_int_equal(result, 0);
	return topology;
}

weft_topology *synthetic_topology(const char *synthetic, const char *allowed)
{
	machine made_up = {.synthetic = synthetic, .allowed = allowed};

	return machine_topology(&made_up);
}
