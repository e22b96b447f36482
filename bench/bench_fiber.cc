/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fiber: a bare switch of contexts; two tasks on one worker that hand over to each other; tasks
 * that are spawned, suspended once, and end, each with all that belongs to it; and the memory of
 * those that are suspended. Beside them what one does without: ucontext, and threads with a mutex
 * and condition variables.
 */

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <ucontext.h>
#include <vector>

#include <weft/pool/context.h>

#include "fiber_scenarios.h"
#include "pinned_pool.h"
#include "task_chain.h"

namespace bench
{

namespace
{

class weft_switch
{
      public:
	weft_switch()
	{
		weft_context_init(&there_, stack_.data(), stack_.size(), run, this);
	}

	weft_switch(const weft_switch &) = delete;

	~weft_switch()
	{
		weft_context_fini(&there_);
	}

	void there_and_back()
	{
		weft_context_switch(&here_, &there_);
	}

	uint64_t visits() const
	{
		return visits_;
	}

      private:
	static void run(void *argument)
	{
		auto *self = static_cast<weft_switch *>(argument);

		for (;;) {
			self->visits_++;
			weft_context_switch(&self->there_, &self->here_);
		}
	}

	std::array<char, 65536> stack_;
	weft_context here_ = WEFT_CONTEXT_INIT, there_;
	uint64_t visits_ = 0;
};

class ucontext_switch
{
      public:
	ucontext_switch()
	{
		auto address = reinterpret_cast<uintptr_t>(this);

		getcontext(&there_);
		there_.uc_stack.ss_sp = stack_.data();
		there_.uc_stack.ss_size = stack_.size();
		there_.uc_link = nullptr;
		makecontext(&there_, reinterpret_cast<void (*)()>(run), 2,
			    static_cast<unsigned>(address >> 32), static_cast<unsigned>(address));
	}

	void there_and_back()
	{
		swapcontext(&here_, &there_);
	}

	uint64_t visits() const
	{
		return visits_;
	}

      private:
	static void run(unsigned high, unsigned low)
	{
		auto *self = reinterpret_cast<ucontext_switch *>(
			static_cast<uintptr_t>(high) << 32 | low);

		for (;;) {
			self->visits_++;
			swapcontext(&self->there_, &self->here_);
		}
	}

	std::array<char, 65536> stack_;
	ucontext_t here_, there_;
	uint64_t visits_ = 0;
};

/* MayMove: the tasks may go on on another worker, though there is none. */
template <bool MayMove> class weft_fibers
{
      public:
	weft_fibers()
	{
		how_.may_move = MayMove;
	}

	uint64_t pass(uint64_t count)
	{
		std::array<player, 2> both;

		for (size_t i = 0; i < 2; i++) {
			weft_task_init(&both[i], play);
			both[i].other = &both[1 - i].mine;
			both[i].left = count;
			weft_task_submit_with(pool_, &both[i], &how_);
		}
		weft_parker_unpark(&both[0].mine);
		for (player &one : both)
			weft_task_wait(&one, WEFT_FOREVER);
		return count - both[0].left;
	}

	uint64_t chain(uint64_t count)
	{
		/* Made by the first call, which is not measured: tasks are the caller's memory. */
		if (chained_ == nullptr || chained_->links.size() != count)
			chained_ = std::make_unique<task_chain>(count);
		chained_->run(pool_, wait_for_next, &how_);
		return chained_->right;
	}

	uint64_t hold(uint64_t count, const std::function<void()> &when_all_wait)
	{
		held all(count);

		when_all_wait();
		all.when_all_wait = &when_all_wait;
		all.run(pool_, wait_for_last, &how_);
		return all.right;
	}

      private:
	struct player : weft_task {
		weft_parker mine{}, *other;
		uint64_t left;
	};

	static void play(weft_task *task)
	{
		auto *self = static_cast<player *>(task);

		for (; self->left > 0; self->left--) {
			weft_parker_park(&self->mine, 0, WEFT_FOREVER);
			weft_parker_unpark(self->other);
		}
	}

	/* Lets the one before go on, and waits for the one after, unless it is the last. */
	static void wait_for_next(weft_task *task)
	{
		auto *self = static_cast<task_chain::link *>(task);

		if (!self->is_first())
			weft_parker_unpark(&self[-1].mine);
		if (!self->is_last())
			weft_parker_park(&self->mine, 0, WEFT_FOREVER);
		self->all->right++;
	}

	struct held : task_chain {
		using task_chain::task_chain;

		const std::function<void()> *when_all_wait = nullptr;
		uint64_t begun = 0;
	};

	static void wait_for_last(weft_task *task)
	{
		auto *self = static_cast<task_chain::link *>(task);
		auto *all = static_cast<held *>(self->all);

		if (++all->begun < all->links.size()) {
			weft_parker_park(&self->mine, 0, WEFT_FOREVER);
		} else {
			(*all->when_all_wait)();
			for (task_chain::link &other : all->links)
				weft_parker_unpark(&other.mine);
		}
		all->right++;
	}

	weft_submit_options how_ = WEFT_SUBMIT_OPTIONS_INIT;
	pinned_pool pool_{0, 1};
	std::unique_ptr<task_chain> chained_;
};

/* Threads that wait as one does without fibers. */
class threads
{
      public:
	uint64_t pass(uint64_t count)
	{
		bell both[2];
		uint64_t passed[2] = {0, 0};
		auto play = [&](int number) {
			for (uint64_t i = 0; i < count; i++) {
				both[number].wait();
				passed[number]++;
				both[1 - number].ring();
			}
		};

		both[0].ring();
		std::thread other([&] { play(1); });
		play(0);
		other.join();
		return passed[0];
	}

	uint64_t chain(uint64_t count)
	{
		uint64_t ended = 0;

		/* Not all of them fit in a machine. */
		for (uint64_t begun = 0; begun < count;) {
			std::vector<std::thread> some;

			for (size_t i = 0; i < window && begun < count; i++, begun++)
				some.emplace_back([this, i] {
					if (i > 0)
						bells_[i - 1].ring();
					bells_[i].wait();
				});
			bells_[some.size() - 1].ring();
			for (std::thread &one : some)
				one.join();
			ended += some.size();
		}
		return ended;
	}

	uint64_t hold(uint64_t count, const std::function<void()> &when_all_wait)
	{
		std::vector<std::thread> some;
		std::atomic<uint64_t> waiting{0};
		bell over;

		when_all_wait();
		for (uint64_t i = 0; i < count; i++)
			some.emplace_back([&] {
				waiting++;
				over.wait();
				over.ring();
			});
		while (waiting != count)
			std::this_thread::yield();
		when_all_wait();
		over.ring();
		for (std::thread &one : some)
			one.join();
		return count;
	}

      private:
	static constexpr size_t window = 100;

	class bell
	{
	      public:
		void ring()
		{
			std::lock_guard<std::mutex> guard(mutex_);

			rung_ = true;
			changed_.notify_one();
		}

		void wait()
		{
			std::unique_lock<std::mutex> guard(mutex_);

			changed_.wait(guard, [this] { return rung_; });
			rung_ = false;
		}

	      private:
		std::mutex mutex_;
		std::condition_variable changed_;
		bool rung_ = false;
	};

	std::array<bell, window> bells_;
};

} // namespace

void add_fiber()
{
	add_switch<weft_switch>("weft", role::weft);
	add_switch<ucontext_switch>("ucontext", role::baseline);
	add_fibers<weft_fibers<false>>("weft", role::weft);
	add_fibers<weft_fibers<true>>("weft_moves", role::weft);
	add_fibers<threads>("threads", role::baseline, 100);
}

} // namespace bench
