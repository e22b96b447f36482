/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/sync/deadline.h>

#include <weft/lockfree/base.h>

uint64_t weft_now(void)
{
	return weft_clock_ns_();
}

weft_deadline weft_after(uint64_t ns)
{
	uint64_t now = weft_now();

	return ns >= WEFT_FOREVER - now ? WEFT_FOREVER : now + ns;
}
