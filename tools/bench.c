/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weft bench: finds the benchmark program and becomes it. That is a program of its own because it
 * is C++, and because only those who measure need it.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

/* Where it is, seen from the folder of this program: in a build folder, and installed. */
static const char *const places[] = {
	"../bench/weft-bench",
	WEFT_LIBEXECDIR_FROM_BINDIR "/weft/weft-bench",
};

#define PLACES (sizeof(places) / sizeof(places[0]))

/* Puts the folder of this program in `folder`, with a slash at its end. Returns whether it could.
 */
static bool own_folder(char *folder, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", folder, size - 1);

	if (length <= 0)
		return false;
	folder[length] = '\0';

	char *slash = strrchr(folder, '/');

	if (slash == NULL)
		return false;
	slash[1] = '\0';
	return true;
}

int bench_command(int argc, char **argv)
{
	const char *wanted = getenv("WEFT_BENCH_PROGRAM");
	char folder[PATH_MAX];
	char path[2 * PATH_MAX];

	(void)argc;
	if (wanted != NULL) {
		execv(wanted, argv);
		return complain(EXIT_FAILED, "%s: cannot run WEFT_BENCH_PROGRAM, %s: %s", argv[0],
				wanted, strerror(errno));
	}
	if (!own_folder(folder, sizeof(folder)))
		return complain(EXIT_FAILED, "%s: cannot find out where it is installed: %s",
				argv[0], strerror(errno));
	for (size_t i = 0; i < PLACES; i++) {
		snprintf(path, sizeof(path), "%s%s", places[i][0] == '/' ? "" : folder, places[i]);
		if (access(path, F_OK) != 0)
			continue;
		execv(path, argv);
		return complain(EXIT_FAILED, "%s: cannot run %s: %s", argv[0], path,
				strerror(errno));
	}
	return complain(EXIT_FAILED,
			"%s: there is no %s: weft was built without it. Build it with Google "
			"Benchmark (libbenchmark-dev),\nor name it in WEFT_BENCH_PROGRAM",
			argv[0], path);
}
