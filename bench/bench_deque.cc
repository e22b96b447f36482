/* SPDX-License-Identifier: Apache-2.0 */

/* deque: its owner alone, and with thieves, against a deque behind a mutex. */

#include <new>

#include <weft/lockfree/deque.h>

#include "baseline/mutex_deque.h"
#include "harness.h"
#include "registry.h"

namespace bench
{

namespace
{

constexpr size_t deque_capacity = 4096;

class chase_lev
{
      public:
	explicit chase_lev(size_t capacity)
	{
		if (weft_deque_init(&deque_, capacity) != 0)
			throw std::bad_alloc();
	}

	chase_lev(const chase_lev &) = delete;

	~chase_lev()
	{
		weft_deque_fini(&deque_);
	}

	void push(uint64_t element)
	{
		/* It cannot fail: it never has to grow here. */
		weft_deque_push(&deque_, reinterpret_cast<void *>(element));
	}

	bool try_pop(uint64_t &element)
	{
		void *popped;

		if (!weft_deque_try_pop(&deque_, &popped))
			return false;
		element = reinterpret_cast<uint64_t>(popped);
		return true;
	}

	int steal(uint64_t &element)
	{
		void *stolen = nullptr;
		int error = weft_deque_steal(&deque_, &stolen);

		element = reinterpret_cast<uint64_t>(stolen);
		return error;
	}

	size_t size() const
	{
		return weft_deque_size(&deque_);
	}

      private:
	weft_deque deque_;
};

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
	explicit theft(unsigned thieves) : tallies_(2 + thieves) {}

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
		tally mine;

		for (;;) {
			uint64_t element;
			/* Looked at first: when it is set, all that was pushed is there. */
			bool done = done_.load();
			int error = deque_.steal(element);

			if (error == 0) {
				mine.count++;
				mine.sum += element;
				patience.succeeded();
			} else if (done && error == -ENOENT) {
				break;
			} else {
				patience.failed();
			}
		}
		out = mine;
	}

	Deque deque_{deque_capacity};
	WEFT_LINE_ALIGNED std::atomic<bool> done_{false};
	/* What went in; what the owner took; what each thief took. */
	std::vector<tally> tallies_;
};

template <class Deque> void add_one(const std::string &name, role role)
{
	add("deque", "owner_alone", unit::time, {name, role, owner_alone<Deque, 1>});
	add("deque", "owner_bursts_of_64", unit::time, {name, role, owner_alone<Deque, 64>});
	for (unsigned thieves : {1u, 3u}) {
		std::string suffix =
			std::to_string(thieves) + (thieves == 1 ? "_thief" : "_thieves");

		add("deque", "fed_to_" + suffix, unit::rate,
		    {name, role, [thieves] { return theft<Deque>(thieves).run(false); }});
		add("deque", "worker_and_" + suffix, unit::rate,
		    {name, role, [thieves] { return theft<Deque>(thieves).run(true); }});
	}
}

} // namespace

void add_deque()
{
	add_one<chase_lev>("weft", role::weft);
	add_one<mutex_deque>("mutex_deque", role::baseline);
}

} // namespace bench
