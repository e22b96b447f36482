/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What gcc and clang call in code compiled with -fsanitize=thread, in place of the sanitizer's own
 * runtime, which is not linked. Each hook passes the place it was called from, for the report.
 */

#include "engine.h"

#include <string.h>

#define PC __builtin_return_address(0)

/* The compilers know no prototypes for these; they are what the sanitizer's header says. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

static inline bool enter(void)
{
	if (!engine.running || engine.inside)
		return false;
	engine.inside = true;
	return true;
}

static inline void leave(void)
{
	engine.inside = false;
}

static inline void plain(const volatile void *address, size_t size, bool is_write, const void *pc)
{
	if (enter()) {
		engine_plain((uintptr_t)address, size, is_write, pc);
		leave();
	}
}

void __tsan_init(void) {}
void __tsan_func_entry(void *caller)
{
	(void)caller;
}
void __tsan_func_exit(void) {}

#define PLAIN_HOOKS(bytes)                                                                         \
	void __tsan_read##bytes(void *address)                                                     \
	{                                                                                          \
		plain(address, bytes, false, PC);                                                  \
	}                                                                                          \
	void __tsan_write##bytes(void *address)                                                    \
	{                                                                                          \
		plain(address, bytes, true, PC);                                                   \
	}                                                                                          \
	void __tsan_unaligned_read##bytes(void *address)                                           \
	{                                                                                          \
		plain(address, bytes, false, PC);                                                  \
	}                                                                                          \
	void __tsan_unaligned_write##bytes(void *address)                                          \
	{                                                                                          \
		plain(address, bytes, true, PC);                                                   \
	}                                                                                          \
	void __tsan_read_write##bytes(void *address)                                               \
	{                                                                                          \
		plain(address, bytes, true, PC);                                                   \
	}                                                                                          \
	void __tsan_unaligned_read_write##bytes(void *address)                                     \
	{                                                                                          \
		plain(address, bytes, true, PC);                                                   \
	}

PLAIN_HOOKS(1)
PLAIN_HOOKS(2)
PLAIN_HOOKS(4)
PLAIN_HOOKS(8)
PLAIN_HOOKS(16)

void __tsan_read_range(void *address, size_t size)
{
	plain(address, size, false, PC);
}

void __tsan_write_range(void *address, size_t size)
{
	plain(address, size, true, PC);
}

/* gcc leaves the calls of these three alone, clang renames them: both end here. That they are
 * calls, and not copies in place without a hook, is for meson.build to see to. */

void *__real_memcpy(void *to, const void *from, size_t size);
void *__real_memmove(void *to, const void *from, size_t size);
void *__real_memset(void *to, int byte, size_t size);

static inline void moved(void *to, const void *from, size_t size, const void *pc)
{
	if (size != 0) {
		plain(from, size, false, pc);
		plain(to, size, true, pc);
	}
}

void *__wrap_memcpy(void *to, const void *from, size_t size)
{
	moved(to, from, size, PC);
	return __real_memcpy(to, from, size);
}

void *__wrap_memmove(void *to, const void *from, size_t size)
{
	moved(to, from, size, PC);
	return __real_memmove(to, from, size);
}

void *__wrap_memset(void *to, int byte, size_t size)
{
	if (size != 0)
		plain(to, size, true, PC);
	return __real_memset(to, byte, size);
}

void *__tsan_memcpy(void *to, const void *from, size_t size)
{
	moved(to, from, size, PC);
	return __real_memcpy(to, from, size);
}

void *__tsan_memmove(void *to, const void *from, size_t size)
{
	moved(to, from, size, PC);
	return __real_memmove(to, from, size);
}

void *__tsan_memset(void *to, int byte, size_t size)
{
	if (size != 0)
		plain(to, size, true, PC);
	return __real_memset(to, byte, size);
}

/* The compilers may set bits above the order (a hint for hardware lock elision). */
static inline int order_at(int order, const void *pc, bool failure)
{
	order &= 0x7fff;
	return engine.weakens ? engine_weakened(order, pc, failure) : order;
}

static engine_value raw_read(const volatile void *address, uint32_t size)
{
	engine_value value = 0;

	__real_memcpy(&value, (const void *)(uintptr_t)address, size);
	return value;
}

static void raw_write(volatile void *address, uint32_t size, engine_value value)
{
	__real_memcpy((void *)(uintptr_t)address, &value, size);
}

/* Between executions there is one thread and nothing to choose. */

static engine_value hook_load(const volatile void *address, uint32_t size, int order,
			      const void *pc)
{
	if (!enter())
		return raw_read(address, size);

	engine_value value = engine_load((uintptr_t)address, size, order_at(order, pc, false), pc);

	leave();
	return value;
}

static void hook_store(volatile void *address, uint32_t size, engine_value value, int order,
		       const void *pc)
{
	if (!enter()) {
		raw_write(address, size, value);
		return;
	}
	engine_store((uintptr_t)address, size, value, order_at(order, pc, false), pc);
	leave();
}

static engine_value hook_update(volatile void *address, uint32_t size,
				enum engine_arithmetic arithmetic, engine_value operand, int order,
				const void *pc)
{
	if (!enter()) {
		engine_value before = raw_read(address, size);

		raw_write(address, size, engine_compute(arithmetic, before, operand, size));
		return before;
	}

	engine_value before = engine_update((uintptr_t)address, size, arithmetic, operand,
					    order_at(order, pc, false), pc);

	leave();
	return before;
}

static bool hook_exchange(struct engine_exchange *exchange, const void *pc)
{
	exchange->order = order_at(exchange->order, pc, false);
	exchange->failure_order = order_at(exchange->failure_order, pc, true);
	if (!enter()) {
		volatile void *address = (volatile void *)exchange->address;
		engine_value before = raw_read(address, exchange->size);
		bool succeeds = before == exchange->expected;

		if (succeeds)
			raw_write(address, exchange->size, exchange->desired);
		exchange->expected = before;
		return succeeds;
	}

	bool succeeds = engine_compare_exchange(exchange, pc);

	leave();
	return succeeds;
}

#define EXCHANGE(bits, e, d, success, failure, is_weak)                                            \
	{                                                                                          \
		.address = (uintptr_t)address, .size = (bits) / 8, .expected = (e),                \
		.desired = (d), .order = (success), .failure_order = (failure), .weak = (is_weak), \
	}

#define UPDATE_HOOK(bits, type, name, arithmetic)                                                  \
	type __tsan_atomic##bits##_##name(volatile type *address, type operand, int order)         \
	{                                                                                          \
		return (type)hook_update(address, (bits) / 8, arithmetic, operand, order, PC);     \
	}

#define ATOMIC_HOOKS(bits, type)                                                                   \
	type __tsan_atomic##bits##_load(const volatile type *address, int order)                   \
	{                                                                                          \
		return (type)hook_load(address, (bits) / 8, order, PC);                            \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile type *address, type value, int order)            \
	{                                                                                          \
		hook_store(address, (bits) / 8, value, order, PC);                                 \
	}                                                                                          \
	UPDATE_HOOK(bits, type, exchange, ENGINE_EXCHANGE)                                         \
	UPDATE_HOOK(bits, type, fetch_add, ENGINE_ADD)                                             \
	UPDATE_HOOK(bits, type, fetch_sub, ENGINE_SUB)                                             \
	UPDATE_HOOK(bits, type, fetch_and, ENGINE_AND)                                             \
	UPDATE_HOOK(bits, type, fetch_or, ENGINE_OR)                                               \
	UPDATE_HOOK(bits, type, fetch_xor, ENGINE_XOR)                                             \
	UPDATE_HOOK(bits, type, fetch_nand, ENGINE_NAND)                                           \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *address, type *expected,  \
							  type desired, int order, int failure)    \
	{                                                                                          \
		struct engine_exchange x =                                                         \
			EXCHANGE(bits, *expected, desired, order, failure, false);                 \
		bool succeeds = hook_exchange(&x, PC);                                             \
		*expected = (type)x.expected;                                                      \
		return succeeds;                                                                   \
	}                                                                                          \
	int __tsan_atomic##bits##_compare_exchange_weak(volatile type *address, type *expected,    \
							type desired, int order, int failure)      \
	{                                                                                          \
		struct engine_exchange x =                                                         \
			EXCHANGE(bits, *expected, desired, order, failure, true);                  \
		bool succeeds = hook_exchange(&x, PC);                                             \
		*expected = (type)x.expected;                                                      \
		return succeeds;                                                                   \
	}                                                                                          \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *address, type expected,     \
							type desired, int order, int failure)      \
	{                                                                                          \
		struct engine_exchange x =                                                         \
			EXCHANGE(bits, expected, desired, order, failure, false);                  \
		hook_exchange(&x, PC);                                                             \
		return (type)x.expected;                                                           \
	}

ATOMIC_HOOKS(8, uint8_t)
ATOMIC_HOOKS(16, uint16_t)
ATOMIC_HOOKS(32, uint32_t)
ATOMIC_HOOKS(64, uint64_t)
ATOMIC_HOOKS(128, engine_value)

void __tsan_atomic_thread_fence(int order)
{
	if (enter()) {
		engine_fence(order_at(order, PC, false), PC);
		leave();
	}
}

void model_fence_all(void)
{
	if (enter()) {
		engine_fence_all(PC);
		leave();
	}
}

void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}

/* A broken contract of the checked code is a failure of the scenario, not the end of the program.
 */
void __wrap_weft_contract_broken_(const char *where, const char *contract)
{
	model_fail("contract broken at %s: %s", where, contract);
}
