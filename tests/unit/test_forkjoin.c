/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/forkjoin. The linker sends the library's mmap to __wrap_mmap64 below, for files are
 * large.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include <weft/pool/forkjoin.h>

#include "../pool_fixture.h"

void *__real_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t offset);

static bool no_memory;

void *__wrap_mmap64(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
	return no_memory ? MAP_FAILED
			 : __real_mmap64(address, bytes, protection, flags, file, offset);
}

WEFT_FORKABLE_1(long, fib, int);

static long fib(weft_fork at, int n)
{
	if (n < 2)
		return n;
	fib_fork(&at, n - 1);

	long b = fib(at, n - 2);

	return fib_join(&at) + b;
}

static void recursion(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 8; workers *= 2) {
		weft_pool *pool = pool_of(workers, 0);
		long value = 0;

		for (int n = 0; n <= 20; n++)
			assert_int_equal(fib_run(pool, &value, n), 0);
		assert_int_equal(value, 6765);
		weft_pool_destroy(pool);
	}
}

/* Functions of every number of arguments. */

typedef struct many {
	long a, b, c, d, e, f;
} many;

WEFT_FORKABLE_0(int, none);
WEFT_FORKABLE_2(char, two, char, char);
WEFT_FORKABLE_3(double, three, double, float, int);
WEFT_FORKABLE_4(const char *, four, const char *, int, short, char);
WEFT_FORKABLE_5(long, five, long, long, long, long, long);
WEFT_FORKABLE_6(many, six, long, long, long, long, long, long);
WEFT_FORKABLE_VOID_0(nothing);
WEFT_FORKABLE_VOID_1(nothing_of_1, long *);
WEFT_FORKABLE_VOID_2(nothing_of_2, long *, long);
WEFT_FORKABLE_VOID_3(nothing_of_3, long *, long, long);
WEFT_FORKABLE_VOID_4(nothing_of_4, long *, long, long, long);
WEFT_FORKABLE_VOID_5(nothing_of_5, long *, long, long, long, long);
WEFT_FORKABLE_VOID_6(nothing_of_6, long *, long, long, long, long, long);

static int none(weft_fork at)
{
	(void)at;
	return 7;
}

static char two(weft_fork at, char a, char b)
{
	(void)at;
	return (char)(a + b);
}

static double three(weft_fork at, double a, float b, int c)
{
	(void)at;
	return a + (double)b + c;
}

static const char *four(weft_fork at, const char *text, int a, short b, char c)
{
	(void)at;
	return text + a + b + c;
}

static long five(weft_fork at, long a, long b, long c, long d, long e)
{
	(void)at;
	return a + 2 * b + 3 * c + 4 * d + 5 * e;
}

static many six(weft_fork at, long a, long b, long c, long d, long e, long f)
{
	(void)at;
	return (many){f, e, d, c, b, a};
}

static gate calls;

static void nothing(weft_fork at)
{
	(void)at;
	atomic_fetch_add(&calls.arrived, 1);
}

static void nothing_of_1(weft_fork at, long *sum)
{
	(void)at;
	*sum = 1;
}

static void nothing_of_2(weft_fork at, long *sum, long b)
{
	(void)at;
	*sum = b;
}

static void nothing_of_3(weft_fork at, long *sum, long b, long c)
{
	(void)at;
	*sum = b + 2 * c;
}

static void nothing_of_4(weft_fork at, long *sum, long b, long c, long d)
{
	(void)at;
	*sum = b + 2 * c + 3 * d;
}

static void nothing_of_5(weft_fork at, long *sum, long b, long c, long d, long e)
{
	(void)at;
	*sum = b + 2 * c + 3 * d + 4 * e;
}

static void nothing_of_6(weft_fork at, long *sum, long b, long c, long d, long e, long f)
{
	(void)at;
	*sum = b + 2 * c + 3 * d + 4 * e + 5 * f;
}

static bool is_reversed(many value)
{
	return value.a == 6 && value.b == 5 && value.c == 4 && value.d == 3 && value.e == 2 &&
	       value.f == 1;
}

/* All of them forked at once, joined in the opposite order. */
WEFT_FORKABLE_0(int, all_of_them);

static int all_of_them(weft_fork at)
{
	long sums[7] = {0};

	none_fork(&at);
	two_fork(&at, 40, 2);
	three_fork(&at, 0.5, 0.25F, 3);
	four_fork(&at, "abcdefg", 1, 2, 3);
	five_fork(&at, 1, 2, 3, 4, 5);
	six_fork(&at, 1, 2, 3, 4, 5, 6);
	nothing_fork(&at);
	nothing_of_1_fork(&at, &sums[1]);
	nothing_of_2_fork(&at, &sums[2], 1);
	nothing_of_3_fork(&at, &sums[3], 1, 2);
	nothing_of_4_fork(&at, &sums[4], 1, 2, 3);
	nothing_of_5_fork(&at, &sums[5], 1, 2, 3, 4);
	nothing_of_6_fork(&at, &sums[6], 1, 2, 3, 4, 5);
	nothing_of_6_join(&at);
	nothing_of_5_join(&at);
	nothing_of_4_join(&at);
	nothing_of_3_join(&at);
	nothing_of_2_join(&at);
	nothing_of_1_join(&at);
	nothing_join(&at);
	must(sums[1] == 1 && sums[2] == 1 && sums[3] == 5);
	must(sums[4] == 14 && sums[5] == 30 && sums[6] == 55);
	must(is_reversed(six_join(&at)));
	must(five_join(&at) == 55);
	must(*four_join(&at) == 'g');
	must(three_join(&at) == 3.75);
	must(two_join(&at) == 42);
	return none_join(&at);
}

static void arguments_and_results(void **state)
{
	weft_pool *pool = pool_of(2, WEFT_FOREVER);
	many value = {0};
	long sum = 0;
	int seven = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		assert_int_equal(all_of_them_run(pool, &seven), 0);
	assert_int_equal(seven, 7);
	assert_int_equal(atomic_load(&calls.arrived), 200);
	assert_int_equal(six_run(pool, &value, 1, 2, 3, 4, 5, 6), 0);
	assert_true(is_reversed(value));
	assert_int_equal(nothing_of_6_run(pool, &sum, 1, 2, 3, 4, 5), 0);
	assert_int_equal(sum, 55);
	weft_pool_destroy(pool);
}

/* More calls than can be stolen, so that forks make them; and again, in the same slots. */
WEFT_FORKABLE_1(long, loop, long);
WEFT_FORKABLE_1(long, same, long);

static long same(weft_fork at, long number)
{
	/* What a fork makes at once may fork. */
	return number % 1000 == 0 ? number + fib(at, 5) : number;
}

static long loop(weft_fork at, long count)
{
	long sum = 0;

	for (long i = 0; i < count; i++)
		same_fork(&at, i);
	for (long i = count - 1; i >= 0; i--)
		must(same_join(&at) == (i % 1000 == 0 ? i + 5 : i));
	for (long i = 0; i < 10; i++)
		same_fork(&at, 2 * i + 1);
	for (long i = 0; i < 10; i++)
		sum += same_join(&at);
	return sum;
}

static void more_forks_than_can_be_stolen(void **state)
{
	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		weft_pool *pool = pool_of(workers, WEFT_FOREVER);
		long sum = 0;

		assert_int_equal(loop_run(pool, &sum, 200000), 0);
		assert_int_equal(sum, 100);
		weft_pool_destroy(pool);
	}
}

/* A call that another worker steals, however small all is: those that are forked later ask whoever
 * is hungry. The thief stands at a gate meanwhile. */
static gate stolen;

enum meeting {
	OPENS,   /* the owner opens the gate before its join */
	LEAVES,  /* somebody else does */
	FOLLOWS, /* the same, and the join comes when another run has something to offer */
	SUBMITS, /* a task does that the owner has submitted, and that only its worker can run */
};

WEFT_FORKABLE_1(int, stand, weft_worker_ *);
WEFT_FORKABLE_2(int, meet, int, weft_task *);

static int stand(weft_fork at, weft_worker_ *owner)
{
	(void)at;
	if (weft_worker_current_ == owner)
		return 0;
	gate_pass(&stolen);
	return 1;
}

/* What opens the gate when the owner's run is suspended. */
static void *open_when_suspended(void *pool)
{
	weft_deadline deadline = guard();
	weft_pool *of = pool;

	for (;;) {
		for (unsigned i = 0; i < of->workers; i++) {
			if (atomic_load(&of->worker[i]->fibers.suspended) == 1) {
				gate_open(&stolen);
				return NULL;
			}
		}
		must(weft_now() < deadline);
		sched_yield();
	}
}

static _Atomic(weft_fork_stack *) stack_of_join;
static atomic_bool something_is_offered;

static void open_gate(weft_task *task)
{
	(void)task;
	gate_open(&stolen);
}

static int meet(weft_fork at, int meeting, weft_task *task)
{
	weft_deadline deadline = guard();
	int others;

	atomic_store(&stack_of_join, weft_fork_stack_of_(at));
	stand_fork(&at, weft_worker_current_);
	while (atomic_load(&stolen.arrived) == 0) {
		must(weft_now() < deadline);
		none_fork(&at);
		must(none_join(&at) == 7);
	}
	if (meeting == OPENS)
		gate_open(&stolen);
	while (meeting == FOLLOWS && !atomic_load(&something_is_offered))
		must(weft_now() < deadline);
	if (meeting == SUBMITS)
		must(weft_task_submit(weft_worker_current_->pool, task) == 0);
	others = stand_join(&at);
	return others;
}

static void call_is_stolen(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	int others = 0;

	(void)state;
	memset((void *)&stolen, 0, sizeof(stolen));
	/* The second worker sleeps, and is woken by a fork. */
	pool_await_rest(pool);
	assert_int_equal(meet_run(pool, &others, OPENS, NULL), 0);
	assert_int_equal(others, 1);
	assert_true(statistics_of(pool).woken >= 2);
	assert_true(statistics_of(pool).stolen >= 1);
	weft_pool_destroy(pool);
}

static void join_is_suspended_until_the_thief_is_done(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	pthread_t opener;
	int others = 0;

	(void)state;
	memset((void *)&stolen, 0, sizeof(stolen));
	assert_int_equal(pthread_create(&opener, NULL, open_when_suspended, pool), 0);
	assert_int_equal(meet_run(pool, &others, LEAVES, NULL), 0);
	assert_int_equal(pthread_join(opener, NULL), 0);
	assert_int_equal(others, 1);
	weft_pool_destroy(pool);
}

/* Workers that spin for ever: if the join did, too, the task would never be run. */
static void waiting_join_gives_way(void **state)
{
	weft_pool *pool = pool_of(2, WEFT_FOREVER);
	weft_task task;
	int others = 0;

	(void)state;
	memset((void *)&stolen, 0, sizeof(stolen));
	weft_task_init(&task, open_gate);
	assert_int_equal(meet_run(pool, &others, SUBMITS, &task), 0);
	assert_int_equal(others, 1);
	assert_int_equal(weft_task_wait(&task, guard()), 0);
	weft_pool_destroy(pool);
}

/* A join waits for a thief that stands at the gate, while another run has a call to steal: whoever
 * makes it, it is not made on the stack of the join. */
static _Atomic(weft_fork_stack *) stack_of_offered;

WEFT_FORKABLE_1(int, offered, weft_worker_ *);
WEFT_FORKABLE_0(int, offer);

static int offered(weft_fork at, weft_worker_ *owner)
{
	atomic_store(&stack_of_offered, weft_fork_stack_of_(at));
	return weft_worker_current_ != owner;
}

static int offer(weft_fork at)
{
	weft_deadline deadline = guard();

	offered_fork(&at, weft_worker_current_);
	atomic_store(&something_is_offered, true);
	while (atomic_load(&stack_of_offered) == NULL) {
		must(weft_now() < deadline);
		none_fork(&at);
		must(none_join(&at) == 7);
	}
	gate_open(&stolen);
	return offered_join(&at);
}

static void *meet_and_wait(void *pool)
{
	int others = 0;

	must(meet_run(pool, &others, FOLLOWS, NULL) == 0);
	must(others == 1);
	return NULL;
}

static void waiting_join_steals_on_another_stack(void **state)
{
	weft_pool *pool = pool_of(3, WEFT_FOREVER);
	weft_deadline deadline = guard();
	pthread_t other;
	int others = 0;

	(void)state;
	memset((void *)&stolen, 0, sizeof(stolen));
	assert_int_equal(pthread_create(&other, NULL, meet_and_wait, pool), 0);
	while (atomic_load(&stolen.arrived) == 0)
		assert_true(weft_now() < deadline);
	assert_int_equal(offer_run(pool, &others), 0);
	assert_int_equal(others, 1);
	assert_int_equal(pthread_join(other, NULL), 0);
	assert_ptr_not_equal(atomic_load(&stack_of_offered), atomic_load(&stack_of_join));
	weft_pool_destroy(pool);
}

/*
 * A worker, the first that comes, makes calls that fork another one and wait until that is stolen:
 * each of its joins gives the worker away, for the thief waits, too, in the manner of a future. It
 * would begin another such call again and again. The others make them as nothing, and go on for
 * long when it has stopped.
 */
static struct {
	gate gate;
	_Atomic(weft_worker_ *) joiner;
	atomic_uint joining, begun, begun_before;
} crowd;

WEFT_FORKABLE_0(int, waits);
WEFT_FORKABLE_0(int, joins);
WEFT_FORKABLE_0(long, supply);

static int waits(weft_fork at)
{
	(void)at;
	atomic_fetch_add(&crowd.gate.arrived, 1);
	must(weft_park_while(&crowd.gate.open, 0, 0, guard()) == 0);
	return 1;
}

static int joins(weft_fork at)
{
	weft_worker_ *nobody = NULL;
	weft_deadline deadline = guard();
	unsigned arrived;

	atomic_fetch_add(&crowd.begun, 1);
	if (atomic_load(&crowd.gate.open) != 0 ||
	    (weft_worker_current_ != atomic_load(&crowd.joiner) &&
	     !atomic_compare_exchange_strong(&crowd.joiner, &nobody, weft_worker_current_))) {
		sched_yield();
		return 0;
	}
	arrived = atomic_load(&crowd.gate.arrived);
	waits_fork(&at);
	while (atomic_load(&crowd.gate.arrived) == arrived) {
		must(weft_now() < deadline);
		none_fork(&at);
		must(none_join(&at) == 7);
		sched_yield();
	}
	atomic_fetch_add(&crowd.joining, 1);
	atomic_store(&crowd.begun_before, atomic_load(&crowd.begun));
	return waits_join(&at);
}

static long supply(weft_fork at)
{
	enum {
		MAX = WEFT_FORK_WAITING_MAX_
	};
	weft_deadline deadline = guard();
	unsigned forked = 0;
	long sum = 0;

	while (atomic_load(&crowd.joining) < MAX ||
	       (atomic_load(&crowd.joining) < 2 * MAX &&
		atomic_load(&crowd.begun) - atomic_load(&crowd.begun_before) < 1000)) {
		must(weft_now() < deadline);
		if (forked < atomic_load(&crowd.begun) + 4) {
			joins_fork(&at);
			forked++;
		}
		none_fork(&at);
		must(none_join(&at) == 7);
		sched_yield();
	}
	gate_open(&crowd.gate);
	while (forked-- > 0)
		sum += joins_join(&at);
	return sum;
}

static void stacks_of_waiting_joins_are_bounded(void **state)
{
	weft_pool *pool = pool_of(3, 1);
	long sum = 0;

	(void)state;
	memset((void *)&crowd, 0, sizeof(crowd));
	assert_int_equal(supply_run(pool, &sum), 0);
	assert_int_equal(atomic_load(&crowd.joining), WEFT_FORK_WAITING_MAX_);
	assert_int_equal(sum, WEFT_FORK_WAITING_MAX_);
	weft_pool_destroy(pool);
}

/* A run on a worker, in a call of another run. */
static weft_pool *within;

WEFT_FORKABLE_1(long, nested, int);

static long nested(weft_fork at, int depth)
{
	long value = 0;

	if (depth == 0)
		return fib(at, 10);
	nested_fork(&at, depth - 1);
	must(nested_run(within, &value, depth - 1) == 0);
	return nested_join(&at) + value;
}

static void task_runs(weft_task *task)
{
	long value = 0;

	(void)task;
	must(nested_run(within, &value, 3) == 0);
	must(value == 8 * 55);
}

static void runs_within_runs(void **state)
{
	weft_task task;
	long value = 0;

	(void)state;
	for (unsigned workers = 1; workers <= 3; workers++) {
		within = pool_of(workers, 0);
		for (int i = 0; i < 20; i++)
			assert_int_equal(nested_run(within, &value, 5), 0);
		assert_int_equal(value, 32 * 55);
		weft_task_init(&task, task_runs);
		assert_int_equal(weft_task_submit(within, &task), 0);
		assert_int_equal(weft_task_wait(&task, guard()), 0);
		weft_pool_destroy(within);
	}
}

static void run_is_refused(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	long value = -1;

	(void)state;
	assert_int_equal(fib_run(NULL, &value, 3), -EINVAL);
	assert_int_equal(fib_run(pool, NULL, 3), -EINVAL);
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, guard()), 0);
	assert_int_equal(fib_run(pool, &value, 3), -EPIPE);
	assert_int_equal(value, -1);
	weft_pool_destroy(pool);
}

/* One that has not begun when the pool aborts. */
static void *run_in_vain(void *pool)
{
	long value = -1;

	must(fib_run(pool, &value, 3) == -ECANCELED);
	must(value == -1);
	return NULL;
}

static void run_is_canceled(void **state)
{
	weft_pool *pool = pool_of(1, 1);
	weft_deadline deadline = guard();
	pthread_t thread;
	gate_task holder;
	gate at = {0};

	(void)state;
	gate_hold(pool, &at, &holder, 1);
	assert_int_equal(pthread_create(&thread, NULL, run_in_vain, pool), 0);
	while (statistics_of(pool).submitted < 2) {
		assert_true(weft_now() < deadline);
		sched_yield();
	}
	assert_int_equal(weft_pool_shutdown(pool, WEFT_SHUTDOWN_ABORT, WEFT_NOW), -ETIMEDOUT);
	gate_let_go(&at, &holder, 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
	weft_pool_destroy(pool);
}

static void out_of_memory(void **state)
{
	weft_pool *pool = pool_of(2, 1);
	long value = -1;

	(void)state;
	no_memory = true;
	assert_int_equal(fib_run(pool, &value, 3), -ENOMEM);
	assert_int_equal(value, -1);
	no_memory = false;
	assert_int_equal(fib_run(pool, &value, 15), 0);
	assert_int_equal(value, 610);
	weft_pool_destroy(pool);
}

/* Recursion to where no stack reaches: a guard page ends the process. */
WEFT_FORKABLE_1(long, endless, long);

static long endless(weft_fork at, long depth)
{
	long value;

	if (depth == 1000000000)
		return 0;
	endless_fork(&at, 1000000000);
	value = endless(at, depth + 1);
	return endless_join(&at) + value;
}

static void stack_has_a_guard(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	/* Its own functions, on the same stack, may be what meets the guard: with locks held. */
	if (SANITIZED_THREADS)
		return;
	child = fork();
	if (child == 0) {
		const struct rlimit none = {0, 0};
		long value;

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL);
		endless_run(pool_of(2, 0), &value, 0);
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

#ifndef NDEBUG

/* Whether a process of its own, which does this, aborts and says that. */
static void dies(void (*body)(void), const char *says)
{
	char text[256] = "";
	int status = 0, ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		body();
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, says));
	close(ends[0]);
	close(ends[1]);
}

/* What a function does that is mistaken. */
enum mistake {
	JOINS_WITHOUT_A_FORK,
	JOINS_ANOTHER,
	JOINS_NOTHING,
	CALLS_WHO_JOINS_NOTHING,
	JOINS_WHO_JOINS_NOTHING,
};

WEFT_FORKABLE_1(int, mistaken, int);

static int mistaken(weft_fork at, int mistake)
{
	switch (mistake) {
	case JOINS_WITHOUT_A_FORK:
		return none_join(&at);
	case JOINS_ANOTHER:
		none_fork(&at);
		return two_join(&at);
	case JOINS_NOTHING:
		none_fork(&at);
		return 0;
	case CALLS_WHO_JOINS_NOTHING:
		two_fork(&at, 1, 2);
		mistaken(at, JOINS_NOTHING);
		return two_join(&at);
	default:
		mistaken_fork(&at, JOINS_NOTHING);
		return mistaken_join(&at);
	}
}

static void make(enum mistake mistake)
{
	int value;

	mistaken_run(pool_of(1, 1), &value, (int)mistake);
}

static void join_without_a_fork(void)
{
	make(JOINS_WITHOUT_A_FORK);
}

static void join_of_another(void)
{
	make(JOINS_ANOTHER);
}

static void no_join(void)
{
	make(JOINS_NOTHING);
}

static void no_join_in_a_call(void)
{
	make(CALLS_WHO_JOINS_NOTHING);
}

static void no_join_in_a_joined_call(void)
{
	make(JOINS_WHO_JOINS_NOTHING);
}

static void mistakes_are_noticed(void **state)
{
	(void)state;
	dies(join_without_a_fork, "a join is of the last call");
	dies(join_of_another, "a join is of the last call");
	dies(no_join, "mistaken: a function joins all");
	dies(no_join_in_a_joined_call, "mistaken: a function joins all");
	/* The one that notices does not know who it was, but whose call is left. */
	dies(no_join_in_a_call, "none: a function joins all");
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recursion),
		cmocka_unit_test(arguments_and_results),
		cmocka_unit_test(more_forks_than_can_be_stolen),
		cmocka_unit_test(call_is_stolen),
		cmocka_unit_test(join_is_suspended_until_the_thief_is_done),
		cmocka_unit_test(waiting_join_gives_way),
		cmocka_unit_test(stacks_of_waiting_joins_are_bounded),
		cmocka_unit_test(waiting_join_steals_on_another_stack),
		cmocka_unit_test(runs_within_runs),
		cmocka_unit_test(run_is_refused),
		cmocka_unit_test(run_is_canceled),
		cmocka_unit_test(out_of_memory),
		cmocka_unit_test(stack_has_a_guard),
#ifndef NDEBUG
		cmocka_unit_test(mistakes_are_noticed),
#endif
	};

	guard_program();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
