/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <weft/lockfree/deque.h>

#include "../seeded_random.h"

typedef int push_function(weft_deque *deque, void *element);

static int push(weft_deque *deque, void *element)
{
	return weft_deque_push(deque, element);
}

static int push_seq_cst(weft_deque *deque, void *element)
{
	return weft_deque_push_seq_cst(deque, element);
}

static push_function *const pushes[] = {push, push_seq_cst};

static void push_number(weft_deque *deque, uintptr_t number)
{
	assert_int_equal(pushes[number % 2](deque, (void *)number), 0);
}

static void assert_pops(weft_deque *deque, uintptr_t number)
{
	void *element = NULL;

	assert_true(weft_deque_try_pop(deque, &element));
	assert_int_equal((uintptr_t)element, number);
}

static void assert_steals(weft_deque *deque, uintptr_t number)
{
	void *element = NULL;

	assert_int_equal(weft_deque_steal(deque, &element), 0);
	assert_int_equal((uintptr_t)element, number);
}

static void assert_empty(weft_deque *deque)
{
	void *element;

	assert_int_equal(weft_deque_size(deque), 0);
	assert_int_equal(weft_deque_steal(deque, &element), -ENOENT);
	assert_false(weft_deque_try_pop(deque, &element));
	assert_int_equal(weft_deque_size(deque), 0);
}

static weft_deque_ring_ *ring_of(weft_deque *deque)
{
	return atomic_load_explicit(&deque->ring_, memory_order_relaxed);
}

/* Makes an empty deque look as if this many elements had gone through it. */
static void start_at(weft_deque *deque, uint64_t index)
{
	atomic_store_explicit(&deque->top_, index, memory_order_relaxed);
	atomic_store_explicit(&deque->pushes_, index, memory_order_relaxed);
	deque->owner_bottom_ = deque->public_ = index;
	deque->top_seen_ = index;
}

static void refuses_capacities(void **state)
{
	static const size_t refused[] = {0, ((size_t)1 << 31) + 1, (size_t)1 << 32, SIZE_MAX};
	static const weft_deque zeroed;
	weft_deque deque;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset((void *)&deque, 0xa5, sizeof(deque));
		assert_int_equal(weft_deque_init(&deque, refused[i]), -EINVAL);
		assert_memory_equal(&deque, &zeroed, sizeof(deque));
		weft_deque_fini(&deque);
	}
}

static void finishes_when_zeroed(void **state)
{
	static const weft_deque zeroed;
	weft_deque deque;

	(void)state;
	memset((void *)&deque, 0, sizeof(deque));
	weft_deque_fini(&deque);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(weft_deque_init(&deque, 1), 0);
		assert_empty(&deque);
		for (uintptr_t i = 0; i < 9; i++)
			push_number(&deque, i);
		weft_deque_fini(&deque);
		assert_memory_equal(&deque, &zeroed, sizeof(deque));
		weft_deque_fini(&deque);
	}
}

static void owner_takes_the_newest(void **state)
{
	weft_deque deque;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 2), 0);
	for (int again = 0; again < 3; again++) {
		for (uintptr_t i = 1; i <= 100; i++) {
			push_number(&deque, i);
			assert_int_equal(weft_deque_size(&deque), i);
		}
		for (uintptr_t i = 100; i > 0; i--) {
			assert_int_equal(weft_deque_size(&deque), i);
			assert_pops(&deque, i);
		}
		assert_empty(&deque);
	}
	weft_deque_fini(&deque);
}

static void thieves_take_the_oldest(void **state)
{
	weft_deque deque;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 2), 0);
	for (int again = 0; again < 3; again++) {
		for (uintptr_t i = 1; i <= 100; i++)
			push_number(&deque, i);
		for (uintptr_t i = 1; i <= 100; i++) {
			assert_int_equal(weft_deque_size(&deque), 101 - i);
			assert_steals(&deque, i);
		}
		assert_empty(&deque);
	}
	weft_deque_fini(&deque);
}

static void both_ends_meet(void **state)
{
	weft_deque deque;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 4), 0);
	for (uintptr_t round = 0; round < 10; round++) {
		uintptr_t oldest = 1, newest = round;

		for (uintptr_t i = 1; i <= round; i++)
			push_number(&deque, i);
		while (oldest <= newest) {
			assert_steals(&deque, oldest++);
			if (oldest <= newest)
				assert_pops(&deque, newest--);
		}
		assert_empty(&deque);
	}
	weft_deque_fini(&deque);
}

static void null_is_an_element(void **state)
{
	weft_deque deque;
	void *element = &deque;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 1), 0);
	assert_int_equal(weft_deque_push(&deque, NULL), 0);
	assert_true(weft_deque_try_pop(&deque, &element));
	assert_null(element);
	element = &deque;
	assert_int_equal(weft_deque_push_seq_cst(&deque, NULL), 0);
	assert_int_equal(weft_deque_steal(&deque, &element), 0);
	assert_null(element);
	weft_deque_fini(&deque);
}

static void grows_when_full_and_not_before(void **state)
{
	static const size_t asked_and_room[][2] = {{1, 1}, {2, 2}, {3, 4}, {5, 8}, {64, 64}};
	weft_deque deque;

	(void)state;
	for (size_t i = 0; i < sizeof(asked_and_room) / sizeof(asked_and_room[0]); i++) {
		size_t room = asked_and_room[i][1];

		assert_int_equal(weft_deque_init(&deque, asked_and_room[i][0]), 0);
		weft_deque_ring_ *first = ring_of(&deque);

		for (uintptr_t n = 0; n < room; n++)
			push_number(&deque, n);
		assert_ptr_equal(ring_of(&deque), first);
		push_number(&deque, room);
		assert_ptr_not_equal(ring_of(&deque), first);
		assert_int_equal(ring_of(&deque)->mask, 2 * room - 1);
		for (uintptr_t n = room + 1; n > 0; n--)
			assert_pops(&deque, n - 1);
		weft_deque_fini(&deque);
	}
}

/* What was stolen made room: the deque looks again before it grows. */
static void does_not_grow_into_room(void **state)
{
	weft_deque deque;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 4), 0);
	weft_deque_ring_ *first = ring_of(&deque);

	for (uintptr_t n = 0; n < 4; n++)
		push_number(&deque, n);
	for (uintptr_t n = 4; n < 1000; n++) {
		assert_steals(&deque, n - 4);
		push_number(&deque, n);
	}
	assert_ptr_equal(ring_of(&deque), first);
	weft_deque_fini(&deque);
}

/* Wherever the oldest element is in the ring, and with thieves between any two pushes. */
static void growth_keeps_every_element(void **state)
{
	weft_deque deque;

	(void)state;
	for (uint64_t start = 0; start < 9; start++) {
		for (uintptr_t every = 2; every < 7; every++) {
			uintptr_t stolen = 0, n;

			assert_int_equal(weft_deque_init(&deque, 1 + start % 3), 0);
			start_at(&deque, start);
			for (n = 0; n < 500; n++) {
				push_number(&deque, n);
				if (n % every == 0)
					assert_steals(&deque, stolen++);
			}
			assert_int_equal(weft_deque_size(&deque), n - stolen);
			for (uintptr_t i = 0; i < 100; i++)
				assert_steals(&deque, stolen++);
			while (n > stolen)
				assert_pops(&deque, --n);
			assert_empty(&deque);
			weft_deque_fini(&deque);
		}
	}
}

/* A ring of 2^31 slots, which nobody has to have: the element does not go in. */
static void refuses_to_grow_beyond_its_limit(void **state)
{
	weft_deque deque;
	void *element;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 1), 0);
	uint64_t mask = ring_of(&deque)->mask, full = (uint64_t)1 << 31;

	ring_of(&deque)->mask = full - 1;
	atomic_store_explicit(&deque.pushes_, full, memory_order_relaxed);
	deque.owner_bottom_ = deque.public_ = full;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pushes[i](&deque, &element), -ENOMEM);
	assert_int_equal(weft_deque_size(&deque), full);
	assert_null(ring_of(&deque)->outgrown);
	ring_of(&deque)->mask = mask;
	weft_deque_fini(&deque);
}

/* Indices that have their upper half, and then their sign bit. */
static void survives_large_indices(void **state)
{
	static const uint64_t crossed[] = {(uint64_t)1 << 32, (uint64_t)1 << 63};
	weft_deque deque;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (uint64_t before = 0; before < 20; before++) {
			assert_int_equal(weft_deque_init(&deque, 2), 0);
			start_at(&deque, crossed[i] - before);
			for (uintptr_t n = 0; n < 30; n++)
				push_number(&deque, n);
			for (uintptr_t n = 0; n < 15; n++) {
				assert_steals(&deque, n);
				assert_pops(&deque, 29 - n);
				assert_int_equal(weft_deque_size(&deque), 28 - 2 * n);
			}
			assert_empty(&deque);
			weft_deque_fini(&deque);
		}
	}
}

/* Lazy pushes stay with the owner up to the limit, then the older half goes to the thieves. */
static void holds_the_newest_back(void **state)
{
	weft_deque deque;
	void *element;

	(void)state;
	assert_int_equal(weft_deque_init(&deque, 1), 0);
	for (uintptr_t n = 0; n < WEFT_DEQUE_HELD_MAX; n++)
		assert_int_equal(weft_deque_push_lazy(&deque, (void *)n), 0);
	assert_int_equal(weft_deque_size(&deque), 0);
	assert_int_equal(weft_deque_push_lazy(&deque, (void *)WEFT_DEQUE_HELD_MAX), 0);
	assert_int_equal(weft_deque_size(&deque), WEFT_DEQUE_HELD_MAX / 2);
	for (uintptr_t n = 0; n < WEFT_DEQUE_HELD_MAX / 2; n++)
		assert_steals(&deque, n);
	for (uintptr_t n = WEFT_DEQUE_HELD_MAX; n >= WEFT_DEQUE_HELD_MAX / 2; n--) {
		assert_true(weft_deque_try_pop_lazy(&deque, &element));
		assert_int_equal((uintptr_t)element, n);
	}
	assert_empty(&deque);
	weft_deque_fini(&deque);
}

/* Ten are held back, and a thief has found nothing. */
static void hold_ten_and_ask(weft_deque *deque)
{
	void *element;

	assert_int_equal(weft_deque_init(deque, 16), 0);
	for (uintptr_t n = 1; n <= 10; n++)
		assert_int_equal(weft_deque_push_lazy(deque, (void *)n), 0);
	assert_int_equal(weft_deque_size(deque), 0);
	assert_int_equal(weft_deque_steal(deque, &element), -ENOENT);
	assert_int_equal(weft_deque_size(deque), 0);
}

static void publishes_when_asked(void **state)
{
	weft_deque deque;
	void *elements[4];
	size_t stolen;

	(void)state;
	hold_ten_and_ask(&deque);
	assert_true(weft_deque_try_pop_lazy(&deque, elements));
	assert_int_equal(weft_deque_size(&deque), 9);
	/* Once: what comes then is held back again. */
	assert_int_equal(weft_deque_push_lazy(&deque, elements), 0);
	assert_int_equal(weft_deque_size(&deque), 9);
	weft_deque_fini(&deque);
	hold_ten_and_ask(&deque);
	assert_int_equal(weft_deque_push_lazy(&deque, elements), 0);
	assert_int_equal(weft_deque_size(&deque), 11);
	weft_deque_fini(&deque);
	/* A batch asks, too. */
	assert_int_equal(weft_deque_init(&deque, 16), 0);
	assert_int_equal(weft_deque_push_lazy(&deque, elements), 0);
	assert_int_equal(weft_deque_steal_batch(&deque, elements, 4, &stolen), -ENOENT);
	assert_int_equal(weft_deque_push_lazy(&deque, elements), 0);
	assert_int_equal(weft_deque_size(&deque), 2);
	weft_deque_fini(&deque);
}

static void publishes_when_told(void **state)
{
	weft_deque deque;
	void *element;

	(void)state;
	for (int how = 0; how < 3; how++) {
		assert_int_equal(weft_deque_init(&deque, 16), 0);
		for (uintptr_t n = 0; n < 10; n++)
			assert_int_equal(weft_deque_push_lazy(&deque, (void *)n), 0);
		/* A pop of the other kind leaves them held back; a push of the other kind not. */
		assert_pops(&deque, 9);
		assert_int_equal(weft_deque_size(&deque), 0);
		if (how == 0)
			weft_deque_publish(&deque);
		else
			assert_int_equal(pushes[how - 1](&deque, (void *)9), 0);
		assert_int_equal(weft_deque_size(&deque), how == 0 ? 9 : 10);
		assert_steals(&deque, 0);
		assert_true(weft_deque_try_pop(&deque, &element));
		weft_deque_fini(&deque);
	}
}

/* A lazy pop leaves half of them, rounded down, to the thieves: of those that are still there. */
static void reserves_half(void **state)
{
	weft_deque deque;
	void *element;

	(void)state;
	for (uintptr_t count = 1; count < 3 * WEFT_DEQUE_HELD_MAX; count++) {
		size_t left = count / 2;

		if (count - left > WEFT_DEQUE_HELD_MAX)
			left = count - WEFT_DEQUE_HELD_MAX;
		assert_int_equal(weft_deque_init(&deque, 1), 0);
		push_number(&deque, 1000);
		assert_steals(&deque, 1000);
		for (uintptr_t n = 1; n <= count; n++)
			push_number(&deque, n);
		assert_true(weft_deque_try_pop_lazy(&deque, &element));
		assert_int_equal((uintptr_t)element, count);
		assert_int_equal(weft_deque_size(&deque), left);
		for (uintptr_t n = count - 1; n > 0; n--) {
			assert_true(weft_deque_try_pop_lazy(&deque, &element));
			assert_int_equal((uintptr_t)element, n);
		}
		assert_empty(&deque);
		assert_false(weft_deque_try_pop_lazy(&deque, &element));
		weft_deque_fini(&deque);
	}
}

static void batch_takes_the_older_half(void **state)
{
	void *elements[64];
	weft_deque deque;
	size_t stolen;

	(void)state;
	for (uintptr_t inside = 0; inside < 40; inside++) {
		for (size_t count = 0; count < 40; count++) {
			size_t half = inside - inside / 2, expected = half < count ? half : count;

			assert_int_equal(weft_deque_init(&deque, 4), 0);
			for (uintptr_t n = 0; n < inside; n++)
				push_number(&deque, n);
			stolen = 99;
			assert_int_equal(weft_deque_steal_batch(&deque, elements, count, &stolen),
					 expected > 0 ? 0 : -ENOENT);
			assert_int_equal(stolen, expected);
			for (uintptr_t n = 0; n < expected; n++)
				assert_int_equal((uintptr_t)elements[n], n);
			assert_int_equal(weft_deque_size(&deque), inside - expected);
			weft_deque_fini(&deque);
		}
	}
}

/* The oldest is returned, the others go where there is room, and the newest is popped first. */
static void half_goes_to_the_thief(void **state)
{
	weft_deque deque, own;
	void *element;

	(void)state;
	for (uintptr_t inside = 0; inside < 100; inside++) {
		for (size_t room = 0; room <= 4; room++) {
			size_t half = inside - inside / 2;
			size_t limit = half < WEFT_DEQUE_STEAL_MAX ? half : WEFT_DEQUE_STEAL_MAX;
			size_t taken = limit < room + 1 ? limit : room + 1;

			assert_int_equal(weft_deque_init(&deque, 4), 0);
			assert_int_equal(weft_deque_init(&own, 4), 0);
			push_number(&own, 999);
			assert_steals(&own, 999);
			for (uintptr_t n = 0; n < inside; n++)
				push_number(&deque, n);
			for (size_t n = room; n < 4; n++)
				push_number(&own, 1000);
			weft_deque_ring_ *ring = ring_of(&own);

			element = &own;
			assert_int_equal(weft_deque_steal_half(&deque, &own, &element),
					 taken > 0 ? 0 : -ENOENT);
			assert_ptr_equal((uintptr_t)element, taken > 0 ? 0 : (uintptr_t)&own);
			assert_ptr_equal(ring_of(&own), ring);
			assert_int_equal(weft_deque_size(&deque), inside - taken);
			for (size_t n = taken; n > 1; n--)
				assert_pops(&own, n - 1);
			for (size_t n = room; n < 4; n++)
				assert_pops(&own, 1000);
			assert_empty(&own);
			weft_deque_fini(&own);
			weft_deque_fini(&deque);
		}
	}
	/* With as much room as it takes at once, and more. */
	for (size_t room = WEFT_DEQUE_STEAL_MAX; room <= 256; room *= 2) {
		assert_int_equal(weft_deque_init(&deque, 4), 0);
		assert_int_equal(weft_deque_init(&own, room), 0);
		for (uintptr_t n = 0; n < 200; n++)
			push_number(&deque, n);
		assert_int_equal(weft_deque_steal_half(&deque, &own, &element), 0);
		assert_int_equal(weft_deque_size(&own), WEFT_DEQUE_STEAL_MAX - 1);
		weft_deque_fini(&own);
		weft_deque_fini(&deque);
	}
}

static void lives_in_memory_of_the_caller(void **state)
{
	static const weft_deque zeroed;
	size_t bytes = weft_deque_memory_size(5);
	unsigned char *memory = aligned_alloc(WEFT_CACHE_LINE, 4 * (size_t)WEFT_CACHE_LINE);
	weft_deque deque;

	(void)state;
	assert_non_null(memory);
	assert_true(bytes >= 8 * sizeof(void *) && bytes <= 2 * (size_t)WEFT_CACHE_LINE);
	assert_int_equal(weft_deque_memory_size(0), 0);
	assert_int_equal(weft_deque_memory_size(((size_t)1 << 31) + 1), 0);
	assert_true(weft_deque_memory_size((size_t)1 << 31) > (size_t)1 << 34);
	assert_int_equal(weft_deque_init_in(&deque, memory, bytes - 1, 5), -EINVAL);
	assert_memory_equal(&deque, &zeroed, sizeof(deque));
	assert_int_equal(weft_deque_init_in(&deque, NULL, bytes, 5), -EINVAL);
	assert_int_equal(weft_deque_init_in(&deque, memory + 8, bytes, 5), -EINVAL);
	assert_int_equal(weft_deque_init_in(&deque, memory, bytes, 0), -EINVAL);
	assert_int_equal(weft_deque_init_in(&deque, memory, SIZE_MAX, ((size_t)1 << 31) + 1),
			 -EINVAL);
	weft_deque_fini(&deque);
	memset(memory, 0xa5, 4 * (size_t)WEFT_CACHE_LINE);
	for (uintptr_t count = 8; count < 40; count += 31) {
		assert_int_equal(weft_deque_init_in(&deque, memory, bytes, 5), 0);
		for (uintptr_t n = 0; n < count; n++)
			push_number(&deque, n);
		assert_int_equal((void *)ring_of(&deque) == memory, count == 8);
		for (uintptr_t n = count; n > 0; n--)
			assert_pops(&deque, n - 1);
		weft_deque_fini(&deque);
		assert_memory_equal(&deque, &zeroed, sizeof(deque));
	}
	for (size_t i = bytes; i < 4 * (size_t)WEFT_CACHE_LINE; i++)
		assert_int_equal(memory[i], 0xa5);
	free(memory);
}

/* Whose turn it is, or that the other thread has had it. */
enum {
	TURN_OF_THIEF,
	TURN_OF_OTHER,
	TURN_OVER
};

/*
 * A steal that is interrupted between its look at the indices and its exchange. The slots lie on a
 * page that may not be read, so that the load of the element raises a signal; its handler opens the
 * page and waits until another thread has done what it does.
 */
static struct interrupted {
	weft_deque deque;
	weft_deque_ring_ *own_ring; /* what init made, for fini */
	weft_deque_ring_ *ring;     /* ours; its slots begin with the second page */
	unsigned char *pages;
	size_t page_bytes;
	atomic_int turn;
	void (*other_does)(void);
	pthread_t other;
	/* What the other thread got. */
	void *taken;
	int result;
} interrupted;

static void wait_for_turn(int wanted)
{
	while (atomic_load_explicit(&interrupted.turn, memory_order_acquire) != wanted)
		sched_yield();
}

static void pass_turn(int next)
{
	atomic_store_explicit(&interrupted.turn, next, memory_order_release);
}

static void *be_other(void *unused)
{
	wait_for_turn(TURN_OF_OTHER);
	interrupted.other_does();
	pass_turn(TURN_OVER);
	return unused;
}

static void open_page(int signal_number)
{
	(void)signal_number;
	if (mprotect(interrupted.pages + interrupted.page_bytes, interrupted.page_bytes,
		     PROT_READ | PROT_WRITE) != 0)
		_exit(1);
	pass_turn(TURN_OF_OTHER);
	wait_for_turn(TURN_OVER);
}

/* Makes the deque, with the elements 1 and 2 inside. */
static void interrupted_init(void (*other_does)(void))
{
	struct interrupted *self = &interrupted;

	memset((void *)self, 0, sizeof(*self));
	self->other_does = other_does;
	self->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	self->pages = mmap(NULL, 2 * self->page_bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(self->pages != MAP_FAILED);
	assert_int_equal(weft_deque_init(&self->deque, 1), 0);
	self->own_ring = ring_of(&self->deque);
	self->ring = (weft_deque_ring_ *)(void *)(self->pages + self->page_bytes) - 1;
	self->ring->mask = self->page_bytes / sizeof(void *) - 1;
	atomic_store_explicit(&self->deque.ring_, self->ring, memory_order_relaxed);
	push_number(&self->deque, 1);
	push_number(&self->deque, 2);
	assert_int_equal(pthread_create(&self->other, NULL, be_other, NULL), 0);
}

/* Returns what the steal does, which the other thread interrupts. */
static int interrupted_steal(void **element)
{
	struct sigaction action = {.sa_handler = open_page}, before;

	assert_int_equal(mprotect(interrupted.pages + interrupted.page_bytes,
				  interrupted.page_bytes, PROT_NONE),
			 0);
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	int result = weft_deque_steal(&interrupted.deque, element);

	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	/* Lest the other waits for ever, where nothing has interrupted the steal. */
	if (atomic_load_explicit(&interrupted.turn, memory_order_relaxed) == TURN_OF_THIEF)
		pass_turn(TURN_OF_OTHER);
	pthread_join(interrupted.other, NULL);
	return result;
}

static void interrupted_fini(void)
{
	struct interrupted *self = &interrupted;
	weft_deque_ring_ *ring = ring_of(&self->deque);

	/* Put the ring of init where ours is in the list of those that fini frees. */
	if (ring == self->ring)
		atomic_store_explicit(&self->deque.ring_, self->own_ring, memory_order_relaxed);
	else
		ring->outgrown = self->own_ring;
	weft_deque_fini(&self->deque);
	munmap(self->pages, 2 * self->page_bytes);
}

static void other_thief(void)
{
	interrupted.result = weft_deque_steal(&interrupted.deque, &interrupted.taken);
}

static void steal_says_who_came_first(void **state)
{
	void *element;

	(void)state;
	interrupted_init(other_thief);
	assert_int_equal(interrupted_steal(&element), -EAGAIN);
	assert_int_equal(interrupted.result, 0);
	assert_int_equal((uintptr_t)interrupted.taken, 1);
	assert_steals(&interrupted.deque, 2);
	assert_empty(&interrupted.deque);
	interrupted_fini();
}

static void owner_that_grows(void)
{
	uintptr_t next = 3;

	while (ring_of(&interrupted.deque) == interrupted.ring)
		weft_deque_push(&interrupted.deque, (void *)next++);
}

/* The thief looks at a ring that the owner has outgrown meanwhile. */
static void steals_from_an_outgrown_ring(void **state)
{
	void *element = NULL;

	(void)state;
	interrupted_init(owner_that_grows);
	assert_int_equal(interrupted_steal(&element), 0);
	assert_int_equal((uintptr_t)element, 1);
	assert_ptr_equal(ring_of(&interrupted.deque)->outgrown, interrupted.ring);
	assert_steals(&interrupted.deque, 2);
	assert_steals(&interrupted.deque, 3);
	interrupted_fini();
}

#define MODEL_ROUNDS     300
#define MODEL_OPERATIONS 1000

/* The elements [oldest, newest) of the array are inside. */
typedef struct deque_mirror {
	weft_deque deque;
	seeded_random random;
	uintptr_t inside[MODEL_OPERATIONS];
	size_t oldest, newest;
} deque_mirror;

static void push_any(deque_mirror *mirror)
{
	uintptr_t number = (uintptr_t)seeded_random_next(&mirror->random);

	mirror->inside[mirror->newest++] = number;
	if (seeded_random_below(&mirror->random, 2) == 0)
		assert_int_equal(weft_deque_push_lazy(&mirror->deque, (void *)number), 0);
	else
		push_number(&mirror->deque, number);
}

static void pop_any(deque_mirror *mirror)
{
	bool lazy = seeded_random_below(&mirror->random, 2) == 0, taken;
	void *element;

	if (lazy)
		taken = weft_deque_try_pop_lazy(&mirror->deque, &element);
	else
		taken = weft_deque_try_pop(&mirror->deque, &element);
	assert_int_equal(taken, mirror->oldest != mirror->newest);
	if (taken)
		assert_int_equal((uintptr_t)element, mirror->inside[--mirror->newest]);
}

static void steal_any(deque_mirror *mirror)
{
	size_t count = 1, visible = weft_deque_size(&mirror->deque);
	void *elements[4];
	int error;

	if (seeded_random_below(&mirror->random, 2) == 0)
		error = weft_deque_steal(&mirror->deque, elements);
	else
		error = weft_deque_steal_batch(&mirror->deque, elements, 4, &count);
	assert_int_equal(error, visible > 0 ? 0 : -ENOENT);
	for (size_t i = 0; error == 0 && i < count; i++)
		assert_int_equal((uintptr_t)elements[i], mirror->inside[mirror->oldest++]);
}

static void equals_its_model(void **state)
{
	deque_mirror mirror = {.random = {seeded_random_seed()}};

	(void)state;
	for (int round = 0; round < MODEL_ROUNDS; round++) {
		uint64_t push_of_8 = 2 + seeded_random_below(&mirror.random, 5);
		size_t capacity = 1 + seeded_random_below(&mirror.random, 9);

		mirror.oldest = mirror.newest = 0;
		assert_int_equal(weft_deque_init(&mirror.deque, capacity), 0);
		start_at(&mirror.deque, seeded_random_next(&mirror.random) >> 1);
		for (int i = 0; i < MODEL_OPERATIONS; i++) {
			if (seeded_random_below(&mirror.random, 8) < push_of_8)
				push_any(&mirror);
			else if (seeded_random_below(&mirror.random, 2) == 0)
				pop_any(&mirror);
			else
				steal_any(&mirror);
			if (seeded_random_below(&mirror.random, 64) == 0)
				weft_deque_publish(&mirror.deque);
			size_t inside = mirror.newest - mirror.oldest;
			size_t visible = weft_deque_size(&mirror.deque);

			assert_in_range(inside - visible, 0, WEFT_DEQUE_HELD_MAX);
		}
		while (mirror.newest != mirror.oldest)
			pop_any(&mirror);
		assert_empty(&mirror.deque);
		weft_deque_fini(&mirror.deque);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_capacities),
		cmocka_unit_test(finishes_when_zeroed),
		cmocka_unit_test(owner_takes_the_newest),
		cmocka_unit_test(thieves_take_the_oldest),
		cmocka_unit_test(both_ends_meet),
		cmocka_unit_test(null_is_an_element),
		cmocka_unit_test(grows_when_full_and_not_before),
		cmocka_unit_test(does_not_grow_into_room),
		cmocka_unit_test(growth_keeps_every_element),
		cmocka_unit_test(refuses_to_grow_beyond_its_limit),
		cmocka_unit_test(survives_large_indices),
		cmocka_unit_test(holds_the_newest_back),
		cmocka_unit_test(publishes_when_asked),
		cmocka_unit_test(publishes_when_told),
		cmocka_unit_test(reserves_half),
		cmocka_unit_test(batch_takes_the_older_half),
		cmocka_unit_test(half_goes_to_the_thief),
		cmocka_unit_test(lives_in_memory_of_the_caller),
		cmocka_unit_test(steal_says_who_came_first),
		cmocka_unit_test(steals_from_an_outgrown_ring),
		cmocka_unit_test(equals_its_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
