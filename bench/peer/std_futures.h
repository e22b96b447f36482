/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_STD_FUTURES_H
#define WEFT_BENCH_STD_FUTURES_H

/* What pools have in common that give a std::future for each function (see future_scenarios.h). */

#include <future>

namespace bench
{

class std_futures
{
      public:
	using future = std::future<void *>;

	/* Something to call that returns the value. */
	static auto call_of(int (*function)(void *argument, void **value), void *argument)
	{
		return [function, argument] {
			void *value = nullptr;

			function(argument, &value);
			return value;
		};
	}

	void wait(future &submitted)
	{
		submitted.wait();
	}

	static void *value(future &ended)
	{
		return ended.get();
	}

	static void release(future &) {}
};

} // namespace bench

#endif
