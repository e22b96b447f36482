/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/lockfree/mpmc_pointer_queue.h>

#include "../fifo.h"
#include "fifo_contract.h"

#ifdef NDEBUG
static const bool contracts_are_checked = false;
#else
static const bool contracts_are_checked = true;
#endif

/* The first that has more bits than a slot has for it, and the last that has not. */
static void *const too_long = (void *)((uintptr_t)1 << WEFT_MPMC_POINTER_BITS);
static void *const longest = (void *)(((uintptr_t)1 << WEFT_MPMC_POINTER_BITS) - 1);

static void accepts_48_bits(void **state)
{
	int local;

	(void)state;
	assert_true(weft_mpmc_pointer_queue_accepts(NULL));
	assert_true(weft_mpmc_pointer_queue_accepts(&local));
	assert_true(weft_mpmc_pointer_queue_accepts(longest));
	assert_false(weft_mpmc_pointer_queue_accepts(too_long));
	assert_false(weft_mpmc_pointer_queue_accepts((void *)UINTPTR_MAX));
}

/* All bits and none are the pointers that the turn beside them could be taken for. */
static void null_and_the_longest_are_elements(void **state)
{
	weft_mpmc_pointer_queue queue;
	void *popped;

	(void)state;
	assert_int_equal(weft_mpmc_pointer_queue_init(&queue, 2), 0);
	for (int lap = 0; lap < 5; lap++) {
		assert_true(weft_mpmc_pointer_queue_try_push(&queue, NULL));
		assert_int_equal(weft_mpmc_pointer_queue_size(&queue), 1);
		assert_true(weft_mpmc_pointer_queue_try_push(&queue, longest));
		assert_false(weft_mpmc_pointer_queue_try_push(&queue, NULL));
		popped = &queue;
		assert_true(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
		assert_null(popped);
		assert_true(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
		assert_ptr_equal(popped, longest);
		assert_false(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
	}
	weft_mpmc_pointer_queue_fini(&queue);
}

/* Three times round the 16 bits of the turn, one element after the other. */
static void turns_come_round(void **state)
{
	weft_mpmc_pointer_queue queue;

	(void)state;
	assert_int_equal(weft_mpmc_pointer_queue_init(&queue, 1), 0);
	for (uintptr_t i = 0; i < 100000; i++) {
		void *popped = NULL;

		assert_true(weft_mpmc_pointer_queue_try_push(&queue, (void *)i));
		assert_false(weft_mpmc_pointer_queue_try_push(&queue, (void *)i));
		assert_true(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
		assert_ptr_equal(popped, (void *)i);
		assert_false(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
	}
	weft_mpmc_pointer_queue_fini(&queue);
}

/* What a broken contract does in a child process. */
typedef struct outcome {
	bool aborted;
	char said[512]; /* on standard error */
} outcome;

static outcome in_a_child(void (*body)(void))
{
	outcome result = {false, ""};
	size_t length = 0;
	ssize_t got;
	int pipe_ends[2], status;

	assert_int_equal(pipe(pipe_ends), 0);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		dup2(pipe_ends[1], STDERR_FILENO);
		close(pipe_ends[0]);
		close(pipe_ends[1]);
		body();
		_exit(0);
	}
	close(pipe_ends[1]);
	while ((got = read(pipe_ends[0], result.said + length, sizeof(result.said) - 1 - length)) >
	       0)
		length += (size_t)got;
	close(pipe_ends[0]);
	result.said[length] = '\0';
	assert_int_equal(waitpid(child, &status, 0), child);
	result.aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	assert_true(result.aborted || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
	return result;
}

static void assert_contract_broken(void (*body)(void))
{
	outcome result = in_a_child(body);

	assert_int_equal(result.aborted, contracts_are_checked);
	if (!contracts_are_checked) {
		assert_string_equal(result.said, "");
		return;
	}
	/* One line, and it says what is owed. */
	assert_non_null(strstr(result.said, "contract broken"));
	assert_non_null(strstr(result.said, "48 bits"));
	assert_ptr_equal(strchr(result.said, '\n'), result.said + strlen(result.said) - 1);
}

static void push_too_long(void)
{
	weft_mpmc_pointer_queue queue;

	if (weft_mpmc_pointer_queue_init(&queue, 4) != 0 ||
	    weft_mpmc_pointer_queue_try_push(&queue, too_long) ||
	    weft_mpmc_pointer_queue_size(&queue) != 0)
		_exit(1);
	weft_mpmc_pointer_queue_fini(&queue);
}

static void push_a_batch_with_one_too_long(void)
{
	void *pointers[3] = {longest, too_long, NULL}, *popped = NULL;
	weft_mpmc_pointer_queue queue;

	if (weft_mpmc_pointer_queue_init(&queue, 4) != 0 ||
	    weft_mpmc_pointer_queue_try_push_batch(&queue, pointers, 3) != 1 ||
	    weft_mpmc_pointer_queue_try_push_batch(&queue, pointers + 1, 2) != 0 ||
	    !weft_mpmc_pointer_queue_try_pop(&queue, &popped) || popped != longest ||
	    weft_mpmc_pointer_queue_try_pop(&queue, &popped))
		_exit(1);
	weft_mpmc_pointer_queue_fini(&queue);
}

static void refuses_a_pointer_that_is_too_long(void **state)
{
	(void)state;
	assert_contract_broken(push_too_long);
}

static void refuses_it_in_a_batch(void **state)
{
	(void)state;
	assert_contract_broken(push_a_batch_with_one_too_long);
}

/* A producer that has its ticket and is then stopped: later elements wait behind its slot. */
static void stopped_producer_delays_its_slot(void **state)
{
	weft_mpmc_pointer_queue queue;
	int first, second;
	void *popped;

	(void)state;
	assert_int_equal(weft_mpmc_pointer_queue_init(&queue, 4), 0);
	atomic_store_explicit(&queue.tail_, 2 * 1, memory_order_relaxed);
	assert_true(weft_mpmc_pointer_queue_try_push(&queue, &second));
	assert_int_equal(weft_mpmc_pointer_queue_size(&queue), 2);
	assert_false(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
	/* Closed, but not drained. */
	weft_mpmc_pointer_queue_close(&queue);
	assert_int_equal(weft_mpmc_pointer_queue_pop(&queue, &popped), -EAGAIN);

	/* It goes on. */
	atomic_store_explicit(
		weft_mpmc_pointer_queue_word_(weft_mpmc_pointer_queue_slot_(&queue, 0)),
		WEFT_MPMC_POINTER_TURN_ | (uint64_t)(uintptr_t)&first, memory_order_release);
	assert_true(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
	assert_ptr_equal(popped, &first);
	assert_true(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
	assert_ptr_equal(popped, &second);
	assert_int_equal(weft_mpmc_pointer_queue_pop(&queue, &popped), -EPIPE);
	weft_mpmc_pointer_queue_fini(&queue);
}

/* A consumer that has its ticket and is then stopped: nothing is written into the slot it reads. */
static void stopped_consumer_keeps_its_slot(void **state)
{
	weft_mpmc_pointer_queue queue;
	int elements[3];
	void *pointers[2] = {&elements[0], &elements[1]}, *popped;

	(void)state;
	assert_int_equal(weft_mpmc_pointer_queue_init(&queue, 2), 0);
	assert_int_equal(weft_mpmc_pointer_queue_try_push_batch(&queue, pointers, 2), 2);
	atomic_store_explicit(&queue.head_, 2 * 1, memory_order_relaxed);
	assert_true(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
	assert_ptr_equal(popped, &elements[1]);
	assert_int_equal(weft_mpmc_pointer_queue_size(&queue), 0);
	assert_false(weft_mpmc_pointer_queue_try_push(&queue, &elements[2]));
	assert_int_equal(weft_mpmc_pointer_queue_try_push_batch(&queue, pointers, 2), 0);

	/* It goes on. */
	atomic_store_explicit(
		weft_mpmc_pointer_queue_word_(weft_mpmc_pointer_queue_slot_(&queue, 0)),
		2 * WEFT_MPMC_POINTER_TURN_, memory_order_release);
	assert_true(weft_mpmc_pointer_queue_try_push(&queue, &elements[2]));
	assert_true(weft_mpmc_pointer_queue_try_pop(&queue, &popped));
	assert_ptr_equal(popped, &elements[2]);
	weft_mpmc_pointer_queue_fini(&queue);
}

int main(void)
{
	static const fifo *const kinds[] = {&fifo_mpmc_pointer_queue, NULL};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_48_bits),
		cmocka_unit_test(null_and_the_longest_are_elements),
		cmocka_unit_test(turns_come_round),
		cmocka_unit_test(refuses_a_pointer_that_is_too_long),
		cmocka_unit_test(refuses_it_in_a_batch),
		cmocka_unit_test(stopped_producer_delays_its_slot),
		cmocka_unit_test(stopped_consumer_keeps_its_slot),
	};

	return fifo_contract_run(kinds, tests, sizeof(tests) / sizeof(tests[0]));
}
