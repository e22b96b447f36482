/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The report of a failure: the events of the execution, with the names that the scenario gave and
 * the source lines of the checked code. Places are looked up by addr2line when there is something
 * to report; without it they are printed as offsets into the program.
 */

#include "engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAMES = 64,
	EVENTS = 3 * ENGINE_STEPS_MAX,
	PLACES = 256
};

static struct {
	uintptr_t address;
	size_t stride, count;
	const char *name;
} names[NAMES];
static int name_count;

static struct engine_event events[EVENTS];
static int event_count;

/* What addr2line said, once for each place. */
static struct {
	const void *pc;
	char text[160];
} places[PLACES];
static int place_count;

extern char __executable_start[];

void engine_trace_start(void)
{
	name_count = 0;
	event_count = 0;
}

void engine_trace_event(const struct engine_event *event)
{
	if (event_count < EVENTS)
		events[event_count++] = *event;
}

void model_name_array(const void *address, size_t stride, size_t count, const char *name)
{
	if (name_count == NAMES)
		return;
	names[name_count].address = (uintptr_t)address;
	names[name_count].stride = stride;
	names[name_count].count = count;
	names[name_count++].name = name;
}

void model_name(const void *address, const char *name)
{
	model_name_array(address, 1, 1, name);
}

void engine_trace_name(uintptr_t address, char *text, size_t size)
{
	for (int i = 0; i < name_count; i++) {
		size_t distance = address - names[i].address;

		if (address < names[i].address || distance >= names[i].stride * names[i].count)
			continue;
		if (names[i].count == 1)
			snprintf(text, size, "%s", names[i].name);
		else
			snprintf(text, size, "%s[%zu]", names[i].name, distance / names[i].stride);
		return;
	}
	if (engine_heap_contains(address))
		snprintf(text, size, "heap+0x%zx", (size_t)address & 0xfffff);
	else
		snprintf(text, size, "0x%zx", (size_t)address);
}

/* Reads "function\nfile:line\n" pairs, innermost inlined function first, outermost last. */
static bool read_place(FILE *stream, char *text, size_t size)
{
	char function[128], line[128], where[128] = "", in[128] = "";

	while (fgets(function, sizeof(function), stream) != NULL &&
	       fgets(line, sizeof(line), stream) != NULL) {
		function[strcspn(function, "\n")] = '\0';
		/* A discriminator after the line tells people nothing. */
		line[strcspn(line, " \n")] = '\0';
		if (where[0] == '\0')
			memcpy(where, line, sizeof(where));
		memcpy(in, function, sizeof(in));
	}
	if (where[0] == '\0' || where[0] == '?')
		return false;
	snprintf(text, size, "%.90s (%.60s)", where, in);
	return true;
}

static void look_up(const void *pc, char *text, size_t size)
{
	char program[256], command[400];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	/* The return address is behind the call. */
	size_t offset = (size_t)((const char *)pc - __executable_start) - 1;
	FILE *stream = NULL;
	bool found = false;

	if (length > 0) {
		program[length] = '\0';
		snprintf(command, sizeof(command), "addr2line -s -f -i -e '%s' 0x%zx 2>/dev/null",
			 program, offset);
		stream = popen(command, "r");
	}
	if (stream != NULL) {
		found = read_place(stream, text, size);
		pclose(stream);
	}
	if (!found)
		snprintf(text, size, "program+0x%zx", offset);
}

void engine_trace_place(const void *pc, char *text, size_t size)
{
	int i = 0;

	if (pc == NULL) {
		snprintf(text, size, "?");
		return;
	}
	while (i < place_count && places[i].pc != pc)
		i++;
	if (i == PLACES) {
		snprintf(text, size, "?");
		return;
	}
	if (i == place_count) {
		places[i].pc = pc;
		look_up(pc, places[i].text, sizeof(places[i].text));
		place_count++;
	}
	snprintf(text, size, "%s", places[i].text);
}

static void print_value(engine_value value)
{
	if (value >> 64 != 0)
		printf("0x%llx%016llx", (unsigned long long)(value >> 64),
		       (unsigned long long)value);
	else if (value > 99999)
		printf("0x%llx", (unsigned long long)value);
	else
		printf("%llu", (unsigned long long)value);
}

static const char *order_name(int order)
{
	static const char *const order_names[] = {"relaxed", "consume", "acquire",
						  "release", "acq_rel", "seq_cst"};

	return order_names[order];
}

static void print_access(const struct engine_event *event)
{
	char name[64];

	engine_trace_name(event->address, name, sizeof(name));
	if (event->kind == ENGINE_LOAD) {
		printf("load %s %s = ", name, order_name(event->order));
		print_value(event->before);
		if (event->age > 0)
			printf("  (stale: %d newer)", event->age);
	} else if (event->kind == ENGINE_STORE) {
		printf("store %s %s := ", name, order_name(event->order));
		print_value(event->after);
		if (event->age > 0)
			printf("  (goes before %d others)", event->age);
	} else {
		printf("update %s %s ", name, order_name(event->order));
		print_value(event->before);
		printf(" -> ");
		print_value(event->after);
		if (event->age > 0)
			printf("  (goes before %d others)", event->age);
	}
}

static void print_other(const struct engine_event *event)
{
	char text[96];

	engine_trace_name(event->address, text, sizeof(text));
	switch (event->kind) {
	case ENGINE_FENCE:
		printf("fence %s", order_name(event->order));
		break;
	case ENGINE_WAIT:
		printf("sleeps while %s == %u", text, (unsigned)event->before);
		break;
	case ENGINE_WAKE:
		printf("wakes %u on %s", (unsigned)event->before, text);
		break;
	case ENGINE_WOKEN:
		printf("was woken");
		break;
	case ENGINE_TIMEOUT:
		printf("reaches its deadline");
		break;
	case ENGINE_SPURIOUS:
		printf("wakes for nothing");
		break;
	case ENGINE_FROZEN:
		printf("IS FROZEN");
		break;
	case ENGINE_ALLOCATE:
		printf("allocates %zu bytes at %s", (size_t)event->after, text);
		break;
	case ENGINE_FREE:
		printf("frees %s", text);
		break;
	case ENGINE_CALL:
	case ENGINE_RETURN:
		engine_history_describe((int)event->before, text, sizeof(text));
		printf("%s %s", event->kind == ENGINE_CALL ? "call" : "return from", text);
		break;
	default:
		break;
	}
}

static void print_event(int number, const struct engine_event *event)
{
	char place[160];

	printf("#   %4d %*sT%d ", number, 3 * event->thread, "", event->thread);
	if (event->kind <= ENGINE_UPDATE)
		print_access(event);
	else
		print_other(event);
	if (event->pc != NULL) {
		engine_trace_place(event->pc, place, sizeof(place));
		printf("   at %s", place);
	}
	printf("\n");
}

static bool is_same(const struct engine_event *left, const struct engine_event *right)
{
	return left->kind == right->kind && left->thread == right->thread &&
	       left->address == right->address && left->before == right->before &&
	       left->after == right->after && left->age == right->age && left->pc == right->pc;
}

/* How many times the `period` events before this one are repeated from here on. */
static int repetitions(int number, int period)
{
	int same = 0;

	if (number < period)
		return 0;
	while (number + same < event_count &&
	       is_same(&events[number + same], &events[number + same - period]))
		same++;
	return same / period;
}

void engine_trace_print(void)
{
	printf("#   %s\n", engine.result.message);
	for (int i = 0; i < event_count;) {
		int period, times = 0;

		/* A thread that spins says the same again and again. */
		for (period = 1; period <= 4 && times < 3; period++)
			times = repetitions(i, period);
		if (times < 3) {
			print_event(i, &events[i]);
			i++;
		} else {
			printf("#        ... and that %d more times\n", times);
			i += times * (period - 1);
		}
	}
}
