/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber.h"

#include <weft/lockfree/reclaim.h>

#include "worker.h"

enum {
	/* Stacks that a worker keeps when it has nothing to do. */
	CACHED_WHEN_IDLE = 16,
	/* Of those too many, so many are given back before it looks for work again. */
	TRIMMED_AT_ONCE = 64,
	/* The fibers' own data stand at different places of a page, and so in different lines of
	 * the first-level cache. */
	COLORS = 8,
	COLOR_BYTES = 128,
	/* Of the processor's counter, between two looks at the clock: some five microseconds. */
#if defined(__x86_64__)
	TICKS_PER_LOOK = 1 << 14,
#else
	TICKS_PER_LOOK = 1 << 7,
#endif
	WAKERS_LEFT_NS = 100000,
	/* One suspended task after the other, until the loop has a look. */
	HAND_OVERS = 16,
};

static weft_fiber_ *fiber_of(weft_park_task_ *park)
{
	return (weft_fiber_ *)(void *)((char *)park - offsetof(weft_fiber_, park));
}

static void append(weft_fiber_list_ *list, weft_fiber_ *fiber)
{
	fiber->next = NULL;
	fiber->previous = list->last;
	*(list->last == NULL ? &list->first : &list->last->next) = fiber;
	list->last = fiber;
}

static void prepend(weft_fiber_list_ *list, weft_fiber_ *fiber)
{
	fiber->previous = NULL;
	fiber->next = list->first;
	*(list->first == NULL ? &list->last : &list->first->previous) = fiber;
	list->first = fiber;
}

static weft_fiber_ *take(weft_fiber_list_ *list, weft_fiber_ *fiber)
{
	*(fiber->previous == NULL ? &list->first : &fiber->previous->next) = fiber->next;
	*(fiber->next == NULL ? &list->last : &fiber->next->previous) = fiber->previous;
	return fiber;
}

/* A suspended task may go on, wherever: this worker offers it to all. */
static void offer(weft_fiber_ *fiber)
{
	fiber->state = WEFT_FIBER_READY_;
	weft_worker_offer_(fiber->worker, &fiber->going_on);
}

/* The fiber has been left, with its loop waiting to be of use. */
static void send_home(weft_fiber_ *fiber)
{
	weft_worker_ *home = fiber->home;

	weft_woken_list_add_(&home->fibers.woken, &fiber->woken);
	weft_worker_wake_(home);
}

/* The worker has left a fiber by a switch, and it is time for others to have it. */
static void let_go(weft_fibers_ *fibers)
{
	weft_fiber_ *left = fibers->left;

	if (WEFT_LIKELY(left == NULL))
		return;
	fibers->left = NULL;
	if (left->state == WEFT_FIBER_CACHED_)
		send_home(left);
	else if (weft_fiber_gate_leave_(&left->gate))
		offer(left);
}

static void put_in_cache(weft_fibers_ *fibers, weft_fiber_ *fiber)
{
	fiber->state = WEFT_FIBER_CACHED_;
	prepend(&fibers->cached, fiber);
	fibers->cached_count++;
}

static weft_fiber_ *take_from_cache(weft_fibers_ *fibers, weft_fiber_ *fiber)
{
	fibers->cached_count--;
	return take(&fibers->cached, fiber);
}

/* Returns when somebody switches back, on that one's worker. Not inlined: all switches are at one
 * place (see context.c), and nobody's address of a thread-local variable is kept across one. */
static __attribute__((noinline)) void switch_to(weft_fibers_ *fibers, weft_fiber_ *to)
{
	weft_fiber_ *from = fibers->running;

	to->state = WEFT_FIBER_RUNNING_;
	fibers->running = to;
	weft_park_running_ = &to->park;
	weft_context_switch_paired_(&from->context, &to->context);
	let_go(&from->worker->fibers);
}

/* The whole life of a fiber with a stack of its own. */
static void live(void *argument)
{
	weft_fiber_ *self = argument;
	weft_fibers_ *fibers;

	let_go(&self->worker->fibers);
	weft_worker_loop_(self);
	/* The pool has ended. The thread ends on its own stack. */
	fibers = &self->worker->fibers;
	take_from_cache(fibers, &fibers->first);
	put_in_cache(fibers, self);
	switch_to(fibers, &fibers->first);
}

static weft_fiber_ *create(weft_worker_ *worker)
{
	weft_fiber_stack_ stack;
	weft_fiber_ *fiber;
	uintptr_t color;

	if (weft_fiber_stacks_take_(&worker->fibers.stacks, &stack) != 0)
		return NULL;
	color = ((uintptr_t)stack.high / worker->fibers.stacks.stride) % COLORS * COLOR_BYTES;
	fiber = (weft_fiber_ *)(void *)(stack.high - color) - 1;
	fiber = (weft_fiber_ *)((uintptr_t)fiber & ~(uintptr_t)63);
	fiber->worker = fiber->home = worker;
	fiber->park.ways = worker->fibers.first.park.ways;
	fiber->park.waits = false;
	fiber->task = NULL;
	fiber->fork_level = NULL;
	fiber->timer.link = NULL;
	fiber->going_on.kind_ = WEFT_TASK_SUSPENDED_;
	fiber->stack = stack;
	fiber->may_move = fiber->moves = false;
	weft_fiber_stacks_own_(&worker->fibers.stacks, &stack, fiber);
	weft_context_init(&fiber->context, stack.low, (size_t)((char *)fiber - stack.low), live,
			  fiber);
	return fiber;
}

static void destroy(weft_fibers_ *fibers, weft_fiber_ *fiber)
{
	weft_fiber_stack_ stack = fiber->stack;

	weft_context_fini(&fiber->context);
	weft_fiber_stacks_give_(&fibers->stacks, &stack);
}

/* Who goes on when the running task does not: mostly the next that may, without the loop between;
 * now and then the loop, which has more to look at. */
static weft_fiber_ *next_fiber(weft_fibers_ *fibers)
{
	if (fibers->ready.first != NULL &&
	    (++fibers->handed_over % HAND_OVERS != 0 || fibers->cached.first == NULL))
		return take(&fibers->ready, fibers->ready.first);
	return take_from_cache(fibers, fibers->cached.first);
}

/* The running task leaves its fiber to itself. Returns when it goes on. */
static void leave(weft_fibers_ *fibers)
{
	/* relaxed: written by the worker only, read for reports. */
	uint32_t suspended = atomic_load_explicit(&fibers->suspended, memory_order_relaxed);
	int error = errno;

	atomic_store_explicit(&fibers->suspended, suspended + 1, memory_order_relaxed);
	switch_to(fibers, next_fiber(fibers));
	/* relaxed: as above. */
	suspended = atomic_load_explicit(&fibers->suspended, memory_order_relaxed);
	atomic_store_explicit(&fibers->suspended, suspended - 1, memory_order_relaxed);
	if (fibers->running->fork_level != NULL)
		weft_forkjoin_show_(fibers->running->worker);
	errno = error;
}

/* Not inlined: a compiler takes errno for one and the same variable throughout a function. */
static __attribute__((noinline)) void set_errno(int error)
{
	errno = error;
}

/* The same for a task that may go on elsewhere. */
static void leave_to_all(weft_fiber_ *fiber)
{
	weft_fibers_ *fibers = &fiber->worker->fibers;
	int error = errno;

	/* relaxed: this worker adds, and knows what it has added. */
	atomic_fetch_add_explicit(&fibers->away, 1, memory_order_relaxed);
	fibers->left = fiber;
	switch_to(fibers, next_fiber(fibers));
	set_errno(error);
}

static void suspend(weft_park_task_ *park, weft_deadline deadline)
{
	weft_fiber_ *fiber = fiber_of(park);
	weft_fibers_ *fibers = &fiber->worker->fibers;

	/* It may be on the list of those woken by now, but that is taken by this thread. */
	fiber->state = WEFT_FIBER_WAITING_;
	weft_counter_increment(&fiber->worker->pool->suspensions);
	if (WEFT_UNLIKELY(fiber->moves)) {
		leave_to_all(fiber);
		return;
	}
	if (deadline != WEFT_FOREVER)
		weft_timer_wheel_add_(&fibers->timers, &fiber->timer, deadline);
	leave(fibers);
	if (deadline != WEFT_FOREVER)
		weft_timer_wheel_remove_(&fibers->timers, &fiber->timer);
}

static void make_ready(weft_fibers_ *fibers, weft_fiber_ *fiber)
{
	fiber->state = WEFT_FIBER_READY_;
	append(&fibers->ready, fiber);
}

static void resume(weft_park_task_ *park)
{
	weft_fiber_ *fiber = fiber_of(park);
	weft_worker_ *worker = fiber->worker;
	weft_fibers_ *fibers = &worker->fibers;

	if (WEFT_UNLIKELY(fiber->moves) && weft_worker_is_inside_(worker->pool)) {
		if (weft_fiber_gate_wake_(&fiber->gate))
			offer(fiber);
		return;
	}
	if (worker == weft_worker_current_) {
		make_ready(fibers, fiber);
		return;
	}
	/* relaxed: adding to the list publishes it. */
	atomic_fetch_add_explicit(&fibers->wakers, 1, memory_order_relaxed);
	if (!fiber->moves) {
		weft_woken_list_add_(&fibers->woken, &fiber->woken);
		weft_worker_wake_(worker);
	} else if (weft_fiber_gate_wake_(&fiber->gate)) {
		offer(fiber);
	}
	/* R1 release, pairs with R2: the worker may be freed. */
	atomic_fetch_sub_explicit(&fibers->wakers, 1, memory_order_release);
}

/* Those woken by others are ready, in the order in which they were woken; others have come home. */
static void take_woken(weft_fibers_ *fibers)
{
	weft_woken_node_ *node = weft_woken_list_take_(&fibers->woken);

	while (node != NULL) {
		weft_woken_node_ *next = node->next;
		weft_fiber_ *fiber =
			(weft_fiber_ *)(void *)((char *)node - offsetof(weft_fiber_, woken));

		if (fiber->state != WEFT_FIBER_CACHED_) {
			make_ready(fibers, fiber);
		} else {
			fiber->worker = fiber->home;
			put_in_cache(fibers, fiber);
		}
		node = next;
	}
}

static uint64_t processor_ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return weft_now();
#endif
}

/* Those whose deadline has come are ready, unless they were woken. The clock is not looked at too
 * often: that takes as long as a small task. */
static void take_expired(weft_fibers_ *fibers)
{
	uint64_t tick = processor_ticks();
	weft_timer_ *timer;

	if (tick - fibers->looked_tick < TICKS_PER_LOOK)
		return;
	fibers->looked_tick = tick;

	weft_deadline now = weft_now();

	while ((timer = weft_timer_wheel_expire_(&fibers->timers, now)) != NULL) {
		weft_fiber_ *fiber =
			(weft_fiber_ *)(void *)((char *)timer - offsetof(weft_fiber_, timer));

		if (weft_park_leave_(&fiber->park))
			make_ready(fibers, fiber);
	}
}

/* Finds those that may go on by now. */
static void find_ready(weft_fibers_ *fibers)
{
	if (fibers->timers.count != 0)
		take_expired(fibers);
	if (weft_woken_list_has_some_(&fibers->woken))
		take_woken(fibers);
}

/* Sees to it that there is a fiber to go on with: one with nothing above its loop; or, without
 * memory for a stack, one whose task may go on. */
static bool has_other(weft_worker_ *self)
{
	weft_fibers_ *fibers = &self->fibers;
	weft_fiber_ *fiber;

	if (WEFT_LIKELY(fibers->cached.first != NULL))
		return true;
	fiber = create(self);
	if (fiber != NULL)
		put_in_cache(fibers, fiber);
	else
		find_ready(fibers);
	return fiber != NULL || fibers->ready.first != NULL;
}

static bool prepare(weft_park_task_ *park, weft_deadline deadline)
{
	weft_fiber_ *fiber = fiber_of(park);

	if (!has_other(fiber->worker))
		return false;
	fiber->moves = fiber->may_move && deadline == WEFT_FOREVER && fiber->fork_level == NULL &&
		       fiber->worker->blocking == 0 && !weft_reclaim_inside();
	if (WEFT_UNLIKELY(fiber->moves))
		weft_fiber_gate_shut_(&fiber->gate);
	return true;
}

static const weft_park_ways_ ways = {prepare, suspend, resume};

static weft_task *choose(weft_fiber_list_ *list)
{
	if (list->first == NULL)
		return NULL;
	return &take(list, list->first)->going_on;
}

weft_task *weft_fibers_find_(weft_worker_ *self)
{
	weft_fibers_ *fibers = &self->fibers;

	find_ready(fibers);
	return choose(&fibers->ready);
}

weft_task *weft_fibers_find_yielded_(weft_worker_ *self)
{
	return choose(&self->fibers.yielded);
}

/* One that was offered is this worker's now. */
static void adopt(weft_worker_ *self, weft_fiber_ *fiber)
{
	weft_worker_ *last = fiber->worker;

	fiber->worker = self;
	fiber->moves = false;
	if (last != self)
		weft_counter_increment(&self->pool->moved);
	weft_worker_taken_(last, self);
}

/* The running fiber's loop, with nothing above it, makes room. */
static void leave_loop(weft_fibers_ *fibers)
{
	weft_fiber_ *fiber = fibers->running;

	if (&fiber->home->fibers == fibers || fibers->cached_count < CACHED_WHEN_IDLE) {
		put_in_cache(fibers, fiber);
	} else {
		fiber->state = WEFT_FIBER_CACHED_;
		fibers->left = fiber;
	}
}

void weft_fibers_go_on_(weft_worker_ *self, weft_task *found)
{
	weft_fiber_ *fiber =
		(weft_fiber_ *)(void *)((char *)found - offsetof(weft_fiber_, going_on));

	if (WEFT_UNLIKELY(fiber->moves))
		adopt(self, fiber);
	leave_loop(&self->fibers);
	switch_to(&self->fibers, fiber);
}

bool weft_fibers_carry_(weft_worker_ *self, weft_task *task)
{
	weft_fibers_ *fibers = &self->fibers;
	weft_fiber_ *other;

	if (fibers->running != &fibers->first || !has_other(self) || fibers->cached.first == NULL)
		return false;
	other = take_from_cache(fibers, fibers->cached.first);
	put_in_cache(fibers, &fibers->first);
	fibers->carried = task;
	switch_to(fibers, other);
	return true;
}

weft_deadline weft_fibers_deadline_(const weft_worker_ *self)
{
	return weft_timer_wheel_next_(&self->fibers.timers);
}

bool weft_fibers_trim_(weft_worker_ *self)
{
	weft_fibers_ *fibers = &self->fibers;
	unsigned trimmed = 0;

	while (fibers->cached_count > CACHED_WHEN_IDLE && trimmed++ < TRIMMED_AT_ONCE) {
		weft_fiber_ *coldest = fibers->cached.last;

		WEFT_CONTRACT(coldest != NULL, "the cached stacks are counted");
		take_from_cache(fibers, coldest);
		if (coldest == &fibers->first)
			put_in_cache(fibers, coldest);
		else if (coldest->home != self)
			send_home(coldest);
		else
			destroy(fibers, coldest);
	}
	return trimmed > 0;
}

static void prepare_forks(void)
{
	pthread_atfork(NULL, NULL, weft_park_forked_);
}

int weft_fibers_init_(weft_worker_ *worker, size_t stack_bytes)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	weft_fibers_ *fibers = &worker->fibers;

	pthread_once(&once, prepare_forks);
	fibers->first.worker = fibers->first.home = worker;
	fibers->first.park.ways = &ways;
	fibers->first.state = WEFT_FIBER_RUNNING_;
	fibers->first.going_on.kind_ = WEFT_TASK_SUSPENDED_;
	fibers->running = &fibers->first;
	return weft_fiber_stacks_init_(&fibers->stacks, stack_bytes);
}

void weft_fibers_begin_(weft_worker_ *self)
{
	weft_park_running_ = &self->fibers.running->park;
}

void weft_fibers_end_(weft_worker_ *self)
{
	weft_fibers_ *fibers = &self->fibers;
	uint32_t wakers;

	weft_park_running_ = NULL;
	/* R2 acquire, pairs with R1: they are done with the worker. */
	while ((wakers = atomic_load_explicit(&fibers->wakers, memory_order_acquire)) != 0)
		weft_park_while(&fibers->wakers, wakers, WAKERS_LEFT_NS,
				weft_after(WAKERS_LEFT_NS));
	take_woken(fibers);
	while (fibers->cached.first != NULL) {
		weft_fiber_ *fiber = take_from_cache(fibers, fibers->cached.first);

		/* Its stack goes with the others of its home. */
		if (fiber->home != self)
			weft_context_fini(&fiber->context);
		else
			destroy(fibers, fiber);
	}
}

void weft_fibers_fini_(weft_worker_ *worker)
{
	weft_fiber_stacks_fini_(&worker->fibers.stacks);
}

void weft_task_yield(void)
{
	weft_park_task_ *park = weft_park_running_;

	if (park == NULL || !has_other(fiber_of(park)->worker))
		return;

	weft_fiber_ *fiber = fiber_of(park);
	weft_fibers_ *fibers = &fiber->worker->fibers;

	fiber->state = WEFT_FIBER_READY_;
	fiber->moves = false;
	append(&fibers->yielded, fiber);
	leave(fibers);
}
