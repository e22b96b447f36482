/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_BASE_H
#define WEFT_LOCKFREE_BASE_H

/*
 * What every header of weft stands on: export and inlining marks, the distance that keeps two
 * writers apart, atomics that mean the same in C11 and in C++17, and the contract check.
 *
 * Not for programs: include the header of the thing you use.
 *
 * Atomics. WEFT_ATOMIC(T) is _Atomic(T) in C and std::atomic<T> in C++; both have one layout with
 * gcc and clang on Linux. The calls are the standard *_explicit functions: in C++ they are found
 * through their argument, and the five memory_order names are brought in here exactly as the
 * <stdatomic.h> of C++23 does it.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#include <atomic>
using std::atomic_signal_fence;
using std::atomic_thread_fence;
using std::memory_order;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;
#define WEFT_ATOMIC(T)   std::atomic<T>
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS   }
#else
#include <stdatomic.h>
#define WEFT_ATOMIC(T) _Atomic(T)
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
#define WEFT_VERSION       "0.1.0"

#define WEFT_API         __attribute__((visibility("default")))
#define WEFT_INLINE      static inline __attribute__((always_inline, unused))
#define WEFT_COLD        __attribute__((cold, noinline))
#define WEFT_LIKELY(x)   __builtin_expect(!!(x), 1)
#define WEFT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/*
 * Two things with different writers stand this many bytes apart. A line is 64 bytes on x86-64, but
 * its prefetcher fetches lines in pairs; aarch64 machines have lines of 64 or 128.
 */
#define WEFT_CACHE_LINE   128
#define WEFT_LINE_ALIGNED __attribute__((aligned(WEFT_CACHE_LINE)))

WEFT_BEGIN_DECLS

/*
 * Version of the library that is linked, as WEFT_VERSION is that of the headers: "0.1.0".
 * Threads: any. Progress: wait-free. Returns a string that lives as long as the library.
 */
WEFT_API const char *weft_version(void);

/* Prints one line to standard error and aborts. Only debug builds call it; see WEFT_CONTRACT. */
WEFT_API WEFT_COLD void weft_contract_broken_(const char *where, const char *contract)
	__attribute__((noreturn));

WEFT_END_DECLS

#define WEFT_STRINGIFY_(x) #x
#define WEFT_STRING_(x)    WEFT_STRINGIFY_(x)

/*
 * States what a caller owes: WEFT_CONTRACT(ticket <= capacity, "the ticket is inside the ring").
 * A debug build (no NDEBUG) aborts with one line when it is broken; a release build does not look.
 */
#ifdef NDEBUG
#define WEFT_CONTRACT(holds, contract) ((void)0)
#else
#define WEFT_CONTRACT(holds, contract)                                                             \
	(WEFT_LIKELY(holds)                                                                        \
		 ? (void)0                                                                         \
		 : weft_contract_broken_(__FILE__ ":" WEFT_STRING_(__LINE__), contract))
#endif

/*
 * Tells the core that this thread spins: frees the pipeline for the other hardware thread.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE void weft_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	/* isb waits about as long as x86's pause; yield is a no-op on most cores. */
	__asm__ __volatile__("isb" ::: "memory");
#endif
}

#define WEFT_PAUSES_AFTER_LOSS_ 32

/*
 * For a loop that has just lost an exchange to another thread: stays off the contended line while
 * that thread and others get several operations done. Without it every core takes the line from the
 * others for each attempt (weft bench mpmc_queue/2P2C shows what that costs). Out of line, so that
 * the way without contention keeps its registers.
 * Threads: any. Progress: wait-free, about a microsecond.
 */
static __attribute__((cold, noinline, unused)) void weft_cpu_yield_line_(void)
{
	for (int i = 0; i < WEFT_PAUSES_AFTER_LOSS_; i++)
		weft_cpu_relax();
}

#endif
