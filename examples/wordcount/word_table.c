/* SPDX-License-Identifier: Apache-2.0 */
#include "word_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ENTRIES ((size_t)1024)
#define BLOCK_BYTES   ((size_t)16384)

/* Memory for the words' texts, taken from the newest block. */
typedef struct text_block {
	struct text_block *older;
	size_t left; /* bytes at the end of the block that are free */
	size_t capacity;
	char text[];
} text_block;

/* The byte in lower case; 0: not part of a word. */
static unsigned char fold_byte(unsigned byte)
{
	bool digit = byte >= '0' && byte <= '9';
	bool lower = byte >= 'a' && byte <= 'z';

	if (byte >= 'A' && byte <= 'Z')
		return (unsigned char)(byte + ('a' - 'A'));
	return digit || lower || byte >= 0x80 ? (unsigned char)byte : 0;
}

int word_table_init(word_table *table)
{
	memset(table, 0, sizeof(*table));
	for (unsigned byte = 0; byte < 256; byte++)
		table->folded[byte] = fold_byte(byte);
	table->words = calloc(FIRST_ENTRIES, sizeof(word));
	if (table->words == NULL)
		return -ENOMEM;
	table->mask = FIRST_ENTRIES - 1;
	return 0;
}

void word_table_fini(word_table *table)
{
	text_block *block = table->texts;

	while (block != NULL) {
		text_block *older = block->older;

		free(block);
		block = older;
	}
	free(table->words);
	memset(table, 0, sizeof(*table));
}

/* The folded byte, where an apostrophe is itself: words only hold those between other bytes. */
static unsigned char fold(const word_table *table, char byte)
{
	return byte == '\'' ? '\'' : table->folded[(unsigned char)byte];
}

static uint64_t hash_of(const word_table *table, const char *text, size_t bytes)
{
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ fold(table, text[i])) * 0x100000001b3;
	return hash ^ hash >> 32;
}

static bool same_text(const word_table *table, const word *entry, const char *text, size_t bytes)
{
	if (entry->bytes != bytes)
		return false;
	for (size_t i = 0; i < bytes; i++) {
		if ((unsigned char)entry->text[i] != fold(table, text[i]))
			return false;
	}
	return true;
}

/* The word's entry, or the free one where it belongs. There is one: the table is half empty. */
static word *find(const word_table *table, uint64_t hash, const char *text, size_t bytes)
{
	size_t place = (size_t)hash & table->mask;

	for (;;) {
		word *entry = &table->words[place];

		if (entry->text == NULL ||
		    (entry->hash == hash && same_text(table, entry, text, bytes)))
			return entry;
		place = (place + 1) & table->mask;
	}
}

static int grow(word_table *table)
{
	word_table larger = *table;

	larger.mask = table->mask * 2 + 1;
	larger.words = calloc(larger.mask + 1, sizeof(word));
	if (larger.words == NULL)
		return -ENOMEM;
	for (size_t i = 0; i <= table->mask; i++) {
		const word *old = &table->words[i];

		if (old->text != NULL)
			*find(&larger, old->hash, old->text, old->bytes) = *old;
	}
	free(table->words);
	*table = larger;
	return 0;
}

/* A copy of the text in lower case, which lives as long as the table; NULL: out of memory. */
static const char *keep(word_table *table, const char *text, size_t bytes)
{
	text_block *block = table->texts;

	if (block == NULL || block->left < bytes) {
		size_t capacity = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;

		block = malloc(sizeof(*block) + capacity);
		if (block == NULL)
			return NULL;
		*block = (text_block){table->texts, capacity, capacity};
		table->texts = block;
	}

	char *copy = block->text + block->capacity - block->left;

	block->left -= bytes;
	for (size_t i = 0; i < bytes; i++)
		copy[i] = (char)fold(table, text[i]);
	return copy;
}

/* Counts one word `count` times. Returns 0 or -ENOMEM. */
static int add(word_table *table, uint64_t hash, const char *text, size_t bytes, uint64_t count)
{
	word *entry = find(table, hash, text, bytes);

	if (entry->text == NULL) {
		if (table->distinct * 2 > table->mask) {
			if (grow(table) != 0)
				return -ENOMEM;
			entry = find(table, hash, text, bytes);
		}

		const char *copy = keep(table, text, bytes);

		if (copy == NULL)
			return -ENOMEM;
		*entry = (word){copy, bytes, hash, 0};
		table->distinct++;
	}
	entry->count += count;
	table->total += count;
	return 0;
}

static bool in_word(const word_table *table, char byte)
{
	return table->folded[(unsigned char)byte] != 0;
}

int word_table_count(word_table *table, const char *text, size_t bytes)
{
	size_t begin = 0;

	for (;;) {
		while (begin < bytes && !in_word(table, text[begin]))
			begin++;
		if (begin == bytes)
			return 0;

		size_t end = begin + 1;

		while (end < bytes &&
		       (in_word(table, text[end]) ||
			(text[end] == '\'' && end + 1 < bytes && in_word(table, text[end + 1]))))
			end++;

		uint64_t hash = hash_of(table, text + begin, end - begin);

		if (add(table, hash, text + begin, end - begin, 1) != 0)
			return -ENOMEM;
		begin = end;
	}
}

int word_table_merge(word_table *into, const word_table *from)
{
	for (size_t i = 0; i <= from->mask; i++) {
		const word *other = &from->words[i];

		if (other->text != NULL &&
		    add(into, other->hash, other->text, other->bytes, other->count) != 0)
			return -ENOMEM;
	}
	return 0;
}

bool word_table_equal(const word_table *a, const word_table *b)
{
	if (a->distinct != b->distinct || a->total != b->total)
		return false;
	for (size_t i = 0; i <= a->mask; i++) {
		const word *one = &a->words[i];

		if (one->text == NULL)
			continue;

		const word *other = find(b, one->hash, one->text, one->bytes);

		if (other->text == NULL || other->count != one->count)
			return false;
	}
	return true;
}

static bool goes_before(const word *a, const word *b)
{
	if (a->count != b->count)
		return a->count > b->count;

	size_t common = a->bytes < b->bytes ? a->bytes : b->bytes;
	int order = memcmp(a->text, b->text, common);

	return order < 0 || (order == 0 && a->bytes < b->bytes);
}

size_t word_table_top(const word_table *table, const word **top, size_t count)
{
	size_t found = 0;

	for (size_t i = 0; i <= table->mask; i++) {
		const word *entry = &table->words[i];
		size_t place = found;

		if (entry->text == NULL)
			continue;
		while (place > 0 && goes_before(entry, top[place - 1]))
			place--;
		if (place == count)
			continue;
		if (found < count)
			found++;
		memmove(&top[place + 1], &top[place], (found - place - 1) * sizeof(*top));
		top[place] = entry;
	}
	return found;
}

size_t word_table_cut(const char *text, size_t bytes, size_t wanted)
{
	size_t cut = wanted;

	/* Before a byte that neither is in a word nor can be between its parts. */
	while (cut < bytes && (fold_byte((unsigned char)text[cut]) != 0 || text[cut] == '\''))
		cut++;
	return cut < bytes ? cut : bytes;
}
