/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Data races: two accesses to a byte from two threads, one of them a write and not both atomic,
 * neither of which happens before the other.
 *
 * For each eight bytes there is a list of the accesses that still matter. A write without a race
 * happens after everything before it, so it takes the place of what it covers: whoever races with
 * the older access races with the write as well. Before the first thread is started there is
 * nothing to remember: all of it happens before what the threads do.
 */

#include "engine.h"

#include <string.h>

enum {
	GRANULES = 1 << 13,
	RECORDS = 16
};

struct record {
	const void *pc;
	uint32_t clock;
	uint8_t thread;
	uint8_t mask; /* which of the eight bytes */
	bool is_write, is_atomic;
};

struct granule {
	uintptr_t key;
	unsigned generation;
	uint8_t record_count;
	uint8_t locations; /* bytes that belong to atomic objects */
	struct record records[RECORDS];
};

static struct granule granules[GRANULES];
static unsigned generation;
static unsigned granules_used;

void engine_race_start(void)
{
	generation++;
	granules_used = 0;
}

static struct granule *granule_at(uintptr_t address)
{
	uintptr_t key = address >> 3;
	size_t i = (size_t)(((uint64_t)key * 0x9E3779B97F4A7C15u) >> 40) % GRANULES;

	while (granules[i].generation == generation && granules[i].key != key)
		i = (i + 1) % GRANULES;

	struct granule *granule = &granules[i];

	if (granule->generation != generation) {
		if (++granules_used > GRANULES / 2)
			model_fail("limit of the checker: too much memory is used");
		granule->generation = generation;
		granule->key = key;
		granule->record_count = 0;
		granule->locations = 0;
	}
	return granule;
}

static const char *access_name(bool is_write, bool is_atomic)
{
	if (is_atomic)
		return is_write ? "atomic write" : "atomic read";
	return is_write ? "write" : "read";
}

static void report(uintptr_t address, const struct record *now, const struct record *before)
{
	char name[64], place[160], place_before[160];

	engine_trace_name(address, name, sizeof(name));
	engine_trace_place(now->pc, place, sizeof(place));
	engine_trace_place(before->pc, place_before, sizeof(place_before));
	model_fail("data race on %s: %s by T%d at %s, after an unordered %s by T%d at %s", name,
		   access_name(now->is_write, now->is_atomic), now->thread, place,
		   access_name(before->is_write, before->is_atomic), before->thread, place_before);
}

/*
 * Whether this thread has made such an access since its last release. Whoever made a conflicting
 * one since then had a race with that.
 */
static bool is_repeated(const struct granule *granule, const struct record *now)
{
	for (unsigned i = 0; i < granule->record_count; i++) {
		const struct record *before = &granule->records[i];

		if (before->thread == now->thread && before->clock == now->clock &&
		    (now->mask & ~before->mask) == 0 && before->is_atomic == now->is_atomic &&
		    (before->is_write || !now->is_write))
			return true;
	}
	return false;
}

static void check(struct granule *granule, const struct record *now)
{
	const uint32_t *clock = engine_self()->now.clock;
	unsigned kept = 0;

	for (unsigned i = 0; i < granule->record_count; i++) {
		const struct record *before = &granule->records[i];
		bool mine = before->thread == now->thread;

		if ((before->mask & now->mask) != 0 && !mine &&
		    (before->is_write || now->is_write) && !(before->is_atomic && now->is_atomic) &&
		    clock[before->thread] < before->clock)
			report((granule->key << 3) + (uintptr_t)__builtin_ctz(now->mask), now,
			       before);

		bool covered = (before->mask & ~now->mask) == 0;
		bool same = mine && before->is_write == now->is_write &&
			    before->is_atomic == now->is_atomic;

		if (!(covered && (same || (now->is_write && !now->is_atomic))))
			granule->records[kept++] = *before;
	}
	if (kept == RECORDS)
		model_fail("limit of the checker: too many accesses to the same bytes");
	granule->records[kept] = *now;
	granule->record_count = (uint8_t)(kept + 1);
}

static void access(uintptr_t address, size_t size, struct record *record)
{
	record->thread = (uint8_t)engine.self;
	record->clock = engine_self()->now.clock[engine.self];
	while (size > 0) {
		unsigned first = address & 7;
		unsigned count = size < 8 - first ? (unsigned)size : 8 - first;
		struct granule *granule = granule_at(address);

		record->mask = (uint8_t)(((1u << count) - 1) << first);
		if (!is_repeated(granule, record))
			check(granule, record);
		if (record->is_write && !record->is_atomic &&
		    (granule->locations & record->mask) != 0)
			engine_memory_overwritten(address, count);
		address += count;
		size -= count;
	}
}

void engine_plain(uintptr_t address, size_t size, bool is_write, const void *pc)
{
	struct record record = {.pc = pc, .is_write = is_write};

	if (size == 0 || engine_thread_local_contains(address))
		return;
	engine_heap_check(address, size, pc);
	if (engine.thread_count > 1)
		access(address, size, &record);
	else if (is_write && engine.location_count > 0)
		engine_memory_overwritten(address, size);
}

void engine_race_atomic(uintptr_t address, uint32_t size, bool is_write, const void *pc)
{
	struct record record = {.pc = pc, .is_write = is_write, .is_atomic = true};

	engine_heap_check(address, size, pc);
	if (engine.thread_count > 1)
		access(address, size, &record);
}

void engine_race_has_location(uintptr_t address, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		granule_at(address + i)->locations |= (uint8_t)(1u << ((address + i) & 7));
}
