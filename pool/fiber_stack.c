/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber_stack.h"

#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif
#if defined(ADDRESS_SANITIZER)
#include <sanitizer/asan_interface.h>
#endif

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(low, high) 0
#define VALGRIND_STACK_DEREGISTER(handle)  ((void)(handle))
#endif

/* Linux 6.13; older headers do not have it. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
	STACKS_PER_SLAB = 64,
	SLAB_BYTES = 32 << 20,
};

/* How many stacks of the process have a guard that takes mappings. */
static WEFT_ATOMIC(int32_t) mapped_guards;

static size_t page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

int weft_fiber_stacks_init_(weft_fiber_stacks_ *stacks, size_t bytes)
{
	size_t page = page_bytes();
	size_t count;

	if (bytes < WEFT_POOL_STACK_BYTES_MIN || bytes > WEFT_POOL_STACK_BYTES_MAX)
		return -EINVAL;
	stacks->first = stacks->last = NULL;
	stacks->bytes = (bytes + page - 1) & ~(page - 1);
	stacks->stride = stacks->bytes + page;
	count = SLAB_BYTES / stacks->stride;
	stacks->per_slab = count == 0                ? 1
			   : count > STACKS_PER_SLAB ? STACKS_PER_SLAB
						     : (unsigned)count;
	stacks->in_use = 0;
	return 0;
}

static uint64_t all_of(const weft_fiber_stacks_ *stacks)
{
	return ~(uint64_t)0 >> (STACKS_PER_SLAB - stacks->per_slab);
}

static char *low_of(const weft_fiber_stacks_ *stacks, weft_fiber_slab_ *slab, unsigned index)
{
	char *first = (char *)slab + 2 * (stacks->stride - stacks->bytes);

	return first + index * stacks->stride;
}

static void unlink_slab(weft_fiber_stacks_ *stacks, weft_fiber_slab_ *slab)
{
	*(slab->previous == NULL ? &stacks->first : &slab->previous->next) = slab->next;
	*(slab->next == NULL ? &stacks->last : &slab->next->previous) = slab->previous;
}

static void link_first(weft_fiber_stacks_ *stacks, weft_fiber_slab_ *slab)
{
	slab->previous = NULL;
	slab->next = stacks->first;
	*(slab->next == NULL ? &stacks->last : &slab->next->previous) = slab;
	stacks->first = slab;
}

static void link_last(weft_fiber_stacks_ *stacks, weft_fiber_slab_ *slab)
{
	slab->next = NULL;
	slab->previous = stacks->last;
	*(slab->previous == NULL ? &stacks->first : &slab->previous->next) = slab;
	stacks->last = slab;
}

/* A slab begins with a page of its own data. */
static size_t slab_bytes(const weft_fiber_stacks_ *stacks)
{
	return stacks->stride - stacks->bytes + stacks->per_slab * stacks->stride;
}

static weft_fiber_slab_ *map_slab(weft_fiber_stacks_ *stacks)
{
	weft_fiber_slab_ *slab =
		mmap(NULL, slab_bytes(stacks), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (slab == MAP_FAILED)
		return NULL;
	/* A huge page would be taken for the first page of a stack that is touched. */
	madvise(slab, slab_bytes(stacks), MADV_NOHUGEPAGE);
	slab->free = all_of(stacks);
	link_first(stacks, slab);
	return slab;
}

/* Returns false, and keeps it, when the system does not take it: it may be part of a larger
 * mapping, and the process have as many mappings as it may. */
static bool unmap_slab(weft_fiber_stacks_ *stacks, weft_fiber_slab_ *slab)
{
	const weft_fiber_slab_ was = *slab;
	uint64_t bits = was.guarded;

	unlink_slab(stacks, slab);
#if defined(ADDRESS_SANITIZER)
	__asan_unpoison_memory_region(slab, slab_bytes(stacks));
#endif
	if (munmap(slab, slab_bytes(stacks)) != 0) {
		link_first(stacks, slab);
		return false;
	}
	for (; bits != 0; bits &= bits - 1)
		VALGRIND_STACK_DEREGISTER(was.handle[__builtin_ctzll(bits)]);
	/* relaxed: a count. */
	atomic_fetch_sub_explicit(&mapped_guards, __builtin_popcountll(was.mapped),
				  memory_order_relaxed);
	return true;
}

/* Gives a stack its guard, as well as that can be done. */
static void guard(const weft_fiber_stacks_ *stacks, weft_fiber_slab_ *slab, unsigned index)
{
	uint64_t bit = (uint64_t)1 << index;
	char *low = low_of(stacks, slab, index);
	size_t page = stacks->stride - stacks->bytes;

	slab->guarded |= bit;
	slab->handle[index] = VALGRIND_STACK_REGISTER(low, low + stacks->bytes);
	if (madvise(low - page, page, MADV_GUARD_INSTALL) == 0)
		return;
	/* relaxed: a count. */
	if (atomic_fetch_add_explicit(&mapped_guards, 1, memory_order_relaxed) <
		    WEFT_FIBER_GUARDS_MAX_ &&
	    mprotect(low - page, page, PROT_NONE) == 0)
		slab->mapped |= bit;
	else
		atomic_fetch_sub_explicit(&mapped_guards, 1, memory_order_relaxed);
}

int weft_fiber_stacks_take_(weft_fiber_stacks_ *stacks, weft_fiber_stack_ *stack)
{
	weft_fiber_slab_ *slab = stacks->first;
	unsigned index;

	if (slab == NULL || slab->free == 0)
		slab = map_slab(stacks);
	if (slab == NULL)
		return -ENOMEM;
	index = (unsigned)__builtin_ctzll(slab->free);
	slab->free &= slab->free - 1;
	if (slab->free == 0) {
		unlink_slab(stacks, slab);
		link_last(stacks, slab);
	}
	if ((slab->guarded >> index & 1) == 0)
		guard(stacks, slab, index);
	stack->slab = slab;
	stack->low = low_of(stacks, slab, index);
	stack->high = stack->low + stacks->bytes;
	stacks->in_use++;
	return 0;
}

static unsigned index_of(const weft_fiber_stacks_ *stacks, const weft_fiber_stack_ *stack)
{
	return (unsigned)((size_t)(stack->low - low_of(stacks, stack->slab, 0)) / stacks->stride);
}

void weft_fiber_stacks_own_(const weft_fiber_stacks_ *stacks, const weft_fiber_stack_ *stack,
			    void *owner)
{
	stack->slab->owner[index_of(stacks, stack)] = owner;
}

void weft_fiber_stacks_give_(weft_fiber_stacks_ *stacks, const weft_fiber_stack_ *stack)
{
	weft_fiber_slab_ *slab = stack->slab;
	unsigned index = index_of(stacks, stack);

	stacks->in_use--;
	slab->owner[index] = NULL;
	slab->free |= (uint64_t)1 << index;
	if (slab->free == all_of(stacks) && unmap_slab(stacks, slab))
		return;
#if defined(ADDRESS_SANITIZER)
	__asan_unpoison_memory_region(stack->low, stacks->bytes);
#endif
	madvise(stack->low, stacks->bytes, MADV_DONTNEED);
	unlink_slab(stacks, slab);
	link_first(stacks, slab);
}

void weft_fiber_stacks_fini_(weft_fiber_stacks_ *stacks)
{
	while (stacks->first != NULL) {
		weft_fiber_slab_ *slab = stacks->first;

		if (!unmap_slab(stacks, slab)) {
			/* Of what cannot be given back the memory at least is. */
			unlink_slab(stacks, slab);
			madvise(slab, slab_bytes(stacks), MADV_DONTNEED);
		}
	}
	stacks->in_use = 0;
}
