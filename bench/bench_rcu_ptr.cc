/* SPDX-License-Identifier: Apache-2.0 */

/*
 * rcu_ptr and reclaim: a read of 64 bytes through a pointer, while nobody replaces them and while
 * another thread does so every few hundred nanoseconds, against a mutex and a read-write lock; and
 * what it costs to retire, against freeing under the write lock that keeps readers away.
 */

#include <cstdlib>
#include <memory>

#include <weft/lockfree/rcu_ptr.h>

#include "baseline/reader_locks.h"
#include "harness.h"
#include "registry.h"
#include "retire_scenarios.h"
#include "snapshot_scenarios.h"

namespace bench
{

namespace
{

WEFT_RCU_PTR_DEFINE(snapshot_ptr, snapshot);

class by_rcu_ptr
{
      public:
	by_rcu_ptr()
	{
		snapshot_ptr_init(&pointer_, new snapshot());
	}

	by_rcu_ptr(const by_rcu_ptr &) = delete;

	~by_rcu_ptr()
	{
		delete snapshot_ptr_exchange(&pointer_, nullptr);
		weft_reclaim_barrier();
	}

	void read(snapshot &value) const
	{
		weft_reclaim_enter();
		value = *snapshot_ptr_read(&pointer_);
		weft_reclaim_exit();
	}

	void write(const snapshot &value)
	{
		auto *made = new snapshot(value);

		while (snapshot_ptr_update(&pointer_, made, destroy) != 0)
			weft_reclaim_poll();
	}

      private:
	static void destroy(void *old)
	{
		delete static_cast<snapshot *>(old);
	}

	WEFT_LINE_ALIGNED snapshot_ptr pointer_;
};

/* A pointer behind a lock: a reader holds it while it looks, and a writer frees under it. */
template <class Lock> class behind_lock
{
      public:
	void read(snapshot &value)
	{
		lock_.enter();
		value = *pointer_;
		lock_.exit();
	}

	void write(const snapshot &value)
	{
		auto made = std::make_unique<snapshot>(value);

		lock_.exclude();
		pointer_.swap(made);
		lock_.admit();
	}

      private:
	Lock lock_;
	std::unique_ptr<snapshot> pointer_ = std::make_unique<snapshot>();
};

class by_weft
{
      public:
	static void retire(retired_piece *piece)
	{
		while (weft_reclaim_retire(&piece->head, destroy, sizeof(*piece)) != 0)
			weft_reclaim_poll();
	}

	static void finish()
	{
		weft_reclaim_barrier();
	}

      private:
	static void destroy(weft_reclaim_head *head)
	{
		free_piece(head);
	}
};

/* What one does without: the write lock keeps readers away, then it is freed at once. */
template <class Lock> class under_lock
{
      public:
	void retire(retired_piece *piece)
	{
		lock_.exclude();
		free_piece(piece);
		lock_.admit();
	}

	static void finish() {}

      private:
	Lock lock_;
};

} // namespace

void add_rcu_ptr()
{
	add_snapshot<by_rcu_ptr>("rcu_ptr", "weft", role::weft);
	add_snapshot<behind_lock<mutex_lock>>("rcu_ptr", "mutex", role::baseline);
	add_snapshot<behind_lock<rw_lock>>("rcu_ptr", "rwlock", role::baseline);
	add_retire<by_weft>("rcu_ptr", "weft", role::weft);
	add_retire<under_lock<mutex_lock>>("rcu_ptr", "mutex", role::baseline);
	add_retire<under_lock<rw_lock>>("rcu_ptr", "rwlock", role::baseline);
}

} // namespace bench
