// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_BENCHMARKS_ALLOCATION_COUNTER_HPP
#define ASYNC_RESOURCE_BENCHMARKS_ALLOCATION_COUNTER_HPP

#include <cstdint>

namespace benchmarks {

// How often any thread of this program has asked for heap memory, in whatever way. Read at two moments, the difference
// is exact for the threads that are ordered before the reading and good to a few for the others.
std::uint64_t allocations() noexcept;

}  // namespace benchmarks

#endif  // ASYNC_RESOURCE_BENCHMARKS_ALLOCATION_COUNTER_HPP
