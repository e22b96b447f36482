/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A latency-sensitive service with weft: how to use a pool from threads of one's own, without any
 * allocation once it runs, with a deadline for each request, and with a shutdown that loses none.
 *
 *     acceptor --(weft_task in the request)--> workers --(answered)--> responder
 *         ^                                                                |
 *         +-------------------------(free requests)------------------------+
 *
 *   - the acceptor makes requests at a fixed rate, where another service would read a socket. It
 *     takes a free request, or refuses when there is none, and submits the task inside it;
 *   - a worker handles the request, unless its deadline is over already: then it is not worth it;
 *   - the responder answers, "late" if the deadline is over, and gives the request back;
 *   - main waits for SIGTERM or SIGINT, stops the acceptor, drains the pool, and reports.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <weft/weft.h>

/* Requests that can be under way at once. */
#define REQUESTS 256

/* Latencies are kept up to this, to within one part in 2^7. */
#define LONGEST_NS     (60 * WEFT_SECONDS)
#define PRECISION_BITS 7

typedef struct service_options {
	unsigned seconds; /* 0: until a signal comes */
	unsigned rate;    /* requests in a second */
	unsigned deadline_us;
	unsigned work_us;
	unsigned drain_ms;
	unsigned workers; /* 0: one on each core but the first */
} service_options;

typedef struct request {
	weft_task task;
	struct service *service;
	uint64_t arrived_ns;
	weft_deadline deadline;
	uint64_t answer;
} request;

WEFT_SPSC_QUEUE_DEFINE(free_requests, request *);

typedef struct service {
	service_options options;
	weft_plan *own_plan;  /* where the acceptor and the responder run: worker 0 of it */
	weft_plan *pool_plan; /* where the workers run */
	weft_pool *pool;
	request requests[REQUESTS];
	free_requests free;
	/* Handled requests, and who waits for them. */
	weft_mpmc_pointer_queue answered;
	weft_eventcount answered_some;
	WEFT_ATOMIC(bool) no_more_answers;
	/* The acceptor's: its token tells it to stop. */
	weft_parker acceptor;
	uint64_t accepted;
	uint64_t refused;
	/* The responder's. */
	uint64_t in_time;
	uint64_t late;
	weft_histogram latency_ns;
} service;

/* Binds one of the service's own threads; without the right to, it runs where it is put. */
static void bind_own_thread(const service *self, const char *name)
{
	int error = weft_plan_bind(self->own_plan, 0);

	if (error != 0)
		fprintf(stderr, "service: the %s is not bound to a CPU: %s\n", name,
			strerror(-error));
}

/* Stands for what a service computes. */
static uint64_t work(uint64_t seed, uint64_t ns)
{
	weft_deadline end = weft_after(ns);

	do {
		for (int i = 0; i < 100; i++)
			seed = seed * 6364136223846793005 + 1442695040888963407;
	} while (weft_now() < end);
	return seed;
}

/* On a worker. */
static void handle(weft_task *task)
{
	request *handled = (request *)(void *)((char *)task - offsetof(request, task));
	service *self = handled->service;

	if (weft_now() < handled->deadline)
		handled->answer =
			work(handled->arrived_ns, self->options.work_us * WEFT_MICROSECONDS);
	/* There is room for all requests. */
	weft_mpmc_pointer_queue_try_push(&self->answered, handled);
	weft_eventcount_notify_one(&self->answered_some);
}

static void accept_request(service *self, uint64_t arrived_ns)
{
	request *accepted;

	if (!free_requests_try_pop(&self->free, &accepted)) {
		self->refused++;
		return;
	}
	accepted->arrived_ns = arrived_ns;
	accepted->deadline = arrived_ns + self->options.deadline_us * WEFT_MICROSECONDS;
	/* The pool is not closed before this thread has ended, and the request is free: this does
	 * not fail. If it did, the request would be refused and not come back. */
	if (weft_task_submit(self->pool, &accepted->task) == 0)
		self->accepted++;
	else
		self->refused++;
}

static void *accept_requests(void *argument)
{
	service *self = argument;
	uint64_t gap_ns = WEFT_SECONDS / self->options.rate;
	uint64_t arrives_ns = weft_now() + gap_ns;

	bind_own_thread(self, "acceptor");
	/* The kernel may wake a sleeper up to 50 microseconds late, unless it says otherwise. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	/*
	 * A request arrives at its time even when this thread was late to see it: latencies are
	 * counted from there, as a client would.
	 */
	while (weft_parker_park(&self->acceptor, 0, arrives_ns) == -ETIMEDOUT) {
		accept_request(self, arrives_ns);
		arrives_ns += gap_ns;
	}
	return NULL;
}

/* Waits for the next handled request; NULL when there will be none any more. */
static request *next_answered(service *self)
{
	void *answered;

	while (!weft_mpmc_pointer_queue_try_pop(&self->answered, &answered)) {
		uint32_t key = weft_eventcount_prepare(&self->answered_some);
		/* Asked before the queue: what was answered before the end is still there. */
		bool end = atomic_load_explicit(&self->no_more_answers, memory_order_acquire);
		bool found = weft_mpmc_pointer_queue_try_pop(&self->answered, &answered);

		if (found || end) {
			weft_eventcount_cancel(&self->answered_some);
			return found ? answered : NULL;
		}
		weft_eventcount_wait(&self->answered_some, key, 0, WEFT_FOREVER);
	}
	return answered;
}

static void *answer_requests(void *argument)
{
	service *self = argument;
	request *answered;

	bind_own_thread(self, "responder");
	while ((answered = next_answered(self)) != NULL) {
		uint64_t now = weft_now();

		/* Here another service would write to a socket. */
		if (now < answered->deadline)
			self->in_time++;
		else
			self->late++;
		weft_histogram_record(&self->latency_ns, now - answered->arrived_ns);
		/* The handler is about to return, if it has not: only then is the task ours. */
		weft_task_wait(&answered->task, WEFT_FOREVER);
		/* There is room for all requests. */
		free_requests_try_push(&self->free, answered);
	}
	return NULL;
}

/*
 * Plans the first core of `all` for the service's own threads and the others for the pool; on a
 * machine with one core all share it. Returns 0 or a negative errno.
 */
static int share_out(service *self, const weft_topology *topology, const weft_plan *all)
{
	unsigned cpus[WEFT_PLAN_WORKERS_MAX];
	unsigned cores = weft_plan_workers(all);
	unsigned own = weft_plan_cpu(all, 0);
	unsigned workers = self->options.workers;
	int error = weft_plan_create_from_cpus(&self->own_plan, topology, &own, 1);

	if (workers == 0)
		workers = cores > 1 ? cores - 1 : 1;
	for (unsigned i = 0; i < workers; i++)
		cpus[i] = weft_plan_cpu(all, cores > 1 ? 1 + i % (cores - 1) : 0);
	if (error == 0)
		error = weft_plan_create_from_cpus(&self->pool_plan, topology, cpus, workers);
	return error;
}

static int make_plans(service *self)
{
	weft_topology *topology;
	weft_plan *all;
	int error = weft_topology_create(&topology, NULL);

	if (error != 0)
		return error;
	error = weft_plan_create(&all, topology, WEFT_POLICY_ONE_PER_CORE, 0);
	if (error == 0) {
		error = share_out(self, topology, all);
		weft_plan_destroy(all);
	}
	weft_topology_destroy(topology);
	return error;
}

/* Makes all that the service uses while it runs. service_fini is due in either case. */
static int service_init(service *self)
{
	weft_pool_options options = WEFT_POOL_OPTIONS_INIT;
	int error = make_plans(self);

	if (error == 0)
		error = free_requests_init(&self->free, REQUESTS);
	if (error == 0)
		error = weft_mpmc_pointer_queue_init(&self->answered, REQUESTS);
	if (error == 0)
		error = weft_histogram_init(&self->latency_ns, LONGEST_NS, PRECISION_BITS);
	if (error == 0) {
		options.plan = self->pool_plan;
		error = weft_pool_create(&self->pool, &options);
	}
	for (int i = 0; error == 0 && i < REQUESTS; i++) {
		weft_task_init(&self->requests[i].task, handle);
		self->requests[i].service = self;
		free_requests_try_push(&self->free, &self->requests[i]);
	}
	return error;
}

static void service_fini(service *self)
{
	weft_pool_destroy(self->pool);
	weft_histogram_fini(&self->latency_ns);
	weft_mpmc_pointer_queue_fini(&self->answered);
	free_requests_fini(&self->free);
	weft_plan_destroy(self->pool_plan);
	weft_plan_destroy(self->own_plan);
}

/* Waits for one of the signals, or for so many seconds; 0: for a signal only. */
static void wait_for_the_end(const sigset_t *signals, unsigned seconds)
{
	weft_deadline end = weft_after(seconds * WEFT_SECONDS);

	for (;;) {
		uint64_t now = weft_now();
		uint64_t left = end > now ? end - now : 0;
		struct timespec timeout = {(time_t)(left / WEFT_SECONDS),
					   (long)(left % WEFT_SECONDS)};
		int got = seconds == 0 ? sigwaitinfo(signals, NULL)
				       : sigtimedwait(signals, NULL, &timeout);

		/* EINTR: another signal, or a debugger. */
		if (got >= 0 || errno != EINTR)
			return;
	}
}

/* Drains the pool; aborts it when that takes too long. Returns how many requests were canceled. */
static uint64_t drain(service *self)
{
	weft_deadline deadline = weft_after(self->options.drain_ms * WEFT_MILLISECONDS);
	uint64_t canceled = 0;

	if (weft_pool_shutdown(self->pool, WEFT_SHUTDOWN_DRAIN, deadline) == 0)
		return 0;
	weft_pool_shutdown(self->pool, WEFT_SHUTDOWN_ABORT, WEFT_FOREVER);
	for (int i = 0; i < REQUESTS; i++) {
		if (weft_task_wait(&self->requests[i].task, WEFT_NOW) == -ECANCELED)
			canceled++;
	}
	return canceled;
}

/* Runs the service until it is to end. Returns 0 and the canceled requests, or a negative errno. */
static int service_run(service *self, const sigset_t *signals, uint64_t *canceled)
{
	pthread_t acceptor, responder;
	int error = pthread_create(&responder, NULL, answer_requests, self);

	if (error != 0)
		return -error;
	error = pthread_create(&acceptor, NULL, accept_requests, self);
	if (error == 0) {
		printf("service: process %ld, %u requests a second, deadline %u us; "
		       "SIGTERM ends it\n",
		       (long)getpid(), self->options.rate, self->options.deadline_us);
		fflush(stdout);
		wait_for_the_end(signals, self->options.seconds);
		/* First those who hand over, then those who are handed to. */
		weft_parker_unpark(&self->acceptor);
		pthread_join(acceptor, NULL);
		*canceled = drain(self);
	}
	atomic_store_explicit(&self->no_more_answers, true, memory_order_release);
	weft_eventcount_notify_all(&self->answered_some);
	pthread_join(responder, NULL);
	return -error;
}

/* Returns 0 or -ENOMEM. */
static int report_latency(const service *self)
{
	weft_histogram_snapshot latency_ns;
	int error = weft_histogram_snapshot_init(&latency_ns, LONGEST_NS, PRECISION_BITS);

	if (error == 0)
		error = weft_histogram_read(&self->latency_ns, &latency_ns);
	if (error == 0)
		printf("latency us: p50 %.1f, p99 %.1f, p99.9 %.1f, max %.1f\n",
		       (double)weft_histogram_snapshot_percentile(&latency_ns, 50) / 1e3,
		       (double)weft_histogram_snapshot_percentile(&latency_ns, 99) / 1e3,
		       (double)weft_histogram_snapshot_percentile(&latency_ns, 99.9) / 1e3,
		       (double)weft_histogram_snapshot_largest(&latency_ns) / 1e3);
	weft_histogram_snapshot_fini(&latency_ns);
	return error;
}

/* Returns 0, -ENOMEM, or -EIO: not every accepted request has ended in one way. */
static int report(const service *self, uint64_t canceled)
{
	weft_pool_statistics pool = WEFT_POOL_STATISTICS_INIT;
	bool complete = self->accepted == self->in_time + self->late + canceled;
	int error;

	printf("requests: accepted %llu = answered %llu + late %llu + canceled %llu; refused "
	       "%llu\n",
	       (unsigned long long)self->accepted, (unsigned long long)self->in_time,
	       (unsigned long long)self->late, (unsigned long long)canceled,
	       (unsigned long long)self->refused);
	error = report_latency(self);
	weft_pool_statistics_read(self->pool, &pool);
	printf("weft pool: workers %u, unpinned %u; tasks submitted %llu, run %llu, canceled %llu, "
	       "stolen %llu; parked %llu, woken %llu\n",
	       pool.workers, pool.unpinned, (unsigned long long)pool.submitted,
	       (unsigned long long)pool.run, (unsigned long long)pool.canceled,
	       (unsigned long long)pool.stolen, (unsigned long long)pool.parked,
	       (unsigned long long)pool.woken);
	if (!complete)
		fputs("service: requests were lost\n", stderr);
	return complete ? error : -EIO;
}

static void usage(FILE *out)
{
	fputs("usage: service [OPTION...]\n"
	      "\n"
	      "Handles requests of its own making until SIGTERM or SIGINT, then reports.\n"
	      "\n"
	      "  --seconds N      end by itself after so long (default: 0, never)\n"
	      "  --rate N         requests a second (default: 2000)\n"
	      "  --deadline-us N  time for each, in microseconds (default: 2000)\n"
	      "  --work-us N      what handling one takes (default: 10)\n"
	      "  --workers N      of the pool (default: one on each core but the first)\n"
	      "  --drain-ms N     time to finish what was accepted, at the end (default: 2000)\n"
	      "  --help           this text\n"
	      "\n"
	      "Exit status: 0; 1 when it could not start or a request was lost; 2 when an option "
	      "is\n"
	      "wrong.\n",
	      out);
}

/* A number from `least` to `most`. Returns false, after a message, for anything else. */
static bool parse_number(const char *name, const char *text, unsigned long least,
			 unsigned long most, unsigned *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != 0 || value < least || value > most) {
		fprintf(stderr, "service: --%s must be a number from %lu to %lu, not '%s'\n", name,
			least, most, text);
		return false;
	}
	*number = (unsigned)value;
	return true;
}

/* Returns 0, or what to exit with: 1 + an exit status. */
static int parse(int argc, char **argv, service_options *parsed)
{
	static const struct option known[] = {
		{"seconds", required_argument, NULL, 's'},
		{"rate", required_argument, NULL, 'r'},
		{"deadline-us", required_argument, NULL, 'd'},
		{"work-us", required_argument, NULL, 'w'},
		{"workers", required_argument, NULL, 'p'},
		{"drain-ms", required_argument, NULL, 'm'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	bool good = true;
	int option;

	while (good && (option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			return 1;
		}
		if (option == 's')
			good = parse_number("seconds", optarg, 0, 1000000, &parsed->seconds);
		else if (option == 'r')
			good = parse_number("rate", optarg, 1, 1000000, &parsed->rate);
		else if (option == 'd')
			good = parse_number("deadline-us", optarg, 0, 60000000,
					    &parsed->deadline_us);
		else if (option == 'w')
			good = parse_number("work-us", optarg, 0, 60000000, &parsed->work_us);
		else if (option == 'p')
			good = parse_number("workers", optarg, 1, WEFT_PLAN_WORKERS_MAX,
					    &parsed->workers);
		else if (option == 'm')
			good = parse_number("drain-ms", optarg, 0, 60000, &parsed->drain_ms);
		else
			good = false;
	}
	if (good && optind == argc)
		return 0;
	if (good)
		fprintf(stderr, "service: what is '%s'?\n", argv[optind]);
	fputs("service: see --help\n", stderr);
	return 1 + 2;
}

int main(int argc, char **argv)
{
	service self = {
		.options = {.rate = 2000, .deadline_us = 2000, .work_us = 10, .drain_ms = 2000},
	};
	uint64_t canceled = 0;
	sigset_t signals;
	int status = parse(argc, argv, &self.options);

	if (status != 0)
		return status - 1;
	/* Before any thread is made: all of them leave the signals to main. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	int error = service_init(&self);

	if (error == 0)
		error = service_run(&self, &signals, &canceled);
	if (error == 0)
		error = report(&self, canceled);
	if (error != 0)
		fprintf(stderr, "service: %s\n", strerror(-error));
	service_fini(&self);
	return error != 0;
}
