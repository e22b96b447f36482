/* SPDX-License-Identifier: Apache-2.0 */
/* A program outside the tree: built and run by consumer.py against an installed weft. */
#include <stdio.h>
#include <string.h>

#include <weft/lockfree/counter.h>
#include <weft/lockfree/mpmc_queue.h>
#include <weft/weft.h>

struct order {
	int number, price;
};

WEFT_MPMC_QUEUE_DEFINE(orders, struct order);

int main(void)
{
	orders queue;
	weft_counter sold;
	struct order order = {0, 0};
	int64_t sum;

	if (strcmp(weft_version(), WEFT_VERSION) != 0)
		return 1;
	if (orders_init(&queue, 4) != 0 || weft_counter_init(&sold) != 0)
		return 2;
	while (orders_try_push(&queue, order)) {
		order.number++;
		order.price += 10;
	}
	while (orders_try_pop(&queue, &order))
		weft_counter_add(&sold, order.price);
	sum = weft_counter_read(&sold);
	orders_fini(&queue);
	weft_counter_fini(&sold);
	printf("weft %s: sold for %d\n", weft_version(), (int)sum);
	return sum == 0 + 10 + 20 + 30 ? 0 : 3;
}
