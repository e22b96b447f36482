/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_LOCKFREE_RECLAIM_THREAD_H
#define WEFT_LOCKFREE_RECLAIM_THREAD_H

/* Private: what a pool's worker tells reclaim, and what stands behind reclaim.h. */

#include <weft/lockfree/reclaim.h>

/*
 * The calling thread is a worker from here on, and counts as reading at all times but when it says
 * otherwise: weft_reclaim_quiescent between tasks, _worker_parks_ and _worker_wakes_ around sleep.
 * When there is no memory it stays a thread like any other, and these do nothing.
 */
void weft_reclaim_worker_begins_(void);
void weft_reclaim_worker_ends_(void);
/* Inside a section the worker goes on reading. */
void weft_reclaim_worker_parks_(void);
void weft_reclaim_worker_wakes_(void);

/* Called by reclaim_urcu.c: the thread that was registered ends; this process is a child. */
void weft_reclaim_thread_ends_(void);
void weft_reclaim_forked_(void);

/* A head that stands beside what is retired. */
typedef struct weft_reclaim_note_ {
	weft_reclaim_head head;
	void *pointer;
	void (*function)(void *pointer);
} weft_reclaim_note_;

/*
 * Makes a note; its pointer is still to be set. All that can fail is behind it then.
 * Returns 0; -EINVAL without a function; -EAGAIN when the backlog is above the limit; -ENOMEM.
 */
int weft_reclaim_make_note_(weft_reclaim_note_ **note, void (*function)(void *pointer));

/* Retires what the note points to; the note goes with it. */
void weft_reclaim_push_note_(weft_reclaim_note_ *note, size_t bytes);

/* A thread as others see it. Records are never freed: one that is left is taken by the next. */
typedef struct weft_reclaim_record_ {
	/* The grace period that was the newest when the thread last began to read, or reported that
	 * it holds nothing; 0 while it does not read. Written by the thread. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) epoch;
	/* Written by the thread. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) retired_objects;
	WEFT_ATOMIC(uint64_t) retired_bytes;
	WEFT_ATOMIC(uint64_t) refused;
	/* What it has retired, newest first; taken by the collector. */
	WEFT_ATOMIC(weft_reclaim_head *) retired;
	/* Written when threads begin and end. relaxed: they are for reports. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(int32_t) thread;
	WEFT_ATOMIC(bool) worker;
	WEFT_ATOMIC(bool) used;
	struct weft_reclaim_record_ *next; /* constant */
	/* Part of the batch; the collector's. */
	weft_reclaim_head *batch;
} weft_reclaim_record_;

enum {
	WEFT_RECLAIM_IDLE_,    /* there is no batch */
	WEFT_RECLAIM_WAITING_, /* it waits for the grace period of waiting_epoch */
	WEFT_RECLAIM_READY_,   /* its functions are being called */
};

/* All that threads share. */
typedef struct weft_reclaim_state_ {
	/* The newest grace period; the first one is 1, so that 0 is none. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) epoch;
	/* How many threads sleep in liburcu, which workers then have to tell. */
	WEFT_ATOMIC(uint64_t) sleepers;
	/* All records but `common`, newest first. */
	WEFT_ATOMIC(weft_reclaim_record_ *) records;
	WEFT_ATOMIC(uint64_t) limit_objects;
	WEFT_ATOMIC(uint64_t) limit_bytes;
	/* Threads without a record that are inside a section. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint64_t) unnamed;
	/* What they have retired. */
	weft_reclaim_record_ common;
	/* 1 while a thread is the collector, which all below belongs to. */
	WEFT_LINE_ALIGNED WEFT_ATOMIC(uint32_t) collecting;
	uint32_t stage;                      /* of the batch: one of the below */
	WEFT_ATOMIC(uint64_t) waiting_epoch; /* 0: there is none */
	WEFT_ATOMIC(uint64_t) waiting_since_ns;
	WEFT_ATOMIC(uint64_t) taken; /* batches, of which one at a time is waiting or ready */
	uint64_t done;               /* of these */
	uint32_t passes;             /* of collectors that left what is ready to its threads */
	WEFT_ATOMIC(uint64_t) freed_objects;
	WEFT_ATOMIC(uint64_t) freed_bytes;
} weft_reclaim_state_;

extern weft_reclaim_state_ weft_reclaim_all_ __attribute__((visibility("hidden")));

/* weft_reclaim_quiescent for a worker between two tasks: as quick as a look can be. */
WEFT_INLINE void weft_reclaim_between_tasks_(void)
{
	const weft_reclaim_record_ *record = weft_reclaim_self_.record_;

	/* relaxed: a hint; what is not seen now is seen after the next task, and E3 acquires. */
	if (record != NULL &&
	    (atomic_load_explicit(&weft_reclaim_all_.epoch, memory_order_relaxed) !=
		     atomic_load_explicit(&record->epoch, memory_order_relaxed) ||
	     atomic_load_explicit(&weft_reclaim_all_.sleepers, memory_order_relaxed) != 0))
		weft_reclaim_quiescent();
}

#endif
