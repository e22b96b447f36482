/* SPDX-License-Identifier: Apache-2.0 */
/* <weft/affinity/memory.h> over jemalloc: one arena for each NUMA node. */
#include <weft/affinity/memory.h>

#include <jemalloc/jemalloc.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Nodes that can have an arena; memory for a higher number is WEFT_MEMORY_ANY. */
#define NODES_MAX 64

/* The kernel refuses a query for fewer nodes than it was built for; it is built for 1024 at most.
 */
#define MASK_BITS  1024
#define WORD_BITS  (8 * sizeof(unsigned long))
#define MASK_WORDS (MASK_BITS / WORD_BITS)

/* jemalloc calls a hook with the address of `hooks`, which is that of the whole. */
typedef struct node_hooks {
	extent_hooks_t hooks;
	unsigned node;
} node_hooks;

/* All written by make_arenas, once, and constant from then on. Arena 0 is jemalloc's own: none. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static extent_hooks_t *default_hooks;
static node_hooks hooks_of[NODES_MAX];
static unsigned arena_of[NODES_MAX];

/*
 * Asks the kernel to take the pages from the node as long as it has some. A failure is of no
 * account: the pages then come from wherever they are first touched. No hwloc here: its calls
 * allocate, which a hook of the allocator must not.
 */
static void prefer_node(void *memory, size_t bytes, unsigned node)
{
	unsigned long mask[MASK_WORDS] = {0};

	mask[node / WORD_BITS] = 1ul << node % WORD_BITS;
	/* The kernel looks at one bit less than it is told. */
	syscall(SYS_mbind, memory, bytes, MPOL_PREFERRED, mask, (unsigned long)MASK_BITS + 1, 0u);
}

static void *alloc_on_node(extent_hooks_t *hooks, void *address, size_t bytes, size_t alignment,
			   bool *zero, bool *commit, unsigned arena)
{
	const node_hooks *mine = (const node_hooks *)(const void *)hooks;
	void *memory =
		default_hooks->alloc(default_hooks, address, bytes, alignment, zero, commit, arena);

	if (memory != NULL)
		prefer_node(memory, bytes, mine->node);
	return memory;
}

/* Returns its number; 0 when jemalloc can make no more. */
static unsigned make_arena(unsigned node)
{
	extent_hooks_t *hooks = &hooks_of[node].hooks;
	unsigned arena = 0;
	size_t size = sizeof(arena);

	hooks_of[node].node = node;
	*hooks = *default_hooks;
	hooks->alloc = alloc_on_node;
	return mallctl("arenas.create", &arena, &size, &hooks, sizeof(hooks)) == 0 ? arena : 0;
}

/* Leaves arena_of empty where a node makes no difference, or may not be asked for. */
static void make_arenas(void)
{
	unsigned long mask[MASK_WORDS] = {0};
	size_t size = sizeof(default_hooks);
	int nodes = 0;

	if (syscall(SYS_get_mempolicy, NULL, mask, (unsigned long)MASK_BITS + 1, NULL,
		    (unsigned long)MPOL_F_MEMS_ALLOWED) != 0)
		return;
	for (size_t word = 0; word < MASK_WORDS; word++)
		nodes += __builtin_popcountl(mask[word]);
	if (nodes < 2 || mallctl("arena.0.extent_hooks", &default_hooks, &size, NULL, 0) != 0)
		return;
	for (unsigned node = 0; node < NODES_MAX; node++) {
		if (mask[node / WORD_BITS] >> node % WORD_BITS & 1)
			arena_of[node] = make_arena(node);
	}
}

static int alignment_flag(size_t alignment)
{
	return MALLOCX_LG_ALIGN(__builtin_ctzl(alignment));
}

void *weft_memory_alloc(size_t bytes, size_t alignment, int node)
{
	if (!weft_memory_valid_(bytes, alignment))
		return NULL;
	int flags = alignment_flag(alignment);

	if (node >= 0 && node < NODES_MAX) {
		pthread_once(&once, make_arenas);
		/* The thread's cache mixes nodes, so it is passed by. */
		if (arena_of[node] != 0)
			flags |= MALLOCX_ARENA(arena_of[node]) | MALLOCX_TCACHE_NONE;
	}
	return mallocx(bytes, flags);
}

void weft_memory_free(void *memory, size_t bytes, size_t alignment)
{
	if (memory != NULL)
		sdallocx(memory, bytes, alignment_flag(alignment));
}
