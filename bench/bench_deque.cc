/* SPDX-License-Identifier: Apache-2.0 */

/* deque: its owner alone, and with thieves, against a deque behind a mutex. */

#include <array>
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
/* What a thief takes at once, at most. */
constexpr size_t batch_size = 32;

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

	int steal_half(uint64_t *elements, size_t count, size_t &stolen)
	{
		std::array<void *, batch_size> pointers;
		int error = weft_deque_steal_batch(&deque_, pointers.data(),
						   std::min(count, batch_size), &stolen);

		for (size_t i = 0; i < stolen; i++)
			elements[i] = reinterpret_cast<uint64_t>(pointers[i]);
		return error;
	}

	size_t size() const
	{
		return weft_deque_size(&deque_);
	}

      protected:
	weft_deque deque_;
};

/* Its owner holds the newest elements back. */
class lazy : public chase_lev
{
      public:
	using chase_lev::chase_lev;

	void push(uint64_t element)
	{
		weft_deque_push_lazy(&deque_, reinterpret_cast<void *>(element));
	}

	bool try_pop(uint64_t &element)
	{
		void *popped;

		if (!weft_deque_try_pop_lazy(&deque_, &popped))
			return false;
		element = reinterpret_cast<uint64_t>(popped);
		return true;
	}
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
			std::array<uint64_t, batch_size> elements;
			size_t stolen = 1;
			/* Looked at first: when it is set, all that was pushed is there. */
			bool done = done_.load();
			int error = halves_ ? deque_.steal_half(elements.data(), batch_size, stolen)
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

template <class Deque>
void add_theft(const std::string &scenario, const std::string &name, role role, unsigned thieves,
	       bool halves, bool owner_pops)
{
	add("deque", scenario, unit::rate,
	    {name, role, [=] { return theft<Deque>(thieves, halves).run(owner_pops); }});
}

template <class Deque> void add_owner(const std::string &name, role role)
{
	add("deque", "owner_alone", unit::time, {name, role, owner_alone<Deque, 1>});
	add("deque", "owner_bursts_of_64", unit::time, {name, role, owner_alone<Deque, 64>});
	add_theft<Deque>("worker_and_1_thief", name, role, 1, false, true);
	add_theft<Deque>("worker_and_3_thieves", name, role, 3, false, true);
}

template <class Deque> void add_thieves(const std::string &name, role role)
{
	add_theft<Deque>("fed_to_1_thief", name, role, 1, false, false);
	add_theft<Deque>("fed_to_3_thieves", name, role, 3, false, false);
	add_theft<Deque>("fed_to_1_thief_half", name, role, 1, true, false);
	add_theft<Deque>("fed_to_3_thieves_half", name, role, 3, true, false);
}

} // namespace

void add_deque()
{
	add_owner<chase_lev>("weft", role::weft);
	add_owner<lazy>("weft_lazy", role::weft);
	add_owner<mutex_deque>("mutex_deque", role::baseline);
	add_thieves<chase_lev>("weft", role::weft);
	add_thieves<mutex_deque>("mutex_deque", role::baseline);
}

} // namespace bench
