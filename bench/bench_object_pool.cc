/* SPDX-License-Identifier: Apache-2.0 */

/*
 * object_pool: objects of 64 bytes, against a free list behind a mutex, against malloc as this
 * program is linked (jemalloc where libweft is), and against that of the C library.
 */

#include <cstdlib>
#include <new>

#include <weft/lockfree/object_pool.h>

#include "baseline/mutex_free_list.h"
#include "object_scenarios.h"

namespace bench
{

namespace
{

class pooled
{
      public:
	pooled()
	{
		weft_object_pool_options options = {};

		options.object_size = sizeof(object);
		if (weft_object_pool_init(&pool_, &options) != 0)
			throw std::bad_alloc();
	}

	pooled(const pooled &) = delete;

	~pooled()
	{
		weft_object_pool_fini(&pool_);
	}

	void *alloc()
	{
		return weft_object_pool_alloc(&pool_);
	}

	void free(void *freed)
	{
		weft_object_pool_free(&pool_, freed);
	}

      private:
	weft_object_pool pool_;
};

class malloced
{
      public:
	void *alloc()
	{
		return std::malloc(sizeof(object));
	}

	void free(void *freed)
	{
		/* The compiler must not take the pair of calls for nothing. */
		__asm__ __volatile__("" : : "r"(freed) : "memory");
		std::free(freed);
	}
};

#ifdef __GLIBC__
extern "C" void *__libc_malloc(size_t size);
extern "C" void __libc_free(void *freed);

class by_glibc
{
      public:
	void *alloc()
	{
		return __libc_malloc(sizeof(object));
	}

	void free(void *freed)
	{
		__libc_free(freed);
	}
};
#endif

class listed
{
      public:
	void *alloc()
	{
		return list_.alloc();
	}

	void free(void *freed)
	{
		list_.free(freed);
	}

      private:
	mutex_free_list list_{sizeof(object)};
};

} // namespace

void add_object_pool()
{
	add_allocator<pooled>("weft", role::weft);
	add_allocator<listed>("mutex_list", role::baseline);
	add_allocator<malloced>("malloc", role::peer);
#ifdef __GLIBC__
	add_allocator<by_glibc>("glibc_malloc", role::peer);
#endif
}

} // namespace bench
