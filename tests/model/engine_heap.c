/* SPDX-License-Identifier: Apache-2.0 */

/*
 * malloc and its family, for the checked code. Each thread takes from its own region, so that
 * addresses do not depend on the interleaving; nothing is given out twice in one execution and
 * blocks have a gap between them, so that every use after free and every stray access is seen. (An
 * ABA that needs an address to come back from malloc shows as the use after free that it is.)
 */

#include "engine.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum {
	REGION_SIZE = 256 * 1024,
	BLOCKS = 512,
	GAP = 64
};

struct block {
	uintptr_t start;
	size_t size;
	const void *allocated_at, *freed_at;
};

static alignas(4096) char regions[ENGINE_THREADS][REGION_SIZE];
static struct block blocks[ENGINE_THREADS][BLOCKS];
static size_t block_counts[ENGINE_THREADS];

void *__real_malloc(size_t size);
void __real_free(void *pointer);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void __wrap_free(void *pointer);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void engine_heap_start(void)
{
	memset(block_counts, 0, sizeof(block_counts));
}

bool engine_heap_contains(uintptr_t address)
{
	return address - (uintptr_t)regions < sizeof(regions);
}

/* The last block of the region that starts at or before the address, or NULL. */
static struct block *block_before(uintptr_t address)
{
	size_t region = (address - (uintptr_t)regions) / REGION_SIZE;
	size_t low = 0, high = block_counts[region];

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (blocks[region][middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low == 0 ? NULL : &blocks[region][low - 1];
}

void engine_heap_check(uintptr_t address, size_t size, const void *pc)
{
	char place[160], other[160];

	if (!engine_heap_contains(address))
		return;

	const struct block *block = block_before(address);

	if (block == NULL || address + size > block->start + block->size) {
		engine_trace_place(pc, place, sizeof(place));
		model_fail("access outside any block of memory, by T%d at %s", engine.self, place);
	}
	if (block->freed_at != NULL) {
		engine_trace_place(pc, place, sizeof(place));
		engine_trace_place(block->freed_at, other, sizeof(other));
		model_fail("use after free, by T%d at %s; freed at %s", engine.self, place, other);
	}
}

static void trace(enum engine_kind kind, const struct block *block, const void *pc)
{
	struct engine_event event = {
		.kind = kind,
		.thread = engine.self,
		.address = block->start,
		.after = block->size,
		.pc = pc,
	};

	engine_trace_event(&event);
}

static void *allocate(size_t alignment, size_t size, const void *pc)
{
	struct engine_thread *thread = engine_self();
	size_t count = block_counts[engine.self];

	if (engine.options.fail_allocations && !engine.allocation_failed) {
		int fails = engine_choose(2);

		thread->history = engine_mix(thread->history, (uint64_t)fails);
		if (fails == 1) {
			engine.allocation_failed = true;
			errno = ENOMEM;
			return NULL;
		}
	}
	if (alignment < 16)
		alignment = 16;

	uintptr_t region = (uintptr_t)regions[engine.self];
	uintptr_t start = (region + thread->heap_used + alignment - 1) & ~(alignment - 1);

	if (count == BLOCKS || start + size + GAP > region + REGION_SIZE)
		model_fail("limit of the checker: too much memory is allocated");
	thread->heap_used = start + size + GAP - region;
	blocks[engine.self][count] = (struct block){start, size, pc, NULL};
	block_counts[engine.self] = count + 1;
	memset((void *)start, 0xA5, size);
	trace(ENGINE_ALLOCATE, &blocks[engine.self][count], pc);
	return (void *)start;
}

static void release(void *pointer, const void *pc)
{
	uintptr_t address = (uintptr_t)pointer;
	char place[160], other[160];

	if (!engine_heap_contains(address)) {
		__real_free(pointer);
		return;
	}

	struct block *block = block_before(address);

	if (block == NULL || block->start != address)
		model_fail("free of something that malloc did not return, by T%d", engine.self);
	if (block->freed_at != NULL) {
		engine_trace_place(pc, place, sizeof(place));
		engine_trace_place(block->freed_at, other, sizeof(other));
		model_fail("double free, by T%d at %s; freed before at %s", engine.self, place,
			   other);
	}
	/* Freeing writes to all of it: who reads it at the same time has a race. */
	engine_plain(address, block->size, true, pc);
	block->freed_at = pc;
	trace(ENGINE_FREE, block, pc);
}

void engine_heap_finish(void)
{
	for (int thread = 0; thread < ENGINE_THREADS; thread++) {
		for (size_t i = 0; i < block_counts[thread]; i++) {
			const struct block *block = &blocks[thread][i];
			char place[160];

			if (block->freed_at != NULL)
				continue;
			engine_trace_place(block->allocated_at, place, sizeof(place));
			model_fail("leak of %zu bytes allocated by T%d at %s", block->size, thread,
				   place);
		}
	}
}

/* Whether a wrapped call comes from the checked code. */
static bool from_scenario(void)
{
	return engine.running && !engine.inside;
}

void *__wrap_malloc(size_t size)
{
	if (!from_scenario())
		return __real_malloc(size);
	engine.inside = true;

	void *memory = allocate(0, size, __builtin_return_address(0));

	engine.inside = false;
	return memory;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	if (!from_scenario())
		return __real_aligned_alloc(alignment, size);
	engine.inside = true;

	void *memory = allocate(alignment, size, __builtin_return_address(0));

	engine.inside = false;
	return memory;
}

void *__wrap_calloc(size_t count, size_t size)
{
	size_t bytes;

	if (!from_scenario())
		return __real_calloc(count, size);
	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	engine.inside = true;

	void *memory = allocate(0, bytes, __builtin_return_address(0));

	if (memory != NULL) {
		memset(memory, 0, bytes);
		engine_plain((uintptr_t)memory, bytes, true, __builtin_return_address(0));
	}
	engine.inside = false;
	return memory;
}

void *__wrap_realloc(void *pointer, size_t size)
{
	const void *pc = __builtin_return_address(0);

	if (!from_scenario())
		return __real_realloc(pointer, size);
	engine.inside = true;

	void *memory = allocate(0, size, pc);

	if (memory != NULL && pointer != NULL) {
		size_t old = block_before((uintptr_t)pointer)->size;

		engine_plain((uintptr_t)pointer, old, false, pc);
		memcpy(memory, pointer, old < size ? old : size);
		release(pointer, pc);
	}
	engine.inside = false;
	return memory;
}

void __wrap_free(void *pointer)
{
	if (!from_scenario()) {
		__real_free(pointer);
		return;
	}
	if (pointer == NULL)
		return;
	engine.inside = true;
	release(pointer, __builtin_return_address(0));
	engine.inside = false;
}
