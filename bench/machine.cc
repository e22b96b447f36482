/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sys/utsname.h>

#include <weft/affinity/topology.h>

#include "build_commit.h"
#include "harness.h"

namespace bench
{

std::string cpu_model()
{
	std::ifstream cpuinfo("/proc/cpuinfo");
	std::string line;

	while (std::getline(cpuinfo, line))
		if (line.starts_with("model name") && line.find(": ") != std::string::npos)
			return line.substr(line.find(": ") + 2);
	return "unknown CPU";
}

std::string kernel()
{
	utsname name;

	return uname(&name) == 0 ? std::string(name.sysname) + " " + name.release : "unknown";
}

std::string governor()
{
	std::ifstream file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
	std::string name;

	std::getline(file, name);
	return name.empty() ? "not told" : name;
}

std::string commit()
{
	return WEFT_BENCH_COMMIT;
}

std::string processing_units()
{
	weft_topology *topology = nullptr;
	std::string text;

	if (weft_topology_create(&topology, nullptr) != 0)
		return text;
	for (unsigned i = 0; i < weft_topology_pu_count(topology); i++) {
		const weft_pu *pu = weft_topology_pu(topology, i);

		text += text.empty() ? "" : " ";
		for (unsigned number : {pu->cpu, pu->core, pu->cache, pu->node})
			text += std::to_string(number) + ",";
		text += std::to_string(pu->package);
	}
	weft_topology_destroy(topology);
	return text;
}

namespace
{

/* The quickest of several runs of round trips between two threads. */
double pair_ns(unsigned first, unsigned second)
{
	constexpr unsigned runs = 7, trips = 200;
	WEFT_LINE_ALIGNED std::atomic<unsigned> ball{0};
	double best_ns = 0;

	run_crew(2, 0, [&](unsigned thread, const stop_flag &) {
		placement::instance().bind(thread == 0 ? first : second);
		for (unsigned run = 0; run < runs; run++) {
			double start_ns = now_ns();

			for (unsigned trip = 0; trip < trips; trip++) {
				unsigned mine = 2 * (run * trips + trip) + thread;

				while (ball.load(std::memory_order_acquire) != mine)
					;
				ball.store(mine + 1, std::memory_order_release);
			}

			double ns = (now_ns() - start_ns) / trips;

			if (thread == 0 && (run == 0 || ns < best_ns))
				best_ns = ns;
		}
	});
	return best_ns;
}

} // namespace

std::string core_to_core_ns()
{
	const placement &placement = placement::instance();
	unsigned size = std::min(placement.places(), 32U);
	std::vector<std::vector<double>> rows(size, std::vector<double>(size));
	std::string text;

	if (size < 2)
		return text;
	for (unsigned y = 0; y < size; y++)
		for (unsigned x = 0; x < y; x++)
			rows[y][x] = rows[x][y] = pair_ns(x, y);
	for (unsigned place = 0; place < size; place++)
		text += std::to_string(placement.cpu(place)) + " ";
	text.pop_back();
	for (const std::vector<double> &row : rows) {
		text += ";";
		for (double ns : row)
			text += std::to_string(std::lround(ns)) + " ";
		text.pop_back();
	}
	return text;
}

double loop_ns()
{
	unsigned places = placement::instance().places();
	std::vector<tally> tallies(places);

	run_crew(places, 0, [&](unsigned thread, const stop_flag &) {
		double start_ns = now_ns();
		uint64_t value = thread;

		for (unsigned i = 0; i < 500000; i++) {
			value = value * 6364136223846793005U + 1;
			__asm__ __volatile__("" : "+r"(value));
		}
		tallies[thread].ns = now_ns() - start_ns;
	});

	double slowest = 0;

	for (const tally &tally : tallies)
		slowest = std::max(slowest, tally.ns);
	return slowest;
}

} // namespace bench
