/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_FIBER_STACK_H
#define WEFT_POOL_FIBER_STACK_H

/*
 * Private: the stacks of one worker's fibers. They are carved from slabs of up to 64, each of one
 * mapping, for a mapping takes ten microseconds. Of a stack only the pages that are touched take
 * memory; those of a stack that is given back go to the system at once, and a slab of which no
 * stack is in use is unmapped; or kept for later, if the system does not do that.
 *
 * Below each stack is a guard page, by which an overflow ends the program and not other data. Where
 * the system knows guards that need no mapping of their own (Linux 6.13) each stack has one. On
 * older ones a guard makes two mappings of one, and a process may have some 65,000: there the first
 * WEFT_FIBER_GUARDS_MAX_ stacks of the process have a guard, and further ones have none.
 *
 * All calls are the worker's, or whoever's once that has ended.
 */

#include <weft/pool/pool.h>

#define WEFT_FIBER_STACK_BYTES_DEFAULT_ ((size_t)256 << 10)

#define WEFT_FIBER_GUARDS_MAX_ 16384

typedef struct weft_fiber_slab_ weft_fiber_slab_;

typedef struct weft_fiber_stack_ {
	char *low; /* the lowest byte; a page below it is the guard */
	char *high;
	weft_fiber_slab_ *slab;
} weft_fiber_stack_;

/* Stands at the beginning of its memory. */
struct weft_fiber_slab_ {
	weft_fiber_slab_ *next;
	weft_fiber_slab_ *previous;
	uint64_t free;       /* bit i: stack i is not in use */
	uint64_t guarded;    /* bit i: it has been in use, and has what guard it can have */
	uint64_t mapped;     /* of these, those whose guard is a mapping */
	void *owner[64];     /* whatever uses it, for who walks all of them; NULL once given back */
	unsigned handle[64]; /* valgrind's names for them */
};

typedef struct weft_fiber_stacks_ {
	weft_fiber_slab_ *first; /* those with free stacks before those without */
	weft_fiber_slab_ *last;
	size_t bytes;  /* of a stack, without its guard */
	size_t stride; /* from one to the next */
	unsigned per_slab;
	size_t in_use;
} weft_fiber_stacks_;

/* For stacks of at least `bytes` bytes. Returns 0, or -EINVAL when that is out of bounds. */
int weft_fiber_stacks_init_(weft_fiber_stacks_ *stacks, size_t bytes);

/* Unmaps all slabs. */
void weft_fiber_stacks_fini_(weft_fiber_stacks_ *stacks);

/* A stack that nobody uses. Returns 0, or -ENOMEM. */
int weft_fiber_stacks_take_(weft_fiber_stacks_ *stacks, weft_fiber_stack_ *stack);

/* Who uses it, for who walks all of them. */
void weft_fiber_stacks_own_(const weft_fiber_stacks_ *stacks, const weft_fiber_stack_ *stack,
			    void *owner);

/* Its memory goes to the system. */
void weft_fiber_stacks_give_(weft_fiber_stacks_ *stacks, const weft_fiber_stack_ *stack);

#endif
