/* SPDX-License-Identifier: Apache-2.0 */

/* The allocations of reclaim and rcu_ptr: a thread for which there is no record reads all the same,
 * and what cannot be retired stays the caller's. */

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <weft/lockfree/rcu_ptr.h>

#include "fail_alloc.h"

static unsigned freed;

static void count_only(weft_reclaim_head *head)
{
	(void)head;
	freed++;
}

static void count_pointer(void *pointer)
{
	(void)pointer;
	freed++;
}

static weft_reclaim_statistics statistics(void)
{
	weft_reclaim_statistics now = {.size = sizeof(now)};

	assert_int_equal(weft_reclaim_statistics_read(&now), 0);
	return now;
}

/* What a thread without a record says: 0, or which point is wrong. */
static void *read_without_a_record(void *unused)
{
	static weft_reclaim_head head;
	weft_reclaim_stall stall = {.size = sizeof(stall)};
	uintptr_t wrong = 0;

	(void)unused;
	fail_alloc_after(0);
	weft_reclaim_enter();
	if (!fail_alloc_happened())
		wrong = 1;
	fail_alloc_after(0);
	if (weft_reclaim_retire(&head, count_only, 1) != 0 || !fail_alloc_happened())
		wrong = 2;
	if (weft_reclaim_poll() != 0 || freed != 0)
		wrong = 3;
	if (weft_reclaim_stalled(&stall) != 1 || stall.readers != 1 || stall.thread != 0)
		wrong = 4;
	weft_reclaim_exit();
	if (weft_reclaim_poll() != 1 || freed != 1)
		wrong = 5;
	/* It is tried again, and now there is memory. */
	weft_reclaim_enter();
	if (statistics().threads != 1)
		wrong = 6;
	weft_reclaim_exit();
	return (void *)wrong;
}

static void a_thread_without_a_record(void **state)
{
	pthread_t thread;
	void *wrong;

	(void)state;
	freed = 0;
	assert_int_equal(statistics().threads, 0);
	assert_int_equal(pthread_create(&thread, NULL, read_without_a_record, NULL), 0);
	assert_int_equal(pthread_join(thread, &wrong), 0);
	assert_int_equal((uintptr_t)wrong, 0);
	assert_int_equal(statistics().threads, 0);
	assert_int_equal(statistics().objects, 0);
}

static int retire_pointer(void *unused)
{
	int error = weft_reclaim_retire_pointer(&freed, count_pointer, 1);

	(void)unused;
	assert_int_equal(weft_reclaim_barrier(), 0);
	return error;
}

static int update(void *pointer)
{
	weft_rcu_ptr *rcu = pointer;
	void *before = weft_rcu_ptr_read(rcu);
	int error = weft_rcu_ptr_update(rcu, (char *)before + 1, count_pointer, 1);

	assert_ptr_equal(weft_rcu_ptr_read(rcu), (char *)before + (error == 0));
	assert_int_equal(weft_reclaim_barrier(), 0);
	return error;
}

static void what_cannot_be_retired_stays(void **state)
{
	static char bytes[8];
	weft_rcu_ptr rcu;

	(void)state;
	/* So that this thread has its record. */
	fail_alloc_after(-1);
	weft_reclaim_enter();
	weft_reclaim_exit();
	freed = 0;
	assert_int_equal(fail_alloc_each(retire_pointer, NULL), 1);
	assert_int_equal(freed, 1);
	weft_rcu_ptr_init(&rcu, bytes);
	assert_int_equal(fail_alloc_each(update, &rcu), 1);
	assert_int_equal(freed, 2);
}

static void does_not_allocate(void **state)
{
	static weft_reclaim_head heads[10000];

	(void)state;
	weft_reclaim_enter();
	weft_reclaim_exit();
	fail_alloc_after(-1);
	for (int i = 0; i < 10000; i++) {
		weft_reclaim_enter();
		weft_reclaim_exit();
		assert_int_equal(weft_reclaim_retire(&heads[i], count_only, 1), 0);
		weft_reclaim_quiescent();
	}
	assert_int_equal(weft_reclaim_synchronize(), 0);
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(fail_alloc_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_without_a_record),
		cmocka_unit_test(what_cannot_be_retired_stays),
		cmocka_unit_test(does_not_allocate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
