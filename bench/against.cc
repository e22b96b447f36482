/* SPDX-License-Identifier: Apache-2.0 */
#include "against.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>

#include "harness.h"
#include "progress.h"
#include "rounds.h"

namespace bench
{

namespace
{

/* Of fewer, the noise may seem small enough by chance. */
constexpr size_t pairs_least = 40;
/* Of a logarithm. A difference counts from 2.5 to 4 times this on. */
constexpr double error_enough = 0.015;

/* One benchmark, and how many times longer this program took, as logarithms. */
struct contest {
	std::string name;
	std::vector<double> differences;
	bool ended = false;
};

/* Whether the standard error of the mean without two fifths at either end, which is what will be
 * compared (trimmed() in bench_compare.py), is small enough. */
bool is_known_well(std::vector<double> values)
{
	if (values.size() < pairs_least)
		return false;
	std::sort(values.begin(), values.end());

	size_t off = values.size() * 2 / 5;
	auto count = static_cast<double>(values.size());
	double mean = 0, square = 0;

	for (double &value : values) {
		value = std::clamp(value, values[off], values[values.size() - 1 - off]);
		mean += value / count;
	}
	for (double value : values)
		square += (value - mean) * (value - mean) / (count - 1);
	return std::sqrt(square * count) / (count - 2 * static_cast<double>(off)) <= error_enough;
}

/* Measures one benchmark by one program. Returns what it told; `wrong` is set when it failed. */
result measure_once(const std::string &program, const std::string &name, std::string &wrong,
		    const pair_events &events)
{
	result measured;
	round_events told = {
		.begun = [](const std::string &) {},
		.measured = [&](const std::string &, const result &result) { measured = result; },
		.wrong = [&](const std::string &, const std::string &what) { wrong = what; },
		.loop = events.loop,
	};

	try {
		call_round(
			program,
			{"--run-ms", std::to_string(current_settings().run_ms), "^" + name + "$"},
			told);
	} catch (const std::exception &error) {
		wrong = error.what();
	}
	if (wrong.empty() && measured.ns <= 0)
		wrong = "there is no figure";
	return measured;
}

void measure_pair(const std::string &program, contest &contest, bool ours_first,
		  const pair_events &events)
{
	const std::string programs[] = {this_program(), program};
	result results[2];

	for (unsigned i = 0; i < 2; i++) {
		unsigned which = ours_first ? i : 1 - i;
		std::string wrong;

		results[which] = measure_once(programs[which], contest.name, wrong, events);
		if (progress::interrupted() != 0)
			return;
		if (!wrong.empty()) {
			contest.ended = true;
			events.wrong(contest.name, which == 0 ? wrong : program + ": " + wrong);
			return;
		}
	}
	contest.differences.push_back(std::log(results[0].ns / results[1].ns));
	events.measured(contest.name, results[0], results[1]);
}

} // namespace

std::vector<std::string> names_in_both(const std::string &program)
{
	std::vector<std::string> theirs = names_of(program), names;

	for (const group &group : groups())
		for (const variant &variant : group.variants) {
			std::string name = name_of(group, variant);

			/* Under load each build has a rate of its own. */
			if (variant.role == role::weft && !group.scenario.starts_with("load_") &&
			    std::find(theirs.begin(), theirs.end(), name) != theirs.end())
				names.push_back(name);
		}
	if (names.empty())
		throw std::runtime_error(program + " has no benchmark of weft that this has, too");
	return names;
}

void measure_pairs(const std::string &program, const std::vector<std::string> &names, unsigned most,
		   const pair_events &events)
{
	std::vector<contest> contests;
	std::mt19937 chance(std::random_device{}());

	for (const std::string &name : names)
		contests.push_back({.name = name, .differences = {}});
	for (unsigned round = 0; round < most; round++)
		for (contest &contest : contests) {
			if (contest.ended)
				continue;
			events.begun(contest.name);
			measure_pair(program, contest, chance() % 2 == 0, events);
			if (progress::interrupted() != 0)
				return;
			if (!contest.ended && is_known_well(contest.differences)) {
				contest.ended = true;
				events.known(contest.name, round + 1);
			}
		}
}

} // namespace bench
