// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_POOL_FACTORY_HPP
#define ASYNC_RESOURCE_DETAIL_POOL_FACTORY_HPP

#include <cstddef>
#include <functional>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A factory, for one member of a pool.
template <class Factory>
struct indexed_factory {
  Factory factory;
  std::size_t index;

  decltype(auto) operator()() { return std::invoke(factory, index); }
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_POOL_FACTORY_HPP
