/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_READER_LOCKS_H
#define WEFT_BENCH_READER_LOCKS_H

/* The locks behind which one keeps what is read: enter and exit for readers, exclude and admit for
 * the writer. */

#include <pthread.h>

#include <weft/lockfree/base.h>

namespace bench
{

class mutex_lock
{
      public:
	void enter()
	{
		pthread_mutex_lock(&mutex_);
	}

	void exit()
	{
		pthread_mutex_unlock(&mutex_);
	}

	void exclude()
	{
		enter();
	}

	void admit()
	{
		exit();
	}

      private:
	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

class rw_lock
{
      public:
	void enter()
	{
		pthread_rwlock_rdlock(&lock_);
	}

	void exit()
	{
		pthread_rwlock_unlock(&lock_);
	}

	void exclude()
	{
		pthread_rwlock_wrlock(&lock_);
	}

	void admit()
	{
		exit();
	}

      private:
	WEFT_LINE_ALIGNED pthread_rwlock_t lock_ = PTHREAD_RWLOCK_INITIALIZER;
};

} // namespace bench

#endif
