/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include <weft/affinity/topology.h>

namespace bench
{

settings &current_settings()
{
	static settings the_settings;

	return the_settings;
}

namespace
{

/* Throws unless the error is 0. */
void must(int error, const char *what)
{
	if (error != 0)
		throw std::runtime_error(std::string(what) + ": " + std::strerror(-error));
}

} // namespace

placement::placement()
{
	must(weft_topology_create(&topology_, nullptr), "cannot find out what this machine is");
	must(weft_plan_create(&plan_, topology_, WEFT_POLICY_ONE_PER_CORE, 0),
	     "cannot plan where threads run");
}

placement &placement::instance()
{
	/* Never destroyed: threads use it to the end of the process. */
	static placement *the_placement = new placement;

	return *the_placement;
}

void placement::bind(unsigned thread)
{
	int error = weft_plan_bind(plan_, thread % places());

	if (error != 0)
		bind_error_.store(error, std::memory_order_relaxed);
}

weft_plan *placement::plan_for(unsigned first, unsigned workers) const
{
	std::vector<unsigned> cpus;
	weft_plan *plan = nullptr;

	for (unsigned worker = 0; worker < workers; worker++)
		cpus.push_back(cpu(first + worker));
	must(weft_plan_create_from_cpus(&plan, topology_, cpus.data(), workers),
	     "cannot plan where workers run");
	return plan;
}

std::string placement::description() const
{
	std::string text;

	for (unsigned worker = 0; worker < places(); worker++)
		text += (worker == 0 ? "worker " : ", worker ") + std::to_string(worker) +
			" on CPU " + std::to_string(cpu(worker));
	return text;
}

std::string placement::trouble() const
{
	int error = bind_error_.load(std::memory_order_relaxed);

	return error == 0 ? "" : std::strerror(-error);
}

namespace
{

/* For how long the calling thread has waited for a CPU in its life. */
double waited_for_cpu_ns()
{
	double ran_ns = 0, waited_ns = 0;
	FILE *file = std::fopen("/proc/thread-self/schedstat", "r");

	if (file != nullptr) {
		if (std::fscanf(file, "%lf %lf", &ran_ns, &waited_ns) != 2)
			waited_ns = 0;
		std::fclose(file);
	}
	return waited_ns;
}

double last_disturbance = 0;
unsigned crews_alone = 0, crews_with_others = 0;

/* What the threads of one measurement share. */
struct crew {
	enum phase {
		gathering,
		running,
		given_up
	};

	WEFT_LINE_ALIGNED std::atomic<unsigned> ready{0};
	WEFT_LINE_ALIGNED std::atomic<int> phase{gathering};
	stop_flag stop;
	std::vector<tally> ends;
	std::vector<tally> waited_ns;
	std::vector<tally> cpu_ns;

	explicit crew(unsigned threads) : ends(threads), waited_ns(threads), cpu_ns(threads) {}

	void work(unsigned thread, const crew_body &body)
	{
		placement::instance().bind(thread);
		ready.fetch_add(1);
		while (phase.load() == gathering)
			sched_yield();
		waited_ns[thread].ns = waited_for_cpu_ns();
		cpu_ns[thread].ns = thread_cpu_ns();
		if (phase.load() == running)
			body(thread, stop);
		ends[thread].ns = now_ns();
		cpu_ns[thread].ns = thread_cpu_ns() - cpu_ns[thread].ns;
		waited_ns[thread].ns = waited_for_cpu_ns() - waited_ns[thread].ns;
	}
};

} // namespace

double run_crew(unsigned threads, unsigned run_ms, const crew_body &body)
{
	crew crew(threads);
	std::vector<std::jthread> hands;

	try {
		for (unsigned thread = 0; thread < threads; thread++)
			hands.emplace_back([&crew, &body, thread] { crew.work(thread, body); });
	} catch (...) {
		crew.phase.store(crew::given_up);
		throw;
	}
	while (crew.ready.load() < threads)
		std::this_thread::sleep_for(std::chrono::microseconds(50));

	double start_ns = now_ns(), start_cpu_ns = process_cpu_ns();

	crew.phase.store(crew::running);
	std::this_thread::sleep_for(std::chrono::milliseconds(run_ms));
	crew.stop.set();
	for (std::jthread &hand : hands)
		hand.join();

	/* What remains is this thread's, which sleeps, and that of ending the other. */
	double others_ns = process_cpu_ns() - start_cpu_ns - crew.cpu_ns[0].ns;
	bool alone = threads == 1 && others_ns < 0.1 * crew.cpu_ns[0].ns + 3e5;
	double end_ns = start_ns, waited_ns = 0;

	for (unsigned thread = 0; thread < threads; thread++) {
		end_ns = std::max(end_ns, crew.ends[thread].ns);
		waited_ns = std::max(waited_ns, crew.waited_ns[thread].ns);
	}
	(alone ? crews_alone : crews_with_others)++;
	last_disturbance = threads > placement::instance().places()
				   ? 0
				   : waited_ns / std::max(end_ns - start_ns, 1.0);
	return end_ns - start_ns;
}

double disturbance()
{
	return last_disturbance;
}

bool worked_alone()
{
	return crews_alone != 0 && crews_with_others == 0;
}

void forget_crews()
{
	crews_alone = crews_with_others = 0;
}

double time_alone(uint64_t operations, const std::function<void()> &work)
{
	uint64_t count = 0;
	double ns = 0;

	run_crew(1, current_settings().run_ms, [&](unsigned, const stop_flag &stop) {
		double start_ns = thread_cpu_ns();

		do {
			work();
			count += operations;
		} while (!stop);
		ns = thread_cpu_ns() - start_ns;
	});
	return ns / static_cast<double>(count);
}

uint64_t resident_bytes()
{
	std::ifstream file("/proc/self/statm");
	uint64_t total = 0, resident = 0;

	file >> total >> resident;
	return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

double part_taken_by_others()
{
	unsigned places = placement::instance().places();
	std::vector<double> taken(places);

	run_crew(places, 30, [&](unsigned thread, const stop_flag &stop) {
		double start_ns = now_ns();
		double start_cpu_ns = thread_cpu_ns();

		while (!stop) {
		}

		double cpu_ns = thread_cpu_ns() - start_cpu_ns;

		taken[thread] = 1 - cpu_ns / std::max(now_ns() - start_ns, 1.0);
	});
	return *std::max_element(taken.begin(), taken.end());
}

namespace
{

/* The same moment on both clocks. */
struct moment {
	double ns;
	double ticks;
};

/* The closest of several looks: the thread may lose its CPU between the one clock and the other. */
moment read_both_clocks()
{
	moment best = {};
	double least_ns = 0;

	for (int look = 0; look < 16; look++) {
		double before_ns = now_ns();
		uint64_t now = ticks();
		double ns = now_ns() - before_ns;

		if (look == 0 || ns < least_ns) {
			best = {before_ns + ns / 2, static_cast<double>(now)};
			least_ns = ns;
		}
	}
	return best;
}

} // namespace

double ns_per_tick()
{
	static const double measured = [] {
		moment start = read_both_clocks();

		while (now_ns() - start.ns < 20e6) {
		}

		moment end = read_both_clocks();

		return (end.ns - start.ns) / (end.ticks - start.ticks);
	}();

	return measured;
}

double samples::quantile_ns(double part)
{
	if (ticks_.empty())
		return 0;

	auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(ticks_.size() - 1));

	std::nth_element(ticks_.begin(), ticks_.begin() + at, ticks_.end());
	return ticks_[static_cast<size_t>(at)] * ns_per_tick();
}

result quantiles(samples &times)
{
	result result = {.ns = times.quantile_ns(0.5), .p99_ns = times.quantile_ns(0.99)};

	if (times.size() >= 1000)
		result.p999_ns = times.quantile_ns(0.999);
	if (times.size() >= 10000)
		result.p9999_ns = times.quantile_ns(0.9999);
	return result;
}

tally total(const std::vector<tally> &tallies, size_t first, size_t last)
{
	tally sum;

	for (size_t i = first; i < last; i++) {
		sum.count += tallies[i].count;
		sum.sum += tallies[i].sum;
		sum.wrong += tallies[i].wrong;
		sum.ns += tallies[i].ns;
	}
	return sum;
}

} // namespace bench
