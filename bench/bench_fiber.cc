/* SPDX-License-Identifier: Apache-2.0 */

/*
 * fiber: a bare switch of contexts; two tasks on one worker that hand over to each other; and tasks
 * that are spawned, suspended once, and end, each with all that belongs to it. Beside them what one
 * does without: ucontext, and threads with a mutex and condition variables.
 */

#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <ucontext.h>
#include <vector>

#include <weft/pool/context.h>
#include <weft/pool/executor.h>
#include <weft/pool/pool.h>
#include <weft/sync/park.h>

#include "fiber_scenarios.h"

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

class weft_fibers
{
      public:
	weft_fibers() : plan_(placement::instance().plan_for(0, 1))
	{
		weft_pool_options options = WEFT_POOL_OPTIONS_INIT;

		options.plan = plan_;
		if (int error = weft_pool_create(&pool_, &options); error != 0) {
			weft_plan_destroy(plan_);
			throw std::runtime_error(std::strerror(-error));
		}
	}

	weft_fibers(const weft_fibers &) = delete;

	~weft_fibers()
	{
		weft_pool_destroy(pool_);
		weft_plan_destroy(plan_);
	}

	uint64_t pass(uint64_t count)
	{
		std::array<player, 2> both;

		for (size_t i = 0; i < 2; i++) {
			weft_task_init(&both[i], play);
			both[i].other = &both[1 - i].mine;
			both[i].left = count;
			weft_task_submit(pool_, &both[i]);
		}
		weft_parker_unpark(&both[0].mine);
		for (player &one : both)
			weft_task_wait(&one, WEFT_FOREVER);
		return count - both[0].left;
	}

	uint64_t chain(uint64_t count)
	{
		root all(pool_, count);

		weft_task_init(&all, run_root);
		weft_task_submit(pool_, &all);
		weft_task_wait(&all, WEFT_FOREVER);
		return all.ended;
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

	struct root;

	struct link : weft_task {
		weft_parker mine{};
		root *all;
	};

	struct root : weft_task {
		root(weft_pool *to, uint64_t count) : pool(to), links(count) {}

		weft_pool *pool;
		std::vector<link> links;
		uint64_t ended = 0;
	};

	/* Lets the one before go on, and waits for the one after, unless it is the last. */
	static void run_link(weft_task *task)
	{
		auto *self = static_cast<link *>(task);

		if (self != self->all->links.data())
			weft_parker_unpark(&self[-1].mine);
		if (self != &self->all->links.back())
			weft_parker_park(&self->mine, 0, WEFT_FOREVER);
		self->all->ended++;
	}

	static void run_root(weft_task *task)
	{
		auto *self = static_cast<root *>(task);

		/* The newest task runs first, so from the last to the first. */
		for (size_t i = self->links.size(); i-- > 0;) {
			weft_task_init(&self->links[i], run_link);
			self->links[i].all = self;
			weft_task_submit(self->pool, &self->links[i]);
		}
		for (size_t i = self->links.size(); i-- > 0;)
			weft_task_wait(&self->links[i], WEFT_FOREVER);
	}

	weft_plan *plan_;
	weft_pool *pool_ = nullptr;
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
	add_fibers<weft_fibers>("weft", role::weft);
	add_fibers<threads>("threads", role::baseline, 100);
}

} // namespace bench
