/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weft-bench: measures the structures of weft against their mutex variants, and peers. It is what
 * `weft bench` runs; the options are the same.
 */

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <regex>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

#include <benchmark/benchmark.h>
#include <weft/lockfree/counter.h>

#include "against.h"
#include "bench_build.h"
#include "harness.h"
#include "machine.h"
#include "peer/peer_list.h"
#include "progress.h"
#include "ratio_table.h"
#include "registry.h"
#include "report_call.h"
#include "rounds.h"

namespace
{

constexpr int failed = 1;
constexpr int misused = 2;
constexpr int slower = 3;
constexpr int by_signal = 128; /* and its number, as a shell says it */

/* A run that is not told how often ends after the rounds that fit into so many seconds: less than 2
 * minutes for the short suite and 30 for the whole, on machines that are slower than ours, too. */
constexpr double short_budget_s = 100;
constexpr double budget_s = 28 * 60;

/* As in the report. */
constexpr double noise_limit = 0.05;

struct arguments {
	std::vector<std::string> filters;
	std::string json;
	std::string html;
	std::string baseline;
	std::string against;
	std::string from;
	std::string history;
	std::string trend;
	unsigned run_ms = 0;      /* 0: not given */
	unsigned repetitions = 0; /* 0: not given */
	bool is_short = false;
	bool peers = false;
	bool markdown = false;
	bool list = false;
	bool help = false;
	bool round = false; /* this is the process of a round */
};

const char usage[] =
	"weft bench [OPTION...] [FILTER...]: measure weft against mutex variants\n"
	"\n"
	"FILTER is an extended regular expression: only benchmarks whose name\n"
	"structure/scenario/variant matches one are run; `weft bench --list` shows the names.\n"
	"\n"
	"  --short            less time for each measurement, and no filter: not all sizes at all "
	"threads\n"
	"  --peers            also the libraries that this program was built to compare with\n"
	"  --json FILE        keep all measurements, as Google Benchmark's JSON\n"
	"  --html FILE        a report with pictures, in one file\n"
	"  --against PROGRAM  what has changed, beyond the noise, since another build, whose "
	"weft-bench\n"
	"                     this is: both measure in turn, until a change of 5 to 10 % would "
	"show\n"
	"  --baseline FILE    the same since this earlier JSON, and names what it cannot see: the "
	"machine\n"
	"                     changes, too. It finds 10 % where one thread works, and nothing "
	"below "
	"5\n"
	"                     times where threads hand over. Tell both runs to make 150 "
	"repetitions "
	"or\n"
	"                     more, and measure the mutex variants with it\n"
	"  --history FILE     add this run to the file, as a line of JSON\n"
	"  --trend FILE       measure nothing: a page (--html) of how the ratios in such a file "
	"went\n"
	"  --from FILE        measure nothing: report on, compare or keep this earlier JSON\n"
	"  --markdown         with --from: its tables, for a document\n"
	"  --run-ms N         length of one measurement in milliseconds\n"
	"  --repetitions N    rounds, each a process that measures every benchmark once; the "
	"medians count.\n"
	"                     Without it: 14, or 8 (--short), or as many as take half an hour or 2 "
	"minutes\n"
	"  --list             print the names of the benchmarks and run none\n"
	"\n"
	"Ctrl-C, or SIGTERM, ends it after the measurement it is in, and keeps what it has; a "
	"second\n"
	"Ctrl-C at once.\n"
	"Exit status: 0; 1 when a benchmark gave a wrong result or a file cannot be read or "
	"written; 2 when\n"
	"the arguments are wrong or the filters match nothing; 3 when something is slower than it "
	"was; 130\n"
	"after Ctrl-C, 143 after SIGTERM.\n";

/* A number from 1 to 100000, or 0. */
unsigned parse_count(const char *text)
{
	char *end = nullptr;
	unsigned long count = std::strtoul(text, &end, 10);

	return *text >= '1' && *text <= '9' && *end == '\0' && count <= 100000
		       ? static_cast<unsigned>(count)
		       : 0;
}

/* An option with a value, of which `next` may be the value. Returns whether it is one and right. */
bool parse_value(const std::string &option, const char *next, arguments &arguments)
{
	if (next == nullptr)
		return false;
	if (option == "--json")
		return !(arguments.json = next).empty();
	if (option == "--html")
		return !(arguments.html = next).empty();
	if (option == "--baseline")
		return !(arguments.baseline = next).empty();
	if (option == "--against")
		return !(arguments.against = next).empty();
	if (option == "--from")
		return !(arguments.from = next).empty();
	if (option == "--history")
		return !(arguments.history = next).empty();
	if (option == "--trend")
		return !(arguments.trend = next).empty();
	if (option == "--run-ms")
		return (arguments.run_ms = parse_count(next)) != 0;
	if (option == "--repetitions")
		return (arguments.repetitions = parse_count(next)) != 0;
	return false;
}

bool parse(int argc, char **argv, arguments &arguments)
{
	for (int i = 1; i < argc; i++) {
		std::string word = argv[i];

		if (word == "--short") {
			arguments.is_short = true;
		} else if (word == "--peers") {
			arguments.peers = true;
		} else if (word == "--markdown") {
			arguments.markdown = true;
		} else if (word == "--list") {
			arguments.list = true;
		} else if (word == "--round") {
			arguments.round = true;
		} else if (word == "--help" || word == "-h") {
			arguments.help = true;
		} else if (word.empty() || word[0] != '-') {
			arguments.filters.push_back(word);
		} else if (parse_value(word, argv[i + 1], arguments)) {
			i++;
		} else {
			std::fprintf(stderr,
				     "weft bench: no option '%s', or not with that value; "
				     "--help tells what there is\n",
				     word.c_str());
			return false;
		}
	}
	return true;
}

bench::settings settings_of(const arguments &arguments)
{
	bench::settings settings;

	if (!arguments.against.empty())
		/* Threads that take turns on a CPU need some of them in each. */
		settings = {.run_ms = 8, .repetitions = 800, .tasks = 80000};
	else if (arguments.is_short)
		/* Of so many benchmarks more rounds that are shorter. */
		settings = {.run_ms = arguments.peers ? 6U : 10U, .repetitions = 8, .tasks = 50000};
	if (arguments.run_ms != 0) {
		settings.run_ms = arguments.run_ms;
		settings.tasks = std::min(settings.tasks, 10000 * arguments.run_ms);
	}
	if (arguments.repetitions != 0)
		settings.repetitions = arguments.repetitions;
	return settings;
}

/*
 * Drops the benchmarks that no filter matches; without filters, of a short run, those that are only
 * for a thorough one. Throws std::regex_error.
 */
void apply_filters(const arguments &arguments)
{
	std::vector<std::regex> patterns;

	for (const std::string &filter : arguments.filters)
		patterns.emplace_back(filter, std::regex::extended | std::regex::nosubs);
	for (bench::group &group : bench::groups())
		std::erase_if(group.variants, [&](const bench::variant &variant) {
			std::string name = bench::name_of(group, variant);

			if (patterns.empty())
				return arguments.is_short && variant.thorough;
			return std::none_of(patterns.begin(), patterns.end(),
					    [&](const std::regex &pattern) {
						    return std::regex_search(name, pattern);
					    });
		});
	std::erase_if(bench::groups(),
		      [](const bench::group &group) { return group.variants.empty(); });
}

/* Prints words that may be many, in lines as wide as the table. */
void print_words(const std::string &text)
{
	std::istringstream words(text);
	std::string word, line;

	while (words >> word) {
		if (line.size() + 1 + word.size() > 100) {
			std::printf("%s\n", line.c_str());
			line = " ";
		}
		line += (line.empty() ? "" : " ") + word;
	}
	std::printf("%s\n", line.c_str());
}

/* Says what makes the figures worth less. */
void warn(int taken_percent)
{
	const bench::placement &placement = bench::placement::instance();

	if (placement.places() == 1)
		std::printf("only one CPU: threads take turns, and nothing is said of several\n");
	if (!placement.trouble().empty())
		std::printf("threads are not pinned (%s): the figures vary more\n",
			    placement.trouble().c_str());
	if (taken_percent > 10)
		std::printf("others take %d %% of the CPUs: the figures are worth little\n",
			    taken_percent);
}

/* Says what is measured, where and how, and puts it into the JSON, too. */
void describe(const arguments &arguments)
{
	const bench::placement &placement = bench::placement::instance();
	const bench::settings &settings = bench::current_settings();
	/* Also finds out whether threads can be bound. */
	int taken_percent = static_cast<int>(100 * bench::part_taken_by_others());
	std::string trouble = placement.trouble();
	const char *additions = weft_counter_is_restartable() ? "restartable" : "atomic";

	/* Google Benchmark keeps the pointer, for the JSON. */
	static char program[] = "weft-bench";
	char *words[] = {program, nullptr};
	int count = 1;

	benchmark::Initialize(&count, words);
	benchmark::AddCustomContext("weft", weft_version());
	benchmark::AddCustomContext("cpu", bench::cpu_model());
	benchmark::AddCustomContext("kernel", bench::kernel());
	benchmark::AddCustomContext("compiler", WEFT_BENCH_COMPILER);
	benchmark::AddCustomContext("flags", WEFT_BENCH_FLAGS);
	benchmark::AddCustomContext("plan", placement.description());
	benchmark::AddCustomContext("pinned", trouble.empty() ? "yes" : "no: " + trouble);
	benchmark::AddCustomContext("percent_taken_by_others", std::to_string(taken_percent));
	benchmark::AddCustomContext("counter_additions", additions);
	benchmark::AddCustomContext("peers", arguments.peers ? bench::peers() : "not asked for");
	benchmark::AddCustomContext("governor", bench::governor());
	benchmark::AddCustomContext("cpus", std::to_string(placement.places()));
	benchmark::AddCustomContext("pus", bench::processing_units());
	benchmark::AddCustomContext("measurement",
				    (arguments.repetitions == 0 ? "up to " : "") +
					    std::to_string(settings.repetitions) + " times, " +
					    std::to_string(settings.run_ms) + " ms each");
	benchmark::AddCustomContext("commit", bench::commit());
	if (!arguments.against.empty())
		benchmark::AddCustomContext("against", arguments.against);
	if (!arguments.html.empty())
		benchmark::AddCustomContext("core_to_core_ns", bench::core_to_core_ns());

	std::printf("weft %s on %s, %s\n%s, %s\n", weft_version(), bench::cpu_model().c_str(),
		    bench::kernel().c_str(), WEFT_BENCH_COMPILER, placement.description().c_str());
	if (arguments.against.empty())
		std::printf("medians of %s%u rounds, each a process, of %u ms; ratio: how many "
			    "times weft is better\n",
			    arguments.repetitions == 0 ? "up to " : "", settings.repetitions,
			    settings.run_ms);
	else
		std::printf("pairs of processes of %u ms, at most %u for each benchmark\n",
			    settings.run_ms, settings.repetitions);
	if (arguments.peers)
		print_words("peers: " + bench::peers());
	warn(taken_percent);
}

/* A file for the results that are wanted for the report only. Throws. */
std::string temporary_file()
{
	const char *folder = std::getenv("TMPDIR");
	std::string name = std::string(folder == nullptr ? "/tmp" : folder) + "/weft-bench-XXXXXX";
	int file = mkstemp(name.data());

	if (file < 0)
		throw std::runtime_error("no temporary file " + name + ": " + std::strerror(errno));
	close(file);
	return name;
}

/* Opens the JSON file and writes what is said of the machine. Returns whether it could. */
bool begin(bench::ratio_table &table, const arguments &arguments, const std::string &json)
{
	if (!table.open_json(json)) {
		std::fprintf(stderr, "weft bench: cannot write %s: %s\n", json.c_str(),
			     std::strerror(errno));
		return false;
	}
	describe(arguments);
	table.begin();
	return true;
}

/* Says what went wrong and writes the end of the JSON file. Returns the exit status. */
int end(bench::ratio_table &table, const std::string &json)
{
	int signal = bench::progress::interrupted();
	int status = signal == 0 ? 0 : by_signal + signal;

	for (const std::string &failure : table.failures()) {
		std::fprintf(stderr, "weft bench: %s\n", failure.c_str());
		status = failed;
	}
	if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
		std::fprintf(stderr, "weft bench: cannot write all of standard output\n");
		status = failed;
	}
	if (!table.close_json()) {
		std::fprintf(stderr, "weft bench: cannot write all of %s\n", json.c_str());
		status = failed;
	}
	return status;
}

/* Says when the figures are worth less, as the machine was not quiet. */
void print_noise(const bench::ratio_table &table)
{
	if (table.noise() > noise_limit)
		std::printf("a noisy machine: the same loop took up to %.0f %% longer at one time "
			    "than at another\n",
			    100 * table.noise());
}

/* Says what so many rounds have come to. */
void print(const bench::ratio_table &table, unsigned rounds)
{
	if (rounds < bench::current_settings().repetitions)
		std::printf("made %u rounds\n", rounds);
	print_noise(table);
	table.print();
}

/* Measures all that is registered, in rounds. Returns the exit status. */
int measure_all(const arguments &arguments, const std::string &json, char **words)
{
	size_t count = 0;
	unsigned rounds = bench::current_settings().repetitions, made = 0;
	std::vector<std::string> options;
	bench::ratio_table table;

	if (!begin(table, arguments, json))
		return failed;
	for (char **word = words + 1; *word != nullptr; word++)
		options.emplace_back(*word);
	for (const bench::group &group : bench::groups())
		count += group.variants.size();

	std::string last;
	bench::progress progress(count * rounds);
	bench::round_events events = {
		.begun =
			[&](const std::string &name) {
				last = name;
				progress.begin(name);
			},
		.measured =
			[&](const std::string &name, const bench::result &result) {
				table.add(name, result);
				progress.step();
			},
		.wrong =
			[&](const std::string &name, const std::string &what) {
				table.add_failure(name, what);
				progress.step();
			},
		.loop = [&](double ns) { table.add_noise(ns); },
	};

	double start_ns = bench::now_ns(), budget = arguments.is_short ? short_budget_s : budget_s;

	while (made < rounds && bench::progress::interrupted() == 0) {
		try {
			bench::call_round(bench::this_program(), options, events);
		} catch (const std::exception &error) {
			if (bench::progress::interrupted() == 0)
				table.add_failure(last, error.what());
		}
		made++;

		/* As many as one asks for are made. */
		if (arguments.repetitions != 0)
			continue;

		double took_s = (bench::now_ns() - start_ns) * 1e-9;
		unsigned fit = std::min(rounds, bench::rounds_that_fit(budget, made, took_s));

		progress.leave_out((rounds - fit) * count);
		rounds = fit;
	}
	progress.hide();
	print(table, made);
	return end(table, json);
}

/* Measures what this program and another one both have, in pairs. Returns the exit status. */
int measure_against(const arguments &arguments, const std::vector<std::string> &names,
		    const std::string &json)
{
	unsigned most = bench::current_settings().repetitions;
	bench::ratio_table table;

	if (!begin(table, arguments, json))
		return failed;

	bench::progress progress(names.size() * most);
	bench::pair_events events = {
		.begun = [&](const std::string &name) { progress.begin(name); },
		.measured =
			[&](const std::string &name, const bench::result &ours,
			    const bench::result &theirs) {
				table.add_pair(name, ours, theirs.ns);
				progress.step();
			},
		.wrong = [&](const std::string &name,
			     const std::string &what) { table.add_failure(name, what); },
		.known = [&](const std::string &,
			     unsigned pairs) { progress.leave_out(most - pairs); },
		.loop = [&](double ns) { table.add_noise(ns); },
	};

	bench::measure_pairs(arguments.against, names, most, events);
	progress.hide();
	print_noise(table);
	return end(table, json);
}

/* Makes the report and the comparison that are asked for. Returns the exit status. */
int report(const arguments &arguments, const std::string &json)
{
	std::vector<std::string> words;

	if (!json.empty())
		words.push_back(json);
	if (!arguments.html.empty())
		words.insert(words.end(), {"--html", arguments.html});
	if (!arguments.baseline.empty())
		words.insert(words.end(), {"--baseline", arguments.baseline});
	if (!arguments.history.empty())
		words.insert(words.end(), {"--history", arguments.history});
	if (!arguments.trend.empty())
		words.insert(words.end(), {"--trend", arguments.trend});
	if (!arguments.against.empty())
		words.emplace_back("--pairs");
	if (arguments.markdown)
		words.emplace_back("--markdown");

	int status = bench::call_report(words);

	return status == 0 || status == slower ? status : failed;
}

/* Whether the results are also given to the report. */
bool is_reported(const arguments &arguments)
{
	return !arguments.html.empty() || !arguments.baseline.empty() ||
	       !arguments.against.empty() || !arguments.history.empty();
}

/* What is wrong with the arguments together, or nullptr. */
const char *contradiction(const arguments &arguments)
{
	bool measures = arguments.from.empty() && arguments.trend.empty();

	if (!arguments.trend.empty() && arguments.html.empty())
		return "--trend wants --html, the page that it writes";
	if (!arguments.from.empty() && !is_reported(arguments) && !arguments.markdown)
		return "--from wants --html, --baseline, --history or --markdown";
	if (arguments.markdown && arguments.from.empty())
		return "--markdown wants --from, an earlier run";
	if (!arguments.against.empty() &&
	    (!measures || !arguments.baseline.empty() || !arguments.history.empty()))
		return "--against goes with --json and --html only";
	if (!arguments.json.empty() && arguments.json == arguments.baseline)
		return "--json would write over the file of --baseline";
	return nullptr;
}

int run(const arguments &arguments, char **words)
{
	if (!is_reported(arguments))
		return measure_all(arguments, arguments.json, words);

	/* Before anything is measured: can it be done? */
	int status = report(arguments, "");
	std::vector<std::string> names;

	if (status != 0)
		return status;
	if (!arguments.against.empty())
		names = bench::names_in_both(arguments.against);

	bool is_kept = !arguments.json.empty();
	std::string json = is_kept ? arguments.json : temporary_file();

	/* Should this program be killed, one knows where to look. */
	if (!is_kept)
		std::printf("measurements are in %s until the report is made\n", json.c_str());
	status = arguments.against.empty() ? measure_all(arguments, json, words)
					   : measure_against(arguments, names, json);

	int reported = report(arguments, json);

	if (!is_kept && reported == failed)
		std::fprintf(stderr, "weft bench: the measurements are in %s, for --from\n",
			     json.c_str());
	else if (!is_kept)
		unlink(json.c_str());
	return status != 0 ? status : reported;
}

int list()
{
	for (const bench::group &group : bench::groups())
		for (const bench::variant &variant : group.variants)
			std::puts(bench::name_of(group, variant).c_str());
	return 0;
}

} // namespace

int main(int argc, char **argv)
try {
	arguments arguments;

	if (!parse(argc, argv, arguments))
		return misused;
	if (arguments.help) {
		std::fputs(usage, stdout);
		return 0;
	}
	if (const char *wrong = contradiction(arguments); wrong != nullptr) {
		std::fprintf(stderr, "weft bench: %s\n", wrong);
		return misused;
	}
	if (!arguments.from.empty() || !arguments.trend.empty())
		return report(arguments, arguments.from);
	bench::current_settings() = settings_of(arguments);
	bench::add_mpmc_queue();
	bench::add_mpmc_lockfree();
	bench::add_mpmc_unbounded();
	bench::add_mpsc_queue();
	bench::add_spsc_queue();
	bench::add_stack();
	bench::add_deque();
	bench::add_priority_queue();
	bench::add_multiqueue();
	bench::add_counter();
	bench::add_gauge();
	bench::add_histogram();
	bench::add_rcu_ptr();
	bench::add_seqlock();
	bench::add_object_pool();
	bench::add_park();
	bench::add_eventcount();
	bench::add_pool();
	bench::add_pool_policies();
	bench::add_future();
	bench::add_strand();
	bench::add_forkjoin();
	bench::add_fiber();
	bench::add_timer();
	if (arguments.peers)
		bench::add_peers();
	apply_filters(arguments);
	if (bench::groups().empty()) {
		std::fprintf(stderr,
			     "weft bench: no benchmark's name matches; --list shows them\n");
		return misused;
	}
	if (arguments.list)
		return list();
	bench::progress::catch_interrupts();
	if (!arguments.round)
		return run(arguments, argv);
	bench::run_round();
	return 0;
} catch (const std::regex_error &error) {
	std::fprintf(stderr, "weft bench: not a regular expression: %s\n", error.what());
	return misused;
} catch (const std::exception &error) {
	std::fprintf(stderr, "weft bench: %s\n", error.what());
	return failed;
}
