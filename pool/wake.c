/* SPDX-License-Identifier: Apache-2.0 */
#include "wake.h"

bool weft_wake_is_idle_(const weft_wake_ *wake, unsigned worker)
{
	/* S10 seq_cst, pairs with S1, S3: in the order of the essay. */
	uint64_t bits = atomic_load_explicit(&wake->idle[worker / 64], memory_order_seq_cst);

	return (bits >> (worker % 64) & 1) != 0;
}

bool weft_wake_claim_(weft_wake_ *wake, unsigned worker)
{
	uint64_t bit = (uint64_t)1 << (worker % 64);

	/* S1 seq_cst, pairs with S2, S3, S10: in the order of the essay. */
	return (atomic_fetch_and_explicit(&wake->idle[worker / 64], ~bit, memory_order_seq_cst) &
		bit) != 0;
}

/* Finds an idle worker, beginning after `near` and with `near` itself last. Returns it, or -1. */
static int find_idle(const weft_wake_ *wake, unsigned near)
{
	unsigned words = (wake->workers + 63) / 64;
	unsigned first = (near + 1) % wake->workers;

	for (unsigned i = 0; i <= words; i++) {
		unsigned word = (first / 64 + i) % words;
		/* S2 seq_cst, pairs with S1, S3: in the order of the essay. */
		uint64_t bits = atomic_load_explicit(&wake->idle[word], memory_order_seq_cst);

		/* The first word is seen twice: from `first` up, and in the end below it. */
		if (i == 0)
			bits &= ~(uint64_t)0 << (first % 64);
		if (bits != 0)
			return (int)(word * 64 + (unsigned)__builtin_ctzll(bits));
	}
	return -1;
}

int weft_wake_choose_(weft_wake_ *wake, unsigned near)
{
	int chosen;

	do {
		uint32_t nobody = 0;

		/* S4 seq_cst, pairs with S5, S6, S8: in the order of the essay. */
		if (atomic_load_explicit(&wake->searching, memory_order_seq_cst) != 0)
			return -1;
		/* S7 seq_cst, pairs with S5, S6, S8: of several that choose one does. */
		if (!atomic_compare_exchange_strong_explicit(&wake->searching, &nobody, 1,
							     memory_order_seq_cst,
							     memory_order_relaxed))
			return -1;
		while ((chosen = find_idle(wake, near)) >= 0) {
			if (weft_wake_claim_(wake, (unsigned)chosen))
				return chosen;
		}
		/* Nobody is idle any more: take the count back.
		 * S5 seq_cst, pairs with S4, S7: and who relied on it meanwhile is covered by
		 * the next round. */
	} while (atomic_fetch_sub_explicit(&wake->searching, 1, memory_order_seq_cst) == 1 &&
		 weft_wake_somebody_is_idle_(wake));
	return -1;
}

void weft_wake_begin_search_(weft_wake_ *wake)
{
	/* relaxed: who sees it relies on what follows its end, not on this. */
	atomic_fetch_add_explicit(&wake->searching, 1, memory_order_relaxed);
}

bool weft_wake_end_search_(weft_wake_ *wake)
{
	/* S6 seq_cst, pairs with S4, S7: in the order of the essay. */
	return atomic_fetch_sub_explicit(&wake->searching, 1, memory_order_seq_cst) == 1;
}

void weft_wake_lie_down_(weft_wake_ *wake, unsigned worker)
{
	uint64_t bit = (uint64_t)1 << (worker % 64);

	/* S3 seq_cst, pairs with S1, S2, S10, S11: in the order of the essay; and before S8. */
	atomic_fetch_or_explicit(&wake->idle[worker / 64], bit, memory_order_seq_cst);
}

void weft_wake_stop_searching_(weft_wake_ *wake)
{
	/* S8 seq_cst, pairs with S4, S7, S9: in the order of the essay. */
	atomic_fetch_sub_explicit(&wake->searching, 1, memory_order_seq_cst);
}

void weft_wake_rise_(weft_wake_ *wake, unsigned worker)
{
	if (weft_wake_claim_(wake, worker))
		weft_wake_begin_search_(wake);
}

void weft_wake_fence_(weft_wake_ *wake)
{
	/* S9 seq_cst, pairs with S8: who gives up before this is seen, who does after it sees. */
	atomic_fetch_add_explicit(&wake->searching, 0, memory_order_seq_cst);
}

unsigned weft_wake_awake_(const weft_wake_ *wake)
{
	unsigned idle = 0;

	/* relaxed: a guess. */
	for (unsigned word = 0; word * 64 < wake->workers; word++)
		idle += (unsigned)__builtin_popcountll(
			atomic_load_explicit(&wake->idle[word], memory_order_relaxed));
	return idle < wake->workers ? wake->workers - idle : 0;
}
