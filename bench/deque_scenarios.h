/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_DEQUE_SCENARIOS_H
#define WEFT_BENCH_DEQUE_SCENARIOS_H

/*
 * What is measured of a deque for work stealing, as one template for all. A deque is a class of
 *     deque(size_t capacity)
 *     void push(uint64_t), bool try_pop(uint64_t &)     of its owner
 *     int steal(uint64_t &)                             0, -ENOENT, or another one came first
 *     int steal_half(uint64_t *, size_t count, size_t &stolen)
 *     size_t size() const
 * The owner gets its newest element, a thief the oldest. Each measurement checks that.
 */

#include <array>
#include <cerrno>

#include "harness.h"
#include "registry.h"

namespace bench
{

constexpr size_t deque_capacity = 4096;
/* What a thief takes at once, at most. */
constexpr size_t most_stolen = 32;

/* The owner pushes a burst and pops it again; the newest comes first. */
template <class Deque, unsigned Burst> result owner_alone()
{
	Deque deque(deque_capacity);
	bool right = true;

	double ns = time_alone(1024, [&] {
		uint64_t difference = 0;

		for (unsigned round = 0; round < 1024 / Burst; round++) {
			for (uint64_t i = 1; i <= Burst; i++)
				deque.push(i);
			for (uint64_t i = Burst; i > 0; i--) {
				uint64_t element = 0;

				deque.try_pop(element);
				difference |= element ^ i;
			}
		}
		right = right && difference == 0;
	});
	if (!right)
		return {.wrong = "what came out is not what went in"};
	return {.ns = ns};
}

/* One owner and its thieves. An element is counted by whoever takes it. */
template <class Deque> class theft
{
      public:
	/* Thieves take one element at a time, or half of what is there. */
	theft(unsigned thieves, bool halves) : halves_(halves), tallies_(2 + thieves) {}

	/* The owner only pushes, the thieves take it all; or it also pops, as a worker does. */
	result run(bool owner_pops)
	{
		unsigned threads = static_cast<unsigned>(tallies_.size()) - 1;
		double ns = run_crew(threads, current_settings().run_ms,
				     [&](unsigned thread, const stop_flag &stop) {
					     if (thread > 0)
						     steal(tallies_[1 + thread]);
					     else if (owner_pops)
						     work(stop);
					     else
						     feed(stop);
				     });
		const tally &in = tallies_[0];
		tally out = total(tallies_, 1, tallies_.size());

		if (in.count != out.count || in.sum != out.sum)
			return {.wrong = "what came out is not what went in"};
		if (out.wrong != 0)
			return {.wrong = "a thief got an older element after a newer one"};
		return {.ns = ns / static_cast<double>(out.count)};
	}

      private:
	void push(unsigned count)
	{
		tally &in = tallies_[0];

		for (unsigned i = 0; i < count; i++) {
			deque_.push(++in.count);
			in.sum += in.count;
		}
	}

	void feed(const stop_flag &stop)
	{
		patience patience;

		do {
			if (deque_.size() > deque_capacity - 32) {
				patience.failed();
			} else {
				patience.succeeded();
				push(32);
			}
		} while (!stop);
		done_.store(true);
	}

	void work(const stop_flag &stop)
	{
		tally &out = tallies_[1];

		do {
			uint64_t element;

			push(64);
			while (deque_.try_pop(element)) {
				out.count++;
				out.sum += element;
			}
		} while (!stop);
		done_.store(true);
	}

	void steal(tally &out)
	{
		patience patience;
		uint64_t last = 0;
		tally mine;

		for (;;) {
			std::array<uint64_t, most_stolen> elements;
			size_t stolen = 1;
			/* Looked at first: when it is set, all that was pushed is there. */
			bool done = done_.load();
			int error =
				halves_ ? deque_.steal_half(elements.data(), most_stolen, stolen)
					: deque_.steal(elements[0]);

			if (error == 0) {
				/* The oldest are stolen, and the owner's are ever newer. */
				for (size_t i = 0; i < stolen; i++) {
					mine.sum += elements[i];
					mine.wrong += elements[i] <= last;
					last = elements[i];
				}
				mine.count += stolen;
				patience.succeeded();
			} else if (done && error == -ENOENT) {
				break;
			} else {
				patience.failed();
			}
		}
		out = mine;
	}

	bool halves_;
	Deque deque_{deque_capacity};
	WEFT_LINE_ALIGNED std::atomic<bool> done_{false};
	/* What went in; what the owner took; what each thief took. */
	std::vector<tally> tallies_;
};

} // namespace bench

#endif
