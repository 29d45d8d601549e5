// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_WAKING_EXECUTOR_HPP
#define ASYNC_RESOURCE_DETAIL_WAKING_EXECUTOR_HPP

#include <type_traits>
#include <utility>

#include <async_resource/detail/asio.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// The executor of a handler that does nothing but wake a thread: it may be called wherever the operation ends, and need
// not be carried anywhere first. What has to be posted to it, because something else says so, goes to a system thread.
class waking_executor {
 public:
  template <class Function>
  void execute(Function&& function) const {
    std::decay_t<Function> copy(std::forward<Function>(function));
    std::move(copy)();
  }

  asio::system_context& query(asio::execution::context_t) const noexcept {
    return asio::query(asio::system_executor(), asio::execution::context);
  }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept {
    return asio::execution::blocking.possibly;
  }
  waking_executor require(asio::execution::blocking_t::possibly_t) const noexcept { return {}; }
  auto require(asio::execution::blocking_t::never_t never) const {
    return asio::require(asio::system_executor(), never);
  }

  bool operator==(const waking_executor&) const noexcept = default;
};

template <class Executor>
inline constexpr bool is_waking = std::is_same_v<Executor, waking_executor>;

// A handler for which the thread that initiates the operation will wait, through all adapters.
template <class Handler, class Fallback>
inline constexpr bool is_waited_for = is_waking<asio::associated_executor_t<Handler, Fallback>>;

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_WAKING_EXECUTOR_HPP
