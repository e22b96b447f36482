/* SPDX-License-Identifier: Apache-2.0 */

/*
 * park and eventcount: from one thread to another and back, asleep or spinning, against a mutex and
 * a condition variable, and against the floor: bare futex calls, or one word.
 */

#include <weft/sync/eventcount.h>
#include <weft/sync/park.h>

#include "baseline/bells.h"
#include "bell_scenarios.h"

namespace bench
{

namespace
{

/* Long enough for an answer to come while the waiter spins. */
constexpr unsigned spin_ns = 50000;

template <unsigned SpinNs> class parker_bell
{
      public:
	void ring()
	{
		weft_parker_unpark(&parker_);
	}

	void wait()
	{
		weft_parker_park(&parker_, SpinNs, WEFT_FOREVER);
	}

      private:
	WEFT_LINE_ALIGNED weft_parker parker_ = {};
};

/* A flag, which stands for any lock-free condition, and an eventcount to wait for it. */
template <unsigned SpinNs> class eventcount_bell
{
      public:
	void ring()
	{
		flag_.store(true, std::memory_order_release);
		weft_eventcount_notify_one(&eventcount_);
	}

	void wait()
	{
		while (!flag_.exchange(false, std::memory_order_acquire)) {
			uint32_t key = weft_eventcount_prepare(&eventcount_);

			if (flag_.load(std::memory_order_relaxed))
				weft_eventcount_cancel(&eventcount_);
			else
				weft_eventcount_wait(&eventcount_, key, SpinNs, WEFT_FOREVER);
		}
	}

      private:
	WEFT_LINE_ALIGNED weft_eventcount eventcount_ = {};
	WEFT_LINE_ALIGNED std::atomic<bool> flag_{false};
};

/* A bell in the form that sleeps at once, or in the one that first spins. */
template <class Bell>
void add_round_trip(const std::string &structure, const std::string &scenario,
		    const std::string &name, role role)
{
	add(structure, scenario, unit::time,
	    {name, role, [] { return bell_scenarios<Bell>::round_trip(false); }});
}

template <template <unsigned> class Bell>
void add_bell(const std::string &structure, const std::string &name, role role)
{
	add(structure, "uncontended", unit::time,
	    {name, role, bell_scenarios<Bell<0>>::uncontended});
	add_round_trip<Bell<spin_ns>>(structure, "spinning_round_trip", name, role);
	add_round_trip<Bell<0>>(structure, "parked_round_trip", name, role);
}

void add_floors(const std::string &structure)
{
	add_round_trip<bare_word>(structure, "spinning_round_trip", "bare_word", role::floor);
	add_round_trip<bare_futex>(structure, "parked_round_trip", "bare_futex", role::floor);
}

} // namespace

void add_park()
{
	add_bell<parker_bell>("park", "weft", role::weft);
	add_bell<condvar_bell>("park", "mutex_condvar", role::baseline);
	add_floors("park");
}

void add_eventcount()
{
	add_bell<eventcount_bell>("eventcount", "weft", role::weft);
	add_bell<condvar_bell>("eventcount", "mutex_condvar", role::baseline);
	add_floors("eventcount");
}

} // namespace bench
