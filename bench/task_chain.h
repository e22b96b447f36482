/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_TASK_CHAIN_H
#define WEFT_BENCH_TASK_CHAIN_H

/* Tasks that a task spawns. One worker begins them from the first to the last, but for one of 64,
 * which it takes from the end. */

#include <vector>

#include <weft/pool/executor.h>
#include <weft/sync/park.h>

namespace bench
{

class task_chain
{
      public:
	struct link : weft_task {
		weft_parker mine{};
		task_chain *all;

		bool is_first() const
		{
			return this == all->links.data();
		}

		bool is_last() const
		{
			return this == &all->links.back();
		}
	};

	explicit task_chain(uint64_t count) : links(count) {}

	/* Returns when all have ended. May be called again if no link has a token left. */
	void run(weft_pool *pool, weft_task_function function,
		 const weft_submit_options *how = nullptr)
	{
		root first;

		right = 0;
		first.all = this;
		first.pool = pool;
		first.function = function;
		first.how = how;
		weft_task_init(&first, run_root);
		weft_task_submit(pool, &first);
		weft_task_wait(&first, WEFT_FOREVER);
	}

	std::vector<link> links;
	uint64_t right = 0; /* counted by the links */

      private:
	struct root : weft_task {
		task_chain *all;
		weft_pool *pool;
		weft_task_function function;
		const weft_submit_options *how;
	};

	static void run_root(weft_task *task)
	{
		auto *self = static_cast<root *>(task);
		std::vector<link> &links = self->all->links;

		/* The newest task runs first. */
		for (size_t i = links.size(); i-- > 0;) {
			weft_task_init(&links[i], self->function);
			links[i].all = self->all;
			weft_task_submit_with(self->pool, &links[i], self->how);
		}
		for (size_t i = links.size(); i-- > 0;)
			weft_task_wait(&links[i], WEFT_FOREVER);
	}
};

} // namespace bench

#endif
