/* SPDX-License-Identifier: Apache-2.0 */
#include <weft/lockfree/rcu_ptr.h>

#include <stdlib.h>

#include "reclaim_thread.h"

int weft_rcu_ptr_update(weft_rcu_ptr *rcu, void *pointer, void (*destroy)(void *old), size_t bytes)
{
	weft_reclaim_note_ *note;
	int error;

	if (destroy == NULL)
		return -EINVAL;
	/* All that can fail comes before the pointer changes. */
	error = weft_reclaim_room_();
	if (error != 0)
		return error;
	note = malloc(sizeof(*note));
	if (note == NULL)
		return -ENOMEM;
	note->function = destroy;
	note->pointer = weft_rcu_ptr_exchange(rcu, pointer);
	if (note->pointer == NULL)
		free(note);
	else
		weft_reclaim_push_(&note->head, weft_reclaim_run_note_, bytes);
	return 0;
}
