/* SPDX-License-Identifier: Apache-2.0 */
/* The weft command: finds the command that is asked for and calls it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weft/lockfree/base.h>

#include "command.h"

static const struct command {
	const char *name;
	const char *summary;
	command_function *run;
} commands[] = {
	{"topo", "the machine as far as this process may use it, and a plan for it", topo_command},
	{"bench", "how fast the structures are here, beside what a mutex does", bench_command},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

int complain(enum exit_status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return (int)status;
}

int finish_output(enum exit_status status)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return complain(EXIT_FAILED, "weft: cannot write the output: %s", strerror(errno));
	return (int)status;
}

static void print_help(FILE *out)
{
	fputs("weft: what the weft library makes of this machine\n"
	      "\n"
	      "usage: weft COMMAND [OPTION...]\n"
	      "       weft --help | --version\n"
	      "\n"
	      "commands:\n",
	      out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "`weft COMMAND --help` explains the command.\n"
	      "Exit status: 0 it worked; 1 it did not; 2 it was called wrongly.\n",
	      out);
}

static int print_version(void)
{
	printf("weft %s\n", WEFT_VERSION);
	if (strcmp(weft_version(), WEFT_VERSION) != 0)
		printf("libweft %s\n", weft_version());
	return finish_output(EXIT_WORKED);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return EXIT_MISUSED;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return finish_output(EXIT_WORKED);
	}
	if (strcmp(argv[1], "--version") == 0)
		return print_version();
	for (size_t i = 0; i < COMMANDS; i++) {
		char name[64];

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "weft %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	return complain(EXIT_MISUSED,
			"weft: there is no %s '%s'; `weft --help` tells what there is",
			argv[1][0] == '-' ? "option" : "command", argv[1]);
}
