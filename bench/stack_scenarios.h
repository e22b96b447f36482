/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_STACK_SCENARIOS_H
#define WEFT_BENCH_STACK_SCENARIOS_H

/*
 * What is measured of a stack, as one template for all: weft's, the mutex variants, the peers.
 *
 * A stack is a class of
 *     stack(size_t count), with the elements 1 to `count` inside
 *     type element, uint64_t number_of(element)
 *     bool try_pop(element &), void push(element)
 * where an element is a node of an intrusive stack, or a number.
 */

#include "harness.h"
#include "registry.h"

namespace bench
{

constexpr size_t stack_elements = 1024;

/* Each thread pops an element and pushes it again, which makes two operations. */
template <class Stack> result recycle(unsigned threads)
{
	using element = typename Stack::element;
	Stack stack(stack_elements);
	std::vector<tally> tallies(threads);
	/* Threads that take turns need time for more than a few of them. */
	unsigned turns = threads > placement::instance().places() ? 2 : 1;

	double ns = run_crew(threads, current_settings().run_ms * turns,
			     [&](unsigned thread, const stop_flag &stop) {
				     tally &mine = tallies[thread];
				     patience patience;

				     do {
					     for (int i = 0; i < 32; i++) {
						     element popped{};

						     while (!stack.try_pop(popped))
							     patience.failed();
						     stack.push(popped);
					     }
					     mine.count += 2 * 32;
				     } while (!stop);
			     });
	uint64_t count = 0, sum = 0;
	element left{};

	while (stack.try_pop(left)) {
		count++;
		sum += stack.number_of(left);
	}
	if (count != stack_elements || sum != stack_elements * (stack_elements + 1) / 2)
		return {.wrong = "what is in the stack is not what was"};
	return {.ns = ns / static_cast<double>(total(tallies, 0, threads).count)};
}

/* Adds what is measured of every stack. */
template <class Stack> void add_one_stack(const std::string &name, role role)
{
	for (unsigned threads : {1u, 2u, 4u, 8u})
		add("stack", std::to_string(threads) + (threads == 1 ? "_thread" : "_threads"),
		    unit::rate, {name, role, [threads] { return recycle<Stack>(threads); }});
}

} // namespace bench

#endif
