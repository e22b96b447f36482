/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_PRIORITY_SCENARIOS_H
#define WEFT_BENCH_PRIORITY_SCENARIOS_H

/*
 * What is measured of a priority queue. One is a class of
 *     type element (see queue_elements.h)
 *     queue(size_t capacity)
 *     class user(queue &)   a thread's way to it
 *     bool user::try_push(uint64_t priority, const element &), bool user::try_pop(element &)
 *     size_t user::try_push_batch(uint64_t priority, const element *, size_t)
 *     size_t user::try_pop_batch(element *, size_t)
 *     constexpr bool strict  whether the first one comes first, and not only nearly
 * Priorities are random, below `priorities`; an element bears its own, and a batch has one. Each
 * measurement checks that what came out is what went in, whole; and in the end the order of what
 * one thread puts in and takes out.
 */

#include <array>

#include "harness.h"
#include "queue_elements.h"
#include "registry.h"

namespace bench
{

constexpr size_t priority_capacity = 4096;
/* What is inside when one thread measures alone. */
constexpr size_t priority_filling = 1024;

template <class Queue, uint64_t Priorities> class priority_scenarios
{
	using element = typename element_of<Queue>::type;
	using user = typename Queue::user;

	/* How many elements a thread has in its hands at once. */
	template <bool Batches> static constexpr size_t handful = Batches ? batch_size : 1;
	template <bool Batches> using hand = std::array<element, Batches ? batch_size : 1>;

      public:
	/* One thread, a queue with some elements inside: one more, or a batch, and the first out.
	 */
	template <bool Batches> static result alone()
	{
		Queue queue(priority_capacity);
		user user(queue);
		uint64_t random = 1, number = 0;
		tally in, out;

		while (number < priority_filling)
			push<false>(user, next_priority(random), ++number, in);

		double ns = time_alone(1024, [&] {
			for (size_t i = 0; i < 1024; i += handful<Batches>) {
				number += handful<Batches>;
				push<Batches>(user, next_priority(random), number, in);
				pop<Batches>(user, out);
			}
		});
		tally left = rest(queue);

		if (in.count != out.count + left.count || in.sum != out.sum + left.sum)
			return {.wrong = "what came out is not what went in"};
		if (!keeps_order(queue))
			return {.wrong = "a later one came out before an earlier one"};
		if (out.count == 0)
			return {.wrong = "nothing came out"};
		/* A relaxed queue may have given less than was asked for. */
		return {.ns = ns * static_cast<double>(number - priority_filling) /
			      static_cast<double>(out.count)};
	}

	/* Producers push and consumers pop until the time is up; what is left is only counted. */
	template <bool Batches> static result stream(unsigned pairs)
	{
		Queue queue(priority_capacity);
		std::vector<tally> tallies(2 * pairs);
		std::atomic<unsigned> producing{pairs};
		double ns =
			run_crew(2 * pairs, 2 * current_settings().run_ms,
				 [&](unsigned thread, const stop_flag &stop) {
					 if (thread >= pairs) {
						 tallies[thread] =
							 consume<Batches>(queue, producing, stop);
						 return;
					 }
					 tallies[thread] = produce<Batches>(queue, thread, stop);
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
	/* The priority, whose it is, and which. */
	static constexpr unsigned priority_shift = 42;

	static uint64_t numbered(uint64_t priority, uint64_t number)
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

	/* Pushes a handful, whose numbers end with this one; adds what was pushed. Returns how much
	 * that was. */
	template <bool Batches>
	static size_t push(user &user, uint64_t priority, uint64_t number, tally &mine)
	{
		hand<Batches> elements;
		uint64_t first = numbered(priority, number - handful<Batches> + 1);
		size_t count;

		for (size_t i = 0; i < handful<Batches>; i++)
			set_number(elements[i], first + i);
		if constexpr (Batches)
			count = user.try_push_batch(priority, elements.data(), batch_size);
		else
			count = user.try_push(priority, elements[0]) ? 1 : 0;
		for (size_t i = 0; i < count; i++)
			mine.sum += first + i;
		mine.count += count;
		return count;
	}

	/* Pops up to a handful; returns how much that was. */
	template <bool Batches> static size_t pop(user &user, tally &mine)
	{
		hand<Batches> elements;
		size_t count;

		if constexpr (Batches)
			count = user.try_pop_batch(elements.data(), batch_size);
		else
			count = user.try_pop(elements[0]) ? 1 : 0;
		for (size_t i = 0; i < count; i++)
			mine.sum += number_of(elements[i]);
		mine.count += count;
		return count;
	}

	template <bool Batches>
	static tally produce(Queue &queue, unsigned thread, const stop_flag &stop)
	{
		user user(queue);
		uint64_t number = static_cast<uint64_t>(thread + 1) << 36, random = number;
		patience patience;
		tally mine;

		do {
			number += handful<Batches>;
			if (push<Batches>(user, next_priority(random), number, mine) > 0)
				patience.succeeded();
			else
				patience.failed();
		} while (!stop);
		return mine;
	}

	/* At least one element, unless the others have got all that there will be. */
	template <bool Batches>
	static tally consume(Queue &queue, const std::atomic<unsigned> &producing,
			     const stop_flag &stop)
	{
		user user(queue);
		patience patience;
		tally mine;

		do {
			/* Looked at first: when it is, all that was pushed is there. */
			bool dry = producing.load(std::memory_order_acquire) == 0;

			if (pop<Batches>(user, mine) > 0)
				patience.succeeded();
			else if (dry)
				break;
			else
				patience.failed();
		} while (!stop || mine.count == 0);
		return mine;
	}

	static tally rest(Queue &queue)
	{
		user user(queue);
		tally left;

		while (pop<false>(user, left) > 0)
			;
		return left;
	}

	/* Whether one thread gets what it has put into the empty queue in the order of priorities,
	 * and in that of the pushes where these are equal. In what a measurement leaves there is
	 * little order: nearly all of it has the last priority. */
	static bool keeps_order(Queue &queue)
	{
		user user(queue);
		uint64_t random = 1, last = 0;
		element popped;
		tally in, out;
		bool right = true;

		for (uint64_t number = 1; number <= priority_filling; number++)
			push<false>(user, next_priority(random), number, in);
		for (; user.try_pop(popped); out.count++) {
			uint64_t number = number_of(popped);

			right = right && (number > last || !Queue::strict);
			last = number;
			out.sum += number;
		}
		return right && in.count == out.count && in.sum == out.sum;
	}
};

/* The short suite has numbers for all numbers of threads, and up to two of a kind also large ones
 * and batches. */
template <class Queue, uint64_t Priorities>
void add_priority_scenarios(const std::string &structure, const std::string &name, role role)
{
	using scenarios = priority_scenarios<Queue, Priorities>;
	using element = typename element_of<Queue>::type;
	std::string size = size_in_name<element>();
	bool large = sizeof(element) > sizeof(uint64_t);

	add(structure, "alone" + size, unit::time, {name, role, scenarios::template alone<false>});
	add(structure, "alone" + size + "_batch_32", unit::time,
	    {name, role, scenarios::template alone<true>});
	for (unsigned pairs : {1u, 2u, 4u, 8u}) {
		std::string threads =
			std::to_string(pairs) + "P" + std::to_string(pairs) + "C" + size;

		add(structure, threads, unit::rate,
		    {name, role, [pairs] { return scenarios::template stream<false>(pairs); },
		     large && pairs > 2});
		add(structure, threads + "_batch_32", unit::rate,
		    {name, role, [pairs] { return scenarios::template stream<true>(pairs); },
		     pairs > 2});
	}
}

/* The same for each of the sizes: Queue<element>. Static as in queue_scenarios.h. */
template <template <class> class Queue, uint64_t Priorities>
static void add_priority_sizes(const std::string &structure, const std::string &name, role role)
{
	add_priority_scenarios<Queue<uint64_t>, Priorities>(structure, name, role);
	add_priority_scenarios<Queue<block<64>>, Priorities>(structure, name, role);
	add_priority_scenarios<Queue<block<256>>, Priorities>(structure, name, role);
}

/* Priorities of a multiqueue, and of a strict queue. */
constexpr uint64_t many_priorities = 1 << 20;
constexpr uint64_t few_priorities = 64;

} // namespace bench

#endif
