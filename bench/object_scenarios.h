/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_OBJECT_SCENARIOS_H
#define WEFT_BENCH_OBJECT_SCENARIOS_H

/*
 * What is measured of memory for objects of one size, as one template for all. An allocator is a
 * class with alloc(), which returns memory for an object, and free(void *).
 *
 * Every object is written to when it is allocated and looked at when it is freed.
 */

#include <array>
#include <new>
#include <string>

#include <weft/lockfree/spsc_queue.h>

#include "harness.h"
#include "registry.h"

namespace bench
{

struct object {
	uint64_t mark;
	uint64_t rest[7];
};

template <class Allocator> object *make_object(Allocator &allocator, uint64_t mark)
{
	auto *made = static_cast<object *>(allocator.alloc());

	if (made == nullptr)
		throw std::bad_alloc();
	made->mark = mark;
	return made;
}

/* Returns whether it was as it was made. */
template <class Allocator> bool drop_object(Allocator &allocator, object *dropped, uint64_t mark)
{
	bool right = dropped->mark == mark;

	allocator.free(dropped);
	return right;
}

/* The marks of different threads are so far apart. */
constexpr unsigned marks_apart = 256;

/* Each thread allocates this many and then frees them, again and again; time for one of both. */
template <class Allocator, unsigned Count> result by_itself(unsigned threads)
{
	Allocator allocator;
	std::vector<tally> tallies(threads);

	run_crew(threads, current_settings().run_ms, [&](unsigned thread, const stop_flag &stop) {
		std::array<object *, Count> mine;
		tally sum;
		double start_ns = thread_cpu_ns();

		do {
			for (unsigned round = 0; round < 1024 / Count; round++) {
				for (unsigned i = 0; i < Count; i++)
					mine[i] = make_object(allocator, thread * marks_apart + i);
				for (unsigned i = 0; i < Count; i++)
					sum.sum += !drop_object(allocator, mine[i],
								thread * marks_apart + i);
			}
			sum.count += 1024 / Count * Count;
		} while (!stop);
		sum.ns = thread_cpu_ns() - start_ns;
		tallies[thread] = sum;
	});

	tally sum = total(tallies, 0, threads);

	if (sum.sum != 0)
		return {.wrong = "an object was not what was made"};
	return {.ns = sum.ns / static_cast<double>(sum.count)};
}

/* Objects on their way from one thread to another: a ring that is the same for all allocators. */
struct WEFT_LINE_ALIGNED passage {
	passage()
	{
		if (weft_spsc_queue_init(&queue, 1024, sizeof(object *)) != 0)
			throw std::bad_alloc();
	}

	passage(const passage &) = delete;

	~passage()
	{
		weft_spsc_queue_fini(&queue);
	}

	weft_spsc_queue queue;
	std::atomic<bool> dry{false};
	WEFT_LINE_ALIGNED tally made;
	WEFT_LINE_ALIGNED tally dropped; /* its sum: those that were not what was made */
};

template <class Allocator>
void allocate_and_send(Allocator &allocator, passage &passage, const stop_flag &stop)
{
	std::array<object *, 32> some;
	patience patience;

	do {
		for (object *&each : some)
			each = make_object(allocator, ++passage.made.count);
		for (size_t gone = 0; gone < some.size();) {
			size_t count = weft_spsc_queue_try_push_batch(&passage.queue, &some[gone],
								      some.size() - gone);

			gone += count;
			if (count == 0)
				patience.failed();
		}
	} while (!stop);
	passage.dry.store(true);
}

template <class Allocator> void receive_and_free(Allocator &allocator, passage &passage)
{
	std::array<object *, 32> some;
	patience patience;

	for (bool last = false;;) {
		size_t count =
			weft_spsc_queue_try_pop_batch(&passage.queue, some.data(), some.size());

		for (size_t i = 0; i < count; i++)
			passage.dropped.sum +=
				!drop_object(allocator, some[i], ++passage.dropped.count);
		if (count == 0 && last)
			return;
		last = count == 0 && passage.dry.load();
		if (count == 0 && !last)
			patience.failed();
	}
}

/* Allocated by one thread and freed by another. The price of the passage is in the figure of each.
 */
template <class Allocator> result here_and_there()
{
	Allocator allocator;
	passage passage;
	double ns =
		run_crew(2, current_settings().run_ms, [&](unsigned thread, const stop_flag &stop) {
			if (thread == 0)
				allocate_and_send(allocator, passage, stop);
			else
				receive_and_free(allocator, passage);
		});

	if (passage.dropped.sum != 0 || passage.dropped.count != passage.made.count)
		return {.wrong = "an object was not what was made"};
	return {.ns = ns / static_cast<double>(passage.made.count)};
}

template <class Allocator> void add_allocator(const std::string &name, role role)
{
	add("object_pool", "pair", unit::time,
	    {name, role, [] { return by_itself<Allocator, 1>(1); }});
	add("object_pool", "32_at_once", unit::time,
	    {name, role, [] { return by_itself<Allocator, 32>(1); }});
	add("object_pool", "256_at_once", unit::time,
	    {name, role, [] { return by_itself<Allocator, 256>(1); }});
	add("object_pool", "256_at_once_8_threads", unit::time,
	    {name, role, [] { return by_itself<Allocator, 256>(8); }});
	add("object_pool", "here_and_there", unit::time, {name, role, here_and_there<Allocator>});
}

} // namespace bench

#endif
