/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_QUEUE_SCENARIOS_H
#define WEFT_BENCH_QUEUE_SCENARIOS_H

/*
 * What is measured of a queue, as one template for all: weft's, the mutex variants, the peers.
 *
 * A queue is a class of
 *     queue(size_t capacity)
 *     bool try_push(uint64_t), bool try_pop(uint64_t &)
 *     size_t try_push_batch(const uint64_t *, size_t), size_t try_pop_batch(uint64_t *, size_t)
 * of which the batches may be missing. One that waits by itself has instead
 *     void push(uint64_t), bool pop(uint64_t &), void close()
 * where pop is false when the queue is closed and empty. One that wants a handle in each thread has
 * the classes `producer` and `consumer`, made from the queue, with these functions.
 *
 * Elements are never 0 and below 2^48, so that queues of pointers carry them, too. Each measurement
 * checks that what came out is what went in.
 */

#include <array>
#include <memory>

#include "harness.h"
#include "registry.h"
#include "under_load.h"

namespace bench
{

constexpr size_t queue_capacity = 4096;
constexpr size_t batch_size = 32;

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
concept waits_by_itself = requires(Queue &queue, uint64_t &element)
{
	queue.push(element);
	queue.pop(element);
	queue.close();
};

template <class Queue>
concept has_batches = requires(typename ends<Queue>::producer in,
			       typename ends<Queue>::consumer out, uint64_t *elements)
{
	in.try_push_batch(elements, batch_size);
	out.try_pop_batch(elements, batch_size);
};

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
      public:
	/* One thread: an element in, an element out. */
	static result uncontended()
	{
		Queue queue(queue_capacity);
		uint64_t difference = 0, count = 0;
		double ns = 0;

		/* The ends are made by the thread that uses them: some queues want that. */
		run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
			typename ends<Queue>::producer in(queue);
			typename ends<Queue>::consumer out(queue);
			patience patience;
			double start_ns = thread_cpu_ns();

			do {
				for (uint64_t i = 1; i <= 1024; i++) {
					uint64_t element = 0;

					push(in, i, patience);
					wait_and_pop(out, element, patience);
					difference |= element ^ i;
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
		return {.ns = ns / static_cast<double>(out.count)};
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

		double p50_ns = times.quantile_ns(0.5);

		return {.ns = p50_ns, .p99_ns = times.quantile_ns(0.99)};
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
		return in.count == out.count && in.sum == out.sum
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
		uint64_t due;
		tally mine;

		while (pop_some<false>(out, &due, source, never, false) > 0) {
			if (!latencies.full())
				latencies.add(ticks() - epoch - due);
			mine.sum += due;
			mine.count++;
		}
		return mine;
	}

	/* How many elements a thread has in its hands at once. */
	template <bool Batches> static constexpr size_t handful = Batches ? batch_size : 1;

	/* The last element of a round trip; all others are even. */
	static constexpr uint64_t farewell = 1;

	template <class End> static void push(End &end, uint64_t element, patience &patience)
	{
		if constexpr (waits_by_itself<End>) {
			end.push(element);
		} else {
			while (!end.try_push(element))
				patience.failed();
			patience.succeeded();
		}
	}

	template <class End>
	static void wait_and_pop(End &end, uint64_t &element, patience &patience)
	{
		if constexpr (waits_by_itself<End>) {
			end.pop(element);
		} else {
			while (!end.try_pop(element))
				patience.failed();
			patience.succeeded();
		}
	}

	/* Returns how many of the elements it pushed; one that waits by itself pushes one. */
	template <bool Batches, class End>
	static size_t push_once(End &end, const uint64_t *elements, size_t count)
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
	template <bool Batches, class End> static size_t pop_once(End &end, uint64_t *elements)
	{
		if constexpr (waits_by_itself<End>)
			return end.pop(*elements) ? 1 : 0;
		else if constexpr (Batches)
			return end.try_pop_batch(elements, batch_size);
		else
			return end.try_pop(*elements) ? 1 : 0;
	}

	/* Returns how many were pushed: fewer than all when the time is up and the queue full. */
	template <bool Batches, class End>
	static size_t push_all(End &end, const uint64_t *elements, const stop_flag &stop)
	{
		patience patience;
		size_t pushed = 0;

		while (pushed < handful<Batches>) {
			size_t count = push_once<Batches>(end, elements + pushed,
							  handful<Batches> - pushed);

			pushed += count;
			if (count > 0)
				patience.succeeded();
			else if (stop)
				break;
			else
				patience.failed();
		}
		return pushed;
	}

	template <bool Batches>
	static tally produce(Queue &queue, unsigned thread, const stop_flag &stop)
	{
		typename ends<Queue>::producer in(queue);
		uint64_t next = static_cast<uint64_t>(thread + 1) << 40;
		tally mine;

		do {
			for (size_t turn = 0; turn < batch_size; turn += handful<Batches>) {
				std::array<uint64_t, handful<Batches>> elements;

				for (uint64_t &element : elements)
					element = next++;

				size_t pushed = push_all<Batches>(in, elements.data(), stop);

				for (size_t i = 0; i < pushed; i++)
					mine.sum += elements[i];
				mine.count += pushed;
			}
		} while (!stop);
		return mine;
	}

	/*
	 * Waits while the queue is empty. Returns how many elements it popped; 0 when no more will
	 * come, or the time is up and `enough`.
	 */
	template <bool Batches, class End>
	static size_t pop_some(End &end, uint64_t *elements, const source &source,
			       const stop_flag &stop, bool enough)
	{
		patience patience;

		for (bool dry = false;;) {
			size_t count = pop_once<Batches>(end, elements);

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
		std::array<uint64_t, handful<Batches>> elements = {};
		tally mine;

		/* One that waits by itself goes on: a producer may wait for it. */
		do {
			for (size_t turn = 0; turn < batch_size; turn += handful<Batches>) {
				size_t count = pop_some<Batches>(out, elements.data(), source, stop,
								 mine.count > 0);

				if (count == 0)
					return mine;
				for (size_t i = 0; i < count; i++)
					mine.sum += elements[i];
				mine.count += count;
			}
		} while (waits_by_itself<Queue> || !stop);
		return mine;
	}

	/* What is left in a queue that nobody else uses any more. */
	static tally rest(Queue &queue)
	{
		typename ends<Queue>::consumer out(queue);
		uint64_t element;
		tally left;

		while (pop_once<false>(out, &element) != 0) {
			left.sum += element;
			left.count++;
		}
		return left;
	}

	static bool call(Queue &there, Queue &back, samples &times, const stop_flag &stop)
	{
		typename ends<Queue>::producer in(there);
		typename ends<Queue>::consumer out(back);
		patience patience;
		bool right = true;

		uint64_t element = 0;

		do {
			uint64_t reply = 0;
			uint64_t start = ticks();

			push(in, element += 2, patience);
			wait_and_pop(out, reply, patience);
			times.add(ticks() - start);
			right = right && reply == element;
		} while (!stop && !times.full());
		push(in, farewell, patience);
		return right;
	}

	static void answer(Queue &there, Queue &back)
	{
		typename ends<Queue>::consumer out(there);
		typename ends<Queue>::producer in(back);
		patience patience;
		uint64_t element = 0;

		for (;;) {
			wait_and_pop(out, element, patience);
			if (element == farewell)
				return;
			push(in, element, patience);
		}
	}
};

/* Adds what is measured of every queue. */
template <class Queue>
void add_queue(const std::string &structure, const std::string &name, role role)
{
	using scenarios = queue_scenarios<Queue>;

	add(structure, "uncontended", unit::time, {name, role, scenarios::uncontended});
	add(structure, "1P1C", unit::rate,
	    {name, role, [] { return scenarios::template stream<false>(1, 1); }});
	if constexpr (has_batches<Queue>)
		add(structure, "1P1C_batch_32", unit::rate,
		    {name, role, [] { return scenarios::template stream<true>(1, 1); }});
	add(structure, "round_trip", unit::time, {name, role, scenarios::round_trip});
	/* Curves take their time: only for those that most choose between. */
	if (structure == "mpmc_queue" || structure == "spsc_queue")
		add_under_load<scenarios>(structure, name, role);
}

/* Adds what is measured of queues for many producers and consumers. */
template <class Queue>
void add_shared_queue(const std::string &structure, const std::string &name, role role)
{
	using scenarios = queue_scenarios<Queue>;

	add_queue<Queue>(structure, name, role);
	for (unsigned pairs : {2u, 4u, 8u}) {
		std::string count = std::to_string(pairs);

		add(structure, count + "P" + count + "C", unit::rate,
		    {name, role,
		     [pairs] { return scenarios::template stream<false>(pairs, pairs); }});
	}
	if constexpr (has_batches<Queue>)
		add(structure, "2P2C_batch_32", unit::rate,
		    {name, role, [] { return scenarios::template stream<true>(2, 2); }});
}

/* Adds what is measured of queues for many producers and one consumer. */
template <class Queue>
void add_gathering_queue(const std::string &structure, const std::string &name, role role)
{
	using scenarios = queue_scenarios<Queue>;

	add(structure, "uncontended", unit::time, {name, role, scenarios::uncontended});
	for (unsigned producers : {1u, 2u, 4u, 8u}) {
		std::string count = std::to_string(producers);

		add(structure, count + "P1C", unit::rate,
		    {name, role,
		     [producers] { return scenarios::template stream<false>(producers, 1); }});
	}
	if constexpr (has_batches<Queue>)
		add(structure, "2P1C_batch_32", unit::rate,
		    {name, role, [] { return scenarios::template stream<true>(2, 1); }});
}

} // namespace bench

#endif
