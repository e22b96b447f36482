/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/pool/context.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif

#if defined(ADDRESS_SANITIZER)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
#endif

/* Where there is no assembly for the processor; a build may also ask for it. */
#if !defined(WEFT_CONTEXT_UCONTEXT_)
#if (defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__)
#define WEFT_CONTEXT_UCONTEXT_ 0
#else
#define WEFT_CONTEXT_UCONTEXT_ 1
#endif
#endif

/*
 * Both save the registers on the stack and the stack pointer in *from; the reverse with *to. They
 * differ in how they go on, which the processor must foresee. weft_context_switch is called from
 * many places, so where it returns to says nothing about where it was called: a return would be a
 * wrong guess nearly each time, and it jumps. The paired one is called from few places, mostly to
 * go on at the same one, and a return keeps the processor's own stack of return addresses in step:
 * else all the returns that follow are wrong guesses (a task that was suspended, and ends, then
 * takes 200 ns and not 140). No jump may stand between the caller and the last one, for the
 * processor tells the callers by it. So the assembly has the public names, but where a sanitizer
 * must be told.
 */
#if defined(ADDRESS_SANITIZER) || defined(THREAD_SANITIZER)
void weft_context_jump_(weft_context *from, weft_context *to) __attribute__((visibility("hidden")));
void weft_context_swap_(weft_context *from, weft_context *to) __attribute__((visibility("hidden")));
#else
#define weft_context_jump_ weft_context_switch
#define weft_context_swap_ weft_context_switch_paired_
#endif

/* Where a new context begins: calls weft_context_begin_ with what prepare() left for it. */
void weft_context_start_(void) __attribute__((visibility("hidden")));
void weft_context_begin_(weft_context *context)
	__attribute__((visibility("hidden"), noreturn, used));

#if WEFT_CONTEXT_UCONTEXT_

#include <ucontext.h>

/* The saved context lives on the stack that it saves. */
void weft_context_swap_(weft_context *from, weft_context *to)
{
	ucontext_t here;

	from->stack_pointer_ = &here;
	swapcontext(&here, (const ucontext_t *)to->stack_pointer_);
}

void weft_context_jump_(weft_context *from, weft_context *to)
{
	weft_context_swap_(from, to);
}

/* makecontext hands over int only. */
static void start(unsigned high, unsigned low)
{
	weft_context_begin_((weft_context *)((uintptr_t)((uint64_t)high << 32 | low)));
}

static void prepare(weft_context *context, char *low, size_t bytes)
{
	/* Lowest, so that the new context may overwrite it only by overflowing: it is read before.
	 */
	uintptr_t place = ((uintptr_t)low + bytes - sizeof(ucontext_t)) & ~(uintptr_t)63;
	ucontext_t *made = (ucontext_t *)place;
	uint64_t argument = (uintptr_t)context;

	getcontext(made);
	made->uc_stack.ss_sp = low;
	made->uc_stack.ss_size = place - (uintptr_t)low;
	made->uc_link = NULL;
	makecontext(made, (void (*)(void))start, 2, (unsigned)(argument >> 32), (unsigned)argument);
	context->stack_pointer_ = made;
}

#elif defined(__x86_64__)

/*
 * On the stack, from the lowest: the two control words, r15 to r12, rbx, rbp, return address. The
 * words are loaded only when they differ from what is there, for that takes up to 80 ns; the flags
 * in mxcsr are nobody's, and do not count. The stack pointer moves last: until then a debugger sees
 * the context that is left.
 */
#define SWAP_(name, look_ahead, go_on)                                                             \
	".p2align 4\n"                                                                             \
	".globl " name "\n"                                                                        \
	".type " name ", @function\n" name ":\n"                                                   \
	".cfi_startproc\n"                                                                         \
	"subq $56, %rsp\n"                                                                         \
	".cfi_adjust_cfa_offset 56\n"                                                              \
	"stmxcsr (%rsp)\n"                                                                         \
	"fnstcw 4(%rsp)\n"                                                                         \
	"movq %rbp, 48(%rsp)\n"                                                                    \
	"movq %rbx, 40(%rsp)\n"                                                                    \
	"movq %r12, 32(%rsp)\n"                                                                    \
	"movq %r13, 24(%rsp)\n"                                                                    \
	"movq %r14, 16(%rsp)\n"                                                                    \
	"movq %r15, 8(%rsp)\n"                                                                     \
	".cfi_rel_offset %rbp, 48\n"                                                               \
	".cfi_rel_offset %rbx, 40\n"                                                               \
	".cfi_rel_offset %r12, 32\n"                                                               \
	".cfi_rel_offset %r13, 24\n"                                                               \
	".cfi_rel_offset %r14, 16\n"                                                               \
	".cfi_rel_offset %r15, 8\n"                                                                \
	"movq (%rsi), %rsi\n"                                                                      \
	"movq %rsp, (%rdi)\n" look_ahead "movq 48(%rsi), %rbp\n"                                   \
	"movq 40(%rsi), %rbx\n"                                                                    \
	"movq 32(%rsi), %r12\n"                                                                    \
	"movq 24(%rsi), %r13\n"                                                                    \
	"movq 16(%rsi), %r14\n"                                                                    \
	"movq 8(%rsi), %r15\n"                                                                     \
	"movl (%rsp), %eax\n"                                                                      \
	"movzwl 4(%rsp), %ecx\n"                                                                   \
	"xorl (%rsi), %eax\n"                                                                      \
	"testl $0xffc0, %eax\n"                                                                    \
	"jne 3f\n"                                                                                 \
	"1: cmpw %cx, 4(%rsi)\n"                                                                   \
	"jne 4f\n"                                                                                 \
	"2: leaq 56(%rsi), %rsp\n"                                                                 \
	".cfi_def_cfa_offset 8\n"                                                                  \
	".cfi_restore %rbp\n"                                                                      \
	".cfi_restore %rbx\n"                                                                      \
	".cfi_restore %r12\n"                                                                      \
	".cfi_restore %r13\n"                                                                      \
	".cfi_restore %r14\n"                                                                      \
	".cfi_restore %r15\n" go_on ".cfi_endproc\n"                                               \
	"3: ldmxcsr (%rsi)\n"                                                                      \
	"jmp 1b\n"                                                                                 \
	"4: fldcw 4(%rsi)\n"                                                                       \
	"jmp 2b\n"                                                                                 \
	".size " name ", . - " name "\n"

#define RETURN_     "ret\n"
/* Where it goes is loaded first: the sooner a wrong guess is seen. */
#define LOOK_AHEAD_ "movq 56(%rsi), %rdx\n"
#define JUMP_                                                                                      \
	"addq $8, %rsp\n"                                                                          \
	".cfi_adjust_cfa_offset -8\n"                                                              \
	".cfi_register %rip, %rdx\n"                                                               \
	"jmpq *%rdx\n"

/* clang-format off */
__asm__(".text\n"
	SWAP_(WEFT_STRING_(weft_context_swap_), "", RETURN_)
	SWAP_(WEFT_STRING_(weft_context_jump_), LOOK_AHEAD_, JUMP_)
	/* clang-format on */

	".globl weft_context_start_\n"
	".hidden weft_context_start_\n"
	".type weft_context_start_, @function\n"
	"weft_context_start_:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined %rip\n"
	"	movq %r12, %rdi\n"
	"	callq weft_context_begin_\n"
	"	ud2\n"
	"	.cfi_endproc\n"
	".size weft_context_start_, . - weft_context_start_\n");

static void prepare(weft_context *context, char *low, size_t bytes)
{
	enum {
		R12 = 4,
		RETURN = 7,
		WORDS = 8
	};
	uintptr_t top = ((uintptr_t)low + bytes) & ~(uintptr_t)15;
	/* The start is entered as if returned to, and calls with an aligned stack. */
	uint64_t *words = (uint64_t *)top - WORDS;
	uint32_t mxcsr;
	uint16_t control;

	__asm__ __volatile__("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
	for (int i = 0; i < WORDS; i++)
		words[i] = 0;
	words[0] = (uint64_t)control << 32 | mxcsr;
	words[R12] = (uintptr_t)context;
	words[RETURN] = (uintptr_t)weft_context_start_;
	context->stack_pointer_ = words;
}

#else

#define SWAP_NAME_ WEFT_STRING_(weft_context_swap_)
#define JUMP_NAME_ WEFT_STRING_(weft_context_jump_)

/* On the stack, from the lowest: d8 to d15, x19 to x28, x29, x30, fpcr. One for both. */
__asm__(".text\n"
	".p2align 4\n"
	".globl " SWAP_NAME_ "\n"
	".globl " JUMP_NAME_ "\n"
	".type " SWAP_NAME_ ", %function\n"
	".type " JUMP_NAME_ ", %function\n" SWAP_NAME_ ":\n" JUMP_NAME_ ":\n"
	"	.cfi_startproc\n"
	"	sub sp, sp, #176\n"
	"	.cfi_def_cfa_offset 176\n"
	"	stp d8, d9, [sp, #0]\n"
	"	stp d10, d11, [sp, #16]\n"
	"	stp d12, d13, [sp, #32]\n"
	"	stp d14, d15, [sp, #48]\n"
	"	stp x19, x20, [sp, #64]\n"
	"	stp x21, x22, [sp, #80]\n"
	"	stp x23, x24, [sp, #96]\n"
	"	stp x25, x26, [sp, #112]\n"
	"	stp x27, x28, [sp, #128]\n"
	"	stp x29, x30, [sp, #144]\n"
	"	mrs x9, fpcr\n"
	"	str x9, [sp, #160]\n"
	"	.cfi_offset x19, -112\n"
	"	.cfi_offset x20, -104\n"
	"	.cfi_offset x21, -96\n"
	"	.cfi_offset x22, -88\n"
	"	.cfi_offset x23, -80\n"
	"	.cfi_offset x24, -72\n"
	"	.cfi_offset x25, -64\n"
	"	.cfi_offset x26, -56\n"
	"	.cfi_offset x27, -48\n"
	"	.cfi_offset x28, -40\n"
	"	.cfi_offset x29, -32\n"
	"	.cfi_offset x30, -24\n"
	"	mov x10, sp\n"
	"	str x10, [x0]\n"
	"	ldr x10, [x1]\n"
	"	mov sp, x10\n"
	"	ldr x10, [sp, #160]\n"
	"	cmp x9, x10\n"
	"	b.eq 1f\n"
	"	msr fpcr, x10\n"
	"1:	ldp d8, d9, [sp, #0]\n"
	"	ldp d10, d11, [sp, #16]\n"
	"	ldp d12, d13, [sp, #32]\n"
	"	ldp d14, d15, [sp, #48]\n"
	"	ldp x19, x20, [sp, #64]\n"
	"	ldp x21, x22, [sp, #80]\n"
	"	ldp x23, x24, [sp, #96]\n"
	"	ldp x25, x26, [sp, #112]\n"
	"	ldp x27, x28, [sp, #128]\n"
	"	ldp x29, x30, [sp, #144]\n"
	"	add sp, sp, #176\n"
	"	.cfi_def_cfa_offset 0\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size " SWAP_NAME_ ", . - " SWAP_NAME_ "\n"
	".size " JUMP_NAME_ ", . - " JUMP_NAME_ "\n"
	".globl weft_context_start_\n"
	".hidden weft_context_start_\n"
	".type weft_context_start_, %function\n"
	"weft_context_start_:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined x30\n"
	"	mov x0, x19\n"
	"	bl weft_context_begin_\n"
	"	brk #1\n"
	"	.cfi_endproc\n"
	".size weft_context_start_, . - weft_context_start_\n");

static void prepare(weft_context *context, char *low, size_t bytes)
{
	enum {
		X19 = 8,
		X30 = 19,
		FPCR = 20,
		WORDS = 22
	};
	uintptr_t top = ((uintptr_t)low + bytes) & ~(uintptr_t)15;
	uint64_t *words = (uint64_t *)top - WORDS;
	uint64_t control;

	__asm__ __volatile__("mrs %0, fpcr" : "=r"(control));
	for (int i = 0; i < WORDS; i++)
		words[i] = 0;
	words[X19] = (uintptr_t)context;
	words[X30] = (uintptr_t)weft_context_start_;
	words[FPCR] = control;
	context->stack_pointer_ = words;
}

#endif

#if defined(ADDRESS_SANITIZER)

static void leave(weft_context *from, weft_context *to)
{
	if (from->bytes_ == 0) {
		pthread_attr_t attributes;

		pthread_getattr_np(pthread_self(), &attributes);
		pthread_attr_getstack(&attributes, &from->low_, &from->bytes_);
		pthread_attr_destroy(&attributes);
	}
	__sanitizer_start_switch_fiber(&from->shadow_, to->low_, to->bytes_);
}

static void arrive(weft_context *context)
{
	__sanitizer_finish_switch_fiber(context->shadow_, NULL, NULL);
}

#elif defined(THREAD_SANITIZER)

static void leave(weft_context *from, weft_context *to)
{
	if (from->twin_ == NULL)
		from->twin_ = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(to->twin_, 0);
}

static void arrive(weft_context *context)
{
	(void)context;
}

#else

static inline void arrive(weft_context *context)
{
	(void)context;
}

#endif

void weft_context_begin_(weft_context *context)
{
	arrive(context);
	context->entry_(context->argument_);
	__builtin_trap();
}

void weft_context_init(weft_context *context, void *low, size_t bytes,
		       void (*entry)(void *argument), void *argument)
{
	WEFT_CONTRACT(bytes >= WEFT_CONTEXT_BYTES_MIN, "a stack has WEFT_CONTEXT_BYTES_MIN bytes");
	context->entry_ = entry;
	context->argument_ = argument;
	context->low_ = low;
	context->bytes_ = bytes;
	context->shadow_ = NULL;
	context->twin_ = NULL;
#if defined(THREAD_SANITIZER)
	context->twin_ = __tsan_create_fiber(0);
#endif
	prepare(context, low, bytes);
}

#if defined(ADDRESS_SANITIZER) || defined(THREAD_SANITIZER)

void weft_context_switch(weft_context *from, weft_context *to)
{
	leave(from, to);
	weft_context_jump_(from, to);
	arrive(from);
}

void weft_context_switch_paired_(weft_context *from, weft_context *to)
{
	leave(from, to);
	weft_context_swap_(from, to);
	arrive(from);
}

#endif

void weft_context_fini(weft_context *context)
{
#if defined(THREAD_SANITIZER)
	__tsan_destroy_fiber(context->twin_);
#endif
	context->stack_pointer_ = NULL;
}
