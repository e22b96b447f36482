/* SPDX-License-Identifier: Apache-2.0 */

/*
 * seqlock: a read of a value of 64 bytes, while nobody writes and while another thread writes every
 * few hundred nanoseconds, against the value behind a mutex and behind a read-write lock.
 *
 * The time is CPU time per read, of all readers together.
 */

#include <weft/lockfree/seqlock.h>

#include "baseline/reader_locks.h"
#include "harness.h"
#include "registry.h"
#include "snapshot_scenarios.h"

namespace bench
{

namespace
{

WEFT_SEQLOCK_DEFINE(seqlock_of_snapshot, struct snapshot);

class seqlock
{
      public:
	seqlock()
	{
		snapshot first = {};

		seqlock_of_snapshot_init(&lock_, &first);
	}

	void read(snapshot &value) const
	{
		seqlock_of_snapshot_read(&lock_, &value);
	}

	void write(const snapshot &value)
	{
		seqlock_of_snapshot_write(&lock_, &value);
	}

      private:
	seqlock_of_snapshot lock_;
};

template <class Lock> class behind_lock
{
      public:
	void read(snapshot &value)
	{
		lock_.enter();
		value = value_;
		lock_.exit();
	}

	void write(const snapshot &value)
	{
		lock_.exclude();
		value_ = value;
		lock_.admit();
	}

      private:
	Lock lock_;
	snapshot value_ = {};
};

} // namespace

void add_seqlock()
{
	add_snapshot<seqlock>("seqlock", "weft", role::weft);
	add_snapshot<behind_lock<mutex_lock>>("seqlock", "mutex", role::baseline);
	add_snapshot<behind_lock<rw_lock>>("seqlock", "rwlock", role::baseline);
}

} // namespace bench
