/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_POOL_H
#define WEFT_BENCH_MUTEX_POOL_H

/*
 * The thread pool that one writes with a mutex and condition variables, with the operations of
 * weft's: tasks in the caller's memory, which allocate nothing; futures, which allocate one object,
 * can be canceled and call back; waiting, with workers that run other tasks meanwhile.
 *
 * One list of tasks and one mutex, held for a few instructions. A task that ends takes no lock,
 * unless somebody sleeps until it does. A condition is signalled after the mutex is free again, and
 * only when somebody sleeps on it who has not been signalled already. The spinning form also looks
 * for work, or for the end of a task, for a while before it sleeps, and no worker is woken while
 * another one looks.
 */

#include <atomic>
#include <cerrno>
#include <memory>
#include <pthread.h>
#include <thread>
#include <utility>
#include <vector>

#include "../harness.h"

namespace bench
{

template <unsigned SpinNs> class mutex_pool
{
      public:
	struct task {
		void (*function)(task *) = nullptr;
		task *next = nullptr;
		std::atomic<unsigned> state{0};
		/* Called when the pool has done with a future; null: the memory is a caller's. */
		void (*let_go)(task *) = nullptr;

		/* Bits of the state: has ended; other threads, workers sleep until it does; and of
		 * futures: it runs, or was canceled before; somebody is to be called. */
		enum : unsigned {
			done = 1,
			awaited_outside = 2,
			awaited_inside = 4,
			taken = 8,
			noted = 16
		};
	};

	/* Who is to be called when a future ends. */
	struct note {
		void (*function)(void *argument);
		void *argument;
		note *next = nullptr;
	};

	struct call {
		task base;
		int (*function)(void *argument, void **value);
		void *argument;
		mutex_pool *pool;
		void *value = nullptr;
		int error = 0;
		/* The caller and the pool. */
		std::atomic<int> owners{2};
		note *notes = nullptr; /* under the mutex; the oldest one first */
	};

	using future = call *;

	/* Workers at the places of the threads `first` and after. */
	mutex_pool(unsigned first, unsigned workers)
	{
		for (unsigned worker = 0; worker < workers; worker++)
			workers_.emplace_back([this, place = first + worker] { work(place); });
	}

	mutex_pool(const mutex_pool &) = delete;

	/* Runs everything that was submitted. */
	~mutex_pool()
	{
		pthread_mutex_lock(&mutex_);
		closed_ = true;
		pthread_mutex_unlock(&mutex_);
		pthread_cond_broadcast(&work_);
		workers_.clear();
		pthread_cond_destroy(&work_);
		pthread_cond_destroy(&done_);
		pthread_mutex_destroy(&mutex_);
	}

	static void prepare(task &prepared, void (*function)(task *))
	{
		prepared.function = function;
	}

	void submit(task &added)
	{
		added.next = nullptr;
		added.state.store(0, std::memory_order_relaxed);
		pthread_mutex_lock(&mutex_);
		if (last_ == nullptr)
			first_.store(&added, std::memory_order_relaxed);
		else
			last_->next = &added;
		last_ = &added;

		bool wakes = wakes_one();

		pthread_mutex_unlock(&mutex_);
		if (wakes)
			pthread_cond_signal(&work_);
	}

	future submit(int (*function)(void *argument, void **value), void *argument)
	{
		auto *submitted = new call{{}, function, argument, this};

		submitted->base.function = run_future;
		submitted->base.let_go = release_future;
		submit(submitted->base);
		return submitted;
	}

	void wait(task &awaited)
	{
		bool inside = current_ == this;
		auto ended = [&awaited] {
			return has_ended(awaited.state.load(std::memory_order_acquire));
		};

		if (ended() || (!inside && spin_until(ended)))
			return;
		pthread_mutex_lock(&mutex_);
		while (!ended()) {
			if (inside && has_work())
				run_first();
			else if (!announce_sleep(awaited, inside))
				sleep(inside);
		}
		pthread_mutex_unlock(&mutex_);
	}

	void wait(future awaited)
	{
		wait(awaited->base);
	}

	static void *value(future ended)
	{
		return ended->value;
	}

	/* Calls Function(argument) when the future ends; returns whether it will. */
	template <void (*Function)(void *)> static bool on_done(future submitted, void *argument)
	{
		auto *added = new note{Function, argument};
		pthread_mutex_t *mutex = &submitted->pool->mutex_;

		pthread_mutex_lock(mutex);

		note **last = &submitted->notes;

		while (*last != nullptr)
			last = &(*last)->next;
		*last = added;
		pthread_mutex_unlock(mutex);
		/* Whoever sees the other's bit calls. */
		if (has_ended(submitted->base.state.fetch_or(task::noted)))
			call_notes(submitted);
		return true;
	}

	/* Ends a future that has not begun; returns whether it did. */
	static bool cancel(future submitted)
	{
		if ((submitted->base.state.fetch_or(task::taken) & task::taken) != 0)
			return false;
		submitted->error = -ECANCELED;
		submitted->pool->end(submitted->base);
		return true;
	}

	static void release(future owned)
	{
		release_future(&owned->base);
	}

      private:
	static call *call_of(task *base)
	{
		return reinterpret_cast<call *>(base);
	}

	static void run_future(task *base)
	{
		call *running = call_of(base);

		running->error = running->function(running->argument, &running->value);
	}

	/* Of those that somebody else has not called already. */
	static void call_notes(call *ended)
	{
		pthread_mutex_lock(&ended->pool->mutex_);

		note *next = std::exchange(ended->notes, nullptr);

		pthread_mutex_unlock(&ended->pool->mutex_);
		while (next != nullptr) {
			std::unique_ptr<note> called(next);

			next = called->next;
			called->function(called->argument);
		}
	}

	static void release_future(task *base)
	{
		if (call_of(base)->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)
			delete call_of(base);
	}

	static bool has_ended(unsigned state)
	{
		return (state & task::done) != 0;
	}

	/* Under the mutex. Returns whether the task has ended in the meantime. */
	static bool announce_sleep(task &awaited, bool inside)
	{
		unsigned bit = inside ? task::awaited_inside : task::awaited_outside;

		return has_ended(awaited.state.fetch_or(bit, std::memory_order_acquire));
	}

	bool has_work() const
	{
		return first_.load(std::memory_order_relaxed) != nullptr;
	}

	/* Under the mutex: whether the caller must signal that there is work. */
	bool wakes_one()
	{
		if (sleeping_workers_ == signalled_workers_ || spinning_workers_ > 0)
			return false;
		signalled_workers_++;
		return true;
	}

	/* Whether it came true before the time for spinning was over. */
	template <class Condition> static bool spin_until(Condition condition)
	{
		if constexpr (SpinNs > 0) {
			double end_ns = now_ns() + SpinNs;

			do {
				for (int look = 0; look < 8; look++) {
					if (condition())
						return true;
					weft_cpu_relax();
				}
			} while (now_ns() < end_ns);
		}
		return false;
	}

	/* Under the mutex, which is free meanwhile. */
	void sleep(bool inside)
	{
		if (!inside) {
			pthread_cond_wait(&done_, &mutex_);
			return;
		}
		sleeping_workers_++;
		pthread_cond_wait(&work_, &mutex_);
		sleeping_workers_--;
		if (signalled_workers_ > 0)
			signalled_workers_--;
	}

	/* Under the mutex, which is free meanwhile. */
	void look_around()
	{
		if constexpr (SpinNs > 0) {
			spinning_workers_++;
			pthread_mutex_unlock(&mutex_);
			spin_until([this] { return has_work(); });
			pthread_mutex_lock(&mutex_);
			spinning_workers_--;
		}
		if (!has_work() && !closed_)
			sleep(true);
	}

	/* Under the mutex, which is free while the task runs. */
	void run_first()
	{
		task *running = first_.load(std::memory_order_relaxed);

		first_.store(running->next, std::memory_order_relaxed);
		if (running->next == nullptr)
			last_ = nullptr;
		/* Whoever found the work while nobody was woken for it passes the search on. */
		else if (wakes_one())
			pthread_cond_signal(&work_);
		pthread_mutex_unlock(&mutex_);

		void (*let_go)(task *) = running->let_go;

		/* A future may have been canceled. */
		if (let_go == nullptr ||
		    (running->state.fetch_or(task::taken) & task::taken) == 0) {
			running->function(running);
			/* From here on a task of the caller is the caller's. */
			end(*running);
		}
		if (let_go != nullptr)
			let_go(running);
		pthread_mutex_lock(&mutex_);
	}

	void end(task &ended)
	{
		unsigned state = ended.state.fetch_or(task::done, std::memory_order_acq_rel);

		end_sleep(state);
		if ((state & task::noted) != 0)
			call_notes(call_of(&ended));
	}

	/* Wakes those who have announced that they sleep until a task ends. */
	void end_sleep(unsigned state)
	{
		if ((state & (task::awaited_outside | task::awaited_inside)) == 0)
			return;
		/* They are asleep when the mutex can be had. */
		pthread_mutex_lock(&mutex_);
		pthread_mutex_unlock(&mutex_);
		if ((state & task::awaited_outside) != 0)
			pthread_cond_broadcast(&done_);
		if ((state & task::awaited_inside) != 0)
			pthread_cond_broadcast(&work_);
	}

	void work(unsigned place)
	{
		placement::instance().bind(place);
		current_ = this;
		pthread_mutex_lock(&mutex_);
		while (has_work() || !closed_) {
			if (has_work())
				run_first();
			else
				look_around();
		}
		pthread_mutex_unlock(&mutex_);
	}

	static inline thread_local mutex_pool *current_ = nullptr;

	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	/* Written under the mutex only; spinning workers look at it without. */
	std::atomic<task *> first_{nullptr};
	task *last_ = nullptr;
	unsigned sleeping_workers_ = 0;
	unsigned signalled_workers_ = 0; /* of the sleeping ones */
	unsigned spinning_workers_ = 0;
	bool closed_ = false;
	/* Workers sleep on the one, other threads on the other. */
	WEFT_LINE_ALIGNED pthread_cond_t work_ = PTHREAD_COND_INITIALIZER;
	WEFT_LINE_ALIGNED pthread_cond_t done_ = PTHREAD_COND_INITIALIZER;
	std::vector<std::jthread> workers_;
};

} // namespace bench

#endif
