/* SPDX-License-Identifier: Apache-2.0 */

/* What stands in for lockfree/rest.c: how long a rest is, and whether it pays, is a matter of
 * speed; that who has rested looks again is not. Here a side at the other's heels always does. */

#include <weft/lockfree/base.h>

void weft_cpu_rest_(uint64_t ns)
{
	(void)ns;
	weft_cpu_relax();
}

bool weft_cpu_rest_behind_(weft_cpu_heels_ *heels, uint64_t ticket)
{
	/* relaxed: as there. */
	int64_t passed =
		(int64_t)(ticket - atomic_load_explicit(&heels->at, memory_order_relaxed)) / 2;

	if (passed != 0)
		atomic_store_explicit(&heels->at, ticket, memory_order_relaxed);
	return passed >= 2;
}
