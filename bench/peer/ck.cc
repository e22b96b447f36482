/* SPDX-License-Identifier: Apache-2.0 */

/* Concurrency Kit: ck_ring, in its forms for many threads and for one on either side or on both,
 * ck_stack for many threads, ck_sequence and ck_epoch. */

#include "peer/peer_list.h"
#include "queue_scenarios.h"
#include "retire_scenarios.h"
#include "snapshot_scenarios.h"
#include "stack_scenarios.h"

/* It returns false where it means a null pointer; C++ takes only 0 for one. */
#define false 0
/* These functions give a void pointer to another: not in C++, and not used here. */
#define CK_F_STACK_BATCH_POP_UPMC
#define CK_F_STACK_BATCH_POP_MPMC
#define CK_F_STACK_PUSH_MPNC
#include <ck_ring.h>
#include <ck_sequence.h>
#include <ck_stack.h>
/* Its functions are in a library of C, which it does not say. */
extern "C" {
#include <ck_epoch.h>
}
#undef false

namespace bench
{

namespace
{

template <bool ManyProducers, bool ManyConsumers> class ring
{
      public:
	static constexpr bool stalls_when_preempted = ManyProducers;

	explicit ring(size_t capacity) : slots_(std::make_unique<ck_ring_buffer[]>(capacity))
	{
		ck_ring_init(&ring_, static_cast<unsigned>(capacity));
	}

	bool try_push(uint64_t element)
	{
		void *pointer = reinterpret_cast<void *>(static_cast<uintptr_t>(element));

		if constexpr (ManyProducers)
			return ck_ring_enqueue_mpmc(&ring_, slots_.get(), pointer);
		else
			return ck_ring_enqueue_spsc(&ring_, slots_.get(), pointer);
	}

	bool try_pop(uint64_t &element)
	{
		void *pointer;
		bool popped;

		if constexpr (ManyConsumers)
			popped = ck_ring_dequeue_mpmc(&ring_, slots_.get(), &pointer);
		else
			popped = ck_ring_dequeue_spsc(&ring_, slots_.get(), &pointer);
		if (popped)
			element = reinterpret_cast<uintptr_t>(pointer);
		return popped;
	}

      private:
	WEFT_LINE_ALIGNED ck_ring ring_;
	std::unique_ptr<ck_ring_buffer[]> slots_;
};

/* A pop by several threads is there only with some compilers. */
#ifdef CK_F_STACK_POP_MPMC

class stack
{
      public:
	using element = ck_stack_entry_t *;

	explicit stack(size_t count) : nodes_(count)
	{
		ck_stack_init(&stack_);
		for (ck_stack_entry_t &node : nodes_)
			ck_stack_push_mpmc(&stack_, &node);
	}

	bool try_pop(element &popped)
	{
		popped = ck_stack_pop_mpmc(&stack_);
		return popped != nullptr;
	}

	void push(element pushed)
	{
		ck_stack_push_mpmc(&stack_, pushed);
	}

	uint64_t number_of(element node) const
	{
		return static_cast<uint64_t>(node - nodes_.data()) + 1;
	}

      private:
	WEFT_LINE_ALIGNED ck_stack_t stack_;
	WEFT_LINE_ALIGNED std::vector<ck_stack_entry_t> nodes_;
};

#endif

class sequence
{
      public:
	void read(snapshot &value) const
	{
		unsigned version;

		do {
			version = ck_sequence_read_begin(&sequence_);
			value = value_;
		} while (ck_sequence_read_retry(&sequence_, version));
	}

	void write(const snapshot &value)
	{
		ck_sequence_write_begin(&sequence_);
		value_ = value;
		ck_sequence_write_end(&sequence_);
	}

      private:
	WEFT_LINE_ALIGNED ck_sequence sequence_ = CK_SEQUENCE_INITIALIZER;
	snapshot value_ = {};
};

/* One for the process; a record is left to the thread that comes next. */
ck_epoch *shared_epoch()
{
	static ck_epoch epoch;
	static const bool done = (ck_epoch_init(&epoch), true);

	(void)done;
	return &epoch;
}

class epoch_reader
{
      public:
	epoch_reader() : record_(ck_epoch_recycle(shared_epoch(), nullptr))
	{
		if (record_ == nullptr) {
			record_ = new ck_epoch_record;
			ck_epoch_register(shared_epoch(), record_, nullptr);
		}
	}

	epoch_reader(const epoch_reader &) = delete;

	~epoch_reader()
	{
		ck_epoch_barrier(record_);
		ck_epoch_unregister(record_);
	}

	static ck_epoch_record *record()
	{
		thread_local epoch_reader mine;

		return mine.record_;
	}

      private:
	ck_epoch_record *record_;
};

/* What is deferred is called when the thread looks; it looks after so much. */
void look_now_and_then(ck_epoch_record *record)
{
	if (record->n_pending % 128 == 0)
		ck_epoch_poll(record);
}

class by_epoch
{
      public:
	by_epoch() = default;
	by_epoch(const by_epoch &) = delete;

	~by_epoch()
	{
		delete pointer_.load();
	}

	void read(snapshot &value) const
	{
		ck_epoch_record *record = epoch_reader::record();

		ck_epoch_begin(record, nullptr);
		value = pointer_.load(std::memory_order_consume)->value;
		ck_epoch_end(record, nullptr);
	}

	void write(const snapshot &value)
	{
		auto *old = pointer_.exchange(new node{{}, value}, std::memory_order_acq_rel);
		ck_epoch_record *record = epoch_reader::record();

		ck_epoch_call(record, &old->entry, [](ck_epoch_entry *entry) {
			delete reinterpret_cast<node *>(entry);
		});
		look_now_and_then(record);
	}

      private:
	struct node {
		ck_epoch_entry entry;
		snapshot value;
	};

	WEFT_LINE_ALIGNED std::atomic<node *> pointer_{new node()};
};

class retire_by_epoch
{
      public:
	static void retire(retired_piece *piece)
	{
		ck_epoch_record *record = epoch_reader::record();

		ck_epoch_call(record, reinterpret_cast<ck_epoch_entry *>(piece),
			      [](ck_epoch_entry *entry) { free_piece(entry); });
		look_now_and_then(record);
	}

	static void finish()
	{
		ck_epoch_barrier(epoch_reader::record());
	}
};

} // namespace

void add_peer_ck()
{
	add_snapshot<sequence>("seqlock", "ck_sequence", role::peer);
	add_snapshot<by_epoch>("rcu_ptr", "ck_epoch", role::peer);
	add_retire<retire_by_epoch>("rcu_ptr", "ck_epoch", role::peer);
#ifdef CK_F_STACK_POP_MPMC
	add_one_stack<stack>("ck_stack", role::peer);
#endif
	add_shared_queue<ring<true, true>>("mpmc_queue", "ck_ring", role::peer);
	add_gathering_queue<ring<true, false>>("mpsc_queue", "ck_ring", role::peer);
	add_queue<ring<false, false>>("spsc_queue", "ck_ring", role::peer);
}

} // namespace bench
