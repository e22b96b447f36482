/* SPDX-License-Identifier: Apache-2.0 */
#include "input_files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "word_table.h"

/* Enough work for a task to be worth its hand-over, and enough tasks to share out. */
#define CHUNK_BYTES ((size_t)32768)

/*
 * The array with room for one more element than the count; it is doubled at each power of two.
 * Returns NULL when out of memory, and then the old one is still there.
 */
static void *with_room(void *array, size_t count, size_t element_bytes)
{
	if ((count & (count - 1)) != 0)
		return array;
	return reallocarray(array, count == 0 ? 1 : count * 2, element_bytes);
}

/* Reads to the end. Returns 0 and the text, or a negative errno. */
static int read_all(int file, size_t expected, char **text, size_t *bytes)
{
	size_t capacity = expected + 1, used = 0;
	char *buffer = malloc(capacity);

	while (buffer != NULL) {
		ssize_t got = read(file, buffer + used, capacity - used);

		if (got == 0) {
			*text = buffer;
			*bytes = used;
			return 0;
		}
		if (got < 0 && errno != EINTR) {
			int error = -errno;

			free(buffer);
			return error;
		}
		used += got > 0 ? (size_t)got : 0;
		if (used == capacity) {
			char *larger = reallocarray(buffer, capacity, 2);

			if (larger == NULL)
				free(buffer);
			buffer = larger;
			capacity *= 2;
		}
	}
	return -ENOMEM;
}

static int read_file(const char *path, char **text, size_t *bytes)
{
	struct stat status;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	int error;

	if (file < 0)
		return -errno;
	if (fstat(file, &status) != 0)
		error = -errno;
	else
		error = read_all(file, (size_t)status.st_size, text, bytes);
	close(file);
	return error;
}

/* Divides a text that was added. Returns 0 or -ENOMEM. */
static int divide(input_files *input, const char *text, size_t bytes)
{
	while (bytes > 0) {
		size_t cut = word_table_cut(text, bytes, CHUNK_BYTES);
		text_chunk *chunks =
			with_room(input->chunks, input->chunk_count, sizeof(*input->chunks));

		if (chunks == NULL)
			return -ENOMEM;
		input->chunks = chunks;
		chunks[input->chunk_count++] = (text_chunk){text, cut};
		text += cut;
		bytes -= cut;
	}
	return 0;
}

static void report_unreadable(input_files *input, const char *path, int error)
{
	fprintf(stderr, "wordcount: %s: %s\n", path, strerror(error));
	input->unreadable++;
}

int input_files_add(input_files *input, const char *path)
{
	char **texts = with_room(input->texts, input->files, sizeof(*input->texts));
	char *text = NULL;
	size_t bytes = 0;

	if (texts == NULL)
		return -ENOMEM;
	input->texts = texts;

	int error = read_file(path, &text, &bytes);

	if (error == -ENOMEM)
		return error;
	if (error != 0) {
		report_unreadable(input, path, -error);
		return 0;
	}
	texts[input->files++] = text;
	input->bytes += bytes;
	return divide(input, text, bytes);
}

static bool is_text(const char *name)
{
	static const char *const endings[] = {".c",  ".h",  ".cc",    ".py",
					      ".sh", ".md", ".build", ".txt"};
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot != NULL && i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (strcmp(dot, endings[i]) == 0)
			return true;
	}
	return false;
}

/* Build folders are called build or build-something; hidden ones begin with a dot. */
static bool passes_over(const FTSENT *entry)
{
	return entry->fts_level > 0 &&
	       (entry->fts_name[0] == '.' || strncmp(entry->fts_name, "build", 5) == 0);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int input_files_add_folder(input_files *input, const char *folder, bool all)
{
	char *path = strdup(folder);
	char *paths[] = {path, NULL};
	FTS *walk = path == NULL ? NULL : fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, by_name);
	FTSENT *entry;
	int error = walk == NULL ? -ENOMEM : 0;

	while (error == 0 && (entry = fts_read(walk)) != NULL) {
		if (entry->fts_info == FTS_D && passes_over(entry))
			fts_set(walk, entry, FTS_SKIP);
		else if (entry->fts_info == FTS_F && (all || is_text(entry->fts_name)))
			error = input_files_add(input, entry->fts_accpath);
		else if (entry->fts_info == FTS_DNR)
			report_unreadable(input, entry->fts_path, entry->fts_errno);
	}
	if (walk != NULL)
		fts_close(walk);
	free(path);
	return error;
}

void input_files_fini(input_files *input)
{
	for (size_t i = 0; i < input->files; i++)
		free(input->texts[i]);
	free(input->texts);
	free(input->chunks);
	memset(input, 0, sizeof(*input));
}
