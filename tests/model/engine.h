/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_TESTS_MODEL_ENGINE_H
#define WEFT_TESTS_MODEL_ENGINE_H

/*
 * What the parts of the model checker share. One execution of a scenario runs at a time, all of it
 * on one thread of the operating system: the scenario's threads are fibers.
 *
 *   engine_hooks.c    what the compiler calls: each atomic and plain access of the checked code
 *   engine_memory.c   the C++20 memory model: which stores a load may read, what that makes visible
 *   engine_race.c     data races
 *   engine_heap.c     malloc and its family, freed memory
 *   engine_futex.c    sleeping, waking and the clock
 *   engine_cpu.c      how many CPUs there are, and where a thread is
 *   engine_history.c  linearizability
 *   engine_search.c   threads, and the choice of who runs next
 *   engine_states.c   which states have been seen
 *   engine_fiber.c    switching stacks
 *   engine_thread_local.c  their thread-local variables
 *   engine_trace.c    the report of a failure
 *   engine_weaken.c   an order that is taken to be weaker
 *   engine_main.c     command line and results
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum {
	ENGINE_THREADS = 8, /* the scenario's own included */
	ENGINE_LOCATIONS = 128,
	ENGINE_STEPS_MAX = 4000,   /* of one execution */
	ENGINE_STEPS_SILENT = 300, /* without a write by anybody: a livelock */
	ENGINE_OBSERVATIONS = 32,
	ENGINE_STACK_SIZE = 64 * 1024,
};

/* Wide enough for every atomic. */
typedef unsigned __int128 engine_value;

/*
 * What a thread knows, or what a store tells its reader. seen[l] is the stamp of the newest store
 * to location l that it may not go back behind (coherence); clock[t] is how far into thread t's
 * past it reaches (happens-before). Locations from `count` on have stamp 0.
 */
struct engine_view {
	uint32_t clock[ENGINE_THREADS];
	uint32_t count;
	uint32_t seen[ENGINE_LOCATIONS];
};

struct engine_store {
	engine_value value;
	uint64_t id;              /* names the store by its thread's past */
	struct engine_view *view; /* what an acquiring reader learns; NULL: nothing */
	uint32_t stamp;           /* rises along the modification order */
	bool is_update;           /* of the store before it: none may come between */
};

/* An atomic object; its stores in modification order. */
struct engine_location {
	uintptr_t address;
	uint32_t size;
	bool reload; /* the newest store was a plain one, its value is in memory */
	uint32_t count, capacity;
	struct engine_store *stores;
	uint64_t order_hash;
	int index;
};

enum engine_kind {
	ENGINE_LOAD,
	ENGINE_STORE,
	ENGINE_UPDATE,
	ENGINE_FENCE,
	ENGINE_WAIT,
	ENGINE_WAKE,
	ENGINE_JOIN,
	/* only in traces */
	ENGINE_WOKEN,
	ENGINE_TIMEOUT,
	ENGINE_SPURIOUS,
	ENGINE_FROZEN,
	ENGINE_ALLOCATE,
	ENGINE_FREE,
	ENGINE_CALL,
	ENGINE_RETURN,
};

enum engine_state {
	ENGINE_READY,
	ENGINE_ASLEEP,
	ENGINE_FINISHED,
	ENGINE_STOPPED
};

struct engine_thread {
	void *context;
	char *stack;
	void (*function)(void *argument);
	void *argument;
	enum engine_state state;
	enum engine_kind pending;    /* the operation it does when it runs next */
	struct engine_view now;      /* what this thread knows */
	struct engine_view acquired; /* what it learns at its next acquire fence */
	struct engine_view released; /* what it knew at its last release fence */
	/* All that this thread has observed, hashed: its local state is a function of this. */
	uint64_t history;
	/* Loads since its last write, to notice that it spins. */
	uint64_t observations[ENGINE_OBSERVATIONS];
	unsigned observation_count;
	bool spins;  /* until somebody else writes */
	bool counts; /* it seemed to spin and went on, since its last write */
	/* Asleep: */
	uintptr_t sleeps_on;
	bool has_deadline;
	uint64_t deadline;
	enum engine_kind woken_by;
	int call; /* index of a recorded call that has not done its first step, or -1 */
	int open_call;
	uint32_t calls_returned;
	int priority;
	size_t heap_used;
};

enum engine_mode {
	ENGINE_DEPTH_FIRST,
	ENGINE_RANDOM,
	ENGINE_PCT
};

struct engine_options {
	enum engine_mode mode;
	int preemptions, stale; /* MODEL_UNBOUNDED: no bound */
	bool freeze, fail_allocations, spurious_wakes, real_time;
	bool merge;
	uint64_t seed;
	uint64_t executions_max; /* 0: no limit */
	double seconds_max;      /* 0: no limit */
	int pct_depth;
};

struct engine_result {
	bool failed, complete;
	uint64_t executions, merged, states;
	double seconds;
	uint64_t longest; /* steps */
	char message[512];
};

struct engine {
	struct engine_options options;
	struct engine_result result;
	bool running; /* an execution is under way */
	bool weakens; /* some order, see engine_weaken.c */
	bool inside;  /* and its current thread is inside the engine: wrapped calls pass through */
	const struct model_scenario *scenario;
	void *home; /* context of the search */

	struct engine_thread threads[ENGINE_THREADS];
	int thread_count, self;
	int preemptions, stale; /* used so far */
	int frozen;             /* thread, or 0 */
	bool allocation_failed;
	uint64_t steps, last_write;
	uint64_t time_ns;

	struct engine_location locations[ENGINE_LOCATIONS];
	int location_count;
	struct engine_view ordered; /* of the seq_cst operations and fences so far */
	uint64_t memory_hash;       /* of all locations' orders and of `ordered` */
};

extern struct engine engine;

static inline struct engine_thread *engine_self(void)
{
	return &engine.threads[engine.self];
}

static inline uint64_t engine_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9E3779B97F4A7C15u;
	hash ^= hash >> 29;
	hash *= 0xBF58476D1CE4E5B9u;
	return hash ^ (hash >> 32);
}

static inline bool engine_acquires(int order)
{
	return order == memory_order_acquire || order == memory_order_consume ||
	       order == memory_order_acq_rel || order == memory_order_seq_cst;
}

static inline bool engine_releases(int order)
{
	return order == memory_order_release || order == memory_order_acq_rel ||
	       order == memory_order_seq_cst;
}

/* engine_search.c */
struct engine_result engine_explore(const struct model_scenario *scenario,
				    const struct engine_options *options);
int engine_choose(int count);
/* The current thread is about to do this: lets the search decide who goes first. */
void engine_point(enum engine_kind kind);
/* The current thread sleeps; returns when it runs again. */
void engine_sleep(void);
/* Somebody wrote: those who spin may look again. */
void engine_wrote(void);
/* The current thread has read: a round that repeats without a write is a spin. */
void engine_observe(uint64_t observation, bool is_newest);
/* Whether the current thread begins the same round for the third time since its last write. */
bool engine_repeats(uint64_t observation);
bool engine_surprise_left(void);

/* engine_states.c */
void engine_states_clear(void);
/* Whether this state was seen with no more of the budgets used; if not, it is now. */
bool engine_states_seen(uint64_t key, int preemptions, int stale);
uint64_t engine_states_count(void);

/* engine_memory.c */
void engine_memory_start(void);
engine_value engine_load(uintptr_t address, uint32_t size, int order, const void *pc);
void engine_store(uintptr_t address, uint32_t size, engine_value value, int order, const void *pc);
enum engine_arithmetic {
	ENGINE_EXCHANGE,
	ENGINE_ADD,
	ENGINE_SUB,
	ENGINE_AND,
	ENGINE_OR,
	ENGINE_XOR,
	ENGINE_NAND,
};
engine_value engine_compute(enum engine_arithmetic arithmetic, engine_value left,
			    engine_value right, uint32_t size);
engine_value engine_update(uintptr_t address, uint32_t size, enum engine_arithmetic arithmetic,
			   engine_value operand, int order, const void *pc);
struct engine_exchange {
	uintptr_t address;
	uint32_t size;
	engine_value expected, desired;
	int order, failure_order;
	bool weak;
};
/* Returns whether it succeeded; on failure `expected` is what was read. */
bool engine_compare_exchange(struct engine_exchange *exchange, const void *pc);
void engine_fence(int order, const void *pc);
/* A seq_cst fence of every thread: what membarrier does. */
void engine_fence_all(const void *pc);
/* A plain write to bytes that hold atomic objects. */
void engine_memory_overwritten(uintptr_t address, size_t size);
struct engine_location *engine_location(uintptr_t address, uint32_t size);
/* The load itself, without a choice of who goes first. */
engine_value engine_read(struct engine_location *location, int order, const void *pc);
void engine_view_reset(struct engine_view *view);
void engine_view_join(struct engine_view *into, const struct engine_view *from);
void engine_view_join_seen(struct engine_view *into, const struct engine_view *from);
uint64_t engine_view_hash(const struct engine_view *view);

/* engine_race.c */
void engine_race_start(void);
void engine_plain(uintptr_t address, size_t size, bool is_write, const void *pc);
void engine_race_atomic(uintptr_t address, uint32_t size, bool is_write, const void *pc);
void engine_race_has_location(uintptr_t address, uint32_t size);

/* engine_heap.c */
void engine_heap_start(void);
/* Fails when the bytes are in the heap but not inside a live block. */
void engine_heap_check(uintptr_t address, size_t size, const void *pc);
bool engine_heap_contains(uintptr_t address);
/* Fails when blocks are left. */
void engine_heap_finish(void);

/* engine_futex.c */
void engine_futex_start(void);

/* engine_history.c */
void engine_history_start(void);
void engine_history_step(void);
void engine_history_describe(int index, char *text, size_t size);

/* engine_fiber.c */
void *engine_fiber_create(char *stack, size_t size, void (*entry)(void));
void engine_fiber_switch(void **from, void *to);

/* engine_weaken.c */
/* "ADDRESS,...=ORDER" or "...=failure:ORDER": where the calls return to, in hexadecimal from the
 * start of the program, and what they do instead. False when it is something else. */
bool engine_weaken(const char *text);
int engine_weakened(int order, const void *pc, bool failure);

/* engine_thread_local.c */
void engine_thread_local_create(int thread);
/* The thread's variables take their place, and are kept when it is another thread's turn. */
void engine_thread_local_enter(int thread);
void engine_thread_local_leave(int thread);
bool engine_thread_local_contains(uintptr_t address);

/* engine_trace.c */
struct engine_event {
	enum engine_kind kind;
	int thread, order;
	int age; /* a load: how many stores are newer; a store: how many it went behind */
	uintptr_t address;
	uint32_t size;
	engine_value before, after;
	const void *pc;
};
void engine_trace_start(void);
void engine_trace_event(const struct engine_event *event);
/* "name", "name[3]" or the address. */
void engine_trace_name(uintptr_t address, char *text, size_t size);
/* "file.h:12 function" of a place in the checked code. */
void engine_trace_place(const void *pc, char *text, size_t size);
void engine_trace_print(void);

#endif
