/* SPDX-License-Identifier: Apache-2.0 */
#include "reclaim_thread.h"

#include <stdlib.h>
#include <string.h>

#include "reclaim_urcu.h"

/*
 * Grace periods.
 *
 * One thread at a time is the collector; who finds another at it goes on without. It takes what all
 * threads have retired, then makes a barrier in all threads (fence_all), then begins grace period g
 * by storing g in `epoch`, then looks at the word of each thread. The grace period
 * is over when each word is 0 or at least g. This look may be repeated later and by another
 * collector.
 *
 * Let a piece have been unlinked before it was retired, so before g was stored.
 *   - A word that is at least g: the thread has read g from `epoch` before it reads anything of
 * this section (E1, E4), so what was unlinked is not found.
 *   - A word that is 0, or at least g, and not what it was: the last section has ended, and all it
 *     did happens before (S1).
 *   - A word that is 0 although the thread has begun to read: then its store of the word comes
 * after the barrier, so its loads come after the unlinking. A thread that is not yet in the list is
 * the same case. Words of sections that begin later change nothing.
 */

enum {
	/* A thread looks at the limit, and does the next bit of work, after so much. */
	OBJECTS_PER_LOOK = 32,
	BYTES_PER_LOOK = 64 * 1024,
	/* What a grace period is begun for by those who retire: its barrier takes microseconds. */
	OBJECTS_PER_BATCH = 1024,
	BYTES_PER_BATCH = 1024 * 1024,
	/* Functions that one call runs. More than are retired between two looks, so that the work
	 * is done at last. */
	CALLS_AT_ONCE = 128,
	/* Each thread frees what it has retired, whose lines and lists are near it; so one that
	 * retires and has none of its own left passes so often before it frees that of others. */
	PASSES_BEFORE_HELP = 16,
};

__thread __attribute__((tls_model("initial-exec"))) weft_reclaim_self weft_reclaim_self_;

weft_reclaim_state_ weft_reclaim_all_ = {
	.epoch = 1,
	.records = &weft_reclaim_all_.common,
	.limit_objects = 262144,
	.limit_bytes = (uint64_t)256 * 1024 * 1024,
	.common = {.used = true},
};

static weft_reclaim_state_ *const all = &weft_reclaim_all_;

/* The records, `common` last. */
static weft_reclaim_record_ *first_record(void)
{
	/* J1 acquire, pairs with J2: the record is complete. */
	return atomic_load_explicit(&all->records, memory_order_acquire);
}

/* A record that no thread has, or a new one; NULL when there is no memory. */
static weft_reclaim_record_ *claim_record(void)
{
	weft_reclaim_record_ *record;

	for (record = first_record(); record != NULL; record = record->next) {
		bool used = false;

		/* N1 acquire, pairs with N2: what the thread before did with it is done. */
		if (atomic_compare_exchange_strong_explicit(
			    &record->used, &used, true, memory_order_acquire, memory_order_relaxed))
			return record;
	}
	record = aligned_alloc(WEFT_CACHE_LINE, sizeof(*record));
	if (record == NULL)
		return NULL;
	memset((void *)record, 0, sizeof(*record));
	/* relaxed: published by J2. */
	atomic_store_explicit(&record->used, true, memory_order_relaxed);
	record->next = atomic_load_explicit(&all->records, memory_order_relaxed);
	/* J2 release, pairs with J1: the record is complete. */
	while (!atomic_compare_exchange_weak_explicit(&all->records, &record->next, record,
						      memory_order_release, memory_order_relaxed))
		;
	return record;
}

/* A full barrier here, and in every thread that is inside a section or enters one. */
static void fence_all(void)
{
	weft_urcu_barrier_everywhere_();
	/* A4 seq_cst, pairs with A1, A2, A3, U1: what was stored before is seen by who loads after
	 * its own, or what that one stored before is seen from here on. */
	atomic_thread_fence(memory_order_seq_cst);
}

/* The record is the calling thread's. */
static void take_record(weft_reclaim_self *self, weft_reclaim_record_ *record)
{
	self->record_ = record;
	self->epoch_ = &record->epoch;
	self->newest_epoch_ = &all->epoch;
}

static void leave_record(weft_reclaim_record_ *record)
{
	/* X2 release, pairs with S1: what the thread has read, it has read. */
	atomic_store_explicit(&record->epoch, 0, memory_order_release);
	/* N2 release, pairs with N1: the next thread may have it. */
	atomic_store_explicit(&record->used, false, memory_order_release);
	weft_reclaim_self_.record_ = NULL;
	weft_reclaim_self_.counter_ = NULL;
}

/* Makes the thread known by name. relaxed: see the fields. */
static void join(weft_reclaim_self *self)
{
	weft_reclaim_record_ *record = claim_record();

	if (record == NULL)
		return;
	atomic_store_explicit(&record->thread, weft_urcu_thread_number_(), memory_order_relaxed);
	atomic_store_explicit(&record->worker, false, memory_order_relaxed);
	if (!weft_urcu_register_()) {
		leave_record(record);
		return;
	}
	take_record(self, record);
	self->period_ = weft_urcu_memb_.period;
	self->sleeper_ = weft_urcu_memb_.sleeper;
	self->counter_ = weft_urcu_counter_();
}

/* Also when a section begins that has to be named first. */
void weft_reclaim_begin_slowly_(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;

	if (self->record_ == NULL)
		join(self);
	if (self->counter_ != NULL) {
		weft_reclaim_begin_reading_();
		return;
	}
	if (self->record_ != NULL) {
		weft_reclaim_begin_epoch_();
		weft_urcu_enter_();
		/* A1 seq_cst, pairs with A4: what was stored before, or what is loaded after. */
		atomic_thread_fence(memory_order_seq_cst);
	} else {
		self->unnamed_ = true;
		/* relaxed: U1 follows. */
		atomic_fetch_add_explicit(&all->unnamed, 1, memory_order_relaxed);
		/* U1 seq_cst, pairs with A4: the collector sees the addition, or this
		 * thread what was unlinked. */
		atomic_thread_fence(memory_order_seq_cst);
	}
	self->shielded_ = WEFT_RECLAIM_SHIELDED_;
}

void weft_reclaim_end_slowly_(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;

	if (self->unnamed_) {
		self->unnamed_ = false;
		/* U2 release, pairs with S2: what was read, was read. */
		atomic_fetch_sub_explicit(&all->unnamed, 1, memory_order_release);
		return;
	}
	weft_urcu_exit_();
	/* X4 release, pairs with S1: what was read, was read. */
	atomic_store_explicit(&self->record_->epoch, 0, memory_order_release);
}

void weft_reclaim_wake_(void)
{
	weft_urcu_wake_();
}

void weft_reclaim_thread_ends_(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;

	weft_reclaim_end_reading_();
	weft_urcu_unregister_();
	leave_record(self->record_);
	self->depth_ = 0;
}

/* A worker outside of sections: only then can it say that it holds nothing. */
static bool is_idle_worker(const weft_reclaim_self *self)
{
	return self->shielded_ == WEFT_RECLAIM_WORKER_ && self->depth_ == 0;
}

void weft_reclaim_worker_begins_(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;
	weft_reclaim_record_ *record = self->record_ == NULL ? claim_record() : NULL;

	if (record == NULL)
		return;
	/* relaxed: see the fields. */
	atomic_store_explicit(&record->thread, weft_urcu_thread_number_(), memory_order_relaxed);
	atomic_store_explicit(&record->worker, true, memory_order_relaxed);
	take_record(self, record);
	self->shielded_ = WEFT_RECLAIM_WORKER_;
	weft_reclaim_begin_epoch_();
	weft_urcu_worker_register_();
	/* A2 seq_cst, pairs with A4: as A1. */
	atomic_thread_fence(memory_order_seq_cst);
}

void weft_reclaim_worker_ends_(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;

	if (self->shielded_ != WEFT_RECLAIM_WORKER_)
		return;
	weft_urcu_worker_unregister_();
	leave_record(self->record_);
	self->depth_ = 0;
	self->shielded_ = WEFT_RECLAIM_OPEN_;
}

void weft_reclaim_quiescent(void)
{
	const weft_reclaim_self *self = &weft_reclaim_self_;

	if (!is_idle_worker(self))
		return;
	/* E3 acquire, pairs with G1, G2: as E1. */
	uint64_t newest = atomic_load_explicit(&all->epoch, memory_order_acquire);

	/* relaxed: only this thread writes it. */
	if (atomic_load_explicit(&self->record_->epoch, memory_order_relaxed) != newest)
		/* E4 release, pairs with S1: as E2. */
		atomic_store_explicit(&self->record_->epoch, newest, memory_order_release);
	weft_urcu_worker_quiescent_();
}

/* The worker does not read until it goes on. */
static void stop_reading(weft_reclaim_self *self)
{
	if (!is_idle_worker(self))
		return;
	/* X3 release, pairs with S1: what was read, was read. */
	atomic_store_explicit(&self->record_->epoch, 0, memory_order_release);
	weft_urcu_worker_offline_();
}

static void go_on_reading(weft_reclaim_self *self)
{
	if (!is_idle_worker(self))
		return;
	weft_reclaim_begin_epoch_();
	weft_urcu_worker_online_();
	/* A3 seq_cst, pairs with A4: as A1. */
	atomic_thread_fence(memory_order_seq_cst);
}

void weft_reclaim_worker_parks_(void)
{
	stop_reading(&weft_reclaim_self_);
}

void weft_reclaim_worker_wakes_(void)
{
	go_on_reading(&weft_reclaim_self_);
}

/* Whether every section has ended that was open when this grace period began. */
static bool is_over(uint64_t grace_period)
{
	for (const weft_reclaim_record_ *record = first_record(); record != NULL;
	     record = record->next) {
		/* S1 acquire, pairs with E2, E4, X1, X2, X3, X4: what was read before, was read. */
		uint64_t epoch = atomic_load_explicit(&record->epoch, memory_order_acquire);

		if (epoch != 0 && epoch < grace_period)
			return false;
	}
	/* S2 acquire, pairs with U2: as S1. */
	return atomic_load_explicit(&all->unnamed, memory_order_acquire) == 0;
}

struct backlog {
	uint64_t objects, bytes;
};

/* relaxed: the numbers are for a limit and for reports. */
static struct backlog read_backlog(void)
{
	struct backlog sum = {0, 0};
	/* What is freed first, lest it be more than what is retired.
	 * F1 acquire, pairs with F3: what is freed has been counted when it was retired. */
	uint64_t objects = atomic_load_explicit(&all->freed_objects, memory_order_acquire);
	/* F2 acquire, pairs with F4: the same. */
	uint64_t bytes = atomic_load_explicit(&all->freed_bytes, memory_order_acquire);

	for (const weft_reclaim_record_ *record = first_record(); record != NULL;
	     record = record->next) {
		sum.objects += atomic_load_explicit(&record->retired_objects, memory_order_relaxed);
		sum.bytes += atomic_load_explicit(&record->retired_bytes, memory_order_relaxed);
	}
	sum.objects -= objects;
	sum.bytes -= bytes;
	return sum;
}

/* The collector takes what has been retired and begins a grace period. Returns whether there was
 * anything. */
static bool begin_batch(void)
{
	bool any = false;

	for (weft_reclaim_record_ *record = first_record(); record != NULL; record = record->next) {
		/* relaxed: a look, to leave the line with its thread if it can be. */
		if (atomic_load_explicit(&record->retired, memory_order_relaxed) == NULL)
			continue;
		any = true;
		/* R1 acquire, pairs with R2: the objects, and that they are unlinked. */
		record->batch =
			atomic_exchange_explicit(&record->retired, NULL, memory_order_acquire);
	}
	if (!any)
		return false;
	fence_all();
	/* G1 release, pairs with E1, E3: who sees this sees what was unlinked. */
	uint64_t newest = atomic_fetch_add_explicit(&all->epoch, 1, memory_order_release) + 1;

	/* relaxed: only the collector writes these, and others read them for reports. */
	atomic_store_explicit(&all->waiting_since_ns, weft_clock_ns_(), memory_order_relaxed);
	atomic_store_explicit(&all->waiting_epoch, newest, memory_order_relaxed);
	atomic_fetch_add_explicit(&all->taken, 1, memory_order_relaxed);
	all->stage = WEFT_RECLAIM_WAITING_;
	return true;
}

/* Whether the collector frees what this record has in the batch. */
static bool is_to_free(const weft_reclaim_record_ *record, bool of_others)
{
	/* relaxed: only for where it is freed best. */
	return of_others || record == weft_reclaim_self_.record_ || record == &all->common ||
	       all->passes >= PASSES_BEFORE_HELP ||
	       !atomic_load_explicit(&record->used, memory_order_relaxed);
}

/* The collector calls the functions of some objects whose grace period is over. */
static size_t call_some(bool of_others)
{
	/* relaxed: only the collector writes them. */
	uint64_t objects = atomic_load_explicit(&all->freed_objects, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&all->freed_bytes, memory_order_relaxed);
	size_t count = 0;
	bool any_left = false;

	for (weft_reclaim_record_ *record = first_record(); record != NULL; record = record->next) {
		bool frees = record->batch != NULL && is_to_free(record, of_others);
		weft_reclaim_head *head;

		while (frees && (head = record->batch) != NULL && count < CALLS_AT_ONCE) {
			record->batch = head->next_;
			bytes += head->bytes_;
			head->function_(head);
			count++;
		}
		any_left |= record->batch != NULL;
	}
	/* F3 release, pairs with F1: what is freed has been counted when it was retired. */
	atomic_store_explicit(&all->freed_objects, objects + count, memory_order_release);
	/* F4 release, pairs with F2: the same. */
	atomic_store_explicit(&all->freed_bytes, bytes, memory_order_release);
	all->passes += count == 0;
	if (!any_left) {
		all->stage = WEFT_RECLAIM_IDLE_;
		all->done++;
		all->passes = 0;
	}
	return count;
}

/* What a collector has found. */
struct finding {
	bool was_collector;
	bool nothing;         /* was left to be done */
	uint64_t taken, done; /* batches: taken before, done after it was at it */
	size_t calls;         /* of functions */
};

static bool is_worth_a_grace_period(void)
{
	struct backlog backlog = read_backlog();

	return backlog.objects >= OBJECTS_PER_BATCH || backlog.bytes >= BYTES_PER_BATCH;
}

/* Does the next bit of work, unless another thread is at it. Who does it for its own sake, and not
 * because it retires, begins small batches and frees all that is there. */
static struct finding collect(bool thoroughly)
{
	weft_reclaim_self *self = &weft_reclaim_self_;
	struct finding found = {0};
	uint32_t nobody = 0;

	/* C1 acquire, pairs with C2: what the collector before did. */
	if (!atomic_compare_exchange_strong_explicit(&all->collecting, &nobody, 1,
						     memory_order_acquire, memory_order_relaxed))
		return found;
	self->collecting_ = true;
	found.was_collector = true;
	/* relaxed: only the collector writes it. */
	found.taken = atomic_load_explicit(&all->taken, memory_order_relaxed);
	if (all->stage == WEFT_RECLAIM_IDLE_ && (thoroughly || is_worth_a_grace_period()))
		found.nothing = !begin_batch();
	if (all->stage == WEFT_RECLAIM_WAITING_) {
		weft_reclaim_quiescent();
		/* relaxed: only the collector writes it. */
		if (is_over(atomic_load_explicit(&all->waiting_epoch, memory_order_relaxed))) {
			atomic_store_explicit(&all->waiting_epoch, 0, memory_order_relaxed);
			all->stage = WEFT_RECLAIM_READY_;
		}
	}
	if (all->stage == WEFT_RECLAIM_READY_)
		found.calls = call_some(thoroughly);
	found.done = all->done;
	self->collecting_ = false;
	/* C2 release, pairs with C1: what this one did. */
	atomic_store_explicit(&all->collecting, 0, memory_order_release);
	return found;
}

size_t weft_reclaim_poll(void)
{
	return collect(true).calls;
}

static weft_reclaim_record_ *own_record(weft_reclaim_self *self)
{
	if (self->record_ == NULL)
		join(self);
	return self->record_ != NULL ? self->record_ : &all->common;
}

/* relaxed: a sum; only its thread writes that of a record, any thread that of `common`. */
static void count(const weft_reclaim_record_ *record, WEFT_ATOMIC(uint64_t) * sum, uint64_t amount)
{
	if (record == &all->common)
		atomic_fetch_add_explicit(sum, amount, memory_order_relaxed);
	else
		atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + amount,
				      memory_order_relaxed);
}

/* relaxed: the limit is a number. */
static bool is_above_limit(void)
{
	struct backlog backlog = read_backlog();

	return backlog.objects > atomic_load_explicit(&all->limit_objects, memory_order_relaxed) ||
	       backlog.bytes > atomic_load_explicit(&all->limit_bytes, memory_order_relaxed);
}

/* 0, or -EAGAIN when the backlog is above the limit. */
static int find_room(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;

	if (WEFT_LIKELY(!self->refused_))
		return 0;
	weft_reclaim_poll();
	self->refused_ = is_above_limit();
	if (!self->refused_)
		return 0;

	weft_reclaim_record_ *record = own_record(self);

	count(record, &record->refused, 1);
	return -EAGAIN;
}

/* A retire that follows a 0 of find_room, and cannot fail. */
static void push(weft_reclaim_head *head, void (*function)(weft_reclaim_head *head), size_t bytes)
{
	weft_reclaim_self *self = &weft_reclaim_self_;
	weft_reclaim_record_ *record = own_record(self);
	/* relaxed: R2 publishes the object. */
	weft_reclaim_head *newest = atomic_load_explicit(&record->retired, memory_order_relaxed);

	head->function_ = function;
	head->bytes_ = bytes;
	count(record, &record->retired_objects, 1);
	count(record, &record->retired_bytes, bytes);
	do {
		head->next_ = newest;
		/* R2 release, pairs with R1: the object, and that it is unlinked. All are taken at
		 * once, so it does no harm when one comes back. */
	} while (!atomic_compare_exchange_weak_explicit(
		&record->retired, &newest, head, memory_order_release, memory_order_relaxed));
	self->unseen_objects_++;
	self->unseen_bytes_ += bytes;
	if (self->unseen_objects_ < OBJECTS_PER_LOOK && self->unseen_bytes_ < BYTES_PER_LOOK)
		return;
	self->unseen_objects_ = 0;
	self->unseen_bytes_ = 0;
	collect(false);
	self->refused_ = is_above_limit();
}

int weft_reclaim_retire(weft_reclaim_head *head, void (*function)(weft_reclaim_head *head),
			size_t bytes)
{
	int error;

	if (head == NULL || function == NULL)
		return -EINVAL;
	error = find_room();
	if (error == 0)
		push(head, function, bytes);
	return error;
}

int weft_reclaim_make_note_(weft_reclaim_note_ **note, void (*function)(void *pointer))
{
	int error;

	if (function == NULL)
		return -EINVAL;
	error = find_room();
	if (error != 0)
		return error;
	*note = malloc(sizeof(**note));
	if (*note == NULL)
		return -ENOMEM;
	(*note)->function = function;
	return 0;
}

static void run_note(weft_reclaim_head *head)
{
	weft_reclaim_note_ *note = (weft_reclaim_note_ *)head;

	note->function(note->pointer);
	free(note);
}

void weft_reclaim_push_note_(weft_reclaim_note_ *note, size_t bytes)
{
	push(&note->head, run_note, bytes);
}

int weft_reclaim_retire_pointer(void *pointer, void (*function)(void *pointer), size_t bytes)
{
	weft_reclaim_note_ *note;
	int error = weft_reclaim_make_note_(&note, function);

	if (error != 0)
		return error;
	note->pointer = pointer;
	weft_reclaim_push_note_(note, bytes);
	return 0;
}

int weft_reclaim_synchronize(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;

	if (self->depth_ > 0)
		return -EDEADLK;
	stop_reading(self);
	fence_all();
	/* G2 release, pairs with E1, E3: as G1. */
	uint64_t newest = atomic_fetch_add_explicit(&all->epoch, 1, memory_order_release) + 1;

	/* liburcu does the waiting, but does not know threads without a name, and does not tell the
	 * compiler, or a sanitizer, what it has waited for. So the words decide. */
	/* relaxed: workers look again and again. */
	atomic_fetch_add_explicit(&all->sleepers, 1, memory_order_relaxed);
	weft_urcu_wait_();
	atomic_fetch_sub_explicit(&all->sleepers, 1, memory_order_relaxed);
	while (!is_over(newest))
		weft_cpu_rest_(1000);
	go_on_reading(self);
	return 0;
}

int weft_reclaim_barrier(void)
{
	const weft_reclaim_self *self = &weft_reclaim_self_;
	bool is_known = false;
	uint64_t wanted = 0;

	if (self->depth_ > 0 || self->collecting_)
		return -EDEADLK;
	for (;;) {
		struct finding found = collect(true);

		/* Of those that are taken from here on, the first has all that was retired before:
		 * who takes it has been the collector after this thread. */
		if (found.was_collector && !is_known) {
			is_known = true;
			wanted = found.taken + 1;
		}
		if (found.was_collector && (found.nothing || (int64_t)(found.done - wanted) >= 0))
			return 0;
		if (found.calls == 0)
			weft_reclaim_synchronize();
	}
}

int weft_reclaim_limit(size_t objects, size_t bytes)
{
	if (objects == 0 || bytes == 0)
		return -EINVAL;
	/* relaxed: two numbers. */
	atomic_store_explicit(&all->limit_objects, objects, memory_order_relaxed);
	atomic_store_explicit(&all->limit_bytes, bytes, memory_order_relaxed);
	return 0;
}

/* relaxed: a report. */
int weft_reclaim_statistics_read(weft_reclaim_statistics *statistics)
{
	struct backlog backlog;

	if (statistics == NULL || statistics->size != sizeof(*statistics))
		return -EINVAL;
	*statistics = (weft_reclaim_statistics){.size = sizeof(*statistics)};
	backlog = read_backlog();
	statistics->objects = backlog.objects;
	statistics->bytes = backlog.bytes;
	for (const weft_reclaim_record_ *record = first_record(); record != NULL;
	     record = record->next) {
		statistics->retired +=
			atomic_load_explicit(&record->retired_objects, memory_order_relaxed);
		statistics->refused += atomic_load_explicit(&record->refused, memory_order_relaxed);
		if (record != &all->common)
			statistics->threads +=
				atomic_load_explicit(&record->used, memory_order_relaxed);
	}
	statistics->grace_periods = atomic_load_explicit(&all->taken, memory_order_relaxed);
	return 0;
}

/* relaxed: a report; what it says may be over when it is read. */
int weft_reclaim_stalled(weft_reclaim_stall *stall)
{
	uint64_t grace_period, unnamed;

	if (stall == NULL || stall->size != sizeof(*stall))
		return -EINVAL;
	*stall = (weft_reclaim_stall){.size = sizeof(*stall)};
	grace_period = atomic_load_explicit(&all->waiting_epoch, memory_order_relaxed);
	stall->since_ns = atomic_load_explicit(&all->waiting_since_ns, memory_order_relaxed);
	if (grace_period == 0)
		return 0;
	for (const weft_reclaim_record_ *record = first_record(); record != NULL;
	     record = record->next) {
		uint64_t epoch = atomic_load_explicit(&record->epoch, memory_order_relaxed);

		if (epoch == 0 || epoch >= grace_period)
			continue;
		stall->readers++;
		stall->thread = atomic_load_explicit(&record->thread, memory_order_relaxed);
		stall->worker = atomic_load_explicit(&record->worker, memory_order_relaxed);
	}
	unnamed = atomic_load_explicit(&all->unnamed, memory_order_relaxed);
	stall->readers += unnamed;
	return stall->readers > 0;
}

/* What is left in this list: for the child of a fork, which cannot know what was under way. */
static void count_list(const weft_reclaim_head *head, uint64_t *objects, uint64_t *bytes)
{
	for (; head != NULL; head = head->next_) {
		*objects += 1;
		*bytes += head->bytes_;
	}
}

/* relaxed: there is only this thread. */
void weft_reclaim_forked_(void)
{
	weft_reclaim_self *self = &weft_reclaim_self_;
	uint64_t objects = 0, bytes = 0;
	struct backlog backlog;

	self->counter_ = NULL;
	self->counted_ = false;
	if (self->shielded_ == WEFT_RECLAIM_WORKER_)
		self->shielded_ = self->depth_ > 0 ? WEFT_RECLAIM_SHIELDED_ : WEFT_RECLAIM_OPEN_;
	for (weft_reclaim_record_ *record = first_record(); record != NULL; record = record->next) {
		if (!self->collecting_)
			record->batch = NULL;
		count_list(record->batch, &objects, &bytes);
		count_list(atomic_load_explicit(&record->retired, memory_order_relaxed), &objects,
			   &bytes);
		if (record == self->record_)
			atomic_store_explicit(&record->worker, false, memory_order_relaxed);
		if (record != self->record_ || self->depth_ == 0)
			atomic_store_explicit(&record->epoch, 0, memory_order_relaxed);
		if (record != self->record_ && record != &all->common)
			atomic_store_explicit(&record->used, false, memory_order_relaxed);
	}
	atomic_store_explicit(&all->unnamed, self->unnamed_ ? 1 : 0, memory_order_relaxed);
	atomic_store_explicit(&all->sleepers, 0, memory_order_relaxed);
	if (self->collecting_)
		return;
	atomic_store_explicit(&all->collecting, 0, memory_order_relaxed);
	all->stage = WEFT_RECLAIM_IDLE_;
	atomic_store_explicit(&all->waiting_epoch, 0, memory_order_relaxed);
	all->done = atomic_load_explicit(&all->taken, memory_order_relaxed);
	backlog = read_backlog();
	atomic_fetch_add_explicit(&all->freed_objects, backlog.objects - objects,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&all->freed_bytes, backlog.bytes - bytes, memory_order_relaxed);
}
