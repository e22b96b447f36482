/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_RSEQ_LEAVE_H
#define WEFT_TESTS_RSEQ_LEAVE_H

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <weft/lockfree/per_cpu.h>

/*
 * Takes from the calling thread the restartable sequences that the C library gave it, so that it is
 * a thread as on a machine without them, among others that have them. Returns whether it now is.
 */
static inline bool rseq_leave(void)
{
#if WEFT_RESTARTABLE_
	/* The kernel wants the size of the registration back: 32 at first, larger areas later. */
	for (unsigned bytes = 32; bytes <= 256; bytes += 32) {
		void *area = (char *)__builtin_thread_pointer() + __rseq_offset;

		if (__rseq_size == 0 ||
		    syscall(SYS_rseq, area, bytes, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0)
			return true;
	}
	return false;
#else
	return true;
#endif
}

#endif
