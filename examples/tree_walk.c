/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharing out a recursion with weft_deque: each thread keeps the branches that it has yet to visit
 * in its own deque, newest first, so that it walks in depth as a recursion would; a thread without
 * any steals the oldest branch of another, which is the largest. This is what the pool does with
 * tasks: in a program, use that (see futures.c).
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <weft/lockfree/deque.h>

#include "must.h"

#define WALKERS 3
#define NODES   131071 /* one less than a power of two */

typedef struct node {
	struct node *left, *right;
} node;

typedef struct walker {
	weft_deque branches;
	struct forest *forest;
	unsigned index;
	unsigned long visited;
} walker;

typedef struct forest {
	walker walkers[WALKERS];
	/* Branches that are in a deque or being walked: none left means that all are done. */
	WEFT_ATOMIC(long) open_branches;
} forest;

/* Links the nodes to a tree as deep as can be filled; its root is the first. */
static void link_tree(node *nodes)
{
	for (size_t i = 0; i < NODES / 2; i++) {
		nodes[i].left = &nodes[2 * i + 1];
		nodes[i].right = &nodes[2 * i + 2];
	}
}

static void leave_for_later(walker *self, node *branch)
{
	if (branch == NULL)
		return;
	/* relaxed: only counts; who sees it at 0 has no data to read. */
	atomic_fetch_add_explicit(&self->forest->open_branches, 1, memory_order_relaxed);
	must(weft_deque_push_lazy(&self->branches, branch), "weft_deque_push_lazy");
}

/* One's own newest branch, or else the oldest of another walker, with half of the others that it
 * lets go; NULL when there is none now. */
static node *next_branch(walker *self)
{
	void *branch = NULL;

	if (weft_deque_try_pop_lazy(&self->branches, &branch))
		return branch;
	for (unsigned i = 1; i < WALKERS; i++) {
		walker *victim = &self->forest->walkers[(self->index + i) % WALKERS];

		if (weft_deque_steal_half(&victim->branches, &self->branches, &branch) == 0)
			return branch;
	}
	return NULL;
}

static void *walk(void *argument)
{
	walker *self = argument;
	forest *shared = self->forest;

	while (atomic_load_explicit(&shared->open_branches, memory_order_relaxed) > 0) {
		const node *branch = next_branch(self);

		if (branch == NULL) {
			sched_yield();
			continue;
		}
		self->visited++;
		leave_for_later(self, branch->left);
		leave_for_later(self, branch->right);
		atomic_fetch_sub_explicit(&shared->open_branches, 1, memory_order_relaxed);
	}
	return NULL;
}

int main(void)
{
	forest shared = {0};
	pthread_t threads[WALKERS];
	node *nodes = calloc(NODES, sizeof(*nodes));
	unsigned long visited = 0;

	if (nodes == NULL)
		must(ENOMEM, "calloc");
	link_tree(nodes);
	for (unsigned i = 0; i < WALKERS; i++) {
		shared.walkers[i].forest = &shared;
		shared.walkers[i].index = i;
		must(weft_deque_init(&shared.walkers[i].branches, 64), "weft_deque_init");
	}
	/* Nobody else runs yet: this thread may play the owner of the first deque. */
	leave_for_later(&shared.walkers[0], nodes);
	for (unsigned i = 0; i < WALKERS; i++)
		must(pthread_create(&threads[i], NULL, walk, &shared.walkers[i]), "pthread_create");
	for (unsigned i = 0; i < WALKERS; i++) {
		pthread_join(threads[i], NULL);
		visited += shared.walkers[i].visited;
	}
	/* Only now: until then another walker may still look into a deque. */
	for (unsigned i = 0; i < WALKERS; i++)
		weft_deque_fini(&shared.walkers[i].branches);
	printf("%lu nodes visited\n", visited);
	free(nodes);
	return 0;
}
