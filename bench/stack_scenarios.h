/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_STACK_SCENARIOS_H
#define WEFT_BENCH_STACK_SCENARIOS_H

/*
 * What is measured of a stack, as one template for all: weft's, the mutex variants, the peers.
 * A stack is a class of
 *     stack(size_t count), with the elements 1 to `count` inside
 *     type element, uint64_t number_of(const element &)
 *     bool try_pop(element &), void push(const element &)
 *     size_t try_pop_batch(element *, size_t), void push_batch(const element *, size_t)
 * where an element is a node of an intrusive stack, or bears its number (see queue_elements.h). The
 * batches may be missing.
 */

#include <array>

#include "harness.h"
#include "queue_elements.h"
#include "registry.h"

namespace bench
{

constexpr size_t stack_elements = 1024;

template <class Stack>
concept stacks_batches = requires(Stack &stack, typename Stack::element *elements)
{
	stack.try_pop_batch(elements, batch_size);
	stack.push_batch(elements, batch_size);
};

/* Pops an element, or up to a batch, and pushes it again; returns how many. */
template <bool Batches, class Stack> size_t recycle_once(Stack &stack, patience &patience)
{
	std::array<typename Stack::element, Batches ? batch_size : 1> popped{};

	if constexpr (Batches) {
		size_t count;

		while ((count = stack.try_pop_batch(popped.data(), batch_size)) == 0)
			patience.failed();
		stack.push_batch(popped.data(), count);
		return count;
	} else {
		while (!stack.try_pop(popped[0]))
			patience.failed();
		stack.push(popped[0]);
		return 1;
	}
}

/* Each thread pops and pushes again, which makes two operations for an element. */
template <class Stack, bool Batches = false> result recycle(unsigned threads)
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
				     double start_ns = thread_cpu_ns();

				     do {
					     for (size_t i = 0; i < batch_size;)
						     i += recycle_once<Batches>(stack, patience);
					     mine.count += 2 * batch_size;
				     } while (!stop);
				     mine.ns = thread_cpu_ns() - start_ns;
			     });
	uint64_t count = 0, sum = 0;
	element left{};

	while (stack.try_pop(left)) {
		count++;
		sum += stack.number_of(left);
	}
	if (count != stack_elements || sum != stack_elements * (stack_elements + 1) / 2)
		return {.wrong = "what is in the stack is not what was"};
	/* One thread waits for nobody: its CPU time counts. */
	if (threads == 1)
		ns = tallies[0].ns;
	return {.ns = ns / static_cast<double>(total(tallies, 0, threads).count)};
}

/* Adds what is measured of every stack. The short suite has numbers for all numbers of threads, and
 * up to two of them also large elements and batches. */
template <class Stack> void add_one_stack(const std::string &name, role role)
{
	bool large = sizeof(typename Stack::element) > sizeof(uint64_t);

	for (unsigned threads : {1u, 2u, 4u, 8u}) {
		std::string scenario = std::to_string(threads) +
				       (threads == 1 ? "_thread" : "_threads") +
				       size_in_name<typename Stack::element>();

		add("stack", scenario, unit::rate,
		    {name, role, [threads] { return recycle<Stack>(threads); },
		     large && threads > 2});
		if constexpr (stacks_batches<Stack>)
			add("stack", scenario + "_batch_32", unit::rate,
			    {name, role, [threads] { return recycle<Stack, true>(threads); },
			     threads > 2});
	}
}

/* The same for each of the sizes: Stack<element>. Static as in queue_scenarios.h. */
template <template <class> class Stack>
static void add_stack_sizes(const std::string &name, role role)
{
	add_one_stack<Stack<uint64_t>>(name, role);
	add_one_stack<Stack<block<64>>>(name, role);
	add_one_stack<Stack<block<256>>>(name, role);
}

} // namespace bench

#endif
