/* SPDX-License-Identifier: Apache-2.0 */

/* Boost.Context's contexts and Boost.Fiber's fibers, in one thread. */

#include <boost/context/detail/fcontext.hpp>
#include <boost/fiber/all.hpp>

#include <array>
#include <vector>

#include "fiber_scenarios.h"
#include "peer/peer_list.h"

namespace bench
{

namespace
{

namespace context = boost::context::detail;
namespace fibers = boost::fibers;

class fcontext
{
      public:
	fcontext()
	{
		there_ = context::make_fcontext(stack_.data() + stack_.size(), stack_.size(), run);
	}

	void there_and_back()
	{
		there_ = context::jump_fcontext(there_, this).fctx;
	}

	uint64_t visits() const
	{
		return visits_;
	}

      private:
	static void run(context::transfer_t from)
	{
		auto *self = static_cast<fcontext *>(from.data);

		for (;;) {
			self->visits_++;
			from = context::jump_fcontext(from.fctx, nullptr);
		}
	}

	alignas(64) std::array<char, 65536> stack_;
	context::fcontext_t there_;
	uint64_t visits_ = 0;
};

class boost_fibers
{
      public:
	uint64_t pass(uint64_t count)
	{
		uint64_t passed = 0;
		auto play = [&] {
			for (uint64_t i = 0; i < count; i++) {
				passed++;
				boost::this_fiber::yield();
			}
		};
		fibers::fiber one(play), other(play);

		one.join();
		other.join();
		return passed / 2;
	}

	/* They yield, which is less than to wait: there each would need a condition. */
	uint64_t chain(uint64_t count)
	{
		uint64_t ended = 0;

		for (uint64_t begun = 0; begun < count;) {
			std::vector<fibers::fiber> some;

			for (size_t i = 0; i < window && begun < count; i++, begun++)
				some.emplace_back(std::allocator_arg, stacks_, [&ended] {
					boost::this_fiber::yield();
					ended++;
				});
			for (fibers::fiber &one : some)
				one.join();
		}
		return ended;
	}

	uint64_t hold(uint64_t count, const std::function<void()> &when_all_wait)
	{
		std::vector<fibers::fiber> some;
		uint64_t ended = 0;
		bool over = false;

		some.reserve(count);
		when_all_wait();
		for (uint64_t i = 0; i < count; i++)
			some.emplace_back(std::allocator_arg, fibers::fixedsize_stack(65536), [&] {
				while (!over)
					boost::this_fiber::yield();
				ended++;
			});
		boost::this_fiber::yield();
		when_all_wait();
		over = true;
		for (fibers::fiber &one : some)
			one.join();
		return ended;
	}

      private:
	static constexpr size_t window = 100;

	fibers::pooled_fixedsize_stack stacks_{65536, window};
};

} // namespace

void add_peer_boost_context()
{
	add_switch<fcontext>("boost_context", role::peer);
	add_fibers<boost_fibers>("boost_fiber", role::peer);
}

} // namespace bench
