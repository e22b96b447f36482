/* SPDX-License-Identifier: Apache-2.0 */
#include "rounds.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <benchmark/benchmark.h>

#include "harness.h"
#include "machine.h"
#include "progress.h"
#include "registry.h"

namespace bench
{

namespace
{

void tell(const std::string &what, const std::string &name, const std::string &more = "")
{
	std::printf("%s\t%s\t%s\n", what.c_str(), name.c_str(), more.c_str());
	std::fflush(stdout);
}

/* A tenth of the settings, for as long as it lives. */
class shortened
{
      public:
	shortened()
	{
		current_settings().run_ms = std::max(1U, all_.run_ms / 10);
		current_settings().tasks = std::max(1U, all_.tasks / 10);
	}

	~shortened()
	{
		current_settings() = all_;
	}

	shortened(const shortened &) = delete;
	shortened &operator=(const shortened &) = delete;

      private:
	settings all_ = current_settings();
};

/* The first run of code, by threads that have just begun, on memory that nobody has touched: not
 * what one wants to know. Returns what was wrong, or nullptr. */
const char *warm_up(const variant &variant)
{
	shortened shortened;

	return variant.measure().wrong;
}

/* Measures, again when other programs were in the way; the least disturbed one counts. Where they
 * are all the time that would only take longer: of four measurements one is made again. */
result measure_undisturbed(const variant &variant)
{
	constexpr int tries = 3;
	static unsigned measured = 0, again = 0;
	double least = 1;
	result kept;

	if (const char *wrong = variant.warms_up ? nullptr : warm_up(variant); wrong != nullptr)
		return {.wrong = wrong};
	measured++;
	for (int i = 0; i < tries; i++) {
		if (i > 0 && (!is_disturbed() || again++ >= 8 + measured / 4))
			break;
		forget_crews();
		result result = variant.measure();

		result.alone = worked_alone();
		if (result.wrong != nullptr)
			return result;
		if (i == 0 || disturbance() < least) {
			kept = result;
			least = disturbance();
		}
	}
	return kept;
}

/* One iteration is one measurement; its time is that of an element or operation. */
void measure(benchmark::State &state, const std::string &name, const variant &variant)
{
	tell("begun", name);
	/* Far more than it takes. One that never comes to its end, as something was lost, ends the
	 * round. */
	alarm(current_settings().hang_s + current_settings().run_ms / 100);
	for ([[maybe_unused]] auto iteration : state) {
		result result;
		std::string wrong;

		try {
			result = measure_undisturbed(variant);
			if (result.wrong != nullptr)
				wrong = result.wrong;
		} catch (const std::exception &exception) {
			wrong = exception.what();
		}
		/* Inside the loop: Google Benchmark 1.7 wants as many iterations of a failed one.
		 */
		if (!wrong.empty()) {
			state.SkipWithError(wrong.c_str());
			break;
		}
		state.SetIterationTime(result.ns * 1e-9);
		state.counters["p99"] = result.p99_ns;
		state.counters["p999"] = result.p999_ns;
		state.counters["p9999"] = result.p9999_ns;
		state.counters["arrivals"] = result.arrivals_per_us;
		state.counters["alone"] = result.alone ? 1 : 0;
	}
	alarm(0);
}

class teller : public benchmark::BenchmarkReporter
{
      public:
	bool ReportContext(const Context &) override
	{
		return true;
	}

	void ReportRuns(const std::vector<Run> &runs) override
	{
		for (const Run &run : runs) {
			/* Google Benchmark adds to the name how it was measured. */
			const std::string &name = run.run_name.function_name;

			if (run.error_occurred) {
				tell("wrong", name, run.error_message);
				continue;
			}
			std::printf(
				"measured\t%s\t%.17g %.17g %.17g %.17g %.17g %g\n", name.c_str(),
				run.GetAdjustedRealTime(), run.counters.at("p99").value,
				run.counters.at("p999").value, run.counters.at("p9999").value,
				run.counters.at("arrivals").value, run.counters.at("alone").value);
			std::fflush(stdout);
		}
	}
};

/* Reads one line of what a round tells. */
void pass_on(const std::string &line, const round_events &events)
{
	std::istringstream fields(line);
	std::string what, name, more;
	result result;

	std::getline(fields, what, '\t');
	std::getline(fields, name, '\t');
	std::getline(fields, more);
	std::istringstream(more) >> result.ns >> result.p99_ns >> result.p999_ns >>
		result.p9999_ns >> result.arrivals_per_us >> result.alone;
	if (what == "begun")
		events.begun(name);
	else if (what == "measured")
		events.measured(name, result);
	else if (what == "wrong")
		events.wrong(name, more);
	else if (what == "loop")
		events.loop(result.ns);
}

/* A process whose standard output is read. */
class child
{
      public:
	child(const std::string &program, const std::vector<std::string> &arguments)
	{
		int ends[2];
		posix_spawn_file_actions_t actions;
		std::vector<char *> words = {const_cast<char *>(program.c_str())};

		for (const std::string &argument : arguments)
			words.push_back(const_cast<char *>(argument.c_str()));
		words.push_back(nullptr);
		if (pipe(ends) != 0)
			throw std::runtime_error(std::string("no pipe: ") + std::strerror(errno));
		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		posix_spawn_file_actions_addclose(&actions, ends[0]);
		posix_spawn_file_actions_addclose(&actions, ends[1]);

		int error = posix_spawn(&pid_, program.c_str(), &actions, nullptr, words.data(),
					environ);

		posix_spawn_file_actions_destroy(&actions);
		close(ends[1]);
		if (error != 0) {
			close(ends[0]);
			throw std::runtime_error("cannot start " + program + ": " +
						 std::strerror(error));
		}
		out_ = fdopen(ends[0], "r");
	}

	~child()
	{
		if (out_ != nullptr)
			std::fclose(out_);
	}

	child(const child &) = delete;
	child &operator=(const child &) = delete;

	/* Returns whether there was a line. */
	bool read_line(std::string &line)
	{
		char part[512];

		line.clear();
		while (std::fgets(part, sizeof(part), out_) != nullptr) {
			line += part;
			if (line.ends_with('\n')) {
				line.pop_back();
				return true;
			}
		}
		return !line.empty();
	}

	/* Of waitpid. What it still writes is not read: it ends by that at the latest. */
	int status()
	{
		int status = 0;

		std::fclose(out_);
		out_ = nullptr;
		while (waitpid(pid_, &status, 0) < 0 && errno == EINTR)
			;
		return status;
	}

      private:
	pid_t pid_ = -1;
	FILE *out_ = nullptr;
};

} // namespace

unsigned rounds_that_fit(double budget_s, unsigned made, double took_s)
{
	return std::max(made, static_cast<unsigned>(budget_s / took_s * made));
}

void run_round()
{
	/* Google Benchmark keeps the pointers. Its interleaving is an order by chance. */
	static char program[] = "weft-bench";
	static char interleaving[] = "--benchmark_enable_random_interleaving=true";
	char *words[] = {program, interleaving, nullptr};
	int count = 2;
	teller teller;

	/* Who has called for the round may not read to its end. */
	std::signal(SIGPIPE, SIG_DFL);
	benchmark::Initialize(&count, words);
	for (const group &group : groups())
		for (const variant &variant : group.variants) {
			std::string name = name_of(group, variant);

			benchmark::RegisterBenchmark(name.c_str(),
						     [name, &variant](benchmark::State &state) {
							     measure(state, name, variant);
						     })
				->Iterations(1)
				->UseManualTime();
		}
	tell("loop", "", std::to_string(loop_ns()));
	for (const group &group : groups()) {
		if (progress::interrupted() != 0)
			break;
		std::string filter = "^";

		filter += group.name() + "/";
		benchmark::RunSpecifiedBenchmarks(&teller, nullptr, filter);
		tell("loop", "", std::to_string(loop_ns()));
	}
}

std::string this_program()
{
	return "/proc/self/exe";
}

void call_round(const std::string &program, const std::vector<std::string> &arguments,
		const round_events &events)
{
	std::vector<std::string> words = arguments;
	std::string line;

	words.emplace_back("--round");

	child child(program, words);

	while (progress::interrupted() == 0 && child.read_line(line))
		pass_on(line, events);

	int status = child.status();

	if (WIFSIGNALED(status))
		throw std::runtime_error(std::string("a round was ended by a signal: ") +
					 strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status) != 0)
		throw std::runtime_error("a round ended with status " +
					 std::to_string(WEXITSTATUS(status)));
}

std::vector<std::string> names_of(const std::string &program)
{
	std::vector<std::string> names;
	std::string line;
	child child(program, {"--list"});

	while (child.read_line(line))
		names.push_back(line);
	if (child.status() != 0)
		throw std::runtime_error(program + " is no weft-bench: it does not know --list");
	return names;
}

} // namespace bench
