/* SPDX-License-Identifier: Apache-2.0 */
#include "reclaim_urcu.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>
#include <urcu/static/urcu-memb.h>
#include <urcu/static/urcu-qsbr.h>
#include <urcu/urcu-memb.h>
#include <urcu/urcu-qsbr.h>

#include "reclaim_thread.h"

/*
 * liburcu is called, not inlined: its small functions look at memory that is volatile, not atomic,
 * and a sanitizer takes that for data races. The one path that is too short for calls, a section of
 * a thread that is no worker, is in reclaim.h, by atomics on the two words that it needs.
 */

static_assert(WEFT_RECLAIM_DEPTH_ == URCU_GP_CTR_NEST_MASK && URCU_GP_COUNT == 1,
	      "liburcu's counter");

const weft_urcu_words_ weft_urcu_memb_ = {
	.period = (const WEFT_ATOMIC(unsigned long) *)&urcu_memb_gp.ctr,
	.sleeper = (const WEFT_ATOMIC(int32_t) *)&urcu_memb_gp.futex,
};

/* Its value is set in every thread that is registered: its destructor runs when the thread ends. */
static pthread_key_t key;
static bool has_key;
/* The process is a child: liburcu's lists name threads that are not here, in memory that is used
 * for other things, so it is left alone from then on. */
static bool forked;

/* This thread has called urcu_memb_read_lock, or is about to: the section of a handler that comes
 * in between is seen by the words of reclaim.c alone. */
static __thread bool is_locked;
/* This thread was registered here. */
static __thread bool is_registered;

static void thread_ends(void *unused)
{
	(void)unused;
	weft_reclaim_thread_ends_();
}

static void after_fork(void)
{
	forked = true;
	weft_reclaim_forked_();
}

/* Before main, so that no thread has to ask whether it is done. */
static void __attribute__((constructor)) prepare(void)
{
	has_key = pthread_key_create(&key, thread_ends) == 0;
	/* Without it a child has sections that nobody ends: then there is no key either. */
	if (has_key && pthread_atfork(NULL, NULL, after_fork) != 0) {
		pthread_key_delete(key);
		has_key = false;
	}
}

bool weft_urcu_register_(void)
{
	if (!has_key || pthread_setspecific(key, &key) != 0)
		return false;
	/* A thread that uses liburcu by itself has done so. */
	if (!forked && !URCU_TLS(urcu_memb_reader).registered) {
		urcu_memb_register_thread();
		is_registered = true;
	}
	return true;
}

void weft_urcu_unregister_(void)
{
	if (!forked && is_registered)
		urcu_memb_unregister_thread();
	is_registered = false;
}

WEFT_ATOMIC(unsigned long) * weft_urcu_counter_(void)
{
	if (forked || !urcu_memb_has_sys_membarrier)
		return NULL;
	return (WEFT_ATOMIC(unsigned long) *)&URCU_TLS(urcu_memb_reader).ctr;
}

void weft_urcu_enter_(void)
{
	if (forked || is_locked)
		return;
	is_locked = true;
	urcu_memb_read_lock();
}

void weft_urcu_exit_(void)
{
	if (!is_locked)
		return;
	is_locked = false;
	if (!forked)
		urcu_memb_read_unlock();
}

void weft_urcu_wake_(void)
{
	/* Another section, which ends as all do. */
	urcu_memb_read_lock();
	urcu_memb_read_unlock();
}

void weft_urcu_worker_register_(void)
{
	if (!forked)
		urcu_qsbr_register_thread();
}

void weft_urcu_worker_unregister_(void)
{
	if (!forked)
		urcu_qsbr_unregister_thread();
}

void weft_urcu_worker_quiescent_(void)
{
	if (!forked)
		urcu_qsbr_quiescent_state();
}

void weft_urcu_worker_online_(void)
{
	if (!forked)
		urcu_qsbr_thread_online();
}

void weft_urcu_worker_offline_(void)
{
	if (!forked)
		urcu_qsbr_thread_offline();
}

bool weft_urcu_fence_process_(void)
{
	/* It fails when the process has not registered: liburcu has done that, but perhaps not in
	 * this flavour, and the child of a fork may have to do it again. */
	return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0 ||
	       (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0 &&
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0);
}

void weft_urcu_barrier_everywhere_(void)
{
	/* Where there is none, liburcu uses this one; if it fails too, no thread has a counter. */
	if (!forked && !weft_urcu_fence_process_())
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0);
}

bool weft_urcu_restart_sequences_(size_t cpu)
{
	const int restart = MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ;

	if (syscall(SYS_membarrier, restart, MEMBARRIER_CMD_FLAG_CPU, cpu) == 0)
		return true;
	/* The process has to say once that it wants this; a child, perhaps, for itself. */
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0) == 0 &&
	       syscall(SYS_membarrier, restart, MEMBARRIER_CMD_FLAG_CPU, cpu) == 0;
}

void weft_urcu_wait_(void)
{
	if (forked)
		return;
	urcu_memb_synchronize_rcu();
	urcu_qsbr_synchronize_rcu();
}

int32_t weft_urcu_thread_number_(void)
{
	return (int32_t)syscall(SYS_gettid);
}
