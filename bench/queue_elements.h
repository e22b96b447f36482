/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_QUEUE_ELEMENTS_H
#define WEFT_BENCH_QUEUE_ELEMENTS_H

/*
 * What goes through the queues: elements that bear a number. A queue says by its type `element`
 * what its elements are; one that does not say carries the numbers themselves.
 */

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace bench
{

constexpr size_t batch_size = 32;

/* The batch of a queue that has none: so many calls, with 0, 1 and so on, until one says no.
 * Returns how many did not. */
template <class Call> size_t one_by_one(size_t count, Call call)
{
	size_t done = 0;

	while (done < count && call(done))
		done++;
	return done;
}

/* An element of so many bytes, which bears its number at both of its ends. */
template <size_t Bytes> struct block {
	std::array<uint64_t, Bytes / sizeof(uint64_t)> words;
};

template <class Queue> struct element_of {
	using type = uint64_t;
};

template <class Queue>
requires requires
{
	typename Queue::element;
}
struct element_of<Queue> {
	using type = typename Queue::element;
};

inline void set_number(uint64_t &element, uint64_t number)
{
	element = number;
}

/* All of a block counts as written here and as looked at below: the compiler may leave out none of
 * it when it copies one. */
template <size_t Bytes> void set_number(block<Bytes> &element, uint64_t number)
{
	element.words.front() = element.words.back() = number;
	__asm__ __volatile__("" : "+m"(element));
}

/* 0, which no element bears, when the element is not whole. */
inline uint64_t number_of(uint64_t element)
{
	return element;
}

template <size_t Bytes> uint64_t number_of(const block<Bytes> &element)
{
	__asm__ __volatile__("" : : "m"(element));
	return element.words.front() == element.words.back() ? element.words.front() : 0;
}

/* How the name of a scenario says what its elements are: "", or "_64B". */
template <class Element> std::string size_in_name()
{
	if constexpr (sizeof(Element) == sizeof(uint64_t))
		return "";
	else
		return "_" + std::to_string(sizeof(Element)).append("B");
}

/*
 * The numbers that producers give to their elements: from (producer + 1) << producer_shift on, each
 * greater than the one before. They stay below 2^48, so that queues of pointers carry them, too.
 */
constexpr unsigned producer_shift = 40;
constexpr size_t producers_max = 16;

/*
 * One consumer's view of the order. What a queue hands to one consumer is, of each producer, in the
 * order in which it was pushed, also when other consumers take what is between.
 */
class order
{
      public:
	void see(uint64_t number)
	{
		uint64_t &last = last_[(number >> producer_shift) % producers_max];

		violations_ += number <= last;
		last = number;
	}

	uint64_t violations() const
	{
		return violations_;
	}

      private:
	std::array<uint64_t, producers_max> last_ = {};
	uint64_t violations_ = 0;
};

/*
 * Defines the template `alias`, whose alias<element> is a container of elements of that size:
 * what container(name, element) makes of the typed wrappers that define(name, element) makes.
 */
#define BENCH_DEFINE_SIZES_AS(define, alias, container)                                            \
	define(alias##_of_8, uint64_t);                                                            \
	define(alias##_of_64, block<64>);                                                          \
	define(alias##_of_256, block<256>);                                                        \
	template <class Element> struct alias##_sizes_;                                            \
	template <> struct alias##_sizes_<uint64_t> {                                              \
		using type = container(alias##_of_8, uint64_t);                                    \
	};                                                                                         \
	template <> struct alias##_sizes_<block<64>> {                                             \
		using type = container(alias##_of_64, block<64>);                                  \
	};                                                                                         \
	template <> struct alias##_sizes_<block<256>> {                                            \
		using type = container(alias##_of_256, block<256>);                                \
	};                                                                                         \
	template <class Element> using alias = typename alias##_sizes_<Element>::type

} // namespace bench

#endif
