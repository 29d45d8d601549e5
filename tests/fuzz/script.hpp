// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_FUZZ_SCRIPT_HPP
#define ASYNC_RESOURCE_TESTS_FUZZ_SCRIPT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace fuzzing {

/// A finding, unless `holds`.
inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// What a fuzzer was given, taken off its front; behind its end there are zeros.
class script {
 public:
  script(const std::uint8_t* data, std::size_t size) : rest_(std::as_bytes(std::span(data, size))) {}

  bool empty() const { return rest_.empty(); }
  std::span<const std::byte> rest() const { return rest_; }

  std::span<const std::byte> take(std::size_t at_most) {
    const auto taken = rest_.first(std::min(at_most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

  std::size_t byte() {
    const auto taken = take(1);
    return taken.empty() ? 0 : std::to_integer<std::size_t>(taken.front());
  }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace fuzzing

#endif  // ASYNC_RESOURCE_TESTS_FUZZ_SCRIPT_HPP
