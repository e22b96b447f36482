/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WEFT_BENCH_PEER_LIST_H
#define WEFT_BENCH_PEER_LIST_H

/*
 * The peers: libraries that Debian packages, one adapter in one file for each. An adapter is built
 * when its package is there (see meson.build), with the flags that its package asks for.
 */

#include <string>

namespace bench
{

/* Adds the benchmarks of the peers that were there when this was built, but for those that are not
 * there any more. */
void add_peers();

/* Their packages and versions, or "none"; and which were left out, and why:
 * "libboost-dev 1.74.0.3, libtbb-dev 2021.8.0-2; left out: libck-dev (not there)". */
std::string peers();

/* Defined by the adapters. */
void add_peer_atomic_queue();
void add_peer_boost_context();
void add_peer_boost_lockfree();
void add_peer_bs_thread_pool();
void add_peer_ck();
void add_peer_dpdk();
void add_peer_glib();
void add_peer_libcds();
void add_peer_liburcu();
void add_peer_liburcu_cds();
void add_peer_libuv();
void add_peer_mimalloc();
void add_peer_moodycamel();
void add_peer_openmp();
void add_peer_openmp_clang();
void add_peer_pthreadpool();
void add_peer_readerwriterqueue();
void add_peer_tbb();
void add_peer_tcmalloc();
void add_peer_thread_pool();

} // namespace bench

#endif
