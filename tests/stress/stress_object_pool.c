/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Stress of the object pool: threads allocate and free, while another one disturbs them.
 *
 *   - an object has one owner at a time, who reads what its last owner wrote: also when threads are
 *     moved from CPU to CPU in the middle of a call, when signals whose handlers allocate and free
 *     come in between, and when some threads have restartable sequences and others have not;
 *   - objects go from thread to thread and are freed far from where they were allocated;
 *   - memory is given back meanwhile, and in the end all of it;
 *   - no object is lost: in the end none is in use, and never are there more than the maximum.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#include <weft/lockfree/object_pool.h>

#include "../../lockfree/reclaim_urcu.h"
#include "../rseq_leave.h"
#include "forced_moves.h"
#include "stress.h"

#define OPERATIONS_MIN   10000
#define DISTURBANCES_MIN 20

/* After so many operations a worker lets another thread run. */
#define RUN 2000

/* Places where any thread leaves an object and takes what is there. */
#define PLACES 64

/* Objects that a worker keeps at most. */
#define KEPT 150

typedef struct pool_test {
	const char *name;
	unsigned workers;
	/* What the disturber does. */
	bool moves, signals, trims;
	/* Whether every other worker gives its restartable sequences back. */
	bool mixed;
	size_t max_objects;
} pool_test;

typedef struct pool_object {
	uint64_t owners; /* how many it has had */
	uint64_t checksum;
	uint64_t in_use;
} pool_object;

/* Handlers find it here. */
static weft_object_pool pool;
static WEFT_ATOMIC(uint64_t) handled;
static WEFT_ATOMIC(const char *) handler_failure;

typedef struct pool_stress {
	stress_crew crew;
	const pool_test *test;
	size_t cpus[2];
	/* Whether the disturber has finished; the workers then do. */
	atomic_bool over;
	uint64_t disturbances;
	struct pool_worker *workers;
	WEFT_ATOMIC(pool_object *) places[PLACES];
} pool_stress;

typedef struct pool_worker {
	pool_stress *round;
	unsigned number;
	pthread_t thread;
	seeded_random random;
	pool_object *kept[KEPT];
	size_t count;
	uint64_t allocated, refused;
} pool_worker;

static uint64_t checksum_of(uint64_t owners)
{
	return owners * 0x9e3779b97f4a7c15 + 1;
}

/* An object that was just allocated: nobody else has it. Its bytes may be of whatever kind. */
static bool own(pool_object *object)
{
	if (object->in_use == 0x1234567890abcdef && object->checksum == checksum_of(object->owners))
		return false;
	object->in_use = 0x1234567890abcdef;
	object->owners = (uint64_t)(uintptr_t)object;
	object->checksum = checksum_of(object->owners);
	return true;
}

/* And is as it was when it is freed, or goes to another thread. */
static bool disown(pool_object *object)
{
	bool right = object->in_use == 0x1234567890abcdef &&
		     object->checksum == checksum_of(object->owners);

	object->in_use = 0;
	weft_object_pool_free(&pool, object);
	return right;
}

/* The chunks are there: nothing is allocated in a handler. */
static void use_in_handler(int signal_number)
{
	pool_object *objects[40];
	size_t count = 0;

	(void)signal_number;
	while (count < 40 && (objects[count] = weft_object_pool_alloc(&pool)) != NULL) {
		/* relaxed: any failure will do. */
		if (!own(objects[count]))
			atomic_store_explicit(&handler_failure, "in a handler: two owners",
					      memory_order_relaxed);
		count++;
	}
	while (count > 0) {
		if (!disown(objects[--count]))
			atomic_store_explicit(&handler_failure, "in a handler: it has changed",
					      memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
}

/* Only workers take the signals, while they work; see stress_counter.c. */
static void mask_alarm(int how)
{
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(how, &alarm_only, NULL);
}

static void allocate(pool_worker *self)
{
	pool_object *object = weft_object_pool_alloc(&pool);

	if (object == NULL) {
		self->refused++;
		return;
	}
	if (!own(object))
		stress_fail(&self->round->crew, "an object has two owners");
	self->kept[self->count++] = object;
	self->allocated++;
}

static void release(pool_worker *self)
{
	if (!disown(self->kept[--self->count]))
		stress_fail(&self->round->crew, "an object has changed, and not by its owner");
}

/* Leaves an object where another thread may take it, and takes what was there. */
static void hand_over(pool_worker *self)
{
	size_t place = (size_t)seeded_random_below(&self->random, PLACES);
	pool_object *given = self->kept[--self->count];

	/* acq_rel: the object with its bytes goes from thread to thread. */
	given = atomic_exchange_explicit(&self->round->places[place], given, memory_order_acq_rel);
	if (given != NULL)
		self->kept[self->count++] = given;
}

static void use_run(pool_worker *self)
{
	/* Towards many and towards few. */
	uint64_t part = 20 + seeded_random_below(&self->random, 60);

	for (int i = 0; i < RUN; i++) {
		uint64_t dice = seeded_random_below(&self->random, 100);

		if (dice < part && self->count < KEPT)
			allocate(self);
		else if (self->count > 0 && dice % 4 == 0)
			hand_over(self);
		else if (self->count > 0)
			release(self);
	}
}

static void *use(pool_worker *self)
{
	pool_stress *round = self->round;
	unsigned operations = 0;

	if (round->test->mixed && self->number % 2 == 1 && !rseq_leave())
		stress_fail(&round->crew, "the thread keeps its restartable sequences");
	if (round->test->signals)
		mask_alarm(SIG_UNBLOCK);
	stress_start_together(&round->crew);
	while (operations < OPERATIONS_MIN ||
	       !atomic_load_explicit(&round->over, memory_order_relaxed)) {
		use_run(self);
		operations += RUN;
		sched_yield();
	}
	while (self->count > 0)
		release(self);
	mask_alarm(SIG_BLOCK);
	return NULL;
}

static void disturb_all(pool_stress *round)
{
	const pool_test *test = round->test;

	for (unsigned i = 0; i < test->workers; i++) {
		pthread_t thread = round->workers[i].thread;

		if (test->moves)
			move_thread(&round->crew, thread,
				    round->cpus[(round->disturbances + i) % 2]);
		if (test->signals)
			signal_thread(&round->crew, thread);
	}
	if (test->trims)
		weft_object_pool_trim(&pool);
	round->disturbances++;
}

static void *disturb(pool_worker *self)
{
	pool_stress *round = self->round;
	size_t most = round->test->max_objects;

	stress_start_together(&round->crew);
	while (round->disturbances < DISTURBANCES_MIN || !stress_time_is_over(&round->crew)) {
		if (most != 0 && weft_object_pool_stats(&pool).objects > most)
			stress_fail(&round->crew, "there are more objects than the maximum");
		disturb_all(round);
		if (!stress_wait(&round->crew))
			break;
	}
	/* The last worker would have all signals to itself, and where its handler takes as long as
	 * it is to the next one it would never get to its end. */
	set_timer(false);
	atomic_store_explicit(&round->over, true, memory_order_relaxed);
	return NULL;
}

static void *work(void *argument)
{
	pool_worker *self = argument;

	self->thread = pthread_self();
	return self->number < self->round->test->workers ? use(self) : disturb(self);
}

static void *trim_without_sequences(void *unused)
{
	cpu_set_t one;

	(void)unused;
	rseq_leave();
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) == 0)
			weft_object_pool_trim(&pool);
	}
	return NULL;
}

/* Once is enough where the system can restart the sequences of other CPUs; otherwise on every CPU,
 * once with sequences and once without: then all lists are empty. */
static void trim_all(void)
{
	cpu_set_t allowed, one;
	pthread_t thread;

	weft_object_pool_trim(&pool);
	if (weft_urcu_restart_sequences_(0))
		return;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (CPU_ISSET(cpu, &allowed) && sched_setaffinity(0, sizeof(one), &one) == 0)
			weft_object_pool_trim(&pool);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
	assert_int_equal(pthread_create(&thread, NULL, trim_without_sequences, NULL), 0);
	pthread_join(thread, NULL);
}

static void check_round(pool_stress *round)
{
	weft_object_pool_statistics found = weft_object_pool_stats(&pool);
	uint64_t allocated = 0, refused = 0;

	if (stress_failure(&round->crew) != NULL)
		fail_msg("%s", stress_failure(&round->crew));
	if (atomic_load_explicit(&handler_failure, memory_order_relaxed) != NULL)
		fail_msg("%s", atomic_load_explicit(&handler_failure, memory_order_relaxed));
	for (unsigned i = 0; i < round->test->workers; i++) {
		allocated += round->workers[i].allocated;
		refused += round->workers[i].refused;
	}
	for (size_t i = 0; i < PLACES; i++) {
		pool_object *left = atomic_load_explicit(&round->places[i], memory_order_relaxed);

		if (left != NULL)
			assert_true(disown(left));
	}
	printf("# %llu allocated, %llu refused, disturbed %llu times, %llu signals handled, %zu "
	       "objects\n",
	       (unsigned long long)allocated, (unsigned long long)refused,
	       (unsigned long long)round->disturbances,
	       (unsigned long long)atomic_load_explicit(&handled, memory_order_relaxed),
	       found.objects);
	trim_all();
	found = weft_object_pool_stats(&pool);
	assert_int_equal(found.idle_cached + found.idle_shared, found.objects);
	assert_int_equal(found.objects, 0);
	assert_int_equal(found.chunks, 0);
	if (round->test->max_objects == 0)
		assert_int_equal(refused, 0);
}

static const pool_test pool_tests[] = {
	{"2 threads", 2, false, false, false, false, 0},
	{"2 threads that are moved", 2, true, false, true, false, 0},
	{"2 threads that are moved and get signals, one without sequences", 2, true, true, false,
	 true, 2000},
	{"15 threads, and memory is given back", 15, false, false, true, false, 0},
	{"15 threads that are moved", 15, true, false, true, false, 0},
	{"15 threads that get signals, few objects", 15, false, true, false, false, 700},
	{"15 threads that are moved and get signals, 7 without sequences", 15, true, true, false,
	 true, 3000},
};

#define TESTS (sizeof(pool_tests) / sizeof(pool_tests[0]))

static seeded_random seeds;

static void run_stress(void **state)
{
	const pool_test *test = *state;
	static pool_worker workers[STRESS_THREADS_MAX];
	static pool_stress round;
	const weft_object_pool_options options = {.object_size = sizeof(pool_object),
						  .max_objects = test->max_objects};

	memset((void *)&round, 0, sizeof(round));
	if (!find_cpus(round.cpus) && test->moves)
		skip();
	round.test = test;
	round.workers = workers;
	memset(workers, 0, sizeof(workers));
	for (unsigned i = 0; i <= test->workers; i++) {
		workers[i].round = &round;
		workers[i].number = i;
		workers[i].random.state = seeded_random_next(&seeds);
	}
	assert_int_equal(weft_object_pool_init(&pool, &options), 0);
	/* All that there may ever be, so that no handler needs a chunk. */
	assert_int_equal(weft_object_pool_reserve(&pool, test->max_objects), 0);
	atomic_store_explicit(&handled, 0, memory_order_relaxed);
	stress_crew_init(&round.crew, test->workers + 1, stress_deadline_ns(TESTS));
	set_timer(test->signals);
	stress_run(&round.crew, work, workers, sizeof(workers[0]));
	check_round(&round);
	weft_object_pool_fini(&pool);
}

int main(void)
{
	struct sigaction action = {.sa_handler = use_in_handler, .sa_flags = SA_RESTART};
	struct CMUnitTest tests[TESTS];

	if (sigaction(SIGALRM, &action, NULL) != 0)
		return 1;
	mask_alarm(SIG_BLOCK);
	for (size_t i = 0; i < TESTS; i++)
		tests[i] = (struct CMUnitTest){pool_tests[i].name, run_stress, NULL, NULL,
					       (void *)(uintptr_t)&pool_tests[i]};
	seeds.state = seeded_random_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
