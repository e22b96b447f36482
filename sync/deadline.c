/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/sync/deadline.h>

#include <time.h>

/* Here and not in the header: a strict C11 program does not see clock_gettime. */
uint64_t weft_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * WEFT_SECONDS + (uint64_t)time.tv_nsec;
}

weft_deadline weft_after(uint64_t ns)
{
	uint64_t now = weft_now();

	return ns >= WEFT_FOREVER - now ? WEFT_FOREVER : now + ns;
}
