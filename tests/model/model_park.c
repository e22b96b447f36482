/* SPDX-License-Identifier: Apache-2.0 */

/* park: no token and no change of a word is slept through; deadlines; what was before is visible.
 */

#include <stdlib.h>
#include <string.h>

#include <weft/sync/park.h>

#include "model.h"

static weft_parker parker;
static WEFT_ATOMIC(uint32_t) word;
static WEFT_ATOMIC(int) flags;
static int data[3]; /* written before an unpark or a change, read after the wait */
static uint64_t spin_ns;

static void setup(uint64_t spin)
{
	memset(&parker, 0, sizeof(parker));
	memset(data, 0, sizeof(data));
	spin_ns = spin;
	atomic_store_explicit(&word, 0, memory_order_relaxed);
	atomic_store_explicit(&flags, 0, memory_order_relaxed);
	model_name(&parker, "parker");
	model_name(&word, "word");
	model_name(&flags, "flags");
	model_name_array(data, sizeof(*data), 3, "data");
}

static void take_token(void *unused)
{
	(void)unused;
	model_assert(weft_parker_park(&parker, spin_ns, WEFT_FOREVER) == 0);
	model_assert(data[0] == 1);
}

static void give_token(void *unused)
{
	(void)unused;
	data[0] = 1;
	weft_parker_unpark(&parker);
}

static void one_token(const void *unused)
{
	(void)unused;
	setup(0);
	model_thread(take_token, NULL);
	model_thread(give_token, NULL);
	model_join();
}

/* With a budget: W3 spins, the clock is read. */
static void one_token_spinning(const void *unused)
{
	(void)unused;
	setup(1500);
	model_thread(take_token, NULL);
	model_thread(give_token, NULL);
	model_join();
}

/* Tokens do not add up, so the waiter looks at what they are for. */
static void wait_for_both(void *unused)
{
	(void)unused;
	while (atomic_load_explicit(&flags, memory_order_relaxed) != 3)
		model_assert(weft_parker_park(&parker, spin_ns, WEFT_FOREVER) == 0);
}

static void set_flag(void *argument)
{
	atomic_fetch_or_explicit(&flags, (int)(intptr_t)argument, memory_order_relaxed);
	weft_parker_unpark(&parker);
}

static void two_tokens(const void *unused)
{
	(void)unused;
	setup(0);
	model_thread(wait_for_both, NULL);
	model_thread(set_flag, (void *)1);
	model_thread(set_flag, (void *)2);
	model_join();
}

/* A waiter that gives up at its deadline takes the token if there is one, and leaves none. */
static void wait_with_deadline(void *unused)
{
	int error = weft_parker_park(&parker, spin_ns, weft_after(1000000));

	(void)unused;
	model_assert(error == 0 || error == -ETIMEDOUT);
	if (error == 0)
		model_assert(data[0] == 1);
	else
		/* The token may be on its way. */
		model_assert(weft_parker_park(&parker, 0, WEFT_FOREVER) == 0);
	model_assert(weft_parker_park(&parker, 0, WEFT_NOW) == -ETIMEDOUT);
}

static void deadline(const void *unused)
{
	(void)unused;
	setup(0);
	model_thread(wait_with_deadline, NULL);
	model_thread(give_token, NULL);
	model_join();
}

/* The parker may be freed as soon as the waiter has the token. */
static weft_parker *borrowed;

static void take_token_and_free(void *unused)
{
	(void)unused;
	model_assert(weft_parker_park(borrowed, 0, WEFT_FOREVER) == 0);
	free(borrowed);
}

static void give_borrowed(void *unused)
{
	(void)unused;
	weft_parker_unpark(borrowed);
}

static void parker_is_gone(const void *unused)
{
	(void)unused;
	setup(0);
	borrowed = calloc(1, sizeof(*borrowed));
	model_thread(take_token_and_free, NULL);
	model_thread(give_borrowed, NULL);
	model_join();
}

static void wait_for_word(void *unused)
{
	(void)unused;
	model_assert(weft_park_while(&word, 0, spin_ns, WEFT_FOREVER) == 0);
	model_assert(data[1] == 2);
}

static void change_word(void *argument)
{
	data[1] = 2;
	atomic_store_explicit(&word, 1, memory_order_release);
	weft_park_wake(&word, (int32_t)(intptr_t)argument);
}

static void two_wait_for_word(const void *unused)
{
	(void)unused;
	setup(0);
	model_thread(wait_for_word, NULL);
	model_thread(wait_for_word, NULL);
	model_thread(change_word, (void *)(intptr_t)WEFT_PARK_ALL);
	model_join();
}

static void one_waits_spinning(const void *unused)
{
	(void)unused;
	setup(1500);
	model_thread(wait_for_word, NULL);
	model_thread(change_word, (void *)(intptr_t)1);
	model_join();
}

/* The checker checked: of two sleepers one is woken. */
static void one_wake_for_two(const void *unused)
{
	(void)unused;
	setup(0);
	model_thread(wait_for_word, NULL);
	model_thread(wait_for_word, NULL);
	model_thread(change_word, (void *)(intptr_t)1);
	model_join();
}

static const struct model_scenario scenarios[] = {
	{
		.name = "park: one token, all interleavings",
		.run = one_token,
		.preemptions = MODEL_UNBOUNDED,
		.stale = MODEL_UNBOUNDED,
		.spurious_wakes = true,
	},
	{
		.name = "park: one token, with a spin budget",
		.run = one_token_spinning,
		.preemptions = 3,
	},
	{
		.name = "park: two tokens",
		.run = two_tokens,
		.preemptions = 3,
		.spurious_wakes = true,
	},
	{
		.name = "park: a deadline",
		.run = deadline,
		.preemptions = MODEL_UNBOUNDED,
		.spurious_wakes = true,
	},
	{
		.name = "park: the parker is freed by its waiter",
		.run = parker_is_gone,
		.preemptions = MODEL_UNBOUNDED,
		.spurious_wakes = true,
	},
	{
		.name = "park: two wait for a word",
		.run = two_wait_for_word,
		.preemptions = MODEL_UNBOUNDED,
		.spurious_wakes = true,
	},
	{
		.name = "park: one waits for a word, with a spin budget",
		.run = one_waits_spinning,
		.preemptions = 3,
	},
	{
		.name = "park: one wake is not enough for two",
		.run = one_wake_for_two,
		.expect = "deadlock or lost wake-up",
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
