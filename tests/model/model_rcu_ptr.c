/* SPDX-License-Identifier: Apache-2.0 */

/* rcu_ptr: a reader finds something complete that stays while it looks; each old one is destroyed
 * once; writers that make the new from the old lose no change. */

#include <stdio.h>
#include <stdlib.h>

#include <weft/lockfree/rcu_ptr.h>

#include "model.h"
#include "reclaim_scenarios.h"

struct table {
	long sum, twice;
};

WEFT_RCU_PTR_DEFINE(table_ptr, struct table);

static table_ptr shared;

static struct table *make(long sum)
{
	struct table *table = malloc(sizeof(*table));

	if (table != NULL)
		*table = (struct table){sum, 2 * sum};
	return table;
}

static void setup(void)
{
	reclaim_scenario_begin(false);
	table_ptr_init(&shared, make(0));
	model_name(&shared, "shared");
}

static void finish(long sum)
{
	struct table *last;

	model_join();
	if (model_frozen() != 0)
		return;
	last = table_ptr_exchange(&shared, NULL);
	if (sum >= 0)
		model_assert(last->sum == sum);
	free(last);
	reclaim_scenario_end();
}

static void read_table(void *unused)
{
	const struct table *table;
	struct table copy;

	(void)unused;
	weft_reclaim_enter();
	table = table_ptr_read(&shared);
	if (table != NULL)
		model_assert(table->twice == 2 * table->sum);
	weft_reclaim_exit();
	if (table_ptr_copy(&shared, &copy))
		model_assert(copy.twice == 2 * copy.sum);
	reclaim_scenario_thread_ends();
}

static void update_table(void *number)
{
	struct table *table = make((long)(intptr_t)number);

	if (table_ptr_update(&shared, table, free) == -ENOMEM)
		free(table);
	weft_reclaim_poll();
	reclaim_scenario_thread_ends();
}

static void updates(const void *unused)
{
	(void)unused;
	setup();
	model_thread(read_table, NULL);
	model_thread(update_table, (void *)1);
	finish(-1);
}

static void two_update(const void *unused)
{
	(void)unused;
	setup();
	model_thread(update_table, (void *)1);
	model_thread(update_table, (void *)2);
	finish(-1);
}

/* Looks at what it gets, which is its own as there are no readers. */
static void take(void *number)
{
	struct table *old = table_ptr_exchange(&shared, make((long)(intptr_t)number));

	model_assert(old->twice == 2 * old->sum);
	free(old);
}

static void two_take(const void *unused)
{
	(void)unused;
	setup();
	model_thread(take, (void *)1);
	model_thread(take, (void *)2);
	finish(-1);
}

/* Adds to what is there, whoever else does so. */
static void add(void *number)
{
	struct table *table = make(0), *old;

	weft_reclaim_enter();
	old = (struct table *)(uintptr_t)table_ptr_read(&shared);
	do {
		table->sum = old->sum + (long)(intptr_t)number;
		table->twice = 2 * table->sum;
	} while (!table_ptr_compare_exchange(&shared, &old, table));
	weft_reclaim_exit();
	model_assert(weft_reclaim_retire_pointer(old, free, sizeof(*old)) == 0);
	weft_reclaim_poll();
	reclaim_scenario_thread_ends();
}

static void two_add(const void *unused)
{
	(void)unused;
	setup();
	model_thread(add, (void *)1);
	model_thread(add, (void *)2);
	finish(3);
}

/* Its history is that of a variable. What it points at is not destroyed here. */

enum {
	READ,
	EXCHANGE,
	REPLACE_0, /* by compare_exchange, if table 0 is there */
	REPLACED = 100
};

static struct table tables[6];

static bool step(void *state, const struct model_operation *operation)
{
	unsigned char *there = state;
	bool is_first = *there == 0;
	long before = *there;

	if (operation->kind == EXCHANGE || (operation->kind == REPLACE_0 && is_first))
		*there = (unsigned char)operation->argument;
	if (operation->kind == REPLACE_0 && is_first)
		before = REPLACED;
	return operation->pending || operation->result == before;
}

static void describe(const struct model_operation *operation, char *text, size_t size)
{
	static const char *const names[] = {"read", "exchange", "replace 0"};

	snprintf(text, size, "%s(%ld): %ld", names[operation->kind], operation->argument,
		 operation->result);
}

static const struct model_specification variable = {
	.state_size = 1,
	.step = step,
	.describe = describe,
};

static void read_number(void)
{
	model_call(READ, 0);
	weft_reclaim_enter();

	const struct table *found = table_ptr_read(&shared);

	weft_reclaim_exit();
	model_return(found - tables);
}

static void exchange_and_read(void *number)
{
	model_call(EXCHANGE, (long)(intptr_t)number);
	model_return(table_ptr_exchange(&shared, &tables[(intptr_t)number]) - tables);
	read_number();
	reclaim_scenario_thread_ends();
}

static void replace_and_read(void *number)
{
	struct table *there = tables;

	model_call(REPLACE_0, (long)(intptr_t)number);
	if (table_ptr_compare_exchange(&shared, &there, &tables[(intptr_t)number]))
		model_return(REPLACED);
	else
		model_return(there - tables);
	read_number();
	reclaim_scenario_thread_ends();
}

static void read_twice(void *unused)
{
	(void)unused;
	read_number();
	read_number();
	reclaim_scenario_thread_ends();
}

static void linearizable(const void *unused)
{
	(void)unused;
	reclaim_scenario_begin(false);
	table_ptr_init(&shared, tables);
	model_name(&shared, "shared");
	model_thread(exchange_and_read, (void *)1);
	model_thread(replace_and_read, (void *)2);
	model_thread(read_twice, NULL);
	model_join();
	model_assert_linearizable(&variable);
	reclaim_scenario_end();
}

static const struct model_scenario scenarios[] = {
	{
		.name = "rcu_ptr: a reader and an update",
		.run = updates,
	},
	{
		.name = "rcu_ptr: two updates",
		.run = two_update,
		.stale = 1,
	},
	{
		.name = "rcu_ptr: what is exchanged is complete",
		.run = two_take,
	},
	{
		.name = "rcu_ptr: two make the new from the old",
		.run = two_add,
		.preemptions = 1,
	},
	{
		.name = "rcu_ptr: a variable",
		.run = linearizable,
		.preemptions = 1,
	},
	{
		.name = "rcu_ptr: nobody waits for who is stopped",
		.run = updates,
		.freeze = true,
		.preemptions = 1,
		.stale = MODEL_NONE,
	},
	{
		.name = "rcu_ptr: out of memory",
		.run = updates,
		.fail_allocations = true,
		.preemptions = 1,
	},
};

int main(int count, char **arguments)
{
	return model_main(count, arguments, scenarios, sizeof(scenarios) / sizeof(scenarios[0]));
}
