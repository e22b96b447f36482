/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_RATIO_TABLE_H
#define WEFT_BENCH_RATIO_TABLE_H

/*
 * Takes the results from Google Benchmark, keeps them as its JSON, and prints one row for each
 * figure of weft beside the best baseline and the best peer (or the machine's floor).
 */

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "registry.h"

namespace bench
{

/* The error of a benchmark that was not run any more: nothing is wrong, there is just no figure. */
constexpr const char *interruption = "interrupted";

class ratio_table : public benchmark::BenchmarkReporter
{
      public:
	/* Opens the JSON file, unless the name is empty. Returns whether it could. */
	bool open_json(const std::string &name);
	/* Writes its end. Returns whether all of it could be written. */
	bool close_json();

	/* Keeps a time of loop_ns() in the JSON, for the report. */
	void keep_noise(double loop_ns);

	void print_head() const;
	/* The rows of a group that has been measured. */
	void print(const group &group);
	/* What went wrong, a line each; the benchmarks have no figure. */
	const std::vector<std::string> &failures() const
	{
		return failures_;
	}

	/* Called by Google Benchmark. */
	bool ReportContext(const Context &context) override;
	void ReportRuns(const std::vector<Run> &runs) override;

      private:
	/* One value for each repetition. */
	struct figures {
		std::vector<double> ns;
		std::vector<double> p99_ns;
	};

	using figure = std::vector<double> figures::*;

	/* The variant of this role that is best in the figure, and the figure's median. */
	struct contender {
		std::string name;
		double ns = 0; /* 0: there is none */
	};

	double median(const group &group, const variant &variant, figure wanted) const;
	contender best(const group &group, const std::vector<role> &roles, figure wanted) const;
	static void print_row(const group &group, const std::string &label, double ns,
			      const contender &baseline, const contender &other);
	void print_rows(const group &group, figure shown, const std::string &label) const;

	std::map<std::string, figures> measured_;
	std::vector<std::string> failures_;
	std::string last_structure_;
	std::ofstream json_file_;
	benchmark::JSONReporter json_;
	bool json_begun_ = false;
};

} // namespace bench

#endif
