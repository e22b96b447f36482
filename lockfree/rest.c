/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/base.h>

/*
 * How long a side of a queue rests that is at the other's heels.
 *
 * Both then wait for the same line with each element. A rest lets the other get ahead, and what it
 * has left is a run of elements whose lines come once each. But elements that come at a rate of
 * their own come no faster for a rest, and wait for its end; and they look the same. So rests are
 * experiments: the time for an element with longer rests is compared with that with shorter ones.
 * Longer ones stay only while they make it clearly less, shorter ones unless they make it clearly
 * more. What comes at a rate of its own is thus taken with the shortest rests by which this side
 * keeps up, mostly none, and a stream with rests beyond which there is little to gain. These are
 * a matter of the machine: of how far it is from one core to the other. So is what a pause takes,
 * which is why a rest is a matter of time (a pause takes 5 ns on one machine, 45 on another).
 *
 * A queue begins with the longest rests: where it is a stream that pays at once, and if not it is
 * over after some dozens of them, a tenth of a millisecond. A worker of a pool begins without:
 * it is there for what comes now and then, too.
 *
 * relaxed, everywhere here: hints, and any of them will do. Two threads that decide at once may
 * spoil a measurement, and then the next one puts it right.
 */

enum {
	/* The longest rest is followed by those of a quarter each, and then by none. */
	REST_MAX_NS = 3200,
	NO_REST = WEFT_CPU_NO_REST_,
	/* The least occasions to rest in a measurement; and in an experiment with rests where there
	 * are none, which is short lest it be noticed. */
	OCCASIONS = 16,
	OCCASIONS_OF_FIRST_REST = 2,
	/* The most occasions beyond that between two experiments. */
	PATIENCE_MAX = 496,
	/* What is more by one part of so many is clearly more. */
	CLEARLY = 16,
	/* What comes no faster than one in this time is rare, and no reason to rest. */
	RARE_NS = 1000,
	/* A measurement ends after this time, lest it take minutes to notice that what was a stream
	 * comes now and then. */
	MEASUREMENT_MAX_NS = 10000000,
};

/* relaxed: as above. */
static uint32_t get(const WEFT_ATOMIC(uint32_t) * word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* relaxed: as above. */
static void set(WEFT_ATOMIC(uint32_t) * word, uint32_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* relaxed: as above. */
static uint64_t get_long(const WEFT_ATOMIC(uint64_t) * word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* relaxed: as above. */
static void set_long(WEFT_ATOMIC(uint64_t) * word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static void begin(weft_cpu_heels_ *heels, uint64_t ticket, uint64_t now, uint32_t quarterings,
		  uint32_t occasions)
{
	set_long(&heels->begin_at, ticket);
	set_long(&heels->begin_ns, now);
	set(&heels->quarterings, quarterings);
	set(&heels->occasions, occasions);
}

static void try_another(weft_cpu_heels_ *heels, uint64_t ticket, uint64_t now, uint32_t settled)
{
	/* Not read again: another thread that decides could turn it where there is nothing beyond.
	 */
	bool shortens = settled == 0 || (settled < NO_REST && get(&heels->shortens));

	set(&heels->shortens, shortens);
	begin(heels, ticket, now, shortens ? settled + 1 : settled - 1,
	      settled == NO_REST ? OCCASIONS_OF_FIRST_REST : OCCASIONS);
}

/*
 * After an experiment in vain. Where shorter rests are just not enough, what is not taken in time
 * waits for longer ones, so those are tried at once, and shorter ones seldom.
 */
static uint32_t patience(const weft_cpu_heels_ *heels, uint32_t settled)
{
	uint32_t longer = 2 * get(&heels->patience) + OCCASIONS;

	if (settled == NO_REST)
		return longer < PATIENCE_MAX ? longer : PATIENCE_MAX;
	return get(&heels->shortens) || settled == 0 ? PATIENCE_MAX : 0;
}

/* At the end of an experiment: whether it stays so. */
static void judge(weft_cpu_heels_ *heels, uint64_t ticket, uint64_t now, uint64_t time)
{
	uint64_t settled_time = get_long(&heels->settled_time);
	uint64_t clearly = settled_time / CLEARLY;
	uint32_t shortens = get(&heels->shortens);

	if (shortens ? time < settled_time + clearly : time + clearly < settled_time) {
		set(&heels->settled, get(&heels->quarterings));
		set(&heels->patience, 0);
	} else {
		set(&heels->patience, patience(heels, get(&heels->settled)));
		set(&heels->shortens, !shortens);
	}
	begin(heels, ticket, now, get(&heels->settled), OCCASIONS + get(&heels->patience));
}

/* At the end of a measurement: what is measured next, and with which rest. */
static void decide(weft_cpu_heels_ *heels, uint64_t ticket)
{
	uint64_t now = weft_clock_ns_(), begin_ns = get_long(&heels->begin_ns);
	uint64_t taken = (ticket - get_long(&heels->begin_at)) / 2;
	uint64_t time = (now - begin_ns) * 1024 / (taken > 0 ? taken : 1);
	uint32_t settled = get(&heels->settled);

	if (begin_ns == 0) {
		begin(heels, ticket, now, settled, OCCASIONS);
	} else if (time > (uint64_t)RARE_NS * 1024) {
		settled = settled < NO_REST ? settled + 1 : NO_REST;
		set(&heels->settled, settled);
		begin(heels, ticket, now, settled, OCCASIONS);
	} else if (get(&heels->quarterings) == settled) {
		set_long(&heels->settled_time, time);
		try_another(heels, ticket, now, settled);
	} else {
		judge(heels, ticket, now, time);
	}
}

void weft_cpu_rest_(uint64_t ns)
{
	uint64_t until = weft_clock_ns_() + ns;

	do
		weft_cpu_relax();
	while (weft_clock_ns_() < until);
}

bool weft_cpu_rest_behind_(weft_cpu_heels_ *heels, uint64_t ticket)
{
	int64_t passed = (int64_t)(ticket - get_long(&heels->at)) / 2;

	if (passed == 0)
		return false;
	set_long(&heels->at, ticket);
	if (passed < 2)
		return false;

	uint32_t left = get(&heels->occasions);

	/* Mostly one thread decides. Whatever the exchange meets, and should that thread be stopped
	 * before it has decided, another one does after some more occasions.
	 * relaxed: as above. */
	if (left > 0)
		set(&heels->occasions, left - 1);
	else if (atomic_exchange_explicit(&heels->occasions, OCCASIONS, memory_order_relaxed) == 0)
		decide(heels, ticket);

	uint32_t quarterings = get(&heels->quarterings);

	if (quarterings >= NO_REST)
		return false;
	if (weft_clock_ns_() - get_long(&heels->begin_ns) > MEASUREMENT_MAX_NS)
		set(&heels->occasions, 0);
	weft_cpu_rest_((uint64_t)REST_MAX_NS >> 2 * quarterings);
	return true;
}
