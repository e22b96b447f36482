/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_RANK_TREE_H
#define WEFT_TESTS_RANK_TREE_H

/*
 * How many of the numbers that are inside lie below one: for rank errors of priority queues.
 *
 * Source: Peter Fenwick's tree of sums (Software: Practice and Experience, 1994).
 */

#include <stddef.h>
#include <string.h>

#define RANK_TREE_NUMBERS 65536

/* Numbers from 0 to RANK_TREE_NUMBERS - 1, each any number of times. */
typedef struct rank_tree {
	unsigned sums[RANK_TREE_NUMBERS + 1];
} rank_tree;

static inline void rank_tree_clear(rank_tree *tree)
{
	memset(tree, 0, sizeof(*tree));
}

/* Puts a number inside (1), or takes it out (-1). */
static inline void rank_tree_add(rank_tree *tree, size_t number, int by)
{
	for (size_t i = number + 1; i <= RANK_TREE_NUMBERS; i += i & -i)
		tree->sums[i] += (unsigned)by;
}

static inline unsigned rank_tree_below(const rank_tree *tree, size_t number)
{
	unsigned sum = 0;

	for (size_t i = number; i > 0; i &= i - 1)
		sum += tree->sums[i];
	return sum;
}

#endif
