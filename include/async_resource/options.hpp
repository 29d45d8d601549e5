// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_OPTIONS_HPP
#define ASYNC_RESOURCE_OPTIONS_HPP

#include <chrono>
#include <cstddef>

namespace asyncres {
inline namespace v0 {

/// How a resource is served. Given to the constructor of async_resource, and fixed from then on.
struct resource_options {
  /// Functions a visit to the strand; then whatever else waits on the strand, and on its threads, gets its turn. Zero
  /// counts as one.
  std::size_t quantum = 64;

  /// If not zero, a visit also ends at the first function that returns later than this after the visit began. Costs a
  /// reading of `std::chrono::steady_clock` a function.
  std::chrono::microseconds max_visit{0};
};

}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_OPTIONS_HPP
