/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings that every request looks at and that are replaced while the program runs: an rcu_ptr
 * costs a request a load, and the old settings are freed when no request can be using them.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft/lockfree/rcu_ptr.h>

#include "must.h"

#define THREADS  3
#define REQUESTS 200000 /* of each thread */
#define CHANGES  1000

struct settings {
	int version;
	int low, high; /* always ten apart */
};

WEFT_RCU_PTR_DEFINE(settings_ptr, struct settings);

static settings_ptr current;

static struct settings *make(int version)
{
	struct settings *made = malloc(sizeof(*made));

	must(made == NULL, "malloc");
	*made = (struct settings){version, version, version + 10};
	return made;
}

static void *serve(void *wrong)
{
	for (int i = 0; i < REQUESTS; i++) {
		/* What is found in the section may be used until it ends. */
		weft_reclaim_enter();
		const struct settings *now = settings_ptr_read(&current);

		if (now->high - now->low != 10)
			*(int *)wrong += 1;
		weft_reclaim_exit();
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	int wrong[THREADS] = {0}, all_wrong = 0;
	struct settings last;

	settings_ptr_init(&current, make(0));
	for (int i = 0; i < THREADS; i++)
		must(pthread_create(&threads[i], NULL, serve, &wrong[i]), "pthread_create");
	for (int version = 1; version <= CHANGES; version++)
		must(settings_ptr_update(&current, make(version), free), "settings_ptr_update");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		all_wrong += wrong[i];
	}
	settings_ptr_copy(&current, &last);
	printf("version %d, %d requests saw something else\n", last.version, all_wrong);
	free(settings_ptr_exchange(&current, NULL));
	must(weft_reclaim_barrier(), "weft_reclaim_barrier");
	return 0;
}
