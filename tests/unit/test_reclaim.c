/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <urcu/static/urcu-memb.h>
#include <urcu/urcu-qsbr.h>

#include <weft/lockfree/reclaim.h>

#include "../../lockfree/reclaim_thread.h"
#include "../seeded_random.h"

#define OBJECTS_DEFAULT 262144
#define BYTES_DEFAULT   ((size_t)256 * 1024 * 1024)

/* Called by one thread at a time, with what is between them in order. */
static unsigned freed;

typedef struct piece {
	int number;
	weft_reclaim_head head;
} piece;

static void free_piece(weft_reclaim_head *head)
{
	freed++;
	free((char *)head - offsetof(piece, head));
}

static void retire_piece(size_t bytes)
{
	piece *made = malloc(sizeof(*made));

	assert_non_null(made);
	assert_int_equal(weft_reclaim_retire(&made->head, free_piece, bytes), 0);
}

static weft_reclaim_statistics statistics(void)
{
	weft_reclaim_statistics now = {.size = sizeof(now)};

	assert_int_equal(weft_reclaim_statistics_read(&now), 0);
	return now;
}

static void free_all(void)
{
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(statistics().objects, 0);
	assert_int_equal(statistics().bytes, 0);
}

static int begin(void **state)
{
	(void)state;
	if (weft_reclaim_barrier() != 0)
		return -1;
	freed = 0;
	return weft_reclaim_limit(OBJECTS_DEFAULT, BYTES_DEFAULT);
}

/* A thread that is inside a section until it is told to go on. */
typedef struct reader {
	pthread_t thread;
	WEFT_ATOMIC(int) step; /* 1: it is inside; 2: it may leave */
	pid_t number;
	bool ends_inside;
} reader;

static void advance(reader *reader, int step)
{
	atomic_store_explicit(&reader->step, step, memory_order_release);
}

static void wait_for(reader *reader, int step)
{
	while (atomic_load_explicit(&reader->step, memory_order_acquire) < step)
		sched_yield();
}

static void *read_until_told(void *argument)
{
	reader *self = argument;

	self->number = (pid_t)syscall(SYS_gettid);
	weft_reclaim_enter();
	advance(self, 1);
	wait_for(self, 2);
	if (!self->ends_inside)
		weft_reclaim_exit();
	return NULL;
}

static void start(reader *reader, bool ends_inside)
{
	memset((void *)reader, 0, sizeof(*reader));
	reader->ends_inside = ends_inside;
	assert_int_equal(pthread_create(&reader->thread, NULL, read_until_told, reader), 0);
	wait_for(reader, 1);
}

static void finish(reader *reader)
{
	advance(reader, 2);
	assert_int_equal(pthread_join(reader->thread, NULL), 0);
}

static void sections_nest(void **state)
{
	(void)state;
	assert_false(weft_reclaim_inside());
	for (int depth = 0; depth < 100; depth++) {
		weft_reclaim_enter();
		assert_true(weft_reclaim_inside());
	}
	retire_piece(1);
	for (int depth = 0; depth < 99; depth++)
		weft_reclaim_exit();
	assert_true(weft_reclaim_inside());
	for (int i = 0; i < 10; i++)
		assert_int_equal(weft_reclaim_poll(), 0);
	assert_int_equal(freed, 0);
	weft_reclaim_exit();
	assert_false(weft_reclaim_inside());
	assert_int_equal(weft_reclaim_poll(), 1);
	assert_int_equal(freed, 1);
}

static void nothing_is_freed_under_a_reader(void **state)
{
	reader other;

	(void)state;
	start(&other, false);
	for (int i = 0; i < 1000; i++)
		retire_piece(8);
	for (int i = 0; i < 10; i++)
		assert_int_equal(weft_reclaim_poll(), 0);
	assert_int_equal(freed, 0);
	assert_int_equal(statistics().objects, 1000);
	assert_int_equal(statistics().bytes, 8000);
	finish(&other);
	free_all();
	assert_int_equal(freed, 1000);
}

/* Those who begin to read later are no hindrance. */
static void later_readers_are_not_waited_for(void **state)
{
	reader first, second;

	(void)state;
	start(&first, false);
	retire_piece(1);
	assert_int_equal(weft_reclaim_poll(), 0);
	start(&second, false);
	finish(&first);
	assert_int_equal(weft_reclaim_poll(), 1);
	assert_int_equal(freed, 1);
	finish(&second);
}

static void one_call_does_a_bounded_amount(void **state)
{
	unsigned before;
	size_t calls;
	reader other;

	(void)state;
	start(&other, false);
	for (int i = 0; i < 1000; i++)
		retire_piece(1);
	finish(&other);
	do {
		before = freed;
		calls = weft_reclaim_poll();
		assert_int_equal(freed - before, calls);
		assert_true(calls <= 128);
	} while (freed < 1000);
	free_all();
}

/* Without a call of anything but retire. */
static void those_who_retire_do_the_work(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		retire_piece(1);
		assert_true(statistics().objects <= 2 * 1024);
	}
	assert_true(freed >= 100000 - 2 * 1024);
}

static void free_noted(void *pointer)
{
	freed++;
	free(pointer);
}

static void a_pointer_is_retired_with_a_note(void **state)
{
	(void)state;
	assert_int_equal(weft_reclaim_retire_pointer(malloc(100), free_noted, 100), 0);
	assert_int_equal(weft_reclaim_retire_pointer(NULL, free_noted, 0), 0);
	assert_int_equal(statistics().bytes, 100);
	free_all();
	assert_int_equal(freed, 2);
}

static unsigned freed_of_the_other;

static void free_of_the_other(void *pointer)
{
	freed_of_the_other++;
	free(pointer);
}

static void *retire_and_wait(void *argument)
{
	reader *self = argument;

	for (int i = 0; i < 10; i++)
		assert_int_equal(weft_reclaim_retire_pointer(malloc(8), free_of_the_other, 8), 0);
	advance(self, 1);
	wait_for(self, 2);
	return NULL;
}

/* What a thread has retired is left for it to free; for a while, as it may never come. */
static void each_frees_its_own(void **state)
{
	reader other;

	(void)state;
	memset((void *)&other, 0, sizeof(other));
	freed_of_the_other = 0;
	assert_int_equal(pthread_create(&other.thread, NULL, retire_and_wait, &other), 0);
	wait_for(&other, 1);
	while (freed < 1000)
		retire_piece(1);
	assert_int_equal(freed_of_the_other, 0);
	for (int i = 0; i < 32 * 32; i++)
		retire_piece(1);
	assert_int_equal(freed_of_the_other, 10);
	finish(&other);
	free_all();
}

static void mistakes_are_refused(void **state)
{
	weft_reclaim_statistics wrong = {.size = 1};
	weft_reclaim_stall stall = {.size = 1};
	weft_reclaim_head head;
	uint64_t retired = statistics().retired;

	(void)state;
	assert_int_equal(weft_reclaim_retire(NULL, free_piece, 1), -EINVAL);
	assert_int_equal(weft_reclaim_retire(&head, NULL, 1), -EINVAL);
	assert_int_equal(weft_reclaim_retire_pointer(&head, NULL, 1), -EINVAL);
	assert_int_equal(statistics().retired, retired);
	assert_int_equal(weft_reclaim_limit(0, 1), -EINVAL);
	assert_int_equal(weft_reclaim_limit(1, 0), -EINVAL);
	assert_int_equal(weft_reclaim_statistics_read(NULL), -EINVAL);
	assert_int_equal(weft_reclaim_statistics_read(&wrong), -EINVAL);
	assert_int_equal(weft_reclaim_stalled(NULL), -EINVAL);
	assert_int_equal(weft_reclaim_stalled(&stall), -EINVAL);
	weft_reclaim_enter();
	assert_int_equal(weft_reclaim_synchronize(), -EDEADLK);
	assert_int_equal(weft_reclaim_barrier(), -EDEADLK);
	weft_reclaim_exit();
	assert_int_equal(weft_reclaim_synchronize(), 0);
}

static void call_everything(weft_reclaim_head *head)
{
	assert_int_equal(weft_reclaim_barrier(), -EDEADLK);
	assert_int_equal(weft_reclaim_poll(), 0);
	weft_reclaim_enter();
	retire_piece(1);
	weft_reclaim_exit();
	free_piece(head);
}

static void functions_may_retire(void **state)
{
	piece *made = malloc(sizeof(*made));

	(void)state;
	assert_non_null(made);
	assert_int_equal(weft_reclaim_retire(&made->head, call_everything, 1), 0);
	assert_int_equal(weft_reclaim_barrier(), 0);
	assert_int_equal(statistics().objects, 1);
	free_all();
	assert_int_equal(freed, 2);
}

static void count_only(weft_reclaim_head *head)
{
	(void)head;
	freed++;
}

/* The backlog has an end, and what happens there is an answer. */
static void above_the_limit_nothing_is_taken(void **state)
{
	static weft_reclaim_head heads[200];
	int taken = 0;
	reader other;

	(void)state;
	assert_int_equal(weft_reclaim_limit(100, SIZE_MAX), 0);
	start(&other, false);
	while (taken < 200 && weft_reclaim_retire(&heads[taken], count_only, 1) == 0)
		taken++;
	assert_true(taken > 100);
	assert_true(taken <= 100 + 32);
	assert_int_equal(statistics().objects, taken);
	assert_true(statistics().refused > 0);
	assert_int_equal(weft_reclaim_retire(&heads[taken], count_only, 1), -EAGAIN);
	assert_int_equal(weft_reclaim_retire_pointer(&heads, free, 1), -EAGAIN);
	assert_int_equal(statistics().objects, taken);
	finish(&other);
	/* Nobody is in the way now: it goes on by itself. */
	assert_int_equal(weft_reclaim_retire(&heads[taken], count_only, 1), 0);
	free_all();
	assert_int_equal(freed, taken + 1);
}

static void bytes_have_a_limit_too(void **state)
{
	static weft_reclaim_head heads[200];
	int taken = 0;
	reader other;

	(void)state;
	assert_int_equal(weft_reclaim_limit(SIZE_MAX, 1000000), 0);
	start(&other, false);
	while (taken < 200 && weft_reclaim_retire(&heads[taken], count_only, 20000) == 0)
		taken++;
	assert_true(statistics().bytes > 1000000);
	assert_true(statistics().bytes <= 1000000 + 65536 + 20000);
	finish(&other);
	free_all();
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void says_who_is_in_the_way(void **state)
{
	weft_reclaim_stall stall = {.size = sizeof(stall)};
	uint64_t before;
	reader other;

	(void)state;
	assert_int_equal(weft_reclaim_stalled(&stall), 0);
	start(&other, false);
	assert_int_equal(weft_reclaim_stalled(&stall), 0);
	before = now_ns();
	retire_piece(1);
	weft_reclaim_poll();
	assert_int_equal(weft_reclaim_stalled(&stall), 1);
	assert_int_equal(stall.readers, 1);
	assert_int_equal(stall.thread, other.number);
	assert_false(stall.worker);
	assert_in_range(stall.since_ns, before, now_ns());
	finish(&other);
	assert_int_equal(weft_reclaim_stalled(&stall), 0);
	free_all();
	assert_int_equal(weft_reclaim_stalled(&stall), 0);
}

static void *read_and_retire(void *unused)
{
	weft_reclaim_enter();
	weft_reclaim_exit();
	for (int i = 0; i < 10; i++)
		retire_piece(1);
	return unused;
}

/* What a thread that ends has retired is freed by others, and its place is used again. */
static void threads_end_without_a_word(void **state)
{
	uint64_t threads = statistics().threads;

	(void)state;
	for (int i = 0; i < 100; i++) {
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, read_and_retire, NULL), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(statistics().threads, threads);
	}
	free_all();
	assert_int_equal(freed, 1000);
}

static void a_thread_that_ends_inside_ends_its_section(void **state)
{
	reader other;

	(void)state;
	start(&other, true);
	retire_piece(1);
	assert_int_equal(weft_reclaim_poll(), 0);
	finish(&other);
	free_all();
	assert_int_equal(weft_reclaim_synchronize(), 0);
	assert_int_equal(freed, 1);
}

static void *leave_later(void *argument)
{
	reader *other = argument;

	/* The other side is about to wait; if not yet, the test is none, but does not fail. */
	for (int i = 0; i < 1000; i++)
		sched_yield();
	advance(other, 2);
	return NULL;
}

static void synchronize_waits_for_readers(void **state)
{
	pthread_t thread;
	reader other;

	(void)state;
	start(&other, false);
	assert_int_equal(pthread_create(&thread, NULL, leave_later, &other), 0);
	assert_int_equal(weft_reclaim_synchronize(), 0);
	assert_int_equal(atomic_load_explicit(&other.step, memory_order_relaxed), 2);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(pthread_join(other.thread, NULL), 0);
}

/* Sections in handlers, wherever they interrupt those of the thread: none is left open. */
static unsigned handled;

static void read_in_handler(int signal_number)
{
	(void)signal_number;
	weft_reclaim_enter();
	handled++;
	weft_reclaim_exit();
}

static atomic_bool enough;

static void *interrupt(void *thread)
{
	while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		sched_yield();
	}
	return NULL;
}

/* How many sections this thread is in, as liburcu sees it. */
static unsigned long depth_of_counter(void)
{
	const weft_reclaim_self *self = &weft_reclaim_self_;

	if (self->counter_ == NULL)
		return 0;
	return atomic_load_explicit(self->counter_, memory_order_relaxed) & WEFT_RECLAIM_DEPTH_;
}

static void handlers_may_read(void **state)
{
	struct sigaction action = {.sa_handler = read_in_handler}, old;
	pthread_t self = pthread_self(), thread;
	unsigned retired = 0;

	(void)state;
	handled = 0;
	atomic_store_explicit(&enough, false, memory_order_relaxed);
	weft_reclaim_enter();
	weft_reclaim_exit();
	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, &self), 0);
	while (handled < 500) {
		/* Nor does it end the one that it interrupts. */
		weft_reclaim_enter();
		retire_piece(1);
		assert_int_equal(weft_reclaim_poll(), 0);
		weft_reclaim_exit();
		assert_int_equal(weft_reclaim_poll(), 1);
		retired++;
		for (int i = 0; i < 1024; i++) {
			weft_reclaim_enter();
			weft_reclaim_exit();
		}
		/* Nor is one ended twice. */
		assert_int_equal(depth_of_counter(), 0);
	}
	atomic_store_explicit(&enough, true, memory_order_relaxed);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
	assert_int_equal(freed, retired);
}

/* The child, in which nobody else reads, though another thread was inside. Returns its exit status.
 */
static int live_as_a_child(unsigned backlog)
{
	if (statistics().objects != backlog || statistics().threads != 1)
		return 1;
	retire_piece(1);
	if (weft_reclaim_barrier() != 0 || freed != backlog + 1)
		return 2;
	weft_reclaim_enter();
	if (weft_reclaim_synchronize() != -EDEADLK)
		return 4;
	weft_reclaim_exit();
	if (weft_reclaim_synchronize() != 0 || weft_reclaim_barrier() != 0)
		return 5;
	return statistics().objects == 0 && freed == backlog + 1 ? 0 : 6;
}

static void wait_for_child(pid_t child)
{
	int status;

	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_child_goes_on_alone(void **state)
{
	reader other;
	pid_t child;

	(void)state;
	start(&other, false);
	for (int i = 0; i < 10; i++)
		retire_piece(1);
	/* Not in a grace period: that would be what is just being freed. */
	child = fork();
	if (child == 0)
		_exit(live_as_a_child(10));
	wait_for_child(child);
	finish(&other);
	free_all();
	assert_int_equal(freed, 10);
}

/* What waits for its grace period then is the parent's alone; what was retired after that is freed
 * in both. */
static void fork_in_a_grace_period(void **state)
{
	reader other;
	pid_t child;

	(void)state;
	start(&other, false);
	for (int i = 0; i < 3; i++)
		retire_piece(1);
	assert_int_equal(weft_reclaim_poll(), 0);
	for (int i = 0; i < 2; i++)
		retire_piece(1);
	assert_int_equal(statistics().objects, 5);
	child = fork();
	if (child == 0) {
		if (statistics().bytes != 2)
			_exit(7);
		_exit(live_as_a_child(2));
	}
	wait_for_child(child);
	assert_int_equal(freed, 0);
	finish(&other);
	free_all();
	assert_int_equal(freed, 5);
}

/* Nobody makes the barriers of a thread with a counter. */
static void *has_no_counter(void *unused)
{
	bool none;

	weft_reclaim_enter();
	none = weft_reclaim_self_.record_ != NULL && weft_reclaim_self_.counter_ == NULL;
	weft_reclaim_exit();
	return none ? &freed : unused;
}

static bool a_thread_has_no_counter(void)
{
	pthread_t thread;
	void *none = NULL;

	return pthread_create(&thread, NULL, has_no_counter, NULL) == 0 &&
	       pthread_join(thread, &none) == 0 && none != NULL;
}

/* As on a machine whose liburcu has not got membarrier, for as long as the thread is there. */
static void sections_have_barriers_without_membarrier(void **state)
{
	(void)state;
#ifdef urcu_memb_has_sys_membarrier
	skip();
#else
	int has = urcu_memb_has_sys_membarrier;

	assert_int_equal(a_thread_has_no_counter(), has == 0);
	urcu_memb_has_sys_membarrier = 0;
	assert_true(a_thread_has_no_counter());
	urcu_memb_has_sys_membarrier = has;
#endif
}

static bool is_read_by(bool reads)
{
	return (urcu_qsbr_read_ongoing() != 0) == reads;
}

static void *work_and_sleep(void *unused)
{
	bool right = is_read_by(false);

	weft_reclaim_worker_begins_();
	right &= is_read_by(true);
	weft_reclaim_worker_parks_();
	right &= is_read_by(false);
	weft_reclaim_worker_wakes_();
	right &= is_read_by(true);
	/* Inside a section it goes on reading. */
	weft_reclaim_enter();
	weft_reclaim_worker_parks_();
	right &= is_read_by(true);
	weft_reclaim_worker_wakes_();
	weft_reclaim_exit();
	weft_reclaim_worker_ends_();
	right &= is_read_by(false);
	return right ? &freed : unused;
}

/* A worker that never sleeps, as it has one task after the other. */
static void *work_on(void *argument)
{
	reader *self = argument;

	weft_reclaim_worker_begins_();
	for (advance(self, 1); atomic_load(&self->step) < 2; sched_yield())
		weft_reclaim_quiescent();
	weft_reclaim_worker_ends_();
	return NULL;
}

/* So that who waits for a worker sleeps in liburcu, and that tasks may use it themselves. */
static void liburcu_knows_when_a_worker_reads(void **state)
{
	reader busy = {.step = 0};
	pthread_t thread;
	void *right = NULL;

	(void)state;
	assert_int_equal(pthread_create(&busy.thread, NULL, work_on, &busy), 0);
	wait_for(&busy, 1);
	assert_int_equal(weft_reclaim_synchronize(), 0);
	finish(&busy);
	assert_int_equal(pthread_create(&thread, NULL, work_and_sleep, NULL), 0);
	assert_int_equal(pthread_join(thread, &right), 0);
	assert_non_null(right);
}

/* As nobody else is there, a sanitizer allows the child threads. */
static void a_child_has_threads(void **state)
{
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		pthread_t thread;

		retire_piece(1);
		if (pthread_create(&thread, NULL, read_and_retire, NULL) != 0 ||
		    pthread_join(thread, NULL) != 0)
			_exit(1);
		if (weft_reclaim_barrier() != 0 || freed != 11 || statistics().threads != 1)
			_exit(2);
		_exit(a_thread_has_no_counter() ? 0 : 3);
	}
	wait_for_child(child);
}

static void fork_inside_a_section(void **state)
{
	pid_t child;

	(void)state;
	weft_reclaim_enter();
	retire_piece(1);
	child = fork();
	if (child == 0) {
		bool held = weft_reclaim_poll() == 0;

		held &= weft_reclaim_poll() == 0;
		weft_reclaim_exit();
		_exit(held && weft_reclaim_barrier() == 0 && freed == 1 ? 0 : 1);
	}
	weft_reclaim_exit();
	wait_for_child(child);
	free_all();
}

/* Random calls, against a list of what has been retired inside which section. */
static void frees_what_it_should(void **state)
{
	seeded_random random = {seeded_random_seed()};
	unsigned depth = 0, retired = 0, retired_before_section = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		switch (seeded_random_below(&random, 5)) {
		case 0:
			if (depth++ == 0)
				retired_before_section = retired;
			weft_reclaim_enter();
			break;
		case 1:
			if (depth == 0)
				break;
			depth--;
			weft_reclaim_exit();
			break;
		case 2:
			retire_piece(1);
			retired++;
			break;
		case 3:
			weft_reclaim_poll();
			break;
		default:
			assert_int_equal(weft_reclaim_inside(), depth > 0);
			assert_int_equal(statistics().objects, retired - freed);
			break;
		}
		if (depth > 0)
			assert_true(freed <= retired_before_section);
		assert_true(freed <= retired);
	}
	while (depth-- > 0)
		weft_reclaim_exit();
	free_all();
	assert_int_equal(freed, retired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sections_nest, begin),
		cmocka_unit_test_setup(nothing_is_freed_under_a_reader, begin),
		cmocka_unit_test_setup(later_readers_are_not_waited_for, begin),
		cmocka_unit_test_setup(one_call_does_a_bounded_amount, begin),
		cmocka_unit_test_setup(those_who_retire_do_the_work, begin),
		cmocka_unit_test_setup(a_pointer_is_retired_with_a_note, begin),
		cmocka_unit_test_setup(each_frees_its_own, begin),
		cmocka_unit_test_setup(mistakes_are_refused, begin),
		cmocka_unit_test_setup(functions_may_retire, begin),
		cmocka_unit_test_setup(above_the_limit_nothing_is_taken, begin),
		cmocka_unit_test_setup(bytes_have_a_limit_too, begin),
		cmocka_unit_test_setup(says_who_is_in_the_way, begin),
		cmocka_unit_test_setup(threads_end_without_a_word, begin),
		cmocka_unit_test_setup(a_thread_that_ends_inside_ends_its_section, begin),
		cmocka_unit_test_setup(synchronize_waits_for_readers, begin),
		cmocka_unit_test_setup(handlers_may_read, begin),
		cmocka_unit_test_setup(sections_have_barriers_without_membarrier, begin),
		cmocka_unit_test_setup(liburcu_knows_when_a_worker_reads, begin),
		cmocka_unit_test_setup(a_child_goes_on_alone, begin),
		cmocka_unit_test_setup(a_child_has_threads, begin),
		cmocka_unit_test_setup(fork_in_a_grace_period, begin),
		cmocka_unit_test_setup(fork_inside_a_section, begin),
		cmocka_unit_test_setup(frees_what_it_should, begin),
	};

	return cmocka_run_group_tests_name("reclaim", tests, NULL, NULL);
}
