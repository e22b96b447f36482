/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/overflow: what a process says and how it ends whose task overflows its stack, and
 * that nobody's handler of SIGSEGV is taken away. Each process is a child of this one.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <weft/pool/forkjoin.h>

#include "../pool_fixture.h"

/* Uses the stack until there is none. */
__attribute__((noinline)) static long recurse(volatile const long *above)
{
	volatile long frame[64] = {*above + 1};

	if (frame[0] == -1)
		return 0;
	return recurse(frame) + frame[0];
}

static void overflow(weft_task *task)
{
	volatile const long begin = 0;

	(void)task;
	recurse(&begin);
}

static void take_token(weft_task *task);

typedef struct token_task {
	weft_task task;
	weft_parker parker;
} token_task;

static void take_token(weft_task *task)
{
	must(weft_parker_park(&((token_task *)task)->parker, 0, guard()) == 0);
}

/* The first task of all runs on the thread's own stack. */
static void overflow_first(void)
{
	weft_pool *pool = pool_of(1, 1);
	weft_task task;

	weft_task_init(&task, overflow);
	must(weft_task_submit(pool, &task) == 0);
	weft_task_wait(&task, guard());
}

/* While that one waits, the next runs on another. */
static void overflow_second(void)
{
	weft_pool *pool = pool_of(1, 1);
	token_task first = {.parker = {0}};
	weft_task task;

	weft_task_init(&first.task, take_token);
	must(weft_task_submit(pool, &first.task) == 0);
	while (statistics_of(pool).suspended == 0)
		sched_yield();
	weft_task_init(&task, overflow);
	must(weft_task_submit(pool, &task) == 0);
	weft_task_wait(&task, guard());
}

WEFT_FORKABLE_1(long, deeper, long);

static long deeper(weft_fork at, long level)
{
	volatile char frame[256] = {0};

	deeper_fork(&at, level + 1);
	return deeper_join(&at) + frame[0];
}

static void overflow_in_a_run(void)
{
	weft_pool *pool = pool_of(1, 1);
	long result;

	deeper_run(pool, &result, 0);
}

/* More calls than there are slots. Of those that nobody can steal most are left out. */
WEFT_FORKABLE_VOID_0(nothing);
WEFT_FORKABLE_VOID_0(forks);

static void nothing(weft_fork at)
{
	(void)at;
}

static void forks(weft_fork at)
{
	for (int i = 0; i < WEFT_FORK_STEALABLE_; i++)
		nothing_fork(&at);
	at += WEFT_FORK_GRANULE_ / sizeof(*at) - 2 * WEFT_FORK_STEALABLE_;
	for (;;)
		nothing_fork(&at);
}

static void overflow_by_forks(void)
{
	forks_run(pool_of(1, 1));
}

static void fault(weft_task *task)
{
	(void)task;
	*(volatile char *)(uintptr_t)4096 = 1;
}

static void fault_otherwise(void)
{
	weft_pool *pool = pool_of(1, 1);
	weft_task task;

	weft_task_init(&task, fault);
	must(weft_task_submit(pool, &task) == 0);
	weft_task_wait(&task, guard());
}

static void be_sent_a_signal(void)
{
	weft_pool *pool = pool_of(1, 1);

	(void)pool;
	kill(getpid(), SIGSEGV);
	sleep_until(guard());
}

static void on_fault(int number)
{
	(void)number;
	if (write(STDERR_FILENO, "mine\n", 5) == 5)
		_exit(7);
}

static void handle_before(void)
{
	signal(SIGSEGV, on_fault);
	fault_otherwise();
}

static void handle_after(void)
{
	weft_pool *pool = pool_of(1, 1);

	signal(SIGSEGV, on_fault);
	weft_pool_destroy(pool);
	*(volatile char *)(uintptr_t)4096 = 1;
}

/* Runs this in a process of its own. Returns its status, and what it has said. */
static int status_of(void (*body)(void), char *text, size_t size)
{
	const struct rlimit none = {0, 0};
	size_t length = 0;
	ssize_t got;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		guard_program();
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		body();
		_exit(0);
	}
	close(ends[1]);
	while (length + 1 < size && (got = read(ends[0], text + length, size - 1 - length)) > 0)
		length += (size_t)got;
	text[length] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void dies_of_the_fault(void (*body)(void), const char *says)
{
	char text[1000];
	int status = status_of(body, text, sizeof(text));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	if (says == NULL) {
		assert_string_equal(text, "");
		return;
	}
	assert_ptr_equal(strstr(text, "weft: stack overflow in a task on worker 0"), text);
	assert_non_null(strstr(text, says));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void overflow_says_one_line(void **state)
{
	(void)state;
	dies_of_the_fault(overflow_first, "");
	dies_of_the_fault(overflow_second, "262144 bytes (stack_bytes");
	dies_of_the_fault(overflow_in_a_run, "");
	dies_of_the_fault(overflow_by_forks, "forked more calls");
}

static void other_faults_say_nothing(void **state)
{
	(void)state;
	dies_of_the_fault(fault_otherwise, NULL);
	dies_of_the_fault(be_sent_a_signal, NULL);
}

static void handlers_of_the_program_stay(void **state)
{
	char text[1000];

	(void)state;
	for (int i = 0; i < 2; i++) {
		int status = status_of(i == 0 ? handle_before : handle_after, text, sizeof(text));

		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
		assert_string_equal(text, "mine\n");
	}
}

static int refuse(void *context, unsigned worker)
{
	(void)context;
	(void)worker;
	return -EXDEV;
}

static void action_is_put_back(void **state)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	struct sigaction before, during, after;
	weft_pool *one, *two;

	(void)state;
	/* cmocka has one of its own while a test runs. */
	signal(SIGSEGV, SIG_DFL);
	assert_int_equal(sigaction(SIGSEGV, NULL, &before), 0);
	one = pool_of(1, 1);
	two = pool_of(1, 1);
	weft_pool_destroy(one);
	assert_int_equal(sigaction(SIGSEGV, NULL, &during), 0);
	weft_pool_destroy(two);
	assert_int_equal(sigaction(SIGSEGV, NULL, &after), 0);
	assert_ptr_equal(after.sa_sigaction, before.sa_sigaction);
	assert_ptr_not_equal(during.sa_sigaction, before.sa_sigaction);
	/* And when there is no pool after all. */
	options.workers = 1;
	options.worker_begins = refuse;
	assert_int_equal(weft_pool_create(&one, &options), -EXDEV);
	assert_int_equal(sigaction(SIGSEGV, NULL, &after), 0);
	assert_ptr_equal(after.sa_sigaction, before.sa_sigaction);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overflow_says_one_line),
		cmocka_unit_test(other_faults_say_nothing),
		cmocka_unit_test(handlers_of_the_program_stay),
		cmocka_unit_test(action_is_put_back),
	};

	guard_program();
	if (SANITIZED) {
		/* The sanitizers report faults themselves. */
		puts("1..0 # SKIP");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
