// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_HEAP_WATCH_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_HEAP_WATCH_HPP

// Replaces operator new, so that one source file of a program includes this.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace fuzzing {

/// Notes what is asked of the heap during its lifetime, and refuses what is above `bound`. For one thread.
class heap_watch {
 public:
  explicit heap_watch(std::size_t bound) {
    bound_ = bound;
    largest_ = 0;
  }
  ~heap_watch() { bound_ = SIZE_MAX; }
  heap_watch(const heap_watch&) = delete;
  heap_watch& operator=(const heap_watch&) = delete;

  /// The largest block asked for, refused or not.
  std::size_t largest() const { return largest_; }

  static void* allocate(std::size_t size) noexcept {
    largest_ = std::max(largest_, size);
    return size <= bound_ ? std::malloc(size) : nullptr;
  }

 private:
  static inline std::size_t bound_ = SIZE_MAX;
  static inline std::size_t largest_ = 0;
};

}  // namespace fuzzing

void* operator new(std::size_t size) {
  if (void* const block = fuzzing::heap_watch::allocate(size)) return block;
  throw std::bad_alloc();
}
// AddressSanitizer's own does not call the one above; libFuzzer sorts with it.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return fuzzing::heap_watch::allocate(size);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_HEAP_WATCH_HPP
