/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_SYNC_DEADLINE_H
#define WEFT_SYNC_DEADLINE_H

/*
 * How long to wait: every call of weft that can wait takes a weft_deadline, an absolute time on
 * CLOCK_MONOTONIC in nanoseconds. A wait that is repeated, or made of several, is bounded by one
 * deadline made once; a duration would start again each time.
 *
 *     operation     threads  progress   sleeps  allocates
 *     weft_now      any      wait-free  no      no
 *     weft_after    any      wait-free  no      no
 */

#include <weft/lockfree/base.h>

/* Nanoseconds on CLOCK_MONOTONIC. */
typedef uint64_t weft_deadline;

/* Do not wait: answer -ETIMEDOUT when the thing is not there already. */
#define WEFT_NOW ((weft_deadline)0)
/* Wait without a bound. */
#define WEFT_FOREVER ((weft_deadline)UINT64_MAX)

#define WEFT_MICROSECONDS ((uint64_t)1000)
#define WEFT_MILLISECONDS ((uint64_t)1000000)
#define WEFT_SECONDS      ((uint64_t)1000000000)

WEFT_BEGIN_DECLS

/* The time on CLOCK_MONOTONIC in nanoseconds. Threads: any. Progress: wait-free. */
WEFT_API uint64_t weft_now(void);

/*
 * The deadline `ns` nanoseconds from now: weft_after(5 * WEFT_MILLISECONDS). So far ahead that it
 * does not fit, it is WEFT_FOREVER.
 * Threads: any. Progress: wait-free.
 */
WEFT_API weft_deadline weft_after(uint64_t ns);

WEFT_END_DECLS

#endif
