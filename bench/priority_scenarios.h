/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_PRIORITY_SCENARIOS_H
#define WEFT_BENCH_PRIORITY_SCENARIOS_H

/*
 * What is measured of a priority queue. One is a class of
 *     queue(size_t capacity)
 *     class user(queue &)   a thread's way to it
 *     bool user::try_push(uint64_t priority, uint64_t element), bool user::try_pop(uint64_t &)
 *     constexpr bool strict  whether the first one comes first, and not only nearly
 * Priorities are random, below `priorities`; an element bears its own. Each measurement checks that
 * what came out is what went in; and afterwards, the order in which one thread gets what it puts
 * in.
 */

#include "harness.h"
#include "registry.h"

namespace bench
{

constexpr size_t priority_capacity = 4096;
/* What is inside when one thread measures alone. */
constexpr size_t priority_filling = 1024;

template <class Queue, uint64_t Priorities> class priority_scenarios
{
      public:
	/* One thread, a queue with some elements inside: one more, and the first out. */
	static result alone()
	{
		Queue queue(priority_capacity);
		typename Queue::user user(queue);
		uint64_t random = 1, in = 0, out = 0, pushed = 0;
		auto push = [&] {
			uint64_t priority = next_priority(random);
			uint64_t element = element_of(priority, ++pushed);

			if (user.try_push(priority, element))
				in += element;
		};

		for (size_t i = 0; i < priority_filling; i++)
			push();

		double ns = time_alone(1024, [&] {
			for (int i = 0; i < 1024; i++) {
				uint64_t popped = 0;

				push();
				if (user.try_pop(popped))
					out += popped;
			}
		});
		tally left = rest(queue);

		if (in != out + left.sum)
			return {.wrong = "what came out is not what went in"};
		if (!keeps_order(queue))
			return {.wrong = "a later one came out before an earlier one"};
		return {.ns = ns};
	}

	/* Producers push and consumers pop until the time is up; what is left is only counted. */
	static result stream(unsigned pairs)
	{
		Queue queue(priority_capacity);
		std::vector<tally> tallies(2 * pairs);
		std::atomic<unsigned> producing{pairs};
		double ns = run_crew(2 * pairs, 2 * current_settings().run_ms,
				     [&](unsigned thread, const stop_flag &stop) {
					     if (thread >= pairs) {
						     tallies[thread] =
							     consume(queue, producing, stop);
						     return;
					     }
					     tallies[thread] = produce(queue, thread, stop);
					     producing.fetch_sub(1, std::memory_order_release);
				     });
		tally in = total(tallies, 0, pairs), out = total(tallies, pairs, 2 * pairs);
		tally left = rest(queue);

		if (in.count != out.count + left.count || in.sum != out.sum + left.sum)
			return {.wrong = "what came out is not what went in"};
		if (!keeps_order(queue))
			return {.wrong = "a later one came out before an earlier one"};
		if (out.count == 0)
			return {.wrong = "nothing came out"};
		return {.ns = ns / static_cast<double>(out.count)};
	}

      private:
	/* The priority, whose it is, and which: below 2^48 for the queues of weft. */
	static constexpr unsigned priority_shift = 42;

	static uint64_t element_of(uint64_t priority, uint64_t number)
	{
		return (Queue::strict ? priority : 0) << priority_shift | number;
	}

	static uint64_t next_priority(uint64_t &random)
	{
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		return (random >> 32) % Priorities;
	}

	static tally produce(Queue &queue, unsigned thread, const stop_flag &stop)
	{
		typename Queue::user user(queue);
		uint64_t number = static_cast<uint64_t>(thread + 1) << 36, random = number;
		patience patience;
		tally mine;

		do {
			uint64_t priority = next_priority(random);
			uint64_t element = element_of(priority, ++number);

			if (user.try_push(priority, element)) {
				mine.count++;
				mine.sum += element;
				patience.succeeded();
			} else {
				patience.failed();
			}
		} while (!stop);
		return mine;
	}

	/* At least one element, unless the others have got all that there will be. */
	static tally consume(Queue &queue, const std::atomic<unsigned> &producing,
			     const stop_flag &stop)
	{
		typename Queue::user user(queue);
		patience patience;
		tally mine;

		do {
			/* Looked at first: when it is, all that was pushed is there. */
			bool dry = producing.load(std::memory_order_acquire) == 0;
			uint64_t element;

			if (user.try_pop(element)) {
				mine.count++;
				mine.sum += element;
				patience.succeeded();
			} else if (dry) {
				break;
			} else {
				patience.failed();
			}
		} while (!stop || mine.count == 0);
		return mine;
	}

	/*
	 * Of an empty queue. What a measurement leaves behind does not tell: the longer it was, the
	 * fewer priorities are left.
	 */
	static bool keeps_order(Queue &queue)
	{
		typename Queue::user user(queue);
		uint64_t random = 1;

		for (size_t i = 0; i < priority_filling; i++) {
			uint64_t priority = next_priority(random);

			user.try_push(priority, element_of(priority, i));
		}
		return rest(queue).wrong == 0;
	}

	static tally rest(Queue &queue)
	{
		typename Queue::user user(queue);
		uint64_t element, last = 0;
		tally left;

		while (user.try_pop(element)) {
			left.count++;
			left.sum += element;
			left.wrong += Queue::strict && element >> priority_shift < last;
			last = element >> priority_shift;
		}
		return left;
	}
};

template <class Queue, uint64_t Priorities>
void add_priority_scenarios(const std::string &structure, const std::string &name, role role)
{
	using scenarios = priority_scenarios<Queue, Priorities>;

	add(structure, "alone", unit::time, {name, role, scenarios::alone});
	for (unsigned pairs : {1u, 2u, 4u, 8u}) {
		std::string count = std::to_string(pairs);

		add(structure, count + "P" + count + "C", unit::rate,
		    {name, role, [pairs] { return scenarios::stream(pairs); }});
	}
}

/* Priorities of a multiqueue, and of a strict queue. */
constexpr uint64_t many_priorities = 1 << 20;
constexpr uint64_t few_priorities = 64;

} // namespace bench

#endif
