/* SPDX-License-Identifier: Apache-2.0 */

/* The command line of a model, and its report. */

#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREEMPTIONS_DEFAULT 2
#define STALE_DEFAULT       2

struct command_line {
	const char *only;
	struct engine_options overrides; /* a bound of 0: as the scenario says */
	bool list, stop;
};

static uint64_t last_executions;

static int bound(int wanted, int standard)
{
	if (wanted == 0)
		return standard;
	return wanted == MODEL_NONE ? 0 : wanted;
}

static struct engine_options options_of(const struct model_scenario *scenario)
{
	return (struct engine_options){
		.mode = ENGINE_DEPTH_FIRST,
		.preemptions = bound(scenario->preemptions, PREEMPTIONS_DEFAULT),
		.stale = bound(scenario->stale, STALE_DEFAULT),
		.freeze = scenario->freeze,
		.fail_allocations = scenario->fail_allocations,
		.spurious_wakes = scenario->spurious_wakes,
		.real_time = scenario->real_time,
		.merge = true,
		.pct_depth = 3,
	};
}

static bool fails(const struct model_scenario *scenario, bool merge, char *message,
		  size_t message_size)
{
	struct engine_options options = options_of(scenario);

	options.merge = merge;

	struct engine_result result = engine_explore(scenario, &options);

	last_executions = result.executions;
	if (message != NULL)
		snprintf(message, message_size, "%s", result.message);
	return result.failed;
}

bool model_fails(const struct model_scenario *scenario, char *message, size_t message_size)
{
	return fails(scenario, true, message, message_size);
}

bool model_fails_unmerged(const struct model_scenario *scenario, char *message, size_t message_size)
{
	return fails(scenario, false, message, message_size);
}

uint64_t model_executions(void)
{
	return last_executions;
}

/* The failure that was found, again with as few preemptions and surprises as it takes. */
static void explain(const struct model_scenario *scenario, const struct engine_options *options)
{
	struct engine_result found = engine.result;

	if (options->mode != ENGINE_DEPTH_FIRST || options->preemptions < 0 || options->stale < 0) {
		engine_trace_print();
		return;
	}
	for (int sum = 0; sum <= options->preemptions + options->stale; sum++) {
		for (int stale = 0; stale <= sum && stale <= options->stale; stale++) {
			struct engine_options smaller = *options;

			smaller.stale = stale;
			smaller.preemptions = sum - stale;
			if (smaller.preemptions > options->preemptions ||
			    !engine_explore(scenario, &smaller).failed)
				continue;
			engine_trace_print();
			engine.result = found;
			return;
		}
	}
}

static void print_counts(const struct engine_options *options, const struct engine_result *result)
{
	static const char *const modes[] = {"depth first", "random", "pct"};

	printf("# %s, preemptions %d, stale %d: %s, %llu executions (%llu merged), longest %llu "
	       "steps, %.2f s\n",
	       modes[options->mode], options->preemptions, options->stale,
	       result->failed     ? "failed"
	       : result->complete ? "complete"
				  : "stopped",
	       (unsigned long long)result->executions, (unsigned long long)result->merged,
	       (unsigned long long)result->longest, result->seconds);
}

/* Returns whether the scenario did what it should. */
static bool check(int number, const struct model_scenario *scenario,
		  const struct command_line *line)
{
	struct engine_options options = options_of(scenario);
	const struct engine_options *overrides = &line->overrides;

	options.mode = overrides->mode;
	options.seed = overrides->seed;
	options.executions_max = overrides->executions_max;
	options.seconds_max = overrides->seconds_max;
	options.merge = overrides->merge;
	options.preemptions = bound(overrides->preemptions, options.preemptions);
	options.stale = bound(overrides->stale, options.stale);

	struct engine_result result = engine_explore(scenario, &options);
	bool good = !result.failed;

	/* Stopped by a limit on time or executions before it failed: that says nothing. */
	bool open = scenario->expect != NULL && !result.failed && !result.complete;

	if (scenario->expect != NULL && !open)
		good = result.failed && strstr(result.message, scenario->expect) != NULL;
	printf("%s %d - %s%s%s%s\n", good ? "ok" : "not ok", number, scenario->name,
	       scenario->expect == NULL ? "" : ", fails as it must: ",
	       scenario->expect == NULL ? "" : scenario->expect, open ? " # SKIP stopped" : "");
	print_counts(&options, &result);
	if (!good && result.failed)
		explain(scenario, &options);
	fflush(stdout);
	return good;
}

static void usage(const char *program)
{
	printf("%s [OPTION...]: explores the executions of a model, prints a TAP report\n\n"
	       "  --scenario TEXT   only those whose name contains TEXT\n"
	       "  --preempt N       bound on preemptions (-1: none, all interleavings)\n"
	       "  --stale N         bound on stale reads and other surprises (-1: none)\n"
	       "  --seconds N       stop each scenario after about N seconds\n"
	       "  --random N        N executions with random choices\n"
	       "  --pct N           N executions by probabilistic concurrency testing\n"
	       "  --seed N          for these two\n"
	       "  --no-merge        do not merge equal states\n"
	       "  --stop            stop at the first scenario that does not do what it should\n"
	       "  --weaken WHERE    one order is weaker; see engine_weaken.c\n"
	       "  --list            print the names of the scenarios\n\n"
	       "A bound that is not given is that of the scenario, most often 2 and 2.\n",
	       program);
}

static int bound_argument(const char *text)
{
	int value = atoi(text);

	return value == 0 ? MODEL_NONE : value;
}

/* Applies "--name value"; false when there is no such option. */
static bool apply(struct command_line *line, const char *name, const char *value)
{
	struct engine_options *options = &line->overrides;

	if (strcmp(name, "--scenario") == 0) {
		line->only = value;
	} else if (strcmp(name, "--preempt") == 0) {
		options->preemptions = bound_argument(value);
	} else if (strcmp(name, "--stale") == 0) {
		options->stale = bound_argument(value);
	} else if (strcmp(name, "--seconds") == 0) {
		options->seconds_max = atof(value);
	} else if (strcmp(name, "--random") == 0) {
		options->mode = ENGINE_RANDOM;
		options->executions_max = strtoull(value, NULL, 10);
	} else if (strcmp(name, "--pct") == 0) {
		options->mode = ENGINE_PCT;
		options->executions_max = strtoull(value, NULL, 10);
	} else if (strcmp(name, "--seed") == 0) {
		options->seed = strtoull(value, NULL, 10);
	} else if (strcmp(name, "--weaken") == 0) {
		return engine_weaken(value);
	} else {
		return false;
	}
	return true;
}

/* Returns -1 to go on, or the exit status. */
static int parse(int count, char **arguments, struct command_line *line)
{
	line->overrides.merge = true;
	for (int i = 1; i < count; i++) {
		if (strcmp(arguments[i], "--no-merge") == 0) {
			line->overrides.merge = false;
		} else if (strcmp(arguments[i], "--list") == 0) {
			line->list = true;
		} else if (strcmp(arguments[i], "--stop") == 0) {
			line->stop = true;
		} else if (i + 1 < count && apply(line, arguments[i], arguments[i + 1])) {
			i++;
		} else {
			usage(arguments[0]);
			return strcmp(arguments[i], "--help") == 0 ? 0 : 2;
		}
	}
	return -1;
}

int model_main(int count, char **arguments, const struct model_scenario *scenarios,
	       size_t scenario_count)
{
	struct command_line line = {0};
	int status = parse(count, arguments, &line);
	int number = 0;
	bool good = true;

	if (status >= 0)
		return status;
	for (size_t i = 0; i < scenario_count && (good || !line.stop); i++) {
		if (line.only != NULL && strstr(scenarios[i].name, line.only) == NULL)
			continue;
		if (line.list)
			puts(scenarios[i].name);
		else
			good &= check(++number, &scenarios[i], &line);
	}
	if (!line.list)
		printf("1..%d\n", number);
	if (number == 0 && !line.list)
		fprintf(stderr, "no scenario is called that\n");
	return good && (number > 0 || line.list) ? 0 : 1;
}
