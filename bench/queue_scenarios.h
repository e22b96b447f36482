/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_QUEUE_SCENARIOS_H
#define WEFT_BENCH_QUEUE_SCENARIOS_H

/*
 * What is measured of a queue, as one template for all: weft's, the mutex variants, the peers.
 *
 * A queue is a class of
 *     type element (see queue_elements.h)
 *     queue(size_t capacity)
 *     bool try_push(const element &), bool try_pop(element &)
 *     size_t try_push_batch(const element *, size_t), size_t try_pop_batch(element *, size_t)
 * of which the batches may be missing. One that waits by itself has instead
 *     void push(const element &), bool pop(element &), void close()
 * where pop is false when the queue is closed and empty. One that wants a handle in each thread has
 * the classes `producer` and `consumer`, made from the queue, with these functions.
 *
 * Each measurement checks that what came out is what went in: each element once and whole, and
 * those of a producer in their order, unless there are several producers or consumers and the queue
 * says that it does not promise that then:
 *     constexpr bool keeps_order = false
 * One whose threads spin while another one of them is preempted in the midst of an operation takes
 * seconds where there are more threads than CPUs, which the short suite leaves out then:
 *     constexpr bool stalls_when_preempted = true
 */

#include <array>
#include <memory>

#include "harness.h"
#include "queue_elements.h"
#include "registry.h"
#include "under_load.h"

namespace bench
{

constexpr size_t queue_capacity = 4096;

/* The types through which a thread uses a queue. */
template <class Queue> struct ends {
	using producer = Queue &;
	using consumer = Queue &;
};

template <class Queue>
requires requires
{
	typename Queue::producer;
}
struct ends<Queue> {
	using producer = typename Queue::producer;
	using consumer = typename Queue::consumer;
};

template <class Queue>
concept waits_by_itself = requires(Queue &queue, typename element_of<Queue>::type &element)
{
	queue.push(element);
	queue.pop(element);
	queue.close();
};

template <class Queue>
concept has_batches = requires(typename ends<Queue>::producer in,
			       typename ends<Queue>::consumer out,
			       typename element_of<Queue>::type *elements)
{
	in.try_push_batch(elements, batch_size);
	out.try_pop_batch(elements, batch_size);
};

template <class Queue> constexpr bool keeps_order()
{
	if constexpr (requires { Queue::keeps_order; })
		return Queue::keeps_order;
	else
		return true;
}

template <class Queue> constexpr bool stalls_when_preempted()
{
	if constexpr (requires { Queue::stalls_when_preempted; })
		return Queue::stalls_when_preempted;
	else
		return false;
}

/* Knows when no more elements will come. */
class source
{
      public:
	explicit source(unsigned producers) : producers_(producers) {}

	template <class Queue> void producer_done(Queue &queue)
	{
		if (producers_.fetch_sub(1, std::memory_order_acq_rel) != 1)
			return;
		if constexpr (waits_by_itself<Queue>)
			queue.close();
	}

	bool dry() const
	{
		return producers_.load(std::memory_order_acquire) == 0;
	}

      private:
	WEFT_LINE_ALIGNED std::atomic<unsigned> producers_;
};

template <class Queue> class queue_scenarios
{
	using element = typename element_of<Queue>::type;

	/* How many elements a thread has in its hands at once. */
	template <bool Batches> static constexpr size_t handful = Batches ? batch_size : 1;
	template <bool Batches> using hand = std::array<element, Batches ? batch_size : 1>;

      public:
	/* One thread: an element, or a batch, in and out again. */
	template <bool Batches> static result uncontended()
	{
		Queue queue(queue_capacity);
		uint64_t difference = 0, count = 0;
		double ns = 0;

		/* The ends are made by the thread that uses them: some queues want that. */
		run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
			typename ends<Queue>::producer in(queue);
			typename ends<Queue>::consumer out(queue);
			hand<Batches> pushed = {}, popped = {};
			double start_ns = thread_cpu_ns();

			do {
				for (uint64_t i = 1; i <= 1024; i += handful<Batches>) {
					number(pushed, i);
					push_all<Batches>(in, pushed);
					pop_all<Batches>(out, popped);
					for (size_t j = 0; j < handful<Batches>; j++)
						difference |= number_of(popped[j]) ^ (i + j);
				}
				count += 1024;
			} while (!stop);
			ns = (thread_cpu_ns() - start_ns) / static_cast<double>(count);
		});
		if (difference != 0)
			return {.wrong = "what came out is not what went in"};
		return {.ns = ns};
	}

	/* Producers push and consumers pop until the time is up; what is then left is only counted.
	 */
	template <bool Batches> static result stream(unsigned producers, unsigned consumers)
	{
		Queue queue(queue_capacity);
		source source(producers);
		unsigned threads = producers + consumers;
		std::vector<tally> tallies(threads);
		/* Threads that take turns need time for more than a few of them. */
		unsigned turns = threads > placement::instance().places() ? 2 : 1;

		double ns = run_crew(threads, current_settings().run_ms * turns,
				     [&](unsigned thread, const stop_flag &stop) {
					     tally &mine = tallies[thread];

					     if (thread >= producers) {
						     mine = consume<Batches>(queue, source, stop);
					     } else {
						     mine = produce<Batches>(queue, thread, stop);
						     source.producer_done(queue);
					     }
				     });
		tally in = total(tallies, 0, producers);
		tally out = total(tallies, producers, threads);
		tally left = rest(queue);

		if (in.count != out.count + left.count || in.sum != out.sum + left.sum)
			return {.wrong = "what came out is not what went in"};
		if ((keeps_order<Queue>() || threads == 2) && out.wrong + left.wrong != 0)
			return {.wrong = "what one producer pushed came out in another order"};
		return {.ns = ns / static_cast<double>(std::max<uint64_t>(out.count, 1))};
	}

	/* From one thread to another and back, through two queues, one element at a time. */
	static result round_trip()
	{
		Queue there(queue_capacity), back(queue_capacity);
		samples times;
		bool right = true;

		run_crew(2, current_settings().run_ms, [&](unsigned thread, const stop_flag &stop) {
			if (thread == 0)
				right = call(there, back, times, stop);
			else
				answer(there, back);
		});
		if (!right)
			return {.wrong = "the answer is not what was sent"};
		return quantiles(times);
	}

	/* For under_load.h: one producer and one consumer; an element is the tick when it was due.
	 */
	static const char *run(double interval_ticks, unsigned run_ms, samples &latencies)
	{
		Queue queue(queue_capacity);
		source source(1);
		tally in, out;
		uint64_t epoch = ticks() - 1;

		run_crew(2, run_ms, [&](unsigned thread, const stop_flag &stop) {
			if (thread == 0) {
				in = send(queue, interval_ticks, epoch, stop);
				source.producer_done(queue);
			} else {
				out = receive(queue, source, epoch, latencies);
			}
		});
		return in.count == out.count && in.sum == out.sum && out.wrong == 0
			       ? nullptr
			       : "what came out is not what went in";
	}

	static double run_at_once(unsigned run_ms)
	{
		samples ignored;
		Queue queue(queue_capacity);
		source source(1);
		tally out;
		uint64_t epoch = ticks() - 1;

		double ns = run_crew(2, run_ms, [&](unsigned thread, const stop_flag &stop) {
			if (thread == 0) {
				send(queue, 0, epoch, stop);
				source.producer_done(queue);
			} else {
				out = receive(queue, source, epoch, ignored);
			}
		});
		return ns / static_cast<double>(std::max<uint64_t>(out.count, 1));
	}

      private:
	static tally send(Queue &queue, double interval_ticks, uint64_t epoch,
			  const stop_flag &stop)
	{
		typename ends<Queue>::producer in(queue);
		arrivals arrivals(interval_ticks);
		patience patience;
		tally mine;

		do {
			uint64_t due = arrivals.wait_for_next(stop) - epoch;

			push(in, due, patience);
			mine.sum += due;
			mine.count++;
		} while (!stop);
		return mine;
	}

	static tally receive(Queue &queue, const source &source, uint64_t epoch, samples &latencies)
	{
		typename ends<Queue>::consumer out(queue);
		stop_flag never;
		hand<false> popped = {};
		uint64_t last = 0;
		tally mine;

		while (pop_some<false>(out, popped, source, never, false) > 0) {
			uint64_t due = number_of(popped[0]);

			if (!latencies.full())
				latencies.add(lateness(due, ticks() - epoch));
			mine.wrong += due < last;
			last = due;
			mine.sum += due;
			mine.count++;
		}
		return mine;
	}

	/* The last element of a round trip; all others are even. */
	static constexpr uint64_t farewell = 1;

	/* Gives the elements in a hand the numbers from `first` on. */
	template <size_t Count> static void number(std::array<element, Count> &all, uint64_t first)
	{
		for (size_t i = 0; i < Count; i++)
			set_number(all[i], first + i);
	}

	template <class End> static void push(End &end, uint64_t number, patience &patience)
	{
		element pushed;

		set_number(pushed, number);
		if constexpr (waits_by_itself<End>) {
			end.push(pushed);
		} else {
			while (!end.try_push(pushed))
				patience.failed();
			patience.succeeded();
		}
	}

	template <class End> static uint64_t wait_and_pop(End &end, patience &patience)
	{
		element popped = {};

		if constexpr (waits_by_itself<End>) {
			end.pop(popped);
		} else {
			while (!end.try_pop(popped))
				patience.failed();
			patience.succeeded();
		}
		return number_of(popped);
	}

	/* Returns how many of the elements it pushed; one that waits by itself pushes one. */
	template <bool Batches, class End>
	static size_t push_once(End &end, const element *elements, size_t count)
	{
		if constexpr (waits_by_itself<End>) {
			end.push(*elements);
			return 1;
		} else if constexpr (Batches) {
			return end.try_push_batch(elements, count);
		} else {
			return end.try_push(*elements) ? 1 : 0;
		}
	}

	/* Returns how many elements it popped; one that waits by itself pops one, until closed. */
	template <bool Batches, class End>
	static size_t pop_once(End &end, element *elements, size_t count = handful<Batches>)
	{
		if constexpr (waits_by_itself<End>)
			return end.pop(*elements) ? 1 : 0;
		else if constexpr (Batches)
			return end.try_pop_batch(elements, count);
		else
			return end.try_pop(*elements) ? 1 : 0;
	}

	/* Calls some(done, left), which returns how many elements it has done, until that is a
	 * handful; or, with a flag, until it can do none and the time is up. Returns how many. */
	template <bool Batches, class Some>
	static size_t do_handful(const Some &some, const stop_flag *stop = nullptr)
	{
		patience patience;
		size_t done = 0;

		while (done < handful<Batches>) {
			size_t count = some(done, handful<Batches> - done);

			done += count;
			if (count > 0)
				patience.succeeded();
			else if (stop != nullptr && *stop)
				break;
			else
				patience.failed();
		}
		return done;
	}

	/*
	 * Returns how many were pushed: all, unless somebody else makes room in the queue, and it
	 * is still full when the time is up.
	 */
	template <bool Batches, class End>
	static size_t push_all(End &end, const hand<Batches> &elements,
			       const stop_flag *stop = nullptr)
	{
		return do_handful<Batches>(
			[&](size_t done, size_t left) {
				return push_once<Batches>(end, elements.data() + done, left);
			},
			stop);
	}

	/* For the one thread of a queue that has so many. */
	template <bool Batches, class End> static void pop_all(End &end, hand<Batches> &elements)
	{
		do_handful<Batches>([&](size_t done, size_t left) {
			return pop_once<Batches>(end, elements.data() + done, left);
		});
	}

	template <bool Batches>
	static tally produce(Queue &queue, unsigned thread, const stop_flag &stop)
	{
		typename ends<Queue>::producer in(queue);
		uint64_t next = static_cast<uint64_t>(thread + 1) << producer_shift;
		hand<Batches> elements = {};
		tally mine;

		do {
			for (size_t turn = 0; turn < batch_size; turn += handful<Batches>) {
				number(elements, next);

				size_t pushed = push_all<Batches>(in, elements, &stop);

				for (size_t i = 0; i < pushed; i++)
					mine.sum += next + i;
				mine.count += pushed;
				next += handful<Batches>;
			}
		} while (!stop);
		return mine;
	}

	/*
	 * Waits while the queue is empty. Returns how many elements it popped; 0 when no more will
	 * come, or the time is up and `enough`.
	 */
	template <bool Batches, class End>
	static size_t pop_some(End &end, hand<Batches> &elements, const source &source,
			       const stop_flag &stop, bool enough)
	{
		patience patience;

		for (bool dry = false;;) {
			size_t count = pop_once<Batches>(end, elements.data());

			if (count > 0 || dry || waits_by_itself<End> || (enough && stop))
				return count;
			/* When it is, what was pushed before is there: look once more. */
			dry = source.dry();
			if (!dry)
				patience.failed();
		}
	}

	template <bool Batches>
	static tally consume(Queue &queue, const source &source, const stop_flag &stop)
	{
		typename ends<Queue>::consumer out(queue);
		hand<Batches> elements = {};
		order order;
		tally mine;

		for (size_t turn = 1;; turn++) {
			size_t count =
				pop_some<Batches>(out, elements, source, stop, mine.count > 0);

			if (count == 0)
				break;
			for (size_t i = 0; i < count; i++) {
				uint64_t number = number_of(elements[i]);

				order.see(number);
				mine.sum += number;
			}
			mine.count += count;
			/* One that waits by itself goes on: a producer may wait for it. */
			if (!waits_by_itself<Queue> &&
			    turn % (batch_size / handful<Batches>) == 0 && stop)
				break;
		}
		mine.wrong = order.violations();
		return mine;
	}

	/* What is left in a queue that nobody else uses any more. */
	static tally rest(Queue &queue)
	{
		typename ends<Queue>::consumer out(queue);
		hand<false> popped = {};
		order order;
		tally left;

		while (pop_once<false>(out, popped.data()) != 0) {
			uint64_t number = number_of(popped[0]);

			order.see(number);
			left.sum += number;
			left.count++;
		}
		left.wrong = order.violations();
		return left;
	}

	static bool call(Queue &there, Queue &back, samples &times, const stop_flag &stop)
	{
		typename ends<Queue>::producer in(there);
		typename ends<Queue>::consumer out(back);
		patience patience;
		bool right = true;

		uint64_t number = 0;

		do {
			uint64_t start = ticks();

			push(in, number += 2, patience);

			uint64_t reply = wait_and_pop(out, patience);

			times.add(ticks() - start);
			right = right && reply == number;
		} while (!stop && !times.full());
		push(in, farewell, patience);
		return right;
	}

	static void answer(Queue &there, Queue &back)
	{
		typename ends<Queue>::consumer out(there);
		typename ends<Queue>::producer in(back);
		patience patience;

		for (;;) {
			uint64_t number = wait_and_pop(out, patience);

			if (number == farewell)
				return;
			push(in, number, patience);
		}
	}
};

/*
 * Adds a scenario and, for queues that have them, the one with batches. The short suite has numbers
 * for all numbers of threads, and up to two of a kind also large ones and batches.
 */
template <class Queue>
void add_stream(const std::string &structure, const std::string &name, role role,
		unsigned producers, unsigned consumers)
{
	using scenarios = queue_scenarios<Queue>;
	std::string scenario = std::to_string(producers) + "P" + std::to_string(consumers) + "C" +
			       size_in_name<typename element_of<Queue>::type>();

	bool large = sizeof(typename element_of<Queue>::type) > sizeof(uint64_t);

	add(structure, scenario, unit::rate,
	    {name, role, [=] { return scenarios::template stream<false>(producers, consumers); },
	     producers > 2 && (large || stalls_when_preempted<Queue>())});
	if constexpr (has_batches<Queue>)
		add(structure, scenario + "_batch_32", unit::rate,
		    {name, role,
		     [=] { return scenarios::template stream<true>(producers, consumers); },
		     producers > 2});
}

template <class Queue>
void add_uncontended(const std::string &structure, const std::string &name, role role)
{
	using scenarios = queue_scenarios<Queue>;
	std::string scenario = "uncontended" + size_in_name<typename element_of<Queue>::type>();

	add(structure, scenario, unit::time, {name, role, scenarios::template uncontended<false>});
	if constexpr (has_batches<Queue>)
		add(structure, scenario + "_batch_32", unit::time,
		    {name, role, scenarios::template uncontended<true>});
}

/* Adds what is measured of every queue. */
template <class Queue>
void add_queue(const std::string &structure, const std::string &name, role role)
{
	using scenarios = queue_scenarios<Queue>;

	add_uncontended<Queue>(structure, name, role);
	add_stream<Queue>(structure, name, role, 1, 1);
	/* What is the same for all sizes. */
	if constexpr (sizeof(typename element_of<Queue>::type) == sizeof(uint64_t)) {
		add(structure, "round_trip", unit::time, {name, role, scenarios::round_trip});
		/* Curves take their time: only for those that most choose between. */
		if (structure == "mpmc_queue" || structure == "spsc_queue")
			add_under_load<scenarios>(structure, name, role);
	}
}

/* Adds what is measured of queues for many producers and consumers. */
template <class Queue>
void add_shared_queue(const std::string &structure, const std::string &name, role role)
{
	add_queue<Queue>(structure, name, role);
	for (unsigned pairs : {2u, 4u, 8u})
		add_stream<Queue>(structure, name, role, pairs, pairs);
}

/* Adds what is measured of queues for many producers and one consumer. */
template <class Queue>
void add_gathering_queue(const std::string &structure, const std::string &name, role role)
{
	add_uncontended<Queue>(structure, name, role);
	for (unsigned producers : {1u, 2u, 4u, 8u})
		add_stream<Queue>(structure, name, role, producers, 1);
}

/*
 * A queue for elements of each of the sizes that are measured: Queue<element>. These are static
 * because gcc 12 takes two alias templates of the same name, in the unnamed namespaces of two
 * files, for one: without it the linker keeps one of the functions, and the queue of one file is
 * measured as that of the other.
 */
template <template <class> class Queue>
static void add_spsc_sizes(const std::string &structure, const std::string &name, role role)
{
	add_queue<Queue<uint64_t>>(structure, name, role);
	add_queue<Queue<block<64>>>(structure, name, role);
	add_queue<Queue<block<256>>>(structure, name, role);
}

template <template <class> class Queue>
static void add_shared_sizes(const std::string &structure, const std::string &name, role role)
{
	add_shared_queue<Queue<uint64_t>>(structure, name, role);
	add_shared_queue<Queue<block<64>>>(structure, name, role);
	add_shared_queue<Queue<block<256>>>(structure, name, role);
}

template <template <class> class Queue>
static void add_gathering_sizes(const std::string &structure, const std::string &name, role role)
{
	add_gathering_queue<Queue<uint64_t>>(structure, name, role);
	add_gathering_queue<Queue<block<64>>>(structure, name, role);
	add_gathering_queue<Queue<block<256>>>(structure, name, role);
}

} // namespace bench

#endif
