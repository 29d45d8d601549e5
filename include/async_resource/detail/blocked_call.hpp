// Copyright (c) 2026 The async_resource authors
// Distributed under the Boost Software License, Version 1.0. (See accompanying file LICENSE or copy at
// https://www.boost.org/LICENSE_1_0.txt)

#ifndef ASYNC_RESOURCE_DETAIL_BLOCKED_CALL_HPP
#define ASYNC_RESOURCE_DETAIL_BLOCKED_CALL_HPP

#include <exception>
#include <optional>
#include <tuple>
#include <utility>

#include <async_resource/detail/blocked_thread.hpp>

namespace asyncres {
inline namespace v0 {
namespace detail {

// A thread that waits for an operation, with room for what that completes with.
template <class... Args>
struct blocked_call : blocked_thread {
  std::optional<std::tuple<Args...>> completion;
  std::exception_ptr move_failure;
};

// The handler of such an operation.
template <class... Args>
class waker {
 public:
  using executor_type = blocked_executor;
  using allocator_type = blocked_allocator<void>;

  explicit waker(blocked_call<Args...>& call) noexcept : call_(&call) {}
  waker(waker&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
  waker& operator=(waker&&) = delete;
  ~waker() {
    if (call_) call_->end();
  }

  template <class... Values>
  void operator()(Values&&... values) noexcept {
    try {
      call_->completion.emplace(std::forward<Values>(values)...);
    } catch (...) {
      call_->move_failure = std::current_exception();
    }
    std::exchange(call_, nullptr)->end();
  }

  executor_type get_executor() const noexcept { return executor_type(*call_); }
  allocator_type get_allocator() const noexcept { return allocator_type(*call_); }

 private:
  blocked_call<Args...>* call_;
};

}  // namespace detail
}  // namespace v0
}  // namespace asyncres

#endif  // ASYNC_RESOURCE_DETAIL_BLOCKED_CALL_HPP
