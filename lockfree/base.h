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

/* So many bytes and the rest of their last line, for parts that follow each other in one memory. */
WEFT_INLINE size_t weft_whole_lines_(size_t bytes)
{
	return (bytes + WEFT_CACHE_LINE - 1) / WEFT_CACHE_LINE * WEFT_CACHE_LINE;
}

/* Whether memory of the caller will do: it is there, begins a line, and is enough. */
WEFT_INLINE bool weft_memory_fits_(const void *memory, size_t bytes, size_t needed)
{
	return memory != NULL && (uintptr_t)memory % WEFT_CACHE_LINE == 0 && bytes >= needed;
}

WEFT_BEGIN_DECLS

/*
 * Version of the library that is linked, as WEFT_VERSION is that of the headers: "0.1.0".
 * Threads: any. Progress: wait-free. Returns a string that lives as long as the library.
 */
WEFT_API const char *weft_version(void);

/* The monotonic clock. A function, as a strict C11 program does not see clock_gettime. */
WEFT_API uint64_t weft_clock_ns_(void);

/* Prints one line to standard error and aborts. Only debug builds call it; see WEFT_CONTRACT. */
WEFT_API WEFT_COLD void weft_contract_broken_(const char *where, const char *contract)
	__attribute__((noreturn));

/*
 * For a loop that has just lost an exchange on this line to another thread: stays off it while that
 * thread, and those who have lost before, get many operations done (back_off.c). Without it every
 * core takes the line from the others for each attempt; weft bench mpmc_queue/8P8C shows what that
 * costs.
 * Threads: any. Progress: wait-free, some microseconds for each thread that contends.
 */
WEFT_API WEFT_COLD void weft_cpu_stand_back_(const volatile void *line);

/* Stays off a line that another thread is busy with, for so long.
 * Threads: any. Progress: wait-free. */
WEFT_API WEFT_COLD void weft_cpu_rest_(uint64_t ns);

/* What one side of a queue remembers for the function below. Valid when zeroed. */
typedef struct weft_cpu_heels_ {
	WEFT_ATOMIC(uint64_t) at;           /* the ticket of the time before */
	WEFT_ATOMIC(uint64_t) begin_at;     /* that of the beginning of the measurement */
	WEFT_ATOMIC(uint64_t) begin_ns;     /* 0: there was none */
	WEFT_ATOMIC(uint64_t) settled_time; /* 1024 times that for an element, as a rule */
	WEFT_ATOMIC(uint32_t) occasions;    /* left until the end of the measurement */
	WEFT_ATOMIC(uint32_t) quarterings;  /* how much shorter the rests are than the longest */
	WEFT_ATOMIC(uint32_t) settled;      /* the same as a rule, outside of experiments */
	WEFT_ATOMIC(uint32_t) patience;     /* the occasions between two, beyond the least */
	WEFT_ATOMIC(uint32_t) shortens;     /* whether the rests of this or the next are shorter */
} weft_cpu_heels_;

/* What `settled` is at the beginning of a side that is to rest only once that has been tried. */
#define WEFT_CPU_NO_REST_ 3

/*
 * For one side of a queue that finds nothing at this ticket (twice the count of what it has taken):
 * whether to look again. When it took more than one thing since the last time it may be at the
 * other's heels, and with each look take a line away that the other is writing. Where that has been
 * found to pay (rest.c) it rests, and the other gets ahead. One that polls is not held up, nor one
 * that is given a single thing each time, as by a thread that waits for its answer.
 * Threads: any. Progress: wait-free, up to 3.2 microseconds.
 */
WEFT_API WEFT_COLD bool weft_cpu_rest_behind_(weft_cpu_heels_ *heels, uint64_t ticket);

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

/*
 * Asks for a line that will be written soon, while other things are done.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE void weft_cpu_prefetch_to_write_(const void *address)
{
#if defined(__x86_64__) || defined(__i386__)
	/* The built-in would ask for a shared copy, as the oldest processors have nothing else; to
	 * them this is a no-op. */
	__asm__ __volatile__("prefetchw %0" ::"m"(*(const char *)address));
#else
	__builtin_prefetch(address, 1, 3);
#endif
}

/*
 * For a run of tickets whose slots lie in a row and go round: moves on to the next slot, and
 * returns whether that is the first one again, a lap later. The bounds are given: a compiler that
 * has to take them from a queue does so anew after every atomic call.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE bool weft_next_slot_(unsigned char **slot, size_t slot_size, unsigned char *first,
				 const unsigned char *end)
{
	*slot += slot_size;
	if (WEFT_LIKELY(*slot != end))
		return false;
	*slot = first;
	return true;
}

/*
 * Before a push reads its slot, which it will write: asked for like this the slot's line comes once
 * for both. Not again and again by one that polls a full ring, and has been at this ticket.
 * Threads: any. Progress: wait-free.
 */
WEFT_INLINE void weft_cpu_ask_for_slot_(const weft_cpu_heels_ *full_at, uint64_t ticket,
					const unsigned char *slot)
{
	/* relaxed: a hint. */
	if (WEFT_LIKELY(atomic_load_explicit(&full_at->at, memory_order_relaxed) != ticket))
		weft_cpu_prefetch_to_write_(slot);
}

#endif
