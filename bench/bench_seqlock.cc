/* SPDX-License-Identifier: Apache-2.0 */

/*
 * seqlock: a read of a value of 64 bytes, while nobody writes and while another thread writes every
 * few hundred nanoseconds, against the value behind a mutex and behind a read-write lock.
 *
 * The time is CPU time per read, of all readers together.
 */

#include <pthread.h>

#include <weft/lockfree/seqlock.h>

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

class behind_mutex
{
      public:
	void read(snapshot &value)
	{
		pthread_mutex_lock(&mutex_);
		value = value_;
		pthread_mutex_unlock(&mutex_);
	}

	void write(const snapshot &value)
	{
		pthread_mutex_lock(&mutex_);
		value_ = value;
		pthread_mutex_unlock(&mutex_);
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	snapshot value_ = {};
};

class behind_rwlock
{
      public:
	void read(snapshot &value)
	{
		pthread_rwlock_rdlock(&lock_);
		value = value_;
		pthread_rwlock_unlock(&lock_);
	}

	void write(const snapshot &value)
	{
		pthread_rwlock_wrlock(&lock_);
		value_ = value;
		pthread_rwlock_unlock(&lock_);
	}

      private:
	WEFT_LINE_ALIGNED pthread_rwlock_t lock_ = PTHREAD_RWLOCK_INITIALIZER;
	snapshot value_ = {};
};

} // namespace

void add_seqlock()
{
	add_snapshot<seqlock>("seqlock", "weft", role::weft);
	add_snapshot<behind_mutex>("seqlock", "mutex", role::baseline);
	add_snapshot<behind_rwlock>("seqlock", "rwlock", role::baseline);
}

} // namespace bench
