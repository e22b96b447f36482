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
	if (json_begun_)
		json_.Finalize();
	json_file_.close();
	return json_file_.good();
}

bool ratio_table::ReportContext(const Context &context)
{
	/* There is one call for each group, but one context. */
	if (json_file_.is_open() && !json_begun_)
		json_.ReportContext(context);
	json_begun_ = true;
	return true;
}

void ratio_table::ReportRuns(const std::vector<Run> &runs)
{
	std::vector<Run> named = runs;

	std::erase_if(named, [](const Run &run) {
		return run.error_occurred && run.error_message == interruption;
	});
	for (Run &run : named) {
		/* How it was measured is the same for all, and not a part of the name. */
		run.run_name.iterations.clear();
		run.run_name.time_type.clear();
		if (run.run_type != Run::RT_Iteration)
			continue;
		if (run.error_occurred) {
			failures_.push_back(run.run_name.str() + ": " + run.error_message);
			continue;
		}
		figures &kept = measured_[run.run_name.str()];

		kept.ns.push_back(run.GetAdjustedRealTime());
		if (auto p99 = run.counters.find("p99_ns"); p99 != run.counters.end())
			kept.p99_ns.push_back(p99->second);
	}
	if (json_file_.is_open()) {
		json_.ReportRuns(named);
		json_file_.flush();
	}
}

void ratio_table::keep_noise(double loop_ns)
{
	Run run;

	if (!json_file_.is_open())
		return;
	run.run_name.function_name = "machine/loop/all_places";
	run.report_label = "noise time";
	run.iterations = 1;
	run.time_unit = benchmark::kNanosecond;
	run.real_accumulated_time = run.cpu_accumulated_time = loop_ns * 1e-9;
	json_.ReportRuns({run});
}

double ratio_table::median(const group &group, const variant &variant, figure wanted) const
{
	auto found = measured_.find(group.name() + "/" + variant.name);

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

void ratio_table::print_head() const
{
	std::printf("\n%-31s%11s  %-26s%7s  %-15s%6s\n", "", "weft", "best baseline", "ratio",
		    "peer or floor", "ratio");
}

void ratio_table::print_row(const group &group, const std::string &label, double ns,
			    const contender &baseline, const contender &other)
{
	std::printf("  %-29s%11s", label.c_str(), show(ns, group.unit).c_str());
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

void ratio_table::print(const group &group)
{
	const std::vector<role> all = {role::weft, role::baseline, role::floor, role::peer};

	if (group.structure != last_structure_)
		std::printf("%s\n", group.structure.c_str());
	last_structure_ = group.structure;
	if (best(group, all, &figures::p99_ns).ns == 0) {
		print_rows(group, &figures::ns, group.scenario);
	} else {
		print_rows(group, &figures::ns, group.scenario + " p50");
		print_rows(group, &figures::p99_ns, group.scenario + " p99");
	}
	std::fflush(stdout);
}

} // namespace bench
