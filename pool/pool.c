/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/pool.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <weft/affinity/memory.h>
#include <weft/affinity/topology.h>

#include "worker.h"

enum {
	SPIN_NS_DEFAULT = 30000,
	/* How long threads spin that wait for a task of a pool which never sleeps. */
	SPIN_NS_LATENCY = 1000000,
	DEQUE_CAPACITY = 1024,
	/* Of lanes that are seldom used. */
	DEQUE_CAPACITY_LITTLE = 32,
};

/* Checks how many workers there are, and fills it in where there is a plan. */
static int check_workers(weft_pool_options *all)
{
	if (all->max_workers > WEFT_PLAN_WORKERS_MAX || all->spare_workers > WEFT_PLAN_WORKERS_MAX)
		return -EINVAL;
	if (all->plan != NULL) {
		unsigned planned = weft_plan_workers(all->plan);

		if (all->spare_workers >= planned)
			return -EINVAL;
		planned -= all->spare_workers;
		if (all->workers == 0)
			all->workers = planned;
		if (all->max_workers == 0)
			all->max_workers = all->workers;
		if (all->max_workers != planned)
			return -EINVAL;
	}
	return all->max_workers != 0 && all->workers > all->max_workers ? -EINVAL : 0;
}

static int check_options(weft_pool_options *all, const weft_pool_options *options)
{
	const weft_pool_options defaults = WEFT_POOL_OPTIONS_INIT;

	*all = defaults;
	if (options == NULL)
		return 0;
	if (options->size != sizeof(*options))
		return -EINVAL;
	*all = *options;
	if ((all->stack_bytes != 0 && (all->stack_bytes < WEFT_POOL_STACK_BYTES_MIN ||
				       all->stack_bytes > WEFT_POOL_STACK_BYTES_MAX)) ||
	    (unsigned)all->idle > WEFT_IDLE_EFFICIENT ||
	    (all->idle != WEFT_IDLE_BALANCED && all->spin_ns != 0) ||
	    (unsigned)all->full > WEFT_FULL_RUN ||
	    (all->full != WEFT_FULL_BLOCK && all->full_wait_ns != 0))
		return -EINVAL;
	return check_workers(all);
}

/* One worker on each core of this machine, or as many as asked for; and those that are not needed
 * at first. Fills in how many there are. */
static int plan_this_machine(weft_pool *pool, weft_pool_options *options)
{
	weft_topology *topology;
	unsigned most;
	int error = weft_topology_create(&topology, NULL);

	if (error != 0)
		return error;
	error = weft_plan_create(&pool->own_plan, topology, WEFT_POLICY_ONE_PER_CORE,
				 options->workers);
	if (error == 0) {
		pool->shares_cpus = weft_plan_oversubscribed(pool->own_plan);
		options->workers = weft_plan_workers(pool->own_plan);
		if (options->max_workers < options->workers)
			options->max_workers = options->workers;
		most = options->max_workers + options->spare_workers;
		if (most != options->workers) {
			weft_plan_destroy(pool->own_plan);
			pool->own_plan = NULL;
			error = weft_plan_create(&pool->own_plan, topology,
						 WEFT_POLICY_ONE_PER_CORE, most);
		}
	}
	weft_topology_destroy(topology);
	return error;
}

static int init_counters(weft_pool *pool)
{
	weft_counter *counters[] = {&pool->submitted,   &pool->run,    &pool->canceled,
				    &pool->stolen,      &pool->parked, &pool->woken,
				    &pool->suspensions, &pool->moved};

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		int error = weft_counter_init(counters[i]);

		if (error != 0)
			return error;
	}
	return 0;
}

static int create_worker(weft_pool *pool, unsigned index)
{
	weft_worker_ *worker = weft_memory_alloc(sizeof(*worker), WEFT_CACHE_LINE,
						 (int)weft_plan_node(pool->plan, index));
	int error;

	if (worker == NULL)
		return -ENOMEM;
	memset((void *)worker, 0, sizeof(*worker));
	worker->pool = pool;
	worker->index = index;
	worker->bound_place = index;
	/* relaxed: its thread is created after it. */
	atomic_store_explicit(&worker->place, index, memory_order_relaxed);
	atomic_store_explicit(&worker->heels.settled, WEFT_CPU_NO_REST_, memory_order_relaxed);
	pool->worker[index] = worker;
	error = weft_fibers_init_(worker, pool->stack_bytes);
	if (error != 0)
		return error;
	if (pool->local_bytes > 0) {
		worker->local = weft_memory_alloc(pool->local_bytes, WEFT_CACHE_LINE,
						  (int)weft_plan_node(pool->plan, index));
		if (worker->local == NULL)
			return -ENOMEM;
		memset(worker->local, 0, pool->local_bytes);
	}
	for (unsigned lane = 0; lane < WEFT_LANES_ && error == 0; lane++)
		error = weft_deque_init(&worker->lane[lane].deque, lane == WEFT_LANE_NORMAL_
									   ? DEQUE_CAPACITY
									   : DEQUE_CAPACITY_LITTLE);
	return error;
}

static int create_workers(weft_pool *pool)
{
	pool->worker = calloc(pool->workers, sizeof(weft_worker_ *));
	if (pool->worker == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < pool->workers; i++) {
		int error = create_worker(pool, i);

		if (error != 0)
			return error;
	}
	return 0;
}

/* Frees a pool without threads, in whatever state of construction. */
static void free_pool(weft_pool *pool)
{
	for (unsigned i = 0; pool->worker != NULL && i < pool->workers; i++) {
		weft_worker_ *worker = pool->worker[i];

		if (worker != NULL) {
			for (unsigned lane = 0; lane < WEFT_LANES_; lane++)
				weft_deque_fini(&worker->lane[lane].deque);
			weft_memory_free(worker->local, pool->local_bytes, WEFT_CACHE_LINE);
			weft_forkjoin_free_levels_(worker);
			weft_fibers_fini_(worker);
		}
		weft_memory_free(worker, sizeof(*worker), WEFT_CACHE_LINE);
	}
	free(pool->worker);
	weft_counter_fini(&pool->submitted);
	weft_counter_fini(&pool->run);
	weft_counter_fini(&pool->canceled);
	weft_counter_fini(&pool->stolen);
	weft_counter_fini(&pool->parked);
	weft_counter_fini(&pool->woken);
	weft_counter_fini(&pool->suspensions);
	weft_counter_fini(&pool->moved);
	weft_plan_destroy(pool->own_plan);
	weft_memory_free(pool, sizeof(*pool), WEFT_CACHE_LINE);
}

static int prepare_pool(weft_pool *pool, weft_pool_options *options)
{
	int error = 0;

	if (options->plan == NULL)
		error = plan_this_machine(pool, options);
	else
		pool->shares_cpus = weft_plan_oversubscribed(options->plan);
	if (error != 0)
		return error;
	pool->plan = options->plan != NULL ? options->plan : pool->own_plan;
	pool->workers = weft_plan_workers(pool->plan);
	pool->workers_max = options->max_workers;
	/* relaxed: nobody else knows the pool. */
	atomic_store_explicit(&pool->wanted, options->workers, memory_order_relaxed);
	atomic_store_explicit(&pool->on_duty, options->workers, memory_order_relaxed);
	pool->wake.workers = pool->workers;
	pool->unpinned = options->unpinned;
	pool->stack_bytes =
		options->stack_bytes != 0 ? options->stack_bytes : WEFT_FIBER_STACK_BYTES_DEFAULT_;
	pool->idle = options->idle;
	pool->bound.limit = options->max_queued;
	pool->full = options->full;
	pool->full_wait_ns = options->full_wait_ns;
	pool->worker_begins = options->worker_begins;
	pool->worker_ends = options->worker_ends;
	pool->hook_context = options->hook_context;
	pool->local_bytes = options->local_bytes;
	pool->spin_ns = options->spin_ns;
	if (pool->idle == WEFT_IDLE_LATENCY)
		pool->spin_ns = SPIN_NS_LATENCY;
	else if (pool->idle == WEFT_IDLE_EFFICIENT)
		pool->spin_ns = 1;
	else if (pool->spin_ns == 0)
		pool->spin_ns = pool->shares_cpus ? 1 : SPIN_NS_DEFAULT;
	pool->spin_ns_crowded =
		pool->idle == WEFT_IDLE_BALANCED && options->spin_ns == 0 ? 1 : pool->spin_ns;
	error = init_counters(pool);
	return error != 0 ? error : create_workers(pool);
}

static void join_workers(weft_pool *pool, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		pthread_join(pool->worker[i]->thread, NULL);
}

/* Has the threads end that were started, without any task. Returns the error. */
static int stop_workers(weft_pool *pool, unsigned started, int error)
{
	/* F3 release, pairs with worker:F1: there are no tasks, the workers may go. */
	atomic_store_explicit(&pool->phase, WEFT_POOL_ENDED_, memory_order_release);
	weft_worker_wake_all_(pool);
	join_workers(pool, started);
	return error;
}

/* Starts the threads and waits until all have settled. On an error none is left. */
static int start_workers(weft_pool *pool)
{
	sigset_t all, before;
	unsigned started;
	uint32_t starting;
	int error = 0;

	/* relaxed: the threads are created after it. */
	atomic_store_explicit(&pool->starting, pool->workers, memory_order_relaxed);
	atomic_store_explicit(&pool->alive, pool->workers, memory_order_relaxed);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (started = 0; started < pool->workers; started++) {
		weft_worker_ *worker = pool->worker[started];

		error = pthread_create(&worker->thread, NULL, weft_worker_main_, worker);
		if (error != 0)
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		return stop_workers(pool, started, -error);
	/* A2 acquire, pairs with worker:A1: what the workers found when they settled. */
	while ((starting = atomic_load_explicit(&pool->starting, memory_order_acquire)) != 0)
		weft_park_while(&pool->starting, starting, 0, WEFT_FOREVER);
	/* relaxed: A2 has acquired it. */
	error = atomic_load_explicit(&pool->hook_error, memory_order_relaxed);
	return error != 0 ? stop_workers(pool, started, error) : 0;
}

int weft_pool_create(weft_pool **pool, const weft_pool_options *options)
{
	weft_pool_options all;
	weft_pool *made;
	int error;

	if (pool == NULL)
		return -EINVAL;
	error = check_options(&all, options);
	if (error == 0)
		error = weft_task_memory_prepare_();
	if (error != 0)
		return error;
	made = weft_memory_alloc(sizeof(*made), WEFT_CACHE_LINE, WEFT_MEMORY_ANY);
	if (made == NULL)
		return -ENOMEM;
	memset((void *)made, 0, sizeof(*made));
	made->generation = weft_pool_generation_;
	weft_overflow_watch_();
	error = prepare_pool(made, &all);
	if (error == 0)
		error = start_workers(made);
	if (error != 0) {
		weft_overflow_unwatch_();
		free_pool(made);
		return error;
	}
	*pool = made;
	return 0;
}

/* Whether it is the pool of the process that this one was forked from: it has no workers here. */
static bool is_left_behind(const weft_pool *pool)
{
	return pool->generation != weft_pool_generation_;
}

int weft_pool_shutdown(weft_pool *pool, weft_shutdown how, weft_deadline deadline)
{
	uint32_t target = how == WEFT_SHUTDOWN_ABORT ? WEFT_POOL_ABORTING_ : WEFT_POOL_DRAINING_;
	uint32_t phase, alive;

	if (pool == NULL || (how != WEFT_SHUTDOWN_DRAIN && how != WEFT_SHUTDOWN_ABORT))
		return -EINVAL;
	if (weft_pool_worker_index(pool) >= 0)
		return -EDEADLK;
	/* relaxed: the exchange checks it. */
	phase = atomic_load_explicit(&pool->phase, memory_order_relaxed);
	/* F4 seq_cst, pairs with worker:F1, worker:Y3: what was done before closing; and as there.
	 */
	while (phase < target &&
	       !atomic_compare_exchange_weak_explicit(&pool->phase, &phase, target,
						      memory_order_seq_cst, memory_order_relaxed))
		;
	if (is_left_behind(pool))
		return 0;
	weft_worker_wake_all_(pool);
	/* Those who wait for room have waited in vain. */
	weft_eventcount_notify_all(&pool->bound.room);
	/* A4 acquire, pairs with worker:A3: all that the workers did. */
	while ((alive = atomic_load_explicit(&pool->alive, memory_order_acquire)) != 0)
		if (weft_park_while(&pool->alive, alive, 0, deadline) != 0)
			return -ETIMEDOUT;
	return 0;
}

int weft_pool_destroy(weft_pool *pool)
{
	int error;

	if (pool == NULL)
		return 0;
	error = weft_pool_shutdown(pool, WEFT_SHUTDOWN_DRAIN, WEFT_FOREVER);
	if (error != 0)
		return error;
	if (!is_left_behind(pool))
		join_workers(pool, pool->workers);
	weft_overflow_unwatch_();
	free_pool(pool);
	return 0;
}

int weft_pool_statistics_read(const weft_pool *pool, weft_pool_statistics *statistics)
{
	if (pool == NULL || statistics == NULL || statistics->size != sizeof(*statistics))
		return -EINVAL;
	statistics->submitted = (uint64_t)weft_counter_read(&pool->submitted);
	statistics->run = (uint64_t)weft_counter_read(&pool->run);
	statistics->canceled = (uint64_t)weft_counter_read(&pool->canceled);
	statistics->stolen = (uint64_t)weft_counter_read(&pool->stolen);
	statistics->parked = (uint64_t)weft_counter_read(&pool->parked);
	statistics->woken = (uint64_t)weft_counter_read(&pool->woken);
	statistics->suspensions = (uint64_t)weft_counter_read(&pool->suspensions);
	statistics->moved = (uint64_t)weft_counter_read(&pool->moved);
	statistics->suspended = 0;
	for (unsigned i = 0; i < pool->workers; i++) {
		const weft_fibers_ *fibers = &pool->worker[i]->fibers;

		/* relaxed: a report. */
		statistics->suspended +=
			atomic_load_explicit(&fibers->suspended, memory_order_relaxed) +
			atomic_load_explicit(&fibers->away, memory_order_relaxed);
	}
	statistics->workers = weft_pool_workers(pool);
	/* relaxed: a report. */
	statistics->unpinned = atomic_load_explicit(&pool->unbound, memory_order_relaxed);
	statistics->bind_error = atomic_load_explicit(&pool->bind_error, memory_order_relaxed);
	return 0;
}

unsigned weft_pool_workers(const weft_pool *pool)
{
	/* relaxed: a number. */
	return atomic_load_explicit(&pool->wanted, memory_order_relaxed);
}

int weft_pool_worker_index(const weft_pool *pool)
{
	const weft_worker_ *self = weft_worker_current_;

	return self != NULL && self->pool == pool ? (int)self->index : -1;
}

void *weft_pool_local(const weft_pool *pool)
{
	const weft_worker_ *self = weft_worker_current_;

	return self != NULL && self->pool == pool ? self->local : NULL;
}

void *weft_pool_local_of(const weft_pool *pool, unsigned worker)
{
	return worker < pool->workers ? pool->worker[worker]->local : NULL;
}
