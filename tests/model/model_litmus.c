/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The checker checked: the classic small programs of the literature on weak memory, each with an
 * outcome that C++20 allows, and then the checker must show it, or forbids, and then it must not.
 * "limit" marks outcomes that C++20 allows and the checker cannot show.
 *
 * Then random programs: the outcomes that the engine shows must be those that the axioms of the
 * standard allow (axioms.c), no more and no fewer, and merging states must not lose any.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "axioms.h"
#include "model.h"

enum {
	THREADS = 4,
	VALUES = 4,
	OUTCOMES = VALUES * VALUES * VALUES * VALUES
};

static _Atomic int x, y, z;
static int r[4]; /* what the threads have read; a thread's own entries only */

#define LOAD(object, order)         atomic_load_explicit(&(object), memory_order_##order)
#define STORE(object, value, order) atomic_store_explicit(&(object), value, memory_order_##order)
#define ADD(object, n, order)       atomic_fetch_add_explicit(&(object), n, memory_order_##order)
#define SWAP(object, value, order)  atomic_exchange_explicit(&(object), value, memory_order_##order)
#define FENCE(order)                atomic_thread_fence(memory_order_##order)
#define THREAD(name, body)                                                                         \
	static void name(void *unused)                                                             \
	{                                                                                          \
		(void)unused;                                                                      \
		body                                                                               \
	}

/* Store buffering: each stores to one object and loads the other. */
THREAD(sb_relaxed_0, STORE(x, 1, relaxed); r[0] = LOAD(y, relaxed);)
THREAD(sb_relaxed_1, STORE(y, 1, relaxed); r[1] = LOAD(x, relaxed);)
THREAD(sb_acquire_0, STORE(x, 1, release); r[0] = LOAD(y, acquire);)
THREAD(sb_acquire_1, STORE(y, 1, release); r[1] = LOAD(x, acquire);)
THREAD(sb_seq_cst_0, STORE(x, 1, seq_cst); r[0] = LOAD(y, seq_cst);)
THREAD(sb_seq_cst_1, STORE(y, 1, seq_cst); r[1] = LOAD(x, seq_cst);)
THREAD(sb_half_0, STORE(x, 1, seq_cst); r[0] = LOAD(y, acquire);)
THREAD(sb_fence_0, STORE(x, 1, relaxed); FENCE(seq_cst); r[0] = LOAD(y, relaxed);)
THREAD(sb_fence_1, STORE(y, 1, relaxed); FENCE(seq_cst); r[1] = LOAD(x, relaxed);)
THREAD(sb_weak_fence_0, STORE(x, 1, relaxed); FENCE(acq_rel); r[0] = LOAD(y, relaxed);)
THREAD(sb_barrier_1, STORE(y, 1, relaxed); model_fence_all(); r[1] = LOAD(x, relaxed);)
THREAD(sb_swap_0, SWAP(x, 1, seq_cst); r[0] = LOAD(y, seq_cst);)
THREAD(sb_swap_1, SWAP(y, 1, seq_cst); r[1] = LOAD(x, seq_cst);)
THREAD(sb_other_0, STORE(x, 1, relaxed); ADD(z, 1, seq_cst); r[0] = LOAD(y, relaxed);)
THREAD(sb_other_1, STORE(y, 1, relaxed); FENCE(seq_cst); r[1] = LOAD(x, relaxed);)
THREAD(sb_same_0, STORE(x, 1, relaxed); ADD(z, 1, acq_rel); r[0] = LOAD(y, relaxed);)
THREAD(sb_same_1, STORE(y, 1, relaxed); ADD(z, 1, acq_rel); r[1] = LOAD(x, relaxed);)

/* Message passing: data, then a flag. */
THREAD(mp_relaxed_0, STORE(x, 1, relaxed); STORE(y, 1, relaxed);)
THREAD(mp_relaxed_1, r[0] = LOAD(y, relaxed); r[1] = LOAD(x, relaxed);)
THREAD(mp_release_0, STORE(x, 1, relaxed); STORE(y, 1, release);)
THREAD(mp_acquire_1, r[0] = LOAD(y, acquire); r[1] = LOAD(x, relaxed);)
THREAD(mp_consume_1, r[0] = LOAD(y, consume); r[1] = LOAD(x, relaxed);)
THREAD(mp_fence_0, STORE(x, 1, relaxed); FENCE(release); STORE(y, 1, relaxed);)
THREAD(mp_fence_1, r[0] = LOAD(y, relaxed); FENCE(acquire); r[1] = LOAD(x, relaxed);)
THREAD(mp_wrong_fence_0, STORE(x, 1, relaxed); FENCE(acquire); STORE(y, 1, relaxed);)
THREAD(mp_late_fence_1, FENCE(acquire); r[0] = LOAD(y, relaxed); r[1] = LOAD(x, relaxed);)
THREAD(mp_seq_cst_0, STORE(x, 1, relaxed); STORE(y, 1, seq_cst);)
THREAD(mp_seq_cst_1, r[0] = LOAD(y, seq_cst); r[1] = LOAD(x, relaxed);)

/* A release sequence goes on with updates, not (since C++20) with plain stores. */
THREAD(sequence_add_0, STORE(x, 1, relaxed); STORE(y, 1, release); ADD(y, 1, relaxed);)
THREAD(sequence_store_0, STORE(x, 1, relaxed); STORE(y, 1, release); STORE(y, 2, relaxed);)
THREAD(sequence_other_2, ADD(y, 1, relaxed);)
THREAD(sequence_fence_0, STORE(x, 1, relaxed); FENCE(release); STORE(y, 1, relaxed);
       ADD(y, 1, relaxed);)

/* Coherence. */
THREAD(co_writes, STORE(x, 1, relaxed); STORE(x, 2, relaxed);)
THREAD(co_reads, r[0] = LOAD(x, relaxed); r[1] = LOAD(x, relaxed);)
THREAD(co_write_read_0, STORE(x, 1, relaxed); r[0] = LOAD(x, relaxed);)
THREAD(co_write_read_1, STORE(x, 2, relaxed);)
THREAD(co_read_write_0, r[0] = LOAD(x, relaxed); STORE(x, 1, relaxed);)
THREAD(co_far_1, r[0] = LOAD(x, relaxed); STORE(y, 1, release);)
THREAD(co_far_2, r[1] = LOAD(y, acquire); r[2] = LOAD(x, relaxed);)
THREAD(co_one, STORE(x, 1, relaxed);)
THREAD(co_reads_2, r[2] = LOAD(x, relaxed); r[3] = LOAD(x, relaxed);)

/* Independent reads of independent writes. */
THREAD(iriw_x, STORE(x, 1, release);)
THREAD(iriw_y, STORE(y, 1, release);)
THREAD(iriw_x_seq_cst, STORE(x, 1, seq_cst);)
THREAD(iriw_y_seq_cst, STORE(y, 1, seq_cst);)
THREAD(iriw_acquire_2, r[0] = LOAD(x, acquire); r[1] = LOAD(y, acquire);)
THREAD(iriw_acquire_3, r[2] = LOAD(y, acquire); r[3] = LOAD(x, acquire);)
THREAD(iriw_fence_2, r[0] = LOAD(x, acquire); FENCE(seq_cst); r[1] = LOAD(y, acquire);)
THREAD(iriw_fence_3, r[2] = LOAD(y, acquire); FENCE(seq_cst); r[3] = LOAD(x, acquire);)
THREAD(iriw_weak_fence_2, r[0] = LOAD(x, acquire); FENCE(acq_rel); r[1] = LOAD(y, acquire);)
THREAD(iriw_seq_cst_2, r[0] = LOAD(x, seq_cst); r[1] = LOAD(y, seq_cst);)
THREAD(iriw_seq_cst_3, r[2] = LOAD(y, seq_cst); r[3] = LOAD(x, seq_cst);)

/* Write-to-read causality, and the same through a third object. */
THREAD(wrc_1, r[0] = LOAD(x, acquire); STORE(y, 1, release);)
THREAD(wrc_relaxed_1, r[0] = LOAD(x, relaxed); STORE(y, 1, relaxed);)
THREAD(wrc_2, r[1] = LOAD(y, acquire); r[2] = LOAD(x, relaxed);)
THREAD(isa2_0, STORE(x, 1, relaxed); STORE(y, 1, release);)
THREAD(isa2_1, r[0] = LOAD(y, acquire); STORE(z, 1, release);)
THREAD(isa2_relaxed_1, r[0] = LOAD(y, relaxed); STORE(z, 1, release);)
THREAD(isa2_2, r[1] = LOAD(z, acquire); r[2] = LOAD(x, relaxed);)

/* Two writes each, in opposite orders; R and S of the literature. r[2], r[3]: final x, y. */
THREAD(w22_relaxed_0, STORE(x, 1, relaxed); STORE(y, 2, relaxed);)
THREAD(w22_relaxed_1, STORE(y, 1, relaxed); STORE(x, 2, relaxed);)
THREAD(w22_release_0, STORE(x, 1, release); STORE(y, 2, release);)
THREAD(w22_release_1, STORE(y, 1, release); STORE(x, 2, release);)
THREAD(w22_seq_cst_0, STORE(x, 1, seq_cst); STORE(y, 2, seq_cst);)
THREAD(w22_seq_cst_1, STORE(y, 1, seq_cst); STORE(x, 2, seq_cst);)
THREAD(w22_fence_0, STORE(x, 1, relaxed); FENCE(seq_cst); STORE(y, 2, relaxed);)
THREAD(w22_fence_1, STORE(y, 1, relaxed); FENCE(seq_cst); STORE(x, 2, relaxed);)
THREAD(r_relaxed_0, STORE(x, 1, relaxed); STORE(y, 1, relaxed);)
THREAD(r_relaxed_1, STORE(y, 2, relaxed); r[0] = LOAD(x, relaxed);)
THREAD(r_seq_cst_0, STORE(x, 1, seq_cst); STORE(y, 1, seq_cst);)
THREAD(r_seq_cst_1, STORE(y, 2, seq_cst); r[0] = LOAD(x, seq_cst);)
THREAD(r_fence_0, STORE(x, 1, relaxed); FENCE(seq_cst); STORE(y, 1, relaxed);)
THREAD(r_fence_1, STORE(y, 2, relaxed); FENCE(seq_cst); r[0] = LOAD(x, relaxed);)
THREAD(s_release_0, STORE(x, 2, relaxed); STORE(y, 1, release);)
THREAD(s_acquire_1, r[0] = LOAD(y, acquire); STORE(x, 1, relaxed);)
THREAD(s_relaxed_1, r[0] = LOAD(y, relaxed); STORE(x, 1, relaxed);)

/* Load buffering. */
THREAD(lb_0, r[0] = LOAD(x, relaxed); STORE(y, 1, relaxed);)
THREAD(lb_1, r[1] = LOAD(y, relaxed); STORE(x, 1, relaxed);)

/* seq_cst against happens-before (Z6.U): allowed since C++20, as Power needs it. */
THREAD(z6_0, STORE(x, 1, seq_cst); STORE(y, 1, release);)
THREAD(z6_1, r[0] = ADD(y, 1, seq_cst); r[1] = LOAD(y, relaxed);)
THREAD(z6_2, STORE(y, 3, seq_cst); r[2] = LOAD(x, seq_cst);)

/* Updates. */
THREAD(add_0, r[0] = ADD(x, 1, relaxed);)
THREAD(add_1, r[1] = ADD(x, 1, relaxed);)
THREAD(add_store_1, STORE(x, 3, relaxed); r[1] = 0;)

static int exchange(bool weak, int expected, int desired)
{
	if (weak)
		return atomic_compare_exchange_weak_explicit(
			&x, &expected, desired, memory_order_relaxed, memory_order_relaxed);
	return atomic_compare_exchange_strong_explicit(&x, &expected, desired, memory_order_relaxed,
						       memory_order_relaxed);
}

THREAD(cas_0, r[0] = exchange(false, 0, 1);)
THREAD(cas_1, r[1] = exchange(false, 0, 2);)
THREAD(cas_weak_0, r[0] = exchange(true, 0, 1);)

/* A seq_cst operation here and a fence there. */
THREAD(mixed_0, STORE(x, 1, seq_cst); r[0] = LOAD(y, seq_cst);)
THREAD(mixed_1, STORE(y, 1, relaxed); FENCE(seq_cst); r[1] = LOAD(x, relaxed);)
THREAD(agree_2, STORE(y, 1, seq_cst); r[2] = LOAD(x, seq_cst);)
THREAD(iriw_relaxed_2, r[0] = LOAD(x, relaxed); r[1] = LOAD(y, seq_cst);)

/* One call site for several loads, as in a loop or a function: none of them is a spin. */
static _Atomic int untouched[3]; /* never stored to before the threads begin */

static int __attribute__((noinline)) look(_Atomic int *object)
{
	return LOAD(*object, relaxed);
}

THREAD(site_objects_0, STORE(untouched[2], 1, relaxed); STORE(y, 1, relaxed);)
THREAD(site_objects_1, look(&untouched[0]); look(&untouched[1]); r[0] = LOAD(y, relaxed);
       r[1] = look(&untouched[2]);)
THREAD(site_again_1, look(&x); look(&x); r[0] = LOAD(y, relaxed); r[1] = look(&x);)
THREAD(site_count_0, r[0] = LOAD(y, relaxed); STORE(x, 1, relaxed);)
THREAD(site_count_1, for (int i = 0; i < 3; i++) look(&x); STORE(y, 1, relaxed);)
THREAD(site_turns_1, for (int i = 0; i < 6; i++) look(i % 2 == 0 ? &x : &z); STORE(y, 1, relaxed);)

enum verdict {
	ALLOWED,
	FORBIDDEN,
	LIMIT
};

/* clang does not tell its hooks which exchanges are weak. */
#ifdef __clang__
#define WEAK_FAILS LIMIT
#else
#define WEAK_FAILS ALLOWED
#endif

static const struct litmus {
	const char *name;
	void (*threads[THREADS])(void *);
	int outcome[4];
	enum verdict verdict;
	bool final; /* r[2] and r[3] are the last values of x and y */
} programs[] = {
	{"SB relaxed", {sb_relaxed_0, sb_relaxed_1}, {0, 0}, ALLOWED, 0},
	{"SB release/acquire", {sb_acquire_0, sb_acquire_1}, {0, 0}, ALLOWED, 0},
	{"SB seq_cst", {sb_seq_cst_0, sb_seq_cst_1}, {0, 0}, FORBIDDEN, 0},
	{"SB one load acquire", {sb_half_0, sb_seq_cst_1}, {0, 0}, ALLOWED, 0},
	{"SB seq_cst fences", {sb_fence_0, sb_fence_1}, {0, 0}, FORBIDDEN, 0},
	{"SB one fence", {sb_fence_0, sb_relaxed_1}, {0, 0}, ALLOWED, 0},
	{"SB one fence acq_rel", {sb_weak_fence_0, sb_fence_1}, {0, 0}, ALLOWED, 0},
	{"SB membarrier", {sb_relaxed_0, sb_barrier_1}, {0, 0}, FORBIDDEN, 0},
	{"SB exchange seq_cst", {sb_swap_0, sb_swap_1}, {0, 0}, FORBIDDEN, 0},
	{"SB an update elsewhere is no fence", {sb_other_0, sb_other_1}, {0, 0}, ALLOWED, 0},
	{"SB updates of one object", {sb_same_0, sb_same_1}, {0, 0}, FORBIDDEN, 0},
	{"SB seq_cst against a fence", {mixed_0, mixed_1}, {0, 0}, FORBIDDEN, 0},
	{"MP relaxed", {mp_relaxed_0, mp_relaxed_1}, {1, 0}, ALLOWED, 0},
	{"MP release/acquire", {mp_release_0, mp_acquire_1}, {1, 0}, FORBIDDEN, 0},
	{"MP release/consume", {mp_release_0, mp_consume_1}, {1, 0}, FORBIDDEN, 0},
	{"MP release/relaxed", {mp_release_0, mp_relaxed_1}, {1, 0}, ALLOWED, 0},
	{"MP relaxed/acquire", {mp_relaxed_0, mp_acquire_1}, {1, 0}, ALLOWED, 0},
	{"MP fences", {mp_fence_0, mp_fence_1}, {1, 0}, FORBIDDEN, 0},
	{"MP release fence/acquire", {mp_fence_0, mp_acquire_1}, {1, 0}, FORBIDDEN, 0},
	{"MP release/acquire fence", {mp_release_0, mp_fence_1}, {1, 0}, FORBIDDEN, 0},
	{"MP the wrong fence", {mp_wrong_fence_0, mp_acquire_1}, {1, 0}, ALLOWED, 0},
	{"MP a fence too early", {mp_fence_0, mp_late_fence_1}, {1, 0}, ALLOWED, 0},
	{"MP seq_cst", {mp_seq_cst_0, mp_seq_cst_1}, {1, 0}, FORBIDDEN, 0},
	{"release sequence: own update", {sequence_add_0, mp_acquire_1}, {2, 0}, FORBIDDEN, 0},
	{"release sequence: own store", {sequence_store_0, mp_acquire_1}, {2, 0}, ALLOWED, 0},
	{"release sequence: other's update",
	 {mp_release_0, mp_acquire_1, sequence_other_2},
	 {2, 0},
	 FORBIDDEN,
	 0},
	{"release sequence: after a fence", {sequence_fence_0, mp_acquire_1}, {2, 0}, FORBIDDEN, 0},
	{"CoRR", {co_writes, co_reads}, {2, 1}, FORBIDDEN, 0},
	{"CoRR, new", {co_writes, co_reads}, {1, 2}, ALLOWED, 0},
	{"CoRR, two readers",
	 {co_one, co_write_read_1, co_reads, co_reads_2},
	 {1, 2, 2, 1},
	 FORBIDDEN,
	 0},
	{"CoRR through another thread", {co_one, co_far_1, co_far_2}, {1, 1, 0}, FORBIDDEN, 0},
	{"CoWW", {co_writes}, {0, 0, 1}, FORBIDDEN, true},
	{"CoWR", {co_write_read_0}, {0}, FORBIDDEN, 0},
	{"CoWR, other's", {co_write_read_0, co_write_read_1}, {2, 0, 1, 0}, FORBIDDEN, true},
	{"CoRW", {co_read_write_0, co_write_read_1}, {2, 0, 2, 0}, FORBIDDEN, true},
	{"CoRW, own", {co_read_write_0}, {1}, FORBIDDEN, 0},
	{"IRIW acquire",
	 {iriw_x, iriw_y, iriw_acquire_2, iriw_acquire_3},
	 {1, 0, 1, 0},
	 ALLOWED,
	 0},
	{"IRIW seq_cst",
	 {iriw_x_seq_cst, iriw_y_seq_cst, iriw_seq_cst_2, iriw_seq_cst_3},
	 {1, 0, 1, 0},
	 FORBIDDEN,
	 0},
	{"IRIW seq_cst loads only",
	 {iriw_x, iriw_y, iriw_seq_cst_2, iriw_seq_cst_3},
	 {1, 0, 1, 0},
	 FORBIDDEN,
	 0},
	{"IRIW seq_cst fences",
	 {iriw_x, iriw_y, iriw_fence_2, iriw_fence_3},
	 {1, 0, 1, 0},
	 FORBIDDEN,
	 0},
	{"IRIW one fence acq_rel",
	 {iriw_x, iriw_y, iriw_weak_fence_2, iriw_fence_3},
	 {1, 0, 1, 0},
	 ALLOWED,
	 0},
	{"WRC", {iriw_x, wrc_1, wrc_2}, {1, 1, 0}, FORBIDDEN, 0},
	{"WRC relaxed", {iriw_x, wrc_relaxed_1, wrc_2}, {1, 1, 0}, ALLOWED, 0},
	{"ISA2", {isa2_0, isa2_1, isa2_2}, {1, 1, 0}, FORBIDDEN, 0},
	{"ISA2 relaxed", {isa2_0, isa2_relaxed_1, isa2_2}, {1, 1, 0}, ALLOWED, 0},
	{"2+2W relaxed", {w22_relaxed_0, w22_relaxed_1}, {0, 0, 1, 1}, ALLOWED, true},
	{"2+2W release", {w22_release_0, w22_release_1}, {0, 0, 1, 1}, ALLOWED, true},
	{"2+2W seq_cst", {w22_seq_cst_0, w22_seq_cst_1}, {0, 0, 1, 1}, FORBIDDEN, true},
	{"2+2W fences", {w22_fence_0, w22_fence_1}, {0, 0, 1, 1}, FORBIDDEN, true},
	{"R relaxed", {r_relaxed_0, r_relaxed_1}, {0, 0, 1, 2}, ALLOWED, true},
	{"R seq_cst", {r_seq_cst_0, r_seq_cst_1}, {0, 0, 1, 2}, FORBIDDEN, true},
	{"R fences", {r_fence_0, r_fence_1}, {0, 0, 1, 2}, FORBIDDEN, true},
	{"S release/acquire", {s_release_0, s_acquire_1}, {1, 0, 2, 1}, FORBIDDEN, true},
	{"S relaxed", {s_release_0, s_relaxed_1}, {1, 0, 2, 1}, ALLOWED, true},
	{"LB", {lb_0, lb_1}, {1, 1}, LIMIT, 0},
	{"Z6.U", {z6_0, z6_1, z6_2}, {1, 3, 0}, LIMIT, 0},
	{"updates are atomic", {add_0, add_1}, {0, 0, 2, 0}, FORBIDDEN, true},
	{"updates, 1", {add_0, add_1}, {1, 0, 2, 0}, ALLOWED, true},
	{"no store inside an update", {add_0, add_store_1}, {0, 0, 1, 0}, FORBIDDEN, true},
	{"exchange: one wins", {cas_0, cas_1}, {1, 1}, FORBIDDEN, 0},
	{"exchange: somebody wins", {cas_0, cas_1}, {0, 0}, FORBIDDEN, 0},
	{"exchange strong, alone", {cas_0}, {0}, FORBIDDEN, 0},
	{"exchange weak, alone", {cas_weak_0}, {0}, WEAK_FAILS, 0},
	{"seq_cst loads agree on a relaxed store",
	 {co_one, iriw_seq_cst_2, agree_2},
	 {1, 0, 0},
	 FORBIDDEN,
	 0},
	{"relaxed loads need not", {co_one, iriw_relaxed_2, agree_2}, {1, 0, 0}, ALLOWED, 0},
	{"one call site, three objects", {site_objects_0, site_objects_1}, {1, 0}, ALLOWED, 0},
	{"one call site, again", {mp_relaxed_0, site_again_1}, {1, 0}, ALLOWED, 0},
	{"one call site, a loop that counts", {site_count_0, site_count_1}, {1}, ALLOWED, 0},
	{"one call site, a loop over two", {site_count_0, site_turns_1}, {1}, ALLOWED, 0},
};

static const struct litmus *program;
static bool outcomes[OUTCOMES];

static int outcome_index(const int *values)
{
	return values[0] + VALUES * (values[1] + VALUES * (values[2] + VALUES * values[3]));
}

/* A variable's first value is a store of the scenario's own thread, so it can be read stale. */
static void reset(void)
{
	STORE(x, 0, relaxed);
	STORE(y, 0, relaxed);
	STORE(z, 0, relaxed);
	memset((void *)untouched, 0, sizeof(untouched));
	memset(r, 0, sizeof(r));
}

static void run_program(const void *unused)
{
	(void)unused;
	reset();
	for (int i = 0; i < THREADS; i++)
		if (program->threads[i] != NULL)
			model_thread(program->threads[i], NULL);
	model_join();
	if (program->final) {
		r[2] = LOAD(x, relaxed);
		r[3] = LOAD(y, relaxed);
	}
	outcomes[outcome_index(r)] = true;
}

/* Random programs: two threads of three operations or three of two, on two objects. */

static struct axioms_program random_program;
static struct axioms_outcome random_outcome; /* each row is its thread's */
static uint64_t random_state = 88172645463325252u;

static int random_below(int limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (int)((random_state >> 20) % (uint64_t)limit);
}

/* What C allows for the operation that is nearest to the order. */
static int order_for(enum axioms_action action, int order)
{
	if (action == AXIOMS_LOAD &&
	    (order == memory_order_release || order == memory_order_acq_rel))
		return memory_order_acquire;
	if (action == AXIOMS_STORE &&
	    (order == memory_order_acquire || order == memory_order_acq_rel))
		return memory_order_release;
	return order;
}

static void make_random_program(void)
{
	static const int orders[] = {memory_order_relaxed, memory_order_acquire,
				     memory_order_release, memory_order_acq_rel,
				     memory_order_seq_cst, memory_order_seq_cst};

	random_program.threads = 2 + random_below(2);
	for (int thread = 0; thread < AXIOMS_THREADS; thread++) {
		for (int i = 0; i < AXIOMS_OPERATIONS; i++) {
			struct axioms_operation *operation = &random_program.operations[thread][i];

			operation->action = (enum axioms_action)random_below(AXIOMS_NOTHING);
			operation->object = random_below(AXIOMS_OBJECTS);
			operation->order = order_for(operation->action, orders[random_below(6)]);
			operation->value = 1 + thread;
			/* Three threads of two: else it takes too long. */
			if (random_program.threads == 3 && i == 2)
				operation->action = AXIOMS_NOTHING;
		}
	}
}

/* With the order as a variable the compiler hands it on to the hook as it is. */
static int do_operation(const struct axioms_operation *operation)
{
	_Atomic int *object = operation->object == 0 ? &x : &y;
	int expected = 1;

	switch (operation->action) {
	case AXIOMS_LOAD:
		return atomic_load_explicit(object, operation->order);
	case AXIOMS_STORE:
		atomic_store_explicit(object, operation->value, operation->order);
		return 0;
	case AXIOMS_ADD:
		return atomic_fetch_add_explicit(object, 1, operation->order);
	case AXIOMS_EXCHANGE:
		return atomic_compare_exchange_strong_explicit(object, &expected, operation->value,
							       operation->order,
							       memory_order_relaxed);
	case AXIOMS_FENCE:
		atomic_thread_fence(operation->order);
		return 0;
	default:
		return 0;
	}
}

static void random_thread(void *argument)
{
	int thread = (int)(intptr_t)argument;

	for (int i = 0; i < AXIOMS_OPERATIONS; i++)
		random_outcome.observed[thread][i] =
			do_operation(&random_program.operations[thread][i]);
}

/* The outcomes of a program: those of the engine, of the engine that merges, and of the axioms. */

enum {
	SEEN = 1 << 14
};

enum source {
	PLAIN,
	MERGED,
	AXIOMS,
	SOURCES
};

static uint64_t seen[SOURCES][SEEN];
static size_t seen_count[SOURCES];
static enum source source;

static void record_outcome(const struct axioms_outcome *outcome)
{
	uint64_t code = 0;

	for (int thread = 0; thread < AXIOMS_THREADS; thread++)
		for (int i = 0; i < AXIOMS_OPERATIONS; i++)
			code = code << 4 | (unsigned)outcome->observed[thread][i];
	for (int object = 0; object < AXIOMS_OBJECTS; object++)
		code = code << 4 | (unsigned)outcome->last[object];
	for (size_t i = 0; i < seen_count[source]; i++)
		if (seen[source][i] == code)
			return;
	if (seen_count[source] < SEEN)
		seen[source][seen_count[source]++] = code;
}

static void run_random_program(const void *unused)
{
	(void)unused;
	reset();
	memset(&random_outcome, 0, sizeof(random_outcome));
	for (int i = 0; i < random_program.threads; i++)
		model_thread(random_thread, (void *)(intptr_t)i);
	model_join();
	random_outcome.last[0] = LOAD(x, relaxed);
	random_outcome.last[1] = LOAD(y, relaxed);
	record_outcome(&random_outcome);
}

static int by_value(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static int test_count, failures;

static void report(bool good, const char *name, const char *what)
{
	failures += !good;
	printf("%s %d - %s: %s\n", good ? "ok" : "not ok", ++test_count, name, what);
}

static void check_program(const struct litmus *litmus)
{
	static const char *const verdicts[] = {"allowed, and shown", "forbidden, and not shown",
					       "allowed, and not shown: a known limit"};
	struct model_scenario scenario = {
		.name = litmus->name,
		.run = run_program,
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	};
	bool merged[OUTCOMES];

	program = litmus;
	memset(outcomes, 0, sizeof(outcomes));

	bool failed = model_fails(&scenario, NULL, 0);

	report(!failed && outcomes[outcome_index(litmus->outcome)] == (litmus->verdict == ALLOWED),
	       litmus->name, verdicts[litmus->verdict]);
	memcpy(merged, outcomes, sizeof(merged));
	memset(outcomes, 0, sizeof(outcomes));
	failed = model_fails_unmerged(&scenario, NULL, 0);
	if (failed || memcmp(merged, outcomes, sizeof(merged)) != 0)
		report(false, litmus->name, "merging states changes the outcomes");
}

static bool is_equal(enum source left, enum source right)
{
	return seen_count[left] == seen_count[right] &&
	       memcmp(seen[left], seen[right], seen_count[left] * sizeof(seen[0][0])) == 0;
}

static void print_random_program(void)
{
	static const char *const actions[] = {"load", "store", "add", "exchange", "fence", "-"};

	for (int thread = 0; thread < random_program.threads; thread++) {
		printf("#   T%d:", thread + 1);
		for (int i = 0; i < AXIOMS_OPERATIONS; i++) {
			const struct axioms_operation *operation =
				&random_program.operations[thread][i];

			printf(" %s %c order %d;", actions[operation->action],
			       "xy"[operation->object], operation -> order);
		}
		printf("\n");
	}
	for (int i = 0; i < SOURCES; i++) {
		printf("#   %zu outcomes:", seen_count[i]);
		for (size_t j = 0; j < seen_count[i]; j++)
			printf(" %llx", (unsigned long long)seen[i][j]);
		printf("\n");
	}
}

static void check_random_programs(int count)
{
	struct model_scenario scenario = {
		.run = run_random_program,
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
	};
	uint64_t executions[2] = {0, 0};
	bool merging_is_sound = true, engine_is_right = true;

	for (int i = 0; i < count && engine_is_right && merging_is_sound; i++) {
		make_random_program();
		memset(seen_count, 0, sizeof(seen_count));
		source = PLAIN;
		merging_is_sound &= !model_fails_unmerged(&scenario, NULL, 0);
		executions[PLAIN] += model_executions();
		source = MERGED;
		merging_is_sound &= !model_fails(&scenario, NULL, 0);
		executions[MERGED] += model_executions();
		source = AXIOMS;
		axioms_outcomes(&random_program, record_outcome);
		for (int s = 0; s < SOURCES; s++)
			qsort(seen[s], seen_count[s], sizeof(seen[s][0]), by_value);
		merging_is_sound &= is_equal(PLAIN, MERGED);
		engine_is_right &= is_equal(MERGED, AXIOMS);
		if (!merging_is_sound || !engine_is_right)
			print_random_program();
	}
	report(merging_is_sound, "random programs", "merging states loses no outcome");
	report(engine_is_right, "random programs", "the outcomes are those of the axioms");
	printf("# up to %d programs, %llu executions, merged %llu\n", count,
	       (unsigned long long)executions[PLAIN], (unsigned long long)executions[MERGED]);
}

int main(int count, char **arguments)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		check_program(&programs[i]);
	check_random_programs(count > 1 ? atoi(arguments[1]) : 3000);
	printf("1..%d\n", test_count);
	return failures == 0 ? 0 : 1;
}
