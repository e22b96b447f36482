/* SPDX-License-Identifier: Apache-2.0 */

/* deque: its owner alone, and with thieves, against a deque behind a mutex. */

#include <array>
#include <new>

#include <weft/lockfree/deque.h>

#include "baseline/mutex_deque.h"
#include "deque_scenarios.h"

namespace bench
{

namespace
{

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
		std::array<void *, most_stolen> pointers;
		int error = weft_deque_steal_batch(&deque_, pointers.data(),
						   std::min(count, most_stolen), &stolen);

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
