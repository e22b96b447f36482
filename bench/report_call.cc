/* SPDX-License-Identifier: Apache-2.0 */
#include "report_call.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench_build.h"

namespace bench
{

namespace
{

/* Beside this program when it is installed, else where it was built from. */
std::string script()
{
	std::error_code error;
	std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error);
	std::filesystem::path installed = own.parent_path() / "bench_report.py";

	return !error && std::filesystem::exists(installed) ? installed.string()
							    : WEFT_BENCH_REPORT;
}

} // namespace

int call_report(const std::vector<std::string> &arguments)
{
	std::string program = script();
	std::vector<char *> words = {program.data()};
	pid_t child;
	int status = 0;

	for (const std::string &argument : arguments)
		words.push_back(const_cast<char *>(argument.c_str()));
	words.push_back(nullptr);
	std::fflush(nullptr);

	int error = posix_spawn(&child, program.c_str(), nullptr, nullptr, words.data(), environ);

	if (error != 0) {
		std::fprintf(stderr, "weft bench: cannot run %s: %s\n", program.c_str(),
			     std::strerror(error));
		return 1;
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

} // namespace bench
