/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_OPENED_MALLOC_H
#define WEFT_BENCH_OPENED_MALLOC_H

/*
 * The malloc of a shared library that is opened, not linked: linked, it would serve the whole
 * program. Library has the names `file`, `malloc` and `free`.
 */

#include <cstdlib>
#include <dlfcn.h>
#include <stdexcept>

#include "object_scenarios.h"

namespace bench
{

template <class Library> class opened_malloc
{
      public:
	void *alloc()
	{
		return malloc_(sizeof(object));
	}

	void free(void *freed)
	{
		free_(freed);
	}

      private:
	template <class Function> static Function *found(const char *name)
	{
		/* Never closed: it may have memory and threads of its own. */
		static void *library = dlopen(Library::file, RTLD_NOW | RTLD_LOCAL);
		void *symbol = library == nullptr ? nullptr : dlsym(library, name);

		if (symbol == nullptr) {
			const char *why = dlerror();

			throw std::runtime_error(why == nullptr ? "not there" : why);
		}
		return reinterpret_cast<Function *>(symbol);
	}

	/* Throws when the library is not there. */
	void *(*malloc_)(size_t) = found<void *(size_t)>(Library::malloc);
	void (*free_)(void *) = found<void(void *)>(Library::free);
};

} // namespace bench

#endif
