/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include "harness.h"

namespace bench
{

namespace
{

constexpr int width = 30;

volatile std::sig_atomic_t interrupted_by = 0;

void on_interrupt(int signal)
{
	interrupted_by = signal;
	/* The next Ctrl-C ends the program. One SIGTERM may come twice: to the program and to its
	 * group. */
	if (signal == SIGINT)
		std::signal(SIGINT, SIG_DFL);
}

/* How wide the terminal is. */
size_t columns()
{
	winsize size = {};

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : 80;
}

} // namespace

progress::progress(size_t measurements)
    : terminal_(isatty(STDERR_FILENO) == 1), all_(measurements), start_ns_(now_ns())
{
}

void progress::catch_interrupts()
{
	std::signal(SIGINT, on_interrupt);
	std::signal(SIGTERM, on_interrupt);
	/* Under nohup it goes on when the terminal is closed. */
	if (std::signal(SIGHUP, on_interrupt) == SIG_IGN)
		std::signal(SIGHUP, SIG_IGN);
}

int progress::interrupted()
{
	return interrupted_by;
}

void progress::step()
{
	made_++;
	show();
}

void progress::leave_out(size_t measurements)
{
	all_ -= measurements;
}

void progress::begin(const std::string &name)
{
	name_ = name;
	show();
}

void progress::hide()
{
	if (terminal_)
		std::fputs("\r\033[K", stderr);
}

void progress::show() const
{
	if (!terminal_)
		return;

	double part = all_ == 0 ? 1 : static_cast<double>(made_) / static_cast<double>(all_);
	int full = static_cast<int>(part * width);
	/* Of the first few measurements nothing can be said yet. */
	double left_s = made_ < 5 ? 0 : (now_ns() - start_ns_) * 1e-9 * (1 - part) / part;
	auto seconds = static_cast<unsigned>(std::lround(left_s));
	char text[80];

	std::snprintf(text, sizeof(text), "[%.*s%*s] %3d %%", full,
		      "##############################", width - full, "",
		      static_cast<int>(100 * part));

	std::string line = text;

	if (left_s > 0) {
		std::snprintf(text, sizeof(text), " %u:%02u left", seconds / 60, seconds % 60);
		line += text;
	}
	line += "  " + name_;
	/* One that goes on in the next line could not be taken away. */
	line.resize(std::min(line.size(), columns() - 1));
	std::fprintf(stderr, "\r\033[K%s", line.c_str());
	std::fflush(stderr);
}

} // namespace bench
