/* SPDX-License-Identifier: Apache-2.0 */
#include "fiber.h"

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

/* Returns when somebody switches back. Not inlined: all switches are at one place; see context.c.
 */
static __attribute__((noinline)) void switch_to(weft_fibers_ *fibers, weft_fiber_ *to)
{
	weft_fiber_ *from = fibers->running;

	to->state = WEFT_FIBER_RUNNING_;
	fibers->running = to;
	weft_park_running_ = &to->park;
	weft_context_switch_paired_(&from->context, &to->context);
}

/* The whole life of a fiber with a stack of its own. */
static void live(void *argument)
{
	weft_fiber_ *self = argument;
	weft_fibers_ *fibers = &self->worker->fibers;

	weft_worker_loop_(self->worker);
	/* The pool has ended. The thread ends on its own stack. */
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
	fiber->worker = worker;
	fiber->park.ways = worker->fibers.first.park.ways;
	fiber->park.waits = false;
	fiber->task = NULL;
	fiber->fork_level = NULL;
	fiber->timer.link = NULL;
	fiber->stack = stack;
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

/* Sees to it that there is a fiber to go on with. */
static bool prepare(weft_park_task_ *park)
{
	weft_worker_ *self = fiber_of(park)->worker;
	weft_fiber_ *fiber;

	if (WEFT_LIKELY(self->fibers.cached.first != NULL))
		return true;
	fiber = create(self);
	if (fiber == NULL)
		return false;
	put_in_cache(&self->fibers, fiber);
	return true;
}

/* Who goes on when the running task does not: mostly the next that may, without the loop between;
 * now and then the loop, which has more to look at. */
static weft_fiber_ *next_fiber(weft_fibers_ *fibers)
{
	if (fibers->ready.first != NULL && ++fibers->handed_over % HAND_OVERS != 0)
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

static void suspend(weft_park_task_ *park, weft_deadline deadline)
{
	weft_fiber_ *fiber = fiber_of(park);
	weft_fibers_ *fibers = &fiber->worker->fibers;

	/* It may be on the list of those woken by now, but that is taken by this thread. */
	fiber->state = WEFT_FIBER_WAITING_;
	if (deadline != WEFT_FOREVER)
		weft_timer_wheel_add_(&fibers->timers, &fiber->timer, deadline);
	weft_counter_increment(&fiber->worker->pool->suspensions);
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

	if (worker == weft_worker_current_) {
		make_ready(fibers, fiber);
		return;
	}
	/* relaxed: adding to the list publishes it. */
	atomic_fetch_add_explicit(&fibers->wakers, 1, memory_order_relaxed);
	weft_woken_list_add_(&fibers->woken, &fiber->woken);
	weft_worker_wake_(worker);
	/* R1 release, pairs with R2: the worker may be freed. */
	atomic_fetch_sub_explicit(&fibers->wakers, 1, memory_order_release);
}

static const weft_park_ways_ ways = {prepare, suspend, resume};

/* Those woken by others are ready, in the order in which they were woken. */
static void take_woken(weft_fibers_ *fibers)
{
	weft_woken_node_ *node = weft_woken_list_take_(&fibers->woken);

	while (node != NULL) {
		weft_woken_node_ *next = node->next;

		make_ready(fibers,
			   (weft_fiber_ *)(void *)((char *)node - offsetof(weft_fiber_, woken)));
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

static weft_task *choose(weft_fibers_ *fibers, weft_fiber_list_ *list)
{
	if (list->first == NULL)
		return NULL;
	fibers->chosen = take(list, list->first);
	return &fibers->going_on;
}

weft_task *weft_fibers_find_(weft_worker_ *self)
{
	weft_fibers_ *fibers = &self->fibers;

	if (fibers->timers.count != 0)
		take_expired(fibers);
	if (weft_woken_list_has_some_(&fibers->woken))
		take_woken(fibers);
	return choose(fibers, &fibers->ready);
}

weft_task *weft_fibers_find_yielded_(weft_worker_ *self)
{
	return choose(&self->fibers, &self->fibers.yielded);
}

void weft_fibers_go_on_(weft_worker_ *self)
{
	weft_fibers_ *fibers = &self->fibers;

	put_in_cache(fibers, fibers->running);
	switch_to(fibers, fibers->chosen);
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
		weft_fiber_ *coldest = take_from_cache(fibers, fibers->cached.last);

		if (coldest == &fibers->first)
			put_in_cache(fibers, coldest);
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
	fibers->first.worker = worker;
	fibers->first.park.ways = &ways;
	fibers->first.state = WEFT_FIBER_RUNNING_;
	fibers->running = &fibers->first;
	fibers->going_on.kind_ = WEFT_TASK_SUSPENDED_;
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
	while (fibers->cached.first != NULL)
		destroy(fibers, take_from_cache(fibers, fibers->cached.first));
}

void weft_fibers_fini_(weft_worker_ *worker)
{
	weft_fiber_stacks_fini_(&worker->fibers.stacks);
}

void weft_task_yield(void)
{
	weft_park_task_ *park = weft_park_running_;

	if (park == NULL || !prepare(park))
		return;

	weft_fiber_ *fiber = fiber_of(park);
	weft_fibers_ *fibers = &fiber->worker->fibers;

	fiber->state = WEFT_FIBER_READY_;
	append(&fibers->yielded, fiber);
	leave(fibers);
}
