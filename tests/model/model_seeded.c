/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The checker checked: small structures with a fault put into each, which must be found, and
 * without it, when nothing must be found. Orders are variables here, so that one algorithm has all
 * faults. (What shipped structures do when one of their orders is weakened: mutants.py.)
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "model.h"

#define RELAXED memory_order_relaxed
#define ACQUIRE memory_order_acquire
#define RELEASE memory_order_release
#define ACQ_REL memory_order_acq_rel
#define SEQ_CST memory_order_seq_cst

/* A ring of two slots with a turn each, many producers and consumers. */

static struct ring_orders {
	memory_order push_look, push_publish, pop_look, pop_release;
} ring_orders;

static struct {
	atomic_uint tail, head;
	struct {
		atomic_uint turn;
		int element;
	} slots[2];
} ring;

static bool ring_push(int element)
{
	unsigned ticket = atomic_load_explicit(&ring.tail, RELAXED);

	do {
		unsigned turn =
			atomic_load_explicit(&ring.slots[ticket % 2].turn, ring_orders.push_look);

		if (turn != ticket / 2 * 2)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&ring.tail, &ticket, ticket + 1, RELAXED,
							RELAXED));
	ring.slots[ticket % 2].element = element;
	atomic_store_explicit(&ring.slots[ticket % 2].turn, ticket / 2 * 2 + 1,
			      ring_orders.push_publish);
	return true;
}

static int ring_pop(void)
{
	unsigned ticket = atomic_load_explicit(&ring.head, RELAXED);
	int element;

	do {
		unsigned turn =
			atomic_load_explicit(&ring.slots[ticket % 2].turn, ring_orders.pop_look);

		if (turn != ticket / 2 * 2 + 1)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&ring.head, &ticket, ticket + 1, RELAXED,
							RELAXED));
	element = ring.slots[ticket % 2].element;
	atomic_store_explicit(&ring.slots[ticket % 2].turn, ticket / 2 * 2 + 2,
			      ring_orders.pop_release);
	return element;
}

static void ring_produce(void *argument)
{
	int first = (int)(intptr_t)argument;

	ring_push(first);
	ring_push(first + 1);
	ring_push(first + 2);
}

static void ring_consume(void *unused)
{
	(void)unused;
	/* The value is used, so that no compiler drops the read of it. */
	model_assert(ring_pop() < 4);
	model_assert(ring_pop() < 4);
}

static void run_ring(const void *orders)
{
	ring_orders = *(const struct ring_orders *)orders;
	memset(&ring, 0, sizeof(ring));
	model_thread(ring_produce, (void *)1);
	model_thread(ring_consume, NULL);
	model_thread(ring_consume, NULL);
	model_join();
}

#define RING(...) (&(const struct ring_orders){__VA_ARGS__})

/* A work-stealing deque with fences (Le et al. 2013), which imply the orders of the load of top and
 * of the exchanges: two thieves, room for four. */
static struct deque_orders {
	memory_order publish, take_bottom, take_fence, steal_fence, steal_bottom;
} deque_orders;

static atomic_int deque_top, deque_bottom;
static _Atomic(int *) deque_slots[4];
static int deque_contents[4];

static void deque_push(int number)
{
	int bottom = atomic_load_explicit(&deque_bottom, RELAXED);

	deque_contents[number] = number;
	atomic_store_explicit(&deque_slots[bottom % 4], &deque_contents[number], RELAXED);
	atomic_store_explicit(&deque_bottom, bottom + 1, deque_orders.publish);
}

static int *deque_take(void)
{
	int bottom = atomic_load_explicit(&deque_bottom, RELAXED) - 1;
	int *element = NULL;

	atomic_store_explicit(&deque_bottom, bottom, deque_orders.take_bottom);
	atomic_thread_fence(deque_orders.take_fence);

	int top = atomic_load_explicit(&deque_top, RELAXED);

	if (top <= bottom) {
		element = atomic_load_explicit(&deque_slots[bottom % 4], RELAXED);
		if (top == bottom) {
			if (!atomic_compare_exchange_strong_explicit(&deque_top, &top, top + 1,
								     SEQ_CST, RELAXED))
				element = NULL;
			atomic_store_explicit(&deque_bottom, bottom + 1, deque_orders.take_bottom);
		}
	} else {
		atomic_store_explicit(&deque_bottom, bottom + 1, deque_orders.take_bottom);
	}
	return element;
}

static int *deque_steal(void)
{
	int top = atomic_load_explicit(&deque_top, ACQUIRE);

	atomic_thread_fence(deque_orders.steal_fence);

	int bottom = atomic_load_explicit(&deque_bottom, deque_orders.steal_bottom);

	if (top >= bottom)
		return NULL;

	int *element = atomic_load_explicit(&deque_slots[top % 4], RELAXED);

	if (!atomic_compare_exchange_strong_explicit(&deque_top, &top, top + 1, SEQ_CST, RELAXED))
		return NULL;
	return element;
}

static void deque_use(int *element)
{
	if (element == NULL)
		return;
	model_assert(*element != 0);
	*element = 0;
}

static void deque_own(void *unused)
{
	(void)unused;
	deque_push(1);
	deque_push(2);
	deque_use(deque_take());
	deque_use(deque_take());
}

static void deque_thieve(void *unused)
{
	(void)unused;
	deque_use(deque_steal());
	deque_use(deque_steal());
}

static void run_deque(const void *orders)
{
	deque_orders = *(const struct deque_orders *)orders;
	atomic_store_explicit(&deque_top, 0, RELAXED);
	atomic_store_explicit(&deque_bottom, 0, RELAXED);
	for (int i = 0; i < 4; i++)
		atomic_store_explicit(&deque_slots[i], NULL, RELAXED);
	model_name(&deque_top, "top");
	model_name(&deque_bottom, "bottom");
	model_thread(deque_own, NULL);
	model_thread(deque_thieve, NULL);
	model_thread(deque_thieve, NULL);
	model_join();
}

#define DEQUE(...) (&(const struct deque_orders){__VA_ARGS__})

/* A stack of nodes; the fault is what becomes of a node. */

struct node {
	_Atomic(struct node *) next;
};

static _Atomic(struct node *) stack_top;
static struct node stack_nodes[3];
static int popped[3][3];

static void stack_push(struct node *node)
{
	struct node *top = atomic_load_explicit(&stack_top, RELAXED);

	do
		atomic_store_explicit(&node->next, top, RELAXED);
	while (!atomic_compare_exchange_weak_explicit(&stack_top, &top, node, RELEASE, RELAXED));
}

static struct node *stack_pop(void)
{
	struct node *top = atomic_load_explicit(&stack_top, ACQUIRE);

	while (top != NULL && !atomic_compare_exchange_weak_explicit(
				      &stack_top, &top, atomic_load_explicit(&top->next, RELAXED),
				      ACQUIRE, ACQUIRE))
		;
	return top;
}

static void pop_one(void *argument)
{
	struct node *node = stack_pop();

	if (node != NULL)
		popped[(intptr_t)argument][node - stack_nodes]++;
}

static void pop_two_push_first(void *argument)
{
	struct node *first = stack_pop();

	pop_one(argument);
	if (first != NULL)
		stack_push(first);
}

static void run_aba(const void *unused)
{
	(void)unused;
	memset(popped, 0, sizeof(popped));
	atomic_store_explicit(&stack_top, NULL, RELAXED);
	for (int i = 2; i >= 0; i--)
		stack_push(&stack_nodes[i]);
	model_name(&stack_top, "top");
	model_name_array(stack_nodes, sizeof(*stack_nodes), 3, "node");
	model_thread(pop_one, (void *)0);
	model_thread(pop_two_push_first, (void *)1);
	model_join();
	for (struct node *node; (node = stack_pop()) != NULL;) {
		popped[2][node - stack_nodes]++;
		model_assert(popped[2][node - stack_nodes] == 1);
	}
	for (int i = 0; i < 3; i++)
		model_assert(popped[0][i] + popped[1][i] + popped[2][i] == 1);
}

static void pop_and_free(void *unused)
{
	(void)unused;
	free(stack_pop());
}

static void run_use_after_free(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&stack_top, NULL, RELAXED);
	stack_push(malloc(sizeof(struct node)));
	stack_push(malloc(sizeof(struct node)));
	model_thread(pop_and_free, NULL);
	model_thread(pop_and_free, NULL);
	model_join();
}

/* Memory. */

static _Atomic(int *) shared;

static void free_shared(void *unused)
{
	(void)unused;
	free(atomic_load_explicit(&shared, ACQUIRE));
}

static void run_double_free(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&shared, malloc(8), RELAXED);
	free_shared(NULL);
	free_shared(NULL);
}

static void run_racing_free(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&shared, malloc(8), RELAXED);
	model_thread(free_shared, NULL);
	model_thread(free_shared, NULL);
	model_join();
}

static void run_leak(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&shared, malloc(8), RELAXED);
}

static void run_overrun(const void *unused)
{
	int *block = malloc(2 * sizeof(*block));

	(void)unused;
	memset(block, 0, 2 * sizeof(*block));
	atomic_store_explicit(&shared, block, RELAXED);
	block = atomic_load_explicit(&shared, RELAXED);
	block[2] = 1;
}

static _Atomic(int *) also_shared;

static void run_unchecked_allocation(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&shared, malloc(8), RELAXED);
	atomic_store_explicit(&also_shared, malloc(8), RELAXED);
	if (atomic_load_explicit(&also_shared, RELAXED) == NULL)
		return; /* and the first one leaks */
	free(atomic_load_explicit(&also_shared, RELAXED));
	free_shared(NULL);
}

/* Waiting. */

static atomic_uint word;
static atomic_int waiting;
static bool looks_again;
static memory_order fence_order;

static void sleep_on_word(void *unused)
{
	(void)unused;
	atomic_store_explicit(&waiting, 1, RELAXED);
	atomic_thread_fence(fence_order);
	if (looks_again && atomic_load_explicit(&word, RELAXED) != 0)
		return;
	while (atomic_load_explicit(&word, RELAXED) == 0)
		syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
}

static void wake_if_waiting(void *unused)
{
	(void)unused;
	atomic_store_explicit(&word, 1, RELAXED);
	atomic_thread_fence(fence_order);
	if (atomic_load_explicit(&waiting, RELAXED) != 0)
		syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static void run_wait(const void *order)
{
	fence_order = *(const memory_order *)order;
	looks_again = true;
	atomic_store_explicit(&word, 0, RELAXED);
	atomic_store_explicit(&waiting, 0, RELAXED);
	model_name(&word, "word");
	model_name(&waiting, "waiting");
	model_thread(sleep_on_word, NULL);
	model_thread(wake_if_waiting, NULL);
	model_join();
}

/* Forgets that a wake may come for nothing. */
static void sleep_once(void *unused)
{
	(void)unused;
	if (atomic_load_explicit(&word, ACQUIRE) == 0)
		syscall(SYS_futex, &word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
	model_assert(atomic_load_explicit(&word, ACQUIRE) == 1);
}

static void wake_always(void *unused)
{
	(void)unused;
	atomic_store_explicit(&word, 1, RELEASE);
	syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static void run_sleep_once(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&word, 0, RELAXED);
	model_thread(sleep_once, NULL);
	model_thread(wake_always, NULL);
	model_join();
}

/* Locks. */

static atomic_int lock_a, lock_b;
static int guarded;
static memory_order unlock_order;

static void lock(atomic_int *which)
{
	while (atomic_exchange_explicit(which, 1, ACQUIRE) != 0)
		;
}

static void unlock(atomic_int *which)
{
	atomic_store_explicit(which, 0, unlock_order);
}

static void add_under_lock(void *unused)
{
	(void)unused;
	lock(&lock_a);
	guarded++;
	unlock(&lock_a);
}

static void reset_locks(const memory_order *order)
{
	unlock_order = *order;
	atomic_store_explicit(&lock_a, 0, RELAXED);
	atomic_store_explicit(&lock_b, 0, RELAXED);
	model_name(&lock_a, "lock a");
	model_name(&lock_b, "lock b");
	guarded = 0;
}

static void run_lock(const void *order)
{
	reset_locks(order);
	model_thread(add_under_lock, NULL);
	model_thread(add_under_lock, NULL);
	model_join();
	if (model_frozen() == 0)
		model_assert(guarded == 2);
}

static void lock_a_then_b(void *unused)
{
	(void)unused;
	lock(&lock_a);
	lock(&lock_b);
	unlock(&lock_b);
	unlock(&lock_a);
}

static void lock_b_then_a(void *unused)
{
	(void)unused;
	lock(&lock_b);
	lock(&lock_a);
	unlock(&lock_a);
	unlock(&lock_b);
}

static void run_two_locks(const void *order)
{
	reset_locks(order);
	model_thread(lock_a_then_b, NULL);
	model_thread(lock_b_then_a, NULL);
	model_join();
}

/* A sequence lock whose reader lacks a fence sees half of a write. */

static atomic_uint sequence;
static atomic_int half[2];
static bool reader_fences;

static void write_halves(void *unused)
{
	(void)unused;
	atomic_store_explicit(&sequence, 1, RELAXED);
	atomic_thread_fence(RELEASE);
	atomic_store_explicit(&half[0], 1, RELAXED);
	atomic_store_explicit(&half[1], 1, RELAXED);
	atomic_store_explicit(&sequence, 2, RELEASE);
}

static void read_halves(void *unused)
{
	unsigned before = atomic_load_explicit(&sequence, ACQUIRE);
	int first = atomic_load_explicit(&half[0], RELAXED);
	int second = atomic_load_explicit(&half[1], RELAXED);

	(void)unused;
	if (reader_fences)
		atomic_thread_fence(ACQUIRE);
	if (before % 2 == 0 && atomic_load_explicit(&sequence, RELAXED) == before)
		model_assert(first == second);
}

static void run_sequence_lock(const void *fences)
{
	reader_fences = *(const bool *)fences;
	atomic_store_explicit(&sequence, 0, RELAXED);
	atomic_store_explicit(&half[0], 0, RELAXED);
	atomic_store_explicit(&half[1], 0, RELAXED);
	model_name(&sequence, "sequence");
	model_name_array(half, sizeof(*half), 2, "half");
	model_thread(write_halves, NULL);
	model_thread(read_halves, NULL);
	model_join();
}

/* A counter that is read and then written back loses one; plain and atomic access to one object. */

static atomic_int count;

static void load_and_store(void *unused)
{
	(void)unused;
	atomic_store_explicit(&count, atomic_load_explicit(&count, SEQ_CST) + 1, SEQ_CST);
}

static void run_lost_update(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&count, 0, RELAXED);
	model_thread(load_and_store, NULL);
	model_thread(load_and_store, NULL);
	model_join();
	model_assert(atomic_load_explicit(&count, RELAXED) == 2);
}

static void clear_plainly(void *unused)
{
	(void)unused;
	memset((void *)&count, 0, sizeof(count));
}

static void run_mixed(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&count, 1, RELAXED);
	model_thread(clear_plainly, NULL);
	model_thread(load_and_store, NULL);
	model_join();
}

/* Two threads that are polite to each other for ever. */

static atomic_int wants[2];

static void be_polite(void *argument)
{
	int self = (int)(intptr_t)argument;

	atomic_store_explicit(&wants[self], 1, SEQ_CST);
	while (atomic_load_explicit(&wants[1 - self], SEQ_CST) != 0)
		;
	atomic_store_explicit(&wants[self], 0, SEQ_CST);
}

static void run_livelock(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&wants[0], 0, RELAXED);
	atomic_store_explicit(&wants[1], 0, RELAXED);
	model_thread(be_polite, (void *)0);
	model_thread(be_polite, (void *)1);
	model_join();
}

/* Objects of all sizes, with values that need all their bits. */

#define CHECK_SIZE(bits)                                                                           \
	do {                                                                                       \
		static _Atomic(uint##bits##_t) object;                                             \
		uint##bits##_t expected = 3;                                                       \
		atomic_store_explicit(&object, (uint##bits##_t) - 1, RELAXED);                     \
		model_assert(atomic_fetch_add_explicit(&object, 2, RELAXED) ==                     \
			     (uint##bits##_t) - 1);                                                \
		model_assert(atomic_load_explicit(&object, RELAXED) == 1);                         \
		model_assert(atomic_fetch_sub_explicit(&object, 2, RELAXED) == 1);                 \
		model_assert(atomic_fetch_and_explicit(&object, 6, RELAXED) ==                     \
			     (uint##bits##_t) - 1);                                                \
		model_assert(atomic_fetch_or_explicit(&object, 1, RELAXED) == 6);                  \
		model_assert(atomic_fetch_xor_explicit(&object, 5, RELAXED) == 7);                 \
		model_assert(!atomic_compare_exchange_strong(&object, &expected, 9));              \
		model_assert(expected == 2);                                                       \
		model_assert(atomic_compare_exchange_strong(&object, &expected, 9));               \
		model_assert(atomic_exchange_explicit(&object, 4, RELAXED) == 9);                  \
		model_assert(__atomic_fetch_nand((uint##bits##_t *)&object, 5, RELAXED) == 4);     \
		model_assert(atomic_load_explicit(&object, RELAXED) == (uint##bits##_t) ~4);       \
	} while (0)

typedef unsigned __int128 uint128_t;

static void run_sizes(const void *unused)
{
	(void)unused;
	CHECK_SIZE(8);
	CHECK_SIZE(16);
	CHECK_SIZE(32);
	CHECK_SIZE(64);
	CHECK_SIZE(128);
}

static _Alignas(16) _Atomic(uint128_t) wide;

static void store_wide(void *unused)
{
	(void)unused;
	atomic_store_explicit(&wide, ~(uint128_t)0, RELAXED);
}

static void run_wide(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&wide, 0, RELAXED);
	model_name(&wide, "wide");
	model_thread(store_wide, NULL);

	uint128_t value = atomic_load_explicit(&wide, RELAXED);

	model_assert((value == 0 || value == ~(uint128_t)0) && "not torn");
	model_join();
}

/* Half of an object is another object. */
static void run_two_sizes(const void *unused)
{
	(void)unused;
	atomic_store_explicit(&wide, 0, RELAXED);
	atomic_store_explicit((_Atomic(uint64_t) *)(void *)&wide, 1, RELAXED);
}

/* A message of 24 bytes, in a slot: gcc copies it without a hook, unless it is told not to. */

static unsigned char slot[32];
static memory_order slot_order;

static void fill_slot(void *message)
{
	memcpy(slot + 8, message, 24);
	atomic_store_explicit(&word, 1, slot_order);
}

static void run_message(const void *order)
{
	static uint64_t sent[3];
	uint64_t got[3] = {0};

	slot_order = *(const memory_order *)order;
	atomic_store_explicit(&word, 0, RELAXED);
	model_thread(fill_slot, sent);
	if (atomic_load_explicit(&word, ACQUIRE) != 0)
		memcpy(got, slot + 8, sizeof(got));
	model_assert(got[2] == 0);
	model_join();
}

/* A counter of which the history is not that of a counter: each thread counts for itself. */

enum {
	COUNT
};

static bool count_step(void *state, const struct model_operation *operation)
{
	unsigned char *value = state;

	return ++*value == operation->result;
}

static void count_describe(const struct model_operation *operation, char *text, size_t size)
{
	snprintf(text, size, "count: %ld", operation->result);
}

static const struct model_specification counter = {
	.state_size = 1,
	.step = count_step,
	.describe = count_describe,
};

static bool counts_atomically;

static void count_once(void *unused)
{
	int before;

	(void)unused;
	model_call(COUNT, 0);
	if (counts_atomically) {
		before = atomic_fetch_add_explicit(&count, 1, RELAXED);
	} else {
		before = atomic_load_explicit(&count, RELAXED);
		atomic_store_explicit(&count, before + 1, RELAXED);
	}
	model_return(before + 1);
}

static void run_history(const void *atomically)
{
	counts_atomically = *(const bool *)atomically;
	atomic_store_explicit(&count, 0, RELAXED);
	model_name(&count, "count");
	model_thread(count_once, NULL);
	model_thread(count_once, NULL);
	model_join();
	model_assert_linearizable(&counter);
}

#define ORDER(order) (&(const memory_order){order})
#define YES          (&(const bool){true})
#define NO           (&(const bool){false})
#define RACE         "data race"
#define STUCK        "deadlock or lost wake-up"

/* What is sound must pass, what is not must fail with the message. */
#define SOUND(title, function, with)                                                               \
	{                                                                                          \
		.name = title, .run = function, .argument = with                                   \
	}
#define FAULT(title, function, with, message, ...)                                                 \
	{                                                                                          \
		.name = title, .run = function, .argument = with, .expect = message, __VA_ARGS__   \
	}

static const struct model_scenario scenarios[] = {
	SOUND("ring", run_ring, RING(ACQUIRE, RELEASE, ACQUIRE, RELEASE)),
	FAULT("ring: push does not acquire the slot", run_ring,
	      RING(RELAXED, RELEASE, ACQUIRE, RELEASE), RACE, ),
	FAULT("ring: push does not release the element", run_ring,
	      RING(ACQUIRE, RELAXED, ACQUIRE, RELEASE), RACE, ),
	FAULT("ring: pop does not acquire the element", run_ring,
	      RING(ACQUIRE, RELEASE, RELAXED, RELEASE), RACE, ),
	FAULT("ring: pop does not release the slot", run_ring,
	      RING(ACQUIRE, RELEASE, ACQUIRE, RELAXED), RACE, ),
	SOUND("deque", run_deque, DEQUE(RELEASE, RELEASE, SEQ_CST, SEQ_CST, ACQUIRE)),
	FAULT("deque: push does not release", run_deque,
	      DEQUE(RELAXED, RELEASE, SEQ_CST, SEQ_CST, ACQUIRE), RACE, ),
	FAULT("deque: take breaks the release sequence of push", run_deque,
	      DEQUE(RELEASE, RELAXED, SEQ_CST, SEQ_CST, ACQUIRE), RACE, ),
	FAULT("deque: the fence of take", run_deque,
	      DEQUE(RELEASE, RELEASE, ACQ_REL, SEQ_CST, ACQUIRE), RACE, ),
	FAULT("deque: the fence of steal", run_deque,
	      DEQUE(RELEASE, RELEASE, SEQ_CST, ACQ_REL, ACQUIRE), RACE, ),
	FAULT("deque: steal does not acquire bottom", run_deque,
	      DEQUE(RELEASE, RELEASE, SEQ_CST, SEQ_CST, RELAXED), RACE, ),
	FAULT("stack: ABA of recycled nodes", run_aba, NULL, "not true", .preemptions = 3),
	FAULT("stack: use after free", run_use_after_free, NULL, "use after free", ),
	FAULT("double free", run_double_free, NULL, "double free", ),
	FAULT("two frees at once", run_racing_free, NULL, "double free", ),
	FAULT("leak", run_leak, NULL, "leak of 8 bytes", ),
	FAULT("write behind a block", run_overrun, NULL, "outside any block", ),
	FAULT("leak when an allocation fails", run_unchecked_allocation, NULL, "leak of 8 bytes",
	      .fail_allocations = true),
	SOUND("wait", run_wait, ORDER(SEQ_CST)),
	FAULT("wait: lost wake-up without seq_cst", run_wait, ORDER(ACQ_REL), STUCK, ),
	SOUND("wait once", run_sleep_once, NULL),
	FAULT("wait once: forgets spurious wakes", run_sleep_once, NULL, "not true",
	      .spurious_wakes = true),
	SOUND("lock", run_lock, ORDER(RELEASE)),
	FAULT("lock: unlock does not release", run_lock, ORDER(RELAXED), RACE, ),
	FAULT("lock: is not lock-free", run_lock, ORDER(RELEASE),
	      "a frozen thread stops the others", .freeze = true),
	FAULT("locks in two orders", run_two_locks, ORDER(RELEASE), "nobody writes", ),
	SOUND("sequence lock", run_sequence_lock, YES),
	FAULT("sequence lock: the reader has no fence", run_sequence_lock, NO, "not true", ),
	FAULT("lost update", run_lost_update, NULL, "not true", ),
	FAULT("plain and atomic access", run_mixed, NULL, RACE, ),
	FAULT("livelock", run_livelock, NULL, "nobody writes", ),
	SOUND("message", run_message, ORDER(RELEASE)),
	FAULT("message: is not released", run_message, ORDER(RELAXED), RACE, ),
	SOUND("sizes", run_sizes, NULL),
	SOUND("128 bits", run_wide, NULL),
	FAULT("an object of two sizes", run_two_sizes, NULL, "two sizes", ),
	SOUND("history of a counter", run_history, YES),
	FAULT("history of a counter that loses one", run_history, NO, "not linearizable", ),
};

int main(int argument_count, char **arguments)
{
	return model_main(argument_count, arguments, scenarios,
			  sizeof(scenarios) / sizeof(scenarios[0]));
}
