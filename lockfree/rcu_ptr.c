/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/rcu_ptr.h>

#include <stdlib.h>

#include "reclaim_thread.h"

int weft_rcu_ptr_update(weft_rcu_ptr *rcu, void *pointer, void (*destroy)(void *old), size_t bytes)
{
	weft_reclaim_note_ *note;
	/* All that can fail comes before the pointer changes. */
	int error = weft_reclaim_make_note_(&note, destroy);

	if (error != 0)
		return error;
	note->pointer = weft_rcu_ptr_exchange(rcu, pointer);
	if (note->pointer == NULL)
		free(note);
	else
		weft_reclaim_push_note_(note, bytes);
	return 0;
}
