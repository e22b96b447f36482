/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/multiqueue.h>

#include "../rank_tree.h"
#include "../seeded_random.h"

static void push(weft_multiqueue_handle *handle, uint64_t priority, uintptr_t element)
{
	assert_int_equal(weft_multiqueue_push(handle, priority, (void *)element), 0);
}

static weft_multiqueue_lane_ *lane_of(weft_multiqueue *queue, size_t index)
{
	return &queue->lanes_[index];
}

static void refuses_arguments(void **state)
{
	static const struct {
		size_t capacity;
		unsigned lanes, stickiness;
	} refused[] = {
		{0, 1, 1},
		{1, 0, 1},
		{1, 1, 0},
		{8192, 1025, 1},
		{8192, UINT32_MAX, 1},
		{8, 8, 1025},
		{((size_t)1 << 31) + 1, 1, 1},
		{SIZE_MAX, 8, 1},
	};
	static const weft_multiqueue zeroed;
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[64 * WEFT_CACHE_LINE];
	weft_multiqueue queue;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_multiqueue_init(&queue, refused[i].capacity, refused[i].lanes,
						      refused[i].stickiness),
				 -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		weft_multiqueue_fini(&queue);
		memset((void *)&queue, 0xa5, sizeof(queue));
		assert_int_equal(weft_multiqueue_init_in(&queue, memory, sizeof(memory),
							 refused[i].capacity, refused[i].lanes,
							 refused[i].stickiness),
				 -EINVAL);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
		if (refused[i].stickiness == 1)
			assert_int_equal(
				weft_multiqueue_memory_size(refused[i].capacity, refused[i].lanes),
				0);
	}
	/* The largest lane there is. */
	assert_true(weft_multiqueue_memory_size((size_t)1 << 31, 1) > (size_t)24 << 31);
}

static void lives_in_memory_of_the_caller(void **state)
{
	static const weft_multiqueue zeroed;
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[64 * WEFT_CACHE_LINE];
	size_t bytes = weft_multiqueue_memory_size(10, 2);
	weft_multiqueue_handle handle;
	weft_multiqueue queue;

	(void)state;
	assert_true(bytes >= 10 * 24 + 2 * sizeof(weft_multiqueue_lane_) && bytes < sizeof(memory));
	assert_int_equal(weft_multiqueue_init_in(&queue, NULL, bytes, 10, 2, 1), -EINVAL);
	assert_int_equal(weft_multiqueue_init_in(&queue, memory + 8, bytes, 10, 2, 1), -EINVAL);
	assert_int_equal(weft_multiqueue_init_in(&queue, memory, bytes - 1, 10, 2, 1), -EINVAL);
	assert_memory_equal(&queue, &zeroed, sizeof(queue));
	memset(memory, 0xa5, sizeof(memory));
	for (int again = 0; again < 2; again++) {
		uintptr_t room = 0;
		void *element;

		assert_int_equal(weft_multiqueue_init_in(&queue, memory, bytes, 10, 2, 1), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		while (weft_multiqueue_try_push(&handle, room, (void *)room))
			room++;
		assert_true(room >= 10);
		for (uintptr_t i = 0; i < room; i++)
			assert_true(weft_multiqueue_try_pop(&handle, &element, NULL));
		weft_multiqueue_fini(&queue);
		assert_memory_equal(&queue, &zeroed, sizeof(queue));
	}
	for (size_t i = bytes; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0xa5);
}

/* One lane is a strict queue, in which equals keep their order. */
static void one_lane_is_strict(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;
	uint64_t priority;

	(void)state;
	assert_int_equal(weft_multiqueue_init(&queue, 300, 1, 1), 0);
	weft_multiqueue_handle_init(&handle, &queue);
	for (uintptr_t i = 0; i < 300; i++)
		push(&handle, i % 3 == 0 ? UINT64_MAX : i % 3, i);
	for (uintptr_t i = 0; i < 300; i++) {
		uintptr_t expected = i < 200 ? 3 * (i % 100) + 1 + i / 100 : 3 * (i % 100);

		assert_int_equal(weft_multiqueue_pop(&handle, &element, &priority), 0);
		assert_int_equal((uintptr_t)element, expected);
		assert_int_equal(priority, i < 200 ? 1 + i / 100 : UINT64_MAX);
	}
	assert_int_equal(weft_multiqueue_pop(&handle, &element, &priority), -EAGAIN);
	weft_multiqueue_fini(&queue);
}

/* More than a front holds, so that a batch that finds no room is found out. */
#define BATCH_MAX 100

/* What is in a lane, in the order of the pushes. */
typedef struct plain_lane {
	struct {
		uint64_t priority;
		uintptr_t element;
	} inside[512];
	size_t count;
	uintptr_t pushed;
} plain_lane;

static void push_some(weft_multiqueue_handle *handle, plain_lane *plain, uint64_t priority,
		      size_t count)
{
	void *elements[BATCH_MAX];
	size_t pushed;

	for (size_t i = 0; i < count; i++)
		elements[i] = (void *)(plain->pushed + i);
	pushed = weft_multiqueue_try_push_batch(handle, priority, elements, count);
	assert_true(pushed == count || plain->count + pushed >= 200);
	assert_true(plain->count + pushed <= 512);
	for (size_t i = 0; i < pushed; i++, plain->count++) {
		plain->inside[plain->count].priority = priority;
		plain->inside[plain->count].element = plain->pushed++;
	}
}

static void pop_some(weft_multiqueue_handle *handle, plain_lane *plain, size_t count)
{
	void *elements[BATCH_MAX];
	uint64_t priorities[BATCH_MAX];
	size_t popped = weft_multiqueue_try_pop_batch(handle, elements, priorities, count);

	assert_int_equal(popped, count < plain->count ? count : plain->count);
	for (size_t i = 0; i < popped; i++) {
		size_t first = 0;

		for (size_t j = 1; j < plain->count; j++)
			if (plain->inside[j].priority < plain->inside[first].priority)
				first = j;
		assert_true(priorities[i] == plain->inside[first].priority);
		assert_int_equal((uintptr_t)elements[i], plain->inside[first].element);
		plain->count--;
		memmove(&plain->inside[first], &plain->inside[first + 1],
			(plain->count - first) * sizeof(plain->inside[0]));
	}
}

/* One lane gives what a plain array gives, when its front and its heap are filled and emptied in
 * any order, full and empty included. */
static void one_lane_equals_an_array(void **state)
{
	seeded_random random = {seeded_random_seed()};

	(void)state;
	for (int round = 0; round < 30; round++) {
		uint64_t priorities = 1 + seeded_random_below(&random, 1000);
		static plain_lane plain;
		weft_multiqueue_handle handle;
		weft_multiqueue queue;

		plain.count = plain.pushed = 0;
		assert_int_equal(weft_multiqueue_init(&queue, 200, 1, 1), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		for (int i = 0; i < 1000; i++) {
			/* Now it fills, now it empties. */
			bool fills = seeded_random_below(&random, 8) < (i / 100 % 2 == 0 ? 5 : 3);
			size_t count = 1 + (size_t)seeded_random_below(&random, BATCH_MAX);

			if (fills)
				push_some(&handle, &plain, seeded_random_below(&random, priorities),
					  count);
			else
				pop_some(&handle, &plain, count);
			assert_int_equal(weft_multiqueue_size(&queue), plain.count);
		}
		weft_multiqueue_fini(&queue);
	}
}

/* What was asked for fits, whether it is of one priority or of many; and again, when all has been
 * taken out. */
static void fills(void **state)
{
	static const struct {
		size_t capacity;
		unsigned lanes;
	} asked[] = {{1, 1}, {1, 16}, {5, 3}, {64, 16}, {100, 16}, {1000, 1}, {1000, 8}};
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		assert_int_equal(weft_multiqueue_init(&queue, asked[i].capacity, asked[i].lanes, 8),
				 0);
		weft_multiqueue_handle_init(&handle, &queue);
		assert_int_equal(weft_multiqueue_capacity(&queue), asked[i].capacity);
		for (uint64_t priorities = 1; priorities <= 10000; priorities *= 10) {
			size_t room = 0, taken = 0;

			while (weft_multiqueue_push(&handle, room % priorities, (void *)room) == 0)
				room++;
			assert_true(room >= asked[i].capacity);
			assert_int_equal(weft_multiqueue_push(&handle, room % priorities, NULL),
					 -EAGAIN);
			assert_int_equal(weft_multiqueue_size(&queue), room);
			while (weft_multiqueue_try_pop(&handle, &element, NULL))
				taken++;
			assert_int_equal(taken, room);
			assert_int_equal(weft_multiqueue_size(&queue), 0);
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EAGAIN);
		}
		weft_multiqueue_fini(&queue);
	}
}

static void closes(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;

	(void)state;
	for (uintptr_t inside = 0; inside < 8; inside++) {
		assert_int_equal(weft_multiqueue_init(&queue, 8, 4, 2), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		for (uintptr_t i = 0; i < inside; i++)
			push(&handle, 7, i);
		assert_false(weft_multiqueue_is_closed(&queue));
		weft_multiqueue_close(&queue);
		weft_multiqueue_close(&queue);
		assert_true(weft_multiqueue_is_closed(&queue));
		assert_int_equal(weft_multiqueue_push(&handle, 0, NULL), -EPIPE);
		assert_false(weft_multiqueue_try_push(&handle, 0, NULL));
		for (uintptr_t i = 0; i < inside; i++)
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), 0);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EPIPE);
			assert_false(weft_multiqueue_try_pop(&handle, &element, NULL));
			/* Not open, nor only closed, again. */
			weft_multiqueue_close(&queue);
			assert_int_equal(weft_multiqueue_push(&handle, 0, NULL), -EPIPE);
		}
		weft_multiqueue_fini(&queue);
	}
}

static void set_taken(weft_multiqueue *queue, size_t lane, uint32_t taken)
{
	atomic_store_explicit(&lane_of(queue, lane)->taken_, taken, memory_order_relaxed);
}

static void pop_all(weft_multiqueue_handle *handle, size_t expected, int last)
{
	void *element;

	for (size_t i = 0; i < expected; i++)
		assert_int_equal(weft_multiqueue_pop(handle, &element, NULL), 0);
	assert_int_equal(weft_multiqueue_pop(handle, &element, NULL), last);
}

/* A thread that has stopped in a lane hides that one: others go elsewhere, and leave there what
 * must be there. */
static void goes_around_a_lane_that_is_taken(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *element;

	(void)state;
	for (size_t hidden = 0; hidden < 4; hidden++) {
		size_t inside, full = 0;

		assert_int_equal(weft_multiqueue_init(&queue, 1000, 4, 3), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		for (uintptr_t i = 0; i < 16; i++)
			push(&handle, i, i);
		inside = atomic_load_explicit(&lane_of(&queue, hidden)->count_,
					      memory_order_relaxed);
		set_taken(&queue, hidden, 1);
		pop_all(&handle, 16 - inside, -EAGAIN);
		for (uintptr_t i = 0; i < 16; i++)
			push(&handle, i, i);
		assert_int_equal(weft_multiqueue_size(&queue), inside + 16);
		pop_all(&handle, 16 - inside, -EAGAIN);
		/* A lane's inbox takes 16, of which it has some. */
		for (uintptr_t i = 0; i < 200; i++)
			full += weft_multiqueue_push(&handle, i, NULL) == -EAGAIN;
		assert_true(full > 0 && full < 150);
		pop_all(&handle, 200 - full - (16 - inside), -EAGAIN);
		assert_int_equal(weft_multiqueue_size(&queue), inside + 16);
		weft_multiqueue_close(&queue);
		/* Not drained: there are some in the lane. */
		pop_all(&handle, 0, -EAGAIN);
		set_taken(&queue, hidden, 0);
		pop_all(&handle, inside + 16, -EPIPE);
		/* What was said is not taken back. */
		set_taken(&queue, hidden, 1);
		assert_int_equal(weft_multiqueue_pop(&handle, &element, NULL), -EPIPE);
		weft_multiqueue_fini(&queue);
	}
}

/* Also when lanes were another thread's now and then, and when there is no room in a heap for what
 * is in the inbox: equals of a producer come out in the order of their pushes. */
static void equals_keep_their_order(void **state)
{
	seeded_random random = {seeded_random_seed()};

	(void)state;
	for (int round = 0; round < 200; round++) {
		unsigned lanes = 1U << seeded_random_below(&random, 4);
		uintptr_t next[3][4] = {{0}}, expected[3][4] = {{0}};
		weft_multiqueue_handle handles[3];
		weft_multiqueue queue;
		uint64_t priority;
		void *element;

		assert_int_equal(weft_multiqueue_init(&queue, 1 + seeded_random_below(&random, 100),
						      lanes, 2),
				 0);
		for (int i = 0; i < 3; i++)
			weft_multiqueue_handle_init(&handles[i], &queue);
		for (int i = 0; i < 2000; i++) {
			size_t who = seeded_random_below(&random, 3);

			priority = seeded_random_below(&random, 4);
			if (seeded_random_below(&random, 8) == 0)
				set_taken(&queue, seeded_random_below(&random, lanes), i < 1990);
			if (seeded_random_below(&random, 4) == 0)
				set_taken(&queue, seeded_random_below(&random, lanes), 0);
			if (seeded_random_below(&random, 2) == 0 && i < 1990) {
				uintptr_t number = (next[who][priority] * 3 + who) * 4 + priority;

				next[who][priority] += weft_multiqueue_try_push(
					&handles[who], priority, (void *)number);
			} else if (weft_multiqueue_try_pop(&handles[who], &element, &priority)) {
				uintptr_t number = (uintptr_t)element;

				assert_int_equal(number % 4, priority);
				assert_int_equal(number / 12, expected[number / 4 % 3][priority]++);
			}
		}
		for (unsigned i = 0; i < lanes; i++)
			set_taken(&queue, i, 0);
		while (weft_multiqueue_try_pop(&handles[0], &element, &priority)) {
			uintptr_t number = (uintptr_t)element;

			assert_int_equal(number / 12, expected[number / 4 % 3][priority]++);
		}
		assert_memory_equal(next, expected, sizeof(next));
		weft_multiqueue_fini(&queue);
	}
}

static void passes_batches(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;
	void *in[100], *out[100];
	uint64_t priorities[100];

	(void)state;
	for (uintptr_t i = 0; i < 100; i++)
		in[i] = (void *)i;
	for (unsigned lanes = 1; lanes <= 8; lanes *= 2) {
		size_t room = 0, pushed;

		assert_int_equal(weft_multiqueue_init(&queue, 200, lanes, 1), 0);
		weft_multiqueue_handle_init(&handle, &queue);
		assert_int_equal(weft_multiqueue_try_push_batch(&handle, 7, in, 0), 0);
		assert_int_equal(weft_multiqueue_try_pop_batch(&handle, out, priorities, 100), 0);
		assert_int_equal(weft_multiqueue_try_push_batch(&handle, 7, in, 60), 60);
		assert_int_equal(weft_multiqueue_try_push_batch(&handle, 9, in, 100), 100);
		assert_int_equal(weft_multiqueue_size(&queue), 160);
		assert_int_equal(weft_multiqueue_try_pop_batch(&handle, out, NULL, 0), 0);
		/* In each lane they are in their order, and they are in two at most; some batches
		 * take what is left in one and the rest from the other. */
		for (size_t popped = 0; popped < 160; popped += pushed) {
			pushed = weft_multiqueue_try_pop_batch(&handle, out, priorities, 23);
			assert_int_equal(pushed, 160 - popped < 23 ? 160 - popped : 23);
			for (size_t i = 0; i < pushed; i++) {
				assert_true(priorities[i] == 7 || priorities[i] == 9);
				assert_true(i == 0 || priorities[i] != priorities[i - 1] ||
					    (uintptr_t)out[i] == (uintptr_t)out[i - 1] + 1);
			}
		}
		assert_int_equal(weft_multiqueue_try_pop_batch(&handle, out, NULL, 1), 0);
		while ((pushed = weft_multiqueue_try_push_batch(&handle, room, in, 30)) == 30)
			room += 30;
		assert_true(room + pushed >= 200);
		/* Those that fitted are the first. */
		room += pushed;
		for (size_t popped = 0; popped < room; popped++)
			assert_int_equal(weft_multiqueue_try_pop_batch(&handle, out, NULL, 1), 1);
		weft_multiqueue_close(&queue);
		assert_int_equal(weft_multiqueue_try_push_batch(&handle, 7, in, 100), 0);
		assert_int_equal(weft_multiqueue_try_pop_batch(&handle, out, NULL, 100), 0);
		weft_multiqueue_fini(&queue);
	}
}

struct triple {
	uint64_t number;
	char name[9];
};

WEFT_MULTIQUEUE_DEFINE(triples, struct triple);
WEFT_MULTIQUEUE_DEFINE(bytes, unsigned char);

/* Elements of any size, in the heap and in the inbox. */
static void carries_any_type(void **state)
{
	_Alignas(WEFT_CACHE_LINE) static unsigned char memory[256 * WEFT_CACHE_LINE];
	struct triple triple = {0, "abcdefgh"}, popped, more[3];
	unsigned char byte = 0;
	triples_handle user;
	triples queue;
	bytes_handle small_user;
	bytes small;
	uint64_t priority, priorities[3];

	(void)state;
	assert_true(triples_memory_size(100, 2) <= sizeof(memory));
	assert_int_equal(triples_init_in(&queue, memory, sizeof(memory), 100, 2, 1), 0);
	triples_handle_init(&user, &queue);
	for (unsigned i = 0; i < 100; i++) {
		triple.number = i;
		set_taken(&queue.queue_, 0, i % 8 == 0);
		assert_int_equal(triples_push(&user, 99 - i / 2, triple), 0);
	}
	set_taken(&queue.queue_, 0, 0);
	assert_int_equal(triples_size(&queue), 100);
	for (uint64_t i = 0; i < 97; i++) {
		assert_int_equal(triples_pop(&user, &popped, &priority), 0);
		assert_int_equal(priority, 99 - popped.number / 2);
		assert_string_equal(popped.name, "abcdefgh");
	}
	assert_int_equal(triples_try_pop_batch(&user, more, priorities, 3), 3);
	assert_false(triples_try_pop(&user, &popped, NULL));
	assert_int_equal(triples_try_push_batch(&user, 5, more, 3), 3);
	assert_true(triples_try_pop(&user, &popped, &priority));
	assert_memory_equal(&popped, &more[0], sizeof(popped));
	triples_close(&queue);
	assert_true(triples_is_closed(&queue));
	assert_int_equal(triples_push(&user, 5, triple), -EPIPE);
	assert_false(triples_try_push(&user, 5, triple));
	triples_fini(&queue);

	assert_int_equal(bytes_init(&small, 300, 4, 1), 0);
	assert_int_equal(bytes_capacity(&small), 300);
	bytes_handle_init(&small_user, &small);
	for (unsigned i = 0; i < 256; i++)
		assert_true(bytes_try_push(&small_user, i, (unsigned char)i));
	for (unsigned i = 0; i < 256; i++) {
		assert_int_equal(bytes_pop(&small_user, &byte, &priority), 0);
		assert_int_equal(byte, priority);
	}
	bytes_fini(&small);
	assert_int_equal(weft_multiqueue_memory_size_(10, 0, 1), 0);
	assert_int_equal(weft_multiqueue_memory_size_(10, WEFT_MULTIQUEUE_ELEMENT_MAX + 1, 1), 0);
	assert_true(weft_multiqueue_memory_size_(10, WEFT_MULTIQUEUE_ELEMENT_MAX, 1) > 0);
}

/* The stack of chunks counts its changes; they may overflow. */
static void chunks_are_counted(void **state)
{
	weft_multiqueue_handle handle;
	weft_multiqueue queue;

	(void)state;
	assert_int_equal(weft_multiqueue_init(&queue, 512, 4, 1), 0);
	weft_multiqueue_handle_init(&handle, &queue);
	atomic_fetch_or_explicit(&queue.chunks_, ~(uint64_t)0 << 19, memory_order_relaxed);
	for (int round = 0; round < 100; round++) {
		for (uintptr_t i = 0; i < 512; i++)
			push(&handle, i, i);
		pop_all(&handle, 512, -EAGAIN);
	}
	assert_true(atomic_load_explicit(&queue.chunks_, memory_order_relaxed) >> 16 < 10000);
	weft_multiqueue_fini(&queue);
}

static void handles_differ(void **state)
{
	weft_multiqueue_handle handles[100];
	weft_multiqueue queue;

	(void)state;
	assert_int_equal(weft_multiqueue_init(&queue, 1024, 1024, 1), 0);
	for (int i = 0; i < 100; i++) {
		weft_multiqueue_handle_init(&handles[i], &queue);
		assert_true(handles[i].random_ != 0);
		for (int j = 0; j < i; j++) {
			assert_true(handles[i].random_ != handles[j].random_);
			assert_true(handles[i].identity_ != handles[j].identity_);
		}
	}
	weft_multiqueue_fini(&queue);
}

#define MODEL_CAPACITY   64
#define MODEL_OPERATIONS 2000

/* Against an array: each element comes out once, with its priority, and none is missing. */
static void equals_its_model(void **state)
{
	seeded_random random = {seeded_random_seed()};

	(void)state;
	for (int round = 0; round < 100; round++) {
		uint64_t priority_of[MODEL_CAPACITY], priority, priorities;
		bool is_inside[MODEL_CAPACITY] = {false};
		unsigned lanes = 1U << seeded_random_below(&random, 5);
		weft_multiqueue_handle handles[3];
		weft_multiqueue queue;
		size_t inside = 0;
		void *element;

		priorities = 1 + seeded_random_below(&random, 100);
		assert_int_equal(weft_multiqueue_init(&queue, MODEL_CAPACITY, lanes,
						      1 + (unsigned)round % 9),
				 0);
		for (int i = 0; i < 3; i++)
			weft_multiqueue_handle_init(&handles[i], &queue);
		for (int i = 0; i < MODEL_OPERATIONS; i++) {
			weft_multiqueue_handle *handle = &handles[i % 3];
			uint64_t free = seeded_random_below(&random, MODEL_CAPACITY);

			if (seeded_random_below(&random, 2) == 0) {
				assert_int_equal(weft_multiqueue_pop(handle, &element, &priority),
						 inside == 0 ? -EAGAIN : 0);
				if (inside == 0)
					continue;
				uintptr_t number = (uintptr_t)element;

				assert_true(number < MODEL_CAPACITY && is_inside[number]);
				assert_int_equal(priority, priority_of[number]);
				is_inside[number] = false;
				inside--;
			} else if (!is_inside[free]) {
				priority_of[free] = seeded_random_below(&random, priorities);
				push(handle, priority_of[free], free);
				is_inside[free] = true;
				inside++;
			}
			assert_int_equal(weft_multiqueue_size(&queue), inside);
		}
		weft_multiqueue_fini(&queue);
	}
}

#define RANKED 4096

/* The handles of eight threads take turns; half of what is inside is popped, pushed again and so
 * on. Each priority is there once, so that the rank error of a pop is what it says. */
static void check_ranks(unsigned lanes, unsigned stickiness, double mean_limit)
{
	static rank_tree inside;
	weft_multiqueue_handle handles[8];
	seeded_random random = {12345};
	size_t order[RANKED], above = 0, pops = 0;
	weft_multiqueue queue;
	double sum = 0;

	rank_tree_clear(&inside);
	assert_int_equal(weft_multiqueue_init(&queue, (size_t)2 * RANKED, lanes, stickiness), 0);
	for (int i = 0; i < 8; i++)
		weft_multiqueue_handle_init(&handles[i], &queue);
	for (size_t i = 0; i < RANKED; i++) {
		size_t other = seeded_random_below(&random, i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	for (size_t i = 0; i < RANKED; i++) {
		push(&handles[i % 8], order[i], order[i]);
		rank_tree_add(&inside, order[i], 1);
	}
	for (int round = 0; round < 20; round++) {
		size_t popped[RANKED / 2];

		for (size_t i = 0; i < RANKED / 2; i++, pops++) {
			void *element;

			assert_true(weft_multiqueue_try_pop(&handles[pops % 8], &element, NULL));
			popped[i] = (uintptr_t)element;
			unsigned rank = rank_tree_below(&inside, popped[i]);

			sum += rank;
			above += rank > 8 * lanes * stickiness;
			rank_tree_add(&inside, popped[i], -1);
		}
		for (size_t i = 0; i < RANKED / 2; i++) {
			push(&handles[seeded_random_below(&random, 8)], popped[i], popped[i]);
			rank_tree_add(&inside, popped[i], 1);
		}
	}
	printf("# %u lanes, stickiness %u: rank error %.1f on average, %zu of %zu above %u\n",
	       lanes, stickiness, sum / (double)pops, above, pops, 8 * lanes * stickiness);
	assert_true(sum / (double)pops < mean_limit);
	assert_true(above <= pops / 1000);
	weft_multiqueue_fini(&queue);
}

static void ranks_are_as_stated(void **state)
{
	(void)state;
	check_ranks(1, 1, 0.001);
	check_ranks(8, 1, 8);
	check_ranks(16, 1, 16);
	check_ranks(64, 1, 64);
	check_ranks(16, 4, 64);
	check_ranks(16, 8, 128);
	check_ranks(32, 8, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_arguments),
		cmocka_unit_test(lives_in_memory_of_the_caller),
		cmocka_unit_test(one_lane_is_strict),
		cmocka_unit_test(one_lane_equals_an_array),
		cmocka_unit_test(fills),
		cmocka_unit_test(closes),
		cmocka_unit_test(goes_around_a_lane_that_is_taken),
		cmocka_unit_test(equals_keep_their_order),
		cmocka_unit_test(passes_batches),
		cmocka_unit_test(carries_any_type),
		cmocka_unit_test(chunks_are_counted),
		cmocka_unit_test(handles_differ),
		cmocka_unit_test(equals_its_model),
		cmocka_unit_test(ranks_are_as_stated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
