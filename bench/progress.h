/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_PROGRESS_H
#define WEFT_BENCH_PROGRESS_H

/*
 * What a run shows of itself while it goes on, on a terminal only: how far it is and the time left,
 * on standard error. And whether somebody wants it to end (Ctrl-C, SIGTERM, a terminal that is
 * closed): the run then ends after the measurement that it is in, and keeps what it has. A second
 * Ctrl-C ends it at once.
 */

#include <string>

namespace bench
{

class progress
{
      public:
	/* That many measurements there will be. */
	explicit progress(size_t measurements);
	/* A measurement has been made. */
	void step();
	/* So many of those that were announced will not be made. */
	void leave_out(size_t measurements);
	/* The measurement that comes next. */
	void begin(const std::string &name);
	/* Takes the line away, for something that is printed. */
	void hide();

	/* From here on these signals are caught. */
	static void catch_interrupts();
	/* The one that came, or 0. */
	static int interrupted();

      private:
	void show() const;

	bool terminal_;
	size_t all_;
	size_t made_ = 0;
	double start_ns_;
	std::string name_;
};

} // namespace bench

#endif
