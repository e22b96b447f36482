/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_WAKE_H
#define WEFT_POOL_WAKE_H

/*
 * Private: how workers sleep and are woken.
 *
 * `searching` counts the workers that look for work; `idle` has a bit for each that sleeps or is
 * about to. Whoever makes a task visible chooses (weft_wake_choose_): if somebody is idle and
 * nobody searches, it counts one searcher, clears one idle bit and unparks that worker. So a burst
 * of submissions wakes one worker, not all; the woken one, when it finds work and was the last
 * searcher, wakes the next if there is more (weft_wake_end_search_).
 *
 * The idle bits come first: as long as all are awake they are on a line that nobody writes, while
 * the line of the count goes to and fro with each worker that finds something or nothing.
 *
 * No task is forgotten. Let P be the publication of a task (a seq_cst operation), followed by the
 * looks at idle and searching (seq_cst). A worker that gives up sets its idle bit (seq_cst), then
 * stops counting as a searcher (seq_cst), then looks at all queues once more (seq_cst). In the
 * single order of these operations either P comes before that last look, which then finds the task;
 * or the idle bit was set before the choice looks for it. If the choice instead left the matter to
 * a searcher, then that searcher's count ends after P, and each way of ending it is followed by a
 * look at all queues: before sleeping, or when it was the last one, after weft_wake_end_search_.
 * Who counted itself as a searcher for its choice and found no idle bit takes that back and, if it
 * was the last, looks at the bits again.
 *
 * Calls that are forked are not all visible: their owner shares some when it is asked to, and then
 * is to be asked again (fork_stack.h). What it has shared may be gone when those who asked come:
 * taken back, or stolen by another. So nobody sleeps who has asked before it stopped counting as a
 * searcher, for the owner may have left the matter to itself; and the last searcher that finds
 * something, and sees idle ones but no more work, asks in their place. So when a worker sleeps
 * each owner has been asked since it last shared, or somebody is awake, or takes a nap (worker.c),
 * who has yet to ask. Where a worker shows another of its fork stacks, it publishes what is public
 * there (K1 is P), and has asked itself: those who are idle may have asked at the one before.
 */

#include <weft/affinity/plan.h>
#include <weft/lockfree/base.h>

#define WEFT_WAKE_WORDS_ ((WEFT_PLAN_WORKERS_MAX + 63) / 64)

/* Valid when zeroed but for the number of workers. */
typedef struct weft_wake_ {
	/* Bit i: worker i sleeps, or is about to, and nobody has chosen it yet. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) idle[WEFT_WAKE_WORDS_];
	unsigned workers; /* constant */
	/* Workers that look for work, including those just woken for it. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) searching;
} weft_wake_;

/* Whether some worker that is awake looks for work. A guess. */
WEFT_INLINE bool weft_wake_somebody_searches_(const weft_wake_ *wake)
{
	/* relaxed: a guess. */
	return atomic_load_explicit(&wake->searching, memory_order_relaxed) != 0;
}

/* Whether somebody is idle; for who has published a task, in the order of the essay. */
WEFT_INLINE bool weft_wake_somebody_is_idle_(const weft_wake_ *wake)
{
	unsigned words = (wake->workers + 63) / 64;

	for (unsigned word = 0; word < words; word++)
		/* S11 seq_cst, pairs with S3: in the order of the essay. */
		if (atomic_load_explicit(&wake->idle[word], memory_order_seq_cst) != 0)
			return true;
	return false;
}

/* For who has made a task visible that is for this worker alone: whether it must be unparked. If
 * not, it is awake and will look, or whoever has chosen it unparks it. */
bool weft_wake_is_idle_(const weft_wake_ *wake, unsigned worker);

/* Clears the bit of an idle worker, if it is still set. Whoever does it decides what it does. */
bool weft_wake_claim_(weft_wake_ *wake, unsigned worker);

/*
 * For who has made a task visible and has seen that somebody is idle: the worker to be unparked,
 * which counts as a searcher already, or -1. An idle one, unless somebody searches: looked for
 * after `near`, and `near` itself last, as a submitter often waits for its task on the CPU of the
 * worker nearest to it.
 */
int weft_wake_choose_(weft_wake_ *wake, unsigned near);

/* Begins to search. */
void weft_wake_begin_search_(weft_wake_ *wake);

/* Stops searching. Returns true for the last one, who looks at all queues and chooses. */
bool weft_wake_end_search_(weft_wake_ *wake);

/* A searcher is about to sleep: it is idle, and does not count as a searcher. Then it looks at all
 * queues, sleeps if there is nothing, and ends with weft_wake_rise_. */
void weft_wake_lie_down_(weft_wake_ *wake, unsigned worker);
void weft_wake_stop_searching_(weft_wake_ *wake);

/* It is a searcher again. If who chose it is still to unpark it, its next sleep will end early,
 * which does no harm. */
void weft_wake_rise_(weft_wake_ *wake, unsigned worker);

/* As a seq_cst fence, for who has published a task with less and chooses next. */
void weft_wake_fence_(weft_wake_ *wake);

/* How many workers are not idle. A guess. */
unsigned weft_wake_awake_(const weft_wake_ *wake);

#endif
