/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/sync/eventcount.h>

#include <weft/sync/park.h>

/*
 * Why no notification is lost: a waiter adds itself (N1), then looks at the condition; a notifier
 * makes the condition true, then looks for waiters. The two fences are in one order. If the
 * waiter's is first, the notifier sees the waiter; else the waiter sees the condition.
 */

uint32_t weft_eventcount_prepare(weft_eventcount *eventcount)
{
	/* relaxed: N1, ordered before the caller's next look by the fence. */
	atomic_fetch_add_explicit(&eventcount->waiters_, 1, memory_order_relaxed);
	/* N2 acquire, pairs with N5: a key that includes a notification brings its condition. */
	uint32_t key = atomic_load_explicit(&eventcount->epoch_, memory_order_acquire);

	/* N3 seq_cst, pairs with N4: see above. */
	atomic_thread_fence(memory_order_seq_cst);
	return key;
}

void weft_eventcount_cancel(weft_eventcount *eventcount)
{
	/* relaxed: a notifier that still counts us only enters the kernel in vain. */
	atomic_fetch_sub_explicit(&eventcount->waiters_, 1, memory_order_relaxed);
}

int weft_eventcount_wait(weft_eventcount *eventcount, uint32_t key, uint64_t spin_ns,
			 weft_deadline deadline)
{
	int error = 0;

	if (!weft_park_spin_(&eventcount->epoch_, key, spin_ns, deadline)) {
		/* N6 seq_cst, pairs with N7: see above. */
		atomic_fetch_add_explicit(&eventcount->sleepers_, 1, memory_order_seq_cst);
		/* N8 seq_cst, pairs with N5: see above; and what was done before. */
		if (atomic_load_explicit(&eventcount->epoch_, memory_order_seq_cst) == key)
			error = weft_park_while(&eventcount->epoch_, key, 0, deadline);
		/* relaxed: as in cancel. */
		atomic_fetch_sub_explicit(&eventcount->sleepers_, 1, memory_order_relaxed);
	}
	weft_eventcount_cancel(eventcount);
	return error;
}

static void notify(weft_eventcount *eventcount, int32_t count)
{
	/* N4 seq_cst, pairs with N3: see above. */
	atomic_thread_fence(memory_order_seq_cst);
	/* relaxed: ordered by the fence. */
	if (WEFT_LIKELY(atomic_load_explicit(&eventcount->waiters_, memory_order_relaxed) == 0))
		return;
	/* N5 seq_cst, pairs with N2, N8: and with the loads of park. */
	atomic_fetch_add_explicit(&eventcount->epoch_, 1, memory_order_seq_cst);
	/* N7 seq_cst, pairs with N6: see above. */
	if (atomic_load_explicit(&eventcount->sleepers_, memory_order_seq_cst) != 0)
		weft_park_wake(&eventcount->epoch_, count);
}

void weft_eventcount_notify_one(weft_eventcount *eventcount)
{
	notify(eventcount, 1);
}

void weft_eventcount_notify_all(weft_eventcount *eventcount)
{
	notify(eventcount, WEFT_PARK_ALL);
}
