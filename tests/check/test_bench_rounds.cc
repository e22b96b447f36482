/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A round of benchmarks of which one never ends, one is wrong and one throws: the round is ended
 * after its time and says where it was, and what was measured before, after a warm-up, is told. And
 * a run makes the rounds that fit into its time.
 */
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness.h"
#include "registry.h"
#include "rounds.h"

using namespace bench;

namespace
{

int points = 0, failures = 0;

void expect(bool right, const char *what)
{
	failures += !right;
	std::printf("%s %d - %s\n", right ? "ok" : "not ok", ++points, what);
}

result never_ends()
{
	static std::atomic<bool> rung{false};

	run_crew(2, 1, [](unsigned, const stop_flag &) {
		while (!rung.load())
			sched_yield();
	});
	return {.ns = 1};
}

/* Before it is measured, it wants a call with a tenth of the time and of the tasks. */
result is_warm()
{
	static bool warm = false;
	const settings &now = current_settings();
	bool right = warm && now.run_ms == 20 && now.tasks == 1000;

	warm = warm || (now.run_ms == 2 && now.tasks == 100);
	return {.ns = 5, .wrong = right || now.run_ms == 2 ? nullptr : "it is not warmed up"};
}

result throws()
{
	throw std::runtime_error("no memory for it");
}

/* Groups are measured in their order. */
void add_all()
{
	add("first", "alone", unit::time, {"right", role::weft, is_warm});
	add("second", "alone", unit::time,
	    {"wrong", role::weft, [] { return result{.wrong = "it is wrong"}; }});
	add("third", "alone", unit::time, {"throws", role::weft, throws});
	add("fourth", "alone", unit::time, {"never_ends", role::weft, never_ends});
	add("fifth", "alone", unit::time, {"right", role::weft, [] { return result{.ns = 5}; }});
}

void check_round()
{
	std::vector<std::string> measured, wrong;
	std::string begun, end;
	round_events events = {
		.begun = [&](const std::string &name) { begun = name; },
		.measured = [&](const std::string &name,
				const result &) { measured.push_back(name); },
		.wrong = [&](const std::string &name,
			     const std::string &what) { wrong.push_back(name + ": " + what); },
		.loop = [](double) {},
	};

	try {
		call_round(this_program(), {}, events);
	} catch (const std::exception &error) {
		end = error.what();
	}
	expect(measured == std::vector<std::string>{"first/alone/right"},
	       "what was measured before is told, and had a warm-up");
	expect(wrong == std::vector<std::string>{"second/alone/wrong: it is wrong",
						 "third/alone/throws: no memory for it"},
	       "what is wrong, or throws, is no figure");
	expect(begun == "fourth/alone/never_ends" && end.find("Alarm clock") != std::string::npos,
	       "one that never ends is ended, and one knows which");
}

/* How long a run of at most 14 rounds takes, each so many times as long as the one before. */
double run_s(double budget_s, double round_s, double growth, unsigned &made)
{
	double took_s = 0;
	unsigned rounds = 14;

	made = 0;
	while (made < rounds) {
		took_s += round_s;
		round_s *= growth;
		made++;
		rounds = std::min(rounds, rounds_that_fit(budget_s, made, took_s));
	}
	return took_s;
}

void check_budget()
{
	unsigned made = 0;

	expect(run_s(100, 5, 1, made) == 70 && made == 14,
	       "where all rounds fit into the time, all are made");
	expect(run_s(100, 12, 1, made) == 96 && made == 8, "else those that fit");
	expect(run_s(1680, 151, 1, made) == 1661 && made == 11, "so in the long suite");
	expect(run_s(100, 60, 1, made) == 60 && made == 1, "be it one");
	expect(run_s(100, 8, 1.1, made) <= 100 && made >= 7,
	       "when they take longer and longer there are fewer");
	expect(run_s(100, 20, 0.8, made) <= 100 && made >= 4,
	       "what was left out after a slow beginning stays out");
}

} // namespace

int main(int argc, char **argv)
{
	if (argc == 2 && std::strcmp(argv[1], "--round") == 0) {
		current_settings() = {.run_ms = 20, .tasks = 1000, .hang_s = 1};
		add_all();
		run_round();
		return 0;
	}
	check_round();
	check_budget();
	std::printf("1..%d\n", points);
	return failures == 0 ? 0 : 1;
}
