/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/base.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *weft_version(void)
{
	return WEFT_VERSION;
}

uint64_t weft_clock_ns_(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void weft_contract_broken_(const char *where, const char *contract)
{
	fprintf(stderr, "weft: contract broken at %s: %s\n", where, contract);
	abort();
}
