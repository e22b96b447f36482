/* SPDX-License-Identifier: Apache-2.0 */

/*
 * DPDK's rte_ring, in memory of our own, without its environment. Its default form assumes that no
 * thread is preempted; the HTS one is what DPDK recommends where threads share CPUs.
 */

#include <cstdlib>
#include <new>

#include <rte_ring.h>

#include "peer/peer_list.h"
#include "queue_scenarios.h"

namespace bench
{

namespace
{

template <unsigned Flags, class Element> class ring
{
      public:
	using element = Element;
	static constexpr bool stalls_when_preempted = Flags == 0;

	explicit ring(size_t capacity)
	{
		/* One slot stays empty, unless the ring is told its exact size. */
		auto count = static_cast<unsigned>(capacity);
		ssize_t bytes = rte_ring_get_memsize_elem(sizeof(Element), count);

		if (bytes > 0)
			ring_ = static_cast<rte_ring *>(std::aligned_alloc(
				WEFT_CACHE_LINE, static_cast<size_t>(bytes + WEFT_CACHE_LINE - 1) /
							 WEFT_CACHE_LINE * WEFT_CACHE_LINE));
		if (ring_ == nullptr || rte_ring_init(ring_, "bench", count, Flags) != 0)
			throw std::bad_alloc();
	}

	ring(const ring &) = delete;

	~ring()
	{
		std::free(ring_);
	}

	bool try_push(const Element &pushed)
	{
		return try_push_batch(&pushed, 1) == 1;
	}

	bool try_pop(Element &popped)
	{
		return try_pop_batch(&popped, 1) == 1;
	}

	size_t try_push_batch(const Element *elements, size_t count)
	{
		return rte_ring_enqueue_burst_elem(ring_, elements, sizeof(*elements),
						   static_cast<unsigned>(count), nullptr);
	}

	size_t try_pop_batch(Element *elements, size_t count)
	{
		return rte_ring_dequeue_burst_elem(ring_, elements, sizeof(*elements),
						   static_cast<unsigned>(count), nullptr);
	}

      private:
	rte_ring *ring_ = nullptr;
};

template <class Element> using shared = ring<0, Element>;
template <class Element> using shared_hts = ring<RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ, Element>;
template <class Element> using gathering_hts = ring<RING_F_MP_HTS_ENQ | RING_F_SC_DEQ, Element>;
template <class Element> using spsc = ring<RING_F_SP_ENQ | RING_F_SC_DEQ, Element>;

} // namespace

void add_peer_dpdk()
{
	add_shared_sizes<shared>("mpmc_queue", "dpdk_ring", role::peer);
	add_shared_sizes<shared_hts>("mpmc_queue", "dpdk_ring_hts", role::peer);
	add_gathering_sizes<gathering_hts>("mpsc_queue", "dpdk_ring_hts", role::peer);
	add_spsc_sizes<spsc>("spsc_queue", "dpdk_ring", role::peer);
}

} // namespace bench
