/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_EXAMPLES_INPUT_FILES_H
#define WEFT_EXAMPLES_INPUT_FILES_H

/* The files to count, read into memory, and the chunks that they are divided into. */

#include <stdbool.h>
#include <stddef.h>

/* A piece of one file, with whole words only. */
typedef struct text_chunk {
	const char *text;
	size_t bytes;
} text_chunk;

/* Valid when zeroed: no files. */
typedef struct input_files {
	char **texts; /* the contents of each file */
	size_t files;
	text_chunk *chunks;
	size_t chunk_count;
	size_t bytes;
	size_t unreadable;
} input_files;

/*
 * Reads a file to the end, whatever kind of file it is. One that cannot be read is reported on
 * standard error and counted as unreadable. Returns 0, or -ENOMEM.
 */
int input_files_add(input_files *input, const char *path);

/*
 * Reads the files in a folder and below it whose names end like those of sources and texts
 * (`all`: whatever their names), in the order of their names; passes over what is hidden or built.
 * A folder that is not there adds nothing. Returns 0, or -ENOMEM.
 */
int input_files_add_folder(input_files *input, const char *folder, bool all);

/* Frees everything. */
void input_files_fini(input_files *input);

#endif
