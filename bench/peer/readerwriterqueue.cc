/* SPDX-License-Identifier: Apache-2.0 */

/* moodycamel::ReaderWriterQueue, bounded by pushing without allocating. */

#include <readerwriterqueue/readerwriterqueue.h>

#include "../queue_scenarios.h"
#include "peer_list.h"

namespace bench
{

namespace
{

class reader_writer
{
      public:
	explicit reader_writer(size_t capacity) : queue_(capacity) {}

	bool try_push(uint64_t element)
	{
		return queue_.try_enqueue(element);
	}

	bool try_pop(uint64_t &element)
	{
		return queue_.try_dequeue(element);
	}

      private:
	moodycamel::ReaderWriterQueue<uint64_t> queue_;
};

} // namespace

void add_peer_readerwriterqueue()
{
	add_queue<reader_writer>("spsc_queue", "readerwriter", role::peer);
}

} // namespace bench
