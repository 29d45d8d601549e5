// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_STACK_GAUGE_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_STACK_GAUGE_HPP

#include <cstdint>

namespace testing {

// Where the stack is. Not the address of a variable: AddressSanitizer may keep those elsewhere.
[[gnu::noinline]] inline std::uintptr_t stack_position() {
  return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

// How far the stack positions seen lie apart.
class stack_gauge {
 public:
  void measure() {
    const auto here = stack_position();
    if (lowest_ == 0 || here < lowest_) lowest_ = here;
    if (here > highest_) highest_ = here;
  }
  std::uintptr_t spread() const { return highest_ - lowest_; }

 private:
  std::uintptr_t lowest_ = 0;
  std::uintptr_t highest_ = 0;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_STACK_GAUGE_HPP
