/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OpenMP by clang beside that by gcc: the same adapter (openmp.cc), compiled by clang into a module
 * of its own, as the libraries of the two have some names in common, of which it uses none.
 */

#include <cstdlib>
#include <dlfcn.h>
#include <stdexcept>

#include "peer/peer_list.h"

namespace bench
{

void add_peer_openmp_clang()
{
	/* Milliseconds for which its threads spin when they have nothing to do. By default they are
	 * 200, in which the next thing is measured. */
	setenv("KMP_BLOCKTIME", "1", 0);

	void *module = dlopen(WEFT_BENCH_OPENMP_CLANG, RTLD_NOW | RTLD_LOCAL);
	void *add = module == nullptr ? nullptr : dlsym(module, "weft_bench_add_openmp");

	if (add == nullptr)
		throw std::runtime_error(dlerror());
	reinterpret_cast<void (*)()>(add)();
}

} // namespace bench
