/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The memory model of C11 and C++20, executed.
 *
 * Each atomic object keeps all its stores in modification order. A load may read any of them that
 * is not older than what its thread has seen of the object, be it by reading or writing it, or by
 * synchronising with a thread that had (read-read, write-read ... coherence). What a thread has
 * seen is a view: a position in the modification order of each object, and a vector clock for
 * happens-before. A releasing store carries its thread's view, an acquiring load takes it over;
 * fences move views between "now" and what relaxed operations left to acquire or may release. An
 * update (read-modify-write) also passes on the view of the store that it replaces: a release
 * sequence, which in C++20 consists of updates only.
 *
 * seq_cst. The order S of all seq_cst operations is the order in which they are executed here, and
 * `engine.ordered` is what they have published: a seq_cst operation on an object publishes the
 * position that it read or wrote, and may not go behind what was published (in [atomics.order]/4:
 * 4.1, and 4.2 or 4.3 when the other one is a fence); a seq_cst fence takes over everything that
 * was published, and publishes everything that its thread has seen (4.2 to 4.4). It does not touch
 * the vector clocks: S alone is not happens-before.
 *
 * A store may also be put before stores that are newer in time, as long as its thread and S have
 * not seen those; that is how two threads' stores to two objects can end in opposite orders (2+2W).
 *
 * What this cannot show is in README.md: loads that read from the future (load buffering), and an S
 * that contradicts happens-before.
 */

#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Between two neighbours, so that others fit in later. */
#define STAMP_DISTANCE (1u << 16)

enum {
	POSITIONS_MAX = 32,
	VIEWS_PER_CHUNK = 64,
	VIEW_CHUNKS_MAX = 256
};

/* Views of stores live until the execution ends. */
static struct engine_view *view_chunks[VIEW_CHUNKS_MAX];
static size_t views_used;
static uintptr_t addresses[ENGINE_LOCATIONS];
static uint64_t ordered_ids[ENGINE_LOCATIONS]; /* id of the store at engine.ordered */

void engine_view_reset(struct engine_view *view)
{
	memset(view->clock, 0, sizeof(view->clock));
	view->count = 0;
}

static uint32_t view_seen(const struct engine_view *view, int location)
{
	return (uint32_t)location < view->count ? view->seen[location] : 0;
}

static void view_see(struct engine_view *view, int location, uint32_t stamp)
{
	while (view->count <= (uint32_t)location)
		view->seen[view->count++] = 0;
	if (view->seen[location] < stamp)
		view->seen[location] = stamp;
}

void engine_view_join_seen(struct engine_view *into, const struct engine_view *from)
{
	while (into->count < from->count)
		into->seen[into->count++] = 0;
	for (uint32_t i = 0; i < from->count; i++)
		if (into->seen[i] < from->seen[i])
			into->seen[i] = from->seen[i];
}

void engine_view_join(struct engine_view *into, const struct engine_view *from)
{
	engine_view_join_seen(into, from);
	for (int i = 0; i < engine.thread_count; i++)
		if (into->clock[i] < from->clock[i])
			into->clock[i] = from->clock[i];
}

static void view_copy(struct engine_view *into, const struct engine_view *from)
{
	memcpy(into, from, offsetof(struct engine_view, seen) + from->count * sizeof(*from->seen));
}

static bool view_is_empty(const struct engine_view *view)
{
	/* A thread's own clock starts at 1, so a view of anything is not all zero. */
	for (int i = 0; i < engine.thread_count; i++)
		if (view->clock[i] != 0)
			return false;
	return view->count == 0;
}

static struct engine_view *view_allocate(void)
{
	size_t chunk = views_used / VIEWS_PER_CHUNK;

	if (chunk == VIEW_CHUNKS_MAX)
		model_fail("limit of the checker: too many releasing stores in one execution");
	if (view_chunks[chunk] == NULL)
		view_chunks[chunk] = malloc(VIEWS_PER_CHUNK * sizeof(struct engine_view));
	return &view_chunks[chunk][views_used++ % VIEWS_PER_CHUNK];
}

void engine_memory_start(void)
{
	engine.location_count = 0;
	engine.memory_hash = 0;
	engine_view_reset(&engine.ordered);
	views_used = 0;
}

/* The index of the store with this stamp; every stamp in a view is one of a store. */
static uint32_t index_of(const struct engine_location *location, uint32_t stamp)
{
	uint32_t index = location->count - 1;

	while (location->stores[index].stamp > stamp)
		index--;
	return index;
}

uint64_t engine_view_hash(const struct engine_view *view)
{
	uint64_t hash = 0;

	for (uint32_t i = 0; i < view->count; i++) {
		const struct engine_location *location = &engine.locations[i];

		/* The sum does not depend on the order in which objects were first used. */
		hash += engine_mix(location->address,
				   location->stores[index_of(location, view->seen[i])].id);
	}
	return hash;
}

static uint64_t location_hash(const struct engine_location *location)
{
	return engine_mix(engine_mix(location->address, location->order_hash),
			  ordered_ids[location->index]);
}

static void order_changed(struct engine_location *location, bool appended)
{
	uint32_t from = appended ? location->count - 1 : 0;

	engine.memory_hash -= location_hash(location);
	if (!appended)
		location->order_hash = 0;
	for (uint32_t i = from; i < location->count; i++)
		location->order_hash = engine_mix(location->order_hash, location->stores[i].id);
	engine.memory_hash += location_hash(location);
}

/* A seq_cst operation publishes that it was at this store. */
static void order_seq_cst(struct engine_location *location, const struct engine_store *store)
{
	if (view_seen(&engine.ordered, location->index) >= store->stamp)
		return;
	engine.memory_hash -= location_hash(location);
	view_see(&engine.ordered, location->index, store->stamp);
	ordered_ids[location->index] = store->id;
	engine.memory_hash += location_hash(location);
}

static engine_value memory_read(const struct engine_location *location)
{
	engine_value value = 0;

	memcpy(&value, (const void *)location->address, location->size);
	return value;
}

/* Makes room for a store at `index` and returns it, with its stamp. */
static struct engine_store *store_insert(struct engine_location *location, uint32_t index)
{
	if (location->count == location->capacity) {
		location->capacity = location->capacity == 0 ? 16 : 2 * location->capacity;
		location->stores =
			realloc(location->stores, location->capacity * sizeof(*location->stores));
	}
	memmove(&location->stores[index + 1], &location->stores[index],
		(location->count - index) * sizeof(*location->stores));
	location->count++;

	struct engine_store *store = &location->stores[index];
	uint32_t below = store[-1].stamp;

	memset(store, 0, sizeof(*store));
	store->stamp = index + 1 == location->count ? below + STAMP_DISTANCE
						    : below + (store[1].stamp - below) / 2;
	return store;
}

static struct engine_location *location_create(uintptr_t address, uint32_t size)
{
	int index = engine.location_count;

	if (index == ENGINE_LOCATIONS)
		model_fail("limit of the checker: too many atomic objects");
	for (int i = 0; i < index; i++)
		if (address < addresses[i] + engine.locations[i].size &&
		    addresses[i] < address + size)
			model_fail("one atomic object used with two sizes");
	engine.location_count++;
	addresses[index] = address;
	ordered_ids[index] = 0;

	struct engine_location *location = &engine.locations[index];

	location->address = address;
	location->size = size;
	location->reload = false;
	location->index = index;
	location->order_hash = 0;
	if (location->capacity == 0) {
		location->capacity = 16;
		location->stores = malloc(location->capacity * sizeof(*location->stores));
	}
	memset(location->stores, 0, sizeof(*location->stores));
	location->count = 1;
	location->stores[0].value = memory_read(location);
	engine.memory_hash += location_hash(location);
	engine_race_has_location(address, size);
	return location;
}

struct engine_location *engine_location(uintptr_t address, uint32_t size)
{
	for (int i = 0; i < engine.location_count; i++) {
		struct engine_location *location = &engine.locations[i];

		if (addresses[i] != address)
			continue;
		if (location->size != size)
			model_fail("one atomic object used with two sizes");
		if (location->reload) {
			location->stores[location->count - 1].value = memory_read(location);
			location->reload = false;
		}
		return location;
	}
	return location_create(address, size);
}

void engine_memory_overwritten(uintptr_t address, size_t size)
{
	struct engine_thread *thread = engine_self();

	for (int i = 0; i < engine.location_count; i++) {
		struct engine_location *location = &engine.locations[i];

		if (address >= addresses[i] + location->size || addresses[i] >= address + size)
			continue;
		/* The hook runs before the write: the value is fetched at the next use. */
		struct engine_store *store = store_insert(location, location->count);

		store->id = engine_mix(engine_mix(thread->history, addresses[i]), location->count);
		location->reload = true;
		view_see(&thread->now, i, store->stamp);
		order_changed(location, true);
	}
}

/* The oldest store that an operation of this order by this thread may read or follow. */
static uint32_t oldest(const struct engine_location *location, int order)
{
	uint32_t stamp = view_seen(&engine_self()->now, location->index);

	if (order == memory_order_seq_cst) {
		uint32_t ordered = view_seen(&engine.ordered, location->index);

		if (stamp < ordered)
			stamp = ordered;
	}
	return index_of(location, stamp);
}

/* Whether a store may come right behind this one. */
static bool can_follow(const struct engine_location *location, uint32_t index)
{
	const struct engine_store *store = &location->stores[index];

	if (index + 1 == location->count)
		return true;
	return !store[1].is_update && store[1].stamp - store->stamp >= 2;
}

static void trace(enum engine_kind kind, const struct engine_location *location, int order,
		  uint32_t age, engine_value before, engine_value after, const void *pc)
{
	struct engine_event event = {
		.kind = kind,
		.thread = engine.self,
		.order = order,
		.age = (int)age,
		.address = location->address,
		.size = location->size,
		.before = before,
		.after = after,
		.pc = pc,
	};

	engine_trace_event(&event);
}

/* The current thread has read the store: coherence, synchronisation, S. */
static void read_from(struct engine_location *location, const struct engine_store *store, int order)
{
	struct engine_thread *thread = engine_self();

	view_see(&thread->now, location->index, store->stamp);
	if (store->view != NULL)
		engine_view_join(engine_acquires(order) ? &thread->now : &thread->acquired,
				 store->view);
	if (order == memory_order_seq_cst)
		order_seq_cst(location, store);
	thread->history = engine_mix(thread->history, store->id);
}

/* The address, as the first stores of all objects have the same name. */
static uint64_t observation(const struct engine_location *location,
			    const struct engine_store *store, const void *pc)
{
	return engine_mix((uintptr_t)pc ^ location->address, store->id + store->stamp);
}

engine_value engine_read(struct engine_location *location, int order, const void *pc)
{
	uint32_t candidates[POSITIONS_MAX];
	uint32_t newest = location->count - 1;
	int count = 0;

	candidates[count++] = newest;
	if (engine_surprise_left()) {
		uint32_t last = oldest(location, order);

		for (uint32_t i = newest; i-- > last && count < POSITIONS_MAX;)
			/* A store does not stay hidden for ever: two rounds, then a newer one. */
			if (!engine_repeats(observation(location, &location->stores[i], pc)))
				candidates[count++] = i;
	}

	int choice = engine_choose(count);
	const struct engine_store *store = &location->stores[candidates[choice]];

	if (choice != 0)
		engine.stale++;
	engine_observe(observation(location, store, pc), choice == 0);
	read_from(location, store, order);
	trace(ENGINE_LOAD, location, order, newest - candidates[choice], store->value, 0, pc);
	return store->value;
}

engine_value engine_load(uintptr_t address, uint32_t size, int order, const void *pc)
{
	engine_point(ENGINE_LOAD);
	engine_race_atomic(address, size, false, pc);
	return engine_read(engine_location(address, size), order, pc);
}

/*
 * Puts a store right behind the one at `index`, which it updates if `is_update`.
 */
static void write_behind(struct engine_location *location, uint32_t index, engine_value value,
			 int order, bool is_update)
{
	struct engine_thread *thread = engine_self();
	const struct engine_view *inherited = is_update ? location->stores[index].view : NULL;
	struct engine_store *store = store_insert(location, index + 1);
	bool appended = index + 2 == location->count;

	store->value = value;
	store->is_update = is_update;
	store->id = engine_mix(thread->history, location->address);
	thread->history = engine_mix(thread->history, 1);
	view_see(&thread->now, location->index, store->stamp);
	if (engine_releases(order) || !view_is_empty(&thread->released)) {
		store->view = view_allocate();
		view_copy(store->view, engine_releases(order) ? &thread->now : &thread->released);
		if (inherited != NULL)
			engine_view_join(store->view, inherited);
	} else if (inherited != NULL) {
		store->view = view_allocate();
		view_copy(store->view, inherited);
	}
	if (engine_releases(order))
		thread->now.clock[engine.self]++;
	order_changed(location, appended);
	if (order == memory_order_seq_cst)
		order_seq_cst(location, store);
	if (appended)
		memcpy((void *)location->address, &value, location->size);
}

/* Chooses the store that a write of this order comes right behind. */
static uint32_t choose_position(const struct engine_location *location, int order)
{
	uint32_t candidates[POSITIONS_MAX];
	uint32_t newest = location->count - 1;
	int count = 0;

	candidates[count++] = newest;
	if (engine_surprise_left()) {
		uint32_t last = oldest(location, order);

		for (uint32_t i = newest; i-- > last && count < POSITIONS_MAX;)
			if (can_follow(location, i))
				candidates[count++] = i;
	}

	int choice = engine_choose(count);

	if (choice != 0)
		engine.stale++;
	return candidates[choice];
}

void engine_store(uintptr_t address, uint32_t size, engine_value value, int order, const void *pc)
{
	engine_point(ENGINE_STORE);
	engine_race_atomic(address, size, true, pc);

	struct engine_location *location = engine_location(address, size);
	uint32_t position = choose_position(location, order);

	trace(ENGINE_STORE, location, order, location->count - 1 - position, 0, value, pc);
	write_behind(location, position, value, order, false);
	engine_wrote();
}

engine_value engine_compute(enum engine_arithmetic arithmetic, engine_value left,
			    engine_value right, uint32_t size)
{
	engine_value result = right;

	switch (arithmetic) {
	case ENGINE_EXCHANGE:
		break;
	case ENGINE_ADD:
		result = left + right;
		break;
	case ENGINE_SUB:
		result = left - right;
		break;
	case ENGINE_AND:
		result = left & right;
		break;
	case ENGINE_OR:
		result = left | right;
		break;
	case ENGINE_XOR:
		result = left ^ right;
		break;
	case ENGINE_NAND:
		result = ~(left & right);
		break;
	}
	return size == sizeof(result) ? result : result & (((engine_value)1 << (8 * size)) - 1);
}

/* The store at `index` is replaced by `after`; it is read, too. */
static void replace(struct engine_location *location, uint32_t index, engine_value after, int order,
		    const void *pc)
{
	engine_value before = location->stores[index].value;
	trace(ENGINE_UPDATE, location, order, location->count - 1 - index, before, after, pc);
	read_from(location, &location->stores[index], order);
	write_behind(location, index, after, order, true);
	/* An update that changes nothing is how some locks spin. */
	if (before == after)
		engine_observe(engine_mix((uintptr_t)pc ^ location->address, (uint64_t)before),
			       true);
	else
		engine_wrote();
}

engine_value engine_update(uintptr_t address, uint32_t size, enum engine_arithmetic arithmetic,
			   engine_value operand, int order, const void *pc)
{
	engine_point(ENGINE_UPDATE);
	engine_race_atomic(address, size, true, pc);

	struct engine_location *location = engine_location(address, size);
	uint32_t position = choose_position(location, order);
	engine_value before = location->stores[position].value;

	replace(location, position, engine_compute(arithmetic, before, operand, size), order, pc);
	return before;
}

struct outcome {
	uint32_t index;
	bool succeeds;
};

/* All that the exchange may do; the first is what it does without surprises. */
static int exchange_outcomes(const struct engine_location *location,
			     const struct engine_exchange *exchange, struct outcome *outcomes)
{
	uint32_t newest = location->count - 1;
	bool matches = location->stores[newest].value == exchange->expected;
	int count = 0;

	outcomes[count++] = (struct outcome){newest, matches};
	if (!engine_surprise_left())
		return count;
	if (matches && exchange->weak)
		outcomes[count++] = (struct outcome){newest, false};

	uint32_t last_success = oldest(location, exchange->order);
	uint32_t last_failure = oldest(location, exchange->failure_order);

	for (uint32_t i = newest; i-- > 0 && count < POSITIONS_MAX;) {
		matches = location->stores[i].value == exchange->expected;
		if (matches && i >= last_success && can_follow(location, i))
			outcomes[count++] = (struct outcome){i, true};
		else if (!matches && i >= last_failure)
			outcomes[count++] = (struct outcome){i, false};
	}
	return count;
}

bool engine_compare_exchange(struct engine_exchange *exchange, const void *pc)
{
	struct outcome outcomes[POSITIONS_MAX];

	engine_point(ENGINE_UPDATE);

	struct engine_location *location = engine_location(exchange->address, exchange->size);
	int choice = engine_choose(exchange_outcomes(location, exchange, outcomes));
	const struct engine_store *store = &location->stores[outcomes[choice].index];
	struct engine_thread *thread = engine_self();

	if (choice != 0)
		engine.stale++;
	engine_race_atomic(exchange->address, exchange->size, outcomes[choice].succeeds, pc);
	thread->history = engine_mix(thread->history, outcomes[choice].succeeds);
	if (outcomes[choice].succeeds) {
		replace(location, outcomes[choice].index, exchange->desired, exchange->order, pc);
		return true;
	}
	engine_observe(observation(location, store, pc), choice == 0);
	read_from(location, store, exchange->failure_order);
	trace(ENGINE_LOAD, location, exchange->failure_order,
	      location->count - 1 - outcomes[choice].index, store->value, 0, pc);
	exchange->expected = store->value;
	return false;
}

/* What a fence does to the thread with this number. */
static void fence(int number, int order)
{
	struct engine_thread *thread = &engine.threads[number];

	if (engine_acquires(order))
		engine_view_join(&thread->now, &thread->acquired);
	if (order == memory_order_seq_cst) {
		engine_view_join_seen(&thread->now, &engine.ordered);
		for (uint32_t i = 0; i < thread->now.count; i++) {
			struct engine_location *location = &engine.locations[i];

			order_seq_cst(location,
				      &location->stores[index_of(location, thread->now.seen[i])]);
		}
		thread->history = engine_mix(thread->history, engine_view_hash(&thread->now));
	}
	if (engine_releases(order)) {
		view_copy(&thread->released, &thread->now);
		thread->now.clock[number]++;
	}
	thread->history = engine_mix(thread->history, 2);
}

void engine_fence(int order, const void *pc)
{
	struct engine_event event = {
		.kind = ENGINE_FENCE,
		.thread = engine.self,
		.order = order,
		.pc = pc,
	};

	engine_point(ENGINE_FENCE);
	fence(engine.self, order);
	engine_trace_event(&event);
}

void engine_fence_all(const void *pc)
{
	engine_fence(memory_order_seq_cst, pc);
	for (int i = 0; i < engine.thread_count; i++)
		if (i != engine.self)
			fence(i, memory_order_seq_cst);
	fence(engine.self, memory_order_seq_cst);
}
