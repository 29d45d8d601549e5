// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_KINDS_HPP
#define ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_KINDS_HPP

#include <async_resource/async_resource.hpp>
#include <async_resource/error.hpp>
#include <async_resource/lease.hpp>
#include <async_resource/options.hpp>
#include <async_resource/pool.hpp>
#include <async_resource/tokens/block.hpp>

#include <asio/any_io_executor.hpp>
#include <asio/error.hpp>

#include <cstddef>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

// The kinds of place that the contract is held to: what functions are submitted to, and what is closed and cancelled.

namespace testing {

// A handle of a resource.
struct on_handle {
  template <class Resource>
  using handle = asyncres::async_resource<asio::any_io_executor, Resource>;
};
// A pool with one member.
struct on_pool {
  template <class Resource>
  using handle = asyncres::async_resource_pool<asio::any_io_executor, Resource>;
};
// A lease. The handle of its resource is used for all but functions.
struct on_lease {
  template <class Resource>
  using handle = asyncres::async_resource<asio::any_io_executor, Resource>;
};

// Whether this thread is on the strand of the resource.
template <class Executor, class Resource>
bool is_at_home(const asyncres::async_resource<Executor, Resource>& resource) {
  return resource.get_executor().running_in_this_thread();
}
// The strands of a pool cannot be asked, but it does not let any of its functions block on it. Off the strand, this is
// an operation that is refused for another reason, and at once.
template <class Executor, class Resource>
bool is_at_home(const asyncres::async_resource_pool<Executor, Resource>& pool) {
  std::error_code error;
  pool.async_resize(0, asyncres::block[error]);
  return error == asyncres::errc::would_deadlock;
}

// A lease, as something that can be copied.
template <class Resource>
class lease_door {
 public:
  using lease = asyncres::lease<asio::any_io_executor, Resource>;

  lease_door() = default;
  explicit lease_door(lease held) : held_(std::make_shared<lease>(std::move(held))) {}

  // Operations are started when the lease that made them has ended.
  void end_first() { ends_first_ = true; }
  void end() { held_->release(); }

  template <class Function>
  auto async_invoke(Function&& function) const {
    auto operation = held_->async_invoke(std::forward<Function>(function));
    if (ends_first_) held_->release();
    return operation;
  }
  template <class Function, class Token>
  auto async_invoke(Function&& function, Token&& token) const {
    using started = decltype(async_invoke(std::forward<Function>(function))(std::forward<Token>(token)));
    using at_once = decltype(held_->async_invoke(std::forward<Function>(function), std::forward<Token>(token)));
    if constexpr (std::is_same_v<started, at_once>)
      if (!ends_first_) return held_->async_invoke(std::forward<Function>(function), std::forward<Token>(token));
    return async_invoke(std::forward<Function>(function))(std::forward<Token>(token));
  }

 private:
  std::shared_ptr<lease> held_;
  bool ends_first_ = false;
};

}  // namespace testing

#endif  // ASYNC_RESOURCE_TESTS_SUPPORT_CONTRACT_KINDS_HPP
