/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Thread-local variables of the checked code: as all fibers run on one thread of the system there
 * is one place for them, into which each fiber's own are put while it runs. An access to them is no
 * race. (Theirs are those of the program itself; those of its libraries are not looked after.)
 */

#include "engine.h"

#include <link.h>
#include <string.h>

enum {
	SIZE_MAX_ = 1024
};

static char images[ENGINE_THREADS][SIZE_MAX_];
/* Where they stand now, how many bytes they are, and what they begin with. */
static char *place;
static size_t size, initial_size;
static const char *initial;

/* Called for the program first, and then no more. */
static int find(struct dl_phdr_info *program, size_t unused, void *also_unused)
{
	(void)unused;
	(void)also_unused;
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &program->dlpi_phdr[i];

		if (part->p_type != PT_TLS)
			continue;
		place = program->dlpi_tls_data;
		size = part->p_memsz;
		initial_size = part->p_filesz;
		initial = (const char *)program->dlpi_addr + part->p_vaddr;
	}
	return 1;
}

void engine_thread_local_create(int thread)
{
	static bool found;

	if (!found) {
		found = true;
		dl_iterate_phdr(find, NULL);
	}
	if (size > SIZE_MAX_)
		model_fail("limit of the checker: too many thread-local variables");
	memset(images[thread], 0, size);
	memcpy(images[thread], initial, initial_size);
}

void engine_thread_local_enter(int thread)
{
	memcpy(place, images[thread], size);
}

void engine_thread_local_leave(int thread)
{
	memcpy(images[thread], place, size);
}

bool engine_thread_local_contains(uintptr_t address)
{
	return address - (uintptr_t)place < size;
}
