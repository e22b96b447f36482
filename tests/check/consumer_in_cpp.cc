/* SPDX-License-Identifier: Apache-2.0 */
/* A program outside the tree, in C++: built and run by consumer.py against an installed weft. */
#include <iostream>
#include <string>
#include <thread>

#include <weft/lockfree/counter.h>
#include <weft/lockfree/spsc_queue.h>
#include <weft/weft.h>

WEFT_SPSC_QUEUE_DEFINE(numbers, int);

/* A task: its value is its argument. */
static int give_back(void *argument, void **value)
{
	*value = argument;
	return 0;
}

/* What a future of a task brings, which is the number's own address when all is well. */
static void *by_future(int *number)
{
	weft_pool *pool;
	weft_future *future;
	void *value = nullptr;

	if (weft_pool_create(&pool, nullptr) != 0)
		return nullptr;
	if (weft_submit(pool, give_back, number, &future) == 0) {
		if (weft_future_wait(future, weft_after(10 * WEFT_SECONDS)) == 0)
			value = weft_future_value(future);
		weft_future_release(future);
	}
	return weft_pool_destroy(pool) == 0 ? value : nullptr;
}

int main()
{
	constexpr int last = 1000;
	numbers queue;
	weft_counter sum;

	if (std::string(weft_version()) != WEFT_VERSION)
		return 1;
	if (numbers_init(&queue, 16) != 0 || weft_counter_init(&sum) != 0)
		return 2;
	std::thread producer([&queue] {
		for (int number = 1; number <= last;)
			number += numbers_try_push(&queue, number);
	});
	for (int number = 0; number != last;)
		if (numbers_try_pop(&queue, &number))
			weft_counter_add(&sum, number);
	producer.join();
	int number;
	const bool right =
		weft_counter_read(&sum) == last * (last + 1) / 2 && by_future(&number) == &number;
	numbers_fini(&queue);
	weft_counter_fini(&sum);
	std::cout << "weft " << weft_version() << "\n";
	return right ? 0 : 3;
}
