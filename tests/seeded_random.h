/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_SEEDED_RANDOM_H
#define WEFT_TESTS_SEEDED_RANDOM_H

/*
 * Random numbers for tests: quick, one stream per thread, the same again for the same seed.
 *
 * Source: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct seeded_random {
	uint64_t state;
} seeded_random;

/* The next 64 random bits. */
static inline uint64_t seeded_random_next(seeded_random *random)
{
	uint64_t bits = random->state += 0x9e3779b97f4a7c15;

	bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
	bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
	return bits ^ (bits >> 31);
}

/* A random number below `bound`, which is not 0. */
static inline uint64_t seeded_random_below(seeded_random *random, uint64_t bound)
{
	return seeded_random_next(random) % bound;
}

/*
 * The seed of this run: WEFT_SEED from the environment, or else a new one. Prints, as a comment in
 * the TAP stream, how to have the same run again.
 */
static inline uint64_t seeded_random_seed(void)
{
	const char *wanted = getenv("WEFT_SEED");
	uint64_t seed;

	if (wanted != NULL) {
		seed = strtoull(wanted, NULL, 0);
	} else {
		struct timespec now;

		clock_gettime(CLOCK_REALTIME, &now);
		seed = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	}
	printf("# the same numbers again: WEFT_SEED=%#llx\n", (unsigned long long)seed);
	fflush(stdout);
	return seed;
}

#endif
