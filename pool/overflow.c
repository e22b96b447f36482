/* SPDX-License-Identifier: Apache-2.0 */
#include "overflow.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker.h"

enum {
	ALTERNATE_BYTES = 64 << 10,
	/* An access so far below a stack is taken for one beyond its end. */
	REACH_BYTES = 4096,
};

static WEFT_ATOMIC(uint32_t) taken; /* 1 while somebody changes what follows */
static unsigned pools;
static struct sigaction earlier; /* while it is ours */

/* Appends a text, or a number. Nothing that a handler must not call. */
static char *say(char *end, const char *text)
{
	while (*text != '\0')
		*end++ = *text++;
	return end;
}

static char *say_number(char *end, size_t number)
{
	char digits[24], *first = digits + sizeof(digits) - 1;

	*first = '\0';
	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	return say(end, first);
}

static void tell(const weft_worker_ *worker, const weft_fiber_ *fiber, bool of_forks)
{
	char line[200], *end = say(line, "weft: stack overflow in a task on worker ");

	end = say_number(end, worker->index);
	if (of_forks) {
		end = say(end, ", which has forked more calls than may be unjoined at a time");
	} else if (fiber->stack.low != NULL) {
		end = say(end, ", whose stack has ");
		end = say_number(end, (size_t)(fiber->stack.high - fiber->stack.low));
		end = say(end, " bytes (stack_bytes in the options of the pool)");
	}
	end = say(end, "\n");
	/* There is nobody to tell that it cannot be told. */
	if (write(STDERR_FILENO, line, (size_t)(end - line)) < 0)
		return;
}

static void on_fault(int number, siginfo_t *fault, void *context)
{
	const weft_worker_ *worker = weft_worker_current_;
	int error = errno;

	(void)context;
	if (worker != NULL) {
		const weft_fiber_ *fiber = worker->fibers.running;
		uintptr_t low = (uintptr_t)(fiber->stack.low != NULL ? fiber->stack.low
								     : worker->overflow.low);
		uintptr_t at = (uintptr_t)fault->si_addr;

		bool of_forks = weft_forkjoin_is_beyond_all_(worker, fault->si_addr);

		if (of_forks || (at < low && low - at <= REACH_BYTES))
			tell(worker, fiber, of_forks);
	}
	sigaction(number, &earlier, NULL);
	/* What a process sends does not happen again by itself. */
	if (fault->si_code <= 0)
		raise(number);
	errno = error;
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == on_fault;
}

/* Pools that begin or end take turns. */
static void take(void)
{
	/* K1 acquire, pairs with K2: what the one before has left. */
	while (atomic_exchange_explicit(&taken, 1, memory_order_acquire) != 0)
		weft_park_while(&taken, 1, 0, WEFT_FOREVER);
}

static void give_back(void)
{
	/* K2 release, pairs with K1: as there. */
	atomic_store_explicit(&taken, 0, memory_order_release);
	weft_park_wake(&taken, 1);
}

void weft_overflow_watch_(void)
{
	struct sigaction action;

	take();
	if (pools++ == 0 && sigaction(SIGSEGV, NULL, &action) == 0 &&
	    (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_DFL) {
		earlier = action;
		memset(&action, 0, sizeof(action));
		action.sa_sigaction = on_fault;
		action.sa_flags = SA_SIGINFO | SA_ONSTACK;
		sigaction(SIGSEGV, &action, NULL);
	}
	give_back();
}

void weft_overflow_unwatch_(void)
{
	struct sigaction action;

	take();
	if (--pools == 0 && sigaction(SIGSEGV, NULL, &action) == 0 && is_ours(&action))
		sigaction(SIGSEGV, &earlier, NULL);
	give_back();
}

void weft_overflow_forked_(void)
{
	/* relaxed: there is one thread. */
	atomic_store_explicit(&taken, 0, memory_order_relaxed);
}

void weft_overflow_worker_begins_(weft_worker_ *self)
{
	pthread_attr_t attributes;
	stack_t stack;
	sigset_t faults;
	void *low;
	size_t bytes;

	if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
		if (pthread_attr_getstack(&attributes, &low, &bytes) == 0)
			self->overflow.low = low;
		pthread_attr_destroy(&attributes);
	}
	/* A sanitizer may have set its own. */
	if (sigaltstack(NULL, &stack) != 0 || (stack.ss_flags & SS_DISABLE) == 0)
		return;
	stack.ss_sp = mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return;
	stack.ss_size = ALTERNATE_BYTES;
	stack.ss_flags = 0;
	self->overflow.alternate = stack.ss_sp;
	sigaltstack(&stack, NULL);
	/* A fault whose signal is blocked kills without asking anybody. */
	sigemptyset(&faults);
	sigaddset(&faults, SIGSEGV);
	pthread_sigmask(SIG_UNBLOCK, &faults, NULL);
}

void weft_overflow_worker_ends_(weft_worker_ *self)
{
	const stack_t none = {.ss_flags = SS_DISABLE};

	if (self->overflow.alternate == NULL)
		return;
	sigaltstack(&none, NULL);
	munmap(self->overflow.alternate, ALTERNATE_BYTES);
	self->overflow.alternate = NULL;
}
