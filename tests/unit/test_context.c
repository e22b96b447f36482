/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of pool/context: what a switch keeps, and where a context begins. Built twice: with the
 * assembly of this processor, and with ucontext, which stands in for it on others.
 */
#include <execinfo.h>
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/pool/context.h>

enum {
	STACK_BYTES = 64 << 10,
	CONTEXTS = 50,
	ROUNDS = 200,
};

static weft_context home;

typedef struct place {
	weft_context context;
	void *stack;
	int number;
	int runs;
	int rounding;
	double third;
	long sum;
} place;

static place *place_create(void (*entry)(void *argument), int number)
{
	place *made = calloc(1, sizeof(*made));

	assert_non_null(made);
	made->stack = aligned_alloc(4096, STACK_BYTES);
	assert_non_null(made->stack);
	made->number = number;
	weft_context_init(&made->context, made->stack, STACK_BYTES, entry, made);
	return made;
}

static void place_destroy(place *made)
{
	weft_context_fini(&made->context);
	free(made->stack);
	free(made);
}

static void go_home(place *from)
{
	weft_context_switch(&from->context, &home);
}

static void count_up(void *argument)
{
	place *self = argument;

	for (;;) {
		self->runs++;
		go_home(self);
	}
}

static void begins_with_its_argument_and_goes_on(void **state)
{
	place *places[CONTEXTS];

	(void)state;
	for (int i = 0; i < CONTEXTS; i++)
		places[i] = place_create(count_up, i);
	for (int round = 1; round <= ROUNDS; round++) {
		for (int i = 0; i < CONTEXTS; i++) {
			weft_context_switch(&home, &places[i]->context);
			assert_int_equal(places[i]->runs, round);
		}
	}
	for (int i = 0; i < CONTEXTS; i++)
		place_destroy(places[i]);
}

/* More live values than there are registers that a function must keep, on both sides. */
static long keep_many(void (*leave)(place *at), place *at, long seed)
{
	long value[20];
	double fraction[20];

	for (int i = 0; i < 20; i++) {
		value[i] = seed * (i + 3);
		fraction[i] = (double)seed / (i + 1);
	}
	long a = value[0], b = value[1], c = value[2], d = value[3], e = value[4], f = value[5];
	long g = value[6], h = value[7], k = value[8], l = value[9], m = value[10], n = value[11];
	double p = fraction[0], q = fraction[1], r = fraction[2], s = fraction[3];
	double t = fraction[4], u = fraction[5], v = fraction[6], w = fraction[7], x = fraction[8];

	leave(at);
	return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * k + 10 * l + 11 * m +
	       12 * n + (long)(p + 2 * q + 3 * r + 4 * s + 5 * t + 6 * u + 7 * v + 8 * w + 9 * x);
}

static void stay(place *at)
{
	(void)at;
}

static void enter(place *at)
{
	weft_context_switch(&home, &at->context);
}

static void keep_here(void *argument)
{
	place *self = argument;

	for (;;)
		self->sum += keep_many(go_home, self, self->number);
}

static void registers_are_kept(void **state)
{
	place *two[2] = {place_create(keep_here, 1001), place_create(keep_here, 77)};
	long expected[2] = {keep_many(stay, NULL, 1001), keep_many(stay, NULL, 77)};

	(void)state;
	for (long round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 2; i++) {
			long seed = round * 13 + i;

			assert_int_equal(keep_many(enter, two[i], seed),
					 keep_many(stay, NULL, seed));
			assert_int_equal(two[i]->sum, round * expected[i]);
		}
	}
	place_destroy(two[0]);
	place_destroy(two[1]);
}

static double one_third(void)
{
	volatile double one = 1, three = 3;

	return one / three;
}

static void round_as_told(void *argument)
{
	place *self = argument;

	fesetround(self->rounding);
	for (;;) {
		self->third = one_third();
		go_home(self);
		if (fegetround() != self->rounding)
			abort();
	}
}

static void rounding_belongs_to_the_context(void **state)
{
	static const int ways[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
	place *places[4];
	double third = one_third();

	(void)state;
	for (int i = 0; i < 4; i++) {
		places[i] = place_create(round_as_told, i);
		places[i]->rounding = ways[i];
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 4; i++) {
			weft_context_switch(&home, &places[i]->context);
			assert_int_equal(fegetround(), FE_TONEAREST);
			assert_true(one_third() == third);
		}
	}
	assert_true(places[0]->third > places[1]->third);
	assert_true(places[1]->third == places[2]->third);
	assert_true(places[3]->third == third);
	for (int i = 0; i < 4; i++)
		place_destroy(places[i]);
}

static void begins_as_whoever_prepared_it(void **state)
{
	place *made;

	(void)state;
	fesetround(FE_UPWARD);
	made = place_create(count_up, 0);
	fesetround(FE_TONEAREST);
	weft_context_switch(&home, &made->context);
	assert_int_equal(fegetround(), FE_TONEAREST);
	place_destroy(made);
}

static void look_at_the_stack(void *argument)
{
	place *self = argument;
	_Alignas(16) char aligned[16];
	void *frames[64];

	/* Vector instructions trap on a stack that is not aligned as the compiler expects. */
	memset(aligned, 1, sizeof(aligned));
	self->runs = (uintptr_t)aligned % 16 == 0 && (char *)aligned > (char *)self->stack &&
		     (char *)aligned < (char *)self->stack + STACK_BYTES;
	/* Who unwinds comes to an end. */
	self->sum = backtrace(frames, 64);
	go_home(self);
	abort();
}

static void the_stack_is_its_own_and_has_an_end(void **state)
{
	place *made = place_create(look_at_the_stack, 0);

	(void)state;
	weft_context_switch(&home, &made->context);
	assert_int_equal(made->runs, 1);
	assert_in_range(made->sum, 1, 20);
	place_destroy(made);
}

/* Contexts that hand over to each other and not home; the last goes home. */
static place *ring[CONTEXTS];

static void pass_on(void *argument)
{
	place *self = argument;

	for (;;) {
		self->runs++;
		if (self->number + 1 == CONTEXTS)
			go_home(self);
		else
			weft_context_switch(&self->context, &ring[self->number + 1]->context);
	}
}

static void contexts_hand_over_to_each_other(void **state)
{
	(void)state;
	for (int i = 0; i < CONTEXTS; i++)
		ring[i] = place_create(pass_on, i);
	for (int round = 1; round <= ROUNDS; round++) {
		weft_context_switch(&home, &ring[0]->context);
		for (int i = 0; i < CONTEXTS; i++)
			assert_int_equal(ring[i]->runs, round);
	}
	for (int i = 0; i < CONTEXTS; i++)
		place_destroy(ring[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_its_argument_and_goes_on),
		cmocka_unit_test(registers_are_kept),
		cmocka_unit_test(rounding_belongs_to_the_context),
		cmocka_unit_test(begins_as_whoever_prepared_it),
		cmocka_unit_test(the_stack_is_its_own_and_has_an_end),
		cmocka_unit_test(contexts_hand_over_to_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
