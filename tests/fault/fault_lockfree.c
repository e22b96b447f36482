/* SPDX-License-Identifier: Apache-2.0 */

/* The allocations of lockfree/: each fails once, and there is none where none is promised. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/bounded_stack.h>
#include <weft/lockfree/counter.h>
#include <weft/lockfree/deque.h>
#include <weft/lockfree/gauge.h>
#include <weft/lockfree/histogram.h>
#include <weft/lockfree/mpmc_lockfree.h>
#include <weft/lockfree/mpmc_lockfree_any.h>
#include <weft/lockfree/mpmc_pointer_queue.h>
#include <weft/lockfree/mpmc_queue.h>
#include <weft/lockfree/mpmc_unbounded.h>
#include <weft/lockfree/mpsc_ring.h>
#include <weft/lockfree/multiqueue.h>
#include <weft/lockfree/object_pool.h>
#include <weft/lockfree/priority_queue.h>
#include <weft/lockfree/spsc_queue.h>

#include "../fifo.h"
#include "fail_alloc.h"

#define LARGEST_CAPACITY ((size_t)1 << 31)

/* Room for a queue of any kind. */
typedef union any_queue {
	weft_mpmc_queue mpmc;
	weft_mpmc_lockfree lockfree;
	weft_mpmc_lockfree_any any;
	weft_mpmc_pointer_queue pointer;
	weft_mpmc_unbounded unbounded;
	weft_mpsc_ring ring;
	weft_spsc_queue spsc;
} any_queue;

/* Makes and finishes one, and returns what init said. What was not made is zeroed. */
static int make_fifo(const fifo *kind, size_t capacity)
{
	static const any_queue zeroed;
	any_queue queue;

	memset((void *)&queue, 0xa5, sizeof(queue));
	int error = kind->init(&queue, capacity);

	if (error != 0)
		assert_memory_equal(&queue, &zeroed, kind->queue_bytes);
	kind->fini(&queue);
	return error;
}

static int make_deque(size_t capacity)
{
	static const weft_deque zeroed;
	weft_deque deque;

	memset((void *)&deque, 0xa5, sizeof(deque));
	int error = weft_deque_init(&deque, capacity);

	if (error != 0)
		assert_memory_equal(&deque, &zeroed, sizeof(deque));
	weft_deque_fini(&deque);
	return error;
}

static int make_counter(void)
{
	static const weft_counter zeroed;
	weft_counter counter;

	memset((void *)&counter, 0xa5, sizeof(counter));
	int error = weft_counter_init(&counter);

	if (error != 0)
		assert_memory_equal(&counter, &zeroed, sizeof(counter));
	weft_counter_fini(&counter);
	return error;
}

static int make_gauge(void *context)
{
	static const weft_gauge zeroed;
	weft_gauge gauge;

	(void)context;
	memset((void *)&gauge, 0xa5, sizeof(gauge));
	int error = weft_gauge_init(&gauge);

	if (error != 0)
		assert_memory_equal(&gauge, &zeroed, sizeof(gauge));
	weft_gauge_fini(&gauge);
	return error;
}

static int make_histogram(void *context)
{
	static const weft_histogram zeroed;
	weft_histogram histogram;

	(void)context;
	memset((void *)&histogram, 0xa5, sizeof(histogram));
	int error = weft_histogram_init(&histogram, 1000, 5);

	if (error != 0)
		assert_memory_equal(&histogram, &zeroed, sizeof(histogram));
	weft_histogram_fini(&histogram);
	return error;
}

static int make_snapshot(void *context)
{
	static const weft_histogram_snapshot zeroed;
	weft_histogram_snapshot snapshot;

	(void)context;
	memset(&snapshot, 0xa5, sizeof(snapshot));
	int error = weft_histogram_snapshot_init(&snapshot, 1000, 5);

	if (error != 0)
		assert_memory_equal(&snapshot, &zeroed, sizeof(snapshot));
	weft_histogram_snapshot_fini(&snapshot);
	return error;
}

static int make_priority_queue(void *context)
{
	static const weft_priority_queue zeroed;
	weft_priority_queue queue;

	(void)context;
	memset((void *)&queue, 0xa5, sizeof(queue));
	int error = weft_priority_queue_init(&queue, 5, 3);

	if (error != 0)
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
	weft_priority_queue_fini(&queue);
	return error;
}

static int make_multiqueue(void *context)
{
	static const weft_multiqueue zeroed;
	weft_multiqueue queue;

	(void)context;
	memset((void *)&queue, 0xa5, sizeof(queue));
	int error = weft_multiqueue_init(&queue, 5, 3, 1);

	if (error != 0)
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
	weft_multiqueue_fini(&queue);
	return error;
}

static int make_bounded_stack(void *context)
{
	static const weft_bounded_stack zeroed;
	weft_bounded_stack stack;

	(void)context;
	memset((void *)&stack, 0xa5, sizeof(stack));
	int error = weft_bounded_stack_init(&stack, 5, 3);

	if (error != 0)
		assert_memory_equal(&stack, &zeroed, sizeof(stack));
	weft_bounded_stack_fini(&stack);
	return error;
}

static int make_small_fifo(void *kind)
{
	return make_fifo(kind, 5);
}

static int make_small_deque(void *context)
{
	(void)context;
	return make_deque(5);
}

static int make_one_counter(void *context)
{
	(void)context;
	return make_counter();
}

/* What the next init returns when there is no memory; it tells whether the capacity is accepted. */
static int without_memory(const fifo *kind, size_t capacity)
{
	fail_alloc_after(0);
	int error = kind == NULL ? make_deque(capacity) : make_fifo(kind, capacity);

	assert_int_equal(fail_alloc_count(), error == -ENOMEM);
	fail_alloc_after(-1);
	return error;
}

/* The state is the kind. */
static void fifo_without_memory(void **state)
{
	assert_true(fail_alloc_each(make_small_fifo, *state) > 0);
	assert_int_equal(without_memory(*state, LARGEST_CAPACITY - 1), -ENOMEM);
	assert_int_equal(without_memory(*state, LARGEST_CAPACITY), -ENOMEM);
	assert_int_equal(without_memory(*state, LARGEST_CAPACITY + 1), -EINVAL);
}

/* Where there is no largest capacity. */
static void unbounded_without_memory(void **state)
{
	/* The first segment. */
	assert_int_equal(fail_alloc_each(make_small_fifo, *state), 1);
}

static void deque_without_memory(void **state)
{
	(void)state;
	assert_true(fail_alloc_each(make_small_deque, NULL) > 0);
	assert_int_equal(without_memory(NULL, LARGEST_CAPACITY - 1), -ENOMEM);
	assert_int_equal(without_memory(NULL, LARGEST_CAPACITY), -ENOMEM);
	assert_int_equal(without_memory(NULL, LARGEST_CAPACITY + 1), -EINVAL);
}

static void counter_without_memory(void **state)
{
	(void)state;
	assert_true(fail_alloc_each(make_one_counter, NULL) > 0);
}

/* Two chunks; when one cannot be had, all goes on with the next attempt. */
static int make_objects(void *context)
{
	static const weft_object_pool zeroed;
	const weft_object_pool_options options = {.object_size = 64};
	weft_object_pool pool;

	(void)context;
	memset((void *)&pool, 0xa5, sizeof(pool));
	int error = weft_object_pool_init(&pool, &options);

	if (error != 0) {
		assert_memory_equal(&pool, &zeroed, sizeof(pool));
	} else {
		error = weft_object_pool_reserve(&pool, 2000);
		assert_int_equal(weft_object_pool_reserve(&pool, 2000), 0);
	}
	weft_object_pool_fini(&pool);
	return error;
}

static void object_pool_without_memory(void **state)
{
	(void)state;
	/* The lists; for each chunk what is known of it, and itself. */
	assert_int_equal(fail_alloc_each(make_objects, NULL), 5);
}

static void gauge_without_memory(void **state)
{
	(void)state;
	/* Its level and its marks. */
	assert_int_equal(fail_alloc_each(make_gauge, NULL), 2);
}

static void histogram_without_memory(void **state)
{
	(void)state;
	/* What is recorded to by sequences, where there are any, and atomically; what was taken. */
	assert_int_equal(fail_alloc_each(make_histogram, NULL),
			 weft_per_cpu_is_restartable_() ? 3 : 2);
	assert_int_equal(fail_alloc_each(make_snapshot, NULL), 1);
}

static void priority_queues_without_memory(void **state)
{
	(void)state;
	assert_true(fail_alloc_each(make_priority_queue, NULL) > 0);
	assert_true(fail_alloc_each(make_multiqueue, NULL) > 0);
}

/* Each of the two pushes, in turn. */
static int push_either(weft_deque *deque, uintptr_t number)
{
	return number % 2 == 0 ? weft_deque_push(deque, (void *)number)
			       : weft_deque_push_seq_cst(deque, (void *)number);
}

/* Pushes until it has to grow and cannot: what was pushed is still there, in its order. */
static int push_hundred(void *context)
{
	weft_deque deque;
	uintptr_t pushed = 0;
	void *element;
	int error = weft_deque_init(&deque, 1);

	(void)context;
	while (error == 0 && pushed < 100) {
		error = push_either(&deque, pushed);
		pushed += error == 0;
	}
	for (uintptr_t left = pushed; left > 0; left--) {
		assert_int_equal(weft_deque_size(&deque), left);
		assert_true(weft_deque_try_pop(&deque, &element));
		assert_int_equal((uintptr_t)element, left - 1);
	}
	weft_deque_fini(&deque);
	return error;
}

static void deque_grows_without_memory(void **state)
{
	(void)state;
	/* The first ring, and those of 2, 4, ... 128. */
	assert_int_equal(fail_alloc_each(push_hundred, NULL), 8);
}

static void deque_goes_on_after_a_failure(void **state)
{
	long live = fail_alloc_live();
	uintptr_t next = 0, stolen = 0;
	weft_deque deque;
	void *element;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 4), 0);
	for (size_t room = 4; room < 256; room *= 2) {
		for (; weft_deque_size(&deque) < room; next++)
			assert_int_equal(push_either(&deque, next), 0);
		for (uintptr_t again = 0; again < 4; again++) {
			fail_alloc_after(0);
			assert_int_equal(push_either(&deque, again), -ENOMEM);
		}
		assert_int_equal(weft_deque_size(&deque), room);
		/* What is stolen makes room, for which no memory is wanted. */
		assert_int_equal(weft_deque_steal(&deque, &element), 0);
		assert_int_equal((uintptr_t)element, stolen++);
		fail_alloc_after(0);
		assert_int_equal(push_either(&deque, next++), 0);
		assert_int_equal(fail_alloc_count(), 0);
		/* With memory it grows. */
		fail_alloc_after(-1);
		assert_int_equal(push_either(&deque, next++), 0);
		assert_int_equal(fail_alloc_count(), 1);
	}
	while (weft_deque_steal(&deque, &element) == 0)
		assert_int_equal((uintptr_t)element, stolen++);
	assert_int_equal(stolen, next);
	weft_deque_fini(&deque);
	assert_int_equal(fail_alloc_live(), live);
}

/*
 * A push that has to make a segment and cannot says so, however often it is tried, and all is as
 * before: the same push succeeds once there is memory, and what was pushed comes out in its order.
 */
static void unbounded_goes_on_after_a_failure(void **state)
{
	enum {
		SEGMENT = 4,
		SEGMENTS = 8
	};
	const uint64_t batch[SEGMENT] = {0};
	long live = fail_alloc_live();
	uint64_t next = 0, element;
	weft_mpmc_unbounded queue;

	(void)state;
	assert_int_equal(weft_mpmc_unbounded_init(&queue, SEGMENT, sizeof(element)), 0);
	for (int i = 0; i < SEGMENTS; i++) {
		fail_alloc_after(0);
		for (int j = 0; j < SEGMENT - 1; j++, next++)
			assert_int_equal(weft_mpmc_unbounded_push(&queue, &next), 0);
		assert_int_equal(fail_alloc_count(), 0);
		for (int again = 0; again < 3; again++) {
			fail_alloc_after(0);
			assert_int_equal(weft_mpmc_unbounded_push(&queue, &next), -ENOMEM);
			fail_alloc_after(0);
			assert_int_equal(weft_mpmc_unbounded_try_push_batch(&queue, batch, SEGMENT),
					 0);
			assert_true(fail_alloc_happened());
		}
		assert_int_equal(weft_mpmc_unbounded_size(&queue), next);
		fail_alloc_after(-1);
		assert_int_equal(weft_mpmc_unbounded_push(&queue, &next), 0);
		next++;
		assert_int_equal(fail_alloc_count(), 1);
	}
	/* For what is popped no memory is wanted. */
	fail_alloc_after(0);
	for (uint64_t i = 0; i < next; i++) {
		assert_int_equal(weft_mpmc_unbounded_pop(&queue, &element), 0);
		assert_int_equal(element, i);
	}
	assert_int_equal(weft_mpmc_unbounded_pop(&queue, &element), -EAGAIN);
	assert_int_equal(fail_alloc_count(), 0);
	fail_alloc_after(-1);
	weft_mpmc_unbounded_fini(&queue);
	assert_int_equal(fail_alloc_live(), live);
}

/* From here on: no operation allocates. Each of the loops makes a million or more. */
#define LAPS 125000

/* Counts from zero; what was just made did allocate, so the counting works. */
static void begin_to_count(void)
{
	assert_true(fail_alloc_count() > 0);
	fail_alloc_after(-1);
}

/* The state is the kind. */
static void fifo_does_not_allocate(void **state)
{
	const fifo *kind = *state;
	uint64_t values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	any_queue queue;
	size_t moved = 0;

	fail_alloc_after(-1);
	assert_int_equal(kind->init(&queue, 8), 0);
	begin_to_count();
	for (int lap = 0; lap < LAPS; lap++) {
		moved += kind->try_push(&queue, 17);
		moved += kind->try_push_batch(&queue, values, 8);
		moved += kind->try_push(&queue, 17);
		moved += kind->size(&queue) + kind->capacity(&queue);
		moved += kind->try_pop(&queue, values);
		moved += kind->try_pop_batch(&queue, values, 8);
		moved += kind->try_pop(&queue, values);
	}
	assert_int_equal(fail_alloc_count(), 0);
	assert_int_equal(moved, (size_t)LAPS * (8 + 8 + 8 + 8));
	kind->fini(&queue);
}

/* The state is the kind: in memory of the caller, which is not freed either. */
static void fifo_in_memory_does_not_allocate(void **state)
{
	static WEFT_LINE_ALIGNED unsigned char memory[4096];
	const fifo *kind = *state;
	long live = fail_alloc_live();
	any_queue queue;
	uint64_t value;

	assert_true(kind->memory_size(8) <= sizeof(memory));
	fail_alloc_after(0);
	assert_int_equal(kind->init_in(&queue, memory, sizeof(memory), 8), 0);
	assert_true(kind->try_push(&queue, 17));
	assert_true(kind->try_pop(&queue, &value));
	kind->close(&queue);
	assert_int_equal(kind->pop(&queue, &value), -EPIPE);
	kind->fini(&queue);
	assert_int_equal(fail_alloc_count(), 0);
	assert_int_equal(fail_alloc_live(), live);
	fail_alloc_after(-1);
}

/* Made here, or in memory of the caller, which is not freed either. */
static void bounded_stack_keeps_to_its_memory(void **state)
{
	static WEFT_LINE_ALIGNED unsigned char memory[1024];
	uint64_t values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	long live = fail_alloc_live();
	weft_bounded_stack made, given;
	size_t moved = 0;

	(void)state;
	assert_int_equal(fail_alloc_each(make_bounded_stack, NULL), 1);
	fail_alloc_after(-1);
	assert_int_equal(weft_bounded_stack_init(&made, 8, 8), 0);
	begin_to_count();
	assert_int_equal(weft_bounded_stack_init_in(&given, memory, sizeof(memory), 8, 8), 0);
	for (int lap = 0; lap < LAPS; lap++) {
		weft_bounded_stack *stack = lap % 2 == 0 ? &made : &given;

		moved += weft_bounded_stack_try_push(stack, values);
		moved += weft_bounded_stack_try_push_batch(stack, values, 8);
		moved += weft_bounded_stack_try_push(stack, values);
		moved += weft_bounded_stack_size(stack);
		moved += weft_bounded_stack_try_pop(stack, values);
		moved += weft_bounded_stack_try_pop_batch(stack, values, 8);
		moved += weft_bounded_stack_try_pop(stack, values);
	}
	assert_int_equal(fail_alloc_count(), 0);
	assert_int_equal(moved, (size_t)LAPS * (8 + 8 + 8));
	weft_bounded_stack_fini(&given);
	weft_bounded_stack_fini(&made);
	assert_int_equal(fail_alloc_live(), live);
}

/* The state is the kind: all three of these. */
static void fifo_keeps_to_its_memory(void **state)
{
	fifo_without_memory(state);
	fifo_does_not_allocate(state);
	fifo_in_memory_does_not_allocate(state);
}

/* Within the room that it was made with. */
static void deque_does_not_allocate(void **state)
{
	weft_deque deque, own;
	size_t done = 0;
	void *element;

	(void)state;
	fail_alloc_after(-1);
	assert_int_equal(weft_deque_init(&deque, 4), 0);
	assert_int_equal(weft_deque_init(&own, 4), 0);
	begin_to_count();
	for (int lap = 0; lap < LAPS; lap++) {
		done += weft_deque_push(&deque, &deque) == 0;
		done += weft_deque_push_seq_cst(&deque, &deque) == 0;
		done += weft_deque_push(&deque, &deque) == 0;
		done += weft_deque_push_seq_cst(&deque, &deque) == 0;
		done += weft_deque_size(&deque);
		done += weft_deque_steal(&deque, &element) == 0;
		done += weft_deque_try_pop(&deque, &element);
		done += weft_deque_steal(&deque, &element) == 0;
		done += weft_deque_try_pop(&deque, &element);
		done += weft_deque_try_pop(&deque, &element);
		done += weft_deque_push_lazy(&deque, &deque) == 0;
		weft_deque_publish(&deque);
		done += weft_deque_steal_half(&deque, &own, &element) == 0;
		done += weft_deque_try_pop_lazy(&deque, &element);
	}
	assert_int_equal(done, (size_t)LAPS * 14);
	assert_int_equal(fail_alloc_count(), 0);
	weft_deque_fini(&own);
	weft_deque_fini(&deque);
}

static void priority_queues_do_not_allocate(void **state)
{
	weft_multiqueue_handle handle;
	weft_priority_queue strict;
	weft_multiqueue relaxed;
	size_t done = 0;
	void *element;

	(void)state;
	fail_alloc_after(-1);
	assert_int_equal(weft_priority_queue_init(&strict, 4, 2), 0);
	assert_int_equal(weft_multiqueue_init(&relaxed, 4, 2, 2), 0);
	begin_to_count();
	weft_multiqueue_handle_init(&handle, &relaxed);
	for (unsigned lap = 0; lap < LAPS; lap++) {
		size_t room = 0;

		for (unsigned i = 0; i < 4; i++)
			done += weft_priority_queue_try_push(&strict, i % 2, &strict);
		/* Full: this one may take more than it was made for. */
		done += weft_priority_queue_try_push(&strict, 0, &strict);
		while (weft_multiqueue_try_push(&handle, room, &relaxed))
			room++;
		done += weft_priority_queue_size(&strict);
		assert_int_equal(weft_multiqueue_size(&relaxed), room);
		for (unsigned i = 0; i < 5; i++)
			done += weft_priority_queue_try_pop(&strict, &element, NULL);
		while (weft_multiqueue_try_pop(&handle, &element, NULL))
			room--;
		assert_int_equal(room, 0);
	}
	weft_priority_queue_close(&strict);
	weft_multiqueue_close(&relaxed);
	assert_int_equal(done, (size_t)LAPS * 12);
	assert_int_equal(fail_alloc_count(), 0);
	weft_multiqueue_fini(&relaxed);
	weft_priority_queue_fini(&strict);
}

static void counter_does_not_allocate(void **state)
{
	weft_counter counter;
	int taken = 0;

	(void)state;
	fail_alloc_after(-1);
	assert_int_equal(weft_counter_init(&counter), 0);
	begin_to_count();
	for (int lap = 0; lap < LAPS; lap++) {
		weft_counter_increment(&counter);
		weft_counter_add(&counter, 5);
		weft_counter_add(&counter, -3);
		/* What an addition is where there are no restartable sequences. */
		weft_counter_add_atomic_(&counter, 1);
		if (lap % 1024 == 0) {
			assert_int_equal(weft_counter_read(&counter), 4 * (lap + 1 - taken));
			assert_int_equal(weft_counter_reset(&counter), 4 * (lap + 1 - taken));
			taken = lap + 1;
		}
	}
	assert_int_equal(weft_counter_read(&counter), 4 * (LAPS - taken));
	assert_int_equal(fail_alloc_count(), 0);
	weft_counter_fini(&counter);
}

static void object_pool_does_not_allocate(void **state)
{
	const weft_object_pool_options options = {.object_size = 64};
	void *objects[1000];
	weft_object_pool pool;

	(void)state;
	fail_alloc_after(-1);
	assert_int_equal(weft_object_pool_init(&pool, &options), 0);
	assert_int_equal(weft_object_pool_reserve(&pool, 1000), 0);
	begin_to_count();
	for (int lap = 0; lap < LAPS / 100; lap++) {
		for (int i = 0; i < 1000; i++)
			assert_non_null(objects[i] = weft_object_pool_alloc(&pool));
		for (int i = 0; i < 1000; i++)
			weft_object_pool_free(&pool, objects[i]);
	}
	assert_int_equal(fail_alloc_count(), 0);
	weft_object_pool_fini(&pool);
}

static void gauge_does_not_allocate(void **state)
{
	weft_gauge gauge;

	(void)state;
	fail_alloc_after(-1);
	assert_int_equal(weft_gauge_init(&gauge), 0);
	begin_to_count();
	for (int lap = 0; lap < LAPS; lap++) {
		weft_gauge_add(&gauge, 5);
		weft_gauge_subtract(&gauge, 3);
		weft_gauge_record(&gauge, lap);
		weft_gauge_record(&gauge, -lap);
		if (lap % 1024 != 0)
			continue;
		assert_true(weft_gauge_read(&gauge) > 0);
		assert_true(weft_gauge_set(&gauge, 0) > 0);
		assert_int_equal(weft_gauge_high(&gauge), lap);
		assert_int_equal(weft_gauge_low(&gauge), -lap);
		assert_int_equal(weft_gauge_reset_high(&gauge), lap);
		assert_int_equal(weft_gauge_reset_low(&gauge), -lap);
	}
	assert_int_equal(fail_alloc_count(), 0);
	weft_gauge_fini(&gauge);
}

static void histogram_does_not_allocate(void **state)
{
	weft_histogram_snapshot snapshot, sum;
	weft_histogram histogram;

	(void)state;
	fail_alloc_after(-1);
	assert_int_equal(weft_histogram_init(&histogram, LAPS / 2, 5), 0);
	assert_int_equal(weft_histogram_snapshot_init(&snapshot, LAPS / 2, 5), 0);
	assert_int_equal(weft_histogram_snapshot_init(&sum, LAPS / 2, 5), 0);
	begin_to_count();
	for (uint64_t lap = 1; lap <= LAPS; lap++) {
		weft_histogram_record(&histogram, lap);
		weft_histogram_record_many(&histogram, lap, 2);
		if (lap % 1024 != 0 && lap != LAPS)
			continue;
		assert_int_equal(weft_histogram_read(&histogram, &snapshot), 0);
		assert_int_equal(weft_histogram_reset(&histogram, &snapshot), 0);
		assert_int_equal(weft_histogram_snapshot_add(&sum, &snapshot), 0);
		assert_true(weft_histogram_snapshot_percentile(&sum, 50) > 0);
		assert_true(weft_histogram_snapshot_mean(&sum) > 0);
	}
	assert_int_equal(sum.count, 3 * LAPS);
	assert_int_equal(fail_alloc_count(), 0);
	weft_histogram_snapshot_fini(&sum);
	weft_histogram_snapshot_fini(&snapshot);
	weft_histogram_fini(&histogram);
}

static struct CMUnitTest fifo_test(const char *name, CMUnitTestFunction test, const fifo *kind)
{
	return (struct CMUnitTest){name, test, NULL, NULL, (void *)(uintptr_t)kind};
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		fifo_test("mpmc_queue without memory", fifo_without_memory, &fifo_mpmc_queue),
		fifo_test("mpmc_queue, typed, without memory", fifo_without_memory,
			  &fifo_mpmc_queue_typed),
		fifo_test("mpmc_lockfree without memory", fifo_without_memory, &fifo_mpmc_lockfree),
		fifo_test("mpmc_lockfree_any", fifo_keeps_to_its_memory, &fifo_mpmc_lockfree_any),
		fifo_test("mpmc_pointer_queue without memory", fifo_without_memory,
			  &fifo_mpmc_pointer_queue),
		fifo_test("mpmc_unbounded without memory", unbounded_without_memory,
			  &fifo_mpmc_unbounded),
		fifo_test("mpmc_unbounded, typed, without memory", unbounded_without_memory,
			  &fifo_mpmc_unbounded_typed),
		fifo_test("mpsc_ring without memory", fifo_without_memory, &fifo_mpsc_ring),
		fifo_test("spsc_queue without memory", fifo_without_memory, &fifo_spsc_queue),
		fifo_test("spsc_queue, typed, without memory", fifo_without_memory,
			  &fifo_spsc_queue_typed),
		cmocka_unit_test(deque_without_memory),
		cmocka_unit_test(counter_without_memory),
		cmocka_unit_test(gauge_without_memory),
		cmocka_unit_test(histogram_without_memory),
		cmocka_unit_test(priority_queues_without_memory),
		cmocka_unit_test(bounded_stack_keeps_to_its_memory),
		cmocka_unit_test(deque_grows_without_memory),
		cmocka_unit_test(deque_goes_on_after_a_failure),
		cmocka_unit_test(unbounded_goes_on_after_a_failure),
		fifo_test("mpmc_queue does not allocate", fifo_does_not_allocate, &fifo_mpmc_queue),
		fifo_test("mpmc_queue, typed, does not allocate", fifo_does_not_allocate,
			  &fifo_mpmc_queue_typed),
		fifo_test("mpmc_lockfree does not allocate", fifo_does_not_allocate,
			  &fifo_mpmc_lockfree),
		fifo_test("mpmc_pointer_queue does not allocate", fifo_does_not_allocate,
			  &fifo_mpmc_pointer_queue),
		fifo_test("mpsc_ring does not allocate", fifo_does_not_allocate, &fifo_mpsc_ring),
		fifo_test("mpsc_ring, in place, does not allocate", fifo_does_not_allocate,
			  &fifo_mpsc_ring_in_place),
		fifo_test("spsc_queue does not allocate", fifo_does_not_allocate, &fifo_spsc_queue),
		fifo_test("spsc_queue, typed, does not allocate", fifo_does_not_allocate,
			  &fifo_spsc_queue_typed),
		fifo_test("spsc_queue, in place, does not allocate", fifo_does_not_allocate,
			  &fifo_spsc_queue_in_place),
		fifo_test("mpmc_queue in memory does not allocate",
			  fifo_in_memory_does_not_allocate, &fifo_mpmc_queue),
		fifo_test("mpmc_queue, typed, in memory does not allocate",
			  fifo_in_memory_does_not_allocate, &fifo_mpmc_queue_typed),
		fifo_test("mpmc_pointer_queue in memory does not allocate",
			  fifo_in_memory_does_not_allocate, &fifo_mpmc_pointer_queue),
		cmocka_unit_test(deque_does_not_allocate),
		cmocka_unit_test(priority_queues_do_not_allocate),
		cmocka_unit_test(counter_does_not_allocate),
		cmocka_unit_test(object_pool_without_memory),
		cmocka_unit_test(object_pool_does_not_allocate),
		cmocka_unit_test(gauge_does_not_allocate),
		cmocka_unit_test(histogram_does_not_allocate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
