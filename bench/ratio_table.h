/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_RATIO_TABLE_H
#define WEFT_BENCH_RATIO_TABLE_H

/*
 * Takes the results of the rounds, keeps them as Google Benchmark's JSON, and prints one row for
 * each figure of weft beside the best baseline and the best peer (or the machine's floor).
 */

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "registry.h"

namespace bench
{

class ratio_table
{
      public:
	/* Opens the JSON file, unless the name is empty. Returns whether it could. */
	bool open_json(const std::string &name);
	/* Writes its end. Returns whether all of it could be written. */
	bool close_json();

	/* Call it when the context is known: writes it. */
	void begin();
	void add(const std::string &name, const result &result);
	/* A figure, and that of the program with which this one is compared. */
	void add_pair(const std::string &name, const result &result, double against_ns);
	void add_failure(const std::string &name, const std::string &what);
	/* A time of loop_ns(). */
	void add_noise(double ns);
	/* By which part these were longer at one time than at another. */
	double noise() const;

	/* All rows of the table. */
	void print() const;
	/* What went wrong, a line each; the benchmarks have no figure. */
	const std::vector<std::string> &failures() const
	{
		return failures_;
	}

      private:
	/* One value for each repetition. */
	struct figures {
		std::vector<double> ns;
		std::vector<double> p99_ns;
		std::vector<double> arrivals_per_us;
	};

	using figure = std::vector<double> figures::*;

	/* The variant of this role that is best in the figure, and the figure's median. */
	struct contender {
		std::string name;
		double ns = 0; /* 0: there is none */
	};

	void write(const std::string &name, const std::string &label, const result &result,
		   const std::string &wrong, double against_ns = 0);
	double median(const group &group, const variant &variant, figure wanted) const;
	contender best(const group &group, const std::vector<role> &roles, figure wanted) const;
	static void print_row(const group &group, const std::string &label, double ns,
			      const contender &baseline, const contender &other);
	void print(const group &group) const;
	void print_rows(const group &group, figure shown, const std::string &label) const;
	void print_under_load(const group &group) const;

	std::map<std::string, figures> measured_;
	std::vector<std::string> failures_;
	std::vector<double> loops_ns_;
	std::ofstream json_file_;
	benchmark::JSONReporter json_;
};

} // namespace bench

#endif
