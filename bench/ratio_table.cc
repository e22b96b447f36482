/* SPDX-License-Identifier: Apache-2.0 */
#include "ratio_table.h"

#include <algorithm>
#include <cstdio>

namespace bench
{

namespace
{

std::string format(const char *format, double value)
{
	char text[32];

	std::snprintf(text, sizeof(text), format, value);
	return text;
}

std::string show(double ns, unit unit)
{
	if (ns == 0)
		return "-";
	if (unit == unit::rate) {
		double millions = 1e3 / ns;

		return format(millions < 10 ? "%.2f M/s" : "%.1f M/s", millions);
	}
	if (unit == unit::bytes)
		return format("%.0f B", ns);
	if (ns >= 1e4)
		return format("%.1f us", ns / 1e3);
	return format(ns < 10 ? "%.2f ns" : "%.0f ns", ns);
}

/* How many times weft is better: figures are times, so that less is better, for rates too. */
std::string show_ratio(double weft_ns, double other_ns)
{
	if (weft_ns == 0 || other_ns == 0)
		return "";

	double ratio = other_ns / weft_ns;

	return format(ratio < 10 ? "%.2fx" : "%.0fx", ratio);
}

/* What sets one of several weft variants apart: " pointer" of "weft_pointer". */
std::string short_name(const std::string &name)
{
	std::string rest = name.substr(std::string("weft").size());

	std::replace(rest.begin(), rest.end(), '_', ' ');
	return rest;
}

const char *name_of(role role)
{
	switch (role) {
	case role::weft:
		return "weft";
	case role::baseline:
		return "baseline";
	case role::floor:
		return "floor";
	default:
		return "peer";
	}
}

const char *name_of(unit unit)
{
	switch (unit) {
	case unit::rate:
		return "rate";
	case unit::bytes:
		return "bytes";
	default:
		return "time";
	}
}

/* What a benchmark is to the comparison, and how its figure is shown: for the report. */
std::string label_of(const std::string &name)
{
	for (const group &group : groups())
		for (const variant &variant : group.variants)
			if (name_of(group, variant) == name)
				return std::string(name_of(variant.role)) + " " +
				       name_of(group.unit);
	return "";
}

} // namespace

bool ratio_table::open_json(const std::string &name)
{
	if (name.empty())
		return true;
	json_file_.open(name);
	json_.SetOutputStream(&json_file_);
	json_.SetErrorStream(&json_file_);
	return json_file_.is_open();
}

bool ratio_table::close_json()
{
	if (!json_file_.is_open())
		return true;
	json_.Finalize();
	json_file_.close();
	return json_file_.good();
}

void ratio_table::begin()
{
	if (json_file_.is_open())
		json_.ReportContext(benchmark::BenchmarkReporter::Context());
}

void ratio_table::write(const std::string &name, const std::string &label, const result &result,
			const std::string &wrong, double against_ns)
{
	benchmark::BenchmarkReporter::Run run;

	if (!json_file_.is_open())
		return;
	run.run_name.function_name = name;
	/* Google Benchmark leaves these as they are. */
	run.family_index = run.per_family_instance_index = 0;
	run.repetitions = run.repetition_index = 0;
	run.report_label = label;
	run.iterations = 1;
	run.time_unit = benchmark::kNanosecond;
	run.real_accumulated_time = run.cpu_accumulated_time = result.ns * 1e-9;
	run.error_occurred = !wrong.empty();
	run.error_message = wrong;
	for (auto [name_of_value, value] : {std::pair("p99_ns", result.p99_ns),
					    {"p999_ns", result.p999_ns},
					    {"p9999_ns", result.p9999_ns},
					    {"arrivals_per_us", result.arrivals_per_us},
					    {"against_ns", against_ns},
					    {"alone", result.alone ? 1.0 : 0.0}})
		if (value != 0)
			run.counters[name_of_value] = value;
	json_.ReportRuns({run});
	json_file_.flush();
}

void ratio_table::add(const std::string &name, const result &result)
{
	figures &kept = measured_[name];

	kept.ns.push_back(result.ns);
	if (result.p99_ns != 0)
		kept.p99_ns.push_back(result.p99_ns);
	if (result.arrivals_per_us != 0)
		kept.arrivals_per_us.push_back(result.arrivals_per_us);
	write(name, label_of(name), result, "");
}

void ratio_table::add_pair(const std::string &name, const result &result, double against_ns)
{
	write(name, label_of(name), result, "", against_ns);
}

void ratio_table::add_failure(const std::string &name, const std::string &what)
{
	failures_.push_back(name + ": " + what);
	write(name, label_of(name), {}, what);
}

void ratio_table::add_noise(double ns)
{
	loops_ns_.push_back(ns);
	write("machine/loop/all_places", "noise", {.ns = ns}, "");
}

double ratio_table::noise() const
{
	if (loops_ns_.empty())
		return 0;

	std::vector<double> ordered = loops_ns_;

	std::sort(ordered.begin(), ordered.end());
	return ordered[(ordered.size() - 1) * 9 / 10] / ordered.front() - 1;
}

double ratio_table::median(const group &group, const variant &variant, figure wanted) const
{
	auto found = measured_.find(name_of(group, variant));

	if (found == measured_.end() || (found->second.*wanted).empty())
		return 0;

	std::vector<double> values = found->second.*wanted;
	size_t half = values.size() / 2;

	std::sort(values.begin(), values.end());
	return values.size() % 2 != 0 ? values[half] : (values[half - 1] + values[half]) / 2;
}

ratio_table::contender ratio_table::best(const group &group, const std::vector<role> &roles,
					 figure wanted) const
{
	contender best;

	for (const variant &variant : group.variants) {
		if (std::find(roles.begin(), roles.end(), variant.role) == roles.end())
			continue;

		double ns = median(group, variant, wanted);

		if (ns != 0 && (best.ns == 0 || ns < best.ns))
			best = {variant.name, ns};
	}
	return best;
}

void ratio_table::print_row(const group &group, const std::string &label, double ns,
			    const contender &baseline, const contender &other)
{
	std::printf("  %-30s%10s", label.c_str(), show(ns, group.unit).c_str());
	if (baseline.ns != 0 || other.ns != 0)
		std::printf("  %-15s%11s%7s", baseline.name.c_str(),
			    show(baseline.ns, group.unit).c_str(),
			    show_ratio(ns, baseline.ns).c_str());
	if (other.ns != 0)
		std::printf("  %-15s%6s", other.name.c_str(), show_ratio(ns, other.ns).c_str());
	std::printf("\n");
}

void ratio_table::print_rows(const group &group, figure shown, const std::string &label) const
{
	contender baseline = best(group, {role::baseline}, shown);
	contender other = best(group, {role::peer, role::floor}, shown);
	bool printed = false;

	for (const variant &variant : group.variants) {
		if (variant.role != role::weft)
			continue;
		print_row(group, label + short_name(variant.name), median(group, variant, shown),
			  baseline, other);
		printed = true;
	}
	/* The filter left none. */
	if (!printed)
		print_row(group, label, 0, baseline, other);
}

/* Each variant has its own rate, of what it can do at most: there is no ratio of the latencies. */
void ratio_table::print_under_load(const group &group) const
{
	for (const variant &variant : group.variants) {
		double arrivals_per_us = median(group, variant, &figures::arrivals_per_us);

		if (variant.role != role::weft || arrivals_per_us == 0)
			continue;
		for (auto [part, shown] :
		     {std::pair(" p50", &figures::ns), std::pair(" p99", &figures::p99_ns)})
			std::printf("  %-30s%10s  at %.3g M/s\n",
				    (group.scenario + part + short_name(variant.name)).c_str(),
				    show(median(group, variant, shown), group.unit).c_str(),
				    arrivals_per_us);
	}
}

void ratio_table::print(const group &group) const
{
	const std::vector<role> all = {role::weft, role::baseline, role::floor, role::peer};

	if (best(group, all, &figures::ns).ns == 0)
		return; /* interrupted before */
	if (best(group, all, &figures::arrivals_per_us).ns != 0) {
		print_under_load(group);
	} else if (best(group, all, &figures::p99_ns).ns == 0) {
		print_rows(group, &figures::ns, group.scenario);
	} else {
		print_rows(group, &figures::ns, group.scenario + " p50");
		print_rows(group, &figures::p99_ns, group.scenario + " p99");
	}
}

void ratio_table::print() const
{
	std::string last_structure;

	std::printf("\n%-32s%10s  %-26s%7s  %-15s%6s\n", "", "weft", "best baseline", "ratio",
		    "peer or floor", "ratio");
	for (const group &group : groups()) {
		if (group.structure != last_structure)
			std::printf("%s\n", group.structure.c_str());
		last_structure = group.structure;
		print(group);
	}
	std::fflush(stdout);
}

} // namespace bench
