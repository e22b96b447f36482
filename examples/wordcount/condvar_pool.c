/* SPDX-License-Identifier: Apache-2.0 */
#include "condvar_pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

typedef struct condvar_worker {
	condvar_pool *pool;
	unsigned index;
	pthread_t thread;
} condvar_worker;

struct condvar_pool {
	pthread_mutex_t lock;
	pthread_cond_t work; /* a task was submitted, or the pool closes */
	pthread_cond_t done; /* an awaited task is done */
	condvar_task *first; /* the oldest task */
	condvar_task **last; /* where the next one is linked */
	unsigned sleeping;   /* workers that wait for work and were not signalled yet */
	bool closing;
	const weft_plan *plan;
	unsigned started;
	condvar_worker workers[];
};

/* With the lock held, which is free while the oldest task, which there must be, runs. */
static void run_oldest(condvar_pool *pool, unsigned worker)
{
	condvar_task *task = pool->first;

	pool->first = task->next;
	if (pool->first == NULL)
		pool->last = &pool->first;
	pthread_mutex_unlock(&pool->lock);
	task->function(task, worker);
	pthread_mutex_lock(&pool->lock);
	task->done = true;
	if (task->awaited)
		pthread_cond_broadcast(&pool->done);
}

static void *worker_main(void *argument)
{
	condvar_worker *self = argument;
	condvar_pool *pool = self->pool;

	/* A worker that may not be bound runs wherever it is put. */
	weft_plan_bind(pool->plan, self->index);
	pthread_mutex_lock(&pool->lock);
	while (pool->first != NULL || !pool->closing) {
		if (pool->first != NULL) {
			run_oldest(pool, self->index);
		} else {
			pool->sleeping++;
			pthread_cond_wait(&pool->work, &pool->lock);
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Starts the workers. Returns 0, or a negative errno with `started` of them running. */
static int start_workers(condvar_pool *pool, unsigned workers)
{
	for (; pool->started < workers; pool->started++) {
		condvar_worker *worker = &pool->workers[pool->started];

		worker->pool = pool;
		worker->index = pool->started;

		int error = pthread_create(&worker->thread, NULL, worker_main, worker);

		if (error != 0)
			return -error;
	}
	return 0;
}

int condvar_pool_create(condvar_pool **pool, const weft_plan *plan)
{
	unsigned workers = weft_plan_workers(plan);
	condvar_pool *made = calloc(1, sizeof(*made) + workers * sizeof(made->workers[0]));

	if (made == NULL)
		return -ENOMEM;
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->work, NULL);
	pthread_cond_init(&made->done, NULL);
	made->last = &made->first;
	made->plan = plan;

	int error = start_workers(made, workers);

	if (error != 0) {
		condvar_pool_destroy(made);
		return error;
	}
	*pool = made;
	return 0;
}

void condvar_pool_destroy(condvar_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	pthread_mutex_unlock(&pool->lock);
	pthread_cond_broadcast(&pool->work);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->workers[i].thread, NULL);
	pthread_cond_destroy(&pool->done);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void condvar_pool_submit(condvar_pool *pool, condvar_task *task)
{
	bool wakes;

	task->next = NULL;
	task->done = false;
	task->awaited = false;
	pthread_mutex_lock(&pool->lock);
	*pool->last = task;
	pool->last = &task->next;
	/* Counted down here, by the one who signals: two tasks in a row wake two workers. */
	wakes = pool->sleeping > 0;
	if (wakes)
		pool->sleeping--;
	pthread_mutex_unlock(&pool->lock);
	if (wakes)
		pthread_cond_signal(&pool->work);
}

void condvar_pool_wait(condvar_pool *pool, condvar_task *task)
{
	pthread_mutex_lock(&pool->lock);
	while (!task->done) {
		task->awaited = true;
		pthread_cond_wait(&pool->done, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
}

void condvar_pool_help_until_done(condvar_pool *pool, condvar_task *task, unsigned worker)
{
	pthread_mutex_lock(&pool->lock);
	while (!task->done) {
		if (pool->first != NULL) {
			run_oldest(pool, worker);
		} else {
			/* Other workers run what there is, the task among it. */
			task->awaited = true;
			pthread_cond_wait(&pool->done, &pool->lock);
		}
	}
	pthread_mutex_unlock(&pool->lock);
}
