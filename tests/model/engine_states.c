/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The states that were seen, as 64-bit hashes in an open table. With a million states the chance
 * that two different ones share a hash, so that one is left out, is 3 in 10^8.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t key; /* 0: free */
	int preemptions, stale;
};

/* 128 MiB; beyond it states are explored again, which costs time and nothing else. */
#define ENTRIES_MAX ((size_t)1 << 23)

static struct entry *entries;
static size_t entry_count, capacity;

void engine_states_clear(void)
{
	free(entries);
	entry_count = 0;
	capacity = 1024;
	entries = calloc(capacity, sizeof(*entries));
}

uint64_t engine_states_count(void)
{
	return entry_count;
}

static struct entry *find(struct entry *table, size_t size, uint64_t key)
{
	size_t i = key & (size - 1);

	while (table[i].key != 0 && table[i].key != key)
		i = (i + 1) & (size - 1);
	return &table[i];
}

static void grow(void)
{
	struct entry *larger = calloc(2 * capacity, sizeof(*larger));

	for (size_t i = 0; i < capacity; i++)
		if (entries[i].key != 0)
			*find(larger, 2 * capacity, entries[i].key) = entries[i];
	free(entries);
	entries = larger;
	capacity *= 2;
}

bool engine_states_seen(uint64_t key, int preemptions, int stale)
{
	if (key == 0)
		key = 1;

	struct entry *entry = find(entries, capacity, key);

	if (entry->key == key) {
		if (entry->preemptions <= preemptions && entry->stale <= stale)
			return true;
		/* Where neither budget was larger the new pair is explored and not remembered. */
		if (entry->preemptions >= preemptions && entry->stale >= stale) {
			entry->preemptions = preemptions;
			entry->stale = stale;
		}
		return false;
	}
	if (entry_count >= ENTRIES_MAX / 4 * 3)
		return false;
	*entry = (struct entry){key, preemptions, stale};
	if (++entry_count > capacity / 4 * 3 && capacity < ENTRIES_MAX)
		grow();
	return false;
}
