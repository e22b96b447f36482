/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_PINNED_POOL_H
#define WEFT_BENCH_PINNED_POOL_H

/* weft's pool for as long as an object lives. */

#include <cstring>
#include <stdexcept>

#include <weft/pool/pool.h>

#include "harness.h"

namespace bench
{

class pinned_pool
{
      public:
	/* So many workers, at the places from `first` on; spin_ns is that of the pool's options. */
	explicit pinned_pool(unsigned first, unsigned workers, uint64_t spin_ns = 0)
	    : pinned_pool(first, workers, spin_ns, [](weft_pool_options &) {})
	{
	}

	/* change() changes the options of the pool. */
	template <class Change>
	pinned_pool(unsigned first, unsigned workers, uint64_t spin_ns, Change change)
	    : plan_(placement::instance().plan_for(first, workers))
	{
		weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

		options.plan = plan_;
		options.spin_ns = spin_ns;
		change(options);
		if (int error = weft_pool_create(&pool_, &options); error != 0) {
			weft_plan_destroy(plan_);
			throw std::runtime_error(std::strerror(-error));
		}
	}

	pinned_pool(const pinned_pool &) = delete;

	~pinned_pool()
	{
		weft_pool_destroy(pool_);
		weft_plan_destroy(plan_);
	}

	operator weft_pool *() const
	{
		return pool_;
	}

      private:
	weft_plan *plan_;
	weft_pool *pool_ = nullptr;
};

} // namespace bench

#endif
