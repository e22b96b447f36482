/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_EXAMPLES_MUST_H
#define WEFT_EXAMPLES_MUST_H

/*
 * For the short examples: must(weft_pool_create(&pool, NULL), "weft_pool_create") ends the program
 * with a message when the call has failed. Errors are negative (weft) or positive (pthread) errno
 * values. A larger program handles them, as wordcount and service do.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void must(int error, const char *what)
{
	if (error == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(abs(error)));
	exit(1);
}

#endif
