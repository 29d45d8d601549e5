// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_CACHE_HPP
#define ASYNC_RESOURCE_DETAIL_CACHE_HPP

#include <cstddef>
#include <cstdint>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What different threads write lies this far apart. Not std::hardware_destructive_interference_size: it may differ
// between two files of one program.
inline constexpr std::size_t cache_line = 64;

// Asks for what will be needed soon. Any address will do, also one that is not valid any more.
inline void prefetch([[maybe_unused]] const void* address) noexcept {
#if defined(__GNUC__)
  __builtin_prefetch(address);
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(address) + cache_line));
#endif
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_CACHE_HPP
