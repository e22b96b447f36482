/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_COUNTER_H
#define WEFT_LOCKFREE_COUNTER_H

/*
 * Counter that any number of threads add to at the price of a plain addition: one shard per CPU,
 * each on its own line.
 *
 * When not to use it: when it is read as often as it is added to (a read visits every shard), when
 * the new value is needed at the addition (an atomic integer), or by the million (a shard takes a
 * line per CPU).
 *
 * Source: an addition is a restartable sequence (Paul Turner and Andrew Hunter, 2013; Linux 4.18,
 * registered by glibc 2.35): the kernel restarts it when the thread is preempted, moved or
 * signalled before its last instruction, so that the CPU's shard needs no atomic instruction. The
 * address is computed inside the sequence. Where that is not to be had (another libc, an older
 * kernel, valgrind, other processors) it is an atomic addition to a second word on the shard of
 * the current CPU: the two kinds never write one word, so both may run at the same time.
 *
 *     operation                            threads  progress            sleeps  allocates
 *     weft_counter_init, _fini             one      -                   no      init
 *     weft_counter_add, _increment         any      wait-free (*)       no      no
 *     weft_counter_read                    any      wait-free, O(CPUs)  no      no
 *
 *     (*) a sequence restarts only when its thread was off the CPU or had a signal meanwhile.
 *
 * Safe in signal handlers. A shard belongs to a CPU and not to a thread: a thread that ends loses
 * nothing. A library that inlines additions must not be unloaded while a thread that made one
 * still runs: the kernel may look at the sequence's descriptor once more.
 * Memory: a line of 128 bytes per configured CPU.
 */

#include <weft/lockfree/base.h>

#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GLIBC__) &&                         \
	(__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 35))
#define WEFT_COUNTER_RESTARTABLE_ 1
#include <sys/rseq.h>
#else
#define WEFT_COUNTER_RESTARTABLE_ 0
#endif

typedef struct weft_counter_shard_ {
	/* Only restartable sequences on this shard's CPU write this, without an atomic one. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(int64_t) restartable;
	/* Any thread adds to this atomically; see weft_counter_add_atomic_. */
	WEFT_ATOMIC(int64_t) atomic;
} weft_counter_shard_;

/* The restartable sequence multiplies a CPU number by 128 to find its shard. */
static_assert(sizeof(weft_counter_shard_) == 128, "a shard is one line");
static_assert(offsetof(weft_counter_shard_, restartable) == 0, "the word stands first");

typedef struct weft_counter {
	/* Constant between init and fini. */
	weft_counter_shard_ *shards_;
	uint32_t shard_bytes_; /* shards times 128, at most 2^31 */
} weft_counter;

WEFT_BEGIN_DECLS

/*
 * Makes a counter of value 0, with a shard for every CPU that the machine is configured for.
 * Threads: one, before the counter is shared. Progress: allocates; asks the system for the number
 * of CPUs.
 * Returns 0, or -ENOMEM, and then *counter is left zeroed and weft_counter_fini may be called.
 */
WEFT_API int weft_counter_init(weft_counter *counter);

/*
 * Frees the memory.
 * Threads: one, after all others have stopped using the counter. A zeroed counter is allowed.
 */
WEFT_API void weft_counter_fini(weft_counter *counter);

/*
 * The sum of all additions that happened before the call, and perhaps of some that run at the same
 * time. Modulo 2^64.
 * Threads: any. Progress: wait-free, one line per CPU.
 */
WEFT_API int64_t weft_counter_read(const weft_counter *counter);

/*
 * Whether additions of the calling thread are restartable sequences (true) or atomic additions.
 * Threads: any. Progress: wait-free.
 */
WEFT_API bool weft_counter_is_restartable(void);

/* Private: the addition where there are no restartable sequences. */
WEFT_API void weft_counter_add_atomic_(weft_counter *counter, int64_t amount);

WEFT_END_DECLS

#if WEFT_COUNTER_RESTARTABLE_

/*
 * The sequence, between labels 1 and 2: the CPU's number times 128 is the offset of its shard; add
 * there; the addition's store commits. Its descriptor (label 3) stands in a section of its own, the
 * place where the kernel goes to restart it (label 4) after the signature that the kernel insists
 * on. An offset outside the shards means that this thread has no restartable sequences (its CPU
 * number is then -1 or -2) or that a CPU was added: leave without a store. Returns whether the
 * addition was made.
 *
 * The shards are named as what it changes, in place of all memory: in a loop the compiler then
 * keeps what it knows of the counter. It is memory operations that this costs, four to five of
 * them.
 */
#define WEFT_COUNTER_DESCRIPTOR_                                                                   \
	".pushsection __rseq_cs, \"aw\"\n\t"                                                       \
	".balign 32\n"                                                                             \
	"3:\n\t"                                                                                   \
	".long 0, 0\n\t"                                                                           \
	".quad 1f, 2f - 1f, 4f\n\t"                                                                \
	".popsection\n\t"

#if defined(__x86_64__)

WEFT_INLINE bool weft_counter_add_restartable_(weft_counter *counter, int64_t amount)
{
	weft_counter_shard_ *shards = counter->shards_;

again:
	__asm__ goto(WEFT_COUNTER_DESCRIPTOR_ "leaq 3b(%%rip), %%rax\n\t"
					      "movq %%rax, %%fs:8(%[rseq])\n"
					      "1:\n\t"
					      "imull $128, %%fs:4(%[rseq]), %%eax\n\t"
					      "cmpl %[bytes], %%eax\n\t"
					      "jae %l[absent]\n\t"
					      "addq %[amount], (%[shards], %%rax)\n"
					      "2:\n\t"
					      ".pushsection __rseq_failure, \"ax\"\n\t"
					      ".byte 0x0f, 0xb9, 0x3d\n\t"
					      ".long %c[signature]\n"
					      "4:\n\t"
					      "jmp %l[again]\n\t"
					      ".popsection\n\t"
		     : "+m"(*(weft_counter_shard_(*)[])shards)
		     : [rseq] "r"(__rseq_offset), [shards] "r"(shards),
		       [bytes] "r"(counter->shard_bytes_), [amount] "er"(amount),
		       [signature] "i"(RSEQ_SIG)
		     : "cc", "rax"
		     : again, absent);
	return true;
absent:
	return false;
}

#else

WEFT_INLINE bool weft_counter_add_restartable_(weft_counter *counter, int64_t amount)
{
	weft_counter_shard_ *shards = counter->shards_;

again:
	__asm__ goto(WEFT_COUNTER_DESCRIPTOR_ "mrs x10, tpidr_el0\n\t"
					      "add x10, x10, %[rseq]\n\t"
					      "adrp x9, 3b\n\t"
					      "add x9, x9, :lo12:3b\n\t"
					      "str x9, [x10, #8]\n"
					      "1:\n\t"
					      "ldr w9, [x10, #4]\n\t"
					      "lsl w9, w9, #7\n\t"
					      "cmp w9, %w[bytes]\n\t"
					      "b.hs %l[absent]\n\t"
					      "add x9, %[shards], x9\n\t"
					      "ldr x11, [x9]\n\t"
					      "add x11, x11, %[amount]\n\t"
					      "str x11, [x9]\n"
					      "2:\n\t"
					      ".pushsection __rseq_failure, \"ax\"\n\t"
					      ".inst %c[signature]\n"
					      "4:\n\t"
					      "b %l[again]\n\t"
					      ".popsection\n\t"
		     : "+m"(*(weft_counter_shard_(*)[])shards)
		     : [rseq] "r"(__rseq_offset), [shards] "r"(shards),
		       [bytes] "r"(counter->shard_bytes_), [amount] "r"(amount),
		       [signature] "i"(RSEQ_SIG)
		     : "cc", "x9", "x10", "x11"
		     : again, absent);
	return true;
absent:
	return false;
}

#endif

#endif

/*
 * Adds the amount, which may be negative.
 * Threads: any, signal handlers too. Progress: wait-free, see (*) above.
 */
WEFT_INLINE void weft_counter_add(weft_counter *counter, int64_t amount)
{
#if WEFT_COUNTER_RESTARTABLE_
	if (WEFT_LIKELY(weft_counter_add_restartable_(counter, amount)))
		return;
#endif
	weft_counter_add_atomic_(counter, amount);
}

/* Adds one. Threads: any, signal handlers too. Progress: wait-free, see (*) above. */
WEFT_INLINE void weft_counter_increment(weft_counter *counter)
{
	weft_counter_add(counter, 1);
}

#endif
