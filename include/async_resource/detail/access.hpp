// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_ACCESS_HPP
#define ASYNC_RESOURCE_DETAIL_ACCESS_HPP

#include <utility>

#include <async_resource/detail/home_place.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// What the parts of the library may ask of a handle, and users may not.
struct access {
  template <class Handle, class Site, class... Args>
  static Handle make(Site site, Args&&... args) {
    return Handle(on_site, std::move(site), std::forward<Args>(args)...);
  }

  // The home where this thread runs a function, if it is one of that handle, lease or pool; else null.
  template <class Handle>
  static auto home_here(const Handle& handle) noexcept {
    return handle.home_here();
  }
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_ACCESS_HPP
