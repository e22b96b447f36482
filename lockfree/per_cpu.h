/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_PER_CPU_H
#define WEFT_LOCKFREE_PER_CPU_H

/*
 * What counter.h, gauge.h and histogram.h stand on: memory in which each CPU has an area of its
 * own, and additions to the area of the CPU that the thread runs on, without an atomic instruction.
 *
 * Not for programs: include the header of the thing you use.
 *
 * Source: restartable sequences (Paul Turner and Andrew Hunter, 2013; Linux 4.18, registered by
 * glibc 2.35): the kernel restarts a sequence when its thread was preempted, moved or signalled
 * before the last instruction, whose store commits it. Where they are not to be had (another libc,
 * an older kernel, valgrind, other processors) a caller adds atomically, to other words: what
 * sequences write may not be written by anything else, for they would overwrite it.
 *
 *     operation                             threads  progress       sleeps  allocates
 *     weft_per_cpu_init_, _fini_            one      -              no      init
 *     weft_per_cpu_init_in_                 one      -              no      no
 *     weft_per_cpu_add_, _add_line_         any      wait-free (*)  no      no
 *     weft_per_cpu_near_                    any      wait-free      no      no
 *     weft_per_cpu_is_restartable_          any      wait-free      no      no
 *
 *     (*) a sequence restarts only when its thread was off the CPU or had a signal meanwhile.
 */

#include <weft/lockfree/base.h>

/* 0 may be given from outside, for a build that does without. */
#ifndef WEFT_RESTARTABLE_
#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GLIBC__) &&                         \
	(__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 35))
#define WEFT_RESTARTABLE_ 1
#else
#define WEFT_RESTARTABLE_ 0
#endif
#endif

#if WEFT_RESTARTABLE_
#include <sys/rseq.h>

/*
 * The number of the CPU that the caller runs on, or did a moment ago; negative in a thread that has
 * no restartable sequences. __rseq_size does not tell, it speaks for the process, and the kernel
 * may have refused this thread. The area is there in any case.
 */
WEFT_INLINE int32_t weft_per_cpu_number_(void)
{
	const char *area = (const char *)__builtin_thread_pointer() + __rseq_offset;

	return (int32_t)((const volatile struct rseq *)(const volatile void *)area)->cpu_id;
}
#endif

/*
 * The areas, each after the other, that of CPU 0 first. Mostly there is one for each CPU that the
 * machine is configured for; CPUs beyond them share them. Constant between init and fini.
 */
typedef struct weft_per_cpu_ {
	void *areas;
	size_t bytes; /* of all of them */
	/* The same in 32 bits, or as much as fits. For sequences in a loop: what they change has
	 * 64, so that the compiler knows that this stays. */
	uint32_t limit;
	bool lent; /* the memory is the caller's */
} weft_per_cpu_;

WEFT_BEGIN_DECLS

/* How many CPUs the machine is configured for: asks the system. At least 1. */
WEFT_API size_t weft_per_cpu_count_(void);

/*
 * Makes so many areas of so many bytes, a multiple of WEFT_CACHE_LINE, filled with zero.
 * Returns 0, or -ENOMEM, and then *per_cpu is left zeroed and may be given to fini.
 */
WEFT_API int weft_per_cpu_init_(weft_per_cpu_ *per_cpu, size_t areas, size_t area_bytes);

/*
 * As weft_per_cpu_init_, in memory of the caller that fits (weft_memory_fits_). Returns where the
 * areas end.
 */
WEFT_API void *weft_per_cpu_init_in_(weft_per_cpu_ *per_cpu, void *memory, size_t areas,
				     size_t area_bytes);

/* Frees them, if they are not the caller's. Zeroed ones are allowed. */
WEFT_API void weft_per_cpu_fini_(weft_per_cpu_ *per_cpu);

/* Whether the calling thread has restartable sequences. */
WEFT_API bool weft_per_cpu_is_restartable_(void);

/* weft_per_cpu_near_ by asking the C library. */
WEFT_API WEFT_COLD void *weft_per_cpu_current_(const weft_per_cpu_ *per_cpu, size_t area_bytes);

WEFT_END_DECLS

#if WEFT_RESTARTABLE_

/*
 * A sequence stands between labels 1 and 2. Its descriptor (label 3) stands in a section of its
 * own; the place where the kernel goes to restart it (label 4) in another, after the signature that
 * the kernel insists on.
 */
#define WEFT_RESTARTABLE_DESCRIPTOR_                                                               \
	".pushsection __rseq_cs, \"aw\"\n\t"                                                       \
	".balign 32\n"                                                                             \
	"3:\n\t"                                                                                   \
	".long 0, 0\n\t"                                                                           \
	".quad 1f, 2f - 1f, 4f\n\t"                                                                \
	".popsection\n\t"

/*
 * The sequence below: the CPU's number times the size of an area is the offset of its area; add
 * there. An offset beyond all areas means that this thread has no restartable sequences (its CPU
 * number is then -1 or -2) or that a CPU was added: leave without a store.
 *
 * The address stands in one register at the addition. With a base and an index the processor does
 * not foresee that the next addition is to the same place, and each waits for the one before:
 * 2.6 ns in place of 0.7 on one machine.
 *
 * Where the areas are lines, the number is loaded and multiplied at once: 0.33 ns in place of 0.39
 * on a Zen 5, where a plain addition takes 0.24.
 *
 * The words are named as what it changes, in place of all memory: in a loop the compiler then
 * keeps what it knows of the rest. It is memory operations that this costs, four to five of them.
 */
#if defined(__x86_64__)

#define WEFT_RESTARTABLE_ABORT_                                                                    \
	".pushsection __rseq_failure, \"ax\"\n\t"                                                  \
	".byte 0x0f, 0xb9, 0x3d\n\t"                                                               \
	".long %c[signature]\n"                                                                    \
	"4:\n\t"                                                                                   \
	"jmp %l[again]\n\t"                                                                        \
	".popsection\n\t"

/* The head of a sequence, and what follows where the offset of the area is in rax. */
#define WEFT_RESTARTABLE_BEGIN_                                                                    \
	WEFT_RESTARTABLE_DESCRIPTOR_ "leaq 3b(%%rip), %%rax\n\t"                                   \
				     "movq %%rax, %%fs:8(%[rseq])\n"                               \
				     "1:\n\t"
#define WEFT_RESTARTABLE_ADD_                                                                      \
	"cmpq %[bytes], %%rax\n\t"                                                                 \
	"jae %l[absent]\n\t"                                                                       \
	"addq %[word], %%rax\n\t"                                                                  \
	"addq %[amount], (%%rax)\n"                                                                \
	"2:\n\t" WEFT_RESTARTABLE_ABORT_

WEFT_INLINE bool weft_per_cpu_add_restartable_(void *word, size_t area_bytes, size_t bytes,
					       int64_t amount)
{
again:
	__asm__ goto(
		WEFT_RESTARTABLE_BEGIN_ "movslq %%fs:4(%[rseq]), %%rax\n\t"
					"imulq %[area_bytes], %%rax\n\t" WEFT_RESTARTABLE_ADD_
		: "+m"(*(WEFT_ATOMIC(int64_t)(*)[])word)
		: [rseq] "r"(__rseq_offset), [word] "r"(word), [bytes] "r"(bytes),
		  [area_bytes] "er"(area_bytes), [amount] "er"(amount), [signature] "i"(RSEQ_SIG)
		: "cc", "rax"
		: again, absent);
	return true;
absent:
	return false;
}

/* The same for areas of one line each: the product has 32 bits. That of -1 or -2 is just below 2^32
 * then, and beyond all areas as well. */
WEFT_INLINE bool weft_per_cpu_add_restartable_line_(void *word, uint32_t limit, int64_t amount)
{
again:
	__asm__ goto(WEFT_RESTARTABLE_BEGIN_
		     "imull %[area_bytes], %%fs:4(%[rseq]), %%eax\n\t" WEFT_RESTARTABLE_ADD_
		     : "+m"(*(WEFT_ATOMIC(int64_t)(*)[])word)
		     : [rseq] "r"(__rseq_offset), [word] "r"(word), [bytes] "r"((size_t)limit),
		       [area_bytes] "i"(WEFT_CACHE_LINE), [amount] "er"(amount),
		       [signature] "i"(RSEQ_SIG)
		     : "cc", "rax"
		     : again, absent);
	return true;
absent:
	return false;
}

#else

#define WEFT_RESTARTABLE_ABORT_                                                                    \
	".pushsection __rseq_failure, \"ax\"\n\t"                                                  \
	".inst %c[signature]\n"                                                                    \
	"4:\n\t"                                                                                   \
	"b %l[again]\n\t"                                                                          \
	".popsection\n\t"

WEFT_INLINE bool weft_per_cpu_add_restartable_(void *word, size_t area_bytes, size_t bytes,
					       int64_t amount)
{
again:
	__asm__ goto(WEFT_RESTARTABLE_DESCRIPTOR_ "mrs x10, tpidr_el0\n\t"
						  "add x10, x10, %[rseq]\n\t"
						  "adrp x9, 3b\n\t"
						  "add x9, x9, :lo12:3b\n\t"
						  "str x9, [x10, #8]\n"
						  "1:\n\t"
						  "ldrsw x9, [x10, #4]\n\t"
						  "mul x9, x9, %[area_bytes]\n\t"
						  "cmp x9, %[bytes]\n\t"
						  "b.hs %l[absent]\n\t"
						  "add x9, %[word], x9\n\t"
						  "ldr x11, [x9]\n\t"
						  "add x11, x11, %[amount]\n\t"
						  "str x11, [x9]\n"
						  "2:\n\t" WEFT_RESTARTABLE_ABORT_
		     : "+m"(*(WEFT_ATOMIC(int64_t)(*)[])word)
		     : [rseq] "r"(__rseq_offset), [word] "r"(word), [bytes] "r"(bytes),
		       [area_bytes] "r"(area_bytes), [amount] "r"(amount), [signature] "i"(RSEQ_SIG)
		     : "cc", "x9", "x10", "x11"
		     : again, absent);
	return true;
absent:
	return false;
}

WEFT_INLINE bool weft_per_cpu_add_restartable_line_(void *word, uint32_t limit, int64_t amount)
{
	return weft_per_cpu_add_restartable_(word, WEFT_CACHE_LINE, limit, amount);
}

#endif

#endif

/*
 * Adds to a word of the area of the CPU that the thread runs on: to that at this offset, which only
 * this function writes. Returns false, with nothing added, where there are no restartable
 * sequences or there is no area for the CPU. Signal handlers may call it.
 */
WEFT_INLINE bool weft_per_cpu_add_(const weft_per_cpu_ *per_cpu, size_t area_bytes, size_t offset,
				   int64_t amount)
{
#if WEFT_RESTARTABLE_
	return weft_per_cpu_add_restartable_((char *)per_cpu->areas + offset, area_bytes,
					     per_cpu->bytes, amount);
#else
	(void)per_cpu, (void)area_bytes, (void)offset, (void)amount;
	return false;
#endif
}

/* weft_per_cpu_add_ for areas of one line. */
WEFT_INLINE bool weft_per_cpu_add_line_(const weft_per_cpu_ *per_cpu, size_t offset, int64_t amount)
{
#if WEFT_RESTARTABLE_
	return weft_per_cpu_add_restartable_line_((char *)per_cpu->areas + offset, per_cpu->limit,
						  amount);
#else
	(void)per_cpu, (void)offset, (void)amount;
	return false;
#endif
}

/*
 * The area of the CPU that the caller runs on, or did a moment ago: others may be at work there, so
 * it is for atomic operations. Signal handlers may call it.
 */
WEFT_INLINE void *weft_per_cpu_near_(const weft_per_cpu_ *per_cpu, size_t area_bytes)
{
#if WEFT_RESTARTABLE_
	/* A negative number is beyond all of them as well. */
	size_t offset = (size_t)weft_per_cpu_number_() * area_bytes;

	if (WEFT_LIKELY(offset < per_cpu->bytes))
		return (char *)per_cpu->areas + offset;
#endif
	return weft_per_cpu_current_(per_cpu, area_bytes);
}

#endif
