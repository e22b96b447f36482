/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_POOL_CONTEXT_H
#define WEFT_POOL_CONTEXT_H

/*
 * A place in a program that can be left and gone back to: a stack and the registers that a function
 * must keep. It is what the pool's suspended tasks are made of.
 *
 *     weft_context here = WEFT_CONTEXT_INIT, there;
 *     weft_context_init(&there, memory, bytes, entry, argument);
 *     weft_context_switch(&here, &there);      entry(argument) runs, and comes back by
 *                                              weft_context_switch(&there, &here)
 *
 * When not to use it: for nearly everything. A task of a pool may simply wait (executor.h): it is
 * suspended, and something else runs. This is for those who write schedulers or generators.
 *
 * A switch keeps the callee-saved registers and the control words of floating point (rounding,
 * masks), which belong to the context; not errno, the signal mask, or thread-local variables. Those
 * are the thread's, and a compiler may keep their addresses across calls: go on with a context only
 * on the thread where it was left.
 *
 * AddressSanitizer and ThreadSanitizer are told of each switch, when the library is built for them.
 *
 * Source: by hand for x86-64 (System V) and aarch64 (AAPCS64); elsewhere it is ucontext, which
 * takes two system calls for each switch.
 *
 *     operation             threads                  progress   sleeps  allocates
 *     weft_context_init     one                      wait-free  no      no
 *     weft_context_switch   that of the context      wait-free  no      no
 *     weft_context_fini     that of the context      wait-free  no      no
 */

#include <weft/lockfree/base.h>

typedef struct weft_context {
	/* Where its registers are, while it is left. First: assembly finds it there. */
	void *stack_pointer_;
	void (*entry_)(void *argument);
	void *argument_;
	/* For the sanitizers. */
	void *low_;
	size_t bytes_;
	void *shadow_;
	void *twin_;
} weft_context;

/* Of the thread that will leave it: what runs already. */
#define WEFT_CONTEXT_INIT                                                                          \
	{                                                                                          \
		NULL, NULL, NULL, NULL, 0, NULL, NULL                                              \
	}

/* Private: has a function of a shared library called without the jump between that some processors
 * cannot see through (15 ns in place of 6). */
#define WEFT_CONTEXT_NOPLT_
#if defined(__has_attribute)
#if __has_attribute(noplt)
#undef WEFT_CONTEXT_NOPLT_
#define WEFT_CONTEXT_NOPLT_ __attribute__((noplt))
#endif
#endif

/* The least that a stack may have, in bytes. What runs there needs its own besides. */
#define WEFT_CONTEXT_BYTES_MIN 4096

WEFT_BEGIN_DECLS

/*
 * Prepares a context that calls entry(argument) on the stack of `bytes` bytes (at least
 * WEFT_CONTEXT_BYTES_MIN) from `low` up, when it is switched to first. The function must not
 * return.
 * Threads: one. Progress: wait-free.
 */
WEFT_API void weft_context_init(weft_context *context, void *low, size_t bytes,
				void (*entry)(void *argument), void *argument);

/*
 * Leaves what runs, in *from, and goes on with *to: at its entry, or where it was left. Returns
 * when somebody switches to *from.
 * Threads: that on which *to was left. Progress: wait-free.
 */
WEFT_API void weft_context_switch(weft_context *from, weft_context *to) WEFT_CONTEXT_NOPLT_;

/* Private: the same, for code that mostly goes on with a context which it has left at the very same
 * place. */
void weft_context_switch_paired_(weft_context *from, weft_context *to)
	__attribute__((visibility("hidden")));

/* Says that a context that was left will not be gone back to. Its stack may then be freed.
 * Threads: that on which it was left. Progress: wait-free. */
WEFT_API void weft_context_fini(weft_context *context);

WEFT_END_DECLS

#endif
