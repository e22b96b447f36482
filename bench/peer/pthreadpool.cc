/* SPDX-License-Identifier: Apache-2.0 */

/* pthreadpool, which has parallel loops and nothing else. */

#include <new>

#include <pthreadpool.h>

#include "peer/peer_list.h"
#include "pool_scenarios.h"

namespace bench
{

namespace
{

class parallel_loop
{
      public:
	explicit parallel_loop(unsigned workers) : pool_(pthreadpool_create(workers))
	{
		if (pool_ == nullptr)
			throw std::bad_alloc();
	}

	parallel_loop(const parallel_loop &) = delete;

	~parallel_loop()
	{
		pthreadpool_destroy(pool_);
	}

	void run(std::vector<tally> &steps)
	{
		pthreadpool_parallelize_1d(
			pool_,
			[](void *all, size_t step) { static_cast<tally *>(all)[step].count++; },
			steps.data(), steps.size(), 0);
	}

      private:
	pthreadpool_t pool_;
};

} // namespace

void add_peer_pthreadpool()
{
	add_fan_out<parallel_loop>("pthreadpool", role::peer);
}

} // namespace bench
