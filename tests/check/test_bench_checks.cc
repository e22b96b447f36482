/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmarks' own checks: each of them measures a thing that is broken in one way, and must say
 * that it is; and one that is not, and must not.
 */
#include <cstdio>
#include <mutex>
#include <utility>

#include "baseline/mutex_bounded_pool.h"
#include "baseline/mutex_deque.h"
#include "baseline/mutex_heap.h"
#include "baseline/mutex_pool.h"
#include "baseline/mutex_ring.h"
#include "baseline/mutex_stack.h"
#include "baseline/reader_locks.h"
#include "bell_scenarios.h"
#include "deque_scenarios.h"
#include "fiber_scenarios.h"
#include "fork_scenarios.h"
#include "future_scenarios.h"
#include "object_scenarios.h"
#include "pool_policy_scenarios.h"
#include "pool_scenarios.h"
#include "priority_scenarios.h"
#include "queue_scenarios.h"
#include "retire_scenarios.h"
#include "snapshot_scenarios.h"
#include "stack_scenarios.h"
#include "strand_scenarios.h"
#include "update_scenarios.h"

using namespace bench;

namespace
{

enum class fault {
	none,
	loses,
	doubles,
	swaps, /* gives one out of order */
	tears, /* gives one that is not whole */
};

/* Whether this is one of the operations that go wrong: ten of them, the very first included. */
class rarely
{
      public:
	bool now()
	{
		unsigned number = count_.fetch_add(1, std::memory_order_relaxed);

		return number % 100 == 0 && number < 1000;
	}

      private:
	std::atomic<unsigned> count_{0};
};

template <size_t Bytes> void tear(block<Bytes> &element)
{
	element.words.back()++;
}

void tear(uint64_t &element)
{
	element++;
}

template <fault Fault, class Element> class broken_queue
{
      public:
	using element = Element;

	explicit broken_queue(size_t capacity) : ring_(capacity) {}

	bool try_push(const Element &pushed)
	{
		if (Fault == fault::loses && rarely_.now())
			return true;
		if (Fault == fault::doubles && rarely_.now() && !ring_.try_push(pushed))
			return false;
		return ring_.try_push(pushed);
	}

	bool try_pop(Element &popped)
	{
		std::lock_guard<std::mutex> guard(mutex_);
		Element next;

		if (holds_) {
			popped = held_;
			holds_ = false;
			return true;
		}
		if (!ring_.try_pop(popped))
			return false;
		if (Fault == fault::swaps && rarely_.now() && ring_.try_pop(next)) {
			held_ = popped;
			popped = next;
			holds_ = true;
		}
		if (Fault == fault::tears && rarely_.now())
			tear(popped);
		return true;
	}

	size_t try_push_batch(const Element *elements, size_t count)
	{
		return one_by_one(count, [&](size_t i) { return try_push(elements[i]); });
	}

	size_t try_pop_batch(Element *elements, size_t count)
	{
		return one_by_one(count, [&](size_t i) { return try_pop(elements[i]); });
	}

      private:
	mutex_ring_normal<Element> ring_;
	rarely rarely_;
	std::mutex mutex_;
	Element held_ = {};
	bool holds_ = false;
};

/* It says that it does not keep the order of several. */
template <fault Fault> class careless_queue : public broken_queue<Fault, uint64_t>
{
      public:
	using broken_queue<Fault, uint64_t>::broken_queue;

	static constexpr bool keeps_order = false;
};

template <fault Fault> class broken_stack : public mutex_stack_normal<block<64>>
{
      public:
	using mutex_stack::mutex_stack;

	void push(const element &pushed)
	{
		push_batch(&pushed, 1);
	}

	void push_batch(const element *pushed, size_t count)
	{
		bool wrong = rarely_.now();
		element torn = pushed[0];

		if (Fault == fault::loses && wrong)
			return;
		if (Fault == fault::doubles && wrong)
			mutex_stack::push_batch(pushed, count);
		if (Fault == fault::tears && wrong) {
			tear(torn);
			mutex_stack::push_batch(&torn, 1);
			pushed++;
			count--;
		}
		mutex_stack::push_batch(pushed, count);
	}

      private:
	rarely rarely_;
};

template <fault Fault, class Element> class broken_heap
{
      public:
	using element = Element;
	static constexpr bool strict = true;

	explicit broken_heap(size_t capacity) : heap_(capacity) {}

	class user
	{
	      public:
		explicit user(broken_heap &queue) : queue_(queue) {}

		bool try_push(uint64_t priority, const Element &pushed)
		{
			return try_push_batch(priority, &pushed, 1) == 1;
		}

		bool try_pop(Element &popped)
		{
			return try_pop_batch(&popped, 1) == 1;
		}

		size_t try_push_batch(uint64_t priority, const Element *elements, size_t count)
		{
			if (Fault == fault::loses && queue_.rarely_.now())
				return count;
			if (Fault == fault::swaps)
				priority = few_priorities - priority;
			return queue_.heap_.try_push_batch(priority, elements, count);
		}

		size_t try_pop_batch(Element *elements, size_t count)
		{
			count = queue_.heap_.try_pop_batch(elements, count);
			if (Fault == fault::tears && count > 0 && queue_.rarely_.now())
				tear(elements[count - 1]);
			return count;
		}

	      private:
		broken_heap &queue_;
	};

      private:
	mutex_heap_normal<Element> heap_;
	rarely rarely_;
};

template <fault Fault> class broken_count
{
      public:
	explicit broken_count(unsigned) {}

	auto updater(unsigned)
	{
		return [this](uint64_t i) {
			if (Fault != fault::loses || i != 100)
				count_.fetch_add(1, std::memory_order_relaxed);
		};
	}

	bool is_right(uint64_t updates) const
	{
		return count_.load() == updates;
	}

      private:
	std::atomic<uint64_t> count_{0};
};

template <fault Fault> class broken_snapshot
{
      public:
	void read(snapshot &value)
	{
		lock_.enter();
		value = value_;
		if (Fault == fault::tears && rarely_.now())
			value.words[7]++;
		if (Fault == fault::swaps && rarely_.now())
			value = {};
		lock_.exit();
	}

	void write(const snapshot &value)
	{
		lock_.exclude();
		value_ = value;
		lock_.admit();
	}

      private:
	mutex_lock lock_;
	snapshot value_ = {{1, 1, 1, 1, 1, 1, 1, 1}};
	rarely rarely_;
};

template <fault Fault> class broken_retirement
{
      public:
	void retire(retired_piece *piece)
	{
		if (Fault == fault::loses && rarely_.now())
			free(piece);
		else
			free_piece(piece);
	}

	void finish() {}

      private:
	rarely rarely_;
};

template <fault Fault> class broken_allocator
{
      public:
	void *alloc()
	{
		/* The same memory twice. */
		if (Fault == fault::doubles)
			return &only_;
		return std::malloc(sizeof(object));
	}

	void free(void *freed)
	{
		if (Fault != fault::doubles)
			std::free(freed);
	}

      private:
	object only_ = {};
};

/* Its tasks run twice, or not at all; its futures have no value. */
template <fault Fault> class broken_pool : public mutex_pool<0>
{
	using mutex_pool = mutex_pool<0>;

      public:
	using mutex_pool::mutex_pool;
	using mutex_pool::submit;

	void submit(task &submitted)
	{
		if (rarely_.now()) {
			if (Fault == fault::doubles)
				submitted.function(&submitted);
			if (Fault == fault::loses)
				submitted.function = [](task *) {};
		}
		mutex_pool::submit(submitted);
	}

	future submit(int (*function)(void *argument, void **value), void *argument)
	{
		if (rarely_.now()) {
			if (Fault == fault::doubles)
				return mutex_pool::submit(function, &other_);
			if (Fault == fault::loses)
				return mutex_pool::submit([](void *, void **) { return 0; },
							  argument);
		}
		return mutex_pool::submit(function, argument);
	}

      private:
	rarely rarely_;
	tally other_;
};

/* Its worker runs a task twice, or not at all. */
template <fault Fault> class broken_workers
{
      public:
	uint64_t there_and_back()
	{
		runs_++;
		if (rarely_.now()) {
			runs_ += Fault == fault::doubles;
			runs_ -= Fault == fault::loses;
		}
		return 1;
	}

	uint64_t runs() const
	{
		return runs_;
	}

      private:
	rarely rarely_;
	uint64_t runs_ = 0;
};

template <fault Fault> class broken_fibers
{
      public:
	uint64_t pass(uint64_t count)
	{
		return Fault == fault::loses ? count - 1 : count;
	}
};

template <fault Fault> class broken_switch
{
      public:
	void there_and_back()
	{
		if (Fault != fault::loses || !rarely_.now())
			visits_++;
	}

	uint64_t visits() const
	{
		return visits_;
	}

      private:
	rarely rarely_;
	uint64_t visits_ = 0;
};

template <fault Fault> class broken_bell
{
      public:
	void ring()
	{
		rung_.fetch_add(Fault == fault::doubles && rarely_.now() ? 2 : 1);
	}

	void wait()
	{
		while (rung_.load() == 0)
			sched_yield();
		rung_.fetch_sub(1);
	}

      private:
	std::atomic<unsigned> rung_{0};
	rarely rarely_;
};

/* Its owner and its thieves count what they get: 1, 2, 3 and so on. */
template <fault Fault> class broken_deque : public mutex_deque
{
      public:
	using mutex_deque::mutex_deque;

	void push(uint64_t element)
	{
		bool wrong = rarely_.now();

		if (Fault == fault::loses && wrong)
			return;
		if (Fault == fault::doubles && wrong)
			mutex_deque::push(element);
		mutex_deque::push(element);
	}

	/* Half of what is there, its last one first. */
	int steal_half(uint64_t *elements, size_t count, size_t &stolen)
	{
		int error = mutex_deque::steal_half(elements, count, stolen);

		if (Fault == fault::swaps && stolen > 1)
			std::swap(elements[0], elements[stolen - 1]);
		return error;
	}

      private:
	rarely rarely_;
};

/* Runs tasks at once, in the thread that submits them. */
template <fault Fault> class broken_strands
{
      public:
	struct task {
	};

	explicit broken_strands(unsigned) {}

	void submit(unsigned, task &submitted, void (*function)(task *))
	{
		unsigned number = count_++;

		/* The last one of a strand says that it is done. */
		if (Fault == fault::doubles && number == 0)
			function(&submitted);
		if (Fault == fault::loses && number == 0)
			return;
		if (Fault == fault::swaps && number == 0) {
			held_ = &submitted;
			return;
		}
		function(&submitted);
		if (held_ != nullptr)
			function(std::exchange(held_, nullptr));
	}

      private:
	unsigned count_ = 0;
	task *held_ = nullptr;
};

/* Calls are made at once, one after the other. */
struct in_sequence {
	struct group {
		template <class Call> void run(const Call &call)
		{
			call();
		}

		void wait() {}
	};

	explicit in_sequence(unsigned) {}

	template <class Call> long call(const Call &call)
	{
		return call();
	}
};

/* The results of the first run are right, those of the second are not. */
template <fault Fault> class broken_forks : public group_forks<in_sequence>
{
	using forks = group_forks<in_sequence>;

      public:
	using forks::forks;

	long fib()
	{
		return forks::fib() + is_wrong();
	}

	long skynet()
	{
		return forks::skynet() + is_wrong();
	}

	long queens()
	{
		return forks::queens() + is_wrong();
	}

	long uts()
	{
		return forks::uts() + is_wrong();
	}

	void multiply(matrices &all)
	{
		forks::multiply(all);
		all.product[100] += is_wrong();
	}

	void strassen(matrices &all)
	{
		forks::strassen(all);
		all.product[100] += is_wrong();
	}

	/* One is lost, another one is there twice; they are in order. */
	void sort(uint32_t *numbers, uint32_t *space)
	{
		forks::sort(numbers, space);
		if (is_wrong() != 0)
			numbers[100] = numbers[101];
	}

	void knapsack(const thing *things)
	{
		forks::knapsack(things);
		knapsack_best += is_wrong();
	}

      private:
	int is_wrong()
	{
		return Fault == fault::loses && ++runs_ == 2 ? 1 : 0;
	}

	int runs_ = 0;
};

int points = 0, failures = 0;

void expect(fault fault, const char *what, const result &result)
{
	static const char *const names[] = {"none", "loses", "doubles", "swaps", "tears"};
	bool as_expected = (result.wrong != nullptr) == (fault != fault::none);

	failures += !as_expected;
	std::printf("%s %d - %s, fault: %s: %s\n", as_expected ? "ok" : "not ok", ++points, what,
		    names[static_cast<int>(fault)],
		    result.wrong == nullptr ? "nothing wrong" : result.wrong);
}

template <fault Fault, class Element> void check_queue()
{
	using scenarios = queue_scenarios<broken_queue<Fault, Element>>;
	using single = broken_queue<Fault, Element>;
	samples latencies;
	const char *wrong = scenarios::run(0, 5, latencies);

	/* One thread that waits for what was lost waits for ever; and one element has no order. */
	if (Fault == fault::swaps)
		expect(Fault, "queue, uncontended", scenarios::template uncontended<true>());
	else if (Fault != fault::loses)
		expect(Fault, "queue, uncontended", scenarios::template uncontended<false>());
	expect(Fault, "queue, 1P1C", scenarios::template stream<false>(1, 1));
	expect(Fault, "queue, 2P2C", scenarios::template stream<false>(2, 2));
	expect(Fault, "queue, 2P1C in batches", scenarios::template stream<true>(2, 1));
	expect(Fault, "queue, under load", {.wrong = wrong});
	static_assert(has_batches<single>);
}

void check_order_without_promise()
{
	using scenarios = queue_scenarios<careless_queue<fault::swaps>>;

	expect(fault::swaps, "queue without a promise, 1P1C", scenarios::stream<false>(1, 1));
	expect(fault::none, "queue without a promise, 2P2C", scenarios::stream<false>(2, 2));
}

/* At a rate so low that nothing is due in time, what comes in the end is not late by ages. */
void check_low_rate()
{
	samples latencies;
	const char *wrong = queue_scenarios<broken_queue<fault::none, uint64_t>>::run(
		1e9 / ns_per_tick(), 5, latencies);

	if (latencies.quantile_ns(1) > 1e9)
		wrong = "an element came late by ages";
	expect(fault::none, "queue, under next to no load", {.wrong = wrong});
}

template <fault Fault> void check_forks()
{
	for (const auto &program : all_fork_programs<broken_forks<Fault>>())
		expect(Fault, program.name, measure_forks(1, program));
}

template <fault Fault> void check_stack()
{
	expect(Fault, "stack", recycle<broken_stack<Fault>>(2));
	expect(Fault, "stack, in batches", recycle<broken_stack<Fault>, true>(2));
}

template <fault Fault, class Element> void check_heap()
{
	using scenarios = priority_scenarios<broken_heap<Fault, Element>, few_priorities>;

	expect(Fault, "priority queue, alone", scenarios::template alone<false>());
	expect(Fault, "priority queue, alone in batches", scenarios::template alone<true>());
	expect(Fault, "priority queue, 1P1C", scenarios::template stream<false>(1));
	expect(Fault, "priority queue, 2P2C in batches", scenarios::template stream<true>(2));
}

template <fault Fault> void check_pool()
{
	using scenarios = pool_scenarios<broken_pool<Fault>>;

	expect(Fault, "pool, round trip", scenarios::round_trip(false));
	expect(Fault, "pool, tasks from outside", scenarios::outside_tasks());
	expect(Fault, "pool, tasks from inside", scenarios::inside_tasks());
	expect(Fault, "pool, futures from outside", scenarios::outside_futures());
	expect(Fault, "pool, futures from inside", scenarios::inside_futures());
	expect(Fault, "pool, fan-out", fan_out<loop_of_tasks<broken_pool<Fault>>>());
	expect(Fault, "pool, idle", pool_policy_scenarios<broken_pool<Fault>>::idle_cpu());
	expect(Fault, "pool, bounded",
	       pool_policy_scenarios<
		       mutex_bounded_pool<when_full::block, bound, broken_pool<Fault>>>::bounded());
	expect(Fault, "pool, resized", resize<broken_workers<Fault>>());
	expect(Fault, "future, round trip", future_scenarios<broken_pool<Fault>>::round_trip());
	expect(Fault, "future, called back", future_scenarios<broken_pool<Fault>>::callbacks());
}

template <fault Fault> void check_fibers()
{
	expect(Fault, "fiber, switch", measure_switch<broken_switch<Fault>>());
	expect(Fault, "fiber, hand over",
	       measure_fibers<broken_fibers<Fault>>(&broken_fibers<Fault>::pass, 1000, 1000));
}

template <fault Fault> void check_deque()
{
	expect(Fault, "deque, its owner alone", owner_alone<broken_deque<Fault>, 64>());
	expect(Fault, "deque, a thief", theft<broken_deque<Fault>>(1, false).run(false));
	expect(Fault, "deque, two thieves of halves",
	       theft<broken_deque<Fault>>(2, true).run(true));
}

void check_deques()
{
	check_deque<fault::none>();
	check_deque<fault::loses>();
	check_deque<fault::doubles>();
	expect(fault::swaps, "deque, a thief of halves",
	       theft<broken_deque<fault::swaps>>(1, true).run(false));
}

template <fault Fault> void check_strands()
{
	expect(Fault, "strand", strand_scenario<broken_strands<Fault>>::measure(1));
}

} // namespace

int main()
{
	current_settings() = {.run_ms = 5, .repetitions = 1, .tasks = 2000};
	check_queue<fault::none, uint64_t>();
	check_queue<fault::loses, uint64_t>();
	check_queue<fault::doubles, uint64_t>();
	check_queue<fault::swaps, uint64_t>();
	check_queue<fault::tears, uint64_t>();
	check_queue<fault::none, block<64>>();
	check_queue<fault::swaps, block<64>>();
	check_queue<fault::tears, block<64>>();
	check_order_without_promise();
	check_low_rate();
	check_forks<fault::none>();
	check_forks<fault::loses>();
	expect(fault::none, "bell", bell_scenarios<broken_bell<fault::none>>::uncontended());
	expect(fault::none, "bell", bell_scenarios<broken_bell<fault::none>>::round_trip(false));
	expect(fault::doubles, "bell", bell_scenarios<broken_bell<fault::doubles>>::uncontended());
	check_stack<fault::none>();
	check_stack<fault::loses>();
	check_stack<fault::doubles>();
	check_stack<fault::tears>();
	check_heap<fault::none, uint64_t>();
	check_heap<fault::loses, uint64_t>();
	check_heap<fault::swaps, uint64_t>();
	check_heap<fault::none, block<64>>();
	check_heap<fault::tears, block<64>>();
	check_deques();
	check_strands<fault::none>();
	check_strands<fault::loses>();
	check_strands<fault::doubles>();
	check_strands<fault::swaps>();
	check_pool<fault::none>();
	check_pool<fault::loses>();
	check_pool<fault::doubles>();
	check_fibers<fault::none>();
	check_fibers<fault::loses>();
	expect(fault::none, "counter", updates<broken_count<fault::none>>(2));
	expect(fault::loses, "counter", updates<broken_count<fault::loses>>(2));
	for (bool written : {false, true})
		expect(fault::none, "snapshot",
		       snapshot_scenario<broken_snapshot<fault::none>>::measure(1, written));
	expect(fault::tears, "snapshot",
	       snapshot_scenario<broken_snapshot<fault::tears>>::measure(1, true));
	expect(fault::swaps, "snapshot",
	       snapshot_scenario<broken_snapshot<fault::swaps>>::measure(1, true));
	expect(fault::none, "retirement", retire_pieces<broken_retirement<fault::none>>(2));
	expect(fault::loses, "retirement", retire_pieces<broken_retirement<fault::loses>>(2));
	expect(fault::none, "allocator", by_itself<broken_allocator<fault::none>, 32>(2));
	expect(fault::doubles, "allocator", by_itself<broken_allocator<fault::doubles>, 32>(1));
	std::printf("1..%d\n", points);
	return failures == 0 ? 0 : 1;
}
