/* SPDX-License-Identifier: Apache-2.0 */

/* strand: tasks that run one at a time and in order, all of one strand or of many in turn, against
 * lists behind mutexes over a mutex pool. */

#include <memory>

#include <weft/pool/strand.h>

#include "baseline/mutex_strand.h"
#include "pinned_pool.h"
#include "strand_scenarios.h"

namespace bench
{

namespace
{

/* As many workers as places, and so many strands of theirs. */
class weft_strands
{
      public:
	using task = weft_task;

	explicit weft_strands(unsigned count)
	    : pool_(0, placement::instance().places()),
	      strands_(std::make_unique<weft_strand[]>(count)), count_(count)
	{
		for (unsigned i = 0; i < count; i++)
			weft_strand_init(&strands_[i], pool_, nullptr);
	}

	weft_strands(const weft_strands &) = delete;

	~weft_strands()
	{
		for (unsigned i = 0; i < count_; i++)
			weft_strand_fini(&strands_[i]);
	}

	void submit(unsigned strand, task &submitted, void (*function)(task *))
	{
		weft_submit_options options = WEFT_SUBMIT_OPTIONS_INIT;

		options.strand = &strands_[strand];
		weft_task_init(&submitted, function);
		weft_task_submit_with(pool_, &submitted, &options);
	}

      private:
	pinned_pool pool_;
	std::unique_ptr<weft_strand[]> strands_;
	unsigned count_;
};

template <unsigned SpinNs> class mutex_strands
{
	using strand = mutex_strand<SpinNs>;

      public:
	using task = typename strand::task;

	explicit mutex_strands(unsigned count) : pool_(0, placement::instance().places())
	{
		for (unsigned i = 0; i < count; i++)
			strands_.push_back(std::make_unique<strand>(pool_));
	}

	void submit(unsigned number, task &submitted, void (*function)(task *))
	{
		submitted.function = function;
		strands_[number]->submit(submitted);
	}

      private:
	/* Outlive the pool, whose end is that of their tasks. */
	std::vector<std::unique_ptr<strand>> strands_;
	mutex_pool<SpinNs> pool_;
};

template <class Strands> void add_strands(const std::string &name, role role)
{
	for (unsigned count : {1u, 64u})
		add("strand", std::to_string(count) + (count == 1 ? "_strand" : "_strands"),
		    unit::time,
		    {name, role, [count] { return strand_scenario<Strands>::measure(count); }});
}

} // namespace

void add_strand()
{
	add_strands<weft_strands>("weft", role::weft);
	add_strands<mutex_strands<0>>("mutex_pool", role::baseline);
	add_strands<mutex_strands<30000>>("mutex_pool_spin", role::baseline);
}

} // namespace bench
