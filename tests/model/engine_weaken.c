/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mutants: one order that the source gives is taken to be a weaker one, at the places where the
 * compiler has put its call. mutants.py finds these places and reads what comes of it.
 */

#include "engine.h"

#include <stdlib.h>
#include <string.h>

enum {
	PLACES = 64
};

extern const char __executable_start[];

static const void *places[PLACES];
static int place_count;
static bool of_failure; /* the order of a compare-exchange that fails */
static int weaker;

static int order_named(const char *name)
{
	static const struct {
		const char *name;
		int order;
	} orders[] = {
		{"relaxed", memory_order_relaxed},
		{"acquire", memory_order_acquire},
		{"release", memory_order_release},
		{"acq_rel", memory_order_acq_rel},
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (strcmp(orders[i].name, name) == 0)
			return orders[i].order;
	return -1;
}

bool engine_weaken(const char *text)
{
	const char *order = strchr(text, '=');

	if (order == NULL)
		return false;
	of_failure = strncmp(order, "=failure:", 9) == 0;
	weaker = order_named(order + (of_failure ? 9 : 1));
	while (place_count < PLACES) {
		char *end;
		size_t offset = strtoull(text, &end, 16);

		places[place_count++] = __executable_start + offset;
		if (end == text || (*end != ',' && end != order))
			return false;
		if (end == order)
			break;
		text = end + 1;
	}
	engine.weakens = true;
	return weaker >= 0;
}

int engine_weakened(int order, const void *pc, bool failure)
{
	for (int i = 0; i < place_count; i++)
		if (places[i] == pc && failure == of_failure)
			return weaker;
	return order;
}
