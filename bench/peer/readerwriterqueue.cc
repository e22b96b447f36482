/* SPDX-License-Identifier: Apache-2.0 */

/* moodycamel::ReaderWriterQueue, bounded by pushing without allocating. */

#include <readerwriterqueue/readerwriterqueue.h>

#include "peer/peer_list.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

template <class Element> class reader_writer
{
      public:
	using element = Element;

	explicit reader_writer(size_t capacity) : queue_(capacity) {}

	bool try_push(const Element &pushed)
	{
		return queue_.try_enqueue(pushed);
	}

	bool try_pop(Element &popped)
	{
		return queue_.try_dequeue(popped);
	}

      private:
	moodycamel::ReaderWriterQueue<Element> queue_;
};

} // namespace

void add_peer_readerwriterqueue()
{
	add_spsc_sizes<reader_writer>("spsc_queue", "readerwriter", role::peer);
}

} // namespace bench
