/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Switching stacks: by hand on x86-64, where an exploration makes millions of switches, and with
 * ucontext elsewhere.
 */

#include "engine.h"

#if defined(__x86_64__)

/* Saves what the calling convention says must be kept, and the stack pointer in *from. */
__asm__(".text\n"
	".globl engine_fiber_switch\n"
	".type engine_fiber_switch, @function\n"
	"engine_fiber_switch:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size engine_fiber_switch, . - engine_fiber_switch\n");

void *engine_fiber_create(char *stack, size_t size, void (*entry)(void))
{
	uintptr_t *top = (uintptr_t *)(void *)(stack + size - 64);

	*--top = 0; /* where entry would return to; also aligns the stack as after a call */
	*--top = (uintptr_t)entry;
	for (int i = 0; i < 6; i++)
		*--top = 0;
	return top;
}

#else

#include <stdlib.h>
#include <ucontext.h>

/* A context that was left for good is reused by the next fiber on its stack. */
void *engine_fiber_create(char *stack, size_t size, void (*entry)(void))
{
	ucontext_t *context = (ucontext_t *)(void *)stack;

	getcontext(context);
	context->uc_stack.ss_sp = stack + sizeof(*context);
	context->uc_stack.ss_size = size - sizeof(*context);
	context->uc_link = NULL;
	makecontext(context, entry, 0);
	return context;
}

void engine_fiber_switch(void **from, void *to)
{
	ucontext_t here;

	/* The saved context lives on the stack that it saves. */
	*from = &here;
	swapcontext(&here, to);
}

#endif
