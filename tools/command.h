/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TOOLS_COMMAND_H
#define WEFT_TOOLS_COMMAND_H

/* What the commands of `weft` have in common. */

/* The exit statuses of every command. */
enum exit_status {
	EXIT_WORKED = 0,
	EXIT_FAILED = 1,
	EXIT_MISUSED = 2
};

/* argv[0] is "weft NAME", which begins each message; the rest are the command's own arguments. */
typedef int command_function(int argc, char **argv);

command_function bench_command;
command_function topo_command;

/* Writes the message and a newline to standard error; returns the status. */
int complain(enum exit_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Flushes standard output; returns the status, or EXIT_FAILED when not all could be written. */
int finish_output(enum exit_status status);

#endif
