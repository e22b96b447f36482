/* SPDX-License-Identifier: Apache-2.0 */
/* weft topo: reads the options, makes the topology and the plan, and has them printed. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "topo.h"

typedef struct topo_request {
	const char *synthetic;
	const char *cpus;
	weft_policy policy;
	unsigned workers;
	bool json;
} topo_request;

static void print_help(void)
{
	fputs("usage: weft topo [OPTION...]\n"
	      "\n"
	      "Shows the machine as far as this process may use it (its cgroup's cpuset and its\n"
	      "affinity mask): packages, NUMA nodes, last-level caches, cores and CPUs. Then the\n"
	      "plan: on which CPU each worker of a pool runs, from which NUMA node it takes its\n"
	      "memory, and from whom it steals work, nearest first. A large machine is shown in\n"
	      "ranges; --json has it all.\n"
	      "\n"
	      "  --policy NAME      how workers are placed:\n"
	      "                       one-per-core  one on each core; the default\n"
	      "                       one-per-pu    one on each CPU; second CPUs of cores last\n"
	      "                       compact       as near together as can be\n"
	      "                       scatter       as far apart as can be\n"
	      "  --workers N        how many, up to 4096; default: as many as the policy has "
	      "places\n"
	      "  --cpus LIST        stay within these CPUs, such as 0-3,8\n"
	      "  --synthetic DESC   not this machine but one made up, as hwloc describes it, such "
	      "as\n"
	      "                     'pack:2 numa:1 l3:8 core:8 pu:2': 2 x 8 x 8 cores of 2 CPUs\n"
	      "  --json             one JSON object, for programs\n"
	      "  --help             this\n"
	      "\n"
	      "Exit status: 0 it worked; 1 it did not; 2 it was called wrongly.\n",
	      stdout);
}

static int read_policy(const char *command, topo_request *request, const char *name)
{
	if (weft_policy_parse(&request->policy, name) == 0)
		return EXIT_WORKED;
	fprintf(stderr, "%s: there is no policy '%s'; there are:", command, name);
	for (unsigned policy = 0; policy < WEFT_POLICIES; policy++)
		fprintf(stderr, " %s", weft_policy_name((weft_policy)policy));
	fputc('\n', stderr);
	return EXIT_MISUSED;
}

static int read_workers(const char *command, topo_request *request, const char *text)
{
	char *end;
	unsigned long workers = strtoul(text, &end, 10);

	/* strtoul takes blanks and signs; a number of workers begins with a digit. */
	if (*text < '0' || *text > '9' || *end != '\0' || workers == 0 ||
	    workers > WEFT_PLAN_WORKERS_MAX)
		return complain(EXIT_MISUSED, "%s: --workers is a number from 1 to %u, not '%s'",
				command, WEFT_PLAN_WORKERS_MAX, text);
	request->workers = (unsigned)workers;
	return EXIT_WORKED;
}

/* Returns EXIT_WORKED, an exit status, or -1 when --help has been answered. */
static int read_arguments(int argc, char **argv, topo_request *request)
{
	static const struct option options[] = {
		{"cpus", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"policy", required_argument, NULL, 'p'},
		{"synthetic", required_argument, NULL, 's'},
		{"workers", required_argument, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	int option, status = EXIT_WORKED;

	while (status == EXIT_WORKED &&
	       (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			request->cpus = optarg;
			break;
		case 'h':
			print_help();
			return -1;
		case 'j':
			request->json = true;
			break;
		case 'p':
			status = read_policy(argv[0], request, optarg);
			break;
		case 's':
			request->synthetic = optarg;
			break;
		case 'w':
			status = read_workers(argv[0], request, optarg);
			break;
		default: /* getopt_long has said what is wrong */
			status = EXIT_MISUSED;
		}
	}
	if (status == EXIT_WORKED && optind < argc)
		status = complain(EXIT_MISUSED, "%s: '%s' is not an option; see %s --help", argv[0],
				  argv[optind], argv[0]);
	return status;
}

/* Says why there is no topology. -EINVAL has several reasons: tries which of them it is. */
static int complain_of_topology(const char *command, const topo_request *request, int error)
{
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology;

	if (error != -EINVAL)
		return complain(EXIT_FAILED, "%s: cannot read the machine: %s", command,
				strerror(-error));
	options.synthetic = request->synthetic;
	if (weft_topology_create(&topology, &options) != 0)
		return complain(EXIT_MISUSED, "%s: hwloc does not understand the machine '%s'",
				command, request->synthetic);
	weft_topology_destroy(topology);
	return complain(
		EXIT_MISUSED,
		"%s: the CPUs '%s' are not a list such as 0-3,8, or none of them may be used",
		command, request->cpus);
}

static unsigned pu_of_cpu(const weft_topology *topology, unsigned cpu)
{
	unsigned pu = 0;

	while (weft_topology_pu(topology, pu)->cpu != cpu)
		pu++;
	return pu;
}

static int report_plan(const char *command, const topo_request *request,
		       const weft_topology *topology, const weft_plan *plan)
{
	unsigned workers = weft_plan_workers(plan);
	unsigned *worker_pu = calloc(workers, sizeof(*worker_pu));

	if (worker_pu == NULL)
		return complain(EXIT_FAILED, "%s: out of memory", command);
	for (unsigned worker = 0; worker < workers; worker++)
		worker_pu[worker] = pu_of_cpu(topology, weft_plan_cpu(plan, worker));

	const topo_report report = {topology, plan, request->policy, request->synthetic, worker_pu};

	bool printed = request->json ? print_topo_json(&report) : print_topo_text(&report);

	free(worker_pu);
	if (!printed)
		return complain(EXIT_FAILED, "%s: out of memory", command);
	return finish_output(EXIT_WORKED);
}

int topo_command(int argc, char **argv)
{
	topo_request request = {0};
	weft_topology_options options = WEFT_TOPOLOGY_OPTIONS_INIT;
	weft_topology *topology;
	weft_plan *plan;
	int status = read_arguments(argc, argv, &request);

	if (status != EXIT_WORKED)
		return status == -1 ? finish_output(EXIT_WORKED) : status;
	options.synthetic = request.synthetic;
	options.allowed = request.cpus;
	int error = weft_topology_create(&topology, &options);

	if (error != 0)
		return complain_of_topology(argv[0], &request, error);
	error = weft_plan_create(&plan, topology, request.policy, request.workers);
	if (error != 0) {
		status = complain(EXIT_FAILED, "%s: cannot plan: %s", argv[0], strerror(-error));
	} else {
		status = report_plan(argv[0], &request, topology, plan);
		weft_plan_destroy(plan);
	}
	weft_topology_destroy(topology);
	return status;
}
