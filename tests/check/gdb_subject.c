/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_gdb.sh looks at: a program with three suspended tasks, which stops itself. It has debug
 * information, also of the pool's own types, whatever the library has.
 */
#include <signal.h>

#include "../pool_fixture.h"

static weft_parker never[2];
static WEFT_ATOMIC(uint32_t) word;

static __attribute__((noinline)) int wait_for_the_token(weft_parker *token)
{
	return weft_parker_park(token, 0, WEFT_FOREVER) + 1;
}

static void wait_as_first(weft_task *task)
{
	(void)task;
	wait_for_the_token(&never[0]);
	/* Not the last thing, lest it be a jump. */
	atomic_store(&word, 1);
}

static void wait_as_second(weft_task *task)
{
	(void)task;
	wait_for_the_token(&never[1]);
	atomic_store(&word, 1);
}

static void wait_for_the_word(weft_task *task)
{
	(void)task;
	weft_park_while(&word, 0, 0, WEFT_FOREVER);
	atomic_store(&word, 1);
}

int main(void)
{
	weft_task_function functions[] = {wait_as_first, wait_as_second, wait_for_the_word};
	weft_pool *pool = pool_of(1, 1);
	weft_task tasks[3];

	/* Types that only pointers are made of are not in the debug information. */
	must(pool->worker[0]->fibers.running != NULL && weft_worker_current_ == NULL);
	for (uint32_t i = 0; i < 3; i++) {
		weft_task_init(&tasks[i], functions[i]);
		must(weft_task_submit(pool, &tasks[i]) == 0);
		while (statistics_of(pool).suspended <= i)
			sched_yield();
	}
	raise(SIGTRAP);
	return 0;
}
