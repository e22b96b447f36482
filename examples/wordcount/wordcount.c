/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the words of files with one thread, with a pool of mutex and condition variables and with
 * a pool of weft; checks that all three agree; compares their times. See usage() below, and
 * three_ways.c for how each of them counts.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "three_ways.h"

/* The build says where weft's sources are. */
#ifndef WEFT_SOURCE_ROOT
#define WEFT_SOURCE_ROOT "."
#endif
#define LICENSES  "/usr/share/common-licenses"
#define TOP_WORDS 10

/* Exit statuses. */
enum {
	ALL_COUNTED = 0,
	SOMETHING_FAILED = 1,
	NOTHING_TO_DO = 2,
};

/* Without --repeat the input is counted so often that it comes to about this many bytes. */
#define COUNTED_BYTES ((size_t)64 << 20)

typedef struct wordcount_options {
	unsigned threads; /* 0: one for each core */
	unsigned rounds;
	unsigned repeat; /* 0: see COUNTED_BYTES */
	char **paths;
	int path_count;
} wordcount_options;

/* What is measured in each round, of each way. */
enum {
	TIME_MS,
	DELAY_P50_US,
	DELAY_P99_US,
	DELAY_P999_US,
	FIGURES
};

/* All figures; those of one kind and way stand together, one for each round. */
typedef struct figures {
	unsigned rounds;
	double *values;
} figures;

static const char *const way_names[COUNTING_WAYS] = {"one thread", "mutex pool", "weft"};

static void usage(FILE *out)
{
	fputs("usage: wordcount [--threads N] [--rounds N] [--repeat N] [FILE...]\n"
	      "\n"
	      "Counts the words of the files (without any: of weft's sources and of " LICENSES ")\n"
	      "with one thread, with a mutex pool and with weft, and compares them.\n"
	      "\n"
	      "  --threads N  workers of each pool (default: one for each core)\n"
	      "  --rounds N   times that each way counts; medians are shown (default: 5)\n"
	      "  --repeat N   times that the input is counted in one round\n"
	      "               (default: until 64 MiB are counted)\n"
	      "  --help       this text\n"
	      "\n"
	      "A word is a run of letters and digits with single apostrophes between them; bytes\n"
	      "from 0x80 on are letters; upper and lower case are one in ASCII.\n"
	      "\n"
	      "Exit status: 0; 1 when a file could not be read (the others are counted), memory "
	      "or\n"
	      "threads ran out, or the counts differ; 2 when there is nothing to count or an "
	      "option\n"
	      "is wrong.\n",
	      out);
}

/* A number from `least` to `most`. Returns false, after a message, for anything else. */
static bool parse_number(const char *name, const char *text, unsigned long least,
			 unsigned long most, unsigned *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != 0 || value < least || value > most) {
		fprintf(stderr, "wordcount: --%s must be a number from %lu to %lu, not '%s'\n",
			name, least, most, text);
		return false;
	}
	*number = (unsigned)value;
	return true;
}

/* Returns 0, or what to exit with: 1 + an exit status. */
static int parse(int argc, char **argv, wordcount_options *parsed)
{
	static const struct option known[] = {
		{"threads", required_argument, NULL, 't'},
		{"rounds", required_argument, NULL, 'r'},
		{"repeat", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return 1 + ALL_COUNTED;
		}
		if (option == 't')
			good = parse_number("threads", optarg, 1, WEFT_PLAN_WORKERS_MAX,
					    &parsed->threads);
		else if (option == 'r')
			good = parse_number("rounds", optarg, 1, 1000, &parsed->rounds);
		else if (option == 'n')
			good = parse_number("repeat", optarg, 1, 1000000, &parsed->repeat);
		else
			good = false;
	}
	if (!good) {
		fputs("wordcount: see --help\n", stderr);
		return 1 + NOTHING_TO_DO;
	}
	parsed->paths = argv + optind;
	parsed->path_count = argc - optind;
	return 0;
}

/* Reads what is to be counted. Returns 0 or -ENOMEM. */
static int read_input(const wordcount_options *options, input_files *input)
{
	int error = 0;

	for (int i = 0; error == 0 && i < options->path_count; i++)
		error = input_files_add(input, options->paths[i]);
	if (options->path_count > 0)
		return error;
	error = input_files_add_folder(input, WEFT_SOURCE_ROOT, false);
	if (error == 0)
		error = input_files_add_folder(input, LICENSES, true);
	return error;
}

static double *figures_of(const figures *all, counting_way way, int figure)
{
	return all->values + ((size_t)way * FIGURES + (size_t)figure) * all->rounds;
}

static void record(const figures *all, counting_way way, unsigned round,
		   const counting_result *result)
{
	figures_of(all, way, TIME_MS)[round] = (double)result->elapsed_ns / 1e6;
	for (int i = 0; i < DELAYS; i++)
		figures_of(all, way, DELAY_P50_US + i)[round] = result->delay_us[i];
}

static int compare_doubles(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return (first > second) - (first < second);
}

static double median(const figures *all, counting_way way, int figure)
{
	double *values = figures_of(all, way, figure);

	qsort(values, all->rounds, sizeof(*values), compare_doubles);
	return (values[(all->rounds - 1) / 2] + values[all->rounds / 2]) / 2;
}

/*
 * Counts in all ways, round after round, each round beginning with another way. *words becomes the
 * table of the first count, *agree whether the others are equal to it. Returns 0 or a negative
 * errno.
 */
static int run_rounds(const counting_plan *counting, const figures *all, word_table *words,
		      bool *agree)
{
	*agree = true;
	for (unsigned i = 0; i < all->rounds * COUNTING_WAYS; i++) {
		unsigned round = i / COUNTING_WAYS;
		counting_way way = (counting_way)((i + round) % COUNTING_WAYS);
		counting_result result;
		int error = counting_run(counting, way, &result);

		if (error == 0) {
			record(all, way, round, &result);
			if (i > 0 && !word_table_equal(words, &result.words)) {
				fprintf(stderr, "wordcount: %s counted otherwise in round %u\n",
					way_names[way], round + 1);
				*agree = false;
			}
		}
		if (i == 0)
			*words = result.words;
		else
			word_table_fini(&result.words);
		if (error != 0)
			return error;
	}
	return 0;
}

static void print_input(const counting_plan *counting, const word_table *words)
{
	const input_files *input = counting->input;
	const word *top[TOP_WORDS];
	size_t found = word_table_top(words, top, TOP_WORDS);

	printf("input: %zu files, %zu bytes, %llu words, %zu distinct; counted %u times\n",
	       input->files, input->bytes, (unsigned long long)words->total / counting->repeat,
	       words->distinct, counting->repeat);
	printf("most frequent:");
	for (size_t i = 0; i < found; i++)
		printf("%s %.*s %llu", i == 0 ? "" : ",", (int)top[i]->bytes, top[i]->text,
		       (unsigned long long)top[i]->count / counting->repeat);
	printf("\n");
}

static void print_figures(const figures *all)
{
	double alone_ms = median(all, ONE_THREAD, TIME_MS);

	printf("\n%-12s %10s %9s   queueing delay us: %8s %10s %10s\n", "", "ms", "speed-up", "p50",
	       "p99", "p99.9");
	for (int i = 0; i < COUNTING_WAYS; i++) {
		counting_way way = (counting_way)i;
		double ms = median(all, way, TIME_MS);

		printf("%-12s %10.1f %9.2f", way_names[way], ms, alone_ms / ms);
		if (way == ONE_THREAD)
			printf("%22s %8s %10s %10s\n", "", "-", "-", "-");
		else
			printf("%22s %8.1f %10.1f %10.1f\n", "", median(all, way, DELAY_P50_US),
			       median(all, way, DELAY_P99_US), median(all, way, DELAY_P999_US));
	}
	printf("(medians; rounds: %u)\n", all->rounds);
}

static void print_statistics(const weft_pool *pool)
{
	weft_pool_statistics statistics = WEFT_POOL_STATISTICS_INIT;

	if (weft_pool_statistics_read(pool, &statistics) != 0)
		return;
	printf("\nweft pool: workers %u, unpinned %u; tasks submitted %llu, run %llu, stolen %llu; "
	       "parked %llu, woken %llu",
	       statistics.workers, statistics.unpinned, (unsigned long long)statistics.submitted,
	       (unsigned long long)statistics.run, (unsigned long long)statistics.stolen,
	       (unsigned long long)statistics.parked, (unsigned long long)statistics.woken);
	if (statistics.bind_error != 0)
		printf(" (%s)", strerror(-statistics.bind_error));
	printf("\n");
}

/* Counts with pools that run, and prints. Returns 0 or a negative errno. */
static int count_and_print(const counting_plan *counting, unsigned rounds, bool *agree)
{
	figures all = {rounds, calloc((size_t)COUNTING_WAYS * FIGURES * rounds, sizeof(double))};
	word_table words = {0};
	int error = all.values == NULL ? -ENOMEM : run_rounds(counting, &all, &words, agree);

	if (error == 0) {
		print_input(counting, &words);
		print_figures(&all);
		print_statistics(counting->weft_pool);
		if (*agree)
			printf("all three counted the same\n");
	}
	word_table_fini(&words);
	free(all.values);
	return error;
}

/* A plan for the workers of both pools: one on each core, or as many as asked. */
static int make_plan(unsigned threads, weft_plan **plan)
{
	weft_topology *topology;
	int error = weft_topology_create(&topology, NULL);

	if (error != 0)
		return error;
	error = weft_plan_create(plan, topology, WEFT_POLICY_ONE_PER_CORE, threads);
	weft_topology_destroy(topology);
	return error;
}

/* Returns 0 or a negative errno. */
static int compare_ways(const wordcount_options *options, const input_files *input, bool *agree)
{
	size_t times = COUNTED_BYTES / (input->bytes == 0 ? 1 : input->bytes) + 1;
	counting_plan counting = {.input = input, .repeat = options->repeat};
	weft_plan *plan;
	int error = make_plan(options->threads, &plan);

	if (error != 0)
		return error;
	if (counting.repeat == 0)
		counting.repeat = times > 1000 ? 1000 : (unsigned)times;
	counting.plan = plan;
	error = counting_start(&counting);
	if (error == 0) {
		error = count_and_print(&counting, options->rounds, agree);
		counting_stop(&counting);
	}
	weft_plan_destroy(plan);
	return error;
}

int main(int argc, char **argv)
{
	wordcount_options options = {.rounds = 5};
	input_files input = {0};
	bool agree = true;
	int status = parse(argc, argv, &options);

	if (status != 0)
		return status - 1;

	int error = read_input(&options, &input);

	if (error == 0 && input.files == 0) {
		fputs("wordcount: nothing to count\n", stderr);
		status = NOTHING_TO_DO;
	} else {
		if (error == 0)
			error = compare_ways(&options, &input, &agree);
		if (error != 0)
			fprintf(stderr, "wordcount: not counted: %s\n", strerror(-error));
		status = error != 0 || !agree || input.unreadable > 0 ? SOMETHING_FAILED
								      : ALL_COUNTED;
	}
	input_files_fini(&input);
	return status;
}
