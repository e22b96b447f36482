/* SPDX-License-Identifier: Apache-2.0 */
#include "fifo_contract.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/lockfree/base.h>

#include "../seeded_random.h"
#include "lent_memory.h"

/* Every test here goes through these; the larger ones make batches of several parts. */
static const size_t capacities[] = {1, 2, 4, 32};

#define CAPACITIES (sizeof(capacities) / sizeof(capacities[0]))

/* Memory for a queue, zeroed, for release_queue to give back. */
static void *zeroed_queue(const fifo *kind)
{
	void *queue = aligned_alloc(WEFT_CACHE_LINE, kind->queue_bytes);

	assert_non_null(queue);
	memset(queue, 0, kind->queue_bytes);
	return queue;
}

static void *made_queue(const fifo *kind, size_t capacity)
{
	void *queue = zeroed_queue(kind);

	assert_int_equal(kind->init(queue, capacity), 0);
	return queue;
}

static void release_queue(const fifo *kind, void *queue)
{
	kind->fini(queue);
	free(queue);
}

static bool is_zeroed(const fifo *kind, const void *queue)
{
	const unsigned char *bytes = queue;

	for (size_t i = 0; i < kind->queue_bytes; i++) {
		if (bytes[i] != 0)
			return false;
	}
	return true;
}

/* A refused capacity leaves a zeroed queue, which fini accepts. */
static void refuses_capacities(void **state)
{
	static const size_t refused[] = {0, ((size_t)1 << 31) + 1, (size_t)1 << 32, SIZE_MAX / 2,
					 SIZE_MAX};
	const fifo *kind = *state;
	void *queue = zeroed_queue(kind);

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset(queue, 0xa5, kind->queue_bytes);
		assert_int_equal(kind->init(queue, refused[i]), -EINVAL);
		assert_true(is_zeroed(kind, queue));
		kind->fini(queue);
	}
	free(queue);
}

static void rounds_capacities_up(void **state)
{
	static const size_t asked_and_given[][2] = {{1, 1}, {2, 2},   {3, 4},       {4, 4},
						    {5, 8}, {33, 64}, {1000, 1024}, {1025, 2048}};
	const fifo *kind = *state;

	for (size_t i = 0; i < sizeof(asked_and_given) / sizeof(asked_and_given[0]); i++) {
		void *queue = made_queue(kind, asked_and_given[i][0]);

		assert_int_equal(kind->capacity(queue), asked_and_given[i][1]);
		assert_int_equal(kind->size(queue), 0);
		release_queue(kind, queue);
	}
}

/* A zeroed queue may be finished; a finished one is zeroed and may be made again. */
static void finishes_when_zeroed(void **state)
{
	const fifo *kind = *state;
	void *queue = zeroed_queue(kind);
	uint64_t value;

	kind->fini(queue);
	assert_true(is_zeroed(kind, queue));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(kind->init(queue, 4), 0);
		assert_false(kind->try_pop(queue, &value));
		/* Elements inside are dropped. */
		assert_true(kind->try_push(queue, 17));
		kind->fini(queue);
		assert_true(is_zeroed(kind, queue));
		kind->fini(queue);
	}
	free(queue);
}

static void keeps_order(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		void *queue = made_queue(kind, capacities[c]);
		uint64_t pushed = 0, popped = 0, value;

		/* The number inside goes up and down, so that runs begin anywhere in the ring. */
		for (size_t round = 0; round < 20 * capacities[c]; round++) {
			for (size_t i = 0; i < round % capacities[c] + 1; i++)
				pushed += kind->try_push(queue, pushed);
			for (size_t i = 0; i < round / 2 % capacities[c] + 1; i++) {
				if (!kind->try_pop(queue, &value))
					break;
				assert_int_equal(value, popped++);
			}
		}
		while (kind->try_pop(queue, &value))
			assert_int_equal(value, popped++);
		assert_int_equal(popped, pushed);
		assert_true(pushed > 10 * capacities[c]);
		release_queue(kind, queue);
	}
}

/* As many elements fit as the capacity says, and a refused call changes nothing. */
static void is_full_and_empty(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		void *queue = made_queue(kind, capacities[c]);
		uint64_t value = 99;

		for (uint64_t lap = 0; lap < 5; lap++) {
			assert_false(kind->try_pop(queue, &value));
			assert_int_equal(kind->try_pop_batch(queue, &value, 1), 0);
			for (uint64_t i = 0; i < capacities[c]; i++)
				assert_true(kind->try_push(queue, i));
			value = 99;
			assert_false(kind->try_push(queue, value));
			assert_int_equal(kind->try_push_batch(queue, &value, 1), 0);
			for (uint64_t i = 0; i < capacities[c]; i++) {
				assert_true(kind->try_pop(queue, &value));
				assert_int_equal(value, i);
			}
		}
		assert_false(kind->try_pop(queue, &value));
		release_queue(kind, queue);
	}
}

static void knows_its_size(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		void *queue = made_queue(kind, capacities[c]);
		uint64_t value;

		for (int lap = 0; lap < 3; lap++) {
			for (size_t i = 0; i < capacities[c]; i++) {
				assert_int_equal(kind->size(queue), i);
				kind->try_push(queue, i);
			}
			kind->try_push(queue, 0);
			for (size_t i = capacities[c]; i > 0; i--) {
				assert_int_equal(kind->size(queue), i);
				kind->try_pop(queue, &value);
			}
			kind->try_pop(queue, &value);
			assert_int_equal(kind->size(queue), 0);
		}
		release_queue(kind, queue);
	}
}

/* The indices are looked at one after the other: any two may be found, around their wrap, too. */
static void size_stays_in_range(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		for (uint64_t ticket = 0; ticket < 4; ticket++) {
			uint64_t capacity = capacities[c], at = ticket - 2;
			void *queue = made_queue(kind, capacity);

			kind->set_ends(queue, at + 1, at);
			assert_int_equal(kind->size(queue), 0);
			kind->set_ends(queue, at + 1000, at);
			assert_int_equal(kind->size(queue), 0);
			kind->set_ends(queue, at, at + 1);
			assert_int_equal(kind->size(queue), 1);
			kind->set_ends(queue, at, at + capacity + 1);
			assert_int_equal(kind->size(queue), capacity);
			kind->set_ends(queue, at, at + 2 * capacity + 1000);
			assert_int_equal(kind->size(queue), capacity);
			release_queue(kind, queue);
		}
	}
}

static void takes_empty_batches(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		void *queue = made_queue(kind, capacities[c]);
		uint64_t values[1] = {7};

		for (size_t inside = 0; inside <= capacities[c]; inside++) {
			assert_int_equal(kind->try_push_batch(queue, values, 0), 0);
			assert_int_equal(kind->try_pop_batch(queue, values, 0), 0);
			assert_int_equal(values[0], 7);
			assert_int_equal(kind->size(queue), inside);
			assert_int_equal(kind->try_push(queue, 7), inside < capacities[c]);
		}
		release_queue(kind, queue);
	}
}

/*
 * One batch into and one out of a queue whose next ticket is `offset` and which already has
 * `inside` elements.
 */
static void cut_one_batch(const fifo *kind, size_t capacity, uint64_t offset, size_t inside,
			  size_t count)
{
	void *queue = made_queue(kind, capacity);
	uint64_t values[FIFO_BATCH_MAX + 1];
	size_t room = capacity - inside;

	kind->start_at(queue, offset);
	for (size_t i = 0; i < inside; i++)
		assert_true(kind->try_push(queue, i));
	for (size_t i = 0; i < count; i++)
		values[i] = inside + i;

	size_t pushed = kind->try_push_batch(queue, values, count);

	assert_int_equal(pushed, count < room ? count : room);
	assert_int_equal(kind->size(queue), inside + pushed);

	/* Nothing is written behind what was asked for. */
	memset(values, 0xa5, sizeof(values));
	size_t popped = kind->try_pop_batch(queue, values, count);

	assert_int_equal(popped, count < inside + pushed ? count : inside + pushed);
	for (size_t i = 0; i < popped; i++)
		assert_int_equal(values[i], i);
	assert_int_equal(values[count], 0xa5a5a5a5a5a5a5a5);
	assert_int_equal(kind->size(queue), inside + pushed - popped);
	release_queue(kind, queue);
}

/* A batch is cut to the room or to the elements that there are, at every place in the ring. */
static void cuts_batches(void **state)
{
	static const size_t counts[] = {1, 2, 3, 7, 31, 32, 33, FIFO_BATCH_MAX};
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		for (uint64_t offset = 0; offset < capacities[c]; offset++) {
			for (size_t inside = 0; inside <= capacities[c]; inside++) {
				for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
					cut_one_batch(kind, capacities[c], offset, inside,
						      counts[i]);
			}
		}
	}
}

/* Moves elements through the queue, singly and in batches, past its next `laps` laps. */
static void run_laps(const fifo *kind, void *queue, size_t laps)
{
	size_t capacity = kind->capacity(queue);
	uint64_t values[FIFO_BATCH_MAX], next = 0;

	for (size_t lap = 0; lap < laps; lap++) {
		size_t count = lap % 2 == 0 ? capacity : capacity / 2 + 1;

		assert_int_equal(kind->size(queue), 0);
		assert_false(kind->try_pop(queue, values));
		for (size_t i = 0; i < count; i++)
			values[i] = next + i;
		if (lap % 3 == 0) {
			assert_int_equal(kind->try_push_batch(queue, values, count), count);
		} else {
			for (size_t i = 0; i < count; i++)
				assert_true(kind->try_push(queue, values[i]));
		}
		assert_int_equal(kind->size(queue), count);
		assert_int_equal(kind->try_push(queue, next + count), count < capacity);
		count += count < capacity;
		for (size_t i = 0; i < count - 1; i++) {
			assert_true(kind->try_pop(queue, values));
			assert_int_equal(values[0], next++);
		}
		assert_int_equal(kind->try_pop_batch(queue, values, FIFO_BATCH_MAX), 1);
		assert_int_equal(values[0], next++);
	}
}

/* Turns and tickets that come round change nothing. */
static void survives_overflow(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		uint64_t capacity = capacities[c];
		/* The last ticket before a turn comes round, before the ticket has its upper half,
		 * its sign bit, and before it comes round itself. */
		const uint64_t last[] = {kind->turn_laps * capacity, (uint64_t)1 << 32,
					 (uint64_t)1 << 63, 0};

		for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
			for (uint64_t before = 0; before <= 2 * capacity; before++) {
				void *queue = made_queue(kind, capacity);

				kind->start_at(queue, last[i] - before);
				run_laps(kind, queue, 6);
				release_queue(kind, queue);
			}
		}
	}
}

#define MODEL_ROUNDS     300
#define MODEL_OPERATIONS 400

/* The plain array: elements [popped, pushed) are inside. */
typedef struct model {
	uint64_t values[MODEL_OPERATIONS * FIFO_BATCH_MAX];
	size_t pushed, popped;
} model;

static void push_both(const fifo *kind, void *queue, model *plain, seeded_random *random)
{
	size_t room = kind->capacity(queue) - (plain->pushed - plain->popped);
	size_t count = (size_t)seeded_random_below(random, FIFO_BATCH_MAX + 1);
	uint64_t *values = &plain->values[plain->pushed];

	if (seeded_random_below(random, 2) == 0)
		count = 1;
	for (size_t i = 0; i < count; i++)
		values[i] = seeded_random_next(random) >> 16;
	if (count == 1)
		assert_int_equal(kind->try_push(queue, values[0]), room > 0);
	else
		assert_int_equal(kind->try_push_batch(queue, values, count),
				 count < room ? count : room);
	plain->pushed += count < room ? count : room;
}

static void pop_both(const fifo *kind, void *queue, model *plain, seeded_random *random)
{
	size_t inside = plain->pushed - plain->popped;
	size_t count = (size_t)seeded_random_below(random, FIFO_BATCH_MAX + 1);
	uint64_t values[FIFO_BATCH_MAX];

	if (seeded_random_below(random, 2) == 0)
		count = 1;
	if (count == 1)
		assert_int_equal(kind->try_pop(queue, values), inside > 0);
	else
		assert_int_equal(kind->try_pop_batch(queue, values, count),
				 count < inside ? count : inside);
	for (size_t i = 0; i < (count < inside ? count : inside); i++)
		assert_int_equal(values[i], plain->values[plain->popped++]);
}

/* Random operations give what a plain array gives. */
static void equals_its_model(void **state)
{
	const fifo *kind = *state;
	seeded_random random = {seeded_random_seed()};
	model *plain = malloc(sizeof(*plain));

	assert_non_null(plain);
	for (int round = 0; round < MODEL_ROUNDS; round++) {
		void *queue = made_queue(kind, 1 + (size_t)seeded_random_below(&random, 100));
		/* How often, of eight times, an operation is a push: the queue is often full in one
		 * round and often empty in the next. */
		uint64_t pushes = 2 + seeded_random_below(&random, 5);

		plain->pushed = plain->popped = 0;
		kind->start_at(queue, seeded_random_next(&random));
		for (int i = 0; i < MODEL_OPERATIONS; i++) {
			if (seeded_random_below(&random, 8) < pushes)
				push_both(kind, queue, plain, &random);
			else
				pop_both(kind, queue, plain, &random);
			assert_int_equal(kind->size(queue), plain->pushed - plain->popped);
		}
		release_queue(kind, queue);
	}
	free(plain);
}

/* Memory of the caller */

static void says_how_much_memory(void **state)
{
	const fifo *kind = *state;

	assert_int_equal(kind->memory_size(0), 0);
	assert_int_equal(kind->memory_size(((size_t)1 << 31) + 1), 0);
	assert_int_equal(kind->memory_size(SIZE_MAX), 0);
	assert_true(kind->memory_size((size_t)1 << 31) >= (size_t)8 << 31);
	assert_int_equal(kind->memory_size(33), kind->memory_size(64));
	assert_true(kind->memory_size(64) < kind->memory_size(65));
	assert_int_equal(kind->memory_size(1) % WEFT_CACHE_LINE, 0);
}

/* Refused memory is not touched, and the queue is left zeroed. */
static void refuses_memory(void **state)
{
	const fifo *kind = *state;
	size_t bytes = kind->memory_size(4);
	unsigned char *memory = lent_memory(bytes);
	const struct {
		void *memory;
		size_t bytes, capacity;
	} refused[] = {
		{NULL, bytes, 4},
		{NULL, SIZE_MAX, 4},
		{memory + 8, bytes, 4},
		{memory + WEFT_CACHE_LINE / 2, bytes, 4},
		{memory, bytes - 1, 4},
		{memory, 0, 4},
		{memory, bytes, 0},
		{memory, SIZE_MAX, ((size_t)1 << 31) + 1},
		{memory, SIZE_MAX, SIZE_MAX},
	};
	void *queue = zeroed_queue(kind);

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		memset(queue, 0xa5, kind->queue_bytes);
		assert_int_equal(kind->init_in(queue, refused[i].memory, refused[i].bytes,
					       refused[i].capacity),
				 -EINVAL);
		assert_true(is_zeroed(kind, queue));
		kind->fini(queue);
	}
	lent_are_bytes(memory, bytes, 0xa5);
	lent_give_back(memory, bytes);
	free(queue);
}

/* What was in the memory does not matter, nothing around it is touched, and it stays the caller's:
 * a second queue can have it. */
static void lives_in_memory_of_the_caller(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		size_t bytes = kind->memory_size(capacities[c]);
		unsigned char *memory = lent_memory(bytes);
		void *queue = zeroed_queue(kind);
		uint64_t value;

		for (int again = 0; again < 2; again++) {
			assert_int_equal(kind->init_in(queue, memory, bytes, capacities[c]), 0);
			assert_int_equal(kind->capacity(queue), capacities[c]);
			assert_false(kind->try_pop(queue, &value));
			for (uint64_t i = 0; i < 3 * capacities[c]; i++)
				assert_int_equal(kind->try_push(queue, i), i < capacities[c]);
			for (uint64_t i = 0; i < capacities[c] / 2 + 1; i++) {
				assert_true(kind->try_pop(queue, &value));
				assert_int_equal(value, i);
			}
			kind->fini(queue);
			assert_true(is_zeroed(kind, queue));
			kind->fini(queue);
		}
		lent_are_bytes(memory - WEFT_CACHE_LINE, WEFT_CACHE_LINE, 0xa5);
		lent_are_bytes(memory + bytes, WEFT_CACHE_LINE, 0xa5);
		lent_give_back(memory, bytes);
		free(queue);
	}
}

/* Closing */

/* Calls that have a word for it say why they refuse, and leave the value alone. */
static void says_why_not(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		void *queue = made_queue(kind, capacities[c]);
		uint64_t value = 99;

		for (uint64_t lap = 0; lap < 5; lap++) {
			assert_int_equal(kind->pop(queue, &value), -EAGAIN);
			assert_int_equal(value, 99);
			for (uint64_t i = 0; i < capacities[c]; i++)
				assert_int_equal(kind->push(queue, i), 0);
			assert_int_equal(kind->push(queue, 99), -EAGAIN);
			for (uint64_t i = 0; i < capacities[c]; i++) {
				assert_int_equal(kind->pop(queue, &value), 0);
				assert_int_equal(value, i);
			}
			value = 99;
			assert_false(kind->is_closed(queue));
		}
		release_queue(kind, queue);
	}
}

static void assert_takes_nothing(const fifo *kind, void *queue)
{
	const uint64_t values[2] = {7, 7};

	assert_true(kind->is_closed(queue));
	assert_int_equal(kind->push(queue, 7), -EPIPE);
	assert_false(kind->try_push(queue, 7));
	assert_int_equal(kind->try_push_batch(queue, values, 2), 0);
}

static void assert_drained(const fifo *kind, void *queue)
{
	uint64_t value = 99;

	assert_int_equal(kind->size(queue), 0);
	assert_int_equal(kind->pop(queue, &value), -EPIPE);
	assert_false(kind->try_pop(queue, &value));
	assert_int_equal(kind->try_pop_batch(queue, &value, 1), 0);
	assert_int_equal(value, 99);
}

/* Closes a queue, whose next ticket was this one, with so many elements inside. */
static void close_with(const fifo *kind, size_t capacity, uint64_t ticket, size_t inside)
{
	void *queue = made_queue(kind, capacity);
	uint64_t value;

	kind->start_at(queue, ticket);
	for (uint64_t i = 0; i < inside; i++)
		assert_int_equal(kind->push(queue, i), 0);
	kind->close(queue);
	for (uint64_t i = 0; i < inside; i++) {
		assert_takes_nothing(kind, queue);
		assert_int_equal(kind->size(queue), inside - i);
		if (i % 2 == 0)
			assert_int_equal(kind->pop(queue, &value), 0);
		else
			assert_int_equal(kind->try_pop_batch(queue, &value, 1), 1);
		assert_int_equal(value, i);
	}
	assert_takes_nothing(kind, queue);
	assert_drained(kind, queue);
	kind->close(queue);
	assert_takes_nothing(kind, queue);
	assert_drained(kind, queue);

	/* One that is made anew is open. */
	kind->fini(queue);
	assert_int_equal(kind->init(queue, capacity), 0);
	assert_false(kind->is_closed(queue));
	assert_int_equal(kind->pop(queue, &value), -EAGAIN);
	assert_int_equal(kind->push(queue, 1), 0);
	release_queue(kind, queue);
}

/* With any number of elements inside, at every place in the ring, and where turns come round. */
static void closes_and_drains(void **state)
{
	const fifo *kind = *state;

	for (size_t c = 0; c < CAPACITIES; c++) {
		uint64_t capacity = capacities[c];
		const uint64_t last[] = {2 * capacity, kind->turn_laps * capacity,
					 (uint64_t)1 << 32, (uint64_t)1 << 63, 0};

		for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
			for (uint64_t before = 0; before <= capacity; before++) {
				for (size_t inside = 0; inside <= capacity; inside++)
					close_with(kind, capacity, last[i] - before, inside);
			}
		}
	}
}

static const struct CMUnitTest contract[] = {
	cmocka_unit_test(refuses_capacities),   cmocka_unit_test(rounds_capacities_up),
	cmocka_unit_test(finishes_when_zeroed), cmocka_unit_test(keeps_order),
	cmocka_unit_test(is_full_and_empty),    cmocka_unit_test(knows_its_size),
	cmocka_unit_test(takes_empty_batches),  cmocka_unit_test(cuts_batches),
	cmocka_unit_test(survives_overflow),    cmocka_unit_test(equals_its_model),
};

/* Of queues that can be made in memory of the caller. */
static const struct CMUnitTest in_memory[] = {
	cmocka_unit_test(says_how_much_memory),
	cmocka_unit_test(refuses_memory),
	cmocka_unit_test(lives_in_memory_of_the_caller),
};

/* Of queues whose size is the distance of two indices. */
static const struct CMUnitTest sizes[] = {
	cmocka_unit_test(size_stays_in_range),
};

/* Of queues that can be closed. */
static const struct CMUnitTest closing[] = {
	cmocka_unit_test(says_why_not),
	cmocka_unit_test(closes_and_drains),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define TESTS_MAX      96
#define NAME_MAX_BYTES 80

static struct CMUnitTest tests[TESTS_MAX];
static size_t tests_count;

/* Adds tests that are told the kind. */
static void add_tests(const fifo *kind, const struct CMUnitTest *added, size_t count)
{
	static char names[TESTS_MAX][NAME_MAX_BYTES];

	for (size_t i = 0; i < count; i++, tests_count++) {
		assert_true(tests_count < TESTS_MAX);
		snprintf(names[tests_count], NAME_MAX_BYTES, "%s %s", kind->name, added[i].name);
		tests[tests_count] = added[i];
		tests[tests_count].name = names[tests_count];
		tests[tests_count].initial_state = (void *)(uintptr_t)kind;
	}
}

int fifo_contract_run(const fifo *const *kinds, const struct CMUnitTest *own, size_t own_count)
{
	for (; *kinds != NULL; kinds++) {
		add_tests(*kinds, contract, COUNT(contract));
		if ((*kinds)->init_in != NULL)
			add_tests(*kinds, in_memory, COUNT(in_memory));
		if ((*kinds)->set_ends != NULL)
			add_tests(*kinds, sizes, COUNT(sizes));
		if ((*kinds)->close != NULL)
			add_tests(*kinds, closing, COUNT(closing));
	}
	assert_true(tests_count + own_count <= TESTS_MAX);
	memcpy(&tests[tests_count], own, own_count * sizeof(*own));
	return _cmocka_run_group_tests("fifo", tests, tests_count + own_count, NULL, NULL);
}
