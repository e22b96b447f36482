/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/forkjoin.h>

#include <string.h>
#include <sys/mman.h>

#include <weft/lockfree/reclaim.h>

#include "worker.h"

/*
 * A level is a fork stack of a worker. One is enough for all calls that are nested through `at`; a
 * run that begins inside another one does not know where that ends, and takes a level of its own;
 * so does one that begins while a task is suspended inside a run. Thieves see one level of a
 * worker, the last to be entered or gone on with. Levels are kept until the pool is destroyed: a
 * thief may look at one at any time.
 *
 * What a join does that waits for a stolen call. On its own stack it makes calls that descend from
 * that call, and no others (leapfrogging; Wagner and Calder, PPoPP 1993): so no stack is deeper
 * than the recursion is on one worker, whoever steals what. For all other work it is suspended, and
 * its worker goes on on another stack, nearest victims first. It begins nothing there while one of
 * its suspended joins may go on, and each of those waits for another call that is being made.
 *
 * How many stacks that takes: a worker with WEFT_FORK_WAITING_MAX_ joins that wait begins no stolen
 * call any more, only what else there is (each such task was submitted by somebody) and joins that
 * may go on; so stolen calls have at most one stack more than that on each worker. Nothing waits
 * for ever for that: a stolen call is being made, and a call that is not stolen is made by its
 * owner, which does not wait in a join: below one that waits all has been stolen. It is a safety
 * net: a run of 16 million unbalanced calls on 16 workers (on two CPUs) has suspended about 40
 * joins in all.
 *
 * How it knows what descends: the stolen slot names the level on which its thief makes the call. At
 * a level there is public nothing but what the call made there has forked, directly or not: when a
 * call begins there, or the join below it waits, all that was forked before has been stolen, for
 * that is older. After the call the thief may begin another at the same level. Who steals one of
 * the other's calls synchronizes with its publication, and so finds the awaited call done: then it
 * gives back what it has stolen.
 */

enum {
	/* Behind the slots that cannot be stolen: where is_beyond would take them for others. */
	GUARD_BYTES = WEFT_FORK_STEALABLE_ * sizeof(weft_fork_slot),
	/* So young a run wakes nobody: most are over before the other has woken. */
	WAKE_NOBODY_NS = 10000,
	/* Calls that a thief takes one after the other before it looks for other tasks. */
	CALLS_AT_ONCE = 64,
	/* A join that waits gives way to other work when it has waited for so long: a multiple of
	 * what it costs to suspend it and to go on (Karlin et al., SODA 1990). */
	GIVE_WAY_NS = 1000,
};

struct weft_fork_level_ {
	weft_fork_stack stack; /* first: where its slots find it */
	weft_worker_ *worker;
	weft_fork_level_ *outer; /* where the task stood before, while this is in use */
	weft_fork_level_ *next;  /* of all that the worker has */
	weft_fork_level_ *next_free;
	weft_parker joined; /* a stolen call that is waited for has been made */
	weft_deadline wakes_from;
};

/* Where the slots find it that cannot be stolen. */
typedef struct beyond {
	weft_fork_stack stack;
	weft_fork_level_ *level;
} beyond;

static const size_t region_size = WEFT_FORK_BELOW_ + 2 * WEFT_FORK_GRANULE_;

static_assert(sizeof(weft_fork_level_) <= 4096 && sizeof(beyond) <= 4096, "each has a page");

/*
 * Memory for a level: itself, nothing, the part beyond, the slots that can be stolen, which end
 * where a granule ends, and the others, which fill the next one but for a guard.
 */
static void *map_region(void)
{
	char *all = mmap(NULL, region_size + WEFT_FORK_GRANULE_, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (all == MAP_FAILED)
		return NULL;

	size_t before = -((uintptr_t)all + WEFT_FORK_BELOW_) & (WEFT_FORK_GRANULE_ - 1);
	char *region = all + before;

	if (before > 0)
		munmap(all, before);
	munmap(region + region_size, WEFT_FORK_GRANULE_ - before);
	if (mprotect(region, WEFT_FORK_BELOW_, PROT_READ | PROT_WRITE) != 0 ||
	    mprotect(region + WEFT_FORK_GRANULE_, region_size - WEFT_FORK_GRANULE_ - GUARD_BYTES,
		     PROT_READ | PROT_WRITE) != 0) {
		munmap(region, region_size);
		return NULL;
	}
	return region;
}

static weft_fork_level_ *level_create(weft_worker_ *worker)
{
	char *region = map_region();
	char *slots = region + WEFT_FORK_GRANULE_ + WEFT_FORK_BELOW_ -
		      WEFT_FORK_STEALABLE_ * sizeof(weft_fork_slot);
	weft_fork_level_ *level = (weft_fork_level_ *)region;
	beyond *end = (beyond *)(region + WEFT_FORK_GRANULE_);

	if (region == NULL)
		return NULL;
	weft_fork_stack_init(&level->stack, (weft_fork_slot *)slots, WEFT_FORK_STEALABLE_);
	weft_fork_stack_init_beyond(&end->stack);
	end->level = level;
	level->worker = worker;
	level->next = worker->fork_levels;
	worker->fork_levels = level;
	return level;
}

void weft_forkjoin_free_levels_(weft_worker_ *worker)
{
	weft_fork_level_ *level = worker->fork_levels;

	while (level != NULL) {
		weft_fork_level_ *next = level->next;

		munmap(level, region_size);
		level = next;
	}
}

bool weft_forkjoin_is_beyond_all_(const weft_worker_ *worker, const void *address)
{
	for (const weft_fork_level_ *level = worker->fork_levels; level != NULL;
	     level = level->next) {
		uintptr_t end = (uintptr_t)level + region_size;

		if ((uintptr_t)address < end && end - (uintptr_t)address <= GUARD_BYTES)
			return true;
	}
	return false;
}

/* The level for a run or a stolen call that this worker begins now, or NULL without memory. */
static weft_fork_level_ *next_level(weft_worker_ *self)
{
	if (self->fork_free == NULL)
		self->fork_free = level_create(self);
	return self->fork_free;
}

static void make_stolen(weft_worker_ *self, weft_fork_slot *slot, weft_worker_ *victim);

/* Makes the call in the slot, on a level that there is, and if it is stolen more of the victim's.
 */
static void enter(weft_worker_ *self, weft_fork_slot *slot, weft_worker_ *victim)
{
	weft_fiber_ *fiber = self->fibers.running;
	weft_fork_level_ *level = next_level(self);

	self->fork_free = level->next_free;
	level->outer = fiber->fork_level;
	/* What is stolen is part of a run that is older. */
	level->wakes_from = victim != NULL ? 0 : weft_after(WAKE_NOBODY_NS);
	fiber->fork_level = level;
	weft_forkjoin_show_(self);
	if (victim != NULL)
		make_stolen(self, slot, victim);
	else
		slot->run(level->stack.base_, slot);
	fiber->fork_level = level->outer;
	if (level->outer != NULL)
		weft_forkjoin_show_(self);
	level->next_free = self->fork_free;
	self->fork_free = level;
}

void weft_forkjoin_show_(weft_worker_ *self)
{
	weft_fork_level_ *level = self->fibers.running->fork_level;

	/* Those who sleep have asked at another level, if at all; those who wait for a stolen call
	 * look for what is public, and do not ask. */
	weft_fork_stack_ask(&level->stack);
	/* K1 seq_cst, pairs with K2: the level is complete; and as in wake.h. */
	atomic_store_explicit(&self->fork_shown, level, memory_order_seq_cst);
	if (weft_fork_stack_has_public(&level->stack))
		weft_worker_notify_(self->pool, self->index);
}

static weft_fork_level_ *shown_level(const weft_worker_ *worker)
{
	/* K2 seq_cst, pairs with K1: as there. */
	return atomic_load_explicit(&worker->fork_shown, memory_order_seq_cst);
}

/* A run that comes to a worker as a task. */
typedef struct fork_root {
	weft_task task;
	weft_fork_slot *slot;
	int error;
} fork_root;

static void run_root(weft_task *task)
{
	fork_root *root = (fork_root *)task;
	weft_worker_ *self = weft_worker_current_;

	if (next_level(self) == NULL)
		root->error = -ENOMEM;
	else
		enter(self, root->slot, NULL);
}

int weft_forkjoin_run_(weft_pool *pool, weft_fork_slot *slot)
{
	fork_root root = {.slot = slot};
	weft_worker_ *self = weft_worker_current_;
	int error;

	if (pool == NULL)
		return -EINVAL;
	if (self != NULL && self->pool == pool) {
		if (next_level(self) == NULL)
			return -ENOMEM;
		enter(self, slot, NULL);
		return 0;
	}
	weft_task_init(&root.task, run_root);
	error = weft_executor_submit_unbounded_(pool, &root.task);
	if (error == 0)
		error = weft_task_wait(&root.task, WEFT_FOREVER);
	return error == 0 ? root.error : error;
}

/* The oldest public call there, to be made at the level `at`; else asks for one. */
static weft_fork_slot *steal_from(weft_fork_level_ *level, weft_fork_level_ *at)
{
	weft_fork_slot *slot = weft_fork_stack_steal(&level->stack, (uintptr_t)at);

	if (slot == NULL)
		weft_fork_stack_ask(&level->stack);
	else
		weft_counter_increment(&at->worker->pool->stolen);
	return slot;
}

weft_task *weft_forkjoin_steal_(weft_worker_ *self, weft_worker_ *victim)
{
	weft_fork_level_ *level = shown_level(victim);

	if (level == NULL)
		return NULL;
	self->fork_declines =
		self->fork_waiting >= WEFT_FORK_WAITING_MAX_ || next_level(self) == NULL;
	if (self->fork_declines)
		return NULL;
	self->fork_stolen = steal_from(level, self->fork_free);
	if (self->fork_stolen == NULL)
		return NULL;
	self->fork_victim = victim;
	self->fork_task.kind_ = WEFT_TASK_STOLEN_CALL_;
	return &self->fork_task;
}

/* The thief is done with it. */
static void finish(weft_fork_slot *slot, bool made)
{
	weft_fork_level_ *level = (weft_fork_level_ *)weft_fork_stack_of_(slot);

	if (made ? weft_fork_slot_finish(slot) : weft_fork_slot_give_back(slot))
		weft_parker_unpark(&level->joined);
}

/* Makes the stolen call, and others that the victim has made public meanwhile: where they are small
 * the way through the worker's loop is longer than they are. */
static void make_stolen(weft_worker_ *self, weft_fork_slot *slot, weft_worker_ *victim)
{
	weft_fork_level_ *level = self->fibers.running->fork_level;

	for (int calls = 0; slot != NULL; calls++) {
		slot->run(level->stack.base_, slot);
		finish(slot, true);
		slot = calls < CALLS_AT_ONCE ? steal_from(shown_level(victim), level) : NULL;
	}
}

void weft_forkjoin_run_stolen_(weft_worker_ *self)
{
	/* Others may be stolen before this one has been made. */
	enter(self, self->fork_stolen, self->fork_victim);
}

bool weft_forkjoin_has_public_(const weft_worker_ *worker)
{
	const weft_fork_level_ *level = shown_level(worker);

	return level != NULL && weft_fork_stack_has_public(&level->stack);
}

bool weft_forkjoin_ask_all_(const weft_worker_ *self)
{
	const weft_pool *pool = self->pool;
	bool asked = false;

	for (unsigned i = 0; i < pool->workers; i++) {
		weft_fork_level_ *level = shown_level(pool->worker[i]);

		if (level != NULL && i != self->index) {
			weft_fork_stack_ask(&level->stack);
			asked = true;
		}
	}
	return asked;
}

/* Somebody is hungry. */
static void share(weft_fork_level_ *level, weft_fork_slot *head)
{
	if (head <= level->stack.split_)
		return;
	/* Those who sleep can wait a little, those who look for work should not. */
	if (!weft_worker_somebody_searches_(level->worker->pool) && weft_now() < level->wakes_from)
		return;
	if (weft_fork_stack_share(&level->stack, head) > 0)
		weft_worker_notify_(level->worker->pool, level->worker->index);
}

/* Whether the slot is one that cannot be stolen. */
static bool is_beyond(const weft_fork_slot *slot)
{
	return ((uintptr_t)slot & (WEFT_FORK_GRANULE_ - 1)) <
	       WEFT_FORK_GRANULE_ - WEFT_FORK_STEALABLE_ * sizeof(*slot);
}

void weft_forkjoin_forked_(weft_fork_slot *slot)
{
	weft_fork_stack *stack = weft_fork_stack_of_(slot);

	if (!is_beyond(slot)) {
		weft_fork_stack_renew(stack, slot);
		if (weft_fork_stack_calls(stack, stack->end_))
			share((weft_fork_level_ *)stack, slot + 1);
		return;
	}
	/* No thief will come so far: the call is made now. But they may come for the others. */
	weft_fork_level_ *level = ((beyond *)stack)->level;

	if (weft_fork_stack_calls(&level->stack, level->stack.end_))
		share(level, level->stack.end_);
	slot->run(slot + 1, slot);
}

/* Makes a call that was forked by the one that is waited for, which is made at the level `other`.
 * The oldest of them, so that it is worth it. */
static bool leapfrog(weft_fork_level_ *level, weft_fork_level_ *other, weft_fork_slot *waited)
{
	weft_fork_slot *slot = steal_from(other, level);

	if (slot == NULL)
		return false;
	if (weft_fork_slot_is_over(waited)) {
		finish(slot, false); /* it may be another's */
		return true;
	}
	/* Above the slot that is waited for. */
	slot->run(waited + 1, slot);
	finish(slot, true);
	return true;
}

/* Waits until the thief is done with the call in the slot. */
static void wait_for_thief(weft_fork_level_ *level, weft_fork_slot *waited)
{
	weft_worker_ *self = level->worker;
	uint64_t spin_ns = weft_worker_look_ns_(self->pool);
	weft_deadline begin = weft_now(), now = begin;
	uintptr_t thief;

	while (((thief = weft_fork_slot_thief(waited)) & WEFT_FORK_DONE_) == 0) {
		if (thief != 0 && leapfrog(level, (weft_fork_level_ *)thief, waited)) {
			begin = now = weft_now();
		} else if (now - begin < GIVE_WAY_NS ||
			   (now - begin < spin_ns && !weft_worker_sees_work_(self))) {
			weft_cpu_relax();
			weft_reclaim_quiescent();
			now = weft_now();
		} else if (weft_fork_slot_await(waited)) {
			self->fork_waiting++;
			while (!weft_fork_slot_is_over(waited))
				weft_parker_park(&level->joined, 0, WEFT_FOREVER);
			self->fork_waiting--;
			return;
		}
	}
}

bool weft_forkjoin_join_(weft_fork_slot *slot)
{
	weft_fork_level_ *level = (weft_fork_level_ *)weft_fork_stack_of_(slot);

	if (is_beyond(slot))
		return false; /* made by its fork */
	if (weft_fork_stack_calls(&level->stack, level->stack.end_))
		share(level, slot);
	if (weft_fork_stack_take_back(&level->stack, slot))
		return true;
	if (!weft_fork_slot_is_over(slot))
		wait_for_thief(level, slot);
	return weft_fork_slot_thief(slot) == WEFT_FORK_GIVEN_BACK_;
}

void weft_forkjoin_not_joined_(weft_fork at, const char *name)
{
	/* The join that finds it does not know who it was, but whose call is left over. */
	if (name == NULL && weft_fork_stack_of_(at)->split_ <= at)
		/* relaxed: written by this thread. */
		name = (const char *)atomic_load_explicit(&at->state_, memory_order_relaxed);
	weft_contract_broken_(name != NULL ? name : "forkjoin",
			      "a function joins all that it has forked before it returns");
}
