/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_PER_CPU_LIST_H
#define WEFT_LOCKFREE_PER_CPU_LIST_H

/*
 * What object_pool.h stands on: for each CPU a short list of pointers, last in first out, that the
 * threads on that CPU push to and pop from without an atomic instruction.
 *
 * Not for programs: include the header of the thing you use.
 *
 * Each CPU has two lists. One is of restartable sequences (see per_cpu.h), for whom the store of
 * its count is what commits. The other is of threads that have none. Such a thread takes the list
 * for the moment of one push or pop; another one that comes meanwhile does not wait, but gets the
 * answer "full" or "empty", as it does from a list whose thread has been stopped for ever.
 *
 * Any thread can empty the lists of another CPU. It marks the count of the first kind, so that
 * sequences find the list both full and empty; has the system restart those that were under way
 * there (membarrier); and if none of them has written over the mark meanwhile, the list is its own.
 *
 *     operation                              threads  progress       sleeps  allocates
 *     weft_per_cpu_list_init_, _fini_        one      -              no      init
 *     weft_per_cpu_list_push_, _pop_         any      wait-free (*)  no      no
 *     weft_per_cpu_list_drain_               one      lock-free      no      no
 *     weft_per_cpu_list_size_                any      wait-free      no      no
 *
 *     (*) a sequence restarts only when its thread was off the CPU or had a signal meanwhile.
 *
 * ThreadSanitizer does not see into a sequence; what is compiled for it does without them.
 */

#include <weft/lockfree/per_cpu.h>

#ifdef __has_feature
#define WEFT_PER_CPU_LIST_FEATURE_(name) __has_feature(name)
#else
#define WEFT_PER_CPU_LIST_FEATURE_(name) 0
#endif
#if WEFT_RESTARTABLE_ && !defined(__SANITIZE_THREAD__) &&                                          \
	!WEFT_PER_CPU_LIST_FEATURE_(thread_sanitizer)
#define WEFT_PER_CPU_LIST_RESTARTABLE_ 1
#else
#define WEFT_PER_CPU_LIST_RESTARTABLE_ 0
#endif

/* The most pointers of a list. */
#define WEFT_PER_CPU_LIST_MAX_ 256

/* The list of sequences; only they write it, but for the mark. The pointers follow. */
typedef struct weft_per_cpu_list_area_ {
	WEFT_ATOMIC(uint64_t) count;
} weft_per_cpu_list_area_;

/* The mark in a count: a number above every limit, and negative also when it is one less. */
#define WEFT_PER_CPU_LIST_STOPPED_ ((uint64_t)3 << 62)

/* The list of threads without. It is the thread's that has made `taken` 1. The pointers follow. */
typedef struct weft_per_cpu_list_taken_ {
	WEFT_ATOMIC(uint32_t) taken;
	/* relaxed: written by the thread that has the list; for others it is an estimate. */
	WEFT_ATOMIC(uint32_t) count;
} weft_per_cpu_list_taken_;

/* The sequences know it. */
static_assert(sizeof(weft_per_cpu_list_area_) == 8, "where the pointers begin");
static_assert(sizeof(weft_per_cpu_list_taken_) == 8, "the same size");

/* Constant between init and fini. */
typedef struct weft_per_cpu_list_ {
	/* An area of each kind for each CPU; the second ones follow all of the first. */
	weft_per_cpu_ areas;
	size_t area_bytes;
	size_t restartable_bytes; /* of all that are of sequences */
	uint64_t limit;           /* of pointers in each list, at most WEFT_PER_CPU_LIST_MAX_ */
} weft_per_cpu_list_;

WEFT_BEGIN_DECLS

/* Makes empty lists. Returns 0, or -ENOMEM, and then *list is left zeroed and may be given to fini.
 */
WEFT_API int weft_per_cpu_list_init_(weft_per_cpu_list_ *list, size_t limit);

/* Frees them, whatever is in them. Zeroed ones are allowed. */
WEFT_API void weft_per_cpu_list_fini_(weft_per_cpu_list_ *list);

/*
 * Takes all pointers out of the lists of one CPU, as far as no thread has taken the second one and
 * the system has the barrier for the first one (Linux 5.10). There is room for twice the limit.
 * Returns how many they are. Threads: one at a time. Makes a system call where there is something
 * in the first list.
 */
WEFT_API size_t weft_per_cpu_list_drain_(weft_per_cpu_list_ *list, size_t cpu, void **pointers);

/* How many pointers are in all lists: exact while nobody pushes or pops. */
WEFT_API size_t weft_per_cpu_list_size_(const weft_per_cpu_list_ *list);

/* The two operations of threads without sequences. */
WEFT_API bool weft_per_cpu_list_push_taken_(weft_per_cpu_list_ *list, void *pointer);
WEFT_API void *weft_per_cpu_list_pop_taken_(weft_per_cpu_list_ *list);

WEFT_END_DECLS

#if WEFT_PER_CPU_LIST_RESTARTABLE_

/*
 * The sequences: find the area of the CPU as in per_cpu.h, load the count, move one pointer, store
 * the count. A push that is interrupted has written beyond the end, which nobody reads.
 */
#if defined(__x86_64__)

#define WEFT_PER_CPU_LIST_AREA_                                                                    \
	WEFT_RESTARTABLE_DESCRIPTOR_ "leaq 3b(%%rip), %%rax\n\t"                                   \
				     "movq %%rax, %%fs:8(%[rseq])\n"                               \
				     "1:\n\t"                                                      \
				     "movslq %%fs:4(%[rseq]), %%rax\n\t"                           \
				     "imulq %[area_bytes], %%rax\n\t"                              \
				     "cmpq %[bytes], %%rax\n\t"                                    \
				     "jae %l[absent]\n\t"                                          \
				     "addq %[areas], %%rax\n\t"                                    \
				     "movq (%%rax), %%rcx\n\t"
#define WEFT_PER_CPU_LIST_PUSH_                                                                    \
	WEFT_PER_CPU_LIST_AREA_ "cmpq %[limit], %%rcx\n\t"                                         \
				"jae %l[refused]\n\t"                                              \
				"movq %[pointer], 8(%%rax, %%rcx, 8)\n\t"                          \
				"incq %%rcx\n\t"                                                   \
				"movq %%rcx, (%%rax)\n"                                            \
				"2:\n\t" WEFT_RESTARTABLE_ABORT_
#define WEFT_PER_CPU_LIST_POP_                                                                     \
	WEFT_PER_CPU_LIST_AREA_ "decq %%rcx\n\t"                                                   \
				"js %l[refused]\n\t"                                               \
				"movq 8(%%rax, %%rcx, 8), %[popped]\n\t"                           \
				"movq %%rcx, (%%rax)\n"                                            \
				"2:\n\t" WEFT_RESTARTABLE_ABORT_
#define WEFT_PER_CPU_LIST_CHANGED_ "cc", "memory", "rax", "rcx"

#else

#define WEFT_PER_CPU_LIST_AREA_                                                                    \
	WEFT_RESTARTABLE_DESCRIPTOR_ "mrs x10, tpidr_el0\n\t"                                      \
				     "add x10, x10, %[rseq]\n\t"                                   \
				     "adrp x9, 3b\n\t"                                             \
				     "add x9, x9, :lo12:3b\n\t"                                    \
				     "str x9, [x10, #8]\n"                                         \
				     "1:\n\t"                                                      \
				     "ldrsw x9, [x10, #4]\n\t"                                     \
				     "mul x9, x9, %[area_bytes]\n\t"                               \
				     "cmp x9, %[bytes]\n\t"                                        \
				     "b.hs %l[absent]\n\t"                                         \
				     "add x9, %[areas], x9\n\t"                                    \
				     "ldr x11, [x9]\n\t"
#define WEFT_PER_CPU_LIST_PUSH_                                                                    \
	WEFT_PER_CPU_LIST_AREA_ "cmp x11, %[limit]\n\t"                                            \
				"b.hs %l[refused]\n\t"                                             \
				"add x10, x9, x11, lsl #3\n\t"                                     \
				"str %[pointer], [x10, #8]\n\t"                                    \
				"add x11, x11, #1\n\t"                                             \
				"str x11, [x9]\n"                                                  \
				"2:\n\t" WEFT_RESTARTABLE_ABORT_
#define WEFT_PER_CPU_LIST_POP_                                                                     \
	WEFT_PER_CPU_LIST_AREA_ "subs x11, x11, #1\n\t"                                            \
				"b.mi %l[refused]\n\t"                                             \
				"add x10, x9, x11, lsl #3\n\t"                                     \
				"ldr %[popped], [x10, #8]\n\t"                                     \
				"str x11, [x9]\n"                                                  \
				"2:\n\t" WEFT_RESTARTABLE_ABORT_
#define WEFT_PER_CPU_LIST_CHANGED_ "cc", "memory", "x9", "x10", "x11"

#endif

/* They return 0; -EAGAIN when the list is full or empty, or stopped; -ENOSYS where there are no
 * sequences, or no area for the CPU. */
WEFT_INLINE int weft_per_cpu_list_push_restartable_(weft_per_cpu_list_ *list, void *pointer)
{
again:
	__asm__ goto(WEFT_PER_CPU_LIST_PUSH_
		     :
		     : [rseq] "r"(__rseq_offset), [areas] "r"(list->areas.areas),
		       [bytes] "r"(list->restartable_bytes), [limit] "r"(list->limit),
		       [pointer] "r"(pointer), [area_bytes] "r"(list->area_bytes),
		       [signature] "i"(RSEQ_SIG)
		     : WEFT_PER_CPU_LIST_CHANGED_
		     : again, absent, refused);
	return 0;
refused:
	return -EAGAIN;
absent:
	return -ENOSYS;
}

WEFT_INLINE int weft_per_cpu_list_pop_restartable_(weft_per_cpu_list_ *list, void **pointer)
{
	void *popped;

again:
	__asm__ goto(WEFT_PER_CPU_LIST_POP_
		     : [popped] "=&r"(popped)
		     : [rseq] "r"(__rseq_offset), [areas] "r"(list->areas.areas),
		       [bytes] "r"(list->restartable_bytes), [area_bytes] "r"(list->area_bytes),
		       [signature] "i"(RSEQ_SIG)
		     : WEFT_PER_CPU_LIST_CHANGED_
		     : again, absent, refused);
	*pointer = popped;
	return 0;
refused:
	return -EAGAIN;
absent:
	return -ENOSYS;
}

#endif

/* Pushes a pointer, not NULL. Returns false when the CPU's list is full, or taken by another. */
WEFT_INLINE bool weft_per_cpu_list_push_(weft_per_cpu_list_ *list, void *pointer)
{
#if WEFT_PER_CPU_LIST_RESTARTABLE_
	int error = weft_per_cpu_list_push_restartable_(list, pointer);

	if (WEFT_LIKELY(error != -ENOSYS))
		return error == 0;
#endif
	return weft_per_cpu_list_push_taken_(list, pointer);
}

/* Pops the newest pointer. Returns NULL when the CPU's list is empty, or taken by another. */
WEFT_INLINE void *weft_per_cpu_list_pop_(weft_per_cpu_list_ *list)
{
#if WEFT_PER_CPU_LIST_RESTARTABLE_
	void *pointer;
	int error = weft_per_cpu_list_pop_restartable_(list, &pointer);

	if (WEFT_LIKELY(error != -ENOSYS))
		return error == 0 ? pointer : NULL;
#endif
	return weft_per_cpu_list_pop_taken_(list);
}

#endif
