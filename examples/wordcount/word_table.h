/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_EXAMPLES_WORD_TABLE_H
#define WEFT_EXAMPLES_WORD_TABLE_H

/*
 * How often each word occurs. One thread uses a table; tables of several threads are merged.
 *
 * A word is a run of letters and digits, with single apostrophes allowed between them: "don't",
 * "0x7f", "rock'n'roll". Bytes from 0x80 on are letters, so that UTF-8 text stays whole. Upper and
 * lower case are the same word, in ASCII only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct word {
	const char *text; /* in lower case, not terminated; NULL: a free entry */
	size_t bytes;
	uint64_t hash;
	uint64_t count;
} word;

typedef struct word_table {
	word *words; /* open addressing, at most half full */
	size_t mask; /* number of entries - 1 */
	size_t distinct;
	uint64_t total;
	struct text_block *texts;
	/* Each byte in lower case; 0: not part of a word. A copy for each table: always near. */
	unsigned char folded[256];
} word_table;

/* Makes an empty table. Returns 0 or -ENOMEM; on an error word_table_fini may be called. */
int word_table_init(word_table *table);

/* Frees the table; a zeroed one is allowed. */
void word_table_fini(word_table *table);

/* Counts the words of the text. Returns 0 or -ENOMEM, and then only some are counted. */
int word_table_count(word_table *table, const char *text, size_t bytes);

/* Adds the counts of another table. Returns 0 or -ENOMEM, and then only some are added. */
int word_table_merge(word_table *into, const word_table *from);

/* Whether both hold the same words, each equally often. */
bool word_table_equal(const word_table *a, const word_table *b);

/*
 * Finds the most frequent words, most frequent first and then in the order of their bytes. Returns
 * how many were stored: `count`, or all there are.
 */
size_t word_table_top(const word_table *table, const word **top, size_t count);

/*
 * The number of bytes, at least `wanted` if there are as many, after which the text can be cut with
 * no word on both sides.
 */
size_t word_table_cut(const char *text, size_t bytes, size_t wanted);

#endif
