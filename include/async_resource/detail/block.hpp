// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_BLOCK_HPP
#define ASYNC_RESOURCE_DETAIL_BLOCK_HPP

#include <memory>
#include <utility>

namespace asyncres {
inline namespace v0 {
namespace detail {

// Makes a T in a block from a handler's associated allocator. destroy_block() gives both back.
template <class T, class Allocator, class... Args>
T* make_block(const Allocator& allocator, Args&&... args) {
  using traits = typename std::allocator_traits<Allocator>::template rebind_traits<T>;
  typename traits::allocator_type rebound(allocator);
  struct guard {
    typename traits::allocator_type& allocator;
    typename traits::pointer block;
    ~guard() {
      if (block) traits::deallocate(allocator, block, 1);
    }
  } owner{rebound, traits::allocate(rebound, 1)};
  T* const object = std::construct_at(std::to_address(owner.block), std::forward<Args>(args)...);
  owner.block = nullptr;
  return object;
}

template <class T, class Allocator>
void destroy_block(T* object, const Allocator& allocator) noexcept {
  using traits = typename std::allocator_traits<Allocator>::template rebind_traits<T>;
  typename traits::allocator_type rebound(allocator);
  std::destroy_at(object);
  traits::deallocate(rebound, std::pointer_traits<typename traits::pointer>::pointer_to(*object), 1);
}

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_BLOCK_HPP
