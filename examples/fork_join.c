/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fork-join: recursion on all workers of a pool. First the ten lines that everybody shows; then a
 * merge sort, which forks one half, sorts the other, and stops forking where it is not worth it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/pool/forkjoin.h>

#include "must.h"

#define NUMBERS 1000000
/* Below this many numbers a sort takes less than a few microseconds. */
#define SORTED_ALONE 256

WEFT_FORKABLE_1(long, fibonacci, int);

static long fibonacci(weft_fork at, int n)
{
	if (n < 2)
		return n;
	fibonacci_fork(&at, n - 1);
	long b = fibonacci(at, n - 2);
	return fibonacci_join(&at) + b;
}

static int compare(const void *left, const void *right)
{
	unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;

	return (a > b) - (a < b);
}

static void merge(unsigned *numbers, unsigned *space, size_t half, size_t count)
{
	size_t left = 0, right = half;

	memcpy(space, numbers, count * sizeof(*numbers));
	for (size_t i = 0; i < count; i++) {
		if (right == count || (left < half && space[left] <= space[right]))
			numbers[i] = space[left++];
		else
			numbers[i] = space[right++];
	}
}

WEFT_FORKABLE_VOID_3(sort, unsigned *, unsigned *, size_t);

static void sort(weft_fork at, unsigned *numbers, unsigned *space, size_t count)
{
	size_t half = count / 2;

	if (count < SORTED_ALONE) {
		qsort(numbers, count, sizeof(*numbers), compare);
		return;
	}
	sort_fork(&at, numbers, space, half);
	sort(at, numbers + half, space + half, count - half);
	sort_join(&at);
	merge(numbers, space, half, count);
}

int main(void)
{
	unsigned *numbers = malloc(2 * NUMBERS * sizeof(*numbers));
	weft_pool *pool;
	size_t in_order = 1;
	unsigned next = 1;
	long value;

	must(numbers == NULL ? -ENOMEM : 0, "malloc");
	must(weft_pool_create(&pool, NULL), "weft_pool_create");
	must(fibonacci_run(pool, &value, 30), "fibonacci_run");
	printf("fibonacci(30) = %ld\n", value);

	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = next = next * 1664525 + 1013904223;
	must(sort_run(pool, numbers, numbers + NUMBERS, NUMBERS), "sort_run");
	while (in_order < NUMBERS && numbers[in_order - 1] <= numbers[in_order])
		in_order++;
	printf("%zu numbers in order\n", in_order);
	free(numbers);
	return weft_pool_destroy(pool);
}
