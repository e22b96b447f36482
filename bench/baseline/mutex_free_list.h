/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_MUTEX_FREE_LIST_H
#define WEFT_BENCH_MUTEX_FREE_LIST_H

/*
 * The object pool that one writes with a mutex: a free list inside the objects, and chunks of 1024
 * where there is none.
 */

#include <cstddef>
#include <memory>
#include <pthread.h>
#include <vector>

#include <weft/lockfree/base.h>

namespace bench
{

class mutex_free_list
{
      public:
	explicit mutex_free_list(size_t object_bytes) : object_bytes_(object_bytes) {}

	mutex_free_list(const mutex_free_list &) = delete;

	~mutex_free_list()
	{
		pthread_mutex_destroy(&mutex_);
	}

	void *alloc()
	{
		pthread_mutex_lock(&mutex_);
		if (free_ == nullptr)
			grow();

		link *object = free_;

		free_ = object->next;
		pthread_mutex_unlock(&mutex_);
		return object;
	}

	void free(void *freed)
	{
		auto *object = static_cast<link *>(freed);

		pthread_mutex_lock(&mutex_);
		object->next = free_;
		free_ = object;
		pthread_mutex_unlock(&mutex_);
	}

      private:
	struct link {
		link *next;
	};

	static constexpr size_t chunk_objects = 1024;

	void grow()
	{
		chunks_.push_back(std::make_unique<std::byte[]>(chunk_objects * object_bytes_));
		for (size_t i = 0; i < chunk_objects; i++) {
			auto *object =
				reinterpret_cast<link *>(chunks_.back().get() + i * object_bytes_);

			object->next = free_;
			free_ = object;
		}
	}

	WEFT_LINE_ALIGNED pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
	link *free_ = nullptr;
	const size_t object_bytes_;
	std::vector<std::unique_ptr<std::byte[]>> chunks_;
};

} // namespace bench

#endif
