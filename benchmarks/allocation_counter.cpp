// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#include "allocation_counter.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>

#ifndef __GLIBC__
#error "The benchmarks count allocations by replacing malloc and its family, in the way glibc allows."
#endif

// What the replacements below stand for. Every operator new of the standard library ends in one of them.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace benchmarks {
namespace {

// One counter a thread, each on a cache line of its own: a counter that all share would cost most where most is
// allocated, and so flatter who allocates nothing.
struct alignas(64) slot {
  std::atomic<std::uint64_t> count;
};

constexpr int last = 63;
constinit slot slots[last + 1] = {};
constinit std::atomic<int> threads = 0;
constinit thread_local int mine = -1;

void count() noexcept {
  if (mine < 0) {
    const int next = threads.fetch_add(1, std::memory_order_relaxed);
    mine = next < last ? next : last;
  }
  auto& counter = slots[mine].count;
  if (mine < last)
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  else
    counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

std::uint64_t allocations() noexcept {
  std::uint64_t sum = 0;
  for (const auto& each : slots) sum += each.count.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace benchmarks

extern "C" {

void* malloc(std::size_t size) {
  benchmarks::count();
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) {
  benchmarks::count();
  return __libc_calloc(count, size);
}

void* realloc(void* old, std::size_t size) {
  benchmarks::count();
  return __libc_realloc(old, size);
}

void* memalign(std::size_t alignment, std::size_t size) {
  benchmarks::count();
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  benchmarks::count();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** out, std::size_t alignment, std::size_t size) {
  benchmarks::count();
  void* const memory = __libc_memalign(alignment, size);
  if (!memory) return ENOMEM;
  *out = memory;
  return 0;
}

}  // extern "C"
