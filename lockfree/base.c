/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/base.h>

#include <stdio.h>
#include <stdlib.h>

const char *weft_version(void)
{
	return WEFT_VERSION;
}

void weft_contract_broken_(const char *where, const char *contract)
{
	fprintf(stderr, "weft: contract broken at %s: %s\n", where, contract);
	abort();
}
