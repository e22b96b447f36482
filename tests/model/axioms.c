/* SPDX-License-Identifier: Apache-2.0 */
#include "axioms.h"

#include <string.h>

enum {
	EVENTS = AXIOMS_OBJECTS + AXIOMS_THREADS * AXIOMS_OPERATIONS
};

/* Event 0 and 1 are the first stores to the objects; they happen before all others. */
struct event {
	int thread, index;
	enum axioms_action action;
	int object, order;
	int value; /* written */
	int read;  /* value */
	bool reads, writes;
	int from; /* the event that it reads from */
};

/* relation[a] has bit b: a before b. */
typedef uint16_t relation[EVENTS];

static struct event events[EVENTS];
static int event_count;
static const struct axioms_program *program;
static void (*report)(const struct axioms_outcome *outcome);

/* Modification orders: order[o] lists the events that write object o. */
static int written[AXIOMS_OBJECTS][EVENTS];
static int written_count[AXIOMS_OBJECTS];

static bool has(const relation r, int a, int b)
{
	return (r[a] >> b & 1) != 0;
}

static void add(relation r, int a, int b)
{
	r[a] |= (uint16_t)(1u << b);
}

static void join(relation into, const relation from)
{
	for (int a = 0; a < event_count; a++)
		into[a] |= from[a];
}

static void close_transitively(relation r)
{
	for (int k = 0; k < event_count; k++)
		for (int a = 0; a < event_count; a++)
			if (has(r, a, k))
				r[a] |= r[k];
}

static bool is_irreflexive(const relation r)
{
	for (int a = 0; a < event_count; a++)
		if (has(r, a, a))
			return false;
	return true;
}

static bool acquires(const struct event *event)
{
	return event->order == memory_order_acquire || event->order == memory_order_acq_rel ||
	       event->order == memory_order_seq_cst;
}

static bool releases(const struct event *event)
{
	return event->order == memory_order_release || event->order == memory_order_acq_rel ||
	       event->order == memory_order_seq_cst;
}

static bool is_fence(int event)
{
	return events[event].action == AXIOMS_FENCE;
}

static bool is_seq_cst(int event)
{
	return events[event].order == memory_order_seq_cst;
}

static void sequenced_before(relation sb)
{
	memset(sb, 0, sizeof(relation));
	for (int a = 0; a < event_count; a++)
		for (int b = AXIOMS_OBJECTS; b < event_count; b++)
			if (a < AXIOMS_OBJECTS || (events[a].thread == events[b].thread &&
						   events[a].index < events[b].index))
				add(sb, a, b);
}

/* The release side of a store: itself, or the release fences before it. */
static void add_synchronisation(relation sw, const relation sb, int store, int load)
{
	for (int a = 0; a < event_count; a++) {
		bool from = a == store ? releases(&events[a])
				       : is_fence(a) && has(sb, a, store) && releases(&events[a]);

		for (int b = 0; from && b < event_count; b++) {
			bool to = b == load
					  ? acquires(&events[b])
					  : is_fence(b) && has(sb, load, b) && acquires(&events[b]);

			if (to && a != b)
				add(sw, a, b);
		}
	}
}

static void synchronizes_with(relation sw, const relation sb)
{
	memset(sw, 0, sizeof(relation));
	for (int load = AXIOMS_OBJECTS; load < event_count; load++) {
		if (!events[load].reads)
			continue;
		/* Back along the release sequence, which consists of updates. */
		int store = events[load].from;

		for (;;) {
			if (store >= AXIOMS_OBJECTS)
				add_synchronisation(sw, sb, store, load);
			if (!events[store].reads)
				break;
			store = events[store].from;
		}
	}
}

static int position(int object, int event)
{
	int i = 0;

	while (written[object][i] != event)
		i++;
	return i;
}

/* Reads-from, modification order, and from a read to what is written after what it read. */
static bool coherence_order(relation cob)
{
	memset(cob, 0, sizeof(relation));
	for (int object = 0; object < AXIOMS_OBJECTS; object++)
		for (int i = 0; i < written_count[object]; i++)
			for (int j = i + 1; j < written_count[object]; j++)
				add(cob, written[object][i], written[object][j]);
	for (int load = AXIOMS_OBJECTS; load < event_count; load++) {
		if (!events[load].reads)
			continue;
		int object = events[load].object;
		int from = position(object, events[load].from);

		add(cob, events[load].from, load);
		for (int i = from + 1; i < written_count[object]; i++)
			if (written[object][i] != load)
				add(cob, load, written[object][i]);
	}
	close_transitively(cob);
	return is_irreflexive(cob);
}

/* [atomics.order]/4: what the order S of all seq_cst operations must agree with. */
static void seq_cst_constraints(relation s, const relation hb, const relation cob)
{
	memset(s, 0, sizeof(relation));
	for (int a = AXIOMS_OBJECTS; a < event_count; a++) {
		for (int b = AXIOMS_OBJECTS; b < event_count; b++) {
			if (is_seq_cst(a) && is_seq_cst(b) && has(hb, a, b))
				add(s, a, b);
			if (!has(cob, a, b))
				continue;
			for (int x = AXIOMS_OBJECTS; x < event_count; x++) {
				bool before =
					is_seq_cst(x) && (x == a || (is_fence(x) && has(hb, x, a)));

				for (int y = AXIOMS_OBJECTS; before && y < event_count; y++)
					if (is_seq_cst(y) &&
					    (y == b || (is_fence(y) && has(hb, b, y))))
						add(s, x, y);
			}
		}
	}
}

static bool is_consistent(void)
{
	relation sb, hb, cob, s, all;

	sequenced_before(sb);
	synchronizes_with(hb, sb);
	join(hb, sb);
	close_transitively(hb);
	if (!is_irreflexive(hb) || !coherence_order(cob))
		return false;
	for (int a = 0; a < event_count; a++)
		for (int b = 0; b < event_count; b++)
			if (has(hb, a, b) && has(cob, b, a))
				return false;
	seq_cst_constraints(s, hb, cob);
	/* The limits: S follows happens-before, and nothing reads from its future. */
	memcpy(all, sb, sizeof(all));
	join(all, s);
	for (int load = AXIOMS_OBJECTS; load < event_count; load++)
		if (events[load].reads)
			add(all, events[load].from, load);
	close_transitively(all);
	return is_irreflexive(all);
}

static void report_outcome(void)
{
	struct axioms_outcome outcome;

	memset(&outcome, 0, sizeof(outcome));
	for (int i = AXIOMS_OBJECTS; i < event_count; i++) {
		const struct event *event = &events[i];
		int *observed = &outcome.observed[event->thread][event->index];

		if (event->action == AXIOMS_EXCHANGE)
			*observed = event->writes;
		else if (event->reads)
			*observed = event->read;
	}
	for (int object = 0; object < AXIOMS_OBJECTS; object++)
		outcome.last[object] = events[written[object][written_count[object] - 1]].value;
	report(&outcome);
}

/* All orders of the writes to this object, the first store first, then those of the next. */
static void try_orders(int object, int placed)
{
	if (object == AXIOMS_OBJECTS) {
		if (is_consistent())
			report_outcome();
		return;
	}
	if (placed == written_count[object]) {
		try_orders(object + 1, 1);
		return;
	}
	for (int i = placed; i < written_count[object]; i++) {
		int *list = written[object];
		int chosen = list[i];

		/* Nothing comes between an update and what it updates. */
		if (events[chosen].reads && events[chosen].from != list[placed - 1])
			continue;
		list[i] = list[placed];
		list[placed] = chosen;
		try_orders(object, placed + 1);
		list[placed] = list[i];
		list[i] = chosen;
	}
}

/* Values follow from reads-from, unless that is circular. False: so it is, or an exchange does not
 * do what was assumed of it. */
static bool find_values(void)
{
	for (int round = 0; round < event_count; round++)
		for (int i = AXIOMS_OBJECTS; i < event_count; i++)
			if (events[i].reads) {
				events[i].read = events[events[i].from].value;
				if (events[i].action == AXIOMS_ADD)
					events[i].value = events[i].read + 1;
			}
	for (int i = AXIOMS_OBJECTS; i < event_count; i++) {
		struct event *event = &events[i];

		if (event->action == AXIOMS_ADD && event->value != events[event->from].value + 1)
			return false;
		if (event->action == AXIOMS_EXCHANGE && event->writes != (event->read == 1))
			return false;
	}
	return true;
}

/* Whether an earlier event updates the same store: only one can. */
static bool is_second_update(int event)
{
	for (int i = AXIOMS_OBJECTS; i < event; i++)
		if (events[i].reads && events[i].writes && events[event].writes &&
		    events[i].from == events[event].from)
			return true;
	return false;
}

/* All stores that each event may read from. */
static void try_sources(int event)
{
	if (event == event_count) {
		if (find_values()) {
			memset(written_count, 0, sizeof(written_count));
			for (int i = 0; i < event_count; i++)
				if (events[i].writes)
					written[events[i].object]
					       [written_count[events[i].object]++] = i;
			try_orders(0, 1);
		}
		return;
	}
	if (!events[event].reads) {
		try_sources(event + 1);
		return;
	}
	for (int from = 0; from < event_count; from++) {
		if (from == event || !events[from].writes ||
		    events[from].object != events[event].object)
			continue;
		events[event].from = from;
		if (!is_second_update(event))
			try_sources(event + 1);
	}
}

/* Each exchange succeeds or fails. */
static void try_exchanges(int event)
{
	while (event < event_count && events[event].action != AXIOMS_EXCHANGE)
		event++;
	if (event == event_count) {
		try_sources(AXIOMS_OBJECTS);
		return;
	}

	int order = events[event].order;

	events[event].writes = true;
	try_exchanges(event + 1);
	events[event].writes = false;
	events[event].order = memory_order_relaxed;
	try_exchanges(event + 1);
	events[event].order = order;
}

void axioms_outcomes(const struct axioms_program *wanted,
		     void (*found)(const struct axioms_outcome *outcome))
{
	program = wanted;
	report = found;
	event_count = AXIOMS_OBJECTS;
	memset(events, 0, sizeof(events));
	for (int object = 0; object < AXIOMS_OBJECTS; object++) {
		events[object].thread = -1;
		events[object].action = AXIOMS_STORE;
		events[object].object = object;
		events[object].writes = true;
	}
	for (int thread = 0; thread < program->threads; thread++) {
		for (int i = 0; i < AXIOMS_OPERATIONS; i++) {
			const struct axioms_operation *operation = &program->operations[thread][i];

			if (operation->action == AXIOMS_NOTHING)
				continue;
			events[event_count++] = (struct event){
				.thread = thread,
				.index = i,
				.action = operation->action,
				.object = operation->object,
				.order = operation->order,
				.value = operation->value,
				.reads = operation->action == AXIOMS_LOAD ||
					 operation->action == AXIOMS_ADD ||
					 operation->action == AXIOMS_EXCHANGE,
				.writes = operation->action == AXIOMS_STORE ||
					  operation->action == AXIOMS_ADD,
			};
		}
	}
	try_exchanges(AXIOMS_OBJECTS);
}
