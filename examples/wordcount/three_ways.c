/* SPDX-License-Identifier: Apache-2.0 */
#include "three_ways.h"

#include <stdlib.h>
#include <string.h>

/* Delays are kept up to this, to within one part in 2^5. */
#define LONGEST_NS     (60 * WEFT_SECONDS)
#define PRECISION_BITS 5

/* What one worker has done: lines of its own, so that workers do not disturb each other. */
typedef struct counting_part {
	WEFT_LINE_ALIGNED word_table words;
	int error;
} counting_part;

/* A chunk in flight. It carries the task of either pool, so that submitting allocates nothing. */
typedef struct chunk_task {
	weft_task weft;
	condvar_task condvar;
	struct pool_count *count;
	const text_chunk *chunk;
	uint64_t submitted_ns;
} chunk_task;

/* One count with a pool. */
typedef struct pool_count {
	const counting_plan *counting;
	/* What differs between the pools. */
	int (*submit)(struct pool_count *count, chunk_task *task);
	int (*wait)(struct pool_count *count, chunk_task *task);
	counting_part *parts; /* one for each worker */
	chunk_task *tasks;    /* a ring of as many as may be in flight */
	weft_histogram delays_ns;
	unsigned workers;
	unsigned flying;
	/* condvar_pool: the task that feeds the others, the worker it runs on, and its result. */
	condvar_task feeder;
	unsigned feeding_worker;
	int feeder_error;
} pool_count;

/*
 * On a worker: submits every chunk, each time as the task that has been in flight for longest; as
 * long as that one has not been done it waits, which is to help with the others. Returns 0 or a
 * negative errno.
 */
static int feed(pool_count *count)
{
	const input_files *input = count->counting->input;
	size_t total = input->chunk_count * count->counting->repeat;
	size_t submitted = 0;
	int error = 0;

	while (error == 0 && submitted < total) {
		chunk_task *task = &count->tasks[submitted % count->flying];

		if (submitted >= count->flying)
			error = count->wait(count, task);
		if (error != 0)
			break;
		task->chunk = &input->chunks[submitted % input->chunk_count];
		task->submitted_ns = weft_now();
		error = count->submit(count, task);
		if (error == 0)
			submitted++;
	}
	/* Those still in flight, whatever happened: they use our memory. */
	for (size_t i = submitted < count->flying ? 0 : submitted - count->flying; i < submitted;
	     i++)
		count->wait(count, &count->tasks[i % count->flying]);
	return error;
}

/* On a worker: counts the chunk into the worker's own table. */
static void count_chunk(const chunk_task *task, unsigned worker)
{
	counting_part *part = &task->count->parts[worker];

	weft_histogram_record(&task->count->delays_ns, weft_now() - task->submitted_ns);
	if (part->error == 0)
		part->error = word_table_count(&part->words, task->chunk->text, task->chunk->bytes);
}

static void weft_count_chunk(weft_task *base)
{
	chunk_task *task = (chunk_task *)(void *)((char *)base - offsetof(chunk_task, weft));

	count_chunk(task, (unsigned)weft_pool_worker_index(task->count->counting->weft_pool));
}

static int weft_submit_chunk(pool_count *count, chunk_task *task)
{
	return weft_task_submit(count->counting->weft_pool, &task->weft);
}

static int weft_wait_for_chunk(pool_count *count, chunk_task *task)
{
	(void)count;
	return weft_task_wait(&task->weft, WEFT_FOREVER);
}

static int weft_feed(void *argument, void **value)
{
	(void)value;
	return feed(argument);
}

/* Runs the feeder on a worker. Returns its error. */
static int feed_weft(pool_count *count)
{
	weft_future *future;
	int error = weft_submit(count->counting->weft_pool, weft_feed, count, &future);

	if (error != 0)
		return error;
	error = weft_future_wait(future, WEFT_FOREVER);
	if (error == 0)
		error = weft_future_error(future);
	weft_future_release(future);
	return error;
}

static void condvar_count_chunk(condvar_task *base, unsigned worker)
{
	chunk_task *task = (chunk_task *)(void *)((char *)base - offsetof(chunk_task, condvar));

	count_chunk(task, worker);
}

static int condvar_submit_chunk(pool_count *count, chunk_task *task)
{
	condvar_pool_submit(count->counting->condvar_pool, &task->condvar);
	return 0;
}

static int condvar_wait_for_chunk(pool_count *count, chunk_task *task)
{
	condvar_pool_help_until_done(count->counting->condvar_pool, &task->condvar,
				     count->feeding_worker);
	return 0;
}

static void condvar_feed(condvar_task *base, unsigned worker)
{
	pool_count *count = (pool_count *)(void *)((char *)base - offsetof(pool_count, feeder));

	count->feeding_worker = worker;
	count->feeder_error = feed(count);
}

static int feed_condvar(pool_count *count)
{
	count->feeder.function = condvar_feed;
	condvar_pool_submit(count->counting->condvar_pool, &count->feeder);
	condvar_pool_wait(count->counting->condvar_pool, &count->feeder);
	return count->feeder_error;
}

/* Makes the tasks and the parts. Returns 0 or -ENOMEM; count_fini is due in either case. */
static int count_init(pool_count *count)
{
	count->workers = weft_plan_workers(count->counting->plan);
	count->flying = count->workers * FLYING;
	count->tasks = calloc(count->flying, sizeof(*count->tasks));
	count->parts = aligned_alloc(WEFT_CACHE_LINE, count->workers * sizeof(*count->parts));
	if (count->parts != NULL)
		memset(count->parts, 0, count->workers * sizeof(*count->parts));
	if (count->tasks == NULL || count->parts == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < count->flying; i++) {
		count->tasks[i].count = count;
		count->tasks[i].condvar.function = condvar_count_chunk;
		weft_task_init(&count->tasks[i].weft, weft_count_chunk);
	}
	for (unsigned i = 0; i < count->workers; i++) {
		if (word_table_init(&count->parts[i].words) != 0)
			return -ENOMEM;
	}
	return weft_histogram_init(&count->delays_ns, LONGEST_NS, PRECISION_BITS);
}

static void count_fini(pool_count *count)
{
	for (unsigned i = 0; count->parts != NULL && i < count->workers; i++)
		word_table_fini(&count->parts[i].words);
	weft_histogram_fini(&count->delays_ns);
	free(count->parts);
	free(count->tasks);
}

/* Adds up what the workers have counted. */
static int merge(const pool_count *count, counting_result *result)
{
	int error = 0;

	for (unsigned i = 0; error == 0 && i < count->workers; i++) {
		error = count->parts[i].error;
		if (error == 0)
			error = word_table_merge(&result->words, &count->parts[i].words);
	}
	return error;
}

/* No worker records any more. Returns 0 or -ENOMEM. */
static int read_delays(const pool_count *count, counting_result *result)
{
	static const double percents[DELAYS] = {50, 99, 99.9};
	weft_histogram_snapshot snapshot;
	int error = weft_histogram_snapshot_init(&snapshot, LONGEST_NS, PRECISION_BITS);

	if (error == 0)
		error = weft_histogram_read(&count->delays_ns, &snapshot);
	for (int i = 0; error == 0 && i < DELAYS; i++)
		result->delay_us[i] =
			(double)weft_histogram_snapshot_percentile(&snapshot, percents[i]) / 1e3;
	weft_histogram_snapshot_fini(&snapshot);
	return error;
}

static int count_with_pool(const counting_plan *counting, counting_way way, counting_result *result)
{
	bool weft = way == WEFT_POOL;
	pool_count count = {
		.counting = counting,
		.submit = weft ? weft_submit_chunk : condvar_submit_chunk,
		.wait = weft ? weft_wait_for_chunk : condvar_wait_for_chunk,
	};
	int error = count_init(&count);

	if (error == 0)
		error = weft ? feed_weft(&count) : feed_condvar(&count);
	if (error == 0)
		error = merge(&count, result);
	if (error == 0)
		error = read_delays(&count, result);
	count_fini(&count);
	return error;
}

static int count_with_one_thread(const counting_plan *counting, counting_result *result)
{
	const input_files *input = counting->input;
	int error = 0;

	for (unsigned time = 0; time < counting->repeat; time++) {
		for (size_t i = 0; error == 0 && i < input->chunk_count; i++)
			error = word_table_count(&result->words, input->chunks[i].text,
						 input->chunks[i].bytes);
	}
	return error;
}

int counting_run(const counting_plan *counting, counting_way way, counting_result *result)
{
	uint64_t begin = weft_now();

	memset(result, 0, sizeof(*result));

	int error = word_table_init(&result->words);

	if (error == 0 && way == ONE_THREAD)
		error = count_with_one_thread(counting, result);
	else if (error == 0)
		error = count_with_pool(counting, way, result);
	result->elapsed_ns = weft_now() - begin;
	return error;
}

int counting_start(counting_plan *counting)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	int error = condvar_pool_create(&counting->condvar_pool, counting->plan);

	if (error != 0)
		return error;
	options.plan = counting->plan;
	error = weft_pool_create(&counting->weft_pool, &options);
	if (error != 0)
		condvar_pool_destroy(counting->condvar_pool);
	return error;
}

void counting_stop(counting_plan *counting)
{
	weft_pool_destroy(counting->weft_pool);
	condvar_pool_destroy(counting->condvar_pool);
}
